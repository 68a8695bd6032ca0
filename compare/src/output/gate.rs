//! The verdict on a regression for a terminal.

use crate::analysis::gate::Gate;
use crate::analysis::relation::MORE_ROUNDS_MAX;
use crate::output::notes;

/// Returns the regressions, or whether it is shown that there are none.
pub(crate) fn text(gate: &Gate) -> String {
    let mut text = String::new();
    for line in &gate.regressions {
        text += &format!("regression: {line}\n");
    }
    // Without a remainder such as that of 0.07 * 100.
    let percent = (gate.allowed * 1e4).round() / 1e2;
    let undecided = gate.undecided.len();
    if undecided > 0 {
        let more = match gate.more_rounds {
            Some(more) => format!(": about {more} more rounds of both runs"),
            None => format!(
                "; {MORE_ROUNDS_MAX} more rounds would not decide all of them"
            ),
        };
        text += &format!(
            "undecided whether there is a regression above {percent} % for \
             {undecided} of {} figures{more}\n\
             undecided: {}\n",
            gate.figures,
            notes::first_few(&gate.undecided)
        );
    } else if gate.regressions.is_empty() && gate.figures > 0 {
        text += &format!("no regression above {percent} %\n");
    }
    text
}
