"""The parent's end of a worker's socket: one frame out and one frame in, both against one deadline.

Whatever is read here was written by a stranger. No peer holds the parent longer than the deadline: not by
silence, not by a byte at a time, not by a descriptor whose closing takes long. What it does not judge is
whether a frame is the one that was due; `session` does.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import time
from dataclasses import dataclass

from harness.worker import wire

_SO_PASSRIGHTS = 83  # Linux 6.16 and newer; Python has no name for it yet
_PART_BYTES = 1 << 20


class Late(Exception):
    """The deadline has passed."""


@dataclass(frozen=True)
class Outgoing:
    """A frame to be sent; `output` is the shared memory that its answer is to be written to."""

    opcode: int
    nonce: bytes
    item: int
    payload: bytes
    output: int | None


def guard(sock: socket.socket) -> bool:
    """Makes the parent's end fit for a stranger; returns whether the kernel now refuses descriptors.

    A descriptor that came along is closed by whoever reads its bytes, and that may take as long as the
    sender likes: a TCP connection set to linger for 4 s held the reader for 4.1 s, whatever its deadline.
    Urgent bytes are put in line, or they would wake the reader again and again without being read.
    """
    sock.setblocking(False)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    if sys.platform != "linux":
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_PASSRIGHTS, 0)
    except OSError:
        return False
    return True


class Channel:
    """Reads and writes on a guarded socket against one deadline.

    `refused`: the kernel refuses descriptors; without that every read is preceded by a look.
    """

    def __init__(self, sock: socket.socket, deadline: float, refused: bool = False) -> None:
        self.sock = sock
        self.deadline = deadline
        self.refused = refused

    def _in_time(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Late
        return left

    def _wait(self, event: int) -> None:
        poll = select.poll()
        poll.register(self.sock, event)
        if not poll.poll(self._in_time() * 1000):
            raise Late

    def send(self, frame: Outgoing) -> None:
        """Sends a header and its payload: inline when small, else in a sealed memfd."""
        shared = wire.has_memfd() and len(frame.payload) > wire.INLINE_BYTES
        flags = (wire.IN_MEMFD if shared else 0) | (wire.OUT_MEMFD if frame.output is not None else 0)
        header = wire.pack(frame.opcode, flags, frame.nonce, frame.item, len(frame.payload))
        fds = [wire.sealed_input(frame.payload)] if shared else []
        try:
            given = fds + ([frame.output] if frame.output is not None else [])
            self._send_all(header if shared else header + frame.payload, given)
        finally:
            for fd in fds:
                os.close(fd)

    def _send_all(self, data: bytes, fds: list[int]) -> None:
        view = memoryview(data)
        while view:
            try:
                sent = socket.send_fds(self.sock, [view], fds) if fds else self.sock.send(view)
            except BlockingIOError:
                self._wait(select.POLLOUT)
                continue
            view, fds = view[sent:], []
            if view:
                self._in_time()

    def receive(self, size: int) -> bytes:
        """Exactly `size` bytes; raises EOFError when the worker closed its end."""
        parts = bytearray()
        while len(parts) < size:
            try:
                part = self._read(min(size - len(parts), _PART_BYTES))
            except BlockingIOError:
                self._wait(select.POLLIN)
                continue
            if not part:
                raise EOFError
            parts += part
            if len(parts) < size:  # a worker that always has one more byte ready is late all the same
                self._in_time()
        return bytes(parts)

    def _read(self, size: int) -> bytes:
        if self.refused:
            return self.sock.recv(size)
        # A look takes nothing from the queue, so it closes no descriptor for the last time.
        seen, _, flags, _ = self.sock.recvmsg(size, 0, socket.MSG_PEEK)
        if flags & socket.MSG_CTRUNC:
            raise wire.ProtocolError("the worker sent a descriptor along")
        return self.sock.recv(len(seen)) if seen else seen

    def unread(self) -> bool:
        """Whether more has arrived than was read."""
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK))
        except (BlockingIOError, ConnectionError):
            return False
