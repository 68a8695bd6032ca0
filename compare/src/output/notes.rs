//! The notes under a table: how reliable the figures of a run are, and why.

use std::collections::BTreeMap;

use crate::analysis::findings::Findings;
use crate::analysis::statistics::Estimate;
use crate::analysis::units;
use crate::model::contestant::{Contestant, ModelTrait};
use crate::model::figure::Figure;
use crate::model::record::Record;
use crate::model::scenarios::Scenario;
use crate::output::sheet::Sheet;
use crate::output::system_calls;

/// The share of the time of naive recursion below which a contestant must
/// compute `fib` in another way. Compilers alone differ by less.
const SHORTCUT_SHARE: f64 = 0.4;

/// The number of suspect figures that are named per reason.
const SUSPECTS_NAMED: usize = 6;

/// The note if no contestant took part twice.
const NOT_TWICE: &str = "A/A: not measured, because no contestant took part \
                         twice";

/// A note on a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// What the note is about.
    pub(crate) kind: NoteKind,
    /// The note, as a line without a full stop.
    pub(crate) text: String,
}

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoteKind {
    /// The run was interrupted.
    Incomplete,
    /// How precise the comparisons are.
    Precision,
    /// A limit of a contestant's model.
    ByDesign,
    /// A rate that the load generator limited.
    Bottleneck,
    /// A figure that could not be measured.
    Missing,
    /// A contestant that doesn't compute by naive recursion.
    Shortcut,
    /// A contestant that took no part.
    Skipped,
    /// Unreliable figures.
    Suspect,
    /// Rounds that were left out.
    LeftOut,
    /// The system calls of a contestant.
    SystemCalls,
    /// A cell without a valid measurement.
    Void,
    /// How the run was measured, and where.
    Conditions,
}

impl NoteKind {
    /// All kinds, in the order in which they are listed.
    const ALL: [NoteKind; 12] = [
        NoteKind::Incomplete,
        NoteKind::Precision,
        NoteKind::ByDesign,
        NoteKind::Bottleneck,
        NoteKind::Missing,
        NoteKind::Shortcut,
        NoteKind::Skipped,
        NoteKind::Suspect,
        NoteKind::LeftOut,
        NoteKind::SystemCalls,
        NoteKind::Void,
        NoteKind::Conditions,
    ];

    /// Returns `true` if a note of this kind doesn't depend on how the figures
    /// are compared.
    fn is_circumstance(self) -> bool {
        match self {
            NoteKind::Incomplete
            | NoteKind::Bottleneck
            | NoteKind::Missing
            | NoteKind::Shortcut
            | NoteKind::Skipped
            | NoteKind::LeftOut
            | NoteKind::Void
            | NoteKind::Conditions => true,
            NoteKind::Precision
            | NoteKind::ByDesign
            | NoteKind::Suspect
            | NoteKind::SystemCalls => false,
        }
    }
}

/// Returns all notes on a run.
pub(crate) fn notes(record: &Record, findings: &Findings<'_>) -> Vec<Note> {
    let kinds = NoteKind::ALL.into_iter();
    let notes = kinds.flat_map(|kind| {
        let texts = texts(kind, record, findings).into_iter();
        texts.map(move |text| Note { kind, text })
    });
    notes.collect()
}

/// Returns the notes that don't depend on how the figures are compared.
pub(crate) fn circumstances(record: &Record) -> Vec<String> {
    let findings = Findings::of(record);
    let kinds = NoteKind::ALL.into_iter();
    let kinds = kinds.filter(|kind| kind.is_circumstance());
    kinds.flat_map(|kind| texts(kind, record, &findings)).collect()
}

/// Returns the notes of one kind.
fn texts(
    kind: NoteKind,
    record: &Record,
    findings: &Findings<'_>,
) -> Vec<String> {
    match kind {
        NoteKind::Incomplete => incomplete(record),
        NoteKind::Precision => precision(record, findings),
        NoteKind::ByDesign => by_design(record),
        NoteKind::Bottleneck => bottlenecks(record, findings),
        NoteKind::Missing => {
            [missing(record), without_figures(record)].concat()
        }
        NoteKind::Shortcut => shortcuts(record, findings),
        NoteKind::Skipped => skipped(record),
        NoteKind::Suspect => suspects(record, findings),
        NoteKind::LeftOut => missed(record),
        NoteKind::SystemCalls => system_calls(record),
        NoteKind::Void => voids(record),
        NoteKind::Conditions => conditions(record),
    }
}

fn incomplete(record: &Record) -> Vec<String> {
    let text = "incomplete: the run was interrupted; the figures are from the \
                rounds before that";
    let is_incomplete = !record.complete;
    is_incomplete.then(|| text.to_owned()).into_iter().collect()
}

/// Returns how far the contestant that took part twice differs from itself, by
/// scenario and figure.
fn self_relations(
    record: &Record,
    findings: &Findings<'_>,
) -> Vec<(String, Estimate)> {
    let figures = record.scenarios.iter().flat_map(|scenario| {
        scenario.figures.iter().map(move |figure| (scenario, *figure))
    });
    figures
        .filter_map(|(scenario, figure)| {
            let times = findings.self_relation(scenario, figure)?;
            let column = format!("{} {}", scenario.name, figure.name());
            times.half_width().is_finite().then_some((column, times))
        })
        .collect()
}

/// Lists the A/A differences of all figures.
fn precision(record: &Record, findings: &Findings<'_>) -> Vec<String> {
    let Some((_, first)) = findings.alias() else {
        return vec![NOT_TWICE.to_owned()];
    };
    let found = self_relations(record, findings);
    if found.is_empty() {
        return vec![format!("no figure of {first} was measured twice")];
    }
    let texts: Vec<String> = found
        .iter()
        .map(|(column, times)| format!("{column} {}", units::times(times)))
        .collect();
    vec![format!(
        "A/A differences ({first} against itself): {}",
        texts.join(", ")
    )]
}

/// Returns the A/A differences in short: the typical and the largest width of
/// the intervals, and whether any of them shows a difference.
pub(crate) fn precision_in_short(sheet: &Sheet<'_>) -> String {
    let Some((_, first)) = sheet.findings.alias() else {
        return NOT_TWICE.to_owned();
    };
    let mut found = self_relations(sheet.record, &sheet.findings);
    found.sort_by(|(_, one), (_, other)| {
        one.half_width().total_cmp(&other.half_width())
    });
    let Some((worst, times)) = found.last() else {
        return format!("no figure of {first} was measured twice");
    };
    let [typical, most] =
        [&found[found.len() / 2].1, times].map(Estimate::half_width);
    let off: Vec<String> = found
        .iter()
        .filter(|(_, times)| !(times.low..=times.high).contains(&1.0))
        .map(|(column, times)| format!("{column} {}", units::times(times)))
        .collect();
    let off = match off.as_slice() {
        [] => String::new(),
        off => format!("; it differs from itself in {}", first_few(off)),
    };
    format!(
        "A/A ({first} against itself): {} in the median of {}, at most {} \
         ({worst}){off}",
        units::half(typical),
        units::count(found.len(), "figure"),
        units::half(most),
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

fn bottlenecks(record: &Record, findings: &Findings<'_>) -> Vec<String> {
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
                Figure::PerClient => {
                    "its memory did not grow, or no client got a reply"
                }
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
fn shortcuts(record: &Record, findings: &Findings<'_>) -> Vec<String> {
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
pub(crate) fn suspects(
    record: &Record,
    findings: &Findings<'_>,
) -> Vec<String> {
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

fn conditions(record: &Record) -> Vec<String> {
    let mut texts = vec![rounds(record)];
    texts.extend(calibration(record));
    texts.push(machine(record));
    texts
}

/// Returns the number of rounds and turns, the seed and the machine in a line.
pub(crate) fn conditions_in_short(record: &Record) -> String {
    let done = rounds_done(record);
    let turns = match turns(record) {
        0 => String::new(),
        turns => format!(" of {}", units::count(turns, "turn")),
    };
    let plural = if done == "1" { "" } else { "s" };
    format!(
        "{done} round{plural}{turns}; seed {}; {}",
        record.seed,
        machine(record)
    )
}

/// Returns the largest number of turns in a round, or 0 if all cells were
/// measured in one window per round.
fn turns(record: &Record) -> usize {
    let cells = record.cells.values().flat_map(|row| row.values());
    let rounds = cells.flat_map(|cell| &cell.rounds);
    rounds.map(|round| round.turns.len()).max().unwrap_or(0)
}

/// Returns the number of rounds that the cells have.
fn rounds_done(record: &Record) -> String {
    let rounds = record.rounds_done();
    let cells = record.cells.values().flat_map(|row| row.values());
    let counts = cells.map(|cell| cell.rounds.len()).filter(|n| *n > 0);
    let fewest = counts.min().unwrap_or(0);
    let of = if record.complete {
        String::new()
    } else {
        format!(" of {}", record.rounds)
    };
    if fewest == rounds {
        format!("{rounds}{of}")
    } else {
        format!("{fewest} to {rounds}{of}")
    }
}

fn rounds(record: &Record) -> String {
    let windows = record.scenarios.iter().map(|scenario| scenario.window);
    let [shortest, longest] = [windows.clone().min(), windows.max()]
        .map(|window| humantime::format_duration(window.unwrap_or_default()));
    let windows = if shortest.to_string() == longest.to_string() {
        format!("{longest}")
    } else {
        format!("{shortest} to {longest}")
    };
    let few = match record.rounds_done() {
        1 => " (a single round has no interval)",
        _ => "",
    };
    let turns = match turns(record) {
        0 => String::new(),
        turns => format!("; turns: up to {turns} in a round"),
    };
    format!(
        "rounds: {}{few}{turns}; windows of {windows}; seed {}",
        rounds_done(record),
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
