//! The advice for a mix of requests for a terminal.

use comfy_table::{Attribute, Cell};

use crate::analysis::advice::rating::Rating;
use crate::analysis::advice::{Advice, Place};
use crate::analysis::findings::Findings;
use crate::analysis::statistics::median;
use crate::analysis::units;
use crate::model::figure::Figure;
use crate::model::record::Record;
use crate::output::notes;
use crate::output::table;

/// The columns after the contestant's name.
const FIGURES: [(&str, Figure); 4] = [
    ("p99", Figure::ResponseP99),
    ("p50", Figure::ResponseP50),
    ("cost", Figure::Cost),
    ("memory", Figure::Rss),
];

/// Returns the question, the ranking, the advice and the notes.
pub(crate) fn text(record: &Record, ranking: &Advice<'_>) -> String {
    let mut text = format!("{}\n\n", ranking.scenario.question);
    text += &table(record, ranking);
    text += "\n\n";
    text += &advice(ranking);
    for Place { contestant, why, rating, .. } in &ranking.places {
        if let Some(why) = why {
            text += &format!("{}: {}: {why}\n", contestant.name, rating.name());
        }
    }
    text += "\n";
    text += &conditions(record, ranking);
    let suspects = notes::suspects(record, &Findings::of(record)).into_iter();
    for note in suspects.chain(notes::circumstances(record)) {
        text += &format!("{note}\n");
    }
    text
}

fn table(record: &Record, ranking: &Advice<'_>) -> String {
    let Advice { scenario, places, .. } = ranking;
    let findings = Findings::of(record);
    let others =
        scenario.groups.iter().filter(|g| g.name != scenario.measured_group);
    let others: Vec<&str> = others.map(|group| group.name.as_str()).collect();
    let headings = FIGURES.iter().map(|(name, _)| (*name).to_owned());
    let headings =
        headings.chain(others.iter().map(|name| format!("{name}\np50")));
    let headings = ["contestant".to_owned()].into_iter().chain(headings);
    let headings = headings.chain(["verdict".to_owned()]);
    let mut table = table::titled("place", headings);
    for Place { place, contestant, rating, .. } in places {
        let name = contestant.name.as_str();
        let is_shared = |other: &Place<'_>| other.place == *place;
        let shared = places.iter().filter(|other| is_shared(other)).count() > 1;
        let place_text = match place {
            Some(place) if shared => format!("= {place}"),
            Some(place) => place.to_string(),
            None => "-".to_owned(),
        };
        let mut row = vec![Cell::new(place_text), Cell::new(name)];
        row.extend(FIGURES.iter().map(|(_, figure)| {
            let found = findings.estimate(scenario, name, *figure);
            Cell::new(found.map_or("-".to_owned(), |found| {
                let interval = units::interval(*figure, &found);
                format!("{}\n{interval}", units::median(*figure, &found))
            }))
        }));
        row.extend(others.iter().map(|group| {
            let time = response_p50(record, ranking, name, group);
            Cell::new(time.map_or("-".to_owned(), units::time))
        }));
        let verdict = Cell::new(match (ranking.slo, rating) {
            (None, Rating::Holds) => "keeps up",
            (_, rating) => rating.name(),
        });
        row.push(verdict.add_attribute(Attribute::Bold));
        table.add_row(row);
    }
    table.trim_fmt()
}

/// Returns the median over rounds of the p50 response time of another group of
/// the mix, in nanoseconds.
fn response_p50(
    record: &Record,
    ranking: &Advice<'_>,
    name: &str,
    group: &str,
) -> Option<f64> {
    let cell = record.cell(&ranking.scenario.name, name)?;
    let rounds = cell.rounds.iter();
    let times = rounds.filter_map(|round| {
        let open = round.report.group(group)?.open.as_ref()?;
        Some(open.response_ns.at_quantile_ns(0.5)? as f64)
    });
    median(&mut times.collect::<Vec<f64>>())
}

/// Returns the advice, in a sentence.
fn advice(Advice { slo, places, .. }: &Advice<'_>) -> String {
    let first = places.first().and_then(|first| first.place);
    let holding = places.iter().filter(|place| place.rating == Rating::Holds);
    let count = holding.clone().count();
    let best: Vec<&str> = holding
        .filter(|place| place.place == first)
        .map(|place| place.contestant.name.as_str())
        .collect();
    let tie = if best.len() > 1 { " (tied)" } else { "" };
    let names = best.join(", ");
    match (slo, count) {
        (Some(slo), 0) => format!(
            "No contestant is certain to meet the limit of {}.\n",
            humantime::format_duration(*slo)
        ),
        (Some(slo), count) => format!(
            "The limit of {} is met by {count} of {} contestants; lowest \
             cost: {names}{tie}.\n",
            humantime::format_duration(*slo),
            places.len()
        ),
        (None, 0) => "No contestant keeps up.\n".to_owned(),
        (None, count) => format!(
            "Contestants that keep up: {count} of {}; lowest p99: \
             {names}{tie}.\n",
            places.len()
        ),
    }
}

/// Returns the explanation of the table.
fn conditions(record: &Record, ranking: &Advice<'_>) -> String {
    let Advice { scenario, slo, .. } = ranking;
    let by = match slo {
        Some(_) => {
            "contestants that meet the limit are ranked by cost, the others \
             by p99"
        }
        None => "ranked by p99 (--slo TIME sets a limit)",
    };
    let findings = Findings::of(record);
    let floors = [Figure::ResponseP99, Figure::Cost].map(|figure| {
        let floor = findings.noise_floor(scenario, figure);
        format!(
            "{} {}",
            figure.name(),
            floor.map_or("unknown".to_owned(), units::floor)
        )
    });
    format!(
        "{by}; = marks a shared place: the difference is noise\n\
         p99 and p50 are response times of the {} requests, from when each \
         was due; cost is the server's CPU time per reply, over the whole \
         mix\n\
         noise floor: {}\n",
        scenario.measured_group,
        floors.join(", ")
    )
}
