"""A task proves itself: the starter runs, the tiers are in order beyond the noise, and no cheat gains points."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np

from harness.errors import HarnessError
from harness.grading.comparison import Comparison, floors, side
from harness.grading.grade import grade
from harness.grading.slack import slack
from harness.inputs import submissions
from harness.inputs.submissions import Submission
from harness.machine import fingerprint
from harness.observer import Observer
from harness.proofs import Proof, ProofCheat, ProofGap, ProofSlack, ProofStarter, ProofTier
from harness.records import TIERS, Score, Source, Tier
from harness.runs.evaluate import assess, assess_reference, fell_over, handed_back
from harness.runs.ladders import Ladder, climb
from harness.runs.made_of import digests_of, made_of
from harness.runs.mutants import MUTANT_INSTANCES, placed
from harness.runs.order import Order, in_one_pair, repeatable
from harness.runs.prepare import Prepared, prepare, round_of, setting_of
from harness.runs.references import stage_seconds
from harness.trials.participant import Entry, Setting

# Neighbouring tiers are told apart when their gap is this many standard deviations of the noise.
NEEDED_SDS = 3.0
EMPTY_POINTS = 0.0
# A tier that never varies gets the smallest spread that still means something: a thousandth of a point is no noise.
_LEAST_SPREAD = 0.001
# Cheats get what a candidate gets, which tells nothing of the instances' seed, and the same in every proof.
_CHEATS_KEY = b"cheats of proofs"


def prove(order: Order, instances: int, observer: Observer, cheats: bool = True) -> Proof:
    """Runs the ladder on `instances` instances, the starter and (with `cheats`) every cheat on the first.

    Each instance is one process pair: the spread over instances holds that over pairs.
    """
    once = repeatable(in_one_pair(order))
    parts = made_of(order)  # before anything runs: an edit meanwhile must not pass for what was proven
    with setting_of(once) as setting:
        proof = _prove(once, setting, instances, observer, cheats)
    return proof.model_copy(
        update={"made_of": parts.model_copy(update={"sources": digests_of(proof.sources)})}
    )


def one_ladder(order: Order, number: int, observer: Observer) -> Ladder:
    """Runs the tiers on the instance `number` alone: a sign that a kept proof still holds, and no proof."""
    order = repeatable(in_one_pair(order))
    with setting_of(order) as setting:
        return climb(order, setting, prepare(order, number, observer), observer)


def spot_check(order: Order, instances: int, cheat: str, observer: Observer) -> tuple[str, ...]:
    """What speaks against the tiers on `instances` instances and against one cheat on the first of them.

    Much less than a proof, and cheaper: no starter, no mutants, and of the cheats the one that is named (none for "").
    """
    order = repeatable(in_one_pair(order))
    cheats = submissions.cheats(order.task.id, order.task.folder)
    climbed: list[Ladder] = []
    with setting_of(order) as setting:
        first = prepare(order, 0, observer)
        for number in range(instances):
            climbed.append(
                climb(order, setting, prepare(order, number, observer) if number else first, observer)
            )
        tried = [
            _tried(name, _alone(_for_cheats(order), setting, first, own, climbed[0], observer), order)
            for name, own in cheats.items()
            if name == cheat
        ]
    gaps = tuple(_gap(low, high, climbed) for low, high in pairwise(TIERS))
    return (*_tier_doubts(climbed, gaps), *_cheat_doubts(tried))


def _prove(order: Order, setting: Setting, instances: int, observer: Observer, cheats: bool) -> Proof:
    began = time.monotonic()
    climbed: list[Ladder] = []
    first: Prepared | None = None
    mutants = submissions.mutants(order.task.id, order.task.folder)
    mutant_scores: dict[str, list[Score]] = {}
    seconds: list[float] = []
    used: dict[Source, None] = {}
    for number in range(instances):
        prepared = prepare(order, number, observer)
        first = first or prepared
        used |= dict.fromkeys(s for s in prepared.sources if s.kind != "derived" or prepared is first)
        started = time.monotonic()
        climbed.append(climb(order, setting, prepared, observer))
        seconds.append(time.monotonic() - started)
        if number < MUTANT_INSTANCES:
            for name, mutant in mutants.items():
                alone = _alone(order, setting, prepared, mutant, climbed[-1], observer)
                mutant_scores.setdefault(name, []).append(alone)
    if first is None:
        raise HarnessError("a proof needs at least one instance; give --instances 1 or more")
    task = order.task
    own = submissions.read(task.id, task.starter)
    starter = _alone(order, setting, first, own, climbed[0], observer)
    caught = {
        name: _alone(_for_cheats(order), setting, first, cheat, climbed[0], observer)
        for name, cheat in (submissions.cheats(task.id, task.folder) if cheats else {}).items()
    }
    tried = [_tried(name, score, order) for name, score in caught.items()]
    tiers = tuple(_tier(tier, climbed) for tier in TIERS)
    gaps = tuple(_gap(low, high, climbed) for low, high in pairwise(TIERS))
    tested = placed(order.task.definition.mutants, mutant_scores)
    doubts = [
        *_tier_doubts(climbed, gaps),
        *_starter_doubts(climbed, starter),
        *_cheat_doubts(tried),
        *tested.doubts,
    ]
    return Proof(
        task=order.task.id,
        profile=order.profile.name,
        proven=not doubts,
        tiers=tiers,
        separation=gaps,
        cheats=tuple(tried),
        starter=ProofStarter(outcome=starter.outcome, points=starter.points),
        instances=instances,
        wall_seconds=time.monotonic() - began,
        reasons=tuple(doubts),
        mutants=tested.mutants,
        ladder_seconds=tuple(seconds),
        stage_seconds=stage_seconds(one.assessed for ladder in climbed for one in ladder.sides.values()),
        minutes=order.task.definition.minutes,
        machine=fingerprint.in_words(fingerprint.fingerprint(order.device, order.profile.threads)),
        proven_at=datetime.now(UTC).isoformat(timespec="seconds"),
        competencies=order.task.definition.competencies,
        sources=tuple(used),
        slack=slack_of(order, climbed, {"starter": [starter]}, mutant_scores, caught),
    )


def slack_of(
    order: Order,
    ladders: Sequence[Ladder],
    others: Mapping[str, Sequence[Score]] | None = None,
    mutants: Mapping[str, Sequence[Score]] | None = None,
    cheats: Mapping[str, Score] | None = None,
) -> tuple[ProofSlack, ...]:
    """What each constraint of the task allows, beside what the tiers used of it and the most that anything else did."""
    named = dict(others or {})
    named |= {f"mutant {name}": scores for name, scores in (mutants or {}).items()}
    named |= {f"cheat {name}": [score] for name, score in (cheats or {}).items()}
    of_tiers = {tier: [ladder.scores[tier] for ladder in ladders] for tier in TIERS}
    return slack([c.name for c in order.task.definition.constraints], of_tiers, named)


def _alone(
    order: Order, setting: Setting, prepared: Prepared, own: Submission, ladder: Ladder, observer: Observer
) -> Score:
    """The score of one submission on the ladder's instance, beside the references that its times are compared with."""
    references = submissions.references(order.task.id, order.task.folder)
    timed = [references[tier] for tier in TIERS if tier in order.task.criteria.timed_against()]
    known = stage_seconds(one.assessed for one in ladder.sides.values())
    round_ = replace(round_of(order, setting, prepared, observer), known_seconds=known)
    own_trial, *others = round_.run([Entry(own), *(Entry(r, "reference") for r in timed)])
    floor = floors(own_trial.trial.pairs)
    sides = dict(ladder.sides)
    assessed = assess(order.task, prepared.instance, own_trial.trial, own_trial.answers)
    if fell_over(own_trial.trial, assessed):
        assessed = handed_back(assessed)  # the ladder's answers to the same instance were taken
    if assessed.outcome == "ok":
        for outcome in others:
            if outcome.trial.tier:
                sides[outcome.trial.tier] = side(
                    outcome.trial,
                    assess_reference(order.task, prepared.instance, outcome.trial, outcome.answers),
                    floor,
                )
    return grade(
        order.task.criteria, [Comparison(candidate=side(own_trial.trial, assessed, floor), references=sides)]
    )


def _for_cheats(order: Order) -> Order:
    return replace(order, worker_key=_CHEATS_KEY)


def _tier(tier: Tier, ladders: Sequence[Ladder]) -> ProofTier:
    points = np.array([ladder.points[tier] for ladder in ladders])
    values = np.array([ladder.objective[tier] for ladder in ladders])
    return ProofTier(
        tier=tier,
        points_mean=float(points.mean()),
        points_sd=_sd(points),
        objective_mean=float(values.mean()),
        objective_sd=_sd(values),
    )


def _gap(lower: Tier, upper: Tier, ladders: Sequence[Ladder]) -> ProofGap:
    """The gap in points and in standard deviations of the gap itself over instances.

    Points are anchored on each instance, so the gap's own spread is what a candidate between the
    two tiers would feel as noise.
    """
    gaps = np.array([ladder.points[upper] - ladder.points[lower] for ladder in ladders])
    spread = _sd(gaps)
    return ProofGap(
        lower=lower,
        upper=upper,
        gap_points=float(gaps.mean()),
        pooled_sds=float(gaps.mean()) / max(spread, _LEAST_SPREAD),
        inversions=int((gaps <= 0).sum()),
    )


def _sd(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _tried(name: str, score: Score, order: Order) -> ProofCheat:
    allowed = next((one for one in order.task.definition.allowed if one.cheat == name), None)
    return ProofCheat(
        id=name,
        points=score.points,
        outcome=score.outcome,
        reason="; ".join([*([f"allowed: {allowed.because}"] if allowed else []), *score.reasons]),
        expected_at_most=allowed.at_most if allowed else EMPTY_POINTS,
    )


def _tier_doubts(ladders: Sequence[Ladder], gaps: Sequence[ProofGap]) -> list[str]:
    doubts = [
        f"on instance {number} nobody would get points: {open_.words}"
        for number, ladder in enumerate(ladders, 1)
        for open_ in ladder.scores["expert"].constraints
        if open_.open_by == "data"
    ]
    doubts += [
        f"{gap.upper} stands only {gap.pooled_sds:.1f} standard deviations above {gap.lower}; {NEEDED_SDS:g} are needed"
        for gap in gaps
        if gap.pooled_sds < NEEDED_SDS and len(ladders) > 1
    ]
    doubts += [
        f"{gap.upper} fell below {gap.lower} on {gap.inversions} instances" for gap in gaps if gap.inversions
    ]
    for tier in ("competent", "expert"):
        failed = [
            ladder.scores[tier] for ladder in ladders if ladder.scores[tier].outcome == "budget_exceeded"
        ]
        doubts += (
            [f"{tier} breaks a constraint on {len(failed)} instances: {failed[0].reasons[0]}"]
            if failed
            else []
        )
    return doubts


def _cheat_doubts(cheats: Sequence[ProofCheat]) -> list[str]:
    return [
        f"cheat {cheat.id} got {cheat.points:.1f} points, more than {_most(cheat)}"
        for cheat in cheats
        if cheat.points > cheat.expected_at_most
    ]


def _most(cheat: ProofCheat) -> str:
    if cheat.expected_at_most > EMPTY_POINTS:
        return f"the {cheat.expected_at_most:g} that the task allows it"
    return f"an empty submission's {EMPTY_POINTS:g}"


def _starter_doubts(ladders: Sequence[Ladder], starter: Score) -> list[str]:
    if starter.points_uncapped is None or starter.outcome not in ("ok", "budget_exceeded", "inconclusive"):
        return [f"the starter does not run as it is: {'; '.join(starter.reasons)}"]
    competent = float(np.mean([ladder.points["competent"] for ladder in ladders]))
    if starter.points_uncapped >= competent:
        return [
            f"the starter already reaches {starter.points_uncapped:.0f} points, the competent tier {competent:.0f}"
        ]
    return []
