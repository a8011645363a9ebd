"""What people handed in before: read from the store's book, each submission once, failures 0, open ones nothing."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.calibration.tables import people_of
from harness.assessment.calibrate import past
from harness.sheets import Assessment, Cell, Suite, TaskInSuite
from harness.store.ledger import Ledger
from harness.store.results import Store


def test_past_hand_ins_come_from_the_store_each_once(tmp_path: Path) -> None:
    ledger = Ledger(Store.open(tmp_path))
    suite = Suite(name="s", title="S", tasks=(TaskInSuite(id="a"), TaskInSuite(id="b")))
    for key, at in (("older", "2026-01-01"), ("newer", "2026-02-01")):
        one = Assessment(id=key, suite=suite, seed_id="s", begun_at=at, harness_version="0")
        ledger.open(one, ["ann", "ben", "cleo"])
        good = Cell(candidate="ann", task="a", outcome="ok", submission_digest="d1", points_each=(40.0, 60.0))
        late = Cell(candidate="ben", task="a", outcome="timeout", submission_digest="d2")
        ours = Cell(candidate="cleo", task="a", outcome="harness_error", submission_digest="d3")
        other = Cell(candidate="ann", task="b", outcome="ok", submission_digest="d1", points_each=(5.0,))
        for cell in (good, late, ours, other):
            ledger.keep(key, cell, "unit")
    rows, others = past(ledger, Suite(name="s", title="S", tasks=(TaskInSuite(id="a"),)))
    assert not others
    assert {r.task for r in rows} == {"a"}
    assert {r.person: [q.points for q in rows if q.person == r.person] for r in rows} == {
        "ann (newer)": [40.0, 60.0],
        "ben (newer)": [0.0],
        "cleo (newer)": [None],
    }
    assert people_of(rows) == ["ann (newer)", "ben (newer)"]


def test_a_hand_in_to_another_version_of_the_task_is_left_out_and_counted(tmp_path: Path) -> None:
    ledger = Ledger(Store.open(tmp_path))
    suite = Suite(name="s", title="S", tasks=(TaskInSuite(id="a", task_digest="new"),))
    ledger.open(
        Assessment(id="one", suite=suite, seed_id="s", begun_at="2026-01-01", harness_version="0"),
        ["ann", "ben"],
    )
    for name, digest in (("ann", "new"), ("ben", "old")):
        cell = Cell(
            candidate=name,
            task="a",
            outcome="ok",
            submission_digest=name,
            task_digest=digest,
            points_each=(4.0,),
            wall_seconds=90.0,
        )
        ledger.keep("one", cell, "unit")
    larger = Suite(name="s", title="S", tasks=(TaskInSuite(id="a", task_digest="new", profile="gpu-box"),))
    ledger.open(
        Assessment(id="two", suite=larger, seed_id="s", begun_at="2026-01-02", harness_version="0"), ["cleo"]
    )
    cell = Cell(
        candidate="cleo", task="a", outcome="ok", submission_digest="c", task_digest="new", points_each=(9.0,)
    )
    ledger.keep("two", cell, "unit")
    rows, others = past(ledger, suite)
    assert [(r.person, r.minutes) for r in rows] == [("ann (one)", 1.5)]
    assert others == 2, "another version, and another profile"
