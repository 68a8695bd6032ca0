//! The parts of a merged record for a terminal.

use std::path::Path;

use crate::analysis::compatibility;
use crate::model::record::Record;
use crate::model::scenarios::ClientGroup;

/// Describes a group of clients in one line.
fn clients(group: &ClientGroup) -> String {
    let rate = group.rate.map(|rate| format!(", {rate} requests per second"));
    format!(
        "{}: {} connections{}",
        group.name,
        group.connections,
        rate.unwrap_or_default()
    )
}

pub(crate) fn text(merged: &Record, path: &Path) -> String {
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
        text += &format!("note: the load machines differ: {unlike}\n");
    }
    let is_dirty = merged.machine.git_dirty.value == Some(true);
    if is_dirty && merged.parts.len() > 1 {
        text += "note: files differed from the commit, and may differ between \
                 the parts\n";
    }
    let voids = merged.voids();
    for (scenario, entrant, void) in voids {
        text += &format!(
            "void, because it is void in one part: {entrant} in {scenario}: \
             {}\n",
            void.reason
        );
    }
    text + &format!("record: {}\n", path.display())
}
