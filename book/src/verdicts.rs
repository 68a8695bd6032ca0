//! Renders the talk's claims with their verdicts, as `compare claims --json`
//! writes them.

use std::path::Path;
use std::{fmt, fs};

use anyhow::{Context, bail};
use charts::{escaped, inline};
use serde::Deserialize;

use crate::figures::{Estimate, Machine, rounds};

/// The claims, with the verdicts of one run.
#[derive(Deserialize)]
pub(crate) struct Verdicts {
    run: String,
    complete: bool,
    rounds_done: u64,
    machine: Machine,
    claims: Vec<Claim>,
}

#[derive(Deserialize)]
struct Claim {
    name: String,
    version: String,
    says: String,
    mechanism: String,
    at_least: Option<f64>,
    at_most: Option<f64>,
    trials: Vec<Trial>,
}

#[derive(Deserialize)]
struct Trial {
    of: String,
    verdict: String,
    ratio: Option<Estimate>,
    left: Side,
    right: Side,
}

/// The numerator or the denominator of a ratio.
#[derive(Deserialize)]
struct Side {
    figure: String,
    contestant: String,
    scenario: String,
}

impl Verdicts {
    /// Reads a file that `compare claims --json` wrote.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Verdicts> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| {
            format!(
                "cannot parse {}: expected a file written by `compare claims \
                 --json`",
                path.display()
            )
        })
    }

    /// Renders one claim with its verdicts.
    pub(crate) fn one(&self, name: &str) -> anyhow::Result<String> {
        let claim = self.claims.iter().find(|claim| claim.name == name);
        let Some(claim) = claim else {
            bail!("run {}: no claim `{name}`", self.run);
        };
        Ok(format!(
            "<div class=\"claim\"><p class=\"statement\">{}</p>\n<table><tbody>\
             {}</tbody></table><p class=\"mechanism\">{}</p>\n{}</div>\n",
            inline(&claim.says),
            rows(claim),
            inline(&claim.mechanism),
            self.origin(&[claim])
        ))
    }

    /// Renders the claims about one version of the talk's server as a table. An
    /// empty `version` selects all claims.
    pub(crate) fn all(&self, version: &str) -> anyhow::Result<String> {
        let is_of =
            |claim: &&Claim| version.is_empty() || claim.version == version;
        let claims: Vec<&Claim> = self.claims.iter().filter(is_of).collect();
        if claims.is_empty() {
            bail!("run {}: no claim about version {version}", self.run);
        }
        let mut html = String::from(
            "<div class=\"table-wrapper\">\
             <table class=\"claims\"><thead><tr><th>claim</th>\
             <th>tested on</th><th>measured</th><th>claimed</th>\
             <th>verdict</th></tr></thead><tbody>\n",
        );
        for &claim in &claims {
            let count = claim.trials.iter().filter(|t| t.is_tried()).count();
            html += &format!(
                "<tr><th scope=\"rowgroup\" rowspan=\"{}\">{}</th></tr>{}\n",
                count + 1,
                inline(&claim.says),
                rows(claim)
            );
        }
        Ok(html + "</tbody></table></div>\n" + &self.origin(&claims))
    }

    /// Renders what each ratio divides, and the origin of the figures.
    fn origin(&self, claims: &[&Claim]) -> String {
        let ratios = claims.iter().map(|claim| {
            let tried = claim.trials.iter().filter(|trial| trial.is_tried());
            let items = tried.map(|Trial { of, left, right, .. }| {
                let of = escaped(of);
                format!("<li>{of}: {left}, divided by {right}</li>\n")
            });
            let statement = inline(&claim.says);
            format!(
                "<p>{statement}</p>\n<ul>{}</ul>\n",
                items.collect::<String>()
            )
        });
        let state = if self.complete { "" } else { "interrupted; " };
        format!(
            "<details><summary>Ratios and source</summary>\n\
             {}<p>run {}: {}; {state}{}</p>\n\
             <pre><code>cargo run --release -p compare -- claims</code></pre>\
             </details>\n",
            ratios.collect::<String>(),
            self.run,
            escaped(&self.machine.to_string()),
            rounds(self.rounds_done)
        )
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Side { figure, contestant, scenario } = self;
        let text = format!("{figure} of {contestant} in {scenario}");
        write!(f, "<i>{}</i>", escaped(&text))
    }
}

impl Trial {
    fn is_tried(&self) -> bool {
        self.verdict != "not tried"
    }
}

fn rows(claim: &Claim) -> String {
    let tried = claim.trials.iter().filter(|trial| trial.is_tried());
    let rows = tried.map(|Trial { of, verdict, ratio, .. }| {
        let ratio = ratio.map_or("–".to_owned(), |ratio| {
            let [value, low, high] =
                [ratio.value, ratio.low, ratio.high].map(charts::ratio);
            format!("<b>{value}</b><br>{low} to {high}")
        });
        format!(
            "<tr><td>{}</td><td>{ratio}</td><td>{}</td>\
             <td><b>{verdict}</b></td></tr>",
            escaped(of),
            band(claim)
        )
    });
    rows.collect()
}

fn band(claim: &Claim) -> String {
    match (claim.at_least, claim.at_most) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => "–".to_owned(),
    }
}
