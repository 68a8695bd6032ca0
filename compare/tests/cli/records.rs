//! The verbs that read records: `cmp`, `merge`, `rank`, `load --scenario` and
//! their errors.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use super::*;

/// The values of every synthetic round, so that only the changes of a test
/// differ.
pub(super) const TIME_NS: u64 = 100_000;

/// The number of replies in a synthetic round: enough for a p99.
const REPLIES: u64 = 2_000;

#[test]
fn a_broken_record_exits_with_2_and_is_named() {
    let folder = Folder::new();
    let good = made_up(&folder, "good", |_| ());
    let text = fs::read_to_string(&good).unwrap();
    let version =
        text.replacen("\"schema_version\":3", "\"schema_version\":9", 1);
    let cases: [(&str, &[u8], &str); 6] = [
        ("cut", &text.as_bytes()[..text.len() / 2], "is cut off"),
        ("empty", b"", "is cut off"),
        ("version", version.as_bytes(), "schema version 9"),
        ("text", b"a shopping list", "not a record"),
        ("bytes", &[0xff, 0x00, 0xfe, 0x80], "not a record"),
        ("other", b"{\"schema_version\": 3}", "not a record"),
    ];
    let good = good.to_str().unwrap();
    for (name, bytes, expected) in cases {
        let bad = folder.path.join(format!("{name}.json"));
        fs::write(&bad, bytes).unwrap();
        assert_refused(&folder, good, bad.to_str().unwrap(), expected);
    }
    assert_refused(&folder, good, "no-such-run", "no run `no-such-run`");
}

fn assert_refused(folder: &Folder, good: &str, bad: &str, expected: &str) {
    let out = folder.path.join("merged");
    let out = out.to_str().unwrap();
    let verbs: [&[&str]; 7] = [
        &["report", bad],
        &["report", bad, "--markdown", "-"],
        &["cmp", bad, good],
        &["cmp", good, bad],
        &["rank", bad],
        &["merge", bad, good, "--out", out],
        &["merge", good, bad, "--out", out],
    ];
    for verb in verbs {
        let output = call(verb);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{verb:?}: {text}");
        assert!(text.contains(expected), "{verb:?}: {text}");
        assert!(text.contains(bad), "{verb:?}: {text}");
    }
    assert!(!Path::new(out).exists());
}

#[test]
fn a_run_equals_its_copy_and_is_not_compared_with_itself() {
    let folder = Folder::new();
    let [run, copy] =
        ["same", "copy"].map(|name| made_up(&folder, name, |_| ()));
    let [run, copy] = [&run, &copy].map(|path| path.to_str().unwrap());
    let itself = folder.path.join("same");
    let output = call(&["cmp", run, itself.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(stderr(&output).contains("same run"), "{}", stderr(&output));
    let gate = ["--fail-on-regression", "0%", "--relative-to", "nothing"];
    let output = call(&[&["cmp", run, copy][..], &gate].concat());
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("2 figures compared: 2 equal;"), "{text}");
    for word in ["warning", "only in", "void", "revisions"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_slower_figure_is_named_and_exits_with_99_with_fail_on_regression() {
    let folder = Folder::new();
    let before = made_up(&folder, "before", |_| ());
    let after = made_up(&folder, "after", |record| {
        for name in ["good", "good again"] {
            for round in rounds(record, name) {
                fill(round, TIME_NS * 2);
            }
        }
    });
    let limit = ["--fail-on-regression", "5%"];
    let alike = ["--relative-to", "nothing"];
    let (before, after) = (before.to_str().unwrap(), after.to_str().unwrap());
    let [one, other] = [["cmp", before, after], ["cmp", after, before]];
    let unchanged = ["-e", "other"];
    let wide = ["--fail-on-regression", "150%"];
    let cases: [(Vec<&str>, i32, &str); 8] = [
        (one.to_vec(), 0, "worse"),
        ([&one[..], &limit].concat(), 99, "regression: rate"),
        ([&other[..], &limit].concat(), 98, "undecided whether there is a"),
        ([&other[..], &limit, &alike].concat(), 0, "better"),
        ([&one[..], &limit, &alike, &unchanged].concat(), 0, "1 equal"),
        (
            [&one[..], &limit, &["--relative-to", "other"]].concat(),
            99,
            "regression: rate of good in perf2: B / A is 0.50 [0.50, 0.50]",
        ),
        ([&one[..], &wide, &alike].concat(), 0, "no regression above 150 %"),
        ([&one[..], &["-s", "none"]].concat(), 4, "nothing to compare"),
    ];
    for (arguments, code, expected) in cases {
        let output = call(&arguments);
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
}

#[test]
fn a_regression_is_not_ruled_out_if_a_figure_is_open() {
    let folder = Folder::new();
    let before = made_up(&folder, "before", |_| ());
    // Too few rounds for any verdict.
    let changed = |name: &str, entrants: &[&str]| {
        made_up(&folder, name, |record| {
            for entrant in entrants {
                let rounds = rounds(record, entrant);
                rounds.truncate(2);
                for round in rounds {
                    fill(round, TIME_NS * 2);
                    let rss = &mut round["report"]["server_rss_bytes"];
                    rss["value"] = (2 << 20).into();
                }
            }
        })
    };
    let some = changed("some", &["good"]);
    let all = changed("all", &["good", "other"]);
    let cases = [
        (&some, "regression above 5 % for 1 of 2 figures"),
        (&all, "regression above 5 % for 2 of 2 figures"),
    ];
    for (after, expected) in cases {
        let [before, after] =
            [&before, after].map(|path| path.to_str().unwrap());
        let gate = ["cmp", before, after, "--fail-on-regression", "5%"];
        let alike = ["--relative-to", "nothing"];
        let mut arguments = [&gate[..], &alike].concat();
        let output = call(&arguments);
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(98), "{text}");
        assert!(text.contains(expected), "{text}");
        arguments.push("--pass-undecided");
        assert_eq!(call(&arguments).status.code(), Some(0));
        // Without the flag, there is no verdict.
        let output = call(&["cmp", before, after]);
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn a_pair_whose_order_differs_between_two_runs_is_reported() {
    let folder = Folder::new();
    let slow = |names: &[&str]| {
        made_up(&folder, &format!("slow-{}", names[0]), |record| {
            for name in names {
                for round in rounds(record, name) {
                    fill(round, TIME_NS * 3);
                }
            }
        })
    };
    let [good, other] = [slow(&["good", "good again"]), slow(&["other"])];
    let [good, other] = [&good, &other].map(|path| path.to_str().unwrap());
    let text = stdout(&call(&["cmp", good, other]));
    let expected = "reversed: rate of good in perf2: 0.33 [0.33, 0.33] times \
                    that of other in A, 3.00 [3.00, 3.00] times in B";
    assert!(text.contains(expected), "{text}");
    let copy = folder.file("copy.json", &fs::read_to_string(good).unwrap());
    let text = stdout(&call(&["cmp", good, copy.to_str().unwrap()]));
    let expected = "1 comparison of two contestants within each run; none is \
                    reversed";
    assert!(text.contains(expected), "{text}");
    assert!(!text.contains("reversed:"), "{text}");
}

#[test]
fn a_contestant_that_fails_only_after_a_change_is_a_regression() {
    let folder = Folder::new();
    let before = made_up(&folder, "before", |_| ());
    let after = made_up(&folder, "after", |record| {
        record["cells"]["perf2"]["good"]["void"] = serde_json::json!({
            "round": 2, "reason": "it died", "contestant_failed": true,
            "log": [],
        });
    });
    let (before, after) = (before.to_str().unwrap(), after.to_str().unwrap());
    let output = call(&["cmp", before, after, "--fail-on-regression", "5%"]);
    assert_eq!(output.status.code(), Some(99));
    let text = stdout(&output);
    assert!(text.contains("void in B: good in perf2: it died"), "{text}");
    assert!(text.contains("regression: good in perf2: it died"), "{text}");
    // A void contestant is not ranked; the others are.
    let text = stdout(&call(&["rank", after]));
    assert!(text.contains("good is not ranked: void in perf2"), "{text}");
    assert!(text.contains("   1  other"), "{text}");
}

#[test]
fn cells_that_differ_between_the_runs_are_listed_and_not_compared() {
    let folder = Folder::new();
    let before = made_up(&folder, "before", |_| ());
    let after = made_up(&folder, "after", |record| {
        record["entrants"][1]["contestant"]["name"] = "new".into();
        let row = record["cells"]["perf2"].as_object_mut().unwrap();
        let cell = row.remove("other").unwrap();
        row.insert("new".to_owned(), cell);
    });
    let wider = made_up(&folder, "wider", |record| {
        record["scenarios"][0]["group"][0]["connections"] = 2.into();
    });
    let [before, after, wider] =
        [&before, &after, &wider].map(|path| path.to_str().unwrap());
    let text = stdout(&call(&["cmp", before, after]));
    assert!(text.contains("only in A: contestant other"), "{text}");
    assert!(text.contains("only in B: contestant new"), "{text}");
    assert!(text.contains("1 figure compared"), "{text}");
    let output = call(&["cmp", before, wider]);
    assert_eq!(output.status.code(), Some(4));
    let text = stdout(&output);
    assert!(text.contains("group[0].connections: 1 / 2"), "{text}");
}

#[test]
fn a_record_in_which_nothing_was_measured_has_no_ranks_and_exits_with_4() {
    let folder = Folder::new();
    let empty = made_up(&folder, "empty", |record| {
        record["cells"] = serde_json::json!({});
    });
    let output = call(&["rank", empty.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(4), "{}", stdout(&output));
    let text = stderr(&output);
    assert!(text.contains("the run has no complete round"), "{text}");
}

#[test]
fn contestants_that_tie_share_a_place() {
    let folder = Folder::new();
    let equal = made_up(&folder, "equal", |_| ());
    let apart = made_up(&folder, "apart", |record| {
        for round in rounds(record, "other") {
            fill(round, TIME_NS * 3);
        }
    });
    let places = |path: &Path| -> Vec<String> {
        let text = stdout(&call(&["rank", path.to_str().unwrap()]));
        let mut lines = text.lines().map(str::trim);
        lines.find(|line| line.starts_with("rate: more is better")).unwrap();
        lines.by_ref().take(2).map(str::to_owned).collect()
    };
    let equal = places(&equal);
    assert!(equal[0].starts_with("1  ") && equal[1].starts_with("1  "));
    let apart = places(&apart);
    assert!(apart[0].starts_with("1  good"), "{apart:?}");
    assert!(apart[1].starts_with("2  other"), "{apart:?}");
    assert!(apart[1].ends_with("3.00 [3.00, 3.00]"), "{apart:?}");
}

#[test]
fn merging_runs_appends_their_rounds() {
    let folder = Folder::new();
    let one = made_up(&folder, "one", |_| ());
    let two = made_up(&folder, "two", |record| {
        record["seed"] = 2.into();
        // Another contestant took part.
        let row = record["cells"]["perf2"].as_object_mut().unwrap();
        let cell = row.remove("other").unwrap();
        row.insert("new".to_owned(), cell);
        record["entrants"][1]["contestant"]["name"] = "new".into();
    });
    let three = made_up(&folder, "three", |record| {
        record["seed"] = 3.into();
        record["complete"] = false.into();
    });
    let out = folder.path.join("both");
    let first = merge(&[&one, &two], &out);
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let all = folder.path.join("all");
    let second = merge(&[&out, &three], &all);
    let text = stdout(&second);
    assert!(text.contains("rounds 7-9: run"), "{text}");
    assert!(text.contains("incomplete"), "{text}");
    let record = read_json(&all.join("run.json"));
    let numbers = |name: &str| -> Vec<u64> {
        let rounds = &record["cells"]["perf2"][name]["rounds"];
        let rounds = rounds.as_array().unwrap().iter();
        rounds.map(|round| round["round"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers("good"), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(numbers("other"), [1, 2, 3, 7, 8, 9]);
    assert_eq!(numbers("new"), [4, 5, 6]);
    assert_eq!(
        (&record["rounds"], &record["complete"]),
        (&9.into(), &false.into())
    );
    let parts = record["parts"].as_array().unwrap();
    let firsts: Vec<_> =
        parts.iter().map(|part| &part["first_round"]).collect();
    assert_eq!(firsts, [1, 4, 7]);
    let seeds: Vec<_> = parts.iter().map(|part| &part["seed"]).collect();
    assert_eq!(seeds, [1, 2, 3]);
    assert_eq!(parts[0]["file"], one.to_str().unwrap());
    // A merged record can be read like any other.
    for verb in [vec!["rank"], vec!["cmp", one.to_str().unwrap()]] {
        let mut arguments = verb;
        arguments.push(all.to_str().unwrap());
        assert_eq!(call(&arguments).status.code(), Some(0));
    }
}

#[test]
fn runs_that_differ_in_kind_are_not_merged() {
    type Change = fn(&mut Value);
    let folder = Folder::new();
    let one = made_up(&folder, "one", |_| ());
    let cases: [(&str, Change, &str); 7] = [
        ("same", |_| (), "are the same run"),
        (
            "machine",
            |record| {
                record["seed"] = 2.into();
                record["machine"]["kernel"] = "Linux 1.0".into();
            },
            "runs of different machines can't be merged",
        ),
        (
            "revision",
            |record| {
                record["seed"] = 2.into();
                record["machine"]["git_revision"]["value"] = "f00".into();
            },
            "different commits",
        ),
        (
            "scenario",
            |record| {
                record["seed"] = 2.into();
                record["scenarios"][0]["window"] = "7s".into();
            },
            "scenario perf2 differs: window: \"20ms\" / \"7s\"",
        ),
        (
            "contestant",
            |record| {
                record["seed"] = 2.into();
                record["entrants"][0]["contestant"]["command"][1] = "x".into();
            },
            "contestant good differs: contestant.command[1]",
        ),
        (
            "calibration",
            |record| {
                record["seed"] = 2.into();
                record["calibration"][0]["n"] = 20.into();
            },
            "a cost of 50 ms is n = 37 / n = 20",
        ),
        (
            "shard",
            |record| {
                record["seed"] = 2.into();
                record["shard"] = serde_json::json!({
                    "address": "[::1]:1", "groups": [], "windows": {},
                });
            },
            "a run can't be merged with a record of `compare load`",
        ),
    ];
    for (name, change, expected) in cases {
        let other = made_up(&folder, name, change);
        let out = folder.path.join("merged");
        let output = merge(&[&one, &other], &out);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{name}: {text}");
        assert!(text.contains(expected), "{name}: {text}");
        assert!(!out.exists(), "{name}");
    }
    let unlike = folder.path.join("machine/run.json");
    let paths = [&one, &unlike].map(|path| path.to_str().unwrap());
    let text = stdout(&call(&["cmp", paths[0], paths[1]]));
    assert!(text.starts_with("warning: the machines differ"), "{text}");
    assert!(text.contains("/ Linux 1.0;"), "{text}");
}

#[test]
fn shards_of_one_window_add_up() {
    let folder = Folder::new();
    let server = Server::start();
    let file = folder.file("open.toml", OPEN);
    let shard = |name: &str, more: &[&str]| {
        let out = folder.path.join(name);
        let _ = fs::remove_dir_all(&out);
        let mut command = Command::new(COMPARE);
        command.args(["load", "--addr", &server.address, "--name", "web"]);
        command.arg("--scenario").arg(&file);
        command.arg("--out").arg(out).args(more);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    in_time(|| {
        let soon = SystemTime::now() + Duration::from_secs(2);
        let soon = soon.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let start = format!("{soon:.3}");
        let together = ["--start-at", &start];
        vec![shard("a", &together), shard("b", &together)]
    });
    // Another shard, on its own and later.
    in_time(|| vec![shard("later", &[])]);

    let out = folder.path.join("sum");
    let [a, b] = ["a", "b"].map(|name| folder.path.join(name));
    let output = merge(&[&a, &b], &out);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("asking: 4 connections, 100 requests"), "{text}");
    let group = |folder: &Path| -> Value {
        let record = read_json(&folder.join("run.json"));
        let rounds = &record["cells"]["open"]["web"]["rounds"];
        assert_eq!(rounds.as_array().unwrap().len(), 1);
        rounds[0]["report"]["groups"][0].clone()
    };
    let [one, other, sum] = [&a, &b, &out].map(|folder| group(folder));
    for key in ["connections", "connected", "replies", "replies_in_all"] {
        let number = |group: &Value| group[key].as_u64().unwrap();
        assert_eq!(number(&one) + number(&other), number(&sum), "{key}");
        assert!(number(&one) > 0, "{key}");
    }
    let times = |group: &Value| -> u64 {
        let counts = group["open"]["response_ns"]["counts"].as_array();
        counts.unwrap().iter().map(|pair| pair[1].as_u64().unwrap()).sum()
    };
    assert_eq!(times(&one) + times(&other), times(&sum));
    let record = read_json(&out.join("run.json"));
    assert_eq!(record["parts"].as_array().unwrap().len(), 2);
    let seeds = [0, 1].map(|part| &record["parts"][part]["seed"]);
    assert_ne!(seeds[0], seeds[1]);
    let reason =
        &record["cells"]["open"]["web"]["rounds"][0]["report"]["server_cpu_ns"];
    assert_eq!(reason["reason"], "the server's process is unknown");

    // A different window is another round, not part of a larger load.
    let later = folder.path.join("later");
    let rounds = folder.path.join("rounds");
    let output = merge(&[&a, &later], &rounds);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let record = read_json(&rounds.join("run.json"));
    let kept = &record["cells"]["open"]["web"]["rounds"];
    assert_eq!(kept.as_array().unwrap().len(), 2);
    let output = merge(&[&out, &later], &folder.path.join("larger"));
    let text = stderr(&output);
    assert!(text.contains("connections: 4 / 2"), "{text}");
}

/// Repeats a load until no shard was late for its start or its schedule: a
/// machine that also runs other tests may be too slow.
fn in_time(load: impl Fn() -> Vec<Child>) {
    for _ in 0..20 {
        let outputs = load().into_iter().map(Child::wait_with_output);
        let outputs: Vec<Output> = outputs.map(Result::unwrap).collect();
        let mut missed = false;
        for output in &outputs {
            let text = stderr(output);
            let is_late = text.contains("missed its schedule")
                || text.contains("after the start time");
            let code = if is_late { 1 } else { 0 };
            assert_eq!(output.status.code(), Some(code), "{text}");
            missed |= is_late;
        }
        if !missed {
            return;
        }
    }
    panic!("every attempt was late: this machine is too busy");
}

#[test]
fn shards_of_different_loads_are_not_merged() {
    type Change = fn(&mut Value);
    let folder = Folder::new();
    let server = Server::start();
    let first = folder.path.join("first");
    let mut load = vec!["load", "--addr", &server.address, "--name", "web"];
    load.extend(["--scenario", "perf2", "--duration", "20ms", "--out"]);
    load.push(first.to_str().unwrap());
    assert_eq!(call(&load).status.code(), Some(0));
    let cases: [(Change, &str); 5] = [
        (
            |shard| shard["seed"] = 5.into(),
            "--seed must differ on each machine",
        ),
        (
            |shard| {
                let began = &mut shard["shard"]["windows"]["1"];
                *began = (began.as_u64().unwrap() + 10_000_000).into();
            },
            "overlap, but their windows differ",
        ),
        (
            |shard| shard["shard"]["address"] = "[::1]:1".into(),
            "all shards of a load must have the same --addr",
        ),
        (
            |shard| {
                let row = shard["cells"]["perf2"].as_object_mut().unwrap();
                let cell = row.remove("web").unwrap();
                row.insert("www".to_owned(), cell);
                shard["entrants"][0]["contestant"]["name"] = "www".into();
            },
            "call it web and www: use the same --name for all shards",
        ),
        (
            |shard| {
                let round = &mut shard["cells"]["perf2"]["web"]["rounds"][0];
                round["report"]["groups"][0]["n"] = 2.into();
            },
            "requested n = 1 on one machine and n = 2 on another",
        ),
    ];
    for (change, expected) in cases {
        let mut shard = read_json(&first.join("run.json"));
        shard["seed"] = 5.into();
        let one = folder.file("one.json", &shard.to_string());
        shard["seed"] = 6.into();
        change(&mut shard);
        let other = folder.file("other.json", &shard.to_string());
        let output = merge(&[&one, &other], &folder.path.join("out"));
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{expected}: {text}");
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn shards_that_started_together_share_their_rounds() {
    let folder = Folder::new();
    let server = Server::start();
    let first = folder.path.join("first");
    let mut load = vec!["load", "--addr", &server.address, "--name", "web"];
    load.extend(["--scenario", "perf2", "--duration", "20ms", "--out"]);
    load.push(first.to_str().unwrap());
    load.extend(["--rounds", "2"]);
    assert_eq!(call(&load).status.code(), Some(0));
    let shard = |name, seed: u64, change: &dyn Fn(&mut Value)| {
        let mut shard = read_json(&first.join("run.json"));
        shard["seed"] = seed.into();
        shard["shard"]["start_at"] = 1_735_689_600_000_000_000_u64.into();
        change(&mut shard);
        folder.file(name, &shard.to_string())
    };
    let one = shard("one.json", 5, &|_| ());
    // Its clients connected a second later.
    let late = shard("late.json", 6, &|shard| {
        let windows = shard["shard"]["windows"].as_object_mut().unwrap();
        for began in windows.values_mut() {
            *began = (began.as_u64().unwrap() + 1_000_000_000).into();
        }
    });
    let output = merge(&[&one, &late], &folder.path.join("late"));
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("round 1 began 1.000 s apart"), "{text}");
    // Its second round failed, so the merged record has only the first.
    let short = shard("short.json", 7, &|shard| {
        let windows = shard["shard"]["windows"].as_object_mut().unwrap();
        windows.remove("2");
        let cell = &mut shard["cells"]["perf2"]["web"];
        cell["rounds"].as_array_mut().unwrap().pop();
        cell["missed"] = serde_json::json!({ "2": "no free port" });
    });
    let out = folder.path.join("sum");
    let output = merge(&[&one, &short], &out);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let record = read_json(&out.join("run.json"));
    let rounds = &record["cells"]["perf2"]["web"]["rounds"];
    assert_eq!(rounds.as_array().unwrap().len(), 1);
    assert_eq!(rounds[0]["report"]["groups"][0]["connections"], 2);
}

#[test]
fn a_shard_of_several_rounds_is_a_run_like_any_other() {
    let folder = Folder::new();
    let server = Server::start();
    let out = folder.path.join("out");
    let output = call(&[
        "load",
        "--addr",
        &server.address,
        "--scenario",
        "interference",
        "--at",
        "0",
        "--rounds",
        "3",
        "--duration",
        "20ms",
        "--out",
        out.to_str().unwrap(),
    ]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("`left` is a share of the rate in `apart`"));
    let output = call(&["rank", out.to_str().unwrap()]);
    let text = stdout(&output);
    assert!(text.contains("rate: more is better"), "{text}");
    assert!(text.contains(&server.address), "{text}");
}

#[test]
fn a_scenario_that_load_cannot_run_is_refused() {
    let folder = Folder::new();
    let bad = folder.file("bad.toml", &OPEN.replace("window", "windwo"));
    let bad = bad.to_str().unwrap();
    let taken = folder.path.join("taken");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("run.json"), "").unwrap();
    let taken = taken.to_str().unwrap();
    let cases: [(&[&str], &str); 11] = [
        (&["nothing"], "neither a file nor a name in bench/scenarios"),
        (&["../scenarios/perf2"], "neither a file nor a name in"),
        (&[bad], "unknown field `windwo`"),
        (&["ladder"], "choose a value with --at: 1, 8, 64"),
        (&["ladder", "--at", "0"], "--at 0"),
        (&["ladder", "--at", "1.5"], "not a whole number"),
        (&["perf2", "--at", "1"], "the scenario has no sweep"),
        (&["apart", "--at", "1"], "group `long` is `apart`"),
        (&["load-curve", "--at", "0.5"], "replace it with a `rate`"),
        (&["perf2", "--start-at", "2001-01-01T00:00:00Z"], "--start-at"),
        (&["perf2", "--out", taken], "already exists; choose another"),
    ];
    for (arguments, expected) in cases {
        let address = "127.0.0.1:1";
        let mut all = vec!["load", "--addr", address, "--scenario"];
        all.extend(arguments);
        let output = call(&all);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
}

#[test]
fn a_server_that_fails_leaves_a_void_shard() {
    let folder = Folder::new();
    let out = folder.path.join("out");
    let output = call(&[
        "load",
        "--addr",
        "127.0.0.1:1",
        "--scenario",
        "perf2",
        "--name",
        "unknown",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(3));
    let record = read_json(&out.join("run.json"));
    let void = &record["cells"]["perf2"]["unknown"]["void"];
    assert_eq!(void["contestant_failed"], true);
}

#[test]
fn completions_are_printed_for_each_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = call(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(stdout(&output).contains("fail-on-regression"), "{shell}");
    }
    assert_eq!(call(&["completions", "dcl"]).status.code(), Some(2));
}

/// A scenario with two clients and few requests in a short time: on a busy
/// machine, any of them may be late.
const OPEN: &str = r#"
question = "Does it add up?"
expectation = "It does."
analysis = "None."
warm_up = "10ms"
window = "100ms"
alone = "an open loop can't pause"
of = "asking"
figures = ["rate", "response-p99"]

[[group]]
name = "asking"
connections = 2
rate = 50
n = 1
"#;

/// Returns a record in which `other` took `times` tenths of the usual time, by
/// round.
pub(super) fn slowed(folder: &Folder, name: &str, times: &[u64]) -> PathBuf {
    made_up(folder, name, |record| {
        let rounds = rounds(record, "other");
        assert_eq!(rounds.len(), times.len());
        for (round, tenths) in rounds.iter_mut().zip(times) {
            fill(round, TIME_NS * tenths / 10);
        }
    })
}

/// Runs `compare` with these arguments.
pub(super) fn call(arguments: &[&str]) -> Output {
    Command::new(COMPARE).args(arguments).output().unwrap()
}

fn merge(records: &[&Path], out: &Path) -> Output {
    let mut command = Command::new(COMPARE);
    command.arg("merge").args(records).arg("--out").arg(out);
    command.output().unwrap()
}

/// Measures a run: three rounds of perf2, two contestants, no faults.
pub(super) fn measured(folder: &Folder) -> PathBuf {
    let both = contestant("good", "none") + &contestant("other", "none");
    let file = folder.file("c.toml", &both);
    let arguments = ["-s", "^perf2$", "--rounds", "3", "--duration", "20ms"];
    let output = compare(&file, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    folder.path.join("out/run.json")
}

/// Returns a run with identical rounds, except for what `change` does.
pub(super) fn made_up(
    folder: &Folder,
    name: &str,
    change: impl FnOnce(&mut Value),
) -> PathBuf {
    let real = folder.path.join("out/run.json");
    if !real.exists() {
        measured(folder);
    }
    let mut record = read_json(&real);
    record["seed"] = 1.into();
    record["calibration"] = serde_json::json!([
        { "cost_ns": 50_000_000, "n": 37, "took_ns": 50_000_000 }
    ]);
    for entrant in ["good", "other", "good again"] {
        for round in rounds(&mut record, entrant) {
            fill(round, TIME_NS);
        }
    }
    change(&mut record);
    let path = folder.path.join(name);
    fs::create_dir_all(&path).unwrap();
    let path = path.join("run.json");
    fs::write(&path, record.to_string()).unwrap();
    path
}

pub(super) fn rounds<'a>(
    record: &'a mut Value,
    entrant: &str,
) -> &'a mut Vec<Value> {
    let rounds = &mut record["cells"]["perf2"][entrant]["rounds"];
    rounds.as_array_mut().unwrap()
}

/// Sets the service time of every reply of a round.
pub(super) fn fill(round: &mut Value, time_ns: u64) {
    let window_ns = REPLIES * time_ns;
    round["turns"] = serde_json::json!([]);
    let report = &mut round["report"];
    report["window_ns"] = window_ns.into();
    report["generator_cpu_ns"] = (window_ns / 2).into();
    report["generator_busiest_ns"] = (window_ns / 2).into();
    report["server_cpu_ns"]["value"] = (window_ns / 2).into();
    report["server_rss_bytes"]["value"] = (1 << 20).into();
    report["machine"] = serde_json::json!({ "value": {
        "stolen_ns": 0, "busy_ns": window_ns, "all_ns": 2 * window_ns
    }});
    let group = &mut report["groups"][0];
    group["replies"] = REPLIES.into();
    group["service_ns"]["counts"] = serde_json::json!([[time_ns, REPLIES]]);
}

/// A server that runs until it is dropped.
pub(super) struct Server {
    child: Child,
    pub(super) address: String,
}

impl Server {
    pub(super) fn start() -> Server {
        Server::with_fault("none")
    }

    pub(super) fn with_fault(fault: &str) -> Server {
        let mut child = Command::new(COMPARE)
            .args(["faulty", "--fault", fault])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let ready = child.stdout.as_mut().unwrap();
        BufReader::new(ready).read_line(&mut line).unwrap();
        let address = line.split(' ').nth(2).unwrap().to_owned();
        Server { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
