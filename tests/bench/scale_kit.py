"""What the parts of the benchmark of scale share: submissions, commands as a person types them, bare processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.figures import middle

ROOT = Path(__file__).parents[2]
TOYS = ROOT / "tests" / "toy_tasks"
TASK = "toy-free"
JOBS = 2
NUMBERS = [(7919 * i + 13) % 10_000 for i in range(60)]
CODE = '''"""Right below {limit:,}."""

import numpy as np


class Solution:
    def __init__(self, context):
        self.context = context

    def answer(self, numbers):
        return np.where(numbers < {limit}, numbers * numbers % 97, 1)
'''
# The same program with nothing around it: an interpreter, numpy, the submission's file, its answer in JSON.
BARE = """
import json, sys
import numpy as np
names = {}
exec(open(sys.argv[1]).read(), names)
print(json.dumps(names["Solution"](None).answer(np.array(json.loads(sys.argv[2]))).tolist()))
"""


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    submissions: int = 1000
    strong: int = 200
    bare: int = 25
    trials: int = 100_000
    candidates: int = 1000
    tasks: int = 20
    times: int = 3
    others: int = 50
    otter_runs: int = 4
    otter_loop: int = 12
    rounds: int = 2


SMALLEST = Sizes(
    submissions=4,
    strong=2,
    bare=2,
    trials=60,
    candidates=3,
    tasks=2,
    times=1,
    others=4,
    otter_runs=1,
    otter_loop=2,
    rounds=1,
)


def write_submissions(folder: Path, count: int, wrong_every: int = 0) -> Path:
    """`count` candidates, each with a program of its own; with `wrong_every`, only each of that many is not right."""
    for number in range(count):
        limit = 5000 + 5 * number
        if wrong_every:
            limit = 10_000 + number if number % wrong_every else 7000 + number
        file = folder / f"p{number:04}" / TASK / "solution.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(CODE.format(limit=limit), encoding="utf-8")
    return folder


def write_suite(file: Path) -> Path:
    """A suite of the one task that costs nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'[[tasks]]\nid = "{TASK}"\nprofile = "ci-smoke"\n', encoding="utf-8")
    return file


def score_command(suite: Path, folder: Path, isolation: str) -> list[str]:
    """`harness score`, as a person types it."""
    return [
        *harness(),
        "score",
        str(suite),
        str(folder),
        "--tasks",
        str(TOYS),
        "--isolation",
        isolation,
        "--jobs",
        str(JOBS),
    ]


def harness() -> list[str]:
    """The command line of this working copy."""
    return [sys.executable, "-m", "harness"]


def environment(home: Path) -> dict[str, str]:
    """Results under `home`, and locks beside them: nothing here is timed by a verdict, so nobody need be waited for."""
    names = {"HARNESS_HOME": str(home), "HARNESS_LOCKS": str(home / "locks"), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **names, "HF_HUB_OFFLINE": "1", "HARNESS_DATABASE_URL": ""}


def timed(
    command: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> tuple[float, str]:
    """Wall seconds of a command, and what it printed; raises RuntimeError with its last words where it fails."""
    began = time.perf_counter()
    done = subprocess.run(
        list(command), cwd=cwd, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-600:]}")
    return seconds, done.stdout


def bare(files: Sequence[Path], at_once: int = 1) -> tuple[list[float], float]:
    """Each program in a process of its own: seconds of each, and wall seconds of all, `at_once` side by side."""

    def one(file: Path) -> float:
        command = [sys.executable, "-c", BARE, str(file), json.dumps(NUMBERS)]
        seconds, said = timed(command)
        if len(json.loads(said)) != len(NUMBERS):
            raise RuntimeError(f"{file} gave too few answers")
        return seconds

    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        found = list(pool.map(one, files))
    return found, time.perf_counter() - began


def both_ways(folder: Path, count: int) -> dict[str, Any]:
    """`count` bare processes one by one, and as many JOBS at once."""
    files = sorted(folder.glob(f"*/{TASK}/solution.py"))[:count]
    each, _ = bare(files)
    _, wall = bare(files, JOBS)
    return {"each": each, "shared": wall / len(files)}


def ms(values: Sequence[float]) -> str:
    """Median and range in milliseconds."""
    return f"{middle(values) * 1e3:.0f} ms ({min(values) * 1e3:.0f} to {max(values) * 1e3:.0f})"


def seconds(values: Sequence[float]) -> str:
    """Median and range in seconds."""
    return f"{middle(values):.1f} s ({min(values):.1f} to {max(values):.1f})"
