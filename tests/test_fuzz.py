"""The wire under hostile peers: a short run of every fuzzer, and each fault that fuzzing has found, by name."""

from __future__ import annotations

import io
import os
import socket
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from harness.errors import Fault, HarnessError, SandboxFailed
from harness.inputs import tasks
from harness.inputs.submissions import read
from harness.instances import ArraySpec, BlobSpec, Instance, Request, Stage
from harness.isolation.levels import level
from harness.isolation.process import ProcessLevel
from harness.isolation.zygotes import Zygote
from harness.trials import channel, session
from harness.trials.channel import Channel, Late
from harness.trials.participant import Entry, Participant, Setting
from harness.trials.round import RawTrial, Round
from harness.trials.schedule import Plan
from harness.trials.watch import Limits
from harness.worker import wire
from tests.fuzz import __main__ as door
from tests.fuzz import hand_overs, live, parent_end, worker_end, zygote_end
from tests.fuzz.judged import Found

pytestmark = pytest.mark.skipif(not wire.has_memfd(), reason="this system has no memfd")
SEED = 7


def _nothing_wrong(found: Found, grown_mib: int = 32) -> None:
    assert not found.wrongs, found.wrong
    assert found.descriptors == 0
    assert found.grown_bytes < grown_mib * 2**20


@pytest.mark.slow
@pytest.mark.parametrize("refuse", [True, False])
def test_no_answer_that_is_not_the_one_due_is_taken(refuse: bool) -> None:
    found = parent_end.fuzz(9_000, SEED, refuse)
    _nothing_wrong(found)
    assert set(found.outcomes) == {
        "answer",
        "protocol_error",
        "crashed",
        "malformed",
        "out_of_memory",
        "timeout",
    }
    assert set(found.mutations) == set(parent_end.frames.MUTATIONS)


def test_a_worker_reads_a_frame_or_refuses_it() -> None:
    found = worker_end.fuzz(4_000, SEED)
    _nothing_wrong(found)
    assert set(found.outcomes) == {"read", "ProtocolError", "EOFError"}


def test_no_peer_holds_the_parent() -> None:
    found = live.fuzz(3 * len(live.BEHAVIOURS), SEED)
    _nothing_wrong(found)
    assert set(found.outcomes) == {"answer", "protocol_error", "timeout"}


def test_a_zygote_that_lies_is_lost_and_nothing_else_happens() -> None:
    found = zygote_end.fuzz(150, SEED)
    _nothing_wrong(found)
    assert found.outcomes == {"lost": 150}


def _adapters() -> bytes:
    """A file as lora's submissions hand it over."""
    out, rng = io.BytesIO(), np.random.default_rng(SEED)
    shapes = {"layer.A": (2, 8), "layer.B": (8, 2), "head.weight": (3, 8), "head.bias": (3,)}
    np.savez(out, **{name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})
    return out.getvalue()


def test_a_judge_reads_a_file_or_refuses_it() -> None:
    judge = hand_overs.loaded(tasks.find("lora").folder / "judge")
    found = hand_overs.fuzz_reader(1_100, SEED, _adapters(), judge.read, judge.Refused)
    _nothing_wrong(found)
    assert set(found.outcomes) == {"read", "refused"}
    assert set(found.mutations) == set(hand_overs.MUTATIONS)


def test_the_fuzzer_of_files_notices_a_reader_that_trusts_them() -> None:
    def trusting(content: bytes) -> None:
        with np.load(io.BytesIO(content)) as opened:
            for name in opened.files:
                opened[name].sum()

    assert hand_overs.fuzz_reader(200, SEED, _adapters(), trusting, zipfile.BadZipFile).wrongs


# The others take longer to prepare than to try.
QUICK = ("gradients", "long-context", "memory-budget", "small-data")


def test_no_hand_over_ends_as_our_fault() -> None:
    found = hand_overs.fuzz(160, SEED, QUICK)
    _nothing_wrong(found, grown_mib=512)  # libraries that are loaded on the way
    assert set(found.outcomes) >= {"ok", "wrong", "malformed"}


@pytest.mark.slow
def test_no_hand_over_of_any_other_task_ends_as_our_fault() -> None:
    others = sorted(tasks.all_tasks().keys() - set(QUICK))
    found = hand_overs.fuzz(20 * len(others), SEED, others)
    assert not found.wrongs, found.wrong
    assert {mutation.split(":")[0] for mutation in found.mutations} == set(others)


def test_the_fuzzer_of_hand_overs_notices_an_evaluation_that_falls_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def trusting(instance: Instance, answers: Any) -> Any:
        return 1 / max(0.0, *(float(np.max(answer)) for answer in answers.values()))

    monkeypatch.setattr(tasks.Task, "evaluate", lambda self, *given: trusting(*given))
    assert hand_overs.fuzz(40, SEED, ["gradients"]).wrongs


@pytest.mark.parametrize(
    ("harm", "frames"),
    [
        (lambda patch: patch.setattr(Channel, "unread", lambda self: False), 300),
        (lambda patch: patch.setattr(session, "_check_length", lambda *_: None), 200),
        (lambda patch: patch.setattr(session, "_MAY_FAULT", (1, 2, 3, 4)), 1500),
        (lambda patch: patch.setattr(wire, "MAGIC", b"\0\0\0\0"), 200),
        (lambda patch: patch.setattr(Channel, "_read", lambda self, size: self.sock.recv(size)[::-1]), 200),
    ],
    ids=["extra bytes", "lengths", "faults to pings", "magic", "order"],
)
def test_the_judge_notices_a_careless_parent(
    harm: Callable[[pytest.MonkeyPatch], None], frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parent_end, "PATIENT", 0.5)  # a careless parent may wait for what never comes
    harm(monkeypatch)
    assert parent_end.fuzz(frames, SEED).wrongs


@pytest.mark.slow
def test_the_door_runs_every_fuzzer_and_a_seed_says_the_same_twice(tmp_path: Path) -> None:
    assert door.main(["--frames", "500", "--raw", str(tmp_path / "raw.json")]) == 0
    assert len((tmp_path / "raw.json").read_text()) > 1000
    twice = [parent_end.fuzz(500, SEED) for _ in range(2)]
    assert twice[0].mutations == twice[1].mutations


# What fuzzing and reading found, one test each.


def test_a_worker_that_always_has_one_more_byte_ready_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(10_000))
    monkeypatch.setattr(channel.time, "monotonic", lambda: next(now))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(bytes(1000))
        talking = Channel(ours, deadline=50, refused=True)
        monkeypatch.setattr(Channel, "_read", lambda self, size: self.sock.recv(1))
        with pytest.raises(Late):
            talking.receive(1000)
        assert len(ours.recv(1000)) > 900


SOLUTION = """
import os, socket, stat, sys, time
import numpy as np

def wire():
    for fd in range(3, 1024):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                return fd
        except OSError:
            pass

class Solution:
    def __init__(self, context):
        self.context = context
    def answer(self, numbers):
        return numbers * 2
    def spoil(self, numbers):
        os.write(wire(), b"!")
        return numbers
    def later(self, numbers):
        import threading
        def write():
            while not (self.context.scratch / "go").exists():
                time.sleep(0.001)
            os.write(wire(), b"!")
            (self.context.scratch / "gone").touch()
        threading.Thread(target=write, daemon=True).start()
        return numbers
    def fail(self, numbers):
        raise ValueError("no")
    def nan(self, numbers):
        return np.full(3, np.nan)
    def linger(self, numbers):
        ours = socket.socket(fileno=wire())
        server = socket.create_server(("127.0.0.1", 0))
        stuck = socket.create_connection(server.getsockname())
        stuck.setblocking(False)
        try:
            while True:
                stuck.send(bytes(65536))
        except BlockingIOError:
            pass
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, (1).to_bytes(4, "little") + (60).to_bytes(4, "little"))
        socket.send_fds(ours, [bytes(64)], [stuck.fileno()])
        stuck.close()
        time.sleep(60)
"""
PHASES = ("answer", "spoil", "later", "fail", "nan", "linger")
CONTRACT = "class Contract:\n" + "".join(f"    def {name}(self, numbers): ...\n" for name in PHASES)
LIMITS = Limits(2**31, 32, 60.0, dict.fromkeys(PHASES, 20.0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "solution.py").write_text(SOLUTION)
    (tmp_path / "contract.py").write_text(CONTRACT)
    return tmp_path


@pytest.fixture
def worker(folder: Path) -> Iterator[session.Session]:
    seat = session.WorkerSpec(
        submission=folder,
        contract=folder / "contract.py",
        models={},
        device="cpu",
        threads=1,
        seed=0,
        limits=LIMITS,
    )
    started = session.start(level("process"), seat, "main")
    yield started
    started.close()


def _ask(worker: session.Session, phase: str) -> Any:
    request = Request("x", phase, {}, ArraySpec("float64", (3,)))
    return worker.call(request, {"numbers": np.ones(3)})[0]


@pytest.mark.parametrize(
    ("phase", "outcome"), [("fail", "crashed"), ("nan", "malformed"), ("spoil", "protocol_error")]
)
def test_a_worker_that_failed_is_ended_at_once(worker: session.Session, phase: str, outcome: str) -> None:
    with pytest.raises(Fault) as caught:
        _ask(worker, phase)
    assert caught.value.outcome == outcome
    assert worker.ended
    assert not psutil.pid_exists(worker.launched.pid)


@pytest.mark.parametrize("by", ["the next request", "the end"])
def test_a_byte_too_many_is_noticed_at_the_latest_by(worker: session.Session, by: str) -> None:
    _ask(worker, "later")
    scratch = worker.home / "scratch"
    (scratch / "go").touch()
    while not (scratch / "gone").exists():
        assert psutil.pid_exists(worker.launched.pid)
    if by == "the next request":
        with pytest.raises(Fault):
            _ask(worker, "answer")
    worker.close()
    assert worker.broken is not None
    assert worker.broken.outcome == "protocol_error"


def test_a_byte_too_many_after_the_last_answer_is_the_trials_outcome(
    worker: session.Session, folder: Path
) -> None:
    participant = Participant(entry=Entry(read("toy-squares", folder)), copy=folder, worker=worker)
    worker.broken = Fault("protocol_error", "the worker said more than its answer")
    participant.close()
    assert participant.trial(0, "i").outcome == "protocol_error"


def test_a_descriptor_that_is_slow_to_close_holds_nobody(
    worker: session.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel lets it through, too: it is seen before it is taken, and ends with its worker."""
    sock = worker.launched.sock
    if worker.refused:
        sock.setsockopt(socket.SOL_SOCKET, channel._SO_PASSRIGHTS, 1)
        worker.refused = False
    blocked: list[str] = []
    close = socket.socket.close

    def watched(self: socket.socket) -> None:
        # The lingering connection must have lost its other end before we let go of it.
        if self is sock and psutil.pid_exists(worker.launched.pid):
            blocked.append("closed while the worker lived")
        close(self)

    monkeypatch.setattr(socket.socket, "close", watched)
    with pytest.raises(Fault, match="sent a descriptor along"):
        _ask(worker, "linger")
    assert not blocked


def test_urgent_bytes_do_not_wake_the_parent_in_vain() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel.guard(ours)
        theirs.send(b"!", socket.MSG_OOB)
        assert ours.recv(10) == b"!"


def test_our_own_lack_of_memory_or_descriptors_is_not_the_workers_fault(
    worker: session.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> int:
        raise OSError(24, "Too many open files")

    large = Request("x", "answer", {}, BlobSpec(10))
    monkeypatch.setattr(os, "memfd_create", none)
    with pytest.raises(HarnessError, match=r"Too many open files.*check free memory"):
        worker.call(large, {"numbers": np.zeros(20_000)})
    assert worker.ended


def test_shared_memory_that_cannot_be_sealed_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def no(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fcntl, "fcntl", no)
    before = os.listdir("/proc/self/fd")
    for make in (lambda: wire.sealed_input(b"x"), lambda: wire.sized_output(9)):
        with pytest.raises(OSError, match="No space"):
            make()
    assert os.listdir("/proc/self/fd") == before


def test_a_worker_that_fails_before_it_has_a_submission_is_ours(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: session.Session) -> float:
        self._end()
        raise Fault("crashed", "the worker ended by itself with status 1 while it was starting")

    monkeypatch.setattr(session.Session, "ping", fails)
    seat = session.WorkerSpec(
        submission=folder,
        contract=folder / "contract.py",
        models={},
        device="cpu",
        threads=1,
        seed=0,
        limits=LIMITS,
    )
    with pytest.raises(SandboxFailed, match="before it was given a submission"):
        session.start(level("process"), seat, "main")


def test_a_lost_zygote_leaves_its_living_workers_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forking = ProcessLevel()
    seat = session.WorkerSpec(
        submission=folder,
        contract=folder / "contract.py",
        models={},
        device="cpu",
        threads=1,
        seed=0,
        limits=LIMITS,
        stack=("json",),
    )
    first = session.start(forking, seat, "main")
    assert first.launched.inherited.stack
    monkeypatch.setattr(Zygote, "_hear", lambda self, seconds: self._count(None))
    second = session.start(forking, seat, "main")
    try:
        assert not second.launched.inherited.stack
        assert _ask(first, "answer").tolist() == _ask(second, "answer").tolist() == [2, 2, 2]
    finally:
        first.close()
        second.close()
        forking.close()


HONEST = """
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b"x"
    def answer(self, numbers): return numbers * numbers % 97
"""
BREAKS = """
import os, stat
class Solution:
    def __init__(self, context): self.calls = 0
    def learn(self, numbers): return b"x"
    def answer(self, numbers):
        self.calls += 1
        for fd in range(3, 1024) if self.calls == 3 else ():
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode):
                    os.write(fd, b"!")
            except OSError:
                pass
        return numbers * numbers % 97
"""


@pytest.mark.parametrize("paired", [False, True])
def test_a_worker_that_breaks_the_protocol_costs_the_others_nothing(
    tmp_path: Path, toy: tasks.Task, paired: bool
) -> None:
    folders = {}
    for name, text in (("first", HONEST), ("breaks", BREAKS), ("last", HONEST + "\n")):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        (folders[name] / "solution.py").write_text(text)
    rows = np.random.default_rng(1).integers(0, 9999, size=(8, 60))
    spec = ArraySpec("int64", (60,), low=0, high=96)
    requests = tuple(
        Request(f"q{i}", "answer", {"numbers": row}, spec, timed=True) for i, row in enumerate(rows)
    )
    instance = Instance((Stage("main", requests, paired=paired),), hidden={})

    def taken(*names: str) -> dict[str, RawTrial]:
        entries = [Entry(read(toy.id, folders[name], name)) for name in names]
        order = np.random.default_rng(0)
        setting = Setting(task=toy, level=level("process"), device="cpu", threads=1)
        around = Round(
            setting=setting,
            instance=instance,
            instance_id="i",
            number=0,
            worker_seed=1,
            order=order,
            plan=Plan(pairs=2, most=2),
        )
        return dict(zip(names, around.run(entries), strict=True))

    three, two = taken("first", "breaks", "last"), taken("first", "last")
    assert three["breaks"].trial.outcome == "protocol_error"
    for name in two:
        assert three[name].trial.outcome == two[name].trial.outcome == "ok"
        assert len(three[name].trial.samples) == len(two[name].trial.samples) == 8
        assert three[name].answers.keys() == two[name].answers.keys() == {r.item for r in requests}
        assert all(np.array_equal(three[name].answers[i], a) for i, a in two[name].answers.items())
