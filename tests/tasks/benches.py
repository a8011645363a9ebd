"""What tests of tasks give to `prepare` in place of a workbench, and texts that no library is needed for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Part:
    """One split: texts, their labels, and noisy labels where there are any."""

    texts: tuple[str, ...]
    labels: np.ndarray
    noisy_labels: np.ndarray | None = None


@dataclass(frozen=True)
class Data:
    """Both splits, of whatever kind."""

    train: Any
    test: Any


class Seeded:
    """A workbench's streams of random numbers, by name; `seed` is a field of whoever has them."""

    seed: int

    def rng(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, *name.encode()])


def spelt(number: int) -> str:
    """A word of letters alone that stands for the number and for no other one."""
    return "".join("abcdefghij"[int(digit)] * 3 for digit in str(number))
