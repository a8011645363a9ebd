"""One unit, done: the order that its payload says, and faults of ours that become a cell."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.assessment.executors import work
from harness.assessment.executors.base import Unit, lost
from harness.assessment.executors.payload import Payload
from harness.digests import of_bytes
from harness.errors import HarnessError
from harness.inputs import profiles, submissions
from harness.inputs.profiles import DataChoice
from harness.records import Run
from harness.runs.order import Order
from harness.sheets import Cell, cell_of
from harness.store.results import Store
from tests.conftest import TOYS
from tests.fixtures.reports import ok_run

TOY = TOYS / "toy-squares"
CHOICE = DataChoice(source="local:table.csv", columns={"text": "body"})


@pytest.fixture
def payload(tmp_path: Path) -> Payload:
    """A submission of its own, with data that its profile names."""
    shutil.copytree(TOY / "starter", tmp_path / "mine")
    profile = profiles.read("ci-smoke").model_copy(update={"data": {"": CHOICE}})
    return Payload(
        candidate="ann",
        task="toy-squares",
        task_folder=str(TOY),
        folder=str(tmp_path / "mine"),
        digest=submissions.read("toy-squares", tmp_path / "mine").digest,
        profile=profile.model_dump(mode="json"),
        root="00ff",
        assessment="abc123",
        instead_of="run-0",
    )


def test_a_payload_becomes_the_order_that_was_planned(
    payload: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[tuple[Order, Path]] = []

    def run(order: Order, store: Store, observer: object) -> Run:
        orders.append((order, store.folder))
        return ok_run()

    monkeypatch.setattr(work, "runner", SimpleNamespace(run=run))
    cell = work.do(payload.model_dump_json(), str(tmp_path / "home"))
    assert Cell.model_validate_json(cell) == cell_of("ann", ok_run())
    ((order, home),) = orders
    assert home == tmp_path / "home"
    assert (order.task.folder, order.submission.digest, order.submission.label) == (
        TOY,
        payload.digest,
        "ann",
    )
    assert (order.root, order.seed, order.device) == (b"\0\xff", None, "cpu")
    assert (order.assessment, order.candidate, order.instead_of) == ("abc123", "ann", "run-0")
    assert order.profile.model_dump(mode="json") == payload.profile


def test_a_submission_that_changed_meanwhile_and_any_fault_of_ours_are_said_in_the_cell(
    payload: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "mine" / "solution.py").open("a") as file:
        file.write("\n# a later thought\n")
    changed = Cell.model_validate_json(work.do(payload.model_dump_json(), str(tmp_path / "home")))
    assert (changed.candidate, changed.task, changed.outcome) == ("ann", "toy-squares", "harness_error")
    assert changed.submission_digest == payload.digest
    assert "could not be read again" in changed.reasons[0]
    assert "changed since the scoring began" in changed.reasons[0]

    def refuse(*_: object) -> None:
        raise HarnessError("the disk is on fire")

    monkeypatch.setattr(work, "runner", SimpleNamespace(run=refuse))
    digest = submissions.read("toy-squares", tmp_path / "mine").digest
    again = payload.model_copy(update={"digest": digest})
    ours = Cell.model_validate_json(work.do(again.model_dump_json(), str(tmp_path / "home")))
    assert (ours.outcome, ours.reasons) == ("harness_error", ("the disk is on fire",))


def test_a_unit_that_says_no_more_is_timed_on_one_thread_of_the_processor() -> None:
    plain = Unit(candidate="ann", task="toy", key="k", payload="{}")
    assert (plain.timed, plain.device, plain.threads, plain.memory_bytes) == (True, "cpu", 1, 0)
    cell = Cell.model_validate_json(lost(plain, "it ended"))
    assert (cell.candidate, cell.task, cell.outcome, cell.reasons) == (
        "ann",
        "toy",
        "harness_error",
        ("it ended",),
    )


def test_the_instances_are_held_while_the_unit_runs(
    payload: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []

    @contextlib.contextmanager
    def held(digest: str, note: object) -> Iterator[None]:
        events.append(digest)
        yield
        events.append("free")

    def run(*_: object) -> None:
        events.append("runs")
        raise HarnessError("no more is needed here")

    monkeypatch.setattr(work.lease, "instances", held)
    monkeypatch.setattr(work, "runner", SimpleNamespace(run=run))
    work.do(payload.model_dump_json(), str(tmp_path / "home"))
    assert events[:2] == [of_bytes(bytes.fromhex(payload.root)), "runs"]
