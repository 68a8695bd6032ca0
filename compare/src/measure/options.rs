//! The flags that say how to measure.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::base::limits;
use crate::measure::processors::{CpuList, Processors};
use crate::model::invocation::{self, Invocation};
use crate::model::scenarios::Scenario;

/// How to measure, whatever it is.
#[derive(Args, Debug)]
pub(crate) struct MeasurementOptions {
    /// How often everything is measured [default: 5; of claims, 7]
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) rounds: Option<u64>,
    /// Three rounds instead of more; of claims, the short ones alone
    #[arg(long, conflicts_with = "rounds")]
    pub(crate) quick: bool,
    /// How long each measurement takes [default: the scenario's]
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) duration: Option<Duration>,
    /// Repeats the random choices of a run
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// The folder to keep everything in, raw, after each round [default: a
    /// new one in runs/]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// The servers' processors, as 0,2-3
    #[arg(long, value_name = "LIST")]
    pub(crate) server_cpus: Option<CpuList>,
    /// The load generator's processors
    #[arg(long, value_name = "LIST")]
    pub(crate) load_cpus: Option<CpuList>,
    /// No progress on stderr
    #[arg(long)]
    pub(crate) quiet: bool,
}

impl MeasurementOptions {
    /// The processors that servers and load may use.
    ///
    /// # Errors
    ///
    /// When the lists of the command line can't be had here.
    pub(crate) fn processors(&self) -> anyhow::Result<Processors> {
        Processors::allowed(self.server_cpus.clone(), self.load_cpus.clone())
    }

    /// Sets the windows that the command line asks for.
    pub(crate) fn set_windows(&self, scenarios: &mut [Scenario]) {
        if let Some(window) = self.duration {
            scenarios.iter_mut().for_each(|s| s.window = window);
        }
    }

    /// Adds to what was asked.
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

/// Rounds with `--quick`.
pub(crate) const ROUNDS_QUICK: u64 = 3;

/// A time that is not 0, as flags take it.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    match limits::time(text)? {
        Duration::ZERO => Err("must not be 0".into()),
        duration => Ok(duration),
    }
}
