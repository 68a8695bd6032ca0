//! `compare budgets`: verdicts follow from the record alone, and only the cells
//! that the budgets need are measured.

use super::records::{call, made_up, slowed};
use super::*;

/// Returns a budget with one limit.
fn budget(name: &str, limit: &str) -> String {
    format!(
        "[[budget]]\n\
         name = \"{name}\"\n\
         what = \"It is made up.\"\n\
         why = \"For a test.\"\n\
         [[budget.limit]]\n\
         {limit}\n"
    )
}

/// Returns a limit of the rate of `other`, divided by the rate of `good`.
fn ratio(limit: &str) -> String {
    format!(
        "figure = \"rate of other in perf2\"\n\
         over = \"rate of good in perf2\"\n\
         {limit}\n"
    )
}

/// Judges a record; returns the exit code and the first limit of each budget.
fn judged(folder: &Folder, run: &Path, budgets: &str) -> (i32, Vec<Value>) {
    let file = folder.file("budgets.toml", budgets);
    let [run, file] = [run, &file].map(|path| path.to_str().unwrap());
    let output = call(&["budgets", run, "--budgets", file, "--json", "-"]);
    let code = output.status.code().unwrap();
    let text = stdout(&output);
    let found: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", stderr(&output)));
    let budgets = found["budgets"].as_array().unwrap().iter();
    (code, budgets.map(|budget| budget["limits"][0].clone()).collect())
}

#[test]
fn the_verdict_and_the_exit_code_depend_on_the_limit() {
    let folder = Folder::new();
    // Twice the time is half the rate.
    let half = slowed(&folder, "half", &[20, 20, 20]);
    let wide = slowed(&folder, "wide", &[12, 20, 40]);
    let cases = [
        (&half, "at_most = 0.5", 0, "kept"),
        (&half, "at_most = 0.4", 99, "broken"),
        (&half, "at_least = 0.5", 0, "kept"),
        (&half, "at_least = 0.6", 99, "broken"),
        (&wide, "at_most = 0.6", 98, "undecided"),
        (&wide, "at_least = 0.05", 0, "kept"),
    ];
    for (run, limit, code, verdict) in cases {
        let budgets = budget("b", &ratio(limit));
        let (found, limits) = judged(&folder, run, &budgets);
        assert_eq!(limits[0]["verdict"], verdict, "{limit}: {limits:?}");
        assert_eq!(found, code, "{limit}");
    }
    // A broken limit matters more than an undecided one.
    let both = budget("a", &ratio("at_most = 0.6"))
        + &budget("b", &ratio("at_most = 0.1"));
    assert_eq!(judged(&folder, &wide, &both).0, 99);
}

#[test]
fn a_figure_of_its_own_and_a_growth_have_units() {
    let folder = Folder::new();
    let run = slowed(&folder, "same", &[10, 10, 10]);
    // In `made_up`, a server has 1 MiB.
    let growth = "figure = \"rss of other in perf2\"\n\
                  less = \"rss of good in perf2\"\n\
                  per = 5\n\
                  at_most = 0";
    let alone = "figure = \"rss of other in perf2\"\nat_most = 1_000_000";
    let text = budget("growth", growth) + &budget("alone", alone);
    let (code, limits) = judged(&folder, &run, &text);
    assert_eq!(limits[0]["verdict"], "kept");
    assert_eq!(limits[1]["verdict"], "broken");
    assert_eq!(code, 99);
    let file = folder.file("budgets.toml", &text);
    let [run, file] = [&run, &file].map(|path| path.to_str().unwrap());
    let output = call(&["budgets", run, "--budgets", file]);
    let text = stdout(&output);
    let line = "  other  1.00 MiB  at most 977 KiB  broken";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("limits: 1 kept, 1 broken"), "{text}");
    let output = call(&["budgets", run, "--budgets", file, "-b", "grow"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = call(&["budgets", run, "--budgets", file, "-b", "nothing"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("nothing"), "{}", stderr(&output));
}

#[test]
fn a_limit_without_figures_in_the_record_is_not_measured() {
    let folder = Folder::new();
    let run = made_up(&folder, "some", |_| ());
    let absent = ratio("at_most = 2.0").replace("perf2", "perf1");
    let counted = "figure = \"allocations of good in perf2\"\nat_most = 0";
    for limit in [absent.as_str(), counted] {
        let (code, found) = judged(&folder, &run, &budget("b", limit));
        assert_eq!((code, &found[0]["verdict"]), (4, &"not measured".into()));
    }
    let (code, _) = judged(
        &folder,
        &run,
        &(budget("a", &absent) + &budget("b", &ratio("at_most = 2.0"))),
    );
    assert_eq!(code, 0);
    let run = made_up(&folder, "void", |record| {
        let cell = &mut record["cells"]["perf2"]["other"];
        cell["void"] = serde_json::json!({
            "round": 2, "reason": "it died", "contestant_failed": true,
            "log": []
        });
    });
    let (code, found) =
        judged(&folder, &run, &budget("b", &ratio("at_most = 2.0")));
    assert_eq!((code, &found[0]["verdict"]), (3, &"failed".into()));
    assert_eq!(found[0]["reason"], "other in perf2: void: it died");
}

#[test]
fn a_count_is_judged_by_its_recorded_value() {
    let folder = Folder::new();
    let run = made_up(&folder, "counts", |record| {
        let cell = &mut record["cells"]["perf2"]["good"];
        cell["allocations"] = serde_json::json!({ "value": 0.0004 });
        cell["efficiency"] = serde_json::json!({ "value": [0.8, 0.9, 1.0] });
        cell["system_calls"] =
            serde_json::json!({ "value": { "read": 1.0, "write": 1.001 } });
    });
    let cases = [
        ("allocations", "at_most = 0", "kept"),
        ("efficiency", "at_least = 0.6", "kept"),
        ("efficiency", "at_least = 0.9", "undecided"),
        ("system-calls", "at_most = 2", "kept"),
        ("system-calls", "at_most = 1.9", "broken"),
    ];
    for (name, limit, verdict) in cases {
        let limit = format!("figure = \"{name} of good in perf2\"\n{limit}");
        let (_, found) = judged(&folder, &run, &budget("b", &limit));
        assert_eq!(found[0]["verdict"], verdict, "{limit}: {found:?}");
    }
}

#[test]
fn only_the_cells_that_the_budgets_need_are_measured_and_counted() {
    let folder = Folder::new();
    let contestants = contestant("good", "none")
        + &contestant("other", "none")
        + &contestant("idle", "none");
    let contestants = folder.file("c.toml", &contestants);
    let limit = "figure = \"rate of other in perf2\"\nat_least = 1";
    let count = "figure = \"efficiency of good in perf2\"\nat_least = 0";
    let text = budget("rate", limit) + &budget("efficiency", count);
    let budgets = folder.file("budgets.toml", &text);
    let out = folder.path.join("out");
    let paths = [&contestants, &budgets, &out].map(|p| p.to_str().unwrap());
    let [contestants, budgets, out] = paths;
    let output = alone(
        &folder,
        &[
            "budgets",
            "--contestants",
            contestants,
            "--budgets",
            budgets,
            "--out",
            out,
            "--rounds",
            "3",
            "--duration",
            "30ms",
        ],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let record = read_json(&folder.path.join("out/run.json"));
    let cells = record["cells"]["perf2"].as_object().unwrap();
    let names: Vec<&String> = cells.keys().collect();
    assert_eq!(names, ["good", "other"]);
    assert_eq!(cells["good"]["rounds"], serde_json::json!([]));
    let shares = cells["good"]["efficiency"]["value"].as_array().unwrap();
    assert_eq!(shares.len(), 3);
    // The record judges the same.
    let (code, found) = judged(&folder, &folder.path.join("out"), &text);
    assert_eq!((code, &found[1]["verdict"]), (0, &"kept".into()));
}
