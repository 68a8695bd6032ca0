//! Tests that need a program or a permission that a machine may lack.
//!
//! On such a machine, they are ignored, and the last line counts them and names
//! the package to install. If the variable `CI` is set, they fail instead.
//!
//! A test binary with `harness = false` lists its tests in `main`:
//!
//! ```no_run
//! fn pages_are_shown() {}
//!
//! fn main() -> std::process::ExitCode {
//!     needs::run(needs::tests![[needs::BROWSER] pages_are_shown])
//! }
//! ```

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use libtest_mimic::{Arguments, Trial};

/// What tests need of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// What is missing otherwise, such as `no chromium`.
    missing: &'static str,
    /// How to get it.
    remedy: &'static str,
    is_met: fn() -> bool,
}

/// A browser that accepts Chromium's flags; see [`browser`].
pub const BROWSER: Need = Need {
    missing: "no chromium",
    remedy: "apt-get install chromium",
    is_met: || browser().is_some(),
};

/// The Python interpreter.
pub const PYTHON: Need = Need {
    missing: "no python3",
    remedy: "apt-get install python3",
    is_met: || has_program("python3"),
};

/// A network namespace of the test's own, and ip(8) to set it up.
pub const NETWORK: Need = Need {
    missing: "no ip in a network namespace",
    remedy: "apt-get install iproute2, and root or user namespaces",
    is_met: || has_program("ip") && can_unshare("--net"),
};

/// A mount namespace of the test's own.
pub const MOUNTS: Need = Need {
    missing: "no mount namespace",
    remedy: "root or user namespaces",
    is_met: || can_unshare("--mount"),
};

/// A control group of the test's own; see [`CpuGroup`].
pub const CPU_GROUP: Need = Need {
    missing: "no control group",
    remedy: "root, and the cpu controller",
    is_met: || CpuGroup::new().is_some(),
};

/// A test, and what it needs.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    name: &'static str,
    need: Option<Need>,
    run: fn(),
}

impl Test {
    /// Returns a test. The macro [`tests!`](crate::tests) passes the path of
    /// the function as its name.
    pub const fn new(
        name: &'static str,
        need: Option<Need>,
        run: fn(),
    ) -> Test {
        Test { name, need, run }
    }
}

/// Lists tests: functions without arguments, each after what it needs, in
/// brackets, if it needs anything.
#[macro_export]
macro_rules! tests {
    ($($([$need:path])? $test:path),* $(,)?) => {
        vec![$($crate::Test::new(
            stringify!($test),
            $crate::tests!(@need $($need)?),
            $test,
        )),*]
    };
    (@need) => { None };
    (@need $need:path) => { Some($need) };
}

/// Runs the tests that this machine can run, with the arguments of `cargo
/// test`.
pub fn run(tests: Vec<Test>) -> ExitCode {
    let arguments = Arguments::from_args();
    let is_ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
    let mut ignored: Vec<(Need, usize)> = Vec::new();
    let mut known = Vec::new();
    let mut trials = Vec::new();
    for Test { name, need, run } in tests {
        let name = name.replace(' ', "");
        let unmet = need.filter(|need| !is_met(&mut known, need));
        trials.push(match unmet {
            None => Trial::test(name, move || {
                run();
                Ok(())
            }),
            Some(Need { missing, remedy, .. }) if is_ci => {
                let text = format!("{missing} ({remedy})");
                Trial::test(name, move || Err(text.into()))
            }
            Some(need) => {
                count(&mut ignored, need);
                // In case it is run anyway, by --include-ignored.
                let trial = Trial::test(name, || Err(need.missing.into()));
                trial.with_kind(need.missing).with_ignored_flag(true)
            }
        });
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        for (Need { missing, remedy, .. }, count) in ignored {
            println!("{count} ignored: {missing} ({remedy})\n");
        }
    }
    conclusion.exit_code()
}

/// Returns `true` if the machine has what is needed. Looks only once.
fn is_met(known: &mut Vec<(&'static str, bool)>, need: &Need) -> bool {
    let found = known.iter().find(|(missing, _)| *missing == need.missing);
    if let Some(&(_, is_met)) = found {
        return is_met;
    }
    let is_met = (need.is_met)();
    known.push((need.missing, is_met));
    is_met
}

fn count(ignored: &mut Vec<(Need, usize)>, need: Need) {
    let known = ignored.iter_mut().find(|(n, _)| n.missing == need.missing);
    match known {
        Some((_, count)) => *count += 1,
        None => ignored.push((need, 1)),
    }
}

/// Returns the name of a browser in PATH that accepts Chromium's flags.
pub fn browser() -> Option<&'static str> {
    const BROWSERS: [&str; 3] =
        ["chromium", "chromium-browser", "google-chrome"];
    BROWSERS.into_iter().find(|name| has_program(name))
}

fn has_program(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    folders.iter().any(|folder| folder.join(name).is_file())
}

/// Returns a command for sh(1) in a namespace of its own, such as `--net`, or
/// `None` if this process may not create one.
pub fn unshare(what: &str) -> Option<Command> {
    let ways: [&[&str]; 2] = [&["--user", "--map-root-user", what], &[what]];
    let command = |way: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(way).args(["sh", "-c"]);
        command
    };
    let works = |way: &&[&str]| {
        let mut command = command(way);
        command.arg("true").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    ways.into_iter().find(works).map(command)
}

fn can_unshare(what: &str) -> bool {
    unshare(what).is_some()
}

/// A control group with the cpu controller, of version 1 or 2; see cgroups(7).
/// It must have no process when it is dropped.
#[derive(Debug)]
pub struct CpuGroup(PathBuf);

impl CpuGroup {
    /// Creates a group, or returns `None` if this process may not.
    pub fn new() -> Option<CpuGroup> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("needs-{}-{count}", std::process::id());
        let tops = ["cpu", "cpu,cpuacct", ""];
        let folders = tops.map(|top| {
            let top = PathBuf::from("/sys/fs/cgroup").join(top);
            top.join(&name)
        });
        folders.into_iter().find_map(|folder| {
            fs::create_dir(&folder).ok()?;
            let group = CpuGroup(folder);
            group.limit_to(1.0).is_ok().then_some(group)
        })
    }

    /// Limits the CPU time of the group to so many processors.
    ///
    /// # Errors
    ///
    /// Returns an error if the group has no cpu controller.
    pub fn limit_to(&self, processors: f64) -> io::Result<()> {
        const PERIOD_US: f64 = 100_000.0;
        let quota_us = (processors * PERIOD_US) as u64;
        let v2 = format!("{quota_us} {PERIOD_US}");
        // In an ordinary folder, the files must not be created.
        let set = |name, text: &str| {
            let file = File::options().write(true).open(self.0.join(name));
            file?.write_all(text.as_bytes())
        };
        set("cpu.max", &v2)
            .or_else(|_| set("cpu.cfs_quota_us", &quota_us.to_string()))
    }

    /// Returns the file that moves a process into the group.
    pub fn processes(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }
}

impl Drop for CpuGroup {
    fn drop(&mut self) {
        // Fails only if a process of the group has not ended.
        let _ = fs::remove_dir(&self.0);
    }
}
