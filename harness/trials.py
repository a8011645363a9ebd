"""Runs submissions side by side on one instance: fresh workers, interleaved requests, raw trials out.

Every request goes to all submissions in random order before the next one is made, so that what
the machine does meanwhile is common to all sides. A worker runs only while it has the turn: paused
between, it can neither do work that no clock counts nor take the processor from a reference
(measured: a submission that spun between its turns made the reference 2.3 times slower).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from harness import session
from harness.errors import Fault
from harness.instances import Answer, FromItem, Instance, Request, Stage
from harness.isolation.base import Level
from harness.readings import MemoryPoint, PhaseTime, Sample
from harness.records import Trial
from harness.submissions import Submission, staged
from harness.tasks import Task
from harness.watch import MEASURED_BY, DeviceReader, Limits


class Observer(Protocol):
    """Is told what is going on; prints nothing itself unless it is the command line's."""

    def step(self, trial: int, stage: str, label: str, phase: str, done: int, total: int) -> None:
        """`done` of `total` requests are answered; now `label` serves `phase`."""
        ...

    def note(self, text: str) -> None:
        """Something a person waiting would want to know."""
        ...


class Silent:
    """An observer that tells nobody."""

    def step(self, trial: int, stage: str, label: str, phase: str, done: int, total: int) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Setting:
    """What all workers of a round share."""

    task: Task
    level: Level
    device: str
    threads: int
    limit_factor: float = 1.0
    device_reader: DeviceReader | None = None

    def limits(self) -> Limits:
        """The task's limits, its times stretched by the profile's factor."""
        limits, phases = self.task.definition.limits, self.task.definition.phases
        return Limits(
            memory_bytes=int(limits.memory_gib * 2**30),
            processes=limits.processes,
            start_seconds=limits.start_seconds * self.limit_factor,
            phase_seconds={name: phase.wall_seconds * self.limit_factor for name, phase in phases.items()},
            printed_bytes=limits.printed_mib * 2**20,
        )


@dataclass
class Competitor:
    """One submission in a round, and what was read of it so far."""

    submission: Submission
    role: Literal["candidate", "reference"]
    copy: Path
    worker: session.Session | None = None
    fault: Fault | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    phases: list[PhaseTime] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    memory: list[MemoryPoint] = field(default_factory=list)
    peaks_host: list[int] = field(default_factory=list)
    peaks_device: list[int] = field(default_factory=list)
    log: bytes = b""
    log_bytes: int = 0
    says: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """A raw trial and the answers it gave, which are kept apart from the record."""

    trial: Trial
    answers: Mapping[str, Answer]


@dataclass
class Round:
    """One instance, one number, one order of turns."""

    setting: Setting
    instance: Instance
    instance_id: str
    number: int
    worker_seed: int
    order: np.random.Generator
    observer: Observer = field(default_factory=Silent)

    def run(
        self, submissions: Sequence[tuple[Submission, Literal["candidate", "reference"]]]
    ) -> list[Outcome]:
        """One outcome for each submission, in the order given."""
        with ExitStack() as stack:
            field_ = [Competitor(s, role, stack.enter_context(staged(s))) for s, role in submissions]
            total = len(field_) * len(self.instance.requests())
            counter = _Counter(self, total)
            for stage in self.instance.stages:
                self._stage(stage, field_, counter)
        return [self._outcome(c) for c in field_]

    def _stage(self, stage: Stage, competitors: list[Competitor], counter: _Counter) -> None:
        try:
            for competitor in self._turn(competitors):
                counter.show(stage, competitor, "start")
                self._start(stage, competitor)
            for request in stage.requests:
                for competitor in self._turn(competitors):
                    counter.show(stage, competitor, request.phase)
                    self._serve(stage, competitor, request)
                    counter.done += 1
        finally:
            for competitor in competitors:
                self._close(competitor)

    def _turn(self, competitors: list[Competitor]) -> list[Competitor]:
        alive = [c for c in competitors if c.fault is None]
        return [alive[i] for i in self.order.permutation(len(alive))]

    def _start(self, stage: Stage, competitor: Competitor) -> None:
        setting = self.setting
        seat = session.Seat(
            submission=competitor.copy, contract=setting.task.contract, models=self.instance.models,
            device=setting.device, threads=setting.threads, seed=self.worker_seed,
            limits=setting.limits(), device_reader=setting.device_reader,
        )  # fmt: skip
        try:
            competitor.worker = session.start(setting.level, seat, stage.name)
        except session.StartFault as failed:
            competitor.worker, competitor.fault = failed.session, failed.fault
            return
        competitor.worker.pause()
        seconds = competitor.worker.start_seconds
        competitor.phases.append(PhaseTime(item=f"start {stage.name}", group="start", seconds=seconds))

    def _serve(self, stage: Stage, competitor: Competitor, request: Request) -> None:
        if competitor.worker is None or competitor.fault is not None:
            return
        arguments = {
            name: competitor.answers[value.item] if isinstance(value, FromItem) else value
            for name, value in request.arguments.items()
        }
        competitor.worker.resume()
        try:
            answer, seconds = competitor.worker.call(request, arguments)
        except Fault as fault:
            competitor.fault = fault
            return
        competitor.worker.pause()
        if not request.timed and not request.warmup:
            competitor.worker.watch.read_now()
        self._keep(competitor, request, answer, seconds)

    def _keep(self, competitor: Competitor, request: Request, answer: Answer | None, seconds: float) -> None:
        if request.warmup:
            return
        if answer is not None:
            competitor.answers[request.item] = answer
        if request.timed:
            competitor.samples.append(
                Sample(
                    item=request.item,
                    group=request.label,
                    seconds=seconds,
                    count=request.count,
                    position=len(competitor.samples),
                )
            )
        else:
            competitor.phases.append(PhaseTime(item=request.item, group=request.label, seconds=seconds))

    def _close(self, competitor: Competitor) -> None:
        worker, competitor.worker = competitor.worker, None
        if worker is None:
            return
        worker.close()
        watch = worker.watch
        competitor.fault = competitor.fault or watch.breach
        competitor.memory += watch.points
        competitor.peaks_host += [watch.peak_host] if watch.peak_host is not None else []
        competitor.peaks_device += [watch.peak_device] if watch.peak_device is not None else []
        competitor.log += watch.log.head + (b"\n[...]\n" if watch.log.tail else b"") + watch.log.tail
        competitor.log_bytes += watch.log.total
        competitor.says |= worker.says

    def _outcome(self, c: Competitor) -> Outcome:
        places = {str(c.copy) + "/": "", str(c.copy): "."}
        text = _without(c.log.decode(errors="replace"), places)
        reader = self.setting.device_reader
        trial = Trial(
            number=self.number, role=c.role, label=c.submission.label, tier=c.submission.tier,
            submission_digest=c.submission.digest, instance_id=self.instance_id,
            outcome=c.fault.outcome if c.fault else "ok",
            reason=_without(c.fault.reason, places) if c.fault else "",
            detail=_without(c.fault.detail, places) if c.fault else "",
            phases=tuple(c.phases), samples=tuple(c.samples), memory=tuple(c.memory),
            peak_host_bytes=max(c.peaks_host, default=None), peak_device_bytes=max(c.peaks_device, default=None),
            memory_measured_by=MEASURED_BY + (f"; {reader.measured_by}" if reader else ""),
            blob_bytes={item: len(a) for item, a in c.answers.items() if isinstance(a, bytes)},
            log_head=text[:65536], log_tail=text[65536:][-65536:], log_bytes=c.log_bytes, worker_says=c.says,
        )  # fmt: skip
        return Outcome(trial, c.answers)


@dataclass
class _Counter:
    round: Round
    total: int
    done: int = 0

    def show(self, stage: Stage, competitor: Competitor, phase: str) -> None:
        label = competitor.submission.label
        self.round.observer.step(self.round.number, stage.name, label, phase, self.done, self.total)


def _without(text: str, places: Mapping[str, str]) -> str:
    for place, instead in places.items():
        text = text.replace(place, instead)
    return text
