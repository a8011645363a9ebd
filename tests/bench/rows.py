"""What is kept of one run: everything the benchmarks derive figures from, as plain JSON."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.grading.comparison import LEAST_PART, floors
from harness.measures import conditions, paired
from harness.measures.estimates import Estimate
from harness.records import Run, Trial

Row = dict[str, Any]
Floats = NDArray[np.float64]
SIDES = ("candidate", "baseline", "copy")


def row_of(run: Run) -> Row:
    """One run: raw seconds by pair and side, floors, verdicts, certificate, grade, probes."""
    found: Row = {
        "at": run.head.started_at,
        "wall_seconds": run.wall_seconds,
        "load_average": os.getloadavg()[0],
        "outcome": run.score.outcome if run.score else "none",
        "reasons": list(run.score.reasons) if run.score else [],
        "planned": [run.head.profile.pairs, run.head.profile.max_pairs],
        "seconds": _seconds(run.trials),
        "floors": _floors(run.trials),
        "idle_cpu": _idle(run.trials),
    }
    if run.score is None:
        return found
    digits = next((m.value for m in run.score.measurements if m.name == "least_digits"), None)
    found |= {
        "digits": digits,
        "constraints": {c.name: c.model_dump(mode="json") for c in run.score.constraints},
    }
    timing = run.score.timing
    if timing is not None:
        counters = timing.condition.counters if timing.condition else None
        found |= {
            "pairs": timing.pairs,
            "certified": timing.certified,
            "words": list(timing.words),
            "certificate": timing.certificate.model_dump(mode="json") if timing.certificate else None,
            "grade": timing.condition.grade if timing.condition else None,
            "waiting": conditions.wait_share(counters) if counters else None,
            "counters": counters.model_dump(mode="json") if counters else None,
            "probes": [probe.model_dump(mode="json") for probe in timing.probes],
        }
    return found


def _seconds(trials: Sequence[Trial]) -> dict[str, list[list[float]]]:
    """Raw seconds of the calls that all sides answered, by side and pair, in one order of items."""
    told: dict[str, dict[str, tuple[int, float]]] = {}
    for trial in trials:
        name = {"reference": "baseline"}.get(trial.role, trial.role)
        if name in SIDES and trial.tier in (None, "baseline") and trial.samples:
            told[name] = {s.item: (s.pair, s.seconds) for s in trial.samples}
    if not told:
        return {}
    common = sorted(set.intersection(*(set(items) for items in told.values())))
    pairs = sorted({told["candidate"][item][0] for item in common}) if "candidate" in told else []
    return {
        name: [[items[item][1] for item in common if items[item][0] == pair] for pair in pairs]
        for name, items in told.items()
    }


def _floors(trials: Sequence[Trial]) -> list[float]:
    """What asking costs in each pair, as the harness takes it off."""
    readings = [reading for trial in trials for reading in trial.pairs]
    taken = floors(readings)
    return [taken.get(reading.pair, 0.0) for reading in readings]


def _idle(trials: Sequence[Trial]) -> Mapping[str, float]:
    spent: dict[str, float] = {}
    for reading in (r for t in trials for r in t.pairs):
        for name, seconds in reading.idle_cpu.items():
            spent[name] = spent.get(name, 0.0) + seconds
    return spent


def by_pair(row: Row, top: str, bottom: str = "baseline", first: int | None = None) -> list[Floats]:
    """Seconds less the floor, as verdicts take them: float64[n, 2] for each of the first pairs."""
    found = []
    sides = zip(row["seconds"][top], row["seconds"][bottom], row["floors"], strict=False)
    for over, under, floor in list(sides)[:first]:
        raw = np.column_stack([over, under])
        found.append(np.maximum(raw - floor, raw * LEAST_PART))
    return found


def log_ratios(row: Row, top: str, bottom: str = "baseline") -> Floats:
    """Each pair's median log ratio."""
    return np.array([paired.median_log_ratio(pair) for pair in by_pair(row, top, bottom)])


def ratio(row: Row, top: str, alpha: float = 0.05) -> Estimate:
    """The ratio of two sides over the pairs of a run, with the interval for `alpha`."""
    return paired.over_pairs(log_ratios(row, top), alpha)


def usable(rows: Iterable[Row]) -> list[Row]:
    """The rows whose pairs were all measured; what was interrupted or failed is named elsewhere."""
    return [row for row in rows if len(row.get("seconds", {}).get("candidate", [])) > 1]
