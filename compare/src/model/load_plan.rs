//! The load generator's plan: the server, the client groups and their paces.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use crate::base::limits::{self, CONNECTIONS_MAX};
use crate::model::contestant::Framing;

/// The highest pipelining depth of a connection. More requests in flight would
/// test the kernel's buffers rather than the server.
pub(crate) const DEPTH_MAX: usize = 256;

/// The lowest rate in requests per second: one in eleven days. Even if it is
/// divided among all connections, the time of the next request can be
/// represented.
pub(crate) const RATE_MIN: f64 = 1e-6;

/// The highest rate in requests per second, which no loopback device reaches.
pub(crate) const RATE_MAX: f64 = 1e8;

/// The number of connections of a group that may time out while connecting.
/// After that, the others are not tried, as each would take as long to fail.
pub(crate) const CONNECT_HANGS_MAX: u64 = 3;

/// The longest window of the first of several turns, which isn't kept.
pub(crate) const FIRST_WINDOW_MAX: Duration = Duration::from_millis(15);

/// What one run of the load generator does.
#[derive(Clone, Debug)]
pub(crate) struct LoadPlan {
    /// The server's address.
    pub(crate) address: SocketAddr,
    /// The client groups, in the order in which they connect.
    pub(crate) groups: Vec<GroupPlan>,
    /// How the server separates requests.
    pub(crate) framing: Framing,
    /// How long the clients send requests before anything is counted.
    pub(crate) warm_up: Duration,
    /// How long the clients are measured.
    pub(crate) window: Duration,
    /// How long to wait for a connection or a reply.
    pub(crate) reply_timeout: Duration,
    /// The server's process, if its cost should be measured.
    pub(crate) server: Option<Pid>,
    /// The process of the second server, if a group has one of its own.
    pub(crate) apart_server: Option<Pid>,
    /// The processors for the load generator, which runs one thread on each of
    /// them; if empty, it runs a single thread on any processor.
    pub(crate) processors: Vec<usize>,
    /// The seed of random arrivals.
    pub(crate) seed: u64,
}

impl LoadPlan {
    /// Returns the number of clients in all groups; saturates on overflow.
    pub(crate) fn connections(&self) -> usize {
        let connections = self.groups.iter().map(|group| group.connections);
        connections.fold(0, usize::saturating_add)
    }

    /// Returns how many clients of a group belong to the `index`-th of `of`
    /// threads. The clients of all groups are distributed in one round-robin
    /// sequence.
    pub(crate) fn clients_of(
        &self,
        group: usize,
        index: usize,
        of: usize,
    ) -> usize {
        let before = self.groups[..group].iter().map(|g| g.connections);
        let first = before.sum::<usize>();
        let end = first + self.groups[group].connections;
        // Every `of`-th client is this thread's.
        let below = |end: usize| (end + of - 1 - index) / of;
        below(end) - below(first)
    }
}

/// Clients that all behave in the same way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GroupPlan {
    /// The group's name, also in the report.
    pub(crate) name: String,
    /// The n of each request.
    pub(crate) n: u8,
    /// The number of clients, which have one connection each.
    pub(crate) connections: usize,
    /// When the clients send requests.
    pub(crate) pace: Pace,
    /// The address to connect to, if it isn't the plan's server.
    pub(crate) elsewhere: Option<SocketAddr>,
}

/// When the clients of a group send requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// A closed loop: each client keeps `depth` requests in flight, and pauses
    /// after a reply before it sends the next request.
    Closed {
        /// Requests in flight on each connection.
        depth: usize,
        /// The pause between a reply and the next request.
        think: Duration,
    },
    /// An open loop: requests fall due whether or not the earlier ones were
    /// answered. Each one takes the next free connection. While none is free,
    /// the request waits, which counts as part of its response time.
    Open {
        /// Requests per second of the whole group.
        rate: f64,
        /// How the requests are spread over time.
        arrivals: Arrivals,
    },
    /// A new connection for each request.
    Churn,
    /// Clients that connect, but send no requests.
    Silent,
}

/// How the requests of an open loop are spread over time.
#[derive(
    schemars::JsonSchema,
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Deserialize,
    Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Arrivals {
    /// At equal intervals.
    Constant,
    /// As those of many independent clients: a Poisson process, whose intervals
    /// are distributed exponentially.
    #[default]
    Poisson,
}

impl Pace {
    /// One request in flight, and the next one as soon as it is answered.
    pub(crate) const EAGER: Pace =
        Pace::Closed { depth: 1, think: Duration::ZERO };

    /// Returns how many requests a connection may have in flight.
    pub(crate) fn depth(self) -> usize {
        match self {
            Pace::Closed { depth, .. } => depth,
            Pace::Open { .. } | Pace::Churn => 1,
            Pace::Silent => 0,
        }
    }
}

/// Parses `NAME:n=N,connections=K,depth=D,think=TIME,addr=HOST:PORT`, with
/// `rate=R,arrivals=A`, `churn` or `silent` in place of depth and think.
impl FromStr for GroupPlan {
    type Err = String;

    fn from_str(text: &str) -> Result<GroupPlan, String> {
        let (name, settings) =
            text.split_once(':').ok_or("expected NAME:n=N,connections=K")?;
        let mut settings = Settings::read(settings)?;
        let elsewhere = settings.take("addr", |value| {
            value.parse().map_err(|_| "expected HOST:PORT".to_owned())
        })?;
        let connections = settings.take("connections", connections)?;
        let n = settings.take("n", number(protocol::N_MAX))?;
        let pace = settings.pace()?;
        settings.end()?;
        if n.is_none() && pace != Pace::Silent {
            return Err("`n` is missing".to_owned());
        }
        Ok(GroupPlan {
            name: name.into(),
            n: n.unwrap_or(0),
            connections: connections.unwrap_or(1),
            pace,
            elsewhere,
        })
    }
}

impl fmt::Display for GroupPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GroupPlan { name, n, connections, pace, elsewhere } = self;
        write!(f, "{name}:n={n},connections={connections}")?;
        match pace {
            Pace::Closed { depth, think } => {
                let think = humantime::format_duration(*think);
                write!(f, ",depth={depth},think={think}")?;
            }
            Pace::Open { rate, arrivals } => {
                let arrivals = arrivals.name();
                write!(f, ",rate={rate},arrivals={arrivals}")?;
            }
            Pace::Churn => write!(f, ",churn")?,
            Pace::Silent => write!(f, ",silent")?,
        }
        match elsewhere {
            Some(address) => write!(f, ",addr={address}"),
            None => Ok(()),
        }
    }
}

impl Arrivals {
    fn name(self) -> &'static str {
        match self {
            Arrivals::Constant => "constant",
            Arrivals::Poisson => "poisson",
        }
    }
}

impl FromStr for Arrivals {
    type Err = String;

    fn from_str(text: &str) -> Result<Arrivals, String> {
        [Arrivals::Constant, Arrivals::Poisson]
            .into_iter()
            .find(|arrivals| arrivals.name() == text)
            .ok_or_else(|| "must be `constant` or `poisson`".to_owned())
    }
}

/// The settings of a group, after its name: `key=value`, or a key alone.
struct Settings<'a>(Vec<(&'a str, Option<&'a str>)>);

impl<'a> Settings<'a> {
    fn read(text: &'a str) -> Result<Settings<'a>, String> {
        let settings = text.split(',').map(|setting| {
            if setting.is_empty() {
                return Err("a setting is empty".to_owned());
            }
            Ok(match setting.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (setting, None),
            })
        });
        Ok(Settings(settings.collect::<Result<_, _>>()?))
    }

    fn pace(&mut self) -> Result<Pace, String> {
        let depth = self.take("depth", number(DEPTH_MAX))?;
        let think = self.take("think", limits::time)?;
        let rate = self.take("rate", rate)?;
        let arrivals = self.take("arrivals", Arrivals::from_str)?;
        let kinds = [
            (depth.is_some() || think.is_some()).then(|| Pace::Closed {
                depth: depth.unwrap_or(1),
                think: think.unwrap_or_default(),
            }),
            rate.map(|rate| Pace::Open {
                rate,
                arrivals: arrivals.unwrap_or_default(),
            }),
            self.has("churn").then_some(Pace::Churn),
            self.has("silent").then_some(Pace::Silent),
        ];
        let mut kinds = kinds.into_iter().flatten();
        let pace = kinds.next().unwrap_or(Pace::EAGER);
        if kinds.next().is_some() {
            return Err("depth or think, rate, churn and silent are mutually \
                        exclusive"
                .to_owned());
        }
        if arrivals.is_some() && rate.is_none() {
            return Err("`arrivals` needs `rate`".to_owned());
        }
        if depth == Some(0) {
            return Err("depth: must be at least 1".to_owned());
        }
        Ok(pace)
    }

    fn take<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        let Some(index) = self.0.iter().position(|(name, _)| *name == key)
        else {
            return Ok(None);
        };
        let (_, value) = self.0.remove(index);
        let value = value.ok_or_else(|| format!("`{key}` needs a value"))?;
        read(value).map(Some).map_err(|error| format!("{key}: {error}"))
    }

    fn has(&mut self, key: &str) -> bool {
        let count = self.0.len();
        self.0.retain(|setting| *setting != (key, None));
        self.0.len() < count
    }

    fn end(self) -> Result<(), String> {
        match self.0.first() {
            None => Ok(()),
            Some((key, _)) => Err(format!(
                "`{key}`: unknown, or given twice; the keys are n, \
                 connections, depth, think, rate, arrivals, churn, silent \
                 and addr"
            )),
        }
    }
}

fn number<T>(max: T) -> impl FnOnce(&str) -> Result<T, String>
where
    T: FromStr + PartialOrd + fmt::Display,
{
    move |value| match value.parse() {
        Ok(number) if number <= max => Ok(number),
        _ => Err(format!("must be a whole number from 0 to {max}")),
    }
}

/// Parses a number of clients.
pub(crate) fn connections(value: &str) -> Result<usize, String> {
    number(CONNECTIONS_MAX)(value)
}

/// Parses a rate in requests per second.
pub(crate) fn rate(value: &str) -> Result<f64, String> {
    match value.parse() {
        Ok(rate) if (RATE_MIN..=RATE_MAX).contains(&rate) => Ok(rate),
        _ => Err(format!("must be a number from {RATE_MIN} to {RATE_MAX}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_parsed_back_as_it_is_printed() {
        let think = Duration::from_micros(1500);
        let open = |arrivals| Pace::Open { rate: 2000.5, arrivals };
        let paces = [
            Pace::EAGER,
            Pace::Closed { depth: 16, think },
            open(Arrivals::Constant),
            open(Arrivals::Poisson),
            Pace::Churn,
            Pace::Silent,
        ];
        for pace in paces {
            for elsewhere in [None, "127.0.0.1:25000".parse().ok()] {
                let name = "long".into();
                let group =
                    GroupPlan { name, n: 36, connections: 2, pace, elsewhere };
                assert_eq!(group.to_string().parse(), Ok(group));
            }
        }
    }

    #[test]
    fn clients_are_distributed_in_the_order_in_which_they_connect() {
        let group = |connections| GroupPlan {
            name: "short".into(),
            n: 1,
            connections,
            pace: Pace::EAGER,
            elsewhere: None,
        };
        let plan = LoadPlan {
            address: "127.0.0.1:1".parse().unwrap(),
            groups: [1, 3, 0, 7].map(group).into(),
            warm_up: Duration::ZERO,
            window: Duration::ZERO,
            framing: Framing::Line,
            reply_timeout: Duration::ZERO,
            server: None,
            apart_server: None,
            processors: Vec::new(),
            seed: 0,
        };
        for of in 1..=12 {
            let mut expected = vec![[0; 4]; of];
            let sizes = plan.groups.iter().map(|group| group.connections);
            let groups = sizes.enumerate();
            let of_all = groups.flat_map(|(g, size)| vec![g; size]);
            for (number, group) in of_all.enumerate() {
                expected[number % of][group] += 1;
            }
            for (index, expected) in expected.iter().enumerate() {
                let dealt = [0, 1, 2, 3].map(|g| plan.clients_of(g, index, of));
                assert_eq!(dealt, *expected, "{index} of {of}");
            }
        }
    }

    #[test]
    fn an_invalid_group_is_reported_with_the_mistake() {
        let cases = [
            ("short", "expected NAME:"),
            ("short:", "empty"),
            ("short:connections=1", "`n` is missing"),
            ("short:n=94", "n: must be a whole number from 0 to 93"),
            ("short:n", "`n` needs a value"),
            ("short:n=1,conections=2", "unknown"),
            ("short:n=1,n=2", "given twice"),
            ("short:n=1,addr=here", "expected HOST:PORT"),
            ("short:n=1,depth=0", "depth: must be at least 1"),
            ("short:n=1,depth=257", "to 256"),
            ("short:n=1,rate=0", "from 0.000001"),
            ("short:n=1,rate=1e-300", "from 0.000001"),
            ("short:n=1,rate=1e9", "to 100000000"),
            ("short:n=1,rate=NaN", "from 0.000001"),
            ("short:n=1,think=400000000000y", "at most 1day"),
            ("short:n=1,connections=18446744073709551615", "to 1000000"),
            ("short:n=1,rate=5,depth=2", "mutually exclusive"),
            ("short:n=1,silent,churn", "mutually exclusive"),
            ("short:n=1,arrivals=poisson", "needs `rate`"),
            ("short:n=1,rate=5,arrivals=often", "`constant` or `poisson`"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<GroupPlan>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
