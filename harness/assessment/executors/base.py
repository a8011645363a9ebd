"""The contract of an execution engine: units go in, and each comes back once, with the cell that it fills.

An engine decides where and when a unit runs, and nothing else: what a unit is and how it is scored is the
same on every engine (`harness.assessment.executors.work`). It may run a unit again whose process or node was lost:
the unit then continues from what the earlier try measured and stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from harness.sheets import Cell

Event = Literal["waits", "runs", "again"]


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One candidate on one task. `payload` is JSON, all that `work.do` needs to run it anywhere.

    key     digest of everything that the unit asks for: two units with one key would measure the same thing
    timed   whether a clock decides: such a unit has its machine (or its GPU) to itself while it runs
    device  "cpu" or "cuda"
    threads and memory_bytes   what one of its workers may use: an engine counts its places by them
    instances   digest of the root of its instances' seeds; empty where no other unit has the same instances
    """

    candidate: str
    task: str
    key: str
    payload: str
    timed: bool = True
    device: str = "cpu"
    threads: int = 1
    memory_bytes: int = 0
    instances: str = ""

    def may_run_beside(self, others: Iterable[Unit]) -> bool:
        """Whether it may run on one machine at once with those: not where one of them has its instances too.

        While both are alive, one submission can tell another its answers, whatever the isolation.
        """
        return not self.instances or all(self.instances != other.instances for other in others)


@dataclass(frozen=True)
class UnitDone:
    """A unit that came back: its cell as JSON, how long it took in seconds, and on which machine."""

    unit: Unit
    cell: str
    seconds: float
    node: str = ""


class Executor(Protocol):
    """An engine. `name` is what `--executor` takes."""

    name: str

    def run(
        self, units: Sequence[Unit], kept: Callable[[UnitDone], None], seen: Callable[[Unit, Event], None]
    ) -> None:
        """Runs all units in an order of its own and calls `kept` for each, once, from the calling thread.

        `seen` is called with each step of a unit's progress. KeyboardInterrupt ends running units within two
        seconds; what was kept stays kept. A unit that fails by the harness's own fault comes back with a cell
        that says so, and the others go on. Raises HarnessError only where the engine itself cannot work.
        """
        ...


def lost(unit: Unit, reason: str) -> str:
    """The cell, as JSON, of a unit that could not be run by the harness's own fault; the next command tries again."""
    cell = Cell(candidate=unit.candidate, task=unit.task, outcome="harness_error", reasons=(reason,))
    return cell.model_dump_json()
