//! A made-up record with turns, for tests: `b` is equal to `a`, `c` costs 16 %
//! more, `d` varies too much to be decided, and `e` fails with 64 clients.

use fastrand::Rng;

use crate::model::contestant::{Contestant, Label};
use crate::model::load_report::{Bottleneck, GroupReport, LoadReport};
use crate::model::machine::Machine;
use crate::model::placement::Placement;
use crate::model::reading::Reading;
use crate::model::record::{Entrant, Record, Round, Turn, Void};
use crate::model::scenarios::Scenario;
use crate::model::times::Times;

/// The number of rounds.
const ROUNDS: u64 = 8;

/// The number of turns in a round.
const TURNS: u64 = 5;

/// The length of a turn.
const WINDOW_NS: u64 = 100_000_000;

/// The scenarios: name, number of clients, service time in nanoseconds, and
/// figures. `apart` is the baseline of `interference@1`.
const SCENARIOS: [(&str, usize, f64, &str); 5] = [
    ("apart@1", 1, 50_000.0, ""),
    ("perf1", 1, 50_000_000.0, "'time'"),
    ("perf2", 1, 50_000.0, "'rate', 'p50'"),
    ("perf2-crowd", 64, 500_000.0, "'cost', 'rate', 'p99'"),
    ("interference@1", 1, 50_000.0, "'left'"),
];

/// A contestant: its name, how many times the usual cost it has, how much it
/// varies from turn to turn, and what is left of its rate beside a long
/// request.
struct Made {
    name: &'static str,
    cost: f64,
    variation: f64,
    left: f64,
}

const CONTESTANTS: [Made; 6] = [
    Made { name: "a", cost: 1.0, variation: 0.02, left: 0.98 },
    Made { name: "b", cost: 1.0, variation: 0.02, left: 0.97 },
    Made { name: "c", cost: 1.16, variation: 0.02, left: 0.4 },
    Made { name: "d", cost: 1.02, variation: 0.2, left: 0.0004 },
    Made { name: "e", cost: 1.5, variation: 0.02, left: 0.35 },
    Made { name: "a-again", cost: 1.0, variation: 0.02, left: 0.98 },
];

/// Returns the record.
pub(crate) fn record() -> Record {
    let mut machine = Machine::made_up(vec![0, 1]);
    machine.processor = Reading::from(Ok("Made-up CPU".to_owned()));
    machine.kernel = "Linux 6.0 x86_64".to_owned();
    let mut record = Record::new(42, ROUNDS, machine);
    record.complete = true;
    record.started = "2026-01-01T00:00:00Z".to_owned();
    record.entrants = CONTESTANTS.iter().map(entrant).collect();
    record.scenarios = SCENARIOS.map(scenario).to_vec();
    let mut random = Rng::with_seed(1);
    for (index, (name, ..)) in SCENARIOS.iter().enumerate() {
        let scenario = record.scenarios[index].clone();
        for round in 1..=ROUNDS {
            // The machine's speed, which changes from cycle to cycle.
            let speeds: Vec<f64> =
                (0..TURNS).map(|_| 1.0 + 0.2 * random.f64()).collect();
            for made in &CONTESTANTS {
                let measured =
                    measured(&scenario, made, round, &speeds, &mut random);
                record.cell_mut(name, made.name).rounds.push(measured);
            }
        }
    }
    let reason = "clients: 3 connections reset".to_owned();
    let void = &mut record.cell_mut("perf2-crowd", "e").void;
    *void = Some(Void::new(2, reason, true));
    record
}

fn entrant(made: &Made) -> Entrant {
    let mut contestant = Contestant::peer(made.name.to_owned(), Vec::new());
    if made.name != "e" {
        contestant.label = Label::Idiomatic;
    }
    let version = Reading::missing("made up");
    let mut entrant = Entrant::new(contestant, version);
    if made.name == "a-again" {
        entrant.alias_of = Some("a".to_owned());
    }
    entrant
}

fn scenario(
    (name, connections, _, figures): (&str, usize, f64, &str),
) -> Scenario {
    let text = format!(
        "question = 'How?'\nexpectation = ''\nanalysis = ''\n\
         window = '100ms'\nof = 'short'\nfigures = [{figures}]\n\
         [[group]]\nname = 'short'\nconnections = {connections}\nn = 1\n"
    );
    let mut scenario: Scenario = toml::from_str(&text).unwrap();
    scenario.name = name.to_owned();
    if let Some((base, value)) = name.split_once('@') {
        let text = format!("value = {value}\nof = '{base}'");
        scenario.point = toml::from_str(&text).ok();
        scenario.against = (name != "apart@1").then(|| "apart@1".to_owned());
    }
    scenario
}

fn measured(
    scenario: &Scenario,
    made: &Made,
    number: u64,
    speeds: &[f64],
    random: &mut Rng,
) -> Round {
    let (_, clients, time_ns, _) = SCENARIOS
        .into_iter()
        .find(|(name, ..)| *name == scenario.name)
        .unwrap();
    let turns: Vec<Turn> = (1..=TURNS)
        .zip(speeds)
        .map(|(cycle, speed)| {
            let own = 1.0 + made.variation * (random.f64() - 0.5);
            let left = if scenario.against.is_some() { made.left } else { 1.0 };
            let time_ns = time_ns * made.cost * speed * own;
            let rate = clients as f64 * 1e9 / time_ns * left;
            let replies = (rate * WINDOW_NS as f64 / 1e9) as u64;
            let cost_ns = 5_000.0 * made.cost * speed * own;
            Turn {
                cycle,
                place: 1,
                window_ns: WINDOW_NS,
                replies: vec![replies],
                server_cpu_ns: Some((cost_ns * replies as f64) as u64),
                generator_busiest_ns: WINDOW_NS / 2,
                p50_ns: Some(time_ns as u64),
                p99_ns: Some((time_ns * 2.0) as u64),
            }
        })
        .collect();
    Round {
        round: number,
        place: 1,
        placement: Placement { server: vec![0], load: vec![1] },
        bottleneck: Bottleneck::Neither,
        capacity: Reading::missing("not asked"),
        report: report(&turns),
        turns,
    }
}

/// Returns the sums over the turns of a round.
fn report(turns: &[Turn]) -> LoadReport {
    let mut group = GroupReport::made_up("short");
    group.replies = turns.iter().map(|turn| turn.replies[0]).sum();
    let times: Vec<(u64, u64)> = turns
        .iter()
        .flat_map(|turn| {
            let many = turn.replies[0].max(1) * 49 / 50;
            let few = turn.replies[0].max(1) - many;
            [(turn.p50_ns.unwrap(), many), (turn.p99_ns.unwrap(), few)]
        })
        .collect();
    group.service_ns = Times::of(&times);
    let mut report = LoadReport::made_up(vec![group]);
    report.window_ns = WINDOW_NS * TURNS;
    report.generator_busiest_ns = Some(report.window_ns / 2);
    let cpu_ns = turns.iter().filter_map(|turn| turn.server_cpu_ns).sum();
    report.server_cpu_ns = Reading::from(Ok(cpu_ns));
    report.server_switches_voluntary =
        Reading::from(Ok(report.replies() * 2 / 3));
    report.server_switches_involuntary =
        Reading::from(Ok(report.replies() / 100));
    report
}
