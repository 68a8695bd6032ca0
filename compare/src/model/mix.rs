//! A mix of long and short requests, each with a rate, for `compare advise`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::base::limits;
use crate::model::figure::Figure;
use crate::model::load_plan::{Arrivals, RATE_MAX, RATE_MIN};
use crate::model::placement::Cpus;
use crate::model::scenarios::{ClientGroup, Scenario};

/// The number of connections for long requests.
const LONG_CLIENTS: usize = 16;

/// The warm-up: until the number of requests in flight no longer grows.
const WARM_UP: Duration = Duration::from_millis(500);

/// The shortest window. More rounds with shorter windows decide more than fewer
/// rounds with longer ones.
const WINDOW_MIN: Duration = Duration::from_millis(1_500);

/// The fewest long requests in a window: with fewer, the mix would differ much
/// from round to round.
const LONG_REQUESTS: f64 = 8.0;

/// Why a mix is not measured in turns.
const OPEN_LOOP: &str = "the queue of an open loop grows over the whole window";

/// The longest window: a longer one would take more time than users expect.
const WINDOW_MAX: Duration = Duration::from_secs(30);

/// The fewest requests in a window that allow a p99.
const REQUESTS_OF_A_P99: f64 = 1_100.0;

/// The fewest processors with which the load generator can have one to itself
/// and still leave the server more than one.
const PROCESSORS_TO_SPLIT: usize = 3;

/// Requests per second, such as `2000/s`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate(f64);

/// The rate and the cost of long requests, such as `5/s x 50ms`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LongRequests {
    rate: Rate,
    cost: Duration,
}

/// A mix of long and short requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mix {
    /// The rate and the cost of the long requests, if there are any.
    pub(crate) long: Option<LongRequests>,
    /// The rate of the short requests, if there are any.
    pub(crate) short: Option<Rate>,
    /// The number of connections for short requests.
    pub(crate) clients: usize,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        let number = text.strip_suffix("/s").map(|n| n.replace([',', '_'], ""));
        let rate = number.and_then(|number| number.trim().parse().ok());
        match rate {
            Some(rate) if (RATE_MIN..=RATE_MAX).contains(&rate) => {
                Ok(Rate(rate))
            }
            Some(_) => {
                Err(format!("must be from {RATE_MIN}/s to {RATE_MAX}/s"))
            }
            None => {
                Err("expected requests per second, such as 2000/s".to_owned())
            }
        }
    }
}

impl FromStr for LongRequests {
    type Err = String;

    fn from_str(text: &str) -> Result<LongRequests, String> {
        let what = || "expected RATE x TIME, such as `5/s x 50ms`".to_owned();
        let (rate, cost) = text.split_once('x').ok_or_else(what)?;
        let cost = limits::time(cost.trim()).map_err(|_| what())?;
        if cost.is_zero() {
            return Err("the time of a long request must not be 0".to_owned());
        }
        let rate = rate.trim().parse().map_err(|_| what())?;
        Ok(LongRequests { rate, cost })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let long = self.long.map(|LongRequests { rate, cost }| {
            let cost = humantime::format_duration(cost);
            format!("{} long requests per second ({cost} each)", rate.0)
        });
        let clients = match self.clients {
            1 => "1 client".to_owned(),
            clients => format!("{clients} clients"),
        };
        let short = self.short.map(|Rate(rate)| {
            format!("{rate} short requests per second from {clients}")
        });
        let parts: Vec<String> = [long, short].into_iter().flatten().collect();
        f.write_str(&parts.join(" and "))
    }
}

impl Mix {
    /// Returns the scenario that applies this mix on a machine with so many
    /// processors.
    ///
    /// # Errors
    ///
    /// Returns an error if the mix is empty, or if its rate is too low for a
    /// p99.
    pub(crate) fn scenario(
        &self,
        processors: usize,
    ) -> Result<Scenario, String> {
        let groups = self.groups()?;
        let of = groups.last().ok_or_else(|| {
            "the mix is empty; give --long RATE x TIME, --short RATE, or a \
             scenario file"
                .to_owned()
        })?;
        let of = of.name.clone();
        let window = self.window()?;
        let cpus = if processors >= PROCESSORS_TO_SPLIT {
            Cpus::Split
        } else {
            Cpus::Shared
        };
        Ok(Scenario {
            name: "mix".to_owned(),
            question: format!(
                "Which model answers {of} requests in time, with {self}?"
            ),
            expectation: String::new(),
            analysis: String::new(),
            on_request: false,
            cpus,
            warm_up: WARM_UP,
            window,
            turns: 1,
            alone: Some(OPEN_LOOP.to_owned()),
            rounds: None,
            workers: None,
            groups,
            sweep: None,
            point: None,
            measured_group: of,
            against: None,
            figures: FIGURES.to_vec(),
        })
    }

    fn groups(&self) -> Result<Vec<ClientGroup>, String> {
        if self.clients == 0 {
            return Err("--clients must be at least 1".to_owned());
        }
        let mut groups = Vec::new();
        if let Some(LongRequests { rate, cost }) = self.long {
            let long = group("long", LONG_CLIENTS, rate);
            groups.push(ClientGroup { cost: Some(cost), ..long });
        }
        if let Some(rate) = self.short {
            let short = group("short", self.clients, rate);
            groups.push(ClientGroup { n: Some(1), ..short });
        }
        Ok(groups)
    }

    /// Returns a window with enough requests for a p99, and enough long ones.
    fn window(&self) -> Result<Duration, String> {
        let rate = self.short.or(self.long.map(|long| long.rate));
        let Rate(rate) = rate.unwrap_or(Rate(1.0));
        let long =
            self.long.map(|LongRequests { rate: Rate(rate), .. }| {
                // Long requests with a very low rate don't extend the window
                // further.
                Duration::from_secs_f64(LONG_REQUESTS / rate).min(WINDOW_MAX)
            });
        let window = Duration::from_secs_f64(REQUESTS_OF_A_P99 / rate);
        let window = window.max(WINDOW_MIN).max(long.unwrap_or_default());
        // Rounded up to tenths of a second, which are easier to read.
        let window = Duration::from_millis(
            window.as_millis().div_ceil(100) as u64 * 100,
        );
        if window > WINDOW_MAX {
            return Err(format!(
                "a p99 needs {REQUESTS_OF_A_P99} requests per round, which \
                 take {:.0} s at {rate}/s; give a higher rate, or use `compare \
                 run`",
                window.as_secs_f64()
            ));
        }
        Ok(window)
    }
}

/// The figures that a mix is judged by.
const FIGURES: [Figure; 5] = [
    Figure::ResponseP99,
    Figure::ResponseP50,
    Figure::Cost,
    Figure::Rss,
    Figure::Rate,
];

/// Returns an open loop with this rate, which acts like many independent users.
fn group(name: &str, connections: usize, Rate(rate): Rate) -> ClientGroup {
    ClientGroup {
        name: name.to_owned(),
        connections,
        silent: false,
        churn: false,
        depth: None,
        think: None,
        rate: Some(rate),
        load: None,
        arrivals: Some(Arrivals::Poisson),
        apart: false,
        n: None,
        cost: None,
    }
}

/// Checks that a scenario is a single mix with an open loop.
pub(crate) fn check(scenario: &Scenario) -> Result<(), String> {
    if scenario.sweep.is_some() {
        return Err("a mix can't have a sweep; remove [sweep]".to_owned());
    }
    let measured = scenario.measured();
    if measured.is_none_or(|group| group.rate.is_none()) {
        return Err(format!(
            "group `{}` needs a `rate`: only an open loop shows the p99 that \
             users see",
            scenario.measured_group
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_long_requests_are_parsed() {
        let long =
            LongRequests { rate: Rate(5.0), cost: Duration::from_millis(50) };
        for text in ["5/s x 50ms", "5/s x50ms", "5/sx50ms"] {
            assert_eq!(text.parse(), Ok(long), "{text}");
        }
        assert_eq!("2,000/s".parse(), Ok(Rate(2_000.0)));
        for bad in ["5", "x", "5/s", "5 x 50ms", "5/s x 0s", "5/s x soon"] {
            assert!(bad.parse::<LongRequests>().is_err(), "{bad}");
        }
        for bad in ["2000", "fast/s", "0/s", "nan/s", "-1/s", "/s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_window_has_enough_requests_for_a_p99() {
        let mix =
            |rate| Mix { long: None, short: Some(Rate(rate)), clients: 1 };
        let window = |rate| mix(rate).scenario(2).map(|s| s.window);
        assert_eq!(window(2_000.0), Ok(WINDOW_MIN));
        assert_eq!(window(110.0), Ok(Duration::from_secs(10)));
        assert!(window(5.0).unwrap_err().contains("220 s"));
    }

    #[test]
    fn server_and_load_share_the_processors_if_there_are_few() {
        let long = "5/s x 50ms".parse().ok();
        let mix = Mix { long, short: Some(Rate(900.0)), clients: 64 };
        let two = mix.scenario(2).unwrap();
        assert_eq!(two.cpus, Cpus::Shared);
        assert_eq!(
            two.question,
            "Which model answers short requests in time, with 5 long requests \
             per second (50ms each) and 900 short requests per second from 64 \
             clients?"
        );
        assert_eq!(mix.scenario(4).unwrap().cpus, Cpus::Split);
        let none = Mix { long: None, short: None, clients: 1 };
        assert!(none.scenario(2).unwrap_err().contains("--short"));
    }
}
