//! The types of a scenario, as its file and records contain it.

use std::ops::RangeInclusive;
use std::time::Duration;

use protocol::N_MAX_DEFAULT;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::base::limits::{CONNECTIONS_MAX, TIME_MAX};
use crate::model::duration;
use crate::model::figure::Figure;
use crate::model::load_plan::{Arrivals, DEPTH_MAX, Pace};
use crate::model::optional_duration;
use crate::model::placement::Cpus;

/// The default number of rounds. Eight can be drawn again in 6,435 ways, for an
/// interval, while three can in ten only; and they take a minute and a half.
pub(crate) const ROUNDS: u64 = 8;

/// A question about the contestants, and the load that answers it.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize,
)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The name of the scenario's file without its extension, and the value of
    /// its sweep, if it has one. Only records contain it.
    #[serde(default)]
    pub(crate) name: String,
    /// The question that the scenario answers.
    pub(crate) question: String,
    /// The answer that one would expect before measuring.
    pub(crate) expectation: String,
    /// What the figures mean, and what they don't.
    pub(crate) analysis: String,
    /// Whether the scenario is measured only if it is selected by name.
    #[serde(default)]
    pub(crate) on_request: bool,
    /// How the processors are divided between server and load generator.
    #[serde(default)]
    pub(crate) cpus: Cpus,
    /// How long the clients send requests before anything is counted, in each
    /// turn.
    #[serde(with = "duration", default = "usual_warm_up")]
    #[schemars(with = "String")]
    pub(crate) warm_up: Duration,
    /// How long the clients are measured, in each turn.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub(crate) window: Duration,
    /// The number of turns that each contestant has in a round.
    #[serde(default = "usual_turns")]
    pub(crate) turns: u64,
    /// Why the contestants are measured one after the other, each in one window
    /// per round, and not in turns; none, if they are measured in turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alone: Option<String>,
    /// The number of rounds in a run with the usual number, if the scenario
    /// needs fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rounds: Option<u64>,
    /// The number of workers of the contestants' pools, if it isn't the
    /// contestants' own choice.
    #[serde(
        default,
        deserialize_with = "workers",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) workers: Option<usize>,
    /// The client groups, in the order in which they connect.
    #[serde(rename = "group")]
    pub(crate) groups: Vec<ClientGroup>,
    /// The parameter that varies, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sweep: Option<Sweep>,
    /// The value of the sweep that was measured. Only records contain it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) point: Option<Point>,
    /// The name of the group whose figures answer the question.
    #[serde(rename = "of")]
    pub(crate) measured_group: String,
    /// The baseline scenario: the figure `left` is the rate as a share of the
    /// baseline's rate.
    #[serde(default)]
    pub(crate) against: Option<String>,
    /// The figures to show; the first one answers the question. Empty, if the
    /// scenario only serves as the `against` of another one.
    pub(crate) figures: Vec<Figure>,
}

fn usual_warm_up() -> Duration {
    WARM_UP
}

fn usual_turns() -> u64 {
    TURNS
}

/// Clients that all behave in the same way.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize,
)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Group")]
pub(crate) struct ClientGroup {
    /// The group's name.
    pub(crate) name: String,
    /// The number of clients, which have one connection each.
    #[serde(deserialize_with = "connections")]
    pub(crate) connections: usize,
    /// Whether the clients connect, but send no requests.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) silent: bool,
    /// Whether the clients open a new connection for each request.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) churn: bool,
    /// How many requests each client keeps in flight.
    #[serde(
        default,
        deserialize_with = "depth",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) depth: Option<usize>,
    /// How long each client pauses between a reply and its next request.
    #[serde(
        default,
        with = "optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub(crate) think: Option<Duration>,
    /// The requests per second of the whole group, in an open loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<f64>,
    /// The rate of an open loop as a share of the contestant's capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) load: Option<f64>,
    /// How the requests of an open loop are spread over time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) arrivals: Option<Arrivals>,
    /// Whether the clients have a server of their own, a second one of the same
    /// contestant.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) apart: bool,
    /// The n of each request.
    #[serde(
        default,
        deserialize_with = "n",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) n: Option<u8>,
    /// How long each request should take; n is calibrated to that.
    #[serde(
        default,
        with = "optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub(crate) cost: Option<Duration>,
}

/// The values of a parameter that varies.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize,
)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sweep {
    /// The name of the client group whose parameter varies; none, if it is a
    /// parameter of the servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
    /// The parameter that varies.
    #[serde(rename = "of")]
    pub(crate) parameter: Parameter,
    /// The values of the parameter.
    pub(crate) values: Vec<f64>,
    /// The values that are measured if the scenario isn't selected by name; by
    /// default, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) usual: Option<Vec<f64>>,
}

/// A parameter that can vary: of the servers, or of a client group.
#[derive(
    schemars::JsonSchema,
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Deserialize,
    Serialize,
)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Knob")]
pub(crate) enum Parameter {
    /// The number of clients.
    Connections,
    /// How many requests each client keeps in flight.
    Depth,
    /// The n of each request.
    N,
    /// How long each request should take, in milliseconds.
    Cost,
    /// The requests per second of an open loop.
    Rate,
    /// The rate of an open loop as a share of the contestant's capacity.
    Load,
    /// The number of workers of the contestants' pools.
    Workers,
}

/// One value of a sweep.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize,
)]
pub(crate) struct Point {
    /// The name of the scenario with the sweep.
    #[serde(rename = "of")]
    pub(crate) scenario: String,
    /// The value.
    pub(crate) value: f64,
}

impl Scenario {
    /// Returns the scenario's name without the value of its sweep.
    pub(crate) fn base(&self) -> &str {
        self.point.as_ref().map_or(&self.name, |point| &point.scenario)
    }

    /// Sets the number of workers.
    ///
    /// # Errors
    ///
    /// Returns an error if there can't be so many.
    pub(crate) fn set_workers(&mut self, value: f64) -> Result<(), String> {
        self.workers = Some(whole_value(value, 1..=WORKERS_MAX)?);
        Ok(())
    }

    /// Returns the group whose figures answer the question.
    pub(crate) fn measured(&self) -> Option<&ClientGroup> {
        self.groups.iter().find(|group| group.name == self.measured_group)
    }

    /// Returns how many of a run's rounds the scenario has. Its own number is
    /// that of a run with the usual number of rounds; a run with more has more
    /// of these, too.
    pub(crate) fn rounds_of(&self, run: u64) -> u64 {
        let share = |rounds: u64| rounds.max(rounds * run / ROUNDS);
        self.rounds.map_or(run, |rounds| share(rounds).min(run))
    }

    /// Returns `true` if the measured clients are an open loop, whose rate is
    /// given.
    pub(crate) fn is_offered(&self) -> bool {
        self.measured().is_some_and(ClientGroup::is_open_loop)
    }
}

impl ClientGroup {
    /// Sets a parameter.
    ///
    /// # Errors
    ///
    /// Returns an error if the parameter can't have this value.
    pub(crate) fn set(
        &mut self,
        parameter: Parameter,
        value: f64,
    ) -> Result<(), String> {
        let whole = |max| whole_value(value, 0..=max);
        match parameter {
            Parameter::Connections => {
                self.connections = whole(CONNECTIONS_MAX)?
            }
            Parameter::Depth => self.depth = Some(whole(DEPTH_MAX)?),
            Parameter::N => self.n = Some(whole(N_MAX_DEFAULT.into())? as u8),
            Parameter::Cost => self.cost = Some(milliseconds(value)?),
            Parameter::Rate => self.rate = Some(value),
            Parameter::Load => self.load = Some(value),
            Parameter::Workers => {
                return Err("a client group has no workers".to_owned());
            }
        }
        Ok(())
    }

    /// Returns when the clients send requests. Clients whose rate is a share of
    /// the capacity send as fast as they can, which measures the capacity.
    pub(crate) fn pace(&self) -> Pace {
        match *self {
            ClientGroup { silent: true, .. } => Pace::Silent,
            ClientGroup { churn: true, .. } => Pace::Churn,
            ClientGroup { rate: Some(rate), .. } => self.open_loop(rate),
            ClientGroup { depth, think, .. } => Pace::Closed {
                depth: depth.unwrap_or(1),
                think: think.unwrap_or_default(),
            },
        }
    }

    /// Returns an open loop with this number of requests per second.
    pub(crate) fn open_loop(&self, rate: f64) -> Pace {
        let arrivals = self.arrivals.unwrap_or_default();
        Pace::Open { rate, arrivals }
    }

    /// Returns `true` if the clients are an open loop.
    pub(crate) fn is_open_loop(&self) -> bool {
        self.rate.is_some() || self.load.is_some()
    }
}

impl Parameter {
    /// Returns the parameter's name, as scenario files spell it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Parameter::Connections => "connections",
            Parameter::Depth => "depth",
            Parameter::N => "n",
            Parameter::Cost => "cost",
            Parameter::Rate => "rate",
            Parameter::Load => "load",
            Parameter::Workers => "workers",
        }
    }
}

/// The default warm-up: how long the clients send requests before anything is
/// counted.
pub(crate) const WARM_UP: Duration = Duration::from_millis(200);

/// The default number of turns in a round. Rounds are what there are few of:
/// rather more rounds than more turns.
pub(crate) const TURNS: u64 = 5;

/// The most workers that a scenario may set. It is a sanity check of a
/// scenario's file: no pool that computes needs more.
const WORKERS_MAX: usize = 1_000;

/// Returns a whole number that is given as any number.
fn whole_value(
    value: f64,
    range: RangeInclusive<usize>,
) -> Result<usize, String> {
    let (min, max) = (*range.start(), *range.end());
    let is_whole = value.fract() == 0.0;
    if is_whole && (min as f64..=max as f64).contains(&value) {
        Ok(value as usize)
    } else {
        Err(format!("{value} is not a whole number from {min} to {max}"))
    }
}

/// Returns a cost that is given in milliseconds. Less than a microsecond can't
/// be calibrated.
fn milliseconds(value: f64) -> Result<Duration, String> {
    let is_allowed = (1e-3..=TIME_MAX.as_secs_f64() * 1e3).contains(&value);
    if is_allowed {
        Ok(Duration::from_secs_f64(value / 1e3))
    } else {
        Err(format!("must be from 0.001 to {} ms", TIME_MAX.as_millis()))
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn n<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u8>, D::Error> {
    // By default, the servers refuse a greater n.
    let n = whole(deserializer, 0..=N_MAX_DEFAULT.into())?;
    Ok(Some(n as u8))
}

fn connections<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<usize, D::Error> {
    whole(deserializer, 1..=CONNECTIONS_MAX)
}

fn depth<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<usize>, D::Error> {
    whole(deserializer, 1..=DEPTH_MAX).map(Some)
}

fn workers<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<usize>, D::Error> {
    whole(deserializer, 1..=WORKERS_MAX).map(Some)
}

fn whole<'de, D: Deserializer<'de>>(
    deserializer: D,
    range: RangeInclusive<usize>,
) -> Result<usize, D::Error> {
    let number = i64::deserialize(deserializer)?;
    let number = usize::try_from(number).ok().filter(|n| range.contains(n));
    number.ok_or_else(|| {
        let (min, max) = (range.start(), range.end());
        D::Error::custom(format!("must be a whole number from {min} to {max}"))
    })
}
