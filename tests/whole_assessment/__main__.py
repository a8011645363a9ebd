"""Holds a whole assessment: scores twelve, is killed in the middle, goes on, ranks, reports; on each engine.

Everything goes by the command line, as an evaluator would type it. At the end one table says what came of it;
exit code 1 where something was lost, measured twice, or ranked otherwise than it should be.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.records import Run
from harness.store.ledger import Ledger
from harness.store.results import Store
from tests.fixtures.chromium import Chromium
from tests.whole_assessment.people import PEOPLE, TASKS, lay_out

_LONGEST = 3600.0


@dataclass
class Held:
    """One assessment on one engine, and what it came to."""

    engine: str
    home: Path
    seconds: float = 0.0
    kills: list[int] = field(default_factory=list)  # how many cells were kept when it was killed
    facts: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code is 1 where something came out otherwise than it must."""
    asked = _parsed(arguments)
    out = Path(asked.out or tempfile.mkdtemp(prefix="assessment-"))
    out.mkdir(parents=True, exist_ok=True)
    folder = out / "hand-ins"
    if folder.exists():
        shutil.rmtree(folder)
    attempted = lay_out(folder)
    secret = out / "secret.txt"
    secret.write_text(f"{random.getrandbits(128):032x}\n")
    held = [_held(engine, out, folder, secret, asked) for engine in asked.engines.split(",")]
    for one in held:
        _examine(one, attempted)
        _read(one, out, asked.suite)
    if len(held) == 2:
        _same_quality(held)
    print(_table(held))
    print(f"Pages and pictures: {out}")
    return 1 if any(one.wrong for one in held) else 0


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="assessment", description=__doc__)
    parser.add_argument("--suite", default="smoke", help="the suite (default smoke)")
    parser.add_argument("--engines", default="local,ray", help="engines, with commas (default local,ray)")
    parser.add_argument("--kills", type=int, default=2, help="how often each is killed (default 2)")
    parser.add_argument("--out", default="", help="where everything goes; default a new folder")
    return parser.parse_args(arguments)


def _held(engine: str, out: Path, folder: Path, secret: Path, asked: argparse.Namespace) -> Held:
    """Scores, killed `kills` times by kill -9 when some more cells are kept, then until it ends."""
    one = Held(engine, out / f"home-{engine}")
    began, chance = time.monotonic(), random.Random(7)
    command = ["score", asked.suite, str(folder), "--secret-seed-file", str(secret), "--executor", engine]
    for _ in range(asked.kills):
        due = _kept(one.home) + chance.randint(3, 8)
        with _started(one, out, command) as process:
            if _until(process, lambda due=due: _kept(one.home) >= due):
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                one.kills.append(_kept(one.home))
    with _started(one, out, command) as process:
        if not _until(process, lambda: False) and process.returncode not in (0, 3):
            one.wrong.append(f"score ended with {process.returncode}")
    one.seconds = time.monotonic() - began
    before, began = _kept(one.home), time.monotonic()
    done = _typed(one, command)
    one.facts["with all done"] = f"{time.monotonic() - began:.1f} s"
    if done.returncode not in (0, 3) or _kept(one.home) != before:
        one.wrong.append("the same command with everything done did something")
    return one


class _started:
    """`harness ...` as a process, its words in a log."""

    def __init__(self, one: Held, out: Path, command: Sequence[str]) -> None:
        self.log = (out / f"score-{one.engine}.log").open("a")
        self.process = subprocess.Popen(
            [_harness(), *command], env=_environment(one), stdout=self.log, stderr=subprocess.STDOUT
        )

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self.process

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


def _until(process: subprocess.Popen[bytes], reached: Any) -> bool:
    """Waits for the end, or for what is reached before it; says which."""
    end = time.monotonic() + _LONGEST
    while process.poll() is None and time.monotonic() < end:
        if reached():
            return True
        time.sleep(0.5)
    return False


def _harness() -> str:
    return str(Path(sys.executable).parent / "harness")


def _environment(one: Held) -> dict[str, str]:
    return {**os.environ, "HARNESS_HOME": str(one.home), "HF_HUB_OFFLINE": "1"}


def _typed(one: Held, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_harness(), *command], env=_environment(one), capture_output=True, text=True, check=False
    )


def _kept(home: Path) -> int:
    """How many cells are kept by now."""
    if not (home / "results.sqlite").exists():
        return 0
    ledger = Ledger(Store.open(home))
    return sum(ledger.count(found.id) for found in ledger.assessments())


def _runs(store: Store, ledger: Ledger) -> Iterator[Run]:
    for cell in ledger.sheet(ledger.assessment("last")).cells:
        if cell.run_id:
            yield store.run(cell.run_id)


def _examine(one: Held, attempted: int) -> None:
    """What the store holds: one cell for each, one run for each that ran, no trial twice."""
    store = Store.open(one.home)
    ledger = Ledger(store)
    sheet = ledger.sheet(ledger.assessment("last"))
    cells = {(cell.candidate, cell.task): cell for cell in sheet.cells}
    runs = list(_runs(store, ledger))
    trials = [(run.head.run_id, t.number, t.role, t.label) for run in runs for t in run.trials]
    one.facts |= {
        "cells": str(len(cells)),
        "runs": str(len(runs)),
        "trials": str(len(trials)),
        "trials twice": str(len(trials) - len(set(trials))),
        "taken up": str(sum(len(run.head.taken_up) for run in runs)),
        "not attempted": str(sum(c.outcome == "not_attempted" for c in cells.values())),
        "ours": str(sum(c.outcome in ("harness_error", "sandbox_failed") for c in cells.values())),
    }
    wanted = len(PEOPLE) * len(TASKS)
    for what, is_so in {
        f"{len(cells)} cells, not {wanted}": len(cells) != wanted,
        "a trial was measured twice": len(trials) != len(set(trials)),
        "what was not attempted": wanted - attempted != int(one.facts["not attempted"]),
        "a fault of ours": one.facts["ours"] != "0",
        "a cheat got points": any(c.points > 0 for c in cells.values() if c.candidate == "hal"),
        "the expert is unfit": any(cells["ann", task].standing == "unfit" for task in TASKS),
        "a broken one was scored": any(cells["kim", task].standing == "fit" for task in TASKS),
    }.items():
        if is_so:
            one.wrong.append(what)


def _read(one: Held, out: Path, suite: str) -> None:
    """Every page that an evaluator reads, with pictures to look at."""
    pages = out / f"pages-{one.engine}"
    pages.mkdir(exist_ok=True)
    commands: Mapping[str, Sequence[str]] = {
        "leaderboard.txt": ["leaderboard", suite],
        "leaderboard.csv": ["leaderboard", suite, "--format", "csv"],
        "leaderboard.json": ["leaderboard", suite, "--json"],
        "leaderboard.html": ["leaderboard", suite, "--format", "html"],
        "dora.html": ["report", "--candidate", "dora", "--suite", suite, "--format", "html"],
        "dora-feedback.html": [
            "report",
            "--candidate",
            "dora",
            "--suite",
            suite,
            "--feedback",
            "--format",
            "html",
        ],
        "compare.txt": ["compare", "ann", "fay", "--suite", suite],
        "cells.csv": ["export", suite, "--format", "csv"],
        "similar.txt": ["similar", str(out / "hand-ins")],
    }
    for name, command in commands.items():
        more = [] if name.endswith(".txt") or name == "leaderboard.json" else ["--out", str(pages / name)]
        done = _typed(one, [*command, *more])
        if done.returncode != 0 or "Traceback" in done.stderr:
            one.wrong.append(f"{' '.join(command)}: {done.returncode}: {done.stderr.strip()[-200:]}")
        elif not more:
            (pages / name).write_text(done.stdout)
    with Chromium() as browser:
        for page in sorted(pages.glob("*.html")):
            browser.open(page)
            browser.screenshot(page.with_suffix(".png"))
    one.facts["ranked"] = _ranked(pages / "leaderboard.csv")


def _ranked(file: Path) -> str:
    if not file.exists():
        return "no leaderboard"
    with file.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row.get("rank")]
    return ", ".join(f"{row['rank']} {row['candidate']}" for row in rows)


def _same_quality(held: Sequence[Held]) -> None:
    """The same instances on another engine: what does not depend on a clock is the same to the last digit."""
    values = []
    for one in held:
        ledger = Ledger(Store.open(one.home))
        sheet = ledger.sheet(ledger.assessment("last"))
        values.append({(c.candidate, c.task): c for c in sheet.cells})
    first, second = values
    compared, unlike = 0, []
    for key, cell in first.items():
        other = second.get(key)
        if other is None or cell.value is None or other.value is None or cell.unit in ("s", "1/s", "x"):
            continue
        compared += 1
        if (cell.measure, cell.instances[:1], cell.value) != (
            other.measure,
            other.instances[:1],
            other.value,
        ):
            unlike.append(f"{'/'.join(key)}: {cell.value} and {other.value}")
    held[1].facts["objectives equal on both"] = f"{compared - len(unlike)} of {compared}"
    if unlike:
        held[1].facts["unlike"] = json.dumps(unlike)


def _table(held: Sequence[Held]) -> str:
    lines = []
    for one in held:
        lines.append(f"{one.engine}: {one.seconds / 60:.1f} min, killed with {one.kills} cells kept")
        lines += [f"  {name}: {said}" for name, said in one.facts.items()]
        lines += [f"  WRONG: {said}" for said in one.wrong] or ["  nothing wrong"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
