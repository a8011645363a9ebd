"""Overhead: the wall time of a run over the same calls in a bare loop, and where the rest goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.bench import figures
from tests.bench.figures import middle, per_cent
from tests.bench.rows import Row, row_of
from tests.bench.running import BASELINE, Bench, Counts
from tests.bench.stopwatch import TIMED, Stopwatch

TITLE = "What measuring costs"
WORKERS = 3  # candidate, baseline, copy


def steps(counts: Counts) -> int:
    """How many runs."""
    return counts.part(0.1)


def measure(bench: Bench) -> Iterator[Row]:
    """Whole runs with their memory pass, a bare loop of as many calls before and after each."""
    for _ in range(steps(bench.counts)):
        bench.tell("a run over a bare loop")
        order = bench.order(bench.submission("same"))
        order = replace(order, profile=order.profile.model_copy(update={"memory_pass": True}))
        calls = bench.counts.calls * bench.counts.pairs
        before = bench.bare(BASELINE, bench.loops, calls)["whole"]
        watch = Stopwatch()
        with watch.running():
            run = bench.run(order)
        after = bench.bare(BASELINE, bench.loops, calls)["whole"]
        row = row_of(run)
        share = row["pairs"] / bench.counts.pairs * WORKERS  # more pairs than planned make more calls
        yield {**row, "spent": watch.seconds, "bare": (before + after) / 2 * share}


def section(rows: Sequence[Row]) -> str:
    """The findings as a page's section."""
    names = sorted(
        {name for row in rows for name in row["spent"]}, key=lambda n: (not n.startswith("timed"), n)
    )
    whole = middle(sum(row["spent"].values()) for row in rows)
    bare = middle(row["bare"] for row in rows)
    lines = [["the same calls in a bare loop", f"{bare:.2f}", "", per_cent(bare / whole, 1)]]
    for name in names:
        spent = middle(row["spent"].get(name, 0.0) for row in rows)
        over = per_cent(spent / bare - 1, 1) if name == TIMED else f"+{per_cent(spent / bare, 1)}"
        lines.append(
            [name, f"{spent:.2f}", over if name.startswith("timed") else "", per_cent(spent / whole, 1)]
        )
    timed = middle(_timed(row) for row in rows)
    pings = middle(_timed(row, with_pings=False) for row in rows)
    lines.append(
        ["**timed part in all**", f"{timed:.2f}", per_cent(timed / bare - 1, 1), per_cent(timed / whole, 1)]
    )
    lines.append(["**run in all**", f"{whole:.2f}", per_cent(whole / bare - 1, 0), "100 %"])
    without = f"Without the empty requests the timed part takes {per_cent(pings / bare - 1, 1)} longer."
    pairs = f"Median over {len(rows)} runs of {middle(row['pairs'] for row in rows):.0f} process pairs."
    return f"{ASKED}\n\n{figures.table(HEAD, lines)}\n\n{pairs} {without}\n{READ}"


ASKED = """Asked: how much longer does the timed part of a run take than the very same calls in a bare loop (three
workers' worth: candidate, baseline, copy), and where does the rest of a run's time go? Target: below 5 %,
plus start-up. Each line is without the lines it calls."""
READ = """What the calls themselves take longer by is mostly not the clock's: see the section on truth for what
cold caches and wake-ups add to calls that do not come back to back."""
HEAD = ["", "Seconds", "Over the bare loop", "Share of the run"]


def _timed(row: Row, with_pings: bool = True) -> float:
    return sum(
        seconds
        for name, seconds in row["spent"].items()
        if name.startswith("timed") and (with_pings or "empty" not in name)
    )
