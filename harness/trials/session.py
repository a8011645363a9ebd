"""The parent's end of the wall: start a worker, send one request at a time, time it, end it.

The clock here is the only official one. A call is timed from the moment its input is released to the moment
the last byte of its answer has been copied, so work that is deferred, queued on a side stream or done by another
thread counts as long as the answer's bytes need it. Answers are checked on the copy, outside the timed span.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import Fault, HarnessError, SandboxFailed
from harness.instances import Answer, ArraySpec, BlobSpec, Request, ReturnSpec
from harness.isolation.base import Launch, Launched, Level
from harness.isolation.tree import kill_tree, pause_tree, resume
from harness.machine.temporary import private_folder, remove
from harness.trials.channel import Channel, Late, Outgoing, guard
from harness.trials.validation import check_array
from harness.trials.watch import DeviceReader, Limits, Watch
from harness.worker import wire


@dataclass(frozen=True, kw_only=True)
class WorkerSpec:
    """What a worker is given; its submission's start may take `start_most` seconds, however wide the limits are."""

    submission: Path
    contract: Path
    models: Mapping[str, Path]
    device: str
    threads: int
    seed: int
    limits: Limits
    device_reader: DeviceReader | None = None
    start_most: float = math.inf
    keep_scratch: Path | None = None
    stack: tuple[str, ...] = ()
    hidden: tuple[Path, ...] = ()


class StartFault(Exception):
    """A submission could not be loaded. The session holds its log, and is still to be closed."""

    def __init__(self, session: Session, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.session = session
        self.fault = fault


class Answered(NamedTuple):
    """A worker's checked answer, and the seconds it took."""

    answer: Answer | None
    seconds: float


class RawReply(NamedTuple):
    """The raw bytes of a worker's reply, and the seconds from sending the frame to having read all of it."""

    raw: bytes
    seconds: float


@dataclass(kw_only=True)
class Session:
    """One worker, alive. Made by `start`; always ended by `close`."""

    stage: str
    seat: WorkerSpec
    launched: Launched
    home: Path
    watch: Watch
    shim_seconds: float = 0.0
    start_seconds: float = 0.0
    items: int = 0
    asking: bool = False
    stopped: set[int] = field(default_factory=set)
    ended: bool = False
    refused: bool = False
    broken: Fault | None = None
    says: dict[str, str] = field(default_factory=dict)

    def call(self, request: Request, arguments: Mapping[str, Any], most: float = math.inf) -> Answered:
        """The checked answer to one request and the seconds it took; raises Fault and ends the worker.

        It may take `most` seconds, or the limit of its phase where that is less.
        A paused worker goes on when everything is ready to be sent, so that it has no time of its own.
        """
        self.items += 1
        raw, seconds = self._ask(wire.CALL, self.items, request, arguments, most)
        try:
            return Answered(_checked(raw, request), seconds)
        except Fault:
            self._end()
            raise

    def ping(self, request: Request | None = None, arguments: Mapping[str, Any] | None = None) -> float:
        """Seconds that asking costs: the shim answers by itself; to a request, with zeros of its answer's size."""
        if request is not None:
            return self._ask(wire.PING, 0, request, arguments or {}).seconds
        frame = Outgoing(wire.PING, os.urandom(16), 0, b"", None)
        return self.exchange(frame, self.seat.limits.start_seconds, None).seconds

    def begin(self, payload: bytes) -> None:
        """Gives the worker its submission, as START's `payload` describes it, and waits until it is constructed.

        Raises Fault when that fails; keeps the time in `start_seconds`.
        """
        limit = min(self.seat.start_most, self.seat.limits.start_seconds)
        frame = Outgoing(wire.START, os.urandom(16), 0, payload, None)
        self.start_seconds = self.exchange(frame, limit, None).seconds

    def _ask(
        self, opcode: int, item: int, request: Request, arguments: Mapping[str, Any], most: float = math.inf
    ) -> RawReply:
        limit = min(most, self.seat.limits.phase_seconds[request.phase])
        payload = wire.encode_call(request.phase, dict(arguments), _described(request.returns))
        try:
            output = _output_memfd(request.returns)
        except OSError as error:
            raise _not_handed_over(error) from error
        frame = Outgoing(opcode, os.urandom(16), item, payload, output)
        try:
            self.resume()
            return self.exchange(frame, limit, request)
        finally:
            if output is not None:
                os.close(output)

    def cpu_seconds(self) -> float | None:
        """Processor seconds that all of the worker's processes have used so far; None once it is ended."""
        return self.watch.cpu_seconds() if not self.ended else None

    def pause(self) -> None:
        """Stops the worker's whole tree: between its turns it can neither work ahead nor slow another's."""
        if not self.ended:
            self.stopped = pause_tree(self.launched.pid, self.watch.known, self.launched.group)
            self.watch.rest()

    def resume(self) -> None:
        """Lets a paused worker go on."""
        if not self.ended and self.stopped:
            self.watch.resting = False
            resume(self.stopped)
            self.stopped = set()

    def close(self) -> None:
        """Ends the worker and everything it started, reads the meters a last time, removes its folders."""
        if not self.ended:
            self.watch.read_now()
            # Interrupted: nobody waits for last words, nor for a submission that is slow to say them.
            if not isinstance(sys.exception(), KeyboardInterrupt):
                self.resume()
                with contextlib.suppress(Fault, SandboxFailed):
                    self._stop()
            self._end()
        if self.seat.keep_scratch is not None:
            with contextlib.suppress(OSError, RecursionError):  # its own folders may be as deep as it likes
                shutil.copytree(self.home / "scratch", self.seat.keep_scratch, dirs_exist_ok=True)
        remove(self.home)

    def _stop(self) -> None:
        # A worker that still owes an answer (we were interrupted) hears nothing: it is ended at once.
        if not self.asking and self.launched.process.poll() is None and not self.watch.breach:
            frame = Outgoing(wire.STOP, os.urandom(16), 0, b"", None)
            words, _ = self.exchange(frame, 2.0, None)
            allocated, reserved = (int.from_bytes(words[i : i + 8], "little") for i in (0, 8))
            if reserved:
                self.says |= {"allocated_bytes": str(allocated), "reserved_bytes": str(reserved)}

    def _end(self) -> None:
        if self.ended:
            return
        self.ended = True
        self.watch.read_now()
        kill_tree(self.launched.pid, self.watch.known, self.launched.group)
        self.launched.process.wait()
        self.watch.stop()
        if self.launched.cgroup is not None:
            self.launched.cgroup.remove()
        if self.launched.swept:
            self.says["left in shared memory"] = ", ".join(self.launched.swept)
        self.launched.sock.close()

    def exchange(self, frame: Outgoing, limit: float, request: Request | None) -> RawReply:
        """Sends one frame and returns the answer's raw bytes and the seconds between.

        Raises Fault when the worker fails, HarnessError when we do; either way it is ended.
        """
        channel = Channel(self.launched.sock, time.monotonic() + limit, self.refused)
        self.asking = True
        try:
            begin = time.perf_counter()
            channel.send(frame)
            reply = wire.unpack(channel.receive(wire.HEADER.size))
            _expect(reply, frame, request)
            raw = _payload(channel, reply, frame)
            seconds = time.perf_counter() - begin
            if channel.unread():
                raise wire.ProtocolError("the worker said more than its answer")
            self.asking = False
            return RawReply(raw, seconds)
        except Fault as fault:
            self._end()
            raise self._verdict(fault) from None
        except Late:
            self._end()
            what = request.phase if request else {wire.START: "starting"}.get(frame.opcode, "ending")
            raise self._verdict(
                Fault("timeout", f"{what} took longer than its limit of {limit:g} s")
            ) from None
        except (EOFError, ConnectionError):
            raise self._died(request) from None
        except wire.ProtocolError as error:
            self._end()
            self.broken = self._verdict(Fault("protocol_error", str(error)))
            raise self.broken from None
        except PermissionError:  # what its end of the socket refuses is the worker's doing, and nobody else's
            self._end()
            why = "the worker's end of the socket takes nothing that is handed to it"
            self.broken = self._verdict(Fault("protocol_error", why))
            raise self.broken from None
        except OSError as error:
            self._end()
            raise _not_handed_over(error) from error

    def _died(self, request: Request | None) -> Fault:
        # The limits' watch may be the reason: let it finish saying so before the worker is blamed.
        with contextlib.suppress(Exception):
            self.launched.process.wait(timeout=1.0)
        status = self.launched.process.poll()
        self._end()
        if status == -signal.SIGKILL and self.launched.went_with_another():
            raise SandboxFailed(
                "the process that workers are forked from was killed from outside, perhaps for want of memory; "
                "type the same command again"
            )
        doing = f"during {request.phase}" if request else "while it was starting"
        if status is None:
            return self._verdict(Fault("protocol_error", f"the worker closed its connection {doing}"))
        if status < 0:
            hint = "; the system may have run out of memory" if status == -9 else ""
            return self._verdict(Fault("crashed", f"the worker was killed by signal {-status} {doing}{hint}"))
        return self._verdict(Fault("crashed", f"the worker ended by itself with status {status} {doing}"))

    def _verdict(self, fault: Fault) -> Fault:
        return self.watch.breach or fault


def start(level: Level, seat: WorkerSpec, stage: str) -> Session:
    """A worker that has imported the submission and constructed its Solution.

    Raises StartFault when the submission cannot be loaded, SandboxFailed when the worker cannot.
    """
    home = private_folder("w")
    scratch = home / "scratch"
    scratch.mkdir()
    try:
        launched = level.launch(_launch_of(seat, home, scratch))
    except BaseException:
        remove(home)
        raise
    refused = guard(launched.sock)
    began = time.perf_counter()
    watch = Watch(launched, seat.limits, stage, seat.device_reader)
    session = Session(stage=stage, seat=seat, launched=launched, home=home, watch=watch, refused=refused)
    payload = json.dumps(_start_payload(seat, launched, scratch)).encode()
    try:
        _await_shim(session)
        session.shim_seconds = time.perf_counter() - began
        watch.settle()
        session.begin(payload)
    except Fault as fault:
        raise StartFault(session, fault) from fault
    except BaseException:
        session.close()
        raise
    return session


def _await_shim(session: Session) -> None:
    """The worker's first sign of life; it has not been given a submission yet, so a fault here is ours."""
    try:
        session.ping()
    except Fault as fault:
        raise SandboxFailed(
            f"a worker failed before it was given a submission: {fault.reason}; check free memory and load"
        ) from fault


def _launch_of(seat: WorkerSpec, home: Path, scratch: Path) -> Launch:
    given = (seat.submission, seat.contract, *seat.models.values())
    own = Launch(home=home, scratch=scratch, threads=seat.threads, device=seat.device)
    return replace(own, stack=seat.stack, readable=given, hidden=seat.hidden)


def _start_payload(seat: WorkerSpec, launched: Launched, scratch: Path) -> dict[str, Any]:
    limits: dict[str, float] = {"memory_bytes": seat.limits.memory_bytes, "processes": seat.limits.processes}
    limits |= {f"{phase}_seconds": seconds for phase, seconds in seat.limits.phase_seconds.items()}
    return {
        "submission": launched.inside(seat.submission),
        "contract": launched.inside(seat.contract),
        "context": {
            "device": seat.device,
            "seed": seat.seed,
            "threads": seat.threads,
            "scratch": launched.inside(scratch),
            "models": {name: launched.inside(path) for name, path in seat.models.items()},
            "limits": limits,
        },
    }


_ANSWERS = {wire.START: wire.READY, wire.CALL: wire.RESULT, wire.STOP: wire.BYE, wire.PING: wire.PONG}
# What runs a line of the submission may end in its error; what the shim answers by itself may not.
_MAY_FAULT = (wire.START, wire.CALL)


def _not_handed_over(error: OSError) -> HarnessError:
    return HarnessError(
        f"a request could not be handed to a worker: {error}; check free memory and open files"
    )


def _described(returns: ReturnSpec) -> dict[str, Any] | None:
    if isinstance(returns, ArraySpec):
        return {"kind": "array", "dtype": returns.dtype, "shape": list(returns.shape)}
    return {"kind": "blob", "max_bytes": returns.max_bytes} if returns else None


def _output_memfd(returns: ReturnSpec) -> int | None:
    size = returns.nbytes if isinstance(returns, ArraySpec) else returns.max_bytes if returns else 0
    return wire.sized_output(size) if wire.has_memfd() and size > wire.INLINE_BYTES else None


def _expect(reply: wire.Frame, sent: Outgoing, request: Request | None) -> None:
    """Every field of an answer's header has one value that is due; raises ProtocolError for any other."""
    due = _ANSWERS[sent.opcode]
    faulted = reply.opcode == wire.FAULT and sent.opcode in _MAY_FAULT
    if reply.nonce != sent.nonce or reply.item != sent.item or not (faulted or reply.opcode == due):
        raise wire.ProtocolError("the worker answered something that was not asked")
    if faulted:
        if reply.flags not in wire.FAULTS:
            raise wire.ProtocolError("the worker reported an error of no known kind")
        if reply.length > wire.FAULT_TEXT_BYTES:
            raise wire.ProtocolError("the worker's error report is longer than allowed")
        return
    if reply.flags != (wire.OUT_MEMFD if sent.output is not None else 0):
        raise wire.ProtocolError("the worker's answer is not where it was to be put")
    _check_length(reply, sent, request)


def _payload(channel: Channel, reply: wire.Frame, sent: Outgoing) -> bytes:
    if reply.opcode == wire.FAULT:
        raise _fault(reply.flags, channel.receive(reply.length))
    if sent.output is not None:
        return wire.read_memfd(sent.output, reply.length)
    return channel.receive(reply.length)


def _check_length(reply: wire.Frame, sent: Outgoing, request: Request | None) -> None:
    returns = request.returns if request else None
    if request is None:
        least = most = {wire.START: 0, wire.STOP: 16, wire.PING: 0}[sent.opcode]
    elif isinstance(returns, ArraySpec):
        least = most = returns.nbytes
    else:
        least, most = 0, returns.max_bytes if returns else 0
    if not least <= reply.length <= most:
        raise wire.ProtocolError(f"the worker announced {reply.length:,} bytes where {most:,} were due")


def _fault(code: int, text: bytes) -> Fault:
    words = text.decode(errors="replace")
    last = words.strip().splitlines()[-1] if words.strip() else "no words were given"
    if code == wire.FAULT_MALFORMED:
        return Fault("malformed", words.strip() or last)
    return Fault("out_of_memory" if code == wire.FAULT_OUT_OF_MEMORY else "crashed", last, words)


def _checked(raw: bytes, request: Request) -> Answer | None:
    if isinstance(request.returns, BlobSpec):
        return raw
    return check_array(raw, request.returns, request.phase) if request.returns else None
