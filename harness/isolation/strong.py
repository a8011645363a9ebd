"""What the stronger levels have in common: no worker before the self-test, none that is not held, a guarded harness.

What it does not stop: see `confined` and `bubblewrap`, which say how they hold a worker.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.errors import SandboxFailed
from harness.isolation import selftest
from harness.isolation.base import Checked, Launch, Launched
from harness.isolation.box import guard
from harness.isolation.process import ProcessLevel
from harness.isolation.tree import kill_tree

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
        """Raises SandboxFailed where this system lacks what the level is made of."""

    @abstractmethod
    def promises(self, launched: Launched) -> Checked:
        """What holds for a worker like this one: `promised` and `residual`."""

    def check(self) -> Checked:
        """Starts one worker like any other, and lets it attack instead of serving."""
        if self._checked is None:
            self.insist()
            self._guard()
            self._checked = selftest.run(self._launch, self.promises)
        return self._checked

    def launch(self, order: Launch) -> Launched:
        """A worker that is held."""
        self.check()
        self._guard()
        return self._launch(order, {})

    def close(self) -> None:
        """Ends what serves several workers."""
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
        status = Path(f"/proc/{launched.pid}/status").read_text()
        found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        missing = [name for name, value in _HELD.items() if found.get(name) != value]
        if missing and self.weaken is None:
            kill_tree(launched.pid, {}, launched.group)
            raise SandboxFailed(f"a worker was started without {missing[0]}; run it again at another level")
        return launched
