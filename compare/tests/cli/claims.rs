//! `compare claims`: verdicts follow from the record alone, and only the cells
//! that the claims need are measured.

use super::records::{call, made_up, rounds, slowed};
use super::*;

/// Returns a claim about the rate of `other`, divided by the rate of `good`.
fn claim(name: &str, band: &str) -> String {
    format!(
        "[[claim]]\n\
         name = \"{name}\"\n\
         version = \"2\"\n\
         says = \"It answers less often.\"\n\
         mechanism = \"It is made up.\"\n\
         {band}\n\
         why = \"For a test.\"\n\
         [[claim.trial]]\n\
         of = \"Rust\"\n\
         left = \"rate of other in perf2\"\n\
         right = \"rate of good in perf2\"\n"
    )
}

/// Judges a record; returns the exit code and the first trial of each claim.
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
fn the_verdict_depends_on_the_band_and_its_edges() {
    let folder = Folder::new();
    // Twice the time is half the rate.
    let half = slowed(&folder, "half", &[20, 20, 20]);
    let wide = slowed(&folder, "wide", &[12, 20, 40]);
    let same = slowed(&folder, "same", &[10, 10, 10]);
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
        (&wide, "at_most = 3.0", "holds"),
        (&wide, "at_most = 0.1", "refuted"),
        (&same, "at_most = 0.6", "refuted"),
        (&same, "at_least = 0.8", "holds"),
    ];
    for (run, band, expected) in cases {
        let (code, found) = judged(&folder, run, &claim("c", band));
        assert_eq!(found[0]["verdict"], expected, "{band}: {found:?}");
        // The exit code doesn't depend on the verdict.
        assert_eq!(code, 0, "{band}");
    }
    let (_, found) = judged(&folder, &half, &claim("c", "at_most = 0.6"));
    let ratio = found[0]["ratio"]["value"].as_f64().unwrap();
    assert!((ratio - 0.5).abs() < 1e-9, "{ratio}");
    assert_eq!(found[0]["rounds"], 3);
}

#[test]
fn with_two_rounds_a_claim_is_open() {
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
fn an_interrupted_run_is_judged_by_the_rounds_it_has() {
    let folder = Folder::new();
    let run = made_up(&folder, "part", |record| {
        record["complete"] = false.into();
    });
    let (code, found) = judged(&folder, &run, &claim("c", "at_most = 2.0"));
    assert_eq!((code, &found[0]["verdict"]), (0, &"holds".into()));
}

#[test]
fn options_that_control_a_measurement_are_rejected_with_an_existing_run() {
    let folder = Folder::new();
    let run = made_up(&folder, "kept", |_| ());
    let run = run.to_str().unwrap();
    for flags in [["--rounds", "5"], ["--contestants", "c.toml"]] {
        let output = call(&[&["claims", run], &flags[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    }
}

#[test]
fn a_void_cell_exits_with_3_and_other_claims_still_have_verdicts() {
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
    // A rate of 0 on the right side can't be divided by.
    let run = made_up(&folder, "none", |record| {
        for round in rounds(record, "good") {
            round["report"]["groups"][0]["replies"] = 0.into();
        }
    });
    let (code, found) = judged(&folder, &run, &claims);
    assert_eq!((code, &found[0]["verdict"]), (3, &"failed".into()));
}

#[test]
fn a_claim_without_figures_in_the_record_is_not_tried() {
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
fn verdicts_are_written_as_a_table_a_page_and_markdown() {
    let folder = Folder::new();
    let run = slowed(&folder, "half", &[20, 20, 20]);
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
    // A single claim, selected by name.
    let output = call(&["claims", run, "--claims", file, "-c", "^b$"]);
    assert!(!stdout(&output).contains("a-half"));
}

#[test]
fn only_the_cells_that_the_claims_need_are_measured() {
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
        let names: Vec<&String> = cell.as_object().unwrap().keys().collect();
        assert_eq!(names, ["other"]);
    }
    assert_eq!(record["entrants"].as_array().unwrap().len(), 1);
}

#[test]
fn output_to_stdout_contains_nothing_else() {
    let folder = Folder::new();
    let text = claim("itself", "at_least = 0.9").replace("other", "good");
    let output = measured(&folder, &contestant("good", "none"), &text, "-");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let document: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(document["claims"][0]["trials"][0]["verdict"], "holds");
    let record = folder.path.join("out/run.json");
    let line = format!("record: {}", record.display());
    assert!(stderr(&output).contains(&line), "{}", stderr(&output));
}

#[test]
fn a_failed_or_missing_contestant_exits_with_3_unless_it_is_optional() {
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
        assert!(text.contains(&format!("{verdict} in Rust (")), "{text}");
        assert!(text.contains("holds"), "{text}");
    }
}

/// Measures what the claims need, and also writes the verdicts to `json`.
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
