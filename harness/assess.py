"""From a raw trial to what is judged: quality from its answers, cost from its raw samples."""

from __future__ import annotations

from collections.abc import Mapping

from harness.errors import Fault
from harness.grading import Side
from harness.instances import Answer, Evaluation, Instance
from harness.measures import cost
from harness.records import Assessed, Measurement, Trial
from harness.tasks import Task


def assess(task: Task, instance: Instance, trial: Trial, answers: Mapping[str, Answer]) -> Assessed:
    """The trial's measurements; a Fault that `evaluate` raises becomes its outcome."""
    outcome, reason = trial.outcome, trial.reason
    evaluation = Evaluation(())
    if outcome == "ok":
        try:
            evaluation = task.evaluate(instance, answers)
        except Fault as fault:
            outcome, reason = fault.outcome, fault.reason
    return Assessed(
        number=trial.number,
        role=trial.role,
        label=trial.label,
        tier=trial.tier,
        outcome=outcome,
        reason=reason,
        measurements=(*evaluation.measurements, *costs(trial)),
        series=evaluation.series,
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
    return found


def side(trial: Trial | None, assessed: Assessed) -> Side:
    """What grading needs of one submission on one instance."""
    times: dict[str, dict[str, float]] = {}
    for sample in trial.samples if trial else ():
        times.setdefault(sample.group, {})[sample.item] = sample.seconds
    return Side(assessed, times)
