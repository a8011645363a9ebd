"""Probes of what lies outside a worker: files, the harness and its processes, sockets."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import glob
import os
import socket
import struct
import sys
from pathlib import Path

from harness.worker.probes.table import Refused, Targets, call, probe

_SEIZE = 0x4206
_DEPTH = 3  # site-packages/pack/tasks/task


@probe("read a file outside")
def _read(to: Targets) -> str:
    return Path(to["canary"]).read_text()


@probe("list a folder outside")
def _list(to: Targets) -> str:
    return " ".join(os.listdir(Path(to["canary"]).parent))


@probe("read a task or a reference")
def _read_tasks(to: Targets) -> str:
    """By the names that they have outside, and in every folder that Python imports from, as deep as a pack lies."""
    for place in to["hidden"]:
        for folder, _, names in os.walk(place):
            for name in names:
                with contextlib.suppress(OSError), open(f"{folder}/{name}", "rb"):
                    return f"{folder}/{name}"
    prefixes = {sys.prefix, sys.base_prefix, "/usr", "/usr/local"}
    places = [*sys.path, *(p for prefix in prefixes for p in glob.glob(f"{prefix}/lib/python*/*-packages"))]
    for file in {real for place in places if place for real in _tasks_in(os.path.realpath(place), _DEPTH)}:
        with contextlib.suppress(OSError), open(file, "rb"):
            return file
    raise Refused


@functools.cache
def _tasks_in(folder: str, depth: int) -> tuple[str, ...]:
    """Files of tasks and references that can be listed: task.toml, and what lies in a folder of references."""
    try:
        with os.scandir(folder) as entries:
            inside = list(entries)
    except OSError:
        return ()
    found = [entry.path for entry in inside if entry.name == "task.toml"]
    for entry in inside:
        if entry.is_dir(follow_symlinks=False):
            if entry.name == "reference_solutions":
                found += [f"{top}/{name}" for top, _, names in os.walk(entry.path) for name in names]
            elif depth:
                found += _tasks_in(entry.path, depth - 1)
    return tuple(found)


@probe("write a file outside")
def _write(to: Targets) -> str:
    with open(Path(to["canary"]).parent / "written", "x"):
        return "a file was made"


@probe("change a file outside")
def _change(to: Targets) -> str:
    with open(to["canary"], "r+"):
        return "it was opened"


@probe("truncate a file outside")
def _truncate(to: Targets) -> str:
    os.truncate(to["spare"], 0)
    return "it is empty"


@probe("change the mode of a file outside")
def _change_mode(to: Targets) -> str:
    os.chmod(to["spare"], 0o600)
    return "it was changed"


@probe("change what was handed in")
def _change_given(to: Targets) -> str:
    with contextlib.suppress(OSError):
        os.chmod(to["given"], 0o755)
    with open(Path(to["given"]) / "planted.py", "x"):
        return "a file was planted"


@probe("change the interpreter")
def _change_interpreter(_: Targets) -> str:
    file = Path(os.__file__).parent / f"planted-{os.getpid()}"
    with open(file, "x"):
        os.unlink(file)
        return "a file was planted"


@probe("change the kernel's settings")
def _settings(_: Targets) -> str:
    with open("/proc/sys/kernel/core_pattern", "r+"):
        return "core_pattern was opened"


@probe("read the harness's memory", "parent")
def _memory(to: Targets) -> str:
    with open(f"/proc/{to['parent']}/mem", "rb"):
        return "it was opened"


@probe("read the harness's environment", "parent")
def _environment(to: Targets) -> str:
    return str(len(Path(f"/proc/{to['parent']}/environ").read_bytes()))


@probe("reopen the harness's files", "parent")
def _files(to: Targets) -> str:
    folder = f"/proc/{to['parent']}/fd"  # the numbers tell nothing; what is behind one would
    with open(f"{folder}/{to['leak']}", "rb") as file:
        return file.read().decode()


@probe("enter the harness's root", "parent")
def _root(to: Targets) -> str:
    return " ".join(os.listdir(f"/proc/{to['parent']}/root"))


@probe("see the harness", "target")
def _see(to: Targets) -> str:
    words = Path(f"/proc/{to['target']}/cmdline").read_bytes()
    if to["marker"].encode() not in words:
        raise Refused
    return "its command line"


@probe("trace the harness", "target")
def _trace(to: Targets) -> str:
    call("ptrace", _SEIZE, to["target"], 0, 0)  # let go again when this process ends
    return "it was seized"


@probe("copy from the harness's memory", "target")
def _copy(to: Targets) -> str:
    words = ctypes.create_string_buffer(8)
    place = struct.pack("PL", ctypes.addressof(words), 8)
    try:
        call("process_vm_readv", to["target"], place, 1, struct.pack("PL", 4096, 8), 1, 0)
    except OSError as error:
        if error.errno != 14:  # EFAULT: nothing is there, but it was let look
            raise
    return "it was let look"


@probe("signal the harness", "target")
def _signal(to: Targets) -> str:
    os.kill(to["target"], 0)
    return "it may be killed"


@probe("hold the harness by a descriptor", "target")
def _hold(to: Targets) -> str:
    os.close(call("pidfd_open", to["target"], 0))
    return "it was opened"


@probe("limit the harness", "target")
def _limit(to: Targets) -> str:
    call("prlimit64", to["target"], 1, None, ctypes.create_string_buffer(16))
    return "its limits may be set"


@probe("move the harness to other cores", "target")
def _move(to: Targets) -> str:
    os.sched_setaffinity(to["target"], to["target_cores"])
    return "it was moved"


@probe("renice the harness", "target")
def _renice(to: Targets) -> str:
    os.setpriority(os.PRIO_PROCESS, to["target"], 19)
    return "it was reniced"


@probe("have the harness killed for memory", "target")
def _kill_first(to: Targets) -> str:
    with open(f"/proc/{to['target']}/oom_score_adj", "r+"):
        return "its score was opened"


@probe("connect over TCP")
def _tcp(to: Targets) -> str:
    with socket.socket() as sock:
        sock.settimeout(1.0)
        sock.connect(("127.0.0.1", to["tcp"]))
    return "it was answered"


@probe("send over UDP")
def _udp(to: Targets) -> str:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("127.0.0.1", to["udp"]))
    return "it was sent"


@probe("connect to an abstract socket")
def _abstract(to: Targets) -> str:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("\0" + to["abstract"])
    return "it was answered"


@probe("connect to a socket that has a path")
def _path_socket(to: Targets) -> str:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(to["path_socket"])
    return "it was answered"


@probe("use sockets of the kernel")
def _kernel_sockets(_: Targets) -> str:
    for family in (16, 17, 38, 40):  # netlink, packet, crypto, virtual machines
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_RAW if family < 38 else 5):
            return f"family {family}"
    raise Refused
