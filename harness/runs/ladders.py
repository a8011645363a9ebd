"""The references of a task by themselves, and whether they stand apart on data that no kept proof is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.digests import of_value
from harness.grading.comparison import Comparison, Side, floors, side
from harness.grading.grade import grade
from harness.grading.ladder import ladder_on, standing_over
from harness.grading.verdicts import objective_value
from harness.inputs import submissions
from harness.inputs.proofs import kept_proofs
from harness.ladders import LadderOn
from harness.machine import fingerprint
from harness.machine.program import program_digest
from harness.observer import Observer
from harness.records import Score, Source, Tier
from harness.runs.evaluate import assess_reference
from harness.runs.order import Order, in_one_pair, repeatable
from harness.runs.prepare import Prepared, prepare, round_of
from harness.runs.seeds import worker_seed
from harness.store.ladders import keep_ladder, kept_ladder
from harness.store.results import Store
from harness.trials.participant import Entry, Setting

# Instances on which it is asked whether a ladder stands: one could be luck, and each costs a ladder.
ASKED = 3
# The root of their seeds: public, since nothing is scored on them, and the same for everybody who asks.
_ROOT = b"does the ladder stand"


@dataclass(frozen=True)
class Ladder:
    """The tiers on one instance: each one's side, its points and its score under the constraints."""

    sides: dict[Tier, Side]
    points: dict[Tier, float]
    objective: dict[Tier, float]
    scores: dict[Tier, Score]


def climb(order: Order, setting: Setting, prepared: Prepared, observer: Observer, repeat: int = 0) -> Ladder:
    """Runs every tier on an instance; `repeat` draws another seed for the workers, and only for them."""
    references = submissions.references(order.task.id, order.task.folder)
    once = round_of(order, setting, prepared, observer)
    if repeat:
        once = replace(
            once, reference_seed=worker_seed(order.root, order.task.id, f"{prepared.number}/{repeat}")
        )
    outcomes = once.run([Entry(r, "reference") for r in references.values()])
    floor = floors(outcomes[0].trial.pairs)
    sides: dict[Tier, Side] = {}
    for tier, outcome in zip(references, outcomes, strict=True):
        sides[tier] = side(
            outcome.trial,
            assess_reference(order.task, prepared.instance, outcome.trial, outcome.answers),
            floor,
        )
    criteria = order.task.criteria
    scores = {
        tier: grade(criteria, [Comparison(candidate=own, references=sides)]) for tier, own in sides.items()
    }
    values = {tier: objective_value(criteria.objective, own, sides) for tier, own in sides.items()}
    return Ladder(
        sides=sides,
        scores=scores,
        points={tier: score.points_uncapped or 0.0 for tier, score in scores.items()},
        objective={tier: value.value if value else float("nan") for tier, value in values.items()},
    )


def asked(
    order: Order, setting: Setting, sources: Sequence[Source], store: Store, observer: Observer
) -> tuple[LadderOn, ...]:
    """How far the references stand apart on ASKED other instances of the same data; empty on the task's own.

    It is asked once for each task, data, model, size and machine, and kept.
    """
    brought = [source for source in sources if source.kind in ("local", "hub")]
    if not brought or _proven(order, brought):
        return ()
    key = _key(order, setting, brought)
    found = kept_ladder(store, key)
    if found is None:
        names = ", ".join(source.name for source in brought)
        observer.note(
            f"asking on {ASKED} instances whether the references of {order.task.id} stand apart on {names}"
        )
        found = _ask(order, setting, observer)
        keep_ladder(store, key, order.task.id, found)
    if why := standing_over(order.task.criteria.objective, found):
        observer.note(f"no points will be given here: {why}")
    return found


def _ask(order: Order, setting: Setting, observer: Observer) -> tuple[LadderOn, ...]:
    order = repeatable(in_one_pair(replace(order, root=_ROOT, seed=None)))
    objective = order.task.criteria.objective
    found = []
    for number in range(ASKED):
        sides = climb(order, setting, prepare(order, number, observer), observer).sides
        own = Comparison(candidate=sides["baseline"], references=sides)
        found.append(ladder_on(objective, own))
    return tuple(one for one in found if one is not None)


def _proven(order: Order, brought: Sequence[Source]) -> bool:
    """Whether a kept proof on a profile of this size's name is of these very data and models."""
    for proof in kept_proofs(order.task.id, order.profile.size):
        known = {source.digest for source in proof.sources}
        if proof.proven and all(source.digest in known for source in brought):
            return True
    return False


def _key(order: Order, setting: Setting, brought: Sequence[Source]) -> str:
    """What an answer depends on."""
    tiers = submissions.references(order.task.id, order.task.folder)
    machine = fingerprint.fingerprint(order.device, order.profile.threads)
    return of_value(
        [
            program_digest(),
            order.task.digest,
            {str(tier): reference.digest for tier, reference in tiers.items()},
            sorted(source.digest for source in brought),
            sorted(order.data.columns.items()),  # of the same files another column is another data set
            order.task.size(order.profile.size),
            [order.device, order.profile.threads, setting.level.name, machine.id],
        ]
    )
