"""Pure: what somebody decided who looked at a result that waited for it, and what the result counts as then.

A decision never changes a record. It is kept beside it, holds for that one run of that one submission, and is laid
over the result wherever it is shown. Accepted: its points count as measured. Rejected: no points, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from harness.readings import Record
from harness.records import SHOWN, Judged, Outcome, Run, Rung, withheld
from harness.tiers import places, reached

Decision = Literal["accepted", "rejected"]


class Look(Record):
    """One decision: about whose result on which task, who decided it, when and why.

    `run_digest` is of what was recorded of the run before it was scored: its head and its raw trials. `assessment`
    is empty for a run by itself, where `candidate` is the submission's label.
    """

    run_id: str
    assessment: str
    candidate: str
    task: str
    decision: Decision
    by: str
    looked_at: str
    why: str
    submission_digest: str
    run_digest: str


class Result(Protocol):
    """What a score and a cell have in common."""

    @property
    def outcome(self) -> Outcome:
        """How it ended."""

    @property
    def points_uncapped(self) -> float | None:
        """Its points before they are clipped."""

    @property
    def constraints(self) -> Sequence[Judged]:
        """The verdicts."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it ended so."""


def sentence(look: Look) -> str:
    """The decision with its name, day and reason: "accepted by Eva on 2026-11-30: a better idea, read it all"."""
    return f"{look.decision} by {look.by} on {look.looked_at[:10]}: {look.why}"


def waiting(result: Result) -> tuple[Judged, ...]:
    """The verdicts that are open until somebody has looked; none where the result does not wait."""
    if result.outcome != "inconclusive":
        return ()
    return tuple(c for c in result.constraints if _waits(c))


def changes(result: Result, ladder: Sequence[Rung], look: Look) -> Mapping[str, object]:
    """The fields that a decision changes, with their new values; none where there is nothing to decide (any more).

    Where another verdict is open as well, an accepted result stays open by that one.
    """
    if look.decision == "rejected":
        if result.outcome not in ("ok", "inconclusive"):
            return {}
        reasons = (sentence(look), *result.reasons)
        return {"outcome": "rejected", "points": 0.0, "tier": "none", "reasons": reasons}
    if not (open_verdicts := waiting(result)):
        return {}
    passed = {"verdict": "pass", "words": sentence(look)}
    constraints = tuple(c.model_copy(update=passed) if _waits(c) else c for c in result.constraints)
    outcome: Outcome = "inconclusive" if any(c.verdict == "inconclusive" for c in constraints) else "ok"
    uncapped, counts = result.points_uncapped, not withheld(outcome, constraints)
    others = (r for r in result.reasons if not any(r.startswith(c.words) for c in open_verdicts))
    return {
        "outcome": outcome,
        "points": min(max(uncapped, SHOWN.low), SHOWN.high) if counts and uncapped is not None else 0.0,
        "tier": reached(uncapped, places(ladder)) if counts else "none",
        "constraints": constraints,
        "reasons": (sentence(look), *others),
    }


def over(run: Run, look: Look | None) -> Run:
    """The run with the decision laid over its score; as it is where there is none about it."""
    if look is None or run.score is None or look.submission_digest != run.head.submission_digest:
        return run
    score = run.score.model_copy(update=dict(changes(run.score, run.ladder, look)))
    return run.model_copy(update={"score": score})


def _waits(constraint: Judged) -> bool:
    return constraint.verdict == "inconclusive" and constraint.open_by == "evaluator"
