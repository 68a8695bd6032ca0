//! `compare load`: runs the load generator. The other verbs start it as a
//! process of its own; users can run it against any address.

pub(crate) mod args;
mod scenario;

use std::io;

use crate::base::exit::Outcome;
use crate::base::interrupt::Interrupt;
use crate::base::limits;
use crate::base::stderr::note;
use crate::base::stdout;
use crate::cmd::load::args::Load;
use crate::cmd::load::scenario::BEFORE_THE_WINDOW;
use crate::load::engine::{self, CONNECTED};
use crate::model::load_plan::LoadPlan;
use crate::output::load_report::text;

impl Load {
    /// Loads the server and prints the measurements.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let interrupt = Interrupt::listen()?;
        if self.scenario_args.is_wanted() {
            return scenario::run(self, &interrupt);
        }
        let json = self.json;
        let in_turns = self.turns;
        let start = self.scenario_args.start()?;
        let plan = self.plan()?;
        limits::raise_open_files()?;
        limits::check_open_files(plan.connections())?;
        if in_turns {
            return run_turns(&plan, &interrupt);
        }
        let Some(loaded) = engine::run_at(&plan, start, &interrupt)? else {
            note!("{BEFORE_THE_WINDOW}");
            return Ok(Outcome::Interrupted);
        };
        if let Some(late) = scenario::too_late(&plan, loaded.late) {
            note!("note: {late}");
        }
        let report = loaded.report;
        let text = if json {
            serde_json::to_string(&report)? + "\n"
        } else {
            text(&plan, &report)
        };
        stdout::print(&text)?;
        if interrupt.is_requested() {
            return Ok(Outcome::Interrupted);
        }
        match (report.own_limit(), report.server_fault()) {
            (Some(limit), _) => anyhow::bail!("{limit}"),
            (None, Some(_)) => Ok(Outcome::ContestantFailed),
            (None, None) => Ok(Outcome::Done),
        }
    }
}

/// Runs turns as the lines of stdin command, and prints a report after each.
fn run_turns(
    plan: &LoadPlan,
    interrupt: &Interrupt,
) -> anyhow::Result<Outcome> {
    let connected = || stdout::print(&format!("{CONNECTED}\n"));
    engine::run_turns(
        plan,
        io::stdin().lines(),
        interrupt,
        connected,
        |report| stdout::print(&(serde_json::to_string(report)? + "\n")),
    )?;
    Ok(Outcome::Done)
}
