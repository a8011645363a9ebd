"""Cost measures: raw samples in seconds or bytes in, measurements out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from harness.measures.names import QUANTILES
from harness.measures.stats import Floats, percentile_interval, resampled, t_interval
from harness.readings import ASIDE, PhaseTime, Sample
from harness.records import Measurement, Trial

# What a single reading of a clock or of memory may be off by on a shared machine, as a share.
SINGLE_READING_MARGIN = 0.05
STARTS = ("shim", "start")
READY, BESIDE, RARE = "ready", "beside", 10.0


def latency(samples: Iterable[Sample]) -> list[Measurement]:
    """p50, p95, p99, mean (s) and throughput (examples/s) of each group of timed requests.

    These are service times: requests are sent one at a time (closed loop). The intervals come from a
    bootstrap over requests.
    """
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.group, []).append(sample)
    measurements: list[Measurement] = []
    for group, members in groups.items():
        seconds = np.array([sample.seconds for sample in members])
        drawn = resampled(seconds)
        again = np.quantile(drawn, list(QUANTILES.values()), axis=1)
        for (name, q), draws in zip(QUANTILES.items(), again, strict=True):
            samples = tuple(seconds) if name == "p50" else ()
            measurements.append(_of_calls(f"{group}_{name}", float(np.quantile(seconds, q)), draws, samples))
        measurements.append(_of_calls(f"{group}_mean", float(seconds.mean()), drawn.mean(axis=1)))
        measurements.append(_throughput(group, members))
    return measurements


def _of_calls(name: str, value: float, draws: Floats, samples: tuple[float, ...] = ()) -> Measurement:
    """A statistic of the times of a group's calls, in seconds, with the interval of its draws."""
    low, high = percentile_interval(draws)
    return Measurement(
        name=name, unit="s", direction="lower", value=value, low=low, high=high, samples=samples
    )


def _throughput(group: str, members: list[Sample]) -> Measurement:
    rows = np.array([[sample.count, sample.seconds] for sample in members], dtype=np.float64)

    totals = np.concatenate([rows[np.newaxis], resampled(rows)]).sum(axis=1)
    rates = totals[:, 0] / totals[:, 1]
    low, high = percentile_interval(rates[1:])
    return Measurement(
        name=f"{group}_throughput", unit="1/s", direction="higher", value=float(rates[0]), low=low, high=high
    )


def phase_seconds(phases: Iterable[PhaseTime], samples: Iterable[Sample] = ()) -> list[Measurement]:
    """`<group>_seconds`: the total of each group of untimed calls in each process pair.

    With one pair it is a single reading without an interval; with several, their mean with its t interval. A
    worker's start (`shim`, `start`) is the mean over the workers of a stage, in the stage where that is longest:
    of a stage with one worker, time must not be lost among the many of another.
    """
    phases = list(phases)
    measurements = [
        _phase(name, np.array(list(totals.values()))) for name, totals in untimed(phases, samples).items()
    ]
    starts: dict[str, dict[str, list[float]]] = {}
    for phase in phases:
        if phase.group in STARTS:
            starts.setdefault(phase.group, {}).setdefault(phase.item, []).append(phase.seconds)
    longest = {group: max(stages.values(), key=_mean) for group, stages in starts.items()}
    return [*(_phase(name, np.array(readings)) for name, readings in longest.items()), *measurements]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def untimed(phases: Iterable[PhaseTime], samples: Iterable[Sample]) -> dict[str, dict[int, float]]:
    """Seconds of each group of untimed calls by process pair, less the workers' starts.

    A call of a timed group that gives no sample (to warm up, or right after a change of context) has its place
    in no quantile: what it took beyond the pair's own (lower) median of that group is in BESIDE. So is what a
    sample took beyond RARE times that median, since a quantile does not show it.
    """
    totals: dict[str, dict[int, float]] = {}
    aside: dict[tuple[str, int], list[float]] = {}
    for phase in phases:
        if phase.group in STARTS:
            continue
        if phase.group.startswith(ASIDE):
            aside.setdefault((phase.group.removeprefix(ASIDE), phase.pair), []).append(phase.seconds)
            continue
        group = totals.setdefault(phase.group, {})
        group[phase.pair] = group.get(phase.pair, 0.0) + phase.seconds
    steady: dict[tuple[str, int], list[float]] = {}
    for sample in samples:
        steady.setdefault((sample.group, sample.pair), []).append(sample.seconds)
    for key in sorted(aside.keys() | steady.keys()):
        timed = sorted(steady.get(key, ()))
        usual = timed[(len(timed) - 1) // 2] if timed else 0.0
        over = [s - usual for s in aside.get(key, ())] + [s - RARE * usual for s in steady.get(key, ())]
        beside = totals.setdefault(BESIDE, {})
        beside[key[1]] = beside.get(key[1], 0.0) + sum(s for s in over if s > 0)
    return totals


def _phase(group: str, readings: np.ndarray) -> Measurement:
    several = len(readings) > 1
    low, high = t_interval(readings) if several else (None, None)
    return Measurement(
        name=f"{group}_seconds",
        unit="s",
        direction="lower",
        value=float(readings.mean()),
        low=None if low is None else max(0.0, low),
        high=high,
        samples=tuple(readings.tolist()),
    )


def size(name: str, value: int, measured_by: str = "parent") -> Measurement:
    """A count of bytes, exact."""
    return Measurement(
        name=name,
        unit="B",
        direction="lower",
        value=float(value),
        low=float(value),
        high=float(value),
        measured_by=measured_by,
    )


def memory_part(name: str, value: int, measured_by: str) -> Measurement:
    """Part of a peak, shown to explain it: more of one kind is neither better nor worse."""
    return Measurement(name=name, unit="B", direction="neither", value=float(value), measured_by=measured_by)


def peak_memory(
    name: str, host: int | None, device: int | None, measured_by: str, why_absent: str = ""
) -> Measurement:
    """Peak of host and device bytes together; absent with a reason when the host was not read."""
    if host is None:
        return Measurement(
            name=name,
            unit="B",
            direction="lower",
            value=None,
            measured_by=measured_by,
            absent_because=why_absent or "the worker ended before its memory was read",
        )
    total = float(host + (device or 0))
    return Measurement(name=name, unit="B", direction="lower", value=total, measured_by=measured_by)


def costs(trial: Trial) -> list[Measurement]:
    """Every cost measurement of a trial: latency, phase times, sizes of blobs, peak memory."""
    return [
        *latency(trial.samples),
        *phase_seconds(trial.phases, trial.samples),
        *(size(f"{item}_bytes", count) for item, count in trial.blob_bytes.items()),
        *_memory(trial),
    ]


def _memory(trial: Trial) -> list[Measurement]:
    by = trial.memory_measured_by
    measurements = [peak_memory("peak_memory", trial.peak_host_bytes, trial.peak_device_bytes, by)]
    stages = list(dict.fromkeys(point.stage for point in trial.memory))
    for stage in stages if len(stages) > 1 else []:
        points = [point for point in trial.memory if point.stage == stage]
        host = max(point.host_bytes for point in points)
        device = max(point.device_bytes or 0 for point in points)
        measurements.append(peak_memory(f"peak_memory_{stage}", host, device, by))
    kinds = {
        "anonymous": max(
            (p.anonymous_bytes for p in trial.memory if p.anonymous_bytes is not None), default=None
        ),
        "file": max((p.file_bytes for p in trial.memory if p.file_bytes is not None), default=None),
        "other": max(
            (
                p.host_bytes - p.file_bytes + (trial.peak_device_bytes or 0)
                for p in trial.memory
                if p.file_bytes is not None
            ),
            default=None,
        ),
        "base": trial.base_host_bytes,
        "base_file": trial.base_file_bytes,
    }
    return measurements + [memory_part(f"peak_memory_{k}", n, by) for k, n in kinds.items() if n is not None]
