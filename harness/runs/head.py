"""What a run is, before anything is measured: its head, stamp and identity, and whether its isolation holds."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from harness import __version__
from harness.digests import of_bytes, of_value
from harness.errors import SandboxFailed
from harness.inputs.contents import contents_of
from harness.inputs.submissions import references
from harness.isolation import selftest
from harness.isolation.base import Checked
from harness.machine import fingerprint
from harness.machine.program import program_digest
from harness.readings import FEWEST_PAIRS, Isolation
from harness.records import ProfileUsed, RunHead, Stamp
from harness.runs.order import Order
from harness.runs.prepare import Prepared
from harness.trials.participant import Setting


class Held:
    """Whether the level holds what it promises: tried before anything runs, required once the run is on record."""

    def __init__(self, setting: Setting) -> None:
        level = setting.level
        self.setting = setting
        self.fault: SandboxFailed | None = None
        checked = Checked()
        try:
            checked = level.check()
        except SandboxFailed as error:
            self.fault = error
        self.record = Isolation(
            level=level.name,
            official=level.official and not self.fault,
            promised=len(checked.promised),
            probes=len(checked.reached),
            digest=selftest.digest(checked),
            residual=checked.residual,
            note=level.note,
        )

    def insist(self) -> None:
        """Raises SandboxFailed where the level does not hold what it promises."""
        if self.fault:
            raise self.fault


def head_of(order: Order, setting: Setting, prepared: Prepared, held: Held) -> RunHead:
    """A new run's head: task, submission, settings, machine and isolation."""
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
        machine=fingerprint.fingerprint(order.device, profile.threads),
        sources=prepared.sources,
        stamp=stamp_of(setting, prepared, order),
        seed=order.seed if order.seed is not None else None,
        seed_id=of_bytes(order.root)[:12],
        worker_key=order.worker_key.hex(),
        facts=dict(prepared.instance.facts),
        isolation=held.record,
        assessment=order.assessment,
        candidate=order.candidate,
        contents=contents_of(order.submission),
    )


def stamp_of(setting: Setting, prepared: Prepared, order: Order) -> Stamp:
    """practice: answers or seed are public; official: hidden instance, a level that holds attackers, and pairs enough.

    Where times are compared in process pairs, fewer than FEWEST_PAIRS hardly show whether the submission slowed the
    references that it is compared with.
    """
    if any(source.public for source in prepared.sources) or order.seed is not None:
        return "practice"
    return "official" if setting.level.official and not _too_few_pairs(prepared, order) else "self-check"


def _too_few_pairs(prepared: Prepared, order: Order) -> bool:
    paired = any(stage.paired for stage in prepared.instance.stages)
    return paired and bool(order.task.criteria.timed_measure()) and order.profile.pairs < FEWEST_PAIRS


def identity(order: Order, first: Prepared, head: RunHead) -> str:
    """A digest that is the same for two commands with the same program, request, files and machine.

    Where reports go, which tasks folder was named and the worker key, which is drawn, are no part of it; the secret
    of a seed only as a hash.
    """
    tiers = references(order.task.id, order.task.folder)
    return of_value(
        [
            program_digest(),
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
