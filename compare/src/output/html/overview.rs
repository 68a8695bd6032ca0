//! The first part of the page: the run, the list of questions, the contestants,
//! and the reliability of the figures.

use std::fmt::Write;

use charts::{escaped, inline};

use crate::analysis::questions::Question;
use crate::analysis::units;
use crate::model::contestant::Label;
use crate::model::figure::Figure;
use crate::model::reading::Reading;
use crate::output::html::document::incomplete;
use crate::output::html::family::Family;
use crate::output::html::shared::PageContestant;
use crate::output::notes::{self, Note, NoteKind};
use crate::output::sheet::Sheet;

/// Returns the title, with what was measured on which machine.
pub(super) fn top(sheet: &Sheet<'_>, questions: &[Question<'_>]) -> String {
    let record = sheet.record;
    let machine = &record.machine;
    let processor = shown(&machine.processor, Clone::clone);
    let allowed = machine.processors_allowed.len();
    let date = record.started.replace('T', " ").replace('Z', " UTC");
    let mut html = format!(
        "<header>\n<p class=\"kicker\">Run {}</p>\n\
         <h1>What each concurrency model costs</h1>\n\
         <p class=\"lead\">{} servers with different concurrency models, \
         measured under the same load: {} question{}, {} rounds, on {}, {} \
         usable processor{}, {}.</p>\n",
        escaped(&record.id()),
        sheet.contestants().len(),
        questions.len(),
        if questions.len() == 1 { "" } else { "s" },
        record.rounds_done(),
        escaped(&processor),
        allowed,
        if allowed == 1 { "" } else { "s" },
        escaped(&date),
    );
    html += incomplete(record);
    html += "</header>\n";
    html
}

/// Returns the list of questions, each with a short answer.
pub(super) fn glance(sheet: &Sheet<'_>, questions: &[Question<'_>]) -> String {
    let mut html = String::from(
        "<nav aria-label=\"Questions\">\n<h2>Questions</h2>\n\
         <ol class=\"glance\">\n",
    );
    for question in questions {
        let name = escaped(question.name);
        let text = inline(&question.first().question);
        let answer = short_answer(sheet, question);
        // Writing to a string never fails.
        let _ = writeln!(
            html,
            "<li><a href=\"#{name}\">{text}</a> <span>{answer}</span></li>"
        );
    }
    html + "</ol>\n</nav>\n"
}

fn short_answer<'a>(sheet: &Sheet<'a>, question: &Question<'a>) -> String {
    let point = question.main_point();
    let figure = point.figures[0];
    let at = if question.is_sweep() {
        format!(" at {}", escaped(&question.point_name(point)))
    } else {
        String::new()
    };
    let Some(standing) = sheet.standing(point, figure) else {
        return "No figures.".to_owned();
    };
    let Some(best) = standing.best else {
        return match standing.possible_best.len() {
            0 => "No figures.".to_owned(),
            1 => format!("Not compared{at}."),
            count => format!("Undecided{at} between {count} of them."),
        };
    };
    let Some(estimate) = sheet.estimate(point, best, figure) else {
        return "No figures.".to_owned();
    };
    let equal = standing.possible_best.len() - 1;
    let equal = match equal {
        0 => String::new(),
        1 => "; one other equals it".to_owned(),
        equal => format!("; {equal} others equal it"),
    };
    let bound =
        if sheet.is_lower_bound(point, best, figure) { "≥ " } else { "" };
    let value = bound.to_owned() + &units::value(figure, &estimate);
    format!(
        "Best{at}: <b>{}</b> with {}{equal}.",
        escaped(&value),
        escaped(best)
    )
}

/// Returns the list of contestants, by family. With the script, pointing at a
/// name highlights the contestant throughout the page.
pub(super) fn legend(page_contestants: &[PageContestant<'_>]) -> String {
    let mut html = String::from(
        "<section class=\"legend\" aria-label=\"Contestants\">\n\
         <h2>Contestants</h2>\n<div class=\"families\">\n",
    );
    for family in Family::all() {
        let members: Vec<_> = page_contestants
            .iter()
            .filter(|one| one.family == family)
            .collect();
        if members.is_empty() {
            continue;
        }
        let _ = write!(
            html,
            "<div class=\"family {}\">{}<span class=\"what\">{}</span> ",
            family.class,
            family.swatch(),
            family.name
        );
        for PageContestant { index, contestant, .. } in members {
            let name = escaped(&contestant.name);
            let label = match contestant.label {
                Label::Idiomatic => String::new(),
                label @ (Label::Mistake | Label::Historical | Label::Peer) => {
                    format!(" <small>({})</small>", label.name())
                }
            };
            let _ = write!(
                html,
                "<span class=\"chip\" data-c=\"{index}\">{name}{label}</span> "
            );
        }
        html += "</div>\n";
    }
    html += "</div>\n<p class=\"hint\" hidden>Point at a name to highlight \
             it throughout the page. Click it to keep it \
             highlighted.</p>\n</section>\n";
    html
}

/// The largest number of items in a list that isn't folded.
const LONG_LIST: usize = 5;

/// Returns the section on the reliability of the figures: void cells, the A/A
/// differences, cautions and conditions.
pub(super) fn doubts<'a>(
    sheet: &Sheet<'a>,
    questions: &[Question<'a>],
) -> String {
    let record = sheet.record;
    let mut html = String::from(
        "<section class=\"doubts\" aria-label=\"Reliability\">\n\
         <h2>Reliability</h2>\n",
    );
    let voids: Vec<_> = record.voids().collect();
    if voids.is_empty() {
        html += "<p>No cell is void: every reply was correct, and no server \
                 died.</p>\n";
    } else {
        let (count, table) = (voids.len(), void_table(sheet));
        html += &if count > LONG_LIST {
            format!(
                "<details><summary><b>{count} cells are void</b> and have no \
                 figures</summary>\n{table}</details>\n"
            )
        } else {
            table
        };
    }
    html += &precision_table(sheet, questions);
    let mut cautions = Vec::new();
    let mut left_out = Vec::new();
    let mut conditions = Vec::new();
    for Note { kind, text } in notes::notes(record, &sheet.findings) {
        let texts: &mut Vec<String> = match kind {
            // These repeat what is above.
            NoteKind::Void | NoteKind::Precision | NoteKind::Incomplete => {
                continue;
            }
            NoteKind::LeftOut => &mut left_out,
            NoteKind::ByDesign
            | NoteKind::Bottleneck
            | NoteKind::Missing
            | NoteKind::Skipped
            | NoteKind::Suspect => &mut cautions,
            NoteKind::Shortcut
            | NoteKind::SystemCalls
            | NoteKind::Conditions => &mut conditions,
        };
        texts.push(text);
    }
    if !cautions.is_empty() {
        html += &format!(
            "<details{} class=\"cautions\"><summary>Cautions: {} (a hollow \
             marker or ? marks a suspect figure, \u{2265} a lower \
             bound)</summary>\n<ul>\n{}</ul></details>\n",
            open_if_short(&cautions),
            cautions.len(),
            items(&cautions)
        );
    }
    if !left_out.is_empty() {
        let open = open_if_short(&left_out);
        html += &format!(
            "<details{open}><summary>Cells with rounds left out: {}\
             </summary>\n<ul>\n{}</ul></details>\n",
            left_out.len(),
            items(&left_out)
        );
    }
    html += "<details><summary>Conditions</summary>\n<ul>\n";
    html += &items(&conditions);
    html += &machine(sheet);
    html += "</ul></details>\n</section>\n";
    html
}

/// Returns the attribute that unfolds a list, if the list is short.
fn open_if_short(texts: &[String]) -> &'static str {
    if texts.len() > LONG_LIST { "" } else { " open" }
}

fn items(texts: &[String]) -> String {
    let items =
        texts.iter().map(|text| format!("<li>{}</li>\n", escaped(text)));
    items.collect()
}

fn void_table(sheet: &Sheet<'_>) -> String {
    let mut html = String::from(
        "<div class=\"scroll\"><table class=\"voids\">\n\
         <caption>Void cells, which have no figures</caption>\n\
         <thead><tr><th scope=\"col\">contestant</th>\
         <th scope=\"col\">scenario</th><th scope=\"col\">round</th>\
         <th scope=\"col\">reason</th></tr></thead>\n<tbody>\n",
    );
    for (scenario, entrant, void) in sheet.record.voids() {
        let blame =
            if void.contestant_failed { "" } else { "the instrument: " };
        let log = if void.log.is_empty() {
            String::new()
        } else {
            format!(
                "<details><summary>log</summary><pre>{}</pre></details>",
                escaped(&void.log.join("\n"))
            )
        };
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td>\
             <td>{blame}{}{log}</td></tr>",
            escaped(entrant),
            escaped(scenario),
            void.round,
            escaped(&void.reason)
        );
    }
    html + "</tbody></table></div>\n"
}

/// Returns the A/A differences; for a sweep, the smallest and the largest.
fn precision_table<'a>(
    sheet: &Sheet<'a>,
    questions: &[Question<'a>],
) -> String {
    let mut html =
        format!("<p>{}.</p>\n", escaped(&notes::precision_in_short(sheet)));
    let rows = questions.iter().map(|question| {
        let figures = question.first().figures.iter();
        let texts = figures.filter_map(|&figure| {
            let text = precision_text(sheet, question, figure)?;
            Some(format!("{} {text}", figure.name()))
        });
        (question.name, texts.collect::<Vec<_>>())
    });
    let rows: Vec<_> = rows.filter(|(_, texts)| !texts.is_empty()).collect();
    if rows.is_empty() {
        return html;
    }
    html += "<details><summary>A/A difference of each figure</summary>\n<dl>\n";
    for (name, texts) in rows {
        let (name, texts) = (escaped(name), escaped(&texts.join("; ")));
        let _ = writeln!(html, "<dt>{name}</dt><dd>{texts}</dd>");
    }
    html + "</dl></details>\n"
}

/// Returns half of the interval of the A/A difference as `±1.4 %`, or as
/// `±0.3 to 2.7 %` for a sweep.
pub(super) fn precision_text<'a>(
    sheet: &Sheet<'a>,
    question: &Question<'a>,
    figure: Figure,
) -> Option<String> {
    let halves = question.points.iter().filter_map(|point| {
        let times = sheet.findings.self_relation(point, figure)?;
        let half = times.half_width();
        half.is_finite().then_some(half)
    });
    let halves: Vec<f64> = halves.collect();
    let least = halves.iter().copied().reduce(f64::min)?;
    let most = halves.iter().copied().reduce(f64::max)?;
    let [low, high] = [least, most].map(units::percent);
    Some(if low == high {
        format!("±{low}")
    } else {
        format!("±{} to {high}", low.trim_end_matches(" %"))
    })
}

fn machine(sheet: &Sheet<'_>) -> String {
    let record = sheet.record;
    let machine = &record.machine;
    let gib = |bytes: &u64| {
        let gib = *bytes as f64 / f64::from(1 << 30);
        format!("{} GiB of memory", units::number(gib))
    };
    let numbers: Vec<String> =
        machine.processors_allowed.iter().map(usize::to_string).collect();
    let changed = match machine.git_dirty.value {
        Some(true) => ", with uncommitted changes",
        _ => "",
    };
    let online = shown(&machine.processors_online, |count| {
        format!("{count} processors online")
    });
    let facts = [
        format!("{online}; usable: {}", numbers.join(", ")),
        shown(&machine.memory_bytes, gib),
        shown(&machine.toolchain, Clone::clone),
        format!(
            "commit {}{changed}",
            shown(&machine.git_revision, Clone::clone)
        ),
        format!("cost is measured by {}", record.cost_method),
    ];
    let facts = facts.map(|fact| format!("<li>{}</li>\n", escaped(&fact)));
    facts.concat()
}

fn shown<T>(known: &Reading<T>, text: impl Fn(&T) -> String) -> String {
    match (&known.value, &known.reason) {
        (Some(value), _) => text(value),
        (None, Some(reason)) => format!("unknown ({reason})"),
        (None, None) => "unknown".to_owned(),
    }
}
