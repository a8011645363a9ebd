"""Overhead: the wall time of a run over the same calls in a bare loop, and where the rest goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.bench import figures
from tests.bench.figures import middle, per_cent
from tests.bench.rows import Row, row_of
from tests.bench.running import BASELINE, CALL_SECONDS, Bench, Counts
from tests.bench.stopwatch import TIMED, Stopwatch

TITLE = "What measuring costs"
WORKERS = 3  # candidate, baseline, copy
LENGTHS = (CALL_SECONDS, 0.02, 0.05)
TARGET = 0.05


def _lengths(counts: Counts) -> Sequence[float]:
    return LENGTHS[:1] if counts.brief else LENGTHS


def steps(counts: Counts) -> int:
    """How many runs."""
    return counts.part(0.1) * len(_lengths(counts))


def measure(bench: Bench) -> Iterator[Row]:
    """Whole runs with their memory pass, a bare loop of as many calls before and after each."""
    for _ in range(bench.counts.part(0.1)):
        for length in _lengths(bench.counts):
            bench.tell(f"a run over a bare loop, calls of {length * 1e3:g} ms")
            loops = bench.loops_for(length)
            order = bench.order(bench.submission("same"), loops=loops)
            order = replace(order, profile=order.profile.model_copy(update={"memory_pass": True}))
            calls = bench.counts.calls * bench.counts.pairs
            before = bench.bare(BASELINE, loops, calls)["whole"]
            watch = Stopwatch()
            with watch.running():
                run = bench.run(order)
            after = bench.bare(BASELINE, loops, calls)["whole"]
            row = row_of(run)
            share = row["pairs"] / bench.counts.pairs * WORKERS  # more pairs than planned make more calls
            bare = (before + after) / 2 * share
            yield {**row, "length": length, "spent": watch.seconds, "bare": bare, "calls": share * calls}


def section(rows: Sequence[Row]) -> str:
    """The findings as a page's section."""
    lengths = sorted({row["length"] for row in rows})
    of = [[row for row in rows if row["length"] == length] for length in lengths]
    names = sorted(
        {name for row in rows for name in row["spent"]}, key=lambda n: (not n.startswith("timed"), n)
    )
    head = ["", *(f"{length * 1e3:g} ms" for length in lengths), f"{lengths[-1] * 1e3:g} ms, of the run"]
    timed = [[*_line(name, of)] for name in names if name.startswith("timed")]
    rest = [[*_line(name, of)] for name in names if not name.startswith("timed")]
    bare = [f"{middle(row['bare'] for row in some):.2f} s" for some in of]
    lines = [
        ["the same calls in a bare loop", *bare, per_cent(middle(r["bare"] / _whole(r) for r in of[-1]), 1)],
        *timed,
        ["**timed part in all, over the bare loop**", *(_over(some) for some in of), ""],
        ["microseconds more for each call", *(_each(some) for some in of), ""],
        *rest,
        ["**run in all**", *(f"{middle(map(_whole, some)):.2f} s" for some in of), "100 %"],
    ]
    within = [length for length, some in zip(lengths, of, strict=True) if _median_over(some) < TARGET]
    met = f"from {min(within) * 1e3:g} ms on" if within else "at none of these lengths"
    pairs = f"Medians over {len(of[0])} runs a length, of {middle(row['pairs'] for row in rows):.0f} process pairs."
    return f"{ASKED}\n\n{figures.table(head, lines)}\n\n{pairs} The target is met {met}.\n{READ}"


ASKED = """Question: how much longer does the timed part of a run take than the same calls in a bare loop (for three
workers: candidate, baseline, copy), for calls of three lengths, and where does the rest of a run's time go?
Target: below 5 %, plus start-up. No second is counted in two lines: the time of a step excludes the steps in it
that have a line of their own."""
READ = """The harness adds about the same time to each call, however long the call is: two wake-ups of a sleeping
process, copying a request and an answer, stopping one worker and resuming the next, reading their
counters. So it matters for short calls and not for long ones. It is part of no ratio: pausing and
metering happen outside the timed span, and the floor is subtracted."""


def _whole(row: Row) -> float:
    return sum(row["spent"].values())


def _timed(row: Row) -> float:
    return sum(seconds for name, seconds in row["spent"].items() if name.startswith("timed"))


def _median_over(rows: Sequence[Row]) -> float:
    return middle(_timed(row) / row["bare"] - 1 for row in rows)


def _over(rows: Sequence[Row]) -> str:
    every = sorted(_timed(row) / row["bare"] - 1 for row in rows)
    return f"**{per_cent(middle(every), 1)}** ({per_cent(every[0], 1)} to {per_cent(every[-1], 1)})"


def _each(rows: Sequence[Row]) -> str:
    return f"{middle((_timed(row) - row['bare']) / row['calls'] for row in rows) * 1e6:.0f}"


def _line(name: str, of: Sequence[Sequence[Row]]) -> Iterator[str]:
    """A line of the table: over the bare loop where it is of the timed part, else in seconds."""
    yield name
    for rows in of:
        spent = middle(row["spent"].get(name, 0.0) for row in rows)
        if not name.startswith("timed"):
            yield f"{spent:.2f} s"
            continue
        share = middle(row["spent"].get(name, 0.0) / row["bare"] for row in rows)
        yield f"+{per_cent(share - (name == TIMED), 1)}".replace("+-", "-")
    yield per_cent(middle(row["spent"].get(name, 0.0) / _whole(row) for row in of[-1]), 1)
