//! Types and texts that several parts of the page use.

use crate::model::contestant::Contestant;
use crate::model::figure::Figure;
use crate::model::scenarios::Scenario;
use crate::output::html::family::Family;
use crate::output::sheet::{Sheet, Validity};

/// A contestant as the page shows it.
pub(crate) struct PageContestant<'a> {
    /// The contestant's index on the page.
    pub(crate) index: usize,
    pub(crate) contestant: &'a Contestant,
    pub(crate) family: Family,
}

/// Returns the text that is shown in place of a missing figure, and the reason.
pub(crate) fn none_text(
    sheet: &Sheet<'_>,
    scenario: &Scenario,
    contestant: &str,
    figure: Figure,
) -> (&'static str, String) {
    match sheet.validity(scenario, contestant, figure) {
        Validity::Void(reason) => ("void", format!("void: {reason}")),
        Validity::ByDesign(reason) => ("–", format!("by design: {reason}")),
        Validity::Absent => ("–", "not measured".to_owned()),
        Validity::Valid | Validity::Suspect(_) => {
            ("–", "no figure: too few replies in the window".to_owned())
        }
    }
}
