"""Assessments and runs as plain tables, for other programs: values in, rows out.

What a column means is said in docs/export.md. None stands for what was not measured. Columns are only ever
added at the end of a table; where one changes its meaning, TABLES_VERSION is raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.records import RunHead, Trial
from harness.reports.parts import clean
from harness.sheets import Cell, Sheet

TABLES_VERSION = 1
Value = str | int | float | bool | None
Row = tuple[Value, ...]
Kind = Literal["text", "integer", "number", "boolean"]

_CELL: dict[str, Kind] = {"assessment": "text", "candidate": "text", "task": "text", "run": "text"}
COLUMNS: dict[str, dict[str, Kind]] = {
    "cells": {
        **_CELL,
        "suite": "text",
        "weight": "number",
        "outcome": "text",
        "standing": "text",
        "points": "number",
        "points_uncapped": "number",
        "points_low": "number",
        "points_high": "number",
        "tier": "text",
        "measure": "text",
        "unit": "text",
        "direction": "text",
        "value": "number",
        "low": "number",
        "high": "number",
        "certified": "boolean",
        "grade": "text",
        "stamp": "text",
        "isolation": "text",
        "machine": "text",
        "submission_digest": "text",
        "task_digest": "text",
        "started_at": "text",
        "wall_seconds": "number",
        "instances": "integer",
        "reasons": "text",
        "open_by": "text",
        "decision": "text",
        "decided_by": "text",
        "decided_at": "text",
        "decided_why": "text",
    },
    "constraints": {
        **_CELL,
        "name": "text",
        "unit": "text",
        "verdict": "text",
        "value": "number",
        "low": "number",
        "high": "number",
        "bound": "text",
        "threshold": "number",
        "words": "text",
        "open_by": "text",
    },
    "instances": {**_CELL, "number": "integer", "instance": "text", "points": "number"},
    "runs": {
        "run": "text",
        "assessment": "text",
        "candidate": "text",
        "task": "text",
        "task_version": "text",
        "task_digest": "text",
        "submission": "text",
        "submission_digest": "text",
        "started_at": "text",
        "stamp": "text",
        "seed_id": "text",
        "profile": "text",
        "size": "text",
        "device": "text",
        "isolation": "text",
        "threads": "integer",
        "machine": "text",
        "processor": "text",
        "cores": "integer",
        "memory_bytes": "integer",
        "system": "text",
        "python": "text",
        "harness_version": "text",
        "schema_version": "integer",
        "taken_up": "integer",
    },
    "samples": {
        "run": "text",
        "task": "text",
        "number": "integer",
        "instance": "text",
        "role": "text",
        "label": "text",
        "tier": "text",
        "item": "text",
        "group": "text",
        "pair": "integer",
        "position": "integer",
        "count": "integer",
        "seconds": "number",
    },
}


@dataclass(frozen=True)
class Table:
    """A table's name, and its rows in the order of COLUMNS[name]; they can be gone through once."""

    name: str
    rows: Iterable[Row]

    @property
    def columns(self) -> dict[str, Kind]:
        """The names of the columns and what they hold."""
        return COLUMNS[self.name]


def tables(sheets: Sequence[Sheet], heads: Iterable[RunHead]) -> list[Table]:
    """Everything but the raw samples."""
    return [
        Table("cells", cell_rows(sheets)),
        Table("constraints", constraint_rows(sheets)),
        Table("instances", instance_rows(sheets)),
        Table("runs", run_rows(heads)),
    ]


def cell_rows(sheets: Iterable[Sheet]) -> Iterator[Row]:
    """One row for each cell that is kept."""
    for sheet in sheets:
        suite = sheet.assessment.suite
        weights = {task.id: task.weight for task in suite.tasks}
        for c in sheet.cells:
            yield (
                *_cell(sheet, c),
                suite.name,
                weights.get(c.task),
                c.outcome,
                c.standing,
                *((None,) * 4 if c.withheld else (c.points, c.points_uncapped, c.points_low, c.points_high)),
                c.tier,
                c.measure,
                c.unit,
                c.direction,
                c.value,
                c.low,
                c.high,
                c.certified,
                c.grade,
                c.stamp,
                c.isolation,
                c.machine_id,
                c.submission_digest,
                c.task_digest,
                c.started_at,
                c.wall_seconds,
                len(c.instances),
                "; ".join(c.reasons),
                c.open_by,
                *((c.look.decision, c.look.by, c.look.looked_at, c.look.why) if c.look else (None,) * 4),
            )


def constraint_rows(sheets: Iterable[Sheet]) -> Iterator[Row]:
    """One row for each constraint of each cell."""
    for sheet in sheets:
        for cell in sheet.cells:
            key = _cell(sheet, cell)
            for c in cell.constraints:
                judged = (c.name, c.unit, c.verdict, c.value, c.low, c.high, c.bound, c.threshold)
                yield (*key, *judged, c.words, c.open_by)


def instance_rows(sheets: Iterable[Sheet]) -> Iterator[Row]:
    """One row for each instance of each cell; points are uncapped, and None where an instance has none.

    They are None as well while a verdict is open on what was measured beyond its limit.
    """
    for sheet in sheets:
        for cell in sheet.cells:
            key, each = _cell(sheet, cell), cell.points_each
            whole = len(each) == len(cell.instances) and not cell.withheld
            for number, name in enumerate(cell.instances):
                yield (*key, number, name, each[number] if whole else None)


def run_rows(heads: Iterable[RunHead]) -> Iterator[Row]:
    """One row for each run: what it was, before anything was measured."""
    for h in heads:
        p, m = h.profile, h.machine
        yield (
            h.run_id,
            h.assessment,
            h.candidate,
            h.task,
            h.task_version,
            h.task_digest,
            h.submission,
            h.submission_digest,
            h.started_at,
            h.stamp,
            h.seed_id,
            p.name,
            p.size,
            p.device,
            p.isolation,
            p.threads,
            m.id,
            m.processor,
            m.cores,
            m.memory_bytes,
            m.system,
            m.python,
            h.harness_version,
            h.schema_version,
            len(h.taken_up),
        )


def sample_rows(head: RunHead, trials: Iterable[Trial]) -> Iterator[Row]:
    """One row for each timed request of a run, of the candidate and of the references beside it."""
    for t in trials:
        for s in t.samples:
            yield (
                head.run_id,
                head.task,
                t.number,
                t.instance_id,
                t.role,
                t.label,
                t.tier,
                s.item,
                s.group,
                s.pair,
                s.position,
                s.count,
                s.seconds,
            )


def guarded(value: Value) -> Value:
    """Text without control characters, and with an apostrophe before it where a spreadsheet might see a formula.

    Anything else is as it is. See https://owasp.org/www-community/attacks/CSV_Injection.
    """
    if not isinstance(value, str):
        return value
    shown = clean.printable(value)
    leading = {value[:1], shown[:1]}
    return f"'{shown}" if leading & {"=", "+", "-", "@", "\t", "\r", "\n"} else shown


def _cell(sheet: Sheet, cell: Cell) -> tuple[str, str, str, str]:
    return sheet.assessment.id, cell.candidate, cell.task, cell.run_id
