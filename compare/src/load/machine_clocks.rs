//! The clocks of the machine's processors, from `/proc/stat`.

use std::fs;
use std::time::Instant;

use crate::base::control_group;
use crate::model::load_report::MachineTimes;

/// One tick of `/proc/stat`: USER_HZ is 100 on every Linux.
const TICK_NS: u64 = 10_000_000;

/// The clocks of all processors, added up, at one moment.
///
/// The kernel only samples, a few hundred times a second, what a processor that
/// is busy does. The idle time and the steal time are exact, up to the tick in
/// which the file states them. So the busy time is what they leave of the time
/// that has passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MachineClocks {
    at: Instant,
    processors: u32,
    idle_ns: u64,
    irq_ns: u64,
    soft_irq_ns: u64,
    stolen_ns: u64,
    throttled_ns: Option<u64>,
}

impl MachineClocks {
    /// Reads the clocks.
    ///
    /// # Errors
    ///
    /// Returns an error if `/proc/stat` can't be read, or counts nothing.
    pub(crate) fn read() -> Result<MachineClocks, String> {
        let path = "/proc/stat";
        let text = fs::read_to_string(path)
            .map_err(|error| format!("cannot read {path}: {error}"))?;
        let clocks = MachineClocks::parse(&text, Instant::now())
            .ok_or_else(|| format!("{path} has no times of the processors"))?;
        let throttled_ns = control_group::cpu_limits().throttled_ns;
        Ok(MachineClocks { throttled_ns, ..clocks })
    }

    /// Returns the times that have passed since `start`.
    pub(crate) fn since(&self, start: &MachineClocks) -> MachineTimes {
        let all = (self.at - start.at) * self.processors;
        let all_ns = all.as_nanos() as u64;
        // A kernel that counts interrupts counts them for no process. Others
        // have ticks of soft interrupts only, which are part of a process.
        let no_process_ns = |of: &MachineClocks| match start.irq_ns {
            0 => of.idle_ns,
            1.. => of.idle_ns + of.irq_ns + of.soft_irq_ns,
        };
        let idle_ns = no_process_ns(self).saturating_sub(no_process_ns(start));
        let stolen_ns = self.stolen_ns.saturating_sub(start.stolen_ns);
        let busy_ns = all_ns.saturating_sub(idle_ns + stolen_ns);
        let both = self.throttled_ns.zip(start.throttled_ns);
        let throttled_ns = both.map(|(end, start)| end.saturating_sub(start));
        MachineTimes { busy_ns, stolen_ns, all_ns, throttled_ns, own_ns: None }
    }

    /// Parses proc_stat(5). Its first line is `cpu user nice system idle iowait
    /// irq softirq steal guest guest_nice`, and each processor has another one.
    fn parse(text: &str, at: Instant) -> Option<MachineClocks> {
        let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<u64> = line
            .split_whitespace()
            .map_while(|word| word.parse().ok())
            .collect();
        let [_, _, _, idle, io_wait, irq, soft_irq, steal] =
            ticks.get(..8)?.try_into().ok()?;
        // Some sandboxes have the file, but count nothing.
        if ticks.iter().all(|ticks| *ticks == 0) {
            return None;
        }
        let processors = text.lines().filter(|line| line.starts_with("cpu"));
        Some(MachineClocks {
            at,
            processors: processors.count() as u32 - 1,
            idle_ns: (idle + io_wait) * TICK_NS,
            irq_ns: irq * TICK_NS,
            soft_irq_ns: soft_irq * TICK_NS,
            stolen_ns: steal * TICK_NS,
            throttled_ns: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_busy_time_is_what_idle_and_steal_time_leave() {
        let now = Instant::now();
        let at = |ms, line: &str| {
            let text = format!("cpu  {line}\ncpu0 1 2\ncpu1 1 2\nintr 5\n");
            MachineClocks::parse(&text, now + Duration::from_millis(ms))
        };
        let times = |before: &str, after: &str| {
            let start = at(0, before).unwrap();
            at(1_000, after).unwrap().since(&start)
        };
        let ms = |ms: u64| ms * 1_000_000;
        // Two processors in one second. The ticks in which they were busy are
        // only samples.
        let found = times("9 0 9 10 5 0 7 1 0 0", "10 0 9 60 25 0 99 4 0 0");
        let expected = MachineTimes {
            busy_ns: ms(1_270),
            stolen_ns: ms(30),
            all_ns: ms(2_000),
            throttled_ns: None,
            own_ns: None,
        };
        assert_eq!(found, expected);
        // Here, interrupts are no part of any process.
        let found = times("9 0 9 10 5 1 7 1 0 0", "10 0 9 60 25 3 17 4 0 0");
        assert_eq!(found.busy_ns, ms(1_150));
        // The first tick of an interrupt does not change what the others mean.
        let found = times("9 0 9 10 5 0 7 1 0 0", "10 0 9 60 25 1 17 4 0 0");
        assert_eq!(found.busy_ns, ms(1_270));
        assert_eq!(at(0, "1 2 3"), None);
        assert_eq!(at(0, "0 0 0 0 0 0 0 0 0 0"), None);
        assert!(MachineClocks::read().is_ok());
    }
}
