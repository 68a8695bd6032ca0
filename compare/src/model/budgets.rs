//! Budgets, read from `bench/budgets.toml`: limits on what the servers and the
//! load generator may cost.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use charts::Unit;
use serde::Deserialize;
use toml::Spanned;

use crate::base::exit::Usage;
use crate::base::printable::one_line;
use crate::model::claims::{Band, check_names, parts_of_side, prose};
use crate::model::contestant::Contestant;
use crate::model::figure::Figure;
use crate::model::scenarios::Scenario;

/// The budgets of a file.
#[derive(Clone, Debug)]
pub(crate) struct BudgetFile {
    /// The budgets, in the order of the file.
    pub(crate) budgets: Vec<Budget>,
    /// The files of scenarios that only budgets use.
    pub(crate) scenario_files: Vec<PathBuf>,
}

/// A limit that several contestants have to keep, each with its own value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    name: Spanned<String>,
    /// What is limited, in words.
    #[serde(deserialize_with = "prose")]
    pub(crate) what: String,
    /// The reason for the limits.
    #[serde(deserialize_with = "prose")]
    pub(crate) why: String,
    /// The limits, one for each contestant.
    #[serde(rename = "limit")]
    pub(crate) limits: Vec<Limit>,
}

/// The limit of one figure.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    /// The figure that is limited.
    pub(crate) figure: Side,
    /// The figure that `figure` is divided by, if the limit is on a ratio.
    #[serde(default)]
    pub(crate) over: Option<Side>,
    /// The figure that is subtracted from `figure`, if the limit is on growth.
    #[serde(default)]
    pub(crate) less: Option<Side>,
    /// The number that the growth is divided by, such as that of the clients.
    #[serde(default)]
    pub(crate) per: Option<f64>,
    #[serde(default)]
    at_least: Option<f64>,
    #[serde(default)]
    at_most: Option<f64>,
}

/// A quantity of one cell, such as `cost of mio in perf2-crowd`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Side {
    /// The name of the scenario, with a value if it has a sweep.
    pub(crate) scenario: String,
    /// The name of the contestant.
    pub(crate) contestant: String,
    /// The quantity.
    pub(crate) quantity: Quantity,
}

/// What a budget can limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// A figure, measured in rounds.
    Figure(Figure),
    /// The 99th percentile of the lag of an open loop, measured in rounds.
    Lag,
    /// A quantity that is counted or measured apart from the rounds.
    Counted(Count),
}

/// A quantity that is counted or measured apart from the rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Count {
    /// The server's system calls per reply.
    SystemCalls,
    /// The server's allocations per reply.
    Allocations,
    /// The load generator's replies per CPU second, as a share of those of a
    /// minimal client in C.
    Efficiency,
}

impl Quantity {
    /// Returns all quantities.
    fn all() -> impl Iterator<Item = Quantity> {
        let counts =
            [Count::SystemCalls, Count::Allocations, Count::Efficiency];
        Figure::all()
            .into_iter()
            .map(Quantity::Figure)
            .chain([Quantity::Lag])
            .chain(counts.map(Quantity::Counted))
    }

    /// Returns the quantity's name, as `bench/budgets.toml` spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Quantity::Figure(figure) => figure.name(),
            Quantity::Lag => "lag-p99",
            Quantity::Counted(Count::SystemCalls) => "system-calls",
            Quantity::Counted(Count::Allocations) => "allocations",
            Quantity::Counted(Count::Efficiency) => "efficiency",
        }
    }

    /// Returns the unit, or `None` for a plain number.
    pub(crate) fn unit(self) -> Option<Unit> {
        match self {
            Quantity::Figure(figure) => Some(figure.unit()),
            Quantity::Lag => Some(Unit::Nanoseconds),
            Quantity::Counted(_) => None,
        }
    }
}

impl TryFrom<String> for Side {
    type Error = String;

    fn try_from(text: String) -> Result<Side, String> {
        let [quantity, contestant, scenario] = parts_of_side(&text)?;
        let found = Quantity::all().find(|other| other.name() == quantity);
        let quantity = found.ok_or_else(|| {
            let names: Vec<&str> = Quantity::all().map(|q| q.name()).collect();
            let names = names.join(", ");
            format!("`{quantity}` is not a quantity; use one of {names}")
        })?;
        Ok(Side {
            quantity,
            contestant: contestant.to_owned(),
            scenario: scenario.to_owned(),
        })
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Side { quantity, contestant, scenario } = self;
        write!(f, "{} of {contestant} in {scenario}", quantity.name())
    }
}

impl Budget {
    /// Returns the budget's name.
    pub(crate) fn name(&self) -> &str {
        self.name.get_ref()
    }
}

impl Limit {
    /// Returns the quantities that the limit needs.
    pub(crate) fn sides(&self) -> impl Iterator<Item = &Side> {
        [Some(&self.figure), self.over.as_ref(), self.less.as_ref()]
            .into_iter()
            .flatten()
    }

    /// Returns the range that the value must lie in.
    pub(crate) fn band(&self) -> Band {
        Band { at_least: self.at_least, at_most: self.at_most }
    }

    /// Returns the unit of the limited value, or `None` for a ratio or a
    /// count.
    pub(crate) fn unit(&self) -> Option<Unit> {
        match self.over {
            Some(_) => None,
            None => self.figure.quantity.unit(),
        }
    }
}

/// Reads the budgets of a file.
///
/// # Errors
///
/// Returns a [`Usage`] error that names the file, the line and the mistake.
pub(crate) fn read(path: &Path) -> anyhow::Result<BudgetFile> {
    let unreadable = || Usage(format!("cannot read {}", path.display()));
    let text = fs::read_to_string(path).with_context(unreadable)?;
    let mut file = parse(&text)
        .map_err(|error| Usage(format!("{}: {error}", path.display())))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for file in &mut file.scenario_files {
        *file = folder.join(&*file);
    }
    Ok(file)
}

pub(crate) fn parse(text: &str) -> Result<BudgetFile, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        scenario_files: Vec<PathBuf>,
        budget: Vec<Budget>,
    }
    let File { budget: budgets, scenario_files } =
        toml::from_str(text).map_err(|error| error.to_string())?;
    let mut names = BTreeSet::new();
    for budget in &budgets {
        let is_new = names.insert(budget.name());
        let twice = || Err("two budgets have this name".to_owned());
        let checked = if is_new { check(budget) } else { twice() };
        checked.map_err(|what| {
            let start = budget.name.span().start;
            let line = text[..start].matches('\n').count() + 1;
            one_line(&format!(
                "line {line}: budget `{}`: {what}",
                budget.name()
            ))
        })?;
    }
    Ok(BudgetFile { budgets, scenario_files })
}

fn check(budget: &Budget) -> Result<(), String> {
    if budget.limits.is_empty() {
        return Err("a [[budget.limit]] is missing".to_owned());
    }
    for limit in &budget.limits {
        check_limit(limit)
            .map_err(|what| format!("{}: {what}", limit.figure))?;
    }
    Ok(())
}

fn check_limit(limit: &Limit) -> Result<(), String> {
    let bound = match (limit.at_least, limit.at_most) {
        (Some(bound), None) | (None, Some(bound)) => bound,
        _ => return Err("give either `at_least` or `at_most`".to_owned()),
    };
    if !(bound >= 0.0 && bound.is_finite()) {
        return Err(format!("the limit {bound} is not 0 or more"));
    }
    if limit.over.is_some() && limit.less.is_some() {
        return Err("give either `over` or `less`".to_owned());
    }
    if limit.less.is_some() != limit.per.is_some() {
        return Err("`less` and `per` need each other".to_owned());
    }
    if limit.per.is_some_and(|per| !(per > 0.0 && per.is_finite())) {
        return Err("`per` must be greater than 0".to_owned());
    }
    let kind = |side: &Side| side.quantity.unit();
    if limit.sides().any(|side| kind(side) != kind(&limit.figure)) {
        return Err("the figures have different units".to_owned());
    }
    let is_counted =
        |side: &Side| matches!(side.quantity, Quantity::Counted(_));
    if limit.sides().count() > 1 && limit.sides().any(is_counted) {
        return Err("a count has neither `over` nor `less`".to_owned());
    }
    Ok(())
}

/// Checks that the contestants and scenarios of the budgets exist.
///
/// # Errors
///
/// Returns a [`Usage`] error that names the budget, what it lacks, and what
/// exists instead.
pub(crate) fn check_against(
    budgets: &[Budget],
    contestants: &[Contestant],
    scenarios: &[Scenario],
) -> Result<(), Usage> {
    for budget in budgets {
        for side in budget.limits.iter().flat_map(Limit::sides) {
            let names = [side.contestant.as_str(), &side.scenario];
            check_names(names, contestants, scenarios).map_err(|what| {
                let name = budget.name();
                Usage(one_line(&format!("budget `{name}`: {what}")))
            })?;
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
[[budget]]
name = \"a\"
what = \"\"\"
One line,
and another.
\"\"\"
why = \"w\"

[[budget.limit]]
figure = \"cost of mio in perf2-crowd\"
over = \"cost of c-epoll in perf2-crowd\"
at_most = 1.05

[[budget.limit]]
figure = \"rss of mio in idle@5000\"
less = \"rss of mio in idle@0\"
per = 5_000
at_most = 1_024

[[budget.limit]]
figure = \"system-calls of mio in perf2-crowd\"
at_most = 2.1
";

    #[test]
    fn a_budget_is_read() {
        let file = parse(GOOD).unwrap();
        let budget = &file.budgets[0];
        assert_eq!(budget.name(), "a");
        assert_eq!(budget.what, "One line, and another.");
        let [cost, rss, calls] = &budget.limits[..] else { panic!() };
        assert_eq!(cost.band().to_string(), "at most 1.05");
        assert_eq!(cost.figure.to_string(), "cost of mio in perf2-crowd");
        assert_eq!(cost.unit(), None);
        assert_eq!(rss.unit(), Some(Unit::Bytes));
        let counted = Quantity::Counted(Count::SystemCalls);
        assert_eq!(calls.figure.quantity, counted);
    }

    #[test]
    fn a_mistake_is_reported_with_its_line() {
        let cases = [
            ("at_most = 1.05", "", "line 3: budget `a`: cost of mio"),
            ("at_most = 1.05", "at_most = nan", "is not 0 or more"),
            ("at_most = 1.05", "at_most = 1\nat_least = 0", "give either"),
            ("at_most", "at_moust", "unknown field `at_moust`"),
            ("cost of mio in", "cost mio in", "of the form"),
            ("cost of mio", "price of mio", "use one of time, rate"),
            ("over = \"cost", "over = \"rss", "different units"),
            ("per = 5_000\n", "", "need each other"),
            ("per = 5_000", "per = 0", "greater than 0"),
            (
                "at_most = 2.1",
                "at_most = 2.1\nover = \"allocations of a in b\"",
                "a count has neither",
            ),
        ];
        for (from, to, expected) in cases {
            let text = GOOD.replacen(from, to, 1);
            let error = parse(&text).unwrap_err();
            assert!(error.contains(expected), "{to}: {error}");
        }
        let error = parse(&format!("{GOOD}{GOOD}")).unwrap_err();
        assert!(error.contains("two budgets have this name"), "{error}");
    }

    #[test]
    fn the_shipped_budgets_can_be_measured() {
        let bench = workspace::root().unwrap().join("bench");
        let file = read(&bench.join("budgets.toml")).unwrap();
        let contestants =
            contestants::read(&bench.join("contestants.toml")).unwrap();
        let mut scenarios = scenarios::read(&bench.join("scenarios")).unwrap();
        for path in &file.scenario_files {
            scenarios::add(&mut scenarios, path).unwrap();
        }
        let scenarios = scenarios::expand(&scenarios, false);
        check_against(&file.budgets, &contestants, &scenarios).unwrap();
    }
}
