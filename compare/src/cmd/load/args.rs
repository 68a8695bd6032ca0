//! What `compare load` is told: its flags, and the plan or the scenario that they
//! give.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use rustix::process::Pid;

use crate::base::exit::Usage;
use crate::base::limits;
use crate::base::workspace;
use crate::measure::processors::CpuList;
use crate::model::contestant::Framing;
use crate::model::figure::Figure;
use crate::model::load_plan::{
    self, Arrivals, DEPTH_MAX, GroupPlan, LoadPlan, Pace,
};
use crate::model::scenarios::{self, Scenario, WARM_UP};

/// What `compare load` is told.
#[derive(Args, Debug)]
pub(crate) struct Load {
    /// The server's address
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) addr: String,
    /// What each request asks for
    #[arg(long, default_value_t = 1, conflicts_with = "groups",
          value_parser = clap::value_parser!(u8).range(..=93))]
    pub(crate) n: u8,
    /// How many clients
    #[arg(long, default_value_t = 1, conflicts_with = "groups",
          value_parser = load_plan::connections)]
    pub(crate) connections: usize,
    /// How many requests each client has in flight
    #[arg(long, default_value_t = 1, conflicts_with = "groups")]
    pub(crate) depth: usize,
    /// How long each client pauses between a reply and its next request
    #[arg(long, default_value = "0s", value_name = "TIME",
          value_parser = limits::time,
          conflicts_with = "groups")]
    pub(crate) think: Duration,
    /// An open loop: so many requests a second, whether or not the earlier
    /// ones were answered
    #[arg(long, value_name = "PER SECOND", value_parser = load_plan::rate,
          conflicts_with_all = ["groups", "depth", "think"])]
    pub(crate) rate: Option<f64>,
    /// How the requests of an open loop are spread
    #[arg(
        long,
        default_value = "poisson",
        value_name = "constant|poisson",
        requires = "rate"
    )]
    pub(crate) arrivals: Arrivals,
    /// A new connection for each request
    #[arg(long, conflicts_with_all = ["groups", "depth", "think", "rate"])]
    pub(crate) churn: bool,
    /// A group of clients, as `short:n=1,connections=64`; repeatable; they
    /// connect in this order. More keys: depth, think, rate, arrivals,
    /// churn, silent, addr
    #[arg(long = "group", value_name = "NAME:KEY=VALUE,...")]
    pub(crate) groups: Vec<GroupPlan>,
    /// How the server tells requests apart: `talk` is that of the talk's own
    /// servers, a read for each, without an end of line
    #[arg(long, default_value = "line")]
    pub(crate) framing: Framing,
    /// How long to measure [default: 2s, or the scenario's]
    #[arg(long, value_name = "TIME",
          value_parser = limits::time)]
    pub(crate) duration: Option<Duration>,
    /// How long the clients talk before [default: 200ms, or the scenario's]
    #[arg(long, value_name = "TIME",
          value_parser = limits::time)]
    pub(crate) warm_up: Option<Duration>,
    /// After how long a reply counts as not coming [default: 5s, of a
    /// scenario 5s after its window]
    #[arg(long, value_name = "TIME",
          value_parser = limits::timeout)]
    pub(crate) reply_timeout: Option<Duration>,
    /// The server's process id, to measure its CPU time and memory too
    #[arg(long, value_name = "PID")]
    pub(crate) server_pid: Option<i32>,
    /// Load from these processors, a thread on each, as 0,2-3 [default: one
    /// thread, where the system puts it]
    #[arg(long, value_name = "LIST")]
    pub(crate) load_cpus: Option<CpuList>,
    /// Repeats the random arrivals of a load [default: 0, of a scenario
    /// another one each time]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) scenario_args: ScenarioArgs,
}

/// How long to measure, if nobody says otherwise.
const WINDOW: Duration = Duration::from_secs(2);

/// After how long a reply counts as not coming.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

impl Load {
    pub(crate) fn plan(self) -> anyhow::Result<LoadPlan> {
        let usage = || Usage(format!("--addr {}: not HOST:PORT", self.addr));
        let address: SocketAddr = self
            .addr
            .to_socket_addrs()
            .ok()
            .and_then(|mut addresses| addresses.next())
            .with_context(usage)?;
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
        Ok(LoadPlan {
            address,
            groups,
            warm_up: self.warm_up.unwrap_or(WARM_UP),
            window,
            framing: self.framing,
            reply_timeout: self.reply_timeout.unwrap_or(REPLY_TIMEOUT),
            server: self.server_pid.and_then(Pid::from_raw),
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

/// What `compare load` is told about scenarios.
#[derive(Args, Clone, Debug)]
pub(crate) struct ScenarioArgs {
    /// The clients, window and warm-up of a scenario: a file, or a name in
    /// bench/scenarios
    #[arg(
        long,
        value_name = "FILE_OR_NAME",
        conflicts_with_all = [
            "groups", "n", "connections", "depth", "think", "rate",
            "arrivals", "churn",
        ]
    )]
    pub(crate) scenario: Option<String>,
    /// The value of what varies in the scenario
    #[arg(long, value_name = "VALUE", requires = "scenario")]
    pub(crate) at: Option<f64>,
    /// What the server is called in the record [default: its address]
    #[arg(long, requires = "scenario")]
    pub(crate) name: Option<String>,
    /// How many windows to measure
    #[arg(long, default_value_t = 1, value_name = "N", requires = "scenario",
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) rounds: u64,
    /// The folder for a record, which `merge` and `report` take
    #[arg(long, value_name = "FOLDER", requires = "scenario")]
    pub(crate) out: Option<PathBuf>,
    /// When the clients begin to ask, so that those of several machines do
    /// so together; they connect before. In UTC, as 2025-01-31T12:00:00Z, or
    /// in seconds since 1970
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) start_at: Option<SystemTime>,
}

impl ScenarioArgs {
    /// Whether a scenario is to be played.
    pub(crate) fn is_wanted(&self) -> bool {
        self.scenario.is_some()
    }

    /// When to start, if not at once.
    ///
    /// # Errors
    ///
    /// A [`Usage`] error when that was before now.
    pub(crate) fn start(&self) -> anyhow::Result<Option<SystemTime>> {
        let Some(start) = self.start_at else { return Ok(None) };
        let late = SystemTime::now().duration_since(start);
        if let Ok(late) = late {
            let late = Duration::from_millis(late.as_millis() as u64);
            return Err(Usage(format!(
                "--start-at: that was {} ago; mind that times are in UTC",
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
                    "--scenario {name}: {} of `{}` vary; choose with --at, as \
                     one of {}",
                    sweep.parameter.name(),
                    sweep.group,
                    values.join(", ")
                )));
            }
        };
        for group in &scenario.groups {
            let why = if group.apart {
                "is `apart`: it goes to a second server of the same kind, and \
                 --addr names only one; leave it out of a file of your own"
            } else if group.load.is_some() {
                "has a `load`: a share of a capacity that nobody measured; \
                 give it a `rate` in a file of your own"
            } else {
                continue;
            };
            let group = &group.name;
            let text = format!("--scenario {name}: group `{group}` {why}");
            return Err(usage(text));
        }
        if let Some(against) = scenario.against.take() {
            eprintln!(
                "note: `left` is a share of the rate in `{against}`, which is \
                 not measured here: the record has the rate"
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

/// A file, or the name of one of ours.
fn find(name: &str) -> anyhow::Result<PathBuf> {
    let path = Path::new(name);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let usage = || {
        Usage(format!(
            "--scenario {name}: neither a file nor one of bench/scenarios; \
             `compare list` lists those"
        ))
    };
    let root = workspace::root().ok().with_context(usage)?;
    let ours = root.join("bench/scenarios").join(format!("{name}.toml"));
    // A name, not a way out of the folder.
    let is_name = path.components().count() == 1 && ours.is_file();
    ensure!(is_name, usage());
    Ok(ours)
}

/// Reads a moment: RFC 3339 in UTC, or seconds since 1970.
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
            "expected a time in UTC, as 2025-01-31T12:00:00Z, or the seconds \
             since 1970, as `date +%s` says them"
                .to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_in_both_forms() {
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
}
