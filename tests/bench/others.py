"""Others: what torch.utils.benchmark and pyperf make of one program against itself, beside this harness."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from harness.isolation.base import THREAD_VARIABLES
from tests.bench import figures
from tests.bench.figures import middle, per_cent, share, spread
from tests.bench.load import load
from tests.bench.rows import Row, ratio
from tests.bench.running import BASELINE, HERE, Bench, Counts

TITLE = "Other tools on the same program"
QUIET, LOADED = 0.25, 0.125  # of the A/A runs
TOOLS = {
    "harness": "this harness, in turns, over fresh pairs",
    "torch": "torch.utils.benchmark, blocked_autorange",
    "pyperf": "pyperf, fresh processes",
}


def steps(counts: Counts) -> int:
    """How many rounds; each asks all tools once."""
    return counts.part(QUIET) + _loaded(counts)


def _loaded(counts: Counts) -> int:
    return 0 if counts.brief else counts.part(LOADED)


def measure(bench: Bench) -> Iterator[Row]:
    """Rounds of all tools in turn, so that the machine's state is common; some with load made on purpose."""
    total, loaded = steps(bench.counts), _loaded(bench.counts)
    tools = {"harness": _harness, "torch": _torch, "pyperf": _pyperf}
    for number in range(total):
        with_load = (number + 1) * loaded // total > number * loaded // total
        found: Row = {"loaded": with_load}
        for name, tool in tools.items():
            bench.tell(f"A against A by {name}, {'with load' if with_load else 'as it is'}")
            with load(with_load):
                began = time.monotonic()
                found[name] = {**tool(bench), "wall_seconds": time.monotonic() - began}
        grades = {key: found["harness"].pop(key) for key in ("grade", "waiting", "counters", "load_average")}
        yield {**found, **grades}


def _harness(bench: Bench) -> dict[str, Any]:
    row = bench.row(bench.submission("same"))
    kept = {key: row.get(key) for key in ("grade", "waiting", "counters", "load_average", "pairs")}
    return {"ratio": ratio(row, "candidate").value, **kept}


def _torch(bench: Bench) -> dict[str, Any]:
    counts = bench.counts
    # As long on each side as the harness's own calls take at its first look.
    seconds = counts.pairs * counts.calls * min(bench.bare(BASELINE, bench.loops, 8)["seconds"])
    asked = {"folder": str(BASELINE), "loops": bench.loops, "seed": bench.seed, "run_time": seconds}
    first, second = json.loads(bench.program([str(HERE / "with_torch.py")], json.dumps(asked)))
    return {"ratio": second / first}


def _pyperf(bench: Bench) -> dict[str, Any]:
    """As many processes as the harness has pairs, and as many calls in each; its comparison is of means."""
    counts, out = bench.counts, bench.folder / "pyperf.json"
    out.unlink(missing_ok=True)
    asked = json.dumps({"folder": str(BASELINE), "loops": bench.loops, "seed": bench.seed})
    inherited = ",".join(("BENCH_ASKED", "CUDA_VISIBLE_DEVICES", *THREAD_VARIABLES))
    arguments = [
        str(HERE / "with_pyperf.py"),
        "--processes",
        str(counts.pairs),
        "--loops",
        "4",
        "--values",
        str(max(1, counts.calls // 4)),
        "--warmups",
        str(max(1, counts.warmups // 4)),
        "--inherit-environ",
        inherited,
        "--output",
        str(out),
        "--quiet",
    ]
    bench.program(arguments, extra={"BENCH_ASKED": asked})
    first, second = (_mean(told) for told in json.loads(out.read_text("utf-8"))["benchmarks"])
    return {"ratio": second / first}


def _mean(told: dict[str, Any]) -> float:
    return float(np.mean([value for run in told["runs"] for value in run.get("values", ())]))


def section(rows: Sequence[Row]) -> str:
    """The findings as a page's section."""
    lines = [
        _line(words, name, group, [row for row in rows if row["loaded"] is group])
        for name, words in TOOLS.items()
        for group in (False, True)
    ]
    return f"{ASKED}\n\n{figures.table(HEAD, [line for line in lines if line], left=2)}\n\n{READ}"


ASKED = """Question: how far from 1 is the ratio of one program to itself in tools that time one side after the other?
All tools ran in turn, on the workers' core with the workers' environment, with the same number of calls on each
side."""
READ = """`torch.utils.benchmark` times both sides in one process and compares medians; pyperf starts fresh processes
for each side and compares means. Both are good at what they were made for: timing trusted code on a quiet
machine. Neither was made to time somebody else's code against a reference."""
HEAD = [
    "Tool",
    "Machine",
    "Rounds",
    "Spread of A/A (CV)",
    "Lowest",
    "Highest",
    "More than 3 % from 1",
    "Seconds",
]


def _line(words: str, name: str, loaded: bool, group: Sequence[Row]) -> list[str]:
    ratios = [row[name]["ratio"] for row in group]
    if not ratios:
        return []
    return [
        words,
        "with load" if loaded else "as it is",
        str(len(ratios)),
        per_cent(spread(ratios)),
        f"{min(ratios):.3f}",
        f"{max(ratios):.3f}",
        share(abs(np.log(value)) > np.log(1.03) for value in ratios),
        f"{middle(row[name]['wall_seconds'] for row in group):.1f}",
    ]
