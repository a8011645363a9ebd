"""Probes of what a worker inherits and of what the kernel lets it do with itself."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import platform
import signal
import socket
import struct
from pathlib import Path

from harness.worker.probes.table import Refused, Targets, call, libc, probe
from harness.worker.syscalls import X32

_NEW_USER, _NEW_MOUNTS = 0x10000000, 0x00020000


@probe("inherit descriptors")
def _descriptors(to: Targets) -> str:
    open_files = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            open_files.append((int(name), os.readlink(f"/proc/self/fd/{name}")))
    more = [(fd, what) for fd, what in open_files if fd > 2 and fd != to["socket"]]
    if more or any(to["marker"] in what for _, what in open_files):
        return str(more)
    raise Refused


@probe("see the harness's variables")
def _variables(to: Targets) -> str:
    if to["marker"] in " ".join([*os.environ, *os.environ.values()]):
        return "the variable is there"
    raise Refused


@probe("make a user namespace")
def _namespace(_: Targets) -> str:
    pid = os.fork()
    if pid == 0:
        os._exit(0 if libc.unshare(_NEW_USER) == 0 or libc.unshare(_NEW_MOUNTS) == 0 else 1)
    if os.waitpid(pid, 0)[1]:
        raise Refused
    return "it was made"


@probe("clone into a user namespace")
def _clone(_: Targets) -> str:
    for name, arguments in (
        ("clone", (_NEW_USER | signal.SIGCHLD, 0, 0, 0, 0)),
        ("clone3", (struct.pack("<11Q", _NEW_USER, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0), 88)),
    ):
        with contextlib.suppress(OSError):
            if (pid := call(name, *arguments)) == 0:
                os._exit(0)
            os.waitpid(pid, 0)
            return f"by {name}"
    raise Refused


@probe("mount")
def _mounts(to: Targets) -> str:
    call("mount", b"tmpfs", to["own"].encode(), b"tmpfs", 0, None)
    return "it was mounted"


@probe("take more cores")
def _cores(_: Targets) -> str:
    given = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    taken = os.sched_getaffinity(0)
    os.sched_setaffinity(0, given)
    if taken <= given:
        raise Refused
    return f"{len(taken)} instead of {len(given)}"


@probe("raise its priority")
def _priority(_: Targets) -> str:
    os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) - 1)
    return "it was raised"


@probe("hold capabilities")
def _capabilities(_: Targets) -> str:
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
    if int(status["CapEff"], 16) or int(status["CapPrm"], 16) or status["NoNewPrivs"] != "1":
        return f"{status['CapEff']}, no_new_privs {status['NoNewPrivs']}"
    raise Refused


@probe("keep a key")
def _key(_: Targets) -> str:
    call("add_key", b"user", b"harness-probe", b"x", 1, -2)
    return "it was kept"


@probe("keep shared memory")
def _shared(_: Targets) -> str:
    kept = call("shmget", 0, mmap.PAGESIZE, 0o1600)
    call("shmctl", kept, 0, None)  # taken away again
    return "it was kept"


@probe("keep a message queue")
def _queue(_: Targets) -> str:
    call("mq_open", b"harness-probe", os.O_CREAT | os.O_RDWR, 0o600, None)
    with contextlib.suppress(OSError):
        call("mq_unlink", b"harness-probe")
    return "it was kept"


@probe("find shared memory of others")
def _found(to: Targets) -> str:
    return Path("/dev/shm", to["shm"]).read_text()


@probe("use risky calls of the kernel")
def _risky(_: Targets) -> str:
    words = ctypes.create_string_buffer(256)
    for name, arguments in (
        ("io_uring_setup", (1, words)),
        ("bpf", (0, words, 8)),
        ("perf_event_open", (words, 0, -1, -1, 0)),
        ("userfaultfd", (0,)),
        ("open_by_handle_at", (-1, words, 0)),
        ("syslog", (10, 0, 0)),
    ):
        try:
            call(name, *arguments)
        except OSError as error:
            if error.errno in (1, 38):  # EPERM, ENOSYS
                continue
        return name
    raise Refused


@probe("type into a terminal")
def _type(_: Targets) -> str:
    slave = os.openpty()[1] if os.path.exists("/dev/ptmx") else 0
    try:
        call("ioctl", slave, 0x5412, b"x")
    except OSError as error:
        if error.errno in (1, 5):
            raise
    return "it was let"


@probe("switch the loader's randomness off")
def _personality(_: Targets) -> str:
    call("personality", 0x0040000)
    return "it was let"


@probe("call by other numbers")
def _other_numbers(_: Targets) -> str:
    if platform.machine() != "x86_64":
        raise Refused
    pid = os.fork()
    if pid == 0:
        libc.syscall(ctypes.c_long(X32 | 39))
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSYS:
        raise Refused
    return "it was let"


@probe("have the kernel wake many by a timer")
def _timers(_: Targets) -> str:
    """What fires while its owner is stopped, on the core that a reference has then."""
    made = ctypes.c_int()
    calls = {
        "timerfd_create": (1, 0),
        "timer_create": (1, None, ctypes.byref(made)),
        "signalfd4": (-1, ctypes.byref(ctypes.c_uint64(0)), 8, 0),
    }
    reached = []
    for name, arguments in calls.items():
        with contextlib.suppress(OSError):
            call(name, *arguments)
            reached.append(name)
    if not reached:
        raise Refused
    return ", ".join(reached)


@probe("let what is stopped go on")
def _go_on(_: Targets) -> str:
    """As one of a worker's processes could do for all others, while the harness stops them one by one."""
    os.kill(os.getpid(), signal.SIGCONT)
    return "SIGCONT was sent"


@probe("take back the mark of its peak memory")
def _mark(_: Targets) -> str:
    """What it had mapped between two readings shows in that mark alone."""
    with open("/proc/self/clear_refs", "w"):
        return "it can be written"


@probe("know the machine's name")
def _name(to: Targets) -> str:
    if socket.gethostname() != to["host"]:
        raise Refused
    return to["host"]


@probe("know the user's name")
def _user(to: Targets) -> str:
    import pwd

    try:
        name = pwd.getpwuid(to["uid"]).pw_name
    except KeyError:
        raise Refused from None
    if name in ("box", "root", "nobody"):  # that is nobody in particular
        raise Refused
    return name
