"""The machine's grade: each threshold from both sides, sums over pairs, and what the words say."""

from __future__ import annotations

from typing import Any

import pytest

from harness.measures.conditions import grade_machine, total, wait_share
from harness.readings import Counters

QUIET = Counters(
    seconds=10.0,
    cpu_seconds=4.0,
    wait_seconds=0.04,
    preemptions=12,
    steal_share=0.001,
    pressure_cpu_share=0.05,
    pressure_memory_share=0.0,
    mhz_low=3100,
    mhz_high=3200,
)
GPU = QUIET.model_copy(
    update={
        "device_mhz_low": 1900.0,
        "device_mhz_high": 1980.0,
        "device_mhz_default": 1980.0,
        "device_celsius": 61.0,
        "device_strangers": 0,
    }
)


def but(base: Counters = QUIET, **changes: Any) -> Counters:
    return base.model_copy(update=changes)


def test_a_quiet_machine_is_an_a_and_says_so() -> None:
    for counters in (QUIET, GPU):
        found = grade_machine([counters])
        assert (found.grade, len(found.words)) == ("A", 1)
        assert found.words[0].startswith("the machine was quiet")
        assert found.counters == counters


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({"wait_seconds": 0.199}, "A"),
        ({"wait_seconds": 0.2}, "B"),
        ({"wait_seconds": 0.799}, "B"),
        ({"wait_seconds": 0.8}, "C"),
        ({"steal_share": 0.019}, "A"),
        ({"steal_share": 0.02}, "B"),
        ({"steal_share": 0.1}, "C"),
        ({"pressure_cpu_share": 0.14}, "A"),
        ({"pressure_cpu_share": 1.0}, "B"),
        ({"pressure_memory_share": 0.009}, "A"),
        ({"pressure_memory_share": 0.01}, "B"),
        ({"pressure_memory_share": 0.1}, "C"),
        ({"mhz_low": 2880.0}, "A"),  # nine tenths
        ({"mhz_low": 2879.0}, "B"),
        ({"mhz_low": 800.0}, "B"),
        ({"preemptions": 100_000}, "A"),
    ],
)
def test_each_counter_has_its_bounds(changes: dict[str, float], due: str) -> None:
    found = grade_machine([but(**changes)])
    assert found.grade == due
    assert len(found.words) == 1


@pytest.mark.parametrize(
    ("changes", "due", "word"),
    [
        ({"device_reasons": ("power cap",)}, "B", "power limit"),
        ({"device_reasons": ("software thermal slowdown",)}, "B", "61 °C"),
        ({"device_reasons": ("hardware slowdown",)}, "C", "hardware slowed it down"),
        ({"device_reasons": ("hardware thermal slowdown",)}, "C", "heat"),
        ({"device_reasons": ("power brake",)}, "C", "power supply"),
        ({"device_reasons": ("application clocks", "sync boost", "display clocks")}, "A", "quiet"),
        ({"device_mhz_low": 1790.0}, "A", "quiet"),
        ({"device_mhz_low": 1600.0}, "B", "1,600 and 1,980 MHz"),
        ({"device_mhz_low": 1400.0}, "C", "1,400 MHz of 1,980"),
        ({"device_strangers": 1}, "C", "1 other process used the GPU; end it"),
        ({"device_strangers": 2}, "C", "2 other processes used the GPU; end them"),
    ],
)
def test_the_gpu_has_its_own(changes: dict[str, Any], due: str, word: str) -> None:
    found = grade_machine([but(GPU, **changes)])
    assert found.grade == due
    assert word in found.words[0]


@pytest.mark.parametrize(
    ("options", "due"),
    [
        ({"drift": 0.09}, "A"),
        ({"drift": 0.1}, "B"),
        ({"drift": -0.11}, "B"),
        ({"drift": 0.9}, "B"),
        ({"tail": 1.4}, "A"),
        ({"tail": 1.6}, "B"),
        ({"tail": 3.5}, "C"),
    ],
)
def test_drift_and_tail_of_the_reference(options: dict[str, float], due: str) -> None:
    assert grade_machine([QUIET], **options).grade == due


def test_the_worst_comes_first_and_gives_the_grade() -> None:
    found = grade_machine([but(wait_seconds=2.0, steal_share=0.03, mhz_low=800.0)])
    assert found.grade == "C"
    assert len(found.words) == 3
    assert "waited 0.5 s" in found.words[0]
    assert "3.0% of the time (steal)" in found.words[1]
    assert all("; " in words for words in found.words), "each says what to do"
    later = grade_machine([but(wait_seconds=0.2, steal_share=0.1)]).words
    assert ["(steal)" in words for words in later] == [True, False]


def test_a_missing_counter_is_named_and_never_makes_it_better() -> None:
    found = grade_machine([but(mhz_low=None, mhz_high=None, steal_share=None)])
    assert found.grade == "A"
    assert found.words[1:] == ("not told: steal by a host", "not told: the cores' clock")
    found = grade_machine([but(wait_seconds=None)])
    assert found.grade == "B"
    assert "was not told" in found.words[0]
    nothing = grade_machine([Counters(seconds=10.0)])
    assert nothing.grade == "C"
    assert "use Linux" in nothing.words[0]
    assert sum(words.startswith("not told") for words in nothing.words) == 5
    assert grade_machine([]).grade == "C"
    assert any("who else" in words for words in grade_machine([but(GPU, device_strangers=None)]).words)


def test_a_part_that_told_nothing_is_counted() -> None:
    found = grade_machine([QUIET, but(steal_share=None), QUIET])
    assert found.grade == "A"
    assert "not told in 1 of 3 parts: steal by a host" in found.words


def test_pairs_add_up() -> None:
    other = Counters(
        seconds=30.0,
        cpu_seconds=8.0,
        wait_seconds=1.0,
        preemptions=3,
        steal_share=0.041,
        mhz_low=2000,
        mhz_high=3300,
        device_reasons=("power cap",),
        device_celsius=70,
        device_strangers=1,
    )
    whole = total([QUIET, other])
    assert (whole.seconds, whole.cpu_seconds, whole.preemptions) == (40.0, 12.0, 15)
    assert whole.wait_seconds == pytest.approx(1.04)
    assert whole.steal_share == pytest.approx((0.001 * 10 + 0.041 * 30) / 40)
    assert whole.pressure_cpu_share == pytest.approx(0.05)  # over the part that told it
    assert (whole.mhz_low, whole.mhz_high) == (2000, 3300)
    assert (whole.device_reasons, whole.device_celsius, whole.device_strangers) == (("power cap",), 70, 1)
    assert total([QUIET]) == QUIET


def test_waiting_and_work_are_of_the_same_parts() -> None:
    assert wait_share(total([QUIET, but(wait_seconds=None)])) == pytest.approx(0.01)


def test_a_worker_that_hardly_computes_is_not_blamed_for_moments() -> None:
    idle = but(cpu_seconds=0.01, wait_seconds=0.005)  # it waited for a GPU
    assert wait_share(idle) == pytest.approx(0.025)
    assert grade_machine([idle]).grade == "A"
    assert wait_share(but(cpu_seconds=None)) is None
    assert wait_share(Counters(seconds=0.0, cpu_seconds=0.0, wait_seconds=0.0)) is None


@pytest.mark.parametrize(
    "changes",
    [{"device_celsius": 61.0}, {"device_mhz_default": 1980.0}, {"device_reasons": ("application clocks",)}],
)
def test_a_gpu_that_told_anything_at_all_is_asked_for_the_rest(changes: dict[str, Any]) -> None:
    missing = ("not told: the GPU's clock", "not told: who else uses the GPU")
    assert grade_machine([but(**changes)]).words[1:] == missing
    assert grade_machine([QUIET]).words[1:] == ()


def test_the_same_load_is_told_once_where_it_matters() -> None:
    busy = but(pressure_cpu_share=0.5)
    assert [words.split(";")[0] for words in grade_machine([busy]).words] == [
        "in 50% of the time some program waited for a core"
    ]
    # its own waiting of .05 says it better; below that, or where it was not told, the pressure is told too
    assert len(grade_machine([but(pressure_cpu_share=0.5, wait_seconds=0.2)]).words) == 1
    assert (
        "other work took the core" in grade_machine([but(pressure_cpu_share=0.5, wait_seconds=0.2)]).words[0]
    )
    untold = grade_machine([but(pressure_cpu_share=0.5, wait_seconds=None)])
    assert untold.grade == "B"
    assert any("some program waited" in words for words in untold.words)


@pytest.mark.parametrize("missing", ["mhz_low", "mhz_high"])
def test_a_clock_without_its_other_end_is_no_reason(missing: str) -> None:
    assert grade_machine([but(**{"mhz_low": 800.0, missing: None})]).grade == "A"


@pytest.mark.parametrize("missing", ["device_mhz_low", "device_mhz_default"])
def test_the_gpus_clock_is_held_against_what_was_told(missing: str) -> None:
    # without its default against its own highest: a B instead of a C
    due = {"device_mhz_low": "A", "device_mhz_default": "B"}[missing]
    assert grade_machine([but(GPU, **{"device_mhz_low": 1400.0, missing: None})]).grade == due
