"""Pure: whether a task's mutants, the expert less one idea each, score what the task says they should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.inputs.definition import Mutant
from harness.proofs import ProofMutant
from harness.records import Score

# Enough to see which side of a line a mutant falls on; the tiers get every instance.
MUTANT_INSTANCES = 3


class PlacedMutants(NamedTuple):
    """The mutants with their scores, and a doubt in words for each that did not score what was declared."""

    mutants: tuple[ProofMutant, ...]
    doubts: list[str]


def placed(declared: Sequence[Mutant], scores_of: Mapping[str, Sequence[Score]]) -> PlacedMutants:
    """Compares what each mutant scored, one Score an instance by its name, with what the task declares."""
    known = {mutant.id: mutant for mutant in declared}
    doubts = [f"mutant {name} is declared, and has no solution" for name in known.keys() - scores_of.keys()]
    doubts += [
        f"mutant {name} has a solution, and is not declared" for name in scores_of.keys() - known.keys()
    ]
    tested = [_place(known[name], scores) for name, scores in scores_of.items() if name in known]
    doubts += [
        f"mutant {m.id} (no {m.without}) came out with {_mean(m.points):.1f} points"
        f"{' and broke ' + ', '.join(m.broke) if m.broke else ''}; expected: {m.expected}"
        for m in tested
        if not m.in_place
    ]
    return PlacedMutants(tuple(tested), doubts)


def _place(mutant: Mutant, scores: Sequence[Score]) -> ProofMutant:
    points = tuple(score.points_uncapped for score in scores if score.points_uncapped is not None)
    failed = [{c.name for c in score.constraints if c.verdict == "fail"} for score in scores]
    broke = tuple(sorted(set().union(*failed)))
    in_place = (
        all(mutant.breaks in each for each in failed) if mutant.breaks else _between(mutant, points, failed)
    )
    return ProofMutant(
        id=mutant.id,
        without=mutant.without,
        expected=_expected(mutant),
        points=points,
        broke=broke,
        outcomes=tuple(score.outcome for score in scores),
        in_place=in_place,
    )


def _between(mutant: Mutant, points: Sequence[float], failed: Sequence[set[str]]) -> bool:
    """Whether the mean lies in the declared range, with points on every instance and no constraint failed."""
    if any(failed) or len(points) < len(failed) or mutant.at_most is None:
        return False
    mean = _mean(points)
    return mean <= mutant.at_most and (mutant.at_least is None or mean >= mutant.at_least)


def _expected(mutant: Mutant) -> str:
    if mutant.breaks:
        return f"it breaks {mutant.breaks} on every instance"
    least = f"at least {mutant.at_least:g} and " if mutant.at_least is not None else ""
    return f"{least}at most {mutant.at_most:g} points"


def _mean(points: Sequence[float]) -> float:
    return sum(points) / len(points) if points else float("nan")
