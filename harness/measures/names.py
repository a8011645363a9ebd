"""What the name of a measure says: `latency_p50` is the kind `p50` of the group `latency`."""

from __future__ import annotations

from typing import NamedTuple

QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
# Kinds that are taken over the timed requests of a group, and the one that a phase's clock gives.
TIMED = (*QUANTILES, "mean", "throughput")
CLOCKED = (*TIMED, "seconds")


class MeasureName(NamedTuple):
    """A measure's name in its parts; `group` is "" for a name of one word."""

    group: str
    kind: str


def split(measure: str) -> MeasureName:
    """The parts of a measure's name."""
    group, _, kind = measure.rpartition("_")
    return MeasureName(group, kind)


def is_time(measure: str) -> bool:
    """Whether a measure of this name is read from a clock."""
    return split(measure).kind in CLOCKED


def is_memory(measure: str) -> bool:
    """Whether a measure of this name is one of memory."""
    return "memory" in measure
