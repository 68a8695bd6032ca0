//! The faults of a server under load, counted by kind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The number of faults by kind.
#[derive(
    schemars::JsonSchema,
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
)]
pub(crate) struct Faults {
    /// Connections that the server refused.
    pub(crate) refused: u64,
    /// Connections that the server reset.
    pub(crate) reset: u64,
    /// Connections that the server closed before it had sent all replies.
    pub(crate) closed_early: u64,
    /// Connections that were not established, or got no reply, in time.
    pub(crate) timed_out: u64,
    /// Replies that are neither the right number nor an error reply.
    pub(crate) wrong: u64,
    /// The first wrong reply.
    pub(crate) first_wrong: Option<String>,
    /// Error replies, by token.
    pub(crate) errors: BTreeMap<String, u64>,
    /// What the load generator could not do, by the system's error message.
    /// Never the server's fault.
    pub(crate) own_limits: BTreeMap<String, u64>,
}

impl Faults {
    /// Adds the faults that other clients counted.
    pub(crate) fn add(&mut self, other: &Faults) {
        let counts = [
            (&mut self.refused, other.refused),
            (&mut self.reset, other.reset),
            (&mut self.closed_early, other.closed_early),
            (&mut self.timed_out, other.timed_out),
            (&mut self.wrong, other.wrong),
        ];
        for (count, more) in counts {
            *count += more;
        }
        if self.first_wrong.is_none() {
            self.first_wrong.clone_from(&other.first_wrong);
        }
        let maps = [
            (&mut self.errors, &other.errors),
            (&mut self.own_limits, &other.own_limits),
        ];
        for (map, more) in maps {
            for (key, count) in more {
                *map.entry(key.clone()).or_default() += count;
            }
        }
    }

    /// Returns the server's faults as a list in words, or `None` if there are
    /// none.
    pub(crate) fn of_server(&self) -> Option<String> {
        let wrong = match &self.first_wrong {
            Some(first) => format!("wrong replies (the first: {first:?})"),
            None => "wrong replies".to_owned(),
        };
        let kinds = [
            (self.wrong, wrong.as_str()),
            (self.refused, "connections refused"),
            (self.reset, "connections reset"),
            (self.closed_early, "connections closed before the reply"),
            (self.timed_out, "connections without a reply in time (a hang)"),
        ];
        let counted = kinds
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, kind)| format!("{count} {kind}"));
        let errors = self
            .errors
            .iter()
            .map(|(token, count)| format!("{count} replies `error: {token}`"));
        let all: Vec<String> = counted.chain(errors).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }
}
