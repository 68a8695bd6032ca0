//! The arguments of `compare load`, and the load plan that they describe.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use rustix::process::Pid;

use crate::base::exit::Usage;
use crate::base::limits;
use crate::base::stderr::note;
use crate::base::workspace;
use crate::measure::processors::CpuList;
use crate::model::contestant::Framing;
use crate::model::figure::Figure;
use crate::model::load_plan::{
    self, Arrivals, DEPTH_MAX, GroupPlan, LoadPlan, Pace,
};
use crate::model::scenarios::{self, Scenario, WARM_UP};

/// The arguments of `compare load`.
#[derive(Args, Debug)]
pub(crate) struct Load {
    /// The server's address
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) addr: String,
    /// The n to send in each request
    #[arg(long, default_value_t = 1, conflicts_with = "groups",
          value_parser = clap::value_parser!(u8).range(..=93))]
    pub(crate) n: u8,
    /// The number of clients
    #[arg(long, default_value_t = 1, conflicts_with = "groups",
          value_parser = load_plan::connections)]
    pub(crate) connections: usize,
    /// The number of requests that each client has in flight
    #[arg(long, default_value_t = 1, conflicts_with = "groups")]
    pub(crate) depth: usize,
    /// The time that each client waits between a reply and its next request
    #[arg(long, default_value = "0s", value_name = "TIME",
          value_parser = limits::time,
          conflicts_with = "groups")]
    pub(crate) think: Duration,
    /// Run an open loop: send this many requests per second, whether or not
    /// earlier ones were answered
    #[arg(long, value_name = "PER SECOND", value_parser = load_plan::rate,
          conflicts_with_all = ["groups", "depth", "think"])]
    pub(crate) rate: Option<f64>,
    /// The distribution of the times between requests of an open loop
    #[arg(
        long,
        default_value = "poisson",
        value_name = "constant|poisson",
        requires = "rate"
    )]
    pub(crate) arrivals: Arrivals,
    /// Open a new connection for each request
    #[arg(long, conflicts_with_all = ["groups", "depth", "think", "rate"])]
    pub(crate) churn: bool,
    /// A group of clients, for example `short:n=1,connections=64`. Further
    /// keys are depth, think, rate, arrivals, churn, silent and addr. Groups
    /// connect in the given order; repeatable
    #[arg(long = "group", value_name = "NAME:KEY=VALUE,...")]
    pub(crate) groups: Vec<GroupPlan>,
    /// How the server delimits requests: by line ends (`line`), or like the
    /// talk's servers, which take each read as one request (`talk`)
    #[arg(long, default_value = "line")]
    pub(crate) framing: Framing,
    /// How long to measure [default: 2s, or the scenario's window]
    #[arg(long, value_name = "TIME",
          value_parser = limits::time)]
    pub(crate) duration: Option<Duration>,
    /// How long to load the server before measuring [default: 200ms, or the
    /// scenario's warm-up]
    #[arg(long, value_name = "TIME",
          value_parser = limits::time)]
    pub(crate) warm_up: Option<Duration>,
    /// The time after which a reply counts as missing [default: 5s; with
    /// --scenario, 5s after the end of the window]
    #[arg(long, value_name = "TIME",
          value_parser = limits::timeout)]
    pub(crate) reply_timeout: Option<Duration>,
    /// The server's process ID, to also measure its CPU time and memory
    #[arg(long, value_name = "PID")]
    pub(crate) server_pid: Option<i32>,
    /// The process ID of the second server, the one that a group's `addr` names
    #[arg(long, value_name = "PID", hide = true)]
    pub(crate) apart_server_pid: Option<i32>,
    /// Measure in turns: read commands from stdin, `turn`, `count` or `end`,
    /// and print a report as JSON after each. The other verbs use this
    #[arg(long, hide = true, conflicts_with_all = ["scenario", "start_at"])]
    pub(crate) turns: bool,
    /// Run one load thread on each of these processors, for example 0,2-3
    /// [default: one thread, on any processor]
    #[arg(long, value_name = "LIST")]
    pub(crate) load_cpus: Option<CpuList>,
    /// The seed of random arrivals [default: 0; with --scenario, a new one each
    /// time]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) scenario_args: ScenarioArgs,
}

/// The default window.
const WINDOW: Duration = Duration::from_secs(2);

/// The default time after which a reply counts as missing.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

impl Load {
    pub(crate) fn plan(self) -> anyhow::Result<LoadPlan> {
        let address = resolve(&self.addr)
            .map_err(|what| Usage(format!("--addr {}: {what}", self.addr)))?;
        let alone = GroupPlan {
            name: "clients".to_owned(),
            n: self.n,
            connections: self.connections,
            pace: self.pace(),
            elsewhere: None,
        };
        let window = self.duration.unwrap_or(WINDOW);
        let is_empty = window.is_zero()
            || (self.groups.is_empty() && self.connections == 0);
        anyhow::ensure!(
            !is_empty,
            Usage("--connections and --duration must not be 0".to_owned())
        );
        anyhow::ensure!(
            (1..=DEPTH_MAX).contains(&self.depth),
            Usage(format!("--depth: must be from 1 to {DEPTH_MAX}"))
        );
        let groups =
            if self.groups.is_empty() { vec![alone] } else { self.groups };
        let is_for_turns = |group: &GroupPlan| {
            matches!(group.pace, Pace::Closed { .. } | Pace::Silent)
        };
        anyhow::ensure!(
            !self.turns || groups.iter().all(is_for_turns),
            Usage(
                "--turns: neither an open loop nor churn can be measured in \
                 turns"
                    .to_owned()
            )
        );
        Ok(LoadPlan {
            address,
            groups,
            warm_up: self.warm_up.unwrap_or(WARM_UP),
            window,
            framing: self.framing,
            reply_timeout: self.reply_timeout.unwrap_or(REPLY_TIMEOUT),
            server: self.server_pid.and_then(Pid::from_raw),
            apart_server: self.apart_server_pid.and_then(Pid::from_raw),
            processors: self.load_cpus.map(CpuList::into).unwrap_or_default(),
            seed: self.seed.unwrap_or(0),
        })
    }

    pub(crate) fn pace(&self) -> Pace {
        let Load { depth, think, rate, arrivals, churn, .. } = *self;
        match rate {
            Some(rate) => Pace::Open { rate, arrivals },
            None if churn => Pace::Churn,
            None => Pace::Closed { depth, think },
        }
    }
}

/// The arguments of `compare load` that concern scenarios.
#[derive(Args, Clone, Debug)]
pub(crate) struct ScenarioArgs {
    /// Use the clients, window and warm-up of a scenario: a file, or the name
    /// of one in bench/scenarios
    #[arg(
        long,
        value_name = "FILE_OR_NAME",
        conflicts_with_all = [
            "groups", "n", "connections", "depth", "think", "rate",
            "arrivals", "churn",
        ]
    )]
    pub(crate) scenario: Option<String>,
    /// The value of the parameter that the scenario varies, if it is a sweep
    #[arg(long, value_name = "VALUE", requires = "scenario")]
    pub(crate) at: Option<f64>,
    /// The server's name in the record [default: its address]
    #[arg(long, requires = "scenario")]
    pub(crate) name: Option<String>,
    /// The number of rounds, each with one window
    #[arg(long, default_value_t = 1, value_name = "N", requires = "scenario",
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) rounds: u64,
    /// Write a record to this folder, for `merge` and `report`
    #[arg(long, value_name = "FOLDER", requires = "scenario")]
    pub(crate) out: Option<PathBuf>,
    /// The time at which the clients start sending, so that several machines
    /// start together; the clients connect in the seconds before it. In UTC,
    /// for example 2025-01-31T12:00:00Z, or in seconds since 1970
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) start_at: Option<SystemTime>,
}

impl ScenarioArgs {
    /// Returns whether `--scenario` is given.
    pub(crate) fn is_wanted(&self) -> bool {
        self.scenario.is_some()
    }

    /// Returns the time to start, or `None` to start immediately.
    ///
    /// # Errors
    ///
    /// Returns a [`Usage`] error if the time has already passed.
    pub(crate) fn start(&self) -> anyhow::Result<Option<SystemTime>> {
        let Some(start) = self.start_at else { return Ok(None) };
        let late = SystemTime::now().duration_since(start);
        if let Ok(late) = late {
            let late = Duration::from_millis(late.as_millis() as u64);
            return Err(Usage(format!(
                "--start-at: the time was {} ago; note that it is in UTC",
                humantime::format_duration(late)
            ))
            .into());
        }
        Ok(Some(start))
    }

    pub(crate) fn scenario(&self) -> anyhow::Result<Scenario> {
        let name = self.scenario.as_deref().unwrap_or_default();
        let scenario = scenarios::read_one(&find(name)?)?;
        let usage = |text| anyhow!(Usage(text));
        let mut scenario = match (self.at, &scenario.sweep) {
            (None, None) => scenario,
            (Some(value), _) => scenario
                .point_at(value)
                .map_err(|error| usage(format!("--at {value}: {error}")))?,
            (None, Some(sweep)) => {
                let values: Vec<String> =
                    sweep.values.iter().map(f64::to_string).collect();
                return Err(usage(format!(
                    "--scenario {name}: its sweep varies the {} of {}; \
                     choose a value with --at: {}",
                    sweep.parameter.name(),
                    sweep.group.as_ref().map_or_else(
                        || "the server".to_owned(),
                        |group| format!("`{group}`")
                    ),
                    values.join(", ")
                )));
            }
        };
        for group in &scenario.groups {
            let why = if group.apart {
                "is `apart`, so it needs a second server, but --addr is only \
                 one; remove the group in a scenario file of your own"
            } else if group.load.is_some() {
                "has a `load`, a share of a capacity that isn't known here; \
                 replace it with a `rate` in a scenario file of your own"
            } else {
                continue;
            };
            let group = &group.name;
            let text = format!("--scenario {name}: group `{group}` {why}");
            return Err(usage(text));
        }
        if let Some(number) = scenario.workers {
            note!(
                "note: the server at --addr must have been started with \
                 {number} workers"
            );
        }
        if let Some(against) = scenario.against.take() {
            note!(
                "note: `left` is a share of the rate in `{against}`, which \
                 isn't measured here; the record has the rate instead"
            );
            let shown = scenario.figures.contains(&Figure::Rate);
            scenario.figures.retain(|figure| *figure != Figure::Left);
            if !shown {
                scenario.figures.insert(0, Figure::Rate);
            }
        }
        Ok(scenario)
    }
}

/// How long to try each of a host's addresses.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);

/// Returns the address of `HOST:PORT`, or why there is none. If the host has
/// several, it is the first one that accepts a connection: `localhost` may mean
/// `::1`, and the server listen on 127.0.0.1 only.
fn resolve(text: &str) -> Result<SocketAddr, String> {
    match text.to_socket_addrs() {
        Ok(addresses) => {
            let addresses: Vec<SocketAddr> = addresses.collect();
            first_that_accepts(&addresses)
                .ok_or_else(|| "the host has no address".to_owned())
        }
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            Err("not HOST:PORT".to_owned())
        }
        Err(error) => Err(format!("cannot resolve the host: {error}")),
    }
}

/// Returns the first address that accepts a connection. If none does, it is the
/// first one, so that the error is about that.
fn first_that_accepts(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    let accepts = |to: &&SocketAddr| {
        TcpStream::connect_timeout(to, CONNECT_TIME_MAX).is_ok()
    };
    match addresses {
        [] | [_] => addresses.first().copied(),
        [first, ..] => addresses.iter().find(accepts).or(Some(first)).copied(),
    }
}

/// Returns the scenario file at the path `name`, or the one in
/// bench/scenarios.
fn find(name: &str) -> anyhow::Result<PathBuf> {
    let path = Path::new(name);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let usage = || {
        Usage(format!(
            "--scenario {name}: neither a file nor a name in bench/scenarios; \
             `compare list` prints the names"
        ))
    };
    let root = workspace::root().ok().with_context(usage)?;
    let ours = root.join("bench/scenarios").join(format!("{name}.toml"));
    // A path with more components could leave the folder.
    let is_name = path.components().count() == 1 && ours.is_file();
    ensure!(is_name, usage());
    Ok(ours)
}

/// Parses a time in UTC, as RFC 3339 or as seconds since 1970.
fn moment(text: &str) -> Result<SystemTime, String> {
    let seconds = text.parse::<f64>().ok();
    let after_1970 = |seconds| {
        let time = Duration::try_from_secs_f64(seconds).ok()?;
        UNIX_EPOCH.checked_add(time)
    };
    seconds
        .and_then(after_1970)
        .or_else(|| humantime::parse_rfc3339(text).ok())
        .ok_or_else(|| {
            "expected a time in UTC, such as 2025-01-31T12:00:00Z, or the \
             seconds since 1970, as printed by `date +%s`"
                .to_owned()
        })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_address_without_a_port_differs_from_an_unknown_host() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        assert_eq!(resolve("127.0.0.1:80"), Ok(address));
        for text in ["127.0.0.1", "host", "host:port", ""] {
            assert_eq!(resolve(text), Err("not HOST:PORT".to_owned()));
        }
        // RFC 6761 reserves `.invalid`.
        let error = resolve("host.invalid:80").unwrap_err();
        assert!(error.starts_with("cannot resolve the host: "), "{error}");
    }

    #[test]
    fn a_start_time_is_read_in_both_formats() {
        let at = |ms| UNIX_EPOCH + Duration::from_millis(ms);
        let cases = [
            ("0", at(0)),
            ("1735689600.25", at(1_735_689_600_250)),
            ("2025-01-01T00:00:00Z", at(1_735_689_600_000)),
            ("2025-01-01T00:00:00.250Z", at(1_735_689_600_250)),
        ];
        for (text, expected) in cases {
            assert_eq!(moment(text), Ok(expected), "{text}");
        }
        for bad in ["", "soon", "12:00", "-1", "NaN", "2025-01-01", "1e99"] {
            assert!(moment(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn of_several_addresses_the_one_that_accepts_is_chosen() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let open = listener.local_addr().unwrap();
        let closed = SocketAddr::new("127.0.0.2".parse().unwrap(), open.port());
        assert_eq!(first_that_accepts(&[closed, open]), Some(open));
        assert_eq!(first_that_accepts(&[closed, closed]), Some(closed));
        assert_eq!(first_that_accepts(&[closed]), Some(closed));
        assert_eq!(first_that_accepts(&[]), None);
    }
}
