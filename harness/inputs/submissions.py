"""Reads a submission's or a reference's folder, and stages a clean copy; never imports any of it."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from harness.digests import of_bytes, of_value
from harness.errors import SubmissionError, TaskError
from harness.inputs import layout
from harness.machine.temporary import private_folder, remove
from harness.records import TIERS, Tier
from harness.strangers import shows

MOST_FILES = 1000
MOST_BYTES = 64 * 1024 * 1024
MOST_DEPTH, LONGEST_PATH = 32, 1024  # folders below one another; bytes of a path within a submission
SKIPPED = {"__pycache__", ".git", ".venv", "venv", ".ipynb_checkpoints", ".mypy_cache", ".ruff_cache"}


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A folder with a solution.py; `files` are paths inside it, `digest` is over their content.

    `hashes` are the sha256 of each file, in the order of `files`; `sources` where each lies, if not in `folder`.
    """

    task: str
    label: str
    folder: Path
    files: tuple[Path, ...]
    digest: str
    tier: Tier | None = None
    hashes: tuple[str, ...] = ()
    sources: tuple[Path, ...] = ()

    def places(self) -> tuple[tuple[Path, Path], ...]:
        """Each file's path as it will be staged, and where it lies."""
        sources = self.sources or tuple(self.folder / file for file in self.files)
        return tuple(zip(self.files, sources, strict=True))


def read(task: str, folder: Path, label: str = "", tier: Tier | None = None) -> Submission:
    """The submission in `folder`; raises SubmissionError when it may not be staged."""
    if not folder.is_dir():
        if folder.exists():
            mend = "unpack it, and " if folder.suffix in (".zip", ".tar", ".gz", ".tgz") else ""
            raise SubmissionError(
                f"{folder} is a file, not a folder: {mend}name the folder that holds solution.py"
            )
        raise SubmissionError(
            f"the submission's folder {folder} does not exist; `harness init {task} {folder}` makes one"
        )
    files = tuple(_files(folder))
    if Path("solution.py") not in files:
        raise SubmissionError(f"{folder} holds no solution.py; `harness init {task} DIR` shows one that runs")
    hashes = tuple(of_bytes(content(folder / file)) for file in files)
    digest = _digest(files, hashes)
    return Submission(
        task=task,
        label=label or alias(folder.resolve().name),
        folder=folder,
        files=files,
        digest=digest,
        tier=tier,
        hashes=hashes,
    )


def is_text(content: bytes) -> bool:
    """UTF-8 without a zero byte: text that a person can read, whatever it says."""
    try:
        return "\0" not in content.decode("utf-8")
    except UnicodeDecodeError:
        return False


def content(path: Path, most: int | None = None) -> bytes:
    """A plain file's bytes, at most `most` of them (one more than may be held); raises SubmissionError for others.

    A folder may change between two looks at it: no link is followed, and no pipe is waited for.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SubmissionError(f"{path} is no regular file; a submission may hold only plain files")
            return file.read(MOST_BYTES + 1 if most is None else most)
    except OSError as error:
        raise SubmissionError(f"{path} cannot be read: {error.strerror}") from error


class Level(NamedTuple):
    """One folder within a submission: its path inside, and the sorted names of files and of links to folders in it.

    `odd` are names that are no text, of whatever kind: any bytes but / and 0 may be one on Linux, and no record can
    hold them; and those of which nothing can be seen. `deep`: it has folders that go deeper than may be, and these are
    not walked.
    """

    within: Path
    names: tuple[str, ...]
    links: tuple[str, ...]
    odd: tuple[str, ...]
    deep: bool


def levels(folder: Path) -> Iterator[Level]:
    """Every folder of a submission from the top down, in an order that no file system decides; no link is followed.

    What is never staged (SKIPPED, compiled code) is not there.
    """
    for base, folders, names in os.walk(folder):
        within = Path(base).relative_to(folder)
        odd = tuple(name for name in (*folders, *names) if not (is_text(os.fsencode(name)) and shows(name)))
        kept = sorted(name for name in folders if name not in SKIPPED and name not in odd)
        links = tuple(name for name in kept if (Path(base) / name).is_symlink())
        folders[:] = [name for name in kept if name not in links]
        if deep := bool(folders) and len(within.parts) >= MOST_DEPTH:
            folders.clear()
        files = sorted(name for name in names if not name.endswith(".pyc") and name not in odd)
        yield Level(within, tuple(files), links, odd, deep)


def alias(name: str) -> str:
    """`name` as a label that is safe in any table, file name or page: [a-z0-9-], 1 to 64 long."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64] or "submission"


def references(task: str, task_folder: Path) -> dict[Tier, Submission]:
    """The reference solutions of a task, by tier; raises TaskError when one is missing.

    The project's own are under reference_solutions/<id>/; a pack of somebody else's keeps them inside the
    task's folder, under the same name.
    """
    base = _references(task, task_folder)
    by_tier: dict[Tier, Submission] = {}
    for tier in TIERS:
        if not (base / tier / "solution.py").is_file():
            raise TaskError(f"task {task} has no reference at {base / tier}/solution.py")
        by_tier[tier] = read(task, base / tier, tier, tier)
    return by_tier


def mutants(task: str, task_folder: Path) -> dict[str, Submission]:
    """The mutants of a task's expert by name, from the folder `mutants` beside its references; may be none.

    A mutant holds what differs only: it is staged over the expert's files, the expert's solution.py
    under the name expert.py, for it to import. So it stays the expert less one idea.
    """
    base = _references(task, task_folder)
    return _over(task, base / "expert", Path("expert.py"), base.glob("mutants/*/solution.py"))


def cheats(task: str, task_folder: Path) -> dict[str, Submission]:
    """The cheats that come with a task, by name, each staged over the starter's files as a mutant over the expert's.

    What cheats of several tasks use, from the folder `common_cheats` beside the tasks, is staged as well.
    """
    solutions = task_folder.glob("cheats/*/solution.py")
    shared = (task_folder.parent / "common_cheats").glob("*.py")
    return _over(task, task_folder / "starter", Path("starter.py"), solutions, shared)


def _over(
    task: str, folder: Path, name: Path, solutions: Iterable[Path], shared: Iterable[Path] = ()
) -> dict[str, Submission]:
    """Submissions over the files of another, whose solution.py is called `name` beneath them, and over `shared`."""
    beneath = {Path(file.name): file for file in shared} | {
        name if file.name == "solution.py" else file: place for file, place in read(task, folder).places()
    }
    by_name: dict[str, Submission] = {}
    for own in (read(task, file.parent, file.parent.name) for file in sorted(solutions)):
        places = dict(sorted({**beneath, **dict(own.places())}.items()))
        files, sources = tuple(places), tuple(places.values())
        hashes = tuple(of_bytes(content(place)) for place in sources)
        by_name[own.label] = replace(
            own, files=files, sources=sources, hashes=hashes, digest=_digest(files, hashes)
        )
    return by_name


def _references(task: str, task_folder: Path) -> Path:
    inside = task_folder / "reference_solutions"
    return inside if inside.is_dir() else layout.folder("reference_solutions") / task


@contextmanager
def staged(submission: Submission) -> Generator[Path]:
    """A read-only copy under a neutral name, removed at the end.

    Raises SubmissionError when the folder no longer holds what its digest was taken of.
    """
    top = private_folder("staged")
    copy = top / "submission"
    try:
        copy.mkdir()
        held = [(file, content(place)) for file, place in submission.places()]
        if _digest(submission.files, [of_bytes(one) for _, one in held]) != submission.digest:
            raise SubmissionError(
                f"{submission.folder} changed since it was read; leave it alone during a run"
            )
        for file, one in held:
            target = copy / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(one)
            target.chmod(0o444)
        for folder in sorted((path for path in copy.rglob("*") if path.is_dir()), reverse=True):
            folder.chmod(0o555)
        copy.chmod(0o555)
        yield copy
    finally:
        remove(top)


def _files(folder: Path) -> Iterator[Path]:
    count = total = 0
    # Installers link a wheel's files into an environment instead of copying them: no candidate put them there.
    installed = folder.resolve().is_relative_to(sys.prefix)
    for level in levels(folder):
        if level.odd:
            name = os.fsencode(level.within / level.odd[0])
            raise SubmissionError(
                f"{folder} holds a name that is no UTF-8 text or shows nothing, {name!r}; rename it"
            )
        paths = [level.within / name for name in sorted((*level.names, *level.links))]
        if level.deep or max(len(os.fsencode(path)) for path in (level.within, *paths)) > LONGEST_PATH:
            raise SubmissionError(
                f"{folder} has folders or names that go too deep: at most {MOST_DEPTH} folders below one another, "
                f"and paths of {LONGEST_PATH} bytes"
            )
        for inside in paths:
            path = folder / inside
            if path.is_symlink() or not path.is_file():
                raise SubmissionError(
                    f"{path} is a link or no regular file; a submission may hold only plain files"
                )
            status = path.stat()
            if status.st_nlink > 1 and not installed:
                raise SubmissionError(
                    f"{path} has a second name elsewhere (a hard link), so it may be somebody else's file; "
                    "hand in a copy made with cp -r"
                )
            count, total = count + 1, total + status.st_size
            if count > MOST_FILES or total > MOST_BYTES:
                raise SubmissionError(
                    f"{folder} is too large: at most {MOST_FILES} files and {MOST_BYTES // 2**20} MiB may be staged"
                )
            yield inside


def _digest(files: Iterable[Path], hashes: Iterable[str]) -> str:
    return of_value([[file.as_posix(), sha256] for file, sha256 in zip(files, hashes, strict=True)])
