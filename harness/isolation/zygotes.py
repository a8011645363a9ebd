"""The parent's end of a zygote: a process that has imported a task's stack, and from which workers are forked.

Importing torch and transformers takes seconds, a fork a hundredth of one. A zygote holds nothing of any
submission, so one serves a whole run. A forked worker shares with it only memory that neither has written
since: the same bytes that a fresh interpreter would have read by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

from harness.errors import SandboxFailed
from harness.isolation.base import Inherited, Launch, environment
from harness.isolation.tree import descendants
from harness.machine.temporary import private_folder, remove

_IMPORT_SECONDS = 180.0
_FORK_SECONDS = 20.0
_MESSAGE_BYTES = 256 * 1024
_CREDENTIALS = struct.Struct("iII")


class ZygoteLost(Exception):
    """The zygote does not answer, or cannot promise what a zygote must; the message says which."""


@dataclass(kw_only=True)
class Forked:
    """A worker that is not our child: it is identified and waited for through a descriptor of its own (pidfd)."""

    zygote: Zygote
    pid: int
    its_own: int
    descriptor: int
    stdout: IO[bytes] | None
    stderr: IO[bytes] | None
    says: Mapping[str, Any]
    status: int | None = None
    afterwards: Callable[[], None] = lambda: None

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it lives."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(timeout=0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end; raises subprocess.TimeoutExpired."""
        if self.status is None:
            poll = select.poll()
            poll.register(self.descriptor, select.POLLIN)
            if not poll.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired("worker", timeout or 0.0)
            self.status = self.zygote.reap(self.its_own)
            os.close(self.descriptor)
            self.afterwards()
        return self.status


class ForkedWorker(NamedTuple):
    """A forked worker's process, and the parent's end of its socket."""

    process: Forked
    sock: socket.socket


class Hello(NamedTuple):
    """The first message from the other end, and the id of the process that sent it, according to the kernel."""

    message: dict[str, Any]
    pid: int


@dataclass(kw_only=True)
class Zygote:
    """A living zygote; made by `start`, ended by `close`."""

    process: subprocess.Popen[bytes]
    sock: socket.socket
    home: Path
    inherited: Inherited = field(default_factory=Inherited)
    pid: int = 0
    clean: bool = True
    lost: bool = False
    _number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @staticmethod
    def start(order: Launch) -> Zygote:
        """Starts a zygote that imports the order's stack; only the first fork waits for the imports."""
        home = private_folder("zygote")
        ours, theirs = ends()
        command = [sys.executable, "-I", "-P", "-u", "-m", "harness.worker.zygote", str(theirs.fileno())]
        try:
            process = subprocess.Popen(
                [*command, *order.stack],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=home,
                env=environment(Launch(home=home, scratch=home, threads=order.threads, device=order.device)),
                close_fds=True,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            remove(home)
            raise SandboxFailed(
                f"a worker could not be started: {error}; check free memory and disk"
            ) from error
        finally:
            theirs.close()
        return Zygote(process=process, sock=ours, home=home)

    def ready(self) -> None:
        """Waits until the stack is imported; raises ZygoteLost if this process may not be forked."""
        if self.inherited.stack:
            return
        with self._lock:
            try:
                message, self.pid = hello(self.sock, _IMPORT_SECONDS)
            except ZygoteLost as error:
                raise self._lose(str(error)) from error
        memory = message.get("memory")
        if not isinstance(memory, dict):
            raise self._lose("it does not say what memory it holds")
        threads = self._count(message.get("threads"))
        anonymous, file = self._count(memory.get("anon", 0)), self._count(memory.get("file", 0))
        if threads != 1:
            raise ZygoteLost(f"its imports started {threads - 1} threads")
        self.inherited = Inherited(anonymous, file, f"pid {self.process.pid}")

    def fork(
        self, order: Launch, more: Mapping[str, Any] | None = None, take: Callable[[int], None] | None = None
    ) -> ForkedWorker:
        """A new worker for the order, and the parent's end of its socket; raises ZygoteLost.

        `more` is what a level adds to the order for the zygote: how to confine the worker, other folders. A
        worker in a box waits, with no right given up, until `take` has been called with its process id.
        Raises SandboxFailed if the worker could not be confined in that way.
        """
        self.ready()
        try:
            with contextlib.ExitStack() as theirs, contextlib.ExitStack() as kept:
                forked = self._forked(order, more or {}, take, theirs, kept)
                kept.pop_all()
            return forked
        except OSError as error:
            raise self._lose(f"a worker of it cannot be reached ({error})") from error

    def _forked(
        self,
        order: Launch,
        more: Mapping[str, Any],
        take: Callable[[int], None] | None,
        theirs: contextlib.ExitStack,
        kept: contextlib.ExitStack,
    ) -> ForkedWorker:
        """Forks; `theirs` closes the worker's ends, `kept` closes our ends if this fails."""
        ours, its_socket = socket.socketpair()
        kept.enter_context(ours)
        theirs.enter_context(its_socket)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        out, out_end = _pipe(theirs, kept)
        err, err_end = _pipe(theirs, kept)
        words = {"do": "fork", "environment": environment(order), "scratch": str(order.scratch), **more}
        its_own = self._count(self._ask(words, [its_socket.fileno(), out_end, err_end]).get("pid"))
        theirs.close()  # so that a worker that dies before its first word is heard to be gone
        message, pid = hello(ours, _FORK_SECONDS)
        if take is not None and "unconfined" not in message:
            take(pid)
            ours.sendall(b"\n")
            message = _understood(_line(ours))
        if "unconfined" in message:
            self.reap(its_own)
            raise SandboxFailed(f"a worker could not be confined: {message['unconfined']}")
        descriptor = os.pidfd_open(pid)
        kept.callback(os.close, descriptor)
        # Signals will be sent to this process: it must not be one of ours, whatever was claimed.
        if pid not in descendants(self.process.pid)[1:]:
            raise self._lose("the worker that answered is not a child of it")
        return ForkedWorker(
            Forked(
                zygote=self,
                pid=pid,
                its_own=its_own,
                descriptor=descriptor,
                stdout=out,
                stderr=err,
                says=message,
            ),
            ours,
        )

    def reap(self, pid: int) -> int:
        """The exit status of a worker that has ended; that of a killed one, if the zygote was lost with it."""
        try:
            reply = self._ask({"do": "reap", "pid": pid}, [])
            status = reply.get("status")
            if not isinstance(status, int):
                raise self._lose("it does not say how the worker ended")
        except ZygoteLost:
            self.clean = False
            return -int(signal.SIGKILL)
        return status

    def close(self) -> None:
        """Ends the zygote and, with it, every worker that it forked."""
        self.sock.close()
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()
        remove(self.home)

    def _ask(self, words: dict[str, Any], fds: Sequence[int]) -> dict[str, Any]:
        """The answer to an order; raises ZygoteLost, for good, if no such answer comes."""
        with self._lock:
            if self.lost:
                raise ZygoteLost("it did not answer before")
            # Not a count: the worker that is forked can read it, and would know which one it is.
            self._number = secrets.randbits(62)
            try:
                socket.send_fds(self.sock, [json.dumps(words | {"number": self._number}).encode()], list(fds))
            except OSError as error:
                raise self._lose(f"it takes no orders ({error})") from error
            return self._hear(_FORK_SECONDS)

    def _hear(self, seconds: float) -> dict[str, Any]:
        """Its answer to the last order; if it says anything else, it is lost."""
        try:
            self.sock.settimeout(seconds)
            received = self.sock.recv(_MESSAGE_BYTES)
        except OSError as error:
            raise self._lose("it does not answer") from error
        if not received:
            raise self._lose("it ended by itself")
        try:
            reply = _understood(received)
        except ZygoteLost as error:
            raise self._lose(str(error)) from error
        if reply.get("number") != self._number:
            raise self._lose("it answers something that was not asked")
        return reply

    def _count(self, number: object) -> int:
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**63:
            raise self._lose("it does not say what it holds")
        return number

    def _lose(self, why: str) -> ZygoteLost:
        self.lost = True
        return ZygoteLost(why)


def _pipe(theirs: contextlib.ExitStack, kept: contextlib.ExitStack) -> tuple[IO[bytes], int]:
    """A pipe: our end, for reading, and the descriptor for writing."""
    read, write = os.pipe()
    theirs.callback(os.close, write)
    return kept.enter_context(os.fdopen(read, "rb", 0)), write


def _understood(words: bytes) -> dict[str, Any]:
    try:
        message = json.loads(words)
    except (ValueError, RecursionError) as error:
        raise ZygoteLost("what it says cannot be understood") from error
    if not isinstance(message, dict):
        raise ZygoteLost("what it says cannot be understood")
    return message


def ends() -> tuple[socket.socket, socket.socket]:
    """The parent's and the zygote's ends of their socket; the kernel says who sends the first message."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return ours, theirs


def hello(sock: socket.socket, seconds: float) -> Hello:
    """The first line from the other end, and that process's id according to the kernel, whatever it claims."""
    sock.settimeout(seconds)
    try:
        # Room for the credentials only: the kernel drops descriptors that would not fit behind them.
        words, ancillary, _, _ = sock.recvmsg(_MESSAGE_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size))
        whose = _whose(ancillary)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        words = _line(sock, words) if words else b""
    except OSError as error:
        raise ZygoteLost("it does not answer") from error
    if not words or not whose:
        raise ZygoteLost("it ended before it said who it is")
    return Hello(_understood(words), whose)


def _line(sock: socket.socket, words: bytes = b"") -> bytes:
    """What comes up to the end of a line, after `words`; empty if the other end is gone before."""
    while not words.endswith(b"\n"):
        more = sock.recv(_MESSAGE_BYTES)
        if not more:
            return b""
        words += more
    return words


def _whose(ancillary: Sequence[tuple[int, int, bytes]]) -> int:
    """The process id that came with a message, or 0."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            return int(_CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0])
    return 0


def possible() -> bool:
    """Whether this system has what forking a worker needs (Linux 5.3 and newer)."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open") and hasattr(socket, "SCM_CREDENTIALS")
