//! `compare budgets`: checks what the servers and the load generator cost
//! against their budgets.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use regex_lite::Regex;

use crate::analysis::budgets::BudgetReport;
use crate::base::exit::Outcome;
use crate::base::interrupt::Interrupt;
use crate::base::stderr::note;
use crate::base::stdout;
use crate::base::workspace;
use crate::cmd::patterns;
use crate::measure::counts::{self, Needed};
use crate::measure::options::MeasurementOptions;
use crate::measure::plan::MeasurementPlan;
use crate::measure::programs;
use crate::model::budgets::{self, Budget, BudgetFile, Limit, Quantity, Side};
use crate::model::contestant::Contestant;
use crate::model::contestants;
use crate::model::invocation::Invocation;
use crate::model::runs;
use crate::model::scenarios::{self, Scenario};
use crate::model::selection::{add_cells, selects};
use crate::output::budgets::{json, markdown, text};
use crate::output::export::{self, Export};

/// The arguments of `compare budgets`.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes: 0 if all limits that were measured are kept, 99 if one is broken,
98 if one is undecided, 3 if a figure that a limit needs could not be measured,
4 if no limit was checked.")]
pub(crate) struct Budgets {
    /// Judge this run instead of measuring: its file, its folder, its name
    /// under runs/, or `last`
    #[arg(conflicts_with_all = ["MeasurementOptions", "contestants"])]
    run: Option<String>,
    /// Only budgets whose name matches; repeatable
    #[arg(short = 'b', long = "budget", value_name = "REGEX")]
    budget: Vec<Regex>,
    /// The file that describes the budgets [default: bench/budgets.toml]
    #[arg(long, value_name = "FILE")]
    budgets: Option<PathBuf>,
    /// The file that describes the contestants [default:
    /// bench/contestants.toml]
    #[arg(long, value_name = "FILE")]
    contestants: Option<PathBuf>,
    /// Write Markdown tables; `-` is stdout
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write all verdicts as JSON; `-` is stdout
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    options: MeasurementOptions,
}

impl Budgets {
    /// Returns whether this starts processes, which must not outlive it.
    pub(crate) fn measures(&self) -> bool {
        self.run.is_none()
    }

    /// Judges the budgets by a run: the given one, or a new one.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let exports = [
            Export::new("--markdown", &self.markdown, markdown as _),
            Export::new("--json", &self.json, json as _),
        ];
        export::check(&exports)?;
        let file = self.file()?;
        if file.budgets.is_empty() {
            note!("nothing is selected");
            return Ok(Outcome::NothingSelected);
        }
        if let Some(run) = &self.run {
            let record = runs::read(run)?;
            let report = BudgetReport::of(&file.budgets, &record);
            if !export::write(&exports, &report)? {
                stdout::print(&text(&report))?;
            }
            return Ok(report.outcome());
        }
        let root = workspace::root()?;
        let interrupt = Interrupt::listen()?;
        let plan = self.plan(&root, &file)?;
        let Some(mut measured) =
            plan.measure(&self.options, &root, &interrupt)?
        else {
            return Ok(Outcome::Interrupted);
        };
        let needed = counted(&file.budgets);
        if measured.record.complete && !needed.is_empty() {
            let record = &mut measured.record;
            counts::add(&needed, record, &self.options, &root, &interrupt)?;
            measured.save();
        }
        let report = BudgetReport::of(&file.budgets, &measured.record);
        let is_done = measured.record.complete && !interrupt.is_requested();
        let outcome =
            if is_done { report.outcome() } else { Outcome::Interrupted };
        let written = export::write(&exports, &report);
        if written.is_ok() && export::go_to_stdout(&exports) {
            // Another line on stdout would make the JSON invalid.
            measured.report_path()?;
        } else {
            let text = text(&report);
            measured.print(&text)?;
        }
        written?;
        Ok(outcome)
    }

    /// Returns the selected budgets.
    fn file(&self) -> anyhow::Result<BudgetFile> {
        let path = match &self.budgets {
            Some(path) => path.clone(),
            None => workspace::root()?.join("bench/budgets.toml"),
        };
        let mut file = budgets::read(&path)?;
        let names: Vec<&str> = file.budgets.iter().map(Budget::name).collect();
        let chosen = patterns::resolve("-b", &self.budget, &names);
        file.budgets.retain(|budget| selects(&chosen, budget.name()));
        Ok(file)
    }

    /// Plans the cells that the budgets need.
    fn plan(
        &self,
        root: &Path,
        file: &BudgetFile,
    ) -> anyhow::Result<MeasurementPlan> {
        let shipped = || root.join("bench/contestants.toml");
        let path = self.contestants.clone().unwrap_or_else(shipped);
        let contestants = contestants::read(&path)?;
        let mut scenarios = scenarios::read(&root.join("bench/scenarios"))?;
        for path in &file.scenario_files {
            scenarios::add(&mut scenarios, path)?;
        }
        let mut scenarios = scenarios::expand(&scenarios, false);
        let budgets = &file.budgets;
        budgets::check_against(budgets, &contestants, &scenarios)?;
        let cells = cells(budgets, &scenarios);
        let all: BTreeSet<(String, String)> = counted(budgets)
            .into_iter()
            .map(|(scenario, contestant, _)| (scenario, contestant))
            .chain(cells.iter().cloned())
            .collect();
        scenarios.retain(|s| all.iter().any(|(name, _)| s.name == *name));
        let is_needed = |contestant: &Contestant| {
            all.iter().any(|(_, name)| contestant.name == *name)
        };
        let contestants = contestants.into_iter().filter(is_needed).collect();
        let (contestants, skipped) = programs::runnable(contestants);
        Ok(MeasurementPlan {
            contestants,
            skipped,
            scenarios,
            cells: Some(cells),
            rounds: scenarios::ROUNDS,
            further: None,
            traced: Vec::new(),
            invocation: Invocation {
                contestants: self.contestants.clone(),
                scenario_files: file.scenario_files.clone(),
                ..Invocation::default()
            },
        })
    }
}

/// Returns the cells that `budgets` need in rounds, by scenario and contestant.
fn cells(
    budgets: &[Budget],
    scenarios: &[Scenario],
) -> BTreeSet<(String, String)> {
    let mut cells = BTreeSet::new();
    let limits = budgets.iter().flat_map(|budget| &budget.limits);
    for side in limits.flat_map(Limit::sides) {
        let Side { scenario, contestant, .. } = side;
        match side.quantity {
            Quantity::Figure(figure) => {
                add_cells(&mut cells, scenarios, scenario, contestant, figure);
            }
            Quantity::Lag => {
                cells.insert((scenario.clone(), contestant.clone()));
            }
            Quantity::Counted(_) => {}
        }
    }
    cells
}

/// Returns what `budgets` need to be counted apart from the rounds.
fn counted(budgets: &[Budget]) -> BTreeSet<Needed> {
    let limits = budgets.iter().flat_map(|budget| &budget.limits);
    let sides = limits.flat_map(Limit::sides);
    let counts = sides.filter_map(|side| match side.quantity {
        Quantity::Counted(count) => {
            Some((side.scenario.clone(), side.contestant.clone(), count))
        }
        Quantity::Figure(_) | Quantity::Lag => None,
    });
    counts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_that_is_measured_in_rounds_has_its_cell() {
        let root = workspace::root().unwrap();
        let file = budgets::read(&root.join("bench/budgets.toml")).unwrap();
        let found = cells(&file.budgets, &[]);
        let counted = counted(&file.budgets);
        let limits = file.budgets.iter().flat_map(|budget| &budget.limits);
        for Side { scenario, contestant, .. } in limits.flat_map(Limit::sides) {
            let cell = (scenario.clone(), contestant.clone());
            let is_counted =
                counted.iter().any(|(s, c, _)| (s, c) == (&cell.0, &cell.1));
            assert!(is_counted || found.contains(&cell), "{cell:?}");
        }
    }
}
