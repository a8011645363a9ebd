"""Landlock in three calls: a process gives up all rights to files except those named, for good.

What it does not stop: unix sockets that have a path, file locks, reading a file's size and times, and
descriptors that are open already. We do not use the package on PyPI: when tried, it supported only rights to
files, not to ports, signals and abstract sockets (versions 4 and 6 of the kernel's interface).
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_TRUNCATE, _IOCTL_DEVICE = 1 << 14, 1 << 15
# To bind and to connect over TCP; to abstract sockets and to signals outside. Always both at once.
_PORTS, _OUTSIDE = 3, 3
# How many rights to files each version of the interface knows.
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}

LIST = _READ_DIR
READ = _READ_FILE | _READ_DIR | _EXECUTE
USE = _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEVICE
OWN = (1 << 16) - 1 & ~(_MAKE_CHAR | _MAKE_BLOCK)
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE


class Unconfined(Exception):
    """This process could not be confined as promised; the message says what failed."""


def version() -> int:
    """The version of Landlock's interface in this kernel; 0 if it has none."""
    return max(0, int(ctypes.CDLL(None).syscall(_CREATE, None, 0, _VERSION)))


class Rules:
    """The rights that will remain; from `restrict` on they bind this thread and everything that it starts."""

    def __init__(self) -> None:
        abi = version()
        if not abi:
            raise Unconfined("the kernel has no Landlock (Linux 5.13, switched on with lsm=landlock)")
        self.handled = (1 << _RIGHTS.get(abi, 16)) - 1
        ports = _PORTS if abi >= 4 else 0
        scopes = _OUTSIDE if abi >= 6 else 0
        words = struct.pack("<QQQ", self.handled, ports, scopes)[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
        self.fd = _called("creating its rules", _CREATE, words, len(words), 0)

    def allow(self, paths: Iterable[str], rights: int) -> None:
        """Allows `rights` to each path and everything below it; a path that does not exist is an error."""
        for path in paths:
            try:
                fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError as error:
                raise Unconfined(
                    f"{path}, which a worker needs, cannot be opened ({error.strerror})"
                ) from None
            try:
                folder = stat.S_ISDIR(os.fstat(fd).st_mode)
                allowed = rights & self.handled & (-1 if folder else _OF_A_FILE)
                _called(f"allowing {path}", _ADD, self.fd, _PATH_BENEATH, struct.pack("<Qi", allowed, fd), 0)
            finally:
                os.close(fd)

    def restrict(self) -> None:
        """Gives up all other rights. Needs no_new_privs."""
        _called("restricting itself", _RESTRICT, self.fd, 0)
        os.close(self.fd)


def _called(doing: str, number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    typed = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = int(libc.syscall(ctypes.c_long(number), *typed))
    if result < 0:
        raise Unconfined(f"Landlock failed at {doing}: {os.strerror(ctypes.get_errno())}")
    return result
