"""The parent's end of a zygote, with a thread of this process at the other end: it says what a test wants said."""

from __future__ import annotations

import array
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import SandboxFailed
from harness.isolation import zygotes
from harness.isolation.base import Inherited, environment
from harness.isolation.zygotes import Forked, Zygote, ZygoteLost
from tests.isolation.doubles import FakePopen, FakeProcess, order

pytestmark = pytest.mark.skipif(not zygotes.possible(), reason="workers are forked on Linux only")
READY = {"threads": 1, "memory": {"anon": 300, "file": 40}}
Answers = Callable[["Other", dict[str, Any]], Any]


class Other:
    """The zygote's end. It answers each order by `answers`, a fork after the worker's first word."""

    def __init__(self, sock: socket.socket, answers: Answers) -> None:
        self.sock, self.answers = sock, answers
        self.orders: list[dict[str, Any]] = []
        self.given: list[int] = []
        self.thread = threading.Thread(target=self._live)

    def says(self, words: Any) -> None:
        text = words if isinstance(words, bytes) else json.dumps(words).encode() + b"\n"
        self.sock.sendall(text)

    def _live(self) -> None:
        while True:
            words = b""
            with contextlib.suppress(ConnectionResetError):  # what it said was not read to its end
                words, fds, _, _ = socket.recv_fds(self.sock, 1 << 18, 3)
                self.given += fds
            if not words:
                return
            self.orders.append(json.loads(words))
            answer = self.answers(self, self.orders[-1])
            if answer is None:
                return
            if isinstance(answer, dict):
                answer = {"number": self.orders[-1]["number"], **answer}
            self.says(answer)

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        if self.thread.ident:
            self.thread.join()
        self.sock.close()
        for fd in self.given:
            os.close(fd)


def nothing(other: Other, words: dict[str, Any]) -> None:
    """Answers no order: it ends."""
    other.sock.shutdown(socket.SHUT_WR)


@pytest.fixture
def meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Zygote, Other]]]:
    """Makes a zygote that has said `first` and answers orders by `answers`; its only child is this process."""
    made: list[tuple[Zygote, Other]] = []
    monkeypatch.setattr(zygotes, "descendants", lambda pid: [pid, os.getpid()])
    monkeypatch.setattr(zygotes, "_FORK_SECONDS", 5.0)

    def make(first: Any = READY, answers: Answers = nothing) -> tuple[Zygote, Other]:
        ours, theirs = zygotes.ends()
        (tmp_path / "zygote").mkdir()
        process: Any = FakeProcess(pid=55)
        zygote = Zygote(process=process, sock=ours, home=tmp_path / "zygote")
        other = Other(theirs, answers)
        if first is not None:
            other.says(first)
        other.thread.start()
        made.append((zygote, other))
        return made[-1]

    yield make
    for zygote, other in made:
        zygote.close()
        other.end()


def forks(first: Any, then: Any = None) -> Answers:
    """A fork of which the worker says `first`; `then` answers other orders."""

    def answers(other: Other, words: dict[str, Any]) -> Any:
        if words["do"] != "fork":
            return then
        os.write(other.given[0], json.dumps(first).encode() + b"\n")
        os.write(other.given[1], b"out")
        os.write(other.given[2], b"err")
        return {"pid": 9}

    return answers


def test_a_zygote_that_is_ready_says_what_its_workers_inherit(meet: Any) -> None:
    zygote, _ = meet()
    assert (zygote.clean, zygote.lost, zygote.inherited) == (True, False, Inherited())
    zygote.ready()
    assert zygote.pid == os.getpid()  # by the kernel's word
    assert zygote.inherited == Inherited(300, 40, "pid 55")
    zygote.ready()  # it says so once


@pytest.mark.parametrize(
    ("first", "why", "lost"),
    [
        ({"threads": 1}, "it does not say what memory it holds", True),
        ({"threads": 1, "memory": []}, "it does not say what memory it holds", True),
        ({"threads": 3, "memory": {}}, "its imports started 2 threads", False),
        ({"threads": "1", "memory": {}}, "it does not say what it holds", True),
        ({"threads": True, "memory": {}}, "it does not say what it holds", True),
        ({"threads": 1, "memory": {"anon": -1}}, "it does not say what it holds", True),
        ({"threads": 1, "memory": {"anon": 2**63}}, "it does not say what it holds", True),
        ({"threads": 1, "memory": {"file": 1.0}}, "it does not say what it holds", True),
        ([READY], "what it says cannot be understood", True),
        (b"{no words\n", "what it says cannot be understood", True),
    ],
)
def test_a_zygote_that_cannot_promise_what_it_must_is_not_forked(
    meet: Any, first: Any, why: str, lost: bool
) -> None:
    zygote, _ = meet(first)
    with pytest.raises(ZygoteLost) as caught:
        zygote.ready()
    assert (str(caught.value), zygote.lost) == (why, lost)
    assert zygote.inherited == Inherited()


def test_a_zygote_that_says_nothing_in_time_or_ends_is_lost(
    meet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zygotes, "_IMPORT_SECONDS", 0.05)
    zygote, other = meet(None)
    with pytest.raises(ZygoteLost, match="it does not answer"):
        zygote.ready()
    other.sock.shutdown(socket.SHUT_WR)
    with pytest.raises(ZygoteLost, match="it ended before it said who it is"):
        zygote.ready()


def test_a_forked_worker_is_known_by_its_descriptor_and_its_words(meet: Any, tmp_path: Path) -> None:
    first = {"shm": "private"}
    zygote, other = meet(answers=forks(first, {"status": 3}))
    wanted = order(tmp_path)
    forked = zygote.fork(wanted, {"keep": True})
    assert other.orders == [
        {
            "do": "fork",
            "environment": environment(wanted),
            "scratch": str(wanted.scratch),
            "keep": True,
            "number": other.orders[0]["number"],
        }
    ]
    process = forked.process
    assert (process.pid, process.its_own, process.says) == (os.getpid(), 9, first)
    assert process.stdout is not None
    assert process.stderr is not None
    assert (process.stdout.read(3), process.stderr.read(3)) == (b"out", b"err")
    assert process.poll() is None
    os.write(other.given[0], b"!")
    assert forked.sock.recv(9) == b"!"
    os.close(process.descriptor)
    for end in (process.stdout, process.stderr, forked.sock):
        end.close()


def test_a_worker_needs_nothing_besides_its_order(meet: Any, tmp_path: Path) -> None:
    zygote, other = meet(answers=forks({}))
    forked = zygote.fork(order(tmp_path))
    assert set(other.orders[0]) == {"do", "environment", "scratch", "number"}
    os.close(forked.process.descriptor)
    for end in (forked.process.stdout, forked.process.stderr, forked.sock):
        end.close()


def taken(first: Any, second: Any, seen: list[Any]) -> Answers:
    """A fork of which the worker says `first`, and `second` only when it hears of its parent."""

    def answers(other: Other, words: dict[str, Any]) -> Any:
        if words["do"] != "fork":
            return {"status": 1}
        os.write(other.given[0], json.dumps(first).encode() + b"\n")

        def live() -> None:
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(other.given[0])) as its_socket:
                seen.append(its_socket.recv(9))
                if second is None:
                    its_socket.shutdown(socket.SHUT_WR)
                else:
                    its_socket.sendall(json.dumps(second).encode() + b"\n")

        threading.Thread(target=live).start()
        return {"pid": 9}

    return answers


def test_a_worker_in_a_box_goes_on_when_it_is_in_its_control_group(meet: Any, tmp_path: Path) -> None:
    seen: list[Any] = []
    zygote, _ = meet(answers=taken({}, {"landlock": 7}, seen))
    forked = zygote.fork(order(tmp_path), {}, seen.append)
    assert seen == [os.getpid(), b"\n"]  # the group first
    assert forked.process.says == {"landlock": 7}
    os.close(forked.process.descriptor)
    for end in (forked.process.stdout, forked.process.stderr, forked.sock):
        end.close()


@pytest.mark.parametrize(
    ("first", "second", "took", "words"),
    [
        (
            {"unconfined": "a mount was refused"},
            {},
            False,
            "a worker could not be confined: a mount was refused",
        ),
        ({}, {"unconfined": "no Landlock"}, True, "a worker could not be confined: no Landlock"),
        ({}, None, True, "what it says cannot be understood"),
    ],
)
def test_a_worker_that_cannot_go_on_in_its_box_is_told(
    meet: Any, tmp_path: Path, first: Any, second: Any, took: bool, words: str
) -> None:
    seen: list[Any] = []
    zygote, _ = meet(answers=taken(first, second, seen))
    with pytest.raises((SandboxFailed, ZygoteLost), match=words):
        zygote.fork(order(tmp_path), {}, seen.append)
    assert (os.getpid() in seen) is took


def failing(meet: Any, tmp_path: Path, answers: Answers) -> tuple[Zygote, Other, Exception]:
    """A fork that fails; none of our ends of the worker stays open."""
    zygote, other = meet(answers=answers)
    with pytest.raises((ZygoteLost, SandboxFailed)) as caught:
        zygote.fork(order(tmp_path))
    with socket.socket(fileno=os.dup(other.given[0])) as its_socket:
        its_socket.settimeout(1)
        assert its_socket.recv(1) == b""
    for fd in other.given[1:]:
        with pytest.raises(BrokenPipeError):
            os.write(fd, b"x")
    return zygote, other, caught.value


def test_a_worker_that_cannot_be_confined_is_reaped_and_its_ends_are_closed(
    meet: Any, tmp_path: Path
) -> None:
    answers = forks({"unconfined": "no Landlock"}, {"status": 1})
    zygote, other, error = failing(meet, tmp_path, answers)
    assert str(error) == "a worker could not be confined: no Landlock"
    assert other.orders[1] == {"do": "reap", "pid": 9, "number": other.orders[1]["number"]}
    # a worker can read its order: a count would tell it how many there were before
    numbers = {words["number"] for words in other.orders}
    assert len(numbers) == 2
    assert min(numbers) > 2
    assert (zygote.lost, zygote.clean) == (False, True)


def test_a_worker_that_is_no_child_of_the_zygote_is_not_believed(
    meet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zygotes, "descendants", lambda pid: [os.getpid(), 9])
    zygote, _, error = failing(meet, tmp_path, forks({}))
    assert str(error) == "the worker that answered is not a child of it"
    assert zygote.lost


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "it ended by itself"),
        ({"pid": "9"}, "it does not say what it holds"),
        ({}, "it does not say what it holds"),
        ({"number": 7, "pid": 9}, "it answers something that was not asked"),
        ([], "what it says cannot be understood"),
        (b"{", "what it says cannot be understood"),
    ],
)
def test_a_zygote_that_answers_anything_else_is_lost_for_good(
    meet: Any, tmp_path: Path, answer: Any, why: str
) -> None:
    def answers(other: Other, words: dict[str, Any]) -> Any:
        return nothing(other, words) if answer is None else answer

    zygote, other, error = failing(meet, tmp_path, answers)
    assert (str(error), zygote.lost) == (why, True)
    with pytest.raises(ZygoteLost, match="it did not answer before"):
        zygote.fork(order(tmp_path))
    assert len(other.orders) == 1


def test_a_zygote_that_does_not_answer_in_time_or_takes_no_orders_is_lost(
    meet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zygotes, "_FORK_SECONDS", 0.05)
    zygote, other = meet(answers=lambda other, words: None)
    with pytest.raises(ZygoteLost, match="it does not answer"):
        zygote.fork(order(tmp_path))
    zygote.lost = False
    other.sock.shutdown(socket.SHUT_RDWR)
    with pytest.raises(ZygoteLost, match="it takes no orders"):
        zygote.fork(order(tmp_path))


@pytest.mark.parametrize("answer", [{}, {"status": "0"}, {"status": 0}, None])
def test_a_worker_whose_end_is_not_told_was_killed_with_its_zygote(meet: Any, answer: Any) -> None:
    zygote, _ = meet(answers=lambda other, words: nothing(other, words) if answer is None else answer)
    zygote.ready()
    told = answer == {"status": 0}
    assert zygote.reap(11) == (0 if told else -int(signal.SIGKILL))
    assert zygote.clean is told


class Reaper:
    """A zygote that says how its workers ended."""

    def __init__(self) -> None:
        self.reaped: list[int] = []

    def reap(self, pid: int) -> int:
        self.reaped.append(pid)
        return 3


@pytest.fixture
def forked() -> Iterator[Forked]:
    """A worker that has not ended, nor will."""
    reading, writing = os.pipe()
    zygote: Any = Reaper()
    worker = Forked(zygote=zygote, pid=77, its_own=9, descriptor=reading, stdout=None, stderr=None, says={})
    yield worker
    os.close(writing)
    if worker.status is None:
        os.close(reading)


def test_the_end_of_a_worker_is_waited_for_by_its_descriptor(
    forked: Forked, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience: list[float | None] = []
    ended: list[Any] = [[], [], [(forked.descriptor, select.POLLIN)]]

    class Poll:
        def register(self, descriptor: int, events: int) -> None:
            assert (descriptor, events) == (forked.descriptor, select.POLLIN)

        def poll(self, milliseconds: float | None) -> Any:
            patience.append(milliseconds)
            return ended[len(patience) - 1]

    monkeypatch.setattr(zygotes, "select", SimpleNamespace(poll=Poll, POLLIN=select.POLLIN))
    notes: list[int] = []
    forked.afterwards = lambda: notes.append(1)
    waits = []
    for timeout in (0, 0.25):
        with pytest.raises(subprocess.TimeoutExpired) as caught:
            forked.wait(timeout=timeout)
        waits.append(caught.value.timeout)
    assert (waits, notes) == ([0.0, 0.25], [])
    assert forked.wait() == 3
    assert patience == [0, 250.0, None]
    assert (forked.wait(timeout=0), forked.poll()) == (3, 3)
    zygote: Any = forked.zygote
    assert (zygote.reaped, notes) == ([9], [1])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(forked.descriptor)


def test_a_worker_that_lives_has_no_status(forked: Forked) -> None:
    assert forked.poll() is None


def test_a_zygote_is_a_fresh_interpreter_in_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", popen := FakePopen(55))
    zygote = Zygote.start(order(tmp_path, stack=("numpy", "json:loads")))
    (fd,) = popen.more["pass_fds"]
    assert popen.command[1:] == [
        "-I",
        "-P",
        "-u",
        "-m",
        "harness.worker.zygote",
        str(fd),
        "numpy",
        "json:loads",
    ]
    assert (popen.more["close_fds"], popen.more["start_new_session"]) == (True, True)
    assert popen.more["cwd"] == zygote.home
    assert popen.more["env"] == environment(order(tmp_path, home=zygote.home, scratch=zygote.home))
    assert zygote.home.is_dir()
    assert zygote.sock.recv(1) == b""  # its end is with it alone
    zygote.close()
    assert not zygote.home.exists()
    process: Any = zygote.process
    assert (process.kills, process.waits) == (1, [None])


def test_a_zygote_that_cannot_be_started_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes = [tmp_path / "home"]
    homes[0].mkdir()
    monkeypatch.setattr(zygotes, "private_folder", lambda kind: homes[0])
    monkeypatch.setattr(subprocess, "Popen", popen := FakePopen(55, OSError(12, "Cannot allocate memory")))
    with pytest.raises(
        SandboxFailed, match=r"could not be started: .*Cannot allocate memory; check free memory"
    ):
        Zygote.start(order(tmp_path, stack=("numpy",)))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(popen.more["pass_fds"][0])
    assert not homes[0].exists()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A worker's socket: what comes may come in parts."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    with ours, theirs:
        yield ours, theirs


def test_a_first_word_is_read_to_its_end_and_the_kernel_says_whose_it_is(pair: Any) -> None:
    ours, theirs = pair
    theirs.sendall(b'{"a":')
    thread = threading.Timer(0.05, theirs.sendall, [b" [1]}\n"])
    thread.start()
    assert zygotes.hello(ours, 5.0) == ({"a": [1]}, os.getpid())
    thread.join()
    theirs.sendall(b"x")
    assert ours.recvmsg(9, 100)[1] == []  # afterwards nobody pays for it


def test_who_ends_within_its_first_word_has_said_nothing(pair: Any) -> None:
    ours, theirs = pair
    theirs.sendall(b'{"a":')
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(ZygoteLost, match="it ended before it said who it is"):
        zygotes.hello(ours, 5.0)


def test_without_the_kernels_word_nobody_is_believed(pair: Any) -> None:
    ours, theirs = pair
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
    theirs.sendall(b"{}\n")
    with pytest.raises(ZygoteLost, match="it ended before it said who it is"):
        zygotes.hello(ours, 5.0)


def test_descriptors_that_come_with_a_first_word_are_not_taken(pair: Any) -> None:
    ours, theirs = pair
    with open(os.devnull) as file:
        before = set(os.listdir("/proc/self/fd"))
        for words in (b'{"a":', b"1}\n"):
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file.fileno()] * 3))]
            theirs.sendmsg([words], rights)
        assert zygotes.hello(ours, 5.0).message == {"a": 1}
        assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("platform", "without", "possible"),
    [
        ("linux", "", True),
        ("darwin", "", False),
        ("linux", "pidfd_open", False),
        ("linux", "SCM_CREDENTIALS", False),
    ],
)
def test_workers_can_be_forked_where_linux_knows_them_by_descriptor_and_credentials(
    platform: str, without: str, possible: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zygotes, "sys", SimpleNamespace(platform=platform))
    if without:
        monkeypatch.delattr(os if hasattr(os, without) else socket, without)
    assert zygotes.possible() is possible
