"""A session whose worker is no process: what it is told, what is taken of it, and how its end is told."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.errors import Fault, SandboxFailed
from harness.instances import ArraySpec, BlobSpec, Request
from harness.trials import session
from harness.trials.channel import Outgoing, guard
from harness.trials.session import Session, StartFault
from harness.trials.watch import Limits
from harness.worker import wire
from tests.fuzz.parent_end import Turns

pytestmark = pytest.mark.skipif(not wire.has_memfd(), reason="this system has no memfd")
NOTHING = Request("q", "answer", {}, None)
ANSWERS = {wire.START: wire.READY, wire.CALL: wire.RESULT, wire.STOP: wire.BYE, wire.PING: wire.PONG}


@dataclass
class Process:
    """A process that ends with `dying`, if at all, when it is waited for."""

    pid: int = 4711
    dying: int | None = None
    status: int | None = None
    waits: list[float | None] = field(default_factory=list)

    def poll(self) -> int | None:
        return self.status

    def wait(self, timeout: float | None = None) -> int | None:
        self.waits.append(timeout)
        self.status = self.dying if self.status is None else self.status
        return self.status


@dataclass
class Talk:
    """A session, and the worker's end of its socket, which answers as soon as a frame was sent.

    `answers` says what it answers to a frame; None: it hangs up.
    """

    session: Session
    process: Process
    theirs: socket.socket
    answers: Callable[[wire.Frame], bytes | None] = lambda frame: b""
    heard: list[tuple[int, int, bytes]] = field(default_factory=list)
    done: list[tuple[str, Any]] = field(default_factory=list)

    def turn(self) -> None:
        """One frame read as a worker does, and answered."""
        frame, payload, output = wire.receive(self.theirs)
        self.heard.append((frame.opcode, frame.flags, payload))
        answer = self.answers(frame)
        if answer is None:
            self.theirs.shutdown(socket.SHUT_WR)
        else:
            wire.answer(self.theirs, frame, answer, output, ANSWERS[frame.opcode])
        if output is not None:
            os.close(output)

    @property
    def described(self) -> Any:
        """What the worker was told last of the answer that is due."""
        return wire.decode_call(self.heard[-1][2]).returns


@pytest.fixture
def talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Talk]:
    ours, theirs = socket.socketpair()
    sock = Turns(fileno=ours.detach())
    refused = guard(sock)
    process, done = Process(), list[tuple[str, Any]]()
    launched: Any = SimpleNamespace(
        sock=sock,
        process=process,
        pid=process.pid,
        cgroup=None,
        group=None,
        swept=[],
        went_with_another=lambda: False,
    )
    watch: Any = SimpleNamespace(
        breach=None,
        known={},
        resting=False,
        read_now=lambda: done.append(("look", None)),
        rest=lambda: done.append(("rest", None)),
        stop=lambda: done.append(("stop", None)),
        cpu_seconds=lambda: 1.5,
    )
    seat: Any = SimpleNamespace(limits=Limits(1, 1, 5.0, {"answer": 5.0}), keep_scratch=None, start_most=9.0)
    monkeypatch.setattr(session, "kill_tree", lambda pid, *_: done.append(("kill", pid)))
    monkeypatch.setattr(session, "pause_tree", lambda pid, *_: done.append(("pause", pid)) or {pid, 4712})
    monkeypatch.setattr(session, "resume", lambda pids: done.append(("resume", set(pids))))
    home = tmp_path / "w"
    (home / "scratch").mkdir(parents=True)
    talking = Session(stage="main", seat=seat, launched=launched, home=home, watch=watch, refused=refused)
    made = Talk(talking, process, theirs, done=done)
    sock.peer = made.turn
    yield made
    theirs.close()
    sock.close()


@pytest.mark.parametrize(
    ("returns", "raw", "described"),
    [
        (ArraySpec("<i8", (2, 1)), bytes(16), {"kind": "array", "dtype": "<i8", "shape": [2, 1]}),
        (ArraySpec("|u1", (70_000,)), bytes(70_000), {"kind": "array", "dtype": "|u1", "shape": [70_000]}),
        (BlobSpec(50), b"some of it", {"kind": "blob", "max_bytes": 50}),
        (BlobSpec(70_000), b"some of it", {"kind": "blob", "max_bytes": 70_000}),
        (None, b"", None),
    ],
)
def test_a_call_says_what_is_due_and_gives_a_large_answer_a_place(
    talk: Talk, returns: Any, raw: bytes, described: Any
) -> None:
    talk.answers = lambda frame: raw
    answer, seconds = talk.session.call(Request("q", "answer", {}, returns), {"numbers": np.arange(2)})
    assert seconds > 0
    assert talk.described == described
    (opcode, flags, _) = talk.heard[-1]
    large = described is not None and 70_000 in (described.get("max_bytes"), *described.get("shape", ()))
    assert (opcode, flags) == (wire.CALL, wire.OUT_MEMFD if large else 0)
    if isinstance(returns, ArraySpec):
        assert isinstance(answer, np.ndarray)
        assert (answer.shape, answer.tobytes()) == (returns.shape, raw)
    else:
        assert answer == (raw if returns else None)
    assert not talk.session.ended


def test_calls_are_numbered_and_each_is_answered_by_its_own(talk: Talk) -> None:
    numbers: list[int] = []
    talk.answers = lambda frame: numbers.append(frame.item) or b""
    for _ in range(3):
        talk.session.call(NOTHING, {})
    assert numbers == [1, 2, 3]


def test_an_answer_that_is_malformed_ends_the_worker(talk: Talk) -> None:
    talk.answers = lambda frame: np.array([np.nan]).tobytes()
    with pytest.raises(Fault, match="NaN or infinite") as caught:
        talk.session.call(Request("q", "answer", {}, ArraySpec("<f8", (1,))), {})
    assert caught.value.outcome == "malformed"
    assert talk.session.ended
    assert ("kill", 4711) in talk.done


def test_an_empty_request_may_carry_what_a_real_one_would(talk: Talk) -> None:
    large = Request("q", "answer", {}, BlobSpec(70_000))
    assert talk.session.ping() > 0
    assert talk.heard[-1] == (wire.PING, 0, b"")
    assert talk.session.ping(large, {"numbers": np.arange(3)}) > 0
    assert talk.heard[-1][:2] == (wire.PING, wire.OUT_MEMFD)
    assert list(wire.decode_call(talk.heard[-1][2]).arguments["numbers"]) == [0, 1, 2]
    assert talk.session.ping(large) > 0
    assert wire.decode_call(talk.heard[-1][2]).arguments == {}
    assert talk.session.items == 0


def test_a_worker_is_given_its_submission_in_one_frame(talk: Talk) -> None:
    talk.session.begin(b"{}")
    assert talk.heard == [(wire.START, 0, b"{}")]
    assert 0 < talk.session.start_seconds < 5


def test_a_submissions_start_has_what_is_left_of_its_stage_and_the_harnesss_part_has_not(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float] = []
    exchange = session.Session.exchange

    def noted(self: session.Session, frame: Any, limit: float, request: Any) -> Any:
        limits.append(limit)
        return exchange(self, frame, limit, request)

    monkeypatch.setattr(session.Session, "exchange", noted)
    monkeypatch.setattr(talk.session.seat, "start_most", 3.0)
    talk.session.ping()
    talk.session.begin(b"{}")
    monkeypatch.setattr(talk.session.seat, "start_most", 9.0)
    talk.session.begin(b"{}")
    assert limits == [5.0, 3.0, 5.0]


def test_a_pause_lasts_until_the_next_request(talk: Talk) -> None:
    talk.session.pause()
    assert talk.done == [("pause", 4711), ("rest", None)]
    talk.session.watch.resting = True
    talk.session.call(NOTHING, {})
    assert talk.done[2:] == [("resume", {4711, 4712})]
    assert not talk.session.watch.resting
    talk.session.call(NOTHING, {})
    assert len(talk.done) == 3  # what is awake is not sent a signal each time


def test_what_has_ended_is_sent_no_signal_and_has_no_processor_time(talk: Talk) -> None:
    assert talk.session.cpu_seconds() == 1.5
    talk.session.pause()
    talk.process.dying = -9
    talk.session._end()
    assert talk.done[2:] == [("look", None), ("kill", 4711), ("stop", None)]
    talk.session.pause()  # its numbers may be another's by now
    talk.session.resume()
    talk.session._end()
    assert len(talk.done) == 5
    assert talk.session.cpu_seconds() is None
    assert talk.session.launched.sock.fileno() == -1


def test_a_living_worker_is_asked_for_last_words(talk: Talk) -> None:
    talk.answers = lambda frame: (7).to_bytes(8, "little") + (9).to_bytes(8, "little")
    talk.session.close()
    assert talk.heard == [(wire.STOP, 0, b"")]
    assert talk.session.says == {"allocated_bytes": "7", "reserved_bytes": "9"}
    assert talk.session.ended
    assert not talk.session.home.exists()


def test_last_words_of_no_device_are_not_kept(talk: Talk) -> None:
    talk.answers = lambda frame: bytes(16)
    talk.session.close()
    assert (len(talk.heard), talk.session.says) == (1, {})


@pytest.mark.parametrize("why", ["it owes an answer", "it is dead", "it broke a limit"])
def test_a_worker_that_cannot_answer_is_ended_unasked(talk: Talk, why: str) -> None:
    talk.session.asking = why == "it owes an answer"
    talk.process.status = 0 if why == "it is dead" else None
    talk.session.watch.breach = Fault("out_of_memory", "too much") if why == "it broke a limit" else None
    talk.session.close()
    assert talk.heard == []
    assert talk.session.ended


def test_what_a_worker_left_in_shared_memory_is_said(talk: Talk) -> None:
    talk.answers = lambda frame: bytes(16)
    talk.session.launched.swept += ["one", "two"]
    talk.session.close()
    assert talk.session.says == {"left in shared memory": "one, two"}


def test_scratch_may_be_kept_in_a_folder_that_is_there_already(talk: Talk, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (talk.session.home / "scratch" / "out").mkdir()
    (talk.session.home / "scratch" / "out" / "model").write_text("weights")
    talk.session.seat.keep_scratch = kept  # type: ignore[misc]
    talk.session.ended = True
    talk.session.close()
    assert (kept / "out" / "model").read_text() == "weights"
    assert not talk.session.home.exists()


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (None, "protocol_error", "the worker closed its connection {}"),
        (0, "crashed", "the worker ended by itself with status 0 {}"),
        (3, "crashed", "the worker ended by itself with status 3 {}"),
        (-11, "crashed", "the worker was killed by signal 11 {}"),
        (-9, "crashed", "the worker was killed by signal 9 {}; the system may have run out of memory"),
    ],
)
@pytest.mark.parametrize("request_", [NOTHING, None])
def test_an_end_without_an_answer_is_told_by_the_workers_status(
    talk: Talk, request_: Request | None, status: int | None, outcome: str, reason: str
) -> None:
    talk.process.dying = status  # known only once it is waited for
    talk.answers = lambda frame: None
    with pytest.raises(Fault) as caught:
        talk.session.exchange(Outgoing(wire.CALL, bytes(16), 1, b"", None), 5.0, request_)
    assert caught.value.outcome == outcome
    assert caught.value.reason == reason.format("during answer" if request_ else "while it was starting")
    assert talk.process.waits[0] == 1.0
    assert talk.session.ended


@pytest.mark.parametrize("status", [-9, -11])
def test_only_a_kill_together_with_its_parent_is_not_the_workers(talk: Talk, status: int) -> None:
    talk.process.dying = status
    talk.answers = lambda frame: None
    talk.session.launched.went_with_another = lambda: True  # type: ignore[method-assign]
    with pytest.raises(SandboxFailed if status == -9 else Fault, match="killed"):
        talk.session.call(NOTHING, {})
    assert talk.session.ended


@pytest.mark.parametrize("answer", [None, b"too much"])
def test_a_limit_that_was_passed_is_the_reason_whatever_came_of_it(talk: Talk, answer: bytes | None) -> None:
    talk.session.watch.breach = breach = Fault("out_of_memory", "it held more")
    talk.answers = lambda frame: answer
    with pytest.raises(Fault) as caught:
        talk.session.call(NOTHING, {})
    assert caught.value is breach


def test_what_broke_the_protocol_is_kept_for_the_record(talk: Talk) -> None:
    talk.answers = lambda frame: b"too much"
    with pytest.raises(Fault, match="announced 8 bytes where 0 were due") as caught:
        talk.session.call(NOTHING, {})
    assert talk.session.broken is caught.value
    assert caught.value.outcome == "protocol_error"


def test_a_session_lets_no_descriptor_in_unless_the_kernel_refuses_them(talk: Talk) -> None:
    """Nobody said that this kernel does: so each read is preceded by a look."""
    ours, theirs = socket.socketpair()
    plain = Session(
        stage="main",
        seat=talk.session.seat,
        launched=talk.session.launched,
        home=talk.session.home,
        watch=talk.session.watch,
    )
    plain.launched.sock.close()
    plain.launched.sock = sock = Turns(fileno=ours.detach())
    sock.setblocking(False)

    def turn() -> None:
        frame = wire.receive(theirs).frame
        answer = wire.pack(wire.RESULT, 0, frame.nonce, frame.item, 0)
        with open(os.devnull) as stray:
            socket.send_fds(theirs, [answer], [stray.fileno()])

    sock.peer = turn
    with theirs, pytest.raises(Fault, match="sent a descriptor along"):
        plain.call(NOTHING, {})
    assert plain.ended


def test_a_submission_that_cannot_be_loaded_says_why(talk: Talk) -> None:
    fault = Fault("crashed", "no module named nonsense")
    failed = StartFault(talk.session, fault)
    assert (str(failed), failed.fault, failed.session) == (fault.reason, fault, talk.session)


@pytest.mark.parametrize(
    ("code", "text", "outcome", "reason", "detail"),
    [
        (wire.FAULT_CRASHED, b"first\nlast line\n", "crashed", "last line", "first\nlast line\n"),
        (wire.FAULT_OUT_OF_MEMORY, b"a\nno room", "out_of_memory", "no room", "a\nno room"),
        (wire.FAULT_MALFORMED, b" two\nlines ", "malformed", "two\nlines", ""),
        (wire.FAULT_CRASHED, b" \n ", "crashed", "no words were given", " \n "),
        (wire.FAULT_MALFORMED, b"", "malformed", "no words were given", ""),
    ],
)
def test_an_error_of_the_submission_is_told_in_its_own_last_words(
    talk: Talk, code: int, text: bytes, outcome: str, reason: str, detail: str
) -> None:
    def turn() -> None:
        frame = wire.receive(talk.theirs).frame
        wire.fault(talk.theirs, frame, code, text.decode())

    talk.session.launched.sock.peer = turn  # type: ignore[attr-defined]
    with pytest.raises(Fault) as caught:
        talk.session.call(NOTHING, {})
    assert (caught.value.outcome, caught.value.reason, caught.value.detail) == (outcome, reason, detail)
    assert talk.session.ended
