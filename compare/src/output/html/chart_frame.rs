//! The frame of a chart: its title, its note, the table of its figures and the
//! command that measures them again.

use charts::escaped;

use crate::analysis::questions::Question;
use crate::model::figure::Figure;
use crate::output::html::rerun;
use crate::output::sheet::Sheet;

/// A chart with its title and note above it, and below it the table of its
/// figures and the command that measures them again.
pub(super) struct ChartFrame<'a> {
    /// The name of what it shows, for the id of the element.
    pub(super) what: &'a str,
    pub(super) title: &'a str,
    pub(super) note: &'a str,
    /// The chart, as HTML.
    pub(super) chart: &'a str,
    /// The table of its figures, as HTML.
    pub(super) data: &'a str,
}

impl ChartFrame<'_> {
    pub(super) fn html<'a>(
        self,
        sheet: &Sheet<'a>,
        question: &Question<'a>,
    ) -> String {
        let ChartFrame { what, title, note, chart, data } = self;
        format!(
            "<figure id=\"{}-{what}-chart\">\n<figcaption><b>{}</b> {}\
             </figcaption>\n{chart}{data}{}</figure>\n",
            escaped(question.name),
            escaped(title),
            escaped(note),
            rerun::folded(sheet.record, &question.points)
        )
    }
}

/// The texts for a figure.
pub(super) struct FigureWords {
    /// The title of its charts.
    pub(super) title: &'static str,
    /// The name of its axis.
    pub(super) axis: &'static str,
}

/// Returns the texts for a figure.
pub(super) fn words(figure: Figure) -> FigureWords {
    let (title, axis) = match figure {
        Figure::Time => ("Time per request, median", "service time"),
        Figure::Rate => ("Replies per second", "replies per second"),
        Figure::P50 => ("Service time, p50", "service time"),
        Figure::P99 => ("Service time, p99", "service time"),
        Figure::Cost => {
            ("Cost: server CPU time per reply", "CPU time per reply")
        }
        Figure::Rss => ("Resident memory", "memory of the server"),
        Figure::PerClient => ("Memory per idle client", "memory per client"),
        Figure::Threads => ("Threads", "threads of the server"),
        Figure::Left => {
            ("Share left of the rate", "share of the undisturbed rate")
        }
        Figure::ResponseP50 => ("Response time, p50", "response time"),
        Figure::ResponseP99 => ("Response time, p99", "response time"),
        Figure::VoluntarySwitches => {
            ("Voluntary context switches per reply", "switches per reply")
        }
        Figure::InvoluntarySwitches => {
            ("Involuntary context switches per reply", "switches per reply")
        }
        Figure::Instructions => {
            ("Instructions per reply", "instructions per reply")
        }
        Figure::CacheMisses => {
            ("Cache misses per reply", "cache misses per reply")
        }
    };
    FigureWords { title, axis }
}

pub(super) fn better(figure: Figure) -> &'static str {
    if figure.more_is_better() { "more is better" } else { "less is better" }
}
