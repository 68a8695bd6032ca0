//! Runs in a namespace or a control group of their own, which not every machine
//! allows.

#[path = "cli/common.rs"]
mod common;

use std::fs;
use std::process::{Command, ExitCode, Output};

use needs::{CPU_GROUP, CpuGroup, MOUNTS, NETWORK};

use common::*;

fn main() -> ExitCode {
    needs::run(needs::tests![
        [MOUNTS] a_full_disk_affects_only_the_record,
        [NETWORK] clients_use_another_address_when_the_ports_of_one_are_taken,
        [NETWORK]
        a_contestant_is_not_blamed_for_missing_ports_of_the_load_generator,
        [CPU_GROUP] a_run_with_a_cpu_quota_is_marked,
    ])
}

fn a_full_disk_affects_only_the_record() {
    let folder = Folder::new();
    let disk = folder.path.join("disk");
    fs::create_dir(&disk).unwrap();
    let file = folder.file("c.toml", &contestant("good", "none"));
    let kept = folder.path.join("kept.json");
    // The record and its replacement must both fit.
    let words = format!(
        "mount -t tmpfs -o size=96k none {disk} && \
         {COMPARE} {rounds} --contestants {file} --out {disk}/out; code=$?; \
         cp {disk}/out/run.json {kept}; exit $code",
        disk = disk.display(),
        rounds = "-s ^perf2$ --rounds 12 --duration 20ms",
        file = file.display(),
        kept = kept.display(),
    );
    let output = unshared(&folder, "--mount", &words);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("error: cannot write the record"), "{text}");
    assert!(text.contains("No space left on device"), "{text}");
    // The results are printed anyway.
    assert!(stdout(&output).contains("good"), "{output:?}");
    assert!(stdout(&output).contains("12 rounds of"), "{output:?}");
    let record = read_json(&kept);
    assert_eq!(record["complete"], false);
    let rounds = rounds_of(&record["cells"]["perf2"]["good"]);
    assert!((1..12).contains(&rounds.len()), "{rounds:?}");
    folder.assert_nothing_is_left();
}

fn clients_use_another_address_when_the_ports_of_one_are_taken() {
    // 64 clients at once, and several thousand closed connections whose ports
    // stay in use.
    for (scenario, ports) in [("ladder@64", 10), ("churn", 100)] {
        let folder = Folder::new();
        let output = with_ports(ports, scenario, &folder);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let record = read_json(&folder.path.join("out/run.json"));
        for name in ["good", "other", "good again"] {
            let cell = &record["cells"][scenario][name];
            assert_eq!(rounds_of(cell), [1, 2], "{cell}");
        }
        folder.assert_nothing_is_left();
    }
}

fn a_contestant_is_not_blamed_for_missing_ports_of_the_load_generator() {
    let folder = Folder::new();
    // The server itself uses the only port.
    let output = with_ports(1, "ladder@64", &folder);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let record = read_json(&folder.path.join("out/run.json"));
    for name in ["good", "other", "good again"] {
        let void = &record["cells"]["ladder@64"][name]["void"];
        assert_eq!(void["contestant_failed"], false, "{void}");
        assert!(void["reason"].as_str().unwrap().contains("port"), "{void}");
    }
    folder.assert_nothing_is_left();
}

/// Runs two rounds in a network namespace with `ports` ports.
fn with_ports(ports: u16, scenario: &str, folder: &Folder) -> Output {
    let file = folder.file("c.toml", &two_good());
    let range = "/proc/sys/net/ipv4/ip_local_port_range";
    let words = format!(
        "ip link set lo up && echo 60000 {} >{range} && \
         exec {COMPARE} run -s {scenario} --rounds 2 --duration 50ms \
         --contestants {} --out {}",
        60_000 + ports - 1,
        file.display(),
        folder.path.join("out").display()
    );
    unshared(folder, "--net", &words)
}

fn a_run_with_a_cpu_quota_is_marked() {
    let folder = Folder::new();
    let file = folder.file("c.toml", &contestant("good", "none"));
    let group = CpuGroup::new().expect("the test runs only if this works");
    group.limit_to(0.05).unwrap();
    let words = format!(
        "echo $$ >{} && exec {COMPARE} run -s ^perf2$ --rounds 1 \
         --duration 300ms --contestants {} --out {}",
        group.processes().display(),
        file.display(),
        folder.path.join("out").display()
    );
    let mut limited = Command::new("sh");
    limited.args(["-c", &words]).env("TMPDIR", &folder.path);
    let output = limited.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let record = read_json(&folder.path.join("out/run.json"));
    assert_eq!(record["machine"]["processors_quota"], 0.05);
    let table = stdout(&output);
    assert!(table.contains("CPU quota stopped the run"), "{table}");
    folder.assert_nothing_is_left();
}

/// Runs a script in a namespace of its own.
fn unshared(folder: &Folder, what: &str, script: &str) -> Output {
    let command = needs::unshare(what);
    let mut command = command.expect("the test runs only if this works");
    command.arg(script).env("TMPDIR", &folder.path).output().unwrap()
}
