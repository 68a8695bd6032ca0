#!/usr/bin/env python3
"""Reproduces the verdicts of a run from its raw turns, independently.

    compare report RUN --json figures.json
    bench/verify_verdicts.py runs/RUN/run.json figures.json

The bootstrap draws other random numbers than `compare` does, so a verdict may
differ if an interval ends within 8 % of its width from a limit; such a verdict
is printed, but not counted. METHODOLOGY.md describes the method. The exit code
is 1 if a verdict differs.
"""
import json, math, random, statistics, sys
from collections import Counter, defaultdict

RESAMPLES, TRIMMED, ERROR, EDGE = 2000, 0.2, 0.05, 0.08


def raw(run, scenario, name, figure, in_turns=True):
    """Returns the two counts whose ratio is the figure, by (round, cycle)."""
    at = [g["name"] for g in scenario["group"]].index(scenario["of"])
    own = [i for i, g in enumerate(scenario["group"]) if not g.get("apart")]
    rounds = run["cells"][scenario["name"]][name]["rounds"]
    of_turn = {
        "rate": lambda t: (t["replies"][at], t["window_ns"]),
        "cost": lambda t: (t["server_cpu_ns"], sum(t["replies"][i] for i in own)),
        "time": lambda t: (t["p50_ns"], 1), "p50": lambda t: (t["p50_ns"], 1),
        "p99": lambda t: (t["p99_ns"], 1)}
    turns = {(r["round"], t["cycle"]): of_turn[figure](t) for r in rounds
             for t in r.get("turns", [])
             } if in_turns and figure in of_turn else {}
    if turns and all(None not in counts for counts in turns.values()):
        return turns
    group = lambda r: next(g for g in r["groups"] if g["name"] == scenario["of"])
    rate = lambda r: group(r)["replies"] / r["window_ns"]
    cell = {"rate": rate,
            "time": lambda r: quantile(group(r)["service_ns"]["counts"], 0.5),
            "p50": lambda r: quantile(group(r)["service_ns"]["counts"], 0.5),
            "p99": lambda r: quantile(group(r)["service_ns"]["counts"], 0.99),
            "rss": lambda r: r["server_rss_bytes"]["value"],
            "threads": lambda r: r["server_threads"]["value"]}
    by_round = lambda s, of: {r["round"]: of(r["report"])
                              for r in run["cells"][s["name"]][name]["rounds"]}
    if figure == "left":
        base = next(s for s in run["scenarios"]
                    if s["name"] == scenario["against"])
        own, base = by_round(scenario, rate), by_round(base, rate)
        return {(r, 0): (own[r], base[r]) for r in own if base.get(r)}
    if figure == "per-client":
        silent = lambda s: sum(g["connections"] for g in s["group"]
                               if g.get("silent"))
        few = min((s for s in run["scenarios"] if s["name"].split("@")[0]
                   == scenario["name"].split("@")[0]), key=silent)
        own, base = by_round(scenario, cell["rss"]), by_round(few, cell["rss"])
        served = {r["round"] for r in run["cells"][scenario["name"]][name]["rounds"]
                  if any(g["replies"] for g in r["report"]["groups"])}
        return {(r, 0): (own[r] - base[r], silent(scenario) - silent(few))
                for r in own if r in base and own[r] > base[r] and r in served}
    found = by_round(scenario, cell[figure])
    return {(r, 0): (v, 1) for r, v in found.items() if v is not None}


def quantile(counts, share):
    """Returns a quantile of a histogram, if ten times are beyond it."""
    total = sum(count for _, count in counts)
    if share > 0.5 and (1 - share) * total < 10:
        return None
    left = max(1, math.ceil(share * total))
    for value, count in counts:
        left -= count
        if left <= 0:
            return value


def both(run, scenario, names, figure):
    """Returns the counts of two contestants, of turns if both have them."""
    for in_turns in (True, False):
        counts = [raw(run, scenario, name, figure, in_turns) for name in names]
        if len({any(cycle for _, cycle in one) for one in counts}) == 1:
            return counts


def draws(moments, seed):
    """Returns how often rounds, and turns, were drawn in each resample."""
    dice = random.Random(seed)
    rounds, cycles = (sorted({m[i] for m in moments}) for i in (0, 1))
    for _ in range(RESAMPLES):
        drawn = dice.choices(rounds, k=len(rounds))
        turns = [(r, c) for r in drawn for c in dice.choices(cycles, k=len(cycles))]
        yield Counter(drawn), Counter(turns)


def statistic(pairs, by_sums, weight):
    """Returns the logarithm of a ratio."""
    if by_sums:
        a, b, c, d = (sum(weight(at) * p[i] for at, p in pairs) for i in range(4))
        return math.log(a / b / c * d) if a else -math.inf
    logs = [log for at, log in pairs for _ in range(weight(at))]
    cut = int(len(logs) * TRIMMED)
    return statistics.fmean(logs[cut:len(logs) - cut])


def ratio(over, under, by_sums, drawn):
    """Returns a log ratio, its errors at both levels, and its resamples."""
    pairs = [(at, over[at] + under[at]) for at in over if at in under]
    if sum(a for _, (a, *_) in pairs) == 0:
        return None
    if not by_sums:
        pairs = sorted(((at, math.log(a / b / c * d) if a else -math.inf)
                        for at, (a, b, c, d)
                        in pairs), key=lambda pair: pair[1])
    log, rounds = statistic(pairs, by_sums, lambda at: 1), {at[0] for at, _ in pairs}
    if log == -math.inf:
        return None
    apart = lambda weight: max(statistic(pairs, by_sums, weight) - log, -20)
    levels = [[apart(lambda at: whole[at[0]]) for whole, _ in drawn]]
    if any(at[1] for at, _ in pairs):
        levels += [[apart(lambda at: turns[at]) for _, turns in drawn]]
    first, last = (statistics.fmean(d * d for d in levels[i]) for i in (0, -1))
    count, within = len(rounds), max(last - first, 0)
    start = first * count / (count - 1)
    fourth = start**2 / (count - 1) + within**2 / max(len(pairs) - count, 1)
    return dict(log=log, rounds=count, shown=start, strict=start + within,
                degrees=(start + within)**2 / fourth if fourth else count - 1,
                z=[abs(d) / last**0.5 if last else 0 for d in levels[-1]])


def student(degrees, tails):
    """Returns a quantile of Student's t (Abramowitz and Stegun, 26.7.3-4)."""
    low, high = 0, 1e6
    for _ in range(80):
        t = (low + high) / 2
        angle, odd = math.atan(t / math.sqrt(degrees)), degrees % 2
        term = math.cos(angle) if odd else 1
        total = term if degrees > 1 else 0
        for k in range(3 if odd else 2, degrees, 2):
            term *= math.cos(angle)**2 * (k - 1) / k
            total += term
        within = math.sin(angle) * total
        within = (angle + within) * 2 / math.pi if odd else within
        low, high = (t, high) if 1 - within > tails else (low, t)
    return high


def main(run, report):
    aliases = {e["contestant"]["name"]: e["again"] for e in run["entrants"]}
    alias = next((pair for pair in aliases.items() if pair[1]), None)
    # A scenario that is only measured on request is a table of its own.
    tables = {s["name"]: s.get("on_request") and s["name"].split("@")[0]
              for s in run["scenarios"]}
    columns, checked, near, wrong, skipped = {}, 0, 0, 0, 0
    for row in report["figures"]:
        scenario = next(s for s in run["scenarios"] if s["name"] == row["scenario"])
        if not row["compared"] or row["figure"] not in scenario["figures"]:
            continue
        try:
            names = row["contestant"], row["compared"]["contestant"]
            counts = both(run, scenario, names, row["figure"])
        except KeyError:
            skipped += 1
            continue
        sends = [g for g in scenario["group"] if not g.get("silent")]
        by_sums = row["figure"] == "left" or (
            len(sends) > 1 and row["figure"] in ("rate", "cost"))
        moments = [(r["round"], t["cycle"]) for cell in
                   run["cells"][scenario["name"]].values()
                   for r in cell["rounds"] for t in r.get("turns") or [{"cycle": 0}]]
        drawn = list(draws(moments, scenario["name"]))
        column = columns.setdefault((scenario["name"], row["figure"]), [])
        if not column and alias and alias[0] in run["cells"][scenario["name"]]:
            own = both(run, scenario, alias, row["figure"])
            column.append((None, ratio(*own, by_sums, drawn)))
        column.append((row, ratio(*counts, by_sums, drawn)))
    families = defaultdict(list)
    for (name, _), column in columns.items():
        families[tables[name]] += [r["z"] for _, r in column if r]
    errors = {}
    for table, family in families.items():
        critical = sorted(map(max, zip(*family)))[int(RESAMPLES * (1 - ERROR))]
        errors[table] = min(ERROR, 2 * (1 - statistics.NormalDist().cdf(critical)))
    margin = math.log1p(report["margin"])
    for (name, figure), column in columns.items():
        typical = statistics.median(r["strict"] for _, r in column if r)
        noise = next((abs(r["log"]) for row, r in column if not row and r), 0)
        for row, r in column:
            known = row and row["compared"]["outcome"]
            if known in (None, "open"):
                skipped += known == "open"
                continue
            checked += 1
            if r is None:
                wrong += known not in ("better", "worse")
                continue
            log, rounds, degrees = r["log"], r["rounds"], r["degrees"]
            shown = student(rounds - 1, ERROR) * r["shown"]**0.5
            moderated = (degrees * r["strict"] + rounds * typical) / (degrees + rounds)
            strict = student(int(degrees + rounds), errors[tables[name]]) * max(
                r["strict"], moderated)**0.5
            def verdict(shown, strict):
                if abs(log) - strict > noise:
                    up = (log > 0) == (figure in ("rate", "left"))
                    return "better" if up else "worse"
                return "equal" if abs(log) + shown <= margin else "undecided"
            if verdict(shown, strict) != known:
                edges = {verdict(shown * s, strict * t) for s in (1 - EDGE, 1 + EDGE)
                         for t in (1 - EDGE, 1 + EDGE)}
                near, wrong = near + (known in edges), wrong + (known not in edges)
                print(f"{figure} of {row['contestant']} in {name}: compare: "
                      f"{known}, here {verdict(shown, strict)}{' (near)' * (known in edges)}"
                      f": log {log:.4f} +-{shown:.4f}, strict +-{strict:.4f}, "
                      f"A/A {noise:.4f}; compare {row['compared']['ratio']}")
    print(f"{checked} verdicts checked: {wrong} differ, {near} near a limit; "
          f"{skipped} open or not known from turns")
    return int(wrong > 0)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*(json.load(open(path)) for path in sys.argv[1:])))
