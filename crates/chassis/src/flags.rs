//! Command-line flags: their help, defaults and values.

use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroUsize;
use std::process;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueEnum, value_parser};
use protocol::{Framing, N_MAX, N_MAX_DEFAULT};
use serde_json::json;

use crate::limits::{self, Bound};

/// The longest duration of a flag: short enough to be added to any `Instant`.
const DURATION_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// A server's concurrency model, and the flags that the model needs.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    pub(crate) name: &'static str,
    /// Where the server can compute, the default first.
    pub(crate) computes: &'static [Compute],
    pub(crate) has_workers: bool,
    pub(crate) fds_per_worker: u64,
    pub(crate) has_thread_per_client: bool,
    pub(crate) has_job_timeout: bool,
}

/// Where a request is computed (`--compute`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compute {
    /// On the thread that handles the request.
    Inline,
    /// On a pool of workers; the client's task or loop is woken by the reply.
    Pool,
    /// On the runtime's own pool for blocking calls.
    Blocking,
    /// On a pool of workers, while the event loop blocks until the reply is
    /// ready: the mistake that the talk's version 5 shows.
    Stall,
}

impl Model {
    /// Returns a model that computes only on the thread that handles the
    /// request.
    pub const fn new(name: &'static str) -> Model {
        let computes = &[Compute::Inline];
        Model {
            name,
            computes,
            has_workers: false,
            fds_per_worker: 0,
            has_thread_per_client: false,
            has_job_timeout: false,
        }
    }

    /// Sets where the server can compute, the default first. More than one
    /// value adds the flag `--compute`.
    pub const fn computes(self, computes: &'static [Compute]) -> Model {
        assert!(!computes.is_empty());
        Model { computes, ..self }
    }

    /// Adds the flag `--workers`, for a model with a pool.
    pub const fn with_workers(self) -> Model {
        Model { has_workers: true, ..self }
    }

    /// Reserves this number of descriptors per worker, so that the default of
    /// `--max-connections` doesn't use them up.
    pub const fn with_fds_per_worker(self, fds_per_worker: u64) -> Model {
        Model { fds_per_worker, ..self }
    }

    /// Bounds the default of `--max-connections` by what limits the number of
    /// threads, too, for a model that starts one for each client.
    pub const fn with_thread_per_client(self) -> Model {
        Model { has_thread_per_client: true, ..self }
    }

    /// Adds the flag `--job-timeout`, for a model that can stop a job.
    pub const fn with_job_timeout(self) -> Model {
        Model { has_job_timeout: true, ..self }
    }
}

impl ValueEnum for Compute {
    fn value_variants<'a>() -> &'a [Compute] {
        &[Compute::Inline, Compute::Pool, Compute::Blocking, Compute::Stall]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl Compute {
    /// Returns the value's name on the command line.
    fn name(self) -> &'static str {
        match self {
            Compute::Inline => "inline",
            Compute::Pool => "pool",
            Compute::Blocking => "blocking",
            Compute::Stall => "stall",
        }
    }

    /// Returns `true` if the thread that serves clients waits while a request
    /// is computed.
    pub(crate) fn is_in_place(self) -> bool {
        matches!(self, Compute::Inline | Compute::Stall)
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// The parsed command line.
#[derive(Debug)]
pub(crate) struct Flags {
    pub(crate) listen: SocketAddr,
    pub(crate) framing: Framing,
    pub(crate) n_max: u8,
    pub(crate) connections_max: usize,
    /// How many clients this process can serve.
    pub(crate) bound: Bound,
    /// `None` if a client may be idle for ever.
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) drain_timeout: Duration,
    pub(crate) log_format: LogFormat,
    pub(crate) compute: Compute,
    pub(crate) workers: NonZeroUsize,
    /// `None` if a job may take for ever.
    pub(crate) job_timeout: Option<Duration>,
}

impl Flags {
    /// Parses the flags of this process. Exits after `--help`, `--version` and
    /// `--describe`, and exits with code 2 if a flag is wrong.
    pub(crate) fn parse(model: &Model) -> Flags {
        let matches = command(model).get_matches();
        if matches.get_flag("describe") {
            // The reader may have gone, as in `| true`.
            let _ = writeln!(io::stdout(), "{:#}", description(model));
            process::exit(0);
        }
        Flags::new(model, &matches)
    }

    /// Returns the flags of an empty command line.
    #[cfg(test)]
    pub(crate) fn default_for(model: &Model) -> Flags {
        Flags::new(model, &command(model).get_matches_from(["server"]))
    }

    fn new(model: &Model, matches: &ArgMatches) -> Flags {
        let duration = |name| matches.get_one::<Duration>(name).copied();
        let unless_zero =
            |name| duration(name).filter(|duration| !duration.is_zero());
        let connections_max = matches.get_one("max-connections").copied();
        let workers = flag(matches, "workers").unwrap_or_else(|| {
            workers_for(available_parallelism().unwrap_or(NonZeroUsize::MIN))
        });
        let compute = flag(matches, "compute").unwrap_or(model.computes[0]);
        let bound = limits::bound(model, compute, workers);
        let clients = usize::try_from(bound.clients).unwrap_or(usize::MAX);
        Flags {
            listen: *matches.get_one("listen").expect("it has a default"),
            framing: *matches.get_one("framing").expect("it has a default"),
            n_max: *matches.get_one("max-n").expect("it has a default"),
            connections_max: connections_max.unwrap_or(clients),
            bound,
            idle_timeout: unless_zero("idle-timeout"),
            drain_timeout: duration("drain-timeout").expect("it has a default"),
            log_format: *matches
                .get_one("log-format")
                .expect("it has a default"),
            compute,
            workers,
            job_timeout: flag(matches, "job-timeout")
                .filter(|timeout: &Duration| !timeout.is_zero()),
        }
    }
}

/// Returns the value of a flag that not every model has.
fn flag<T: Clone + Send + Sync + 'static>(
    matches: &ArgMatches,
    name: &str,
) -> Option<T> {
    matches.try_get_one(name).ok().flatten().cloned()
}

/// Returns the default of `--workers` on a machine with `cores`: one more than
/// cores, or one on a single core.
///
/// With as many workers as cores, a short request often waits on the core of a
/// long one while another core is idle; one more worker makes that rarer. On a
/// single core it would not, and would raise the cost of a lone client's
/// request by a quarter, because idle workers yield before they sleep.
fn workers_for(cores: NonZeroUsize) -> NonZeroUsize {
    match cores.get() {
        1 => cores,
        _ => cores.saturating_add(1),
    }
}

fn command(model: &Model) -> Command {
    let command = Command::new(format!("server-{}", model.name))
        .version(env!("CARGO_PKG_VERSION"))
        // The last value counts, so that a script's flags can be overridden.
        .args_override_self(true)
        .about(format!(
            "Reads lines with a number n over TCP and replies with fib(n) \
             (model: {})",
            model.name
        ))
        .arg(
            value("listen", "ADDRESS", "127.0.0.1:25000")
                .value_parser(parse_address)
                .help("Address to listen on; port 0 picks a free port"),
        )
        .arg(
            value("framing", "FRAMING", "line")
                .value_parser(parse_framing)
                .help("What a request is: a line (`line`) or a read (`talk`)"),
        )
        .arg(
            value("max-n", "N", N_MAX_DEFAULT.to_string())
                .value_parser(value_parser!(u8).range(..=i64::from(N_MAX)))
                .help(format!("Largest n to answer, at most {N_MAX}")),
        )
        .arg(
            option("max-connections", "NUMBER").value_parser(parse_count).help(
                "Maximum number of connections [default: as many as the \
                 limits of the system allow]",
            ),
        )
        .arg(
            value("idle-timeout", "DURATION", "60s")
                .value_parser(parse_duration)
                .help("Time until an idle connection is closed; 0 means never"),
        )
        .arg(
            value("drain-timeout", "DURATION", "5s")
                .value_parser(parse_duration)
                .help("Time that a stopping server waits for unfinished work"),
        )
        .arg(
            value("log-format", "FORMAT", "text")
                .value_parser(parse_log_format)
                .help("Format of log lines on stderr: `text` or `json`"),
        )
        .arg(
            Arg::new("describe")
                .long("describe")
                .action(ArgAction::SetTrue)
                .help("Print model, version and modes as JSON"),
        )
        .after_help(
            "RUST_LOG sets the log level (error, warn, info, debug). \
             LISTEN_FDS and NOTIFY_SOCKET of systemd are supported.",
        );
    add_flags_of_model(command, model)
}

/// Adds the flags that only some models have.
fn add_flags_of_model(mut command: Command, model: &Model) -> Command {
    if model.computes.len() > 1 {
        let names: Vec<_> =
            model.computes.iter().map(|compute| compute.name()).collect();
        let default = model.computes[0].name();
        let computes = model.computes;
        command = command.arg(
            value("compute", "WHERE", default)
                .value_parser(move |name: &str| parse_compute(name, computes))
                .help(format!("Where to compute fib: {}", names.join(", "))),
        );
    }
    if model.has_workers {
        command = command.arg(
            option("workers", "NUMBER")
                .value_parser(value_parser!(NonZeroUsize))
                .help(
                    "Number of workers that compute [default: one more than \
                     cores, or one on a single core]",
                ),
        );
    }
    if model.has_job_timeout {
        command = command.arg(
            value("job-timeout", "DURATION", "0")
                .value_parser(parse_duration)
                .help("Time until a computation is stopped; 0 means never"),
        );
    }
    command
}

fn option(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value)
}

fn value(
    name: &'static str,
    value: &'static str,
    default: impl Into<clap::builder::OsStr>,
) -> Arg {
    option(name, value).default_value(default)
}

fn description(model: &Model) -> serde_json::Value {
    let computes: Vec<_> =
        model.computes.iter().map(|compute| compute.name()).collect();
    json!({
        "model": model.name,
        "version": env!("CARGO_PKG_VERSION"),
        "modes": {
            "framing": ["line", "talk"],
            "compute": computes,
        },
        "workers": model.has_workers,
        "job_timeout": model.has_job_timeout,
    })
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.to_socket_addrs()
        .map_err(|error| format!("{error}; try 127.0.0.1:25000 or [::1]:0"))?
        .next()
        .ok_or_else(|| "the host name has no address".into())
}

fn parse_framing(text: &str) -> Result<Framing, String> {
    match text {
        "line" => Ok(Framing::Line),
        "talk" => Ok(Framing::Talk),
        _ => Err("expected `line` or `talk`".into()),
    }
}

fn parse_log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected `text` or `json`".into()),
    }
}

fn parse_compute(text: &str, computes: &[Compute]) -> Result<Compute, String> {
    let named = |compute: &&Compute| compute.name() == text;
    computes.iter().find(named).copied().ok_or_else(|| {
        let names: Vec<_> = computes.iter().map(|c| c.name()).collect();
        format!("this model supports {}", names.join(", "))
    })
}

fn parse_count(text: &str) -> Result<usize, String> {
    let count: NonZeroUsize =
        text.parse().map_err(|error| format!("{error}"))?;
    Ok(count.get())
}

/// Parses a duration such as `500ms`, `60s` or `1m 30s`; `0` needs no unit.
fn parse_duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; try 500ms or 60s"))?;
    if duration <= DURATION_MAX {
        Ok(duration)
    } else {
        Err("must be at most 100 years".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Model = Model::new("plain");
    const FULL: Model = Model::new("full")
        .computes(&[Compute::Pool, Compute::Inline])
        .with_workers()
        .with_job_timeout();

    fn parse(model: &Model, arguments: &[&str]) -> Result<Flags, String> {
        let arguments = std::iter::once(&"server").chain(arguments);
        let matches = command(model)
            .try_get_matches_from(arguments)
            .map_err(|error| error.to_string())?;
        Ok(Flags::new(model, &matches))
    }

    #[test]
    fn the_defaults_are_those_of_the_protocol() {
        let flags = parse(&PLAIN, &[]).unwrap();
        assert_eq!(flags.listen.to_string(), "127.0.0.1:25000");
        assert_eq!(flags.framing, Framing::Line);
        assert_eq!(flags.n_max, 45);
        assert_eq!(flags.idle_timeout, Some(Duration::from_secs(60)));
        assert_eq!(flags.drain_timeout, Duration::from_secs(5));
        assert_eq!(flags.compute, Compute::Inline);
        assert_eq!(parse(&FULL, &[]).unwrap().compute, Compute::Pool);
    }

    #[test]
    fn all_flags_are_parsed() {
        let flags = parse(
            &FULL,
            &[
                "--listen=[::1]:0",
                "--framing=talk",
                "--max-n=93",
                "--max-connections=7",
                "--idle-timeout=0",
                "--drain-timeout=500ms",
                "--log-format=json",
                "--compute=inline",
                "--workers=3",
                "--job-timeout=1m 30s",
            ],
        )
        .unwrap();
        assert_eq!(flags.listen.to_string(), "[::1]:0");
        assert_eq!(flags.framing, Framing::Talk);
        assert_eq!(flags.n_max, 93);
        assert_eq!(flags.connections_max, 7);
        assert_eq!(flags.idle_timeout, None);
        assert_eq!(flags.drain_timeout, Duration::from_millis(500));
        assert_eq!(flags.log_format, LogFormat::Json);
        assert_eq!(flags.compute, Compute::Inline);
        assert_eq!(flags.workers.get(), 3);
        assert_eq!(flags.job_timeout, Some(Duration::from_secs(90)));
    }

    #[test]
    fn there_is_one_worker_more_than_cores_unless_there_is_one_core() {
        let default = |cores| workers_for(NonZeroUsize::new(cores).unwrap());
        assert_eq!([1, 2, 8].map(|cores| default(cores).get()), [1, 3, 9]);
    }

    #[test]
    fn the_error_for_a_bad_value_names_the_flag() {
        for (model, argument) in [
            (&PLAIN, "--listen=nowhere"),
            (&PLAIN, "--framing=fax"),
            (&PLAIN, "--max-n=94"),
            (&PLAIN, "--max-n=-1"),
            (&PLAIN, "--max-connections=0"),
            (&PLAIN, "--idle-timeout=soon"),
            (&PLAIN, "--drain-timeout=5"),
            (&PLAIN, "--drain-timeout=101years"),
            (&PLAIN, "--log-format=xml"),
            (&PLAIN, "--compute=inline"),
            (&PLAIN, "--workers=2"),
            (&PLAIN, "--job-timeout=1s"),
            (&FULL, "--compute=stall"),
            (&FULL, "--workers=0"),
        ] {
            let error = parse(model, &[argument]).unwrap_err();
            let flag = argument.split('=').next().unwrap();
            assert!(error.contains(flag), "{argument}: {error}");
        }
    }
}
