"""What a hostile worker makes of an honest answer, and what a parent must make of that.

A `Said` is what goes into the socket: bytes, where descriptors are attached, and how it ends. `verdict` is
the judge: written from the protocol's table with slices and sums, without `harness.worker.wire`.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

HEADER = 36
CALL_RESULT, READY, FAULT, BYE, PONG = 17, 16, 18, 19, 20
OPCODES = (0, 1, 2, 3, 4, 5, 16, 17, 18, 19, 20, 21, 127, 128, 255)
SIZES = (0, 1, 16, 23, 25, 4096, 16384, 16385, 65536, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1)
FAULT_TEXT = 16384
MOST = 100_000


@dataclass(frozen=True)
class Due:
    """The one answer that an exchange allows: `least` to `most` bytes, in shared memory or in line."""

    opcode: int
    nonce: bytes
    item: int
    least: int
    most: int
    shared: bool = False
    may_fault: bool = False


@dataclass(frozen=True)
class Said:
    """Bytes in so many sends; `descriptors` names the sends that carry one; then silence or hanging up."""

    sends: tuple[bytes, ...]
    descriptors: frozenset[int] = frozenset()
    hangs_up: bool = True
    told: tuple[str, ...] = field(default=(), compare=False)

    @property
    def stream(self) -> bytes:
        """All bytes, as the reader meets them."""
        return b"".join(self.sends)


def header(opcode: int, flags: int, nonce: bytes, item: int, length: int) -> bytes:
    """A frame's first 36 bytes, put together by hand."""
    return (
        b"MLSH\x01"
        + bytes([opcode])
        + flags.to_bytes(2, "little")
        + nonce
        + item.to_bytes(4, "little")
        + length.to_bytes(8, "little")
    )


def verdict(said: Said, due: Due, memory: bytes) -> tuple[str, bytes]:
    """("answer", its bytes), or the outcome of the fault that must come of it and nothing.

    `memory` is what the answer's shared memory holds when the parent reads it.
    """
    stream = said.stream
    short = "protocol_error" if said.hangs_up else "timeout"
    if len(stream) < HEADER:
        return short, b""
    opcode, flags = stream[5], int.from_bytes(stream[6:8], "little")
    item, length = int.from_bytes(stream[24:28], "little"), int.from_bytes(stream[28:36], "little")
    ours = stream[:5] == b"MLSH\x01" and stream[8:24] == due.nonce and item == due.item
    if ours and opcode == FAULT and due.may_fault and flags in (1, 2, 3) and length <= FAULT_TEXT:
        if len(stream) < HEADER + length:
            return short, b""
        return ("", "crashed", "malformed", "out_of_memory")[flags], b""
    if not ours or opcode != due.opcode or flags != (2 if due.shared else 0):
        return "protocol_error", b""
    if not due.least <= length <= due.most:
        return "protocol_error", b""
    body, rest = (memory, stream[HEADER:]) if due.shared else (stream[HEADER:], stream[HEADER + length :])
    if len(body) < length:
        return short, b""
    return ("protocol_error", b"") if rest else ("answer", body[:length])


def looked_at(said: Said, due: Due, memory: bytes) -> set[str]:
    """The outcomes that are right where the parent itself must notice descriptors.

    Any that has arrived is a broken protocol. One after the end of a fault may go unseen, with the fault
    as the outcome: how far beyond the bytes asked for a look reaches is the kernel's affair.
    """
    plain, _ = verdict(said, due, memory)
    if not said.descriptors:
        return {plain}
    first = sum(len(part) for part in said.sends[: min(said.descriptors)])
    if plain in FAULTED and first >= HEADER + int.from_bytes(said.stream[28:36], "little"):
        return {plain, "protocol_error"}
    return {"protocol_error"}


FAULTED = ("crashed", "malformed", "out_of_memory")
Mutation = Callable[[random.Random, bytes, Due, bytes], bytes]


def _field(rng: random.Random, frame: bytes, due: Due, _: bytes) -> bytes:
    """One field of the header set to a value of interest."""
    place, values = rng.choice(
        [
            ((0, 4), [b"MLSI", b"\0\0\0\0", b"HTTP", b"HSLM"]),
            ((4, 5), [b"\0", b"\2", b"\xff"]),
            ((5, 6), [bytes([rng.choice(OPCODES)])]),
            ((6, 8), [rng.choice((0, 1, 2, 3, 4, 256, 32768, 65535)).to_bytes(2, "little")]),
            ((8, 24), [bytes(16), b"\xff" * 16, due.nonce[::-1], rng.randbytes(16)]),
            (
                (24, 28),
                [((due.item + d) % 2**32).to_bytes(4, "little") for d in (-1, 1, 2**31)] + [b"\xff" * 4],
            ),
            ((28, 36), [rng.choice((*SIZES, due.least, due.most, due.most + 1)).to_bytes(8, "little")]),
        ]
    )
    return frame[: place[0]] + rng.choice(values) + frame[place[1] :]


def _flip(rng: random.Random, frame: bytes, due: Due, _: bytes) -> bytes:
    if not frame:
        return frame
    at = rng.randrange(min(len(frame), HEADER) if rng.random() < 0.7 else len(frame))
    return frame[:at] + bytes([frame[at] ^ 1 << rng.randrange(8)]) + frame[at + 1 :]


def _cut(rng: random.Random, frame: bytes, due: Due, _: bytes) -> bytes:
    return frame[: rng.randrange(len(frame) + 1)]


def _longer(rng: random.Random, frame: bytes, due: Due, _: bytes) -> bytes:
    return frame + rng.randbytes(rng.choice((1, 1, 1, 2, 35, 36, 37, 300)))


def _inserted(rng: random.Random, frame: bytes, due: Due, _: bytes) -> bytes:
    at = rng.randrange(len(frame) + 1)
    return frame[:at] + rng.randbytes(rng.randrange(1, 9)) + frame[at:]


def _removed(rng: random.Random, frame: bytes, due: Due, _: bytes) -> bytes:
    at = rng.randrange(len(frame) + 1)
    return frame[:at] + frame[at + rng.randrange(1, 40) :]


def _swapped(rng: random.Random, frame: bytes, due: Due, _: bytes) -> bytes:
    at = rng.randrange(len(frame) + 1)
    return frame[at:] + frame[:at]


def _twice(rng: random.Random, frame: bytes, due: Due, _: bytes) -> bytes:
    return frame + frame


def _old(rng: random.Random, frame: bytes, due: Due, before: bytes) -> bytes:
    """The answer of the exchange before, instead of this one's, before it or after it."""
    return rng.choice((before, before + frame, frame + before))


def _faults(rng: random.Random, frame: bytes, due: Due, _: bytes) -> bytes:
    """Faults of all kinds and lengths, one or a flood, alone or around the answer."""
    text = rng.choice((b"", b"\xff\xfe\n \n", b"no\nidea", rng.randbytes(40), bytes(FAULT_TEXT + 1)))
    code = rng.choice((1, 2, 3, 0, 4, 77, 65535))
    announced = rng.choice((len(text), len(text), len(text) + 1, 2**63))
    fault = header(FAULT, code, due.nonce, due.item, announced) + text
    return rng.choice((fault, fault * rng.randrange(2, 4), fault + frame, frame + fault))


def _noise(rng: random.Random, frame: bytes, due: Due, _: bytes) -> bytes:
    return rng.randbytes(rng.choice((0, 1, 35, 36, 37, 200)))


def _itself(rng: random.Random, frame: bytes, due: Due, _: bytes) -> bytes:
    return frame


MUTATIONS: dict[str, Mutation] = {
    "field": _field,
    "flip": _flip,
    "cut": _cut,
    "longer": _longer,
    "inserted": _inserted,
    "removed": _removed,
    "swapped": _swapped,
    "twice": _twice,
    "old": _old,
    "faults": _faults,
    "noise": _noise,
    "itself": _itself,
}
_NAMES = list(MUTATIONS)
_WEIGHTS = [6, 3, 2, 3, 1, 1, 1, 1, 2, 3, 1, 8]


def mutated(rng: random.Random, frame: bytes, due: Due, before: bytes) -> Said:
    """One of the answers that a hostile worker may give; `before` is the one to the request before."""
    names = rng.choices(_NAMES, _WEIGHTS, k=1 if rng.random() < 0.8 else 2)
    for name in names:
        # No more than the socket's buffer holds: nobody reads while this peer has its turn.
        frame = MUTATIONS[name](rng, frame, due, before)[:MOST]
    said = Said((frame,) if frame else (), hangs_up=False, told=tuple(names))
    if len(frame) > 1 and rng.random() < 0.2:
        cuts = sorted(rng.sample(range(1, len(frame)), min(len(frame) - 1, rng.randrange(1, 4))))
        said = replace(said, sends=_split(frame, cuts))
    if said.sends and rng.random() < 0.05:
        said = replace(said, descriptors=frozenset({rng.randrange(len(said.sends))}))
    return said


def _split(frame: bytes, cuts: list[int]) -> tuple[bytes, ...]:
    ends = [0, *cuts, len(frame)]
    return tuple(frame[a:b] for a, b in itertools.pairwise(ends))
