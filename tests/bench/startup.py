"""Start-up: an order to a ready worker, forked against fresh; whether both then take the same time."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from harness.inputs import tasks
from harness.inputs.submissions import read, references, staged
from harness.measures.paired import over_pairs
from harness.observer import Silent
from harness.runs import runner
from harness.runs.options import Options, order
from harness.runs.order import Order
from harness.runs.prepare import prepare, setting_of
from harness.trials.participant import Entry, Participant, Place, Setting
from tests.bench import figures
from tests.bench.figures import per_cent
from tests.bench.rows import Row
from tests.bench.running import Bench, Counts

TITLE = "Workers start soon"
TASK = "semantic-search"
KINDS = ("fresh and forked", "fresh and fresh", "forked and forked")
STARTS, CALLS, BRIEF_CALLS = 20, 90, 8


def steps(counts: Counts) -> int:
    """Starts, pairs of each kind, whole runs."""
    return 1 + len(KINDS) * _pairs(counts) + 1


def _pairs(counts: Counts) -> int:
    return 2 if counts.brief else 10


def measure(bench: Bench) -> Iterator[Row]:
    """The real baseline of a task: its starts, its calls in pairs of workers, and whole runs."""
    brief = bench.counts.brief
    task = tasks.find(TASK)
    baseline = references(TASK, task.folder)["baseline"]
    wanted = order(Options(task=TASK, folder=baseline.folder, profile="ci-smoke", seed=1))
    if brief:
        wanted = replace(wanted, profile=wanted.profile.model_copy(update={"size": "check"}))
    yield {"starts": list(_starts(bench, wanted, 1 if brief else STARTS))}
    yield from _same(bench, wanted, _pairs(bench.counts))
    whole = replace(wanted, submission=references(TASK, task.folder)["competent"], fresh=True)
    # Twenty fresh workers that import torch would be most of the time of the smallest benchmark.
    yield {
        "runs": dict(
            _runs(bench, bench.order(bench.submission("same")) if brief else whole, 1 if brief else 5)
        )
    }


@contextmanager
def _started(wanted: Order, setting: Setting, models: dict) -> Generator[Participant]:
    with staged(wanted.submission) as copy:
        one = Participant(entry=Entry(wanted.submission), copy=copy)
        try:
            one.start(Place(setting=setting, models=models, seed=0, stage="serve"))
            assert one.fault is None, one.fault
            yield one
        finally:
            one.close()


READY = """import torch
from transformers import AutoModel, AutoTokenizer


class Solution:
    def __init__(self, context):
        pass

    def build(self, passages):
        return b""

    def load(self, index):
        pass

    def search(self, queries, k):
        return None
"""


def _starts(bench: Bench, wanted: Order, count: int) -> Iterator[dict[str, float]]:
    """Seconds from the order to a worker that has torch, transformers and its own code, in turn."""
    folder = bench.folder / "ready"
    folder.mkdir()
    (folder / "solution.py").write_text(READY)
    wanted = replace(wanted, submission=read(TASK, folder))
    with setting_of(wanted) as setting:
        prepared = prepare(wanted, 0, Silent())
        models = dict(prepared.instance.models)
        with _started(wanted, setting, models):  # the zygote is awaited outside
            pass
        for _ in range(count):
            told = {}
            for name, forks in (("fresh", False), ("forked", True)):
                bench.tell(f"a start, {name}")
                began = time.perf_counter()
                with _started(wanted, replace(setting, forks=forks), models):
                    told[name] = time.perf_counter() - began
            yield told


def _same(bench: Bench, wanted: Order, pairs: int) -> Iterator[Row]:
    """Median log ratios of the second worker's calls to the first's: one program, in fresh pairs."""
    rng = np.random.default_rng(0)
    with setting_of(wanted) as setting:
        prepared = prepare(wanted, 0, Silent())
        stages = {stage.name: stage for stage in prepared.instance.stages}
        build, serve = stages["build"].requests, stages["serve"]
        models = dict(prepared.instance.models)
        with _started(wanted, setting, models) as builder:
            for request in build:
                builder.ask(request)
            built = {
                item: answer for item, answer in builder.readings.answers.items() if isinstance(answer, bytes)
            }
        block = [r for r in serve.requests if r.warmup or r.timed][:CALLS]
        if bench.counts.brief:
            warmups = [r for r in block if r.warmup]
            block = [*warmups[:BRIEF_CALLS], *(r for r in serve.requests if r.timed and not r.warmup)][
                : 2 * BRIEF_CALLS
            ]
        for number in range(pairs):
            for kind in KINDS:
                bench.tell(f"a pair of workers, {kind}")
                forks = [word == "forked" for word in kind.split(" and ")]
                if number % 2:
                    forks = forks[::-1]
                with (
                    _started(wanted, replace(setting, forks=forks[0]), models) as one,
                    _started(wanted, replace(setting, forks=forks[1]), models) as two,
                ):
                    for side in (one, two):
                        side.readings.answers |= built
                        for request in serve.each:
                            side.ask(request)
                    ratio = _ratio([one, two], block, rng)
                yield {"kind": kind, "log_ratio": -ratio if number % 2 else ratio}


def _ratio(sides: Sequence[Participant], block: Sequence, rng: np.random.Generator) -> float:
    logs = []
    for request in block:
        took = [0.0, 0.0]
        for i in rng.permutation(2):
            took[i] = sides[i].ask(request) or np.nan
        if request.timed and not request.warmup:
            logs.append(np.log(took[1] / took[0]))
    assert logs
    return float(np.median(logs))


def _runs(bench: Bench, wanted: Order, trials: int) -> Iterator[tuple[str, float]]:
    """Seconds of a whole run with so many trials, workers fresh and forked."""
    profile = wanted.profile.model_copy(update={"trials": trials, "max_trials": trials, "pairs": 1})
    wanted = replace(wanted, profile=profile)
    plain = wanted.task.definition.model_copy(update={"stack": ()})
    for name, task in (("fresh", replace(wanted.task, definition=plain)), ("forked", wanted.task)):
        bench.tell(f"a whole run of {trials} trials, workers {name}")
        began = time.perf_counter()
        runner.run(replace(wanted, task=task), bench.store)
        yield name, time.perf_counter() - began
    yield "trials", trials


def section(rows: Sequence[Row]) -> str:
    """The findings as a page's section."""
    starts = [told for row in rows for told in row.get("starts", ())]
    kinds = {"fresh": "fresh interpreter", "forked": "forked from the zygote"}
    seconds = {name: np.array([told[name] for told in starts]) for name in kinds}
    lines = [
        [words, *(_milli(f(seconds[n])) for f in (np.median, np.min, np.max))] for n, words in kinds.items()
    ]
    started = figures.table(["Order to ready worker", "Median", "Least", "Most"], lines)
    sooner = float(np.median(seconds["fresh"] / seconds["forked"]))
    runs = next(row["runs"] for row in rows if "runs" in row)
    told = (
        f"A forked worker is ready {sooner:.0f} times as soon (median of {len(starts)}; target: 30 times, below\n"
        f"150 ms). A whole run of {runs['trials']:.0f} trials took {runs['fresh']:.0f} s with fresh workers and "
        f"{runs['forked']:.0f} s with forked ones."
    )
    return f"{ASKED}\n\n{started}\n\n{told}\n\n{_agreement(rows)}\n\n{READ}"


def _milli(seconds: float) -> str:
    return f"{seconds * 1e3:.0f} ms"


def _agreement(rows: Sequence[Row]) -> str:
    lines = []
    for kind in KINDS:
        logs = np.array([row["log_ratio"] for row in rows if row.get("kind") == kind])
        found = over_pairs(logs)
        interval = f"{found.low:.4f} to {found.high:.4f}"
        spread = per_cent(float(logs.std(ddof=1)))
        lines.append([kind, str(len(logs)), f"{found.value:.4f}", interval, spread])
    head = ["Two workers of one program", "Pairs", "Second by first", "95 % interval", "Spread (SD)"]
    return figures.table(head, lines)


ASKED = """Question: how long does it take from the order to a worker that has imported torch, transformers and its
own code, for a fresh interpreter and for a worker forked from a process that has imported the task's
stack (the zygote)? And do the two then take the same time for the same calls? For the second question the
program is the baseline of semantic-search and its calls are single queries on real text. In "fresh and
forked" the first worker is the fresh interpreter; it is started first in every other pair."""
READ = """"Second by first" is the geometric mean over fresh pairs of the median ratio of their calls. If the
interval in the first line contains 1 and the spread in the third is no larger than in the second, forking
changes nothing that these pairs could detect, and timed workers may be forked."""
