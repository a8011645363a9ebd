"""The worker's loop: START once, then one CALL after another until STOP or the parent is gone."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

from harness.worker import wire
from harness.worker.context import Context
from harness.worker.loader import ContractError, load_solution, trimmed
from harness.worker.values import Unfit, to_bytes

_PR_SET_PDEATHSIG = 1


def serve(sock: socket.socket) -> None:
    """Serves one submission until the parent says STOP or closes the socket."""
    die_with_parent()
    limit_itself()
    with contextlib.suppress(EOFError, ConnectionError, wire.ProtocolError):
        _serve(sock)
    _leave()


def _serve(sock: socket.socket) -> None:
    frame, payload, _ = _next(sock)
    start, folder = _started(payload)
    solution = _guard(sock, frame, folder, lambda: _construct(start, folder))
    if solution is None:
        return
    sock.sendall(wire.pack(wire.READY, 0, frame.nonce, frame.item, 0))
    while True:
        frame, payload, output = _next(sock)
        # Nothing here keeps the request's bytes during the call: they would count as the submission's memory, and one
        # that looked for them could throw them away (4 points of memory-budget).
        held = [payload]
        del payload
        if frame.opcode == wire.STOP:
            sock.sendall(wire.pack(wire.BYE, 0, frame.nonce, frame.item, 16) + _allocator_peaks())
            return
        result = _guard(sock, frame, folder, lambda h=held, s=solution[0]: _call(s, h))
        if result is None:
            return
        wire.answer(sock, frame, result[0], output)
        if output is not None:
            os.close(output)


def _started(payload: bytes) -> tuple[dict[str, Any], Path]:
    try:
        start = json.loads(payload)
        return start, Path(start["submission"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise wire.ProtocolError("what arrived names no submission") from error


def _next(sock: socket.socket) -> wire.Received:
    """The next frame with work to do; pings before it are answered at once."""
    while True:
        received = wire.receive(sock)
        frame, payload, output = received
        if frame.opcode != wire.PING:
            return received
        wire.answer(sock, frame, _zeros(payload) if payload else b"", output, wire.PONG)
        if output is not None:
            os.close(output)


def _zeros(payload: bytes) -> bytes | memoryview:
    """The zeros with which a request like this one is answered when it is not carried out."""
    phase, _, returns = wire.decode_call(payload)
    if returns is None or returns["kind"] != "array":
        return b""
    import numpy as np

    return to_bytes(np.zeros(returns["shape"], returns["dtype"]), returns, phase)


def _construct(start: dict[str, Any], folder: Path) -> tuple[Any]:
    context = start["context"]
    solution = load_solution(folder, Path(start["contract"]))
    return (
        solution(
            Context(
                device=context["device"],
                seed=context["seed"],
                threads=context["threads"],
                scratch=Path(context["scratch"]),
                models={name: Path(path) for name, path in context["models"].items()},
                limits=context["limits"],
            )
        ),
    )


def _call(solution: Any, held: list[bytes]) -> tuple[bytes | memoryview]:
    phase, arguments, returns = wire.decode_call(held.pop())
    return (to_bytes(getattr(solution, phase)(**arguments), returns, phase),)


def _guard(sock: socket.socket, frame: wire.Frame, folder: Path, work: Any) -> Any:
    """The result of `work`, or None after a FAULT was sent: exceptions of the submission go no further."""
    try:
        return work()
    except wire.ProtocolError:
        raise  # the parent's, not the submission's
    except (ContractError, Unfit) as error:
        wire.fault(sock, frame, wire.FAULT_MALFORMED, str(error))
    except MemoryError as error:
        wire.fault(sock, frame, wire.FAULT_OUT_OF_MEMORY, trimmed(error, folder))
    except BaseException as error:  # noqa: BLE001  (SystemExit and KeyboardInterrupt are theirs too)
        wire.fault(sock, frame, wire.FAULT_CRASHED, trimmed(error, folder))
    return None


def _allocator_peaks() -> bytes:
    """Device memory as torch counts it: peak allocated and reserved bytes, u64 each; only a diagnosis."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return struct.pack("<QQ", 0, 0)
    return struct.pack("<QQ", torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved())


def die_with_parent() -> None:
    """Asks the kernel to kill this process when its parent ends (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def limit_itself() -> None:
    """No core dumps, and half the descriptors that the harness may have, at most 4,096.

    Descriptors on their way in sockets are counted for a user in all: a worker that may have as many as the harness
    of the same user could fill the count, and then no other worker could be handed anything.
    """
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        most = min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _leave() -> None:
    # Flush what was printed, then leave without waiting for the submission's own threads.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(0)
