"""One submission in a round: its worker of the moment, and everything that was read of it so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import Fault, HarnessError
from harness.inputs import contents
from harness.inputs.submissions import Submission
from harness.inputs.tasks import Task
from harness.instances import Answer, Argument, FromAnswers, FromItem, Request
from harness.isolation.base import Level
from harness.readings import ASIDE, JUDGING, MemoryPoint, PairReading, PhaseTime, Sample
from harness.records import Role, Trial
from harness.trials import session
from harness.trials.budget import Share, StageBudget
from harness.trials.use import TurnUse
from harness.trials.validation import Twice
from harness.trials.watch import DeviceReader, Limits, Watch, highest


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all workers of a round share: whether they may be forked, and folders that none may read."""

    task: Task
    level: Level
    device: str
    threads: int
    limit_factor: float = 1.0
    device_reader: DeviceReader | None = None
    forks: bool = True
    hidden: tuple[Path, ...] = ()

    def budget(self, known: Mapping[str, float] | None = None) -> StageBudget:
        """What a candidate may spend on each stage; `known` is what remembered references spent on it."""
        definition = self.task.definition
        floor = definition.stage_floor(self.task.criteria.clock()) * self.limit_factor
        return StageBudget(factor=definition.limits.stage_factor, floor=floor, known=known or {})

    def limits(self) -> Limits:
        """The task's limits, its times stretched by the profile's factor."""
        limits, phases = self.task.definition.limits, self.task.definition.limited()
        return Limits(
            memory_bytes=int(limits.memory_gib * 2**30),
            processes=limits.processes,
            start_seconds=limits.start_seconds * self.limit_factor,
            phase_seconds={name: phase.wall_seconds * self.limit_factor for name, phase in phases.items()},
            printed_bytes=limits.printed_mib * 2**20,
        )


@dataclass(frozen=True)
class Entry:
    """A submission that takes part in a round.

    `timed`: in the process pairs with the others, else alone, for its answers only. `pairs`: in so
    many pairs at most (a tier that only places the score needs no narrow interval).
    """

    submission: Submission
    role: Role = "candidate"
    timed: bool = True
    pairs: int | None = None

    @property
    def name(self) -> str:
        """What the records of a pair call it."""
        if self.role == "candidate":
            return "candidate"
        tier = self.submission.tier or self.submission.label
        return f"{tier} copy" if self.role == "copy" else tier


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a worker is started: the setting, the models it may read, its seed, its stage and pair.

    `budget` is what a stage may take in all, shared by the round's participants.
    `reference_seed` is given in place of `seed` to references, and to judges of what they hand over; None: the same.
    `judge` is the staged program of the task's own that serves in the submission's place, if one does.
    """

    setting: Setting
    models: Mapping[str, Path]
    seed: int
    stage: str
    pair: int = 0
    judge: Path | None = None
    budget: StageBudget | None = None
    reference_seed: int | None = None


@dataclass(kw_only=True)
class Readings:
    """What was read of one submission over all of its workers in a round, and the answers that it gave.

    `peaks_host`, `peaks_device`, `bases_host` and `bases_file` are bytes, one value for each worker; `log` is
    what the workers printed, as far as it was kept, and `log_bytes` how much they printed in all.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    phases: list[PhaseTime] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    memory: list[MemoryPoint] = field(default_factory=list)
    pairs: list[PairReading] = field(default_factory=list)
    peaks_host: list[int] = field(default_factory=list)
    peaks_device: list[int] = field(default_factory=list)
    bases_host: list[int] = field(default_factory=list)
    bases_file: list[int] = field(default_factory=list)
    memory_measured_by: dict[str, None] = field(default_factory=dict)
    log: bytes = b""
    log_bytes: int = 0
    says: dict[str, str] = field(default_factory=dict)

    def add_log(self, watch: Watch) -> None:
        """Appends what a worker printed."""
        self.log += watch.log.head + (b"\n[...]\n" if watch.log.tail else b"") + watch.log.tail
        self.log_bytes += watch.log.total

    def add_memory(self, watch: Watch, pair: int, timeline: bool) -> None:
        """Adds a worker's peaks and bases of memory; its curve with `timeline`, else where that is highest."""
        points = watch.points if timeline else highest(watch.points)
        self.memory += [point.model_copy(update={"pair": pair}) for point in points]
        self.peaks_host += [watch.peak_host] if watch.peak_host is not None else []
        self.peaks_device += [watch.peak_device] if watch.peak_device is not None else []
        self.bases_host += [watch.base_host] if watch.base_host is not None else []
        self.bases_file += [watch.base_file] if watch.base_file is not None else []
        self.memory_measured_by[watch.measured_by] = None

    def trial(self, entry: Entry, copy: Path, fault: Fault | None, number: int, instance_id: str) -> Trial:
        """The raw record of all readings, in which no path of the staged `copy` is shown."""
        places = {str(copy) + "/": "", str(copy): "."}
        text = _without(self.log.decode(errors="replace"), places)
        submission = entry.submission
        return Trial(
            number=number,
            role=entry.role,
            label=submission.label,
            tier=submission.tier,
            submission_digest=submission.digest,
            instance_id=instance_id,
            outcome=fault.outcome if fault else "ok",
            reason=_without(fault.reason, places) if fault else "",
            detail=_without(fault.detail, places) if fault else "",
            phases=tuple(self.phases),
            samples=tuple(self.samples),
            pairs=tuple(self.pairs),
            memory=tuple(self.memory),
            timed=entry.timed,
            peak_host_bytes=max(self.peaks_host, default=None),
            peak_device_bytes=max(self.peaks_device, default=None),
            base_host_bytes=max(self.bases_host, default=None),
            base_file_bytes=max(self.bases_file, default=None),
            memory_measured_by="; ".join(self.memory_measured_by),
            blob_bytes={item: len(a) for item, a in self.answers.items() if isinstance(a, bytes)},
            log_head=text[:65536],
            log_tail=text[65536:][-65536:],
            log_bytes=self.log_bytes,
            worker_says=self.says,
        )


@dataclass(kw_only=True)
class Participant:
    """One submission in a round: its worker of the moment, and what was read of it so far.

    `judged`: the worker of the moment serves the task's own judge instead of the submission. `judge_ended` is how
    that worker ended, if it ended by a fault. `warm` are the first answers that only warmed the worker up.
    """

    entry: Entry
    copy: Path
    worker: session.Session | None = None
    pair: int = 0
    share: Share = field(default_factory=Share)
    fault: Fault | None = None
    judged: bool = False
    judge_ended: Fault | None = None
    use: TurnUse = field(default_factory=TurnUse)
    warm: Twice = field(default_factory=Twice)
    readings: Readings = field(default_factory=Readings)

    @property
    def name(self) -> str:
        """What the records of a pair call it."""
        return self.entry.name

    def start(self, place: Place, keep: bool = True) -> None:
        """A fresh worker, paused; a submission that cannot be loaded has its fault from now on.

        `keep`: whether the times of starting are of use.
        """
        setting = place.setting
        whole = None if place.judge else place.budget  # a judge's time is not the submission's
        self.share = whole.share(place.stage, str(self.copy), self.entry.role) if whole else Share()
        reference_seed = place.seed if place.reference_seed is None else place.reference_seed
        seat = session.WorkerSpec(
            submission=place.judge or self.copy,
            contract=place.judge / "contract.py" if place.judge else setting.task.contract,
            models=place.models,
            device=setting.device,
            threads=setting.threads,
            seed=place.seed if self.entry.role == "candidate" else reference_seed,
            limits=setting.limits(),
            start_most=self.share.left(),
            device_reader=setting.device_reader,
            stack=setting.task.definition.stack if setting.forks else (),
            hidden=setting.hidden,
        )
        self.pair, self.use, self.warm = place.pair, TurnUse(), Twice()
        self.judged = place.judge is not None
        if (outsized := self._outsized(setting)) is not None:
            self.fault = outsized
            return
        try:
            self.worker = session.start(setting.level, seat, place.stage)
        except session.StartFault as failed:
            fault = self.share.judged(failed.fault, setting.limits().start_seconds)
            self.worker, self.fault = failed.session, self._whose(fault)
            return
        self.share.spend(self.worker.start_seconds)
        self.use.mark(self.worker)
        if keep and not self.judged:
            for group, seconds in (("shim", self.worker.shim_seconds), ("start", self.worker.start_seconds)):
                self.readings.phases.append(
                    PhaseTime(item=f"{group} {place.stage}", group=group, seconds=seconds, pair=place.pair)
                )

    def _outsized(self, setting: Setting) -> Fault | None:
        """The fault of a folder that holds more than the task takes, or files of another kind."""
        # What was handed in: a worker's interpreter may have left compiled files beside it.
        places = tuple((file, self.copy / file) for file in self.entry.submission.files)
        why = contents.unfit(places, setting.task.definition.limits)
        return Fault("malformed", f"the folder {why}") if why else None

    def ask(self, request: Request) -> float | None:
        """Serves one request in this worker's turn: seconds, or None where it failed; keeps the answer."""
        if self.worker is None or self.fault is not None:
            return None
        try:
            arguments = self._arguments(request)
        except Fault as fault:
            self.fault = fault
            return None
        if (answered := self._turn(self.worker, request, arguments)) is None:
            return None
        answer, seconds = answered
        if not request.timed and not request.warmup:
            self.worker.watch.read_now()
        if answer is not None and not request.warmup:
            self.readings.answers.setdefault(request.item, answer)
        elif answer is not None:
            self.warm.keep(request.item, answer)
        return seconds

    def ask_again(self, request: Request) -> None:
        """Asks once more what warmed this worker up; answers that were made up then are a fault now."""
        if self.worker is None or self.fault is not None or request.item not in self.warm.answers:
            return
        answered = self._turn(self.worker, request, self._arguments(request))
        if answered is not None:
            self.fault = self.warm.compare(request.item, answered.answer)

    def _turn(
        self, worker: session.Session, request: Request, arguments: Mapping[str, Any]
    ) -> session.Answered | None:
        """One call in this worker's turn, after which it stands still again; None where it failed."""
        before = self.use.begin(worker)
        try:
            answered = worker.call(request, arguments, self.share.left())
        except Fault as fault:
            limit = worker.seat.limits.phase_seconds[request.phase]
            self.fault = self._whose(self.share.judged(fault, limit))
            return None
        self.share.spend(answered.seconds)
        self.use.end(worker, before, answered.seconds)
        return answered

    def _arguments(self, request: Request) -> dict[str, Any]:
        return {name: self._argument(value) for name, value in request.arguments.items()}

    def _argument(self, value: Argument) -> Any:
        if isinstance(value, FromAnswers):
            return self._computed(value)
        return self.readings.answers[value.item] if isinstance(value, FromItem) else value

    def _computed(self, value: FromAnswers) -> Any:
        """What the task computes from the answers; if that falls over it counts as a judge that did."""
        try:
            return value.compute(self.readings.answers)
        except (Fault, HarnessError):
            raise
        except Exception as error:
            self.judge_ended = Fault("crashed", f"{value.key}: {type(error).__name__}: {error}")
            raise Fault(
                "harness_error", f"what the task computes from the answers ended: {self.judge_ended.reason}"
            ) from error

    def _whose(self, fault: Fault) -> Fault:
        """A fault in a judge's worker is ours: the submission's code was not there. See `hand_back`."""
        if not self.judged:
            return fault
        self.judge_ended = fault
        return Fault(
            "harness_error", f"the task's own judge ended as {fault.outcome}: {fault.reason}", fault.detail
        )

    def seconds_taken(self) -> float:
        """Seconds that this submission took in its latest pair: to be started, and in all of its turns."""
        started = (p.seconds for p in self.readings.phases if p.pair == self.pair and p.group == "start")
        return self.use.turn_seconds + sum(started)

    def hand_back(self) -> None:
        """Makes a judge's fault the submission's: the judge took what another one had handed over to it."""
        if self.fault is None or self.judge_ended is None:
            return
        ended, self.judge_ended = self.judge_ended, None
        self.fault = Fault(
            "malformed",
            f"the task's own judge ended as {ended.outcome} on what was handed over ({ended.reason}), and not on "
            "what a reference handed over",
            ended.detail,
        )

    def ping(self, request: Request) -> float | None:
        """Seconds of a request like this one that nothing is worked on for, in this worker's turn."""
        if self.worker is None or self.fault is not None:
            return None
        before = self.use.begin(self.worker)
        try:
            seconds = self.worker.ping(request, self._arguments(request))
        except Fault as fault:
            self.fault = self._whose(fault)
            return None
        self.use.end(self.worker, before, seconds)
        return seconds

    def keep(self, request: Request, seconds: float | None, counted: bool = True) -> None:
        """Keeps a request's time: as a sample where it is timed, else as its phase's, or as time aside."""
        if seconds is None:
            return
        if self.judged:
            self._keep_phase(request, JUDGING, seconds)
        elif not request.timed and not request.warmup:
            self._keep_phase(request, request.label, seconds)
        elif request.warmup or not counted:
            self._keep_phase(request, f"{ASIDE}{request.label}", seconds)
        else:
            self.readings.samples.append(
                Sample(
                    item=request.item,
                    group=request.label,
                    seconds=seconds,
                    count=request.count,
                    position=len(self.readings.samples),
                    pair=self.pair,
                )
            )

    def keep_first(self, request: Request, seconds: float) -> None:
        """Keeps the time of a worker's very first call of a group: the cold one."""
        self._keep_phase(request, f"first_{request.label}", seconds)

    def _keep_phase(self, request: Request, group: str, seconds: float) -> None:
        reading = PhaseTime(item=request.item, group=group, seconds=seconds, pair=self.pair)
        self.readings.phases.append(reading)

    def close(self, timeline: bool = True) -> None:
        """Ends the worker and takes over what its watch has read; `timeline`: its curve of memory too."""
        worker, self.worker = self.worker, None
        if worker is None:
            return
        worker.close()
        if not self.judged:  # what a judge prints is not the submission's
            self.readings.add_log(worker.watch)
        late = worker.watch.breach or worker.broken
        self.fault = self.fault or (self._whose(late) if late else None)
        if self.judged:
            return
        self.readings.add_memory(worker.watch, self.pair, timeline)
        self.readings.says |= worker.says

    def trial(self, number: int, instance_id: str) -> Trial:
        """The raw record of everything so far."""
        return self.readings.trial(self.entry, self.copy, self.fault, number, instance_id)


def _without(text: str, places: Mapping[str, str]) -> str:
    for place, instead in places.items():
        text = text.replace(place, instead)
    return text
