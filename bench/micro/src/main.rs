//! Compares our `fib` with the same function compiled by `clang -O2`.
//!
//! Run it with `cargo run --release -p micro`; it needs `clang`. Both functions
//! run alternately on one core. The result is the median, over all rounds, of
//! the ratio of their CPU times.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use protocol::fib;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

const N: u8 = 33;
const ROUNDS: usize = 41;

fn main() -> Result<()> {
    stay_on_one_core()?;
    let program = compile()?;
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let clang_ns = time_clang(&program)?;
        let start = cpu_ns();
        black_box(fib(black_box(N)));
        ratios.push((cpu_ns() - start) as f64 / clang_ns);
    }
    ratios.sort_by(f64::total_cmp);
    let quantile = |part: f64| ratios[(part * (ROUNDS - 1) as f64) as usize];
    println!(
        "fib({N}), ours / clang's: {:.3} (half of {ROUNDS} rounds are \
         between {:.3} and {:.3})",
        quantile(0.5),
        quantile(0.25),
        quantile(0.75),
    );
    Ok(())
}

/// Returns the CPU time of one computation by the C program, in ns.
fn time_clang(program: &Path) -> Result<f64> {
    let output = Command::new(program).arg(N.to_string()).output()?;
    let output = String::from_utf8(output.stdout)?;
    let (ns, value) = output
        .trim()
        .split_once(' ')
        .context("the C program printed no time")?;
    ensure!(value == fib(N).to_string(), "clang's fib({N}) is {value}");
    Ok(ns.parse()?)
}

fn compile() -> Result<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/fib.c");
    let program = std::env::current_exe()?.with_file_name("fib-by-clang");
    let status = Command::new("clang")
        .args(["-O2", "-o"])
        .arg(&program)
        .arg(source)
        .status()
        .context("cannot run clang; install it (Debian: `clang`)")?;
    ensure!(status.success(), "clang cannot compile {source}");
    Ok(program)
}

fn stay_on_one_core() -> Result<()> {
    let allowed = sched_getaffinity(None)?;
    let first = (0..CpuSet::MAX_CPU).find(|&cpu| allowed.is_set(cpu));
    let mut one = CpuSet::new();
    one.set(first.context("the process may use no core")?);
    Ok(sched_setaffinity(None, &one)?)
}

/// Returns the CPU time that this process has used, in ns.
fn cpu_ns() -> u64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
