//! What one client group has seen so far.

use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;
use rustix::io::Errno;

use super::plan::Group;
use super::report::{Faults, GroupReport, Times};

/// How much of a wrong reply is kept.
const WRONG_BYTES_MAX: usize = 80;

/// The counts of one client group. Counting allocates nothing as long as the
/// server answers rightly.
pub(super) struct Tally {
    pub(super) connected: usize,
    replies: u64,
    replies_in_all: u64,
    service_ns: Histogram<u64>,
    faults: Faults,
}

impl Tally {
    pub(super) fn new() -> Tally {
        Tally {
            connected: 0,
            replies: 0,
            replies_in_all: 0,
            service_ns: Times::recorder(),
            faults: Faults::default(),
        }
    }

    /// Counts a right reply; its service time only if it is in the window.
    pub(super) fn right(&mut self, service: Duration, in_window: bool) {
        self.replies_in_all += 1;
        if in_window {
            self.replies += 1;
            self.service_ns.saturating_record(service.as_nanos() as u64);
        }
    }

    /// Counts a reply line, without its LF, that is not the right one.
    pub(super) fn not_right(&mut self, line: &[u8]) {
        match error_token(line) {
            Some(token) => {
                *self.faults.errors.entry(token).or_default() += 1;
            }
            None => self.wrong(line),
        }
    }

    pub(super) fn wrong(&mut self, line: &[u8]) {
        self.faults.wrong += 1;
        let kept = &line[..line.len().min(WRONG_BYTES_MAX)];
        self.faults
            .first_wrong
            .get_or_insert_with(|| String::from_utf8_lossy(kept).into());
    }

    pub(super) fn closed_early(&mut self) {
        self.faults.closed_early += 1;
    }

    pub(super) fn timed_out(&mut self) {
        self.faults.timed_out += 1;
    }

    /// Counts a failed system call on a connection.
    pub(super) fn failed(&mut self, error: &io::Error) {
        match Errno::from_io_error(error) {
            Some(Errno::CONNREFUSED) => self.faults.refused += 1,
            Some(Errno::CONNRESET) => self.faults.reset += 1,
            // The server closed first; our own bytes then met nobody.
            Some(Errno::PIPE) => self.faults.closed_early += 1,
            _ if error.kind() == io::ErrorKind::TimedOut => {
                self.faults.timed_out += 1;
            }
            _ => {
                let limit = error.to_string();
                *self.faults.own_limits.entry(limit).or_default() += 1;
            }
        }
    }

    pub(super) fn into_report(self, group: &Group) -> GroupReport {
        GroupReport {
            name: group.name.clone(),
            n: group.n,
            connections: group.connections,
            connected: self.connected,
            replies: self.replies,
            replies_in_all: self.replies_in_all,
            service_ns: Times::from(&self.service_ns),
            faults: self.faults,
        }
    }
}

/// The token of an error line: what is stable in `error: TOKEN: text`.
pub(super) fn error_token(line: &[u8]) -> Option<String> {
    let rest = line.strip_prefix(b"error: ")?;
    let ends = |byte: &u8| !(byte.is_ascii_lowercase() || *byte == b'-');
    let length = rest.iter().position(ends).unwrap_or(rest.len());
    Some(String::from_utf8_lossy(&rest[..length]).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_token_ends_where_its_text_begins() {
        let cases: [(&[u8], Option<&str>); 4] = [
            (b"error: too-large: n must be at most 45", Some("too-large")),
            (b"error: server-full", Some("server-full")),
            (b"error: timed-out\r", Some("timed-out")),
            (b"832040", None),
        ];
        for (line, token) in cases {
            assert_eq!(error_token(line).as_deref(), token);
        }
    }
}
