//! Renders the timeline of a model: how it serves a client with long requests
//! and a client with short ones. The picture is not drawn by hand: a small
//! simulation applies the model's rule.

use anyhow::Context;
use charts::{Anchor, Svg, escaped};

/// The length of the simulation, in steps.
const STEPS: usize = 96;

/// How many steps a request of each client takes to compute.
const COMPUTE_STEPS: [usize; 2] = [20, 2];

/// How many steps each client waits between a reply and its next request.
const THINK_STEPS: [usize; 2] = [0, 4];

/// After how many steps the short client sends its first request. The long
/// client sends its own at once.
const DELAY_STEPS: usize = 3;

/// How many steps it takes to hand a request to a pool, or a result back.
const HANDOVER_STEPS: usize = 1;

/// For how many steps a CPython thread keeps the lock while another thread
/// waits for it: 5 ms, where a long request takes 20 ms.
const SWITCH_INTERVAL_STEPS: usize = 5;

const NAMES: [&str; 2] = ["long client", "short client"];

const LEFT: f64 = 100.0;
const RIGHT: f64 = 84.0;
const STEP: f64 = 5.0;
const LANE: f64 = 34.0;
const BAR: f64 = 18.0;
const FOOT: f64 = 22.0;

/// How a model shares the processor between the clients.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Only the first client is served.
    FirstClient,
    /// Each client has a core.
    Parallel,
    /// Each client has a core, but its requests are handed to a pool and back.
    Pool,
    /// One client is served at a time, until its request is computed.
    OneRequest,
    /// One client is served at a time, until a pool has returned its result.
    Stall,
    /// One client is served at a time, until its switch interval is over.
    OneInterval,
}

impl Rule {
    /// Returns `true` if only one client at a time has the turn.
    fn has_turns(self) -> bool {
        match self {
            Rule::FirstClient
            | Rule::OneRequest
            | Rule::Stall
            | Rule::OneInterval => true,
            Rule::Parallel | Rule::Pool => false,
        }
    }

    /// Returns `true` if requests are handed to a pool and back.
    fn has_pool(self) -> bool {
        match self {
            Rule::Pool | Rule::Stall => true,
            Rule::FirstClient
            | Rule::Parallel
            | Rule::OneRequest
            | Rule::OneInterval => false,
        }
    }
}

/// What a client, or its request, does in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    /// The client has no request.
    Thinks,
    /// The request waits until it is served.
    Waits,
    /// The request is on its way to a pool, or its result is on its way back.
    HandedOver,
    /// The request is computed.
    Computes,
}

impl Activity {
    /// Returns the CSS class, which sets the colour.
    fn class(self) -> &'static str {
        match self {
            Activity::Thinks => "thinks",
            Activity::Waits => "waits",
            Activity::HandedOver => "handed-over",
            Activity::Computes => "computes",
        }
    }

    /// Returns the words of the key and of the table.
    fn label(self) -> &'static str {
        match self {
            Activity::Thinks => "no request",
            Activity::Waits => "waiting",
            Activity::HandedOver => "on the way to a pool or back",
            Activity::Computes => "computing",
        }
    }
}

/// Activities in the order of the key and of the table.
const ACTIVITIES: [Activity; 4] = [
    Activity::Computes,
    Activity::Waits,
    Activity::HandedOver,
    Activity::Thinks,
];

/// Renders the timeline of a model: the picture, its key, and a table.
pub(crate) fn render(name: &str) -> anyhow::Result<String> {
    let (rule, caption) = model(name)?;
    let lanes = simulate(rule);
    let keys = ACTIVITIES.map(|activity| {
        let (class, label) = (activity.class(), activity.label());
        format!(" <span class=\"key {class}\">{label}</span>")
    });
    Ok(format!(
        "<figure class=\"timeline\">\n{}<figcaption>Rule: {}.{}\
         </figcaption>\n{}</figure>\n",
        picture(&lanes, &format!("Two clients of {name}: {caption}")),
        escaped(caption),
        keys.concat(),
        table(&lanes)
    ))
}

/// Draws a lane for each client.
fn picture(lanes: &[Vec<Activity>; 2], label: &str) -> String {
    let width = LEFT + STEPS as f64 * STEP + RIGHT;
    let height = 2.0 * LANE + FOOT;
    let mut svg = Svg::new([width, height], "chart wide", label);
    for (client, lane) in lanes.iter().enumerate() {
        let y = LANE * client as f64 + (LANE - BAR) / 2.0;
        let place = [LEFT - 8.0, y + BAR / 2.0 + 4.0];
        svg.text("name", place, Anchor::End, NAMES[client]);
        bars(&mut svg, lane, y);
        let place = [width - 2.0, y + BAR / 2.0 + 4.0];
        let text = match replies(client, lane) {
            1 => "1 reply".to_owned(),
            count => format!("{count} replies"),
        };
        svg.text("reading", place, Anchor::End, &text);
    }
    svg.text("tick", [LEFT, height - 6.0], Anchor::Start, "time →");
    svg.finish()
}

/// Draws a bar for each run of equal steps.
fn bars(svg: &mut Svg, lane: &[Activity], y: f64) {
    let mut start = 0;
    for run in lane.chunk_by(|a, b| a == b) {
        let x = LEFT + start as f64 * STEP;
        let width = run.len() as f64 * STEP;
        let bar = format!("M{x:.1} {y:.1}h{width:.1}v{BAR:.1}h-{width:.1}z");
        let label = run[0].label();
        let title = format!("{label}: {} of {STEPS} steps", run.len());
        svg.mark(run[0].class(), &bar, &title);
        start += run.len();
    }
}

/// Renders the lanes as numbers.
fn table(lanes: &[Vec<Activity>; 2]) -> String {
    let heads = ACTIVITIES.map(|a| format!("<th>{}</th>", a.label()));
    let mut html = format!(
        "<details><summary>The figures, in steps ({STEPS} in total)</summary>\
         <table><thead><tr><th></th><th>replies</th>{}</tr></thead>\
         <tbody>\n",
        heads.concat()
    );
    for (client, lane) in lanes.iter().enumerate() {
        let counts = ACTIVITIES.map(|activity| {
            let count = lane.iter().filter(|step| **step == activity).count();
            format!("<td>{count}</td>")
        });
        html += &format!(
            "<tr><td>{}</td><td>{}</td>{}</tr>\n",
            NAMES[client],
            replies(client, lane),
            counts.concat()
        );
    }
    html + "</tbody></table></details>\n"
}

const LOOP: &str = "while one request is computed, the loop serves no other";

/// The models, each with its rule and the caption that describes it.
const MODELS: [(&str, Rule, &str); 12] = [
    (
        "blocking",
        Rule::FirstClient,
        "the second client waits until the first has left",
    ),
    (
        "threads",
        Rule::Parallel,
        "each client has a thread, and each thread has a core",
    ),
    (
        "processes",
        Rule::Pool,
        "each request goes to a worker process, and its result comes back",
    ),
    ("mio", Rule::OneRequest, LOOP),
    ("coroutines", Rule::OneRequest, LOOP),
    (
        "stall",
        Rule::Stall,
        "the loop blocks until the pool is done, and serves no other request",
    ),
    ("coroutines-pool", Rule::Pool, "the loop is free while the pool computes"),
    ("mio-pool", Rule::Pool, "the loop is free while the pool computes"),
    ("tokio", Rule::Pool, "the runtime is free while the pool computes"),
    ("smol", Rule::Pool, "the executor is free while the pool computes"),
    ("async-std", Rule::Pool, "the executor is free while the pool computes"),
    (
        "gil",
        Rule::OneInterval,
        "one thread runs at a time, until its switch interval is over",
    ),
];

/// Returns the rule of a model, and its caption.
fn model(name: &str) -> anyhow::Result<(Rule, &'static str)> {
    let found = MODELS.into_iter().find(|(known, ..)| *known == name);
    let (_, rule, caption) = found.with_context(|| {
        let names = MODELS.map(|(known, ..)| known).join(", ");
        format!("no model `{name}`; expected one of {names}")
    })?;
    Ok((rule, caption))
}

/// The state of a client in the simulation.
#[derive(Clone, Copy)]
enum Client {
    /// The client sends its next request in `left` steps.
    Thinks { left: usize },
    /// The request reaches the pool, or its result the server, in `left` steps.
    HandedOver { left: usize, is_back: bool },
    /// The request needs `left` more steps to compute.
    Computes { left: usize },
}

/// Applies a rule to both clients, and returns what happens in each step.
fn simulate(rule: Rule) -> [Vec<Activity>; 2] {
    let mut simulation = Simulation::new(rule);
    let mut lanes = [Vec::new(), Vec::new()];
    for _ in 0..STEPS {
        simulation.schedule();
        // The turn of this step is settled before either client advances.
        let turns = [0, 1].map(|client| simulation.has_turn(client));
        for client in 0..2 {
            let activity = simulation.advance(client, turns[client]);
            lanes[client].push(activity);
        }
    }
    lanes
}

/// Two clients that share a server by a rule.
struct Simulation {
    rule: Rule,
    clients: [Client; 2],
    /// The client that has the turn, if only one at a time can have it.
    turn: Option<usize>,
    /// For how many steps the other client has waited for the turn.
    waited_for: usize,
}

impl Simulation {
    fn new(rule: Rule) -> Simulation {
        let clients = [request(rule, 0), Client::Thinks { left: DELAY_STEPS }];
        Simulation { rule, clients, turn: None, waited_for: 0 }
    }

    /// Decides which client has the turn in the next step.
    fn schedule(&mut self) {
        if !self.rule.has_turns() {
            return;
        }
        if self.rule == Rule::FirstClient {
            self.turn = Some(0);
        } else if self.turn.is_none_or(|client| self.gives_way(client)) {
            let order = match self.turn {
                Some(client) => [other(client), client],
                None => [0, 1],
            };
            self.turn = order.into_iter().find(|client| self.wants(*client));
            self.waited_for = 0;
        }
        let is_waited_for =
            self.turn.is_some_and(|client| self.wants(other(client)));
        self.waited_for = if is_waited_for { self.waited_for + 1 } else { 0 };
    }

    /// Returns `true` if the client with the turn must give it to the other.
    fn gives_way(&self, client: usize) -> bool {
        !self.wants(client)
            || self.rule == Rule::OneInterval
                && self.waited_for > SWITCH_INTERVAL_STEPS
                && self.wants(other(client))
    }

    /// Returns `true` if the client needs the turn.
    fn wants(&self, client: usize) -> bool {
        match self.clients[client] {
            Client::Thinks { .. } => false,
            Client::Computes { .. } => true,
            // A loop that blocks on its pool keeps the turn meanwhile.
            Client::HandedOver { .. } => self.rule == Rule::Stall,
        }
    }

    fn has_turn(&self, client: usize) -> bool {
        !self.rule.has_turns() || self.turn == Some(client)
    }

    /// Advances a client by one step, and returns what it does in that step.
    fn advance(&mut self, client: usize, has_turn: bool) -> Activity {
        let has_pool = self.rule.has_pool();
        let (activity, next) =
            step(self.clients[client], has_turn, has_pool, client);
        self.clients[client] = match next {
            Some(Client::Thinks { left: 0 }) => request(self.rule, client),
            Some(next) => next,
            None if THINK_STEPS[client] == 0 => request(self.rule, client),
            None => Client::Thinks { left: THINK_STEPS[client] },
        };
        if next.is_none() {
            self.pass_turn(client);
        }
        activity
    }

    /// Gives the turn to the other client if it waits for the turn.
    fn pass_turn(&mut self, client: usize) {
        if self.turn == Some(client)
            && self.rule != Rule::FirstClient
            && self.wants(other(client))
        {
            self.turn = Some(other(client));
            self.waited_for = 0;
        }
    }
}

fn other(client: usize) -> usize {
    1 - client
}

/// Returns the state of a client that has just sent a request.
fn request(rule: Rule, client: usize) -> Client {
    if rule.has_pool() {
        Client::HandedOver { left: HANDOVER_STEPS, is_back: false }
    } else {
        Client::Computes { left: COMPUTE_STEPS[client] }
    }
}

/// Returns what a client does in a step, and its state after the step, which is
/// `None` if the reply has arrived.
fn step(
    client: Client,
    has_turn: bool,
    has_pool: bool,
    index: usize,
) -> (Activity, Option<Client>) {
    match client {
        Client::Thinks { left } => {
            let left = left - 1;
            (Activity::Thinks, Some(Client::Thinks { left }))
        }
        Client::HandedOver { .. } | Client::Computes { .. } if !has_turn => {
            (Activity::Waits, Some(client))
        }
        Client::HandedOver { left, is_back } => {
            let next = if left > 1 {
                Some(Client::HandedOver { left: left - 1, is_back })
            } else if is_back {
                None
            } else {
                Some(Client::Computes { left: COMPUTE_STEPS[index] })
            };
            (Activity::HandedOver, next)
        }
        Client::Computes { left: 1 } => {
            let back =
                Client::HandedOver { left: HANDOVER_STEPS, is_back: true };
            (Activity::Computes, has_pool.then_some(back))
        }
        Client::Computes { left } => {
            (Activity::Computes, Some(Client::Computes { left: left - 1 }))
        }
    }
}

/// Returns how many requests of a client were computed completely.
fn replies(client: usize, lane: &[Activity]) -> usize {
    let computed = lane.iter().filter(|step| **step == Activity::Computes);
    computed.count() / COMPUTE_STEPS[client]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replies_of(model: &str) -> [usize; 2] {
        let (rule, _) = super::model(model).unwrap();
        let lanes = simulate(rule);
        [0, 1].map(|client| replies(client, &lanes[client]))
    }

    #[test]
    fn threads_serve_both_clients_at_full_speed() {
        let [long, short] = replies_of("threads");
        assert_eq!(long, STEPS / COMPUTE_STEPS[0]);
        let period = COMPUTE_STEPS[1] + THINK_STEPS[1];
        assert_eq!(short, (STEPS - DELAY_STEPS).div_ceil(period));
    }

    #[test]
    fn a_blocking_server_serves_only_the_first_client() {
        let [long, _] = replies_of("threads");
        assert_eq!(replies_of("blocking"), [long, 0]);
    }

    #[test]
    fn a_loop_alternates_between_long_and_short_requests() {
        for model in ["mio", "stall"] {
            let [long, short] = replies_of(model);
            assert!(long.abs_diff(short) <= 1, "{model}: {long} {short}");
        }
    }

    #[test]
    fn a_pool_serves_nearly_all_short_requests() {
        let [_, threaded] = replies_of("threads");
        let [_, pooled] = replies_of("mio-pool");
        assert!(pooled > 8 && pooled < threaded, "{pooled}");
    }

    #[test]
    fn a_global_lock_is_better_than_a_loop_and_worse_than_a_pool() {
        let [_, looped] = replies_of("stall");
        let [_, pooled] = replies_of("mio-pool");
        let [_, locked] = replies_of("gil");
        assert!(locked > looped && locked < pooled, "{locked}");
    }

    #[test]
    fn an_unknown_model_is_an_error() {
        let error = render("fibres").unwrap_err().to_string();
        assert!(error.contains("expected one of blocking"), "{error}");
    }
}
