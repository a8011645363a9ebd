"""What is to be run, its instances made ready, and the round that runs them."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.digests import of_bytes, of_value
from harness.errors import TaskError
from harness.inputs import tasks
from harness.inputs.data.sources import cache_folder
from harness.inputs.tasks import Task
from harness.instances import FromAnswers, FromItem, Instance
from harness.isolation.base import Launch
from harness.isolation.levels import level
from harness.machine import devices, temporary
from harness.observer import Observer
from harness.records import Source
from harness.runs.order import Order
from harness.runs.seeds import derived_seed, worker_seed
from harness.runs.workbench import TABLE, Workbench
from harness.store.results import home
from harness.trials.participant import Setting
from harness.trials.round import Round, Settled
from harness.trials.schedule import Plan
from harness.worker.wire import encode_call

# Calls that one worker serves in a row on a GPU, whose contexts take turns by time slices.
BLOCK_ON_CUDA = 8


@dataclass(frozen=True)
class Prepared:
    """An instance with its identity and what it was made from."""

    number: int
    instance: Instance
    id: str
    sources: tuple[Source, ...]


@contextmanager
def setting_of(order: Order) -> Generator[Setting]:
    """What all workers of a run share; what they are forked from imports the task's stack from here on.

    What runs that were killed left behind is taken away first.
    """
    temporary.sweep()
    setting = Setting(
        task=order.task,
        level=level(order.profile.isolation),
        device=order.device,
        threads=order.profile.threads,
        limit_factor=order.profile.limit_factor,
        device_reader=devices.reader(order.device),
        hidden=kept_from_workers(order.task),
    )
    nowhere = Path()
    with closing(setting.level):
        stack = order.task.definition.stack
        setting.level.warm(
            Launch(home=nowhere, scratch=nowhere, threads=setting.threads, device=setting.device, stack=stack)
        )
        yield setting


def kept_from_workers(task: Task) -> tuple[Path, ...]:
    """Folders that no worker may read: every task that is installed or beside this one, kept results, caches."""
    roots = (task.folder.parent, *tasks.roots())
    every = {file.parent for root in roots for file in root.glob("*/task.toml")}
    beside = {place for root in roots if (place := root.parent / "reference_solutions").is_dir()}
    return tuple(sorted({task.folder, *every, *beside, home(), cache_folder()}))


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
        seed=seed,
        size=size,
        device=order.device,
        data=order.data,
        model_spec=order.model,
        cache=order.cache,
        threads=order.profile.threads,
        pairs=order.profile.pairs,
        max_pairs=order.profile.max_pairs,
        may_derive=may_derive,
    )
    instance = order.task.prepare(bench)
    requests = require_fresh_inputs(order.task, instance)
    used = tuple(bench.used.values())
    for part in (part for source in used for part in source.parts if number == 0):
        observer.note(f"read {part}")
    identity = of_value([size, seed, _identifying(bench.used), requests])
    return Prepared(number, instance, identity[:16], used)


def _identifying(used: Mapping[str, Source]) -> list[str]:
    """The digests that an instance's id is made of: of several bundled tables only the last, as ids always were."""
    by_place = {"data" if key.startswith(TABLE) else key: source for key, source in used.items()}
    return [source.digest for source in by_place.values() if source.kind != "derived"]


def require_fresh_inputs(task: Task, instance: Instance) -> list[str]:
    """The digest of every request; raises TaskError where a timed input would be used twice, or its answer not judged.

    A cache would then pass for speed. The reserve may ask something `again`, since another worker is asked it there.
    """
    items: set[str] = set()
    inputs: set[str] = set()
    digests: list[str] = []
    calls: dict[str, str] = {}
    reserved = {request.item for stage in instance.stages for request in stage.reserve}
    for request in instance.requests():
        if request.item in items:
            raise TaskError(f"task {task.id}: the item {request.item!r} names two requests")
        items.add(request.item)
        if request.phase not in task.definition.limited():
            raise TaskError(
                f"task {task.id}: request {request.item!r} calls {request.phase}, which has no limit"
            )
        plain = {
            n: repr(v) if isinstance(v, FromItem | FromAnswers) else v for n, v in request.arguments.items()
        }
        key = of_bytes(encode_call(request.phase, plain, None))
        digests.append(of_value([request.item, key]))
        if request.timed and not (request.scored or request.warmup):
            raise TaskError(f"task {task.id}: the timed answer of {request.item!r} is held to nothing")
        if request.item not in reserved:
            calls[request.item] = key
        if request.again:
            if request.item not in reserved or calls.get(request.again) != key:
                raise TaskError(
                    f"task {task.id}: {request.item!r} does not ask what {request.again!r} asks, or is no reserve"
                )
        elif request.timed or request.warmup:
            if key in inputs:
                raise TaskError(f"task {task.id}: the timed input of {request.item!r} was used before")
            inputs.add(key)
    return digests


def round_of(
    order: Order,
    setting: Setting,
    prepared: Prepared,
    observer: Observer,
    plan: Plan | None = None,
    settled: Settled = lambda outcomes: True,
) -> Round:
    """The round that runs submissions on a prepared instance; one process pair, if no plan says more.

    `settled` says of the trials so far whether the verdicts need no further pairs. A candidate can tell the order
    of turns by its clock, so that is drawn from the worker key too.
    """
    task, number = order.task.id, str(prepared.number)
    return Round(
        setting=setting,
        instance=prepared.instance,
        instance_id=prepared.id,
        number=prepared.number,
        worker_seed=worker_seed(order.worker_key, task, number),
        reference_seed=worker_seed(order.root, task, number),
        order=np.random.default_rng(derived_seed(order.worker_key, task, "order", number)),
        observer=observer,
        plan=plan or Plan(),
        settled=settled,
    )


def plan_of(order: Order) -> Plan:
    """The profile's pairs; on a GPU in blocks of calls, since contexts take turns there."""
    profile = order.profile
    return Plan(
        pairs=profile.pairs,
        most=max(profile.pairs, profile.max_pairs),
        seconds=profile.pair_seconds,
        block=BLOCK_ON_CUDA if order.device == "cuda" else 1,
        memory_pass=profile.memory_pass,
    )
