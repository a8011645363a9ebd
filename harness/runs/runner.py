"""The one path from a submission to a score, readable from top to bottom."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.errors import HarnessError, SandboxFailed, StoreError, UsageError
from harness.grading import grade
from harness.grading.comparison import Comparison
from harness.inputs.submissions import references
from harness.instances import ArraySpec
from harness.isolation.pages import settle_pages
from harness.ladders import LadderOn
from harness.observer import Observer, Silent
from harness.records import OURS, Outcome, Run, RunHead, in_order
from harness.runs.evaluate import JudgedRound, is_settled, judge_round, told
from harness.runs.head import Held, head_of, identity
from harness.runs.ladders import asked
from harness.runs.order import Order, stored_call, with_key
from harness.runs.prepare import Prepared, plan_of, prepare, round_of, setting_of
from harness.runs.references import (
    kept_trial,
    key_of,
    known_references,
    quality_only,
    reference_entries,
    stage_seconds,
)
from harness.store.durable import FLOOR_BYTES, require_room
from harness.store.results import Store
from harness.trials.participant import Entry, Setting

Show = Callable[[Run], object]


def run(
    order: Order, store: Store, observer: Observer | None = None, show: Show = lambda finished: None
) -> Run:
    """Runs a submission and the references it needs, keeps everything, and returns the scored run.

    `show` is given the run before its claim is released: if the process dies after scoring and before
    showing, the next same command shows it.
    """
    with setting_of(order) as setting:
        return _run(order, setting, store, observer or Silent(), show)


def _run(order: Order, setting: Setting, store: Store, watch: Observer, show: Show) -> Run:
    held = Held(setting)
    if setting.level.note:
        watch.note(setting.level.note)
    first = prepare(order, 0, watch)
    stood = () if held.fault else asked(order, setting, first.sources, store, watch)
    fresh = head_of(order, setting, first, held).model_copy(update={"other_instances": stood})
    key = identity(order, first, fresh)
    if order.assessment and (concluded := store.concluded(key)) is not None:
        return concluded  # it was scored, and the process that asked for it died before it kept the cell
    head = store.claim(fresh, stored_call(order).model_dump_json(), key, order.anew)
    if head.taken_up:
        watch.note(f"going on with run {head.run_id}, which was cut short; --anew begins a new one")
    order = with_key(order, head.worker_key)  # a run that goes on keeps the key that it began with
    try:
        if order.seed is None and setting.level.official:  # others are asked the same
            watch.note(
                "settling what is in memory of the files that submissions may read, for one may have left words"
            )
            settle_pages()
        finished = _finished(order, held, first, store, head, watch)
        show(finished)
    except KeyboardInterrupt:
        raise  # at once, without releasing it: once this process has ended, the run counts as free
    except BaseException:
        with contextlib.suppress(StoreError):
            store.release(head.run_id)
        raise
    store.release(head.run_id)
    return finished


def _finished(order: Order, held: Held, first: Prepared, store: Store, head: RunHead, watch: Observer) -> Run:
    began = time.monotonic()
    done: list[JudgedRound] = []
    earlier = 0.0
    criteria = order.task.criteria
    try:
        held.insist()
        while _more(order, [d.round for d in done], head.other_instances):
            prepared = first if not done else prepare(order, len(done), watch)
            kept = store.known(head.run_id, prepared.number)
            earlier += kept.seconds if kept else 0.0
            if kept is None:
                _measure(order, held.setting, prepared, store, head, watch)
            done.append(_judged(order, prepared, store, head))
        store.measured(head)
        rounds, counted = [d.round for d in done], order.profile.trials
        score = told(grade.grade(criteria, rounds, head.other_instances, counted), head)
    except (UsageError, StoreError):
        raise
    except HarnessError as error:
        outcome: Outcome = "sandbox_failed" if isinstance(error, SandboxFailed) else "harness_error"
        score = grade.unscored(criteria, outcome, str(error))
    finished = Run(
        head=head,
        trials=tuple(in_order(t for d in done for t in d.trials)),
        assessed=tuple(a for d in done for a in d.assessed),
        score=score,
        ladder=grade.ladder(criteria, [d.round for d in done][: order.profile.trials]),
        wall_seconds=earlier + time.monotonic() - began,
    )
    store.scored(finished, final=score.outcome not in OURS)
    return finished


def _more(order: Order, rounds: Sequence[Comparison], other_instances: Sequence[LadderOn]) -> bool:
    """Whether another instance is needed: as many as the profile says, then more while a verdict is open.

    One that waits for the evaluator to look is not made clearer by more of the same, nor is a ladder whose expert is no
    better than the baseline.
    """
    if len(rounds) < order.profile.trials:
        return True
    if len(rounds) >= order.profile.max_trials:
        return False
    score = grade.grade(order.task.criteria, rounds, other_instances, order.profile.trials)
    if score.open_by == "data":
        return any(c.open_by == "data" and c.value is not None for c in score.constraints)
    return score.outcome == "inconclusive" and score.open_by != "evaluator"


def _measure(
    order: Order, setting: Setting, prepared: Prepared, store: Store, head: RunHead, observer: Observer
) -> None:
    """Runs one instance and keeps everything raw: from here on it is never run again."""
    began = time.monotonic()
    known, fresh = known_references(order, prepared, store, head, measuring=True)
    entries = [Entry(order.submission), *reference_entries(order, prepared.instance, fresh)]
    store.make_room(len(entries) * _array_bytes(prepared))
    require_room(Path(tempfile.gettempdir()), FLOOR_BYTES, "the workers' files")
    store.begin(head.run_id, prepared.number)
    round_ = replace(
        round_of(order, setting, prepared, observer, plan_of(order), partial(is_settled, order)),
        known_seconds=stage_seconds(known.values()),
        remembered=lambda: (found for one in known.values() if (found := kept_trial(prepared, store, one))),
    )
    trials = [
        outcome.trial.model_copy(update={"answers": {"archive": store.keep_answers(outcome.answers)}})
        for outcome in round_.run(entries)
    ]
    store.keep(head.run_id, prepared.number, trials, known.values(), time.monotonic() - began)


def _judged(order: Order, prepared: Prepared, store: Store, head: RunHead) -> JudgedRound:
    """What is derived from one instance, all of it from what is kept."""
    kept = store.known(head.run_id, prepared.number)
    trials = store.trials(head.run_id, prepared.number)
    if kept is None or not trials or any(t.instance_id != prepared.id for t in trials):
        raise HarnessError(
            f"run {head.run_id} does not hold instance {prepared.number + 1} as it is asked now"
        )
    answers = [store.answers(trial.answers["archive"]) for trial in trials]
    known = {assessed.tier: assessed for assessed in kept.references if assessed.tier}
    try:
        kept_of = partial(kept_trial, prepared, store)
        done = judge_round(order, prepared.instance, trials, answers, known, kept_of)
    except HarnessError:
        store.void(head.run_id, prepared.number)
        raise
    of_tier = references(order.task.id, order.task.folder)
    for assessed in done.assessed:
        if assessed.role == "reference" and assessed.tier and not assessed.reused_from:
            key = key_of(prepared, of_tier[assessed.tier], head)
            store.keep_quality(key, head.run_id, quality_only(assessed))
    return done


def _array_bytes(prepared: Prepared) -> int:
    """The bytes of all arrays that one submission answers with."""
    returns = (request.returns for request in prepared.instance.requests())
    return sum(spec.nbytes for spec in returns if isinstance(spec, ArraySpec))
