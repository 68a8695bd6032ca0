//! The ranking of contestants by one figure for a terminal.

use crate::analysis::ranking::{Place, Ranking};
use crate::analysis::statistics::Estimate;

pub(crate) fn text(ranking: &Ranking) -> String {
    let better = if ranking.figure.more_is_better() { "more" } else { "less" };
    let mut text = format!("{}: {better} is better", ranking.figure.name());
    if !ranking.places.is_empty() {
        text += &format!(
            "; how many times worse than the best (below 1 by noise \
             alone), over {}",
            ranking.scenarios.join(", ")
        );
    }
    text += "\n";
    for Place { place, contestant, score, relation } in &ranking.places {
        let Estimate { value, low, high } = score;
        let score = format!("{value:.2} [{low:.2}, {high:.2}]");
        let outcome = match relation {
            None => String::new(),
            Some(relation) => format!("  {}", relation.name()),
        };
        text += &format!("{place:>4}  {contestant:<20} {score}{outcome}\n");
    }
    for line in &ranking.left_out {
        text += &format!("      {line}\n");
    }
    text
}
