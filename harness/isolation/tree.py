"""A worker's whole process tree: who is in it, what memory it holds, and its end.

Read from /proc on Linux (31 microseconds a process) and through psutil elsewhere. A process that
left the tree by a double fork between two readings is missed here: stronger levels hold it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import psutil

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_PROC = Path("/proc/self/task").is_dir() and Path(f"/proc/self/task/{os.getpid()}/children").exists()


def descendants(pid: int) -> list[int]:
    """`pid` and all its living descendants, parents first; empty when it is gone."""
    if _PROC:
        found, queue = [], [pid]
        while queue:
            current = queue.pop(0)
            if os.path.isdir(f"/proc/{current}"):
                found.append(current)
                queue.extend(_children(current))
        return found
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return [pid, *(child.pid for child in process.children(recursive=True))]
    return []


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/children") as file:
                found.extend(int(child) for child in file.read().split())
    return found


def resident_bytes(pids: list[int]) -> int:
    """Resident memory of `pids` together, in bytes; pages shared between them count in each."""
    return sum(_resident(pid) for pid in pids)


def _resident(pid: int) -> int:
    if _PROC:
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * _PAGE
        return 0
    with contextlib.suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def cpu_seconds(pids: list[int]) -> float | None:
    """Processor seconds used by all threads of `pids`, by the scheduler's own nanosecond count."""
    total, told = 0, False
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                with (
                    contextlib.suppress(OSError, ValueError),
                    open(f"/proc/{pid}/task/{task}/schedstat") as file,
                ):
                    total, told = total + int(file.read().split()[0]), True
    return total / 1e9 if told else None


def high_water_bytes(pid: int) -> int | None:
    """The kernel's own peak of one process's resident memory (VmHWM), or None where it has none.

    Unlike ru_maxrss it is not inherited from the parent across fork and exec. A process can reset
    its own, so it only ever raises the sampled peak.
    """
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def born(pid: int) -> int | None:
    """When `pid` was started, in clock ticks since boot: with the pid it names one process for good."""
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[19])
    return None


def pause_tree(pid: int, known: dict[int, int | None]) -> set[int]:
    """Stops `pid`, its descendants and the `known` former ones, until `resume_tree`; returns them.

    `known` maps pids to their `born`: a pid that was given to a stranger meanwhile is let alone.
    It goes on until none is new, so that what forked while the list was walked is stopped too.
    """
    stopped: set[int] = set()
    while fresh := _members(pid, known) - stopped:
        for target in fresh:
            _send(target, signal.SIGSTOP)
        stopped |= fresh
    return stopped


def resume_tree(pid: int, known: dict[int, int | None]) -> None:
    """Lets a paused tree go on."""
    for target in _members(pid, known):
        _send(target, signal.SIGCONT)


def kill_tree(pid: int, known: dict[int, int | None]) -> None:
    """Kills the process group of `pid`, its descendants, and the `known` former ones, by SIGKILL.

    Every process is stopped first, so that none can fork while the list is walked.
    """
    targets = pause_tree(pid, known)
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    for target in targets:
        _send(target, signal.SIGKILL)


def _members(pid: int, known: dict[int, int | None]) -> set[int]:
    # A copy of `known`: the watch's thread adds to it meanwhile.
    former = {other for other, start in list(known.items()) if start is not None and born(other) == start}
    return former.union(descendants(pid))


def _send(pid: int, signum: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, signum)
