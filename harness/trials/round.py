"""Runs submissions side by side on one instance: fresh workers, interleaved requests, raw trials out.

Every request goes to all submissions in random order before the next one is made, so that what
the machine does meanwhile is common to all sides; in a stage without pairs references go first, since a
candidate's budget goes by what they took. A worker runs only while it has the turn: paused
between, it can neither do work that no clock counts nor take the processor from a reference
(measured: a submission that spun between its turns made the reference 2.3 times slower).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.inputs.submissions import Submission, read, staged
from harness.instances import Answer, Instance, Request, Stage
from harness.isolation.memory import prewarm
from harness.observer import Observer, Silent
from harness.records import Trial
from harness.trials.budget import StageBudget
from harness.trials.pair import Counter, Pair
from harness.trials.participant import Entry, Participant, Place, Readings, Setting
from harness.trials.schedule import Plan, base_blocks, in_order, reserve_blocks, turns


@dataclass(frozen=True)
class RawTrial:
    """A raw trial and the answers it gave, which are kept apart from the record."""

    trial: Trial
    answers: Mapping[str, Answer]


# Whether nothing is open any more, asked at each look with what is known by then.
Settled = Callable[[Sequence[RawTrial]], bool]


@dataclass(kw_only=True)
class Round:
    """One instance, one number, one order of turns.

    `known_seconds` is what the references that are remembered spent on each stage, at most.
    `worker_seed` is what candidates are given for their own randomness, `reference_seed` what references are (None: the
    same): what we know of a reference does then not change with what is drawn for a candidate. A judge has the seed of
    whom it judges, since its answers may be handed on.
    `remembered`: references that do not run now, with the answers they gave to this instance once. What they
    handed over is given to a judge that fell over on a candidate's, where no reference runs beside it.
    """

    setting: Setting
    instance: Instance
    instance_id: str
    number: int
    worker_seed: int
    order: np.random.Generator
    reference_seed: int | None = None
    observer: Observer = field(default_factory=Silent)
    plan: Plan = field(default_factory=Plan)
    settled: Settled = lambda outcomes: True
    known_seconds: Mapping[str, float] = field(default_factory=dict)
    remembered: Callable[[], Iterable[RawTrial]] = tuple
    _budget: StageBudget = field(init=False)

    def __post_init__(self) -> None:
        self._budget = self.setting.budget(self.known_seconds)

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
                self._hand_back(stage, judge, participants)
        return self._outcomes(participants)

    def _total(self, participants: Sequence[Participant]) -> int:
        return len(participants) * sum(len(stage.requests) for stage in self.instance.stages)

    def _place(self, stage: Stage, judge: Path | None, pair: int = 0) -> Place:
        """Where this round's workers are started; `judge` is the staged program that serves `stage`, if one does."""
        return Place(
            setting=self.setting,
            models=self.instance.models,
            seed=self.worker_seed,
            reference_seed=self.reference_seed,
            stage=stage.name,
            pair=pair,
            judge=judge,
            budget=self._budget,
        )

    def _judges(self) -> dict[str, Submission]:
        task = self.setting.task
        return {s.judge: read(task.id, task.folder / s.judge) for s in self.instance.stages if s.judge}

    def _outcomes(self, participants: Sequence[Participant]) -> list[RawTrial]:
        made = []
        for one in participants:
            spent = self._budget.by_stage(str(one.copy))
            trial = one.trial(self.number, self.instance_id).model_copy(update={"stage_seconds": spent})
            made.append(RawTrial(trial, one.readings.answers))
        return made

    def _single(
        self, stage: Stage, judge: Path | None, participants: Sequence[Participant], counter: Counter
    ) -> None:
        """A stage of one worker each; a copy takes part in paired stages only.

        References are served to their end before the candidate's worker is there: what it may take goes by what
        they took, and even a stopped one has ways to slow whoever runs on its core (timers of the kernel).
        """
        originals = [c for c in participants if c.entry.role != "copy"]
        try:
            drawn = [originals[i] for i in self.order.permutation(len(originals))]
            for candidates in (False, True):
                among = [one for one in drawn if _is_candidate(one) == candidates]
                for participant in among:
                    counter.show(stage, participant, "start")
                    if participant.fault is None:
                        participant.start(self._place(stage, judge))
                self._requests(stage, stage.requests, among, counter)
                for participant in among:
                    participant.close()
        finally:
            for participant in originals:
                participant.close()
        _hand_to_copies(participants)

    def _requests(
        self, stage: Stage, requests: Sequence[Request], among: Sequence[Participant], counter: Counter
    ) -> None:
        drawn = turns(requests, len(among), 1, self.order)
        for turn in in_order(drawn, lambda turn: _is_candidate(among[turn.worker])):
            participant = among[turn.worker]
            counter.show(stage, participant, turn.request.phase)
            participant.keep(turn.request, participant.ask(turn.request))
            counter.done += 1

    def _paired(
        self, stage: Stage, judge: Path | None, participants: Sequence[Participant], counter: Counter
    ) -> None:
        timed = [c for c in participants if c.entry.timed]
        began, by_candidates = time.monotonic(), 0.0
        blocks = base_blocks(stage, self.plan.pairs)
        blocks += reserve_blocks(stage, self.plan.pairs, self.plan.most)
        for number, block in enumerate(blocks):
            if number in self.plan.looks()[:-1]:
                if self.settled(self._outcomes(participants)):
                    break
                self.observer.note(f"a verdict is open after {number} pairs: more pairs")
            # A candidate that is slow shall not end the pairs that would show it: its own time does not count.
            if number >= self.plan.pairs and time.monotonic() - began - by_candidates > self.plan.seconds:
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
                participants=taking,
                counter=counter,
            ).run()
            by_candidates += sum(c.seconds_taken() for c in taking if c.entry.role == "candidate")
            if _over(timed):
                return
        for participant in (c for c in participants if not c.entry.timed and c.fault is None):
            self._alone(stage, judge, participant, counter)
        if self.plan.memory_pass:
            for participant in timed:
                if participant.fault is None and participant.entry.role != "copy":
                    self._memory(stage, judge, participant, blocks, counter)

    def _alone(self, stage: Stage, judge: Path | None, participant: Participant, counter: Counter) -> None:
        """A reference that is needed for its answers only: one worker, every base request."""
        try:
            counter.show(stage, participant, "start")
            participant.start(self._place(stage, judge))
            self._requests(stage, (*stage.each, *stage.requests), [participant], counter)
        finally:
            participant.close()

    def _hand_back(self, stage: Stage, judge: Path | None, participants: Sequence[Participant]) -> None:
        """After a stage: where a judge took what a reference handed over, its faults are the candidates' doing."""
        ended = [p for p in participants if p.entry.role == "candidate" and p.judge_ended is not None]
        beside = [p for p in participants if p.entry.role == "reference"]
        if ended and (any(p.fault is None for p in beside) or (not beside and self._takes(stage, judge))):
            for participant in ended:
                participant.hand_back()

    def _takes(self, stage: Stage, judge: Path | None) -> bool:
        """Whether the judge takes what a remembered reference handed over, in a fresh worker of its own."""
        witness = next(iter(self.remembered()), None)
        if (
            judge is None or witness is None
        ):  # what the task itself computes, it computed for whoever was scored
            return witness is not None
        handed = Readings(answers=dict(witness.answers))
        submission = read(self.setting.task.id, judge)  # nothing of the reference's own is started
        taken = Participant(entry=Entry(submission, "reference"), copy=judge, readings=handed)
        try:
            taken.start(self._place(stage, judge))
            for request in (*stage.each, *stage.requests):
                taken.ask(request)
        finally:
            taken.close()
        return taken.fault is None

    def _memory(
        self,
        stage: Stage,
        judge: Path | None,
        participant: Participant,
        blocks: Sequence[Sequence[Request]],
        counter: Counter,
    ) -> None:
        """The memory pass: one worker alive, its times thrown away; its curve, a pair of its own, is shown."""
        try:
            counter.show(stage, participant, "memory")
            participant.start(self._place(stage, judge, len(blocks)), keep=False)
            for request in (*stage.each, *blocks[0]):
                if participant.ask(request) is None or participant.worker is None:
                    break
                participant.worker.watch.read_now()
        finally:
            participant.close()


def _is_candidate(participant: Participant) -> bool:
    return participant.entry.role == "candidate"


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
