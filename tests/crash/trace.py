"""What a program writes into a folder, call by call as the kernel saw it, read off strace's output.

strace needs no privilege, changes nothing of the program, and sees SQLite's calls and Python's alike: a
shim inside SQLite would have to be built for the library that Python happens to be linked with, and
would miss the files beside the database.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CALLS = (
    "open",
    "openat",
    "creat",
    "close",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "ftruncate",
    "truncate",
    "fallocate",
    "link",
    "linkat",
    "mmap",
    "lseek",
    "copy_file_range",
    "sendfile",
)
_LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)(?:<.*>)?(?: .*)?$")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_FD = re.compile(r"^(-?\d+)(?:<(.*)>)?$")


@dataclass(frozen=True)
class Op:
    """One change or flush of the folder, or an acknowledgement. Paths are relative to the folder.

    kinds: write (at, data), size (at), sync, make, folder, rename (to), remove, ack
    """

    kind: str
    path: str = ""
    at: int = 0
    data: bytes = b""
    to: str = ""
    ack: dict[str, Any] | None = None


def recorded(folder: Path, variant: str, scratch: Path) -> list[Op]:
    """What the program of `told` does to `folder`, in order."""
    out = scratch / "trace"
    command = [
        "strace",
        "-qq",
        "-y",
        "-xx",
        "-s",
        "100000000",
        "-e",
        f"trace={','.join(CALLS)}",
        "-o",
        str(out),
    ]
    done = subprocess.run(
        [*command, sys.executable, "-m", "tests.crash.told", str(folder), variant],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    if done.returncode:
        raise RuntimeError(f"the program to be recorded failed: {done.stderr[-3000:]}")
    with out.open(encoding="ascii") as lines:
        return list(_ops(lines, str(folder)))


def _ops(lines: Iterator[str] | Any, folder: str) -> Iterator[Op]:
    top = Path(folder)
    places: dict[int, int] = {}  # where the next write(2) of a descriptor goes

    def inside(path: str) -> str | None:
        return str(Path(path).relative_to(top)) if Path(path).is_relative_to(top) else None

    for line in lines:
        found = _LINE.match(line.rstrip("\n"))
        if not found or int(found[3]) < 0:
            continue
        name, result = found[1], int(found[3])
        arguments = _split(found[2])
        if name in ("write", "writev") and (_fd(arguments[0])[0] == 1 or b"ACK {" in _bytes(found[2])):
            data = _bytes(found[2])
            yield from (
                Op("ack", ack=json.loads(said[4:])) for said in data.splitlines() if said.startswith(b"ACK ")
            )
            continue
        yield from _op(name, arguments, result, found[2], inside, places)


def _op(
    name: str, arguments: list[str], result: int, whole: str, inside: Any, places: dict[int, int]
) -> Iterator[Op]:
    if name in ("open", "openat", "creat"):
        at = 0 if name != "openat" else 1
        path = inside(_path(arguments[at]))
        places[result] = 0
        if path is not None and "O_CREAT" in whole:
            yield Op("make", path)
        if path is not None and "O_TRUNC" in whole:
            yield Op("size", path, 0)
        return
    if name in ("rename", "renameat", "renameat2"):
        paths = [inside(_path(a)) for a in arguments if _STRING.search(a)]
        if None not in paths:
            yield Op("rename", str(paths[0]), to=str(paths[1]))
        return
    if name in ("unlink", "unlinkat", "rmdir", "mkdir", "mkdirat", "truncate", "link", "linkat"):
        path = inside(next(_path(a) for a in arguments if _STRING.search(a)))
        if path is not None:
            assert name not in ("truncate", "link", "linkat"), f"{name} is not modelled"
            yield Op("folder" if "mkdir" in name else "remove", path)
        return
    if name == "mmap":
        path = inside(_fd(arguments[4])[1])
        shared = "MAP_SHARED" in whole and "PROT_WRITE" in whole
        assert path is None or not shared or path.endswith("-shm"), f"{path} is written through memory"
        return
    fd, target = _fd(arguments[0])
    path = inside(target)
    if path is None:
        return
    if name == "pwrite64":
        yield Op("write", path, int(arguments[-1]), _bytes(arguments[1])[:result])
    elif name == "write":
        yield Op("write", path, places.get(fd, 0), _bytes(arguments[1])[:result])
        places[fd] = places.get(fd, 0) + result
    elif name in ("fsync", "fdatasync"):
        yield Op("sync", path)
    elif name == "ftruncate":
        yield Op("size", path, int(arguments[1]))
    elif name == "lseek":
        places[fd] = result
    elif name not in ("close",):
        assert path.endswith("-shm"), f"{name} of {path} is not modelled"


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(", ")]


def _fd(text: str) -> tuple[int, str]:
    found = _FD.match(text)
    if not found:
        return -1, ""
    path = found[2] or ""
    return int(found[1]), _plain(path) if "\\x" in path else path


def _path(text: str) -> str:
    found = _STRING.search(text)
    assert found, text
    return _plain(found[1])


def _bytes(text: str) -> bytes:
    found = _STRING.search(text)
    assert found, text[:200]
    assert not found[2], "strace shortened a write"
    return bytes.fromhex(found[1].replace("\\x", ""))


def _plain(escaped: str) -> str:
    return bytes.fromhex(escaped.replace("\\x", "")).decode()
