"""Runs submissions side by side on one instance: fresh workers, interleaved requests, raw trials out.

Every request goes to all submissions in random order before the next one is made, so that what
the machine does meanwhile is common to all sides. A worker runs only while it has the turn: paused
between, it can neither do work that no clock counts nor take the processor from a reference
(measured: a submission that spun between its turns made the reference 2.3 times slower).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.inputs.submissions import Submission, read, staged
from harness.instances import Answer, Instance, Request, Stage
from harness.isolation.memory import prewarm
from harness.observer import Observer, Silent
from harness.records import Trial
from harness.trials.pair import Counter, Pair
from harness.trials.participant import Entry, Participant, Place, Setting
from harness.trials.schedule import Plan, base_blocks, reserve_blocks, turns


@dataclass(frozen=True)
class RawTrial:
    """A raw trial and the answers it gave, which are kept apart from the record."""

    trial: Trial
    answers: Mapping[str, Answer]


# Whether nothing is open any more, asked at each look with what is known by then.
Settled = Callable[[Sequence[RawTrial]], bool]


@dataclass(kw_only=True)
class Round:
    """One instance, one number, one order of turns."""

    setting: Setting
    instance: Instance
    instance_id: str
    number: int
    worker_seed: int
    order: np.random.Generator
    observer: Observer = field(default_factory=Silent)
    plan: Plan = field(default_factory=Plan)
    settled: Settled = lambda outcomes: True

    def run(self, entries: Sequence[Entry]) -> list[RawTrial]:
        """One outcome for each entry, in the order given."""
        with ExitStack() as stack:
            participants = [
                Participant(entry=entry, copy=stack.enter_context(staged(entry.submission)))
                for entry in entries
            ]
            judges = {name: stack.enter_context(staged(judge)) for name, judge in self._judges().items()}
            prewarm([*self.instance.models.values(), *(c.copy for c in participants)])
            counter = Counter(self.observer, self.number, self._total(participants))
            for stage in self.instance.stages:
                judge = judges[stage.judge] if stage.judge else None
                if stage.paired:
                    self._paired(stage, judge, participants, counter)
                else:
                    self._single(stage, judge, participants, counter)
        return self._outcomes(participants)

    def _total(self, participants: Sequence[Participant]) -> int:
        requests_of = [s.requests if s.paired else s.all_requests() for s in self.instance.stages]
        return len(participants) * sum(len(requests) for requests in requests_of)

    def _place(self, stage: Stage, judge: Path | None, pair: int = 0) -> Place:
        """Where this round's workers are started; `judge` is the staged program that serves `stage`, if one does."""
        return Place(
            setting=self.setting,
            models=self.instance.models,
            seed=self.worker_seed,
            stage=stage.name,
            pair=pair,
            judge=judge,
        )

    def _judges(self) -> dict[str, Submission]:
        task = self.setting.task
        return {s.judge: read(task.id, task.folder / s.judge) for s in self.instance.stages if s.judge}

    def _outcomes(self, participants: Sequence[Participant]) -> list[RawTrial]:
        return [RawTrial(c.trial(self.number, self.instance_id), c.readings.answers) for c in participants]

    def _single(
        self, stage: Stage, judge: Path | None, participants: Sequence[Participant], counter: Counter
    ) -> None:
        """A stage of one worker each, all alive together; a copy takes part in paired stages only."""
        competitors = [c for c in participants if c.entry.role != "copy"]
        try:
            for i in self.order.permutation(len(competitors)):
                counter.show(stage, competitors[i], "start")
                if competitors[i].fault is None:
                    competitors[i].start(self._place(stage, judge))
            self._requests(stage, stage.requests, competitors, counter)
        finally:
            for competitor in competitors:
                competitor.close()
        _hand_to_copies(participants)

    def _requests(
        self, stage: Stage, requests: Sequence[Request], among: Sequence[Participant], counter: Counter
    ) -> None:
        for turn in turns(requests, len(among), 1, self.order):
            competitor = among[turn.worker]
            counter.show(stage, competitor, turn.request.phase)
            competitor.keep(turn.request, competitor.ask(turn.request))
            counter.done += 1

    def _paired(
        self, stage: Stage, judge: Path | None, participants: Sequence[Participant], counter: Counter
    ) -> None:
        timed = [c for c in participants if c.entry.timed]
        began = time.monotonic()
        blocks = base_blocks(stage, self.plan.pairs)
        blocks += reserve_blocks(stage, self.plan.pairs, self.plan.most)
        for number, block in enumerate(blocks):
            if number in self.plan.looks()[:-1]:
                if self.settled(self._outcomes(participants)):
                    break
                self.observer.note(f"a verdict is open after {number} pairs: more pairs")
            if number >= self.plan.pairs and time.monotonic() - began > self.plan.seconds:
                break
            taking = [c for c in timed if c.entry.pairs is None or number < c.entry.pairs]
            place = self._place(stage, judge, number)
            Pair(
                plan=self.plan,
                order=self.order,
                place=place,
                stage=stage,
                number=number,
                block=block,
                competitors=taking,
                counter=counter,
            ).run()
            if _over(timed):
                return
        for competitor in (c for c in participants if not c.entry.timed and c.fault is None):
            self._alone(stage, judge, competitor, counter)
        if self.plan.memory_pass:
            for competitor in timed:
                if competitor.fault is None and competitor.entry.role != "copy":
                    self._memory(stage, judge, competitor, blocks[0], counter)

    def _alone(self, stage: Stage, judge: Path | None, competitor: Participant, counter: Counter) -> None:
        """A reference that is needed for its answers only: one worker, every base request."""
        try:
            counter.show(stage, competitor, "start")
            competitor.start(self._place(stage, judge))
            self._requests(stage, (*stage.each, *stage.requests), [competitor], counter)
        finally:
            competitor.close()

    def _memory(
        self,
        stage: Stage,
        judge: Path | None,
        competitor: Participant,
        block: Sequence[Request],
        counter: Counter,
    ) -> None:
        """The memory pass: one worker alive, its times thrown away; its curve is the one that is shown."""
        try:
            counter.show(stage, competitor, "memory")
            competitor.start(self._place(stage, judge), keep=False)
            for request in (*stage.each, *block):
                if competitor.ask(request) is None and competitor.fault:
                    break
                if competitor.worker is not None:
                    competitor.worker.watch.read_now()
        finally:
            competitor.close()


def _over(timed: Sequence[Participant]) -> bool:
    """Whether nothing more is to be learnt: a reference failed, which is our fault, or every candidate did.

    One candidate of several that fails costs the others nothing.
    """
    candidates = [c for c in timed if c.entry.role == "candidate"]
    if any(c.fault for c in timed if c.entry.role != "candidate"):
        return True
    return bool(candidates) and all(c.fault for c in candidates)


def _hand_to_copies(participants: Sequence[Participant]) -> None:
    """A copy serves what its original has built: it is the same program, started once more."""
    for copy in (c for c in participants if c.entry.role == "copy"):
        original = next(
            c for c in participants if c.entry.role == "reference" and f"{c.name} copy" == copy.name
        )
        built = {item: a for item, a in original.readings.answers.items() if isinstance(a, bytes)}
        copy.readings.answers |= built
        copy.fault = copy.fault or original.fault
