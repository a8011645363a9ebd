"""Stand-ins for what a level starts: a process that is none, and the order for it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from harness.isolation.base import Launch


@dataclass
class FakeProcess:
    """A process that has this number, and ends with `status`; it lives as long as that is None."""

    pid: int = 1 << 23  # nobody's: the kernel's numbers end at 1 << 22
    status: int | None = None
    stdout: IO[bytes] | None = None
    stderr: IO[bytes] | None = None
    waits: list[float | None] = field(default_factory=list)
    kills: int = 0

    def poll(self) -> int | None:
        return self.status

    def wait(self, timeout: float | None = None) -> int:
        self.waits.append(timeout)
        if self.status is None:
            raise subprocess.TimeoutExpired("fake", timeout or 0.0)
        return self.status

    def kill(self) -> None:
        self.kills += 1
        self.status = -9


class FakePopen:
    """Notes how a program was to be started, as the process `pid`; or the system cannot start any."""

    def __init__(self, pid: int, fault: OSError | None = None) -> None:
        self.pid, self.fault = pid, fault

    def __call__(self, command: list[str], **more: Any) -> FakeProcess:
        self.command, self.more = command, more
        if self.fault:
            raise self.fault
        return FakeProcess(pid=self.pid)


def order(top: Path, **more: Any) -> Launch:
    """An order for a worker whose home is `top`/home; with 64 threads, so that no core is chosen for it."""
    return Launch(
        **{"home": top / "home", "scratch": top / "scratch", "threads": 64, "device": "cpu", **more}
    )
