"""Mutated frames to the worker's end: it trusts the parent, so only this is asked, that nothing odd comes out.

Every frame ends as a frame, as ProtocolError or as EOFError, and no descriptor stays open.
"""

from __future__ import annotations

import json
import os
import random
import socket

import numpy as np

from harness.worker import wire
from tests.fuzz import frames
from tests.fuzz.frames import Due
from tests.fuzz.judged import Found, counted

BATCH = 1000
_HEADS = (None, True, -1, 2**70, "x", [], {}, [[]], "phase", "|O", "<i8", "V0", 1e999)


def fuzz(count: int, seed: int) -> Found:
    """`count` mutated requests."""
    found = Found("requests to the worker")
    stray = os.open(os.devnull, os.O_RDONLY)
    memory = wire.sealed_input(bytes(500))
    with counted(found):
        for batch in range(-(-count // BATCH)):
            rng = random.Random(f"worker/{seed}/{batch}")
            for number in range(min(BATCH, count - batch * BATCH)):
                _one(found, rng, (stray, memory), f"seed {seed}, batch {batch}, number {number}")
    os.close(stray)
    os.close(memory)
    return found


def _one(found: Found, rng: random.Random, attached: tuple[int, int], where: str) -> None:
    request = _request(rng)
    due = Due(2, request[8:24], 1, 0, 0)
    said = frames.mutated(rng, request, due, request)
    found.frames += 1
    found.mutations.update(said.told)
    outcome = "ended"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for part in said.sends:
            if rng.random() < 0.3:
                socket.send_fds(ours, [part], rng.choices(attached, k=rng.randrange(1, 4)))
            else:
                ours.sendall(part)
        ours.shutdown(socket.SHUT_WR)
        try:
            outcome = _served(theirs)
        except (wire.ProtocolError, EOFError) as error:
            outcome = type(error).__name__
        except Exception as error:  # noqa: BLE001  (whatever else comes out is what is looked for)
            found.blame(f"{where}: {type(error).__name__}: {error}")
    found.outcomes[outcome] += 1


def _served(sock: socket.socket) -> str:
    """Reads one frame as `serve` does, and decodes it where it holds a call."""
    frame, payload, output = wire.receive(sock)
    if output is not None:
        os.close(output)
    if frame.opcode == wire.CALL or payload:
        wire.decode_call(payload)
    return "read"


def _request(rng: random.Random) -> bytes:
    """A parent's frame: a whole call, or one whose head holds what no parent writes."""
    arguments = {
        "a": np.arange(rng.randrange(5)),
        "b": ["x"] * rng.randrange(3),
        "c": rng.randbytes(5),
        "d": 1,
    }
    payload = wire.encode_call("phase", arguments, rng.choice((None, {"kind": "blob", "max_bytes": 3})))
    if rng.random() < 0.5:
        payload = _other_head(rng, payload)
    opcode, flags = rng.choice((1, 2, 2, 2, 3, 4)), rng.choice((0, 0, 0, 1, 2, 3))
    return frames.header(opcode, flags, rng.randbytes(16), 1, len(payload)) + payload


def _other_head(rng: random.Random, payload: bytes) -> bytes:
    size = int.from_bytes(payload[:4], "little")
    head, rest = json.loads(payload[4 : 4 + size]), payload[4 + size :]
    if rng.random() < 0.3:
        head[rng.choice(list(head))] = rng.choice(_HEADS)
    else:
        entry = rng.choice(head["arguments"])
        entry[rng.choice(list(entry))] = rng.choice(_HEADS)
    text = json.dumps(head).encode()
    if rng.random() < 0.05:
        text = b"[" * 100_000
    return len(text).to_bytes(4, "little") + text + rest
