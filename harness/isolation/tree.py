"""A worker's whole process tree: finds its processes, reads their memory, and ends them.

Read from /proc on Linux (31 microseconds a process) and through psutil elsewhere. A process that left the
tree by a double fork between two readings is missed here, unless the worker's control group is given, which
contains it wherever it goes.

The harness does not make itself the reaper of orphans (PR_SET_CHILD_SUBREAPER): it would then have to wait
for children that it never started, alongside the waits of `subprocess`, and with a group this is not needed.
Where there is no group, the stronger levels put a keeper above each worker that does just this.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path
from typing import NamedTuple, Protocol

import psutil

from harness.machine.processes import born, lines_of

# Looks at a process's state, 15 microseconds each, before it is taken as stopped all the same.
_LOOKS = 400
# How often all are looked at anew: where processes let each other go on, what is awake becomes fewer with each pass.
_PASSES = 20
_ROUNDS, _PATIENCE = 500, 0.001
_PROC = Path("/proc/self/task").is_dir() and Path(f"/proc/self/task/{os.getpid()}/children").exists()


def descendants(pid: int) -> list[int]:
    """`pid` and all its living descendants, parents first; empty when it is gone."""
    if _PROC:
        alive, queue = [], [pid]
        while queue:
            current = queue.pop(0)
            if os.path.isdir(f"/proc/{current}"):
                alive.append(current)
                queue.extend(_children(current))
        return alive
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return [pid, *(child.pid for child in process.children(recursive=True))]
    return []


def _children(pid: int) -> list[int]:
    children: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/children") as file:
                children.extend(int(child) for child in file.read().split())
    return children


class Memory(NamedTuple):
    """One process's resident bytes by kind, and the kernel's own peak of their sum (VmHWM).

    Unlike ru_maxrss, VmHWM is not inherited from the parent across fork and exec. A process can reset its
    own. Kinds are None if the system does not distinguish them.
    """

    resident: int
    high_water: int
    anonymous: int | None = None
    file: int | None = None
    shared: int | None = None


def memory_of(pid: int) -> Memory | None:
    """The memory of process `pid`; None if it is gone or has ended."""
    if not _PROC:
        with contextlib.suppress(psutil.Error):
            resident = int(psutil.Process(pid).memory_info().rss)
            return Memory(resident, resident)
        return None
    amounts: dict[str, int] = {}
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in lines_of(f"/proc/{pid}/status"):
            if line.startswith(("Rss", "VmHWM", "VmRSS")):
                name, amount = line.split()[:2]
                amounts[name] = int(amount) * 1024
    if not amounts:
        return None
    kinds = (amounts.get(name) for name in ("RssAnon:", "RssFile:", "RssShmem:"))
    return Memory(amounts.get("VmRSS:", 0), amounts.get("VmHWM:", 0), *kinds)


def processor_seconds(pid: int) -> float:
    """Processor seconds of one process, for use when its own clock cannot be read; 0 when it is gone."""
    with contextlib.suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    return 0.0


class Group(Protocol):
    """A group of all of a worker's processes, including those that left its tree."""

    def pids(self) -> list[int]:
        """Its living members; OSError or ValueError when they cannot be read."""
        ...

    def kill_all(self) -> None:
        """Kills them all."""
        ...


class Kept:
    """All processes below a keeper: it adopts orphans, so they count for their worker and end with it."""

    def __init__(self, keeper: int) -> None:
        self.keeper = keeper

    def pids(self) -> list[int]:
        """Its living members."""
        return descendants(self.keeper)[1:]

    def kill_all(self) -> None:
        """Kills them all, until nothing is left or half a second is over."""
        for _ in range(_ROUNDS):
            if not (alive := [pid for pid in self.pids() if _state(pid) not in "ZX"]):
                return
            for pid in alive:
                _send(pid, signal.SIGKILL)
            threading.Event().wait(_PATIENCE)


def pause_tree(pid: int, known: dict[int, int | None], group: Group | None = None) -> set[int]:
    """Stops `pid`, its descendants, the `known` former ones and its group, until `resume`; returns them.

    `known` maps pids to their `born`, so that a pid that another process has got since is left alone. A
    stopped process has to run once more before it notices, and may fork until then: so this waits for each
    one before it lists the processes again. Without waiting, such a process would also compete for the core
    during the next worker's turn (measured beside one busy other program: 3 ms a request). One that goes on
    again meanwhile, by another that was not stopped yet, is stopped once more.
    """
    _send(pid, signal.SIGSTOP)  # the one that answered, before the list of the others is read
    stopped: set[int] = set()
    passes = 0
    while awake := _awake(_members_soon(pid, known, group), stopped, passes):
        for target in awake:
            _send(target, signal.SIGSTOP)
        _await_stopped(awake)
        stopped |= awake
        passes += 1
    return stopped


def _awake(everybody: set[int], stopped: set[int], passes: int) -> set[int]:
    """Who has not been stopped yet, and for some passes who was and runs again."""
    again = set() if passes > _PASSES else {pid for pid in stopped & everybody if _state(pid) in "RS"}
    return everybody - stopped | again


def _await_stopped(pids: set[int]) -> None:
    """Waits until each of `pids` has really stopped, or for some milliseconds at most."""
    for pid in pids:
        for _ in range(_LOOKS):
            if _state(pid) not in "RSDW":
                break


def _state(pid: int) -> str:
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/stat", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0]
    return "X"


def resume(stopped: set[int]) -> None:
    """Resumes the processes that `pause_tree` stopped."""
    for target in stopped:
        _send(target, signal.SIGCONT)


def kill_tree(pid: int, known: dict[int, int | None], group: Group | None = None) -> None:
    """Kills the process group of `pid`, its descendants, the `known` former ones and `group`, by SIGKILL.

    Every process is stopped first, so that none can fork while the list is walked.
    """
    targets = pause_tree(pid, known, group) | members(pid, known, group)
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    for target in targets:
        _send(target, signal.SIGKILL)
    if group is not None:
        group.kill_all()


def members(pid: int, known: dict[int, int | None], group: Group | None = None) -> set[int]:
    """`pid`, its descendants, the living `known` former ones, and everything in `group`."""
    processes = _former(pid, known).union(descendants(pid))
    if group is not None:
        with contextlib.suppress(OSError, ValueError):
            processes.update(group.pids())
    return processes


def _members_soon(pid: int, known: dict[int, int | None], group: Group | None) -> set[int]:
    """The same as `members`, for a third of the cost where a group contains `pid` and so all its children.

    A process that could leave the group is not seen here, but soon by the watch, and is then in `known`.
    """
    if group is not None:
        with contextlib.suppress(OSError, ValueError):
            inside = group.pids()
            if pid in inside:
                return _former(pid, known).union(inside)
    return members(pid, known, group)


def _former(pid: int, known: dict[int, int | None]) -> set[int]:
    # A copy of `known`: the watch's thread adds to it meanwhile.
    others = [(other, start) for other, start in list(known.items()) if other != pid]
    return {other for other, start in others if start is not None and born(other) == start}


def _send(pid: int, signum: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, signum)
