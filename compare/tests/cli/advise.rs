//! `compare advise`, with servers of known behaviour.

use super::records::call;
use super::*;

/// Returns a contestant that waits before each reply and has no other fault.
fn slow(name: &str, delay: &str) -> String {
    contestant(name, "none").replace(
        "\"--fault\"",
        &format!("\"--delay\", \"{delay}\", \"--fault\""),
    )
}

#[test]
fn undecided_contestants_have_further_rounds_and_each_gets_a_verdict() {
    let folder = Folder::new();
    let text = contestant("good", "none")
        + &slow("never", "1s")
        + &contestant("dies", "die");
    let file = folder.file("c.toml", &text);
    let out = folder.path.join("out");
    // `never` answers each of its 64 clients at most once per second.
    let output = alone(
        &folder,
        &[
            "advise",
            "--contestants",
            file.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
            "--short",
            "1500/s",
            "--slo",
            "200ms",
            "--rounds",
            "1",
            "--budget",
            "1m",
            "--duration",
            "1s",
        ],
    );
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(3), "{text}{}", stderr(&output));
    for words in [
        "answers short requests in time, with 1500 short requests",
        "within 200 ms of the time",
        "never: misses: ",
        "% of the short requests were not answered in time",
        "dies: misses: ",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("good: misses"), "{text}");
    let record = read_json(&out.join("run.json"));
    let group = &record["scenarios"][0]["group"][0];
    assert_eq!(group["rate"], 1500.0);
    assert_eq!(group["arrivals"], "poisson");
    assert_eq!(record["asked"]["mix"]["slo"], "200ms");
    // While other tests run, the load generator may be too slow.
    let void = &record["cells"]["mix"]["good"]["void"];
    if void["contestant_failed"] == false {
        return;
    }
    // One round is too few, so only the contestant that may meet the limit has
    // further ones.
    let judged = record["judged_after"].as_array().unwrap();
    assert_eq!(judged[..2], [1, 2]);
    assert!(stderr(&output).contains("then at most "), "{}", stderr(&output));
    assert!(stderr(&output).contains("undecided: good: 1 more round, about"));
    let rounds = |name: &str| {
        record["cells"]["mix"][name]["rounds"].as_array().unwrap().len()
    };
    assert!(rounds("good") >= 3);
    assert_eq!(rounds("never"), 1);
    // The limit is that of the run, unless another one is given.
    let page = folder.path.join("page.html");
    let cases: [(&[&str], &str); 2] =
        [(&[], "within 200 ms of"), (&["--slo", "10us"], "within 10 µs of")];
    for (arguments, expected) in cases {
        let run = ["advise", "--run", out.to_str().unwrap()];
        let output = call(&[&run, arguments].concat());
        assert!(stdout(&output).contains(expected), "{}", stdout(&output));
        let html = ["--html", page.to_str().unwrap()];
        let output = call(&[&run, arguments, &html].concat());
        assert_eq!(stdout(&output), "");
        let page = std::fs::read_to_string(&page).unwrap();
        for words in [expected, "<b>misses</b>", "--short 1500/s", "never"] {
            assert!(page.contains(words), "{words}");
        }
    }
}

#[test]
fn an_invalid_mix_exits_with_2_and_names_the_reason() {
    let folder = Folder::new();
    let closed = folder.file(
        "closed.toml",
        "question = \"q\"\nexpectation = \"e\"\nanalysis = \"a\"\n\
         window = \"1s\"\nof = \"a\"\nfigures = [\"rate\"]\n\
         [[group]]\nname = \"a\"\nconnections = 1\nn = 1\n",
    );
    let closed = closed.to_str().unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&[], "the mix is empty"),
        (&["--short", "5"], "requests per second, such as 2000/s"),
        (&["--short", "5/s"], "220 s"),
        (&["--long", "5/s", "50ms"], "RATE x TIME"),
        (&["--long", "5/s", "x", "soon"], "--long 5/s x soon"),
        (&["--short", "900/s", "--clients", "0"], "must be at least 1"),
        (&[closed], "needs a `rate`"),
    ];
    for (arguments, expected) in cases {
        let arguments = [&["advise"], arguments].concat();
        let output = call(&arguments);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
}
