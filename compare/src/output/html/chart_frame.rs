//! What surrounds a chart: its title, its note, its data and the command that
//! measures it again.

use charts::escaped;

use crate::analysis::questions::Question;
use crate::model::figure::Figure;
use crate::output::html::rerun;
use crate::output::sheet::Sheet;

/// A chart with what it is called above it; beneath it, its figures and the
/// command that measures them again.
pub(super) struct ChartFrame<'a> {
    /// What of the question it shows.
    pub(super) what: &'a str,
    pub(super) title: &'a str,
    pub(super) note: &'a str,
    pub(super) chart: &'a str,
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

/// A figure in words.
pub(super) struct FigureWords {
    pub(super) title: &'static str,
    pub(super) axis: &'static str,
}

pub(super) fn words(figure: Figure) -> FigureWords {
    let (title, axis) = match figure {
        Figure::Time => ("Time of a request, median", "service time"),
        Figure::Rate => ("Replies a second", "replies per second"),
        Figure::P50 => ("Service time, p50", "service time"),
        Figure::P99 => ("Service time, p99", "service time"),
        Figure::Cost => ("Cost: server CPU per reply", "CPU time per reply"),
        Figure::Rss => ("Resident memory", "memory of the server"),
        Figure::Threads => ("Threads", "threads of the server"),
        Figure::Left => ("What is left", "share of the undisturbed rate"),
        Figure::ResponseP50 => ("Response time, p50", "response time"),
        Figure::ResponseP99 => ("Response time, p99", "response time"),
    };
    FigureWords { title, axis }
}

pub(super) fn better(figure: Figure) -> &'static str {
    if figure.more_is_better() { "more is better" } else { "less is better" }
}
