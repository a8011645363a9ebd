"""The parent's end of the wall: start a worker, send one request at a time, time it, end it.

The clock here is the only official one. A call is timed from the moment its input is released to
the moment the last byte of its answer has been copied, so work that is deferred, queued on a side
stream or done by another thread counts as long as the answer's bytes need it. Answers are checked
on the copy, outside the timed span.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.checks import check_array
from harness.errors import Fault
from harness.instances import Answer, ArraySpec, BlobSpec, Request, ReturnSpec
from harness.isolation.base import Launch, Launched, Level
from harness.isolation.tree import await_stopped, kill_tree, pause_tree, resume_tree
from harness.watch import DeviceReader, Limits, Watch
from harness.worker import wire


@dataclass(frozen=True)
class Seat:
    """What a worker is given: a staged submission, its contract, models, device and limits."""

    submission: Path
    contract: Path
    models: Mapping[str, Path]
    device: str
    threads: int
    seed: int
    limits: Limits
    device_reader: DeviceReader | None = None
    keep_scratch: Path | None = None


class StartFault(Exception):
    """A submission could not be loaded. The session holds its log, and is still to be closed."""

    def __init__(self, session: Session, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.session = session
        self.fault = fault


@dataclass
class Session:
    """One worker, alive. Made by `start`; always ended by `close`."""

    stage: str
    seat: Seat
    launched: Launched
    home: Path
    watch: Watch
    shim_seconds: float = 0.0
    start_seconds: float = 0.0
    items: int = 0
    asking: bool = False
    paused: bool = False
    ended: bool = False
    says: dict[str, str] = field(default_factory=dict)

    def call(self, request: Request, arguments: Mapping[str, Any]) -> tuple[Answer | None, float]:
        """The checked answer to one request and the seconds it took; raises Fault and ends the worker.

        A paused worker goes on when everything is ready to be sent, so that it has no time of its own.
        """
        self.items += 1
        raw, seconds = self._ask(wire.CALL, self.items, request, arguments)
        return _checked(raw, request), seconds

    def ping(self, request: Request | None = None, arguments: Mapping[str, Any] | None = None) -> float:
        """Seconds that asking costs: the shim answers by itself, no line of the submission runs.

        With a request, its arguments travel and are decoded, and zeros of its answer's size come back.
        """
        if request is not None:
            return self._ask(wire.PING, 0, request, arguments or {})[1]
        frame = _Frame(wire.PING, os.urandom(16), 0, b"", None)
        return self._exchange(frame, self.seat.limits.start_seconds, None)[1]

    def _ask(
        self, opcode: int, item: int, request: Request, arguments: Mapping[str, Any]
    ) -> tuple[bytes, float]:
        limit = self.seat.limits.phase_seconds[request.phase]
        payload = wire.encode_call(request.phase, dict(arguments), _described(request.returns))
        output = _output_memfd(request.returns)
        frame = _Frame(opcode, os.urandom(16), item, payload, output)
        try:
            self.resume()
            return self._exchange(frame, limit, request)
        finally:
            if output is not None:
                os.close(output)

    def cpu_seconds(self) -> float | None:
        """Processor seconds that all of the worker's processes have used so far; None once it is ended."""
        return self.watch.cpu_seconds() if not self.ended else None

    def pause(self) -> None:
        """Stops the worker's whole tree: between its turns it can neither work ahead nor slow another's."""
        if not self.ended:
            await_stopped(pause_tree(self.launched.pid, self.watch.known, self.launched.cgroup))
            self.paused = True
            self.watch.rest()

    def resume(self) -> None:
        """Lets a paused worker go on."""
        if not self.ended and self.paused:
            self.paused = self.watch.resting = False
            resume_tree(self.launched.pid, self.watch.known, self.launched.cgroup)

    def close(self) -> None:
        """Ends the worker and everything it started, reads the meters a last time, removes its folders."""
        if not self.ended:
            self.watch.read_now()
            self.resume()
            with contextlib.suppress(Fault):
                self._stop()
            self._end()
        if self.seat.keep_scratch is not None:
            with contextlib.suppress(OSError):
                shutil.copytree(self.home / "scratch", self.seat.keep_scratch, dirs_exist_ok=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def _stop(self) -> None:
        # A worker that still owes an answer (we were interrupted) hears nothing: it is ended at once.
        if not self.asking and self.launched.process.poll() is None and not self.watch.breach:
            frame = _Frame(wire.STOP, os.urandom(16), 0, b"", None)
            words, _ = self._exchange(frame, 2.0, None)
            allocated, reserved = (int.from_bytes(words[i : i + 8], "little") for i in (0, 8))
            if reserved:
                self.says |= {"allocated_bytes": str(allocated), "reserved_bytes": str(reserved)}

    def _end(self) -> None:
        if self.ended:
            return
        self.ended = True
        self.watch.read_now()
        kill_tree(self.launched.pid, self.watch.known, self.launched.cgroup)
        self.launched.process.wait()
        self.watch.stop()
        if self.launched.cgroup is not None:
            self.launched.cgroup.remove()
        self.launched.sock.close()

    def _exchange(self, frame: _Frame, limit: float, request: Request | None) -> tuple[bytes, float]:
        """Sends one frame and returns the answer's raw bytes and the seconds between."""
        deadline = time.monotonic() + limit
        channel = _Channel(self.launched.sock, deadline)
        self.asking = True
        try:
            begin = time.perf_counter()
            channel.send(frame)
            reply = wire.unpack(channel.receive(wire.HEADER.size))
            self._expect(reply, frame)
            raw = self._payload(channel, reply, frame, request)
            seconds = time.perf_counter() - begin
            self.asking = False
            return raw, seconds
        except _Late:
            self._end()
            what = request.phase if request else {wire.START: "starting"}.get(frame.opcode, "ending")
            raise self._verdict(
                Fault("timeout", f"{what} took longer than its limit of {limit:g} s")
            ) from None
        except (EOFError, OSError):
            raise self._died(request) from None
        except wire.ProtocolError as error:
            self._end()
            raise self._verdict(Fault("protocol_error", str(error))) from None

    def _expect(self, reply: wire.Frame, sent: _Frame) -> None:
        due = {
            wire.START: wire.READY,
            wire.CALL: wire.RESULT,
            wire.STOP: wire.BYE,
            wire.PING: wire.PONG,
        }[sent.opcode]
        if reply.nonce != sent.nonce or reply.item != sent.item or reply.opcode not in (due, wire.FAULT):
            raise wire.ProtocolError("the worker answered something that was not asked")

    def _payload(self, channel: _Channel, reply: wire.Frame, sent: _Frame, request: Request | None) -> bytes:
        if reply.opcode == wire.FAULT:
            if reply.length > wire.FAULT_TEXT_BYTES:
                raise wire.ProtocolError("the worker's error report is longer than allowed")
            raise self._verdict(_fault(reply.flags, channel.receive(reply.length)))
        _check_length(reply, sent, request)
        if reply.flags & wire.OUT_MEMFD:
            if sent.output is None:
                raise wire.ProtocolError("the worker named shared memory that it was not given")
            return wire.read_memfd(sent.output, reply.length)
        return channel.receive(reply.length)

    def _died(self, request: Request | None) -> Fault:
        # The limits' watch may be the reason: let it finish saying so before the worker is blamed.
        with contextlib.suppress(Exception):
            self.launched.process.wait(timeout=1.0)
        status = self.launched.process.poll()
        self._end()
        doing = f"during {request.phase}" if request else "while it was starting"
        if status is None:
            return self._verdict(Fault("protocol_error", f"the worker closed its connection {doing}"))
        if status < 0:
            hint = "; the system may have run out of memory" if status == -9 else ""
            return self._verdict(Fault("crashed", f"the worker was killed by signal {-status} {doing}{hint}"))
        return self._verdict(Fault("crashed", f"the worker ended by itself with status {status} {doing}"))

    def _verdict(self, fault: Fault) -> Fault:
        return self.watch.breach or fault


def start(level: Level, seat: Seat, stage: str) -> Session:
    """A worker that has imported the submission and constructed its Solution.

    Raises StartFault when the submission cannot be loaded, SandboxFailed when the worker cannot.
    """
    home = Path(tempfile.mkdtemp(prefix="harness-worker-"))
    scratch = home / "scratch"
    scratch.mkdir()
    try:
        launched = level.launch(Launch(home, scratch, seat.threads, seat.device))
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    launched.sock.setblocking(False)
    began = time.perf_counter()
    watch = Watch(launched, seat.limits, stage, seat.device_reader)
    session = Session(stage, seat, launched, home, watch)
    payload = json.dumps(_start_payload(seat, scratch)).encode()
    try:
        session.ping()
        session.shim_seconds = time.perf_counter() - began
        watch.settle()
        frame = _Frame(wire.START, os.urandom(16), 0, payload, None)
        _, session.start_seconds = session._exchange(frame, seat.limits.start_seconds, None)
    except Fault as fault:
        raise StartFault(session, fault) from fault
    except BaseException:
        session.close()
        raise
    return session


def _start_payload(seat: Seat, scratch: Path) -> dict[str, Any]:
    limits: dict[str, float] = {"memory_bytes": seat.limits.memory_bytes, "processes": seat.limits.processes}
    limits |= {f"{phase}_seconds": seconds for phase, seconds in seat.limits.phase_seconds.items()}
    return {
        "submission": str(seat.submission),
        "contract": str(seat.contract),
        "context": {
            "device": seat.device,
            "seed": seat.seed,
            "threads": seat.threads,
            "scratch": str(scratch),
            "models": {name: str(path) for name, path in seat.models.items()},
            "limits": limits,
        },
    }


class _Late(Exception):
    pass


@dataclass(frozen=True)
class _Frame:
    opcode: int
    nonce: bytes
    item: int
    payload: bytes
    output: int | None


class _Channel:
    """Reads and writes on a non-blocking socket against one deadline, so that no peer can hold us."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self.sock = sock
        self.deadline = deadline

    def _wait(self, event: int) -> None:
        poll = select.poll()
        poll.register(self.sock, event)
        left = self.deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise _Late

    def send(self, frame: _Frame) -> None:
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
                view, fds = view[sent:], []
            except BlockingIOError:
                self._wait(select.POLLOUT)

    def receive(self, size: int) -> bytes:
        """Exactly `size` bytes; raises EOFError when the worker closed its end."""
        parts = bytearray()
        while len(parts) < size:
            try:
                part = self.sock.recv(size - len(parts))
            except BlockingIOError:
                self._wait(select.POLLIN)
                continue
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)


def _described(returns: ReturnSpec) -> dict[str, Any] | None:
    if isinstance(returns, ArraySpec):
        return {"kind": "array", "dtype": returns.dtype, "shape": list(returns.shape)}
    return {"kind": "blob", "max_bytes": returns.max_bytes} if returns else None


def _output_memfd(returns: ReturnSpec) -> int | None:
    size = returns.nbytes if isinstance(returns, ArraySpec) else returns.max_bytes if returns else 0
    return wire.sized_output(size) if wire.has_memfd() and size > wire.INLINE_BYTES else None


def _check_length(reply: wire.Frame, sent: _Frame, request: Request | None) -> None:
    if request is None:
        due = {wire.START: 0, wire.STOP: 16, wire.PING: 0}[sent.opcode]
        fits = reply.length == due
    elif isinstance(request.returns, ArraySpec):
        due, fits = request.returns.nbytes, reply.length == request.returns.nbytes
    else:
        due = request.returns.max_bytes if request.returns else 0
        fits = reply.length <= due
    if not fits:
        raise wire.ProtocolError(f"the worker announced {reply.length:,} bytes where {due:,} were due")


def _fault(code: int, text: bytes) -> Fault:
    words = text.decode(errors="replace")
    last = words.strip().splitlines()[-1] if words.strip() else "no words were given"
    if code == wire.FAULT_MALFORMED:
        return Fault("malformed", words.strip() or last)
    if code == wire.FAULT_OUT_OF_MEMORY:
        return Fault("out_of_memory", last, words)
    return Fault("crashed", last, words)


def _checked(raw: bytes, request: Request) -> Answer | None:
    if isinstance(request.returns, BlobSpec):
        return raw
    return check_array(raw, request.returns, request.phase) if request.returns else None
