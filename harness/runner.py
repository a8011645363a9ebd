"""The one path from a submission to a score, readable from top to bottom."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from harness import __version__, grading, machine
from harness.competitor import Entry, Setting
from harness.digests import of_bytes, of_value
from harness.errors import HarnessError, SandboxFailed, StoreError, UsageError
from harness.judging import Done, is_settled, judge_round, reference_entries, twin
from harness.ordering import Order, Prepared, plan_of, prepare, round_of, setting_of
from harness.records import Assessed, ProfileUsed, Run, RunHead, Stamp, Tier, in_order
from harness.records import Outcome as EndedAs
from harness.sides import Round as Compared
from harness.store import Store
from harness.submissions import Submission, references
from harness.trials import Observer, Silent


def run(order: Order, store: Store, observer: Observer | None = None) -> Run:
    """Runs a submission and the references it needs, keeps everything, and returns the scored run."""
    watch = observer or Silent()
    began = time.monotonic()
    setting = setting_of(order)
    first = prepare(order, 0, watch)
    head = _head(order, setting, first)
    store.claim(head, json.dumps(_call(order)))
    done: list[Done] = []
    criteria = order.task.criteria
    try:
        while _more(order, [d.round for d in done]):
            prepared = first if not done else prepare(order, len(done), watch)
            done.append(_round(order, setting, prepared, store, head, watch))
        store.measured(head)
        score = grading.grade(criteria, [d.round for d in done])
    except (UsageError, StoreError):
        raise
    except HarnessError as error:
        outcome: EndedAs = "sandbox_failed" if isinstance(error, SandboxFailed) else "harness_error"
        score = grading.unscored(criteria, outcome, str(error))
    finished = Run(
        head=head, trials=tuple(in_order(t for d in done for t in d.trials)),
        assessed=tuple(a for d in done for a in d.assessed),
        score=score, ladder=grading.ladder(criteria, [d.round for d in done]), wall_seconds=time.monotonic() - began,
    )  # fmt: skip
    store.scored(finished)
    return finished


def _more(order: Order, rounds: Sequence[Compared]) -> bool:
    """Whether another instance is due: the profile's count, then more while a verdict is open."""
    if len(rounds) < order.profile.trials:
        return True
    if len(rounds) >= order.profile.max_trials:
        return False
    return grading.grade(order.task.criteria, rounds).outcome == "inconclusive"


def _round(
    order: Order, setting: Setting, prepared: Prepared, store: Store, head: RunHead, observer: Observer
) -> Done:
    known, fresh = known_references(order, prepared, store, head)
    entries = [Entry(order.submission), *reference_entries(order, prepared.instance, fresh)]
    around = round_of(order, setting, prepared, observer, plan_of(order))
    around.settled = lambda outcomes: is_settled(order, outcomes)
    outcomes = around.run(entries)
    trials = []
    for outcome in outcomes:
        digest = store.keep_answers(outcome.answers)
        trial = outcome.trial.model_copy(update={"answers": {"archive": digest}})
        store.add_trial(head.run_id, trial)
        trials.append(trial)
    done = judge_round(order, prepared.instance, trials, [o.answers for o in outcomes], known)
    for found in done.assessed:
        reference = next((r for r in fresh if r.tier == found.tier), None)
        if found.role == "reference" and reference is not None and not found.reused_from:
            store.keep_quality(_key(prepared, reference, head), head.run_id, _quality_only(found))
    return done


def known_references(
    order: Order, prepared: Prepared, store: Store, head: RunHead
) -> tuple[dict[Tier, Assessed], list[Submission]]:
    """The references whose quality is remembered, and those that must run with the candidate.

    Quality on the same instance and machine is taken over; a time never is.
    """
    criteria = order.task.criteria
    timed, needed = criteria.timed_against(), criteria.needed() | set(order.against)
    known: dict[Tier, Assessed] = {}
    fresh: list[Submission] = []
    for tier, reference in references(order.task.id, order.task.folder).items():
        remembered = None
        if tier not in timed and tier not in order.against and not order.fresh:
            remembered = store.quality(_key(prepared, reference, head))
        if remembered is not None:
            known[tier] = remembered.model_copy(update={"number": prepared.number})
        elif tier in timed or (tier in needed and tier != twin(order)):
            fresh.append(reference)
    return known, fresh


def _key(prepared: Prepared, reference: Submission, head: RunHead) -> str:
    return of_value([head.task_digest, prepared.id, reference.digest, head.machine.id, head.profile.device])


def _quality_only(found: Assessed) -> Assessed:
    """What may be remembered of a reference: what `evaluate` found, no time and no memory."""
    costly = {"s", "1/s"}
    kept = tuple(
        m for m in found.measurements if m.unit not in costly and not m.name.startswith("peak_memory")
    )
    return found.model_copy(update={"measurements": kept})


def _head(order: Order, setting: Setting, prepared: Prepared) -> RunHead:
    profile, now = order.profile, datetime.now(UTC)
    definition = order.task.definition
    return RunHead(
        harness_version=__version__, run_id=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}",
        started_at=now.isoformat(timespec="milliseconds"), task=definition.id, task_title=definition.title,
        task_version=definition.version, task_digest=order.task.digest, submission=order.submission.label,
        submission_digest=order.submission.digest,
        profile=ProfileUsed(
            name=profile.name, size=profile.size, device=order.device, isolation=setting.level.name,
            executor=profile.executor, threads=profile.threads, trials=profile.trials,
            max_trials=profile.max_trials, split=profile.split, pairs=profile.pairs,
            max_pairs=profile.max_pairs,
        ),
        machine=machine.fingerprint(order.device, profile.threads), sources=prepared.sources,
        stamp=_stamp(setting, prepared, order), seed=order.seed if order.seed is not None else None,
        seed_id=of_bytes(order.root)[:12], facts=dict(prepared.instance.facts),
    )  # fmt: skip


def _stamp(setting: Setting, prepared: Prepared, order: Order) -> Stamp:
    """practice: answers or seed are public; official: hidden instance and a level that holds attackers."""
    if any(source.public for source in prepared.sources) or order.seed is not None:
        return "practice"
    return "official" if setting.level.official else "self-check"


def _call(order: Order) -> dict[str, Any]:
    return {
        "root": order.root.hex(),
        "seed": order.seed,
        "device": order.device,
        "task_folder": str(order.task.folder),
        "profile": order.profile.model_dump(mode="json"),
        "data": {**asdict(order.data), "columns": dict(order.data.columns)},
        "model": asdict(order.model),
    }
