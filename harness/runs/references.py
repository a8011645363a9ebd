"""Which references take part in a round, which are remembered, and what is kept of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.digests import of_value
from harness.errors import HarnessError
from harness.inputs.submissions import Submission, references
from harness.instances import Instance
from harness.records import Assessed, RunHead, Tier
from harness.runs.order import Order
from harness.runs.prepare import Prepared
from harness.store.results import Store
from harness.trials.participant import Entry
from harness.trials.round import RawTrial


class KnownReferences(NamedTuple):
    """The references whose quality is remembered, by tier, and those that must run beside the candidate."""

    known: dict[Tier, Assessed]
    fresh: list[Submission]


def known_references(
    order: Order, prepared: Prepared, store: Store, head: RunHead, measuring: bool = False
) -> KnownReferences:
    """Which of the order's references are remembered and which must run.

    Quality on the same instance and machine is taken over; a time never is. For `measuring`, a reference is
    remembered only if it is known what it spent on each stage: a candidate's budget goes by that.
    """
    criteria = order.task.criteria
    timed, needed = criteria.timed_against(), criteria.needed() | set(order.against)
    known: dict[Tier, Assessed] = {}
    fresh: list[Submission] = []
    for tier, reference in references(order.task.id, order.task.folder).items():
        remembered = None
        if tier not in timed and tier not in order.against and not order.fresh:
            remembered = store.quality(key_of(prepared, reference, head))
        if remembered is not None and (remembered.stage_seconds or not measuring):
            known[tier] = remembered.model_copy(update={"number": prepared.number})
        elif tier in timed or (tier in needed and tier != twin(order)):
            fresh.append(reference)
    return KnownReferences(known, fresh)


def stage_seconds(assessed: Iterable[Assessed]) -> dict[str, float]:
    """What the slowest of these spent on each stage, in seconds."""
    most: dict[str, float] = {}
    for one in assessed:
        for stage, seconds in one.stage_seconds.items():
            most[stage] = max(seconds, most.get(stage, 0.0))
    return most


def kept_trial(prepared: Prepared, store: Store, remembered: Assessed) -> RawTrial | None:
    """The trial, with its answers, of a reference whose quality is remembered; None where it is not kept any more."""
    try:
        for trial in store.trials(remembered.reused_from) if remembered.reused_from else ():
            same = (trial.role, trial.tier, trial.instance_id) == ("reference", remembered.tier, prepared.id)
            if same and trial.outcome == "ok":
                return RawTrial(trial, store.answers(trial.answers["archive"]))
    except HarnessError:
        return None  # the run is gone, or its answers are: nothing can be said then
    return None


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
