//! What `compare budgets` counts apart from the rounds: system calls,
//! allocations, and the efficiency of the load generator. Nothing else is timed
//! meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use crate::base::interrupt::Interrupt;
use crate::measure::build;
use crate::measure::cell::Cell;
use crate::measure::clients::groups;
use crate::measure::failure::Failure;
use crate::measure::lock::MeasuringLock;
use crate::measure::options::MeasurementOptions;
use crate::measure::processors::Processors;
use crate::measure::programs;
use crate::measure::progress::Progress;
use crate::model::budgets::Count;
use crate::model::contestant::Contestant;
use crate::model::reading::Reading;
use crate::model::record::Record;

/// A cell, by scenario and contestant, and what to count in it.
pub(crate) type Needed = (String, String, Count);

/// The windows of the two loads under which something is counted. Their
/// difference leaves out the start, the connections and the end.
const WINDOWS: [Duration; 2] =
    [Duration::from_millis(500), Duration::from_secs(2)];

/// The window in which the load generator is compared with the C client.
const EFFICIENCY_WINDOW: Duration = Duration::from_millis(500);

/// The library that counts allocations, when it is preloaded.
const ALLOCATIONS: &str = "bench/budgets/allocations.c";

/// The load generator that the efficiency is relative to.
const BARE_CLIENT: &str = "bench/budgets/bare_client.c";

/// Counts what is needed and adds it to the record. Stops if interrupted.
///
/// # Errors
///
/// Returns an error if another run measures on this machine.
pub(crate) fn add(
    needed: &BTreeSet<Needed>,
    record: &mut Record,
    options: &MeasurementOptions,
    root: &Path,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let processors = options.processors()?;
    let _lock = MeasuringLock::acquire()?;
    let progress = Progress::new(options.quiet);
    let counting = Counting { root, processors: &processors, interrupt };
    for (scenario, contestant, count) in needed {
        if interrupt.is_requested() {
            break;
        }
        progress.show(&format!("counting: {contestant} in {scenario}"));
        counting.add(scenario, contestant, *count, record);
    }
    progress.clear();
    Ok(())
}

/// What counting needs.
struct Counting<'a> {
    root: &'a Path,
    processors: &'a Processors,
    interrupt: &'a Interrupt,
}

impl Counting<'_> {
    /// Counts in one cell, unless its contestant doesn't take part.
    fn add(
        &self,
        scenario: &str,
        contestant: &str,
        count: Count,
        record: &mut Record,
    ) {
        let measured = record.scenarios.iter().find(|s| s.name == scenario);
        let is_it = |c: &&Contestant| c.name == contestant;
        let entrant = record.contestants().find(is_it).cloned();
        let Some((measured, entrant)) = measured.zip(entrant) else { return };
        let fib = entrant.fib.as_deref();
        let groups = groups(measured, &record.calibration, fib);
        let rounds = record.rounds;
        let cell = groups.map(|groups| Cell {
            contestant: &entrant,
            groups,
            warm_up: Duration::ZERO,
            window: EFFICIENCY_WINDOW,
            placement: self.processors.place(measured.cpus),
            workers: measured.workers,
            seed: record.seed,
        });
        match count {
            Count::SystemCalls => {
                let calls = cell.and_then(|cell| self.system_calls(&cell));
                let kept = record.cell_mut(scenario, contestant);
                kept.system_calls = reading(calls);
            }
            Count::Allocations => {
                let counted = cell.and_then(|cell| self.allocations(&cell));
                let kept = record.cell_mut(scenario, contestant);
                kept.allocations = Some(reading(counted));
            }
            Count::Efficiency => {
                let shares =
                    cell.and_then(|cell| self.efficiency(&cell, rounds));
                let kept = record.cell_mut(scenario, contestant);
                kept.efficiency = Some(reading(shares));
            }
        }
    }

    /// Returns the server's system calls per reply, by name.
    fn system_calls(
        &self,
        cell: &Cell<'_>,
    ) -> Result<BTreeMap<String, f64>, Failure> {
        if !programs::is_in_path("strace") {
            let reason = "strace not found in PATH".to_owned();
            return Err(Failure::Instrument(reason));
        }
        let [few, many] = WINDOWS.map(|window| {
            let cell = Cell { window, ..cell.clone() };
            cell.system_calls_under_load(self.interrupt)
        });
        let ((few_replies, few), (replies, many)) = (few?, many?);
        let replies = more(few_replies, replies)?;
        let per_reply = many.into_iter().map(|(name, count)| {
            let before = few.get(&name).copied().unwrap_or(0);
            let count = count.saturating_sub(before);
            (name, count as f64 / replies)
        });
        Ok(per_reply.filter(|(_, count)| *count > 0.0).collect())
    }

    /// Returns the server's allocations per reply. If the server has worker
    /// processes, theirs aren't counted.
    fn allocations(&self, cell: &Cell<'_>) -> Result<f64, Failure> {
        let library = self.compile(ALLOCATIONS, &["-shared", "-fPIC"])?;
        let [few, many] = WINDOWS.map(|window| {
            let cell = Cell { window, ..cell.clone() };
            cell.allocations_under_load(&library, self.interrupt)
        });
        let ((few_replies, few), (replies, many)) = (few?, many?);
        Ok((many as f64 - few as f64) / more(few_replies, replies)?)
    }

    /// Returns the load generator's replies per CPU second, as a share of those
    /// of the C client, in several pairs of measurements.
    fn efficiency(
        &self,
        cell: &Cell<'_>,
        pairs: u64,
    ) -> Result<Vec<f64>, Failure> {
        let program = self.compile(BARE_CLIENT, &[])?;
        let measure = |_| cell.efficiency(&program, self.interrupt);
        (0..pairs).map(measure).collect()
    }

    /// Compiles a C source; returns the path of the result.
    fn compile(&self, source: &str, flags: &[&str]) -> Result<String, Failure> {
        let instrument = |reason: String| Failure::Instrument(reason);
        if !programs::is_in_path("cc") {
            return Err(instrument("cc not found in PATH".to_owned()));
        }
        build::compile(self.root, source, flags)
            .map_err(|error| instrument(format!("{error:#}")))
    }
}

fn reading<T>(counted: Result<T, Failure>) -> Reading<T> {
    Reading::from(counted.map_err(|failure| failure.to_string()))
}

/// Returns how many more replies the longer load had.
fn more(few: u64, many: u64) -> Result<f64, Failure> {
    match many.checked_sub(few) {
        Some(more) if more > 0 => Ok(more as f64),
        _ => {
            let reason = "a longer load had no more replies";
            Err(Failure::Instrument(reason.to_owned()))
        }
    }
}
