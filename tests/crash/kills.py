"""Kills a run's parent, a worker of it or its zygote at moments drawn by chance, and types the same command again.

Commands are forked from one process that has imported everything, so that a moment falls into the run and
not into the start of Python. As a program: `python -m tests.crash.kills FOLDER KILLS SEED`.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from harness.cli import main as cli
from harness.isolation import cgroups
from harness.store import results as storing
from harness.store.results import Store
from tests.conftest import TOYS
from tests.crash.told import Ack, Told, lost

ENDS = {"scored": (0, 1, 3), "ours": (4,), "killed": (-signal.SIGKILL,)}
MOST_IN_A_ROW = 6
VICTIMS = ("parent", "parent", "worker", "zygote")
INSTANCES = "2"


@dataclass
class Shown:
    """What a campaign of kills showed; every list but `kills` is to stay empty."""

    kills: dict[str, int] = field(default_factory=dict)
    commands: int = 0
    runs: int = 0
    acks: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    taken_up: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def fine(self) -> bool:
        """Whether nothing was lost, repeated, doubled or left behind."""
        return not (self.lost or self.twice or self.doubled or self.odd or self.left)


class Campaign:
    """Commands on one store, one after the other, most of them killed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.home, self.temporary, self.said = folder / "home", folder / "tmp", folder / "acks"
        self.temporary.mkdir(parents=True)
        self.chance = random.Random(seed)
        self.told = Shown()
        self.submission = TOYS / "toy-squares" / "reference_solutions" / "competent"
        self.kills: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.seconds = 1.0
        self.seed = 0
        self.pids: list[int] = []
        os.environ |= {"HARNESS_HOME": str(self.home), "TMPDIR": str(self.temporary)}
        tempfile.tempdir = None  # to be read again

    def run(self, kills: int) -> Shown:
        """Cycles of one command each, typed again until it is scored, until so many kills were dealt."""
        for self.seed in range(2):
            self._command(None)  # how long it takes, when everything is warm
        while self.kills.total() < kills:
            self.seed += 1
            self._cycle()
        self.seed += 1
        self._command(None)
        self._look_around()
        told = self.told
        told.kills, told.ends, told.runs = dict(self.kills), dict(self.ends), self.seed + 1
        told.acks = len(self._acks())
        self._count_runs()
        return told

    def _cycle(self) -> None:
        for number in range(MOST_IN_A_ROW + 1):
            victim = self.chance.choice(VICTIMS) if number < MOST_IN_A_ROW else None
            end = self._command(victim)
            if end == "killed" and self._ended() > self.seed:
                end = "scored"  # shown and let go before the blow: typed again, it would be a run of its own
            if words := lost(self.home, self._acks()):
                self.told.lost += [f"seed {self.seed}: {w}" for w in words]
            if end == "scored":
                return
        self.told.odd.append(f"seed {self.seed} was not scored though it was left alone")

    def _command(self, victim: str | None) -> str:
        """Types the command, kills the victim at some moment, and waits for the end."""
        self.told.commands += 1
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            self._be_the_command()
        self.pids.append(child)
        delay = self.chance.uniform(0.0, self.seconds)
        status = self._killed(child, victim, delay) if victim else None
        if status is None:
            status = os.waitpid(child, 0)[1]
        code = os.waitstatus_to_exitcode(status)
        if victim is None:
            self.seconds = time.monotonic() - began
        end = next((name for name, codes in ENDS.items() if code in codes), f"status {code}")
        if end not in ENDS:
            self.told.odd.append(f"seed {self.seed}, {victim} killed: {end}: {self._last_words()}")
        self.ends[end] += 1
        return end

    def _killed(self, child: int, victim: str, delay: float) -> int | None:
        """Deals the blow as soon after `delay` as there is somebody to take it; the status if it ended before."""
        due = time.monotonic() + delay
        while True:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                return status
            if time.monotonic() >= due and (target := self._target(child, victim)) is not None:
                with contextlib.suppress(OSError):
                    os.kill(target, signal.SIGKILL)
                    self.kills[victim] += 1
                return None
            time.sleep(0.001)

    def _target(self, child: int, victim: str) -> int | None:
        if victim == "parent":
            return child
        with contextlib.suppress(psutil.Error):
            zygotes = [p for p in psutil.Process(child).children() if "harness.worker.zygote" in p.cmdline()]
            found = zygotes if victim == "zygote" else [w for z in zygotes for w in z.children()]
            return self.chance.choice(found).pid if found else None
        return None

    def _be_the_command(self) -> None:
        """In the forked child: `harness run ...`, as typed, with a store that tells."""
        code = 1
        try:
            out = os.open(self.folder / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(out, 1)
            os.dup2(out, 2)
            acks = os.open(self.said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            Told.tell = staticmethod(lambda ack: _append(acks, ack))
            storing.Store = Told
            sys.argv = ["harness", "run", "toy-squares", str(self.submission), "--json"]
            sys.argv += [
                "--tasks",
                str(self.folder / "tasks"),
                "--profile",
                "ci-smoke",
                "--isolation",
                "process",
            ]
            sys.argv += ["--trials", INSTANCES, "--seed", str(self.seed), "--out", str(self.folder / "out")]
            cli.main()
        except SystemExit as left:
            code = int(left.code or 0)
        finally:
            sys.stdout.flush()
            os._exit(code)

    def _ended(self) -> int:
        """How many runs have come to their end: they are scored, and nobody holds them any more."""
        store = Store.open(self.home)
        with store.engine.connect() as connection:
            (count,) = connection.exec_driver_sql(
                "SELECT COUNT(*) FROM claims JOIN runs USING (run_id) WHERE state = 'scored' AND owner = ''"
            ).one()
        store.engine.dispose()
        return int(count)

    def _acks(self) -> list[Ack]:
        return [json.loads(line) for line in self.said.read_text().splitlines()] if self.said.exists() else []

    def _last_words(self) -> str:
        return (self.folder / "said").read_text(errors="replace")[-300:]

    def _count_runs(self) -> None:
        """Nothing was measured twice, and each command made one run, however often it was typed."""
        standing: Counter[Any] = Counter()
        for ack in self._acks():
            if ack["what"] in ("measured", "voided"):
                standing[ack["run"], ack["number"]] += 1 if ack["what"] == "measured" else -1
        self.told.twice += [
            f"{run}, instance {n}: {times}" for (run, n), times in standing.items() if times > 1
        ]
        store = Store.open(self.home)
        with store.engine.connect() as connection:
            rows = list(connection.exec_driver_sql("SELECT attempt, run_id FROM claims"))
            heads = list(connection.exec_driver_sql("SELECT head FROM runs"))
        self.told.doubled += [f"{run} is attempt {attempt}" for attempt, run in rows if attempt != 1]
        self.told.taken_up = sum(len(json.loads(head)["taken_up"]) for (head,) in heads)
        if len(rows) != self.told.runs:
            self.told.doubled.append(f"{len(rows)} runs where {self.told.runs} commands were meant")

    def _look_around(self) -> None:
        """What is left when the last command has ended: nothing may be ours."""
        self.told.left += [str(p) for p in self.temporary.glob("harness-*")]
        self.told.left += [str(p) for p in self.home.glob("artefacts/*/.part-*")]
        mine = str(self.temporary)
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.pid != os.getpid() and process.environ().get("HOME", "").startswith(mine):
                    self.told.left.append(f"process {process.pid}: {process.cmdline()}")
        self.told.left += groups_of(self.pids)


def _append(fd: int, ack: Mapping[str, Any]) -> None:
    os.write(fd, json.dumps(ack).encode() + b"\n")


def groups_of(pids: Collection[int]) -> list[str]:
    """Control groups that these processes made."""
    found, _ = cgroups.places()
    return [
        str(group)
        for parent in (set(found[1].values()) if found else ())
        for group in parent.glob(f"{cgroups.PREFIX}*")
        if group.name.split("-")[2] in {str(pid) for pid in pids}
    ]


def with_a_zygote(folder: Path) -> None:
    """A copy of the toy tasks whose workers are forked: they declare what they have imported."""
    shutil.copytree(TOYS, folder)
    file = folder / "toy-squares" / "task.toml"
    file.write_text('stack = ["numpy"]\n' + file.read_text())


def main(arguments: Sequence[str]) -> None:
    """Prints what a campaign showed, as JSON."""
    folder, kills, seed = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    with_a_zygote(folder / "tasks")
    print(json.dumps(asdict(Campaign(folder, seed).run(kills))))


if __name__ == "__main__":
    main(sys.argv[1:])
