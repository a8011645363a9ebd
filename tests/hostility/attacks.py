"""Reads the head of a hostile submission: which threats it tries, how it must end, what it may gain where.

T03 T04. One sentence that says what it tries.

expected: wrong; confined crashed       an outcome at every level, then those that differ; `or` between two
gains: process label-read, byte-sent    what a level does not promise to stop; nothing where no line stands
way: run                                worker (one worker), stages (the worker of the second stage looks for
                                        what that of the first left), twice (so two submissions), run (a whole run)
least: 0.02                             seconds that its right answers take at least: it answers rightly
holds: 200                              MB that it holds in memory: it answers rightly
numbers: 20000                          how many numbers a request has
named: "a folder's name"                what its folder is called, in JSON
brings: symlink                         what is put beside it: symlink, hardlink, fifo, socket, many, big
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

HOSTILE = Path(__file__).parents[1] / "hostile"
HONEST = Path(__file__).parents[1] / "honest"
ORDER = ("process", "confined", "bubblewrap")
GAINS = {
    "label-read": "read a secret that only the harness knows",
    "scored": "scored more than an empty submission",
    "clock-moved": "was timed faster than it was",
    "memory-hidden": "held memory that was not counted",
    "cores-taken": "ran on cores that it was not given",
    "file-written": "changed files outside its scratch folder",
    "mode-changed": "changed the modes of files outside its scratch folder",
    "file-left": "left files or shared memory behind",
    "disk-filled": "filled the disk past what a worker may need",
    "process-left": "left a process alive",
    "byte-sent": "sent a byte to a listening socket",
    "host-seen": "saw the command line of the harness",
    "predecessor-read": "read what another submission had left",
    "stage-read": "read what its own worker of an earlier stage had left, beside what it returned",
    "parent-hurt": "hurt the harness",
    "report-poisoned": "put markup or control characters into a report",
}
_HEAD = re.compile(r"((?:T\d\d ?)+)\. (.+?)(?:\n\n|\Z)", re.S)


@dataclass(frozen=True)
class Attack:
    """One hostile submission, as its head describes it."""

    name: str
    folder: Path
    threats: tuple[str, ...]
    tries: str
    outcomes: dict[str, set[str]]
    gains: dict[str, set[str]] = field(default_factory=dict)
    way: str = "worker"
    least: float = 0.0
    holds: float = 0.0
    numbers: int = 60
    named: str = ""
    brings: str = ""

    def expected(self, level: str) -> set[str]:
        """The outcomes it may end with at a level."""
        return self.outcomes.get(level, self.outcomes[""])

    @property
    def answers_rightly(self) -> bool:
        """Whether its score is earned: it tries to gain something else."""
        return bool(self.least or self.holds or self.outcomes[""] & {"budget_exceeded"})

    @property
    def plain(self) -> bool:
        """Whether it runs as it lies there, with nothing put beside it."""
        return not self.brings and not self.named and "from kit import" not in _source(self.folder)


def read(folder: Path) -> Attack:
    """The attack in a folder; raises ValueError where its head is not in the form above."""
    opening = re.match(r'"""(.*?)"""', _source(folder), re.S)
    told = opening[1] if opening else ""
    head = _HEAD.match(told)
    if head is None:
        raise ValueError(f"{folder.name} does not open with its threats and what it tries")
    lines = dict(line.split(": ", 1) for line in told[head.end() :].strip().splitlines())
    outcomes = {level: set(said.split(" or ")) for level, said in _by_level(lines.pop("expected"))}
    gains = {level: set(said.split(", ")) for level, said in _by_level(lines.pop("gains", ""))}
    numbers = {name: type_(lines.pop(name)) for name, type_ in _NUMBERS.items() if name in lines}
    named = json.loads(lines.pop("named", '""'))
    unknown = set().union(*gains.values()) - set(GAINS)
    if "" not in outcomes or "" in gains or unknown:
        raise ValueError(f"{folder.name} names an unknown gain or level, or no outcome for every level")
    words = " ".join(head[2].split())
    return Attack(
        folder.name, folder, tuple(head[1].split()), words, outcomes, gains, named=named, **numbers, **lines
    )  # type: ignore[arg-type]


_NUMBERS = {"least": float, "holds": float, "numbers": int}


def _by_level(said: str) -> list[tuple[str, str]]:
    found = []
    for part in filter(None, map(str.strip, said.split(";"))):
        level, _, words = part.partition(" ")
        found.append((level, words) if level in ORDER else ("", part))
    return found


def _source(folder: Path) -> str:
    return (folder / "solution.py").read_text("utf-8")


def every(top: Path = HOSTILE) -> list[Attack]:
    """All attacks, by name."""
    return [read(file.parent) for file in sorted(top.glob("*/solution.py"))]


def controls() -> list[Path]:
    """The folders of the honest submissions, by name."""
    return sorted(file.parent for file in HONEST.glob("*/solution.py"))
