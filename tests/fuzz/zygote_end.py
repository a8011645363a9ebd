"""A zygote that lies: whatever it says, the parent forks a true worker or loses the zygote, and nothing else."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness.isolation import zygotes
from harness.isolation.base import Inherited, Launch
from harness.isolation.zygotes import Zygote, ZygoteLost
from tests.fuzz.judged import Found, counted

ORDER = Launch(home=Path("/tmp"), scratch=Path("/tmp"), threads=1, device="cpu", stack=("json",))
_ODD = (None, True, -1, 0, 2, 1.5, 2**70, "", "1", [], {}, float("inf"), float("nan"))
_ODD_TEXTS = (b"\0", b"null", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b"1" * 5000, b'{"number": 0}' * 2)
_TEXTS = (b"", b"{", *(text + b"\n" for text in _ODD_TEXTS))


@dataclass
class _Liar:
    """Plays a zygote on a thread: answers some orders as it should, and one as none should."""

    rng: random.Random
    sock: socket.socket
    stray: int
    worker: int
    kept: list[int]

    def play(self) -> None:
        """Until the parent hangs up or it has had enough."""
        first = {"number": 0, "missing": [], "threads": 1, "memory": {"anon": 1, "file": 2}}
        try:
            if not self._say(first):
                return
            while True:
                said, fds, _, _ = socket.recv_fds(self.sock, 1 << 18, 3)
                self.kept += fds
                if not said or not self._serve(json.loads(said), fds):
                    return
        except OSError:
            return
        finally:
            for fd in self.kept:
                os.close(fd)
            self.sock.close()

    def _serve(self, order: dict[str, Any], fds: list[int]) -> bool:
        if order["do"] == "reap":
            return self._say({"number": order["number"], "status": 0})
        hello = self.rng.choice(("none", "none", "twice", "hung up", "descriptor"))
        with socket.socket(fileno=os.dup(fds[0])) as theirs:
            if hello in ("twice", "descriptor"):
                socket.send_fds(
                    theirs,
                    [b"{}\n" if hello == "descriptor" else b"{}\n{}\n"],
                    [self.stray] if hello == "descriptor" else [],
                )
            if hello == "hung up":
                theirs.shutdown(socket.SHUT_RDWR)
        return self._say({"number": order["number"], "pid": self.worker})

    def _say(self, words: dict[str, Any]) -> bool:
        """Whether it goes on: it may end, fall silent, or say something else."""
        what = self.rng.random()
        text = json.dumps(words).encode() + b"\n"
        if what < 0.1:
            return False
        if what < 0.4:
            name = self.rng.choice(list(words))
            if self.rng.random() < 0.3:
                del words[name]
            else:
                words[name] = self.rng.choice(_ODD)
            text = json.dumps(words).encode() + b"\n"
        elif what < 0.5:
            text = self.rng.choice(_TEXTS)
        elif what < 0.6:
            at = self.rng.randrange(len(text))
            text = text[:at] + bytes([text[at] ^ 1 << self.rng.randrange(8)]) + text[at + 1 :]
        elif what < 0.63:
            return True  # it stalls: nothing is said, the order is forgotten
        for _ in range(2 if self.rng.random() < 0.1 else 1):
            socket.send_fds(self.sock, [text], [self.stray] if self.rng.random() < 0.1 else [])
        return True


def fuzz(count: int, seed: int, patience: float = 0.05) -> Found:
    """`count` conversations with a liar; `patience`: the seconds for which an answer is awaited."""
    found = Found("answers of a zygote")
    stray = os.open(os.devnull, os.O_RDONLY)
    before = zygotes._IMPORT_SECONDS, zygotes._FORK_SECONDS
    zygotes._IMPORT_SECONDS = zygotes._FORK_SECONDS = patience
    child = subprocess.Popen([sys.executable, "-I", "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with counted(found):
            for number in range(count):
                rng = random.Random(f"zygote/{seed}/{number}")
                _one(found, rng, stray, child.pid, f"seed {seed}, number {number}")
    finally:
        zygotes._IMPORT_SECONDS, zygotes._FORK_SECONDS = before
        child.kill()
        child.communicate()
        os.close(stray)
    return found


def _one(found: Found, rng: random.Random, stray: int, worker: int, where: str) -> None:
    ours, theirs = zygotes.ends()
    process: Any = SimpleNamespace(pid=os.getpid())
    zygote = Zygote(process=process, sock=ours, home=Path("/nowhere"), inherited=Inherited())
    liar = threading.Thread(target=_Liar(rng, theirs, stray, worker, []).play)
    liar.start()
    found.frames += 1
    outcome = "forked"
    try:
        forked, sock = zygote.fork(ORDER)
        # The hello was this process's own: its number is what the kernel says, and no child's.
        found.blame(f"{where}: process {forked.pid} was taken for a worker")
        sock.close()
    except ZygoteLost:
        outcome = "lost"
        status = zygote.reap(worker)
        if zygote.lost and status != -signal.SIGKILL:
            found.blame(f"{where}: a lost zygote's word was taken for a worker's end")
    except Exception as error:  # noqa: BLE001  (whatever else comes out is what is looked for)
        found.blame(f"{where}: {type(error).__name__}: {error}")
    ours.close()
    liar.join()
    found.outcomes[outcome] += 1
