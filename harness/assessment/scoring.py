"""The one path from a suite and a folder of submissions to a sheet: what is missing is measured, and kept.

The same command finds the same assessment again. A cell whose unit has the same key as before is not
measured again; a fault of the harness leaves a cell that the next same command tries again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from harness import __version__
from harness.assessment import suites
from harness.assessment.comparing import keep_comparison
from harness.assessment.executors.base import Event, Executor, Unit, UnitDone
from harness.assessment.executors.payload import Payload
from harness.assessment.secret import secret_of, shuffled
from harness.assessment.suites import Planned
from harness.digests import of_bytes, of_value
from harness.errors import SubmissionError
from harness.inputs import archives, contents, hand_ins, submissions
from harness.inputs.hand_ins import Handed
from harness.machine import devices
from harness.machine.program import program_digest
from harness.records import OURS
from harness.runs.seeds import root_of
from harness.sheets import Assessment, Cell, Sheet, Variants, not_attempted
from harness.store.ledger import KeptCell, Ledger
from harness.store.results import Store

MEASURED_AGAIN = "measured again"
# What is open and was measured well: another measurement would say the same.
KNOWN_OPEN = ("evaluator", "data")


@dataclass(frozen=True, kw_only=True)
class ScoreRequest:
    """The options of `harness score`; `named` replaces the suite's own name."""

    suite: str
    place: Path
    tasks_root: Path | None = None
    secret_file: Path | None = None
    variants: Variants = "same"
    isolation: str | None = None
    retry_open: bool = False
    named: str = ""


class Watcher(Protocol):
    """Shows how the table fills."""

    def begin(self, sheet: Sheet, missing: Sequence[Unit]) -> None:
        """What is known already, and what will be measured."""

    def event(self, unit: Unit, event: Event) -> None:
        """A unit waits, runs, or is tried again."""

    def done(self, unit: Unit, cell: Cell, seconds: float) -> None:
        """A unit's cell is kept."""

    def note(self, text: str) -> None:
        """Something a person should know."""

    def overtaken(self, text: str) -> None:
        """Another command scored another submission in a cell meanwhile, and that stands."""


@dataclass(frozen=True)
class DueCell:
    """One cell of the table: either a unit that must be measured, or a cell that is known without measuring."""

    key: str
    unit: Unit | None = None
    cell: Cell | None = None


@dataclass(kw_only=True)
class _Plan:
    request: ScoreRequest
    planned: Planned
    secret: bytes
    assessment: Assessment
    references: dict[str, dict[str, str]]
    program: str = field(default_factory=lambda: program_digest())


def score(request: ScoreRequest, store: Store, engine: Executor, watch: Watcher) -> Sheet:
    """Measures what is missing, keeps each cell as it comes, and returns the whole sheet."""
    planned = suites.plan(request.suite, request.tasks_root, request.isolation)
    suite = planned.suite.model_copy(update={"name": request.named or planned.suite.name})
    secret = secret_of(suite.name, store.folder, request.secret_file)
    references = {
        name: {
            str(tier): reference.digest
            for tier, reference in submissions.references(name, task.folder).items()
        }
        for name, task in planned.tasks.items()
    }
    seed_id = of_bytes(secret)[:12]
    assessment = Assessment(
        id=of_value([planned.suite.digest, seed_id, request.variants, references])[:12],
        suite=suite,
        seed_id=seed_id,
        variants=request.variants,
        begun_at=datetime.now(UTC).isoformat(timespec="seconds"),
        harness_version=__version__,
    )
    taken = hand_ins.read(request.place, list(planned.tasks), store.folder / "assessments" / "unpacked")
    for note in taken.notes:
        watch.note(note)
    ledger = Ledger(store)
    assessment = ledger.open(assessment, taken.candidates)
    plan = _Plan(
        request=request, planned=planned, secret=secret, assessment=assessment, references=references
    )
    known = ledger.units(assessment.id)
    again = _measured_again(ledger, assessment.id) if request.retry_open else set()
    missing = _missing(plan, taken, ledger, known, again, watch)
    missing = _taken_over(ledger, assessment.id, missing, known, watch)
    watch.begin(ledger.sheet(assessment), missing)

    def kept(done: UnitDone) -> None:
        cell = Cell.model_validate_json(done.cell)
        seen = known.get((cell.candidate, cell.task))
        stands = ledger.keep(assessment.id, cell, done.unit.key, why=MEASURED_AGAIN, seen=seen)
        _said(cell, done.unit.key, stands, watch)
        watch.done(done.unit, stands.cell if stands else cell, done.seconds)

    if missing:
        engine.run(shuffled(missing, secret), kept, watch.event)
    keep_comparison(ledger, assessment, planned.tasks, taken.handed, watch.note)
    return ledger.sheet(assessment)


def _missing(
    plan: _Plan,
    taken: hand_ins.Intake,
    ledger: Ledger,
    known: Mapping[tuple[str, str], KeptCell],
    again: Set[tuple[str, str, str]],
    watch: Watcher,
) -> list[Unit]:
    """What is to be measured; cells that are known without measuring are kept at once."""
    missing: list[Unit] = []
    for alias in taken.candidates:
        for task in plan.planned.tasks:
            old = known.get((alias, task))
            given = taken.handed.get((alias, task))
            if given is None and old is not None and old.cell.outcome != "not_attempted":
                watch.note(
                    f"{alias}: nothing was handed in for {task} this time; its result of before stands"
                )
                continue
            wanted = _wanted(plan, alias, task, given, old)
            if (
                old is not None
                and old.unit == wanted.key
                and not _open(old.cell, plan.request.retry_open, again)
            ):
                continue
            if wanted.cell is not None:
                cell, why = wanted.cell, "handed in anew" if old else ""
                _said(
                    cell,
                    wanted.key,
                    ledger.keep(plan.assessment.id, cell, wanted.key, why=why, seen=old),
                    watch,
                )
            if wanted.unit is not None:
                missing.append(wanted.unit)
    return missing


def _said(cell: Cell, key: str, stands: KeptCell | None, watch: Watcher) -> None:
    """Tells where another command's cell stands; nothing where that measured the very same, which is no dispute."""
    if stands is None or stands.unit == key:
        return
    theirs, ours = (one.submission_digest[:12] or one.outcome for one in (stands.cell, cell))
    watch.overtaken(
        f"{cell.candidate} on {cell.task}: another command scored it meanwhile, and its result stands (submission "
        f"{theirs} there, {ours} here); agree which one counts, and give the same command with that alone"
    )


def _taken_over(
    ledger: Ledger,
    assessment: str,
    missing: Sequence[Unit],
    known: Mapping[tuple[str, str], KeptCell],
    watch: Watcher,
) -> list[Unit]:
    """Keeps what another assessment has measured for the very same unit; returns what is still to be measured."""
    fresh = []
    for unit in missing:
        kept = known.get((unit.candidate, unit.task))
        if kept is None or kept.unit != unit.key:
            fresh.append(unit)
    cells = ledger.known([u.key for u in fresh]).items()
    # What waits for the evaluator to look was measured well, and what was decided about it holds there too.
    measured = {key: cell for key, cell in cells if cell.standing != "open" or cell.open_by in KNOWN_OPEN}
    for unit in fresh:
        if unit.key in measured:
            cell, seen = measured[unit.key], known.get((unit.candidate, unit.task))
            why = "measured in another assessment"
            _said(cell, unit.key, ledger.keep(assessment, cell, unit.key, why=why, seen=seen), watch)
    taken = {id(unit) for unit in fresh if unit.key in measured}
    return [unit for unit in missing if id(unit) not in taken]


def measure(suite: str, tasks_root: Path | None, store: Store, engine: Executor, watch: Watcher) -> Sheet:
    """Scores each task's expert once, under a suite name of its own, to see how long a candidate takes here."""
    planned = suites.plan(suite, tasks_root)
    folder = store.folder / "assessments" / "references"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / f"{planned.suite.digest[:16]}.csv"
    lines = ["candidate,task,path"]
    for name, task in planned.tasks.items():
        expert = submissions.references(name, task.folder)["expert"]
        lines.append(f'expert,{name},"{expert.folder.absolute()}"')
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    named = f"{planned.suite.name}-references"
    request = ScoreRequest(suite=suite, place=file, tasks_root=tasks_root, named=named)
    return score(request, store, engine, watch)


def _open(cell: Cell, retry_open: bool, again: Set[tuple[str, str, str]]) -> bool:
    """Whether a cell is to be measured again; what is open by the candidate's own doing once at most.

    What waits for the evaluator to look was measured well, and so was what the data give no scale for: another
    measurement would say the same.
    """
    if cell.outcome in OURS:
        return True
    spent = cell.open_by in KNOWN_OPEN or (cell.open_by == "candidate" and _submitted(cell) in again)
    return retry_open and cell.outcome == "inconclusive" and not spent


def _measured_again(ledger: Ledger, assessment: str) -> set[tuple[str, str, str]]:
    """The submissions that were open by their own doing before, and were measured again since."""
    before = [one.cell for one in ledger.history(assessment) if one.why == MEASURED_AGAIN]
    return {_submitted(cell) for cell in before if cell.open_by == "candidate"}


def _submitted(cell: Cell) -> tuple[str, str, str]:
    return cell.candidate, cell.task, cell.submission_digest


def _wanted(plan: _Plan, alias: str, name: str, handed: Handed | None, old: KeptCell | None) -> DueCell:
    if handed is None:
        return DueCell(of_value("not attempted"), cell=not_attempted(alias, name))
    try:
        if handed.folder is None:
            raise SubmissionError(handed.refused)
        submission = submissions.read(name, handed.folder, alias)
        contents.require_fit(submission, plan.planned.tasks[name].definition.limits)
    except (SubmissionError, PermissionError) as error:
        digest = plan.planned.tasks[name].digest
        # A page must not show where the evaluator keeps the folder.
        why = str(error)
        for place in (plan.request.place, *((handed.folder.parent,) if handed.folder else ())):
            why = why.replace(f"{place}{os.sep}", "")
        why = archives.without_place(why)
        why = why.encode("utf-8", "backslashreplace").decode()
        cell = Cell(candidate=alias, task=name, outcome="malformed", task_digest=digest, reasons=(why,))
        return DueCell(of_value(["malformed", why]), cell=cell)
    return _unit(plan, alias, name, submission, old)


def _unit(
    plan: _Plan, alias: str, name: str, submission: submissions.Submission, old: KeptCell | None
) -> DueCell:
    task, profile = plan.planned.tasks[name], plan.planned.profiles[name]
    device = devices.resolve("auto") if profile.device == "auto" else profile.device
    profile = profile.model_copy(update={"device": device})
    root = root_of(plan.secret, name, alias if plan.request.variants == "per-candidate" else "")
    settings = profile.model_dump(mode="json")
    key = of_value(
        [
            plan.program,
            task.digest,
            submission.digest,
            alias,
            settings,
            of_bytes(root),
            plan.references[name],
            plan.request.variants,
        ]
    )
    again = old.cell.run_id if old and old.cell.outcome == "inconclusive" and old.unit == key else ""
    payload = Payload(
        candidate=alias,
        task=name,
        task_folder=str(task.folder),
        folder=str(submission.folder.absolute()),
        digest=submission.digest,
        profile=settings,
        root=root.hex(),
        assessment=plan.assessment.id,
        instead_of=again,
    )
    unit = Unit(
        candidate=alias,
        task=name,
        key=key,
        payload=payload.model_dump_json(),
        timed=task.criteria.is_timed(),
        device=device,
        threads=profile.threads,
        memory_bytes=int(task.definition.limits.memory_gib * 2**30),
        instances=of_bytes(root),
    )
    return DueCell(key, unit=unit)
