//! What one must know of a run to believe its figures.

use std::collections::BTreeMap;

use crate::analysis::findings::Findings;
use crate::analysis::units;
use crate::model::contestant::Contestant;
use crate::model::contestant::ModelTrait;
use crate::model::figure::Figure;
use crate::model::record::Record;
use crate::model::scenarios::Scenario;
use crate::output::system_calls;

/// Who needs less than this share of what naive recursion takes here does
/// something else. A compiler alone does not make so much of a difference.
pub(crate) const SHORTCUT_SHARE: f64 = 0.4;

/// How many suspect cells are named for each reason.
pub(crate) const SUSPECTS_NAMED: usize = 6;

/// What one must know to believe the figures.
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

/// What one must know of a run whatever its figures are used for.
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
    let text = "incomplete: the run was interrupted, and what follows stands \
                on the rounds that were done";
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
            "noise floor: not known: {first} was not measured twice; ties \
             stand on the intervals alone"
        );
    }
    let shown = record.scenarios.iter().flat_map(|s| &s.figures).count();
    let unknown = match shown - floors.len() {
        0 => "",
        _ => "; where it is not known, ties stand on the intervals alone",
    };
    format!(
        "noise floor of this run ({first} against itself): {}; smaller \
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
            "serves one client at a time, and no other while that one stays",
        ),
        (
            ModelTrait::ComputesInline,
            "computes where it should wait for its clients",
        ),
        (
            ModelTrait::WaitsForItsPool,
            "waits for its pool where it should wait for its clients",
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
            Some(format!("{name} ({:.0} %)", share * 100.0))
        });
        let busy: Vec<String> = busy.collect();
        (!busy.is_empty()).then(|| {
            format!(
                "{}: the load generator was the bottleneck (its share of \
                 its core), so that the rate is a lower bound, for {}",
                scenario.name,
                busy.join(", ")
            )
        })
    };
    record.scenarios.iter().filter_map(busy_in).collect()
}

/// The reasons of figures that could not be had, each once.
fn missing(record: &Record) -> Vec<String> {
    let rounds = record
        .cells
        .values()
        .flat_map(|row| row.values())
        .flat_map(|cell| &cell.rounds);
    let mut reasons: Vec<String> = rounds
        .flat_map(|round| {
            let report = &round.report;
            [
                ("cost", &report.server_cpu_ns.reason),
                ("rss", &report.server_rss_bytes.reason),
            ]
        })
        .filter_map(|(what, reason)| {
            Some(format!("no {what}: {}", reason.as_ref()?))
        })
        .collect();
    reasons.sort();
    reasons.dedup();
    reasons
}

/// Cells that were measured and have no figure all the same.
fn without_figures(record: &Record) -> Vec<String> {
    let mut notes = Vec::new();
    for scenario in &record.scenarios {
        for &figure in &scenario.figures {
            let why = match figure {
                // They have a reason of their own.
                Figure::Cost | Figure::Rss | Figure::Threads => continue,
                Figure::P99 | Figure::ResponseP99 => {
                    "fewer than 1,000 replies within the window"
                }
                Figure::Left => "no round together with what it is a share of",
                Figure::Time
                | Figure::Rate
                | Figure::P50
                | Figure::ResponseP50 => "no reply within the window",
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
                    "no {} in {} of {}: {why} (--duration makes it longer)",
                    figure.name(),
                    scenario.name,
                    names.join(", ")
                ));
            }
        }
    }
    notes
}

/// Who answers faster than naive recursion can: what a request costs is known.
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
            let known = known.find(|known| known.is_of(cost, fib));
            let Some(calibrated) = known else { continue };
            let name = contestant.name.as_str();
            let found = findings.estimate(scenario, name, Figure::Time);
            let Some(time) = found else { continue };
            if time.median < calibrated.took_ns as f64 * SHORTCUT_SHARE {
                notes.push(format!(
                    "{name} answers n = {} in {} in {}, which takes naive \
                     recursion {} here: it does other work than the others",
                    calibrated.n,
                    scenario.name,
                    units::time(time.median),
                    units::time(calibrated.took_ns as f64)
                ));
            }
        }
    }
    notes
}

/// Who did not take part, and why.
fn skipped(record: &Record) -> Vec<String> {
    let skipped = record.skipped.iter();
    skipped.map(|(name, why)| format!("skipped: {name}: {why}")).collect()
}

/// The figures that should not be leaned on, by reason.
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

/// The first of some suspects, and how many more there are.
pub(crate) fn first_few(suspects: &[String]) -> String {
    let more = suspects.len().saturating_sub(SUSPECTS_NAMED);
    let named = suspects[..suspects.len() - more].join(", ");
    match more {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// The system calls of those that were traced, the frequent ones by name.
fn system_calls(record: &Record) -> Vec<String> {
    let cells = record.cells.iter().flat_map(|(scenario, row)| {
        row.iter().map(move |(entrant, cell)| (scenario, entrant, cell))
    });
    let lines = cells.filter_map(|(scenario, entrant, cell)| {
        let counts = cell.system_calls.value.as_ref()?;
        let (all, often) = system_calls::in_words(counts);
        Some(format!(
            "system calls a reply: {entrant} in {scenario}: {} ({often})",
            units::number(all)
        ))
    });
    lines.collect()
}

/// Rounds that the instrument itself spoilt.
fn missed(record: &Record) -> Vec<String> {
    let cells = record.cells.iter().flat_map(|(scenario, row)| {
        row.iter().map(move |(entrant, cell)| (scenario, entrant, cell))
    });
    let lines = cells.filter_map(|(scenario, entrant, cell)| {
        let (round, reason) = cell.missed.first_key_value()?;
        let count = cell.missed.len();
        Some(format!(
            "left out: {count} of {} rounds of {entrant} in {scenario}; the \
             first, round {round}: {reason}",
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
        1 => " (one alone has no interval)",
        2..=5 => " (so few that the intervals span them all)",
        6..=8 => " (of which the intervals leave out the outermost two)",
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
            "n = {} stands for {} ms here{}{} (it takes {} ms)",
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
        ": server and load share it, so that rates say little; costs hold"
    } else {
        ""
    };
    format!(
        "{processor}, {allowed} processor{} to use{one}; {}",
        if allowed == 1 { "" } else { "s" },
        machine.kernel
    )
}
