//! Converting a scenario's client groups for the load generator.

use std::time::Duration;

use crate::measure::failure::Failure;
use crate::model::calibration::Calibrated;
use crate::model::load_plan::GroupPlan;
use crate::model::scenarios::Scenario;

/// A client group, and the server that it connects to.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    /// The group, as the load generator runs it.
    pub(crate) group: GroupPlan,
    /// Whether the clients connect to a second server of the same contestant.
    pub(crate) is_apart: bool,
}

/// Returns the scenario's client groups. Each cost is replaced by the n that
/// was calibrated for this fib. Groups with a `load` send as fast as they can.
///
/// # Errors
///
/// Returns an error if a cost is not calibrated.
pub(crate) fn groups(
    scenario: &Scenario,
    calibration: &[Calibrated],
    fib: Option<&str>,
) -> Result<Vec<Clients>, Failure> {
    let n_of = |cost: Duration| {
        let known = calibration.iter().find(|known| known.is_for(cost, fib));
        known.map(|known| known.n).ok_or_else(|| {
            let cost = humantime::format_duration(cost);
            Failure::Instrument(format!("the n that takes {cost} is unknown"))
        })
    };
    let groups = scenario.groups.iter().map(|group| {
        let n = match (group.n, group.cost) {
            (Some(n), _) => n,
            (None, Some(cost)) => n_of(cost)?,
            // Silent clients send no requests.
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
