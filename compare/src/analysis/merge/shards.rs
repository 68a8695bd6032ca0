//! Adding up shards: the loads of several machines on one server, in one
//! window, make one round of a larger load.

use anyhow::{anyhow, ensure};

use crate::analysis::compatibility::{
    self, agree_on_entrants, agree_on_method,
};
use crate::analysis::merge::source::Source;
use crate::base::exit::Usage;
use crate::model::provenance::Shard;
use crate::model::record::CellRecord;
use crate::model::scenarios::Scenario;

/// The smallest share by which two windows must overlap to count as one.
const OVERLAP: f64 = 0.9;

/// Adds up the shards that loaded one server in one window, and returns them
/// together with the other records.
pub(crate) fn add_up_shards(
    sources: Vec<Source>,
) -> anyhow::Result<Vec<Source>> {
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

/// Returns `true` if two records are shards of one load.
///
/// # Errors
///
/// Returns a [`Usage`] error if they were recorded at the same time, but don't
/// fit together.
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
            "{a} and {b} were recorded at the same time, but load {} and {}: \
             all shards of a load must have the same --addr",
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
            "{a} and {b} overlap, but their windows differ: use the same \
             --start-at and --rounds for all shards, and check that the \
             clocks of the machines agree"
        ))
    );
    Ok(true)
}

/// Checks that rounds with the same number overlap, in shards that started
/// together. Such shards always belong to one load, so a mismatch is an error.
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
            "{a} and {b} have the same --start-at, but load {} and {}: all \
             shards of a load must have the same --addr",
            here.address, there.address
        ))
    );
    for (round, began) in &here.windows {
        // A round that one of them lacks is dropped from the sum later.
        let Some(other) = there.windows.get(round) else { continue };
        ensure!(
            overlap(*began, *other) >= OVERLAP,
            Usage(format!(
                "{a} and {b} have the same --start-at, but their windows of \
                 round {round} began {:.3} s apart: check that the clocks of \
                 the machines agree, and use the same --warm-up, --duration \
                 and --reply-timeout for all shards",
                began.abs_diff(*other) as f64 / 1e9
            ))
        );
    }
    Ok(())
}

/// Adds the load of another machine on the same server in the same windows.
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
        return Err(usage("one of them has no scenario".to_owned()));
    };
    let scenario = sum_of(mine, others).map_err(&usage)?;
    let shown = [&record.entrants, &more.entrants]
        .map(|entrants| entrants.iter().map(|e| e.contestant.name.clone()))
        .map(Iterator::collect::<Vec<String>>);
    if shown[0] != shown[1] {
        let text = format!(
            "they load the same server, but call it {} and {}: use the same \
             --name for all shards",
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
    // A round is kept only if every machine measured it.
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

/// Returns the scenario of two shards together: the same, but with the sum of
/// their connections and rates.
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
            Err(format!("their scenarios differ: {difference}"))
        }
    }
}
