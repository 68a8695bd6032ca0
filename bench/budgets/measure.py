#!/usr/bin/env python3
"""Measures the servers against their budgets; prints Markdown tables.

    python3 bench/budgets/measure.py [--rounds 9] [--only TEXT]

Times come from `compare run`: pinned, in interleaved rounds. A ratio is that
of the medians over the rounds; beside it is the range of the ratios within
each round. System calls are counted by strace, which must be installed, and
allocations by a preloaded library; nothing is timed while they are counted.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ROOT / "target" / "release"
RUNTIMES = ["tokio", "smol", "async-std"]
EVENT_LOOPS = ["mio", "coroutines"]
POOLS = ["mio-pool", "coroutines-pool", *RUNTIMES]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(
        "--only", metavar="TEXT",
        help="measure only the budgets whose name contains TEXT",
    )
    arguments = parser.parse_args()
    # Builds the servers separately, as `compare` does. In one build with other
    # packages, cargo would unify the features of their dependencies.
    servers = [path.name for path in sorted(ROOT.glob("crates/server-*"))]
    for packages in [["compare"], servers]:
        words = [word for name in packages for word in ("--package", name)]
        subprocess.run(
            ["cargo", "build", "--release", "--locked", *words],
            cwd=ROOT, check=True,
        )
    for name, measure in BUDGETS.items():
        if not arguments.only or arguments.only in name:
            print(f"\n### {name[0].upper()}{name[1:]}\n", flush=True)
            measure(arguments.rounds)


# The budgets. Each function measures one and prints it as a table.


def cost_against_c(rounds):
    run = compare(
        rounds, ["perf2-crowd"],
        ["c-epoll", "c-threads", "threads", *EVENT_LOOPS, *inline(RUNTIMES)],
    )
    pairs = [
        ("mio", "c-epoll", 1.05),
        ("coroutines", "c-epoll", 1.10),
        ("tokio-inline", "c-epoll", 1.10),
        ("smol-inline", "c-epoll", 1.25),
        ("async-std-inline", "c-epoll", 1.6),
        ("threads", "c-threads", 1.05),
    ]
    head("contestant", "baseline", "ratio", "range", "at most", "")
    for name, floor, limit in pairs:
        ratio = Ratio(
            run.of(name, "perf2-crowd", cost),
            run.of(floor, "perf2-crowd", cost),
        )
        row(name, floor, *ratio.words(), limit, verdict(ratio.value <= limit))


def a_pool_alone(rounds):
    pairs = [
        ("processes", "threads", 0.5),
        ("mio-pool", "mio", 0.6),
        ("coroutines-pool", "coroutines", 0.6),
        ("tokio", "tokio-inline", 0.6),
    ]
    names = [name for pair in pairs for name in pair[:2]]
    run = compare(rounds, ["perf2"], names)
    head("contestant", "baseline", "ratio", "range", "at least", "")
    for name, other, limit in pairs:
        ratio = Ratio(
            run.of(name, "perf2", rate), run.of(other, "perf2", rate)
        )
        row(name, other, *ratio.words(), limit, verdict(ratio.value >= limit))


def beside_a_long_one(rounds):
    """Measures the rate beside a heavy client.

    The budget is a share of `perf2`. `apart` is the fairer measure: see the
    analysis in bench/scenarios/interference.toml.
    """
    with_budget = ["threads", "processes", *POOLS]
    shown = [*EVENT_LOOPS, *inline(RUNTIMES), "coroutines-pool-stall"]
    run = compare(
        rounds, ["perf2", "apart@1", "interference@1"], with_budget + shown
    )
    head("contestant", "share of `perf2`", "range", "at least", "",
         "share of `apart`")
    for name in with_budget + shown:
        beside = run.of(name, "interference@1", rate)
        ratio = Ratio(beside, run.of(name, "perf2", rate))
        apart = Ratio(beside, run.of(name, "apart@1", rate))
        limit, fits = "none: computes inline", ""
        if name in with_budget:
            limit, fits = 0.8, verdict(ratio.value >= 0.8)
        row(name, *ratio.words(), limit, fits, f"{apart.value:.2f}")


def cost_of_a_crowd(rounds):
    names = [*EVENT_LOOPS, *RUNTIMES, *inline(RUNTIMES)]
    run = compare(rounds, ["ladder@64", "ladder@5000"], names)
    head("contestant", "ratio of 5,000 to 64", "range", "at most", "")
    for name in names:
        ratio = Ratio(
            run.of(name, "ladder@5000", cost), run.of(name, "ladder@64", cost)
        )
        row(name, *ratio.words(), 1.6, verdict(ratio.value <= 1.6))


def memory_of_an_idle_client(rounds):
    limits_kib = {
        "mio": 1, "coroutines": 1.5, "mio-pool": 2, "coroutines-pool": 2,
        "tokio": 3, "smol": 3, "async-std": 3, "threads": 16, "processes": 20,
    }
    run = compare(min(rounds, 3), ["idle@0", "idle@5000"], limits_kib)
    head("contestant", "KiB per client", "at most", "")
    for name, limit in limits_kib.items():
        grown = run.median(name, "idle@5000", rss) - run.median(
            name, "idle@0", rss
        )
        kib = grown / 5000 / 1024
        row(name, f"{kib:.2f}", limit, verdict(kib <= limit))


def ten_thousand_held(rounds):
    names = [*EVENT_LOOPS, *POOLS]
    points = ["held-10000@0", "held-10000@10000"]
    own = ["--scenario-file", ROOT / "bench/budgets/held-10000.toml"]
    run = compare(rounds, points, names, own)
    head("contestant", "p99 alone", "p99 among 10,000", "ratio", "at most", "")
    for name in names:
        alone, among = (run.of(name, point, p99) for point in points)
        ratio = Ratio(among, alone)
        times = (statistics.median(v.values()) / 1000 for v in (alone, among))
        words = (f"{us:.0f} µs" for us in times)
        fits = verdict(ratio.value <= 3)
        row(name, *words, f"{ratio.value:.2f}", 3, fits)


def system_calls(_):
    limits = {
        "blocking": 2.0, "threads": 2.0, "mio": 2.1, "coroutines": 2.1,
        "tokio-inline": 2.1, "tokio": 2.1,
    }
    shown = ["processes", "mio-pool", "coroutines-pool", "smol-inline",
             "smol", "async-std-inline", "async-std"]
    head("contestant", "calls per request", "by name", "at most", "")
    for name in [*limits, *shown]:
        # `blocking` serves one client at a time.
        clients = 1 if name == "blocking" else 64
        calls, which = count_system_calls(name, clients)
        limit = limits.get(name, "")
        # The count is accurate to two decimals.
        fits = verdict(round(calls, 2) <= limit) if limit else ""
        row(name, f"{calls:.2f}", which, limit, fits)


def allocations(_):
    none = ["blocking", "threads", *EVENT_LOOPS, *inline(RUNTIMES)]
    head("contestant", "allocations per request", "at most", "")
    for name in [*none, "processes", *POOLS]:
        # Adding 0.0 turns -0.0 into 0.0.
        count = round(count_allocations(name), 3) + 0.0
        limit = 0 if name in none else 2
        # The difference is accurate to three decimals.
        row(name, f"{count:.3f}", limit, verdict(count <= limit))


def the_load_generator(rounds):
    """Compares replies per CPU-second with those of a minimal C client."""
    head("requests in flight", "ratio to the C client", "range", "at least", "")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "bare_client"
        source = ROOT / "bench/budgets/bare_client.c"
        subprocess.run(["cc", "-O2", "-o", program, source], check=True)
        for depth, limit in ((1, 0.9), (16, 0.6)):
            ours, bare = {}, {}
            for each in range(rounds):
                with Served("mio", ["taskset", "-c", "0"]) as (_, port):
                    ours[each] = our_replies_a_second(port, depth)
                    bare[each] = bare_replies_a_second(program, port, depth)
            ratio = Ratio(ours, bare)
            row(depth, *ratio.words(), limit, verdict(ratio.value >= limit))
    print()
    head("open loop", "lag p99", "at most", "")
    lags_us = []
    for _ in range(rounds):
        with Served("mio", ["taskset", "-c", "0"]) as address:
            report = load(address, 64, "1s", "--rate", "20000")
        lags_us.append(quantile(report["groups"][0]["open"]["lag_ns"], 0.99))
    lag_us = statistics.median(lags_us) / 1000
    fits = verdict(lag_us <= 200)
    row("20,000 requests/s", f"{lag_us:.0f} µs", "200 µs", fits)


def our_replies_a_second(port, depth):
    address = ("127.0.0.1", port)
    report = load(address, 64, "500ms", "--depth", str(depth))
    return report["groups"][0]["replies"] / report["generator_cpu_ns"] * 1e9


def bare_replies_a_second(program, port, depth):
    words = ["taskset", "-c", "1", program, str(port), "64", str(depth), "0.5"]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    replies, cpu_s = done.stdout.split()
    return int(replies) / float(cpu_s)


BUDGETS = {
    "cost per request at 64 clients, compared with C": cost_against_c,
    "rate of one client, with and without a pool": a_pool_alone,
    "rate beside a heavy client, both cores free": beside_a_long_one,
    "cost per request at 5,000 clients, compared with 64": cost_of_a_crowd,
    "memory per idle client, with 5,000 clients": memory_of_an_idle_client,
    "latency of an active client among 10,000 silent ones": ten_thousand_held,
    "system calls per request": system_calls,
    "allocations per request": allocations,
    "the load generator": the_load_generator,
}


# The figures that are taken from the report of one round.


def cost(report):
    return report["server_cpu_ns"]["value"] / group(report)["replies"]


def rate(report):
    return group(report)["replies"] / report["window_ns"]


def rss(report):
    return report["server_rss_bytes"]["value"]


def p99(report):
    return quantile(group(report)["service_ns"], 0.99)


def quantile(times, share):
    counts = times["counts"]
    if not counts:
        return float("inf")
    rank = share * sum(count for _, count in counts)
    for value, count in counts:
        rank -= count
        if rank <= 0:
            return value
    return counts[-1][0]


def group(report):
    names = ("short", "active")
    return next(g for g in report["groups"] if g["name"] in names)


class Run:
    """The record of a `compare run`."""

    def __init__(self, record):
        self.cells = record["cells"]

    def of(self, name, scenario, figure):
        """Returns a figure of a cell, by round."""
        cell = self.cells[scenario][name]
        if cell["void"]:
            sys.exit(f"{name} in {scenario} is void: {cell['void']}")
        rounds = cell["rounds"]
        return {each["round"]: figure(each["report"]) for each in rounds}

    def median(self, name, scenario, figure):
        return statistics.median(self.of(name, scenario, figure).values())


class Ratio:
    """The ratio of two figures: that of their medians, and by round."""

    def __init__(self, over, under):
        both = over.keys() & under.keys()
        self.value = statistics.median(
            over[each] for each in both
        ) / statistics.median(under[each] for each in both)
        self.rounds = sorted(over[each] / under[each] for each in both)

    def words(self):
        low, high = self.rounds[0], self.rounds[-1]
        return f"{self.value:.2f}", f"{low:.2f}–{high:.2f}"


def compare(rounds, scenarios, names, more=()):
    with tempfile.TemporaryDirectory() as folder:
        command = [
            RELEASE / "compare", "run", "--quiet", "--rounds", str(rounds),
            "--out", folder, *more,
        ]
        for scenario in scenarios:
            command += ["-s", f"^{re.escape(scenario)}$"]
        for name in dict.fromkeys(names):
            command += ["-e", f"^{re.escape(name)}$"]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE)
        path = Path(folder) / "run.json"
        if not path.exists():
            sys.exit(
                f"compare wrote no record: exit code {done.returncode}"
            )
        return Run(json.loads(path.read_text()))


# Counts.


def count_system_calls(name, clients):
    """Counts in two runs; their difference leaves out start and end."""
    (few, least), (many, most) = (
        system_calls_in(name, clients, duration) for duration in ("1s", "4s")
    )
    calls = {
        call: (count - few.get(call, 0)) / (most - least)
        for call, count in many.items()
    }
    often = sorted(calls.items(), key=lambda item: -item[1])
    which = ", ".join(f"{n} {c:.2f}" for n, c in often if c >= 0.05)
    return sum(calls.values()), which


def system_calls_in(name, clients, duration):
    with tempfile.NamedTemporaryFile("r") as summary:
        tracer = ["strace", "-f", "-c", "-o", summary.name]
        with Served(name, tracer) as address:
            report = load(address, clients, duration)
        requests = sum(g["replies_in_all"] for g in report["groups"])
        calls = {}
        for line in summary.read().splitlines():
            words = line.split()
            if len(words) >= 5 and words[3].isdigit() and words[-1] != "total":
                calls[words[-1]] = int(words[3])
        return calls, requests


def count_allocations(name):
    """Counts in two runs; their difference leaves out start and end."""
    clients = 1 if name == "blocking" else 64
    counts, requests = zip(*(
        allocations_in(name, clients, duration) for duration in ("1s", "4s")
    ))
    return (counts[1] - counts[0]) / (requests[1] - requests[0])


def allocations_in(name, clients, duration):
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "allocations.so"
        source = ROOT / "bench/budgets/allocations.c"
        subprocess.run(
            ["cc", "-O2", "-shared", "-fPIC", "-o", library, source],
            check=True,
        )
        counts = Path(folder) / "counts"
        counts.mkdir()
        environment = {"LD_PRELOAD": str(library), "ALLOCATIONS": str(counts)}
        served = Served(name, [], environment)
        with served as address:
            report = load(address, clients, duration)
        requests = sum(g["replies_in_all"] for g in report["groups"])
        # The count of the server alone: its workers are killed with it, and a
        # killed process writes no count.
        return int((counts / str(served.process.pid)).read_text()), requests


def load(address, clients, duration="3s", *more):
    command = [
        "taskset", "-c", "1", RELEASE / "compare", "load", "--json",
        "--duration", duration,
        "--reply-timeout", "30s", "--connections", str(clients),
        "--addr", f"{address[0]}:{address[1]}", *more,
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


class Served:
    """A server that runs inside a `with` block, under `tracer` if given."""

    def __init__(self, name, tracer, environment=None):
        server, mode = (
            (name.removesuffix("-inline"), ["--compute", "inline"])
            if name.endswith("-inline") else (name, [])
        )
        program = str(RELEASE / f"server-{server}")
        self.command = [*tracer, program, "--listen", "127.0.0.1:0", *mode]
        self.environment = os.environ | (environment or {})
        self.is_traced = tracer[:1] == ["strace"]

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=self.environment,
        )
        line = self.process.stdout.readline()
        host, port = re.search(r"(127\.0\.0\.1):(\d+)", line).groups()
        return host, int(port)

    def __exit__(self, *_):
        target = self.process.pid
        if self.is_traced:
            # strace(1) doesn't forward signals; the server is its child.
            children = Path(f"/proc/{target}/task/{target}/children")
            target = int(children.read_text().split()[0])
        os.kill(target, signal.SIGTERM)
        self.process.wait(timeout=60)


# Tables.


def inline(names):
    return [f"{name}-inline" for name in names]


def verdict(fits):
    return "met" if fits else "**missed**"


def head(*words):
    row(*words)
    row(*("---" for _ in words))


def row(*words):
    print("| " + " | ".join(str(word) for word in words) + " |", flush=True)


if __name__ == "__main__":
    main()
