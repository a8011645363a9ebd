"""The parent's end of a socket: what a frame looks like, what is waited for and how long, what is let in."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Generator
from types import SimpleNamespace
from typing import Any

import pytest

from harness.trials import channel
from harness.trials.channel import Channel, Late, Outgoing, guard
from harness.worker import wire

NONCE = b"0123456789abcdef"
MIB = 1 << 20
needs_memfd = pytest.mark.skipif(not wire.has_memfd(), reason="this system has no memfd")


class Options:
    """A socket that only takes note of its options; a kernel without some of them refuses those."""

    def __init__(self, *unknown: int) -> None:
        self.unknown = unknown
        self.given: list[tuple[int, int, int]] = []
        self.blocking = True

    def setblocking(self, blocking: bool) -> None:
        self.blocking = blocking

    def setsockopt(self, level: int, option: int, value: int) -> None:
        if option in self.unknown:
            raise OSError("no such option")
        self.given.append((level, option, value))


URGENT_IN_LINE = (socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
NO_DESCRIPTORS = (socket.SOL_SOCKET, 83, 0)


@pytest.mark.parametrize(
    ("platform", "unknown", "refused", "given"),
    [
        ("linux", (), True, [URGENT_IN_LINE, NO_DESCRIPTORS]),
        ("linux", (83,), False, [URGENT_IN_LINE]),
        ("linux", (socket.SO_OOBINLINE,), True, [NO_DESCRIPTORS]),
        ("darwin", (), False, [URGENT_IN_LINE]),
    ],
)
def test_a_guarded_socket_refuses_descriptors_where_the_kernel_can(
    monkeypatch: pytest.MonkeyPatch, platform: str, unknown: tuple[int, ...], refused: bool, given: list[Any]
) -> None:
    monkeypatch.setattr(channel, "sys", SimpleNamespace(platform=platform))
    sock = Options(*unknown)
    assert guard(sock) is refused  # type: ignore[arg-type]
    assert sock.given == given
    assert sock.blocking is False


class Clock:
    """A clock that stands still, and a poll that notes how long it was to wait; ready once, unless it never is."""

    POLLIN, POLLOUT = select.POLLIN, select.POLLOUT

    def __init__(self, now: float, ready: bool = False) -> None:
        self.now = now
        self.ready = ready
        self.waits: list[float] = []
        self.events: list[int] = []

    def monotonic(self) -> float:
        return self.now

    def register(self, sock: object, event: int) -> None:
        self.events.append(event)

    def poll(self, *given: float) -> Any:
        """Without arguments the poll itself, as `select.poll()`; with one it waits."""
        if not given:
            return self
        assert len(self.waits) < 2, "it is asked for again and again"
        self.waits += given
        return [(0, 0)] if self.ready else []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Clock]:
    def made(now: float, ready: bool = False) -> Clock:
        still = Clock(now, ready)
        monkeypatch.setattr(channel, "time", still)
        monkeypatch.setattr(channel, "select", still)
        return still

    return made


class Says:
    """A socket whose reads give these parts one by one; None is a moment in which there is nothing to read."""

    def __init__(self, *parts: bytes | None) -> None:
        self.parts = list(parts)
        self.sizes: list[int] = []

    def recv(self, size: int, flags: int = 0) -> bytes:
        self.sizes.append(size)
        part = self.parts.pop(0)
        if part is None:
            raise BlockingIOError
        return part


def test_a_silent_worker_is_waited_for_as_long_as_there_is_time(clock: Callable[..., Clock]) -> None:
    still = clock(100.0)
    with pytest.raises(Late):
        Channel(Says(None, None), 100.25, refused=True).receive(4)  # type: ignore[arg-type]
    assert still.waits == [250.0]  # milliseconds
    assert still.events == [select.POLLIN]


def test_what_comes_in_time_is_taken(clock: Callable[..., Clock]) -> None:
    still = clock(100.0, ready=True)
    sock = Says(None, b"ab", None, b"cd")
    assert Channel(sock, 101.0, refused=True).receive(4) == b"abcd"  # type: ignore[arg-type]
    assert still.waits == [1000.0, 1000.0]


@pytest.mark.parametrize("late", [0.0, 0.5])
def test_nothing_is_waited_for_once_the_time_is_over(clock: Callable[..., Clock], late: float) -> None:
    still = clock(100.0 + late)
    with pytest.raises(Late):
        Channel(Says(None, None), 100.0, refused=True).receive(4)  # type: ignore[arg-type]
    assert still.waits == []


def test_an_answer_that_is_whole_is_taken_whenever_it_is_looked_at(clock: Callable[..., Clock]) -> None:
    clock(105.0)
    assert Channel(Says(b"abcd"), 100.0, refused=True).receive(4) == b"abcd"  # type: ignore[arg-type]
    with pytest.raises(Late):  # one that is not whole by then is late, even if its next byte is there
        Channel(Says(b"abc", b"d"), 100.0, refused=True).receive(4)  # type: ignore[arg-type]


def test_an_answer_is_read_in_parts_of_a_mebibyte_at_most(clock: Callable[..., Clock]) -> None:
    clock(100.0)
    sock = Says(bytes(MIB), bytes(MIB), b"12", b"345")
    assert len(Channel(sock, 101.0, refused=True).receive(2 * MIB + 5)) == 2 * MIB + 5  # type: ignore[arg-type]
    assert sock.sizes == [MIB, MIB, 5, 3]


def test_a_worker_that_hangs_up_early_is_noticed(clock: Callable[..., Clock]) -> None:
    clock(100.0)
    with pytest.raises(EOFError):
        Channel(Says(b"ab", b""), 101.0, refused=True).receive(4)  # type: ignore[arg-type]


@pytest.fixture
def ends() -> Generator[tuple[socket.socket, socket.socket]]:
    """Two ends of a socket; the first does not block."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def test_a_descriptor_that_came_along_is_seen_before_it_is_taken(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    theirs.sendall(b"ab")
    assert Channel(ours, 1e18).receive(2) == b"ab"
    with open(os.devnull) as stray:
        socket.send_fds(theirs, [b"cd"], [stray.fileno()])
    with pytest.raises(wire.ProtocolError, match="sent a descriptor along"):
        Channel(ours, 1e18).receive(2)


def test_the_end_of_a_stream_is_seen_by_a_look_too(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(EOFError):
        Channel(ours, 1e18).receive(2)


def test_unread_tells_whether_more_has_come_and_takes_nothing(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    talking = Channel(ours, 1e18, refused=True)
    assert talking.unread() is False
    theirs.sendall(b"x")
    assert talking.unread() is True
    assert talking.receive(1) == b"x"
    theirs.close()
    assert talking.unread() is False


@needs_memfd
@pytest.mark.parametrize("size", [0, 1, wire.INLINE_BYTES, wire.INLINE_BYTES + 1, 300_000])
@pytest.mark.parametrize("with_output", [False, True])
def test_a_large_payload_goes_through_shared_memory_and_an_answer_where_there_is_a_place(
    monkeypatch: pytest.MonkeyPatch, ends: tuple[socket.socket, socket.socket], size: int, with_output: bool
) -> None:
    ours, theirs = ends
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * wire.INLINE_BYTES)
    sealed: list[int] = []
    seal = wire.sealed_input
    monkeypatch.setattr(wire, "sealed_input", lambda payload: sealed.append(seal(payload)) or sealed[-1])
    payload = os.urandom(size)
    output = wire.sized_output(100_000) if with_output else None
    Channel(ours, 1e18).send(Outgoing(wire.CALL, NONCE, 3, payload, output))
    assert len(sealed) == (size > wire.INLINE_BYTES)
    for fd in sealed:
        with pytest.raises(OSError, match="Bad file descriptor"):  # ours is closed; the worker has its own
            os.fstat(fd)
    frame, content, shared = wire.receive(theirs)
    large = wire.IN_MEMFD if size > wire.INLINE_BYTES else 0
    assert frame.flags == large | (wire.OUT_MEMFD if with_output else 0)
    assert (frame.opcode, frame.nonce, frame.item, frame.length) == (wire.CALL, NONCE, 3, size)
    assert content == payload
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):  # what went through shared memory does not come in line as well
        theirs.recv(1)
    assert (shared is not None) == with_output
    if output is not None and shared is not None:
        os.pwrite(shared, b"answer", 0)
        assert os.pread(output, 6, 0) == b"answer"
        os.close(output)
        os.close(shared)


def test_a_frame_that_does_not_fit_waits_for_the_worker_to_read(clock: Callable[..., Clock]) -> None:
    """In parts as the socket takes them; descriptors go along with the first part only."""

    class Narrow:
        def __init__(self) -> None:
            self.sent: list[tuple[bytes, int]] = []
            self.full = False

        def _take(self, data: bytes, descriptors: int) -> int:
            self.full = not self.full
            if not self.full:
                raise BlockingIOError
            self.sent.append((data[:20], descriptors))
            return min(len(data), 20)

        def send(self, view: memoryview) -> int:
            return self._take(bytes(view), 0)

        def sendmsg(self, views: list[memoryview], along: list[tuple[int, int, Any]]) -> int:
            return self._take(bytes(views[0]), len(along[0][2]))

    still = clock(100.0, ready=True)
    sock = Narrow()
    Channel(sock, 100.5).send(Outgoing(wire.CALL, NONCE, 3, b"arguments", 0))  # type: ignore[arg-type]
    assert [(len(data), count) for data, count in sock.sent] == [(20, 1), (20, 0), (5, 0)]
    whole = wire.pack(wire.CALL, wire.OUT_MEMFD, NONCE, 3, 9) + b"arguments"
    assert b"".join(data for data, _ in sock.sent) == whole
    assert still.waits == [500.0, 500.0]
    assert still.events == [select.POLLOUT] * 2
    clock(101.0, ready=True)
    with pytest.raises(Late):
        Channel(Narrow(), 100.5).send(Outgoing(wire.CALL, NONCE, 3, b"arguments", None))  # type: ignore[arg-type]
