"""Signed records of runs: what was run, on what, and with what result; never a secret seed or an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field, ValidationError

from harness.analysis.agreement import Result, result, timed_in_pairs
from harness.errors import HarnessError, UsageError, first_of
from harness.inputs.data.sources import DataSpec, ModelSpec
from harness.inputs.profiles import Profile
from harness.readings import FEWEST_PAIRS, Isolation, Machine, Record
from harness.receipts.signing import KeyRing, OwnKey, Signed, opened, read_bounded, signed
from harness.records import ProfileUsed, Run, Source, Stamp, Tier
from harness.runs.order import Order
from harness.store.durable import write_durably

CONTEXT = "ml-skills-harness receipt v1"
RECEIPT_VERSION = 1
LOCAL = "local"  # a local folder: its path stays private, its digest is kept

_WORD = r"^[!-~]{1,400}$"
# Limits above every real profile: without them a stranger's receipt could start a run without end.
_MOST = {
    "threads": 1024,
    "trials": 1000,
    "max_trials": 1000,
    "pairs": 1000,
    "max_pairs": 1000,
    "limit_factor": 100,
    "pair_seconds": 86400,
}


class FileDigest(Record):
    """A file of the submission, by its path inside, and the sha256 of its content."""

    path: str
    sha256: str


class RunSettings(Record):
    """The settings of a run that ProfileUsed lacks. `data`, `model`: as --data and --model take them."""

    pair_seconds: float
    memory_pass: bool
    limit_factor: float
    data: str = Field(pattern=_WORD)
    columns: dict[str, str] = Field(default_factory=dict)
    model: str = Field(pattern=_WORD)
    against: tuple[Tier, ...] = ()


class Receipt(Record):
    """What a receipt vouches for. `seed` is None where it was secret; `seed_id` identifies either.

    `worker_key` is the run's, so that a new run gives the submission the same seed of its own; empty in receipts of a
    time when that was drawn from the root of the instances' seeds.
    """

    kind: Literal["receipt"] = "receipt"
    schema_version: int = RECEIPT_VERSION
    run_id: str
    started_at: str
    harness_version: str
    task: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    task_version: str
    task_digest: str
    submission: str
    submission_digest: str
    files: tuple[FileDigest, ...]
    profile: ProfileUsed
    settings: RunSettings = Field(alias="asked")  # its name in the file
    machine: Machine
    isolation: Isolation | None
    stamp: Stamp
    seed: int | None
    seed_id: str
    worker_key: str = Field(default="", pattern=r"^([0-9a-f]{32})?$")
    sources: tuple[Source, ...]
    result: Result


def receipt_of(order: Order, done: Run) -> Receipt:
    """The receipt of a finished run of this order."""
    head, profile = done.head, order.profile
    if done.score is None:
        raise HarnessError(f"run {head.run_id} was not scored, so it has no receipt")
    files = zip(order.submission.files, order.submission.hashes, strict=True)
    return Receipt(
        run_id=head.run_id,
        started_at=head.started_at,
        harness_version=head.harness_version,
        task=head.task,
        task_version=head.task_version,
        task_digest=head.task_digest,
        submission=head.submission,
        submission_digest=head.submission_digest,
        files=tuple(FileDigest(path=file.as_posix(), sha256=digest) for file, digest in files),
        profile=head.profile,
        asked=RunSettings(
            pair_seconds=profile.pair_seconds,
            memory_pass=profile.memory_pass,
            limit_factor=profile.limit_factor,
            data=_text(order.data),
            columns=dict(order.data.columns),
            model=_text(order.model),
            against=order.against,
        ),
        machine=head.machine,
        isolation=head.isolation,
        stamp=head.stamp,
        seed=head.seed,
        seed_id=head.seed_id,
        worker_key=head.worker_key,
        sources=head.sources,
        result=result(done.score),
    )


class Signer:
    """Signs the receipt of a run to come: a key that cannot be used raises UsageError before anything runs.

    An official run is signed by this machine's evaluator key, where there is one; all else by the key of role
    candidate, which is made on first use.
    """

    def __init__(self, order: Order, keys: KeyRing) -> None:
        self.order = order
        self.candidate = keys.ensured("candidate")
        self.evaluator = keys.own("evaluator")

    def write(self, done: Run, folder: Path) -> Path:
        """Writes receipt.json into a run's folder of reports; raises UsageError where it cannot."""
        evaluator = self.evaluator if done.head.stamp == "official" else None
        key = evaluator or self.candidate
        path = folder / "receipt.json"
        try:
            write_durably(path, content_of(receipt_of(self.order, done), key))
            path.chmod(0o644)  # it is made to be handed on
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}; the run itself is kept") from error
        return path


def content_of(receipt: Receipt, key: OwnKey) -> bytes:
    """A receipt, signed, as a file's content."""
    payload: dict[str, Any] = receipt.model_dump(mode="json", by_alias=True)
    return signed(CONTEXT, payload, key)


class SignedReceipt(NamedTuple):
    """A receipt with the signed document that holds it; None where it is broken, and no longer of a receipt's shape."""

    document: Signed
    receipt: Receipt | None


def read(file: Path) -> SignedReceipt:
    """The receipt in `file`; raises UsageError where the file holds none."""
    document = opened(CONTEXT, read_bounded(file), str(file))
    try:
        return SignedReceipt(document, _typed(document.payload))
    except (ValidationError, ValueError) as error:
        if not document.intact:
            return SignedReceipt(document, None)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "payload"
            raise UsageError(f"{file}: {where[:80]!r}: {first['msg']}") from error
        raise UsageError(f"{file} is no receipt: {error}") from error


def profile_of(receipt: Receipt) -> Profile:
    """The profile of the run that a receipt tells of; raises UsageError where it could not have been one."""
    used = receipt.profile.model_dump()
    extra = receipt.settings.model_dump(include={"pair_seconds", "memory_pass", "limit_factor"})
    for name, most in _MOST.items():
        if {**used, **extra}[name] > most:
            raise UsageError(f"the receipt's profile cannot be run: {name} is over {most}")
    try:
        return Profile.model_validate({**used, **extra, "executor": LOCAL})
    except ValidationError as error:
        raise UsageError(f"the receipt's profile cannot be run: {first_of(error)}") from error


def is_official(receipt: Receipt, by_evaluator: bool) -> bool:
    """Whether a receipt may be shown as official: an evaluator signed it, and its content allows it."""
    held = receipt.isolation is not None and receipt.isolation.official
    hidden = receipt.seed is None and not any(source.public for source in receipt.sources)
    enough = receipt.profile.pairs >= FEWEST_PAIRS or not timed_in_pairs(receipt.result)
    return by_evaluator and receipt.stamp == "official" and held and hidden and enough


def _typed(payload: dict[str, Any]) -> Receipt:
    receipt = Receipt.model_validate_json(json.dumps(payload), strict=True)
    if receipt.schema_version != RECEIPT_VERSION:
        raise ValueError(f"its schema is {receipt.schema_version}, and this version reads {RECEIPT_VERSION}")
    return receipt


def _text(spec: DataSpec | ModelSpec) -> str:
    if spec.source == "local":
        return LOCAL
    return f"{spec.source}:{spec.name}" + (f"@{spec.revision}" if spec.revision else "")
