"""Level `process`: a fresh interpreter with its own session, a clean environment and closed descriptors.

What it does not stop: the worker runs as the same user, so it can read that user's files, reach the network,
and signal or inspect the harness. It separates honest submissions from each other and keeps the inputs of the
score (clock, labels, seeds) out of the submission's process; it is no sandbox against an attacker.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from harness.errors import SandboxFailed
from harness.isolation import cgroups
from harness.isolation.base import Checked, Launch, Launched, environment
from harness.isolation.zygotes import Zygote, ZygoteLost, possible

RESIDUAL = (
    "reads and writes the files of its user",
    "reaches the network",
    "signals and inspects other processes",
)


class ProcessLevel:
    """The level that works everywhere. Keeps the zygotes that its workers are forked from until `close`."""

    name = "process"
    official = False

    def __init__(self, note: str = "") -> None:
        self.note = note
        self._zygotes: dict[tuple[object, ...], Zygote | None] = {}
        self._retired: list[Zygote] = []

    def check(self) -> Checked:
        """Nothing to test: this level makes no promise that an attacker could try to break."""
        return Checked(residual=RESIDUAL)

    def launch(self, order: Launch) -> Launched:
        """Starts a worker, in a control group of its own where one can be made, and kept on its cores.

        It is forked from a zygote if the order names a stack and this system can do that; otherwise it is run
        as `python -I -P -m harness.worker`, where -I ignores the user's site and PYTHON* variables.
        """
        return self._launch(order, {})

    def _launch(self, order: Launch, more: Mapping[str, Any]) -> Launched:
        cores = cores_for(order.threads)
        group, reason = cgroups.make()
        # Where there is nothing to choose, to what this process has: a worker shall not take more.
        allowed = cores or (sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [])
        held = bool(group and allowed and group.confine(allowed))
        try:
            launched = self._started(order, group, held, more)
        except BaseException:
            if group:
                group.remove()
            raise
        launched.no_cgroup = reason
        launched.home = order.home
        if cores:
            os.sched_setaffinity(launched.pid, cores)
        return launched

    def warm(self, order: Launch) -> None:
        """Starts the order's zygote, if there is none; it imports in the background."""
        if order.stack:
            self._warm(order)

    def _warm(self, order: Launch) -> None:
        key = (order.stack, order.threads, order.device)
        if key not in self._zygotes:
            self._zygotes[key] = None
            with contextlib.suppress(SandboxFailed):  # then a worker will not start either, and says so
                self._zygotes[key] = Zygote.start(order) if possible() else None

    def close(self) -> None:
        """Ends the zygotes."""
        zygotes = [*filter(None, self._zygotes.values()), *self._retired]
        self._zygotes, self._retired = {}, []
        for zygote in zygotes:
            zygote.close()

    def _started(
        self, order: Launch, group: cgroups.Cgroup | None, held: bool, more: Mapping[str, Any]
    ) -> Launched:
        """Starts a worker; `held`: its control group keeps it on its cores. `more` is for its zygote."""
        return (self._forked(order, group) if order.stack else None) or _executed(order, group)

    def _forked(
        self, order: Launch, group: cgroups.Cgroup | None, more: Mapping[str, Any] | None = None
    ) -> Launched | None:
        """A forked worker; None if none can be forked, and then no fork is tried for the next ones."""
        self._warm(order)
        key = (order.stack, order.threads, order.device)
        zygote = self._zygotes.get(key)
        if zygote is None:
            return None
        try:
            forked = zygote.fork(order, more)
        except ZygoteLost:
            self._zygotes[key] = None
            if zygote.inherited.stack:  # workers that it forked before may be alive, and would end with it
                self._retired.append(zygote)
            else:
                zygote.close()
            return None
        if group:
            group.take(forked.process.pid)
        return Launched(
            process=forked.process,
            sock=forked.sock,
            cgroup=group,
            inherited=zygote.inherited,
            forked_from=zygote.process,
        )


def _executed(order: Launch, group: cgroups.Cgroup | None) -> Launched:
    """Starts a fresh interpreter."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-I", "-P", "-u", "-m", "harness.worker", str(theirs.fileno())]
    try:
        process = subprocess.Popen(
            group.joining(command) if group else command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=order.scratch,
            env=environment(order),
            close_fds=True,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
    except OSError as error:
        ours.close()
        raise SandboxFailed(f"a worker could not be started: {error}; check free memory and disk") from error
    finally:
        theirs.close()
    return Launched(process=process, sock=ours, cgroup=group)


def cores_for(threads: int) -> list[int]:
    """The cores that every worker is kept on, because the scheduler would place the two sides differently.

    Unpinned, the ratio of two copies of one program varied with a standard deviation of 12.5 %; pinned to one
    core, 1 %. The first core is left to the parent if there is more than one. Empty if there is no choice of
    cores, or no way to choose.
    """
    if not hasattr(os, "sched_setaffinity"):
        return []
    cores = sorted(os.sched_getaffinity(0))
    return cores[-threads:] if threads < len(cores) else []
