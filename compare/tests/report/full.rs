//! A made-up record of a full run: the usual contestants under all scenarios,
//! at all values, with everything that a page must be able to show.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::{RUN, call, page_of, stderr};

pub(super) const BENCH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench");

const ROUNDS: u64 = 5;
const WINDOW_NS: u64 = 1_000_000_000;

/// The time of both processors in a window.
const ALL_NS: u64 = 2 * WINDOW_NS;

static RECORD: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = RUN.folder.join("full.json");
    fs::write(&path, record().to_string()).unwrap();
    path
});

/// The report page of the record.
pub(super) static PAGE: LazyLock<PathBuf> = LazyLock::new(|| {
    let page = RUN.folder.join("full.html");
    fs::write(&page, page_of(&RECORD)).unwrap();
    page
});

/// The page of the verdicts on the talk's claims.
pub(super) static CLAIMS: LazyLock<PathBuf> = LazyLock::new(|| {
    let page = RUN.folder.join("claims.html");
    let paths = [&*RECORD, &page].map(|path| path.to_str().unwrap());
    let output = call(&["claims", paths[0], "--html", paths[1]]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    page
});

/// Sets the number of replies of a group; most of them took about `time_ns`.
pub(super) fn fill(group: &mut Value, replies: u64, time_ns: u64) {
    group["replies"] = replies.into();
    group["replies_in_all"] = replies.into();
    group["service_ns"] = times(replies, time_ns);
}

fn times(count: u64, time_ns: u64) -> Value {
    let mut rest = count;
    let mut counts = Vec::new();
    for step in 0.. {
        let here = (rest / 12).max(1).min(rest);
        if here == 0 {
            break;
        }
        rest -= here;
        counts.push((time_ns * (100 + 4 * step) / 130, here));
    }
    json!({ "significant_digits": 3, "counts": counts })
}

fn record() -> Value {
    let text = fs::read_to_string(RUN.record.join("run.json")).unwrap();
    let mut record: Value = serde_json::from_str(&text).unwrap();
    let mut round = record["cells"]["perf2"]["good"]["rounds"][0].clone();
    // The turns of one scenario would not fit into the others.
    round["turns"] = json!([]);
    let contestants = contestants();
    let scenarios = scenarios();
    let mut entrants: Vec<Value> = contestants
        .iter()
        .map(|one| json!({ "contestant": one, "again": null }))
        .collect();
    let mut twin = contestants[1].clone();
    let name = twin["name"].as_str().unwrap().to_owned();
    twin["name"] = format!("{name} again").into();
    entrants.push(json!({ "contestant": twin, "again": name }));

    let mut cells = json!({});
    for scenario in &scenarios {
        let of = scenario["name"].as_str().unwrap();
        for (index, entrant) in entrants.iter().enumerate() {
            let name = entrant["contestant"]["name"].as_str().unwrap();
            let rounds: Vec<Value> = (1..=ROUNDS)
                .map(|number| measured(&round, scenario, index, number))
                .collect();
            cells[of][name] = json!({ "void": null, "rounds": rounds });
        }
    }
    let name = |index: usize| contestants[index]["name"].as_str().unwrap();
    cells["churn"][name(2)] = json!({
        "rounds": [],
        "void": {
            "round": 2,
            "reason": "short: 12 connections reset",
            "contestant_failed": true,
            "log": ["a line", "and one more"],
        },
    });
    cells["ladder@5000"][name(0)] = json!({
        "rounds": [],
        "void": null,
        "by_design": "it serves one client at a time",
    });
    record["rounds"] = ROUNDS.into();
    record["complete"] = true.into();
    record["entrants"] = entrants.into();
    record["scenarios"] = scenarios.into();
    record["cells"] = cells;
    record
}

/// Returns a round with figures for which the charts show typical shapes.
fn measured(
    round: &Value,
    scenario: &Value,
    index: usize,
    number: u64,
) -> Value {
    let mut round = round.clone();
    let value = scenario["point"]["value"].as_f64().unwrap_or(1.0);
    let base = scenario["point"]["of"].as_str().unwrap_or_default();
    let rank = index as f64;
    let noise = 1.0 + 0.01 * ((number * 7 + index as u64 * 3) % 5) as f64;
    let crowd = if base == "ladder" { value.max(1.0) } else { 1.0 };
    let replies = match base {
        // From nearly all of the rate to almost none of it.
        "interference" if value > 0.0 => {
            200_000.0 / (1.0 + rank * rank * value)
        }
        "load-curve" => 40_000.0 * value.min(1.0),
        _ => 200_000.0 / (1.0 + rank / 8.0) / crowd.powf(0.1),
    };
    let replies = (replies / noise) as u64;
    let time_ns = (20_000.0 * (1.0 + rank / 4.0) * crowd * noise) as u64;
    let group = round["report"]["groups"][0].clone();
    let groups = scenario["group"].as_array().unwrap().iter().map(|one| {
        let mut group = group.clone();
        group["name"] = one["name"].clone();
        group["connections"] = one["connections"].clone();
        group["connected"] = one["connections"].clone();
        if one["name"] == scenario["of"] {
            fill(&mut group, replies, time_ns);
        } else {
            fill(&mut group, 20, 50_000_000);
        }
        if one["load"].is_number() {
            let waits = if value < 0.75 + rank / 40.0 { 1 } else { 40 };
            group["open"] = json!({
                "response_ns": times(replies, time_ns * waits),
                "lag_ns": times(replies, 10_000),
                "unanswered": 0,
            });
        }
        group
    });
    let groups: Vec<Value> = groups.collect();
    let clients: f64 =
        groups.iter().map(|one| one["connections"].as_f64().unwrap()).sum();
    let cost_ns = 4_000.0 * (1.0 + rank / 9.0) * (1.0 + crowd.ln() / 9.0);
    let rss = 2e6 + 1e5 * rank + clients * 1024.0 * (1.0 + rank);
    let report = &mut round["report"];
    report["window_ns"] = WINDOW_NS.into();
    report["server_cpu_ns"] =
        json!({ "value": (cost_ns * noise) as u64 * replies });
    report["server_rss_bytes"] = json!({ "value": (rss * noise) as u64 });
    report["groups"] = groups.into();
    // One cell has a share of stolen time that makes it suspect.
    let stolen_ns =
        if base == "pipeline" && index == 4 { ALL_NS / 10 } else { 0 };
    report["machine"] = json!({
        "value": { "busy_ns": 0, "stolen_ns": stolen_ns, "all_ns": ALL_NS },
    });
    round["round"] = number.into();
    round["bottleneck"] =
        if base == "pipeline" { "generator" } else { "neither" }.into();
    round["capacity"] = json!({ "value": 40_000.0 - 2_000.0 * rank });
    round
}

fn contestants() -> Vec<Value> {
    let file = toml(&format!("{BENCH}/contestants.toml"));
    let all = file["contestant"].as_array().unwrap().iter();
    all.filter(|one| one["label"] == "idiomatic").cloned().collect()
}

fn toml(path: &str) -> Value {
    let text = fs::read_to_string(path).unwrap();
    ::toml::from_str(&text).unwrap()
}

/// Returns all scenarios, each at all of its values.
fn scenarios() -> Vec<Value> {
    let folder = fs::read_dir(format!("{BENCH}/scenarios")).unwrap();
    let mut files: Vec<PathBuf> =
        folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|path| expanded(path)).collect()
}

fn expanded(path: &std::path::Path) -> Vec<Value> {
    let mut scenario = toml(path.to_str().unwrap());
    let name = path.file_stem().unwrap().to_str().unwrap();
    scenario["name"] = name.into();
    let Some(sweep) = scenario.as_object_mut().unwrap().remove("sweep") else {
        return vec![scenario];
    };
    let knob = sweep["of"].as_str().unwrap();
    let values = sweep["values"].as_array().unwrap().iter();
    let points = values.map(|number| {
        let value = number.as_f64().unwrap();
        let mut point = scenario.clone();
        point["name"] = format!("{name}@{value}").into();
        point["point"] = json!({ "of": name, "value": value });
        if point["against"] == "apart" {
            point["against"] = format!("apart@{value}").into();
        }
        if knob == "workers" {
            point["workers"] = number.clone();
        }
        let groups = point["group"].as_array_mut().unwrap();
        for group in groups.iter_mut() {
            if group["name"] == sweep["group"] {
                group[knob] = match knob {
                    "cost" => format!("{value}ms").into(),
                    _ => number.clone(),
                };
            }
        }
        groups.retain(|group| group["connections"] != 0);
        point
    });
    points.collect()
}
