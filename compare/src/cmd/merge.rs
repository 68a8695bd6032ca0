//! `compare merge`: several records as one.
//!
//! Runs are joined: their rounds come one after the other, each with a number
//! of its own, so that what is held against each other round by round comes
//! from the same run. Shards are added up: what several machines loaded one
//! server with in one window is one round of a larger load.
//!
//! Runs of unlike machines are refused, not kept side by side in one record:
//! a record has one machine, and the median over the rounds of two would be
//! that of neither. `compare cmp` holds one against the other. Load machines
//! may be unlike, because what is measured, the server, is the same one; which
//! they were is kept.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;

use crate::analysis::compatibility;
use crate::base::exit::{Outcome, Usage};
use crate::base::stdout;
use crate::model::provenance::{Part, Shard};
use crate::model::record::{CellRecord, Record};
use crate::model::runs;
use crate::model::scenarios::{Group, Scenario};

/// Windows that overlap by less than this share are not the same one.
const OVERLAP: f64 = 0.9;

/// What `compare merge` is told.
#[derive(Args, Debug)]
pub(crate) struct Merge {
    /// The runs, or the shards of a load: files, folders, or names in runs/
    #[arg(required = true, num_args = 2.., value_name = "RUN_OR_SHARD")]
    records: Vec<String>,
    /// The folder for the record that they make
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

impl Merge {
    /// Joins them, keeps the record and says what it is made of.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let mut sources = Vec::new();
        for name in &self.records {
            sources.push(Source::read(name)?);
        }
        let merged = merge(sources)?;
        runs::create(&self.out)?;
        let path = runs::file(&self.out);
        merged.write(&path)?;
        stdout::print(&text(&merged, &path))?;
        Ok(Outcome::Done)
    }
}

/// A record to merge, and where it is from.
struct Source {
    name: String,
    record: Record,
}

impl Source {
    fn read(name: &str) -> anyhow::Result<Source> {
        let mut record = runs::read(name)?;
        if record.parts.is_empty() {
            record.parts = vec![Part::of(&record, name)];
        }
        Ok(Source { name: name.to_owned(), record })
    }
}

fn merge(sources: Vec<Source>) -> anyhow::Result<Record> {
    refuse_doubles(&sources)?;
    let mut sources = add_up_shards(sources)?.into_iter();
    let first = sources.next().context("there is nothing to merge")?;
    let joined = sources.try_fold(first, join)?;
    let Source { mut record, .. } = joined;
    let parts = &record.parts;
    if let Some(started) = parts.iter().map(|part| &part.started).min() {
        record.started = started.clone();
    }
    // With the first part's own, the two would have one name.
    record.seed = parts.iter().fold(0, |seed: u64, part| {
        seed.wrapping_mul(31).wrapping_add(part.seed)
    });
    record.complete = parts.iter().all(|part| part.complete);
    // Each part has its own.
    record.asked = None;
    Ok(record)
}

/// Twice the same rounds would look like twice the evidence.
fn refuse_doubles(sources: &[Source]) -> anyhow::Result<()> {
    let parts = sources.iter().flat_map(|source| &source.record.parts);
    let parts: Vec<&Part> = parts.collect();
    for (index, part) in parts.iter().enumerate() {
        let earlier = &parts[..index];
        let Some(double) = earlier.iter().find(|other| other.id == part.id)
        else {
            continue;
        };
        bail!(Usage(match &part.shard {
            None => format!(
                "{} and {} are the same run: {}",
                double.file, part.file, part.id
            ),
            Some(_) => format!(
                "{} and {} are the same shard, or two that asked at the same \
                 moments: --seed must be another one on each machine",
                double.file, part.file
            ),
        }));
    }
    Ok(())
}

/// Makes one of the shards that loaded one server in one window.
fn add_up_shards(sources: Vec<Source>) -> anyhow::Result<Vec<Source>> {
    let mut added: Vec<Source> = Vec::new();
    for source in sources {
        let mut same = None;
        for (index, other) in added.iter().enumerate() {
            if is_same_window(other, &source)? {
                same = Some(index);
            }
        }
        match same {
            Some(index) => add_up(&mut added[index], source)?,
            None => added.push(source),
        }
    }
    Ok(added)
}

/// Whether two records are shards of one load.
fn is_same_window(one: &Source, other: &Source) -> anyhow::Result<bool> {
    let (Some(here), Some(there)) = (&one.record.shard, &other.record.shard)
    else {
        return Ok(false);
    };
    let window = |source: &Source| {
        let windows = source.record.scenarios.iter().map(|s| s.window);
        windows.max().unwrap_or_default().as_nanos() as f64
    };
    let window_ns = window(one).min(window(other));
    let overlap =
        |one: u64, other: u64| 1.0 - one.abs_diff(other) as f64 / window_ns;
    if here.start_at.is_some() && here.start_at == there.start_at {
        started_together(one, here, other, there, overlap)?;
        return Ok(true);
    }
    let overlaps = here.windows.values().flat_map(|one| {
        there.windows.values().map(move |other| overlap(*one, *other))
    });
    if overlaps.fold(0.0, f64::max) <= 0.0 {
        return Ok(false);
    }
    let (a, b) = (&one.name, &other.name);
    ensure!(
        here.address == there.address,
        Usage(format!(
            "{a} and {b} are of the same time, but load {} and {}: one load \
             has one --addr",
            here.address, there.address
        ))
    );
    let is_same = here.windows.len() == there.windows.len()
        && here.windows.iter().all(|(round, began)| {
            let other = there.windows.get(round);
            other.is_some_and(|other| overlap(*began, *other) >= OVERLAP)
        });
    ensure!(
        is_same,
        Usage(format!(
            "{a} and {b} overlap, but their windows are not the same: let \
             all start with the same --start-at and --rounds, and compare \
             the clocks of their machines"
        ))
    );
    Ok(true)
}

/// Makes sure that the rounds of shards that started together are those of one
/// load, by number: rounds of their own they never are.
fn started_together(
    one: &Source,
    here: &Shard,
    other: &Source,
    there: &Shard,
    overlap: impl Fn(u64, u64) -> f64,
) -> anyhow::Result<()> {
    let (a, b) = (&one.name, &other.name);
    ensure!(
        here.address == there.address,
        Usage(format!(
            "{a} and {b} have the same --start-at, but load {} and {}: one \
             load has one --addr",
            here.address, there.address
        ))
    );
    for (round, began) in &here.windows {
        // What one of them lacks, the sum lacks.
        let Some(other) = there.windows.get(round) else { continue };
        ensure!(
            overlap(*began, *other) >= OVERLAP,
            Usage(format!(
                "{a} and {b} have the same --start-at, but their windows of \
                 round {round} began {:.3} s apart: compare the clocks of \
                 their machines, and let all have the same --warm-up, \
                 --duration and --reply-timeout",
                began.abs_diff(*other) as f64 / 1e9
            ))
        );
    }
    Ok(())
}

/// Adds what another machine loaded the same server with in the same window.
fn add_up(sum: &mut Source, other: Source) -> anyhow::Result<()> {
    let names = format!("{} and {}", sum.name, other.name);
    let usage = |text: String| anyhow!(Usage(format!("{names}: {text}")));
    let Source { record: mut more, .. } = other;
    let record = &mut sum.record;
    agree_on_entrants(record, &more).map_err(&usage)?;
    agree_on_method(record, &more).map_err(&usage)?;
    let [mine, others] =
        [&record.scenarios, &more.scenarios].map(|list| list.first());
    let (Some(mine), Some(others)) = (mine, others) else {
        return Err(usage("a shard without a scenario".to_owned()));
    };
    let scenario = sum_of(mine, others).map_err(&usage)?;
    let shown = [&record.entrants, &more.entrants]
        .map(|entrants| entrants.iter().map(|e| e.contestant.name.clone()))
        .map(Iterator::collect::<Vec<String>>);
    if shown[0] != shown[1] {
        let text = format!(
            "one load of one server, but it is called {} and {}: give them \
             the same --name",
            shown[0].join(", "),
            shown[1].join(", ")
        );
        return Err(usage(text));
    }
    for (of, row) in std::mem::take(&mut more.cells) {
        for (name, cell) in row {
            let kept = record.cell_mut(&of, &name);
            add_up_cells(kept, cell).map_err(&usage)?;
        }
    }
    if let Some(Shard { groups, .. }) = &mut record.shard {
        groups.clone_from(&scenario.groups);
    }
    record.scenarios = vec![scenario];
    record.parts.append(&mut more.parts);
    sum.name = names;
    Ok(())
}

fn add_up_cells(sum: &mut CellRecord, other: CellRecord) -> Result<(), String> {
    // What one machine could not measure, the sum lacks.
    sum.void = sum.void.take().or(other.void);
    let CellRecord { rounds, missed, .. } = sum;
    missed.extend(other.missed);
    rounds.retain(|round| other.rounds.iter().any(|o| o.round == round.round));
    for round in rounds {
        let same = other.rounds.iter().find(|o| o.round == round.round);
        if let Some(other) = same {
            round.add(other)?;
        }
    }
    Ok(())
}

/// What two machines ask together: the same, but with the clients and the
/// rates of both.
fn sum_of(one: &Scenario, other: &Scenario) -> Result<Scenario, String> {
    let mut sum = one.clone();
    let mut more = other.clone();
    for (group, other) in sum.groups.iter_mut().zip(&mut more.groups) {
        let rate = group.rate.zip(other.rate).map(|(a, b)| a + b);
        let connections = group.connections + other.connections;
        for group in [group, other] {
            group.connections = connections;
            group.rate = rate.or(group.rate);
        }
    }
    match compatibility::scenarios(&sum, &more) {
        None => Ok(sum),
        Some(difference) => {
            Err(format!("they do not play the same scenario: {difference}"))
        }
    }
}

/// Puts the rounds of one run behind those of another.
fn join(mut sum: Source, other: Source) -> anyhow::Result<Source> {
    let names = (&sum.name, &other.name);
    agree_on_all(&sum.record, &other.record).map_err(|error| {
        anyhow!(Usage(format!("{} and {}: {error}", names.0, names.1)))
    })?;
    let record = &mut sum.record;
    let offset = last_round(record);
    let Source { record: more, name } = other;
    for (of, row) in more.cells {
        for (name, mut cell) in row {
            cell.rounds.iter_mut().for_each(|round| round.round += offset);
            let kept = record.cell_mut(&of, &name);
            kept.rounds.append(&mut cell.rounds);
            let missed = cell.missed.into_iter();
            kept.missed
                .extend(missed.map(|(round, how)| (round + offset, how)));
            kept.by_design = kept.by_design.take().or(cell.by_design);
            // Counted once in a run: that of one run stands for all.
            if kept.system_calls.value.is_none() {
                kept.system_calls = cell.system_calls;
            }
            if let (None, Some(mut void)) = (&kept.void, cell.void) {
                void.round += offset;
                kept.void = Some(void);
            }
        }
    }
    let known = |scenario: &Scenario| {
        record.scenarios.iter().any(|other| other.name == scenario.name)
    };
    let mut new = more.scenarios;
    new.retain(|scenario| !known(scenario));
    record.scenarios.append(&mut new);
    let mut new = more.entrants;
    new.retain(|entrant| {
        let name = &entrant.contestant.name;
        record.entrants.iter().all(|other| other.contestant.name != *name)
    });
    record.entrants.append(&mut new);
    let mut new = more.skipped;
    new.retain(|skipped| !record.skipped.contains(skipped));
    record.skipped.append(&mut new);
    let mut new = more.calibration;
    new.retain(|calibrated| {
        record.calibration.iter().all(|other| !other.is_like(calibrated))
    });
    record.calibration.append(&mut new);
    if let (Some(mine), Some(others)) = (&mut record.shard, more.shard) {
        // Of several loads, no number of a round is that of one.
        mine.start_at = None;
        let windows = others.windows.into_iter();
        mine.windows.extend(windows.map(|(round, at)| (round + offset, at)));
    }
    let mut parts = more.parts;
    parts.iter_mut().for_each(|part| part.first_round += offset);
    record.parts.append(&mut parts);
    record.rounds = offset + more.rounds;
    sum.name = format!("{}, {name}", sum.name);
    Ok(sum)
}

/// Whether the rounds of two records are rounds of the same thing.
fn agree_on_all(one: &Record, other: &Record) -> Result<(), String> {
    if one.shard.is_some() != other.shard.is_some() {
        return Err("one is a run, the other a load on a server elsewhere: \
                    they stay apart"
            .to_owned());
    }
    let unlike = compatibility::machines(&one.machine, &other.machine);
    if !unlike.is_empty() {
        return Err(format!(
            "unlike machines stay apart, because their median would be that \
             of neither (`compare cmp` compares them): {}",
            unlike.join("; ")
        ));
    }
    let addresses = [one, other]
        .map(|r| r.shard.as_ref().map(|shard| shard.address.clone()));
    if let [Some(one), Some(other)] = &addresses
        && one != other
    {
        return Err(format!("they load {one} and {other}"));
    }
    let revision = |record: &Record| record.machine.git_revision.value.clone();
    let [one_revision, other_revision] = [revision(one), revision(other)];
    if one_revision != other_revision {
        let text = |revision: Option<String>| {
            revision.unwrap_or_else(|| "unknown".to_owned())
        };
        return Err(format!(
            "they measured different commits (`compare cmp` compares them): \
             {} / {}",
            text(one_revision),
            text(other_revision)
        ));
    }
    agree_on_entrants(one, other)?;
    agree_on_method(one, other)?;
    for scenario in &one.scenarios {
        let name = &scenario.name;
        let same = other.scenarios.iter().find(|s| s.name == *name);
        let difference =
            same.and_then(|same| compatibility::scenarios(scenario, same));
        if let Some(difference) = difference {
            return Err(format!("scenario {name} differs: {difference}"));
        }
    }
    Ok(())
}

fn agree_on_entrants(one: &Record, other: &Record) -> Result<(), String> {
    for entrant in &one.entrants {
        let name = &entrant.contestant.name;
        let mut others = other.entrants.iter();
        let same = others.find(|other| other.contestant.name == *name);
        let difference =
            same.and_then(|same| compatibility::entrants(entrant, same));
        if let Some(difference) = difference {
            return Err(format!("contestant {name} differs: {difference}"));
        }
    }
    Ok(())
}

fn agree_on_method(one: &Record, other: &Record) -> Result<(), String> {
    let [method, others] = [&one.cost_method, &other.cost_method];
    // A load machine that the server is on knows its cost, the others don't.
    if one.shard.is_none() && method != others {
        return Err(format!(
            "cost is measured differently: {method} / {others}"
        ));
    }
    match compatibility::calibrations(&one.calibration, &other.calibration) {
        None => Ok(()),
        Some(difference) => Err(format!(
            "{difference}; in a file of your own, give the group an n in \
             place of the cost"
        )),
    }
}

/// The number of the last round that there is or should have been.
fn last_round(record: &Record) -> u64 {
    let cells = record.cells.values().flat_map(|row| row.values());
    let rounds = cells.flat_map(|cell| {
        let voids = cell.void.iter().map(|void| void.round);
        cell.rounds.iter().map(|round| round.round).chain(voids)
    });
    rounds.max().unwrap_or(0).max(record.rounds)
}

/// What a group of clients is in one line.
fn clients(group: &Group) -> String {
    let rate = group.rate.map(|rate| format!(", {rate} requests a second"));
    format!(
        "{}: {} connections{}",
        group.name,
        group.connections,
        rate.unwrap_or_default()
    )
}

fn text(merged: &Record, path: &Path) -> String {
    let mut text = String::new();
    for part in &merged.parts {
        let last = part.first_round + part.rounds.saturating_sub(1);
        let what = if part.shard.is_some() { "shard" } else { "run" };
        let complete = if part.complete { "" } else { ", incomplete" };
        text += &format!(
            "rounds {}-{last}: {what} {} of {}{complete}\n",
            part.first_round, part.id, part.file
        );
    }
    if let Some(shard) = &merged.shard {
        let groups: Vec<String> = shard.groups.iter().map(clients).collect();
        text += &format!("{} with {}\n", shard.address, groups.join("; "));
    }
    let unlike = merged.parts.iter().find_map(|part| {
        let unlike = compatibility::machines(&merged.machine, &part.machine);
        (!unlike.is_empty()).then(|| unlike.join("; "))
    });
    if let Some(unlike) = unlike {
        text += &format!("note: the load machines are unlike: {unlike}\n");
    }
    let is_dirty = merged.machine.git_dirty.value == Some(true);
    if is_dirty && merged.parts.len() > 1 {
        text += "note: files differed from the commit, and nobody knows \
                 whether they were the same in all\n";
    }
    let voids = merged.voids();
    for (scenario, entrant, void) in voids {
        text += &format!(
            "void in all, because it was in one: {entrant} in {scenario}: \
             {}\n",
            void.reason
        );
    }
    text + &format!("record: {}\n", path.display())
}
