//! What the load generator is told to do.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use crate::base::limits::{self, CONNECTIONS_MAX};
use crate::model::contestant::Framing;

/// More requests in flight on one connection would not be pipelining any
/// more, but a test of the kernel's buffers.
pub(crate) const DEPTH_MAX: usize = 256;

/// Fewer requests a second than one in eleven days: what is shared among all
/// connections still has a next moment.
pub(crate) const RATE_MIN: f64 = 1e-6;

/// More requests a second than any loopback carries.
pub(crate) const RATE_MAX: f64 = 1e8;

/// After so many connections of a group that did not come about, the others
/// are not tried any more: each would take as long to fail.
pub(crate) const CONNECT_HANGS_MAX: u64 = 3;

/// One run of the load generator.
#[derive(Clone, Debug)]
pub(crate) struct LoadPlan {
    /// Where the server listens.
    pub(crate) address: SocketAddr,
    /// The client groups, in the order in which they connect.
    pub(crate) groups: Vec<GroupPlan>,
    /// How the server tells their requests apart.
    pub(crate) framing: Framing,
    /// How long the clients talk before anything is counted.
    pub(crate) warm_up: Duration,
    /// How long they are measured.
    pub(crate) window: Duration,
    /// After how long a reply counts as not coming.
    pub(crate) reply_timeout: Duration,
    /// The server's process, whose cost is to be measured.
    pub(crate) server: Option<Pid>,
    /// The processors to load from, a thread on each. Without any, one thread
    /// that runs where the system puts it.
    pub(crate) processors: Vec<usize>,
    /// What the random arrivals follow from.
    pub(crate) seed: u64,
}

impl LoadPlan {
    /// How many clients there are in all groups; as many as can be counted,
    /// if there are more.
    pub(crate) fn connections(&self) -> usize {
        let connections = self.groups.iter().map(|group| group.connections);
        connections.fold(0, usize::saturating_add)
    }

    /// How many clients of a group the `index`-th of `of` threads has: they
    /// are dealt out in turn, all groups in one go.
    pub(crate) fn clients_of(
        &self,
        group: usize,
        index: usize,
        of: usize,
    ) -> usize {
        let before = self.groups[..group].iter().map(|g| g.connections);
        let first = before.sum::<usize>();
        let end = first + self.groups[group].connections;
        // Of the numbers below some end, every `of`-th is this thread's.
        let below = |end: usize| (end + of - 1 - index) / of;
        below(end) - below(first)
    }
}

/// Clients that all do the same.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GroupPlan {
    /// The name under which its figures stand in the report.
    pub(crate) name: String,
    /// The number that each request asks for.
    pub(crate) n: u8,
    /// How many clients.
    pub(crate) connections: usize,
    /// When they ask.
    pub(crate) pace: Pace,
    /// Where they go, if not to the plan's server.
    pub(crate) elsewhere: Option<SocketAddr>,
}

/// When the clients of a group ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// A closed loop: each client keeps `depth` requests in flight, and
    /// thinks before it replaces one that was answered.
    Closed {
        /// Requests in flight on each connection.
        depth: usize,
        /// The pause between a reply and the next request.
        think: Duration,
    },
    /// An open loop: requests fall due whether or not the earlier ones were
    /// answered. Each takes the next free connection; while none is free, it
    /// waits, and its response time runs.
    Open {
        /// Requests a second, of the whole group.
        rate: f64,
        /// How they are spread.
        arrivals: Arrivals,
    },
    /// A new connection for each request.
    Churn,
    /// They connect, and never ask.
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
    /// One after the other at equal distances.
    Constant,
    /// As those of many clients that know nothing of each other: a Poisson
    /// process, whose gaps are distributed exponentially.
    #[default]
    Poisson,
}

impl Pace {
    /// The next request as soon as the last one is answered.
    pub(crate) const EAGER: Pace =
        Pace::Closed { depth: 1, think: Duration::ZERO };

    /// How many requests a connection may have in flight.
    pub(crate) fn depth(self) -> usize {
        match self {
            Pace::Closed { depth, .. } => depth,
            Pace::Open { .. } | Pace::Churn => 1,
            Pace::Silent => 0,
        }
    }
}

/// Reads `NAME:n=N,connections=K,depth=D,think=TIME,addr=HOST:PORT`, with
/// `rate=R,arrivals=A`, `churn` or `silent` in place of depth and think.
impl FromStr for GroupPlan {
    type Err = String;

    fn from_str(text: &str) -> Result<GroupPlan, String> {
        let (name, settings) =
            text.split_once(':').ok_or("expected NAME:n=N,connections=K")?;
        let mut settings = Settings::read(settings)?;
        let elsewhere = settings.take("addr", |value| {
            value.parse().map_err(|_| "not HOST:PORT".to_owned())
        })?;
        let connections = settings.take("connections", connections)?;
        let n = settings.take("n", number(protocol::N_MAX))?;
        let pace = settings.pace()?;
        settings.end()?;
        if n.is_none() && pace != Pace::Silent {
            return Err("n is missing".to_owned());
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
            .ok_or_else(|| "must be constant or poisson".to_owned())
    }
}

/// The part of a group after its name: `key=value`, or a key alone.
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
            return Err("depth or think, rate, churn and silent exclude each \
                        other"
                .to_owned());
        }
        if arrivals.is_some() && rate.is_none() {
            return Err("arrivals needs a rate".to_owned());
        }
        if depth == Some(0) {
            return Err("depth must not be 0".to_owned());
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
                "`{key}`: not a key, or given twice; there are n, \
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
        _ => Err(format!("must be a number up to {max}")),
    }
}

/// Reads how many clients there are.
pub(crate) fn connections(value: &str) -> Result<usize, String> {
    number(CONNECTIONS_MAX)(value)
}

/// Reads how many requests a second there are.
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
    fn a_group_is_read_back_as_it_is_written() {
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
    fn the_clients_of_a_group_are_dealt_out_as_they_connect() {
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
    fn a_bad_group_is_told_what_is_wrong() {
        let cases = [
            ("short", "expected NAME:"),
            ("short:", "empty"),
            ("short:connections=1", "n is missing"),
            ("short:n=94", "n: must be a number up to 93"),
            ("short:n", "`n` needs a value"),
            ("short:n=1,conections=2", "not a key"),
            ("short:n=1,n=2", "given twice"),
            ("short:n=1,addr=here", "not HOST:PORT"),
            ("short:n=1,depth=0", "depth must not be 0"),
            ("short:n=1,depth=257", "up to 256"),
            ("short:n=1,rate=0", "from 0.000001"),
            ("short:n=1,rate=1e-300", "from 0.000001"),
            ("short:n=1,rate=1e9", "to 100000000"),
            ("short:n=1,rate=NaN", "from 0.000001"),
            ("short:n=1,think=400000000000y", "at most 1day"),
            ("short:n=1,connections=18446744073709551615", "up to 1000000"),
            ("short:n=1,rate=5,depth=2", "exclude each other"),
            ("short:n=1,silent,churn", "exclude each other"),
            ("short:n=1,arrivals=poisson", "needs a rate"),
            ("short:n=1,rate=5,arrivals=often", "constant or poisson"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<GroupPlan>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
