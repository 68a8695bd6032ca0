//! The verbs of the command line.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::base::exit::Outcome;
use crate::cmd::advise::Advise;
use crate::cmd::budgets::Budgets;
use crate::cmd::claims::{self, Claims};
use crate::cmd::cmp::Cmp;
use crate::cmd::completions::Completions;
use crate::cmd::faulty::Faulty;
use crate::cmd::list::List;
use crate::cmd::load::args::Load;
use crate::cmd::merge::Merge;
use crate::cmd::rank::Rank;
use crate::cmd::report::Report;
use crate::cmd::run::Run;
use crate::cmd::schema;
use crate::cmd::selftest::SelfTest;
use crate::cmd::verify::Verify;

/// Measures what concurrency models cost: runs servers that differ only in
/// their model, side by side and under the same load.
///
/// Exit codes: 0 success, 1 failure, 2 usage error, 3 a contestant failed or
/// sent a wrong reply, 4 nothing selected, 98 undecided, 99 regression or broken
/// budget, 130 interrupted.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Measures the contestants (the default)
    Run(Box<Run>),
    /// Writes the results of a run as a page, tables or data
    Report(Report),
    /// Generates load on the server at an address and reports how it performed
    Load(Load),
    /// Checks that contestants conform to the protocol
    Verify(Verify),
    /// Tests `compare` itself, on servers with known faults
    #[command(name = "selftest")]
    SelfTest(SelfTest),
    /// Checks the talk's claims, on this machine or by an existing run
    #[command(
        mut_arg("rounds", claims::with_rounds_help),
        mut_arg("quick", claims::with_quick_help)
    )]
    Claims(Box<Claims>),
    /// Checks what the servers cost against their budgets
    Budgets(Box<Budgets>),
    /// Reports which models sustain a mix of long and short requests, and at
    /// what cost
    Advise(Box<Advise>),
    /// Lists contestants, scenarios, claims and budgets
    List(List),
    /// Compares two runs, cell by cell
    Cmp(Cmp),
    /// Ranks the contestants of a run, figure by figure
    Rank(Rank),
    /// Merges runs, or records of several machines that loaded one server
    Merge(Merge),
    /// Prints the JSON Schema of a record
    Schema,
    /// Prints shell completions
    Completions(Completions),
    /// Serves with a known fault, to test the instrument
    #[command(hide = true)]
    Faulty(Faulty),
}

impl Cli {
    /// Parses a command line, including the program. Exits with 2 if it is not
    /// valid. All of it must be UTF-8, as records are, which contain paths.
    pub(crate) fn of(arguments: &[OsString]) -> Cli {
        let mut rest = arguments.iter().skip(1);
        if let Some(argument) = rest.find(|word| word.to_str().is_none()) {
            let text = format!("{argument:?} is not UTF-8");
            Cli::command().error(ErrorKind::InvalidUtf8, text).exit();
        }
        Cli::parse_from(arguments)
    }

    /// Returns whether this starts processes, which must not outlive it.
    pub(crate) fn starts_servers(&self) -> bool {
        use Verb::{Advise, Budgets, Claims, Run, SelfTest, Verify};
        match &self.verb {
            None | Some(Run(_) | SelfTest(_) | Verify(_)) => true,
            Some(Advise(advise)) => advise.measures(),
            Some(Claims(claims)) => claims.measures(),
            Some(Budgets(budgets)) => budgets.measures(),
            Some(_) => false,
        }
    }

    /// Runs the verb.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        match self.verb {
            None => self.run.run(),
            Some(Verb::Run(run)) => run.run(),
            Some(Verb::Report(report)) => report.run(),
            Some(Verb::Load(load)) => load.run(),
            Some(Verb::Verify(verify)) => verify.run(),
            Some(Verb::SelfTest(selftest)) => selftest.run(),
            Some(Verb::Claims(claims)) => claims.run(),
            Some(Verb::Budgets(budgets)) => budgets.run(),
            Some(Verb::Advise(advise)) => advise.run(),
            Some(Verb::List(list)) => list.run(),
            Some(Verb::Cmp(cmp)) => cmp.run(),
            Some(Verb::Rank(rank)) => rank.run(),
            Some(Verb::Merge(merge)) => merge.run(),
            Some(Verb::Schema) => schema::print(),
            Some(Verb::Completions(completions)) => {
                completions.run(Cli::command())
            }
            Some(Verb::Faulty(faulty)) => faulty.run().map(|()| Outcome::Done),
        }
    }
}
