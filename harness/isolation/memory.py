"""A worker's memory, read by the parent: from its control group, otherwise from its processes.

Counted are anonymous and shared memory, the kernel's structures for it (all three exactly, with their peak,
from the control group), file pages that a process has mapped, and files that the worker wrote (`written`, which
says how). Other page cache is not counted: it is charged to whichever process touched a file first, and the kernel
may drop it. Measured: of two identical workers that import torch, the group's own peak was 193 MiB for the first,
which had to read the libraries, and 146 MiB for the second; by this count both held 221.5 MiB. Mapped pages are
included, whoever is charged for them, so that mapping weights is no cheaper than reading them. They are summed over
processes: pages that several processes map are counted for each. Pages that are mapped, and files that are
there, only between two readings are missed.

Without a group everything is sampled: memory that is held only between two readings, or that belongs to a process
that left the tree unseen, is missed, and the figure is stamped advisory.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.isolation.base import Launched
from harness.isolation.cgroups import Cgroup
from harness.isolation.tree import Memory, members, memory_of, processor_seconds
from harness.isolation.written import Allowance, Held, Resident, WrittenFiles
from harness.machine.processes import born

ADVISORY = "(advisory)"
# The kernel's counters of resident pages are kept per core and may be off by this much.
_SLACK = 8 << 20
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Bytes held now, and the most since the last reading; by kind where kinds can be distinguished.

    `shared` holds the files that the worker wrote, as on a memory disk; `file` only what it has mapped.
    """

    pids: tuple[int, ...]
    held: int
    peak: int
    anonymous: int | None = None
    file: int | None = None
    shared: int | None = None


@dataclass(kw_only=True)
class MemoryMeter:
    """Reads one worker's memory. `known` maps every process it ever had to its `born`.

    `lost`: why there is no group, or none any more. A group that was joined and can be read no longer is a fault of the
    run (`unread`): from then on a worker could hold what it likes.
    """

    launched: Launched
    hertz: int
    known: dict[int, int | None] = field(default_factory=dict)
    joined: bool = False
    lost: str = ""
    signs: set[str] = field(default_factory=set)
    high_water: int = 0
    allowance: Allowance = field(default_factory=Allowance)
    marks: dict[int, int] = field(default_factory=dict)
    written: WrittenFiles = field(init=False)

    def __post_init__(self) -> None:
        self.written = WrittenFiles(home=self.launched.home, seconds=self._seconds, allowance=self.allowance)

    @property
    def group(self) -> Cgroup | None:
        """The worker's group, from the time it was seen inside and as long as it can be read."""
        return self.launched.cgroup if self.joined and not self.lost else None

    @property
    def unread(self) -> str:
        """Why the group that the worker is in can no longer be read; "" while it can, or where there never was one."""
        return self.lost if self.joined else ""

    @property
    def measured_by(self) -> str:
        """For the record: who measured, how exactly, and what looked like tampering."""
        group = self.group
        if group is not None:
            left = any("left" in sign for sign in self.signs)
            words = f"parent: cgroup v{group.dialect.version} peak, mapped files sampled at {self.hertz} Hz"
            words += f" {ADVISORY}" if left else ""
        else:
            words = f"parent: process tree sampled at {self.hertz} Hz and VmHWM {ADVISORY}"
            why = self.lost or self.launched.no_cgroup
            words += f"; no control group: {why}" if why else ""
        return "; ".join([words, *sorted(self.signs)])

    def settle(self) -> None:
        """Call this after the worker's first message: from then on it is either inside its group or never will be."""
        if self.launched.cgroup is not None and not self.joined and not self._joins(self.launched.cgroup):
            self.lost = "the worker could not be moved into it"

    def read(self) -> Reading:
        """The worker's memory. If its group can no longer be read, the group is given up, and `unread` says why."""
        group = self.launched.cgroup
        pids = members(self.launched.pid, self.known, self.launched.group)
        for pid in pids:
            if pid not in self.known:
                self.known[pid] = born(pid)
        for gone in [pid for pid in self.known if pid not in pids and pid != self.launched.pid]:
            del self.known[gone]  # each would be looked for again at every reading
        each = {pid: memory for pid in sorted(pids) if (memory := memory_of(pid)) is not None}
        risen = self._note_high_water(each.get(self.launched.pid))
        if group is not None and not self.lost and (self.joined or self._joins(group)):
            try:
                return self._grouped(group, each)
            except (OSError, ValueError, KeyError) as error:
                self.lost = f"it could not be read ({getattr(error, 'strerror', None) or error})"
        kept = sum(self._in_files(each, grouped=False))
        held = sum(memory.resident for memory in each.values()) + kept
        shared = _sum(each.values(), "shared")
        return Reading(
            pids=tuple(each),
            held=held,
            peak=max(held, risen + kept if risen else 0),
            anonymous=_sum(each.values(), "anonymous"),
            file=_sum(each.values(), "file"),
            shared=None if shared is None else shared + kept,
        )

    def _in_files(self, each: dict[int, Memory], grouped: bool) -> Held:
        resident = Resident(_sum(each.values(), "shared") or 0, _sum(each.values(), "file") or 0)
        return self.written.read(each, self.launched.pid, resident, grouped)

    def _seconds(self) -> float:
        """Processor seconds that the worker has used."""
        with contextlib.suppress(OSError, ValueError):
            if self.group is not None and (seconds := self.group.cpu_seconds()) is not None:
                return seconds
        return sum(processor_seconds(pid) for pid in [*self.known])

    def oom_killed(self) -> bool:
        """Whether the kernel killed one of the worker's processes for memory."""
        with contextlib.suppress(OSError, ValueError):
            return self.group is not None and self.group.oom_kills() > 0
        return False

    def _grouped(self, group: Cgroup, each: dict[int, Memory]) -> Reading:
        usage = group.usage()
        inside = set(group.pids())
        outside = [p for p in each if p not in inside and each[p].anonymous and not group.holds(p)]
        stray = sum(memory.resident - (memory.file or 0) for p in outside if (memory := memory_of(p)))
        if stray:
            self.signs.add("a process left its control group")
        # What a forked worker was born with is charged to the zygote; a fresh interpreter would hold it.
        born_with = self.launched.inherited
        file = max(_sum(each.values(), "file") or 0, born_with.file)
        kept = sum(self._in_files(each, grouped=True))
        more = file + stray + born_with.anonymous + kept
        # What was mapped and is not any more shows in a process's own high-water mark alone.
        unseen = self._highest_since(each) - (usage.peak + more)
        unseen = unseen if unseen > _SLACK else 0
        return Reading(
            pids=tuple(each),
            held=usage.held + more,
            peak=usage.peak + more + unseen,
            anonymous=usage.anonymous + born_with.anonymous,
            file=file + unseen,
            shared=usage.shared + kept,
        )

    def _joins(self, group: Cgroup) -> bool:
        with contextlib.suppress(OSError, ValueError):
            self.joined = self.launched.pid in group.pids()
        return self.joined

    def _highest_since(self, each: dict[int, Memory]) -> int:
        """The highest mark of a process whose mark rose since the last reading, else 0."""
        before, self.marks = self.marks, {pid: memory.high_water for pid, memory in each.items()}
        return max((mark for pid, mark in self.marks.items() if mark > before.get(pid, 0)), default=0)

    def _note_high_water(self, main: Memory | None) -> int:
        """The main process's own peak if it rose since the last reading, else 0; notes it if the peak fell."""
        if main is None:
            return 0
        before, self.high_water = self.high_water, max(self.high_water, main.high_water)
        if main.high_water + _SLACK < before:
            self.signs.add("a high-water mark was reset (clear_refs)")
        return main.high_water if main.high_water > before else 0


def _sum(each: Iterable[Memory], kind: str) -> int | None:
    values = [getattr(memory, kind) for memory in each]
    return sum(values) if values and None not in values else None


def prewarm(paths: Sequence[Path]) -> int:
    """Reads files and whole folders once, so that the first worker does not wait for the disk; the bytes read.

    Files that together fill more than half of the free memory are left out: they would push each other out of
    the cache again.
    """
    files: list[tuple[Path, int]] = []
    for path in paths:
        with contextlib.suppress(OSError):
            inside = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
            files += [(file, file.stat().st_size) for file in inside]
    if sum(size for _, size in files) > _free_bytes() // 2:
        return 0
    return sum(_read_through(file) for file, _ in files)


def _free_bytes() -> int:
    import psutil

    return int(psutil.virtual_memory().available)


def _read_through(file: Path) -> int:
    total, buffer = 0, bytearray(_CHUNK)
    with contextlib.suppress(OSError), open(file, "rb", buffering=0) as opened:
        while size := opened.readinto(buffer):
            total += size
    return total
