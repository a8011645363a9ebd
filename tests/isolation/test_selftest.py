"""The self-test of a level, with a worker that only says what it reached: a thread at the other end of its socket."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import SandboxFailed
from harness.isolation import selftest
from harness.isolation.base import Checked, Launch, Launched
from harness.isolation.box import sharedmemory
from harness.isolation.tree import born
from harness.worker.probes.answering import BETWEEN, PROBES
from tests.isolation.doubles import FakeProcess

REFUSED = dict.fromkeys([*PROBES, *BETWEEN], "")
FIRST, SECOND = sorted(PROBES)[:2]
# What a worker does with its end of the socket and the targets that it was told.
Acts = Callable[[socket.socket, dict[str, Any]], None]


class FakeGroup:
    removed = 0

    def remove(self) -> None:
        self.removed += 1


class Level:
    """Starts workers that do as `acts` says, and notes how each was started and ended.

    `begun` are their orders; the attributes of one worker are the last one's.
    """

    def __init__(self, acts: Acts, **more: Any) -> None:
        self.acts, self.more = acts, more
        self.process = FakeProcess(status=0)
        self.errors = b""
        self.killed: list[int] = []
        self.targets: dict[str, Any] = {}
        self.fault: BaseException | None = None
        self.begun: list[Launch] = []
        self.seconds: list[bool] = []

    def start(self, order: Launch, more: Mapping[str, Any]) -> Launched:
        if self.begun:
            self.end()
        self.begun.append(order)
        self.order, self.asked_of_it = order, more
        ours, self.theirs = socket.socketpair()
        if self.errors:
            reading, writing = os.pipe()
            os.write(writing, self.errors)
            os.close(writing)
            self.process.stderr = os.fdopen(reading, "rb", 0)
        self.launched = Launched(process=self.process, sock=ours, places={order.home: "/box"}, **self.more)
        self.thread = threading.Thread(target=self._live)
        self.thread.start()
        return self.launched

    def _live(self) -> None:
        with self.theirs.makefile("rb") as reader:
            self.targets = json.loads(reader.readline())
            self.seconds.append(self.targets["second"])
        try:
            self.patience = self.launched.sock.gettimeout()
            self.acts(self.theirs, self.targets)
        except BaseException as error:  # noqa: BLE001  (told to the test)
            self.fault = error

    def run(self, *promised: str) -> Checked:
        try:
            return selftest.run(self.start, lambda launched: Checked({}, promised, ("the rest",)))
        finally:
            self.end()

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.theirs.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.theirs.close()
        if self.fault:
            raise self.fault


@pytest.fixture(autouse=True)
def shm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for shared memory of this test's own; and nothing is killed for real."""
    monkeypatch.setattr(sharedmemory, "FOLDER", tmp_path)
    monkeypatch.setattr(selftest, "kill_tree", lambda *words: killed.append(words))
    killed.clear()
    return tmp_path


killed: list[Any] = []


def says(words: Any) -> Acts:
    """A worker that says these words at once and then stays."""
    line = words if isinstance(words, bytes) else json.dumps(words).encode() + b"\n"
    return lambda sock, targets: sock.sendall(line)


def test_what_was_reached_is_told_with_the_promises(shm: Path) -> None:
    level = Level(says({**REFUSED, SECOND: "a file"}), cgroup=(group := FakeGroup()), keeper=5)
    assert level.run(FIRST) == Checked({**REFUSED, SECOND: "a file"}, (FIRST,), ("the rest",))
    assert level.asked_of_it == {"probe": True}
    assert (level.order.threads, level.order.device, level.order.stack) == (1, "cpu", ())
    assert level.patience == 20.0
    assert killed == [(level.process.pid, {}, group)] * 2
    assert level.process.waits == [None] * 2
    assert group.removed == 2
    assert level.seconds == [False, True]
    first, second = level.begun
    assert first.readable == second.readable
    assert not {first.home, first.scratch} & {second.home, second.scratch}
    assert level.launched.sock.fileno() == -1
    assert not level.order.home.parent.exists()
    assert not list(shm.iterdir())


def test_a_promise_that_does_not_hold_is_told_by_name() -> None:
    level = Level(says({**REFUSED, SECOND: "the key"}))
    with pytest.raises(SandboxFailed) as caught:
        level.run(FIRST, SECOND)
    assert str(caught.value) == (
        f"the isolation does not hold on this machine: a worker could {SECOND} (the key); "
        "choose another level or mend the system"
    )
    assert level.process.waits == [None] * 2


@pytest.mark.parametrize(("length", "shown"), [(60, "x" * 60), (61, "x" * 57 + "...")])
def test_what_a_worker_reached_is_quoted_in_a_line(length: int, shown: str) -> None:
    with pytest.raises(SandboxFailed, match=rf"\({shown}\);".replace("...", r"\.\.\.")):
        Level(says({**REFUSED, FIRST: "x" * length})).run(FIRST)


def test_a_probe_that_was_not_tried_ends_the_test_whatever_is_promised() -> None:
    with pytest.raises(SandboxFailed, match=f"did not come to the probe '{FIRST}'; run it again"):
        Level(says({})).run()
    last = sorted(REFUSED)[-1]
    with pytest.raises(SandboxFailed, match=f"did not come to the probe '{last}'; run it again"):
        Level(says({name: "" for name in REFUSED if name != last})).run()


@pytest.mark.parametrize(("boxed", "owned"), [(False, []), (True, ["/tmp", "/dev/shm", "/dev"])])
def test_only_in_a_box_are_the_machines_folders_the_workers_to_change(boxed: bool, owned: list[str]) -> None:
    level = Level(says(REFUSED), boxed=boxed)
    level.run()
    assert level.targets["owned"] == owned


def test_what_the_second_worker_found_counts_as_what_the_first_reached() -> None:
    name = sorted(BETWEEN)[0]
    first = {**dict.fromkeys(PROBES, ""), FIRST: "it"}

    def acts(sock: socket.socket, targets: dict[str, Any]) -> None:
        answer = {**dict.fromkeys(BETWEEN, ""), name: "a word"} if targets["second"] else first
        sock.sendall(json.dumps(answer).encode() + b"\n")

    assert Level(acts).run().reached == {**REFUSED, FIRST: "it", name: "a word"}
    with pytest.raises(SandboxFailed, match=rf"a worker could {name} \(a word\)"):
        Level(acts).run(name)


def test_an_answer_may_come_in_parts() -> None:
    line = json.dumps(REFUSED).encode() + b"\n"

    def acts(sock: socket.socket, targets: dict[str, Any]) -> None:
        for place in (0, 100):
            sock.sendall(line[place : place + 100] if place == 0 else line[place:])
            threading.Event().wait(0.05)

    assert Level(acts).run(FIRST).reached == REFUSED


def test_an_answer_has_an_end() -> None:
    flood = json.dumps({**REFUSED, FIRST: "x" * 400_000}).encode() + b"\n"

    def acts(sock: socket.socket, targets: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # nobody reads it to its end
            sock.sendall(flood)

    with pytest.raises(SandboxFailed, match="ended without an answer"):
        Level(acts).run()


@pytest.mark.parametrize(
    ("errors", "sent", "last"),
    [
        (b"Traceback\n  here\nImportError: no numpy\n", b"", "ImportError: no numpy"),
        (b"\n", b"", "nothing was said"),
        (b"", b"", "nothing was said"),
        (b"a warning\n", b"{", "nothing was said"),
    ],
)
def test_a_worker_that_ends_without_an_answer_is_quoted(errors: bytes, sent: bytes, last: str) -> None:
    def acts(sock: socket.socket, targets: dict[str, Any]) -> None:
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)

    level = Level(acts)
    level.errors = errors
    with pytest.raises(SandboxFailed) as caught:
        level.run()
    assert str(caught.value) == f"the isolation's self-test ended without an answer: {last}"
    assert level.process.stderr is None or level.process.stderr.closed


def test_a_worker_that_says_nothing_and_stays_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selftest, "_SECONDS", 0.05)
    level = Level(lambda sock, targets: None)
    reading, writing = os.pipe()
    level.process.stderr = os.fdopen(reading, "rb", 0)
    with pytest.raises(SandboxFailed, match="without an answer: nothing was said"):
        level.run()
    os.close(writing)


def test_every_target_can_be_reached_by_who_is_not_held(shm: Path) -> None:
    """A probe whose target is not there would be refused everywhere."""

    def acts(sock: socket.socket, targets: dict[str, Any]) -> None:
        marker = targets["marker"]
        for file in (targets["canary"], targets["spare"], shm / targets["shm"], f"/dev/fd/{targets['leak']}"):
            assert Path(file).read_text() == marker
        assert os.get_inheritable(targets["leak"])
        assert os.environ["HARNESS_PROBE_TOKEN"] == marker
        for kind, family, address in (
            (socket.SOCK_STREAM, socket.AF_INET, ("127.0.0.1", targets["tcp"])),
            (socket.SOCK_DGRAM, socket.AF_INET, ("127.0.0.1", targets["udp"])),
            (socket.SOCK_STREAM, socket.AF_UNIX, f"\0{targets['abstract']}"),
            (socket.SOCK_STREAM, socket.AF_UNIX, targets["path_socket"]),
        ):
            with socket.socket(family, kind) as one:
                one.connect(address)
        assert targets["born"] == {"parent": born(os.getpid()), "target": born(targets["target"])}
        assert None not in targets["born"].values()
        assert targets["parent"] == os.getpid()
        assert (targets["given"], targets["own"]) == (str(level.order.readable[0]), "/box/scratch")
        assert (level.order.readable[0] / "solution.py").read_text() == ""
        assert level.order.scratch.is_dir()
        sock.sendall(json.dumps(REFUSED).encode() + b"\n")

    level = Level(acts)
    level.run()
    assert "HARNESS_PROBE_TOKEN" not in os.environ
    assert born(level.targets["target"]) is None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(level.targets["leak"])


def test_a_worker_that_takes_its_targets_away_breaks_nothing(shm: Path) -> None:
    def acts(sock: socket.socket, targets: dict[str, Any]) -> None:
        shutil.rmtree(level.order.home.parent, ignore_errors=targets["second"])
        (shm / targets["shm"]).unlink(missing_ok=targets["second"])
        sock.sendall(json.dumps(REFUSED).encode() + b"\n")

    level = Level(acts)
    assert level.run(FIRST).reached == REFUSED


def test_two_checks_have_one_word_if_the_same_was_refused() -> None:
    refused = Checked({FIRST: "", SECOND: "a"}, (FIRST,), ())
    assert len(selftest.digest(refused)) == 12
    assert selftest.digest(replace(refused, reached={SECOND: "b", FIRST: ""})) == selftest.digest(refused)
    assert selftest.digest(replace(refused, reached={FIRST: "", SECOND: ""})) != selftest.digest(refused)
    assert selftest.digest(Checked()) == ""
