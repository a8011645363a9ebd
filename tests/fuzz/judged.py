"""What a fuzzer found: how often what came out, and everything that should not have."""

from __future__ import annotations

import contextlib
import gc
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

KEPT = 20
# Seconds by which an exchange may end after its deadline.
ALLOWED = 1.0


@dataclass
class Found:
    """The figures of one fuzzer; `wrong` names seed, batch and number of each frame that was misjudged."""

    name: str
    frames: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    mutations: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    wrongs: int = 0
    overrun: float = 0.0
    descriptors: int = 0
    grown_bytes: int = 0

    def blame(self, text: str) -> None:
        """Keeps the first of what went wrong, and counts the rest."""
        self.wrongs += 1
        if len(self.wrong) < KEPT:
            self.wrong.append(text)

    @property
    def clean(self) -> bool:
        """Whether nothing was misjudged, left open or late."""
        return not self.wrongs and not self.descriptors and self.overrun <= ALLOWED

    def told(self) -> dict[str, object]:
        """The figures, to be kept as JSON."""
        return {
            "name": self.name,
            "frames": self.frames,
            "seconds": round(self.seconds, 1),
            "frames_per_second": round(self.frames / self.seconds) if self.seconds else 0,
            "outcomes": dict(self.outcomes.most_common()),
            "mutations": dict(self.mutations.most_common()),
            "wrong": self.wrongs,
            "first_wrong": self.wrong,
            "worst_overrun_seconds": round(self.overrun, 4),
            "descriptors_left": self.descriptors,
            "grown_bytes": self.grown_bytes,
        }


@contextlib.contextmanager
def counted(found: Found) -> Iterator[None]:
    """Descriptors and resident memory before and after, and the time between."""
    gc.collect()
    descriptors, memory, began = open_descriptors(), resident(), time.perf_counter()
    yield
    found.seconds = time.perf_counter() - began
    gc.collect()
    found.descriptors = open_descriptors() - descriptors
    found.grown_bytes = resident() - memory


def open_descriptors() -> int:
    """How many descriptors this process holds, but for those that come and go with a thread of something else."""
    looks = []
    for _ in range(5):
        looks.append(len(os.listdir("/proc/self/fd")))
        time.sleep(0.02)
    return min(looks)


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
