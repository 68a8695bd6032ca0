//! What a control group allows this process of the processors' time: the cpu
//! controller, in both versions of control groups. See cgroups(7).

use std::fs;
use std::path::{Path, PathBuf};

/// The groups with a limit that this process is in, from its own one up.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CpuLimits {
    /// The time that the strictest limit allows, in processors.
    pub(crate) processors: Option<f64>,
    /// For how long processes of these groups have been stopped because the
    /// time was used up, in nanoseconds; `None` without a limit.
    pub(crate) throttled_ns: Option<u64>,
}

/// Returns the limits of this process.
pub(crate) fn cpu_limits() -> CpuLimits {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    limits_in(Path::new("/sys/fs/cgroup"), &groups)
}

/// Returns the limits of the `groups`, which are listed as in
/// `/proc/self/cgroup`, in the file system at `root`.
fn limits_in(root: &Path, groups: &str) -> CpuLimits {
    let mut limits = CpuLimits::default();
    for (top, path) in groups.lines().filter_map(|line| hierarchy(root, line)) {
        let group = top.join(path.trim_start_matches('/'));
        let folders = group.ancestors().take_while(|g| g.starts_with(&top));
        for folder in folders {
            let Some(allowed) = quota(folder) else { continue };
            let strictest = limits.processors.unwrap_or(f64::INFINITY);
            limits.processors = Some(strictest.min(allowed));
            // A group that is stopped is also stopped by those above it.
            let of_group = throttled_ns(folder).unwrap_or(0);
            let known = limits.throttled_ns.unwrap_or(0);
            limits.throttled_ns = Some(known.max(of_group));
        }
    }
    limits
}

/// Returns the folder of the hierarchy with the cpu controller, and the path of
/// the group in it, for a line `ID:CONTROLLERS:PATH`.
fn hierarchy<'a>(root: &Path, line: &'a str) -> Option<(PathBuf, &'a str)> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, path) = (parts.next()?, parts.next()?);
    match controllers {
        "" => Some((root.to_owned(), path)),
        _ if controllers.split(',').any(|name| name == "cpu") => {
            Some((root.join(controllers), path))
        }
        _ => None,
    }
}

/// Returns how many processors' time the group itself allows.
fn quota(folder: &Path) -> Option<f64> {
    let read = |name| fs::read_to_string(folder.join(name)).ok();
    let [quota, period] = match read("cpu.max") {
        // `50000 100000`, or `max 100000`.
        Some(text) => {
            let mut words = text.split_whitespace();
            [words.next()?.parse().ok()?, words.next()?.parse().ok()?]
        }
        // -1 means no limit.
        None => ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
            .map(|name| read(name).and_then(|text| text.trim().parse().ok()))
            .map(|number: Option<f64>| number.unwrap_or(-1.0)),
    };
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

/// Returns for how long the group was throttled: `throttled_usec`, or
/// `throttled_time` in nanoseconds.
fn throttled_ns(folder: &Path) -> Option<u64> {
    let text = fs::read_to_string(folder.join("cpu.stat")).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        let value: u64 = value.trim().parse().ok()?;
        match key {
            "throttled_usec" => Some(value * 1_000),
            "throttled_time" => Some(value),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes files below a new folder, and returns it.
    fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let name = format!("compare-{name}-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_strictest_limit_up_to_the_root_counts() {
        let root = folder(
            "cgroup2",
            &[
                ("a/cpu.max", "150000 100000\n"),
                ("a/cpu.stat", "usage_usec 9\nthrottled_usec 20\n"),
                ("a/b/cpu.max", "50000 100000\n"),
                ("a/b/cpu.stat", "nr_throttled 3\nthrottled_usec 7\n"),
                ("a/b/c/cpu.max", "max 100000\n"),
            ],
        );
        let limits = limits_in(&root, "0::/a/b/c\n");
        assert_eq!(limits.processors, Some(0.5));
        assert_eq!(limits.throttled_ns, Some(20_000));
        assert_eq!(limits_in(&root, "0::/\n"), CpuLimits::default());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn the_first_version_of_control_groups_is_known_too() {
        let root = folder(
            "cgroup1",
            &[
                ("cpu,cpuacct/a/cpu.cfs_quota_us", "25000\n"),
                ("cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"),
                ("cpu,cpuacct/a/cpu.stat", "throttled_time 5\n"),
                ("cpu,cpuacct/b/cpu.cfs_quota_us", "-1\n"),
                ("cpu,cpuacct/b/cpu.cfs_period_us", "100000\n"),
            ],
        );
        let of = |group: &str| {
            let text = format!("9:pids:/x\n4:cpu,cpuacct:/{group}\n");
            limits_in(&root, &text)
        };
        let limited =
            CpuLimits { processors: Some(0.25), throttled_ns: Some(5) };
        assert_eq!(of("a"), limited);
        assert_eq!(of("b"), CpuLimits::default());
        fs::remove_dir_all(root).unwrap();
    }
}
