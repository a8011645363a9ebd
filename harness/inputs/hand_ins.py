"""Takes in what candidates handed in: a folder of candidates, a list in CSV, or archives of either.

An archive is one by its name (`archives` unpacks it). A broken archive and a name that cannot be used affect that
candidate only.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SubmissionError, UsageError
from harness.inputs.archives import is_archive, stem, unpack

_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Handed:
    """What one candidate handed in for one task: its folder, or why it is refused."""

    candidate: str
    task: str
    folder: Path | None
    refused: str = ""


@dataclass(frozen=True)
class Intake:
    """The candidates in order, what each handed in by alias and task, and what a person should know."""

    candidates: tuple[str, ...]
    handed: dict[tuple[str, str], Handed]
    notes: tuple[str, ...] = ()


def read(place: Path, tasks: Sequence[str], keep: Path) -> Intake:
    """What lies in `place`; archives are unpacked below `keep`. Raises UsageError where nothing can be read."""
    if not place.exists():
        raise UsageError(
            f"the submissions' folder {place} does not exist; name a folder, a CSV or an archive"
        )
    if place.is_file() and is_archive(place):
        top = unpack(place, keep)
        inner = _inner(top)
        place = top if any((inner / task).is_dir() for task in tasks) else inner
    if place.is_file():
        by_alias, notes = _listed(place, tasks, keep)
    else:
        by_alias, notes = _walked(place, tasks, keep)
    candidates = tuple(by_alias)
    if not candidates:
        raise UsageError(f"{place} holds no candidate; it wants one folder for each, with one for each task")
    folded: dict[str, str] = {}
    for alias in candidates:
        other = folded.setdefault(alias.lower(), alias)
        if other != alias:
            raise UsageError(f"the aliases {other!r} and {alias!r} differ only in case; rename one")
    handed = {(h.candidate, h.task): h for entries in by_alias.values() for h in entries}
    return Intake(candidates, handed, tuple(notes))


def _walked(place: Path, tasks: Sequence[str], keep: Path) -> tuple[dict[str, list[Handed]], list[str]]:
    if named := sorted(
        {stem(entry) for entry in place.iterdir() if entry.is_dir() or is_archive(entry)} & set(tasks)
    ):
        raise UsageError(
            f"{place} holds {', '.join(named)}: it is one candidate's folder; name the folder above it, which has one "
            "folder for each candidate"
        )
    by_alias: dict[str, list[Handed]] = {}
    notes: list[str] = []
    entries: dict[str, list[tuple[str, Path]]] = {}
    for entry in sorted(place.iterdir()):
        if entry.name.startswith((".", "__MACOSX")):
            continue
        if not (entry.is_symlink() or entry.is_dir() or is_archive(entry)):
            notes.append(f"{entry.name!r} is neither a candidate's folder nor an archive; left out")
            continue
        try:
            alias = _named(stem(entry))
        except UsageError as error:
            notes.append(f"{error}; left out: rename it and type the same command again")
            continue
        entries.setdefault(alias.lower(), []).append((alias, entry))
    for same in entries.values():
        alias, entry = same[0]
        if len(same) == 1:
            try:
                by_alias[alias] = _candidate(alias, entry, tasks, keep, notes)
            except PermissionError as error:
                why = f"{entry.name!r} cannot be read: {error.strerror}; give its files leave to be read"
                by_alias[alias] = [Handed(alias, task, None, why) for task in tasks]
            continue
        names = " and ".join(repr(entry.name) for _, entry in same)
        why = f"{names} in {place} are one candidate's name twice; keep one"
        by_alias[alias] = [Handed(alias, task, None, why) for task in tasks]
    return by_alias, notes


def _candidate(alias: str, entry: Path, tasks: Sequence[str], keep: Path, notes: list[str]) -> list[Handed]:
    """One candidate's folder or archive, with one folder (or archive) for each task."""
    try:
        top = _opened(entry, keep)
    except SubmissionError as error:
        return [Handed(alias, task, None, str(error)) for task in tasks]
    if is_archive(entry) and not any((top / task).is_dir() for task in tasks):
        top = _inner(top)
    by_task: dict[str, list[Path]] = {}
    for inner in sorted(top.iterdir()):
        name = stem(inner)
        if inner.name.startswith((".", "__MACOSX")):
            continue
        if name not in tasks:
            near = difflib.get_close_matches(name, tasks, 1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            notes.append(f"{alias}: unknown task {name!r}{hint}")
            continue
        by_task.setdefault(name, []).append(inner)
    return [_only(alias, task, places, keep) for task, places in by_task.items()]


def _only(alias: str, task: str, places: Sequence[Path], keep: Path) -> Handed:
    """What was handed in for a task, refused where it is there twice: as a folder and as an archive, say."""
    if len(places) == 1:
        return _one(alias, task, places[0], keep)
    names = " and ".join(repr(place.name) for place in places)
    return Handed(alias, task, None, f"{names} are {alias}'s {task} twice; keep one")


def _one(alias: str, task: str, place: Path, keep: Path) -> Handed:
    try:
        folder = _opened(place, keep)
    except SubmissionError as error:
        return Handed(alias, task, None, str(error))
    if is_archive(place) and not (folder / "solution.py").is_file():
        folder = _inner(folder)
    return Handed(alias, task, folder)


def _opened(place: Path, keep: Path) -> Path:
    """The folder itself, or what an archive holds; raises SubmissionError."""
    if place.is_symlink():
        raise SubmissionError(f"{place} is a link; hand in the folder itself")
    return unpack(place, keep) if place.is_file() and is_archive(place) else place


def _listed(file: Path, tasks: Sequence[str], keep: Path) -> tuple[dict[str, list[Handed]], list[str]]:
    """A CSV with the columns candidate and path, and task where each row is one task. Paths are from the file."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            rows = list(csv.DictReader(opened, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{file} cannot be read as CSV: {error}") from error
    if not rows or not {"candidate", "path"} <= set(rows[0]):
        raise UsageError(f"{file} needs a header with the columns candidate,path or candidate,task,path")
    by_alias: dict[str, list[Handed]] = {}
    notes: list[str] = []
    for number, row in enumerate(rows, 2):
        alias, task, path = (str(row.get(key) or "").strip() for key in ("candidate", "task", "path"))
        if not path:
            raise UsageError(f"{file}, line {number}: there is no path")
        place = file.parent / path
        if not place.exists():
            raise UsageError(f"{file}, line {number}: {path} does not exist")
        have = by_alias.setdefault(_named(alias), [])
        if task and task not in tasks:
            notes.append(f"{alias}: unknown task {task!r}")
            continue
        fresh = [_one(alias, task, place, keep)] if task else _candidate(alias, place, tasks, keep, notes)
        if {h.task for h in fresh} & {h.task for h in have}:
            raise UsageError(f"{file}, line {number}: {alias} hands in the same task twice; keep one")
        have += fresh
    return by_alias, notes


def _named(alias: str) -> str:
    if not _ALIAS.fullmatch(alias):
        raise UsageError(
            f"{alias[:80]!r} cannot be an alias: letters, digits, '.', '_' and '-' only, at most 64, "
            "a letter or digit first"
        )
    return alias


def _inner(folder: Path) -> Path:
    """The one folder inside, where an archive wraps everything in one."""
    inside = [p for p in folder.iterdir() if not p.name.startswith((".", "__MACOSX"))]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder
