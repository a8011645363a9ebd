"""What a submission's constructor gets: a plain object with no way back to the harness."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Context:
    """The candidate's surroundings.

    device      "cpu" or "cuda"
    seed        an int for the submission's own randomness, drawn anew for each run: nothing of the data's seed is in it
    threads     how many threads may compute; OMP_NUM_THREADS and its kin are set to it
    scratch     a private, empty, writable folder; gone after the stage
    models      read-only model folders by name
    limits      what kills: "memory_bytes", "processes", "<phase>_seconds"
    """

    device: str
    seed: int
    threads: int
    scratch: Path
    models: dict[str, Path]
    limits: dict[str, float]
