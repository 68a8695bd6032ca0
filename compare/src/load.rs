//! `compare load`: the load generator as a process of its own, which also
//! serves by itself against any address.

pub(crate) mod engine;
pub(crate) mod plan;
pub(crate) mod report;
mod tally;

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use rustix::process::Pid;

use crate::exit::{Outcome, Usage};
use crate::limits;
use crate::output;
use plan::{Group, Plan};
use report::{GroupReport, Report};

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
    #[arg(long, default_value_t = 1, conflicts_with = "groups")]
    connections: usize,
    /// A group of clients; repeatable; they connect in this order
    #[arg(
        long = "group",
        value_name = "NAME:n=N,connections=K[,addr=HOST:PORT]"
    )]
    groups: Vec<Group>,
    /// How long to measure
    #[arg(long, default_value = "2s", value_name = "TIME",
          value_parser = humantime::parse_duration)]
    duration: Duration,
    /// How long the clients talk before
    #[arg(long, default_value = "200ms", value_name = "TIME",
          value_parser = humantime::parse_duration)]
    warm_up: Duration,
    /// After how long a reply counts as not coming
    #[arg(long, default_value = "5s", value_name = "TIME",
          value_parser = humantime::parse_duration)]
    reply_timeout: Duration,
    /// The server's process id, to measure its CPU time and memory too
    #[arg(long, value_name = "PID")]
    server_pid: Option<i32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Load {
    /// Loads the server and prints what came of it.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let json = self.json;
        let plan = self.plan()?;
        limits::raise_open_files()?;
        limits::check_open_files(
            plan.groups.iter().map(|group| group.connections).sum(),
        )?;
        let report = engine::run(&plan)?;
        let text = if json {
            serde_json::to_string(&report)? + "\n"
        } else {
            text(&plan, &report)
        };
        output::print(&text)?;
        match (report.server_fault(), report.own_limit()) {
            (Some(_), _) => Ok(Outcome::ContestantFailed),
            (None, Some(limit)) => anyhow::bail!("{limit}"),
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
            elsewhere: None,
        };
        let is_empty = self.duration.is_zero()
            || (self.groups.is_empty() && self.connections == 0);
        anyhow::ensure!(
            !is_empty,
            Usage("--connections and --duration must not be 0".to_owned())
        );
        let groups = match self.groups {
            groups if groups.is_empty() => vec![alone],
            groups => groups,
        };
        Ok(Plan {
            address,
            groups,
            warm_up: self.warm_up,
            window: self.duration,
            reply_timeout: self.reply_timeout,
            server: self.server_pid.and_then(Pid::from_raw),
        })
    }
}

/// The report, for people.
fn text(plan: &Plan, report: &Report) -> String {
    let window = Duration::from_millis(report.window_ns / 1_000_000);
    let window = humantime::format_duration(window);
    let mut text = format!("{} for {window}\n", plan.address);
    for group in &report.groups {
        text += &group_text(group, report.window_ns);
    }
    let percent = report.generator_share() * 100.0;
    text += &format!("generator: {percent:.0} % of its core\n");
    if let Some(cpu_ns) = report.server_cpu_ns.value {
        let percent = cpu_ns as f64 / report.window_ns as f64 * 100.0;
        text += &format!("server: {percent:.0} % of a core");
        if report.replies() > 0 {
            let cost_us = cpu_ns as f64 / 1e3 / report.replies() as f64;
            text += &format!(", {cost_us:.2} µs a reply");
        }
        text += "\n";
    }
    text
}

fn group_text(group: &GroupReport, window_ns: u64) -> String {
    let GroupReport { name, n, connected, connections, replies, .. } = group;
    let rate = group.rate(window_ns);
    let mut text = format!(
        "{name}: n = {n}, {connected} of {connections} connected\n  \
         replies  {replies}, {rate:.0} a second\n"
    );
    let quantiles = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)];
    for (label, quantile) in quantiles {
        if let Some(time_ns) = group.service_ns.at_quantile_ns(quantile) {
            let time_us = time_ns as f64 / 1e3;
            text += &format!("  {label}      {time_us:.1} µs\n");
        }
    }
    if let Some(faults) = group.faults.of_server() {
        text += &format!("  faults   {faults}\n");
    }
    for (limit, count) in &group.faults.own_limits {
        text += &format!("  limits   {limit} ({count} times)\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::report::Faults;
    use super::*;
    use crate::faulty::{self, Fault};

    /// How many requests are answered rightly: fewer than there are clients,
    /// so that the fault shows however short the window is.
    const AFTER: u64 = 2;

    /// Long enough not to end before the faults have ended every connection.
    const LONG: Duration = Duration::from_secs(60);

    /// Over at once, for what would never end by itself.
    const SHORT: Duration = Duration::from_millis(20);

    /// Three clients that ask a server with a known fault for F(7).
    fn load(fault: Fault, window: Duration) -> GroupReport {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || faulty::serve(&listener, fault, AFTER));
        load_at(address, window)
    }

    fn load_at(address: SocketAddr, window: Duration) -> GroupReport {
        let group = Group {
            name: "test".into(),
            n: 7,
            connections: 3,
            elsewhere: None,
        };
        let plan = Plan {
            address,
            groups: vec![group],
            warm_up: Duration::ZERO,
            window,
            reply_timeout: Duration::from_millis(300),
            server: None,
        };
        let mut report = engine::run(&plan).unwrap();
        report.groups.remove(0)
    }

    #[test]
    fn a_right_server_has_no_faults() {
        let group = load(Fault::None, SHORT);
        assert_eq!(group.faults, Faults::default());
        assert_eq!(group.connected, 3);
        assert!(group.replies_in_all >= 3);
        assert!(group.replies <= group.replies_in_all);
    }

    #[test]
    fn each_fault_is_counted_as_what_it_is_and_once_a_connection() {
        type Count = fn(&Faults) -> u64;
        let cases: [(Fault, Count); 3] = [
            (Fault::Reset, |faults| faults.reset),
            (Fault::Close, |faults| faults.closed_early),
            (Fault::Hang, |faults| faults.timed_out),
        ];
        for (fault, count) in cases {
            let group = load(fault, LONG);
            assert_eq!(group.replies_in_all, AFTER, "{fault:?}");
            let faults = &group.faults;
            assert_eq!(count(faults), 3, "{fault:?}: {faults:?}");
            let clause = faults.of_server().unwrap();
            assert!(!clause.contains(','), "{fault:?}: {clause}");
        }
    }

    #[test]
    fn wrong_replies_are_counted_and_the_first_is_kept() {
        let group = load(Fault::Wrong, SHORT);
        assert_eq!(group.replies_in_all, AFTER);
        assert!(group.faults.wrong > 0);
        assert_eq!(group.faults.first_wrong.as_deref(), Some("4711"));
    }

    #[test]
    fn error_replies_are_counted_by_token() {
        let group = load(Fault::Error, SHORT);
        assert_eq!(group.replies_in_all, AFTER);
        assert!(group.faults.errors["worker-lost"] > 0);
        assert_eq!(group.faults.wrong, 0);
    }

    #[test]
    fn a_second_reply_to_one_request_is_a_wrong_one() {
        assert!(load(Fault::Twice, SHORT).faults.wrong > 0);
    }

    #[test]
    fn a_port_where_nobody_listens_refuses_every_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let group = load_at(address, LONG);
        assert_eq!(group.faults.refused, 3);
        assert_eq!(group.connected, 0);
    }
}
