"""Level `bubblewrap`: a box of namespaces for each submission, made by bwrap; the default for evaluators.

In the box runs a zygote that imports the task's stack and forks fresh workers. Each has process, mount, message
and network namespaces and memory disks of its own (`worker.namespaces`), which end with it, and confines itself
as at level `confined`. If the harness runs as root, box and workers belong to a pool user of their own. The box
has no network and sees no path and no process of the outside.

What it does not stop: a fault of the kernel or of a GPU's driver, and words between workers by locks and pages of
files that both read, or by what the kernel counts for all (docs/security.md has each, with its rate).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from harness.errors import SandboxFailed
from harness.isolation import selftest
from harness.isolation.base import Checked, Launch, Launched
from harness.isolation.box import boxes, poolusers
from harness.isolation.cgroups import Cgroup
from harness.isolation.strong import StrongLevel
from harness.isolation.tree import descendants
from harness.isolation.zygotes import Zygote, ZygoteLost, ends, possible
from harness.machine.temporary import private_folder, remove
from harness.worker import syscalls
from harness.worker.landlock import version

RESIDUAL = (
    "locks and maps files that other workers read, too",
    "moves counts of the kernel that other workers can read",
)
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
# Readable paths, stack, threads, device.
_Key = tuple[tuple[Path, ...], tuple[str, ...], int, str]


@dataclass(kw_only=True)
class _Boxed:
    """A running box: its zygote, the submission that it belongs to, and what it was made from."""

    zygote: Zygote
    box: boxes.Box
    pool: poolusers.PoolUser | None
    stack: tuple[str, ...]
    errors: Path

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
        self._boxes: dict[_Key, _Boxed] = {}

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
        for boxed in self._boxes.values():
            boxed.close()
        self._boxes.clear()
        super().close()

    def _started(self, order: Launch, group: Cgroup | None, held: bool, more: Mapping[str, Any]) -> Launched:
        boxed = self._box(order)
        words = {
            "confine": _rules(order, held),
            "environment": boxes.worker_environment(order),
            "scratch": str(boxes.SCRATCH),
            "disks": boxes.DISKS,
            **more,
        }
        try:
            forked = boxed.zygote.fork(order, words, group.take if group else lambda _: None)
        except ZygoteLost as error:
            boxed.zygote.clean = False
            raise SandboxFailed(
                f"a worker could not be started in its box: {error} ({boxed.words()})"
            ) from error
        own = {order.scratch: str(boxes.SCRATCH), order.home: str(boxes.HOME)}
        return Launched(
            process=forked.process,
            sock=forked.sock,
            cgroup=group,
            no_cgroup="",
            inherited=boxed.zygote.inherited,
            keeper=_warden(forked.process.pid),
            places=boxed.box.places | own,
            boxed=True,
        )

    def _box(self, order: Launch) -> _Boxed:
        """The box of the order's submission; a new one if there is none."""
        self._let_go()
        key = (order.readable, order.stack, order.threads, order.device)
        if key not in self._boxes:
            made = self._made(order, order.stack) or self._made(order, ())
            if made is None:
                raise SandboxFailed("the box's zygote started threads before it imported anything")
            self._boxes[key] = made
        return self._boxes[key]

    def _let_go(self) -> None:
        """Closes the boxes whose zygote was lost, or whose submission no longer exists."""
        for key, boxed in list(self._boxes.items()):
            if not boxed.zygote.clean or not all(map(os.path.exists, key[0])):
                del self._boxes[key]
                boxed.close()

    def _made(self, order: Launch, stack: tuple[str, ...]) -> _Boxed | None:
        """A new box whose zygote is ready; None if its stack cannot be forked."""
        boxed = _enter(order, stack, self.weaken)
        try:
            boxed.zygote.ready()
        except ZygoteLost as error:
            words = boxed.words()
            boxed.close()
            if "threads" in str(error) and stack:
                return None
            raise SandboxFailed(f"bubblewrap could not make a box: {words} ({error})") from error
        return boxed


def _warden(pid: int) -> int:
    """The parent of a worker, as we see it; 0 if the worker has ended already."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).ppid()
    return 0


def _rules(order: Launch, held: bool) -> dict[str, Any]:
    """The rules for a worker in this box: which rights it keeps. `held`: a control group holds it to its cores."""
    rules = {
        "readable": list(_SHOWN),
        "listed": [],  # what may not be read is covered in a box
        "readable_if": list(_SHOWN_IF),
        "own": [str(boxes.HOME), "/tmp"],
        "use_if": list(_USED_IF),
        "affinity": held,
        "shm": False,
        "seccomp": True,
        "cuda": order.device == "cuda",
    }
    if order.device == "cuda":
        rules["use_if"] = [*_USED_IF, *boxes.cuda_devices()]
    return rules


_NOT_MADE = "a box could not be made: {}; check free memory and disk"


def _enter(order: Launch, stack: tuple[str, ...], weaken: _Weaken) -> _Boxed:
    """Starts a box, with its zygote as the only process."""
    box = boxes.box_for(order)
    pool = poolusers.take() if os.geteuid() == 0 else None
    try:
        home = private_folder("box")
        home.chmod(0o711)
        ours, theirs = ends()
    except OSError as error:
        if pool is not None:
            pool.give_back()
        raise SandboxFailed(_NOT_MADE.format(error)) from error
    errors = home / "errors"
    given: list[int] = []
    try:
        contents = [_holding(content, given) for content, _ in box.contents]
        names = {source: f"{number}" for number, source in enumerate(boxes.sources(box))} if pool else {}
        renamed = {source: str(home / name) for source, name in names.items()}
        options = boxes.arguments(box, order, renamed, contents)
        if weaken is not None:
            weaken({"options": options})
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
    except BaseException as error:
        ours.close()
        remove(home)
        if pool is not None:
            pool.give_back()
        if isinstance(error, OSError):
            raise SandboxFailed(_NOT_MADE.format(error)) from error
        raise
    finally:
        theirs.close()
        for fd in given:
            os.close(fd)
    zygote = Zygote(process=process, sock=ours, home=home)
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
