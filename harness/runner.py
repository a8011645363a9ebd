"""The one path from a submission to a score, readable from top to bottom."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from harness import __version__, devices, grading, machine, sources
from harness.assess import assess, side
from harness.digests import of_bytes, of_value
from harness.errors import HarnessError, SandboxFailed, StoreError, TaskError, UsageError
from harness.grading import Side
from harness.instances import FromItem, Instance
from harness.isolation.levels import level
from harness.profiles import Profile
from harness.records import Assessed, Outcome, ProfileUsed, Run, RunHead, Source, Stamp, Tier, Trial
from harness.store import Store
from harness.submissions import Submission, references
from harness.tasks import Task
from harness.trials import Observer, Round, Setting, Silent
from harness.workbench import Workbench, derived_seed
from harness.worker.wire import encode_call

Role = Literal["candidate", "reference"]


@dataclass(frozen=True)
class Order:
    """What is to be run. `root` is the root of all seeds; `seed` the public number, if it is one."""

    task: Task
    submission: Submission
    profile: Profile
    device: str
    root: bytes
    seed: int | None
    data: sources.DataSpec
    model: sources.ModelSpec
    against: tuple[Tier, ...] = ()
    fresh: bool = False
    cache: Path = field(default_factory=sources.cache_folder)


@dataclass(frozen=True)
class Prepared:
    """An instance with its identity and what it was made from."""

    number: int
    instance: Instance
    id: str
    sources: tuple[Source, ...]


def run(order: Order, store: Store, observer: Observer | None = None) -> Run:
    """Runs a submission and the references it needs, keeps everything, and returns the scored run."""
    watch = observer or Silent()
    began = time.monotonic()
    setting = setting_of(order)
    first = prepare(order, 0, watch)
    head = _head(order, setting, first)
    store.claim(head, json.dumps(_call(order)))
    done: list[_Done] = []
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
        outcome: Outcome = "sandbox_failed" if isinstance(error, SandboxFailed) else "harness_error"
        score = grading.unscored(criteria, outcome, str(error))
    finished = Run(
        head=head, trials=tuple(t for d in done for t in d.trials), assessed=tuple(a for d in done for a in d.assessed),
        score=score, ladder=grading.ladder(criteria, [d.round for d in done]), wall_seconds=time.monotonic() - began,
    )  # fmt: skip
    store.scored(finished)
    return finished


def setting_of(order: Order) -> Setting:
    """What all workers of a run share."""
    return Setting(
        task=order.task, level=level(order.profile.isolation), device=order.device, threads=order.profile.threads,
        limit_factor=order.profile.limit_factor, device_reader=devices.reader(order.device),
    )  # fmt: skip


def prepare(order: Order, number: int, observer: Observer, may_derive: bool = True) -> Prepared:
    """The instance number `number` of a run; the same root, task, size and data give the same one."""
    devices_known = order.task.definition.devices
    if order.device not in devices_known:
        known = ", ".join(devices_known)
        raise TaskError(f"task {order.task.id} does not run on {order.device}; it runs on {known}")
    seed = derived_seed(order.root, order.task.id, "instance", str(number))
    size = order.task.size(order.profile.size)
    observer.note(f"preparing instance {number + 1}")
    bench = Workbench(
        seed=seed, size=size, device=order.device, data=order.data, model_spec=order.model, cache=order.cache,
        threads=order.profile.threads, may_derive=may_derive,
    )  # fmt: skip
    instance = order.task.prepare(bench)
    asked = insist_on_fresh_inputs(order.task, instance)
    used = tuple(bench.used.values())
    identity = of_value([size, seed, [s.digest for s in used if s.kind != "derived"], asked])
    return Prepared(number, instance, identity[:16], used)


def insist_on_fresh_inputs(task: Task, instance: Instance) -> list[str]:
    """The digest of every request; raises TaskError where a timed input would be used twice.

    A cache would then pass for speed.
    """
    items: set[str] = set()
    inputs: set[str] = set()
    digests: list[str] = []
    for request in instance.requests():
        if request.item in items:
            raise TaskError(f"task {task.id}: the item {request.item!r} names two requests")
        items.add(request.item)
        if request.phase not in task.definition.phases:
            raise TaskError(
                f"task {task.id}: request {request.item!r} calls {request.phase}, which has no limit"
            )
        plain = {n: repr(v) if isinstance(v, FromItem) else v for n, v in request.arguments.items()}
        key = of_bytes(encode_call(request.phase, plain, None))
        digests.append(of_value([request.item, key]))
        if request.timed or request.warmup:
            if key in inputs:
                raise TaskError(f"task {task.id}: the timed input of {request.item!r} was used before")
            inputs.add(key)
    return digests


def round_of(order: Order, setting: Setting, prepared: Prepared, observer: Observer) -> Round:
    """The round that runs submissions on a prepared instance."""
    task, number = order.task.id, str(prepared.number)
    return Round(
        setting=setting, instance=prepared.instance, instance_id=prepared.id, number=prepared.number,
        worker_seed=derived_seed(order.root, task, "worker", number) & 0x7FFFFFFF,
        order=np.random.default_rng(derived_seed(order.root, task, "order", number)), observer=observer,
    )  # fmt: skip


@dataclass(frozen=True)
class _Done:
    round: grading.Round
    trials: list[Trial]
    assessed: list[Assessed]


def _more(order: Order, rounds: Sequence[grading.Round]) -> bool:
    """Whether another instance is due: the profile's count, then more while a verdict is open."""
    if len(rounds) < order.profile.trials:
        return True
    if len(rounds) >= order.profile.max_trials:
        return False
    return grading.grade(order.task.criteria, rounds).outcome == "inconclusive"


def _round(
    order: Order, setting: Setting, prepared: Prepared, store: Store, head: RunHead, observer: Observer
) -> _Done:
    known, fresh = _references(order, prepared, store, head)
    entries: list[tuple[Submission, Role]] = [(order.submission, "candidate")]
    entries += [(reference, "reference") for reference in fresh]
    outcomes = round_of(order, setting, prepared, observer).run(entries)
    trials = []
    for outcome in outcomes:
        digest = store.keep_answers(outcome.answers)
        trial = outcome.trial.model_copy(update={"answers": {"archive": digest}})
        store.add_trial(head.run_id, trial)
        trials.append(trial)
    judged = [
        assess(order.task, prepared.instance, t, o.answers) for t, o in zip(trials, outcomes, strict=True)
    ]
    sides: dict[Tier, Side] = {tier: side(None, found) for tier, found in known.items()}
    for trial, found, reference in zip(trials[1:], judged[1:], fresh, strict=True):
        _insist(order, trial, found)
        if reference.tier:
            sides[reference.tier] = side(trial, found)
            store.keep_quality(_key(prepared, reference, head), head.run_id, _quality_only(found, prepared))
    own = side(trials[0], judged[0])
    return _Done(grading.Round(own, _with_twin(order, own, sides)), trials, [*judged, *known.values()])


def _twin(order: Order) -> Tier | None:
    """The tier between the anchors whose very files were handed in: it need not be run beside itself."""
    between = references(order.task.id, order.task.folder).get("competent")
    same = between is not None and between.digest == order.submission.digest
    return "competent" if same and "competent" not in order.against else None


def _with_twin(order: Order, own: Side, sides: dict[Tier, Side]) -> dict[Tier, Side]:
    twin = _twin(order)
    return {**sides, twin: own} if twin and twin not in sides and own.assessed.outcome == "ok" else sides


def _references(
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
        elif tier in timed or (tier in needed and tier != _twin(order)):
            fresh.append(reference)
    return known, fresh


def _key(prepared: Prepared, reference: Submission, head: RunHead) -> str:
    return of_value([head.task_digest, prepared.id, reference.digest, head.machine.id, head.profile.device])


def _quality_only(found: Assessed, prepared: Prepared) -> Assessed:
    """What may be remembered of a reference: what `evaluate` found, no time and no memory."""
    costly = {"s", "1/s"}
    kept = tuple(
        m for m in found.measurements if m.unit not in costly and not m.name.startswith("peak_memory")
    )
    return found.model_copy(update={"measurements": kept})


def _insist(order: Order, trial: Trial, found: Assessed) -> None:
    """A reference that fails is our fault, never the candidate's: no score can be given."""
    if found.outcome != "ok":
        raise HarnessError(
            f"the reference {trial.tier} of {order.task.id} ended as {found.outcome}: {found.reason}; "
            f"nothing was scored\n{trial.detail}".rstrip()
        )


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
            max_trials=profile.max_trials, split=profile.split,
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


def rescore(name: str, store: Store, find: Callable[[str, Path], Task]) -> tuple[Run, Run]:
    """The run as it was scored and as it is scored now, from its raw trials and answers; launches nothing.

    `find` gives the task by its id and the folder it was read from.
    """
    old = store.run(name)
    if not old.trials:
        raise UsageError(
            f"run {old.head.run_id} was interrupted before its first trial ended; there is nothing to score"
        )
    order = _order_again(old, store, find)
    rounds: list[grading.Round] = []
    assessed: list[Assessed] = []
    for number in sorted({trial.number for trial in old.trials}):
        done = _round_again(order, old, number, store)
        rounds.append(done.round)
        assessed += done.assessed
    criteria = order.task.criteria
    update = {
        "assessed": tuple(assessed), "score": grading.grade(criteria, rounds),
        "ladder": grading.ladder(criteria, rounds),
    }  # fmt: skip
    new = old.model_copy(update=update)
    store.scored(new)
    return old, new


def _order_again(old: Run, store: Store, find: Callable[[str, Path], Task]) -> Order:
    call = store.call(old.head.run_id)
    empty = Submission(old.head.task, old.head.submission, Path(), (), old.head.submission_digest)
    return Order(
        task=find(old.head.task, Path(call["task_folder"])), submission=empty,
        profile=Profile.model_validate(call["profile"]), device=call["device"],
        root=bytes.fromhex(call["root"]), seed=call["seed"], data=sources.DataSpec(**call["data"]),
        model=sources.ModelSpec(**call["model"]),
    )  # fmt: skip


def _round_again(order: Order, old: Run, number: int, store: Store) -> _Done:
    prepared = prepare(order, number, Silent(), may_derive=False)
    trials = sorted((t for t in old.trials if t.number == number), key=lambda trial: trial.role)
    if any(trial.instance_id != prepared.id for trial in trials):
        raise UsageError(
            f"run {old.head.run_id} cannot be scored again: its task asks other questions now (data, sizes or "
            "the preparation changed); run the submission again"
        )
    again = [assess(order.task, prepared.instance, t, store.answers(t.answers["archive"])) for t in trials]
    kept = [a for a in old.assessed if a.number == number and a.reused_from]
    if not old.assessed:  # interrupted before it was scored: what was remembered then still is
        ran = {trial.tier for trial in trials}
        known, _ = _references(order, prepared, store, old.head)
        kept = [found for tier, found in known.items() if tier not in ran]
    sides = {a.tier: side(None, a) for a in kept if a.tier}
    own: Side | None = None
    for trial, found in zip(trials, again, strict=True):
        if trial.role == "candidate":
            own = side(trial, found)
        elif trial.tier:
            sides[trial.tier] = side(trial, found)
    if own is None:
        raise HarnessError(f"run {old.head.run_id} holds no trial of its candidate; run the submission again")
    return _Done(grading.Round(own, _with_twin(order, own, sides)), trials, [*again, *kept])
