"""Decisions in the store: added and never changed, of one run's record, laid over every sheet that holds the run."""

from __future__ import annotations

import re
import zlib
from collections.abc import Generator
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from harness.errors import UsageError
from harness.records import Run
from harness.sheets import cell_of
from harness.store.ledger import Ledger
from harness.store.looks import Looks
from harness.store.results import Store
from harness.store.schema import LOOKS, REPLACED, TRIALS
from tests.fixtures.reports import head, ok_run, waiting_run
from tests.store.test_ledger import assessment


def keep(store: Store, run: Run) -> Run:
    store.claim(run.head, "{}", run.head.run_id)
    for number in sorted({trial.number for trial in run.trials}):
        store.keep(run.head.run_id, number, [trial for trial in run.trials if trial.number == number])
    store.scored(run)
    return run


@pytest.fixture
def looks(tmp_path: Path, database: str) -> Generator[Looks]:
    """A store with one run that waits, the cell of ann in an assessment."""
    store = Store.open(tmp_path)
    run = keep(store, waiting_run(head=head(assessment="abc123", candidate="ann")))
    ledger = Ledger(store)
    ledger.open(assessment(), ["ann"])
    ledger.keep("abc123", cell_of("ann", run).model_copy(update={"task": "a"}), "u1")
    yield Looks(store)
    store.engine.dispose()


def test_the_last_decision_holds_and_none_is_lost(looks: Looks) -> None:
    run = looks.store.run("last")
    first = looks.add(run, "accepted", by=" Eva ", why=" read it\n")
    assert (first.by, first.why, first.candidate, first.assessment) == ("Eva", "read it", "ann", "abc123")
    assert first.submission_digest == run.head.submission_digest
    assert looks.holding({run.head.run_id}) == {run.head.run_id: first}
    second = looks.add(run, "rejected", by="Ida", why="the table is the answers")
    assert looks.history() == [first, second]
    assert looks.holding({run.head.run_id}) == {run.head.run_id: second}
    assert looks.holding(set()) == {}
    decided = looks.run("last")
    assert decided.score is not None
    assert (decided.score.outcome, decided.trials) == ("rejected", run.trials)
    assert looks.store.run("last") == run, "the record itself is as it was"


# Braille without a dot and a filler of Hangul can be printed, and nothing of them can be seen.
BLANK = (("\u2800", "x"), ("x", "\u3164 \uffa0"), ("\u0301", "x"))


def test_nobody_and_no_reason_are_refused(looks: Looks) -> None:
    for by, why in (
        ("", "x"),
        (" ", "x"),
        ("x", ""),
        ("x", "\n"),
        ("\u200b", "x"),
        ("x", "\u200b \x1b"),
        *BLANK,
    ):
        with pytest.raises(UsageError, match="who made it and why"):
            looks.add(looks.store.run("last"), "accepted", by=by, why=why)
    for by, why in (("x", "y\udcff"), ("y\udcff", "x"), ("x", "y" * 2001), ("y" * 2001, "x")):
        with pytest.raises(UsageError, match="at most 2000 characters"):
            looks.add(looks.store.run("last"), "accepted", by=by, why=why)
    assert looks.history() == []


def test_a_sheet_has_it_and_the_kept_cell_has_not(looks: Looks) -> None:
    ledger = Ledger(looks.store)
    before = ledger.units("abc123")
    look = looks.add(looks.store.run("last"), "accepted", by="Eva", why="x")
    (cell,) = ledger.sheet(assessment()).cells
    assert (cell.outcome, cell.points, cell.look) == ("ok", 125.0, look)
    assert ledger.units("abc123") == before
    ledger.keep("abc123", cell, "u1", why="by mistake")
    (replaced,) = ledger.store.read(select(REPLACED))
    assert '"look"' not in replaced.cell
    assert ledger.units("abc123")["ann", "a"].cell.look is None


def test_scoring_again_keeps_it_and_a_changed_record_does_not(looks: Looks) -> None:
    store, run = looks.store, looks.store.run("last")
    look = looks.add(run, "accepted", by="Eva", why="x")
    store.scored(run.model_copy(update={"wall_seconds": 1.0}))
    assert looks.holding({run.head.run_id}) == {run.head.run_id: look}
    other = ok_run().trials[0].model_copy(update={"number": 9})
    store.keep(run.head.run_id, 9, [other])
    assert looks.holding({run.head.run_id}) == {}
    assert looks.run("last") == store.run("last")
    store.write(lambda c: c.execute(delete(TRIALS).where(TRIALS.c.key.startswith("9/"))))
    assert looks.holding({run.head.run_id}) == {run.head.run_id: look}


def test_another_run_of_the_same_submission_is_not_covered(looks: Looks) -> None:
    looks.add(looks.store.run("last"), "accepted", by="Eva", why="x")
    again = keep(looks.store, waiting_run(head=head(run_id="20990101-000000-another")))
    assert looks.holding({again.head.run_id}) == {}
    assert looks.run("20990101") == again


def test_an_older_form_of_a_trials_row_is_the_same_record(looks: Looks) -> None:
    run_id = looks.store.run("last").head.run_id
    before = looks.run_digest(run_id)
    for row in looks.store.read(select(TRIALS)):
        plain = {"trial": zlib.decompress(row.packed).decode(), "packed": None}
        at = (TRIALS.c.run_id == run_id, TRIALS.c.key == row.key)
        looks.store.write(lambda c, at=at, plain=plain: c.execute(update(TRIALS).where(*at).values(**plain)))
    assert looks.run_digest(run_id) == before


def test_nothing_in_the_package_changes_or_deletes_a_decision() -> None:
    room = Path(__file__).parents[2] / "harness" / "store"
    users = [file for file in room.rglob("*.py") if re.search(r"\bLOOKS\b", file.read_text("utf-8"))]
    assert sorted(file.name for file in users) == ["looks.py", "schema.py"]
    (store,) = [file for file in users if file.name == "looks.py"]
    assert not {"update", "delete"} & set(store.read_text("utf-8").replace("(", " ").split())
    assert LOOKS.name == "looks"
