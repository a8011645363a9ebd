"""Cost measures: raw samples in, hand-worked measurements out; what was not read is absent, never 0."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.grading.comparison import floors, side
from harness.measures import cost
from harness.measures.cost import costs
from harness.readings import MemoryPoint, PairReading, PhaseTime, Sample
from harness.records import Assessed, Measurement, Trial


def _samples(seconds: list[float], group: str = "search", count: int = 1) -> list[Sample]:
    return [
        Sample(item=f"{group}{i}", group=group, seconds=s, count=count, position=i)
        for i, s in enumerate(seconds)
    ]


def _by_name(found: list[Measurement]) -> dict[str, Measurement]:
    return {m.name: m for m in found}


def test_latency_by_hand() -> None:
    found = _by_name(cost.latency(_samples([0.1 * i for i in range(1, 12)], count=3)))
    assert set(found) == {"search_p50", "search_p95", "search_p99", "search_mean", "search_throughput"}
    assert found["search_p50"].value == pytest.approx(0.6)
    assert found["search_p95"].value == pytest.approx(1.05)  # rank 0.95 * 10 = 9.5, linearly between
    assert found["search_p99"].value == pytest.approx(1.09)
    assert found["search_throughput"].value == pytest.approx(11 * 3 / 6.6)
    assert found["search_throughput"].direction == "higher"
    assert found["search_mean"].value == pytest.approx(0.6)
    assert (found["search_mean"].unit, found["search_mean"].direction) == ("s", "lower")
    assert {found[f"search_p{q}"].direction for q in (50, 95, 99)} == {"lower"}
    assert found["search_p50"].samples == pytest.approx([0.1 * i for i in range(1, 12)])


def test_each_group_is_summarised_by_itself() -> None:
    found = _by_name(cost.latency([*_samples([1.0, 1.0], "one"), *_samples([4.0, 4.0], "batch", count=8)]))
    assert (found["one_p50"].value, found["batch_p50"].value) == (1.0, 4.0)
    assert (found["one_throughput"].value, found["batch_throughput"].value) == (1.0, 2.0)
    assert cost.latency([]) == []


@settings(max_examples=6, deadline=None)
@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=12))
def test_quantiles_are_in_order_and_within_their_intervals(seconds: list[float]) -> None:
    found = _by_name(cost.latency(_samples(seconds)))
    values = [found[f"search_{q}"] for q in ("p50", "p95", "p99")]
    quantiles = [m.value for m in values if m.value is not None]
    assert len(quantiles) == 3
    assert quantiles == sorted(quantiles)
    for m in values:
        assert m.low is not None
        assert m.high is not None
        assert min(seconds) - 1e-9 <= m.low <= m.high <= max(seconds) + 1e-9


def test_phases_add_up_and_a_single_reading_claims_no_interval() -> None:
    phases = [PhaseTime(item=f"i{i}", group="build", seconds=s) for i, s in enumerate((1.5, 2.5))]
    (found,) = cost.phase_seconds(phases)
    assert (found.name, found.value, found.low, found.high) == ("build_seconds", 4.0, None, None)
    assert (found.unit, found.direction) == ("s", "lower")
    assert found.samples == (4.0,)


def test_over_process_pairs_a_phase_has_an_interval_and_a_start_is_of_the_stage_where_it_is_longest() -> None:
    phases = [PhaseTime(item=f"load {n}", group="ready", seconds=1.0, pair=n) for n in range(3)]
    phases += [PhaseTime(item=f"first {n}", group="ready", seconds=float(n), pair=n) for n in range(3)]
    phases += [
        PhaseTime(item=f"start {stage}", group="start", seconds=s)
        for stage, s in (("a", 0.1), ("b", 0.3), ("a", 0.3), ("b", 0.5), ("a", 0.2))
    ]
    found = {m.name: m for m in cost.phase_seconds(phases)}
    ready, start = found["ready_seconds"], found["start_seconds"]
    assert (ready.samples, ready.value) == ((1.0, 2.0, 3.0), 2.0)
    assert ready.low == 0.0  # 2 - 4.3 / sqrt(3) would be less than no time at all
    assert ready.high == pytest.approx(2 + 4.3027 / 3**0.5, rel=1e-4)
    assert (start.samples, start.value) == ((0.3, 0.5), pytest.approx(0.4))


def test_memory_is_host_and_device_together() -> None:
    found = cost.peak_memory("peak_memory", 300, 200, "who")
    assert (found.value, found.unit, found.direction, found.measured_by) == (500.0, "B", "lower", "who")
    assert cost.peak_memory("peak_memory", 300, None, "who").value == 300.0


def test_memory_that_was_not_read_is_absent_with_a_reason() -> None:
    found = cost.peak_memory("peak_memory", None, 200, "who")
    assert (found.value, found.unit, found.direction, found.measured_by) == (None, "B", "lower", "who")
    assert "before its memory was read" in found.absent_because
    told = cost.peak_memory("peak_memory", None, None, "who", "nobody looked")
    assert told.absent_because == "nobody looked"


def test_a_size_is_exact() -> None:
    found = cost.size("index_bytes", 12)
    assert (found.low, found.value, found.high, found.unit) == (12.0, 12.0, 12.0, "B")


def test_a_trials_costs() -> None:
    memory = [
        MemoryPoint(
            stage="build", seconds=0.1, host_bytes=50, device_bytes=6, anonymous_bytes=30, file_bytes=20
        ),
        MemoryPoint(
            stage="build", seconds=0.2, host_bytes=90, device_bytes=5, anonymous_bytes=70, file_bytes=9
        ),
        MemoryPoint(stage="search", seconds=0.1, host_bytes=40),
    ]
    trial = Trial(
        number=0,
        role="candidate",
        label="x",
        tier=None,
        submission_digest="d",
        instance_id="i",
        outcome="ok",
        phases=(PhaseTime(item="start build", group="start", seconds=0.5),),
        samples=tuple(_samples([0.2, 0.2])),
        memory=tuple(memory),
        base_host_bytes=11,
        base_file_bytes=3,
        peak_host_bytes=100,
        peak_device_bytes=5,
        blob_bytes={"index": 7},
        memory_measured_by="parent",
    )
    found = {name: m.value for name, m in _by_name(costs(trial)).items()}
    assert found == {
        "search_p50": 0.2,
        "search_p95": 0.2,
        "search_p99": 0.2,
        "search_mean": 0.2,
        "search_throughput": 5.0,
        "start_seconds": 0.5,
        "beside_seconds": 0.0,
        "index_bytes": 7.0,
        "peak_memory": 105.0,
        "peak_memory_build": 96.0,
        "peak_memory_search": 40.0,
        "peak_memory_anonymous": 70.0,
        "peak_memory_file": 20.0,
        "peak_memory_other": 86.0,
        "peak_memory_base": 11.0,
        "peak_memory_base_file": 3.0,
    }
    one_stage = trial.model_copy(update={"memory": tuple(memory[:2])})
    assert "peak_memory_build" not in _by_name(costs(one_stage))


def test_a_part_of_a_peak_is_neither_better_nor_worse() -> None:
    part = cost.memory_part("peak_memory_file", 7, "who")
    assert (part.value, part.unit, part.direction, part.measured_by) == (7.0, "B", "neither", "who")
    assert (part.low, part.high) == (None, None)


def test_the_ends_of_throughput_and_of_a_median_by_hand() -> None:
    # two requests of 1 and 3 s: both of a resample are the same in a quarter of the draws
    found = _by_name(cost.latency(_samples([1.0, 3.0], count=6)))
    rate = found["search_throughput"]
    assert (rate.value, rate.low, rate.high) == (3.0, 2.0, 6.0)
    middle = found["search_p50"]
    assert (middle.value, middle.low, middle.high) == (2.0, 1.0, 3.0)
    mean = found["search_mean"]
    assert (mean.value, mean.low, mean.high) == (2.0, 1.0, 3.0)
    one = _by_name(cost.latency(_samples([0.5])))["search_p99"]
    assert (one.low, one.value, one.high) == (0.5, 0.5, 0.5)


def test_two_pairs_are_enough_for_an_interval_of_a_phase() -> None:
    phases = [PhaseTime(item=f"b{n}", group="build", seconds=s, pair=n) for n, s in enumerate((20.0, 20.2))]
    (found,) = cost.phase_seconds(phases)
    half = 12.7062 * 0.1  # t of one degree, by half the difference
    assert (found.value, found.low, found.high) == pytest.approx((20.1, 20.1 - half, 20.1 + half), rel=1e-5)


def _sample(item: str, seconds: float, pair: int) -> Sample:
    return Sample(item=item, group="answer", seconds=seconds, count=1, position=0, pair=pair)


def test_a_side_has_its_times_less_the_floor_of_their_pair_and_its_phases_by_pair() -> None:
    trial = Trial(
        number=0,
        role="candidate",
        label="x",
        tier=None,
        submission_digest="d",
        instance_id="i",
        outcome="ok",
        samples=(_sample("a", 1.0, 0), _sample("b", 0.5, 1), _sample("c", 1.0, 2)),
        phases=tuple(
            PhaseTime(item=f"l{n}", group="ready", seconds=s, pair=p)
            for n, (s, p) in enumerate(((1.0, 0), (2.0, 0), (4.0, 1)))
        ),
    )
    assessed = Assessed(number=0, role="candidate", label="x", tier=None, outcome="ok")
    found = side(trial, assessed, {0: 0.25, 1: 0.5})
    # the second is all floor and keeps a fiftieth; the third pair has no floor
    assert found.times == {"answer": pytest.approx({"a": 0.75, "b": 0.01, "c": 1.0})}
    assert found.pair_of == {"a": 0, "b": 1, "c": 2}
    assert found.readings == {"ready": {0: 3.0, 1: 4.0}, "beside": {0: 0.0, 1: 0.0, 2: 0.0}}
    assert side(trial, assessed).times == {"answer": {"a": 1.0, "b": 0.5, "c": 1.0}}
    untimed = side(trial.model_copy(update={"timed": False}), assessed)
    assert (untimed.times, untimed.pair_of, untimed.readings) == ({}, {}, {})
    assert side(None, assessed).assessed is assessed


def test_the_floor_is_the_median_of_all_empty_requests_in_every_pair_that_has_some() -> None:
    def pair_of(number: int, *floor: float) -> PairReading:
        return PairReading(stage="serve", pair=number, started=(), floor=floor)

    assert floors([pair_of(0, 1.0, 2.0), pair_of(1, 9.0), pair_of(2)]) == {0: 2.0, 1: 2.0}
    assert floors([pair_of(0)]) == {}


def test_what_a_call_that_gives_no_sample_takes_beyond_the_pairs_median_is_beside_the_samples() -> None:
    samples = [
        Sample(item=f"{n}", group="single", seconds=s, count=1, position=n, pair=pair)
        for n, (s, pair) in enumerate([(1.0, 0), (2.0, 0), (2.5, 0), (25.0, 0), (5.0, 1)])
    ]
    phases = [
        PhaseTime(item="loaded", group="ready", seconds=0.5, pair=0),
        PhaseTime(item="warm-0", group="first_single", seconds=9.0, pair=0),
        PhaseTime(item="warm-0", group="aside_single", seconds=9.0, pair=0),
        PhaseTime(item="warm-1", group="aside_single", seconds=1.0, pair=0),  # faster earns nothing back
        PhaseTime(item="warm-2", group="aside_single", seconds=5.0, pair=1),
        PhaseTime(
            item="warm-3", group="aside_other", seconds=0.4, pair=1
        ),  # nothing timed to compare it with
    ]
    found = cost.untimed(phases, samples)
    assert found["ready"] == {0: 0.5}
    assert found["beside"] == pytest.approx({0: 7.0 + (25.0 - 10 * 2.0), 1: 0.4})
    assert found["first_single"] == {0: 9.0}
    assert set(found) == {"ready", "beside", "first_single"}
