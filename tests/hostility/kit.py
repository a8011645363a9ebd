"""What every attack finds beside it: whom and what it may try, told to it so that it need not search.

An attacker would have to find all this out; that it is given to him makes the judgement stricter. It names
only what the judge made for this, so that an attack that succeeds harms nothing else on the machine.
"""

import contextlib
import ctypes
import json
import os
import platform
import re
import signal
import stat
import sys
import zlib
from pathlib import Path

import numpy as np

TO = json.loads((Path(__file__).parent / "targets.json").read_text())
SECRET = re.compile(rb"SECRET-[0-9a-f]{24}")


def say(*found):
    """Puts what was found where the harness keeps it: the worker's log."""
    for each in found:
        sys.stdout.buffer.write((each if isinstance(each, bytes) else str(each).encode()) + b"\n")
    sys.stdout.flush()


def secrets_in(data):
    """Tells every secret in some bytes; whether there was one."""
    found = sorted(set(SECRET.findall(data)))
    say(*found)
    return bool(found)


def attempt(*tries):
    """Makes one try after another; what is refused is told, and the next one is made."""
    for one in tries:
        try:
            one()
        except BaseException as error:  # noqa: BLE001  (whatever refuses it)
            say(f"{getattr(one, '__name__', one)}: {type(error).__name__}: {error}")


def die_in(seconds):
    """Ends this process by itself: no attack outlives its test, whatever fails."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)


def ancestor():
    """The process that this one was started by; never one that is not the judge's."""
    parent = os.getppid()
    if parent <= 1 or parent == os.getpid():
        raise PermissionError("it has no parent that can be seen")
    return parent


def squares(numbers):
    """The right answers."""
    return numbers * numbers % 97


class Empty:
    """An empty submission: learns nothing, answers 0. An attack is one that gains more than it."""

    def __init__(self, context):
        self.context = context
        die_in(20)
        attempt(self.attack_at_start)

    def attack_at_start(self):
        """What is tried while it is constructed."""

    def attack(self):
        """What is tried once, in the first call."""

    def learn(self, numbers):
        attempt(self.attack)
        return b""

    def answer(self, numbers):
        return np.zeros(len(numbers), dtype=np.int64)


libc = ctypes.CDLL(None, use_errno=True)
_CALLS = {
    "x86_64": {
        "add_key": 248,
        "keyctl": 250,
        "bpf": 321,
        "perf_event_open": 298,
        "userfaultfd": 323,
        "openat2": 437,
        "io_uring_setup": 425,
        "pidfd_open": 434,
        "pidfd_getfd": 438,
    },
    "aarch64": {
        "add_key": 217,
        "keyctl": 219,
        "bpf": 280,
        "perf_event_open": 241,
        "userfaultfd": 282,
        "openat2": 437,
        "io_uring_setup": 425,
        "pidfd_open": 434,
        "pidfd_getfd": 438,
    },
}


def call(what, *arguments):
    """What a function of the C library (by name) or a bare system call gives; raises OSError where refused."""
    numbers = _CALLS.get(platform.machine(), {})
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = (
        libc.syscall(ctypes.c_long(numbers[what]), *words) if what in numbers else getattr(libc, what)(*words)
    )
    if result in (-1, 0xFFFFFFFFFFFFFFFF):
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def ours():
    """The descriptor of the socket to the harness."""
    for fd in range(3, 256):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                return fd
    raise FileNotFoundError("no socket is open")


def shared(name):
    """The descriptors of the shared memory that a frame came with: `input` or `output`."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if f"memfd:{name}" in os.readlink(f"/proc/self/fd/{number}"):
                found.append(int(number))
    return found


def asked():
    """The frame that is being answered, taken from the shim's own variables, and the shim's wire."""
    at = sys._getframe()
    while at and not ("frame" in at.f_locals and "folder" in at.f_locals):
        at = at.f_back
    return at.f_locals["frame"], sys.modules["harness.worker.wire"]


def key():
    """The number under which this attack keeps System V memory and queues."""
    return zlib.crc32(TO["marker"].encode()) & 0x7FFFFFFF
