//! The plan of a measurement, and how it is carried out and recorded.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::base::interrupt::Interrupt;
use crate::base::limits;
use crate::base::stderr::note;
use crate::base::stdout;
use crate::measure::build;
use crate::measure::calibration::calibrations;
use crate::measure::duration::{check_silence, in_words};
use crate::measure::further::FurtherRounds;
use crate::measure::lock::MeasuringLock;
use crate::measure::machine;
use crate::measure::options::{MeasurementOptions, ROUNDS_QUICK};
use crate::measure::processors::Processors;
use crate::measure::programs;
use crate::measure::progress::Progress;
use crate::measure::rounds::Measurement;
use crate::model::contestant::{Contestant, ModelTrait};
use crate::model::contestants::ALIAS_SUFFIX;
use crate::model::invocation::Invocation;
use crate::model::record::{Entrant, Record};
use crate::model::runs;
use crate::model::scenarios::Scenario;

/// What to measure.
pub(crate) struct MeasurementPlan {
    /// The contestants that take part.
    pub(crate) contestants: Vec<Contestant>,
    /// The contestants that can't take part, with the reason.
    pub(crate) skipped: Vec<(String, String)>,
    /// The scenarios to measure.
    pub(crate) scenarios: Vec<Scenario>,
    /// The cells to measure, by scenario and contestant. If `None`, all cells,
    /// and those of an alias.
    pub(crate) cells: Option<BTreeSet<(String, String)>>,
    /// The number of rounds, unless the options give another one.
    pub(crate) rounds: u64,
    /// Whether cells that the rounds leave undecided have further rounds.
    pub(crate) further: Option<FurtherRounds>,
    /// The scenarios under which system calls are counted, too.
    pub(crate) traced: Vec<Scenario>,
    /// The other flags of the command line, for the record.
    pub(crate) invocation: Invocation,
}

/// The record of a measurement, and its file.
pub(crate) struct FinishedRun {
    /// The record.
    pub(crate) record: Record,
    path: PathBuf,
    saved: anyhow::Result<()>,
}

impl MeasurementPlan {
    /// Builds and measures the contestants. Returns `None` if interrupted
    /// before the first round.
    ///
    /// # Errors
    ///
    /// Returns an error if clients would be silent for too long, if another run
    /// measures on this machine, if the limits of this machine are too low, or
    /// if the contestants can't be built.
    pub(crate) fn measure(
        mut self,
        options: &MeasurementOptions,
        root: &Path,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Option<FinishedRun>> {
        let processors = options.processors()?;
        options.set_windows(&mut self.scenarios);
        options.set_windows(&mut self.traced);
        for scenario in &self.scenarios {
            check_silence(scenario, self.entrants_in(scenario))?;
        }
        let _lock = MeasuringLock::acquire()?;
        limits::raise_open_files()?;
        limits::check_files_of_servers()?;
        let progress = Progress::new(options.quiet);
        if !build::build(
            &mut self.contestants,
            root,
            options.no_build,
            &progress,
            interrupt,
        )? {
            return Ok(None);
        }
        let MeasurementPlan { cells, traced, further, .. } = &self;
        let (cells, traced, further) =
            (cells.clone(), traced.clone(), *further);
        let mut record = self.record(options, root, &processors)?;
        let folder = runs::folder(root, options.out.as_deref(), &record);
        runs::create(&folder)?;
        let path = runs::file(&folder);
        record.write(&path)?;
        let mut measurement = Measurement {
            path: &path,
            processors: &processors,
            interrupt,
            progress: &progress,
            seed: record.seed,
            cells,
            further,
            watch: interrupt.watch(),
            failed_to_start: HashMap::new(),
            not_calibrated: HashMap::new(),
            capacities: HashMap::new(),
            own_system_calls: HashMap::new(),
        };
        let expected = measurement.expected_duration(&record);
        let more = further.and_then(|further| further.in_words(expected));
        progress.announce(&format!(
            "measuring: about {}{}",
            in_words(expected),
            more.unwrap_or_default()
        ));
        progress.measure(
            measurement.cells_of(&record)
                + record.contestants().count() * traced.len(),
        );
        let flow = measurement.measure_all(traced, &mut record);
        record.complete = flow.is_continue();
        let saved = record.write(&path);
        progress.clear();
        Ok(Some(FinishedRun { record, path, saved }))
    }

    /// Returns the number of contestants under a scenario, with the alias.
    fn entrants_in(&self, scenario: &Scenario) -> usize {
        match &self.cells {
            None => self.contestants.len() + 1,
            Some(cells) => {
                cells.iter().filter(|(name, _)| *name == scenario.name).count()
            }
        }
    }

    fn record(
        self,
        options: &MeasurementOptions,
        root: &Path,
        processors: &Processors,
    ) -> anyhow::Result<Record> {
        let seed = options.seed.unwrap_or_else(|| {
            // Short enough to be typed.
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
    /// Writes the record again, after something was added to it.
    pub(crate) fn save(&mut self) {
        self.saved = self.record.write(&self.path);
    }

    /// Prints the given result, and the path of the record.
    ///
    /// # Errors
    ///
    /// Returns an error if the record could not be written, or if the text
    /// can't be printed.
    pub(crate) fn print(self, text: &str) -> anyhow::Result<()> {
        let kept = match self.saved {
            Ok(()) => format!("record: {}\n", self.path.display()),
            Err(_) => String::new(),
        };
        stdout::print(&(text.to_owned() + &kept))?;
        // Reported last, so that the result is printed even if the record could
        // not be written.
        self.saved
    }

    /// Prints the path of the record to stderr, for commands whose stdout is
    /// used for other output.
    ///
    /// # Errors
    ///
    /// Returns an error if the record could not be written.
    pub(crate) fn report_path(self) -> anyhow::Result<()> {
        self.saved?;
        note!("record: {}", self.path.display());
        Ok(())
    }
}

/// Returns the contestants, and an alias of one of them.
fn with_alias(contestants: Vec<Contestant>) -> Vec<Entrant> {
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
