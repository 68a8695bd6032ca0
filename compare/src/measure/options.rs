//! The command-line flags for measuring.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::base::limits;
use crate::measure::processors::{CpuList, Processors};
use crate::model::invocation::{self, Invocation};
use crate::model::scenarios::Scenario;

/// The flags of all commands that measure.
#[derive(Args, Debug)]
pub(crate) struct MeasurementOptions {
    /// The number of rounds: how often all servers are started and measured in
    /// turns [default: 8]
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) rounds: Option<u64>,
    /// Run only three rounds
    #[arg(long, conflicts_with = "rounds")]
    pub(crate) quick: bool,
    /// The length of each window, the time in which a contestant is measured in
    /// one of its turns [default: the scenario's]
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) duration: Option<Duration>,
    /// The seed of all random choices, to repeat those of a run [default: a
    /// new one each time]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// The folder for the record, which is written after each round [default:
    /// a new one in runs/]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// The processors for the servers, for example 0,2-3
    #[arg(long, value_name = "LIST")]
    pub(crate) server_cpus: Option<CpuList>,
    /// The processors for the load generator
    #[arg(long, value_name = "LIST")]
    pub(crate) load_cpus: Option<CpuList>,
    /// Don't build the servers: use those in the folder of this program
    #[arg(long)]
    pub(crate) no_build: bool,
    /// Don't print progress to stderr
    #[arg(long)]
    pub(crate) quiet: bool,
}

impl MeasurementOptions {
    /// Returns the processors that servers and load generator may use.
    ///
    /// # Errors
    ///
    /// Returns an error if a flag lists a processor that may not be used.
    pub(crate) fn processors(&self) -> anyhow::Result<Processors> {
        Processors::allowed(self.server_cpus.clone(), self.load_cpus.clone())
    }

    /// Sets the length of the windows, if `--duration` is given.
    pub(crate) fn set_windows(&self, scenarios: &mut [Scenario]) {
        if let Some(window) = self.duration {
            scenarios.iter_mut().for_each(|s| s.window = window);
        }
    }

    /// Adds these flags to an invocation.
    pub(crate) fn add_to(&self, invocation: Invocation) -> Invocation {
        let list = |list: &Option<CpuList>| {
            list.clone().map(Vec::from).unwrap_or_default()
        };
        Invocation {
            duration: self.duration.map(invocation::time),
            server_cpus: list(&self.server_cpus),
            load_cpus: list(&self.load_cpus),
            ..invocation
        }
    }
}

/// The number of rounds with `--quick`.
pub(crate) const ROUNDS_QUICK: u64 = 3;

/// Parses a time that must not be 0.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    match limits::time(text)? {
        Duration::ZERO => Err("must not be 0".into()),
        duration => Ok(duration),
    }
}
