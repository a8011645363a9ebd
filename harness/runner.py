"""The one path from a submission to a score, readable from top to bottom."""

from __future__ import annotations

import contextlib
import json
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import __version__, grading, machine
from harness.artefacts import FLOOR_BYTES, insist_on_room
from harness.competitor import Entry, Setting
from harness.digests import of_bytes, of_files, of_value
from harness.errors import HarnessError, SandboxFailed, StoreError, UsageError
from harness.instances import ArraySpec
from harness.isolation import selftest
from harness.isolation.base import Checked
from harness.judging import Done, is_settled, judge_round, reference_entries, twin
from harness.observer import Observer, Silent
from harness.ordering import Order, Prepared, plan_of, prepare, round_of, setting_of
from harness.records import OURS, Assessed, Isolation, ProfileUsed, Run, RunHead, Stamp, Tier, in_order
from harness.records import Outcome as EndedAs
from harness.sides import Round as Compared
from harness.store import Store
from harness.submissions import Submission, references

Show = Callable[[Run], object]


def run(
    order: Order, store: Store, observer: Observer | None = None, show: Show = lambda finished: None
) -> Run:
    """Runs a submission and the references it needs, keeps everything, and returns the scored run.

    `show` is given the run before it is let go: one that was scored by a process that died before it
    was shown is shown by the next same command.
    """
    with setting_of(order) as setting:
        return _run(order, setting, store, observer or Silent(), show)


def _run(order: Order, setting: Setting, store: Store, watch: Observer, show: Show) -> Run:
    held = _Held(setting)
    if setting.level.note:
        watch.note(setting.level.note)
    first = prepare(order, 0, watch)
    fresh = _head(order, setting, first, held)
    key = identity(order, first, fresh)
    if order.assessment and (concluded := store.concluded(key)) is not None:
        return concluded  # it was scored, and whoever asked died before the cell was kept
    head = store.claim(fresh, json.dumps(_call(order)), key, order.anew)
    if head.taken_up:
        watch.note(f"going on with run {head.run_id}, which was cut short; --anew begins a new one")
    try:
        finished = _finished(order, held, first, store, head, watch)
        show(finished)
    except KeyboardInterrupt:
        raise  # at once: that this process is gone will say that nobody works on the run
    except BaseException:
        with contextlib.suppress(StoreError):
            store.release(head.run_id)
        raise
    store.release(head.run_id)
    return finished


def _finished(
    order: Order, held: _Held, first: Prepared, store: Store, head: RunHead, watch: Observer
) -> Run:
    began = time.monotonic()
    done: list[Done] = []
    earlier = 0.0
    criteria = order.task.criteria
    try:
        held.insist()
        while _more(order, [d.round for d in done]):
            prepared = first if not done else prepare(order, len(done), watch)
            kept = store.known(head.run_id, prepared.number)
            earlier += kept[1] if kept else 0.0
            if kept is None:
                _measure(order, held.setting, prepared, store, head, watch)
            done.append(_judged(order, prepared, store, head))
        store.measured(head)
        score = grading.grade(criteria, [d.round for d in done])
    except (UsageError, StoreError):
        raise
    except HarnessError as error:
        outcome: EndedAs = "sandbox_failed" if isinstance(error, SandboxFailed) else "harness_error"
        score = grading.unscored(criteria, outcome, str(error))
    finished = Run(
        head=head,
        trials=tuple(in_order(t for d in done for t in d.trials)),
        assessed=tuple(a for d in done for a in d.assessed),
        score=score,
        ladder=grading.ladder(criteria, [d.round for d in done]),
        wall_seconds=earlier + time.monotonic() - began,
    )
    store.scored(finished, final=score.outcome not in OURS)
    return finished


def _more(order: Order, rounds: Sequence[Compared]) -> bool:
    """Whether another instance is due: the profile's count, then more while a verdict is open."""
    if len(rounds) < order.profile.trials:
        return True
    if len(rounds) >= order.profile.max_trials:
        return False
    return grading.grade(order.task.criteria, rounds).outcome == "inconclusive"


def _measure(
    order: Order, setting: Setting, prepared: Prepared, store: Store, head: RunHead, observer: Observer
) -> None:
    """Runs one instance and keeps everything raw: from here on it is never run again."""
    began = time.monotonic()
    known, fresh = known_references(order, prepared, store, head)
    entries = [Entry(order.submission), *reference_entries(order, prepared.instance, fresh)]
    store.make_room(len(entries) * _array_bytes(prepared))
    insist_on_room(Path(tempfile.gettempdir()), FLOOR_BYTES, "the workers' files")
    store.begin(head.run_id, prepared.number)
    around = round_of(order, setting, prepared, observer, plan_of(order))
    around.settled = lambda outcomes: is_settled(order, outcomes)
    trials = [
        outcome.trial.model_copy(update={"answers": {"archive": store.keep_answers(outcome.answers)}})
        for outcome in around.run(entries)
    ]
    store.keep(head.run_id, prepared.number, trials, known.values(), time.monotonic() - began)


def _judged(order: Order, prepared: Prepared, store: Store, head: RunHead) -> Done:
    """What is derived from one instance, all of it from what is kept."""
    kept = store.known(head.run_id, prepared.number)
    trials = store.trials(head.run_id, prepared.number)
    if kept is None or not trials or any(t.instance_id != prepared.id for t in trials):
        raise HarnessError(
            f"run {head.run_id} does not hold instance {prepared.number + 1} as it is asked now"
        )
    answers = [store.answers(trial.answers["archive"]) for trial in trials]
    known = {found.tier: found for found in kept[0] if found.tier}
    try:
        done = judge_round(order, prepared.instance, trials, answers, known)
    except HarnessError:
        store.void(head.run_id, prepared.number)
        raise
    of_tier = references(order.task.id, order.task.folder)
    for found in done.assessed:
        if found.role == "reference" and found.tier and not found.reused_from:
            key = _key(prepared, of_tier[found.tier], head)
            store.keep_quality(key, head.run_id, _quality_only(found))
    return done


def _array_bytes(prepared: Prepared) -> int:
    """The bytes of all arrays that one submission answers with."""
    returns = (request.returns for request in prepared.instance.requests())
    return sum(spec.nbytes for spec in returns if isinstance(spec, ArraySpec))


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


class _Held:
    """Whether the level holds what it promises: tried before anything runs, told once the run is on record."""

    def __init__(self, setting: Setting) -> None:
        level = setting.level
        self.setting = setting
        self.fault: SandboxFailed | None = None
        found = Checked()
        try:
            found = level.check()
        except SandboxFailed as error:
            self.fault = error
        self.record = Isolation(
            level=level.name,
            official=level.official and not self.fault,
            promised=len(found.promised),
            probes=len(found.reached),
            digest=selftest.digest(found),
            residual=found.residual,
            note=level.note,
        )

    def insist(self) -> None:
        """Raises SandboxFailed where it does not."""
        if self.fault:
            raise self.fault


def _head(order: Order, setting: Setting, prepared: Prepared, held: _Held) -> RunHead:
    profile, now = order.profile, datetime.now(UTC)
    definition = order.task.definition
    return RunHead(
        harness_version=__version__,
        run_id=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}",
        started_at=now.isoformat(timespec="milliseconds"),
        task=definition.id,
        task_title=definition.title,
        task_version=definition.version,
        task_digest=order.task.digest,
        submission=order.submission.label,
        submission_digest=order.submission.digest,
        profile=ProfileUsed(
            name=profile.name,
            size=profile.size,
            device=order.device,
            isolation=setting.level.name,
            executor=profile.executor,
            threads=profile.threads,
            trials=profile.trials,
            max_trials=profile.max_trials,
            split=profile.split,
            pairs=profile.pairs,
            max_pairs=profile.max_pairs,
        ),
        machine=machine.fingerprint(order.device, profile.threads),
        sources=prepared.sources,
        stamp=_stamp(setting, prepared, order),
        seed=order.seed if order.seed is not None else None,
        seed_id=of_bytes(order.root)[:12],
        facts=dict(prepared.instance.facts),
        isolation=held.record,
        assessment=order.assessment,
        candidate=order.candidate,
    )


def _stamp(setting: Setting, prepared: Prepared, order: Order) -> Stamp:
    """practice: answers or seed are public; official: hidden instance and a level that holds attackers."""
    if any(source.public for source in prepared.sources) or order.seed is not None:
        return "practice"
    return "official" if setting.level.official else "self-check"


def identity(order: Order, first: Prepared, head: RunHead) -> str:
    """What makes two commands the same one: the same program is asked the same of the same files and machine.

    Where reports go and which tasks folder was named are no part of it; the secret of a seed only as a hash.
    """
    program = sorted(Path(__file__).parent.rglob("*.py"))
    tiers = references(order.task.id, order.task.folder)
    return of_value(
        [
            of_files(program),
            head.task_digest,
            head.submission_digest,
            head.submission,
            {tier: reference.digest for tier, reference in tiers.items()},
            order.profile.model_dump(mode="json"),
            head.profile.model_dump(mode="json"),
            of_bytes(order.root),
            first.id,
            order.against,
            order.fresh,
            head.machine.id,
            [source.digest for source in head.sources],
            *([order.candidate, order.instead_of] if order.assessment else []),
        ]
    )


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
