"""What stands in the files of submissions and public solutions, to be compared: read as bytes, never imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import SubmissionError
from harness.inputs import submissions
from harness.inputs.contents import unfit
from harness.inputs.definition import TaskLimits
from harness.inputs.hand_ins import Handed
from harness.inputs.submissions import MOST_DEPTH, MOST_FILES, Submission
from harness.inputs.tasks import Task

MOST_BYTES = 2**20  # of one submission's code
MOST_FILE_BYTES = (
    2**18 + 1
)  # of one file: one more than is compared, so that a larger one is seen to be larger


@dataclass(frozen=True)
class Contents:
    """A submission's Python files with their bytes, and the sizes in bytes of its other files; by path inside it."""

    code: dict[str, bytes] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)


def given(task: Task) -> list[bytes]:
    """What every candidate was given: the starter's files, and the contract that `init` puts beside them."""
    files = [*sorted(task.starter.rglob("*.py")), task.contract]
    return [file.read_bytes() for file in files if file.is_file()]


def public(task: Task) -> dict[str, dict[str, bytes]]:
    """The Python files of a task's references, mutants and cheats, by what they are called for people.

    What a mutant or a cheat is staged over is not among its own. Raises TaskError where a reference is missing.
    """
    tiers = reversed(submissions.references(task.id, task.folder).items())
    every = {f"the public {tier}": reference for tier, reference in tiers}
    mutants, cheats = submissions.mutants(task.id, task.folder), submissions.cheats(task.id, task.folder)
    every |= {f"the mutant {name}": mutant for name, mutant in mutants.items()}
    every |= {f"the cheat {name}": cheat for name, cheat in cheats.items()}
    return {name: _own_code(solution) for name, solution in every.items()}


def _own_code(solution: Submission) -> dict[str, bytes]:
    return {
        file.as_posix(): place.read_bytes()
        for file, place in solution.places()
        if file.suffix == ".py" and place.is_relative_to(solution.folder)
    }


def handed_in(
    handed: Mapping[tuple[str, str], Handed], task: str, notes: list[str], limits: TaskLimits | None = None
) -> dict[str, Contents]:
    """Each candidate's files for a task; a note is added for each candidate whose files are refused.

    With the task's `limits` also of those that it refuses, as too large for it.
    """
    files: dict[str, Contents] = {}
    for (candidate, name), entry in handed.items():
        if name != task:
            continue
        if entry.folder is None or not entry.folder.is_dir():
            notes.append(f"{candidate}: {task}: {entry.refused or 'no folder'}; left out")
            continue
        if limits is not None and (why := _too_large(task, entry.folder, candidate, limits)):
            notes.append(f"{candidate}: {task}: {why}; left out")
            continue
        files[candidate] = contents(entry.folder, f"{candidate}: {task}", notes)
    return files


def _too_large(task: str, folder: Path, candidate: str, limits: TaskLimits) -> str | None:
    """Why a task does not take a submission for its size, so that it is not run; None of one that it takes."""
    try:
        return unfit(submissions.read(task, folder, candidate).places(), limits)
    except (SubmissionError, OSError):
        return None  # it is refused for something else, and what it shares is still worth knowing


def contents(folder: Path, whose: str, notes: list[str]) -> Contents:
    """What a folder holds; links are never followed, and each file that is left out has a note."""
    held = Contents()
    total = 0
    for number, inside in enumerate(_paths(folder, whose, notes), 1):
        path, name = folder / inside, inside.as_posix()
        if path.suffix != ".py":
            if path.is_file() and not path.is_symlink():
                held.others[name] = path.stat().st_size
            continue
        try:
            content = submissions.content(path, MOST_FILE_BYTES)
        except SubmissionError:
            notes.append(f"{whose}: {name} is a link or cannot be read; left out")
            continue
        total += len(content)
        if number > MOST_FILES or total > MOST_BYTES:
            notes.append(f"{whose}: more than {MOST_BYTES >> 10} KiB of code; the rest is left out")
            break
        held.code[name] = content
    return held


def _paths(folder: Path, whose: str, notes: list[str]) -> Iterator[Path]:
    """The files inside a folder that may be read; what else is there has a note."""
    for level in submissions.levels(folder):
        if level.odd:
            notes.append(f"{whose}: {len(level.odd)} files or folders with names that are no text; left out")
        if level.deep:
            notes.append(f"{whose}: folders deeper than {MOST_DEPTH} are left out")
        notes += [f"{whose}: {level.within / name} is a link; left out" for name in level.links]
        yield from (level.within / name for name in level.names)
