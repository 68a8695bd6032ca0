//! The command line.

use clap::{CommandFactory, Parser, Subcommand};

use crate::base::exit::Outcome;
use crate::cmd::advise::Advise;
use crate::cmd::claims::Claims;
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

/// Measures what a concurrency model costs: servers that differ in nothing
/// else, side by side under the same load.
///
/// Exit codes: 0 all well, 1 failed, 2 usage, 3 a contestant failed or
/// answered wrongly, 4 nothing selected, 99 worse than before, 130
/// interrupted.
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
    /// Shows a run that was kept, as a page, tables or data
    Report(Report),
    /// Loads a server at any address, and says how it did
    Load(Load),
    /// Checks that the contestants keep the protocol
    Verify(Verify),
    /// Measures servers that are known: can the instrument be believed?
    #[command(name = "selftest")]
    SelfTest(SelfTest),
    /// Tries the talk's claims on this machine, or judges them by a run
    Claims(Box<Claims>),
    /// Says which models bear a mix of long and short requests, and at what
    /// cost
    Advise(Box<Advise>),
    /// Lists contestants, scenarios and claims
    List(List),
    /// Compares two runs, cell by cell
    Cmp(Cmp),
    /// Ranks the contestants of a run, figure by figure
    Rank(Rank),
    /// Joins runs, or the shards of a load from several machines
    Merge(Merge),
    /// Prints the JSON Schema of a record
    Schema,
    /// Prints what completes compare's flags in a shell
    Completions(Completions),
    /// Serves with a known fault, to try the instrument on
    #[command(hide = true)]
    Faulty(Faulty),
}

impl Cli {
    /// Whether that takes processes that must not outlive it.
    pub(crate) fn starts_servers(&self) -> bool {
        use Verb::{Advise, Claims, Run, SelfTest, Verify};
        match &self.verb {
            None | Some(Run(_) | SelfTest(_) | Verify(_)) => true,
            Some(Advise(advise)) => advise.measures(),
            Some(Claims(claims)) => claims.measures(),
            Some(_) => false,
        }
    }

    /// Does what was asked for.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        match self.verb {
            None => self.run.run(),
            Some(Verb::Run(run)) => run.run(),
            Some(Verb::Report(report)) => report.run(),
            Some(Verb::Load(load)) => load.run(),
            Some(Verb::Verify(verify)) => verify.run(),
            Some(Verb::SelfTest(selftest)) => selftest.run(),
            Some(Verb::Claims(claims)) => claims.run(),
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
