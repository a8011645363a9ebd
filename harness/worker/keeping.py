"""A keeper: a process between the zygote and its worker that ends whatever the worker leaves.

A process that forks twice loses its parent: the kernel hands it to the nearest ancestor that has said it
adopts orphans. Without a box (see `namespaces`), and without a control group to contain them, that is the keeper,
which only waits, kills what is left, and ends with the worker's status.

What it does not stop: nothing needs to be stopped here, all of it is dead or about to be.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import threading
from types import FrameType

_SET_PARENT_DEATH, _SET_DUMPABLE, _SET_SUBREAPER = 1, 4, 36
# So often it is tried, with a pause of a thousandth of a second, that nothing be left.
_ROUNDS, _PERIOD = 10_000, 0.001


def dumpable(yes: bool) -> None:
    """Sets whether other processes of this user may look into this one."""
    ctypes.CDLL(None).prctl(_SET_DUMPABLE, int(yes))


def adopt_orphans() -> None:
    """Makes this process the parent of every process below it that loses its own."""
    ctypes.CDLL(None).prctl(_SET_SUBREAPER, 1)


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


def reap(pid: int) -> int:
    """A dead worker's exit status, as subprocess gives it: negative for a signal."""
    with contextlib.suppress(ChildProcessError):
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return -int(signal.SIGKILL)
