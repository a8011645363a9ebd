"""The assessments in a store: their candidates and suite, and the result in each cell of the table.

A cell is kept whole, as compact JSON beside the run that it was derived from, so that a table over many
thousand runs is read in seconds. One row for each assessment, candidate and task: to keep it twice changes
nothing, and what replaces it leaves the old one in the history with who, when and why.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import Connection, delete, func, insert, select, update

from harness.errors import UsageError
from harness.readings import Record
from harness.records import OURS
from harness.sheets import Amended, Assessment, Cell, Compared, Sheet, Suite, with_look
from harness.store.looks import Looks
from harness.store.results import Store
from harness.store.schema import AMENDED, ASSESSMENTS, CANDIDATES, CELLS, COMPARED, REPLACED


class Replaced(Record):
    """A cell that another one took the place of: what it was, and who replaced it, when and why."""

    cell: Cell
    replaced_at: str
    by: str
    why: str = Field(default="")


@dataclass(frozen=True)
class KeptCell:
    """A cell as the store keeps it; `unit` is the digest of what was measured for it."""

    unit: str
    cell: Cell


@dataclass(frozen=True)
class Minutes:
    """Minutes of wall time that scoring one candidate on one task took, over all that were scored."""

    least: float
    median: float
    most: float


class Ledger:
    """The assessments in a store. Every call is one transaction; raises StoreError like the store itself."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def open(self, assessment: Assessment, aliases: Sequence[str]) -> Assessment:
        """Begins an assessment, or goes on with the one of the same id; candidates that are new are added.

        Returns it as it was first begun.
        """
        row = {
            "id": assessment.id,
            "suite": assessment.suite.name,
            "begun_at": assessment.begun_at,
            "assessment": assessment.model_dump_json(),
        }

        def work(connection: Connection) -> Assessment:
            query = select(ASSESSMENTS.c.assessment).where(ASSESSMENTS.c.id == assessment.id)
            kept = connection.execute(query).scalar()
            if kept is None:
                connection.execute(insert(ASSESSMENTS), row)
            ours = CANDIDATES.c.assessment == assessment.id
            known = set(connection.execute(select(CANDIDATES.c.alias).where(ours)).scalars())
            fresh = [alias for alias in dict.fromkeys(aliases) if alias not in known]
            rows = [
                {"assessment": assessment.id, "alias": alias, "number": len(known) + number}
                for number, alias in enumerate(fresh)
            ]
            if rows:
                connection.execute(insert(CANDIDATES), rows)
            return assessment if kept is None else Assessment.model_validate_json(kept)

        return self.store.write(work)

    def keep(
        self,
        assessment_id: str,
        cell: Cell,
        unit: str,
        *,
        by: str = "",
        why: str = "",
        seen: KeptCell | Literal["any"] | None = "any",
    ) -> KeptCell | None:
        """Keeps a cell; `unit` is the digest of what it measures. A different one before it goes into the history.

        `seen` is what stood there (None: nothing) when it was decided to measure. Where another command has kept
        something else since, that stands, and is returned: this cell may be of an older submission.
        """
        at = [column == value for column, value in _where(assessment_id, cell)]
        # A decision about a run is kept by itself, and never becomes part of what was measured.
        cell_json, now = (
            cell.model_dump_json(exclude={"look"}),
            datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        row = {
            "assessment": assessment_id,
            "candidate": cell.candidate,
            "task": cell.task,
            "unit": unit,
            "run_id": cell.run_id,
            "kept_at": now,
            "cell": cell_json,
        }

        def work(connection: Connection) -> KeptCell | None:
            stands = connection.execute(select(CELLS.c.unit, CELLS.c.cell).where(*at)).first()
            old = stands.cell if stands else None
            if stands and seen != "any" and old != cell_json:
                there = KeptCell(stands.unit, Cell.model_validate_json(stands.cell))
                if not _replaceable(there, seen, KeptCell(unit, cell)):
                    return there
            if old is not None and old != cell_json:
                history = {key: row[key] for key in ("assessment", "candidate", "task")}
                history |= {"replaced_at": now, "by": by, "why": why, "cell": old}
                connection.execute(insert(REPLACED), history)
            connection.execute(delete(CELLS).where(*at))
            connection.execute(insert(CELLS), row)
            return None

        return self.store.write(work)

    def amend(self, assessment: Assessment, *, by: str, why: str) -> Assessment:
        """Changes an assessment's suite (weights, cut); what it was goes into the history. Returns it."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        ours, assessment_json = ASSESSMENTS.c.id == assessment.id, assessment.model_dump_json()

        def work(connection: Connection) -> None:
            was = connection.execute(select(ASSESSMENTS.c.assessment).where(ours)).scalar()
            if was in (None, assessment_json):
                return
            row = {"assessment": assessment.id, "replaced_at": now, "by": by, "why": why, "was": was}
            connection.execute(insert(AMENDED), row)
            connection.execute(update(ASSESSMENTS).where(ours).values(assessment=assessment_json))

        self.store.write(work)
        return assessment

    def units(self, assessment_id: str) -> dict[tuple[str, str], KeptCell]:
        """By candidate and task: the unit that was measured, and its cell."""
        query = select(CELLS.c.unit, CELLS.c.cell).where(CELLS.c.assessment == assessment_id)
        rows = self.store.read(query)
        with _uncollected():
            kept = [KeptCell(row.unit, Cell.model_validate_json(row.cell)) for row in rows]
        return {(one.cell.candidate, one.cell.task): one for one in kept}

    def known(self, units: Sequence[str]) -> dict[str, Cell]:
        """Cells of these units in any assessment: the same was measured there, perhaps under other weights."""
        wanted = set(units)
        query = select(CELLS.c.unit, CELLS.c.cell) if wanted else select(CELLS.c.unit, CELLS.c.cell).limit(0)
        rows = [row for row in self.store.read(query) if row.unit in wanted]
        return {row.unit: Cell.model_validate_json(row.cell) for row in rows}

    def assessments(self) -> list[Assessment]:
        """All of them, the newest first."""
        query = select(ASSESSMENTS.c.assessment).order_by(ASSESSMENTS.c.begun_at.desc(), ASSESSMENTS.c.id)
        return [Assessment.model_validate_json(row.assessment) for row in self.store.read(query)]

    def assessment(self, name: str) -> Assessment:
        """By its id or the beginning of it, by its suite's name (the newest), or "last"; raises UsageError."""
        every = self.assessments()
        chosen = every if name == "last" else [a for a in every if name in (a.suite.name, a.id)]
        if chosen:
            return chosen[0]
        chosen = [a for a in every if a.id.startswith(name)] if name else []
        if len(chosen) == 1:
            return chosen[0]
        if chosen:
            raise UsageError(f"{len(chosen)} assessments start with {name!r}; give more of the id")
        known = ", ".join(sorted({a.suite.name for a in every})) or "none yet"
        raise UsageError(
            f"there is no assessment {name!r} in {self.store.where} (suites scored there: {known}); "
            "`harness score SUITE DIR` makes one"
        )

    def sheet(self, assessment: Assessment) -> Sheet:
        """The assessment with every cell that is kept, and what was decided about it laid over it.

        What was not scored yet has no cell.
        """
        aliases = self.candidates(assessment.id)
        with _uncollected():
            kept_cells = [kept.cell for kept in self.units(assessment.id).values()]
            looks = Looks(self.store).holding({cell.run_id for cell in kept_cells})
            cells = tuple(with_look(cell, looks.get(cell.run_id)) for cell in kept_cells)
            compared = self.compared(assessment.id)
            return Sheet(
                assessment=assessment,
                candidates=aliases,
                cells=cells,
                compared=compared,
                amended=tuple(self.amendments(assessment.id)),
            )

    def compared(self, assessment_id: str) -> Compared | None:
        """What the comparison of code and answers found; None where nothing was compared yet."""
        rows = self.store.read(select(COMPARED.c.compared).where(COMPARED.c.assessment == assessment_id))
        return Compared.model_validate_json(rows[0].compared) if rows else None

    def keep_compared(self, assessment_id: str, compared: Compared) -> None:
        """Keeps what a comparison found, in the place of what one before it did."""
        ours, row = COMPARED.c.assessment == assessment_id, compared.model_dump_json()

        def work(connection: Connection) -> None:
            connection.execute(delete(COMPARED).where(ours))
            connection.execute(insert(COMPARED), {"assessment": assessment_id, "compared": row})

        self.store.write(work)

    def candidates(self, assessment_id: str) -> tuple[str, ...]:
        """The aliases, in the order in which they were listed."""
        query = select(CANDIDATES.c.alias).where(CANDIDATES.c.assessment == assessment_id)
        return tuple(row.alias for row in self.store.read(query.order_by(CANDIDATES.c.number)))

    def amendments(self, assessment_id: str) -> list[Amended]:
        """What the assessment was before each change of its suite, the oldest first."""
        query = select(AMENDED).where(AMENDED.c.assessment == assessment_id).order_by(AMENDED.c.id)
        return [
            Amended(
                was=Assessment.model_validate_json(row.was),
                replaced_at=row.replaced_at,
                by=row.by,
                why=row.why,
            )
            for row in self.store.read(query)
        ]

    def minutes(self, suite: Suite, machines: Mapping[str, str]) -> dict[str, Minutes]:
        """By task of a suite: how long scoring a candidate took on this machine; a task never scored here is left out.

        `machines` holds this machine's id by task (device and threads are part of it): a store may be shared.
        """
        wall: dict[str, list[float]] = {}
        for assessment in self.assessments():
            same = {
                t.id
                for t in assessment.suite.tasks
                for own in suite.tasks
                if (t.id, t.profile, t.task_digest) == (own.id, own.profile, own.task_digest)
            }
            for kept in self.units(assessment.id).values():
                cell = kept.cell
                here = cell.machine_id == machines.get(cell.task)
                if here and cell.task in same and cell.run_id and cell.outcome == "ok":
                    wall.setdefault(cell.task, []).append(cell.wall_seconds / 60)
        return {task: Minutes(min(took), median(took), max(took)) for task, took in wall.items()}

    def history(self, assessment_id: str) -> list[Replaced]:
        """Every cell that was replaced, the oldest first."""
        query = select(REPLACED).where(REPLACED.c.assessment == assessment_id).order_by(REPLACED.c.id)
        return [
            Replaced(
                cell=Cell.model_validate_json(row.cell), replaced_at=row.replaced_at, by=row.by, why=row.why
            )
            for row in self.store.read(query)
        ]

    def count(self, assessment_id: str) -> int:
        """How many cells are kept."""
        query = select(func.count()).select_from(CELLS).where(CELLS.c.assessment == assessment_id)
        return int(self.store.read(query)[0][0])


@contextlib.contextmanager
def _uncollected() -> Generator[None]:
    """Without the cycle collector, which would go through all cells over and over while they are only made.

    A hundred thousand took 8.5 s with it and 3.3 s without; they hold no cycles.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _replaceable(there: KeptCell, seen: KeptCell | None, fresh: KeptCell) -> bool:
    """Whether what stands there is still what was seen, or a fault of ours on the very unit that was now measured."""
    if seen is not None and (seen.unit, _said(seen.cell)) == (there.unit, _said(there.cell)):
        return True
    return there.unit == fresh.unit and there.cell.outcome in OURS and fresh.cell.outcome not in OURS


def _said(cell: Cell) -> str:
    return cell.model_dump_json(exclude={"look"})


def _where(assessment_id: str, cell: Cell) -> list[tuple[Any, str]]:
    return [
        (CELLS.c.assessment, assessment_id),
        (CELLS.c.candidate, cell.candidate),
        (CELLS.c.task, cell.task),
    ]
