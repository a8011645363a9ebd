"""From a raw trial to what is judged: quality from its answers, cost from its raw samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from harness.errors import Fault
from harness.inputs.tasks import Task
from harness.instances import Answer, Evaluation, Instance
from harness.measures import cost
from harness.readings import PairReading
from harness.records import Assessed, Measurement, Trial
from harness.sides import Side, beyond


def assess(task: Task, instance: Instance, trial: Trial, answers: Mapping[str, Answer]) -> Assessed:
    """The trial's measurements; a Fault that `evaluate` raises becomes its outcome."""
    outcome, reason = trial.outcome, trial.reason
    evaluation, concluded, paid = Evaluation(()), Evaluation(()), costs(trial)
    if outcome == "ok":
        try:
            evaluation = task.evaluate(instance, _scored(instance, answers, base=True))
            _insist_on_the_reserve(task, instance, answers, evaluation)
            concluded = task.conclude(instance, {m.name: m for m in (*evaluation.measurements, *paid)})
        except Fault as fault:
            outcome, reason = fault.outcome, fault.reason
    return Assessed(
        number=trial.number,
        role=trial.role,
        label=trial.label,
        tier=trial.tier,
        outcome=outcome,
        reason=reason,
        measurements=(*evaluation.measurements, *paid, *concluded.measurements),
        series=(*evaluation.series, *concluded.series),
    )


def _scored(instance: Instance, answers: Mapping[str, Answer], base: bool) -> dict[str, Answer]:
    """The answers that `evaluate` sees: all but the reserve's, or all but the base's timed ones."""
    other = {
        request.item
        for stage in instance.stages
        for request in (stage.reserve if base else (r for r in stage.requests if stage.paired))
    }
    return {item: answer for item, answer in answers.items() if item not in other}


def _insist_on_the_reserve(
    task: Task, instance: Instance, answers: Mapping[str, Answer], evaluation: Evaluation
) -> None:
    """Answers of further pairs must be as good as those of the first: they are timed as well."""
    reserve = (r for stage in instance.stages for r in stage.reserve)
    if not any(r.scored and r.timed and r.item in answers for r in reserve):
        return
    again = task.evaluate(instance, _scored(instance, answers, base=False))
    for first in evaluation.measurements:
        later = next((m for m in again.measurements if m.name == first.name), None)
        if later is None or not first.draws or later.high is None or first.low is None:
            continue
        if first.direction == "higher" and later.high < first.low:
            raise Fault(
                "wrong",
                f"{first.name} fell from {first.value:.3g} to {later.value:.3g} in the pairs that were added",
            )


def costs(trial: Trial) -> list[Measurement]:
    """Every cost measurement of a trial: latency, phase times, sizes of blobs, peak memory."""
    return [
        *cost.latency(trial.samples),
        *cost.phase_seconds(trial.phases),
        *(cost.size(f"{item}_bytes", size) for item, size in trial.blob_bytes.items()),
        *_memory(trial),
    ]


def _memory(trial: Trial) -> list[Measurement]:
    by = trial.memory_measured_by
    found = [cost.peak_memory("peak_memory", trial.peak_host_bytes, trial.peak_device_bytes, by)]
    stages = list(dict.fromkeys(point.stage for point in trial.memory))
    for stage in stages if len(stages) > 1 else []:
        points = [point for point in trial.memory if point.stage == stage]
        host = max(point.host_bytes for point in points)
        device = max((point.device_bytes or 0 for point in points), default=0)
        found.append(cost.peak_memory(f"peak_memory_{stage}", host, device, by))
    kinds = {
        "anonymous": max(
            (p.anonymous_bytes for p in trial.memory if p.anonymous_bytes is not None), default=None
        ),
        "file": max((p.file_bytes for p in trial.memory if p.file_bytes is not None), default=None),
        "base": trial.base_host_bytes,
        "base_file": trial.base_file_bytes,
    }
    return found + [cost.memory_part(f"peak_memory_{k}", n, by) for k, n in kinds.items() if n is not None]


def floors(readings: Iterable[PairReading]) -> dict[int, float]:
    """What asking costs, by process pair, in seconds: the median of all empty requests of the round.

    One for all: it is the transport's, and a pair that was disturbed tells a worse one.
    """
    told = [reading for reading in readings if reading.floor]
    if not told:
        return {}
    floor = float(np.median([seconds for reading in told for seconds in reading.floor]))
    return {reading.pair: floor for reading in told}


def side(trial: Trial | None, assessed: Assessed, floor: Mapping[int, float] | None = None) -> Side:
    """What grading needs of one submission on one instance; times less the floor of their pair."""
    times: dict[str, dict[str, float]] = {}
    pair_of: dict[str, int] = {}
    readings: dict[str, dict[int, float]] = {}
    for sample in trial.samples if trial and trial.timed else ():
        own = (floor or {}).get(sample.pair, 0.0)
        times.setdefault(sample.group, {})[sample.item] = beyond(sample.seconds, own)
        pair_of[sample.item] = sample.pair
    for phase in trial.phases if trial and trial.timed else ():
        group = readings.setdefault(phase.group, {})
        group[phase.pair] = group.get(phase.pair, 0.0) + phase.seconds
    return Side(assessed, times, pair_of, readings)
