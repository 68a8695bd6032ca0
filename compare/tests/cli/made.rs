//! Contestants that must be built first, and that report a version.

use std::env;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn a_contestant_is_built_by_its_own_command_and_its_version_is_recorded() {
    let folder = Folder::new();
    let made = folder.path.join("made");
    let text = contestant("good", "none")
        + &format!(
            "prepare = [\"cp\", \"/dev/null\", \"{}\"]\n\
             version = [\"echo\", \"version 7\"]\n",
            made.display()
        );
    let output = compare(&folder.file("c.toml", &text), &SHORT);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(made.exists());
    let record = read_json(&folder.path.join("out/run.json"));
    assert_eq!(record["entrants"][0]["version"]["value"], "version 7");
}

#[test]
fn the_record_names_the_program_that_was_chosen() {
    let folder = Folder::new();
    let program = folder.file("server-new", "#!/bin/sh\nexec \"$@\"\n");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let chosen = contestant("good", "none")
        .replace("command = [", "command = [\"{program}\", ")
        + "program = [\"server-newest\", \"server-new\", \"server-old\"]\n\
           version = [\"{program}\", \"echo\", \"version 8\"]\n";
    let skipped = chosen.replace("good", "bad").replace("-new\"", "-none\"");
    let file = folder.file("c.toml", &(chosen + &skipped));
    let path = env::var("PATH").unwrap();
    let path = format!("{}:{path}", folder.path.display());
    let output = command(&file, &SHORT).env("PATH", path).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let record = read_json(&folder.path.join("out/run.json"));
    let good = &record["entrants"][0];
    assert_eq!(good["contestant"]["command"][0], "server-new");
    assert_eq!(good["contestant"]["version"][0], "server-new");
    assert_eq!(good["version"]["value"], "version 8");
    let why = record["skipped"][0][1].as_str().unwrap();
    let all = "`server-newest`, `server-none`, `server-old`";
    assert_eq!(why, format!("none of {all} found in PATH"));
}

#[test]
fn a_contestant_with_its_own_fib_is_calibrated_separately() {
    let folder = Folder::new();
    let text = contestant("good", "none") + "fib = \"other\"\n";
    let arguments = ["-s", "^perf1$", "--rounds", "1", "--duration", "20ms"];
    let output = compare(&folder.file("c.toml", &text), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let record = read_json(&folder.path.join("out/run.json"));
    let found = record["calibration"].as_array().unwrap();
    assert_eq!(found[0]["fib"], Value::Null);
    assert_eq!(found[1]["fib"], "other");
    let others = &found[1]["n"];
    assert!(others.as_i64() > Some(0), "{found:?}");
    let asked = &record["cells"]["perf1"]["good"]["rounds"][0]["report"];
    assert_eq!(asked["groups"][0]["n"], *others);
}

#[test]
fn a_contestant_that_cannot_be_built_is_reported_with_the_reason() {
    let folder = Folder::new();
    let text = contestant("good", "none")
        + "prepare = [\"sh\", \"-c\", \"echo no yeast >&2; exit 7\"]\n";
    let output = compare(&folder.file("c.toml", &text), &SHORT);
    assert_eq!(output.status.code(), Some(1));
    for word in ["good", "no yeast", "7"] {
        assert!(stderr(&output).contains(word), "{}", stderr(&output));
    }
}
