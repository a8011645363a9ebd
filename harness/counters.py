"""Placeholder until the real meter lands."""

from __future__ import annotations

import time

from harness.readings import Counters


class Meter:
    """Counts over a span."""

    def __init__(self, pids: list[int]) -> None:
        self.pids = pids

    def start(self) -> None:
        """Begins."""
        self.began = time.monotonic()

    def sample(self) -> None:
        """Reads."""

    def stop(self) -> Counters:
        """Ends."""
        return Counters(seconds=time.monotonic() - self.began)
