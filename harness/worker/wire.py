"""Frames between parent and worker: a fixed header, then a payload inline or in a sealed memfd.

Header, little-endian, 36 bytes: magic 4s, version u8, opcode u8, flags u16, nonce 16s, item u32,
length u64. The parent's frames may describe themselves (the worker trusts the parent); the
worker's frames never do: an answer is raw bytes whose size and dtype the parent fixed, a fault is
a code and opaque text. Nothing here unpickles.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

HEADER = struct.Struct("<4sBBH16sIQ")
MAGIC = b"MLSH"
VERSION = 1

# PING asks for nothing but an answer: it tells that the shim has started. With a CALL's payload it is
# answered by zeros of the same size, without a line of the submission: that is what asking costs.
START, CALL, STOP, PING = 1, 2, 3, 4
READY, RESULT, FAULT, BYE, PONG = 16, 17, 18, 19, 20

IN_MEMFD, OUT_MEMFD = 1, 2

# Above this a payload goes through shared memory: a socket's buffer is not much larger.
INLINE_BYTES = 64 * 1024
FAULT_TEXT_BYTES = 16 * 1024
_PART_BYTES = 1 << 20

FAULTS = FAULT_CRASHED, FAULT_MALFORMED, FAULT_OUT_OF_MEMORY = 1, 2, 3

_F_ADD_SEALS = 1033
_SEAL, _SHRINK, _GROW, _WRITE = 1, 2, 4, 8


class ProtocolError(Exception):
    """The other end sent something that is not a frame, or not the frame that was expected."""


@dataclass(frozen=True)
class Frame:
    """One frame as read: its payload is still to be fetched when `flags` says it is in a memfd."""

    opcode: int
    flags: int
    nonce: bytes
    item: int
    length: int


def pack(opcode: int, flags: int, nonce: bytes, item: int, length: int) -> bytes:
    """The 36 bytes of a header."""
    return HEADER.pack(MAGIC, VERSION, opcode, flags, nonce, item, length)


def unpack(header: bytes) -> Frame:
    """A header's fields; raises ProtocolError if it is not a header of ours."""
    magic, version, opcode, flags, nonce, item, length = HEADER.unpack(header)
    if magic != MAGIC or version != VERSION:
        raise ProtocolError("what arrived is not a frame of this protocol")
    return Frame(opcode, flags, nonce, item, length)


def has_memfd() -> bool:
    """Whether this system has sealed anonymous memory (Linux)."""
    return hasattr(os, "memfd_create")


def sealed_input(payload: bytes) -> int:
    """A memfd that holds `payload` and can no longer be changed by any process."""
    import fcntl

    with _memfd("input") as fd:
        write_memfd(fd, payload)
        fcntl.fcntl(fd, _F_ADD_SEALS, _SEAL | _SHRINK | _GROW | _WRITE)
    return fd


def sized_output(size: int) -> int:
    """A memfd of `size` zero bytes that can be written but neither shrunk nor grown.

    Without the seals a worker could shrink it while the parent reads, which would kill the parent by SIGBUS.
    """
    import fcntl

    with _memfd("output") as fd:
        os.ftruncate(fd, size)
        fcntl.fcntl(fd, _F_ADD_SEALS, _SEAL | _SHRINK | _GROW)
    return fd


@contextlib.contextmanager
def _memfd(name: str) -> Generator[int]:
    """New anonymous memory; it is closed again only if its first use fails."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        yield fd
    except BaseException:
        os.close(fd)
        raise


def read_memfd(fd: int, size: int) -> bytes:
    """A copy of the first `size` bytes of a memfd, by pread, which is safe even if it was shrunk."""
    parts: list[bytes] = []
    offset = 0
    while offset < size:
        part = os.pread(fd, min(size - offset, 1 << 26), offset)
        if not part:
            raise ProtocolError("shared memory ended early")
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def write_memfd(fd: int, payload: bytes | memoryview) -> None:
    """Writes all of `payload` at the start of a memfd."""
    view = memoryview(payload).cast("B")
    offset = 0
    while offset < len(view):
        offset += os.pwrite(fd, view[offset : offset + (1 << 26)], offset)


def encode_call(phase: str, arguments: dict[str, Any], returns: dict[str, Any] | None) -> bytes:
    """A CALL's payload: u32 length of a JSON head, the head, then the arguments' raw buffers.

    Arguments are texts (sequence of str), numpy arrays, bytes, or plain str, int, float.
    """
    head: list[dict[str, Any]] = []
    buffers: list[bytes] = []
    offset = 0
    for name, value in arguments.items():
        entry, buffer = _encode(name, value)
        entry["offset"], entry["size"] = offset, len(buffer)
        head.append(entry)
        buffers.append(buffer)
        offset += len(buffer)
    text = json.dumps({"phase": phase, "arguments": head, "returns": returns}).encode()
    return struct.pack("<I", len(text)) + text + b"".join(buffers)


def _encode(name: str, value: Any) -> tuple[dict[str, Any], bytes]:
    if isinstance(value, bytes):
        return {"name": name, "kind": "bytes"}, value
    if isinstance(value, (str, int, float)):
        return {"name": name, "kind": "plain", "value": value}, b""
    if hasattr(value, "dtype"):
        entry = {"name": name, "kind": "array", "dtype": value.dtype.str, "shape": list(value.shape)}
        return entry, value.tobytes()
    return {"name": name, "kind": "texts"}, json.dumps(list(value)).encode()


class Call(NamedTuple):
    """A CALL's content: the phase, its arguments by name, and the description of the result, if there is one."""

    phase: str
    arguments: dict[str, Any]
    returns: dict[str, Any] | None


def decode_call(payload: bytes) -> Call:
    """The phase, the arguments by name and the description of the result, from a CALL's payload.

    Raises ProtocolError for a payload that `encode_call` does not produce.
    """
    try:
        (size,) = struct.unpack_from("<I", payload)
        head = json.loads(payload[4 : 4 + size])
        base = 4 + size
        arguments = {}
        for entry in head["arguments"]:
            start = base + entry["offset"]
            arguments[entry["name"]] = _decode(entry, payload[start : start + entry["size"]])
        return Call(head["phase"], arguments, head["returns"])
    except (ValueError, LookupError, TypeError, SyntaxError, RecursionError, struct.error) as error:
        raise ProtocolError("what arrived is not a call of this protocol") from error


def _decode(entry: dict[str, Any], buffer: bytes) -> Any:
    if entry["kind"] == "plain":
        return entry["value"]
    if entry["kind"] == "bytes":
        return buffer
    if entry["kind"] == "texts":
        return json.loads(buffer)
    import numpy as np

    # A copy: the candidate may write into its own arguments.
    return np.frombuffer(buffer, dtype=entry["dtype"]).reshape(entry["shape"]).copy()


class Received(NamedTuple):
    """One frame as the worker read it: header, payload, and the output memfd if one came with it."""

    frame: Frame
    payload: bytes
    output: int | None


def receive(sock: socket.socket) -> Received:
    """The worker's read of one frame: header, payload, and the output memfd if one came with it.

    Blocks. Raises EOFError if the parent is gone, ProtocolError for anything that is not a parent's frame.
    """
    header, fds, _, _ = socket.recv_fds(sock, HEADER.size, 2)
    try:
        return _received(sock, header, fds)
    except BaseException:
        for fd in fds:
            with contextlib.suppress(OSError):
                os.close(fd)
        raise


def _received(sock: socket.socket, header: bytes, fds: list[int]) -> Received:
    if not header:
        raise EOFError
    frame = unpack(header + _exactly(sock, HEADER.size - len(header)))
    if frame.opcode not in (START, CALL, STOP, PING) or frame.flags & ~(IN_MEMFD | OUT_MEMFD):
        raise ProtocolError("what arrived is not a frame that a worker is sent")
    if len(fds) != frame.flags.bit_count():
        raise ProtocolError("a frame came without the shared memory that it names")
    if not frame.flags & IN_MEMFD:
        return Received(frame, _exactly(sock, frame.length), fds[0] if fds else None)
    try:
        payload = read_memfd(fds[0], frame.length)
    except OSError as error:
        raise ProtocolError("what should be shared memory cannot be read") from error
    os.close(fds.pop(0))
    return Received(frame, payload, fds[0] if fds else None)


def _exactly(sock: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = sock.recv(min(size - len(parts), _PART_BYTES))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def answer(
    sock: socket.socket, frame: Frame, payload: bytes | memoryview, output: int | None, opcode: int = RESULT
) -> None:
    """The worker's RESULT (or PONG): through the output memfd if the parent gave one, else inline."""
    size = len(memoryview(payload).cast("B")) if payload else 0
    if output is None:
        sock.sendall(pack(opcode, 0, frame.nonce, frame.item, size) + bytes(payload))
        return
    write_memfd(output, payload)
    sock.sendall(pack(opcode, OUT_MEMFD, frame.nonce, frame.item, size))


def fault(sock: socket.socket, frame: Frame, code: int, text: str) -> None:
    """The worker's FAULT: a code in the flags and opaque text, cut to FAULT_TEXT_BYTES."""
    payload = text.encode(errors="replace")[:FAULT_TEXT_BYTES]
    with contextlib.suppress(OSError):
        sock.sendall(pack(FAULT, code, frame.nonce, frame.item, len(payload)) + payload)
