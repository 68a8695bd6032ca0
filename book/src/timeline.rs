//! The same picture in every chapter: two clients, one with long requests and
//! one with short ones, and what a model makes of them. Nobody draws it: a
//! little simulation plays the model's rule.

use anyhow::Context;
use charts::{Anchor, Svg, escaped};

/// The time that is shown, in steps. A long request computes for 20.
const STEPS: usize = 96;

/// How long a request computes, for each of the two clients.
const COMPUTES: [usize; 2] = [20, 2];

/// How long the short client does something else between two requests.
const THINKS: [usize; 2] = [0, 4];

/// What it takes to hand a request to a pool, or an answer back.
const CROSSING: usize = 1;

/// What CPython computes before it looks for somebody else (5 ms of 20).
const SWITCH_INTERVAL: usize = 5;

const NAMES: [&str; 2] = ["long client", "short client"];

const LEFT: f64 = 100.0;
const RIGHT: f64 = 84.0;
const STEP: f64 = 5.0;
const LANE: f64 = 34.0;
const BAR: f64 = 18.0;
const FOOT: f64 = 22.0;

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Only that of the client who came first.
    FirstClient,
    /// Everybody's: there is a core for each.
    Everybody,
    /// Everybody's, after a way to the pool, and before one back.
    Pool,
    /// One at a time, each until its request is computed.
    OneRequest,
    /// The same, with a pool that is waited for.
    Stall,
    /// One at a time, each until it is interrupted.
    OneInterval,
}

/// What happens to a client in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happens {
    /// It does something else.
    Thinks,
    /// Its request waits for its turn.
    Waits,
    /// Its request is on the way to the pool, or back.
    Crosses,
    /// Its request is computed.
    Computes,
}

/// Draws what a model makes of the two.
pub(crate) fn of(model: &str) -> anyhow::Result<String> {
    let (rule, says) = rule(model)?;
    let lanes = play(rule);
    let width = LEFT + STEPS as f64 * STEP + RIGHT;
    let height = 2.0 * LANE + FOOT;
    let label = format!("Two clients of {model}: {says}");
    let mut svg = Svg::new([width, height], "chart wide", &label);
    for (client, lane) in lanes.iter().enumerate() {
        let y = LANE * client as f64 + (LANE - BAR) / 2.0;
        let place = [LEFT - 8.0, y + BAR / 2.0 + 4.0];
        svg.text("name", place, Anchor::End, NAMES[client]);
        let mut start = 0;
        for part in lane.chunk_by(|one, other| one == other) {
            let class = match part[0] {
                Happens::Thinks => "thinks",
                Happens::Waits => "waits",
                Happens::Crosses => "crosses",
                Happens::Computes => "computes",
            };
            let x = LEFT + start as f64 * STEP;
            let width = part.len() as f64 * STEP;
            let bar =
                format!("M{x:.1} {y:.1}h{width:.1}v{BAR:.1}h-{width:.1}z");
            let title = format!("{class} for {} of {STEPS} steps", part.len());
            svg.mark(class, &bar, &title);
            start += part.len();
        }
        let answered = answers(lane);
        let place = [width - 2.0, y + BAR / 2.0 + 4.0];
        let text = match answered {
            1 => "1 answer".to_owned(),
            count => format!("{count} answers"),
        };
        svg.text("reading", place, Anchor::End, &text);
    }
    let y = height - 6.0;
    svg.text("tick", [LEFT, y], Anchor::Start, "time →");
    Ok(format!(
        "<figure class=\"timeline\">\n{}<figcaption>{}. \
         <span class=\"key computes\">computing</span> \
         <span class=\"key waits\">waiting for its turn</span> \
         <span class=\"key crosses\">on the way to a pool and back</span> \
         <span class=\"key thinks\">not asking</span>\
         </figcaption>\n{}</figure>\n",
        svg.finish(),
        escaped(says),
        table(&lanes)
    ))
}

/// What the picture shows, in numbers.
fn table(lanes: &[Vec<Happens>; 2]) -> String {
    let mut html = format!(
        "<details><summary>The figures: steps of {STEPS}</summary><table>\
         <thead><tr><th></th><th>answers</th><th>computing</th>\
         <th>waiting for its turn</th><th>on the way</th>\
         <th>not asking</th></tr></thead>\
         <tbody>\n"
    );
    for (name, lane) in NAMES.iter().zip(lanes) {
        let count = |what| lane.iter().filter(|step| **step == what).count();
        html += &format!(
            "<tr><td>{name}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td></tr>\n",
            answers(lane),
            count(Happens::Computes),
            count(Happens::Waits),
            count(Happens::Crosses),
            count(Happens::Thinks)
        );
    }
    html + "</tbody></table></details>\n"
}

fn rule(model: &str) -> anyhow::Result<(Rule, &'static str)> {
    let rules = [
        (
            "blocking",
            Rule::FirstClient,
            "the second client waits until the first has left",
        ),
        (
            "threads",
            Rule::Everybody,
            "each has a thread, and there is a core for each",
        ),
        (
            "processes",
            Rule::Pool,
            "each request crosses to a worker process and back",
        ),
        ("mio", Rule::OneRequest, "whoever is computed for holds up the loop"),
        (
            "coroutines",
            Rule::OneRequest,
            "whoever is computed for holds up the loop",
        ),
        (
            "stall",
            Rule::Stall,
            "the loop waits for its pool, and so does everybody",
        ),
        (
            "coroutines-pool",
            Rule::Pool,
            "the loop is free while the pool computes",
        ),
        ("mio-pool", Rule::Pool, "the loop is free while the pool computes"),
        ("tokio", Rule::Pool, "the runtime is free while the pool computes"),
        ("smol", Rule::Pool, "the executor is free while the pool computes"),
        (
            "async-std",
            Rule::Pool,
            "the executor is free while the pool computes",
        ),
        (
            "gil",
            Rule::OneInterval,
            "one thread at a time, which gives way only now and then",
        ),
    ];
    let found = rules.iter().find(|(name, ..)| *name == model);
    let names: Vec<&str> = rules.iter().map(|(name, ..)| *name).collect();
    let (_, rule, says) = found.with_context(|| {
        format!("no model `{model}`; there are {}", names.join(", "))
    })?;
    Ok((*rule, says))
}

/// A client in the simulation.
#[derive(Clone, Copy)]
enum Client {
    Thinks { left: usize },
    Crosses { left: usize, is_back: bool },
    Wants { left: usize },
}

/// Plays a rule.
fn play(rule: Rule) -> [Vec<Happens>; 2] {
    let crosses = matches!(rule, Rule::Pool | Rule::Stall);
    let ask = |client: usize| match crosses {
        true => Client::Crosses { left: CROSSING, is_back: false },
        false => Client::Wants { left: COMPUTES[client] },
    };
    // The long client comes first, the other one a moment later.
    let mut clients = [ask(0), Client::Thinks { left: 3 }];
    let mut lanes = [Vec::new(), Vec::new()];
    let mut holder: Option<usize> = None;
    let mut held = 0;
    for _ in 0..STEPS {
        let wants = |client: usize| match clients[client] {
            Client::Thinks { .. } => false,
            Client::Wants { .. } => true,
            // A loop that waits for its pool is held on the way, too.
            Client::Crosses { .. } => rule == Rule::Stall,
        };
        let other = |client: usize| 1 - client;
        let is_alone = !matches!(rule, Rule::Everybody | Rule::Pool);
        if is_alone {
            let gives_way = |client: usize| {
                !wants(client)
                    || rule == Rule::OneInterval
                        && held > SWITCH_INTERVAL
                        && wants(other(client))
            };
            if rule == Rule::FirstClient {
                holder = Some(0);
            } else if holder.is_none_or(gives_way) {
                let next = match holder {
                    Some(client) => [other(client), client],
                    None => [0, 1],
                };
                holder = next.into_iter().find(|client| wants(*client));
                held = 0;
            }
            // The interval runs from when somebody else began to wait.
            let is_waited_for =
                holder.is_some_and(|client| wants(other(client)));
            held = if is_waited_for { held + 1 } else { 0 };
        }
        let has_turn = |client: usize| !is_alone || holder == Some(client);
        let turns = [has_turn(0), has_turn(1)];
        for client in 0..2 {
            let (happens, next) =
                step(clients[client], turns[client], crosses, client);
            lanes[client].push(happens);
            let is_done = matches!(clients[client], Client::Wants { left: 1 })
                && turns[client]
                && !crosses;
            clients[client] = match next {
                Some(next) => next,
                None if THINKS[client] == 0 => ask(client),
                None => Client::Thinks { left: THINKS[client] },
            };
            if matches!(clients[client], Client::Thinks { left: 0 }) {
                clients[client] = ask(client);
            }
            if (is_done || next.is_none())
                && holder == Some(client)
                && rule != Rule::FirstClient
                && wants_turn(clients[other(client)], rule)
            {
                holder = Some(other(client));
                held = 0;
            }
        }
    }
    lanes
}

fn wants_turn(client: Client, rule: Rule) -> bool {
    match client {
        Client::Thinks { .. } => false,
        Client::Wants { .. } => true,
        Client::Crosses { .. } => rule == Rule::Stall,
    }
}

/// What happens to a client in a step, and what it is then; nothing, if its
/// answer has come.
fn step(
    client: Client,
    has_turn: bool,
    crosses: bool,
    index: usize,
) -> (Happens, Option<Client>) {
    match client {
        Client::Thinks { left } => {
            let left = left - 1;
            (Happens::Thinks, Some(Client::Thinks { left }))
        }
        _ if !has_turn => (Happens::Waits, Some(client)),
        Client::Crosses { left, is_back } => {
            let next = match (left, is_back) {
                (1, true) => None,
                (1, false) => Some(Client::Wants { left: COMPUTES[index] }),
                (left, is_back) => {
                    Some(Client::Crosses { left: left - 1, is_back })
                }
            };
            (Happens::Crosses, next)
        }
        Client::Wants { left: 1 } => {
            let back = Client::Crosses { left: CROSSING, is_back: true };
            (Happens::Computes, crosses.then_some(back))
        }
        Client::Wants { left } => {
            (Happens::Computes, Some(Client::Wants { left: left - 1 }))
        }
    }
}

/// How many answers came: how often computing ended.
fn answers(lane: &[Happens]) -> usize {
    let mut count = 0;
    let mut computed = 0;
    for happens in lane {
        computed += usize::from(*happens == Happens::Computes);
    }
    let of = if lane.first() == Some(&Happens::Thinks) {
        COMPUTES[1]
    } else {
        COMPUTES[0]
    };
    count += computed / of;
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(model: &str) -> [usize; 2] {
        let (rule, _) = rule(model).unwrap();
        play(rule).map(|lane| answers(&lane))
    }

    #[test]
    fn each_model_treats_the_two_as_it_should() {
        // As many as there is time for.
        let [long, short] = answered("threads");
        assert_eq!(long, STEPS / COMPUTES[0]);
        assert_eq!(short, (STEPS - 3).div_ceil(COMPUTES[1] + THINKS[1]));
        assert_eq!(answered("blocking"), [long, 0]);
        // One for one.
        let [long, short] = answered("mio");
        assert!(long.abs_diff(short) <= 1, "{long} {short}");
        let [long, short] = answered("stall");
        assert!(long.abs_diff(short) <= 1, "{long} {short}");
        // Nearly all, at a price.
        let [_, pooled] = answered("mio-pool");
        assert!(pooled > 8 && pooled < answered("threads")[1], "{pooled}");
        // Between the two.
        let [_, under_gil] = answered("gil");
        assert!(under_gil > short && under_gil < pooled, "{under_gil}");
    }

    #[test]
    fn an_unknown_model_is_an_error() {
        let error = of("fibres").unwrap_err().to_string();
        assert!(error.contains("there are blocking"), "{error}");
    }
}
