"""The verb `similar`: which submissions to one task share code, as a hint; no submission is run."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import AsJson
from harness.cli.output import as_values, print_json, say, write_out
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.inputs.hand_ins import Intake
    from harness.inputs.tasks import Task

MOST_BYTES = 2**20


def add(app: typer.Typer) -> None:
    """Registers the verb."""
    app.command("similar")(similar_verb)


def similar_verb(
    place: Annotated[
        Path, typer.Argument(metavar="SUBMISSIONS", help="A folder of candidates, a CSV, or an archive.")
    ],
    task: Annotated[
        str | None, typer.Option("--task", metavar="TASK", help="Only this task; default: all handed in.")
    ] = None,
    threshold: Annotated[
        float, typer.Option("--threshold", min=0.01, max=1.0, help="Share from which a pair is listed.")
    ] = 0.5,
    as_json: AsJson = False,
    tasks: Annotated[
        Path | None, typer.Option("--tasks", metavar="DIR", help="A folder with more tasks.")
    ] = None,
) -> None:
    """Show which submissions to a task share code: a hint to look at, never a verdict."""
    from harness.analysis.similarity import compare
    from harness.inputs import hand_ins
    from harness.inputs.tasks import all_tasks, find
    from harness.machine import temporary
    from harness.reports.assessment import similar

    known = all_tasks(tasks)
    if task is not None:
        chosen = find(task, tasks)
        known[chosen.id] = chosen
    scratch = temporary.private_folder("similar")
    try:
        taken = hand_ins.read(place, list(known), scratch)
        wanted = [chosen.id] if task is not None else sorted({name for _, name in taken.handed})
        notes = list(taken.notes)
        results = []
        for name in wanted:
            handed = _handed(taken, name, notes)
            if handed:
                results.append((name, compare(handed, _given(known[name]), threshold)))
    finally:
        temporary.remove(scratch)
    if not results:
        raise UsageError(f"{place} holds no submission that can be read for {task or 'any known task'}")
    if as_json:
        summaries = [as_values(similar.summary(name, result, threshold)) for name, result in results]
        print_json({"hint": similar.HINT, "tasks": summaries, "notes": notes})
        return
    for name, result in results:
        write_out(similar.render(name, result, threshold))
    for note in notes:
        say(similar.note(note))
    say(similar.HINT)


def _given(task: Task) -> list[bytes]:
    """What every candidate was given: the starter's files, and the contract that `init` puts beside them."""
    files = [*sorted(task.starter.rglob("*.py")), task.contract]
    return [file.read_bytes() for file in files if file.is_file()]


def _handed(taken: Intake, task: str, notes: list[str]) -> dict[str, dict[str, bytes]]:
    """Each candidate's Python files for a task; a note is added for each candidate whose files are refused."""
    files: dict[str, dict[str, bytes]] = {}
    for candidate in taken.candidates:
        entry = taken.handed.get((candidate, task))
        if entry is None:
            continue
        if entry.folder is None or not entry.folder.is_dir():
            notes.append(f"{candidate}: {task}: {entry.refused or 'no folder'}; left out")
            continue
        files[candidate] = dict(_files(entry.folder, f"{candidate}: {task}", notes))
    return files


def _files(folder: Path, whose: str, notes: list[str]) -> Iterator[tuple[str, bytes]]:
    """Name and content of the Python files that would be run; links are never followed."""
    from harness.inputs.submissions import MOST_FILES, SKIPPED

    count = total = 0
    for base, folders, names in os.walk(folder):
        linked = [name for name in folders if (Path(base) / name).is_symlink()]
        notes += [f"{whose}: {Path(base).relative_to(folder) / name} is a link; left out" for name in linked]
        folders[:] = sorted(name for name in folders if name not in SKIPPED and name not in linked)
        for name in sorted(names):
            path = Path(base) / name
            if path.suffix != ".py":
                continue
            inside = path.relative_to(folder).as_posix()
            content = _content(path)
            if content is None:
                notes.append(f"{whose}: {inside} is a link or cannot be read; left out")
                continue
            count, total = count + 1, total + len(content)
            if count > MOST_FILES or total > MOST_BYTES:
                notes.append(f"{whose}: more than {MOST_BYTES >> 10} KiB of code; the rest is left out")
                return
            yield inside, content


def _content(path: Path) -> bytes | None:
    """A plain file's bytes, at most one more than are compared; None for anything else."""
    from harness.analysis.fingerprints import MOST_FILE_BYTES

    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe would wait
    try:
        opened = os.open(path, flags)
    except OSError:
        return None
    with os.fdopen(opened, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return None
        return file.read(MOST_FILE_BYTES + 1)
