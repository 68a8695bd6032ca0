//! Calibration of contestants with their own implementation of fib.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::base::interrupt::Interrupt;
use crate::measure::calibration::{calibrate_by, costs};
use crate::measure::cell::Cell;
use crate::measure::clients::Clients;
use crate::measure::failure::Failure;
use crate::measure::processors::Processors;
use crate::measure::progress::Progress;
use crate::model::calibration::Calibrated;
use crate::model::contestant::Contestant;
use crate::model::load_plan::{GroupPlan, Pace};
use crate::model::placement::Cpus;
use crate::model::record::Record;

/// The shortest window for timing a contestant.
const CALIBRATED_WINDOW_MIN: Duration = Duration::from_millis(100);

/// Calibrates costs by timing contestants.
pub(crate) struct Calibrator<'a> {
    pub(crate) processors: &'a Processors,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) progress: &'a Progress,
    pub(crate) seed: u64,
    /// The failures of contestants, by name.
    pub(crate) failures: HashMap<String, Failure>,
}

impl Calibrator<'_> {
    /// Finds the n for each cost and for each fib that isn't this program's,
    /// and adds it to the record. Breaks if interrupted.
    pub(crate) fn calibrate(&mut self, record: &mut Record) -> ControlFlow<()> {
        let mut fibs: Vec<String> =
            record.contestants().filter_map(|c| c.fib.clone()).collect();
        fibs.sort_unstable();
        fibs.dedup();
        for cost in costs(&record.scenarios) {
            for fib in &fibs {
                self.progress.show(&format!("calibrating {cost:?} for {fib}"));
                let found = self.find(fib, cost, record)?;
                record.calibration.extend(found);
            }
        }
        ControlFlow::Continue(())
    }

    /// Finds the n with the first contestant of this fib that can be timed. If
    /// none can, uses the n of this program's fib.
    fn find(
        &mut self,
        fib: &str,
        cost: Duration,
        record: &Record,
    ) -> ControlFlow<(), Option<Calibrated>> {
        let contestants =
            record.contestants().filter(|c| c.fib.as_deref() == Some(fib));
        let mut found = None;
        let mut failures = Vec::new();
        for contestant in contestants {
            let time = |n| self.time(contestant, n, cost);
            match calibrate_by(fib, cost, time) {
                Ok(calibrated) => {
                    found = Some(calibrated);
                    break;
                }
                Err(Failure::Interrupted) => return ControlFlow::Break(()),
                Err(failure) => failures.push((contestant, failure)),
            }
        }
        let mut ours = record.calibration.iter();
        let ours = ours.find(|c| c.is_for(cost, None));
        for (contestant, failure) in failures {
            let name = &contestant.name;
            let note =
                format!("cannot calibrate {cost:?} with {name}: {failure}");
            self.progress.note(&note);
            let Failure::Instrument(_) = failure else {
                self.failures.insert(name.clone(), failure);
                continue;
            };
            if let (None, Some(ours)) = (&found, ours) {
                found = self.time_ours(fib, cost, contestant, ours)?;
            }
        }
        ControlFlow::Continue(found)
    }

    /// Times a contestant with the n of this program's fib, which is better
    /// than none: a note then reports a contestant that uses a table.
    fn time_ours(
        &mut self,
        fib: &str,
        cost: Duration,
        contestant: &Contestant,
        ours: &Calibrated,
    ) -> ControlFlow<(), Option<Calibrated>> {
        ControlFlow::Continue(match self.time(contestant, ours.n, cost) {
            Ok(took) => {
                let took_ns = took.as_nanos() as u64;
                let fib = Some(fib.to_owned());
                Some(Calibrated { took_ns, fib, ..*ours })
            }
            Err(Failure::Interrupted) => return ControlFlow::Break(()),
            // The cells report that the n is unknown.
            Err(Failure::Instrument(_)) => None,
            Err(failure @ (Failure::Start(_) | Failure::Contestant { .. })) => {
                self.failures.insert(contestant.name.clone(), failure);
                None
            }
        })
    }

    /// Returns how long a contestant takes for an n when it has no other
    /// client. The window is long enough for a request that takes `at_most`.
    fn time(
        &self,
        contestant: &Contestant,
        n: u8,
        at_most: Duration,
    ) -> Result<Duration, Failure> {
        let name = "calibration".to_owned();
        let group = GroupPlan {
            name,
            n,
            connections: 1,
            pace: Pace::EAGER,
            elsewhere: None,
        };
        let cell = Cell {
            contestant,
            groups: vec![Clients { group, is_apart: false }],
            warm_up: Duration::ZERO,
            window: CALIBRATED_WINDOW_MIN.max(at_most * 4),
            placement: self.processors.place(Cpus::Split),
            workers: None,
            seed: self.seed,
        };
        let report = cell.measure(self.interrupt)?;
        let group = report.group("calibration");
        // The shortest time is the least disturbed.
        let time_ns = group.and_then(|g| g.service_ns.at_quantile_ns(0.0));
        let why = || Failure::Instrument(format!("no reply to n = {n}"));
        time_ns.map(Duration::from_nanos).ok_or_else(why)
    }
}
