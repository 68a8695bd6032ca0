//! `compare cmp`: two runs, cell by cell. Their rounds know nothing of each
//! other, so that no round of one is held against a round of the other: the
//! medians are.

use clap::Args;
use comfy_table::Table;
use regex_lite::Regex;

use crate::analysis::compatibility;
use crate::analysis::findings::{Findings, Standing};
use crate::analysis::statistics::{Estimate, median};
use crate::analysis::units;
use crate::analysis::verdict::{
    self, GENERATOR_WAS_BUSY, ROUNDS_MIN, TOO_FEW_ROUNDS, Verdict,
};
use crate::base::exit::Outcome;
use crate::base::stdout;
use crate::model::figure::Figure;
use crate::model::record::{Record, Void, ratios};
use crate::model::runs;
use crate::model::scenarios::Scenario;
use crate::model::selection::selects;
use crate::output::table;

/// Why nobody can say: the rounds of two runs are not held against each other,
/// and what others did in one of them is not in the other.
const DISTURBED: &str = "others took more than 5 % of the machine's time";

/// What `compare cmp` is told.
#[derive(Args, Debug)]
pub(crate) struct Cmp {
    /// The run before: its file, its folder, its name in runs/, or `last`
    #[arg(value_name = "A")]
    before: String,
    /// The run after
    #[arg(value_name = "B")]
    after: String,
    /// Only contestants whose name matches; repeatable
    #[arg(short = 'e', long = "contestant", value_name = "REGEX")]
    contestant: Vec<Regex>,
    /// Only scenarios whose name matches; repeatable
    #[arg(short = 's', long = "scenario", value_name = "REGEX")]
    scenario: Vec<Regex>,
    /// Exit with 99 if B is worse by more than that somewhere, as 5%: by all
    /// that the interval leaves open, and by more than noise; or if a
    /// contestant failed in B alone; and with 1 if nothing could be judged
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    fail_on_regression: Option<f64>,
}

impl Cmp {
    /// Compares them and prints what came of it.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let [before, after] =
            [&self.before, &self.after].map(|name| runs::read(name));
        let comparison = Comparison::of(&before?, &after?, |scenario, name| {
            let chosen = selects(&self.scenario, &scenario.name)
                || selects(&self.scenario, scenario.base());
            chosen && selects(&self.contestant, name)
        });
        stdout::print(&comparison.text(self.fail_on_regression))?;
        let worse = self.fail_on_regression.is_some_and(|allowed| {
            comparison.regressions(allowed).next().is_some()
        });
        let cells = comparison.cells.len();
        Ok(if worse {
            // A contestant that fails in all of B leaves no cell.
            Outcome::Regression
        } else if cells == 0 {
            Outcome::NothingSelected
        } else if self.fail_on_regression.is_some()
            && comparison.open() == cells
        {
            // A gate that saw nothing must not be taken for one that is open.
            Outcome::InstrumentFailed
        } else {
            Outcome::Done
        })
    }
}

/// What two runs say of each other.
struct Comparison {
    /// In what the machines differ.
    unlike: Vec<String>,
    /// Which commits were measured.
    revisions: Option<String>,
    /// The figures that both have.
    cells: Vec<Compared>,
    /// Who failed in B, though not in A.
    failed: Vec<String>,
    /// What can't be compared, and why.
    apart: Vec<String>,
    /// How often two contestants stand to each other in both runs.
    pairs: usize,
    /// The pairs of which one is better in A, and the other one in B.
    reversed: Vec<String>,
}

/// A figure that both have.
struct Compared {
    scenario: String,
    contestant: String,
    figure: Figure,
    before: Estimate,
    after: Estimate,
    /// Whether the rate is only a lower bound.
    bounds: [bool; 2],
    /// How many rounds the run with fewer has.
    rounds: usize,
    /// B by A.
    times: Estimate,
    /// The larger one; none, if neither run measured it.
    floor: Option<f64>,
    verdict: Verdict,
}

impl Comparison {
    fn of(
        before: &Record,
        after: &Record,
        is_wanted: impl Fn(&Scenario, &str) -> bool,
    ) -> Comparison {
        let mut comparison = Comparison {
            unlike: compatibility::machines(&before.machine, &after.machine),
            revisions: revisions(before, after),
            cells: Vec::new(),
            failed: Vec::new(),
            apart: Vec::new(),
            pairs: 0,
            reversed: Vec::new(),
        };
        let Comparison { apart, .. } = &mut comparison;
        let pairs = pairs(before, after, &is_wanted, apart);
        for (one, other) in pairs {
            let names = before.contestants().map(|c| c.name.as_str());
            let names: Vec<&str> =
                names.filter(|name| is_wanted(one, name)).collect();
            for name in &names {
                comparison.add([before, after], [one, other], name);
            }
            comparison.add_pairs([before, after], [one, other], &names);
        }
        only(before, after, "A", &is_wanted, &mut comparison.apart);
        only(after, before, "B", &is_wanted, &mut comparison.apart);
        comparison
    }

    /// Compares all figures of one cell.
    fn add(
        &mut self,
        [before, after]: [&Record; 2],
        [one, other]: [&Scenario; 2],
        name: &str,
    ) {
        let void = |record: &Record| -> Option<Void> {
            record.cell(&one.name, name)?.void.clone()
        };
        let voids = [void(before), void(after)];
        if let Some(why) = before.by_design(&one.name, name)
            && after.by_design(&other.name, name).is_some()
        {
            let line = format!("by design: {name} not in {}: {why}", one.name);
            self.apart.push(line);
            return;
        }
        for (run, void) in ["A", "B"].iter().zip(&voids) {
            let Some(Void { reason, .. }) = void else { continue };
            let line =
                format!("void in {run}: {name} in {}: {reason}", one.name);
            self.apart.push(line);
        }
        if let [None, Some(void)] = &voids
            && void.contestant_failed
            && before.cell(&one.name, name).is_some()
        {
            let line = format!("{name} in {}: {}", one.name, void.reason);
            self.failed.push(line);
        }
        if voids.iter().any(Option::is_some) {
            return;
        }
        let mut figures = one.figures.clone();
        figures.extend(&other.figures);
        for (index, &figure) in figures.iter().enumerate() {
            if figures[..index].contains(&figure) {
                continue;
            }
            let compared = compare([before, after], [one, other], name, figure);
            self.cells.extend(compared);
        }
    }

    /// Whether both runs say the same of who is better than whom.
    fn add_pairs(
        &mut self,
        records: [&Record; 2],
        scenarios: [&Scenario; 2],
        names: &[&str],
    ) {
        let [one, other] = scenarios;
        let both = one.figures.iter().filter(|f| other.figures.contains(f));
        for &figure in both {
            for (index, first) in names.iter().enumerate() {
                for second in &names[index + 1..] {
                    let pair = [*first, *second];
                    let text = reversed(records, scenarios, pair, figure);
                    self.pairs += usize::from(text.is_some());
                    self.reversed.extend(text.flatten());
                }
            }
        }
    }

    fn regressions(&self, allowed: f64) -> impl Iterator<Item = String> {
        let worse = self.cells.iter().filter(move |cell| {
            let is_open = matches!(cell.verdict, Verdict::Open(_));
            let is_noise = cell.verdict == Verdict::Tie || is_open;
            let Compared { figure, times, .. } = cell;
            !is_noise && verdict::is_worse_by_more_than(allowed, *figure, times)
        });
        let worse = worse.map(|cell| {
            format!(
                "{} of {} in {}: {} of what it was",
                cell.figure.name(),
                cell.contestant,
                cell.scenario,
                times_text(&cell.times)
            )
        });
        worse.chain(self.failed.iter().cloned())
    }

    fn text(&self, allowed: Option<f64>) -> String {
        let mut text = String::new();
        if !self.unlike.is_empty() {
            text += &format!(
                "warning: unlike machines (A / B): {}; what differs below may \
                 be theirs\n\n",
                self.unlike.join("; ")
            );
        }
        if !self.cells.is_empty() {
            text += &format!("{}\n\n", self.table().trim_fmt());
        }
        text += &self.summary();
        if self.pairs > 0 {
            text += &format!(
                "{} times two contestants are held against each other; of \
                 these, {} better in one run and worse in the other, by more \
                 than noise\n",
                self.pairs,
                match self.reversed.len() {
                    0 => "none is".to_owned(),
                    1 => "1 is".to_owned(),
                    count => format!("{count} are"),
                }
            );
        }
        for line in &self.reversed {
            text += &format!("reversed: {line}\n");
        }
        for line in self.revisions.iter().chain(&self.apart) {
            text += &format!("{line}\n");
        }
        let Some(allowed) = allowed else { return text };
        let worse: Vec<String> = self.regressions(allowed).collect();
        for line in &worse {
            text += &format!("regression: {line}\n");
        }
        if worse.is_empty() {
            let percent = units::number(allowed * 100.0);
            text += &match self.open() {
                0 => format!("no regression of more than {percent} %\n"),
                open if open == self.cells.len() => format!(
                    "a regression of more than {percent} % can't be ruled \
                     out: nothing could be judged, all {open} figures are \
                     open\n"
                ),
                open => format!(
                    "no regression of more than {percent} % in what could be \
                     judged: {open} of {} figures are open\n",
                    self.cells.len()
                ),
            };
        }
        text
    }

    /// How many figures nobody can say anything of.
    fn open(&self) -> usize {
        let open = |cell: &&Compared| matches!(cell.verdict, Verdict::Open(_));
        self.cells.iter().filter(open).count()
    }

    fn table(&self) -> Table {
        let headings = ["scenario", "figure", "A", "B", "B / A", "noise", ""];
        let mut table = table::empty(headings.map(str::to_owned).into_iter());
        for cell in &self.cells {
            let value = |estimate, is_bound| {
                let bound = if is_bound { "≥ " } else { "" };
                format!("{bound}{}", units::median(cell.figure, estimate))
            };
            let floor = cell.floor.map_or("?".to_owned(), units::floor);
            table.add_row([
                cell.contestant.clone(),
                cell.scenario.clone(),
                cell.figure.name().to_owned(),
                value(&cell.before, cell.bounds[0]),
                value(&cell.after, cell.bounds[1]),
                times_text(&cell.times),
                floor,
                cell.verdict.name(),
            ]);
        }
        table
    }

    fn summary(&self) -> String {
        let count = self.cells.len();
        if count == 0 {
            return "nothing to compare: the runs have no cell in common\n"
                .to_owned();
        }
        let kinds = [
            Verdict::Tie,
            Verdict::Faster,
            Verdict::Slower,
            Verdict::More,
            Verdict::Less,
        ];
        let mut counts: Vec<String> = Vec::new();
        let mut rest = count;
        for kind in kinds {
            let of_kind = self.cells.iter().filter(|c| c.verdict == kind);
            let of_kind = of_kind.count();
            rest -= of_kind;
            if of_kind > 0 {
                counts.push(format!("{of_kind} {}", kind.name()));
            }
        }
        if rest > 0 {
            counts.push(format!("{rest} open"));
        }
        let mut text = format!(
            "{count} figures compared: {}; medians of each run's rounds, with \
             95 % bootstrap intervals of their ratio\n",
            counts.join(", ")
        );
        // Whoever looks at a hundred intervals sees some miss by chance.
        let misses = self.cells.iter().map(Compared::chance_of_a_miss);
        let by_chance = misses.sum::<f64>().round();
        if by_chance >= 1.0 {
            text += &format!(
                "of so many intervals, about {by_chance} miss by chance: \
                 measure again what surprises\n"
            );
        }
        if self.cells.iter().any(|cell| cell.floor.is_none()) {
            text += "noise ?: neither run has a contestant that took part \
                     twice, so that a small difference may be noise\n";
        }
        text
    }
}

impl Compared {
    /// How often the interval leaves out 1 although nothing changed: 1 in 20
    /// times by design, but of three or four rounds as often as 1 in 10.
    fn chance_of_a_miss(&self) -> f64 {
        if self.rounds < 5 { 0.1 } else { 0.05 }
    }
}

/// The scenarios that both runs have, and mean the same by.
fn pairs<'a>(
    before: &'a Record,
    after: &'a Record,
    is_wanted: impl Fn(&Scenario, &str) -> bool,
    apart: &mut Vec<String>,
) -> Vec<(&'a Scenario, &'a Scenario)> {
    let mut pairs = Vec::new();
    for one in &before.scenarios {
        let mut others = after.scenarios.iter();
        let Some(other) = others.find(|other| other.name == one.name) else {
            continue;
        };
        let mut names = before.contestants().map(|c| &c.name);
        if !names.any(|name| is_wanted(one, name)) {
            continue;
        }
        // Another n is another question, whatever cost it stands for.
        let has_cost = one.groups.iter().any(|group| group.cost.is_some());
        let difference = compatibility::scenarios(one, other).or_else(|| {
            let calibrations = [before, after].map(|run| &run.calibration);
            let [one, other] = calibrations;
            has_cost.then(|| compatibility::calibrations(one, other)).flatten()
        });
        match difference {
            None => pairs.push((one, other)),
            Some(difference) => apart.push(format!(
                "not compared: {} is not the same in both (A / B): \
                 {difference}",
                one.name
            )),
        }
    }
    pairs
}

fn compare(
    [before, after]: [&Record; 2],
    [one, other]: [&Scenario; 2],
    name: &str,
    figure: Figure,
) -> Option<Compared> {
    let of = |record: &Record, scenario: &Scenario| -> Vec<f64> {
        record.figure(scenario, name, figure).into_values().collect()
    };
    let [old, new] = [of(before, one), of(after, other)];
    let rounds = old.len().min(new.len());
    // The runs may have the same seed: what follows from both does not matter,
    // as long as it is always the same.
    let times = Estimate::of_quotient(&new, &old, before.seed)?;
    let findings = [Findings::of(before), Findings::of(after)];
    let floors = [
        findings[0].noise_floor(one, figure),
        findings[1].noise_floor(other, figure),
    ];
    let floor = floors.into_iter().flatten().reduce(f64::max);
    let bounds = [
        findings[0].is_lower_bound(one, name, figure),
        findings[1].is_lower_bound(other, name, figure),
    ];
    let mut verdict = Verdict::of(figure, &times, floor.unwrap_or(0.0));
    let is_tie = verdict == Verdict::Tie;
    if rounds < ROUNDS_MIN && !is_tie {
        verdict = Verdict::Open(TOO_FEW_ROUNDS);
    } else if verdict::is_open(&times, is_tie, bounds) {
        verdict = Verdict::Open(GENERATOR_WAS_BUSY);
    } else if !is_tie && figure != Figure::Rss {
        let was_disturbed = findings[0].was_disturbed(one, name)
            || findings[1].was_disturbed(other, name);
        if was_disturbed {
            verdict = Verdict::Open(DISTURBED);
        }
    }
    Some(Compared {
        scenario: one.name.clone(),
        contestant: name.to_owned(),
        figure,
        before: Estimate::of(&old, before.seed)?,
        after: Estimate::of(&new, after.seed)?,
        bounds,
        rounds,
        times,
        floor,
        verdict,
    })
}

/// Whether two contestants are told apart one way round in A, and the other
/// way round in B: then how. The outer `None`: a run does not have both.
fn reversed(
    [before, after]: [&Record; 2],
    [one, other]: [&Scenario; 2],
    [first, second]: [&str; 2],
    figure: Figure,
) -> Option<Option<String>> {
    let middle = |record: &Record, scenario: &Scenario| {
        let over = record.figure(scenario, first, figure);
        let under = record.figure(scenario, second, figure);
        median(&mut ratios(&over, &under).into_values().collect::<Vec<_>>())
    };
    let middles = [middle(before, one)?, middle(after, other)?];
    // Only then is it worth the time that the intervals take.
    if (middles[0] - 1.0) * (middles[1] - 1.0) >= 0.0 {
        return Some(None);
    }
    let apart = |record: &Record, scenario: &Scenario| {
        let findings = Findings::of(record);
        match findings.standing(scenario, first, second, figure)? {
            Standing::Tied | Standing::Open(_) => None,
            Standing::Times(times) => Some(times_text(&times)),
        }
    };
    let texts = apart(before, one).zip(apart(after, other));
    Some(texts.map(|(before, after)| {
        format!(
            "{} of {first} in {}: {before} times that of {second} in A, \
             {after} times in B",
            figure.name(),
            one.name
        )
    }))
}

/// What only the first of two runs has: contestants, scenarios, and cells.
fn only(
    here: &Record,
    there: &Record,
    run: &str,
    is_wanted: impl Fn(&Scenario, &str) -> bool,
    lines: &mut Vec<String>,
) {
    let is_measured = |record: &Record, scenario: &str, name: &str| {
        let cell = record.cell(scenario, name);
        cell.is_some_and(|cell| cell.void.is_some() || !cell.rounds.is_empty())
    };
    let is_scenario =
        |name: &str| there.scenarios.iter().any(|s| s.name == name);
    let is_contestant =
        |name: &str| there.contestants().any(|other| other.name == name);
    let mut only = Vec::new();
    for scenario in &here.scenarios {
        for contestant in here.contestants() {
            let name = contestant.name.as_str();
            let of = scenario.name.as_str();
            if !is_wanted(scenario, name)
                || scenario.figures.is_empty()
                || !is_measured(here, of, name)
                || is_measured(there, of, name)
            {
                continue;
            }
            // One line says it of all of them.
            let what = if !is_contestant(name) {
                format!("contestant {name}")
            } else if !is_scenario(of) {
                format!("scenario {of}")
            } else {
                format!("{name} in {of}")
            };
            if !only.contains(&what) {
                only.push(what);
            }
        }
    }
    if !only.is_empty() {
        lines.push(format!("only in {run}: {}", only.join(", ")));
    }
}

/// Which commits were measured, if they differ or nobody knows.
fn revisions(before: &Record, after: &Record) -> Option<String> {
    let text = |record: &Record| {
        let revision = record.machine.git_revision.value.as_deref();
        let short = revision.map_or("unknown", |r| r.get(..12).unwrap_or(r));
        let is_dirty = record.machine.git_dirty.value == Some(true);
        let changes = if is_dirty { " with changes" } else { "" };
        format!("{short}{changes}")
    };
    let [before, after] = [text(before), text(after)];
    (before != after).then(|| format!("revisions: {before} in A, {after} in B"))
}

fn times_text(times: &Estimate) -> String {
    let number = |value: f64| match value.is_finite() {
        true => format!("{value:.2}"),
        false => "∞".to_owned(),
    };
    let Estimate { median, low, high } = *times;
    format!("{} [{}, {}]", number(median), number(low), number(high))
}

/// Reads `5%`, or `5`, as a share.
fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim_end().parse::<f64>() {
        Ok(percent) if percent >= 0.0 && percent.is_finite() => {
            Ok(percent / 100.0)
        }
        _ => Err("expected a share of 0 or more, as 5%".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_with_and_without_its_sign() {
        for (text, expected) in [("5%", 0.05), ("12.5", 0.125), ("0 %", 0.0)] {
            assert_eq!(percent(text), Ok(expected));
        }
        for bad in ["", "%", "five", "-1%", "NaN", "inf%"] {
            assert!(percent(bad).is_err(), "{bad}");
        }
    }
}
