//! Turns: their order, what is not kept, what is counted, and what happens to a
//! contestant that fails in one of them.

use std::collections::BTreeSet;

use rustix::process::Signal;

use super::faults::{Running, command_of, descendants_of, is_load};
use super::*;

#[test]
fn each_contestant_has_one_turn_in_each_cycle_in_shuffled_order() {
    let folder = Folder::new();
    let text = ["one", "two", "three"].map(|name| contestant(name, "none"));
    let file = folder.file("c.toml", &text.concat());
    let arguments = ["-s", "^perf2$", "--rounds", "1", "--duration", "5ms"];
    let output = compare(&file, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let record = read_json(&folder.path.join("out/run.json"));
    let cells = record["cells"]["perf2"].as_object().unwrap();
    let rounds = cells.values().map(|cell| &cell["rounds"][0]);
    // By cycle, the place of each contestant.
    let mut orders = vec![Vec::new(); 6];
    for (index, round) in rounds.enumerate() {
        let turns = round["turns"].as_array().unwrap();
        assert_eq!(turns.len(), 6);
        for (cycle, turn) in turns.iter().enumerate() {
            assert_eq!(turn["cycle"], cycle + 1, "{index}");
            orders[cycle].push(turn["place"].as_u64().unwrap());
        }
    }
    for order in &orders {
        let mut places = order.clone();
        places.sort_unstable();
        assert_eq!(places, [1, 2, 3, 4]);
    }
    // By chance, one of 24 orders comes again, but not all the time.
    let different: BTreeSet<_> = orders.iter().collect();
    assert!(different.len() > 2, "{orders:?}");
}

#[test]
fn the_first_turn_after_a_start_is_not_kept() {
    let folder = Folder::new();
    // Each turn has one request, so the second one is in the second turn.
    let slow = "\"wrong\", \"--after\", \"1\", \"--delay\", \"100ms\"]";
    let liar = contestant("liar", "wrong").replace("\"wrong\"]", slow);
    let file = folder.file("c.toml", &(contestant("good", "none") + &liar));
    let scenario = fs::read_to_string(PERF2).unwrap();
    let scenario = scenario.replace("turns = 6", "turns = 1");
    let scenario = folder.file("one-turn.toml", &scenario);
    let scenario = scenario.to_str().unwrap();
    let arguments = [
        "--scenario-file",
        scenario,
        "-s",
        "^one-turn$",
        "--rounds",
        "1",
        "--duration",
        "40ms",
    ];
    let output = compare(&file, &arguments);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let record = read_json(&folder.path.join("out/run.json"));
    let cells = &record["cells"]["one-turn"];
    let reason = cells["liar"]["void"]["reason"].as_str().unwrap();
    assert!(reason.contains("wrong replies"), "{reason}");
    let turns = cells["good"]["rounds"][0]["turns"].as_array().unwrap();
    assert_eq!(turns.len(), 1, "{turns:?}");
}

#[test]
fn the_processors_count_once_in_the_first_round_that_succeeds() {
    let folder = Folder::new();
    // At the first start, it kills its load generator.
    let script = format!(
        "if [ ! -e {started} ]; then\n\
         touch {started}\n\
         (while sleep 0.02; do for process in /proc/[0-9]*; do\n\
         if tr '\\0' ' ' <$process/cmdline | grep -q -- \"--server-pid $$ \"\n\
         then kill -9 ${{process#/proc/}}; exit; fi; done; done) &\n\
         fi\n\
         exec {COMPARE} faulty --listen $1\n",
        started = folder.path.join("started").display()
    );
    let script = folder.file("killer", &script);
    let killer = format!(
        "[[contestant]]\nname = \"killer\"\nlabel = \"peer\"\n\
         command = [\"sh\", \"{}\", \"{{addr}}\"]\n",
        script.display()
    );
    let file = folder.file("c.toml", &(contestant("good", "none") + &killer));
    let arguments = ["-s", "^perf2$", "--rounds", "3", "--duration", "20ms"];
    let output = compare(&file, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let record = read_json(&folder.path.join("out/run.json"));
    let cells = &record["cells"]["perf2"];
    let missed = cells["killer"]["missed"]["1"].as_str().unwrap();
    assert!(missed.contains("the load generator sent no report"), "{missed}");
    for (name, first) in [("good", 1), ("killer", 2)] {
        assert_eq!(rounds_of(&cells[name])[0], first);
        for round in cells[name]["rounds"].as_array().unwrap() {
            let counts = &round["report"]["counts"];
            let is_first = round["round"] == first;
            assert_eq!(counts.is_object(), is_first, "{name}: {round}");
            let count = &counts["instructions"];
            let is_known =
                count["value"].is_u64() || count["reason"].is_string();
            assert_eq!(is_known, is_first, "{counts}");
        }
    }
}

#[test]
fn the_processes_of_a_contestant_that_failed_end_at_once() {
    let folder = Folder::new();
    // It has four requests in the turn that isn't kept, and in each other one.
    let late = "\"wrong\", \"--after\", \"6\", \"--delay\", \"250ms\"]";
    let liar = contestant("liar", "wrong").replace("\"wrong\"]", late);
    let file = folder.file("c.toml", &(contestant("good", "none") + &liar));
    let arguments = ["-s", "^perf2$", "--rounds", "1", "--duration", "1s"];
    let mut run = Running::spawn(&mut command(&file, &arguments));
    let loads = |run: &Running| {
        let all = descendants_of(run.child.id());
        let commands = all.into_iter().map(command_of);
        let (loads, others): (Vec<_>, Vec<_>) =
            commands.partition(|command| is_load(command));
        (loads.len(), others.iter().any(|it| it.contains("--fault wrong")))
    };
    wait_until("nothing was started", || loads(&run) == (3, true));
    // The others continue.
    wait_until("it still runs", || loads(&run) == (2, false));
    assert!(run.child.try_wait().unwrap().is_none(), "it has ended");
    let record = read_json(&folder.path.join("out/run.json"));
    assert_eq!(record["complete"], false);
    run.signal(Signal::TERM);
    run.child.wait().unwrap();
}

#[test]
fn turns_that_last_longer_than_the_idle_timeout_are_refused() {
    let folder = Folder::new();
    let file = folder.file("c.toml", &contestant("good", "none"));
    let arguments = ["-s", "^perf2$", "--duration", "1m"];
    let output = compare(&file, &arguments);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let text = stderr(&output);
    for part in ["perf2: ", "`turns`", "`alone`", "--duration"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!folder.path.join("out").exists());
}

const PERF2: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/scenarios/perf2.toml");
