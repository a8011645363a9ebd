"""A level's self-test: a worker of ours tries to break the level's promises, before any submission runs.

A sandbox can fail without any sign: a rule is dropped, a kernel lacks a feature, and everything looks the
same. So every level is tested on this machine in each run, and one promise that does not hold ends the run.

What it does not stop: an attack that is not among the probes (`worker.probes`).
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from harness.digests import of_value
from harness.errors import SandboxFailed
from harness.isolation import hiding
from harness.isolation.base import Checked, Launch, Launched
from harness.isolation.box import sharedmemory
from harness.isolation.tree import born, kill_tree
from harness.machine.temporary import private_folder
from harness.worker.probes.answering import BETWEEN, PROBES

_SECONDS = 20.0
# In a box, where the names of the outside stand for other folders, these are the worker's.
_OWNED = ("/tmp", "/dev/shm", "/dev")
_LONGEST = 1 << 18
# Starts a worker that answers the probes; what its level promises for such a one.
Prober = Callable[[Launch, Mapping[str, Any]], Launched]
Promises = Callable[[Launched], Checked]


def every() -> frozenset[str]:
    """The names of all probes."""
    return frozenset(PROBES) | frozenset(BETWEEN)


def run(start: Prober, promises: Promises) -> Checked:
    """What the probes reached at a level; raises SandboxFailed at the first promise that does not hold."""
    reached: dict[str, str] = {}
    promised = Checked()
    with _targets() as (orders, targets):
        for number, order in enumerate(orders):  # one after the other, as the stages of a submission are
            launched = start(order, {"probe": True})
            try:
                promised = promises(launched)
                places = {
                    "given": launched.inside(order.readable[0]),
                    "own": launched.inside(order.scratch),
                    "owned": _OWNED if launched.boxed else (),
                    "second": number > 0,
                }
                reached |= _heard(launched, {**targets, **places})
            finally:
                ended(launched)
    missing = sorted(every() - set(reached))
    if missing:
        raise SandboxFailed(
            f"the isolation's self-test did not come to the probe {missing[0]!r}; run it again"
        )
    for name in promised.promised:
        if reached[name]:
            raise SandboxFailed(
                f"the isolation does not hold on this machine: a worker could {name} ({_short(reached[name])}); "
                "choose another level or mend the system"
            )
    return replace(promised, reached=reached)


def digest(checked: Checked) -> str:
    """One word for which probes were refused and which were not; "" if nothing is promised."""
    return (
        of_value([[name, bool(checked.reached[name])] for name in sorted(checked.reached)])[:12]
        if checked.reached
        else ""
    )


def _short(words: str) -> str:
    return words if len(words) <= 60 else f"{words[:57]}..."


def ended(launched: Launched) -> None:
    """Ends a worker that no session looks after, with all that it started, and lets go of what was its own."""
    launched.sock.close()
    kill_tree(launched.pid, {}, launched.group)
    launched.process.wait()
    if launched.cgroup is not None:
        launched.cgroup.remove()
    for pipe in filter(None, (launched.process.stdout, launched.process.stderr)):
        pipe.close()


def _heard(launched: Launched, targets: Mapping[str, Any]) -> dict[str, str]:
    sock = launched.sock
    sock.settimeout(_SECONDS)
    words = b""
    try:
        sock.sendall(json.dumps(targets).encode() + b"\n")
        while not words.endswith(b"\n") and len(words) < _LONGEST:
            if not (part := sock.recv(1 << 16)):
                break
            words += part
        reached: dict[str, str] = json.loads(words)
    except (OSError, ValueError):
        last = "" if words else _last_line(launched.process.stderr)
        raise SandboxFailed(
            f"the isolation's self-test ended without an answer: {last or 'nothing was said'}"
        ) from None
    return reached


def _last_line(pipe: IO[bytes] | None) -> str:
    """The last line that can be read from a pipe without waiting: its writer may live on and print nothing."""
    if pipe is None:
        return ""
    os.set_blocking(pipe.fileno(), False)
    with contextlib.suppress(BlockingIOError):
        lines = os.read(pipe.fileno(), _LONGEST).decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""
    return ""


@contextmanager
def _targets() -> Generator[tuple[list[Launch], dict[str, Any]]]:
    """Two workers' orders and the targets that they will try to reach: all made for this test and removed again."""
    marker = f"harness-probe-{secrets.token_hex(8)}"
    with ExitStack() as stack:
        top = private_folder("probed")
        stack.callback(shutil.rmtree, top, ignore_errors=True)
        outside, given, home, following = (top / n for n in ("outside", "submission", "home", "following"))
        for folder in (outside, given, home, home / "scratch", following, following / "scratch"):
            folder.mkdir()
        (given / "solution.py").write_text("")
        canary = outside / marker
        canary.write_text(marker)
        (outside / "spare").write_text(marker)
        leak = os.open(canary, os.O_RDONLY)
        stack.callback(os.close, leak)
        os.set_inheritable(leak, True)
        target = stack.enter_context(_bystander(marker))
        targets = {
            "canary": str(canary),
            "spare": str(outside / "spare"),
            "hidden": [str(folder) for folder in hiding.beside()],
            "marker": marker,
            "token": secrets.token_hex(8),
            "parent": os.getpid(),
            "target": target,
            "born": {"parent": _born(os.getpid()), "target": _born(target)},
            "uid": os.getuid(),
            "host": socket.gethostname(),
            "target_cores": sorted(os.sched_getaffinity(target)),
            **_listeners(stack, outside, marker),
            "shm": _shared(stack, marker),
            "leak": leak,
        }
        os.environ[_VARIABLE] = marker
        stack.callback(os.environ.pop, _VARIABLE, None)
        yield [_order(home, given) for home in (home, following)], targets


def _order(home: Path, given: Path) -> Launch:
    return Launch(home=home, scratch=home / "scratch", threads=1, device="cpu", readable=(given,))


def _born(pid: int) -> int | None:
    """When it was started; None where our /proc shows the processes of other numbers."""
    return born(pid) if os.path.realpath("/proc/self") == f"/proc/{os.getpid()}" else None


_VARIABLE = "HARNESS_PROBE_TOKEN"


@contextmanager
def _bystander(marker: str) -> Generator[int]:
    """A process of this user that does nothing: whatever can be done to it could be done to the harness."""
    with subprocess.Popen(["/bin/sh", "-c", "read line", marker], stdin=subprocess.PIPE) as process:
        time.sleep(2 / os.sysconf("SC_CLK_TCK"))  # so that nobody in a box is born in the same tick
        yield process.pid


def _listeners(stack: ExitStack, outside: Path, marker: str) -> dict[str, Any]:
    tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
    abstract, path = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    for sock in (tcp, udp, abstract, path):
        stack.callback(sock.close)
    for sock in (tcp, udp):
        sock.bind(("127.0.0.1", 0))
    abstract.bind(f"\0{marker}")
    path.bind(str(outside / "socket"))
    for sock in (tcp, abstract, path):
        sock.listen(1)
    return {
        "tcp": tcp.getsockname()[1],
        "udp": udp.getsockname()[1],
        "abstract": marker,
        "path_socket": str(outside / "socket"),
    }


def _shared(stack: ExitStack, marker: str) -> str:
    """A file in shared memory, if this system has a folder for it."""
    file = sharedmemory.FOLDER / marker
    with contextlib.suppress(OSError):
        file.write_text(marker)
        stack.callback(file.unlink, missing_ok=True)
    return marker
