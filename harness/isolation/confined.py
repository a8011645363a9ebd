"""Level `confined`: a process that gives up its rights by itself, before it gets a submission; needs no root.

A worker is forked from a zygote and confined by `worker.confine`: it can read the interpreter, the system's
libraries and the files it was given, can write its own folder and its own /dev/shm, has no network, and can
neither signal nor inspect other processes. Without a control group, a keeper process above it ends what the
worker leaves behind.

What it does not stop: the worker can connect to unix sockets that have a path (a container engine's, the
desktop's), and it can fill the disk. If the harness is not root it sees the command lines of other processes;
if the kernel does not allow mounts it can change the modes and times of its user's files; on Linux before
6.12 it can signal processes of its user. So a score from this level is a self-check.
"""

from __future__ import annotations

import functools
import os
import site
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import SandboxFailed
from harness.isolation import selftest
from harness.isolation.base import Checked, Launch, Launched
from harness.isolation.box import sharedmemory
from harness.isolation.cgroups import Cgroup
from harness.isolation.hiding import PACKAGE, around, hidden_in
from harness.isolation.strong import StrongLevel
from harness.isolation.zygotes import Forked, possible
from harness.worker import syscalls
from harness.worker.landlock import version

# Whoever reads files of the system: its libraries, its compilers, what it knows of itself.
SYSTEM = (
    "/lib",
    "/lib64",
    "/bin",
    "/sbin",
    "/opt",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/nsswitch.conf",
    "/etc/hosts",
    "/etc/ssl",
    "/etc/mime.types",
    "/etc/os-release",
    "/etc/magic",
    "/sys/devices/system",
    "/sys/fs/cgroup",
    "/sys/kernel/mm",
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
RESIDUAL = ("connects to unix sockets that have a path", "can fill the disk")
_SHARED = "find shared memory of others"
_NOT_PROMISED = {
    "connect to a socket that has a path",
    "know the machine's name",
    "take back the mark of its peak memory",
    "count on from the worker before",
    "know which worker of the run it is",
}
# What depends on the mounts that a worker could make: told by it, the probe, what is to be said without.
_BY_MOUNTS = (
    ("sealed", "change the mode of a file outside", "changes the modes and times of files of its user"),
    ("hidden", "see the harness", "sees the command lines of other processes"),
)
# From which version of Landlock's interface a promise can be kept, and what is to be said before it.
_SINCE = {
    "signal the harness": (6, "signals other processes of its user (Linux before 6.12)"),
    "connect to an abstract socket": (6, "connects to abstract sockets (Linux before 6.12)"),
    "truncate a file outside": (3, "truncates files of its user (Linux before 6.2)"),
}


class ConfinedLevel(StrongLevel):
    """The level for a candidate's own Linux machine."""

    name = "confined"
    official = False

    def insist(self) -> None:
        """Requires Linux with Landlock, and a table of its system calls."""
        if sys.platform != "linux" or not possible() or not syscalls.known():
            raise SandboxFailed(
                "level confined needs Linux 5.13 or newer on x86_64 or aarch64; choose --isolation process"
            )
        if not version():
            raise SandboxFailed(
                "level confined needs Landlock, which this kernel has not switched on; start it with "
                "lsm=landlock or choose --isolation process"
            )

    def promises(self, launched: Launched) -> Checked:
        """Promises everything but the residual of this machine: its kernel's Landlock and possible mounts decide."""
        lacking = {name: words for name, (since, words) in _SINCE.items() if version() < since}
        says = launched.process.says if isinstance(launched.process, Forked) else {}
        if says.get("shm") != "private":
            lacking[_SHARED] = "sees what others of its user keep in /dev/shm"
        lacking |= {name: words for word, name, words in _BY_MOUNTS if says.get(word) is not True}
        promised = selftest.every() - _NOT_PROMISED - lacking.keys()
        return Checked({}, tuple(sorted(promised)), (*RESIDUAL, *lacking.values()))

    def _started(self, order: Launch, group: Cgroup | None, held: bool, more: Mapping[str, Any]) -> Launched:
        rules = self._rules(order, held)
        return self._begun(order, group, {"confine": rules, "keep": group is None, **more})

    def _begun(self, order: Launch, group: Cgroup | None, more: dict[str, Any]) -> Launched:
        """A forked worker, with the order's stack, or without a stack if that one cannot be forked."""
        before = sharedmemory.entries()
        bare = Launch(
            home=order.home,
            scratch=order.scratch,
            threads=order.threads,
            device=order.device,
            readable=order.readable,
            hidden=order.hidden,
        )
        launched = self._forked(order, group, more) or self._forked(bare, group, more)
        if launched is None:
            raise SandboxFailed(
                "no worker could be forked at level confined; --isolation process needs no fork"
            )
        process = launched.process
        if isinstance(process, Forked):
            launched.keeper = process.its_own if more.get("keep") else 0
            if process.says["shm"] == "shared":
                process.afterwards = lambda: launched.swept.extend(sharedmemory.sweep(before))
        return launched

    def _rules(self, order: Launch, held: bool) -> dict[str, Any]:
        shown = [*interpreter(), "/usr"]
        hidden = hidden_in(map(Path, shown), order.hidden)
        parts = [around(folder, hidden) for folder in shown]
        rules = {
            "readable": [*(path for part in parts for path in part.read), *map(str, order.readable), "/proc"],
            "listed": [path for part in parts for path in part.listed],
            "readable_if": [*SYSTEM, *map(str, linked(order.readable))],
            "own": [str(order.home)],
            "use_if": [*DEVICES],
            "affinity": held,
            "shm": True,
            "seccomp": True,
            "cuda": order.device == "cuda",
        }
        if order.device == "cuda":
            rules["readable_if"] += ["/sys", "/run/nvidia-persistenced"]
            rules["use_if"] += cuda_devices()
        if self.weaken is not None:
            self.weaken(rules)
        return rules


@functools.cache
def interpreter() -> tuple[str, ...]:
    """Folders that this Python needs: its environment, its base, and the worker's half of the harness."""
    folders_needed = {sys.prefix, sys.base_prefix, str(Path(os.path.realpath(sys.executable)).parent)}
    folders_needed |= {str(folder) for folders in path_files().values() for folder in folders}
    return (*sorted(folders_needed), str(PACKAGE / "__init__.py"), str(PACKAGE / "worker"))


@functools.cache
def path_files() -> dict[Path, list[Path]]:
    """Files (.pth) that add folders to the import path, and those folders; no checkout of ours."""
    added: dict[Path, list[Path]] = {}
    for packages in map(Path, site.getsitepackages()):
        for file in sorted(packages.glob("*.pth")):
            lines = file.read_text(errors="replace").splitlines()
            named = [
                packages / line.strip()
                for line in lines
                if line.strip() and not line.startswith(("#", "import"))
            ]
            added[file] = [
                folder for folder in named if folder.is_dir() and not PACKAGE.is_relative_to(folder)
            ]
    return added


@functools.cache
def linked(folders: tuple[Path, ...]) -> tuple[Path, ...]:
    """Files outside `folders` to which links inside them lead: a hub's cache keeps a model's files that way."""
    outside = []
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_symlink() and not (real := path.resolve()).is_relative_to(folder.resolve()):
                outside.append(real)
    return tuple(outside)


def cuda_devices() -> list[str]:
    """Device files of NVIDIA's driver."""
    return sorted(str(path) for path in Path("/dev").glob("nvidia*"))
