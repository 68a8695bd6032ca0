//! The counts and times of one client group while the load runs.

use std::io;
use std::time::Instant;

use hdrhistogram::Histogram;
use rustix::io::Errno;

use crate::model::faults::Faults;
use crate::model::load_plan::GroupPlan;
use crate::model::load_report::{GroupReport, OpenLoop};
use crate::model::times::Times;

/// How many bytes of a wrong reply are kept.
const WRONG_BYTES_MAX: usize = 80;

/// The counts and times of one client group. Counting does not allocate as long
/// as the replies are correct.
pub(crate) struct Tally {
    pub(crate) connected: usize,
    window: Window,
    /// Whether the service times of replies after the window count, too.
    counts_late: bool,
    replies: u64,
    replies_in_all: u64,
    starved: u64,
    unfinished: u64,
    service_ns: Histogram<u64>,
    open: Option<OpenTally>,
    faults: Faults,
}

/// The measured window.
#[derive(Clone, Copy, Default)]
struct Window {
    /// The start of the window, if it has begun.
    from: Option<Instant>,
    /// The end of the window, if it is over.
    to: Option<Instant>,
}

/// The counts and times that only an open loop has. Requests count if they are
/// due in the window.
struct OpenTally {
    response_ns: Histogram<u64>,
    lag_ns: Histogram<u64>,
    unanswered: u64,
}

impl Tally {
    /// Returns an empty tally, of an open loop or of other clients.
    pub(crate) fn new(is_open: bool) -> Tally {
        let open = is_open.then(|| OpenTally {
            response_ns: Times::recorder(),
            lag_ns: Times::recorder(),
            unanswered: 0,
        });
        Tally {
            connected: 0,
            window: Window::default(),
            counts_late: false,
            replies: 0,
            replies_in_all: 0,
            starved: 0,
            unfinished: 0,
            service_ns: Times::recorder(),
            open,
            faults: Faults::default(),
        }
    }

    /// Returns the tally, and leaves an empty one for the next turn, for which
    /// the clients stay connected.
    pub(crate) fn take(&mut self) -> Tally {
        let connected = self.connected;
        let empty = Tally { connected, ..Tally::new(self.open.is_some()) };
        std::mem::replace(self, empty)
    }

    /// Counts the service times of replies that come after the window, in a
    /// turn, in which they are read at once.
    pub(crate) fn count_late_replies(&mut self) {
        self.counts_late = true;
    }

    /// Begins the window.
    pub(crate) fn begin(&mut self, at: Instant) {
        self.window = Window { from: Some(at), to: None };
    }

    /// Ends the window.
    pub(crate) fn end(&mut self, at: Instant) {
        self.window.to = Some(at);
    }

    /// Counts a client that waited for a reply during the whole window.
    pub(crate) fn starved(&mut self) {
        self.starved += 1;
    }

    /// Counts a client that was never served, and sent this request in the
    /// window.
    pub(crate) fn unserved(&mut self, sent: &Sent) {
        if self.window.contains(sent.at) {
            self.starved += 1;
        }
    }

    /// Counts requests of the window that had no reply when their turn ended.
    pub(crate) fn unfinished(&mut self, sent: &Sent) {
        if self.window.contains(sent.at) {
            self.unfinished += sent.count as u64;
        }
    }

    /// Counts correct replies. A reply counts for the rate if it came in the
    /// window. A service time counts if the request was sent in the window and,
    /// except in a turn, the reply came in it, too. A response time counts if
    /// the request was due in the window, however late the reply comes.
    pub(crate) fn right(&mut self, sent: &Sent, count: usize, now: Instant) {
        let count = count as u64;
        self.replies_in_all += count;
        if self.window.is_open() {
            self.replies += count;
        }
        let is_timely = self.window.is_open() || self.counts_late;
        if is_timely && self.window.contains(sent.at) {
            let service = now.duration_since(sent.at).as_nanos() as u64;
            self.service_ns.saturating_record_n(service, count);
        }
        if let Some(open) = &mut self.open
            && self.window.contains(sent.due)
        {
            let response = now.duration_since(sent.due).as_nanos() as u64;
            open.response_ns.saturating_record_n(response, count);
        }
    }

    /// Records how late a request was sent although a connection was free. Such
    /// a delay is the load generator's fault.
    pub(crate) fn lagged(&mut self, due: Instant, now: Instant) {
        if let Some(open) = &mut self.open
            && self.window.contains(due)
        {
            let lag = now.saturating_duration_since(due).as_nanos() as u64;
            open.lag_ns.saturating_record(lag);
        }
    }

    /// Counts a request that was due in the window and got no reply before the
    /// timeout. Its response time is at least the time that it waited.
    pub(crate) fn unanswered(&mut self, due: Instant, now: Instant) {
        if let Some(open) = &mut self.open
            && self.window.contains(due)
        {
            let waited = now.saturating_duration_since(due).as_nanos() as u64;
            open.unanswered += 1;
            open.response_ns.saturating_record(waited);
        }
    }

    /// Counts a reply that isn't the correct one. The line has no LF.
    pub(crate) fn not_right(&mut self, line: &[u8]) {
        match error_token(line) {
            Some(token) => {
                *self.faults.errors.entry(token).or_default() += 1;
            }
            None => self.wrong(line),
        }
    }

    pub(crate) fn wrong(&mut self, line: &[u8]) {
        self.faults.wrong += 1;
        let kept = &line[..line.len().min(WRONG_BYTES_MAX)];
        self.faults
            .first_wrong
            .get_or_insert_with(|| String::from_utf8_lossy(kept).into());
    }

    pub(crate) fn closed_early(&mut self) {
        self.faults.closed_early += 1;
    }

    pub(crate) fn timed_out(&mut self) {
        self.faults.timed_out += 1;
    }

    /// Returns the number of connections that timed out so far.
    pub(crate) fn hangs(&self) -> u64 {
        self.faults.timed_out
    }

    /// Counts a failed system call on a connection.
    pub(crate) fn failed(&mut self, error: &io::Error) {
        match Errno::from_io_error(error) {
            Some(Errno::CONNREFUSED) => self.faults.refused += 1,
            Some(Errno::CONNRESET) => self.faults.reset += 1,
            // The server closed the connection before the request was sent.
            Some(Errno::PIPE) => self.faults.closed_early += 1,
            _ if error.kind() == io::ErrorKind::TimedOut => {
                self.faults.timed_out += 1;
            }
            other => {
                let limit = match other {
                    Some(Errno::ADDRNOTAVAIL) => {
                        format!("no free port on this side: {error}")
                    }
                    _ => error.to_string(),
                };
                *self.faults.own_limits.entry(limit).or_default() += 1;
            }
        }
    }

    /// Adds the tally of another thread's clients of the same group.
    pub(crate) fn add(&mut self, other: &Tally) {
        let same_buckets = "all histograms here have the same bounds";
        self.connected += other.connected;
        self.replies += other.replies;
        self.replies_in_all += other.replies_in_all;
        self.starved += other.starved;
        self.unfinished += other.unfinished;
        self.service_ns.add(&other.service_ns).expect(same_buckets);
        if let (Some(open), Some(other)) = (&mut self.open, &other.open) {
            open.response_ns.add(&other.response_ns).expect(same_buckets);
            open.lag_ns.add(&other.lag_ns).expect(same_buckets);
            open.unanswered += other.unanswered;
        }
        self.faults.add(&other.faults);
    }

    pub(crate) fn into_report(self, group: &GroupPlan) -> GroupReport {
        GroupReport {
            name: group.name.clone(),
            n: group.n,
            connections: group.connections,
            connected: self.connected,
            replies: self.replies,
            replies_in_all: self.replies_in_all,
            starved: self.starved,
            unfinished: self.unfinished,
            service_ns: Times::from(&self.service_ns),
            open: self.open.map(|open| OpenLoop {
                response_ns: Times::from(&open.response_ns),
                lag_ns: Times::from(&open.lag_ns),
                unanswered: open.unanswered,
            }),
            faults: self.faults,
        }
    }

    /// Returns the number of correct replies in the window.
    pub(crate) fn replies(&self) -> u64 {
        self.replies
    }

    /// Returns the number of correct replies before, in and after the window.
    pub(crate) fn replies_in_all(&self) -> u64 {
        self.replies_in_all
    }

    #[cfg(test)]
    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }
}

impl Window {
    fn is_open(self) -> bool {
        self.from.is_some() && self.to.is_none()
    }

    fn contains(self, at: Instant) -> bool {
        self.from.is_some_and(|from| from <= at)
            && self.to.is_none_or(|to| at < to)
    }
}

/// Returns the token of an error reply, the stable part of
/// `error: TOKEN: text`.
pub(crate) fn error_token(line: &[u8]) -> Option<String> {
    let rest = line.strip_prefix(b"error: ")?;
    let ends = |byte: &u8| !(byte.is_ascii_lowercase() || *byte == b'-');
    let length = rest.iter().position(ends).unwrap_or(rest.len());
    Some(String::from_utf8_lossy(&rest[..length]).into())
}

/// Requests that were sent together.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    /// When the requests were handed to the kernel.
    pub(crate) at: Instant,
    /// When the requests were due.
    pub(crate) due: Instant,
    /// The number of requests.
    pub(crate) count: usize,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_service_time_counts_by_the_moment_of_its_request() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let sent = |ms| Sent { at: at(ms), due: at(ms), count: 1 };
        // In a turn, a reply after the window counts, too.
        for (is_turn, late) in [(true, 2), (false, 1)] {
            let mut tally = Tally::new(false);
            tally.counts_late = is_turn;
            let mut counts = Vec::new();
            let mut reply = |tally: &mut Tally, from, to| {
                tally.right(&sent(from), 1, at(to));
                counts.push([tally.replies, tally.service_ns.len()]);
            };
            reply(&mut tally, 0, 5);
            tally.begin(at(10));
            reply(&mut tally, 6, 15);
            reply(&mut tally, 16, 18);
            tally.end(at(20));
            reply(&mut tally, 19, 30);
            reply(&mut tally, 31, 32);
            let expected = [[0, 0], [1, 0], [2, 1], [2, late], [2, late]];
            assert_eq!(counts, expected, "{is_turn}");
            assert_eq!(tally.replies_in_all, 5);
        }
    }

    #[test]
    fn an_error_token_ends_before_the_text() {
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
