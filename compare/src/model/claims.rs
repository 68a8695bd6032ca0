//! Claims about concurrency models, read from `bench/claims.toml`. Each claim
//! gives the band in which the ratio of two measured figures must lie.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::base::exit::Usage;
use crate::base::printable::one_line;
use crate::model::contestant::Contestant;
use crate::model::figure::Figure;
use crate::model::scenarios::Scenario;

/// A claim about concurrency models, in a form that can be tested.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claim {
    name: Spanned<String>,
    /// The version of the talk's server that the claim is about.
    pub(crate) version: String,
    /// The claim in words.
    #[serde(deserialize_with = "prose")]
    pub(crate) says: String,
    /// The mechanism that decides whether the claim holds.
    #[serde(deserialize_with = "prose")]
    pub(crate) mechanism: String,
    #[serde(default)]
    at_least: Option<f64>,
    #[serde(default)]
    at_most: Option<f64>,
    /// The reason for the limits of the band.
    #[serde(deserialize_with = "prose")]
    pub(crate) why: String,
    /// Whether `--quick` includes the claim.
    #[serde(default = "yes")]
    pub(crate) quick: bool,
    /// The pairs of figures that the claim is tested on.
    #[serde(rename = "trial")]
    pub(crate) trials: Vec<Trial>,
}

/// One test of a claim, for one language or the like.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trial {
    /// What the claim is tested on, such as a language.
    #[serde(rename = "of")]
    pub(crate) tried_on: String,
    /// The figure that is divided.
    pub(crate) left: Side,
    /// The figure by which `left` is divided.
    pub(crate) right: Side,
    /// Whether the trial may be left out if its contestants can't take part.
    #[serde(default)]
    pub(crate) optional: bool,
}

/// A figure of one cell, such as `time of threads in perf1-crowd@2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Side {
    /// The figure.
    pub(crate) figure: Figure,
    /// The name of the contestant.
    pub(crate) contestant: String,
    /// The name of the scenario, with a value if it has a sweep.
    pub(crate) scenario: String,
}

/// The range in which a ratio must lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Band {
    /// The lowest ratio, if there is a lower limit.
    pub(crate) at_least: Option<f64>,
    /// The highest ratio, if there is an upper limit.
    pub(crate) at_most: Option<f64>,
}

fn yes() -> bool {
    true
}

/// Reads a text that is wrapped in the file, as a single line.
pub(crate) fn prose<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

impl TryFrom<String> for Side {
    type Error = String;

    fn try_from(text: String) -> Result<Side, String> {
        let [figure, contestant, scenario] = parts_of_side(&text)?;
        let figures = Figure::all();
        let found = figures.iter().find(|other| other.name() == figure);
        let figure = found.copied().ok_or_else(|| {
            let names: Vec<&str> = figures.iter().map(|f| f.name()).collect();
            let names = names.join(", ");
            format!("`{figure}` is not a figure; use one of {names}")
        })?;
        Ok(Side {
            figure,
            contestant: contestant.to_owned(),
            scenario: scenario.to_owned(),
        })
    }
}

/// Splits a text of the form "FIGURE of CONTESTANT in SCENARIO" into its three
/// names.
pub(crate) fn parts_of_side(text: &str) -> Result<[&str; 3], String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let ["of", "in"] = [1, 3].map(|i| words.get(i).copied().unwrap_or(""))
    else {
        return Err(format!(
            "`{text}` is not of the form \"FIGURE of CONTESTANT in SCENARIO\""
        ));
    };
    let [figure, _, contestant, _, scenario] = words[..] else {
        return Err(format!("`{text}` has too many words, or too few"));
    };
    Ok([figure, contestant, scenario])
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Side { figure, contestant, scenario } = self;
        write!(f, "{} of {contestant} in {scenario}", figure.name())
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.at_least, self.at_most) {
            (Some(least), Some(most)) => write!(f, "{least} to {most}"),
            (Some(least), None) => write!(f, "at least {least}"),
            (None, Some(most)) => write!(f, "at most {most}"),
            (None, None) => write!(f, "any"),
        }
    }
}

impl Claim {
    /// Returns the claim's name.
    pub(crate) fn name(&self) -> &str {
        self.name.get_ref()
    }

    /// Returns the version in words, for places where its meaning isn't clear
    /// from the context.
    pub(crate) fn version_in_words(&self) -> String {
        match self.version.as_str() {
            "today" => "today".to_owned(),
            version => format!("version {version}"),
        }
    }

    /// Returns the band in which the ratio must lie.
    pub(crate) fn band(&self) -> Band {
        Band { at_least: self.at_least, at_most: self.at_most }
    }
}

impl Trial {
    /// Returns the two figures of the ratio.
    pub(crate) fn sides(&self) -> [&Side; 2] {
        [&self.left, &self.right]
    }
}

/// Reads the claims of a file.
///
/// # Errors
///
/// Returns a [`Usage`] error that names the file, the line and the mistake.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Claim>> {
    let unreadable = || Usage(format!("cannot read {}", path.display()));
    let text = fs::read_to_string(path).with_context(unreadable)?;
    Ok(parse(&text)
        .map_err(|error| Usage(format!("{}: {error}", path.display())))?)
}

pub(crate) fn parse(text: &str) -> Result<Vec<Claim>, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        claim: Vec<Claim>,
    }
    let File { claim: claims } =
        toml::from_str(text).map_err(|error| error.to_string())?;
    let mut names = BTreeSet::new();
    for claim in &claims {
        check(claim)
            .and_then(|()| {
                if names.insert(claim.name()) {
                    Ok(())
                } else {
                    Err("two claims have this name".to_owned())
                }
            })
            .map_err(|what| {
                let start = claim.name.span().start;
                let line = text[..start].matches('\n').count() + 1;
                one_line(&format!(
                    "line {line}: claim `{}`: {what}",
                    claim.name()
                ))
            })?;
    }
    Ok(claims)
}

fn check(claim: &Claim) -> Result<(), String> {
    let Claim { at_least, at_most, trials, .. } = claim;
    let (low, high) = (at_least.unwrap_or(0.0), at_most.unwrap_or(f64::MAX));
    if at_least.is_none() && at_most.is_none() {
        return Err("give `at_least`, `at_most`, or both".to_owned());
    }
    // The condition is written so that it rejects NaN, too.
    if !(low >= 0.0 && low < high && high.is_finite()) {
        return Err(format!(
            "no ratio lies in a band from {low} to {high}: `at_least` must be \
             0 or more, and `at_most` greater than that"
        ));
    }
    if trials.is_empty() {
        return Err("a [[claim.trial]] is missing".to_owned());
    }
    for (index, trial) in trials.iter().enumerate() {
        let [left, right] = trial.sides().map(|side| side.figure.unit());
        if left != right {
            let (left, right) = (left.name(), right.name());
            return Err(format!(
                "{}: a ratio needs figures of the same unit, not {left} and \
                 {right}",
                trial.tried_on
            ));
        }
        if trials[..index].iter().any(|other| other.tried_on == trial.tried_on)
        {
            let name = &trial.tried_on;
            return Err(format!("two trials have `of = \"{name}\"`"));
        }
    }
    Ok(())
}

/// Checks that the contestants and scenarios of the claims exist.
///
/// # Errors
///
/// Returns a [`Usage`] error that names the claim, what it lacks, and what
/// exists instead.
pub(crate) fn check_against(
    claims: &[Claim],
    contestants: &[Contestant],
    scenarios: &[Scenario],
) -> Result<(), Usage> {
    for claim in claims {
        for side in claim.trials.iter().flat_map(Trial::sides) {
            let names = [side.contestant.as_str(), &side.scenario];
            check_names(names, contestants, scenarios).map_err(|what| {
                let name = claim.name();
                Usage(one_line(&format!("claim `{name}`: {what}")))
            })?;
        }
    }
    Ok(())
}

/// Checks that a contestant and a scenario exist.
///
/// # Errors
///
/// Returns an error that names what doesn't exist, and what does.
pub(crate) fn check_names(
    [contestant, scenario]: [&str; 2],
    contestants: &[Contestant],
    scenarios: &[Scenario],
) -> Result<(), String> {
    let contestants: Vec<&str> =
        contestants.iter().map(|c| c.name.as_str()).collect();
    let scenarios: Vec<&str> =
        scenarios.iter().map(|s| s.name.as_str()).collect();
    let pairs = [
        ("contestant", contestant, &contestants),
        ("scenario", scenario, &scenarios),
    ];
    for (kind, name, known) in pairs {
        let value = format!("{name}@");
        let values: Vec<&str> = known
            .iter()
            .copied()
            .filter(|other| other.starts_with(&value))
            .collect();
        if !values.is_empty() {
            let values = values.join(", ");
            return Err(format!("`{name}` has a sweep; use one of {values}"));
        }
        if !known.contains(&name) {
            let known = known.join(", ");
            return Err(format!("no {kind} `{name}`; use one of {known}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::workspace;
    use crate::model::contestants;
    use crate::model::scenarios;

    const GOOD: &str = "
[[claim]]
name = \"a\"
version = \"2\"
says = \"\"\"
One line,
and another.
\"\"\"
mechanism = \"m\"
at_most = 0.5
why = \"w\"

[[claim.trial]]
of = \"Rust\"
left = \"rate of threads in interference@1\"
right = \"rate of threads in interference@0\"
";

    #[test]
    fn a_claim_is_read() {
        let claims = parse(GOOD).unwrap();
        let claim = &claims[0];
        assert_eq!(claim.name(), "a");
        assert_eq!(claim.says, "One line, and another.");
        assert_eq!(claim.band().to_string(), "at most 0.5");
        assert!(claim.quick);
        let trial = &claim.trials[0];
        let text = "rate of threads in interference@1";
        assert_eq!(trial.left.to_string(), text);
        assert_eq!(trial.left.figure, Figure::Rate);
        assert!(!trial.optional);
    }

    #[test]
    fn a_mistake_is_reported_with_its_line() {
        let cases = [
            ("at_most = 0.5", "", "line 3: claim `a`: give `at_least`"),
            (
                "name = \"a\"",
                "name = \"a\\nb\"\nat_least = 1.0",
                "line 3: claim `a\\nb`: no ratio",
            ),
            ("at_most = 0.5", "at_most = nan", "no ratio lies in a band"),
            ("at_most = 0.5", "at_most = -1.0", "no ratio lies in a band"),
            (
                "at_most = 0.5",
                "at_most = 1.0\nat_least = 2.0",
                "a band from 2 to 1",
            ),
            ("at_most", "at_moust", "unknown field `at_moust`"),
            ("rate of threads in interference@1", "rate", "of the form"),
            ("rate of", "speed of", "`speed` is not a figure; use one of time"),
            ("interference@1", "interference @1", "too many words"),
            (
                "rate of threads in interference@1",
                "p99 of threads in interference@1",
                "figures of the same unit, not ns and 1/s",
            ),
        ];
        for (from, to, expected) in cases {
            let text = GOOD.replacen(from, to, 1);
            let error = parse(&text).unwrap_err();
            assert!(error.contains(expected), "{to}: {error}");
        }
        let twice = format!("{GOOD}{GOOD}");
        let error = parse(&twice).unwrap_err();
        assert!(error.contains("line 19: claim `a`: two claims"), "{error}");
        let (_, trial) = GOOD.split_once("[[claim.trial]]").unwrap();
        let twice = format!("{GOOD}[[claim.trial]]{trial}");
        let error = parse(&twice).unwrap_err();
        assert!(error.contains("two trials have `of = \"Rust\"`"), "{error}");
    }

    #[test]
    fn the_shipped_claims_can_be_measured() {
        let bench = workspace::root().unwrap().join("bench");
        let claims = read(&bench.join("claims.toml")).unwrap();
        let contestants =
            contestants::read(&bench.join("contestants.toml")).unwrap();
        let scenarios = scenarios::read(&bench.join("scenarios")).unwrap();
        let scenarios = scenarios::expand(&scenarios, false);
        check_against(&claims, &contestants, &scenarios).unwrap();
        let error = check_against(&claims, &[], &scenarios).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("no contestant `py-blocking`"), "{text}");
    }
}
