//! The notes under a table: how reliable the figures of a run are, and why.

use std::collections::BTreeMap;

use crate::analysis::findings::Findings;
use crate::analysis::units;
use crate::model::contestant::{Contestant, ModelTrait};
use crate::model::figure::Figure;
use crate::model::record::Record;
use crate::model::scenarios::Scenario;
use crate::output::system_calls;

/// The share of the time of naive recursion below which a contestant must
/// compute `fib` in another way. Compilers alone differ by less.
const SHORTCUT_SHARE: f64 = 0.4;

/// The number of suspect figures that are named per reason.
const SUSPECTS_NAMED: usize = 6;

/// Returns all notes on a run.
pub(crate) fn notes(record: &Record) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(incomplete(record));
    notes.push(noise(record));
    notes.extend(by_design(record));
    notes.extend(bottlenecks(record));
    notes.extend(missing(record));
    notes.extend(without_figures(record));
    notes.extend(shortcuts(record));
    notes.extend(skipped(record));
    notes.extend(suspects(record));
    notes.extend(missed(record));
    notes.extend(system_calls(record));
    notes.extend(voids(record));
    notes.push(conditions(record));
    notes.extend(calibration(record));
    notes.push(machine(record));
    notes
}

/// Returns the notes that don't depend on how the figures are compared.
pub(crate) fn circumstances(record: &Record) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(incomplete(record));
    notes.extend(bottlenecks(record));
    notes.extend(missing(record));
    notes.extend(shortcuts(record));
    notes.extend(skipped(record));
    notes.extend(missed(record));
    notes.extend(voids(record));
    notes.push(conditions(record));
    notes.extend(calibration(record));
    notes.push(machine(record));
    notes
}

fn incomplete(record: &Record) -> Option<String> {
    let text = "incomplete: the run was interrupted; the figures are from the \
                rounds before that";
    (!record.complete).then(|| text.to_owned())
}

fn noise(record: &Record) -> String {
    let findings = Findings::of(record);
    let Some((_, first)) = findings.alias() else {
        return "noise floor: not measured".to_owned();
    };
    let figures = record.scenarios.iter().flat_map(|scenario| {
        scenario.figures.iter().map(move |figure| (scenario, *figure))
    });
    let floors: Vec<String> = figures
        .filter_map(|(scenario, figure)| {
            let floor = units::floor(findings.noise_floor(scenario, figure)?);
            let (name, figure) = (&scenario.name, figure.name());
            Some(format!("{name} {figure} {floor}"))
        })
        .collect();
    if floors.is_empty() {
        return format!(
            "noise floor: unknown, because {first} was not measured twice; \
             ties are based only on the intervals"
        );
    }
    let shown = record.scenarios.iter().flat_map(|s| &s.figures).count();
    let unknown = match shown - floors.len() {
        0 => "",
        _ => "; where it is unknown, ties are based only on the intervals",
    };
    format!(
        "noise floor of this run ({first} compared with itself): {}; smaller \
         differences are ties{unknown}",
        floors.join(", ")
    )
}

fn by_design(record: &Record) -> Vec<String> {
    let meet = |scenario: &Scenario| {
        scenario.groups.iter().map(|group| group.connections).sum::<usize>() > 1
    };
    if !record.scenarios.iter().any(meet) {
        return Vec::new();
    }
    let kinds = [
        (
            ModelTrait::OneClientAtATime,
            "serves one client at a time; the others wait until it leaves",
        ),
        (
            ModelTrait::ComputesInline,
            "computes in its event loop; meanwhile, all clients wait",
        ),
        (
            ModelTrait::WaitsForItsPool,
            "waits for its pool in its event loop; meanwhile, all clients wait",
        ),
    ];
    let reason_of = |contestant: &Contestant| {
        let kind = kinds.iter().find(|(kind, _)| contestant.is(*kind));
        kind.map(|(_, what)| format!("by design: {} {what}", contestant.name))
    };
    let beyond = record.cells.iter().flat_map(|(scenario, row)| {
        row.iter().filter_map(move |(entrant, cell)| {
            let reason = cell.by_design.as_ref()?;
            Some(format!("by design: {entrant} not in {scenario}: {reason}"))
        })
    });
    record.contestants().filter_map(reason_of).chain(beyond).collect()
}

fn bottlenecks(record: &Record) -> Vec<String> {
    let findings = Findings::of(record);
    let busy_in = |scenario: &Scenario| {
        let busy = record.contestants().filter_map(|contestant| {
            let name = contestant.name.as_str();
            let share = findings.busy_generator(scenario, name)?;
            Some(format!("{:.0} % with {name}", share * 100.0))
        });
        let busy: Vec<String> = busy.collect();
        (!busy.is_empty()).then(|| {
            format!(
                "{}: the rate is a lower bound, because the load generator was \
                 the bottleneck (use of its core): {}",
                scenario.name,
                busy.join(", ")
            )
        })
    };
    record.scenarios.iter().filter_map(busy_in).collect()
}

/// Returns the reasons why figures are missing, each one once.
fn missing(record: &Record) -> Vec<String> {
    let rounds = record
        .cells
        .values()
        .flat_map(|row| row.values())
        .flat_map(|cell| &cell.rounds);
    let mut reasons: Vec<String> = rounds
        .flat_map(|round| {
            let report = &round.report;
            let counts = report.counts.as_ref();
            [
                ("cost", report.server_cpu_ns.reason.as_ref()),
                ("rss", report.server_rss_bytes.reason.as_ref()),
                (
                    "instructions",
                    counts.and_then(|c| c.instructions.reason.as_ref()),
                ),
            ]
        })
        .filter_map(|(what, reason)| Some(format!("no {what}: {}", reason?)))
        .collect();
    reasons.sort();
    reasons.dedup();
    reasons
}

/// Lists the cells that were measured but have no value for a figure.
fn without_figures(record: &Record) -> Vec<String> {
    let mut notes = Vec::new();
    for scenario in &record.scenarios {
        for &figure in &scenario.figures {
            let why = match figure {
                // These have a reason in the record.
                Figure::Cost
                | Figure::Rss
                | Figure::Threads
                | Figure::VoluntarySwitches
                | Figure::InvoluntarySwitches
                | Figure::Instructions
                | Figure::CacheMisses => continue,
                Figure::P99 | Figure::ResponseP99 => {
                    "fewer than 1,000 replies in the window (--duration sets \
                     a longer window)"
                }
                Figure::Left => "no round has the rates of both scenarios",
                Figure::PerClient => "its memory did not grow",
                Figure::Time
                | Figure::Rate
                | Figure::P50
                | Figure::ResponseP50 => {
                    "no reply in the window (--duration sets a longer window)"
                }
            };
            let is_silent = |name: &&str| {
                let cell = record.cell(&scenario.name, name);
                let is_measured = cell.is_some_and(|cell| {
                    cell.void.is_none() && !cell.rounds.is_empty()
                });
                is_measured && record.figure(scenario, name, figure).is_empty()
            };
            let names = record.contestants().map(|c| c.name.as_str());
            let names: Vec<&str> = names.filter(is_silent).collect();
            if !names.is_empty() {
                notes.push(format!(
                    "no {} in {} for {}: {why}",
                    figure.name(),
                    scenario.name,
                    names.join(", ")
                ));
            }
        }
    }
    notes
}

/// Lists the contestants that answer faster than naive recursion can, which is
/// known from the calibration.
fn shortcuts(record: &Record) -> Vec<String> {
    let findings = Findings::of(record);
    let mut notes = Vec::new();
    for scenario in &record.scenarios {
        let measured = scenario.measured();
        let Some(cost) = measured.and_then(|group| group.cost) else {
            continue;
        };
        for contestant in record.contestants() {
            let fib = contestant.fib.as_deref();
            let mut known = record.calibration.iter();
            let known = known.find(|known| known.is_for(cost, fib));
            let Some(calibrated) = known else { continue };
            let name = contestant.name.as_str();
            let found = findings.estimate(scenario, name, Figure::Time);
            let Some(time) = found else { continue };
            if time.value < calibrated.took_ns as f64 * SHORTCUT_SHARE {
                notes.push(format!(
                    "{name} in {}: it answers n = {} in {}; naive recursion \
                     takes {} here, so it must compute in another way",
                    scenario.name,
                    calibrated.n,
                    units::time(time.value),
                    units::time(calibrated.took_ns as f64)
                ));
            }
        }
    }
    notes
}

/// Lists the contestants that were skipped, with the reasons.
fn skipped(record: &Record) -> Vec<String> {
    let skipped = record.skipped.iter();
    skipped.map(|(name, why)| format!("skipped: {name}: {why}")).collect()
}

/// Lists the unreliable figures, by reason.
pub(crate) fn suspects(record: &Record) -> Vec<String> {
    let findings = Findings::of(record);
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for scenario in &record.scenarios {
        for &figure in &scenario.figures {
            for contestant in record.contestants() {
                let name = contestant.name.as_str();
                for doubt in findings.doubts(scenario, name, figure) {
                    let (scenario, figure) = (&scenario.name, figure.name());
                    let cell = format!("{scenario} {figure} of {name}");
                    by_reason.entry(doubt.reason()).or_default().push(cell);
                }
            }
        }
    }
    let lines = by_reason.into_iter().map(|(reason, cells)| {
        format!("suspect (?), {reason}: {}", first_few(&cells))
    });
    lines.collect()
}

/// Names the first of some figures, and counts the others.
pub(crate) fn first_few(suspects: &[String]) -> String {
    let more = suspects.len().saturating_sub(SUSPECTS_NAMED);
    let named = suspects[..suspects.len() - more].join(", ");
    match more {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Lists the system calls per reply of traced cells, the frequent ones by name.
fn system_calls(record: &Record) -> Vec<String> {
    let cells = record.cells.iter().flat_map(|(scenario, row)| {
        row.iter().map(move |(entrant, cell)| (scenario, entrant, cell))
    });
    let lines = cells.filter_map(|(scenario, entrant, cell)| {
        let counts = cell.system_calls.value.as_ref()?;
        let (all, often) = system_calls::in_words(counts);
        Some(format!(
            "system calls per reply: {entrant} in {scenario}: {} ({often})",
            units::number(all)
        ))
    });
    lines.collect()
}

/// Lists rounds that are left out because the load generator failed.
fn missed(record: &Record) -> Vec<String> {
    let cells = record.cells.iter().flat_map(|(scenario, row)| {
        row.iter().map(move |(entrant, cell)| (scenario, entrant, cell))
    });
    let lines = cells.filter_map(|(scenario, entrant, cell)| {
        let (round, reason) = cell.missed.first_key_value()?;
        let count = cell.missed.len();
        Some(format!(
            "left out: {count} of {} rounds of {entrant} in {scenario}; \
             round {round}, the first of them: {reason}",
            count + cell.rounds.len()
        ))
    });
    lines.collect()
}

fn voids(record: &Record) -> Vec<String> {
    let voids = record.voids().map(|(scenario, entrant, void)| {
        let log = void.log.iter().map(|line| format!("\n    {line}"));
        let log: String = log.collect();
        let (round, reason) = (void.round, &void.reason);
        format!("void: {entrant} in {scenario}, round {round}: {reason}{log}")
    });
    voids.collect()
}

fn conditions(record: &Record) -> String {
    let windows = record.scenarios.iter().map(|scenario| scenario.window);
    let [shortest, longest] = [windows.clone().min(), windows.max()]
        .map(|window| humantime::format_duration(window.unwrap_or_default()));
    let windows = if shortest.to_string() == longest.to_string() {
        format!("{longest}")
    } else {
        format!("{shortest} to {longest}")
    };
    let rounds = record.rounds_done();
    let cells = record.cells.values().flat_map(|row| row.values());
    let counts = cells.map(|cell| cell.rounds.len()).filter(|n| *n > 0);
    let fewest = counts.min().unwrap_or(0);
    let of = if record.complete {
        String::new()
    } else {
        format!(" of {}", record.rounds)
    };
    let done = if fewest == rounds {
        format!("{rounds}{of}")
    } else {
        format!("{fewest} to {rounds}{of}")
    };
    let few = match rounds {
        1 => " (a single round has no interval)",
        2..=5 => " (the intervals span all of them)",
        6..=8 => " (the intervals leave out the lowest and the highest)",
        _ => "",
    };
    format!(
        "rounds: {done}{few}; windows of {windows}; seed {}; medians with \
         95 % bootstrap intervals",
        record.seed
    )
}

fn calibration(record: &Record) -> Vec<String> {
    let notes = record.calibration.iter().map(|calibrated| {
        let ms = |ns: u64| units::number(ns as f64 / 1e6);
        let fib = calibrated.fib.as_deref();
        format!(
            "n = {} is used for {} ms of work{}{} (it takes {} ms here)",
            calibrated.n,
            ms(calibrated.cost_ns),
            if fib.is_some() { " with " } else { "" },
            fib.unwrap_or_default(),
            ms(calibrated.took_ns)
        )
    });
    notes.collect()
}

fn machine(record: &Record) -> String {
    let machine = &record.machine;
    let unknown = "unknown processor";
    let processor = machine.processor.value.as_deref().unwrap_or(unknown);
    let allowed = machine.processors_allowed.len();
    let one = if allowed == 1 {
        ": server and load generator share it, so rates are unreliable; costs \
         are valid"
    } else {
        ""
    };
    format!(
        "{processor}, {allowed} usable processor{}{one}; {}",
        if allowed == 1 { "" } else { "s" },
        machine.kernel
    )
}
