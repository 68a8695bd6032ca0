#!/usr/bin/env python3
"""Check that turns and windows of one second measure the same.

usage: bench/turns/check.py 1|64 [FLAG ...]     (flags of `compare run`)
       bench/turns/check.py 1|64 --run RUN.json ...

Each round has both, so the drift of the machine affects both. A ratio is
turns / windows, relative to that of the median contestant in the same round,
since only ratios of contestants are compared. The interval is that of the
mean over rounds, by Student's t at 95 %.
"""

import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile

MARGIN = math.log(1.03)
STUDENT = [math.inf, 12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26]


FIGURES = ("cost", "rate", "p50", "p99")


def figures(round):
    """Return the figures of one round. A quantile is the mean over turns."""
    report = round["report"]
    replies = sum(group["replies"] for group in report["groups"])
    cpu = report["server_cpu_ns"]["value"]

    def mean(quantile):
        found = [turn[quantile] for turn in round["turns"]]
        found = [time for time in found if time]
        return statistics.mean(found) if found else math.nan

    return {
        "cost": cpu / replies if cpu else math.nan,
        "rate": replies / report["window_ns"],
        "p50": mean("p50_ns"),
        "p99": mean("p99_ns"),
    }


def logs(record, clients, figure):
    """Return each contestant's log ratios of turns to windows, by round."""
    hows = ("turns", "windows")
    cells = [record["cells"][f"{how}-{clients}"] for how in hows]
    found = {}
    for name in cells[0]:
        turns, windows = (
            {
                r["round"]: figures(r)[figure]
                for r in cell.get(name, {"rounds": []})["rounds"]
            }
            for cell in cells
        )
        both = turns.keys() & windows.keys()
        ratios = {r: math.log(turns[r] / windows[r]) for r in both}
        found[name] = {r: log for r, log in ratios.items() if log == log}
    return found


def relative(found):
    """Return the ratios relative to the median one of the same round."""
    rounds = {r for logs in found.values() for r in logs}
    middle = {
        r: statistics.median(logs[r] for logs in found.values() if r in logs)
        for r in rounds
    }
    if not rounds:
        return {}, math.nan
    lists = {
        name: [log - middle[r] for r, log in logs.items()]
        for name, logs in found.items()
    }
    return lists, statistics.mean(middle.values())


def line(name, values):
    """Return a contestant's ratio with its interval, and the verdict."""
    count = len(values)
    if count < 2:
        return f"{name:24} open: {count} rounds"
    student = STUDENT[min(count - 1, len(STUDENT) - 1)]
    half = student * statistics.stdev(values) / math.sqrt(count)
    mean = statistics.mean(values)
    low, high = mean - half, mean + half
    if -MARGIN <= low and high <= MARGIN:
        verdict = "agree"
    elif low > MARGIN or high < -MARGIN:
        verdict = "differ"
    else:
        verdict = "undecided"
    times = f"{math.exp(mean):.3f} [{math.exp(low):.3f}, {math.exp(high):.3f}]"
    return f"{name:24} {times}  {verdict}"


def measure(clients, flags):
    """Measure both, and return the record."""
    here = pathlib.Path(__file__).parent
    names = [f"turns-{clients}", f"windows-{clients}"]
    files = [f"--scenario-file={here / name}.toml" for name in names]
    chosen = ["-s", f"^({'|'.join(names)})$"]
    with tempfile.TemporaryDirectory() as folder:
        run = ["cargo", "run", "--release", "-p", "compare", "--", "run"]
        subprocess.run(run + files + chosen + ["--out", folder] + flags)
        return json.loads(pathlib.Path(folder, "run.json").read_text())


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in ("1", "64"):
        sys.exit(__doc__)
    clients, flags = sys.argv[1], sys.argv[2:]
    if flags[:1] == ["--run"]:
        records = [json.loads(pathlib.Path(f).read_text()) for f in flags[1:]]
    else:
        records = [measure(clients, flags)]
    for figure in FIGURES:
        parts = [relative(logs(record, clients, figure)) for record in records]
        middle = statistics.mean(middle for _, middle in parts)
        if not parts[0][0]:
            print(f"{figure}: too few replies in a turn")
            continue
        print(f"{figure}, turns / windows; the median: {math.exp(middle):.3f}")
        for name in parts[0][0]:
            values = [v for lists, _ in parts for v in lists.get(name, [])]
            print("  " + line(name, values))


if __name__ == "__main__":
    main()
