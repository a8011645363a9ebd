"""A worker's loop, frame by frame, with a submission that is loaded into the test process."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.worker import serve, wire

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="workers share memory with their parent on Linux"),
    pytest.mark.usefixtures("own_imports"),
]
NONCE = b"0123456789abcdef"
CONTRACT = "class Contract:\n    def learn(self, number): ...\n    def answer(self, numbers): ...\n"
SOLUTION = """
import sys

class Solution:
    def __init__(self, context):
        self.context = context
        if context.seed == 13:
            raise ValueError("unlucky")

    def learn(self, number):
        if number == 1:
            raise MemoryError("full")
        if number == 2:
            sys.exit("enough")
        if number == 4:
            frame, held = sys._getframe(1), 0
            while frame and frame.f_code.co_name != "hears":
                held += sum(isinstance(value, bytes) and len(value) > 20 for value in frame.f_locals.values())
                frame = frame.f_back
            return b"%d" % held
        return "no bytes" if number == 3 else repr(vars(self.context)).encode()

    def answer(self, numbers):
        return numbers + 1
"""
NUMBERS = {"kind": "array", "dtype": "<i8", "shape": [2]}
Reply = tuple[int, int, bytes, int, bytes]


class Left(BaseException):
    """Stands for the process's end, with its status."""


class Worker:
    """The loop under test: what it is sent before it begins, and all that it says until it leaves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.folder = folder
        self.deaths: list[tuple[int, ...]] = []
        self.limits: list[tuple[Any, ...]] = []
        self.flushed: list[str] = []
        (folder / "solution.py").write_text(SOLUTION)
        (folder / "contract.py").write_text(CONTRACT)

        def left(status: int) -> None:
            raise Left(status)

        def stream(name: str) -> SimpleNamespace:
            return SimpleNamespace(flush=lambda: self.flushed.append(name), write=len)

        libc = SimpleNamespace(prctl=lambda *words: self.deaths.append(words))
        monkeypatch.setattr(serve, "ctypes", SimpleNamespace(CDLL=lambda name: libc))
        monkeypatch.setattr(resource, "setrlimit", lambda *words: self.limits.append(words))
        monkeypatch.setattr(serve.os, "_exit", left)
        monkeypatch.setattr(
            serve,
            "sys",
            SimpleNamespace(
                stdout=stream("out"), stderr=stream("err"), platform="linux", modules=sys.modules
            ),
        )

    def start(self, seed: int = 5) -> bytes:
        context = {
            "device": "cpu",
            "seed": seed,
            "threads": 2,
            "scratch": "/scratch",
            "models": {"small": "/models/small"},
            "limits": {"processes": 3},
        }
        places = {"submission": str(self.folder), "contract": str(self.folder / "contract.py")}
        return json.dumps({**places, "context": context}).encode()

    def hears(self, *frames: tuple[int, bytes] | tuple[int, bytes, int]) -> list[Reply]:
        """All replies to frames (opcode, payload, perhaps the memory for the answer); then the parent is gone."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            for item, (opcode, payload, *output) in enumerate(frames):
                flags = wire.OUT_MEMFD if output else 0
                header = wire.pack(opcode, flags, NONCE, item, len(payload))
                socket.send_fds(ours, [header + payload], output)
            ours.shutdown(socket.SHUT_WR)
            with pytest.raises(Left) as left:
                serve.serve(theirs)
            assert left.value.args == (0,)
            theirs.shutdown(socket.SHUT_WR)
            return list(replies(ours))


def replies(sock: socket.socket) -> Iterator[Reply]:
    """Opcode, flags, nonce, item and payload of each reply; what lies in shared memory has its length for payload."""
    with sock.makefile("rb") as file:
        while header := file.read(36):
            magic, opcode, flags, nonce, item, length = struct.unpack("<5sBH16sIQ", header)
            assert magic == b"MLSH\1"
            elsewhere = flags == wire.OUT_MEMFD and opcode != wire.FAULT
            yield opcode, flags, nonce, item, b"%d" % length if elsewhere else file.read(length)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Worker]:
    before = os.listdir("/proc/self/fd")
    yield Worker(monkeypatch, tmp_path)
    assert os.listdir("/proc/self/fd") == before


def call(phase: str, returns: Any = None, **arguments: Any) -> tuple[int, bytes]:
    return wire.CALL, wire.encode_call(phase, arguments, returns)


def test_a_submission_is_served_until_it_is_stopped(worker: Worker) -> None:
    numbers = call("answer", NUMBERS, numbers=np.array([1, 2], "<i8"))
    context = call("learn", {"kind": "blob", "max_bytes": 500}, number=0)
    later = call("learn", number=1)
    ready, answer, learnt, bye = worker.hears(
        (wire.START, worker.start()), numbers, context, (wire.STOP, b""), later
    )
    assert ready == (wire.READY, 0, NONCE, 0, b"")
    assert answer == (wire.RESULT, 0, NONCE, 1, struct.pack("<qq", 2, 3))
    assert learnt[:4] == (wire.RESULT, 0, NONCE, 2)
    assert bye == (wire.BYE, 0, NONCE, 3, bytes(16))
    assert eval(learnt[4], {"PosixPath": Path}) == {
        "device": "cpu",
        "seed": 5,
        "threads": 2,
        "scratch": Path("/scratch"),
        "models": {"small": Path("/models/small")},
        "limits": {"processes": 3},
    }


def test_the_bytes_of_a_request_are_not_kept_during_the_call(worker: Worker) -> None:
    asks = call("learn", {"kind": "blob", "max_bytes": 500}, number=4)
    assert worker.hears((wire.START, worker.start()), asks)[1] == (wire.RESULT, 0, NONCE, 1, b"0")


def test_it_dies_with_its_parent_leaves_no_core_and_loses_no_words(worker: Worker) -> None:
    assert worker.hears() == []
    assert worker.deaths == [(1, signal.SIGKILL)]  # PR_SET_PDEATHSIG
    most = min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
    assert worker.limits == [(resource.RLIMIT_CORE, (0, 0)), (resource.RLIMIT_NOFILE, (most, most))]
    assert worker.flushed == ["out", "err"]


def test_an_answer_is_put_where_the_parent_wants_it(worker: Worker) -> None:
    output = wire.sized_output(16)
    try:
        numbers = call("answer", NUMBERS, numbers=np.array([1, 2], "<i8"))
        _, *others = worker.hears((wire.START, worker.start()), (*numbers, output), (wire.STOP, b""))
        assert others == [(wire.RESULT, wire.OUT_MEMFD, NONCE, 1, b"16"), (wire.BYE, 0, NONCE, 2, bytes(16))]
        assert os.pread(output, 100, 0) == struct.pack("<qq", 2, 3)
    finally:
        os.close(output)


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (1, wire.FAULT_OUT_OF_MEMORY, "MemoryError: full"),
        (2, wire.FAULT_CRASHED, "SystemExit: enough"),
        (3, wire.FAULT_MALFORMED, "learn must return bytes, not str"),
    ],
)
def test_a_submissions_error_is_the_last_word(worker: Worker, number: int, code: int, words: str) -> None:
    failing = call("learn", {"kind": "blob", "max_bytes": 9}, number=number)
    ready, fault = worker.hears((wire.START, worker.start()), failing, call("learn", number=0))
    assert ready[0] == wire.READY
    assert fault[:4] == (wire.FAULT, code, NONCE, 1)
    assert fault[4].decode().splitlines()[-1] == words


def test_one_that_cannot_be_constructed_is_not_ready(worker: Worker) -> None:
    (fault,) = worker.hears((wire.START, worker.start(seed=13)), call("learn", number=0))
    assert fault[:4] == (wire.FAULT, wire.FAULT_CRASHED, NONCE, 0)
    assert (
        fault[4]
        .decode()
        .endswith('line 8, in __init__\n    raise ValueError("unlucky")\nValueError: unlucky')
    )


def test_one_that_lacks_a_phase_is_malformed(worker: Worker) -> None:
    (worker.folder / "solution.py").write_text("class Solution: ...")
    (fault,) = worker.hears((wire.START, worker.start()))
    assert fault[:4] == (wire.FAULT, wire.FAULT_MALFORMED, NONCE, 0)
    assert fault[4].startswith(b"class Solution has no method learn;")


@pytest.mark.parametrize("start", [b"{", b"[]", b"{}", b'{"submission": 1}'])
def test_an_order_that_names_no_submission_ends_it_without_a_word(worker: Worker, start: bytes) -> None:
    assert worker.hears((wire.START, start)) == []


def test_what_is_no_call_ends_it_without_a_word(worker: Worker) -> None:
    ready, *others = worker.hears(
        (wire.START, worker.start()), (wire.CALL, b"nonsense"), call("learn", number=0)
    )
    assert (ready[0], others) == (wire.READY, [])


@pytest.mark.parametrize(
    ("payload", "due"),
    [
        (b"", b""),
        (wire.encode_call("learn", {}, None), b""),
        (wire.encode_call("learn", {}, {"kind": "blob", "max_bytes": 9}), b""),
        (wire.encode_call("answer", {}, NUMBERS), bytes(16)),
    ],
)
def test_a_ping_is_answered_by_zeros_of_its_size_and_nothing_is_carried_out(
    worker: Worker, payload: bytes, due: bytes
) -> None:
    assert worker.hears((wire.PING, payload)) == [(wire.PONG, 0, NONCE, 0, due)]


def test_a_ping_is_answered_where_the_answer_would_be(worker: Worker) -> None:
    output = wire.sized_output(16)
    try:
        ping = wire.encode_call("answer", {}, NUMBERS)
        assert worker.hears((wire.PING, ping, output)) == [(wire.PONG, wire.OUT_MEMFD, NONCE, 0, b"16")]
    finally:
        os.close(output)


@pytest.mark.parametrize(("available", "due"), [(True, (5, 7)), (False, (0, 0)), (None, (0, 0))])
def test_the_last_word_says_what_torch_allocated_on_a_device(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, available: bool | None, due: tuple[int, int]
) -> None:
    peaks = {"max_memory_allocated": lambda: 5, "max_memory_reserved": lambda: 7}
    cuda = SimpleNamespace(is_available=lambda: available, **peaks)
    modules = {name: module for name, module in sys.modules.items() if name != "torch"}
    if available is not None:
        modules["torch"] = SimpleNamespace(cuda=cuda)
    monkeypatch.setattr(serve.sys, "modules", modules)
    *_, bye = worker.hears((wire.START, worker.start()), (wire.STOP, b""))
    assert bye == (wire.BYE, 0, NONCE, 1, struct.pack("<QQ", *due))


FLOOD = """
import os, resource, socket, sys
sys.path.insert(0, sys.argv[1])
from harness.worker.serve import limit_itself

os.setgroups([])
os.setresgid(60790, 60790, 60790)
os.setresuid(60790, 60790, 60790)
resource.setrlimit(resource.RLIMIT_NOFILE, (800, 800))

ours, theirs = socket.socketpair()
if not (child := os.fork()):
    if sys.argv[2] == "limited":
        limit_itself()
    kept = []
    file = os.open("/dev/null", os.O_RDONLY)
    sent = 0
    try:
        for _ in range(20):
            kept.append(socket.socketpair())
            socket.send_fds(kept[-1][0], [b"x"], [file] * 200)
            sent += 200
    except OSError as error:
        theirs.sendall(f"{sent} {error.errno}".encode())
        theirs.recv(1)
    os._exit(0)
print(ours.recv(100).decode())
one, other = socket.socketpair()
try:
    for _ in range(30):
        socket.send_fds(one, [b"x"], [0])
        socket.recv_fds(other, 1, 1)
    print("handed over")
except OSError as error:
    print(os.strerror(error.errno))
ours.sendall(b"x")
os.waitpid(child, 0)
"""


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may become another user"
)
@pytest.mark.parametrize(
    ("way", "ends"), [("limited", "handed over"), ("free", "Too many references: cannot splice")]
)
def test_a_worker_cannot_fill_the_count_of_descriptors_on_their_way(way: str, ends: str) -> None:
    """Of a user without rights, whose worker and harness share that count."""
    command = [sys.executable, "-c", FLOOD, str(Path(serve.__file__).parents[2]), way]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert tried.stderr == ""
    sent, how = tried.stdout.splitlines()
    assert int(sent.split()[0]) >= 200
    assert how == ends
