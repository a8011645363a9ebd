"""An order: what is to be run; and how it is kept beside a run and read again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from harness.errors import StoreError, first_of
from harness.inputs.data import sources
from harness.inputs.profiles import Profile
from harness.inputs.submissions import Submission
from harness.inputs.tasks import Task
from harness.isolation.levels import require_known
from harness.readings import Record
from harness.records import Tier
from harness.runs.seeds import new_key


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be run. `root` is the root of the instances' seeds; `seed` the public number, if it is one.

    `worker_key`: what candidates' workers are given and the order of turns are drawn from. It is drawn anew for each
    order and tells nothing of `root`: whoever knows all that a worker gets cannot test a guess of the root by it.
    `anew`: a new run, even where the same one was cut short. `assessment` and `candidate` are set where
    the run is a unit of an assessment: it is then measured once, and a finished one is never measured again.
    `instead_of` is the run that this one is to take the place of. `stood_in_for` is the tier whose files
    the submission was when it was measured: set where a run is scored again, since the files may have changed.
    `purpose` is "verify" where a receipt is verified by the run, and empty where somebody asked for it by itself.
    """

    task: Task
    submission: Submission
    profile: Profile
    device: str
    root: bytes
    seed: int | None
    data: sources.DataSpec
    model: sources.ModelSpec
    worker_key: bytes = field(default_factory=new_key, repr=False)
    against: tuple[Tier, ...] = ()
    fresh: bool = False
    anew: bool = False
    assessment: str = ""
    candidate: str = ""
    instead_of: str = ""
    stood_in_for: Tier | None = None
    purpose: Literal["", "verify"] = ""
    cache: Path = field(default_factory=sources.cache_folder)


def in_one_pair(order: Order) -> Order:
    """The order with a single process pair: for a check, or where instances are the replication."""
    once = {"pairs": 1, "max_pairs": 1, "memory_pass": False}
    return replace(order, profile=order.profile.model_copy(update=once))


def with_key(order: Order, key: str) -> Order:
    """The order with a recorded worker key, in hex; '' is of a time when the root itself was the key."""
    return replace(order, worker_key=bytes.fromhex(key) or order.root)


def repeatable(order: Order) -> Order:
    """The order with its root as the worker key: for what the project's own code does, the same each time."""
    return with_key(order, "")


class StoredCall(Record):
    """The settings with which a run was begun: with its task and the run's head, enough to prepare it again.

    `root` is the root of all seeds, in hexadecimal digits.
    """

    root: str
    seed: int | None
    device: str
    task_folder: str
    profile: Profile
    data: sources.DataSpec
    model: sources.ModelSpec
    purpose: Literal["", "verify"] = ""


def stored_call(order: Order) -> StoredCall:
    """What is kept of an order beside its run."""
    return StoredCall(
        root=order.root.hex(),
        seed=order.seed,
        device=order.device,
        task_folder=str(order.task.folder),
        profile=order.profile,
        data=order.data,
        model=order.model,
        purpose=order.purpose,
    )


def read_call(text: str) -> StoredCall:
    """The call that is kept as JSON in `text`; raises StoreError where it is none."""
    try:
        return StoredCall.model_validate_json(text)
    except ValidationError as error:
        raise StoreError(f"what a run was asked for cannot be read: {first_of(error)}") from error


def order_again(call: StoredCall, task: Task, submission: Submission) -> Order:
    """The order that a call was kept of, for the same task and submission."""
    return Order(
        task=task,
        submission=submission,
        profile=call.profile,
        device=call.device,
        root=bytes.fromhex(call.root),
        seed=call.seed,
        data=call.data,
        model=call.model,
    )


def require_known_isolation(name: str) -> str:
    """`name`, where it names an isolation level; raises UsageError that lists those there are."""
    return require_known(name)
