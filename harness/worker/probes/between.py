"""Probes of what one worker could leave for the next of the same submission: each leaves it, and each looks for it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

from harness.worker.probes.table import Refused, Targets, between

_MODE, _TIME, _FEWER = 0o751, 1_000_000_007, 211
# So many are made by the first that a count which went on could not be taken for a fresh one.
_MANY = 64
_SET_SIGNAL, _GET_SIGNAL, _SIGNAL = 10, 11, 42
_open: list[socket.socket] = []  # until the worker ends


def _folders(to: Targets) -> Iterator[str]:
    """The folders that are meant to be the worker's own; never one of the machine's, where a probe could do harm."""
    for folder in (to["own"], os.path.dirname(to["own"]), *to["owned"]):
        if os.path.isdir(folder):
            yield folder


@between("find a file of the worker before")
class _File:
    @staticmethod
    def leave(to: Targets) -> None:
        for folder in _folders(to):
            with contextlib.suppress(OSError):
                Path(folder, f".{to['token']}").touch()

    @staticmethod
    def find(to: Targets) -> str:
        found = [folder for folder in _folders(to) if f".{to['token']}" in os.listdir(folder)]
        return _or_refused(found)


@between("find an attribute of the worker before")
class _Attribute:
    @staticmethod
    def leave(to: Targets) -> None:
        for folder in _folders(to):
            with contextlib.suppress(OSError):
                os.setxattr(folder, "user.harness", to["token"].encode())

    @staticmethod
    def find(to: Targets) -> str:
        found = []
        for folder in _folders(to):
            with contextlib.suppress(OSError):
                if os.getxattr(folder, "user.harness") == to["token"].encode():
                    found.append(folder)
        return _or_refused(found)


@between("find a mode or a time of the worker before")
class _Stat:
    @staticmethod
    def leave(to: Targets) -> None:
        for folder in _folders(to):
            with contextlib.suppress(OSError):
                os.chmod(folder, _MODE)
                os.utime(folder, (_TIME, _TIME))

    @staticmethod
    def find(to: Targets) -> str:
        seen = [(folder, os.stat(folder)) for folder in _folders(to)]
        return _or_refused(
            [folder for folder, stat in seen if stat.st_mode & 0o777 == _MODE or stat.st_mtime == _TIME]
        )


@between("count on from the worker before")
class _Counts:
    @staticmethod
    def leave(to: Targets) -> None:
        for number in range(_MANY):
            if (pid := os.fork()) == 0:
                os._exit(0)
            os.waitpid(pid, 0)
            with contextlib.suppress(OSError):
                Path(to["own"], f".{number}").touch()

    @staticmethod
    def find(to: Targets) -> str:
        if (pid := os.fork()) == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        file = Path(to["own"], ".new")
        file.touch()
        found = [f"process {pid}"] if pid > _MANY else []
        return _or_refused(found + ([f"inode {ino}"] if (ino := file.stat().st_ino) > _MANY else []))


@between("find a name in the kernel of the worker before")
class _Socket:
    @staticmethod
    def leave(to: Targets) -> None:
        _open.append(socket.socket(socket.AF_UNIX))
        _open[-1].bind(f"\0{to['token']}")

    @staticmethod
    def find(to: Targets) -> str:
        with socket.socket(socket.AF_UNIX) as sock:
            try:
                sock.bind(f"\0{to['token']}")
            except OSError:
                return "the name is taken"
        raise Refused


@between("find the limits of the worker before")
class _Limits:
    @staticmethod
    def leave(to: Targets) -> None:
        os.nice(3)
        resource.setrlimit(resource.RLIMIT_NOFILE, (_FEWER, _FEWER))

    @staticmethod
    def find(to: Targets) -> str:
        fewer = resource.getrlimit(resource.RLIMIT_NOFILE)[0] == _FEWER
        return _or_refused((["descriptors"] if fewer else []) + (["niceness"] if os.nice(0) == 3 else []))


@between("find a lock or a flag of the worker before on the standard input")
class _Input:
    @staticmethod
    def leave(to: Targets) -> None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(0, fcntl.F_SETFL, os.O_NONBLOCK | os.O_APPEND)
            fcntl.fcntl(0, _SET_SIGNAL, _SIGNAL)
        with contextlib.suppress(OSError):
            fcntl.flock(0, fcntl.LOCK_EX | fcntl.LOCK_NB)

    @staticmethod
    def find(to: Targets) -> str:
        found = [] if fcntl.fcntl(0, _GET_SIGNAL) == 0 else ["a signal"]
        found += ["flags"] if fcntl.fcntl(0, fcntl.F_GETFL) & (os.O_NONBLOCK | os.O_APPEND) else []
        return _or_refused(found)


@between("know which worker of the run it is")
class _Group:
    @staticmethod
    def leave(to: Targets) -> None:
        """Nothing: what tells it, the harness itself would have to leave."""

    @staticmethod
    def find(to: Targets) -> str:
        named = [line.split(":", 2)[2] for line in Path("/proc/self/cgroup").read_text().splitlines()]
        return _or_refused([name for name in named if name != "/"])


def _or_refused(traces: list[str]) -> str:
    if not traces:
        raise Refused
    return ", ".join(traces)
