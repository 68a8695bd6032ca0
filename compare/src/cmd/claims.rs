//! `compare claims`: checks claims about concurrency models on this machine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Arg, Args};
use regex_lite::Regex;

use crate::analysis::claims::Verdicts;
use crate::base::exit::Outcome;
use crate::base::interrupt::Interrupt;
use crate::base::stderr::note;
use crate::base::stdout;
use crate::base::workspace;
use crate::cmd::patterns;
use crate::measure::options::MeasurementOptions;
use crate::measure::plan::MeasurementPlan;
use crate::measure::programs;
use crate::model::claims::{self, Claim, Side, Trial};
use crate::model::contestant::Contestant;
use crate::model::contestants;
use crate::model::invocation::Invocation;
use crate::model::runs;
use crate::model::scenarios::{self, Scenario};
use crate::model::selection::{add_cells, selects};
use crate::output::claims::{html, json, markdown, text};
use crate::output::export::{self, Export};

/// The default number of rounds. With seven, a single disturbed round is
/// outside the interval.
const ROUNDS: u64 = 7;

/// The length of a window, as a share of the scenario's. The claims' bands are
/// wide, so shorter windows are enough.
const WINDOW_SHARE: f64 = 0.75;

/// The length of a window with `--quick`, as a share of the scenario's.
const WINDOW_SHARE_QUICK: f64 = 0.5;

/// The arguments of `compare claims`.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes: 0 whatever the verdicts are, 3 if a figure that a claim needs could
not be measured, 4 if no claim was checked.")]
pub(crate) struct Claims {
    /// Judge this run instead of measuring: its file, its folder, its name
    /// under runs/, or `last`
    #[arg(conflicts_with_all = ["MeasurementOptions", "contestants"])]
    run: Option<String>,
    /// Only claims whose name matches; repeatable
    #[arg(short = 'c', long = "claim", value_name = "REGEX")]
    claim: Vec<Regex>,
    /// The file that describes the claims [default: bench/claims.toml]
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,
    /// The file that describes the contestants [default:
    /// bench/contestants.toml]
    #[arg(long, value_name = "FILE")]
    contestants: Option<PathBuf>,
    /// Write to FILE a page that works offline; `-` is stdout
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write Markdown tables, for a README or an issue; `-` is stdout
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write all verdicts as JSON; `-` is stdout
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    options: MeasurementOptions,
}

/// Replaces the help of `--rounds`, whose default is another one for claims.
pub(crate) fn with_rounds_help(rounds: Arg) -> Arg {
    rounds.help(format!("The number of rounds [default: {ROUNDS}]"))
}

/// Replaces the help of `--quick`, which does more for claims.
pub(crate) fn with_quick_help(quick: Arg) -> Arg {
    quick.help(
        "Run only three rounds, with shorter windows, and check only the main \
         claims",
    )
}

impl Claims {
    /// Returns whether this starts processes, which must not outlive it.
    pub(crate) fn measures(&self) -> bool {
        self.run.is_none()
    }

    /// Judges the claims by a run: the given one, or a new one.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let exports = [
            Export::new("--html", &self.html, html::page as _),
            Export::new("--markdown", &self.markdown, markdown::table as _),
            Export::new("--json", &self.json, json::document as _),
        ];
        export::check(&exports)?;
        let claims = self.claims()?;
        if claims.is_empty() {
            note!("nothing is selected");
            return Ok(Outcome::NothingSelected);
        }
        if let Some(run) = &self.run {
            let record = runs::read(run)?;
            let verdicts = Verdicts::of(&claims, &record);
            if !export::write(&exports, &verdicts)? {
                stdout::print(&text::text(&verdicts))?;
            }
            return Ok(verdicts.outcome());
        }
        let root = workspace::root()?;
        let interrupt = Interrupt::listen()?;
        let plan = self.plan(&root, &claims)?;
        let Some(measured) = plan.measure(&self.options, &root, &interrupt)?
        else {
            return Ok(Outcome::Interrupted);
        };
        let verdicts = Verdicts::of(&claims, &measured.record);
        let outcome = if measured.record.complete {
            verdicts.outcome()
        } else {
            Outcome::Interrupted
        };
        let written = export::write(&exports, &verdicts);
        if written.is_ok() && export::go_to_stdout(&exports) {
            // Another line on stdout would make the JSON invalid.
            measured.report_path()?;
        } else {
            let text = text::text(&verdicts) + "\n";
            measured.print(&text)?;
        }
        written?;
        Ok(outcome)
    }

    /// Returns the selected claims.
    fn claims(&self) -> anyhow::Result<Vec<Claim>> {
        let path = match &self.claims {
            Some(path) => path.clone(),
            None => workspace::root()?.join("bench/claims.toml"),
        };
        let mut claims = claims::read(&path)?;
        let names: Vec<&str> = claims.iter().map(Claim::name).collect();
        let chosen = patterns::resolve("-c", &self.claim, &names);
        claims.retain(|claim| selects(&chosen, claim.name()));
        if self.measures() && self.options.quick && self.claim.is_empty() {
            claims.retain(|claim| claim.quick);
        }
        Ok(claims)
    }

    /// Plans the cells that the claims need.
    fn plan(
        &self,
        root: &Path,
        claims: &[Claim],
    ) -> anyhow::Result<MeasurementPlan> {
        let shipped = || root.join("bench/contestants.toml");
        let path = self.contestants.clone().unwrap_or_else(shipped);
        let contestants = contestants::read(&path)?;
        let scenarios = scenarios::read(&root.join("bench/scenarios"))?;
        let mut scenarios = scenarios::expand(&scenarios, false);
        claims::check_against(claims, &contestants, &scenarios)?;
        let cells = cells(claims, &scenarios);
        scenarios.retain(|s| cells.iter().any(|(name, _)| s.name == *name));
        let share =
            if self.options.quick { WINDOW_SHARE_QUICK } else { WINDOW_SHARE };
        scenarios.iter_mut().for_each(|s| s.window = s.window.mul_f64(share));
        let is_needed = |contestant: &Contestant| {
            cells.iter().any(|(_, name)| contestant.name == *name)
        };
        let contestants = contestants.into_iter().filter(is_needed).collect();
        let (contestants, skipped) = programs::runnable(contestants);
        Ok(MeasurementPlan {
            contestants,
            skipped,
            scenarios,
            cells: Some(cells),
            rounds: ROUNDS,
            further: None,
            traced: Vec::new(),
            invocation: Invocation {
                contestants: self.contestants.clone(),
                ..Invocation::default()
            },
        })
    }
}

/// Returns the cells that `claims` need, by scenario and contestant.
fn cells(
    claims: &[Claim],
    scenarios: &[Scenario],
) -> BTreeSet<(String, String)> {
    let mut cells = BTreeSet::new();
    let trials = claims.iter().flat_map(|claim| &claim.trials);
    for Side { figure, contestant, scenario } in trials.flat_map(Trial::sides) {
        add_cells(&mut cells, scenarios, scenario, contestant, *figure);
    }
    cells
}
