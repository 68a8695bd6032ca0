//! The claims grouped by outcome, such as "holds in Python, refuted in Rust".

use crate::analysis::claims::JudgedClaim;

/// Returns the outcomes with the names of their claims, in the order of the
/// first claim of each outcome.
pub(crate) fn groups<'a>(
    judged: &[JudgedClaim<'a>],
) -> Vec<(String, Vec<&'a str>)> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for JudgedClaim { claim, trials } in judged {
        let tried = trials.iter().filter(|trial| trial.is_tried());
        let tried: Vec<_> = tried
            .map(|t| (t.verdict.name(), t.trial.tried_on.as_str()))
            .collect();
        if tried.is_empty() {
            continue;
        }
        let kind = in_words(&tried);
        match groups.iter_mut().find(|(other, _)| *other == kind) {
            Some((_, names)) => names.push(claim.name()),
            None => groups.push((kind, vec![claim.name()])),
        }
    }
    groups
}

/// Returns one line per outcome: `holds in Rust (2): a, b ?`. A `?` marks a
/// claim with suspect figures.
pub(crate) fn lines(judged: &[JudgedClaim<'_>]) -> Vec<String> {
    let is_suspect = |name: &str| {
        let mut of_name = judged.iter().filter(|j| j.claim.name() == name);
        of_name.any(|j| j.trials.iter().any(|t| !t.doubts.is_empty()))
    };
    let marked = |name: &str| {
        if is_suspect(name) { format!("{name} ?") } else { name.to_owned() }
    };
    let groups = groups(judged).into_iter();
    groups
        .map(|(kind, names)| {
            let marked: Vec<String> =
                names.iter().map(|name| marked(name)).collect();
            format!("{kind} ({}): {}", names.len(), marked.join(", "))
        })
        .collect()
}

/// Returns the outcome of one claim, such as `holds in Python and in Rust` or
/// `holds in Python, refuted in Rust`.
fn in_words(tried: &[(&str, &str)]) -> String {
    let same_verdict = tried.chunk_by(|(one, _), (other, _)| one == other);
    let parts = same_verdict.map(|part| {
        let of: Vec<String> =
            part.iter().map(|(_, of)| format!("in {of}")).collect();
        format!("{} {}", part[0].0, of.join(" and "))
    });
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_with_the_same_verdict_are_named_together() {
        let cases: [(&[(&str, &str)], &str); 3] = [
            (&[("holds", "Rust")], "holds in Rust"),
            (
                &[("holds", "Python"), ("holds", "Rust")],
                "holds in Python and in Rust",
            ),
            (
                &[("holds", "Python"), ("refuted", "Rust")],
                "holds in Python, refuted in Rust",
            ),
        ];
        for (tried, expected) in cases {
            assert_eq!(in_words(tried), expected);
        }
    }
}
