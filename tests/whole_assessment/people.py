"""The twelve who hand in: tiers, starters, mixtures, cheats and what is broken, laid out as an evaluator gets it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

TOP = Path(__file__).parents[2]
TASKS = ("noisy-labels", "semantic-search", "latency-budget")
LINK, EMPTY, ZIPPED = "a link", "no solution.py", "zip"

# What each hands in for each task: a tier, "starter", "cheat:NAME", or a program of a few lines.
PEOPLE: Mapping[str, tuple[str | None, str | None, str | None]] = {
    "ann": ("expert", "expert", "expert"),
    "ben": ("competent", "competent", "competent"),
    "cleo": ("baseline", "baseline", "baseline"),
    "dora": ("expert", "competent", None),
    "emil": ("starter", "starter", "starter"),
    "fay": ("competent", "expert", "baseline"),
    "gus": ("baseline", "competent", "expert"),
    "hal": ("cheat:patched-clock", "cheat:patched-clock", "cheat:patched-clock"),
    "ida": ("cheat:memorised-labels", "cheat:constant-ranking", "cheat:memoised"),
    "jon": ("def broken(:\n    pass\n", "expert", "competent"),
    "kim": ("raise RuntimeError('not ready yet')\n", "import os\nos._exit(3)\n", "while True:\n    pass\n"),
    "lea": (LINK, EMPTY, "competent"),
}


def lay_out(folder: Path) -> int:
    """Makes one folder for each (one hands in an archive); returns how many tasks were attempted."""
    attempted = 0
    for alias, hands_in in PEOPLE.items():
        for task, what in zip(TASKS, hands_in, strict=True):
            if what is not None:
                attempted += 1
                _hand_in(folder / alias / task, task, what)
    shutil.make_archive(str(folder / "ben"), "zip", folder / "ben")
    shutil.rmtree(folder / "ben")
    return attempted


def _hand_in(folder: Path, task: str, what: str) -> None:
    folder.mkdir(parents=True)
    reference = TOP / "reference_solutions" / task / what
    if "\n" in what:
        (folder / "solution.py").write_text(what)
    elif what == LINK:
        (folder / "solution.py").symlink_to("/etc/passwd")
    elif what == EMPTY:
        (folder / "notes.txt").write_text("I ran out of time.\n")
    elif what.startswith("cheat:"):
        _copy(TOP / "tasks" / task / "cheats" / what.partition(":")[2], folder)
    else:
        _copy(TOP / "tasks" / task / "starter" if what == "starter" else reference, folder)


def _copy(source: Path, folder: Path) -> None:
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
