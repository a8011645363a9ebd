"""Pure: what a task's budgets allow beside what its references use of them, from scores of the same instances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harness.proofs import ProofSlack
from harness.records import TIERS, ConstraintResult, Score, Tier


def slack(
    names: Iterable[str], tiers: Mapping[Tier, Sequence[Score]], others: Mapping[str, Sequence[Score]]
) -> tuple[ProofSlack, ...]:
    """One line for each constraint of these names that the tiers were judged by.

    `others` are submissions that no one would call good (the starter, mutants, cheats), by what they are: of them
    the one is kept that used most of a budget, as an example of what the budget stops.
    """
    lines = []
    for name in names:
        judged = [c for scores in tiers.values() for s in scores for c in s.constraints if c.name == name]
        if not judged:
            continue
        first = judged[0]
        most = [
            (_used(c), who, c.value)
            for who, scores in others.items()
            for c in _named(name, scores)
            if c.value is not None
        ]
        _, who, value = max(most, key=lambda one: one[0], default=(0.0, "", None))
        lines.append(
            ProofSlack(
                name=name,
                measure=first.measure,
                unit=first.unit,
                bound=first.bound,
                threshold=first.threshold,
                reference=first.reference,
                use={tier: mean for tier in TIERS if (mean := _mean(name, tiers.get(tier, ()))) is not None},
                absurd=value,
                absurd_by=who,
            )
        )
    return tuple(lines)


def _named(name: str, scores: Sequence[Score]) -> list[ConstraintResult]:
    return [c for score in scores for c in score.constraints if c.name == name]


def _mean(name: str, scores: Sequence[Score]) -> float | None:
    values = [c.value for c in _named(name, scores) if c.value is not None]
    return sum(values) / len(values) if values else None


def _used(constraint: ConstraintResult) -> float:
    """How much of a budget is used, for comparing: more is worse."""
    value = constraint.value or 0.0
    return value if constraint.bound == "at_most" else -value
