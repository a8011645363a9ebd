"""Each probe of what lies outside, where nothing stops it: that it does reach what it is about, and says so."""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.worker.probes import outside
from harness.worker.probes.table import PROBES, Refused
from tests.worker.forked import fork
from tests.worker.probes.test_table import ABOUT_THE_HARNESS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="probes are of Linux")
NOBODY = 1 << 22  # no process has this number


def tried(name: str, **targets: Any) -> str:
    return PROBES[name]({**targets, "born": {"target": None, "parent": None}})


@pytest.fixture
def bystander() -> Generator[int]:
    """A process that does nothing, to be tried in the harness's place."""
    pid = fork()
    if pid == 0:
        time.sleep(300)
        os._exit(0)
    yield pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    (tmp_path / "canary").write_text("sings")
    return tmp_path / "canary"


def test_files_outside_are_read_listed_and_made(canary: Path) -> None:
    assert tried("read a file outside", canary=str(canary)) == "sings"
    assert tried("list a folder outside", canary=str(canary)) == "canary"
    assert tried("change a file outside", canary=str(canary)) == "it was opened"
    assert canary.read_text() == "sings"
    assert tried("write a file outside", canary=str(canary)) == "a file was made"
    assert {path.name for path in canary.parent.iterdir()} == {"canary", "written"}


def test_a_file_outside_is_changed(tmp_path: Path) -> None:
    spare = tmp_path / "spare"
    spare.write_text("full")
    spare.chmod(0o644)
    assert tried("truncate a file outside", spare=str(spare)) == "it is empty"
    assert spare.read_text() == ""
    assert tried("change the mode of a file outside", spare=str(spare)) == "it was changed"
    assert stat.S_IMODE(spare.stat().st_mode) == 0o600


def test_what_was_handed_in_is_changed(tmp_path: Path) -> None:
    assert tried("change what was handed in", given=str(tmp_path)) == "a file was planted"
    assert [path.name for path in tmp_path.iterdir()] == ["planted.py"]


def test_a_file_is_planted_in_the_interpreter_and_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "__file__", str(tmp_path / "os.py"))
    os.utime(tmp_path, (0, 0))
    assert tried("change the interpreter") == "a file was planted"
    assert list(tmp_path.iterdir()) == []
    assert tmp_path.stat().st_mtime > 0  # so there was one


def test_what_proc_shows_of_a_process_is_told(bystander: int, canary: Path) -> None:
    assert tried("read the harness's memory", parent=bystander) == "it was opened"
    size = len(Path(f"/proc/{bystander}/environ").read_bytes())
    assert tried("read the harness's environment", parent=bystander) == str(size)
    assert set(tried("enter the harness's root", parent=bystander).split()) == set(os.listdir("/"))
    with canary.open() as file:
        assert tried("reopen the harness's files", parent=os.getpid(), leak=file.fileno()) == "sings"
    own = Path("/proc/self/cmdline").read_bytes().decode().split("\0")[0]
    assert tried("see the harness", target=bystander, marker=own) == "its command line"
    with pytest.raises(Refused):
        tried("see the harness", target=bystander, marker="harness-probe-0123")


def test_a_process_is_reached_by_calls_and_not_harmed(
    bystander: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals: list[tuple[int, int]] = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "kill", lambda *words: signals.append(words))
        assert tried("signal the harness", target=bystander) == "it may be killed"
    assert signals == [(bystander, 0)]
    before = os.listdir("/proc/self/fd")
    assert tried("hold the harness by a descriptor", target=bystander) == "it was opened"
    assert os.listdir("/proc/self/fd") == before
    assert tried("limit the harness", target=bystander) == "its limits may be set"
    cores = os.sched_getaffinity(bystander)
    assert (
        tried("move the harness to other cores", target=bystander, target_cores=[min(cores)])
        == "it was moved"
    )
    assert os.sched_getaffinity(bystander) == {min(cores)}
    assert tried("renice the harness", target=bystander) == "it was reniced"
    assert os.getpriority(os.PRIO_PROCESS, bystander) == 19
    assert tried("have the harness killed for memory", target=bystander) == "its score was opened"
    assert tried("copy from the harness's memory", target=bystander) == "it was let look"
    assert tried("trace the harness", target=bystander) == "it was seized"
    assert f"TracerPid:\t{os.getpid()}\n" in Path(f"/proc/{bystander}/status").read_text()


@pytest.mark.parametrize("name", sorted(ABOUT_THE_HARNESS - {"reopen the harness's files"}))
def test_nothing_is_told_of_a_process_that_is_not_there(name: str) -> None:
    with pytest.raises(OSError, match="No such"):
        tried(name, parent=NOBODY, target=NOBODY, target_cores=[0], marker="x")


@pytest.mark.parametrize(
    ("number", "reached"), [(errno.EFAULT, True), (errno.EPERM, False), (errno.ESRCH, False)]
)
def test_memory_at_a_place_where_nothing_is_was_looked_at(
    monkeypatch: pytest.MonkeyPatch, number: int, reached: bool
) -> None:
    passed: list[Any] = []

    def call(name: str, *arguments: Any) -> int:
        passed[:] = name, *arguments
        raise OSError(number, "no")

    monkeypatch.setattr(outside, "call", call)
    if reached:
        assert tried("copy from the harness's memory", target=5) == "it was let look"
    else:
        with pytest.raises(OSError, match="no"):
            tried("copy from the harness's memory", target=5)
    name, pid, into, places, other, others, flags = passed
    assert (name, pid, places, others, flags) == ("process_vm_readv", 5, 1, 1, 0)
    assert [struct.unpack("PL", words)[1] for words in (into, other)] == [8, 8]


def test_listeners_are_reached(tmp_path: Path) -> None:
    with (
        socket.socket() as tcp,
        socket.socket(type=socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as path,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        for sock in (tcp, udp):
            sock.bind(("127.0.0.1", 0))
        path.bind(str(tmp_path / "socket"))
        abstract.bind(f"\0{tmp_path}")
        for sock in (tcp, path, abstract):
            sock.listen(1)
        assert tried("connect over TCP", tcp=tcp.getsockname()[1]) == "it was answered"
        assert tried("send over UDP", udp=udp.getsockname()[1]) == "it was sent"
        udp.settimeout(5.0)
        assert udp.recv(9) == b"x"
        assert (
            tried("connect to a socket that has a path", path_socket=str(tmp_path / "socket"))
            == "it was answered"
        )
        assert tried("connect to an abstract socket", abstract=str(tmp_path)) == "it was answered"


def test_where_nobody_listens_nobody_is_reached(tmp_path: Path) -> None:
    with socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            tried("connect over TCP", tcp=tcp.getsockname()[1])
    with pytest.raises(FileNotFoundError):
        tried("connect to a socket that has a path", path_socket=str(tmp_path / "socket"))
    with pytest.raises(ConnectionRefusedError):
        tried("connect to an abstract socket", abstract=str(tmp_path))


# linux/socket.h: netlink, packet, crypto, virtual machines, each with a kind of socket that it has.
KERNEL_SOCKETS = [(16, socket.SOCK_RAW), (17, socket.SOCK_RAW), (38, 5), (40, 5)]


def test_sockets_of_the_kernel_are_tried_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[int, int]] = []
    allowed: set[int] = set()

    def opened(family: int, kind: int) -> socket.socket:
        made.append((family, kind))
        if family not in allowed:
            raise OSError(errno.EPERM, "no")
        return socket.socket()

    monkeypatch.setattr(outside, "socket", SimpleNamespace(socket=opened, SOCK_RAW=socket.SOCK_RAW))
    with pytest.raises(Refused):
        tried("use sockets of the kernel")
    assert made == KERNEL_SOCKETS
    for family, _ in KERNEL_SOCKETS:
        allowed = {family}
        assert tried("use sockets of the kernel") == f"family {family}"
