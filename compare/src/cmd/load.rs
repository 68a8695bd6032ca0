//! `compare load`: the load generator as a process of its own, which also
//! serves by itself against any address.

mod scenario;

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use rustix::process::Pid;

use crate::base::exit::{Outcome, Usage};
use crate::base::interrupt::Interrupt;
use crate::base::limits;
use crate::base::stdout;
use crate::cmd::load::scenario::Play;
use crate::load::engine;
use crate::measure::processors::CpuList;
use crate::model::contestants::Framing;
use crate::model::load_plan::{self, Arrivals, DEPTH_MAX, Group, Pace, Plan};
use crate::model::scenarios::WARM_UP;
use crate::output::load_report::text;

/// What `compare load` is told.
#[derive(Args, Debug)]
pub(crate) struct Load {
    /// The server's address
    #[arg(long, value_name = "HOST:PORT")]
    addr: String,
    /// What each request asks for
    #[arg(long, default_value_t = 1, conflicts_with = "groups",
          value_parser = clap::value_parser!(u8).range(..=93))]
    n: u8,
    /// How many clients
    #[arg(long, default_value_t = 1, conflicts_with = "groups",
          value_parser = load_plan::connections)]
    connections: usize,
    /// How many requests each client has in flight
    #[arg(long, default_value_t = 1, conflicts_with = "groups")]
    depth: usize,
    /// How long each client pauses between a reply and its next request
    #[arg(long, default_value = "0s", value_name = "TIME",
          value_parser = limits::time,
          conflicts_with = "groups")]
    think: Duration,
    /// An open loop: so many requests a second, whether or not the earlier
    /// ones were answered
    #[arg(long, value_name = "PER SECOND", value_parser = load_plan::rate,
          conflicts_with_all = ["groups", "depth", "think"])]
    rate: Option<f64>,
    /// How the requests of an open loop are spread
    #[arg(
        long,
        default_value = "poisson",
        value_name = "constant|poisson",
        requires = "rate"
    )]
    arrivals: Arrivals,
    /// A new connection for each request
    #[arg(long, conflicts_with_all = ["groups", "depth", "think", "rate"])]
    churn: bool,
    /// A group of clients, as `short:n=1,connections=64`; repeatable; they
    /// connect in this order. More keys: depth, think, rate, arrivals,
    /// churn, silent, addr
    #[arg(long = "group", value_name = "NAME:KEY=VALUE,...")]
    groups: Vec<Group>,
    /// How the server tells requests apart: `talk` is that of the talk's own
    /// servers, a read for each, without an end of line
    #[arg(long, default_value = "line")]
    framing: Framing,
    /// How long to measure [default: 2s, or the scenario's]
    #[arg(long, value_name = "TIME",
          value_parser = limits::time)]
    duration: Option<Duration>,
    /// How long the clients talk before [default: 200ms, or the scenario's]
    #[arg(long, value_name = "TIME",
          value_parser = limits::time)]
    warm_up: Option<Duration>,
    /// After how long a reply counts as not coming [default: 5s, of a
    /// scenario 5s after its window]
    #[arg(long, value_name = "TIME",
          value_parser = limits::patience)]
    reply_timeout: Option<Duration>,
    /// The server's process id, to measure its CPU time and memory too
    #[arg(long, value_name = "PID")]
    server_pid: Option<i32>,
    /// Load from these processors, a thread on each, as 0,2-3 [default: one
    /// thread, where the system puts it]
    #[arg(long, value_name = "LIST")]
    load_cpus: Option<CpuList>,
    /// Repeats the random arrivals of a load [default: 0, of a scenario
    /// another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    play: Play,
}

/// What is said of a load that nothing came of.
const BEFORE_THE_WINDOW: &str =
    "interrupted before the window: nothing was measured";

/// How long to measure, if nobody says otherwise.
const WINDOW: Duration = Duration::from_secs(2);

/// After how long a reply counts as not coming.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

impl Load {
    /// Loads the server and prints what came of it.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let interrupt = Interrupt::listen()?;
        if self.play.is_wanted() {
            return scenario::play(self, &interrupt);
        }
        let json = self.json;
        let start = self.play.start()?;
        let plan = self.plan()?;
        limits::raise_open_files()?;
        limits::check_open_files(plan.connections())?;
        let Some(loaded) = engine::run_at(&plan, start, &interrupt)? else {
            eprintln!("{BEFORE_THE_WINDOW}");
            return Ok(Outcome::Interrupted);
        };
        if let Some(late) = scenario::too_late(&plan, loaded.late) {
            eprintln!("note: {late}");
        }
        let report = loaded.report;
        let text = if json {
            serde_json::to_string(&report)? + "\n"
        } else {
            text(&plan, &report)
        };
        stdout::print(&text)?;
        if interrupt.came() {
            return Ok(Outcome::Interrupted);
        }
        match (report.own_limit(), report.server_fault()) {
            (Some(limit), _) => anyhow::bail!("{limit}"),
            (None, Some(_)) => Ok(Outcome::ContestantFailed),
            (None, None) => Ok(Outcome::Done),
        }
    }

    fn plan(self) -> anyhow::Result<Plan> {
        let usage = || Usage(format!("--addr {}: not HOST:PORT", self.addr));
        let address: SocketAddr = self
            .addr
            .to_socket_addrs()
            .ok()
            .and_then(|mut addresses| addresses.next())
            .with_context(usage)?;
        let alone = Group {
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
        let groups = match self.groups {
            groups if groups.is_empty() => vec![alone],
            groups => groups,
        };
        Ok(Plan {
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

    fn pace(&self) -> Pace {
        let Load { depth, think, rate, arrivals, churn, .. } = *self;
        match rate {
            Some(rate) => Pace::Open { rate, arrivals },
            None if churn => Pace::Churn,
            None => Pace::Closed { depth, think },
        }
    }
}
