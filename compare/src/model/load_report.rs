//! The load generator's report, as it is sent to the runner and kept in the
//! record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::faults::Faults;
use crate::model::fibonacci::fibonacci;
use crate::model::reading::Reading;
use crate::model::times::Times;

/// The longest 99th percentile of the lag with which requests may be sent. With
/// a longer one, the load generator missed its schedule.
const LAG_MAX_NS: u64 = 2_000_000;

/// The limit where the load generator shares its processors with the server:
/// there it has to wait until another thread's time slice ends.
const LAG_SHARED_MAX_NS: u64 = 6_000_000;

/// A server or load generator that uses a greater share of its processors is
/// the bottleneck.
pub(crate) const BUSY_SHARE: f64 = 0.95;

/// What limits a rate.
#[derive(
    schemars::JsonSchema,
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Deserialize,
    Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Bottleneck {
    /// The load generator, on its core: the rate is only a lower bound.
    Generator,
    /// The server, on all cores that it may use.
    Server,
    /// Neither of them: they wait for each other, or for a core.
    Neither,
    /// Not the load generator. Whether it is the server is unknown: it runs
    /// elsewhere, or some of its processes started and ended in the window.
    Unknown,
}

/// The report of one run of the load generator.
#[derive(schemars::JsonSchema, Clone, Debug, Serialize, Deserialize)]
#[schemars(rename = "Report")]
pub(crate) struct LoadReport {
    /// The length of the measured window.
    pub(crate) window_ns: u64,
    /// The load generator's own CPU time in the window.
    pub(crate) generator_cpu_ns: u64,
    /// The CPU time of the load generator's busiest thread in the window. In a
    /// sum of turns, that of the busiest thread in each turn, added up: one
    /// thread at its limit is enough to slow down a turn. Older records lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) generator_busiest_ns: Option<u64>,
    /// The number of the load generator's threads.
    pub(crate) generator_threads: usize,
    /// The CPU time of the server's process tree in the window. Missing, if
    /// processes of the tree started and ended in the window, as their CPU time
    /// is unknown.
    pub(crate) server_cpu_ns: Reading<u64>,
    /// The resident memory of the server's process tree at the window's end.
    pub(crate) server_rss_bytes: Reading<u64>,
    /// The peak of the resident memory of each of the server's processes, added
    /// up.
    pub(crate) server_rss_peak_bytes: Reading<u64>,
    /// The number of the server's threads at the window's end.
    pub(crate) server_threads: Reading<u64>,
    /// The voluntary context switches of the server's threads in the window.
    /// They are counted from shortly before the window (with many threads, from
    /// the start of the load) to shortly after it, and scaled to its length; in
    /// turns, from before the lead-in to after the last reply, and scaled by
    /// the window's share of the replies.
    pub(crate) server_switches_voluntary: Reading<u64>,
    /// The involuntary context switches of the server's threads in the window,
    /// counted in the same way.
    pub(crate) server_switches_involuntary: Reading<u64>,
    /// What the processors counted in a turn of its own. Missing in rounds
    /// without such a turn, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) counts: Option<Counts>,
    /// The times of the machine's processors in the window. If a round consists
    /// of turns, they are those from its first turn to its last one, including
    /// the turns of the other contestants.
    pub(crate) machine: Reading<MachineTimes>,
    /// The report of each client group.
    pub(crate) groups: Vec<GroupReport>,
}

/// What the processors counted for the server in one turn. The counters make
/// each context switch slower, so nothing is timed in this turn.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize,
)]
pub(crate) struct Counts {
    /// The correct replies in the window of that turn, for each client group of
    /// the scenario, in its order; empty, if there was no such turn.
    pub(crate) replies: Vec<u64>,
    /// The instructions that the processors executed for the server's threads,
    /// in the server and in the kernel.
    pub(crate) instructions: Reading<u64>,
    /// The cache misses of the server's threads, as the processor defines them:
    /// mostly those of the last level.
    pub(crate) cache_misses: Reading<u64>,
}

/// The times of all processors of the machine, added up, in nanoseconds. The
/// kernel states them in ticks of ten million nanoseconds.
#[derive(
    schemars::JsonSchema,
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
)]
pub(crate) struct MachineTimes {
    /// The time in which the processors were busy.
    pub(crate) busy_ns: u64,
    /// The time in which the hypervisor ran another guest (steal time).
    pub(crate) stolen_ns: u64,
    /// The total time, including idle time.
    pub(crate) all_ns: u64,
    /// The time for which a control group stopped the run, because it had used
    /// up what it is allowed; none, if no group limits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) throttled_ns: Option<u64>,
    /// The CPU time of all processes of the run, if these times are those of
    /// several turns, and if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) own_ns: Option<u64>,
}

/// The report of one client group.
#[derive(schemars::JsonSchema, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GroupReport {
    /// The group's name.
    pub(crate) name: String,
    /// The n of each request.
    pub(crate) n: u8,
    /// The number of clients that the group was to have.
    pub(crate) connections: usize,
    /// The number of connections that were established.
    pub(crate) connected: usize,
    /// Correct replies in the window.
    pub(crate) replies: u64,
    /// Correct replies before, in and after the window.
    pub(crate) replies_in_all: u64,
    /// Clients that waited for one reply during the whole window, or in a turn,
    /// from a moment in the window until the end of the turn without ever having
    /// got one. Their waits are not part of `service_ns`.
    #[serde(default)]
    pub(crate) starved: u64,
    /// Requests that were sent in the window of a turn and had no reply when
    /// the turn ended, although their client had got a reply before. Their
    /// times are not part of `service_ns`.
    #[serde(default)]
    pub(crate) unfinished: u64,
    /// The service times of the requests that were sent in the window. Without
    /// turns, only of those that were also answered in it.
    pub(crate) service_ns: Times,
    /// What is only recorded for an open loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) open: Option<OpenLoop>,
    /// The faults before, in and after the window.
    pub(crate) faults: Faults,
}

/// The requests of an open loop that fell due in the window.
#[derive(schemars::JsonSchema, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OpenLoop {
    /// The response times: from the moment at which a request was due to the
    /// end of its reply or, if there was none, to the end of the wait for it.
    pub(crate) response_ns: Times,
    /// How late requests were sent although a connection was free.
    pub(crate) lag_ns: Times,
    /// The number of requests without a reply before the timeout.
    pub(crate) unanswered: u64,
}

impl LoadReport {
    /// Returns the report of a client group.
    pub(crate) fn group(&self, name: &str) -> Option<&GroupReport> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// Returns the number of correct replies in the window, of all groups.
    pub(crate) fn replies(&self) -> u64 {
        self.groups.iter().map(|group| group.replies).sum()
    }

    /// Returns the share of the window in which the generator's busiest thread
    /// used its core. Its clients gain nothing if other threads are idle.
    pub(crate) fn generator_share(&self) -> f64 {
        self.busiest_ns() as f64 / self.window_ns as f64
    }

    /// Returns the CPU time of the generator's busiest thread or, if that was
    /// not recorded, the average of its threads.
    pub(crate) fn busiest_ns(&self) -> u64 {
        let average_ns =
            self.generator_cpu_ns / self.generator_threads.max(1) as u64;
        self.generator_busiest_ns.unwrap_or(average_ns)
    }

    /// Returns what limited the rate of a server that may use so many
    /// processors.
    pub(crate) fn bottleneck(&self, processors: usize) -> Bottleneck {
        if self.generator_share() > BUSY_SHARE {
            return Bottleneck::Generator;
        }
        let Some(server_ns) = self.server_cpu_ns.value else {
            return Bottleneck::Unknown;
        };
        let whole_ns = self.window_ns as f64 * processors as f64;
        if server_ns as f64 / whole_ns > BUSY_SHARE {
            Bottleneck::Server
        } else {
            Bottleneck::Neither
        }
    }

    /// Returns the reason why the window is invalid if the load generator sent
    /// an open loop's requests late although the server, which may use so many
    /// processors, was not busy.
    pub(crate) fn late(
        &self,
        processors: usize,
        is_shared: bool,
    ) -> Option<String> {
        let lag_max_ns = if is_shared { LAG_SHARED_MAX_NS } else { LAG_MAX_NS };
        if self.bottleneck(processors) == Bottleneck::Server {
            return None;
        }
        // Where both share the processors, the server can only use what the
        // load generator leaves it.
        let whole_ns = self.window_ns as f64 * processors as f64;
        let used = self.server_cpu_ns.value.map(|server_ns| {
            (server_ns + self.generator_cpu_ns) as f64 / whole_ns
        });
        if is_shared && used.is_some_and(|used| used > BUSY_SHARE) {
            return None;
        }
        self.groups.iter().find_map(|group| {
            let lag_ns = &group.open.as_ref()?.lag_ns;
            let lag_ns = lag_ns.at_quantile_ns(0.99)?;
            (lag_ns > lag_max_ns).then(|| {
                let lag_ms = lag_ns as f64 / 1e6;
                format!(
                    "the load generator missed its schedule: 1 in 100 \
                     requests was sent at least {lag_ms:.1} ms late"
                )
            })
        })
    }

    /// Returns the server's faults in words, if there are any. No reply at all
    /// is a fault, too.
    pub(crate) fn server_fault(&self) -> Option<String> {
        self.visible_fault().or_else(|| {
            let silent = self.groups.iter().all(|g| g.replies_in_all == 0);
            // If this side could not send requests, a missing reply is not the
            // server's fault.
            (silent && self.own_limit().is_none())
                .then(|| "no reply at all".to_owned())
        })
    }

    /// Returns the faults that were seen on a connection in words, if there are
    /// any. In a short turn, it is no fault if there is no reply.
    pub(crate) fn visible_fault(&self) -> Option<String> {
        self.groups.iter().find_map(|group| {
            let mut text =
                format!("{}: {}", group.name, group.faults.of_server()?);
            if group.faults.wrong > 0 {
                let n = group.n;
                let right = fibonacci(n);
                text += &format!("; the correct reply to {n} is {right}");
            }
            Some(text)
        })
    }

    /// Returns what the processors counted, with the replies to which it
    /// belongs; none, if this was no turn to count in.
    pub(crate) fn into_counts(self) -> Option<Counts> {
        let replies = self.groups.iter().map(|group| group.replies).collect();
        self.counts.map(|counts| Counts { replies, ..counts })
    }

    /// Returns the faults of each group that had any.
    pub(crate) fn faults(&self) -> BTreeMap<String, Faults> {
        let groups = self.groups.iter();
        let hit = groups.filter(|group| group.faults != Faults::default());
        hit.map(|group| (group.name.clone(), group.faults.clone())).collect()
    }

    /// Returns the first thing that the load generator could not do, if any.
    pub(crate) fn own_limit(&self) -> Option<String> {
        self.groups.iter().find_map(|group| {
            let (limit, count) = group.faults.own_limits.iter().next()?;
            Some(format!("{}: {limit} ({count} times)", group.name))
        })
    }
}

/// Adding up the turns of a round.
impl LoadReport {
    /// Adds the report of a later window of the same clients and server:
    /// lengths, times and counts are added, and histograms are merged. Of
    /// memory and threads, the later reading is kept. The times of the machine
    /// are not added: in one turn, they are too short for the kernel's ticks.
    pub(crate) fn append(&mut self, next: &LoadReport) {
        let busiest_ns = self.busiest_ns() + next.busiest_ns();
        self.generator_busiest_ns = Some(busiest_ns);
        self.window_ns += next.window_ns;
        self.generator_cpu_ns += next.generator_cpu_ns;
        self.server_cpu_ns.add(&next.server_cpu_ns);
        self.server_switches_voluntary.add(&next.server_switches_voluntary);
        self.server_switches_involuntary.add(&next.server_switches_involuntary);
        self.server_rss_bytes = next.server_rss_bytes.clone();
        self.server_rss_peak_bytes = next.server_rss_peak_bytes.clone();
        self.server_threads = next.server_threads.clone();
        for (group, next) in self.groups.iter_mut().zip(&next.groups) {
            group.append(next);
        }
    }

    /// Adds only the faults and replies of a later report.
    pub(crate) fn append_faults(&mut self, next: &LoadReport) {
        for (group, next) in self.groups.iter_mut().zip(&next.groups) {
            group.replies_in_all += next.replies_in_all;
            group.faults.add(&next.faults);
        }
    }
}

impl Reading<u64> {
    /// Adds another reading. The sum is missing if either of them is.
    fn add(&mut self, other: &Reading<u64>) {
        match (&mut self.value, other.value) {
            (Some(sum), Some(other)) => *sum += other,
            (Some(_), None) => self.clone_from(other),
            (None, _) => {}
        }
    }
}

impl Counts {
    /// Returns counts that are missing for this reason.
    pub(crate) fn missing(reason: &str) -> Counts {
        Counts {
            replies: Vec::new(),
            instructions: Reading::missing(reason),
            cache_misses: Reading::missing(reason),
        }
    }
}

impl GroupReport {
    fn append(&mut self, next: &GroupReport) {
        self.connected = self.connected.max(next.connected);
        self.replies += next.replies;
        self.replies_in_all += next.replies_in_all;
        self.starved = self.starved.max(next.starved);
        self.unfinished += next.unfinished;
        self.service_ns.add(&next.service_ns);
        self.faults.add(&next.faults);
    }

    /// Returns the correct replies per second.
    pub(crate) fn rate(&self, window_ns: u64) -> f64 {
        self.replies as f64 * 1e9 / window_ns as f64
    }
}

#[cfg(test)]
impl LoadReport {
    /// Returns the report of a second in which nothing else was measured.
    pub(crate) fn made_up(groups: Vec<GroupReport>) -> LoadReport {
        LoadReport {
            window_ns: 1_000_000_000,
            generator_cpu_ns: 0,
            generator_busiest_ns: None,
            generator_threads: 1,
            server_cpu_ns: Reading::missing("not measured"),
            server_rss_bytes: Reading::missing("not measured"),
            server_rss_peak_bytes: Reading::missing("not measured"),
            server_threads: Reading::missing("not measured"),
            server_switches_voluntary: Reading::missing("not measured"),
            server_switches_involuntary: Reading::missing("not measured"),
            counts: None,
            machine: Reading::missing("not measured"),
            groups,
        }
    }
}

#[cfg(test)]
impl GroupReport {
    /// Returns the report of one client with one reply and no times.
    pub(crate) fn made_up(name: &str) -> GroupReport {
        GroupReport {
            name: name.to_owned(),
            n: 1,
            connections: 1,
            connected: 1,
            replies: 1,
            replies_in_all: 1,
            starved: 0,
            unfinished: 0,
            service_ns: Times::of(&[]),
            open: None,
            faults: Faults::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busy_side_is_the_bottleneck() {
        let cases = [
            (96, None, Some(50), 1, Bottleneck::Generator),
            (60, Some(96), Some(50), 1, Bottleneck::Generator),
            (96, None, Some(99), 1, Bottleneck::Generator),
            (60, Some(60), Some(96), 1, Bottleneck::Server),
            (60, None, Some(96), 2, Bottleneck::Neither),
            (60, None, Some(192), 2, Bottleneck::Server),
            (60, Some(70), Some(60), 1, Bottleneck::Neither),
            (96, None, None, 1, Bottleneck::Generator),
            (60, Some(70), None, 1, Bottleneck::Unknown),
        ];
        for (generator_ns, busiest_ns, server_ns, processors, expected) in cases
        {
            let mut report = LoadReport::made_up(Vec::new());
            report.window_ns = 100;
            report.generator_cpu_ns = 2 * generator_ns;
            report.generator_busiest_ns = busiest_ns;
            report.generator_threads = 2;
            let known = server_ns.ok_or_else(|| "not measured".to_owned());
            report.server_cpu_ns = Reading::from(known);
            assert_eq!(report.bottleneck(processors), expected);
        }
    }

    #[test]
    fn a_wrong_reply_is_reported_with_the_correct_one_even_for_a_large_n() {
        let mut group = GroupReport::made_up("clients");
        // By naive recursion, this would take years.
        group.n = 90;
        group.faults.wrong = 1;
        group.faults.first_wrong = Some("1".into());
        let fault = LoadReport::made_up(vec![group]).server_fault().unwrap();
        let right = "; the correct reply to 90 is 2880067194370816120";
        assert!(fault.ends_with(right), "{fault}");
    }

    #[test]
    fn a_round_is_the_sum_of_its_turns() {
        let turn = |busiest_ns| {
            let mut group = GroupReport::made_up("clients");
            group.unfinished = 2;
            group.starved = 1;
            group.service_ns = Times::of(&[(1_000, 3)]);
            let mut report = LoadReport::made_up(vec![group]);
            report.window_ns = 100;
            report.generator_cpu_ns = 2 * busiest_ns;
            report.generator_busiest_ns = Some(busiest_ns);
            report.generator_threads = 3;
            report.server_cpu_ns = Reading::from(Ok(50));
            report
        };
        let mut sum = turn(90);
        sum.append(&turn(100));
        assert_eq!(sum.window_ns, 200);
        assert_eq!(sum.generator_cpu_ns, 380);
        assert_eq!(sum.generator_share(), 0.95);
        assert_eq!(sum.server_cpu_ns.value, Some(100));
        let group = &sum.groups[0];
        assert_eq!((group.connections, group.replies), (1, 2));
        assert_eq!((group.unfinished, group.starved), (4, 1));
        assert_eq!(group.service_ns.count(), 6);
        // A part that is unknown makes the sum unknown.
        let mut unknown = turn(90);
        unknown.server_cpu_ns = Reading::missing("a process ended");
        sum.append(&unknown);
        sum.append(&turn(90));
        assert_eq!(sum.server_cpu_ns, unknown.server_cpu_ns);
    }

    #[test]
    fn the_faults_of_a_server_are_listed_in_words() {
        let mut faults = Faults::default();
        assert_eq!(faults.of_server(), None);
        faults.reset = 2;
        faults.errors.insert("server-full".into(), 3);
        let text = faults.of_server().unwrap();
        assert_eq!(text, "2 connections reset, 3 replies `error: server-full`");
    }
}
