"""Truth: the parent's clock against the submission's own, for the very same calls."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.records import Run
from tests.bench import figures
from tests.bench.figures import middle, per_cent
from tests.bench.rows import Row, row_of
from tests.bench.running import HERE, SERVICE, Bench, Counts

TITLE = "The clock shows the truth"
# How long a call takes, how many are timed in each pair, and how many warm up: the long ones are few.
CALLS = ((0.0001, 60, 16), (0.001, 60, 16), (0.01, 40, 16), (0.1, 12, 4))
# References that only place the score take part as they are, and have no clock to tell of.
SILENT = "\n    def told(self):\n        return np.zeros((2, 256), dtype=np.int64)\n"


def steps(counts: Counts) -> int:
    """How many runs."""
    return len(_asked(counts))


def _asked(counts: Counts) -> Sequence[tuple[float, int, int]]:
    return [(seconds, counts.calls, counts.warmups) for seconds, *_ in CALLS[1:2]] if counts.brief else CALLS


def measure(bench: Bench) -> Iterator[Row]:
    """One run of two pairs for each length of call; all workers there time their own calls as well."""
    task = _task(bench)
    kept, bench.counts = bench.counts, Counts(pairs=2, most=2)
    for seconds, calls, warmups in _asked(kept):
        bench.tell(f"calls of {seconds * 1e3:g} ms by two clocks")
        loops = bench.loops_for(seconds)
        order = bench.order(task / "starter", task, loops=loops, calls=calls, warmups=warmups, told=1)
        run = bench.run(order)
        yield {"wanted": seconds, "loops": loops, "clocks": _clocks(bench, run), **row_of(run)}
    bench.counts = kept


def _task(bench: Bench) -> Path:
    """The benchmark's task, with a contract that asks for the submission's own readings."""
    task = bench.folder / "own-clock"
    shutil.copytree(SERVICE, task)
    shutil.copyfile(HERE / "own_clock" / "contract.py", task / "contract.py")
    for folder in (task / "starter", task / "reference_solutions" / "baseline"):
        shutil.copyfile(HERE / "own_clock" / "solution.py", folder / "solution.py")
    for tier in ("competent", "expert"):
        with (task / "reference_solutions" / tier / "solution.py").open("a", encoding="utf-8") as file:
            file.write(SILENT)
    return task


def _clocks(bench: Bench, run: Run) -> list[dict[str, list[float]]]:
    """For each worker of each pair: seconds of the timed calls by the parent, by itself, and once more in a loop."""
    found = []
    for trial in run.trials:
        if not trial.timed or not trial.samples:
            continue
        answers = bench.store.answers(trial.answers["archive"])
        for item in sorted(item for item in answers if item.startswith("told")):
            pair = next(p.pair for p in trial.phases if p.item == item)
            parent = [s.seconds for s in trial.samples if s.pair == pair]
            own, again = _last(np.asarray(answers[item]), len(parent))
            found.append({"parent": parent, "own": own, "again": again})
    return found


def _last(told: NDArray[np.int64], count: int) -> tuple[list[float], list[float]]:
    """The last readings are those of the timed calls: warm-up and probe came before."""
    many = int((told[0] > 0).sum())
    own, again = (told[row, many - count : many] / 1e9 for row in (0, 1))
    return own.tolist(), again.tolist()


def section(rows: Sequence[Row]) -> str:
    """The findings as a page's section."""
    return f"{ASKED}\n\n{figures.table(HEAD, [_line(row) for row in rows], left=0)}\n\n{READ}"


ASKED = """Question: how much does measuring by the parent's clock add to a call? All workers in these runs also time
each of their calls by their own clock and hand the readings over when the pair is done, so both clocks
measured the same calls. Target: at most 1 % of a call of 5 ms or more, and 0.1 % after the floor (an
empty request) is subtracted."""
READ = """"Added" is the median over calls of the parent's reading minus the worker's own: encoding, two wake-ups,
copies and checks of sizes. "Left" is what remains after the pair's measured floor is subtracted, as it is in every
ratio. It is on both sides of a ratio and so pulls every speed-up a little towards 1; the next column gives the
speed-up that is measured when the true one is exactly 2. "Hot loop" is the worker's own clock for the same inputs
again, one after the other, with no turn of another worker in between. That it is shorter is not an error of
either clock: in the timed calls caches are cold and the core has to wake up, as in any service whose calls do not
come back to back."""
HEAD = [
    "Wanted",
    "Parent's p50",
    "Worker's own p50",
    "Added",
    "of the call",
    "Floor",
    "Left",
    "of the call",
    "Speed-up of 2 reads",
    "Hot loop p50",
    "Shorter by",
]


def _line(row: Row) -> list[str]:
    parent, own, again = (
        np.concatenate([np.array(worker[name]) for worker in row["clocks"]])
        for name in ("parent", "own", "again")
    )
    added = middle(parent - own)
    floor = middle(row["floors"])
    return [
        f"{row['wanted'] * 1e3:g} ms",
        _ms(middle(parent)),
        _ms(middle(own)),
        _us(added),
        per_cent(added / middle(own)),
        _us(floor),
        _us(added - floor),
        per_cent((added - floor) / middle(own)),
        f"{(middle(own) + added - floor) / (middle(own) / 2 + added - floor):.3f}",
        _ms(middle(again)),
        per_cent(1 - middle(again) / middle(own), 1),
    ]


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3f} ms"


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs"
