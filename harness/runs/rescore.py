"""A run scored again from its raw trials and answers; launches nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from harness.digests import of_bytes
from harness.errors import HarnessError, UsageError
from harness.grading import grade
from harness.grading.comparison import Comparison
from harness.inputs.submissions import Submission
from harness.inputs.tasks import Task
from harness.observer import Silent
from harness.records import Assessed, Run, Trial, in_order
from harness.runs.evaluate import JudgedRound, judge_round, told
from harness.runs.order import Order, order_again, read_call
from harness.runs.prepare import Prepared, prepare
from harness.runs.references import kept_trial, known_references
from harness.store.results import Store

Instances = dict[str, Prepared]


class Rescored(NamedTuple):
    """A run as it was scored, and as it is scored now."""

    old: Run
    new: Run


def rescore(name: str, store: Store, find: Callable[[str, Path], Task]) -> Rescored:
    """The run as it was scored and as it is scored now, from its raw trials and answers; launches nothing.

    `find` gives the task by its id and the folder it was read from.
    """
    runs = rescored(name, store, find)
    store.scored(runs.new)
    return runs


def rescored(
    name: str, store: Store, find: Callable[[str, Path], Task], instances: Instances | None = None
) -> Rescored:
    """As `rescore`, and keeps nothing. `instances` holds those that were prepared, for runs that share them."""
    old = store.run(name)
    if not old.trials:
        raise UsageError(
            f"run {old.head.run_id} was interrupted before its first trial ended; there is nothing to score"
        )
    order = _order_of(old, store, find)
    if _stood_in(old):
        order = replace(order, stood_in_for="competent")
    rounds: list[Comparison] = []
    assessed: list[Assessed] = []
    for number in sorted({trial.number for trial in old.trials}):
        done = _round_again(order, old, number, store, {} if instances is None else instances)
        rounds.append(done.round)
        assessed += done.assessed
    criteria = order.task.criteria
    counted = order.profile.trials
    update = {
        "assessed": tuple(assessed),
        "score": told(grade.grade(criteria, rounds, old.head.other_instances, counted), old.head),
        "ladder": grade.ladder(criteria, rounds[:counted]),
    }
    new = old.model_copy(update=update)
    return Rescored(old, new)


def _stood_in(old: Run) -> bool:
    """Whether the submission was the competent reference itself when it was scored first.

    The ladder names the tier then, though nobody ran for it. What is merely absent says nothing.
    """
    ran = {trial.tier for trial in old.trials} | {assessed.tier for assessed in old.assessed}
    return "competent" not in ran and any(rung.tier == "competent" for rung in old.ladder)


def _order_of(old: Run, store: Store, find: Callable[[str, Path], Task]) -> Order:
    call = read_call(store.call(old.head.run_id))
    empty = Submission(
        task=old.head.task,
        label=old.head.submission,
        folder=Path(),
        files=(),
        digest=old.head.submission_digest,
    )
    return order_again(call, find(old.head.task, Path(call.task_folder)), empty)


def instance_of(run_id: str, trial: Trial, store: Store, task: Task, instances: Instances) -> Prepared:
    """The instance that a stored trial was asked, prepared again unless `instances` holds it.

    Raises UsageError where the task asks other questions now.
    """
    old = store.run(run_id)
    order = _order_of(old, store, lambda name, folder: task)
    prepared = _prepared(order, trial.number, instances)
    _require_the_same(old, [trial], prepared)
    return prepared


def _prepared(order: Order, number: int, instances: Instances) -> Prepared:
    inputs = (order.task.digest, order.profile, order.device, order.root, order.data, order.model, number)
    key = of_bytes(repr(inputs).encode())
    if key not in instances:
        instances[key] = prepare(order, number, Silent(), may_derive=False)
    return instances[key]


def _require_the_same(old: Run, trials: Iterable[Trial], prepared: Prepared) -> None:
    if any(trial.instance_id != prepared.id for trial in trials):
        raise UsageError(
            f"run {old.head.run_id} cannot be scored again: its task asks other questions now (data, sizes or "
            "the preparation changed); run the submission again"
        )


def _round_again(order: Order, old: Run, number: int, store: Store, instances: Instances) -> JudgedRound:
    prepared = _prepared(order, number, instances)
    trials = in_order(t for t in old.trials if t.number == number)
    _require_the_same(old, trials, prepared)
    answers = [store.answers(trial.answers["archive"]) for trial in trials]
    kept = {a.tier: a for a in old.assessed if a.number == number and a.reused_from and a.tier}
    stored = store.known(old.head.run_id, number)
    if stored is not None:
        kept = {assessed.tier: assessed for assessed in stored.references if assessed.tier}
    elif not old.assessed:  # of a store before that was kept: what was remembered then still is
        ran = {trial.tier for trial in trials}
        remembered = known_references(order, prepared, store, old.head).known
        kept = {tier: assessed for tier, assessed in remembered.items() if tier not in ran}
    if not trials or trials[0].role != "candidate":
        raise HarnessError(f"run {old.head.run_id} holds no trial of its candidate; run the submission again")
    return judge_round(order, prepared.instance, trials, answers, kept, partial(kept_trial, prepared, store))
