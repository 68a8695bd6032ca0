//! A scenario as its file and a record have it.

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

/// A question, and the clients that put it.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize,
)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The name of its file, without the ending. A record has it; a file must
    /// not.
    #[serde(default)]
    pub(crate) name: String,
    /// What it asks.
    pub(crate) question: String,
    /// What one would expect, before measuring.
    pub(crate) expectation: String,
    /// What the figures mean, and what they don't.
    pub(crate) analysis: String,
    /// It takes part only when it is asked for by name.
    #[serde(default)]
    pub(crate) on_request: bool,
    /// Which processors the server and its clients run on.
    #[serde(default)]
    pub(crate) cpus: Cpus,
    /// How long the clients talk before anything is counted.
    #[serde(with = "duration", default = "usual_warm_up")]
    #[schemars(with = "String")]
    pub(crate) warm_up: Duration,
    /// How long they are measured.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub(crate) window: Duration,
    /// The clients, in the order in which they connect.
    #[serde(rename = "group")]
    pub(crate) groups: Vec<ClientGroup>,
    /// What varies, if anything does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sweep: Option<Sweep>,
    /// Which value of the sweep this is; none in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) point: Option<Point>,
    /// The group whose figures answer the question.
    #[serde(rename = "of")]
    pub(crate) measured_group: String,
    /// The scenario that `left` is the share of.
    #[serde(default)]
    pub(crate) against: Option<String>,
    /// The figures that it shows; the first is the answer. None, if it is
    /// only there for another scenario to be held against.
    pub(crate) figures: Vec<Figure>,
}

fn usual_warm_up() -> Duration {
    WARM_UP
}

/// Clients that all do the same.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize,
)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Group")]
pub(crate) struct ClientGroup {
    /// Its name.
    pub(crate) name: String,
    /// How many clients.
    #[serde(deserialize_with = "connections")]
    pub(crate) connections: usize,
    /// They connect, and never ask.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) silent: bool,
    /// They connect anew for each request.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) churn: bool,
    /// How many requests each client keeps in flight.
    #[serde(
        default,
        deserialize_with = "depth",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) depth: Option<usize>,
    /// How long each pauses between a reply and the next request.
    #[serde(
        default,
        with = "optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub(crate) think: Option<Duration>,
    /// An open loop: requests a second, of the whole group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<f64>,
    /// The same, as a share of what the contestant can do at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) load: Option<f64>,
    /// How the requests of an open loop are spread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) arrivals: Option<Arrivals>,
    /// They go to a server of their own: the same contestant once more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) apart: bool,
    /// What each request asks for.
    #[serde(
        default,
        deserialize_with = "n",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) n: Option<u8>,
    /// How long each request should take: n is calibrated to it.
    #[serde(
        default,
        with = "optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub(crate) cost: Option<Duration>,
}

/// What varies in a scenario: one thing, of one group.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize,
)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sweep {
    /// The group.
    pub(crate) group: String,
    /// What of it.
    #[serde(rename = "of")]
    pub(crate) parameter: Parameter,
    /// The values that it takes.
    pub(crate) values: Vec<f64>,
    /// Those that take part in a run that did not ask for the scenario; all,
    /// if it isn't said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) usual: Option<Vec<f64>>,
}

/// What can vary.
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
    /// How many clients.
    Connections,
    /// How many requests each has in flight.
    Depth,
    /// The number that is asked for.
    N,
    /// How long a request should take, in milliseconds.
    Cost,
    /// Requests a second.
    Rate,
    /// The same, as a share of what the contestant can do at most.
    Load,
}

/// One value of a sweep.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize,
)]
pub(crate) struct Point {
    /// The scenario that varies.
    #[serde(rename = "of")]
    pub(crate) scenario: String,
    /// The value.
    pub(crate) value: f64,
}

impl Scenario {
    /// The name of its file, whatever value of its sweep it is.
    pub(crate) fn base(&self) -> &str {
        self.point.as_ref().map_or(&self.name, |point| &point.scenario)
    }

    /// Returns the group whose figures answer the question.
    pub(crate) fn measured(&self) -> Option<&ClientGroup> {
        self.groups.iter().find(|group| group.name == self.measured_group)
    }

    /// Whether the clients that it shows ask at a rate that is given.
    pub(crate) fn is_offered(&self) -> bool {
        self.measured().is_some_and(ClientGroup::is_open_loop)
    }
}

impl ClientGroup {
    /// Sets what varies.
    pub(crate) fn set(
        &mut self,
        parameter: Parameter,
        value: f64,
    ) -> Result<(), String> {
        let whole = |max: usize| match value {
            value
                if value.fract() == 0.0
                    && (0.0..=max as f64).contains(&value) =>
            {
                Ok(value as usize)
            }
            _ => Err(format!("{value} is no whole number up to {max}")),
        };
        match parameter {
            Parameter::Connections => {
                self.connections = whole(CONNECTIONS_MAX)?
            }
            Parameter::Depth => self.depth = Some(whole(DEPTH_MAX)?),
            Parameter::N => self.n = Some(whole(N_MAX_DEFAULT.into())? as u8),
            Parameter::Cost => self.cost = Some(milliseconds(value)?),
            Parameter::Rate => self.rate = Some(value),
            Parameter::Load => self.load = Some(value),
        }
        Ok(())
    }

    /// When its clients ask. Those whose rate is a share of a capacity ask as
    /// fast as they can: that is how the capacity is measured.
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

    /// An open loop at so many requests a second.
    pub(crate) fn open_loop(&self, rate: f64) -> Pace {
        let arrivals = self.arrivals.unwrap_or_default();
        Pace::Open { rate, arrivals }
    }

    pub(crate) fn is_open_loop(&self) -> bool {
        self.rate.is_some() || self.load.is_some()
    }
}

impl Parameter {
    /// Its name, as in the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Parameter::Connections => "connections",
            Parameter::Depth => "depth",
            Parameter::N => "n",
            Parameter::Cost => "cost",
            Parameter::Rate => "rate",
            Parameter::Load => "load",
        }
    }
}

/// How long clients talk before anything is counted, if nobody says otherwise.
pub(crate) const WARM_UP: Duration = Duration::from_millis(200);

/// A cost; less than a microsecond of it can't be calibrated.
fn milliseconds(value: f64) -> Result<Duration, String> {
    let is_credible = (1e-3..=TIME_MAX.as_secs_f64() * 1e3).contains(&value);
    if is_credible {
        Ok(Duration::from_secs_f64(value / 1e3))
    } else {
        Err("no time, in milliseconds, that can be asked for".into())
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn n<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u8>, D::Error> {
    // More than that, the servers refuse, unless told otherwise.
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
