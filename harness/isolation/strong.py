"""What the stronger levels share: no worker before the self-test, none that is unconfined, a protected harness.

What it does not stop: see `confined` and `bubblewrap`, which say how they confine a worker.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from harness.errors import SandboxFailed
from harness.isolation import selftest
from harness.isolation.base import Checked, Launch, Launched
from harness.isolation.box import guard
from harness.isolation.process import ProcessLevel
from harness.machine.processes import lines_of

# As the kernel tells them of a process: a filter of system calls, and no way to new privileges.
_HELD = {"Seccomp": "2", "NoNewPrivs": "1"}


class StrongLevel(ProcessLevel):
    """A level that makes promises."""

    # What makes a worker come short of them, for the tests of the self-test.
    weaken: Callable[[dict[str, Any]], None] | None = None

    def __init__(self, note: str = "") -> None:
        super().__init__(note)
        self._checked: Checked | None = None
        self._guarded = False

    @abstractmethod
    def insist(self) -> None:
        """Raises SandboxFailed if this system lacks what the level needs."""

    @abstractmethod
    def promises(self, launched: Launched) -> Checked:
        """The promises for a worker like this one: `promised` and `residual`."""

    def check(self) -> Checked:
        """Starts one worker like any other, but lets it attack instead of serving a submission."""
        if self._checked is None:
            self.insist()
            self._guard()
            self._checked = selftest.run(self._launch, self.promises)
        return self._checked

    def launch(self, order: Launch) -> Launched:
        """Starts a confined worker."""
        self.check()
        self._guard()
        return self._launch(order, {})

    def close(self) -> None:
        """Ends the processes that serve several workers."""
        super().close()
        if self._guarded:
            self._guarded = False
            guard.lower_guard()

    def _guard(self) -> None:
        if not self._guarded:
            self._guarded = True
            guard.raise_guard()

    def _launch(self, order: Launch, more: Mapping[str, Any]) -> Launched:
        launched = super()._launch(order, more)
        missing = _missing(launched.pid) if self.weaken is None else ""
        if missing:
            selftest.ended(launched)
            raise SandboxFailed(f"a worker was started without {missing}; run it again at another level")
        return launched


def _missing(pid: int) -> str:
    """What does not hold the process `pid`, by the kernel's word; "" where all of it does."""
    try:
        status = lines_of(f"/proc/{pid}/status")
    except OSError:
        return "a word of the kernel about it"
    fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    return next((name for name, value in _HELD.items() if fields.get(name) != value), "")
