"""What a submission's folder may hold for a task, and where a reader of it looks first; runs none of it."""

from __future__ import annotations

import io
import os
import tokenize
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from harness import syntax
from harness.errors import SubmissionError
from harness.inputs import submissions
from harness.inputs.definition import TaskLimits
from harness.inputs.submissions import Submission
from harness.readings import Contents

FREE_NAMES = 4096  # bytes of file names that do not count


class _Literal(NamedTuple):
    length: int
    file: str
    line: int


def require_fit(submission: Submission, limits: TaskLimits) -> None:
    """Raises SubmissionError, in one sentence, where the folder holds more than the task takes, or binary files."""
    with _as_it_was_read(submission):
        why = unfit(submission.places(), limits)
    if why is not None:
        raise SubmissionError(f"{submission.folder} {why}")


def unfit(places: tuple[tuple[Path, Path], ...], limits: TaskLimits) -> str | None:
    """Why a task does not take these files (each name, and where it lies), as the rest of a sentence; or None."""
    # Names hold bytes, too: a thousand long ones would carry what the files may not.
    names = sum(len(os.fsencode(name)) for name, _ in places)
    held = sum(place.stat().st_size for _, place in places) + max(0, names - FREE_NAMES)
    if held > limits.submission_kib * 1024:
        largest, place = max(places, key=lambda one: one[1].stat().st_size)
        return (
            f"holds {held / 1024:.0f} KiB, and this task takes {limits.submission_kib} KiB at most; hand in code "
            f"alone (the largest file is {largest}, {place.stat().st_size / 1024:.0f} KiB)"
        )
    for name, place in places:
        if name.suffix == ".py" and (encoding := _encoding(submissions.content(place))) != "utf-8":
            return f"holds {name}, whose encoding is {encoding}; Python files are taken in UTF-8 only"
    if limits.binary_files:
        return None
    binary = next(
        (name for name, place in places if not submissions.is_text(submissions.content(place))), None
    )
    if binary is None:
        return None
    return f"holds {binary}, which is no UTF-8 text, and this task takes text files only; hand in code alone"


def _encoding(code: bytes) -> str:
    """What Python reads a file in: a comment in its first two lines may say so."""
    try:
        return tokenize.detect_encoding(io.BytesIO(code).readline)[0].removesuffix("-sig")
    except SyntaxError:
        return "no known one"


def contents_of(submission: Submission) -> Contents:
    """The number and size of a submission's files, its largest file, its longest literal; raises SubmissionError."""
    with _as_it_was_read(submission):
        sizes = {name: place.stat().st_size for name, place in submission.places()}
        literals = [
            _longest(name, submissions.content(place))
            for name, place in submission.places()
            if name.suffix == ".py"
        ]
    if not sizes:
        return Contents()
    largest = max(sizes, key=lambda name: sizes[name])
    longest = max(literals, default=_Literal(0, "", 0))
    return Contents(
        files=len(sizes),
        total_bytes=sum(sizes.values()),
        largest=largest.as_posix(),
        largest_bytes=sizes[largest],
        literal=longest.file,
        literal_line=longest.line,
        literal_bytes=longest.length,
    )


@contextmanager
def _as_it_was_read(submission: Submission) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise SubmissionError(
            f"{submission.folder} changed since it was read ({error.strerror}); leave it alone during a run"
        ) from error


def _longest(name: Path, content: bytes) -> _Literal:
    """The longest literal of a Python file, by its length in the source; none where it does not parse."""
    text = syntax.text_of(content)
    tree = syntax.parsed(text)  # what does not parse is not started as Python either
    every = syntax.literals(tree, text) if tree is not None else ()
    lengths = ((one.source_bytes, -one.line) for one in every)
    length, line = max(lengths, default=(0, 0))
    return _Literal(length, name.as_posix() if length else "", -line)
