"""One process pair: all timed workers of a stage, fresh and alive together, from start to end.

In this order: workers are started (the candidate last in even pairs, first in odd ones, so that
what comes from the order cancels); each loads; warm-up until steady; the baseline alone with its
copy, before a candidate exists (even pairs) or after it is gone (odd ones); the timed requests, with
an empty request to the baseline now and then, which is the clock's floor; some inputs once more, to
see whether answers are remembered.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.instances import Request, Stage
from harness.machine.counters import Meter, gpu
from harness.observer import Observer
from harness.readings import Counters, PairReading
from harness.trials.participant import Participant, Place
from harness.trials.schedule import Plan, steady, turns

PROBED = 12  # inputs of a pair that the audit probes use
PING_EVERY = 4  # timed requests between two empty ones
SAMPLE_EVERY = 16  # timed requests between two looks at the clocks
METER_EVERY = 3  # turns of the reference between two that the kernel's counters are read around


@dataclass(kw_only=True)
class Pair:
    """One pair in a round; its reading goes to the first of its competitors.

    `order` draws the turns; `place` is where the pair's workers are started, and says which stage and pair.
    """

    plan: Plan
    order: np.random.Generator
    place: Place
    stage: Stage
    number: int
    block: Sequence[Request]
    competitors: Sequence[Participant]
    counter: Counter
    floor: list[float] = field(default_factory=list)
    alone: dict[str, float] = field(default_factory=dict)
    repeats: dict[str, dict[str, float]] = field(default_factory=dict)
    is_steady: dict[str, bool] = field(default_factory=dict)
    warmups: int = 0
    started: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Runs the pair; every worker is ended, however it goes."""
        candidates = [c for c in self.competitors if c.entry.role == "candidate"]
        references = [c for c in self.competitors if c.entry.role != "candidate"]
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
                if self.number % 2 == 1:
                    for candidate in candidates:
                        candidate.close(timeline=not self.plan.memory_pass)
                    self._alone(references)
        finally:
            for competitor in self.competitors:
                competitor.close(timeline=not self.plan.memory_pass)
        if self.competitors:
            self.competitors[0].readings.pairs.append(
                PairReading(
                    stage=self.stage.name,
                    pair=self.number,
                    started=tuple(self.started),
                    warmups=self.warmups,
                    steady=self.is_steady,
                    floor=tuple(self.floor),
                    idle_cpu={c.name: c.use.idle_cpu for c in self.competitors},
                    busy_cpu={c.name: c.use.busy_cpu for c in self.competitors},
                    turn_seconds={c.name: c.use.turn_seconds for c in self.competitors},
                    alone=self.alone,
                    repeats=self.repeats,
                    counters=counters,
                )
            )

    def _begin(self, among: Sequence[Participant]) -> None:
        """Starts workers in random order, lets each load, and warms them up."""
        for i in self.order.permutation(len(among)):
            competitor = among[i]
            if competitor.fault is not None:
                continue
            self.counter.show(self.stage, competitor, "start")
            competitor.start(self.place)
            self.started.append(competitor.name)
            # What comes right after loading is asked before any warm-up, or work put off from an earlier
            # stage would be done in a call that nobody counts.
            for request in (*self.stage.each, *self._heads()):
                self.counter.show(self.stage, competitor, request.phase)
                competitor.keep(request, competitor.ask(request))
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
        for competitor in among:
            verdicts = [steady(group.get(competitor.name, [])) for group in seconds.values()]
            if any(verdict is not None for verdict in verdicts):
                self.is_steady[competitor.name] = False not in verdicts

    def _warm_one(self, competitor: Participant, request: Request, group: dict[str, list[float]]) -> None:
        taken = competitor.ask(request)
        if taken is None:
            return
        if competitor.name not in group:
            competitor.keep_first(request, taken)
        group.setdefault(competitor.name, []).append(taken)

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
        among = list(self.competitors)
        anchor = next((c for c in among if c.entry.role != "candidate"), None)
        for number, turn in enumerate(turns(requests, len(among), self.plan.block, self.order)):
            competitor = among[turn.worker]
            if number % 16 == 0:
                self.counter.show(self.stage, competitor, turn.request.phase)
            metered = competitor is anchor and number % (METER_EVERY * len(among)) < len(among)
            seconds = self._ask(competitor, turn.request, meter if metered else None)
            competitor.keep(turn.request, seconds, turn.counted)
            self.counter.done += 1
            if anchor is not None and number % (PING_EVERY * len(among)) == 0:
                taken = anchor.ping(turn.request)
                self.floor += [taken] if taken is not None else []
                if meter is not None and number % (SAMPLE_EVERY * len(among)) == 0:
                    meter.sample()

    def _ask(self, competitor: Participant, request: Request, meter: Meter | None) -> float | None:
        if meter is None or competitor.worker is None:
            return competitor.ask(request)
        with meter.turn(competitor.worker.launched.pid):
            return competitor.ask(request)

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
            taken = among[turn.worker].ask(turn.request)
            if taken is not None and among[turn.worker] is references[0] and turn.counted:
                self.alone[turn.request.item] = taken

    def _repeat(self, among: Sequence[Participant]) -> None:
        for turn in turns(self._probed(), len(among), self.plan.block, self.order):
            competitor = among[turn.worker]
            taken = competitor.ask(turn.request)
            if taken is not None and turn.counted:
                self.repeats.setdefault(competitor.name, {})[turn.request.item] = taken


@dataclass
class Counter:
    """How far a round is, for the observer; `number` is the instance's."""

    observer: Observer
    number: int
    total: int
    done: int = 0

    def show(self, stage: Stage, competitor: Participant, phase: str) -> None:
        """Tells the observer whose turn it is."""
        label = competitor.entry.submission.label
        self.observer.step(self.number, stage.name, label, phase, self.done, self.total)
