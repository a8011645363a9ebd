"""Peers with a will of their own, each on a thread: late, slow, deaf, half gone, or busy with the memory.

Here time matters: an exchange ends with one of the outcomes that its behaviour allows, and at most a
second after its deadline.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from harness.errors import Fault
from harness.instances import ArraySpec, Request
from harness.trials.channel import guard
from harness.trials.watch import Limits
from harness.worker import wire
from tests.fuzz.judged import Found, counted
from tests.fuzz.parent_end import Parent

LIMIT = 0.05
SMALL, LARGE = (Request(n, "phase", {}, ArraySpec("|u1", (size,))) for n, size in (("s", 24), ("l", 300_000)))
FULL = {"numbers": np.zeros(7_000, dtype="<i8")}  # nearly all that goes in line: more than the buffer holds
NONE: dict[str, Any] = {}
Play = Callable[[random.Random, socket.socket, threading.Event], None]


def _asked(sock: socket.socket) -> tuple[wire.Frame, int | None]:
    frame, _, output = wire.receive(sock)
    return frame, output


def _frame(sock: socket.socket, size: int = 24) -> bytes:
    frame, _ = _asked(sock)
    return wire.pack(wire.RESULT, 0, frame.nonce, frame.item, size) + bytes(size)


def _late(rng: random.Random, sock: socket.socket, over: threading.Event) -> None:
    """Answers rightly when it is too late."""
    said = _frame(sock)
    over.wait(10)
    sock.sendall(said)


def _slowly(rng: random.Random, sock: socket.socket, over: threading.Event) -> None:
    """A byte at a time, for ever too slow: each is a sign of life, none is in time."""
    for byte in _frame(sock):
        if over.wait(LIMIT / 20):
            return
        sock.sendall(bytes([byte]))


def _split(rng: random.Random, sock: socket.socket, over: threading.Event) -> None:
    """A right answer in pieces."""
    said = _frame(sock)
    cut = rng.randrange(1, len(said))
    sock.sendall(said[:cut])
    time.sleep(rng.random() * LIMIT / 50)
    sock.sendall(said[cut:])


def _deaf(rng: random.Random, sock: socket.socket, over: threading.Event) -> None:
    """Reads nothing, or so little that the request is never through."""
    while not over.wait(LIMIT / 10) and rng.random() < 0.7:
        sock.recv(1)
    over.wait(10)


def _mute(rng: random.Random, sock: socket.socket, over: threading.Event) -> None:
    _frame(sock)
    over.wait(10)


def _hangs_up(rng: random.Random, sock: socket.socket, over: threading.Event) -> None:
    """Closes one half or both, before, during or after its answer."""
    said = _frame(sock) if rng.random() < 0.8 else b""
    sock.sendall(said[: rng.randrange(len(said))] if said else b"")
    sock.shutdown(rng.choice((socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR)))
    over.wait(10 if rng.random() < 0.5 else 0)


def _urgent(rng: random.Random, sock: socket.socket, over: threading.Event) -> None:
    """Nothing but urgent bytes: they wake the reader and are no answer."""
    _frame(sock)
    sock.send(b"!", socket.MSG_OOB)
    over.wait(10)


def _descriptors(rng: random.Random, sock: socket.socket, over: threading.Event) -> None:
    """Descriptors by the hundred, with the answer and without."""
    said = _frame(sock)
    with contextlib.suppress(PermissionError):
        for _ in range(rng.randrange(1, 4)):
            socket.send_fds(sock, [rng.choice((b"x", said))], [sock.fileno()] * rng.choice((1, 253)))
    sock.sendall(bytes(64))
    over.wait(10)


def _lingers(rng: random.Random, sock: socket.socket, over: threading.Event) -> None:
    """The last descriptor of a connection that takes long to close, for the parent to close."""
    said = _frame(sock)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        stuck.connect(server.getsockname())
        stuck.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                stuck.send(bytes(65536))
        stuck.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, (1).to_bytes(4, "little") + (30).to_bytes(4, "little")
        )
        with contextlib.suppress(PermissionError):
            socket.send_fds(sock, [said], [stuck.fileno()])
            stuck.detach()
            over.wait(10)
            return
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes(8))
    sock.sendall(bytes(64))
    over.wait(10)


def _scribbles(rng: random.Random, sock: socket.socket, over: threading.Event) -> None:
    """Answers, and goes on writing to the shared memory and trying to shrink it while it is read."""
    frame, output = _asked(sock)
    assert output is not None
    with contextlib.closing(os.fdopen(output, "r+b", 0)):
        os.pwrite(output, b"\1" * 300_000, 0)
        sock.sendall(wire.pack(wire.RESULT, wire.OUT_MEMFD, frame.nonce, frame.item, 300_000))
        for value in range(2, rng.randrange(3, 40)):
            os.pwrite(output, bytes([value]) * 300_000, 0)
            with contextlib.suppress(PermissionError):
                os.ftruncate(output, 0)
                sock.shutdown(socket.SHUT_RDWR)  # it could: then nobody gets an answer


TIMEOUT, BROKEN, ANSWER = "timeout", "protocol_error", "answer"
BEHAVIOURS: dict[str, tuple[Play, Request, dict[str, Any], set[str], float]] = {
    "late": (_late, SMALL, NONE, {TIMEOUT}, LIMIT),
    "slowly": (_slowly, SMALL, NONE, {TIMEOUT}, LIMIT),
    "split": (_split, SMALL, NONE, {ANSWER}, 60.0),
    "deaf": (_deaf, SMALL, FULL, {TIMEOUT}, LIMIT),
    "mute": (_mute, SMALL, NONE, {TIMEOUT}, LIMIT),
    "hangs up": (_hangs_up, SMALL, NONE, {BROKEN, TIMEOUT}, LIMIT),
    "urgent": (_urgent, SMALL, NONE, {BROKEN, TIMEOUT}, LIMIT),
    "descriptors": (_descriptors, SMALL, NONE, {BROKEN}, 60.0),
    "lingers": (_lingers, SMALL, NONE, {BROKEN}, 5.0),
    "scribbles": (_scribbles, LARGE, NONE, {ANSWER}, 60.0),
}


def fuzz(count: int, seed: int, names: tuple[str, ...] = tuple(BEHAVIOURS)) -> Found:
    """`count` conversations, the behaviours in turn."""
    found = Found("independent peers, on threads")
    with counted(found):
        for number in range(count):
            name = names[number % len(names)]
            _one(found, random.Random(f"live/{seed}/{number}"), name, f"seed {seed}, number {number}: {name}")
    return found


def _one(found: Found, rng: random.Random, name: str, where: str) -> None:
    play, request, arguments, allowed, limit = BEHAVIOURS[name]
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    process = SimpleNamespace(poll=lambda: None, wait=lambda timeout=None: None, pid=-1)
    launched: Any = SimpleNamespace(sock=ours, process=process, pid=-1, cgroup=None)
    seat: Any = SimpleNamespace(limits=Limits(2**40, 99, limit, {"phase": limit}))
    watch: Any = SimpleNamespace(breach=None)
    parent = Parent(stage="main", seat=seat, launched=launched, home=Path(), watch=watch, refused=guard(ours))
    over = threading.Event()
    peer = threading.Thread(target=_played, args=(play, rng, theirs, over))
    peer.start()
    began = time.monotonic()
    try:
        parent.call(request, arguments)
        outcome = ANSWER
    except Fault as fault:
        outcome = fault.outcome
    except Exception as error:  # noqa: BLE001  (whatever else comes out is what is looked for)
        outcome = f"{type(error).__name__}: {error}"
    found.overrun = max(found.overrun, time.monotonic() - began - limit)
    over.set()
    parent._end()
    peer.join()
    found.frames += 1
    found.outcomes[outcome] += 1
    found.mutations[name] += 1
    if outcome not in allowed:
        found.blame(f"{where}: {outcome} where {' or '.join(sorted(allowed))} was due")


def _played(play: Play, rng: random.Random, sock: socket.socket, over: threading.Event) -> None:
    with sock, contextlib.suppress(OSError, EOFError, wire.ProtocolError):
        play(rng, sock, over)
