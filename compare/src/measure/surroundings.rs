//! The machine while the contestants of a scenario are measured in turns: how
//! busy it is, and how much of that is the run itself.

use crate::load::machine_clocks::MachineClocks;
use crate::load::process_tree::{CpuTimes, ProcessTree};
use crate::model::load_report::MachineTimes;
use crate::model::reading::Reading;

/// The clocks of the machine, and of all processes of the run, before the first
/// turn.
pub(crate) struct Surroundings {
    machine: Result<MachineClocks, String>,
    own: Result<CpuTimes, String>,
}

impl Surroundings {
    /// Reads the clocks.
    pub(crate) fn read() -> Surroundings {
        let own = own_processes().and_then(ProcessTree::cpu_times);
        Surroundings { machine: MachineClocks::read(), own }
    }

    /// Returns the times since then. The CPU time of the run's processes is
    /// unknown if one of them has ended.
    pub(crate) fn times(self) -> Reading<MachineTimes> {
        let own_ns = self.own.and_then(|start| {
            let used_ns = start.used_since_ns()?;
            Ok(used_ns + start.used_by_new_ns(&own_processes()?)?)
        });
        let times = self.machine.and_then(|start| {
            let times = MachineClocks::read()?.since(&start);
            Ok(MachineTimes { own_ns: own_ns.ok(), ..times })
        });
        Reading::from(times)
    }
}

/// Returns this process and its descendants: all servers and load generators.
fn own_processes() -> Result<ProcessTree, String> {
    ProcessTree::find(rustix::process::getpid())
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    fn work_of_this_process_is_its_own() {
        let surroundings = Surroundings::read();
        black_box(protocol::fib(black_box(27)));
        let times = surroundings.times().value.unwrap();
        // Other tests may end processes of this one meanwhile.
        let own_ns = times.own_ns.unwrap_or(1);
        assert!((1..=times.all_ns).contains(&own_ns), "{times:?}");
    }
}
