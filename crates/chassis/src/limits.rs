//! How many clients this process can serve, and which limit of the system that
//! depends on.

use std::fmt;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::arenas;
use crate::flags::Model;

/// Descriptors that the server itself will open: listener, epoll, wake-up pipes.
/// Descriptors of worker processes are counted separately.
const FDS_RESERVED: u64 = 60;

/// The memory maps of a thread of Rust's standard library: its stack, the stack
/// of its signal handler, and a guard page for each.
const MAPS_PER_THREAD: u64 = 4;

/// The address space of a client's thread, with the same four parts.
const BYTES_PER_THREAD: u64 = 192 * 1024;

/// What other parts of the process may need of maps and address space.
const MAPS_RESERVED: u64 = 512;
const BYTES_RESERVED: u64 = 64 * 1024 * 1024;

/// Threads that serve no client: those of the runtime and its pools.
const THREADS_RESERVED: u64 = 16;

/// A number of clients, and the limit that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) clients: u64,
    /// The limit, and how to change it.
    limit: &'static str,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.limit)
    }
}

/// Returns how many clients a server of this model can serve. Raises the limit
/// on descriptors as far as allowed.
pub(crate) fn bound(model: &Model, workers: NonZeroUsize) -> Bound {
    let by_fds = by_fds(fds_max(), fds_open(), model, workers);
    let of_fds = Bound { clients: by_fds, limit: "open files (ulimit -n)" };
    let of_threads = model.has_thread_per_client.then(by_threads);
    let bounds = of_threads.into_iter().flatten().chain([of_fds]);
    bounds.min_by_key(|bound| bound.clients).expect("there is one")
}

/// Returns how many connections the limit on descriptors allows, if so many are
/// open already; at least 1.
fn by_fds(
    fds_max: u64,
    open: u64,
    model: &Model,
    workers: NonZeroUsize,
) -> u64 {
    let for_workers = model.fds_per_worker.saturating_mul(workers.get() as u64);
    let free = fds_max.saturating_sub(open);
    // Where there are few, half of them is more useful than none.
    let left = free.saturating_sub(FDS_RESERVED.min(free / 2));
    left.saturating_sub(for_workers).max(1)
}

/// Raises the limit on descriptors as far as allowed, and returns it.
fn fds_max() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let fds = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    fds.unwrap_or(u64::from(u32::MAX))
}

/// Returns how many descriptors are open: standard streams, and what the
/// process that started this one left open.
fn fds_open() -> u64 {
    const STANDARD_STREAMS: u64 = 3;
    match fs::read_dir("/proc/self/fd") {
        // One of them is that of the folder.
        Ok(fds) => (fds.count() as u64).saturating_sub(1),
        Err(_) => STANDARD_STREAMS,
    }
}

/// Returns the bounds on the number of threads that are known. Threads beyond
/// some of them are refused; beyond that on memory maps, and beyond the address
/// space, the start of a thread ends the process.
fn by_threads() -> Vec<Bound> {
    let maps = number("/proc/sys/vm/max_map_count").map(|max| {
        let used = fs::read_to_string("/proc/self/maps")
            .map_or(0, |maps| maps.lines().count() as u64);
        max.saturating_sub(used + MAPS_RESERVED) / MAPS_PER_THREAD
    });
    let space = getrlimit(Resource::As).current.map(|max| {
        // Otherwise, malloc(3) reserves 64 MiB for each of the first threads.
        arenas::limit_to_one();
        max.saturating_sub(space_used() + BYTES_RESERVED) / BYTES_PER_THREAD
    });
    let tasks = |threads: u64| threads.saturating_sub(THREADS_RESERVED);
    let threads = number("/proc/sys/kernel/threads-max").map(tasks);
    let ids = number("/proc/sys/kernel/pid_max").map(tasks);
    let user = getrlimit(Resource::Nproc).current.map(tasks);
    let group = pids_left().map(tasks);
    let found = [
        (maps, "memory maps (sysctl vm.max_map_count)"),
        (space, "address space (ulimit -v)"),
        (threads, "threads (sysctl kernel.threads-max)"),
        (ids, "process ids (sysctl kernel.pid_max)"),
        (user, "processes of this user (ulimit -u)"),
        (group, "processes of this control group (pids.max)"),
    ];
    let bounds = found.into_iter().filter_map(|(clients, limit)| {
        Some(Bound { clients: clients?.max(1), limit })
    });
    bounds.collect()
}

/// Returns the address space that this process uses now, in bytes.
fn space_used() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().next().and_then(|w| w.parse().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// Returns how many tasks the control groups of this process may still start;
/// see the kernel's documentation of the pids controller.
fn pids_left() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let folders = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let root = match controllers {
            "" => "/sys/fs/cgroup",
            "pids" => "/sys/fs/cgroup/pids",
            _ => return None,
        };
        Some(Path::new(root).join(path.trim_start_matches('/')))
    });
    folders.filter_map(|folder| pids_left_in(&folder)).min()
}

/// Returns the same of one hierarchy, from a group up to the root.
fn pids_left_in(group: &Path) -> Option<u64> {
    let groups = group
        .ancestors()
        .take_while(|folder| folder.starts_with("/sys/fs/cgroup"));
    let left = groups.filter_map(|folder| {
        let of = |name: &str| number(PathBuf::from(folder).join(name));
        Some(of("pids.max")?.saturating_sub(of("pids.current")?))
    });
    left.min()
}

/// Returns the number in a file, or `None` if there is none (`max`).
fn number(path: impl AsRef<Path>) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POOL: Model = Model::new("pool").with_workers();

    #[test]
    fn descriptors_of_workers_are_not_used_for_connections() {
        const PROCESSES: Model = POOL.with_fds_per_worker(4);
        for (fds_max, open, model, workers, connections) in [
            (1_024, 3, &POOL, 8, 961),
            (1_024, 3, &PROCESSES, 8, 929),
            (1_024, 3, &PROCESSES, 240, 1),
            (1_024, 3, &PROCESSES, usize::MAX, 1),
            // Inherited descriptors are not left for connections.
            (1_024, 503, &POOL, 8, 461),
            (96, 63, &POOL, 1, 17),
            (10, 3, &POOL, 1, 4),
            (10, 10, &POOL, 1, 1),
        ] {
            let workers = NonZeroUsize::new(workers).unwrap();
            let by_fds = by_fds(fds_max, open, model, workers);
            assert_eq!(by_fds, connections, "{fds_max} fds, {workers} workers");
        }
    }

    #[test]
    fn only_a_thread_per_client_is_bounded_by_threads() {
        let one = NonZeroUsize::MIN;
        let threads = Model::new("threads").with_thread_per_client();
        let [of_pool, of_threads] =
            [&POOL, &threads].map(|model| bound(model, one).clients);
        assert!(of_threads <= of_pool, "{of_threads} and {of_pool}");
        let maps = number("/proc/sys/vm/max_map_count").unwrap();
        assert!(of_threads <= maps / MAPS_PER_THREAD);
    }
}
