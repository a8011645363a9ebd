"""The zygote's cleaning up after a worker: ends it and everything that it started, and empties its folders.

A process that forks twice loses its parent: the kernel hands it to the nearest ancestor that has said it
adopts orphans. In a box that is the zygote, and all processes there but itself belong to the one worker.
Without a box, and without a control group to contain them, it is a keeper: a process between the zygote and
its worker that only waits, kills what is left, and ends with the worker's status.

What it does not stop: nothing needs to be stopped here, all of it is dead or about to be.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import threading
from collections.abc import Sequence
from types import FrameType
from typing import NamedTuple

_SET_PARENT_DEATH, _SET_DUMPABLE, _SET_SUBREAPER = 1, 4, 36
# So often it is tried, with a pause of a thousandth of a second, that nothing be left.
_ROUNDS, _PERIOD = 10_000, 0.001


def dumpable(yes: bool) -> None:
    """Sets whether other processes of this user may look into this one."""
    ctypes.CDLL(None).prctl(_SET_DUMPABLE, int(yes), 0, 0, 0)


def adopt_orphans() -> None:
    """Makes this process the parent of every process below it that loses its own."""
    ctypes.CDLL(None).prctl(_SET_SUBREAPER, 1, 0, 0, 0)


def keep_the_next() -> None:
    """Forks again: this process stays as the keeper, and the call returns in the child."""
    signal.signal(signal.SIGTERM, _ended)
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH, signal.SIGTERM)
    adopt_orphans()
    worker = os.fork()
    if worker == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        return
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            os.close(int(name))
    _, status = os.waitpid(worker, 0)
    kill_descendants()
    if os.WIFSIGNALED(status):
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))


def _ended(number: int, frame: FrameType | None) -> None:
    """The zygote is gone, so this process ends too, with everything that it keeps."""
    kill_descendants()
    os._exit(1)


def kill_descendants() -> None:
    """Kills all processes below this one, and those they fork meanwhile, until none is left."""
    for _ in range(_ROUNDS):
        if not (alive := _descendants()):
            return
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in alive:
                with contextlib.suppress(OSError):
                    os.kill(pid, number)
        _bury()
        threading.Event().wait(_PERIOD)


def _descendants() -> list[int]:
    alive, queue = [], [os.getpid()]
    while queue:
        pid = queue.pop()
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children") as file:
                    queue += (children := [int(child) for child in file.read().split()])
                    alive += children
    return alive


def _bury() -> None:
    """Reaps every child that has ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


class Reaped(NamedTuple):
    """A dead worker's exit status, and whether nothing of it is left in its box (always so without a box)."""

    status: int
    clean: bool


def reap(pid: int, sweep: Sequence[str]) -> Reaped:
    """A dead worker's exit status, as subprocess gives it: negative for a signal.

    With folders to `sweep` this is a box: all processes in it are killed and the folders emptied; `clean`
    says whether both succeeded. A box in which a worker left something is not used again.
    """
    status = -int(signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if not sweep:
        return Reaped(status, clean=True)
    for _ in range(_ROUNDS):
        if not _descendants():
            break
        with contextlib.suppress(OSError):
            os.kill(-1, signal.SIGKILL)  # in a box: all but this process and the box's first
        _bury()
        threading.Event().wait(_PERIOD)
    return Reaped(status, clean=not _descendants() and all(_emptied(folder) for folder in sweep))


def _emptied(folder: str) -> bool:
    """Empties `folder`; whether nothing is left in it."""
    with contextlib.suppress(OSError, RecursionError):
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, onerror=_by_force)
            else:
                os.unlink(path)
        return not os.listdir(folder)
    return False


def _by_force(_: object, path: str, __: object) -> None:
    """Opens a folder that was made unreadable and tries again."""
    for target in (os.path.dirname(path), path):
        with contextlib.suppress(OSError):
            os.chmod(target, 0o700)
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
