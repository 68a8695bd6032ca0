//! What the conformance suite must know about a contestant.

use conformance::Subject;

use crate::model::contestant::{Contestant, Framing, ModelTrait};
use crate::model::contestants::family_named;

/// Returns what the suite must know about a contestant.
pub(super) fn subject(contestant: &Contestant) -> Subject {
    let mut subject =
        Subject::new(contestant.command.clone()).ready(contestant.ready.into());
    if contestant.framing == Framing::Talk {
        subject = subject.framing(conformance::Framing::Talk);
    }
    if let Some(flags) = &contestant.flags {
        subject = subject.only_flags(flags.clone());
    }
    if let Some(names) = &contestant.families {
        let families = names.iter().filter_map(|name| family_named(name));
        subject = subject.families(&families.collect::<Vec<_>>());
    }
    contestant.model.iter().fold(subject, |subject, what| match what {
        ModelTrait::OneClientAtATime => subject.one_client_at_a_time(),
        ModelTrait::ComputesInline => subject.computes_inline(),
        ModelTrait::ComputesOnAPool => subject.computes_on_a_pool(),
        ModelTrait::WaitsForItsPool => subject.waits_for_its_pool(),
        ModelTrait::StopsAtUrgentData => subject.stops_at_urgent_data(),
        ModelTrait::WorkerProcesses => subject.has_worker_processes(),
        ModelTrait::ThreadPerClient => subject.thread_per_client(),
        ModelTrait::LargeCrowds => subject.large_crowds(),
    })
}
