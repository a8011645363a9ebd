"""Takes in what candidates handed in: a folder of candidates, a list in CSV, or archives of either.

An archive is unpacked into a private folder, by content. Nothing in it is trusted: links, devices,
absolute paths, `..`, names that differ only in case and sizes beyond the caps are refused, with the
archive and the member named. A broken archive affects that candidate only.
"""

from __future__ import annotations

import contextlib
import csv
import difflib
import errno
import lzma
import os
import re
import shutil
import stat
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from harness.digests import of_bytes
from harness.errors import SubmissionError, UsageError

MOST_MEMBERS = 10_000
MOST_BYTES = 200 * 2**20
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    ValueError,
)
# What an archive's content can bring about; any other error of the system is not its candidate's doing.
_THEIRS = (None, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL)
Member = tuple[str, Callable[[], IO[bytes]] | None]


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
    if place.is_file() and _is_archive(place):
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
    by_alias: dict[str, list[Handed]] = {}
    notes: list[str] = []
    for entry in sorted(place.iterdir()):
        if entry.name.startswith((".", "__MACOSX")):
            continue
        if not (entry.is_symlink() or entry.is_dir() or _is_archive(entry)):
            notes.append(f"{entry.name!r} is neither a candidate's folder nor an archive; left out")
            continue
        alias = _named(_stem(entry))
        if alias in by_alias:
            raise UsageError(f"the candidate {alias!r} is there twice in {place}; keep one")
        by_alias[alias] = _candidate(alias, entry, tasks, keep, notes)
    return by_alias, notes


def _candidate(alias: str, entry: Path, tasks: Sequence[str], keep: Path, notes: list[str]) -> list[Handed]:
    """One candidate's folder or archive, with one folder (or archive) for each task."""
    try:
        top = _opened(entry, keep)
    except SubmissionError as error:
        return [Handed(alias, task, None, str(error)) for task in tasks]
    if _is_archive(entry) and not any((top / task).is_dir() for task in tasks):
        top = _inner(top)
    handed = []
    for inner in sorted(top.iterdir()):
        name = _stem(inner)
        if inner.name.startswith((".", "__MACOSX")):
            continue
        if name not in tasks:
            near = difflib.get_close_matches(name, tasks, 1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            notes.append(f"{alias}: unknown task {name!r}{hint}")
            continue
        handed.append(_one(alias, name, inner, keep))
    return handed


def _one(alias: str, task: str, place: Path, keep: Path) -> Handed:
    try:
        folder = _opened(place, keep)
    except SubmissionError as error:
        return Handed(alias, task, None, str(error))
    if _is_archive(place) and not (folder / "solution.py").is_file():
        folder = _inner(folder)
    return Handed(alias, task, folder)


def _opened(place: Path, keep: Path) -> Path:
    """The folder itself, or what an archive holds; raises SubmissionError."""
    if place.is_symlink():
        raise SubmissionError(f"{place} is a link; hand in the folder itself")
    return unpack(place, keep) if place.is_file() and _is_archive(place) else place


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


def _is_archive(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(_ARCHIVES)


def _stem(path: Path) -> str:
    if _is_archive(path):
        for end in sorted(_ARCHIVES, key=len, reverse=True):
            if path.name.lower().endswith(end):
                return path.name[: -len(end)]
    return path.name


def _inner(folder: Path) -> Path:
    """The one folder inside, where an archive wraps everything in one."""
    inside = [p for p in folder.iterdir() if not p.name.startswith((".", "__MACOSX"))]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def unpack(archive: Path, keep: Path) -> Path:
    """The folder below `keep` with the archive's content; raises SubmissionError naming archive and member."""
    try:
        if archive.stat().st_size > MOST_BYTES:
            raise SubmissionError(f"{archive} is larger than {MOST_BYTES >> 20} MiB")
        target = keep / of_bytes(archive.read_bytes())[:32]
        if target.is_dir():
            return target
        keep.mkdir(parents=True, exist_ok=True, mode=0o700)
        making = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=keep))
        try:
            _write(archive, making)
            with contextlib.suppress(FileExistsError):  # another command was as quick, with the same content
                os.replace(making, target)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    except _BROKEN as error:
        raise SubmissionError(f"the archive {archive} cannot be unpacked: {error}") from error
    except OSError as error:
        if error.errno in _THEIRS:
            raise SubmissionError(f"the archive {archive} cannot be unpacked: {error}") from error
        raise UsageError(f"the archive {archive} cannot be unpacked into {keep}: {error.strerror}") from error
    return target


def _write(archive: Path, top: Path) -> None:
    """Unpacks into `top`, which is new and empty: every file is made here, so nothing can be written through."""
    seen: dict[str, str] = {}
    total = 0
    for count, (name, opens) in enumerate(_members(archive), 1):
        if count > MOST_MEMBERS:
            raise SubmissionError(f"{archive} has more than {MOST_MEMBERS} members")
        path = _safe(archive, name)
        if path is None:
            continue
        key = unicodedata.normalize("NFC", str(path)).casefold()
        if opens is None:
            (top / path).mkdir(parents=True, exist_ok=True)
            continue
        if key in seen:
            raise SubmissionError(f"{archive}: {name!r} and {seen[key]!r} are the same name twice")
        seen[key] = name
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        with opens() as source, (top / path).open("xb") as target:
            while content := source.read(1 << 16):
                total += len(content)  # what was really unpacked: a header may lie
                if total > MOST_BYTES:
                    raise SubmissionError(
                        f"{archive}: unpacks to more than {MOST_BYTES >> 20} MiB, at {name!r}"
                    )
                target.write(content)


def _safe(archive: Path, name: str) -> PurePosixPath | None:
    """The member's path inside; None for the top itself."""
    path = PurePosixPath(name)
    odd = "\\" in name or "\0" in name or ":" in name or not name.isprintable()
    if path.is_absolute() or ".." in path.parts or odd:
        raise SubmissionError(f"{archive}: the member {name[:120]!r} would be written outside; refused")
    return path if path.parts else None


def _members(archive: Path) -> Iterator[Member]:
    """Name and opener of each member, None for folders; raises SubmissionError for links and devices."""
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise SubmissionError(f"{archive}: {info.filename!r} is a link or device; refused")
                if info.flag_bits & 1:
                    raise SubmissionError(f"{archive}: {info.filename!r} is encrypted; hand it in open")
                yield info.filename, None if info.is_dir() else lambda i=info: opened.open(i)
        return
    with tarfile.open(archive, "r:*") as tar:
        for member in tar:
            if not (member.isfile() or member.isdir()):
                raise SubmissionError(f"{archive}: {member.name!r} is a link or device; refused")
            yield member.name, None if member.isdir() else lambda m=member: _content(tar, m)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(member)
    if content is None:
        raise SubmissionError(f"the member {member.name!r} has no content")
    return content
