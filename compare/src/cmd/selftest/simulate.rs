//! `compare selftest --simulate`: prints the operating curve of the analysis.

use crate::analysis::difference::MARGIN;
use crate::analysis::simulation::{
    self, CONTESTANTS, Curve, FEW_ROUNDS, FIGURES, MODEL, Model, Noise,
    PLANTED, ROUNDS, TURNS,
};
use crate::base::exit::{Outcome, Usage};
use crate::base::stdout;
use crate::model::runs;
use crate::output::table;

/// The number of simulated tables.
const TABLES: usize = 1_000;

/// The largest share of tables that may have a false difference.
const FALSE_MAX: f64 = 0.05;

/// The seed, so that the result is the same each time.
const SEED: u64 = 15;

/// Simulates tables with the noise of a run, or of the model, and prints how
/// they were judged.
///
/// # Errors
///
/// Returns an error if the run can't be read or has too few rounds.
pub(crate) fn run(from: Option<&str>) -> anyhow::Result<Outcome> {
    let (noise, what) = match from {
        None => (Noise::Model(MODEL), model()),
        Some(name) => {
            let record = runs::read(name)?;
            let noise = Noise::recorded(&record).ok_or_else(|| {
                Usage(format!("{name}: no figure has five rounds"))
            })?;
            (noise, format!("noise of the run {}", record.id()))
        }
    };
    let curve = simulation::simulate(&noise, TABLES, MARGIN, SEED);
    stdout::print(&text(&curve, &what))?;
    Ok(if curve.false_share() > FALSE_MAX {
        Outcome::InstrumentFailed
    } else {
        Outcome::Done
    })
}

/// Describes the model of the noise.
fn model() -> String {
    let Model { drift, turn, start, disturbed, loss } = MODEL;
    format!(
        "log-normal noise: {} from turn to turn, {} from start to start, {} \
         common to all contestants; {} of the turns lose up to {}",
        percent(turn),
        percent(start),
        percent(drift),
        percent(disturbed),
        percent(loss)
    )
}

/// Returns the curve as a table with an explanation.
fn text(curve: &Curve, what: &str) -> String {
    let headings = ["better or worse", "equal", "undecided"];
    let headings = headings.map(str::to_owned).into_iter();
    let mut table = table::titled("true difference", headings);
    for (planted, outcomes) in PLANTED.iter().zip(&curve.outcomes) {
        let all = outcomes.differs + outcomes.equal + outcomes.undecided;
        let share = |count: usize| percent(count as f64 / all as f64);
        table.add_row([
            percent(*planted),
            share(outcomes.differs),
            share(outcomes.equal),
            share(outcomes.undecided),
        ]);
    }
    format!(
        "{} tables of {CONTESTANTS} equal contestants and {FIGURES} figures, \
         {ROUNDS} rounds of {TURNS} turns, and {FEW_ROUNDS} of one turn for \
         one figure; {what}\n\
         tables with a false difference: {} (at most {})\n\
         95 % intervals that contain the true ratio: {}\n\n\
         Verdicts on one pair whose true ratio is known, within the margin of \
         {}:\n{}\n",
        curve.tables,
        percent(curve.false_share()),
        percent(FALSE_MAX),
        percent(curve.covered as f64 / curve.intervals as f64),
        percent(MARGIN),
        table.trim_fmt()
    )
}

/// Returns a share in per cent.
fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}
