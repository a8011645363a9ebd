"""Cuts that people set in files: judges' expectations, and reviewers' ratings beside the points that were scored."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from harness.analysis.calibration import cuts
from harness.errors import UsageError
from harness.records import SHOWN
from harness.sheets import Cut, Suite


def judges_cut(suite: Suite, file: Path) -> Cut:
    """The Angoff cut of a CSV with the columns judge, task, points; raises UsageError naming the line."""
    judged: dict[str, dict[str, float]] = {}
    for at, line in _lines(file, ("judge", "task", "points")):
        judged.setdefault(line["judge"], {})[line["task"]] = _points(at, line)
    try:
        return cuts.angoff(suite, judged)
    except ValueError as error:
        raise UsageError(f"{file}: {error}") from error


def ratings_cut(suite: Suite, file: Path, at: float) -> Cut:
    """The borderline regression cut at the rating `at`; raises UsageError naming the line.

    Columns candidate, points, rating: one line for each candidate with the suite's points. With a column task too:
    one line for each candidate and task, and the cut is the weighted mean of the tasks' own.
    """
    needed = ("candidate", "points", "rating")
    rated: dict[str, dict[str, tuple[float, float]]] = {}
    for where, line in _lines(file, needed):
        own = rated.setdefault(line.get("task", ""), {})
        if line["candidate"] in own:
            raise UsageError(f"{where}: {line['candidate']} is rated twice")
        own[line["candidate"]] = (_number(where, line, "rating"), _points(where, line))
    try:
        if set(rated) <= {""}:
            own = rated.get("", {})
            ratings, points = ({name: pair[i] for name, pair in own.items()} for i in (0, 1))
            return cuts.borderline(ratings, points, at)
        return cuts.borderline_of_tasks(suite, rated, at)
    except ValueError as error:
        raise UsageError(f"{file}: {error}") from error


def by_hand(points: float) -> Cut:
    """The cut that was given on the command line; raises UsageError off the scale."""
    if not SHOWN.low <= points <= SHOWN.high:
        raise UsageError(f"--cut {points:g} is not between {SHOWN.low:g} and {SHOWN.high:g} points")
    return Cut(points=points, method="set by hand", set_by="the command line")


def _lines(file: Path, needed: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each line with where it stands; raises UsageError where the file or a column is missing."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            for number, line in enumerate(csv.DictReader(opened), 2):
                cells = {k: v.strip() for k, v in line.items() if isinstance(k, str) and isinstance(v, str)}
                where = f"{file}, line {number}"
                if missing := [name for name in needed if not cells.get(name)]:
                    raise UsageError(f"{where}: no {missing[0]}; the columns are {','.join(needed)}")
                yield where, cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{file} cannot be read as a CSV: {error}") from error


def _number(where: str, line: dict[str, str], name: str) -> float:
    try:
        number = float(line[name])
    except ValueError:
        raise UsageError(f"{where}: {name} {line[name]!r} is no number") from None
    if not abs(number) < 1e9:
        raise UsageError(f"{where}: {name} {line[name]!r} is no finite number")
    return number


def _points(where: str, line: dict[str, str]) -> float:
    points = _number(where, line, "points")
    if not SHOWN.low <= points <= SHOWN.high:
        raise UsageError(f"{where}: {points:g} points are not between {SHOWN.low:g} and {SHOWN.high:g}")
    return points
