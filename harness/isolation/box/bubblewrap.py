"""Level `bubblewrap`: a box of namespaces for each submission, made by bwrap; the default for evaluators.

In the box runs a zygote that imports the task's stack and forks one fresh worker at a time, which confines
itself as at level `confined`. When the worker has ended, every process in the box but the zygote is killed
and the box's memory disks are emptied; a box that cannot be cleaned is not used again. If the harness runs as
root, box and workers belong to a pool user of their own. The box has no network and sees no path and no
process of the outside.

What it does not stop: a fault of the kernel or of a GPU's driver, a worker that resets the mark of its own
peak memory (clear_refs; the control group's count is used instead), and file locks between its own workers.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import SandboxFailed
from harness.isolation import selftest
from harness.isolation.base import Checked, Launch, Launched
from harness.isolation.box import boxes, poolusers
from harness.isolation.cgroups import Cgroup
from harness.isolation.strong import StrongLevel
from harness.isolation.tree import descendants
from harness.isolation.zygotes import Forked, Zygote, ZygoteLost, ends, possible
from harness.worker import syscalls
from harness.worker.landlock import version

RESIDUAL = ("resets its own high-water mark of memory", "locks files that its own workers share")
_ENTER = Path(__file__).resolve().with_name("enter.py")
_GONE_SECONDS = 2.0
# Shown inside by Landlock's rules, too: what the box holds at all.
_SHOWN = ("/usr", "/proc", "/harness", "/given")
_SHOWN_IF = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/python", "/venv", "/packages", "/sys")
_USED_IF = (
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/pts",
    "/dev/ptmx",
)


_Weaken = Callable[[dict[str, Any]], None] | None
# Readable paths, stack, threads, device, and whether a control group holds its workers to their cores.
_Key = tuple[tuple[Path, ...], tuple[str, ...], int, str, bool]


@dataclass(kw_only=True)
class _Boxed:
    """A running box: its zygote, the submission that it belongs to, and what it was made from."""

    zygote: Zygote
    box: boxes.Box
    pool: poolusers.PoolUser | None
    stack: tuple[str, ...]
    errors: Path
    worker: Forked | None = None

    @property
    def free(self) -> bool:
        """Whether the next worker may be forked in this box."""
        return self.zygote.clean and (self.worker is None or self.worker.status is not None)

    def close(self) -> None:
        """Ends the box and everything in it, within two seconds, and releases its user."""
        inside = []
        for pid in descendants(self.zygote.process.pid)[1:]:
            with contextlib.suppress(OSError):
                inside.append(os.pidfd_open(pid))
        self.zygote.close()
        patience = _GONE_SECONDS
        for descriptor in inside:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            if not poll.poll(patience * 1000):
                patience = 0.0  # the kernel cannot end it yet; the others are not waited for as well
            os.close(descriptor)
        if self.pool is not None:
            self.pool.give_back()
        with contextlib.suppress(OSError):
            self.errors.unlink()

    def words(self) -> str:
        """The last line of the output of the command that should have made the box."""
        lines = self.errors.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "nothing was said"


class BubblewrapLevel(StrongLevel):
    """The isolation level at which a score can be official."""

    name = "bubblewrap"
    official = True

    def __init__(self, note: str = "") -> None:
        super().__init__(note)
        self._boxes: dict[_Key, list[_Boxed]] = {}

    def insist(self) -> None:
        """Requires Linux with Landlock, a table of its system calls, and bwrap."""
        if sys.platform != "linux" or not possible() or not syscalls.known():
            raise SandboxFailed(
                "level bubblewrap needs Linux on x86_64 or aarch64; choose another --isolation"
            )
        if not shutil.which("bwrap"):
            raise SandboxFailed(
                "level bubblewrap needs the program bwrap; install the package bubblewrap "
                "(apt install bubblewrap)"
            )
        if not version():
            raise SandboxFailed(
                "level bubblewrap needs Landlock, which this kernel has not switched on (lsm=landlock)"
            )

    def promises(self, launched: Launched) -> Checked:
        """Promises that every probe is refused."""
        return Checked({}, tuple(sorted(selftest.every())), RESIDUAL)

    def warm(self, order: Launch) -> None:
        """Does nothing: a box is made for one submission, and none is known yet."""

    def close(self) -> None:
        """Ends every box."""
        for boxed in [boxed for some in self._boxes.values() for boxed in some]:
            boxed.close()
        self._boxes.clear()
        super().close()

    def _started(self, order: Launch, group: Cgroup | None, held: bool, more: Mapping[str, Any]) -> Launched:
        boxed = self._box(order, held)
        words = {
            "confine": _rules(order),
            "environment": boxes.worker_environment(order),
            "scratch": str(boxes.SCRATCH),
            "make": [str(boxes.SCRATCH)],
            **more,
        }
        try:
            forked = boxed.zygote.fork(order, words)
        except ZygoteLost as error:
            boxed.zygote.clean = False
            raise SandboxFailed(
                f"a worker could not be started in its box: {error} ({boxed.words()})"
            ) from error
        boxed.worker = forked.process
        if group:
            group.take(forked.process.pid)
        zygote, places = boxed.zygote, boxed.box.places
        return Launched(
            process=forked.process,
            sock=forked.sock,
            cgroup=group,
            no_cgroup="",
            inherited=zygote.inherited,
            keeper=zygote.pid,
            places=places,
        )

    def _box(self, order: Launch, held: bool) -> _Boxed:
        """A clean, unoccupied box for the order's submission; a new one if there is none."""
        self._let_go()
        key = (order.readable, order.stack, order.threads, order.device, held)
        chosen = next((boxed for boxed in self._boxes.get(key, []) if boxed.free), None)
        if chosen is None:
            chosen = self._made(order, held, order.stack) or self._made(order, held, ())
            if chosen is None:
                raise SandboxFailed("the box's zygote started threads before it imported anything")
            self._boxes.setdefault(key, []).append(chosen)
        chosen.box.places |= {order.scratch: str(boxes.SCRATCH), order.home: str(boxes.HOME)}
        return chosen

    def _let_go(self) -> None:
        """Closes the boxes that are not clean, or whose submission no longer exists."""
        for key, some in self._boxes.items():
            for boxed in [b for b in some if not b.zygote.clean or not all(map(os.path.exists, key[0]))]:
                some.remove(boxed)
                boxed.close()

    def _made(self, order: Launch, held: bool, stack: tuple[str, ...]) -> _Boxed | None:
        """A new box whose zygote is ready; None if its stack cannot be forked."""
        boxed = _enter(order, held, stack, self.weaken)
        try:
            boxed.zygote.ready()
        except ZygoteLost as error:
            words = boxed.words()
            boxed.close()
            if "threads" in str(error) and stack:
                return None
            raise SandboxFailed(f"bubblewrap could not make a box: {words} ({error})") from error
        return boxed


def _rules(order: Launch) -> dict[str, Any]:
    """The rules for a worker in this box: which rights it keeps; the filter of the box is in force already."""
    rules = {
        "readable": list(_SHOWN),
        "readable_if": list(_SHOWN_IF),
        "own": [str(boxes.HOME), "/tmp"],
        "use_if": list(_USED_IF),
        "affinity": True,
        "shm": False,
        "seccomp": False,
        "cuda": order.device == "cuda",
    }
    if order.device == "cuda":
        rules["use_if"] = [*_USED_IF, *boxes.cuda_devices()]
    return rules


def _enter(order: Launch, held: bool, stack: tuple[str, ...], weaken: _Weaken) -> _Boxed:
    """Starts a box, with its zygote as the only process."""
    box = boxes.box_for(order)
    home = Path(tempfile.mkdtemp(prefix="harness-box-"))
    home.chmod(0o711)
    errors = home.with_suffix(".errors")
    pool = poolusers.take() if os.geteuid() == 0 else None
    ours, theirs = ends()
    given: list[int] = []
    try:
        contents = [_holding(content, given) for content, _ in box.contents]
        names = {source: f"{number}" for number, source in enumerate(boxes.sources(box))} if pool else {}
        renamed = {source: str(home / name) for source, name in names.items()}
        options = boxes.arguments(box, order, renamed, contents)
        if weaken is not None:
            weaken({"options": options})
        options += ["--seccomp", str(_holding(syscalls.program(affinity=held), given))]
        argv = [
            str(shutil.which("bwrap")),
            "--args",
            str(_holding(_joined(options), given)),
            "--",
            *boxes.zygote_command(box, theirs.fileno(), stack),
        ]
        if pool is not None:
            poolusers.require_readable(list(names))
            words = {"under": str(home), "binds": list(names.items()), "argv": argv, "pool": pool.uid}
            argv = [sys.executable, "-I", "-S", str(_ENTER), str(_holding(json.dumps(words).encode(), given))]
        with open(errors, "wb") as errors_file:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors_file,
                cwd="/",
                env={},
                close_fds=True,
                pass_fds=(theirs.fileno(), *given),
                start_new_session=True,
            )
    except BaseException:
        ours.close()
        shutil.rmtree(home, ignore_errors=True)
        if pool is not None:
            pool.give_back()
        raise
    finally:
        theirs.close()
        for fd in given:
            os.close(fd)
    zygote = Zygote(process=process, sock=ours, home=home, sweep=tuple(disk for disk, _ in boxes.DISKS))
    return _Boxed(zygote=zygote, box=box, pool=pool, stack=stack, errors=errors)


def _joined(words: list[str]) -> bytes:
    return b"".join(word.encode() + b"\0" for word in words)


def _holding(content: bytes, given: list[int]) -> int:
    """A descriptor from which `content` can be read; it is added to `given`."""
    fd = os.memfd_create("box", os.MFD_CLOEXEC)
    given.append(fd)
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
