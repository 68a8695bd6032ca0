//! Short titles of scenarios and figures, for headings and sentences.

use crate::analysis::questions::value_of;
use crate::model::figure::Figure;
use crate::model::scenarios::Scenario;

/// Returns the title of a scenario, for the heading of a table: a few words for
/// those of the default run, else its name.
pub(crate) fn short(scenario: &Scenario) -> String {
    match scenario.base() {
        "perf1" => "1 long".to_owned(),
        "perf2" => "1 client".to_owned(),
        "perf2-crowd" => "64 clients".to_owned(),
        "interference" => format!("beside {}", value_of(scenario)),
        "idle" => format!("{} idle", value_of(scenario)),
        _ => scenario.name.clone(),
    }
}

/// Returns the title of a scenario, for the start of a sentence.
pub(crate) fn long(scenario: &Scenario) -> String {
    match scenario.base() {
        "perf1" => "One long request".to_owned(),
        "perf2" => "One client".to_owned(),
        "perf2-crowd" => "64 clients".to_owned(),
        "interference" => match value_of(scenario) {
            0.0 => "A short client alone".to_owned(),
            1.0 => "A short client beside a long one".to_owned(),
            count => format!("A short client beside {count} long ones"),
        },
        "idle" => format!("With {} idle clients", value_of(scenario)),
        _ => scenario.name.clone(),
    }
}

/// Returns the name of a figure, for the heading of a column.
pub(crate) fn column(figure: Figure) -> &'static str {
    match figure {
        Figure::ResponseP50 => "resp p50",
        Figure::ResponseP99 => "resp p99",
        Figure::PerClient => "mem.",
        Figure::VoluntarySwitches => "vol. sw.",
        Figure::InvoluntarySwitches => "inv. sw.",
        Figure::Instructions => "instr.",
        Figure::CacheMisses => "misses",
        _ => figure.name(),
    }
}

/// Returns the name of a figure, for a sentence.
pub(crate) fn in_words(figure: Figure) -> &'static str {
    match figure {
        Figure::Time => "time",
        Figure::Rate => "replies per second",
        Figure::P50 => "median service time",
        Figure::P99 => "p99 service time",
        Figure::Cost => "CPU time per reply",
        Figure::Rss => "memory",
        Figure::PerClient => "memory per idle client",
        Figure::Threads => "threads",
        Figure::Left => "share left of its rate",
        Figure::ResponseP50 => "median response time",
        Figure::ResponseP99 => "p99 response time",
        Figure::VoluntarySwitches => "voluntary switches per reply",
        Figure::InvoluntarySwitches => "involuntary switches per reply",
        Figure::Instructions => "instructions per reply",
        Figure::CacheMisses => "cache misses per reply",
    }
}

/// Returns the name of a figure, for the start of a sentence.
pub(crate) fn capitalized(figure: Figure) -> String {
    let words = in_words(figure);
    let (first, rest) = words.split_at(1);
    first.to_uppercase() + rest
}
