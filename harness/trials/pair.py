"""One process pair: all timed workers of a stage, fresh and alive together, from start to end.

In this order: workers are started (the candidate last in even pairs, first in odd ones, so that
what comes from the order cancels); each loads; warm-up until steady; the baseline alone with its
copy, before a candidate exists (even pairs) or after it is gone (odd ones); the timed requests, with
an empty request to the baseline now and then, which is the clock's floor; some inputs once more, to
see whether answers are remembered, and whether those to the warm-up were meant.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.instances import Request, Stage
from harness.machine.counters import Meter, gpu
from harness.observer import Observer
from harness.readings import Counters, PairReading
from harness.trials.participant import Participant, Place
from harness.trials.schedule import Plan, steady, turns
from harness.trials.validation import ASKED_AGAIN

PROBED = 12  # inputs of a pair that the audit probes use
PING_EVERY = 4  # timed requests between two empty ones
SAMPLE_EVERY = 16  # timed requests between two looks at the clocks
METER_EVERY = 3  # turns of the reference between two that the kernel's counters are read around


@dataclass(kw_only=True)
class Pair:
    """One pair in a round; its reading goes to the first of its participants.

    `order` draws the turns; `place` is where the pair's workers are started, and says which stage and pair.
    """

    plan: Plan
    order: np.random.Generator
    place: Place
    stage: Stage
    number: int
    block: Sequence[Request]
    participants: Sequence[Participant]
    counter: Counter
    floor: list[float] = field(default_factory=list)
    alone: dict[str, dict[str, float]] = field(default_factory=dict)
    after: dict[str, list[str]] = field(default_factory=dict)
    repeats: dict[str, dict[str, float]] = field(default_factory=dict)
    is_steady: dict[str, bool] = field(default_factory=dict)
    warmups: int = 0
    started: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Runs the pair; every worker is ended, however it goes."""
        candidates = [c for c in self.participants if c.entry.role == "candidate"]
        references = [c for c in self.participants if c.entry.role != "candidate"]
        probing = bool(candidates and references) and self.plan.pairs > 1
        counters = None
        try:
            if self.number % 2 == 0:
                self._begin(references)
                if probing:
                    self._alone(references)
                self._begin(candidates)
            else:
                self._begin(candidates)
                self._begin(references)
            counters = self._metered(references)
            if probing:
                self._repeat([*candidates, *references[:1]])
                for candidate in candidates:
                    self._ask_again(candidate)
                if self.number % 2 == 1:
                    for candidate in candidates:
                        candidate.close(timeline=not self.plan.memory_pass)
                    self._alone(references)
        finally:
            for participant in self.participants:
                participant.close(timeline=not self.plan.memory_pass)
        if self.participants:
            self.participants[0].readings.pairs.append(
                PairReading(
                    stage=self.stage.name,
                    pair=self.number,
                    started=tuple(self.started),
                    warmups=self.warmups,
                    steady=self.is_steady,
                    floor=tuple(self.floor),
                    idle_cpu={c.name: c.use.idle_cpu for c in self.participants},
                    busy_cpu={c.name: c.use.busy_cpu for c in self.participants},
                    turn_seconds={c.name: c.use.turn_seconds for c in self.participants},
                    turns={c.name: c.use.turns for c in self.participants},
                    threads={c.name: c.use.threads for c in self.participants},
                    cores=self.place.setting.threads,
                    held=hasattr(os, "sched_setaffinity"),
                    alone_by=self.alone,
                    after={name: tuple(items) for name, items in self.after.items()},
                    repeats=self.repeats,
                    counters=counters,
                )
            )

    def _begin(self, among: Sequence[Participant]) -> None:
        """Starts workers in random order, lets each load, and warms them up."""
        for i in self.order.permutation(len(among)):
            participant = among[i]
            if participant.fault is not None:
                continue
            self.counter.show(self.stage, participant, "start")
            participant.start(self.place)
            self.started.append(participant.name)
            # What comes right after loading is asked before any warm-up, or work put off from an earlier
            # stage would be done in a call that nobody counts.
            for request in (*self.stage.each, *self._heads()):
                self.counter.show(self.stage, participant, request.phase)
                participant.keep(request, participant.ask(request))
        self._warm(among)

    def _heads(self) -> list[Request]:
        """The block's untimed requests that stand before its first warm-up or timed one."""
        return list(itertools.takewhile(lambda r: not r.timed and not r.warmup, self.block))

    def _warm(self, among: Sequence[Participant]) -> None:
        """Warm-up requests, group by group until it is steady for all, or the block has no more."""
        seconds: dict[str, dict[str, list[float]]] = {}
        done = 0
        for request in (r for r in self.block if r.warmup):
            group = seconds.setdefault(request.label, {})
            if len(group) == len(among) and all(steady(values) for values in group.values()):
                continue
            for i in self.order.permutation(len(among)):
                self._warm_one(among[i], request, group)
            done += 1
        self.warmups = max(self.warmups, done)
        for participant in among:
            verdicts = [steady(group.get(participant.name, [])) for group in seconds.values()]
            if any(verdict is not None for verdict in verdicts):
                self.is_steady[participant.name] = False not in verdicts

    def _warm_one(self, participant: Participant, request: Request, group: dict[str, list[float]]) -> None:
        taken = participant.ask(request)
        if taken is None:
            return
        if participant.name not in group:
            participant.keep_first(request, taken)
        participant.keep(request, taken)
        group.setdefault(participant.name, []).append(taken)

    def _metered(self, references: Sequence[Participant]) -> Counters | None:
        """The timed part, with what the kernel counted meanwhile for the reference that times go by."""
        anchor = references[0].worker if references else None
        if anchor is None:
            self._timed(None)
            return None
        meter = Meter([anchor.launched.pid], gpu(self.place.setting.device))
        meter.start()
        self._timed(meter)
        return meter.stop()

    def _timed(self, meter: Meter | None) -> None:
        requests = [request for request in self.block[len(self._heads()) :] if not request.warmup]
        among = list(self.participants)
        anchor = next((c for c in among if c.entry.role != "candidate"), None)
        last: Participant | None = None
        for number, turn in enumerate(turns(requests, len(among), self.plan.block, self.order)):
            participant = among[turn.worker]
            if number % 16 == 0:
                self.counter.show(self.stage, participant, turn.request.phase)
            metered = participant is anchor and number % (METER_EVERY * len(among)) < len(among)
            seconds = self._ask(participant, turn.request, meter if metered else None)
            participant.keep(turn.request, seconds, turn.counted)
            self._follow(last, participant, turn.request)
            last = participant
            self.counter.done += 1
            if anchor is not None and number % (PING_EVERY * len(among)) == 0:
                taken, last = anchor.ping(turn.request), anchor
                self.floor += [taken] if taken is not None else []
                if meter is not None and number % (SAMPLE_EVERY * len(among)) == 0:
                    meter.sample()

    def _follow(self, last: Participant | None, participant: Participant, request: Request) -> None:
        """Notes which items a reference is asked right after a candidate: what slows it then is the candidate's."""
        if last is not None and last.entry.role == "candidate" and participant.entry.role != "candidate":
            self.after.setdefault(participant.name, []).append(request.item)

    def _ask(self, participant: Participant, request: Request, meter: Meter | None) -> float | None:
        if meter is None or participant.worker is None:
            return participant.ask(request)
        with meter.turn(participant.worker.launched.pid):
            return participant.ask(request)

    def _probed(self) -> list[Request]:
        """Some timed inputs of the largest group, spread over the block."""
        groups: dict[str, list[Request]] = {}
        for request in self.block:
            if request.timed and not request.warmup:
                groups.setdefault(request.label, []).append(request)
        timed = max(groups.values(), key=len, default=[])
        return timed[:: max(1, len(timed) // PROBED)][:PROBED]

    def _alone(self, references: Sequence[Participant]) -> None:
        """All references with no candidate there: what differs from the timed part is only the candidate."""
        among = [c for c in references if c.fault is None]
        for turn in turns(self._probed(), len(among), self.plan.block, self.order):
            participant = among[turn.worker]
            taken = participant.ask(turn.request)
            if taken is not None and turn.counted:
                self.alone.setdefault(participant.name, {})[turn.request.item] = taken

    def _repeat(self, among: Sequence[Participant]) -> None:
        for turn in turns(self._probed(), len(among), self.plan.block, self.order):
            participant = among[turn.worker]
            taken = participant.ask(turn.request)
            if taken is not None and turn.counted:
                self.repeats.setdefault(participant.name, {})[turn.request.item] = taken

    def _ask_again(self, candidate: Participant) -> None:
        """Some of the inputs that warmed it up, drawn now: it cannot know for which its answers matter."""
        warm = [request for request in self.block if request.item in candidate.warm.answers]
        for i in self.order.permutation(len(warm))[:ASKED_AGAIN]:
            candidate.ask_again(warm[i])


@dataclass
class Counter:
    """How far a round is, for the observer; `number` is the instance's."""

    observer: Observer
    number: int
    total: int
    done: int = 0

    def show(self, stage: Stage, participant: Participant, phase: str) -> None:
        """Tells the observer whose turn it is."""
        label = participant.entry.submission.label
        self.observer.step(self.number, stage.name, label, phase, self.done, self.total)
