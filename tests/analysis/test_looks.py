"""A decision laid over a result: what counts then, whatever else is open, and what it does not cover."""

from __future__ import annotations

import pytest

from harness.looks import Decision, Look, over, sentence, waiting
from harness.records import Run, Score
from harness.sheets import Cell, cell_of, with_look
from harness.tiers import reached
from tests.fixtures.reports import constraint, failed_run, inconclusive_run, ok_run, waiting_run


def look(decision: Decision = "accepted", run: Run | None = None, **changes: object) -> Look:
    head = (run or waiting_run()).head
    given = {
        "run_id": head.run_id,
        "assessment": "abc123",
        "candidate": "ann",
        "task": head.task,
        "decision": decision,
        "by": "Eva",
        "looked_at": "2026-11-30T10:00:00+00:00",
        "why": "a better idea, read whole",
        "submission_digest": head.submission_digest,
        "run_digest": "d",
    }
    return Look.model_validate(given | changes)


def decided(run: Run, decision: Decision = "accepted") -> Score:
    score = over(run, look(decision, run)).score
    assert score is not None
    return score


def test_what_is_accepted_counts_as_measured_and_says_who_when_and_why() -> None:
    score = decided(waiting_run())
    assert (score.outcome, score.points, score.points_uncapped, score.tier) == ("ok", 125.0, 154.0, "expert")
    assert score.reasons == ("accepted by Eva on 2026-11-30: a better idea, read whole",)
    assert (score.points_low, score.points_high, score.withheld, score.open_by) == (150.0, 158.0, False, "")


def test_what_is_rejected_gives_nothing_and_keeps_why_it_was_looked_at() -> None:
    score = decided(waiting_run(), "rejected")
    assert (score.outcome, score.points, score.points_uncapped, score.tier) == (
        "rejected",
        0.0,
        154.0,
        "none",
    )
    assert score.reasons[0] == "rejected by Eva on 2026-11-30: a better idea, read whole"
    assert "table.py" in score.reasons[1]
    cell = with_look(cell_of("ann", waiting_run()), look("rejected"))
    assert (cell.standing, cell.open_by, cell.points) == ("unfit", "", 0.0)


@pytest.mark.parametrize(("value", "points", "tier"), [(1.2, 125.0, "expert"), (1.3, 0.0, "none")])
def test_another_open_verdict_stays_open_when_the_look_is_done(
    value: float, points: float, tier: str
) -> None:
    limit = constraint("training time", "inconclusive", value).model_copy(update={"open_by": "machine"})
    score = decided(waiting_run(limit))
    assert (score.outcome, score.open_by, score.points, score.tier) == (
        "inconclusive",
        "machine",
        points,
        tier,
    )
    assert score.reasons[1:] == (limit.words,)


def test_a_decision_says_nothing_of_a_result_that_did_not_wait() -> None:
    for run in (ok_run(), inconclusive_run(), failed_run()):
        assert over(run, look(run=run)) == run
        assert run.score is not None
        assert waiting(run.score) == ()
    assert over(failed_run(), look("rejected", failed_run())) == failed_run(), "it has failed by itself"
    assert decided(ok_run(), "rejected").outcome == "rejected", "scored again, it need not wait any more"


@pytest.mark.parametrize("field", ["run_id", "submission_digest"])
def test_another_run_or_another_submission_is_not_covered(field: str) -> None:
    cell = cell_of("ann", waiting_run())
    assert with_look(cell, look(**{field: "another"})) == cell
    assert with_look(cell, None) == cell
    covered = with_look(cell, look())
    assert (covered.outcome, covered.look) == ("ok", look())
    run = waiting_run()
    assert over(run, look(submission_digest="another")) == run


def test_a_stored_cell_of_before_has_no_look() -> None:
    cell = cell_of("ann", waiting_run())
    assert Cell.model_validate_json(cell.model_dump_json(exclude={"look"})) == cell
    assert sentence(look("rejected", why="copied")) == "rejected by Eva on 2026-11-30: copied"


@pytest.mark.parametrize(
    ("points", "tier"),
    [
        (None, "none"),
        (-6, "below baseline"),
        (-5, "baseline"),
        (44, "baseline"),
        (45, "competent"),
        (95, "expert"),
    ],
)
def test_tiers_are_reached_from_five_points_below(points: float | None, tier: str) -> None:
    assert reached(points, {"baseline": 0.0, "competent": 50.0, "expert": 100.0}) == tier
    assert reached(points, {}) == ("none" if points is None else "below baseline")
