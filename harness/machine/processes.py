"""The owner of what a crash can leave behind: one process, by a name that never recurs, and whether it still lives.

A process id is used again, so a process's name also says when it was started, in which boot of
which machine, and by whose numbering of processes (a container has its own). Of another machine, or
of another container on this one, nobody here can tell whether it lives: it is then left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MACHINE = Path("/etc/machine-id")


@dataclass(frozen=True)
class Owner:
    """A process: its machine, boot, numbering of processes (0 where there is only one), id and birth."""

    machine: str
    boot: str
    space: int
    pid: int
    born: int

    def text(self) -> str:
        """As it is stored."""
        return json.dumps(asdict(self), sort_keys=True)

    def short(self) -> str:
        """As part of a file's name, of at most 36 characters, with machine and boot abridged."""
        where = f"{_abridged(self.machine)}{_abridged(self.boot)}{self.space & 0xFFFFFFFF:08x}"
        return f"{where}-{self.pid:x}-{self.born:x}"


def me() -> Owner:
    """This process."""
    pid = os.getpid()
    return Owner(
        f"{platform.node()} {_text(_MACHINE)}".strip(), _text(_BOOT), pid_namespace(), pid, _born(pid) or 0
    )


def parsed(text: str) -> Owner | None:
    """The owner stored as `text`; None where there is none."""
    return Owner(**json.loads(text)) if text else None


def is_gone(owner: Owner) -> bool:
    """Whether it is certain that this process has ended."""
    here = me()
    if owner.machine != here.machine:
        return False
    return owner.boot != here.boot or (owner.space == here.space and not _lives(owner.pid, owner.born))


def is_here(owner: Owner) -> bool:
    """Whether it is a process that this one can ask the kernel about: of this machine, boot and numbering."""
    here = me()
    return (owner.machine, owner.boot, owner.space) == (here.machine, here.boot, here.space)


def is_gone_by_name(short: str) -> bool:
    """Whether it is certain that the process with this short name has ended."""
    here = me()
    try:
        where, pid, birth = short.split("-")
        machine, boot, space = where[:4], where[4:8], int(where[8:], 16)
        process, start = int(pid, 16), int(birth, 16)
    except ValueError:
        return False
    if machine != _abridged(here.machine):
        return False
    if boot != _abridged(here.boot):
        return True
    return space == here.space & 0xFFFFFFFF and not _lives(process, start)


def _lives(pid: int, start: int) -> bool:
    """Whether the very process lives; one that has ended and was not waited for yet does not.

    One that another user runs, and this one may not look at, may be it.
    """
    if not psutil.pid_exists(pid):
        return False
    with contextlib.suppress(psutil.Error):
        birth = _born(pid)
        return birth is None or (birth == start and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def _born(pid: int) -> int | None:
    start = born(pid)
    if start is None:  # no /proc
        with contextlib.suppress(psutil.Error):
            return int(psutil.Process(pid).create_time() * 1000)
    return start


def pid_namespace() -> int:
    """The number of the PID namespace in which we run, 0 where there are none: ids mean something only within it."""
    with contextlib.suppress(OSError):
        return os.stat("/proc/self/ns/pid").st_ino
    return 0


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text().strip()
    return ""


def _abridged(text: str) -> str:
    return f"{zlib.crc32(text.encode()) & 0xFFFF:04x}"


class TooMuch(Exception):
    """What a process has makes the kernel tell more of it, or for longer, than of any honest one."""


# Of 65,530 mappings, which is all that a process may have, a line of 120 bytes is half of this.
MOST_TEXT = 16 << 20


def lines_of(file: str | Path) -> list[str]:
    """The lines of a file in which the kernel tells of a process; OSError where it cannot be read.

    Raises TooMuch for one of over MOST_TEXT bytes: names can be as long as a process likes, and there are many.

    Names in it are the process's choice. The kernel escapes a newline in them, and nothing else that Python
    takes for the end of a line: with a carriage return a process would write lines of its own.
    """
    with open(file, "rb") as opened:
        content = opened.read(MOST_TEXT + 1)
    if len(content) > MOST_TEXT:
        raise TooMuch(f"what the kernel tells of it ({Path(file).name}) is longer than {MOST_TEXT >> 20} MiB")
    return [line for line in os.fsdecode(content).split("\n") if line]


def born(pid: int) -> int | None:
    """When `pid` was started, in clock ticks since boot: with the pid it names one process for good."""
    with (
        contextlib.suppress(OSError, ValueError, IndexError),
        open(f"/proc/{pid}/stat", errors="replace") as file,
    ):
        return int(file.read().rpartition(")")[2].split()[19])
    return None
