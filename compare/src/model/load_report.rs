//! What the load generator measured, as it goes to the runner and into the
//! record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::faults::{Faults, fibonacci};
use crate::model::reading::Reading;
use crate::model::times::Times;

/// A schedule that is missed by more, in one case of a hundred, was missed.
const LAG_MAX_NS: u64 = 2_000_000;

/// The same where the load generator shares its processors with the server:
/// there it has to wait for a time slice of somebody else's to end.
const LAG_SHARED_MAX_NS: u64 = 6_000_000;

/// Above this share of what it may use, a side is what limits the rate.
pub(crate) const BUSY_SHARE: f64 = 0.95;

/// Who holds up a rate.
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
    /// The server, on all the cores that it may use.
    Server,
    /// Neither: both wait for each other, or for a core.
    Neither,
    /// Not the load generator; of the server nobody knows, because it is
    /// elsewhere or because processes of it came and went.
    Unknown,
}

/// One run of the load generator.
#[derive(schemars::JsonSchema, Clone, Debug, Serialize, Deserialize)]
#[schemars(rename = "Report")]
pub(crate) struct LoadReport {
    /// How long the measured window was.
    pub(crate) window_ns: u64,
    /// The generator's own CPU time in the window.
    pub(crate) generator_cpu_ns: u64,
    /// That of its busiest thread. Older records don't have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) generator_busiest_ns: Option<u64>,
    /// How many threads it had.
    pub(crate) generator_threads: usize,
    /// The CPU time of the server's process tree in the window. None, if
    /// processes of it came and went there: what they used is not known.
    pub(crate) server_cpu_ns: Reading<u64>,
    /// The resident memory of the server's process tree at the window's end.
    pub(crate) server_rss_bytes: Reading<u64>,
    /// The most that it ever was, added up over its processes.
    pub(crate) server_rss_peak_bytes: Reading<u64>,
    /// How many threads the server had at the window's end.
    pub(crate) server_threads: Reading<u64>,
    /// How often a thread of the server waited, in the window. Counted from
    /// shortly before it, or with many threads from the start of the load, to
    /// shortly after it, and brought to its length.
    pub(crate) server_switches_voluntary: Reading<u64>,
    /// How often one was made to wait for others, counted in the same way.
    pub(crate) server_switches_involuntary: Reading<u64>,
    /// What the machine's processors did in the window.
    pub(crate) machine: Reading<MachineTimes>,
    /// Each client group's figures.
    pub(crate) groups: Vec<GroupReport>,
}

/// What the processors of the whole machine did, in nanoseconds that the
/// kernel counts in ticks of ten million.
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
    /// Anything, added up over all processors.
    pub(crate) busy_ns: u64,
    /// Waiting while the hypervisor gave the processor to somebody else.
    pub(crate) stolen_ns: u64,
    /// Everything, idleness included.
    pub(crate) all_ns: u64,
}

/// What one client group saw.
#[derive(schemars::JsonSchema, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GroupReport {
    /// The group's name.
    pub(crate) name: String,
    /// What each request asked for.
    pub(crate) n: u8,
    /// How many clients were wanted.
    pub(crate) connections: usize,
    /// How many of them connected.
    pub(crate) connected: usize,
    /// Right replies in the window.
    pub(crate) replies: u64,
    /// Right replies before, in and after the window.
    pub(crate) replies_in_all: u64,
    /// Clients that waited for a reply from before the window to its end:
    /// `service_ns` knows nothing of their time.
    #[serde(default)]
    pub(crate) starved: u64,
    /// The service times of the replies in the window.
    pub(crate) service_ns: Times,
    /// What only an open loop has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) open: Option<OpenLoop>,
    /// What went wrong, before, in and after the window.
    pub(crate) faults: Faults,
}

/// What the requests that fell due in the window met.
#[derive(schemars::JsonSchema, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OpenLoop {
    /// From the moment at which a request was due to the end of its reply;
    /// for one that was never answered, as long as it was waited for.
    pub(crate) response_ns: Times,
    /// How late requests were sent although a connection was free.
    pub(crate) lag_ns: Times,
    /// How many were not answered in the time that the plan allows.
    pub(crate) unanswered: u64,
}

impl LoadReport {
    /// The named group's figures.
    pub(crate) fn group(&self, name: &str) -> Option<&GroupReport> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// Right replies in the window, of all groups.
    pub(crate) fn replies(&self) -> u64 {
        self.groups.iter().map(|group| group.replies).sum()
    }

    /// The share of the window in which the generator's busiest thread held
    /// its core: its clients are served no faster for another's idleness.
    pub(crate) fn generator_share(&self) -> f64 {
        self.busiest_ns() as f64 / self.window_ns as f64
    }

    /// The CPU time of the generator's busiest thread; what each had on the
    /// average, if that was not recorded.
    pub(crate) fn busiest_ns(&self) -> u64 {
        let average_ns =
            self.generator_cpu_ns / self.generator_threads.max(1) as u64;
        self.generator_busiest_ns.unwrap_or(average_ns)
    }

    /// Who held up the rate of a server that may use so many processors.
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

    /// Whether this side kept an open loop's requests waiting although the
    /// server, which may use so many processors, had time to spare.
    pub(crate) fn late(
        &self,
        processors: usize,
        is_shared: bool,
    ) -> Option<String> {
        let lag_max_ns = if is_shared { LAG_SHARED_MAX_NS } else { LAG_MAX_NS };
        if self.bottleneck(processors) == Bottleneck::Server {
            return None;
        }
        // Where both use the same processors, the server has to spare what
        // this side leaves it.
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
                    "the load generator missed its schedule: 1 of 100 \
                     requests was sent {lag_ms:.1} ms late or later"
                )
            })
        })
    }

    /// What the server did wrong, if anything.
    pub(crate) fn server_fault(&self) -> Option<String> {
        let found = self.groups.iter().find_map(|group| {
            let mut text =
                format!("{}: {}", group.name, group.faults.of_server()?);
            if group.faults.wrong > 0 {
                let n = group.n;
                text += &format!("; to {n}, {} is right", fibonacci(n));
            }
            Some(text)
        });
        found.or_else(|| {
            let silent = self.groups.iter().all(|g| g.replies_in_all == 0);
            // Nobody answers whom this side could not ask.
            (silent && self.own_limit().is_none())
                .then(|| "no reply at all".to_owned())
        })
    }

    /// What went wrong by kind, for each group that met anything.
    pub(crate) fn faults(&self) -> BTreeMap<String, Faults> {
        let groups = self.groups.iter();
        let hit = groups.filter(|group| group.faults != Faults::default());
        hit.map(|group| (group.name.clone(), group.faults.clone())).collect()
    }

    /// What this side could not do, if anything.
    pub(crate) fn own_limit(&self) -> Option<String> {
        self.groups.iter().find_map(|group| {
            let (limit, count) = group.faults.own_limits.iter().next()?;
            Some(format!("{}: {limit} ({count} times)", group.name))
        })
    }
}

impl GroupReport {
    /// Right replies a second.
    pub(crate) fn rate(&self, window_ns: u64) -> f64 {
        self.replies as f64 * 1e9 / window_ns as f64
    }
}

#[cfg(test)]
impl LoadReport {
    /// A second in which nothing was measured but what these groups saw.
    pub(crate) fn made_up(groups: Vec<GroupReport>) -> LoadReport {
        LoadReport {
            window_ns: 1_000_000_000,
            generator_cpu_ns: 0,
            generator_busiest_ns: None,
            generator_threads: 1,
            server_cpu_ns: Reading::missing("not asked"),
            server_rss_bytes: Reading::missing("not asked"),
            server_rss_peak_bytes: Reading::missing("not asked"),
            server_threads: Reading::missing("not asked"),
            server_switches_voluntary: Reading::missing("not asked"),
            server_switches_involuntary: Reading::missing("not asked"),
            machine: Reading::missing("not asked"),
            groups,
        }
    }
}

#[cfg(test)]
impl GroupReport {
    /// A client with one reply, of which no times are known.
    pub(crate) fn made_up(name: &str) -> GroupReport {
        GroupReport {
            name: name.to_owned(),
            n: 1,
            connections: 1,
            connected: 1,
            replies: 1,
            replies_in_all: 1,
            starved: 0,
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
    fn the_side_that_is_busy_is_the_bottleneck() {
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
            let known = server_ns.ok_or_else(|| "not asked".to_owned());
            report.server_cpu_ns = Reading::from(known);
            assert_eq!(report.bottleneck(processors), expected);
        }
    }

    #[test]
    fn the_right_reply_is_named_beside_a_wrong_one_whatever_its_n_costs() {
        let mut group = GroupReport::made_up("clients");
        // By the definition, this one takes longer than anybody has.
        group.n = 90;
        group.faults.wrong = 1;
        group.faults.first_wrong = Some("1".into());
        let fault = LoadReport::made_up(vec![group]).server_fault().unwrap();
        let right = "; to 90, 2880067194370816120 is right";
        assert!(fault.ends_with(right), "{fault}");
    }

    #[test]
    fn the_faults_of_a_server_are_one_clause() {
        let mut faults = Faults::default();
        assert_eq!(faults.of_server(), None);
        faults.reset = 2;
        faults.errors.insert("server-full".into(), 3);
        let text = faults.of_server().unwrap();
        assert_eq!(text, "2 connections reset, 3 replies `error: server-full`");
    }
}
