//! What to measure, and the record that comes of it.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::base::interrupt::Interrupt;
use crate::base::limits;
use crate::base::stdout;
use crate::measure::build;
use crate::measure::calibration::calibrations;
use crate::measure::lock::MeasuringLock;
use crate::measure::machine;
use crate::measure::options::{MeasurementOptions, ROUNDS_QUICK};
use crate::measure::processors::Processors;
use crate::measure::programs;
use crate::measure::progress::Progress;
use crate::measure::rounds::Runner;
use crate::model::contestant::Contestant;
use crate::model::contestant::ModelTrait;
use crate::model::contestants::ALIAS_SUFFIX;
use crate::model::invocation::Invocation;
use crate::model::record::{Entrant, Record};
use crate::model::runs;
use crate::model::scenarios::Scenario;

/// Rounds, if nobody says otherwise: the fewest that give an interval.
pub(crate) const ROUNDS: u64 = 5;

/// What to measure.
pub(crate) struct MeasurementPlan {
    /// Who takes part.
    pub(crate) contestants: Vec<Contestant>,
    /// Who would, but for this.
    pub(crate) skipped: Vec<(String, String)>,
    /// What they are asked.
    pub(crate) scenarios: Vec<Scenario>,
    /// Only these cells, by scenario and contestant; without it, all of them,
    /// and those of a contestant that takes part twice.
    pub(crate) cells: Option<BTreeSet<(String, String)>>,
    /// How often, if nobody says otherwise.
    pub(crate) rounds: u64,
    /// The scenarios under which system calls are counted, too.
    pub(crate) traced: Vec<Scenario>,
    /// What the command line said beside that.
    pub(crate) invocation: Invocation,
}

/// What was measured, and where it is kept.
pub(crate) struct FinishedRun {
    /// The record.
    pub(crate) record: Record,
    path: PathBuf,
    saved: anyhow::Result<()>,
}

impl MeasurementPlan {
    /// Measures it all; `None` when interrupted before the first round.
    ///
    /// # Errors
    ///
    /// When that is not possible here, or not now.
    pub(crate) fn measure(
        mut self,
        options: &MeasurementOptions,
        root: &Path,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Option<FinishedRun>> {
        let processors = options.processors()?;
        options.set_windows(&mut self.scenarios);
        options.set_windows(&mut self.traced);
        let _lock = MeasuringLock::acquire()?;
        limits::raise_open_files()?;
        limits::check_files_of_servers()?;
        let progress = Progress::new(options.quiet);
        if !build::build(&mut self.contestants, root, &progress, interrupt)? {
            return Ok(None);
        }
        let MeasurementPlan { cells, traced, .. } = &self;
        let (cells, traced) = (cells.clone(), traced.clone());
        let mut record = self.record(options, root, &processors)?;
        let folder = runs::folder(root, options.out.as_deref(), &record);
        runs::create(&folder)?;
        let path = runs::file(&folder);
        record.write(&path)?;
        let mut runner = Runner {
            path: &path,
            processors: &processors,
            interrupt,
            progress: &progress,
            seed: record.seed,
            cells,
            failed_to_start: HashMap::new(),
            not_calibrated: HashMap::new(),
            capacities: HashMap::new(),
            own_system_calls: HashMap::new(),
        };
        progress.measure(
            runner.cells_of(&record) * record.rounds as usize
                + record.contestants().count() * traced.len(),
        );
        let flow = runner.measure_all(traced, &mut record);
        record.complete = flow.is_continue();
        let saved = record.write(&path);
        progress.clear();
        Ok(Some(FinishedRun { record, path, saved }))
    }

    fn record(
        self,
        options: &MeasurementOptions,
        root: &Path,
        processors: &Processors,
    ) -> anyhow::Result<Record> {
        let seed = options.seed.unwrap_or_else(|| {
            // Short enough to be typed again.
            fastrand::u64(..1_000_000)
        });
        let rounds = if options.quick { ROUNDS_QUICK } else { self.rounds };
        let rounds = options.rounds.unwrap_or(rounds);
        let machine = machine::describe(root, processors.numbers());
        let mut record = Record::new(seed, rounds, machine);
        record.calibration = calibrations(&self.scenarios)?;
        record.entrants = match self.cells {
            None => with_alias(self.contestants),
            Some(_) => {
                self.contestants.into_iter().map(programs::entrant).collect()
            }
        };
        record.skipped = self.skipped;
        record.scenarios = self.scenarios;
        record.invocation = Some(options.add_to(self.invocation));
        Ok(record)
    }
}

impl FinishedRun {
    /// Prints what came of it, and where it is kept.
    ///
    /// # Errors
    ///
    /// When it could not be kept, or printed.
    pub(crate) fn print(self, text: &str) -> anyhow::Result<()> {
        let kept = match self.saved {
            Ok(()) => format!("record: {}\n", self.path.display()),
            Err(_) => String::new(),
        };
        stdout::print(&(text.to_owned() + &kept))?;
        // Only now: what was measured is worth more than the file.
        self.saved
    }

    /// Says on stderr where it is kept, for those whose stdout is taken.
    ///
    /// # Errors
    ///
    /// When it could not be kept.
    pub(crate) fn report_path(self) -> anyhow::Result<()> {
        self.saved?;
        eprintln!("record: {}", self.path.display());
        Ok(())
    }
}

/// The contestants, and one of them a second time.
pub(crate) fn with_alias(contestants: Vec<Contestant>) -> Vec<Entrant> {
    let mut entrants: Vec<Entrant> =
        contestants.into_iter().map(programs::entrant).collect();
    let is_usual = |entrant: &&Entrant| {
        !entrant.contestant.is(ModelTrait::OneClientAtATime)
    };
    let usual = entrants.iter().find(is_usual).or(entrants.first());
    let alias = usual.cloned().map(|mut alias| {
        alias.alias_of = Some(alias.contestant.name.clone());
        alias.contestant.name += ALIAS_SUFFIX;
        alias
    });
    entrants.extend(alias);
    entrants
}
