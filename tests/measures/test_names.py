"""The parts of a measure's name, and what they say of how it is read."""

from __future__ import annotations

import pytest

from harness.measures import names


@pytest.mark.parametrize(
    ("measure", "group", "kind", "time", "memory"),
    [
        ("latency_p50", "latency", "p50", True, False),
        ("answer_p95", "answer", "p95", True, False),
        ("answer_p99", "answer", "p99", True, False),
        ("query_throughput", "query", "throughput", True, False),
        ("query_mean", "query", "mean", True, False),
        ("build_seconds", "build", "seconds", True, False),
        ("two_words_p50", "two_words", "p50", True, False),
        ("peak_memory", "peak", "memory", False, True),
        ("peak_memory_serve", "peak_memory", "serve", False, True),
        ("accuracy", "", "accuracy", False, False),
        ("seconds", "", "seconds", True, False),
        ("index_bytes", "index", "bytes", False, False),
        ("p50_of_nothing", "p50_of", "nothing", False, False),
        ("latency_p90", "latency", "p90", False, False),
    ],
)
def test_a_name_in_its_parts(measure: str, group: str, kind: str, time: bool, memory: bool) -> None:
    assert names.split(measure) == (group, kind)
    assert (names.is_time(measure), names.is_memory(measure)) == (time, memory)


def test_quantiles_are_what_they_are_called() -> None:
    assert names.QUANTILES == {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    assert set(names.CLOCKED) == {*names.QUANTILES, "mean", "throughput", "seconds"}
    assert all(names.is_time(f"answer_{kind}") for kind in names.CLOCKED)
