"""A/A: the candidate is the baseline's own code. Whatever the clock then calls different is its error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from harness.measures.estimates import Estimate
from harness.measures.stats import paired_log_ratio_interval
from harness.trials.schedule import Plan
from tests.bench import figures
from tests.bench.figures import middle, per_cent, share, spread
from tests.bench.rows import Row, by_pair, ratio, usable
from tests.bench.running import Bench, Counts

TITLE = "Equal programs look equal (A/A)"
MARGIN = 0.03
TIMED = ("candidate", "copy")  # both are the baseline's code: each run gives two A/A ratios


def steps(counts: Counts) -> int:
    """How many runs: all on the machine as it is, and half as many with load made on purpose."""
    return counts.runs + counts.part(0.5)


def measure(bench: Bench) -> Iterator[Row]:
    """Quiet and loaded runs spread evenly over the whole time, so that both see the same hours."""
    same = bench.submission("same")
    total, loaded = steps(bench.counts), bench.counts.part(0.5)
    for number in range(total):
        with_load = (number + 1) * loaded // total > number * loaded // total
        bench.tell(f"the baseline against itself, {'with load' if with_load else 'as it is'}")
        yield bench.row(same, with_load)


def section(rows: Sequence[Row]) -> str:
    """The findings as a page's section."""
    told = usable(rows)
    groups = [[r for r in told if not r["loaded"]], [r for r in told if r["loaded"]]]
    lines = [[words, target, *(tell(group) for group in groups)] for words, target, tell in LINES]
    head = ["", "Target", f"As it is ({len(groups[0])} runs)", f"With load ({len(groups[1])} runs)"]
    failed = len(rows) - len(told)
    lost = f"\n\n{failed} runs gave no times and are left out." if failed else ""
    return f"{ASKED}\n\n{figures.table(head, lines, left=2)}{lost}\n\n{READ}"


ASKED = """Question: how often is a program called slower or faster than itself? The candidate is a copy of the
baseline's code in a folder of its own, and each run also times a second copy of the baseline, so a
run gives two ratios whose true value is 1. "With load" means that a process pinned to the workers' core
takes about half of that core, in spans of 5 to 15 ms drawn at random."""
READ = """Coverage counts how often an interval contains 1. Verdicts use the interval "at a look", which allows a
third of the 5 % error at each of three looks; the plain interval is the 95 % t interval over the same
pairs. The naive alternatives use the same raw seconds in two other ways: a bootstrap over the calls of
the first pair alone, and the candidate's median in one pair divided by the baseline's in the next (one
program after the other, as most timing tools do it)."""


def alpha(row: Row) -> float:
    """The error that verdicts allowed at each look in that run."""
    return Plan(pairs=row["planned"][0], most=row["planned"][1]).alpha()


def at_look(row: Row, side: str) -> Estimate:
    """The interval that verdicts use."""
    return ratio(row, side, alpha(row))


def verdict(row: Row, side: str) -> str:
    """slower, faster or equal at the run's margin, or open."""
    found, edge = at_look(row, side), 1 + max(MARGIN, row["constraints"]["latency"]["tolerance"])
    if found.low > edge:
        return "slower"
    if found.high < 1 / edge:
        return "faster"
    return "equal" if found.low >= 1 / edge and found.high <= edge else "open"


def _official(word: str) -> Callable[[Sequence[Row]], str]:
    return lambda group: share(r["constraints"]["latency"]["verdict"] == word for r in group)


def _told(*words: str) -> Callable[[Sequence[Row]], str]:
    return lambda group: share(verdict(r, side) in words for r in group for side in TIMED)


def _covered(error: float | None) -> Callable[[Sequence[Row]], str]:
    def tell(group: Sequence[Row]) -> str:
        found = [ratio(r, side, error or alpha(r)) for r in group for side in TIMED]
        return share(e.low <= 1 <= e.high for e in found)

    return tell


def _spread(side: str) -> Callable[[Sequence[Row]], str]:
    return lambda group: per_cent(spread([ratio(r, side).value for r in group]))


def _calm(group: Sequence[Row]) -> str:
    values = [ratio(r, side).value for r in group for side in TIMED if r["grade"] in "AB"]
    return f"{per_cent(spread(values))} of {len(values)}"


def _bias(group: Sequence[Row]) -> str:
    logs = [np.log(ratio(r, side).value) for r in group for side in TIMED]
    if len(logs) < 2:
        return "-"
    error = float(np.std(logs, ddof=1) / np.sqrt(len(logs)))
    return f"{100 * float(np.mean(logs)):+.2f} % ± {100 * error:.2f}"


def _half_width(group: Sequence[Row]) -> str:
    halves = [(e.high - e.low) / 2 / e.value for r in group for side in TIMED for e in [at_look(r, side)]]
    return per_cent(middle(halves))


def _tolerance(group: Sequence[Row]) -> str:
    return per_cent(middle(r["constraints"]["latency"]["tolerance"] for r in group), 1)


def _grades(group: Sequence[Row]) -> str:
    return " · ".join(f"{grade} {sum(r['grade'] == grade for r in group)}" for grade in "ABC")


def _pairs(group: Sequence[Row]) -> str:
    counts = [r["pairs"] for r in group]
    return " · ".join(f"{n} pairs {counts.count(n)}" for n in sorted(set(counts))) or "-"


def _naive(group: Sequence[Row]) -> str:
    found = [paired_log_ratio_interval(*by_pair(r, side, first=1)[0].T, 0.5) for r in group for side in TIMED]
    return share(not low <= 1 <= high for _, low, high in found)


def sequential(row: Row, side: str) -> list[float]:
    """The side's median in one pair by the baseline's in the next: no turns shared, as tools in sequence."""
    over = [float(np.median(s)) for s in row["seconds"][side]]
    under = [float(np.median(s)) for s in row["seconds"]["baseline"]]
    return [a / b for a, b in zip(over, under[1:], strict=False)]


def _in_sequence(group: Sequence[Row]) -> list[float]:
    return [value for r in group for side in TIMED for value in sequential(r, side)]


Tell = Callable[[Sequence[Row]], str]
LINES: tuple[tuple[str, str, Tell], ...] = (
    ("verdict `fail` on the latency budget", "≤ 0.5 %", _official("fail")),
    ("verdict `pass`", "", _official("pass")),
    ("verdict left open (inconclusive)", "", _official("inconclusive")),
    ("either ratio certified slower or faster at the margin", "≤ 0.5 %", _told("slower", "faster")),
    ("interval at a look covers 1", "98.3 %", _covered(None)),
    ("plain 95 % interval over the same pairs covers 1", "95 %", _covered(0.05)),
    ("spread (CV) of candidate by baseline", "≤ 0.5 % grade A, 1.5 % C", _spread("candidate")),
    ("spread (CV) of copy by baseline", "", _spread("copy")),
    ("both, grades A and B only", "", _calm),
    ("mean of all log ratios ± its error", "0 ± 0.1 %", _bias),
    ("median half-width of the interval at a look", "≤ 2 %", _half_width),
    ("tolerance of verdicts, median", "3 %", _tolerance),
    ("process pairs used", "", _pairs),
    ("wall seconds a run, median", "", lambda g: f"{middle(r['wall_seconds'] for r in g):.1f} s"),
    ("grades", "", _grades),
    ("certified runs", "", lambda g: share(r["certified"] for r in g)),
    ("A/A certificate holds", "", lambda g: share(r["certificate"]["holds"] for r in g)),
    ("*naive: bootstrap over the first pair's calls excludes 1*", "", _naive),
    ("*naive: in sequence, spread (CV)*", "", lambda g: per_cent(spread(_in_sequence(g)))),
    (
        "*naive: in sequence, more than 3 % from 1*",
        "",
        lambda g: share(abs(np.log(v)) > np.log(1 + MARGIN) for v in _in_sequence(g)),
    ),
)
