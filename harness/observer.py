"""The observer that every long piece of work reports its progress to, and one that does nothing with it."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Receives progress and notes; prints nothing itself unless it is the command line's."""

    def step(self, trial: int, stage: str, label: str, phase: str, done: int, total: int) -> None:
        """`done` of `total` requests are answered; now `label` serves `phase`."""
        ...

    def note(self, text: str) -> None:
        """Something a person waiting would want to know."""
        ...


class Silent:
    """An observer that does nothing."""

    def step(self, trial: int, stage: str, label: str, phase: str, done: int, total: int) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""
