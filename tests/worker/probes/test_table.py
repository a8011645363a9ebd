"""How probes are called and answered; whom they are about; and that a call says what the kernel said."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from harness.worker.probes import answering, table

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="probes are of Linux")


class Left(BaseException):
    """Stands for the process's end, with its status."""


class Parent:
    """The parent's end of the socket: sends parts, and hears what is answered."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = list(parts)
        self.heard = b""

    def recv(self, size: int) -> bytes:
        return self.parts.pop(0)

    def sendall(self, words: bytes) -> None:
        self.heard += words

    def fileno(self) -> int:
        return 17


def answered(parent: Parent, monkeypatch: pytest.MonkeyPatch) -> int:
    """The status with which the worker that answers the probes leaves."""

    def left(status: int) -> None:
        raise Left(status)

    monkeypatch.setattr(answering.os, "_exit", left)
    sock: Any = parent
    with pytest.raises(Left) as caught:
        answering.answer(sock)
    return int(caught.value.args[0])


def test_every_probe_is_tried_with_the_targets_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(to: table.Targets) -> str:
        raise PermissionError("no")

    tried = {"look": lambda to: f"{to['canary']} {to['socket']}", "do": lambda to: "", "break": refused}
    monkeypatch.setattr(answering, "PROBES", tried)
    monkeypatch.setattr(answering, "BETWEEN", {})
    parent = Parent(b'{"second": false, "canary": ', b'"bird"}\n')
    assert answered(parent, monkeypatch) == 0
    assert parent.heard.endswith(b"\n")
    assert json.loads(parent.heard) == {"look": "bird 17", "do": "it was let", "break": ""}


def test_the_first_worker_leaves_what_it_can_and_the_second_only_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[str] = []

    def refused(to: table.Targets) -> str:
        raise PermissionError("no")

    monkeypatch.setattr(answering, "PROBES", {"do": lambda to: "done"})
    between = {
        "one": SimpleNamespace(leave=refused, find=refused),
        "two": SimpleNamespace(leave=lambda to: left.append(to["token"]), find=lambda to: to["token"]),
    }
    monkeypatch.setattr(answering, "BETWEEN", between)
    first = Parent(b'{"second": false, "token": "t"}\n')
    assert answered(first, monkeypatch) == 0
    assert (json.loads(first.heard), left) == ({"do": "done"}, ["t"])
    second = Parent(b'{"second": true, "token": "t"}\n')
    assert answered(second, monkeypatch) == 0
    assert (json.loads(second.heard), left) == ({"one": "", "two": "t"}, ["t"])


def test_a_parent_that_is_gone_before_it_named_the_targets_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = Parent(b'{"canary": ', b"")
    assert answered(parent, monkeypatch) == 1
    assert parent.heard == b""


def test_a_probe_stays_a_function_and_is_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "PROBES", {})

    @table.probe("a thing")
    def plain(to: table.Targets) -> str:
        return f"reached {to['it']}"

    @table.probe("the harness", "parent")
    def about(to: table.Targets) -> str:
        return f"saw {to['it']}"

    assert plain({"it": 1}) == table.PROBES["a thing"]({"it": 1}) == "reached 1"
    assert about({"it": 2}) == "saw 2"
    with pytest.raises(KeyError, match="parent"):  # it is looked for before it is tried
        table.PROBES["the harness"]({"it": 2})
    known = {"it": 2, "parent": os.getpid(), "born": {"parent": None}}
    assert table.PROBES["the harness"](known) == "saw 2"


def born() -> int:
    with open("/proc/self/stat") as file:
        return int(file.read().rpartition(")")[2].split()[19])


@pytest.mark.parametrize(
    ("pid", "later", "another"), [(None, 0, False), (None, 1, True), (1 << 22, 0, False)]
)
def test_a_process_is_another_if_it_was_born_at_another_time(
    pid: int | None, later: int, another: bool
) -> None:
    assert table.is_another(pid or os.getpid(), born() + later) is another


def test_what_cannot_be_told_is_not_another(monkeypatch: pytest.MonkeyPatch) -> None:
    assert table.is_another(os.getpid(), None) is False
    monkeypatch.setattr(table.os, "readlink", lambda path: "1234567")  # a /proc of other numbers
    assert table.is_another(os.getpid(), born() + 1) is False


@pytest.mark.parametrize("result", [0, 1, 5])
def test_a_call_reaches_the_kernel_with_whole_numbers(monkeypatch: pytest.MonkeyPatch, result: int) -> None:
    passed: list[Any] = []
    libc = SimpleNamespace(syscall=lambda *words: passed.extend(words) or result)
    monkeypatch.setattr(table, "libc", libc)
    monkeypatch.setattr(table, "number", {"mount": 165}.__getitem__)
    assert table.call("mount", b"tmpfs", 1 << 40, None) == result
    number, *arguments = passed
    assert isinstance(number, ctypes.c_long)
    assert number.value == 165
    assert [a.value if isinstance(a, ctypes.c_long) else a for a in arguments] == [b"tmpfs", 1 << 40, None]


def test_a_call_that_is_refused_says_why() -> None:
    ctypes.set_errno(0)
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        table.call("pidfd_send_signal", -1, 0, None, 0)
    assert caught.value.errno == errno.EBADF


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> Callable[..., bool]:
    """Whether the probe about a signal gets through to this process, said to be born at a time."""
    monkeypatch.setattr(os, "kill", lambda pid, number: None)

    def tried(born: int | None) -> bool:
        targets = {"target": os.getpid(), "born": {"target": born, "parent": born}}
        try:
            return bool(table.PROBES["signal the harness"](targets))
        except table.Refused:
            return False

    return tried


def test_a_probe_counts_only_the_harness_itself(reached: Callable[..., bool]) -> None:
    assert reached(born())
    assert not reached(born() + 1)  # another process has that number in here


def test_whoever_cannot_be_told_apart_counts_as_the_harness(
    reached: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reached(None)

    def hidden(path: str) -> None:
        raise PermissionError(errno.EACCES, "hidden", path)

    with monkeypatch.context() as patch:
        patch.setattr(table, "open", hidden, raising=False)
        assert reached(born() + 1)
    with monkeypatch.context() as patch:  # a /proc that shows the processes of other numbers
        patch.setattr(table.os, "readlink", lambda path: "1234567")
        assert reached(born() + 1)
    with monkeypatch.context() as patch:
        patch.setattr(table.os, "readlink", hidden)
        assert reached(born() + 1)


ABOUT_THE_HARNESS = {
    "read the harness's memory",
    "read the harness's environment",
    "reopen the harness's files",
    "enter the harness's root",
    "see the harness",
    "trace the harness",
    "copy from the harness's memory",
    "signal the harness",
    "hold the harness by a descriptor",
    "limit the harness",
    "move the harness to other cores",
    "renice the harness",
    "have the harness killed for memory",
}


def test_no_probe_touches_another_process_that_has_the_harnesss_number() -> None:
    later = born() + 1
    targets = {"target": os.getpid(), "parent": os.getpid(), "born": {"target": later, "parent": later}}
    mine = os.sched_getaffinity(0)
    for name in ABOUT_THE_HARNESS:
        with pytest.raises(table.Refused):  # by itself: the targets lack what the attack would need
            answering.PROBES[name](targets)
    assert os.sched_getaffinity(0) == mine
