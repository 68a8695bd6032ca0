//! A scenario's client groups as the load generator gets them.

use std::time::Duration;

use crate::measure::failure::Failure;
use crate::model::calibration::Calibrated;
use crate::model::load_plan::GroupPlan;
use crate::model::scenarios::Scenario;

/// A client group, and which server it talks to.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    /// The clients.
    pub(crate) group: GroupPlan,
    /// They talk to a second server of the contestant, which is there for
    /// nobody else.
    pub(crate) is_apart: bool,
}

/// The scenario's client groups, every cost as an n that stands for it with
/// this fib, and every load as fast as can be.
///
/// # Errors
///
/// When it is not known which n that is.
pub(crate) fn groups(
    scenario: &Scenario,
    calibration: &[Calibrated],
    fib: Option<&str>,
) -> Result<Vec<Clients>, Failure> {
    let n_of = |cost: Duration| {
        let known = calibration.iter().find(|known| known.is_of(cost, fib));
        known.map(|known| known.n).ok_or_else(|| {
            let cost = humantime::format_duration(cost);
            Failure::Instrument(format!("which n takes {cost} is not known"))
        })
    };
    let groups = scenario.groups.iter().map(|group| {
        let n = match (group.n, group.cost) {
            (Some(n), _) => n,
            (None, Some(cost)) => n_of(cost)?,
            // Those that are silent ask for nothing.
            (None, None) => 0,
        };
        Ok(Clients {
            group: GroupPlan {
                name: group.name.clone(),
                n,
                connections: group.connections,
                pace: group.pace(),
                elsewhere: None,
            },
            is_apart: group.apart,
        })
    });
    groups.collect()
}
