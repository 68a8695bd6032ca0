//! The ranking of contestants by one figure for a terminal.

use crate::analysis::ranking::Ranking;
use crate::analysis::statistics::Estimate;

pub(crate) fn text(ranking: &Ranking) -> String {
    let better = if ranking.figure.more_is_better() { "more" } else { "less" };
    let mut text = format!("{}: {better} is better", ranking.figure.name());
    if !ranking.places.is_empty() {
        text += &format!(
            "; how many times worse than the first (below 1 by noise \
             alone), over {}",
            ranking.scenarios.join(", ")
        );
    }
    text += "\n";
    for (place, name, Estimate { value, low, high }) in &ranking.places {
        let score = format!("{value:.2} [{low:.2}, {high:.2}]");
        text += &format!("{place:>4}  {name:<20} {score}\n");
    }
    for line in &ranking.left_out {
        text += &format!("      {line}\n");
    }
    text
}
