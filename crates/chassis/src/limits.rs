//! How many clients this process can serve, and which limit of the system that
//! depends on.

use std::fmt;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};

use crate::arenas;
use crate::flags::{Compute, Model};

/// Descriptors that the server itself will open: listener, epoll, wake-up
/// pipes. Descriptors of worker processes are counted separately.
const FDS_RESERVED: u64 = 60;

/// The memory maps of a thread of Rust's standard library: its stack, the stack
/// of its signal handler, and a guard page for each.
const MAPS_PER_THREAD: u64 = 4;

/// The default of `vm.max_map_count`.
const MAPS_DEFAULT: u64 = 65_530;

/// What a client needs if there is a thread for it.
#[derive(Clone, Copy)]
struct Needs {
    /// The address space of the thread, in bytes, with the same four parts.
    space: u64,
    /// Memory in bytes: the pages of the thread that were touched, the buffers,
    /// and what the kernel needs for both.
    memory: u64,
}

/// A client with a thread of its own.
const OWN_THREAD: Needs = Needs { space: 192 * 1024, memory: 48 * 1024 };

/// A client whose job is on a thread with the default stack size.
const JOB: Needs = Needs { space: 2_112 * 1024, memory: 96 * 1024 };

/// What other parts of the process may need of maps, address space and memory.
const MAPS_RESERVED: u64 = 512;
const BYTES_RESERVED: u64 = 64 * 1024 * 1024;
const MEMORY_RESERVED: u64 = 4 * 1024 * 1024;

/// The most threads that the runtimes' pools for blocking calls may start.
const BLOCKING_THREADS_MAX: u64 = 512;

/// Threads that serve no client: those of the chassis, and for each worker, its
/// own and one of the runtime.
const THREADS_RESERVED: u64 = 4;
const THREADS_PER_WORKER: u64 = 2;

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
pub(crate) fn bound(
    model: &Model,
    compute: Compute,
    workers: NonZeroUsize,
) -> Bound {
    let by_fds = by_fds(fds_max(), fds_open(), model, workers);
    let of_fds = Bound { clients: by_fds, limit: "open files (ulimit -n)" };
    let mut bounds = vec![of_fds];
    if model.has_thread_per_client {
        bounds.extend(by_threads(OWN_THREAD, workers));
    } else if compute == Compute::Blocking {
        // The pool starts a thread for each job up to its maximum, and each
        // client has one job at a time. A pool hangs or aborts if it can't
        // start a thread.
        let mut of_threads = by_threads(JOB, workers);
        of_threads.retain(|bound| bound.clients < BLOCKING_THREADS_MAX);
        bounds.extend(of_threads);
    }
    bounds.into_iter().min_by_key(|b| b.clients).expect("there is one")
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
fn by_threads(each: Needs, workers: NonZeroUsize) -> Vec<Bound> {
    let maps_max = number("/proc/sys/vm/max_map_count").unwrap_or(MAPS_DEFAULT);
    let maps_used = fs::read_to_string("/proc/self/maps")
        .map_or(0, |maps| maps.lines().count() as u64);
    let maps =
        maps_max.saturating_sub(maps_used + MAPS_RESERVED) / MAPS_PER_THREAD;
    let space = getrlimit(Resource::As).current.map(|max| {
        // Otherwise, malloc(3) reserves 64 MiB for each of the first threads.
        arenas::limit_to_one();
        max.saturating_sub(space_used() + BYTES_RESERVED) / each.space
    });
    let for_workers = THREADS_PER_WORKER.saturating_mul(workers.get() as u64);
    let others = THREADS_RESERVED.saturating_add(for_workers);
    let tasks = |threads: u64| threads.saturating_sub(others);
    let threads = number("/proc/sys/kernel/threads-max").map(tasks);
    let ids = number("/proc/sys/kernel/pid_max").map(tasks);
    // RLIMIT_NPROC doesn't bind root; see getrlimit(2).
    let user = getrlimit(Resource::Nproc).current.map(tasks);
    let user = user.filter(|_| !geteuid().is_root());
    let group = left("pids", [PIDS, PIDS]).map(tasks);
    let memory = left("memory", [MEMORY_V2, MEMORY_V1])
        .map(|left| left.saturating_sub(MEMORY_RESERVED) / each.memory);
    let found = [
        (Some(maps), "memory maps (sysctl vm.max_map_count)"),
        (space, "address space (ulimit -v)"),
        (threads, "threads (sysctl kernel.threads-max)"),
        (ids, "process ids (sysctl kernel.pid_max)"),
        (user, "processes of this user (ulimit -u)"),
        (group, "processes of this control group (pids.max)"),
        (memory, "memory of this control group (memory.max)"),
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

/// The files of a control group with the maximum and with what is used.
type Files = [&'static str; 2];
const PIDS: Files = ["pids.max", "pids.current"];
const MEMORY_V2: Files = ["memory.max", "memory.current"];
const MEMORY_V1: Files = ["memory.limit_in_bytes", "memory.usage_in_bytes"];

/// Returns how much the control groups of this process may still use of what a
/// controller limits, with the files of versions 2 and 1; see cgroups(7).
fn left(controller: &str, files: [Files; 2]) -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let left = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let root = Path::new("/sys/fs/cgroup");
        let [v2, v1] = files;
        let (root, files) = match controllers {
            "" => (root.to_owned(), v2),
            names if names.split(',').any(|name| name == controller) => {
                (root.join(names), v1)
            }
            _ => return None,
        };
        left_in(&root.join(path.trim_start_matches('/')), files)
    });
    left.min()
}

/// Returns how much a group of one hierarchy, and those above it, may still
/// use.
fn left_in(group: &Path, [max, used]: Files) -> Option<u64> {
    let groups = group
        .ancestors()
        .take_while(|folder| folder.starts_with("/sys/fs/cgroup"));
    let left = groups.filter_map(|folder| {
        let max = number(folder.join(max))?;
        let used = number(folder.join(used))?.saturating_sub(cache(folder));
        Some(max.saturating_sub(used))
    });
    left.min()
}

/// Returns how many bytes of a group's memory are a cache of files, which the
/// kernel gives up when the group needs memory; 0 in other hierarchies.
fn cache(folder: &Path) -> u64 {
    let stat = fs::read_to_string(folder.join("memory.stat"));
    let stat = stat.unwrap_or_default();
    let of = |key: &str| {
        stat.lines().find_map(|line| {
            let value = line.strip_prefix(key)?.strip_prefix(' ')?;
            value.trim().parse::<u64>().ok()
        })
    };
    let kinds = ["inactive_file", "active_file"];
    // Version 1 counts descendants only in the sums.
    let sizes = kinds.map(|kind| of(&format!("total_{kind}")).or(of(kind)));
    sizes.into_iter().flatten().sum()
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
        let [of_pool, of_threads] = [&POOL, &threads]
            .map(|model| bound(model, Compute::Pool, one).clients);
        assert!(of_threads <= of_pool, "{of_threads} and {of_pool}");
        let maps = number("/proc/sys/vm/max_map_count").unwrap();
        assert!(of_threads <= maps / MAPS_PER_THREAD);
    }
}
