"""A worker's own control group, if this machine lets us make one: the kernel then counts all of its memory.

The group counts what a process can hide from a look at the process tree: memory in a child, in a memfd that
nobody maps, in a grandchild that was handed to init, and a peak between two readings. The worker cannot reset
this count through its own process files (clear_refs). It is in the group before its interpreter starts (a
shell joins and then becomes Python), because memory is charged to the group in which it was first touched and
never moves. Joining costs one grace period of the kernel, 0 to 20 ms, before the worker's first message;
making and removing the group costs 0.1 ms.

What it does not stop: a worker that may write to the control groups itself (root, without a stronger level)
can leave its group; `MemoryMeter` notices this and marks the figure as advisory.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from harness.isolation.dialects import V1, V2, Dialect
from harness.machine.processes import born, lines_of, pid_namespace

SHELL = "/bin/sh"
PREFIX = "harness-"
# Joins the groups named first, however many, and becomes the command after them. A group that it
# cannot join is passed over: the parent looks whether it is inside.
_JOIN = (
    'n=$1; shift; while [ "$n" -gt 0 ]; do { echo 0 > "$1"; } 2>/dev/null; shift; n=$((n - 1)); done; '
    'exec "$@"'
)
_V1_NEEDED, _V1_WANTED = "memory", ("cpuacct", "freezer", "pids", "cpuset")
_PATIENCE = 0.001


@dataclass(frozen=True)
class Usage:
    """The memory of a group in bytes, without the page cache of files, which the kernel can drop.

    `held` is all of it now, including the kernel's own structures; `peak` is the most since the last `usage`,
    exact where the kernel lets its mark be reset (v1, and v2 since Linux 6.12).
    """

    held: int
    peak: int
    anonymous: int
    shared: int


@dataclass(kw_only=True)
class Cgroup:
    """One worker's group. Every reading raises OSError or ValueError when the group cannot be read."""

    dialect: Dialect
    folders: dict[str, Path]
    _open: dict[str, int] = field(default_factory=dict)
    _cached: int = 0
    _mark: int = 0
    _resets: bool = True

    @property
    def memory(self) -> Path:
        """The folder that counts memory."""
        return self.folders["memory"]

    def joining(self, command: Sequence[str]) -> list[str]:
        """`command`, started inside this group."""
        files = [str(folder / "cgroup.procs") for folder in dict.fromkeys(self.folders.values())]
        return [SHELL, "-c", _JOIN, "sh", str(len(files)), *files, *command]

    def take(self, pid: int) -> None:
        """Moves a process into the group. Memory that it has touched before stays charged to its former group."""
        for folder in dict.fromkeys(self.folders.values()):
            with contextlib.suppress(OSError):
                (folder / "cgroup.procs").write_text(str(pid))

    def bound(self, memory_bytes: int, processes: int) -> None:
        """Sets the limits at which the kernel refuses: well above those that the watch enforces, and no swap.

        They are needed because between two looks of the watch a worker can take 0.3 GB or fork a thousand
        times.
        """
        folders = self.folders
        limit = memory_bytes + memory_bytes // 10 + (256 << 20)
        files = [(folders["memory"] / self.dialect.limit, str(limit))]
        files.append((folders["memory"] / self.dialect.no_swap[0], self.dialect.no_swap[1]))
        if "pids" in folders:
            files.append((folders["pids"] / "pids.max", str(1024 + 64 * processes)))
        for file, value in files:
            with contextlib.suppress(OSError):
                file.write_text(value)

    def confine(self, cores: Sequence[int]) -> bool:
        """Keeps everything in the group on these cores, whatever affinity it asks for; False if that is impossible.

        Call it before any process joins: joining resets a process's affinity to the group's cores.
        """
        if "cpuset" not in self.folders:
            return False
        with contextlib.suppress(OSError):
            (self.folders["cpuset"] / "cpuset.cpus").write_text(",".join(map(str, cores)))
            return True
        return False

    def usage(self) -> Usage:
        """The memory held now, and the peak since the last call.

        The kernel's peak counts page cache too. The cache at the start or at the end of the span, whichever
        is larger, is subtracted, so that writing a file while memory is steady does not count as a peak.
        """
        peak = self.peak_bytes()
        self.reset_peak()
        total = int(self._read(self.memory / self.dialect.usage))
        stat = dict(line.split() for line in self._read(self.memory / "memory.stat").splitlines())
        shared = int(stat[self.dialect.shared])
        before, self._cached = self._cached, max(0, int(stat[self.dialect.cached]) - shared)
        held = max(0, total - self._cached)
        risen, self._mark = self._resets or peak > self._mark, peak
        spike = peak - max(before, self._cached) if risen else 0
        return Usage(held, max(held, spike), int(stat[self.dialect.anonymous]), shared)

    def peak_bytes(self) -> int:
        """The kernel's own peak, page cache included, since it was last reset."""
        return int(self._read(self.memory / self.dialect.peak))

    def reset_peak(self) -> None:
        """Resets the kernel's peak to the memory held now; does nothing where that is not possible."""
        if self._resets:
            try:
                os.pwrite(self._file(self.memory / self.dialect.peak), b"0\n", 0)
            except OSError:
                self._resets = False

    def pids(self) -> list[int]:
        """Every living process in the group, whoever its parent is now."""
        # Opened anew: v1 answers from a list that is up to a second old on a descriptor kept open.
        return [int(pid) for pid in (self.memory / "cgroup.procs").read_text().split() if pid != "0"]

    def holds(self, pid: int) -> bool:
        """Whether the memory of `pid` is counted here: it is in this group, or in one below it."""
        with contextlib.suppress(OSError):
            for line in lines_of(f"/proc/{pid}/cgroup"):
                _, controllers, path = line.split(":", 2)
                if "memory" in controllers.split(",") or (self.dialect.version == 2 and not controllers):
                    return self.memory.name in path.split("/")
        return False

    def oom_kills(self) -> int:
        """The number of its processes that the kernel killed for memory."""
        lines = self._read(self.memory / self.dialect.oom).splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))

    def cpu_seconds(self) -> float | None:
        """Processor seconds of all processes ever in it (1 microsecond a reading), or None if not counted."""
        if self.dialect.version == 2:
            return int(self._read(self.memory / "cpu.stat").split(maxsplit=2)[1]) / 1e6  # usage_usec
        if "cpuacct" not in self.folders:
            return None
        return int(self._read(self.folders["cpuacct"] / "cpuacct.usage")) / 1e9

    def kill_all(self) -> None:
        """Kills everything in the group, until nothing is left or half a second has passed."""
        for _ in range(500):
            if not self._kill_once():
                return
            threading.Event().wait(_PATIENCE)

    def _kill_once(self) -> bool:
        """Kills once; whether there was any process. The group is frozen if possible, so that no fork escapes."""
        with contextlib.suppress(OSError, ValueError):
            if not self.pids():
                return False
            with _frozen(self.folders, self.dialect.version):
                for pid in self.pids():
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGKILL)
            return True
        return False

    def remove(self) -> None:
        """Ends what is left in the group and removes it, within a second; calling it again does nothing."""
        self._close()
        for _ in range(1000):
            for folder in self.folders.values():
                _rmdir(folder)
            if not any(folder.is_dir() for folder in self.folders.values()):
                return
            self._kill_once()
            threading.Event().wait(_PATIENCE)  # what was killed is still on its way out

    def _close(self) -> None:
        while self._open:
            os.close(self._open.popitem()[1])

    def _file(self, path: Path) -> int:
        # Kept open: a reading costs 1 microsecond instead of 15.
        if str(path) not in self._open:
            writes = path.name == self.dialect.peak
            try:
                fd = os.open(path, (os.O_RDWR if writes else os.O_RDONLY) | os.O_CLOEXEC)
            except PermissionError:
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self._open[str(path)] = fd
        return self._open[str(path)]

    def _read(self, path: Path) -> str:
        return os.pread(self._file(path), 1 << 18, 0).decode()


class Parents(NamedTuple):
    """The folders in which groups can be made, one for each controller."""

    dialect: Dialect
    folders: dict[str, Path]


class Places(NamedTuple):
    """Where groups can be made; without `parents`, `reason` says why none can."""

    parents: Parents | None
    reason: str = ""


class Made(NamedTuple):
    """A new group; without one, `reason` says why none could be made."""

    group: Cgroup | None
    reason: str = ""


def make() -> Made:
    """A new empty group below our own, or None and the reason. Groups of dead runs are removed first."""
    if not os.access(SHELL, os.X_OK):
        return Made(None, f"no {SHELL}")
    available = places()
    if available.parents is None:
        return Made(None, available.reason)
    dialect, parents = available.parents
    # Not counted: a number would tell a worker which one of the run it is.
    name = f"{PREFIX}{pid_namespace()}-{os.getpid()}-{born(os.getpid())}-{secrets.token_hex(8)}"
    group = Cgroup(dialect=dialect, folders={})
    try:
        for parent in set(parents.values()):
            _sweep(parent, dialect)
        for controller, parent in parents.items():
            (parent / name).mkdir(exist_ok=True)
            group.folders[controller] = parent / name
            if controller == "cpuset":  # empty, it could not be joined
                for file in ("cpuset.mems", "cpuset.cpus"):
                    (parent / name / file).write_text((parent / file).read_text())
        group.usage(), group.pids(), group.oom_kills(), group.cpu_seconds()  # opens all, or fails now
    except (OSError, ValueError, KeyError) as error:
        group.remove()
        return Made(None, f"a group could not be made ({getattr(error, 'strerror', None) or error})")
    return Made(group)


def places(proc: Path = Path("/proc/self")) -> Places:
    """Where groups can be made: the dialect and a folder for each controller; or None and the reason."""
    try:
        own = [line.split(":", 2) for line in lines_of(proc / "cgroup")]
        mounts = [line.split() for line in lines_of(proc / "mountinfo")]
    except OSError:
        return Places(None, "this system has no control groups")
    v1: dict[str, Path] = {}
    v2: Path | None = None
    for _, controllers, path in own:
        folder = _mounted(mounts, controllers, path)
        if folder is not None and controllers:
            v1 |= dict.fromkeys(controllers.split(","), folder)
        elif folder is not None:
            v2 = folder
    if _V1_NEEDED in v1:
        usable = {name: v1[name] for name in (_V1_NEEDED, *_V1_WANTED) if name in v1 and _writable(v1[name])}
        if _V1_NEEDED in usable:
            return Places(Parents(V1, usable))
        return Places(None, "the memory group is not ours to write")
    if v2 is None:
        return Places(None, "no memory controller")
    for folder in (v2, v2.parent):
        if _gives_memory(folder, own=v2):
            return Places(Parents(V2, {"memory": folder, "pids": folder}))
    return Places(None, "no memory controller was delegated")


def _mounted(mounts: list[list[str]], controllers: str, path: str) -> Path | None:
    """The folder at which group `path` is mounted here; None if it is not mounted."""
    for fields in mounts:
        dash = fields.index("-")
        kind, options = fields[dash + 1], fields[dash + 3].split(",")
        if kind == "cgroup" and controllers and set(controllers.split(",")) <= set(options):
            pass
        elif kind != "cgroup2" or controllers:
            continue
        root, point = fields[3], fields[4]
        inside = Path(os.path.relpath(path, root))
        if ".." not in inside.parts:
            return Path(point) / inside
    return None


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK) and os.access(folder / "cgroup.procs", os.W_OK)


def _gives_memory(folder: Path, own: Path) -> bool:
    """Whether a child of `folder` would count memory; siblings of ours only if no memory limit applies to us.

    A group with processes in it gives no controller to its children (the kernel answers EBUSY), and we do not
    move any process. In that case the group above, which gives us memory, may give it to a sibling.
    """
    if not _writable(folder) or not (folder / "memory.stat").exists():
        return False
    with contextlib.suppress(OSError):
        if folder != own and (own / "memory.max").read_text().strip() != "max":
            return False
        control = folder / "cgroup.subtree_control"
        if "memory" not in control.read_text().split() and folder == own:
            control.write_text("+memory")
            with contextlib.suppress(OSError):
                control.write_text("+pids")
        return "memory" in control.read_text().split()
    return False


def _sweep(parent: Path, dialect: Dialect) -> None:
    """Removes the groups of dead runs; a run's name is its pid and its start time."""
    for folder in parent.glob(f"{PREFIX}{pid_namespace()}-*"):
        _, _, pid, start, _ = folder.name.split("-")
        if str(born(int(pid))) != start:
            Cgroup(dialect=dialect, folders={"memory": folder}).remove()


def _rmdir(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for inner in folder.iterdir():
            if inner.is_dir():
                _rmdir(inner)
        folder.rmdir()


@contextlib.contextmanager
def _frozen(folders: dict[str, Path], version: int) -> Generator[None]:
    if version == 2:
        states = (folders["memory"] / "cgroup.freeze", "1", "0")
    else:
        states = (folders.get("freezer", folders["memory"]) / "freezer.state", "FROZEN", "THAWED")
    file, frozen, thawed = states
    with contextlib.suppress(
        OSError
    ):  # where it cannot be frozen there is no such file, and none can be made
        file.write_text(frozen)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.write_text(thawed)
