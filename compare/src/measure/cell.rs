//! The measurement of one cell in one round: starts a fresh server and a load
//! generator, and checks the report.

use std::collections::BTreeMap;
use std::io::PipeReader;
use std::time::{Duration, Instant};
use std::{env, fs, io};

use anyhow::Context;
use launch::{Launch, Process, Server, Signal};

use crate::base::interrupt::{Interrupt, Watch};
use crate::load::process_tree;
use crate::measure::clients::Clients;
use crate::measure::failure::Failure;
use crate::measure::system_calls;
use crate::model::contestant::Contestant;
use crate::model::load_plan::{CONNECT_HANGS_MAX, Pace};
use crate::model::load_report::LoadReport;
use crate::model::placement::Placement;
use crate::model::scenarios::Scenario;

/// How long to wait for the load generator before checking for Ctrl-C.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How much longer than warm-up and window a reply may take. With a server that
/// serves one client at a time, the second client waits for the whole window.
const REPLY_GRACE: Duration = Duration::from_secs(5);

/// How much longer than its warm-up, window and timeouts the load generator may
/// take.
const LOAD_TIMEOUT: Duration = Duration::from_secs(20);

/// How long to wait for the exit of a server that had a fault.
const EXIT_TIMEOUT: Duration = Duration::from_millis(500);

/// How long to wait for the last line of a process that has ended.
const LAST_LINE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a server may take to end under strace: longer than the drain, after
/// which strace writes its summary.
const TRACED_EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// How many of a server's last log lines are kept in the record of a failure.
const LOG_LINES: usize = 20;

/// A cell to measure.
#[derive(Clone, Debug)]
pub(crate) struct Cell<'a> {
    /// The server.
    pub(crate) contestant: &'a Contestant,
    /// The client groups, in the order in which they connect.
    pub(crate) groups: Vec<Clients>,
    /// How long the clients send requests before anything is counted.
    pub(crate) warm_up: Duration,
    /// How long the clients are measured.
    pub(crate) window: Duration,
    /// The processors of the server and of the load generator.
    pub(crate) placement: Placement,
    /// The number of workers of the server's pool, if the scenario sets it.
    pub(crate) workers: Option<usize>,
    /// The seed of random arrivals.
    pub(crate) seed: u64,
}

impl Cell<'_> {
    /// Turns every group whose rate is a share of `capacity`, in requests per
    /// second, into an open loop.
    pub(crate) fn set_load(&mut self, scenario: &Scenario, capacity: f64) {
        for (clients, group) in self.groups.iter_mut().zip(&scenario.groups) {
            if let Some(load) = group.load {
                clients.group.pace = group.open_loop(load * capacity);
            }
        }
    }

    /// Measures the cell. A fault of the server is an error.
    pub(crate) fn measure(
        &self,
        interrupt: &Interrupt,
    ) -> Result<LoadReport, Failure> {
        self.with_server(interrupt, |server, report| {
            let fault = report.server_fault();
            judge(server, report, fault)
        })
    }

    /// Measures the cell. Faults of the server are part of the report.
    pub(crate) fn observe(
        &self,
        interrupt: &Interrupt,
    ) -> Result<LoadReport, Failure> {
        self.with_server(interrupt, |_, report| Ok(report))
    }

    fn with_server(
        &self,
        interrupt: &Interrupt,
        judge: impl FnOnce(&mut Server, LoadReport) -> Result<LoadReport, Failure>,
    ) -> Result<LoadReport, Failure> {
        let mut server = self.start(interrupt)?;
        let has_apart = self.groups.iter().any(|group| group.is_apart);
        let apart = has_apart.then(|| self.start(interrupt)).transpose()?;
        let mut load = self
            .load(&server, apart.as_ref())
            .map_err(|error| Failure::Instrument(format!("{error:#}")))?;
        let report = self.report(&mut load, interrupt)?;
        judge(&mut server, report)
    }

    /// Counts the system calls, by name, that the server needs to start and to
    /// stop.
    pub(crate) fn count_own_system_calls(
        &self,
        interrupt: &Interrupt,
    ) -> Result<BTreeMap<String, u64>, Failure> {
        self.trace(interrupt, |_| Ok(())).map(|((), counts)| counts)
    }

    /// Counts the server's system calls per reply, by name, under strace(1).
    /// `own`, those to start and to stop, are subtracted. As strace slows the
    /// server down many times, nothing is timed.
    pub(crate) fn count_system_calls(
        &self,
        own: &BTreeMap<String, u64>,
        interrupt: &Interrupt,
    ) -> Result<BTreeMap<String, f64>, Failure> {
        let (replies, mut counts) = self.system_calls_under_load(interrupt)?;
        for (name, count) in &mut counts {
            *count -= (*count).min(own.get(name).copied().unwrap_or(0));
        }
        counts.retain(|_, count| *count > 0);
        let each = |(name, count)| (name, count as f64 / replies as f64);
        Ok(counts.into_iter().map(each).collect())
    }

    /// Returns the number of replies under strace(1), and the server's system
    /// calls by name, including those to start and to stop.
    pub(crate) fn system_calls_under_load(
        &self,
        interrupt: &Interrupt,
    ) -> Result<(u64, BTreeMap<String, u64>), Failure> {
        self.trace(interrupt, |server| self.replies(server, interrupt))
    }

    /// Returns the number of replies while `library`, which is preloaded,
    /// counts the server's allocations; and their number, including those to
    /// start and to stop.
    pub(crate) fn allocations_under_load(
        &self,
        library: &str,
        interrupt: &Interrupt,
    ) -> Result<(u64, u64), Failure> {
        let trouble = |what: String| {
            Failure::Instrument(format!("cannot count allocations: {what}"))
        };
        let folder = tempfile::tempdir().map_err(|e| trouble(e.to_string()))?;
        let preload = format!("LD_PRELOAD={library}");
        let counts = format!("ALLOCATIONS={}", folder.path().display());
        let prefix = ["env".to_owned(), preload, counts];
        let command = prefix.into_iter().chain(self.contestant.command.clone());
        let mut server = self.start_command(command.collect(), interrupt)?;
        let replies = self.replies(&server, interrupt)?;
        // The server's worker processes are killed with it, and a killed
        // process writes no count.
        let file = folder.path().join(server.pid().as_raw_pid().to_string());
        server.process().signal(Signal::TERM);
        if server.process().wait(TRACED_EXIT_TIMEOUT).is_none() {
            return Err(trouble(
                "the server did not end on SIGTERM".to_owned(),
            ));
        }
        let text =
            fs::read_to_string(file).map_err(|e| trouble(e.to_string()))?;
        let count = text.trim().parse();
        let count = count.map_err(|_| trouble(format!("no number: {text}")))?;
        Ok((replies, count))
    }

    /// Measures the load generator's replies per CPU second, as a share of
    /// those of the minimal client `bare`, with the same server.
    pub(crate) fn efficiency(
        &self,
        bare: &str,
        interrupt: &Interrupt,
    ) -> Result<f64, Failure> {
        let server = self.start(interrupt)?;
        let report = self.uncosted(&server, interrupt)?;
        let ours =
            report.replies() as f64 / report.generator_cpu_ns.max(1) as f64;
        let trouble = |what: String| {
            Failure::Instrument(format!("cannot run the C client: {what}"))
        };
        let group = &self.groups[0].group;
        let depth = match group.pace {
            Pace::Closed { depth, .. } => depth,
            _ => 1,
        };
        let command = [
            bare.to_owned(),
            "{port}".to_owned(),
            group.connections.to_string(),
            depth.to_string(),
            self.window.as_secs_f64().to_string(),
        ];
        let mut client = Launch::new(command)
            .cpus(&self.placement.load)
            .spawn(server.address())
            .map_err(|error| trouble(error.to_string()))?;
        let line = client.stdout_line(self.window + LOAD_TIMEOUT);
        let _ = client.wait(EXIT_TIMEOUT);
        let line = line.ok_or_else(|| trouble(client.log().join("; ")))?;
        let words: Vec<f64> =
            line.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [replies, cpu_s] = words[..] else { return Err(trouble(line)) };
        Ok(ours / (replies / (cpu_s * 1e9)))
    }

    /// Loads a server. Returns the number of replies before, in and after the
    /// window.
    fn replies(
        &self,
        server: &Server,
        interrupt: &Interrupt,
    ) -> Result<u64, Failure> {
        let report = self.uncosted(server, interrupt)?;
        let replies = report.groups.iter().map(|group| group.replies_in_all);
        Ok(replies.sum())
    }

    /// Loads a server whose cost isn't measured. A fault is the instrument's.
    fn uncosted(
        &self,
        server: &Server,
        interrupt: &Interrupt,
    ) -> Result<LoadReport, Failure> {
        let mut load = self
            .load(server, None)
            .map_err(|error| Failure::Instrument(format!("{error:#}")))?;
        let report = self.report(&mut load, interrupt)?;
        match report.server_fault().or(report.own_limit()) {
            Some(trouble) => {
                let reason = format!("while counting: {trouble}");
                Err(Failure::Instrument(reason))
            }
            None => Ok(report),
        }
    }

    /// Starts the server under strace(1), calls `load`, and stops the server.
    /// Returns the result of `load`, and the number of system calls by name.
    fn trace<T>(
        &self,
        interrupt: &Interrupt,
        load: impl FnOnce(&Server) -> Result<T, Failure>,
    ) -> Result<(T, BTreeMap<String, u64>), Failure> {
        let trouble = |error: io::Error| {
            Failure::Instrument(format!(
                "cannot read the summary of strace: {error}"
            ))
        };
        let summary = tempfile::NamedTempFile::new().map_err(trouble)?;
        let path = summary.path().display().to_string();
        let tracer = ["strace", "-f", "-c", "-o", &path].map(str::to_owned);
        let command = tracer.into_iter().chain(self.command());
        let mut server = self.start_command(command.collect(), interrupt)?;
        let result = load(&server).and_then(|result| {
            end_traced(&mut server)?;
            Ok(result)
        });
        drop(server);
        let result = result?;
        let text = fs::read_to_string(summary.path()).map_err(trouble)?;
        Ok((result, system_calls::read_summary(&text)))
    }

    /// Starts the server.
    pub(crate) fn start(
        &self,
        interrupt: &Interrupt,
    ) -> Result<Server, Failure> {
        unless_suspended(interrupt, || {
            self.start_command(self.command(), interrupt)
        })
    }

    /// Returns the command that starts the server.
    fn command(&self) -> Vec<String> {
        let set = |number| self.contestant.with_workers(number);
        let with_workers = self.workers.and_then(set);
        with_workers.unwrap_or_else(|| self.contestant.command.clone())
    }

    fn start_command(
        &self,
        command: Vec<String>,
        interrupt: &Interrupt,
    ) -> Result<Server, Failure> {
        let launch = Launch::new(command)
            .ready(self.contestant.ready.into())
            .cpus(&self.placement.server);
        let start = || {
            let started = launch.clone();
            started.start_with(|_| (), || interrupt.is_requested())
        };
        let started = match start() {
            // Another process may have taken the port that was free before.
            Err(launch::Error::Ended { .. } | launch::Error::NoPort { .. }) => {
                start()
            }
            started => started,
        };
        started.map_err(|error| match error {
            launch::Error::Cancelled => Failure::Interrupted,
            error if error.is_of_server() => Failure::Start(error.to_string()),
            error => {
                Failure::Instrument(format!("cannot start a server: {error}"))
            }
        })
    }

    /// Starts the load generator, which measures one window and ends.
    fn load(
        &self,
        server: &Server,
        apart: Option<&Server>,
    ) -> anyhow::Result<Process> {
        let command = self.load_command(apart, server)?;
        Launch::new(command)
            .cpus(&self.placement.load)
            .spawn(server.address())
            .context("cannot start the load generator")
    }

    /// Starts the load generator, which measures turns as commanded by
    /// `commands`.
    pub(crate) fn load_in_turns(
        &self,
        server: &Server,
        apart: Option<&Server>,
        commands: PipeReader,
    ) -> anyhow::Result<Process> {
        let command = self.load_command(apart, server)?;
        Launch::new(command)
            .args(["--turns"])
            .stdin(commands)
            .cpus(&self.placement.load)
            .spawn(server.address())
            .context("cannot start the load generator")
    }

    /// Returns the command line of the load generator.
    fn load_command(
        &self,
        apart: Option<&Server>,
        server: &Server,
    ) -> anyhow::Result<Vec<String>> {
        let program = env::current_exe()
            .context("cannot determine the path of this program")?;
        let program = program
            .to_str()
            .context("the path of this program is not UTF-8")?;
        let mut command: Vec<String> =
            [program, "load", "--json", "--addr", "{addr}"]
                .map(str::to_owned)
                .to_vec();
        let time = |time| humantime::format_duration(time).to_string();
        let flags = [
            ("--warm-up", time(self.warm_up)),
            ("--duration", time(self.window)),
            ("--reply-timeout", time(self.reply_timeout())),
            ("--server-pid", server.pid().as_raw_nonzero().to_string()),
            ("--seed", self.seed.to_string()),
            ("--framing", self.contestant.framing.name().to_owned()),
        ];
        for (flag, value) in flags {
            command.extend([flag.to_owned(), value]);
        }
        if !self.placement.is_shared() {
            let list: Vec<String> =
                self.placement.load.iter().map(usize::to_string).collect();
            command.extend(["--load-cpus".to_owned(), list.join(",")]);
        }
        for Clients { group, is_apart } in &self.groups {
            let mut group = group.clone();
            let apart = apart.filter(|_| *is_apart);
            group.elsewhere = apart.map(Server::address);
            command.extend(["--group".to_owned(), group.to_string()]);
        }
        if let Some(apart) = apart {
            let pid = apart.pid().as_raw_nonzero().to_string();
            command.extend(["--apart-server-pid".to_owned(), pid]);
        }
        Ok(command)
    }

    /// Waits for the next report of the load generator.
    pub(crate) fn report(
        &self,
        load: &mut Process,
        interrupt: &Interrupt,
    ) -> Result<LoadReport, Failure> {
        let line = self.next_line(load, interrupt)?;
        serde_json::from_str(&line).map_err(|error| {
            let text =
                format!("the load generator sent an invalid report: {error}");
            Failure::Instrument(text)
        })
    }

    /// Waits for the next line of the load generator.
    pub(crate) fn next_line(
        &self,
        load: &mut Process,
        interrupt: &Interrupt,
    ) -> Result<String, Failure> {
        unless_suspended(interrupt, || self.wait_for_line(load, interrupt))
    }

    fn wait_for_line(
        &self,
        load: &mut Process,
        interrupt: &Interrupt,
    ) -> Result<String, Failure> {
        // The load generator may take all this time before it gives up on a
        // server that hangs.
        let patience = self.warm_up
            + self.window
            + self.reply_timeout() * (CONNECT_HANGS_MAX as u32 + 1)
            + LOAD_TIMEOUT;
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if interrupt.is_requested() {
                return Err(Failure::Interrupted);
            }
            if let Some(line) = load.stdout_line(POLL_INTERVAL) {
                return Ok(line);
            }
            if let Some(status) = load.wait(Duration::ZERO) {
                // The process may have printed the line just before it ended.
                if let Some(line) = load.stdout_line(LAST_LINE_TIMEOUT) {
                    return Ok(line);
                }
                let log = load.log().join("; ");
                let text = format!(
                    "the load generator sent no report: {status} {log}"
                );
                return Err(Failure::Instrument(text));
            }
        }
        let text = "the load generator did not end in time".to_owned();
        Err(Failure::Instrument(text))
    }

    fn reply_timeout(&self) -> Duration {
        self.warm_up + self.window + REPLY_GRACE
    }
}

/// Does `work`. Its result doesn't count if this process was suspended
/// meanwhile.
fn unless_suspended<T>(
    interrupt: &Interrupt,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let watch = interrupt.watch();
    let result = work();
    if_not_suspended(&watch, interrupt, result)
}

/// Returns the result, unless this process was suspended since `watch` began.
pub(crate) fn if_not_suspended<T>(
    watch: &Watch<'_>,
    interrupt: &Interrupt,
    result: Result<T, Failure>,
) -> Result<T, Failure> {
    // Ctrl-C comes with SIGCONT, for processes that are suspended.
    if interrupt.is_requested() {
        Err(Failure::Interrupted)
    } else if watch.was_suspended() {
        Err(Failure::suspended())
    } else {
        result
    }
}

/// Stops a traced server with SIGTERM, so that strace writes its summary.
fn end_traced(server: &mut Server) -> Result<(), Failure> {
    let instrument = |reason: String| Failure::Instrument(reason);
    // strace doesn't forward signals; the server is its child.
    let server_pid =
        process_tree::first_child(server.pid()).map_err(instrument)?;
    rustix::process::kill_process(server_pid, Signal::TERM)
        .map_err(|error| instrument(error.to_string()))?;
    match server.process().wait(TRACED_EXIT_TIMEOUT) {
        Some(_) => Ok(()),
        None => {
            let reason = "the server did not end on SIGTERM under strace";
            Err(instrument(reason.to_owned()))
        }
    }
}

/// Returns the report, unless the server had a `fault`, has died, or the load
/// generator failed.
pub(crate) fn judge(
    server: &mut Server,
    report: LoadReport,
    fault: Option<String>,
) -> Result<LoadReport, Failure> {
    let timeout = if fault.is_some() { EXIT_TIMEOUT } else { Duration::ZERO };
    let died = server
        .process()
        .wait(timeout)
        .map(|status| format!("it died ({status})"));
    // If this side ran out of ports or descriptors, a fault may be a
    // consequence of that. Only the server's exit is its own failure.
    if let (None, Some(limit)) = (&died, report.own_limit()) {
        return Err(Failure::Instrument(limit));
    }
    let Some(reason) = died.or(fault) else { return Ok(report) };
    let log = server.log();
    let log = log[log.len().saturating_sub(LOG_LINES)..].to_vec();
    let faults = report.faults();
    Err(Failure::Contestant { reason, log, faults })
}
