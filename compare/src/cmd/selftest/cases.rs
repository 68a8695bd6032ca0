//! The known servers, and the expected figures of each.

use std::env;
use std::time::Duration;

use anyhow::Context;

use crate::analysis::units;
use crate::model::contestant::Contestant;
use crate::model::faults::Faults;
use crate::model::load_plan::{Arrivals, Pace};
use crate::model::load_report::{GroupReport, LoadReport};
use crate::model::times::Times;

/// The default time for which a known server is measured.
pub(crate) const WINDOW: Duration = Duration::from_secs(1);

/// A server with a known behaviour, and the expected figures.
pub(crate) struct Case {
    /// What the server does, as a phrase after "a server that".
    pub(crate) what: &'static str,
    /// The flags of `compare faulty` for this behaviour.
    pub(crate) behaviour: &'static [&'static str],
    pub(crate) connections: usize,
    pub(crate) pace: Pace,
    pub(crate) window: Duration,
    /// The figures to check.
    pub(crate) checks: &'static [Check],
}

/// A figure and its expected range.
pub(crate) struct Check {
    pub(crate) what: &'static str,
    pub(crate) unit: Unit,
    /// Returns the bounds within which the figure must lie.
    pub(crate) bounds: fn(&Observed) -> (f64, f64),
    pub(crate) value: fn(&Observed) -> f64,
}

#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Milliseconds,
    Microseconds,
    Count,
    PerSecond,
}

/// What the load generator measured.
pub(crate) struct Observed {
    pub(crate) report: LoadReport,
    pub(crate) group: GroupReport,
}

pub(crate) const EAGER: Pace = Pace::EAGER;

pub(crate) const CASES: [Case; 7] = [
    Case {
        what: "waits 5 ms before each reply",
        behaviour: &["--delay", "5ms"],
        connections: 1,
        pace: EAGER,
        window: WINDOW,
        checks: &[
            Check {
                what: "service p50",
                unit: Unit::Milliseconds,
                bounds: |_| (5.0, 6.0),
                value: |observed| quantile_ms(&observed.group.service_ns, 0.5),
            },
            Check {
                what: "rate",
                unit: Unit::PerSecond,
                bounds: |_| (165.0, 200.0),
                value: Observed::rate,
            },
        ],
    },
    Case {
        what: "works for 200 µs before each reply",
        behaviour: &["--work", "200us"],
        connections: 1,
        pace: EAGER,
        window: WINDOW,
        checks: &[Check {
            what: "cost",
            unit: Unit::Microseconds,
            // The kernel's work for a request is added.
            bounds: |_| (200.0, 300.0),
            value: Observed::cost_us,
        }],
    },
    Case {
        what: "stops for 1 s in every 5, under an open loop",
        behaviour: &["--stall", "1s"],
        connections: 64,
        pace: Pace::Open { rate: 200.0, arrivals: Arrivals::Constant },
        window: Duration::from_secs(10),
        checks: &[
            // A fifth of all requests waits, for a time that is uniformly
            // distributed between 0 and 1 s: half of them 500 ms or more.
            Check {
                what: "response p50",
                unit: Unit::Milliseconds,
                bounds: |_| (0.0, 5.0),
                value: |observed| observed.response_ms(0.5),
            },
            Check {
                what: "response p90",
                unit: Unit::Milliseconds,
                bounds: |_| (400.0, 600.0),
                value: |observed| observed.response_ms(0.9),
            },
            Check {
                what: "response p99",
                unit: Unit::Milliseconds,
                bounds: |_| (900.0, 1050.0),
                value: |observed| observed.response_ms(0.99),
            },
            Check {
                what: "total requests",
                unit: Unit::Count,
                bounds: |_| (1_995.0, 2_005.0),
                value: |observed| {
                    observed
                        .group
                        .open
                        .as_ref()
                        .map_or(0, |open| open.response_ns.count())
                        as f64
                },
            },
        ],
    },
    Case {
        what: "stops for 1 s in every 5, under a closed loop, which omits it",
        behaviour: &["--stall", "1s"],
        connections: 1,
        pace: EAGER,
        window: Duration::from_secs(5),
        checks: &[Check {
            what: "service p99",
            unit: Unit::Milliseconds,
            bounds: |_| (0.0, 5.0),
            value: |observed| quantile_ms(&observed.group.service_ns, 0.99),
        }],
    },
    Case {
        what: "sends one wrong reply in a thousand",
        behaviour: &["--fault", "wrong", "--one-in", "1000"],
        connections: 8,
        pace: EAGER,
        window: WINDOW,
        checks: &[Check {
            what: "wrong replies",
            unit: Unit::Count,
            bounds: one_in_a_thousand,
            value: |observed| observed.group.faults.wrong as f64,
        }],
    },
    Case {
        what: "resets one connection in a thousand requests",
        behaviour: &["--fault", "reset", "--one-in", "1000"],
        connections: 256,
        pace: EAGER,
        window: WINDOW,
        checks: &[Check {
            what: "connections reset",
            unit: Unit::Count,
            bounds: one_in_a_thousand,
            value: |observed| observed.group.faults.reset as f64,
        }],
    },
    Case {
        what: "reads one request every 2 ms, from a client with 16 in flight",
        behaviour: &["--delay", "2ms"],
        connections: 1,
        pace: Pace::Closed { depth: 16, think: Duration::ZERO },
        window: WINDOW,
        checks: &[Check {
            what: "service p50",
            unit: Unit::Milliseconds,
            // Little's law: in flight = rate × time.
            bounds: |observed| {
                let ms = 16.0 / observed.rate() * 1e3;
                (ms * 0.9, ms * 1.1)
            },
            value: |observed| quantile_ms(&observed.group.service_ns, 0.5),
        }],
    },
];

/// A server that breaks, so that its cell must be void.
pub(crate) struct Broken {
    pub(crate) what: &'static str,
    pub(crate) behaviour: &'static [&'static str],
    /// The expected reason.
    pub(crate) reason: &'static str,
}

pub(crate) const BROKEN: [Broken; 2] = [
    Broken {
        what: "dies after a thousand replies",
        behaviour: &["--fault", "die", "--after", "1000"],
        reason: "it died (exit status: 7)",
    },
    Broken {
        what: "hangs after a thousand replies",
        behaviour: &["--fault", "hang", "--after", "1000"],
        reason: "a hang",
    },
];

/// A server that is compared with another one, of known cost.
pub(crate) struct Rival {
    pub(crate) what: &'static str,
    /// Its name in the run of all rivals.
    pub(crate) name: &'static str,
    /// How much more it costs than the other one, as a share.
    pub(crate) extra: f64,
    /// The bounds of the measured ratio of its cost to that of the other one.
    pub(crate) bounds: (f64, f64),
}

pub(crate) const RIVALS: [Rival; 3] = [
    Rival {
        what: "costs as much as another",
        name: "twin",
        extra: 0.0,
        bounds: (0.97, 1.03),
    },
    Rival {
        what: "costs 5 % more",
        name: "5 % more",
        extra: 0.05,
        bounds: (1.02, 1.08),
    },
    Rival {
        what: "costs 15 % more",
        name: "15 % more",
        extra: 0.15,
        bounds: (1.11, 1.19),
    },
];

/// A row of the results.
pub(crate) struct ResultLine {
    pub(crate) what: String,
    pub(crate) check: String,
    pub(crate) expected: String,
    pub(crate) measured: String,
    pub(crate) passed: bool,
}

/// Returns this program as a server with a known behaviour.
pub(crate) fn faulty(behaviour: &[&str]) -> anyhow::Result<Contestant> {
    let program = env::current_exe()
        .context("cannot determine the path of this program")?;
    let program =
        program.to_str().context("the path of this program is not UTF-8")?;
    let mut contestant = Contestant::given("known=known {addr}")?;
    contestant.command = [program, "faulty", "--listen", "{addr}"]
        .iter()
        .chain(behaviour)
        .map(|&word| word.to_owned())
        .collect();
    Ok(contestant)
}

fn one_in_a_thousand(observed: &Observed) -> (f64, f64) {
    let Faults { wrong, reset, .. } = observed.group.faults;
    let requests = observed.group.replies_in_all + wrong + reset;
    let expected = (requests / 1_000) as f64;
    // A reset may discard a reply that was already counted.
    ((expected - 1.0).max(1.0), expected + 1.0)
}

fn quantile_ms(times: &Times, quantile: f64) -> f64 {
    times.at_quantile_ns(quantile).map_or(f64::NAN, |ns| ns as f64 / 1e6)
}

impl Observed {
    fn rate(&self) -> f64 {
        self.group.rate(self.report.window_ns)
    }

    fn cost_us(&self) -> f64 {
        let cpu_ns = self.report.server_cpu_ns.value;
        let cpu_us = cpu_ns.map_or(f64::NAN, |ns| ns as f64 / 1e3);
        cpu_us / self.group.replies as f64
    }

    fn response_ms(&self, quantile: f64) -> f64 {
        let open = self.group.open.as_ref();
        open.map_or(f64::NAN, |open| quantile_ms(&open.response_ns, quantile))
    }
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Unit::Milliseconds => " ms",
            Unit::Microseconds => " µs",
            Unit::PerSecond => " /s",
            Unit::Count => "",
        }
    }

    pub(crate) fn text(self, value: f64) -> String {
        format!("{}{}", self.number(value), self.name())
    }

    pub(crate) fn range(self, low: f64, high: f64) -> String {
        let [low, high] = [low, high].map(|end| self.number(end));
        format!("{low}–{high}{}", self.name())
    }

    fn number(self, value: f64) -> String {
        match self {
            Unit::Count => format!("{value:.0}"),
            Unit::Milliseconds | Unit::Microseconds | Unit::PerSecond => {
                units::number(value)
            }
        }
    }
}
