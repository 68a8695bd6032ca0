//! The figures of a run as CSV: one row per figure of each cell, for a
//! spreadsheet or a data frame, with plain numbers in base units.

use crate::analysis::findings::Relation;
use crate::analysis::questions::value_of;
use crate::output::relations;
use crate::output::sheet::{Row, Sheet, Validity};

/// The names of the columns.
const HEADER: &str = "scenario,of,value,contestant,again,label,figure,unit,\
                      estimate,low,high,rounds,lower_bound,validity,\
                      reason,compared_with,outcome,ratio,ratio_low,\
                      ratio_high,more_rounds\n";

/// Returns the rows as CSV.
///
/// # Errors
///
/// Never fails; other exporters with the same signature may.
pub(crate) fn rows(sheet: &Sheet<'_>) -> anyhow::Result<String> {
    let mut text = HEADER.to_owned();
    for row in sheet.rows() {
        text += &fields(&row).map(|field| quoted(&field)).join(",");
        text += "\n";
    }
    Ok(text)
}

fn fields(row: &Row<'_>) -> [String; 21] {
    let contestant = &row.entrant.contestant;
    let number = |value: Option<f64>| {
        value.map(|value| value.to_string()).unwrap_or_default()
    };
    let estimate = row.estimate;
    let (validity, reason) = validity(&row.validity);
    let relation = row.relation.as_ref();
    let times = relation.and_then(Relation::times);
    [
        row.scenario.name.clone(),
        row.scenario.base().to_owned(),
        number(row.scenario.point.is_some().then(|| value_of(row.scenario))),
        contestant.name.clone(),
        row.entrant.alias_of.clone().unwrap_or_default(),
        contestant.label.name().to_owned(),
        row.figure.name().to_owned(),
        row.figure.unit().name().to_owned(),
        number(estimate.map(|estimate| estimate.value)),
        number(estimate.map(|estimate| estimate.low)),
        number(estimate.map(|estimate| estimate.high)),
        row.rounds.to_string(),
        row.is_lower_bound.to_string(),
        validity.to_owned(),
        reason.unwrap_or_default().to_owned(),
        relation.and(row.leader).unwrap_or_default().to_owned(),
        relation
            .map(|relation| relations::outcome(row.figure, relation))
            .unwrap_or_default()
            .to_owned(),
        number(times.map(|times| times.value)),
        number(times.map(|times| times.low)),
        number(times.map(|times| times.high)),
        relation
            .and_then(relations::more_rounds)
            .map(|more| more.to_string())
            .unwrap_or_default(),
    ]
}

/// Returns the name of a validity, and the reason unless it is `valid`.
pub(crate) fn validity(validity: &Validity) -> (&str, Option<&str>) {
    match validity {
        Validity::Valid => ("valid", None),
        Validity::Suspect(reasons) => ("suspect", Some(reasons)),
        Validity::Void(reason) => ("void", Some(reason)),
        Validity::ByDesign(reason) => ("by-design", Some(reason)),
        Validity::Absent => ("absent", None),
    }
}

/// Quotes a field if RFC 4180 requires it.
fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_quoted_only_if_necessary() {
        let cases = [
            ("plain", "plain"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("he said \"no\"", "\"he said \"\"no\"\"\""),
            ("two\nlines", "\"two\nlines\""),
        ];
        for (field, expected) in cases {
            assert_eq!(quoted(field), expected);
        }
    }
}
