"""One unit of an assessment, done: the same on every engine, in whatever process and on whatever node."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.assessment.executors.payload import Payload
from harness.digests import of_bytes
from harness.errors import HarnessError, SubmissionError
from harness.inputs import submissions, tasks
from harness.inputs.data import sources
from harness.inputs.profiles import DataChoice, Profile
from harness.machine import devices, lease
from harness.observer import Observer, Silent
from harness.runs import runner
from harness.runs.order import Order
from harness.sheets import Cell, cell_of
from harness.store.results import Store


def do(payload: str, home: str, observer: Observer | None = None) -> str:
    """Runs the unit, or goes on with it where it was cut short, and returns its cell as JSON.

    Results are kept under the folder `home`. A fault of the harness becomes a cell that says so.
    """
    unit = Payload.model_validate_json(payload)
    blank = Cell(
        candidate=unit.candidate, task=unit.task, outcome="harness_error", submission_digest=unit.digest
    )
    try:
        order = _order(unit)
        # An engine knows of its own units alone, and another command may score the same assessment here.
        with lease.instances(of_bytes(order.root), (observer or Silent()).note):
            cell = cell_of(unit.candidate, runner.run(order, Store.open(Path(home)), observer))
    except SubmissionError as error:
        # It was read when the unit was planned: that it cannot be now is not the candidate's doing.
        cell = blank.model_copy(update={"reasons": (f"the submission could not be read again: {error}",)})
    except HarnessError as error:
        cell = blank.model_copy(update={"reasons": (str(error),)})
    return cell.model_dump_json()


def _order(unit: Payload) -> Order:
    task = tasks.read(Path(unit.task_folder))
    submission = submissions.read(task.id, Path(unit.folder), unit.candidate)
    if submission.digest != unit.digest:
        raise SubmissionError(f"{unit.folder} changed since the scoring began; leave it alone meanwhile")
    profile = Profile.model_validate(unit.profile)
    choice = profile.data.get(task.definition.data, DataChoice())
    return Order(
        task=task,
        submission=submission,
        profile=profile,
        device=devices.resolve(profile.device),
        root=bytes.fromhex(unit.root),
        seed=None,
        data=replace(sources.parse_data(choice.source), columns=choice.columns),
        model=sources.parse_model(profile.model),
        assessment=unit.assessment,
        candidate=unit.candidate,
        instead_of=unit.instead_of,
    )
