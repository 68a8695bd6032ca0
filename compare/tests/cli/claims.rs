//! Claims: no verdict but by what a record holds, and no cell but those that
//! they need.

use super::records::{TIME_NS, call, fill, made_up, rounds};
use super::*;

/// That one server answers less often than another, by so much.
fn claim(name: &str, band: &str) -> String {
    format!(
        "[[claim]]\n\
         name = \"{name}\"\n\
         version = \"2\"\n\
         says = \"It answers less often.\"\n\
         mechanism = \"It is made up.\"\n\
         {band}\n\
         why = \"So that it can be tried.\"\n\
         [[claim.trial]]\n\
         of = \"Rust\"\n\
         left = \"rate of other in perf2\"\n\
         right = \"rate of good in perf2\"\n"
    )
}

/// A record in which the one server took so many times as long.
fn record(folder: &Folder, name: &str, times: &[u64]) -> PathBuf {
    made_up(folder, name, |record| {
        let rounds = rounds(record, "other");
        assert_eq!(rounds.len(), times.len());
        for (round, tenths) in rounds.iter_mut().zip(times) {
            fill(round, TIME_NS * tenths / 10);
        }
    })
}

/// Judges a record, and gives the exit code and what came of each claim.
fn judged(folder: &Folder, run: &Path, claims: &str) -> (i32, Vec<Value>) {
    let file = folder.file("claims.toml", claims);
    let [run, file] = [run, &file].map(|path| path.to_str().unwrap());
    let output = call(&["claims", run, "--claims", file, "--json", "-"]);
    let code = output.status.code().unwrap();
    let text = stdout(&output);
    let found: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", stderr(&output)));
    let claims = found["claims"].as_array().unwrap().iter();
    (code, claims.map(|claim| claim["trials"][0].clone()).collect())
}

#[test]
fn the_verdict_is_that_of_the_figures_on_both_sides_and_on_the_edge() {
    let folder = Folder::new();
    // Twice as long is half the rate.
    let half = record(&folder, "half", &[20, 20, 20]);
    let wide = record(&folder, "wide", &[12, 20, 40]);
    let same = record(&folder, "same", &[10, 10, 10]);
    let cases = [
        (&half, "at_most = 0.6", "holds"),
        (&half, "at_most = 0.5", "open"),
        (&half, "at_most = 0.4", "refuted"),
        (&half, "at_least = 0.4", "holds"),
        (&half, "at_least = 0.5", "open"),
        (&half, "at_least = 0.6", "refuted"),
        (&half, "at_least = 0.4\nat_most = 0.6", "holds"),
        (&half, "at_least = 0.6\nat_most = 0.7", "refuted"),
        (&half, "at_least = 0.3\nat_most = 0.4", "refuted"),
        (&wide, "at_most = 0.6", "open"),
        (&wide, "at_most = 0.9", "holds"),
        (&wide, "at_most = 0.2", "refuted"),
        (&same, "at_most = 0.6", "refuted"),
        (&same, "at_least = 0.8", "holds"),
    ];
    for (run, band, expected) in cases {
        let (code, found) = judged(&folder, run, &claim("c", band));
        assert_eq!(found[0]["verdict"], expected, "{band}: {found:?}");
        // Any verdict is as good as another.
        assert_eq!(code, 0, "{band}");
    }
    let (_, found) = judged(&folder, &half, &claim("c", "at_most = 0.6"));
    assert_eq!(found[0]["ratio"]["median"], 0.5);
    assert_eq!(found[0]["rounds"], 3);
}

#[test]
fn of_two_rounds_nobody_can_say() {
    let folder = Folder::new();
    let run = made_up(&folder, "two", |record| {
        for entrant in ["good", "other"] {
            rounds(record, entrant).truncate(2);
        }
    });
    let (code, found) = judged(&folder, &run, &claim("c", "at_most = 0.1"));
    assert_eq!(found[0]["verdict"], "open");
    assert_eq!(found[0]["reason"], "too few rounds");
    assert_eq!(code, 0);
}

#[test]
fn a_run_that_was_interrupted_is_judged_by_what_it_has() {
    let folder = Folder::new();
    let run = made_up(&folder, "part", |record| {
        record["complete"] = false.into();
    });
    let (code, found) = judged(&folder, &run, &claim("c", "at_most = 2.0"));
    assert_eq!((code, &found[0]["verdict"]), (0, &"holds".into()));
}

#[test]
fn a_run_that_was_kept_is_not_told_how_to_measure() {
    let folder = Folder::new();
    let run = made_up(&folder, "kept", |_| ());
    let run = run.to_str().unwrap();
    for flags in [["--rounds", "5"], ["--contestants", "c.toml"]] {
        let output = call(&[&["claims", run], &flags[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    }
}

#[test]
fn a_cell_without_figures_exits_with_3_and_leaves_the_others_their_verdict() {
    let folder = Folder::new();
    let run = made_up(&folder, "void", |record| {
        let cell = &mut record["cells"]["perf2"]["other"];
        cell["void"] = serde_json::json!({
            "round": 2, "reason": "it died", "contestant_failed": true,
            "log": []
        });
    });
    let good = claim("itself", "at_least = 0.9").replace("other", "good");
    let claims = claim("c", "at_most = 0.1") + &good;
    let (code, found) = judged(&folder, &run, &claims);
    assert_eq!(code, 3);
    assert_eq!(found[0]["verdict"], "failed");
    let reason = found[0]["reason"].as_str().unwrap();
    assert_eq!(reason, "other in perf2: void: it died");
    assert_eq!(found[1]["verdict"], "holds");
    // A rate of 0 can be divided, but nothing by it.
    let run = made_up(&folder, "none", |record| {
        for round in rounds(record, "good") {
            round["report"]["groups"][0]["replies"] = 0.into();
        }
    });
    let (code, found) = judged(&folder, &run, &claims);
    assert_eq!((code, &found[0]["verdict"]), (3, &"failed".into()));
}

#[test]
fn what_a_record_does_not_have_is_not_tried() {
    let folder = Folder::new();
    let run = made_up(&folder, "some", |_| ());
    let absent = claim("absent", "at_most = 0.1").replace("perf2", "perf1");
    let (code, found) = judged(&folder, &run, &absent);
    assert_eq!((code, &found[0]["verdict"]), (4, &"not tried".into()));
    let claims = absent + &claim("present", "at_most = 2.0");
    let (code, found) = judged(&folder, &run, &claims);
    assert_eq!((code, &found[1]["verdict"]), (0, &"holds".into()));
}

#[test]
fn the_verdicts_are_told_as_a_table_a_page_and_markdown() {
    let folder = Folder::new();
    let run = record(&folder, "half", &[20, 20, 20]);
    let text = claim("a-half", "at_most = 0.6") + &claim("b", "at_most = 0.1");
    let file = folder.file("claims.toml", &text);
    let [page, table] =
        ["page.html", "table.md"].map(|name| folder.path.join(name));
    let paths = [&run, &file, &page, &table].map(|p| p.to_str().unwrap());
    let [run, file, page, table] = paths;
    let output = call(&["claims", run, "--claims", file]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for words in [
        "0.50 [0.50, 0.50]",
        "holds in Rust (1): a-half",
        "refuted in Rust (1): b",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let output = call(&[
        "claims",
        run,
        "--claims",
        file,
        "--html",
        page,
        "--markdown",
        table,
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    let html = fs::read_to_string(page).unwrap();
    for words in ["id=\"a-half\"", "<b>holds</b> in Rust", "<svg", "0.50"] {
        assert!(html.contains(words), "{words}");
    }
    let table = fs::read_to_string(table).unwrap();
    let row = "| 2 | It answers less often. | Rust | 0.50 [0.50, 0.50] | \
               at most 0.6 | **holds** |";
    assert!(table.contains(row), "{table}");
    // One of them alone, by its name.
    let output = call(&["claims", run, "--claims", file, "-c", "^b$"]);
    assert!(!stdout(&output).contains("a-half"));
}

#[test]
fn just_the_cells_that_the_claims_need_are_measured() {
    let folder = Folder::new();
    let contestants = contestant("good", "none")
        + &contestant("other", "none")
        + &contestant("idle", "none");
    let text = claim("c", "at_least = 0.01").replace(
        "right = \"rate of good in perf2\"",
        "right = \"rate of other in perf2-crowd\"",
    );
    let output = measured(&folder, &contestants, &text, "/dev/null");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let record = read_json(&folder.path.join("out/run.json"));
    let cells = record["cells"].as_object().unwrap();
    let names: Vec<&String> = cells.keys().collect();
    assert_eq!(names, ["perf2", "perf2-crowd"]);
    for cell in cells.values() {
        let whose: Vec<&String> = cell.as_object().unwrap().keys().collect();
        assert_eq!(whose, ["other"]);
    }
    assert_eq!(record["entrants"].as_array().unwrap().len(), 1);
}

#[test]
fn a_form_that_goes_to_stdout_is_alone_there() {
    let folder = Folder::new();
    let text = claim("itself", "at_least = 0.9").replace("other", "good");
    let output = measured(&folder, &contestant("good", "none"), &text, "-");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let document: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(document["claims"][0]["trials"][0]["verdict"], "holds");
    let record = folder.path.join("out/run.json");
    let said = format!("record: {}", record.display());
    assert!(stderr(&output).contains(&said), "{}", stderr(&output));
}

#[test]
fn who_fails_or_is_not_there_exits_with_3_unless_it_may_be_left_out() {
    let missing = contestant("other", "none")
        .replace("label", "needs = [\"no-such-program\"]\nlabel");
    let optional = |text: &str| format!("{text}optional = true\n");
    let text = claim("c", "at_least = 0.01");
    let present = claim("itself", "at_least = 0.9").replace("other", "good");
    let good = contestant("good", "none");
    let cases = [
        (contestant("other", "die"), text.clone(), 3, "failed"),
        (missing.clone(), text.clone(), 3, "failed"),
        (missing, optional(&text), 0, "not tried"),
    ];
    for (other, text, code, verdict) in cases {
        let folder = Folder::new();
        let output = measured(
            &folder,
            &(good.clone() + &other),
            &(text + &present),
            "/dev/null",
        );
        let text = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(&format!("{verdict} in Rust, since ")), "{text}");
        assert!(text.contains("holds"), "{text}");
    }
}

/// Measures what the claims need; the verdicts go to `json`, too.
fn measured(
    folder: &Folder,
    contestants: &str,
    claims: &str,
    json: &str,
) -> Output {
    let contestants = folder.file("c.toml", contestants);
    let claims = folder.file("claims.toml", claims);
    let out = folder.path.join("out");
    let paths = [&contestants, &claims, &out].map(|p| p.to_str().unwrap());
    let [contestants, claims, out] = paths;
    alone(
        folder,
        &[
            "claims",
            "--contestants",
            contestants,
            "--claims",
            claims,
            "--out",
            out,
            "--rounds",
            "3",
            "--duration",
            "30ms",
            "--json",
            json,
        ],
    )
}
