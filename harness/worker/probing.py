"""What every probe uses: a decorator for the table, system calls by number, and an exception for refusal."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping
from typing import Any

from harness.worker.syscalls import number

Targets = Mapping[str, Any]
Probe = Callable[[Targets], str]
PROBES: dict[str, Probe] = {}
libc = ctypes.CDLL(None, use_errno=True)


class Refused(OSError):
    """There was nothing that the probe could reach."""


def probe(name: str) -> Callable[[Probe], Probe]:
    """Puts a probe into the table, under words for what an attacker would do."""

    def kept(function: Probe) -> Probe:
        PROBES[name] = function
        return function

    return kept


def call(name: str, *arguments: Any) -> int:
    """Makes a system call by its number; raises OSError."""
    typed = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    found = int(libc.syscall(ctypes.c_long(number(name)), *typed))
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return found
