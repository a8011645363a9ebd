"""A disk that loses its power: from what was written and flushed, every folder that may be found afterwards.

What was flushed is there. Of what was not, any part may be: each write or none of it, some of its
sectors of 512 bytes, later ones without earlier ones; a name without its content, content without its
name; names in any choice, or as a journal would have them, up to some point. That is more than most
file systems allow themselves.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tests.crash.trace import Op

SECTOR = 512
FOLDER = -1
State = dict[str, bytes | None]  # path -> content, None for a folder


@dataclass
class _File:
    held: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)  # (at, data), or (size, None)

    def content(self, chosen: Sequence[tuple[int, bytes | None]]) -> bytes:
        data = bytearray(self.held)
        for at, part in chosen:
            if part is None:
                data = data[:at] if len(data) >= at else data + bytes(at - len(data))
            else:
                data += bytes(max(0, at + len(part) - len(data)))
                data[at : at + len(part)] = part
        return bytes(data)


@dataclass
class Disk:
    """The folder's files and names: what is held for certain, and what is on its way."""

    files: list[_File] = field(default_factory=list)
    held: dict[str, int] = field(default_factory=dict)
    pending: list[tuple[str, str, int]] = field(
        default_factory=list
    )  # (folder, name, file or gone), in order
    now: dict[str, int] = field(default_factory=dict)

    def apply(self, op: Op) -> None:
        """One step of the recording."""
        if op.path.endswith("-shm"):
            return  # memory between processes: SQLite makes it anew
        if op.kind == "make" and op.path not in self.now:
            self.files.append(_File())
            self._name(op.path, len(self.files) - 1)
        elif op.kind == "folder":
            self._name(op.path, FOLDER)
        elif op.kind == "write":
            self.files[self.now[op.path]].pending.append((op.at, op.data))
        elif op.kind == "size":
            self.files[self.now[op.path]].pending.append((op.at, None))
        elif op.kind == "rename":
            file = self.now[op.path]
            # One step on disk: the new name with the old one gone, or neither.
            self.pending.append((str(PurePosixPath(op.to).parent), f"{op.path}\0{op.to}", file))
            del self.now[op.path]
            self.now[op.to] = file
        elif op.kind == "remove":
            self._name(op.path, None)
        elif op.kind == "sync":
            self._sync(op.path)

    def _name(self, path: str, file: int | None) -> None:
        gone = len(self.files) if file is None else file
        self.pending.append((str(PurePosixPath(path).parent), path, FOLDER - 1 if file is None else gone))
        if file is None:
            self.now.pop(path, None)
        else:
            self.now[path] = file

    def _sync(self, path: str) -> None:
        if path == "." or self.now.get(path) == FOLDER:
            mine = [p for p in self.pending if p[0] == path]
            self.held = _named(self.held, mine)
            self.pending = [p for p in self.pending if p[0] != path]
        elif path in self.now:
            file = self.files[self.now[path]]
            file.held, file.pending = file.content(file.pending), []

    def states(self, chance: random.Random, draws: int) -> Iterator[State]:
        """Folders that may be found if the power fails now: the four corners, and some drawn by chance."""
        for names in (0, len(self.pending)):
            for data in (False, True):
                yield self._state(self.pending[:names], lambda file, kept=data: file.pending if kept else [])
        for _ in range(draws):
            names = self.pending[: chance.randint(0, len(self.pending))]
            if chance.random() < 0.5:
                share = chance.random()
                names = [p for p in self.pending if chance.random() < share]
            share = chance.choice((0.2, 0.5, 0.8))
            yield self._state(names, lambda file, s=share: _some(file.pending, chance, s))

    def _state(self, names: Sequence[tuple[str, str, int]], chosen: object) -> State:
        found: State = {}
        named = _named(self.held, names)
        for path in sorted(named):
            above = str(PurePosixPath(path).parent)
            if above != "." and found.get(above, b"") is not None:
                continue  # the folder's own name was lost, and all in it
            file = named[path]
            if file == FOLDER:
                found[path] = None
            else:
                node = self.files[file]
                found[path] = node.content(chosen(node))  # type: ignore[operator]
        return found


def _named(held: dict[str, int], steps: Sequence[tuple[str, str, int]]) -> dict[str, int]:
    names = dict(held)
    for _, path, file in steps:
        old, _, new = path.partition("\0")
        if new:
            names.pop(old, None)
            names[new] = file
        elif file == FOLDER - 1:
            names.pop(path, None)
        else:
            names[path] = file
    return names


def _some(
    pending: Sequence[tuple[int, bytes | None]], chance: random.Random, share: float
) -> list[tuple[int, bytes | None]]:
    found: list[tuple[int, bytes | None]] = []
    for at, part in pending:
        if chance.random() < share:
            found.append((at, part))
        elif part is not None and len(part) > SECTOR and chance.random() < 0.5:
            for start in range(0, len(part), SECTOR):
                if chance.random() < 0.5:
                    found.append((at + start, part[start : start + SECTOR]))
    return found


def laid_out(state: State, folder: Path) -> None:
    """Makes the folder that was found."""
    folder.mkdir(parents=True)
    for path, content in state.items():
        if content is None:
            (folder / path).mkdir(parents=True, exist_ok=True)
        else:
            (folder / path).write_bytes(content)
