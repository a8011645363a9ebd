"""Level `process`: a fresh interpreter of its own session, clean environment and closed descriptors.

What it does not stop: the worker runs as the same user, so it can read that user's files, reach
the network, and signal or inspect the harness. It keeps honest code apart and the score's inputs
(clock, labels, seeds) out of the submission's process; it is no sandbox against an attacker.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from harness.errors import SandboxFailed
from harness.isolation import cgroups
from harness.isolation.base import Launch, Launched, environment


class ProcessLevel:
    """The portable level."""

    name = "process"
    official = False

    def launch(self, order: Launch) -> Launched:
        """Starts `python -I -P -m harness.worker`, in a control group of its own where one can be made.

        -I ignores the user's site and PYTHON* variables.
        """
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-I", "-P", "-u", "-m", "harness.worker", str(theirs.fileno())]
        group, reason = cgroups.make()
        cores = _cores(order.threads)
        if group and cores:
            group.confine(cores)
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
            if group:
                group.remove()
            raise SandboxFailed(
                f"a worker could not be started: {error}; check free memory and disk"
            ) from error
        finally:
            theirs.close()
        if cores:
            os.sched_setaffinity(process.pid, cores)
        return Launched(process, ours, group, reason)


def _cores(threads: int) -> list[int]:
    """The cores that every worker is kept on: placement by the scheduler is not common to both sides.

    Unpinned, the ratio of two copies of one program wandered with a standard deviation of 12.5 %;
    pinned to one core, 1 %. The first core is left to the parent where there is more than one. Empty
    where there is nothing to choose, or nothing to choose by.
    """
    if not hasattr(os, "sched_setaffinity"):
        return []
    cores = sorted(os.sched_getaffinity(0))
    return cores[-threads:] if threads < len(cores) else []
