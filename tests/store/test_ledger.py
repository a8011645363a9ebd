"""The book of assessments: kept once, found again, and what is replaced is not lost."""

from __future__ import annotations

import gc
from collections.abc import Generator
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.sheets import Assessment, Cell, Suite, TaskInSuite, not_attempted
from harness.store.ledger import KeptCell, Ledger, Minutes
from harness.store.results import Store


def suite(name: str = "pairs") -> Suite:
    return Suite(
        name=name, title="Pairs", tasks=(TaskInSuite(id="a", title="A"), TaskInSuite(id="b", title="B"))
    )


def assessment(key: str = "abc123", name: str = "pairs", at: str = "2026-01-01T00:00:00") -> Assessment:
    return Assessment(id=key, suite=suite(name), seed_id="s", begun_at=at, harness_version="0")


@pytest.fixture
def ledger(tmp_path: Path, database: str) -> Generator[Ledger]:
    store = Store.open(tmp_path)
    yield Ledger(store)
    store.engine.dispose()


def test_an_assessment_is_begun_once_and_found_by_id_suite_and_last(ledger: Ledger) -> None:
    first = assessment()
    assert ledger.open(first, ["ann", "ben"]) == first
    again = first.model_copy(update={"begun_at": "2027"})
    assert ledger.open(again, ["ben", "cleo"]) == first, "the same id is the same assessment, as it was begun"
    ledger.open(assessment("abd999", "other", "2026-02-01"), [])
    assert [a.id for a in ledger.assessments()] == ["abd999", "abc123"]
    assert ledger.assessment("pairs").id == ledger.assessment("abc").id == "abc123"
    assert ledger.assessment("last").id == "abd999"
    assert ledger.sheet(first).candidates == ("ann", "ben", "cleo")
    with pytest.raises(UsageError, match="2 assessments start with 'ab'"):
        ledger.assessment("ab")
    with pytest.raises(UsageError, match=r"no assessment 'nothing'.*other, pairs"):
        ledger.assessment("nothing")


def test_a_cell_is_kept_once_and_what_replaces_it_leaves_it_in_the_history(ledger: Ledger) -> None:
    ledger.open(assessment(), ["ann"])
    old = Cell(candidate="ann", task="a", outcome="ok", points=40.0, run_id="r1")
    new = old.model_copy(update={"points": 60.0})
    ledger.keep("abc123", old, "u1")
    ledger.keep("abc123", old, "u1")
    ledger.keep("abc123", not_attempted("ann", "b"), "u2")
    assert ledger.count("abc123") == 2
    assert ledger.history("abc123") == []
    ledger.keep("abc123", new, "u1", by="eva", why="a threshold was moved")
    (replaced,) = ledger.history("abc123")
    assert replaced.cell == old
    assert (replaced.by, replaced.why) == ("eva", "a threshold was moved")
    assert ledger.units("abc123")["ann", "a"] == KeptCell("u1", new)
    assert ledger.known(["u1", "u1", "u3"]) == {"u1": new}
    assert ledger.sheet(assessment()).of("ann") == (new, not_attempted("ann", "b"))


def test_what_another_command_kept_meanwhile_stands(ledger: Ledger) -> None:
    ledger.open(assessment(), ["ann"])
    first = Cell(candidate="ann", task="a", outcome="ok", points=40.0, submission_digest="one")
    newer = first.model_copy(update={"points": 60.0, "submission_digest": "two"})
    fault = Cell(candidate="ann", task="a", outcome="harness_error", submission_digest="one")

    def stands() -> KeptCell:
        return ledger.units("abc123")["ann", "a"]

    assert ledger.keep("abc123", first, "u1", seen=None) is None
    assert ledger.keep("abc123", newer, "u2", seen=None) == KeptCell("u1", first)
    assert stands() == KeptCell("u1", first)
    assert ledger.keep("abc123", fault, "u1", seen=None) == KeptCell("u1", first)
    assert ledger.keep("abc123", newer, "u2", seen=KeptCell("u1", first)) is None
    assert ledger.keep("abc123", first, "u1", seen=KeptCell("u1", first)) == KeptCell("u2", newer)
    assert ledger.keep("abc123", newer, "u2", seen=None) is None, "the very same is no other"
    assert [one.cell for one in ledger.history("abc123")] == [first]
    assert ledger.keep("abc123", fault, "u1", seen=stands()) is None
    assert ledger.keep("abc123", newer, "u2", seen=None) == KeptCell("u1", fault), (
        "another submission's fault"
    )
    assert ledger.keep("abc123", first, "u1", seen=None) is None, "a fault gives way to what was measured"


def test_minutes_are_those_of_this_machine(tmp_path: Path) -> None:
    ledger = Ledger(Store.open(tmp_path))
    suite = Suite(name="s", title="S", tasks=(TaskInSuite(id="a"),))
    ledger.open(
        Assessment(id="one", suite=suite, seed_id="s", begun_at="2026-01-01", harness_version="0"), ["x", "y"]
    )
    for name, machine, seconds in (("x", "here", 60.0), ("y", "elsewhere", 6000.0)):
        cell = Cell(
            candidate=name, task="a", outcome="ok", run_id=name, machine_id=machine, wall_seconds=seconds
        )
        ledger.keep("one", cell, "unit")
    assert ledger.minutes(suite, {"a": "here"}) == {"a": Minutes(1.0, 1.0, 1.0)}
    assert ledger.minutes(suite, {"a": "new"}) == {}


def test_minutes_are_least_median_and_most_of_what_was_asked_in_the_same_way(tmp_path: Path) -> None:
    ledger = Ledger(Store.open(tmp_path))
    same = TaskInSuite(id="a", profile="p", task_digest="d")
    suite = Suite(name="s", title="S", tasks=(same,))

    def keep(key: str, task: TaskInSuite, *cells: Cell) -> None:
        told = Suite(name=key, title="S", tasks=(task,))
        begun = Assessment(id=key, suite=told, seed_id="s", begun_at="2026-01-01", harness_version="0")
        ledger.open(begun, [cell.candidate for cell in cells])
        for cell in cells:
            ledger.keep(key, cell, "unit")

    def cell(name: str, minutes: float, **more: object) -> Cell:
        fields = {"outcome": "ok", "run_id": name, "machine_id": "here", **more}
        return Cell(candidate=name, task="a", wall_seconds=60 * minutes, **fields)  # type: ignore[arg-type]

    keep("one", same, cell("u", 4), cell("v", 1), cell("w", 2), cell("x", 9, outcome="timeout"))
    keep("two", same, cell("y", 9, run_id=""))
    keep("three", same.model_copy(update={"profile": "q"}), cell("z", 9))
    keep("four", same.model_copy(update={"task_digest": "e"}), cell("z", 9))
    assert ledger.minutes(suite, {"a": "here"}) == {"a": Minutes(1.0, 2.0, 4.0)}


def test_what_is_asked_for_by_a_beginning_is_never_guessed(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match=r"\(suites scored there: none yet\)"):
        ledger.assessment("last")
    ledger.open(assessment("abc123", "pairs", "2026-01-01"), [])
    ledger.open(assessment("abd999", "pairs", "2026-02-01"), [])
    assert ledger.assessment("pairs").id == "abd999", "of a suite's the newest"
    with pytest.raises(UsageError, match="there is no assessment ''"):
        ledger.assessment("")
    assert ledger.known([]) == {}


def test_an_amendment_is_in_the_history_once_and_of_what_is_there(ledger: Ledger) -> None:
    first = assessment()
    ledger.amend(first, by="eva", why="not begun yet")
    assert ledger.amendments(first.id) == []
    ledger.open(first, [])
    ledger.amend(first, by="eva", why="the same")
    assert ledger.amendments(first.id) == []
    later = first.model_copy(update={"suite": suite("heavier")})
    ledger.amend(later, by="eva", why="weights")
    (amended,) = ledger.amendments(first.id)
    assert (amended.was, amended.by, amended.why) == (first, "eva", "weights")
    assert ledger.assessments() == [later]


def test_the_suites_that_were_scored_are_listed_in_the_order_of_the_alphabet(ledger: Ledger) -> None:
    names = ["core", "audio", "vision", "pairs", "smoke", "text", "bench"]
    for number, name in enumerate(names):
        ledger.open(assessment(f"id{number}", name), [])
    with pytest.raises(UsageError, match="audio, bench, core, pairs, smoke, text, vision"):
        ledger.assessment("nothing")


@pytest.mark.parametrize("collects", [True, False])
def test_the_cycle_collector_is_left_as_it_was(tmp_path: Path, collects: bool) -> None:
    ledger = Ledger(Store.open(tmp_path))
    ledger.open(assessment(), ["ann"])
    was = gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        ledger.sheet(assessment())
        assert gc.isenabled() == collects
    finally:
        (gc.enable if was else gc.disable)()
