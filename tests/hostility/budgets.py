"""A hunt for time that nothing counts: the expert, doing work worth many budgets at one place after the other.

`python -m tests.hostility.budgets [TASK...]` runs each of them for real, at size `check`, and prints a table in
Markdown. A place is caught if the submission gets no points, or if next to no work got done there. Work in the
background takes the core from the answers that are timed: it is charged where it lasted no longer than they took.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[2]
# A whole budget at this size is tens of seconds; a second of work is told by a line on the standard error.
WORK_SECONDS = 600
# What a place may hold without being caught: less than the references' own time differs by from run to run.
LEAST_SECONDS = 3
# A fault of ours, a verdict that is open, or a submission that fell over by itself shows nothing.
CAUGHT = ("timeout", "budget_exceeded", "implausible")
# One task of each kind: scored by quality, by time, by memory. Their phases, in the order in which they are asked.
PHASES = {
    "small-data": ("train", "load", "predict"),
    "gradients": ("cross_entropy", "attention"),
    "memory-budget": ("train", "weights"),
}
PROFILE = """
extends = "ci-smoke"
size = "check"
isolation = "{level}"
pairs = 5
max_pairs = 5
max_trials = 1
"""
WORK = """

import atexit as _atexit
import os as _os
import sys as _sys
import threading as _threading
import time as _time

_PLACE, _SECONDS, _PHASES = {place!r}, {seconds!r}, {phases!r}


def _work():
    begun = _time.thread_time()  # on its core: what waits for it has not worked
    for second in range(1, _SECONDS + 1):
        while _time.thread_time() < begun + second:
            pass
        _os.write(2, b"worked a second\\n")


def _child():
    if _os.fork() == 0:
        _work()
        _os._exit(0)


def _at(place, function, again=False):
    done = []

    def working(*arguments, **named):
        if again or not done:
            done.append(place)
            _work()
        return function(*arguments, **named)

    return working


if _PLACE == "import":
    _work()
elif _PLACE == "atexit":
    _atexit.register(_work)
elif _PLACE == "a thread":
    _threading.Thread(target=_work, daemon=True).start()
elif _PLACE == "a child":
    _child()
elif _PLACE == "after each answer":
    class _Later(Solution):
        def __getattribute__(self, name):
            found = super().__getattribute__(name)
            if name not in _PHASES:
                return found

            def answered(*arguments, **named):
                answer = found(*arguments, **named)
                _threading.Thread(target=_work, daemon=True).start()
                return answer

            return answered

    Solution = _Later
else:
    setattr(Solution, _PLACE, _at(_PLACE, getattr(Solution, _PLACE)))
"""


@dataclass(frozen=True)
class Found:
    """What came of work at one place: how the run ended, its points, and how many seconds were worked."""

    task: str
    place: str
    outcome: str
    points: float
    worked: int
    reason: str
    seconds: float
    judged: float

    @property
    def caught(self) -> bool:
        """Whether the run ended as the candidate's own failure, next to no work was done, or all of it was charged."""
        charged = self.outcome in ("ok", "inconclusive") and self.worked <= max(LEAST_SECONDS, self.judged)
        return self.outcome in CAUGHT or charged

    @property
    def words(self) -> str:
        """What caught it, or that nothing did."""
        if self.outcome in CAUGHT or (self.caught and self.worked <= LEAST_SECONDS):
            return self.reason
        if self.caught:
            return f"it took its core from answers that took {self.judged:.0f} s, which are judged; {self.reason}"
        return f"NOT CAUGHT: {self.reason}"


def places(task: str) -> Iterator[str]:
    """Where a submission's code runs at all."""
    yield from ("import", "__init__", *PHASES[task], "a thread", "a child", "after each answer", "atexit")


def arranged(task: str, place: str, folder: Path) -> Path:
    """The task's expert with work at that place."""
    made = folder / f"{task}-{place.strip('_').replace(' ', '-')}"
    shutil.copytree(
        TOP / "reference_solutions" / task / "expert", made, ignore=shutil.ignore_patterns("__pycache__")
    )
    solution = made / "solution.py"
    work = WORK.format(place=place, seconds=WORK_SECONDS, phases=PHASES[task])
    solution.write_text(solution.read_text("utf-8") + work, "utf-8")
    return made


def tried(task: str, place: str, folder: Path, level: str) -> Found:
    """One real run."""
    profile = folder / "hunt.toml"
    profile.write_text(PROFILE.format(level=level), "utf-8")
    command = [sys.executable, "-m", "harness", "run", task, str(arranged(task, place, folder))]
    command += ["--profile", str(profile), "--out", str(folder / "out"), "--json"]
    began = time.monotonic()
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=TOP,
        env={**os.environ, "HARNESS_HOME": str(folder / "home")},
        timeout=900,
    )
    try:
        run: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise RuntimeError(f"{task}, {place}: {done.stderr[-2000:]}") from None
    return Found(
        task=task,
        place=place,
        outcome=run["outcome"],
        points=run["points"] or 0.0,
        worked=_worked(folder / "out"),
        reason=str(run["reasons"][0]) if run.get("reasons") else "",
        seconds=time.monotonic() - began,
        judged=sum(m["value"] or 0.0 for m in run["measurements"] if m["name"].endswith("_seconds")),
    )


def _worked(folder: Path) -> int:
    """Seconds of work that the submission's log tells of."""
    logs = [file.read_text("utf-8", errors="replace") for file in folder.rglob("*.json")]
    return max((text.count("worked a second") for text in logs), default=0)


def main() -> None:
    """Hunts, and ends with 1 if any place is not caught."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("tasks", nargs="*", help=f"of {', '.join(PHASES)}; default all")
    asked.add_argument("--place", default="", help="one place only")
    asked.add_argument("--isolation", default="bubblewrap")
    wanted = asked.parse_args()
    if unknown := set(wanted.tasks) - PHASES.keys():
        asked.error(f"{', '.join(sorted(unknown))} is none of {', '.join(PHASES)}")
    print("| task | place | outcome | points | seconds worked | |\n|---|---|---|---:|---:|---|", flush=True)
    free = 0
    for task in wanted.tasks or PHASES:
        for place in places(task):
            if wanted.place not in ("", place):
                continue
            with tempfile.TemporaryDirectory() as folder:
                found = tried(task, place, Path(folder), wanted.isolation)
            free += not found.caught
            print(
                f"| {task} | {place} | {found.outcome.replace('_', ' ')} | {found.points:.0f} | {found.worked} | "
                f"{found.words} |",
                flush=True,
            )
            print(f"{task}, {place}: {found.seconds:.0f} s", file=sys.stderr, flush=True)
    sys.exit(1 if free else 0)


if __name__ == "__main__":
    main()
