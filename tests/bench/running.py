"""Makes the orders of the benchmarks and runs them by the one real path: task folder, workers, score."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.inputs import tasks
from harness.isolation.base import Launch, environment
from harness.records import Run
from harness.runs import runner
from harness.runs.options import Options, order
from harness.runs.order import Order
from harness.store.results import Store
from tests.bench.load import load, workers_core
from tests.bench.rows import Row, row_of

HERE = Path(__file__).parent
SERVICE = HERE / "service"
BASELINE = SERVICE / "reference_solutions" / "baseline"
CALL_SECONDS = 0.005
CALIBRATION = 200  # loops of a call that the time of one loop is read from


@dataclass(frozen=True)
class Counts:
    """How much is run: `runs` A/A runs on a quiet machine, everything else in proportion to it.

    `pairs`, `most` and `calls` are those of each run; a smoke test has fewer, a measurement never.
    """

    runs: int = 32
    pairs: int = 5
    most: int = 12
    calls: int = 40
    warmups: int = 18
    brief: bool = False

    def part(self, share: float) -> int:
        """`share` of the runs, at least one."""
        return max(1, round(self.runs * share))


@dataclass
class Bench:
    """Where runs are made and kept, and how many loops make a call."""

    folder: Path
    counts: Counts = field(default_factory=Counts)
    tell: Callable[[str], None] = lambda text: None
    loops: int = CALIBRATION
    seed: int = 0

    def __post_init__(self) -> None:
        self.store = Store.open(self.folder / "home")

    def calibrate(self) -> None:
        """Sets the loops so that a call takes about 5 ms on this machine, in a process like a worker's."""
        self.loops = self.loops_for(CALL_SECONDS)

    def loops_for(self, seconds: float) -> int:
        """How many loops take so long, from the fastest of some calls."""
        best = min(self.bare(BASELINE, CALIBRATION, 20)["seconds"])
        return max(1, round(seconds / best * CALIBRATION))

    def order(self, submission: Path, task: Path = SERVICE, **size: int) -> Order:
        """An order for a submission on a benchmark task; each has a seed, an instance and turns of its own."""
        self.seed += 1
        made = order(
            Options(task=str(task), folder=submission, profile=str(HERE / "profile.toml"), seed=self.seed)
        )
        counts = self.counts
        profile = made.profile.model_copy(update={"pairs": counts.pairs, "max_pairs": counts.most})
        wanted = {"calls": counts.calls, "warmups": counts.warmups, "loops": self.loops, **size}
        sizes = {name: {**table, **wanted} for name, table in made.task.definition.sizes.items()}
        definition = made.task.definition.model_copy(update={"sizes": sizes})
        return replace(made, profile=profile, task=replace(made.task, definition=definition))

    def run(self, wanted: Order, loaded: bool = False) -> Run:
        """One run, with or without load made on purpose."""
        with load(loaded):
            return runner.run(wanted, self.store)

    def row(self, submission: Path, loaded: bool = False, **size: int) -> Row:
        """One run of a submission, as what is kept of it."""
        return {"loaded": loaded, **row_of(self.run(self.order(submission, **size), loaded))}

    def submission(self, name: str, change: Callable[[str], str] = str, source: Path = BASELINE) -> Path:
        """A copy of a solution in a folder of its own, its text changed; the copy of a reference is a candidate."""
        target = self.folder / "submissions" / name
        if not target.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            file = target / "solution.py"
            file.write_text(change(file.read_text("utf-8")), "utf-8")
        return target

    def bare(self, folder: Path, loops: int, calls: int, warmups: int = 4) -> dict[str, Any]:
        """The same calls in a loop of their own process, on the workers' core and with their environment."""
        asked = {"folder": str(folder), "loops": loops, "calls": calls, "warmups": warmups, "seed": self.seed}
        return json.loads(self.program([str(HERE / "bare.py")], json.dumps(asked)))

    def program(self, arguments: list[str], given: str = "", extra: Mapping[str, str] | None = None) -> str:
        """What a Python program prints that runs as a worker would: same core, same environment."""
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        variables = environment(
            Launch(home=scratch, scratch=scratch, threads=1, device="cpu", extra_environment=extra or {})
        )
        done = subprocess.run(
            [sys.executable, "-I", *arguments],
            input=given,
            capture_output=True,
            text=True,
            env=variables,
            cwd=scratch,
            check=False,
            preexec_fn=lambda: os.sched_setaffinity(0, {workers_core()}),
        )
        if done.returncode:
            raise RuntimeError(f"{arguments[0]} ended with status {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout


def service() -> tasks.Task:
    """The benchmark's task."""
    return tasks.read(SERVICE)


def slower(share: float) -> Callable[[str], str]:
    """Makes a solution do exactly so much more of its own work, and throw that away."""

    def change(text: str) -> str:
        old = "        return rows.mean(axis=0)\n"
        assert old in text
        more = (
            f"        spare = numbers\n        for _ in range(round(loops * {share})):\n"
            "            spare = spare @ self.matrix\n"
        )
        return text.replace(old, more + old)

    return change
