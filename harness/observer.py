"""Who is told what is going on: the observer that every long piece of work reports to, and one that tells nobody."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Is told what is going on; prints nothing itself unless it is the command line's."""

    def step(self, trial: int, stage: str, label: str, phase: str, done: int, total: int) -> None:
        """`done` of `total` requests are answered; now `label` serves `phase`."""
        ...

    def note(self, text: str) -> None:
        """Something a person waiting would want to know."""
        ...


class Silent:
    """An observer that tells nobody."""

    def step(self, trial: int, stage: str, label: str, phase: str, done: int, total: int) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""
