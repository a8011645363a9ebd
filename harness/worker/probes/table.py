"""What every probe uses: a decorator for the table, system calls by number, and an exception for refusal."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from harness.worker.syscalls import number

Targets = Mapping[str, Any]
Probe = Callable[[Targets], str]
PROBES: dict[str, Probe] = {}


class Between(Protocol):
    """A probe of two workers, one after the other."""

    @staticmethod
    def leave(to: Targets) -> None:
        """In the first: leaves something; raises OSError where it is refused."""

    @staticmethod
    def find(to: Targets) -> str:
        """In the second: what it found of it; raises OSError for nothing."""
        ...


BETWEEN: dict[str, Between] = {}
libc = ctypes.CDLL(None, use_errno=True)


class Refused(OSError):
    """There was nothing that the probe could reach."""


def probe(name: str, whose: str = "") -> Callable[[Probe], Probe]:
    """Puts a probe into the table under what an attacker would do.

    `whose`: "target" or "parent" where it is about that process by its number, which is the harness's own:
    where it is another's in here, it leads to nobody outside, and the probe is refused without a try.
    """

    def kept(function: Probe) -> Probe:
        def tried(to: Targets) -> str:
            if is_another(to[whose], to["born"][whose]):
                raise Refused
            return function(to)

        PROBES[name] = tried if whose else function
        return function

    return kept


def between(name: str) -> Callable[[type[Between]], type[Between]]:
    """Puts a probe of two workers into its table."""

    def kept(probe: type[Between]) -> type[Between]:
        BETWEEN[name] = probe()
        return probe

    return kept


def is_another(pid: int, born: int | None) -> bool:
    """Whether `pid` is seen in here to be another process than the one born at `born` (ticks since boot).

    In a box with numbers of its own a small one may be the box's own process. Whatever cannot be seen
    is not said to be another: then what answers counts as the harness.
    """
    try:
        if born is None or os.readlink("/proc/self") != str(os.getpid()):
            return False  # a /proc of other numbers tells nothing of ours
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[19]) != born
    except (OSError, ValueError, IndexError):
        return False


def call(name: str, *arguments: Any) -> int:
    """Makes a system call by its number; raises OSError."""
    typed = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = int(libc.syscall(ctypes.c_long(number(name)), *typed))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
