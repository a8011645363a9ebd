"""Memory that a worker keeps in files: what it wrote, by the size on the disk, and inputs of ours that it holds on to.

A file that a worker has written lies in the page cache, and is read back as fast as memory. On a memory disk the
kernel counts it for the worker's group; on any other it is counted here, by the blocks that it takes, as though the
worker's folder were a memory disk: at level `bubblewrap` it is one, so all levels count alike. Whether the kernel has
dropped some pages meanwhile is left out: that is luck. Counted are the files in the worker's own folder, and those
elsewhere that one of its processes has open to write or has deleted. What it only reads is not counted. What it
has mapped of its own files is counted once, as mapped.

A request's input lies in memory of ours, which the worker copies and closes before its submission is called. A
duplicate that is kept is memory that nobody is charged for: it counts as soon as the worker has worked for far
longer than copying takes. A file that was written outside the worker's folder and closed is not seen.

Without a control group also what lies on memory disks is counted here: the worker's private ones, and memory
without a name that it has open.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from harness.machine.processes import TooMuch, lines_of

# Inputs are copied at some GiB a second of processor time; by then a worker has had plenty of it.
_GRACE_SECONDS, _GRACE_BYTES_A_SECOND = 1.0, 400e6
# Where a folder holds more entries than this, it is walked at every twentieth reading only.
_MANY, _SELDOM = 4096, 20
# Under this much a file's mapped pages are not told apart: looking costs more than it could tell.
_SMALL = 1 << 20
_MEMFD, _INPUT, _DELETED = "/memfd:", "/memfd:input (deleted)", " (deleted)"
_MEMORY_DISKS = {"tmpfs", "ramfs"}

# The last byte of a page's entry in /proc/PID/pagemap says by its top bit that the page is there. For half a GiB
# this takes 32 ms, where smaps took 208 ms.
_ABSENT, _PAGES_AT_ONCE = bytes(range(128)), 1 << 15
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

Inode = tuple[int, int]


class Held(NamedTuple):
    """Bytes kept in files: of files on disks that nobody has mapped, of memory without a process's count, of ours."""

    disk: int = 0
    memory: int = 0
    lent: int = 0


class Resident(NamedTuple):
    """Bytes that all of a worker's processes have in memory: shared, and of files on disks."""

    shared: int
    file: int


class _Disk(NamedTuple):
    """A memory disk that is mounted: its device, and where."""

    device: int
    point: str


@dataclass
class Allowance:
    """The processor time that one look at a worker may take: how much there is to see is the worker's choice.

    While it lasts nothing is read of what the worker holds, and no limit is enforced. `clock` tells the processor time
    of the thread that looks; without one nothing is limited.
    """

    seconds: float = 0.0
    clock: Callable[[], float] | None = None
    _until: float = 0.0

    def begin(self) -> None:
        """A look begins."""
        if self.clock is not None:
            self._until = self.clock() + self.seconds

    def spend(self) -> None:
        """Raises TooMuch where this look has taken too long."""
        if self.clock is not None and self.clock() > self._until:
            raise TooMuch(
                f"looking at its files and mappings takes over {self.seconds:.1f} s of processor time"
            )


@dataclass(kw_only=True)
class WrittenFiles:
    """The files of one worker, whose own folder is `home`; `seconds` tells the processor time it has used.

    Raises TooMuch where a look takes more than the `allowance`.
    """

    home: Path | None
    seconds: Callable[[], float]
    allowance: Allowance = field(default_factory=lambda: Allowance())
    _disks: list[_Disk] | None = None
    _ours: set[int] = field(default_factory=set)
    _walked: dict[Inode, int] = field(default_factory=dict)
    _wait: int = 0
    _look: int = 0
    _signs: tuple[int, int] = (0, 0)
    _mapped_bytes: int = 0
    _since: dict[Inode, float] = field(default_factory=dict)

    def read(self, pids: Iterable[int], main: int, resident: Resident, grouped: bool) -> Held:
        """What the processes `pids` keep in files now, the first of them `main`; `grouped`: a group counts memory.

        Nothing is told where there is no /proc.
        """
        pids = list(pids)
        if self.home is None or not pids or not Path("/proc/self/fd").is_dir():
            return Held()
        self.allowance.begin()
        self._look_at_mounts(main)
        on_memory = {disk.device for disk in self._disks or ()} | self._ours
        files, memory, inputs = dict(self._in_folders(main, grouped)), {}, {}
        for pid in pids:
            for inode, size, place in _open_files(pid, self.allowance):
                if place == _INPUT:
                    inputs[inode] = size
                elif place.startswith((_MEMFD, "/dev/zero", "/SYSV")):
                    memory[inode] = size
                else:
                    files[inode] = size
        memory |= {inode: size for inode, size in files.items() if inode[0] in on_memory}
        disk = {inode: size for inode, size in files.items() if inode[0] not in on_memory}
        if resident.shared > _SMALL:
            inputs |= {inode: size for pid in pids for inode, size in _mapped_inputs(pid, self.allowance)}
        lent = self._kept(inputs)
        written = sum(disk.values())
        if written > _SMALL:
            written -= min(
                written, self._mapped(pids, disk.keys(), (written // _SMALL, resident.file // _SMALL))
            )
        if grouped:
            return Held(written, 0, lent)
        return Held(written, max(0, sum(memory.values()) + lent - resident.shared))

    def _look_at_mounts(self, main: int) -> None:
        """Notes which disks are memory, ours and those that the worker alone sees; once."""
        if self._disks is None:
            ours = list(_memory_disks("self"))
            self._ours = {disk.device for disk in ours}
            self._disks = [disk for disk in _memory_disks(str(main)) if disk.device not in self._ours]

    def _in_folders(self, main: int, grouped: bool) -> dict[Inode, int]:
        """The files in the worker's folder, and without a group those on its private memory disks."""
        self._wait -= 1
        if self._wait <= 0:
            folders = [str(self.home)]
            folders += [] if grouped else [f"/proc/{main}/root{disk.point}" for disk in self._disks or ()]
            self._walked = {
                inode: size for folder in folders for inode, size in _files_in(folder, self.allowance)
            }
            self._wait = _SELDOM if len(self._walked) > _MANY else 0
        return self._walked

    def _mapped(self, pids: Iterable[int], files: Collection[Inode], signs: tuple[int, int]) -> int:
        """Bytes mapped of these files, looked at again where a sign changes, and at every twentieth reading."""
        self._look -= 1
        if self._look <= 0 or signs != self._signs:
            self._look, self._signs = _SELDOM, signs
            self._mapped_bytes = sum(_mapped(pid, files, self.allowance) for pid in pids)
        return self._mapped_bytes

    def _kept(self, inputs: dict[Inode, int]) -> int:
        """Bytes of those inputs that have been held for far longer than it takes to copy them."""
        if not inputs:
            self._since.clear()
            return 0
        now = self.seconds()
        self._since = {inode: self._since.get(inode, now) for inode in inputs}
        return sum(
            size
            for inode, size in inputs.items()
            if now - self._since[inode] > _GRACE_SECONDS + size / _GRACE_BYTES_A_SECOND
        )


def _memory_disks(process: str) -> Iterator[_Disk]:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in lines_of(f"/proc/{process}/mountinfo"):
            fields = line.split()
            if fields[fields.index("-") + 1] in _MEMORY_DISKS:
                major, minor = map(int, fields[2].split(":"))
                yield _Disk(os.makedev(major, minor), fields[4].replace("\\040", " "))


def _files_in(folder: str, allowance: Allowance) -> Iterator[tuple[Inode, int]]:
    """Regular files below `folder`, and the bytes that each takes; neither links nor mounts are followed."""
    due, on = [folder], -1
    while due:
        allowance.spend()
        with contextlib.suppress(OSError), os.scandir(due.pop()) as entries:
            on = os.stat(folder).st_dev if on < 0 else on
            for entry in entries:
                allowance.spend()
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if status.st_dev != on:
                        continue
                    if stat.S_ISDIR(status.st_mode):
                        due.append(entry.path)
                    elif stat.S_ISREG(status.st_mode):
                        yield (status.st_dev, status.st_ino), status.st_blocks * 512


def _open_files(pid: int, allowance: Allowance) -> Iterator[tuple[Inode, int, str]]:
    """The regular files that a process has open to write, or has deleted: inode, bytes, and what they are called."""
    with contextlib.suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            allowance.spend()
            with contextlib.suppress(OSError):
                place = os.readlink(f"/proc/{pid}/fd/{number}")
                if not place.startswith("/"):
                    continue  # a pipe or a socket
                status = os.stat(f"/proc/{pid}/fd/{number}")
                if not stat.S_ISREG(status.st_mode) or not status.st_blocks:
                    continue
                if place.endswith(_DELETED) or _writes(pid, number):
                    yield (status.st_dev, status.st_ino), status.st_blocks * 512, place


def _writes(pid: int, number: str) -> bool:
    """Whether a descriptor is open to write, by its link's own mode.

    `fdinfo` says so, too, and walks every lock that anybody holds on the file, some microseconds each.
    """
    return bool(os.lstat(f"/proc/{pid}/fd/{number}").st_mode & stat.S_IWUSR)


def _maps(pid: int, allowance: Allowance) -> Iterator[tuple[str, Inode, str]]:
    """The files that a process has mapped: the range, the inode, and the name."""
    with contextlib.suppress(OSError, ValueError):
        for line in lines_of(f"/proc/{pid}/maps"):
            allowance.spend()
            fields = line.split(maxsplit=5)
            if len(fields) > 5 and fields[4] != "0":
                major, minor = fields[3].split(":")
                device = os.makedev(int(major, 16), int(minor, 16))
                yield fields[0], (device, int(fields[4])), fields[5]


def _mapped_inputs(pid: int, allowance: Allowance) -> Iterator[tuple[Inode, int]]:
    for place, inode, name in _maps(pid, allowance):
        if name == _INPUT:
            try:
                yield inode, os.stat(f"/proc/{pid}/map_files/{place}").st_blocks * 512
            except OSError:  # only root may follow it
                first, last = (int(end, 16) for end in place.split("-"))
                yield inode, last - first


def _mapped(pid: int, files: Collection[Inode], allowance: Allowance) -> int:
    """Resident bytes that a process has mapped of these files."""
    ranges = [place for place, inode, _ in _maps(pid, allowance) if inode in files]
    present = 0
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/pagemap", "rb", buffering=0) as file:
        for place in ranges:
            first, last = (int(end, 16) // _PAGE for end in place.split("-"))
            for start in range(first, last, _PAGES_AT_ONCE):
                allowance.spend()
                entries = os.pread(file.fileno(), 8 * min(_PAGES_AT_ONCE, last - start), 8 * start)
                present += len(entries[7::8].translate(None, _ABSENT))
    return present * _PAGE
