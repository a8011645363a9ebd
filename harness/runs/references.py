"""Which references take part in a round, which are remembered, and what is kept of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.digests import of_value
from harness.inputs.submissions import Submission, references
from harness.instances import Instance
from harness.records import Assessed, RunHead, Tier
from harness.runs.order import Order
from harness.runs.prepare import Prepared
from harness.store.results import Store
from harness.trials.participant import Entry


class KnownReferences(NamedTuple):
    """The references whose quality is remembered, by tier, and those that must run beside the candidate."""

    known: dict[Tier, Assessed]
    fresh: list[Submission]


def known_references(order: Order, prepared: Prepared, store: Store, head: RunHead) -> KnownReferences:
    """Which of the order's references are remembered and which must run.

    Quality on the same instance and machine is taken over; a time never is.
    """
    criteria = order.task.criteria
    timed, needed = criteria.timed_against(), criteria.needed() | set(order.against)
    known: dict[Tier, Assessed] = {}
    fresh: list[Submission] = []
    for tier, reference in references(order.task.id, order.task.folder).items():
        remembered = None
        if tier not in timed and tier not in order.against and not order.fresh:
            remembered = store.quality(key_of(prepared, reference, head))
        if remembered is not None:
            known[tier] = remembered.model_copy(update={"number": prepared.number})
        elif tier in timed or (tier in needed and tier != twin(order)):
            fresh.append(reference)
    return KnownReferences(known, fresh)


def key_of(prepared: Prepared, reference: Submission, head: RunHead) -> str:
    """What a reference's remembered quality is kept under: task, instance, files, machine and device."""
    return of_value([head.task_digest, prepared.id, reference.digest, head.machine.id, head.profile.device])


def quality_only(assessed: Assessed) -> Assessed:
    """What may be remembered of a reference: what `evaluate` measured, no time and no memory."""
    costly = {"s", "1/s"}
    kept = tuple(
        m for m in assessed.measurements if m.unit not in costly and not m.name.startswith("peak_memory")
    )
    return assessed.model_copy(update={"measurements": kept})


# A tier between the anchors only places the score: where times decide, it takes part in so many pairs.
PLACING_PAIRS = 2


def reference_entries(order: Order, instance: Instance, fresh: Sequence[Submission]) -> list[Entry]:
    """How the references take part: those that times are compared with in every pair, the first of
    them with a copy of itself; the others for their answers, or to place a score that is a time.
    """
    criteria = order.task.criteria
    anchor, timed = criteria.anchor(), criteria.timed_against() | set(order.against)
    paired = any(stage.paired for stage in instance.stages)
    entries = []
    for reference in sorted(fresh, key=lambda r: r.tier != anchor):
        if reference.tier in timed or not paired:
            entries.append(Entry(reference, "reference"))
        elif criteria.objective.ratio_of:
            entries.append(Entry(reference, "reference", pairs=PLACING_PAIRS))
        else:
            entries.append(Entry(reference, "reference", timed=False))
    if paired and order.profile.pairs > 1:
        entries += [Entry(r, "copy") for r in fresh if r.tier == anchor]
    return entries


def twin(order: Order) -> Tier | None:
    """The tier between the anchors whose very files were handed in: it need not be run beside itself."""
    if order.stood_in_for:
        return order.stood_in_for
    between = references(order.task.id, order.task.folder).get("competent")
    same = between is not None and between.digest == order.submission.digest
    return "competent" if same and "competent" not in order.against else None
