"""Frames: round trips, and a parent that meets any bytes whatever with a frame or a plain refusal."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import Fault
from harness.instances import ArraySpec, BlobSpec, Request
from harness.trials import channel, session
from harness.worker import wire

NONCE = b"0123456789abcdef"
needs_memfd = pytest.mark.skipif(not wire.has_memfd(), reason="this system has no memfd")
plain = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False, allow_infinity=False),
    st.binary(max_size=50),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=4),
)


@given(
    arguments=st.dictionaries(st.text("abcxyz_", min_size=1), plain, max_size=5),
    returns=st.sampled_from([None, {"kind": "blob", "max_bytes": 7}]),
)
@settings(max_examples=80, deadline=None)
def test_a_call_comes_back_as_it_was(arguments: dict[str, Any], returns: Any) -> None:
    payload = wire.encode_call("search", arguments, returns)
    assert wire.decode_call(payload) == ("search", arguments, returns)


@pytest.mark.parametrize("dtype", ["int64", "float32", "bool", "uint8", "float16"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)])
def test_an_array_comes_back_whole_and_writable(dtype: str, shape: tuple[int, ...]) -> None:
    sent = (np.arange(int(np.prod(shape))) % 2).astype(dtype).reshape(shape)
    _, arguments, _ = wire.decode_call(wire.encode_call("fit", {"a": sent, "b": b"next"}, None))
    found = arguments["a"]
    assert (found.dtype, found.shape) == (sent.dtype, shape)
    assert (found == sent).all()
    assert arguments["b"] == b"next"
    assert found.flags.writeable
    assert found.flags.owndata


def test_an_array_that_is_not_contiguous_comes_back_in_order() -> None:
    sent = np.arange(12).reshape(3, 4).T[::2]
    _, arguments, _ = wire.decode_call(wire.encode_call("fit", {"a": sent}, None))
    assert (arguments["a"] == sent).all()


@given(
    opcode=st.integers(0, 255),
    flags=st.integers(0, 65535),
    nonce=st.binary(min_size=16, max_size=16),
    item=st.integers(0, 2**32 - 1),
    length=st.integers(0, 2**64 - 1),
)
@settings(max_examples=50, deadline=None)
def test_a_header_comes_back_as_it_was(opcode: int, flags: int, nonce: bytes, item: int, length: int) -> None:
    frame = wire.unpack(wire.pack(opcode, flags, nonce, item, length))
    assert frame == wire.Frame(opcode, flags, nonce, item, length)


def test_what_is_on_the_wire_is_written_down_with_its_version() -> None:
    """Another number is another protocol, and needs another version."""
    header = b"MLSH" + b"\1" + b"\x11" + b"\2\0" + NONCE + b"\7\0\0\0" + b"\0\1" + bytes(6)
    assert wire.pack(wire.RESULT, wire.OUT_MEMFD, NONCE, 7, 256) == header
    assert (wire.START, wire.CALL, wire.STOP, wire.PING) == (1, 2, 3, 4)
    assert (wire.READY, wire.RESULT, wire.FAULT, wire.BYE, wire.PONG) == (16, 17, 18, 19, 20)


@pytest.mark.parametrize("header", [b"MLSG\1", b"MLSH\2", b"MLSH\0"])
def test_another_magic_or_version_is_not_ours(header: bytes) -> None:
    with pytest.raises(wire.ProtocolError, match="not a frame of this protocol"):
        wire.unpack(header + wire.pack(wire.CALL, 0, NONCE, 1, 0)[5:])


@given(st.binary(min_size=36, max_size=36))
@settings(max_examples=100, deadline=None)
def test_any_36_bytes_are_a_frame_or_a_protocol_error(header: bytes) -> None:
    ours = header[:5] == wire.MAGIC + bytes([wire.VERSION])
    try:
        wire.unpack(header)
    except wire.ProtocolError:
        assert not ours
    else:
        assert ours


@given(st.integers(0, 35), st.integers(1, 255))
@settings(max_examples=40, deadline=None)
def test_one_changed_byte_gives_another_frame_or_an_error(place: int, change: int) -> None:
    good = bytearray(wire.pack(wire.RESULT, 0, NONCE, 7, 100))
    whole = wire.unpack(bytes(good))
    good[place] ^= change
    if place < 5:
        with pytest.raises(wire.ProtocolError):
            wire.unpack(bytes(good))
    else:
        assert wire.unpack(bytes(good)) != whole


@needs_memfd
def test_a_sealed_input_cannot_be_written_shrunk_or_grown() -> None:
    fd = wire.sealed_input(b"questions")
    try:
        for attempt in (
            lambda: os.pwrite(fd, b"X", 0),
            lambda: os.ftruncate(fd, 1),
            lambda: os.ftruncate(fd, 100),
            lambda: os.pwrite(fd, b"X", 9),
        ):
            with pytest.raises(PermissionError):
                attempt()
        assert wire.read_memfd(fd, 9) == b"questions"
        import fcntl

        with pytest.raises(PermissionError):  # nor can the seals be taken off, or more be set
            fcntl.fcntl(fd, 1033, 0)
    finally:
        os.close(fd)


@needs_memfd
def test_a_sized_output_can_be_written_and_neither_shrunk_nor_grown() -> None:
    fd = wire.sized_output(8)
    try:
        wire.write_memfd(fd, np.arange(2, dtype="<i4"))  # type: ignore[arg-type]
        for size in (0, 7, 9):
            with pytest.raises(PermissionError):
                os.ftruncate(fd, size)
        with pytest.raises(PermissionError):
            os.pwrite(fd, b"X", 8)
        assert wire.read_memfd(fd, 8) == struct.pack("<ii", 0, 1)
        with pytest.raises(wire.ProtocolError, match="ended early"):
            wire.read_memfd(fd, 9)
    finally:
        os.close(fd)


@needs_memfd
def test_memory_is_read_to_the_size_that_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    fd = wire.sealed_input(b"abcdefgh")
    try:
        assert wire.read_memfd(fd, 3) == b"abc"
        pread = os.pread
        monkeypatch.setattr(os, "pread", lambda fd, size, offset: pread(fd, min(size, 2), offset))
        assert wire.read_memfd(fd, 5) == b"abcde"  # however little comes at a time
    finally:
        os.close(fd)


@needs_memfd
def test_memory_that_cannot_be_made_is_not_left_open() -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        wire.sized_output(-1)


@needs_memfd
@pytest.mark.parametrize(
    ("opcode", "flags", "attached", "reason"),
    [
        (wire.RESULT, 0, 0, "not a frame that a worker is sent"),
        (0, 0, 0, "not a frame that a worker is sent"),
        (5, 0, 0, "not a frame that a worker is sent"),
        (wire.RESULT, wire.OUT_MEMFD, 1, "not a frame that a worker is sent"),
        (wire.CALL, 4, 0, "not a frame that a worker is sent"),
        (wire.CALL, 4, 1, "not a frame that a worker is sent"),
        (wire.CALL, wire.IN_MEMFD, 0, "without the shared memory that it names"),
        (wire.CALL, wire.OUT_MEMFD, 0, "without the shared memory that it names"),
        (wire.CALL, wire.IN_MEMFD | wire.OUT_MEMFD, 1, "without the shared memory that it names"),
        (wire.CALL, 0, 1, "without the shared memory that it names"),
        (wire.CALL, wire.IN_MEMFD, 1, "ended early"),
    ],
)
def test_a_worker_takes_no_other_frame_and_keeps_nothing_of_it(
    opcode: int, flags: int, attached: int, reason: str
) -> None:
    ours, theirs = socket.socketpair()
    memory = wire.sized_output(2)
    with ours, theirs:
        header = wire.pack(opcode, flags, NONCE, 1, 3)
        socket.send_fds(ours, [header + b"abc"], [memory] * attached)
        os.close(memory)
        with pytest.raises(wire.ProtocolError, match=reason):
            wire.receive(theirs)


@needs_memfd
def test_a_worker_answers_inline_or_where_it_was_told_to() -> None:
    ours, theirs = socket.socketpair()
    frame = wire.Frame(wire.CALL, 0, NONCE, 3, 0)
    output = wire.sized_output(2)
    with ours, theirs:
        wire.answer(theirs, frame, memoryview(b"ab"), None)
        assert ours.recv(99) == wire.pack(wire.RESULT, 0, NONCE, 3, 2) + b"ab"
        wire.answer(theirs, frame, b"", None, wire.PONG)
        assert ours.recv(99) == wire.pack(wire.PONG, 0, NONCE, 3, 0)
        wire.answer(theirs, frame, b"ab", output)
        assert ours.recv(99) == wire.pack(wire.RESULT, wire.OUT_MEMFD, NONCE, 3, 2)
        assert wire.read_memfd(output, 2) == b"ab"
        os.close(output)
        wire.fault(theirs, frame, wire.FAULT_MALFORMED, "é")
        assert ours.recv(99) == wire.pack(wire.FAULT, 2, NONCE, 3, 2) + "é".encode()
        ours.close()
        wire.fault(theirs, frame, wire.FAULT_MALFORMED, "to nobody")


def test_what_a_worker_receives_is_what_the_parent_sent() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for size in (0, 10, wire.INLINE_BYTES + 1):
            payload = os.urandom(size)
            output = wire.sized_output(100_000) if wire.has_memfd() else None
            frame = channel.Outgoing(wire.CALL, NONCE, 3, payload, output)
            channel.Channel(ours, deadline=1e18).send(frame)
            got, content, shared = wire.receive(theirs)
            assert (got.opcode, got.nonce, got.item, content) == (wire.CALL, NONCE, 3, payload)
            assert (shared is None) == (output is None)
            for fd in (output, shared):
                if fd is not None:
                    os.close(fd)


def test_a_worker_whose_parent_is_gone_hears_it() -> None:
    for sent in (
        b"",
        wire.pack(wire.CALL, 0, NONCE, 1, 10)[:20],
        wire.pack(wire.CALL, 0, NONCE, 1, 10) + b"abc",
    ):
        ours, theirs = socket.socketpair()
        with theirs:
            ours.sendall(sent)
            ours.close()
            with pytest.raises(EOFError):
                wire.receive(theirs)


class Parent:
    """A session whose worker is a prepared string of bytes."""

    def __init__(self) -> None:
        self.ends = 0

    def hears(
        self, said: bytes | None, request: Request | None, output: int | None = None, opcode: int = wire.CALL
    ) -> bytes:
        """What is taken as the answer to `opcode`; None is said by a worker that stays and is silent."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            if said is not None:
                theirs.sendall(said)
                theirs.shutdown(socket.SHUT_WR)
            ours.setblocking(False)
            process = SimpleNamespace(poll=lambda: None, wait=lambda timeout=None: None)
            launched: Any = SimpleNamespace(sock=ours, process=process, pid=0)
            watch: Any = SimpleNamespace(breach=None)
            seat: Any = None
            talking = session.Session(stage="main", seat=seat, launched=launched, home=Path(), watch=watch)
            talking.ended = True  # nothing to kill
            frame = channel.Outgoing(opcode, NONCE, 1, b"", output)
            return talking.exchange(frame, 0.05 if said is None else 5.0, request)[0]


ARRAY = Request("q", "answer", {}, ArraySpec("int64", (3,)))
BLOB = Request("q", "answer", {}, BlobSpec(50))
NOTHING = Request("q", "answer", {}, None)


@pytest.fixture(scope="module")
def parent() -> Parent:
    return Parent()


def _result(size: int, **changes: Any) -> bytes:
    fields = {"opcode": wire.RESULT, "flags": 0, "nonce": NONCE, "item": 1, "length": size} | changes
    return wire.pack(**fields)


def test_the_right_answer_is_taken(parent: Parent) -> None:
    assert parent.hears(_result(24) + bytes(range(24)), ARRAY) == bytes(range(24))
    assert parent.hears(_result(50) + bytes(50), BLOB) == bytes(50)
    assert parent.hears(_result(0), BLOB) == b""
    assert parent.hears(_result(0), NOTHING) == b""


NOT_ASKED = "answered something that was not asked"
NOT_THERE = "is not where it was to be put"
LONG = wire.FAULT_TEXT_BYTES + 1


@pytest.mark.parametrize(
    ("said", "request_", "reason"),
    [
        (_result(24, nonce=bytes(16)) + bytes(24), ARRAY, NOT_ASKED),
        (_result(24, item=2) + bytes(24), ARRAY, NOT_ASKED),
        (_result(24, opcode=wire.READY) + bytes(24), ARRAY, NOT_ASKED),
        (_result(24, opcode=wire.BYE) + bytes(24), ARRAY, NOT_ASKED),
        (_result(5, opcode=wire.FAULT, flags=1, nonce=bytes(16)) + b"words", ARRAY, NOT_ASKED),
        (_result(5, opcode=wire.FAULT, flags=1, item=2) + b"words", ARRAY, NOT_ASKED),
        (_result(23) + bytes(23), ARRAY, "announced 23 bytes where 24 were due"),
        (_result(25) + bytes(25), ARRAY, "announced 25 bytes where 24 were due"),
        (_result(2**63), ARRAY, "announced 9,223,372,036,854,775,808 bytes where 24 were due"),
        (_result(51) + bytes(51), BLOB, "announced 51 bytes where 50 were due"),
        (_result(1) + bytes(1), NOTHING, "announced 1 bytes where 0 were due"),
        (_result(24, flags=wire.OUT_MEMFD) + bytes(24), ARRAY, NOT_THERE),
        (_result(24, flags=0x8000) + bytes(24), ARRAY, NOT_THERE),
        (_result(24) + bytes(25), ARRAY, "said more than its answer"),
        (
            _result(LONG, opcode=wire.FAULT, flags=1) + bytes(LONG),
            ARRAY,
            "error report is longer than allowed",
        ),
        (_result(0, opcode=wire.FAULT, flags=0), ARRAY, "reported an error of no known kind"),
        (_result(0, opcode=wire.FAULT, flags=77), ARRAY, "reported an error of no known kind"),
        (b"HTTP/1.1 200 OK and then some more bytes", ARRAY, "not a frame"),
        (_result(24), ARRAY, "closed its connection during answer"),  # announced and never sent
        (_result(24)[:11], ARRAY, "closed its connection during answer"),
        (b"", ARRAY, "closed its connection during answer"),
    ],
)
def test_anything_else_is_a_protocol_error(
    parent: Parent, said: bytes, request_: Request, reason: str
) -> None:
    """Each is sent whole: one that ended early would be refused for that, whatever the header said."""
    with pytest.raises(Fault, match=reason) as caught:
        parent.hears(said, request_)
    assert caught.value.outcome == "protocol_error"


def test_a_report_of_the_longest_length_is_taken(parent: Parent) -> None:
    said = _result(LONG - 1, opcode=wire.FAULT, flags=wire.FAULT_CRASHED) + b"x" * (LONG - 1)
    with pytest.raises(Fault) as caught:
        parent.hears(said, ARRAY)
    assert caught.value.outcome == "crashed"
    assert caught.value.reason == "x" * (LONG - 1)


@needs_memfd
def test_an_answer_that_was_to_be_put_into_shared_memory_must_be_there(parent: Parent) -> None:
    fd = wire.sized_output(24)
    try:
        with pytest.raises(Fault, match=NOT_THERE):
            parent.hears(_result(24) + bytes(24), ARRAY, output=fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("asked_for", "answer", "size"),
    [(wire.STOP, wire.BYE, 16), (wire.PING, wire.PONG, 0), (wire.START, wire.READY, 0)],
)
def test_what_has_no_request_has_an_answer_of_one_length(
    parent: Parent, asked_for: int, answer: int, size: int
) -> None:
    assert parent.hears(_result(size, opcode=answer) + bytes(size), None, opcode=asked_for) == bytes(size)
    with pytest.raises(Fault, match=f"announced {size + 1} bytes where {size} were due"):
        parent.hears(_result(size + 1, opcode=answer) + bytes(size + 1), None, opcode=asked_for)


@pytest.mark.parametrize("asked_for", [wire.STOP, wire.PING])
def test_what_the_shim_answers_by_itself_cannot_end_in_an_error(parent: Parent, asked_for: int) -> None:
    with pytest.raises(Fault, match=NOT_ASKED):
        parent.hears(_result(5, opcode=wire.FAULT, flags=1) + b"words", None, opcode=asked_for)


@pytest.mark.parametrize(
    ("asked_for", "request_", "doing"),
    [(wire.START, None, "starting"), (wire.STOP, None, "ending"), (wire.CALL, ARRAY, "answer")],
)
def test_what_took_too_long_is_named(
    parent: Parent, asked_for: int, request_: Request | None, doing: str
) -> None:
    with pytest.raises(Fault, match=f"^{doing} took longer than its limit of 0.05 s$") as caught:
        parent.hears(None, request_, opcode=asked_for)
    assert caught.value.outcome == "timeout"


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (wire.FAULT_CRASHED, "crashed"),
        (wire.FAULT_MALFORMED, "malformed"),
        (wire.FAULT_OUT_OF_MEMORY, "out_of_memory"),
    ],
)
def test_a_fault_is_a_code_and_text_of_any_kind(parent: Parent, code: int, outcome: str) -> None:
    for text in (b"first\nlast line", b"", b"\xff\xfe\n \n"):
        with pytest.raises(Fault) as caught:
            parent.hears(_result(len(text), opcode=wire.FAULT, flags=code) + text, ARRAY)
        assert caught.value.outcome == outcome
        assert caught.value.reason.strip()


@needs_memfd
def test_an_answer_in_shared_memory_is_copied(parent: Parent) -> None:
    fd = wire.sized_output(24)
    try:
        wire.write_memfd(fd, bytes(range(24)))
        taken = parent.hears(_result(24, flags=wire.OUT_MEMFD), ARRAY, output=fd)
        wire.write_memfd(fd, bytes(24))
        assert taken == bytes(range(24))
    finally:
        os.close(fd)


@given(
    opcode=st.sampled_from([*range(16, 20), 0, 1, 255]),
    flags=st.one_of(st.integers(0, 3), st.integers(0, 65535)),
    length=st.one_of(st.integers(0, 60), st.integers(0, 2**64 - 1)),
    body=st.binary(max_size=80),
    request_=st.sampled_from([ARRAY, BLOB, NOTHING]),
    cut=st.integers(0, 116),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_worker_says_is_an_answer_of_the_due_length_or_its_own_fault(
    parent: Parent, opcode: int, flags: int, length: int, body: bytes, request_: Request, cut: int
) -> None:
    said = (wire.pack(opcode, flags, NONCE, 1, length) + body)[:cut]
    due = {24} if request_ is ARRAY else set(range(51)) if request_ is BLOB else {0}
    whole = len(said) >= 36 + length
    if opcode == wire.RESULT and length in due and len(said) == 36 + length and not flags:
        assert parent.hears(said, request_) == body[:length]
        return
    with pytest.raises(Fault) as caught:
        parent.hears(said, request_)
    assert caught.value.reason.strip()
    if opcode != wire.FAULT or not whole or flags not in wire.FAULTS:
        assert caught.value.outcome == "protocol_error"


@given(st.binary(max_size=120))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_of_any_kind_never_make_an_answer(parent: Parent, said: bytes) -> None:
    with pytest.raises(Fault) as caught:
        parent.hears(said, BLOB)
    assert caught.value.outcome == "protocol_error"


def _channels() -> int:
    """How many sockets and memfds this process holds."""
    found = 0
    for fd in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(OSError):
            found += os.readlink(fd).startswith(("socket:", "/memfd:"))
    return found


@pytest.fixture(autouse=True)
def _no_descriptor_is_left_open() -> Generator[None]:
    before = _channels()
    yield
    assert _channels() == before
