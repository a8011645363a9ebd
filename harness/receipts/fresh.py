"""A receipt's submission on a seed that nobody could know, and what its task publishes of the spread between seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.analysis.fresh import Spread
from harness.errors import ProfileError
from harness.inputs import profiles
from harness.inputs.proofs import kept_proofs
from harness.records import Source
from harness.runs.made_of import made_of
from harness.runs.order import Order
from harness.runs.seeds import new_key, new_secret
from harness.strangers import brief

LEAST_INSTANCES = 3  # a standard deviation of fewer says next to nothing


def fresh_order(order: Order, trials: int | None) -> Order:
    """The order on a root that is drawn now, with a key of its own; `trials` instances, or as many as the profile's."""
    profile = order.profile
    if trials is not None:
        profile = profile.model_copy(update={"trials": trials, "max_trials": trials})
    return replace(order, root=new_secret(), seed=None, worker_key=new_key(), profile=profile)


def published(order: Order, used: Sequence[Source]) -> Spread | str:
    """The spread between seeds that the kept proofs tell of this task as it is here, on this profile and such data.

    Or, in words, why there is none.

    The largest spread of the tiers' points is taken: those of the tiers that points are anchored to do not vary.
    """
    task, profile = order.task.id, order.profile.name
    none = f"no spread between seeds is published for {task} on {brief(profile)}"
    try:
        as_here = profiles.read(profile) if profile in profiles.names() else None
    except ProfileError:
        as_here = None
    if as_here is None or as_here.size != order.profile.size or order.profile.device != "cpu":
        return none
    mine = _names(used)
    kept = [proof for proof in kept_proofs(task, profile) if _names(proof.sources) == mine]
    if not kept:
        return f"{none} and such data"
    now = made_of(order)
    for proof in kept:
        was = proof.made_of
        if was is None or (was.task, was.references) != (now.task, now.references):
            continue
        sd = max(tier.points_sd for tier in proof.tiers)
        if proof.proven and proof.instances >= LEAST_INSTANCES and sd > 0:
            return Spread(points_sd=sd, instances=proof.instances)
    return f"the spread that is published for {task} on {profile} is of another version of it"


def _names(used: Sequence[Source]) -> set[tuple[str, str]]:
    return {(source.role, source.name) for source in used if source.kind not in ("derived", "made")}
