"""What no worker may read although it lies where workers read: tasks, their references, and the harness's own half.

An environment holds more than libraries. The harness may be installed in it with its tasks, a pack of tasks may be,
and a checkout may lie below /usr or be put on the import path by a .pth file. Hidden are the harness that runs and
what lies beside it, the folders of the task that is measured, and whatever looks like a task, a folder of references
or a copy of the harness in a folder of the import path.

What it does not find: what lies in an archive, deeper than DEPTH folders, or in none of these places.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).resolve().parent.parent
DEPTH = 3  # a pack's tasks lie at site-packages/pack/tasks/task
_BESIDE = ("tasks", "reference_solutions", "configs", "docs", "tests")
_PACK, _REFERENCES, _TASK = "harness_pack", "reference_solutions", "task.toml"
# Files that a copy of the harness has, and nothing else of that name.
_HARNESS = ("worker/zygote.py", "isolation/hiding.py")
_PLACES = (
    "lib/python*/site-packages",
    "lib/python*/dist-packages",
    "local/lib/python*/site-packages",
    "local/lib/python*/dist-packages",
)


class Around(NamedTuple):
    """A folder without what is hidden in it: folders that may only be listed, and what may be read as a whole."""

    listed: tuple[str, ...]
    read: tuple[str, ...]


def hidden_in(shown: Iterable[Path], named: Iterable[Path] = ()) -> tuple[Path, ...]:
    """Folders to be hidden that lie below one of `shown`, none of them within another; real paths.

    `named` are hidden wherever they lie. What is above a shown folder, or is one, cannot be hidden without it.
    """
    roots = tuple(dict.fromkeys(Path(os.path.realpath(folder)) for folder in shown))
    wanted = {Path(os.path.realpath(path)) for path in (PACKAGE, *beside(), *named)} | _found(roots)
    below = {path for path in wanted if path.is_dir() and any(root in path.parents for root in roots)}
    return tuple(sorted(path for path in below if not below.intersection(path.parents)))


def beside() -> tuple[Path, ...]:
    """Our tasks, references and what belongs to them, beside the package: in site-packages, "tests" is not ours."""
    checkout = (PACKAGE.parent / "pyproject.toml").is_file()
    return tuple(PACKAGE.parent / name for name in (*(_BESIDE if checkout else ()), _PACK))


def around(root: str, hidden: Sequence[Path]) -> Around:
    """What of `root` may be read so that nothing of `hidden` is; all of it where nothing is hidden in it."""
    real = Path(os.path.realpath(root))
    if not any(real in path.parents for path in hidden):
        return Around((), () if real in hidden else (root,))
    listed, read = [str(real)], []
    with os.scandir(real) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            # A link gives no right to what it leads to: that lies here, and is met by itself, or outside.
            if not entry.is_symlink():
                inner = around(entry.path, hidden)
                listed += inner.listed
                read += inner.read
    return Around(tuple(listed), tuple(read))


@functools.cache
def _found(roots: tuple[Path, ...]) -> set[Path]:
    """Tasks, references and copies of the harness in the folders of the import path."""
    folders: dict[Path, None] = {}
    for root in roots:
        # A root that is no prefix of Python was put on the import path by itself.
        places = [place for pattern in _PLACES for place in root.glob(pattern)]
        folders |= dict.fromkeys(map(Path.resolve, places or [root] if str(root) != "/usr" else places))
    return {path for folder in folders for path in _kept_apart(str(folder), DEPTH)}


def _kept_apart(folder: str, depth: int) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            inside = list(entries)
    except OSError:
        return  # what we may not list, a worker of ours may not either
    if depth < DEPTH and any(entry.name == _TASK for entry in inside):
        yield Path(folder)
        return
    for entry in inside:
        if entry.is_dir(follow_symlinks=False):
            if entry.name in (_PACK, _REFERENCES) or all(
                os.path.exists(f"{entry.path}/{file}") for file in _HARNESS
            ):
                yield Path(entry.path)
            elif depth:
                yield from _kept_apart(entry.path, depth - 1)
