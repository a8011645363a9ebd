"""Hostile answers to the parent's end: a real session over a real socket, whose peer answers inside its send.

Parent and peer take turns in one thread, so a frame costs some tens of microseconds and every run of a
seed is the same. Only the process, the watch and the killing are left out: `live` and the tests have them.
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from harness.errors import Fault
from harness.instances import ArraySpec, BlobSpec, Request
from harness.trials import session
from harness.trials.channel import Outgoing, guard
from harness.trials.watch import Limits
from harness.worker import wire
from tests.fuzz import frames
from tests.fuzz.frames import Due, Said
from tests.fuzz.judged import Found, counted

BATCH = 1000
PATIENT, SHORT = 60.0, 0.003
SILENCE = 0.01  # the share of peers that would rather be silent than hang up: then the deadline is near
_F_ADD_SEALS = 1033

ARGUMENTS = {"numbers": np.arange(4, dtype="<i8")}
MANY = {"numbers": np.zeros(9_000, dtype="<i8")}  # more than goes in line
CALLS = (
    Request("a", "phase", {}, ArraySpec("<i8", (3,))),
    Request("b", "phase", {}, BlobSpec(50)),
    Request("c", "phase", {}, None),
    Request("d", "phase", {}, ArraySpec("|u1", (70_000,))),
    Request("e", "phase", {}, BlobSpec(70_000)),
)
WEIGHTS = (6, 3, 2, 1, 1)


class Parent(session.Session):
    """A session whose worker is no process: its end closes the socket and kills nobody."""

    def _end(self) -> None:
        self.ended = True
        self.launched.sock.close()


class Turns(socket.socket):
    """A socket that lets the peer have its turn as soon as something was sent."""

    peer: Callable[[], None]

    def send(self, *what: Any) -> int:  # type: ignore[override]
        """Sends, then the peer's turn."""
        sent = super().send(*what)
        self.peer()
        return sent

    def sendmsg(self, *what: Any) -> int:  # type: ignore[override]
        """Sends, then the peer's turn."""
        sent = super().sendmsg(*what)
        self.peer()
        return sent


class _Written:
    """Where an honest worker's own code writes its answer to."""

    def __init__(self) -> None:
        self.data = b""

    def sendall(self, data: bytes) -> None:
        self.data += data


@dataclass
class Peer:
    """One conversation: a session, and the stranger at the other end of its socket."""

    rng: random.Random
    refuse: bool
    stray: int
    before: bytes = b""
    said: Said = field(default_factory=lambda: Said(()))
    due: Due = field(default_factory=lambda: Due(0, b"", 0, 0, 0))
    memory: bytes = b""
    honest: bytes = b""
    silent: bool = False
    broke: str = ""

    def __post_init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        sock = Turns(fileno=ours.detach())
        refused = guard(sock) if self.refuse else False
        if not self.refuse:
            sock.setblocking(False)
        sock.peer = self.turn
        self.refused = refused
        self.limits: dict[str, float] = {"phase": PATIENT}
        limits = Limits(2**40, 99, PATIENT, self.limits)
        process = SimpleNamespace(poll=lambda: None, wait=lambda timeout=None: None, pid=-1)
        launched: Any = SimpleNamespace(sock=sock, process=process, pid=-1, cgroup=None)
        watch: Any = SimpleNamespace(breach=None)
        seat: Any = SimpleNamespace(limits=limits)
        self.session = Parent(
            stage="main", seat=seat, launched=launched, home=Path(), watch=watch, refused=refused
        )

    def close(self) -> None:
        """Closes both ends."""
        self.theirs.close()
        self.session.launched.sock.close()

    def turn(self) -> None:
        """Reads the request as a worker does, and answers as none should."""
        frame, _, output = wire.receive(self.theirs)
        try:
            request = self.request
            self.due = _due(frame, request, output)
            answer = self._answer(frame, output)
            said = frames.mutated(self.rng, answer, self.due, self.before)
            unfinished = frames.verdict(said, self.due, answer)[0] == "timeout"
            self.said = replace(said, hangs_up=not self.silent and (unfinished or self.rng.random() < 0.3))
            self.before = answer
            self._say()
        finally:
            if output is not None:
                os.close(output)

    request: Request | None = None

    def _answer(self, frame: wire.Frame, output: int | None) -> bytes:
        size = self.due.most if self.rng.random() < 0.8 else self.rng.randint(self.due.least, self.due.most)
        self.honest = self.rng.randbytes(size)
        written: Any = _Written()
        if output is not None:
            self._attack(output)
            if self.rng.random() < 0.05:  # in line, though shared memory was given
                output = None
        wire.answer(written, frame, self.honest, output, self.due.opcode)
        return bytes(written.data)

    def _attack(self, output: int) -> None:
        """What a worker may try on shared memory: none of it may succeed but writing."""
        import fcntl

        size = os.fstat(output).st_size
        for name, attempt in (
            ("shrink", lambda: os.ftruncate(output, self.rng.randrange(size))),
            ("grow", lambda: os.ftruncate(output, size + 1)),
            ("append", lambda: os.pwrite(output, b"x", size)),
            ("seal", lambda: fcntl.fcntl(output, _F_ADD_SEALS, 8)),
        ):
            try:
                attempt()
            except PermissionError:
                continue
            self.broke = f"a worker could {name} its answer's shared memory"

    def _say(self) -> None:
        for number, part in enumerate(self.said.sends):
            if number in self.said.descriptors:
                try:
                    socket.send_fds(self.theirs, [part], [self.stray] * self.rng.randrange(1, 4))
                    continue
                except PermissionError:
                    pass  # this system lets nobody send us descriptors: then without
            self.theirs.sendall(part)
        if self.said.hangs_up:
            self.theirs.shutdown(socket.SHUT_WR)


def _due(frame: wire.Frame, request: Request | None, output: int | None) -> Due:
    opcode = {1: frames.READY, 2: frames.CALL_RESULT, 3: frames.BYE, 4: frames.PONG}[frame.opcode]
    least = most = 16 if frame.opcode == wire.STOP else 0
    if request is not None and isinstance(request.returns, ArraySpec):
        least = most = request.returns.nbytes
    elif request is not None and isinstance(request.returns, BlobSpec):
        most = request.returns.max_bytes
    may_fault = frame.opcode in (wire.START, wire.CALL)
    return Due(opcode, frame.nonce, frame.item, least, most, output is not None, may_fault)


def fuzz(count: int, seed: int, refuse: bool = True) -> Found:
    """`count` hostile answers; `refuse` false takes the path of a kernel that lets descriptors through."""
    found = Found("answers to the parent" if refuse else "answers to the parent, descriptors let through")
    stray = os.open(os.devnull, os.O_RDONLY)
    with counted(found):
        for batch in range(-(-count // BATCH)):
            rng = random.Random(f"{seed}/{refuse}/{batch}")
            _batch(
                found, rng, min(BATCH, count - batch * BATCH), refuse, stray, f"seed {seed}, batch {batch}"
            )
    os.close(stray)
    return found


def _batch(found: Found, rng: random.Random, count: int, refuse: bool, stray: int, place: str) -> None:
    peer = Peer(rng, refuse, stray)
    for number in range(count):
        outcome, answer, late = _exchange(peer, rng)
        memory = peer.honest + bytes(max(0, peer.due.most - len(peer.honest)))
        wanted, body = frames.verdict(peer.said, peer.due, memory)
        right = {wanted} if peer.refused else frames.looked_at(peer.said, peer.due, memory)
        found.frames += 1
        found.outcomes[outcome] += 1
        found.mutations.update(peer.said.told)
        found.overrun = max(found.overrun, late)
        where = f"{place}, number {number}: {'+'.join(peer.said.told)}"
        if outcome not in right:
            found.blame(f"{where}: {outcome} where {' or '.join(sorted(right))} was due")
        elif answer is not None and answer != body:
            found.blame(f"{where}: an answer was taken that was not the one sent")
        elif answer is not None and peer.said.told == ("itself",) and answer != peer.honest:
            found.blame(f"{where}: an honest answer came out changed")
        if peer.broke or peer.session.ended != (outcome != "answer"):
            found.blame(f"{where}: {peer.broke or 'a worker that failed was not ended'}")
        if outcome != "answer" or peer.said.hangs_up:
            peer.close()
            peer = Peer(rng, refuse, stray, before=peer.before)
    peer.close()


def _exchange(peer: Peer, rng: random.Random) -> tuple[str, bytes | None, float]:
    """One exchange of any kind: how it ended, its answer where one is told, seconds after the deadline."""
    peer.silent = rng.random() < SILENCE
    limit = peer.limits["phase"] = SHORT if peer.silent else PATIENT
    began = time.monotonic()
    try:
        answer = _asked(peer, rng, limit)
        return "answer", answer, time.monotonic() - began - limit
    except Fault as fault:
        return fault.outcome, None, time.monotonic() - began - limit
    except Exception as error:  # noqa: BLE001  (whatever else comes out is what is looked for)
        peer.session._end()
        return f"{type(error).__name__}: {error}", None, 0.0


def _asked(peer: Peer, rng: random.Random, limit: float) -> bytes | None:
    kind = rng.random()
    peer.request = rng.choices(CALLS, WEIGHTS)[0] if kind < 0.9 else None
    arguments = MANY if rng.random() < 0.02 else ARGUMENTS
    if peer.request is None:
        opcode = rng.choice((wire.PING, wire.START, wire.STOP))
        payload = b"{}" if opcode == wire.START else b""
        raw, _ = peer.session.exchange(Outgoing(opcode, os.urandom(16), 0, payload, None), limit, None)
        return raw
    if kind < 0.15:
        peer.session.ping(peer.request, arguments)
        return None
    answer, _ = peer.session.call(peer.request, arguments)
    return np.asarray(answer).tobytes() if isinstance(answer, np.ndarray) else answer or b""
