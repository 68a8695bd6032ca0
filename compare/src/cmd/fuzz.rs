//! Fuzz tests of what people write or pass on: files, flags and records.
//!
//! `cargo test` tries a few inputs in about a second for each test. To try
//! more:
//!
//! ```text
//! PROPTEST_CASES=100000 cargo test --profile fuzz -p compare fuzz
//! ```

mod mutation;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use crate::analysis::advice::Advice;
use crate::analysis::budgets::BudgetReport;
use crate::analysis::claims::Verdicts;
use crate::analysis::comparison::{Comparison, Reference, Rules};
use crate::analysis::gate::Gate;
use crate::analysis::merge::merge;
use crate::analysis::merge::source::Source;
use crate::analysis::ranking::Ranking;
use crate::base::exit::Usage;
use crate::cmd::fuzz::mutation::{INPUT_BYTES, Originals, Syntax};
use crate::cmd::outcome;
use crate::measure::duration::{check_silence, expected_duration};
use crate::model::budgets::{self, Budget};
use crate::model::claims::{self, Claim};
use crate::model::contestant::Contestant;
use crate::model::contestants;
use crate::model::figure::Figure;
use crate::model::load_plan::GroupPlan;
use crate::model::mix::{self, LongRequests, Mix, Rate};
use crate::model::provenance::Part;
use crate::model::record::Record;
use crate::model::scenarios::{self, ROUNDS, Scenario};
use crate::output::sheet::Sheet;
use crate::output::text::Detail;
use crate::output::{self, csv, gate, html, json, markdown, ranking, text};

/// The most memory that one input may need.
const BYTES_MAX: u64 = 1 << 26;

/// The margin of equality.
const MARGIN: f64 = 0.03;

#[test]
fn a_scenario_is_refused_or_can_be_measured() {
    let files = files_in("bench/scenarios", "toml");
    fuzz(&Originals::new(Syntax::Toml, files), 300, check_scenario);
}

#[test]
fn contestants_are_refused_or_can_take_part() {
    let files = ["bench/contestants.toml"].map(shipped);
    fuzz(&Originals::new(Syntax::Toml, files), 100, check_contestants);
}

#[test]
fn claims_are_refused_or_can_be_judged() {
    let record = &records()[0];
    let files = ["bench/claims.toml"].map(shipped);
    let check = |text: &str| match claims::parse(text) {
        Ok(claims) => judge_claims(&claims, record),
        Err(error) => assert_readable(&error),
    };
    fuzz(&Originals::new(Syntax::Toml, files), 50, check);
}

#[test]
fn budgets_are_refused_or_can_be_judged() {
    let record = &records()[0];
    let files = ["bench/budgets.toml"].map(shipped);
    let check = |text: &str| match budgets::parse(text) {
        Ok(file) => judge_budgets(&file.budgets, record),
        Err(error) => assert_readable(&error),
    };
    fuzz(&Originals::new(Syntax::Toml, files), 50, check);
}

#[test]
fn a_mix_is_refused_or_is_a_valid_scenario() {
    let mixes = ["5/s x 50ms", "0.5/s x 1min 2s", "2,000/s", "20_000/s"];
    fuzz(&Originals::new(Syntax::Words, mixes), 5_000, check_mix);
}

#[test]
fn a_group_is_refused_or_parsed_back_as_it_is_printed() {
    let groups = [
        "short:n=1,connections=64",
        "long:n=36,connections=2,depth=16,think=1ms 500us",
        "open:n=1,rate=2000.5,arrivals=constant,addr=127.0.0.1:25000",
        "churning:n=1,churn",
        "silent:connections=1000,silent,addr=[::1]:80",
    ];
    fuzz(&Originals::new(Syntax::Words, groups), 5_000, check_group);
}

#[test]
fn a_record_is_refused_or_can_be_reported() {
    let claims = claims::parse(&shipped("bench/claims.toml")).unwrap();
    let budgets = budgets::parse(&shipped("bench/budgets.toml")).unwrap();
    let others = records();
    let files = files_in(RECORDS, "json");
    fuzz(&Originals::new(Syntax::Json, files), 20, |text| {
        match Record::parse(text.as_bytes()) {
            Ok(record) => {
                report(&record);
                judge_claims(&claims, &record);
                judge_budgets(&budgets.budgets, &record);
                advise(&record);
                // Each with one other, to try more inputs.
                let choice = text.len();
                let other = &others[choice % others.len()];
                compare(&record, other, choice / others.len());
                join(&record, other);
            }
            Err(error) => assert_readable(&error),
        }
    });
}

/// Small records: parts of those in `bench/recorded`, with short histograms.
const RECORDS: &str = "compare/src/cmd/fuzz";

/// Tries random inputs, each as it is and as a mutation of an original: `cases`
/// inputs, or as many as the variable `PROPTEST_CASES` sets.
#[track_caller]
fn fuzz(originals: &Originals, cases: u32, check: impl Fn(&str)) {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    let inputs = vec(any::<u8>(), 0..=INPUT_BYTES);
    let tried = TestRunner::new(config).run(&inputs, |input| {
        for text in originals.texts(&input) {
            let used = allocation_counter::measure(|| check(&text));
            assert!(used.bytes_max < BYTES_MAX, "{}", used.bytes_max);
        }
        Ok(())
    });
    if let Err(TestError::Fail(reason, input)) = &tried {
        panic!("{reason}: {input:?}:\n{}", originals.texts(input)[1]);
    }
    tried.unwrap();
}

fn records() -> Vec<Record> {
    let texts = files_in(RECORDS, "json");
    let records = texts.iter().map(|text| Record::parse(text.as_bytes()));
    records.map(Result::unwrap).collect()
}

/// Returns the path of a file in the workspace.
fn path(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(name)
}

fn shipped(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

/// Returns the files of a folder with this ending, in the order of their names.
fn files_in(folder: &str, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(path(folder)).unwrap();
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == ending));
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Checks that an error is one line, or a TOML parser's excerpt of the file.
#[track_caller]
fn assert_readable(error: &str) {
    let is_excerpt = error.contains("TOML parse error at line");
    assert!(is_excerpt || error.lines().count() == 1, "{error:?}");
}

fn check_scenario(text: &str) {
    let path = Path::new("fuzzed.toml");
    let scenario = match scenarios::parse(path, text) {
        Ok(scenario) => scenario,
        Err(Usage(error)) => return assert_readable(&error),
    };
    let mut points = scenarios::expand(std::slice::from_ref(&scenario), false);
    for value in [f64::NAN, -1.0, 0.0, 0.5, 2.0, 1e300] {
        match scenario.point_at(value) {
            Ok(point) => points.push(point),
            Err(error) => assert_eq!(error.lines().count(), 1, "{error}"),
        }
    }
    for point in points {
        let json = serde_json::to_string(&point).unwrap();
        assert_eq!(serde_json::from_str::<Scenario>(&json).unwrap(), point);
        expected_duration(&point, 12, ROUNDS);
        let _ = check_silence(&point, 12);
        assert!((1..=ROUNDS).contains(&point.rounds_of(ROUNDS)));
        let _ = mix::check(&point);
        for group in &point.groups {
            let _ = group.pace();
        }
    }
}

fn check_contestants(text: &str) {
    if let Err(Usage(error)) = Contestant::given(text) {
        assert_readable(&error);
    }
    let contestants = match contestants::parse(text) {
        Ok(contestants) => contestants,
        Err(error) => return assert_readable(&error),
    };
    for mut contestant in contestants {
        let json = serde_json::to_string(&contestant).unwrap();
        assert_eq!(
            serde_json::from_str::<Contestant>(&json).unwrap(),
            contestant
        );
        let _ = contestant.find_programs(|_| true);
        contestant.with_workers(3);
    }
}

fn check_mix(text: &str) {
    let long = text.parse::<LongRequests>().ok();
    let short = text.parse::<Rate>().ok();
    let mix = Mix { long, short, clients: 64 };
    let Ok(scenario) = mix.scenario(4) else { return };
    mix::check(&scenario).unwrap();
    let file = toml::to_string(&Scenario { name: String::new(), ..scenario });
    // `turns` and `alone` exclude each other in a file, but not in a record.
    let file = file.unwrap().replace("turns = 1\n", "");
    scenarios::parse(Path::new("mix.toml"), &file).unwrap();
}

fn check_group(text: &str) {
    match text.parse::<GroupPlan>() {
        Ok(group) => assert_eq!(group.to_string().parse(), Ok(group)),
        // The line feeds of a flag are the user's own.
        Err(error) => assert_ne!(error, ""),
    }
}

fn judge_claims(claims: &[Claim], record: &Record) {
    if let Err(Usage(error)) = claims::check_against(claims, &[], &[]) {
        assert_readable(&error);
    }
    let verdicts = Verdicts::of(claims, record);
    verdicts.outcome();
    output::claims::text::text(&verdicts);
    output::claims::html::page(&verdicts).unwrap();
    output::claims::markdown::table(&verdicts).unwrap();
    output::claims::json::document(&verdicts).unwrap();
}

fn judge_budgets(budgets: &[Budget], record: &Record) {
    if let Err(Usage(error)) = budgets::check_against(budgets, &[], &[]) {
        assert_readable(&error);
    }
    let report = BudgetReport::of(budgets, record);
    report.outcome();
    output::budgets::text(&report);
    output::budgets::markdown(&report).unwrap();
    output::budgets::json(&report).unwrap();
}

fn report(record: &Record) {
    let _ = outcome::reason(record, outcome::outcome(record));
    let sheet = Sheet::with_margin(record, MARGIN);
    text::text(&sheet, Detail::Brief);
    text::text(&sheet, Detail::Verbose);
    html::page(&sheet).unwrap();
    markdown::tables(&sheet).unwrap();
    csv::rows(&sheet).unwrap();
    json::document(&sheet).unwrap();
    let names: Vec<&str> =
        record.contestants().map(|c| c.name.as_str()).collect();
    let scenarios: Vec<&Scenario> = record.scenarios.iter().collect();
    for figure in Figure::all() {
        let of = Ranking::of(record, &scenarios, &names, figure, MARGIN);
        of.as_ref().map(ranking::text);
    }
}

fn advise(record: &Record) {
    let [scenario] = record.scenarios.as_slice() else { return };
    if mix::check(scenario).is_err() {
        return;
    }
    let advice = Advice::with_margin(record, scenario, record.slo(), MARGIN);
    output::advice::text::text(&advice);
    output::advice::html::page(&advice).unwrap();
}

fn compare(record: &Record, other: &Record, choice: usize) {
    let name = record.contestants().next().map(|c| c.name.clone());
    let reference = match choice % 3 {
        0 => Reference::Others,
        1 => Reference::Nothing,
        _ => Reference::Contestant(name.unwrap_or_default()),
    };
    let rules = Rules { margin: MARGIN, reference };
    let comparison = Comparison::of(record, other, &rules, |_, _| true);
    output::comparison::text(&comparison, MARGIN);
    gate::text(&Gate::of(&comparison, 0.05));
}

fn join(record: &Record, other: &Record) {
    let sources = [record, other].map(|record| {
        let mut record = record.clone();
        if record.parts.is_empty() {
            record.parts = vec![Part::of(&record, "run.json")];
        }
        Source { name: "run".to_owned(), record }
    });
    let [one, mut other] = sources;
    // The same run twice is refused.
    other.record.parts.iter_mut().for_each(|part| part.id += "-2");
    match merge(vec![one, other]) {
        Ok(merged) => {
            output::merge::text(&merged, Path::new("run.json"));
            report(&merged);
        }
        Err(error) => assert_ne!(error.to_string(), ""),
    }
}
