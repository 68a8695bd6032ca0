//! Merging several records into one.

mod shards;
pub(crate) mod source;
mod sum;

use anyhow::{Context, anyhow, bail};

use crate::analysis::compatibility::{
    self, agree_on_entrants, agree_on_method,
};
use crate::analysis::merge::shards::add_up_shards;
use crate::analysis::merge::source::Source;
use crate::base::exit::Usage;
use crate::model::calibration::Calibrated;
use crate::model::provenance::Part;
use crate::model::record::Record;

/// Merges records. The loads of several machines in one window are added up to
/// one round; all other rounds are concatenated and renumbered.
///
/// # Errors
///
/// Returns a [`Usage`] error if a record is given twice, or if two records
/// can't be merged.
pub(crate) fn merge(sources: Vec<Source>) -> anyhow::Result<Record> {
    refuse_doubles(&sources)?;
    let mut sources = add_up_shards(sources)?.into_iter();
    let first = sources.next().context("no record to merge")?;
    let joined = sources.try_fold(first, join)?;
    let Source { mut record, .. } = joined;
    let parts = &record.parts;
    if let Some(started) = parts.iter().map(|part| &part.started).min() {
        record.started = started.clone();
    }
    // The name of a record contains its seed. With the seed of the first part,
    // it would have the name of that part.
    record.seed = parts.iter().fold(0, |seed: u64, part| {
        seed.wrapping_mul(31).wrapping_add(part.seed)
    });
    record.complete = parts.iter().all(|part| part.complete);
    // Each part has its own invocation.
    record.invocation = None;
    Ok(record)
}

/// Refuses a record that is given twice: the same rounds would count as twice
/// the evidence.
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
                "{} and {} are the same shard, or two that sent the same \
                 requests at the same times: --seed must differ on each \
                 machine",
                double.file, part.file
            ),
        }));
    }
    Ok(())
}

/// Appends the rounds of one run to those of another.
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
            // System calls are counted once per run; one count is enough.
            if kept.system_calls.value.is_none() {
                kept.system_calls = cell.system_calls;
            }
            if let (None, Some(mut void)) = (&kept.void, cell.void) {
                void.round += offset;
                kept.void = Some(void);
            }
        }
    }
    append_new(&mut record.scenarios, more.scenarios, |one, other| {
        one.name == other.name
    });
    append_new(&mut record.entrants, more.entrants, |one, other| {
        one.contestant.name == other.contestant.name
    });
    append_new(&mut record.skipped, more.skipped, |one, other| one == other);
    append_new(&mut record.calibration, more.calibration, Calibrated::is_like);
    if let (Some(mine), Some(others)) = (&mut record.shard, more.shard) {
        // After renumbering, rounds can't be matched by number with those of
        // other shards that started at the same time.
        mine.start_at = None;
        let windows = others.windows.into_iter();
        mine.windows.extend(windows.map(|(round, at)| (round + offset, at)));
    }
    let mut parts = more.parts;
    parts.iter_mut().for_each(|part| part.first_round += offset);
    record.parts.append(&mut parts);
    let judged_after = more.judged_after.into_iter();
    record.judged_after.extend(judged_after.map(|rounds| offset + rounds));
    record.rounds = offset + more.rounds;
    sum.name = format!("{}, {name}", sum.name);
    Ok(sum)
}

/// Appends the values that `list` does not have yet.
fn append_new<T>(
    list: &mut Vec<T>,
    mut new: Vec<T>,
    is_same: impl Fn(&T, &T) -> bool,
) {
    new.retain(|one| !list.iter().any(|other| is_same(one, other)));
    list.append(&mut new);
}

/// Checks that the rounds of two records measured the same thing.
fn agree_on_all(one: &Record, other: &Record) -> Result<(), String> {
    if one.shard.is_some() != other.shard.is_some() {
        return Err(
            "a run can't be merged with a record of `compare load`".to_owned()
        );
    }
    let unlike = compatibility::machines(&one.machine, &other.machine);
    if !unlike.is_empty() {
        return Err(format!(
            "runs of different machines can't be merged, because the median \
             would describe neither; compare them with `compare cmp`: {}",
            unlike.join("; ")
        ));
    }
    let addresses = [one, other]
        .map(|r| r.shard.as_ref().map(|shard| shard.address.clone()));
    if let [Some(one), Some(other)] = &addresses
        && one != other
    {
        return Err(format!("they load different servers: {one} and {other}"));
    }
    let revision = |record: &Record| record.machine.git_revision.value.clone();
    let [one_revision, other_revision] = [revision(one), revision(other)];
    if one_revision != other_revision {
        let text = |revision: Option<String>| {
            revision.unwrap_or_else(|| "unknown".to_owned())
        };
        return Err(format!(
            "they measured different commits; compare them with \
             `compare cmp`: {} / {}",
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

/// Returns the number of the last round that was planned or measured.
fn last_round(record: &Record) -> u64 {
    let cells = record.cells.values().flat_map(|row| row.values());
    let rounds = cells.flat_map(|cell| {
        let voids = cell.void.iter().map(|void| void.round);
        cell.rounds.iter().map(|round| round.round).chain(voids)
    });
    rounds.max().unwrap_or(0).max(record.rounds)
}
