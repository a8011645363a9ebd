"""What `check` says to look out for: starts and calls that a run would stop, from a pass in seconds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.grading.criteria import Constraint
from harness.inputs.tasks import Task
from harness.observer import Silent
from harness.readings import PhaseTime, Sample
from harness.runs import check
from harness.runs.order import Order
from harness.runs.prepare import prepare
from tests.fixtures.reports import trial
from tests.store.test_results import COMPETENT


@pytest.fixture
def order(toy_order: Callable[..., Order]) -> Order:
    return toy_order(COMPETENT)


def warned(order: Order, *readings: PhaseTime | Sample) -> list[str]:
    run = trial(1, "candidate", ()).model_copy(
        update={
            "phases": tuple(r for r in readings if isinstance(r, PhaseTime)),
            "samples": tuple(r for r in readings if isinstance(r, Sample)),
        }
    )
    instance = prepare(order, 0, Silent()).instance
    return [*check._slow(order, instance, run), *check._slow_start(order, run)]


def start(seconds: float) -> PhaseTime:
    return PhaseTime(item="start main", group="start", seconds=seconds)


def call(item: str, seconds: float) -> Sample:
    return Sample(item=item, group="answer", seconds=seconds, count=8, position=0)


def test_a_start_near_what_stops_it_is_named_and_one_that_is_judged_too(order: Order) -> None:
    assert warned(order, start(9.9)) == []
    longest = order.task.definition.limits.start_seconds * order.profile.limit_factor
    (near, judged) = warned(order, start(0.6 * longest))
    assert f"a run stops one of over {longest:.0f} s" in near
    assert "a run allows 10 s, or 5 times what the competent's takes" in judged
    assert len(warned(order, start(10.1))) == 1 + (longest / 2 < 10.1)


def test_a_task_that_judges_no_time_warns_of_its_limit_alone(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = order.task.criteria.model_copy(update={"constraints": order.task.criteria.constraints[1:]})
    monkeypatch.setattr(Task, "criteria", property(lambda self: free))
    assert len(warned(order, start(1000.0))) == 1


def test_a_tasks_own_limit_on_starts_is_the_one_that_is_named(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Constraint(name="start-up time", measure="start_seconds", at_most=3.0)
    limited = order.task.criteria.model_copy(update={"constraints": (*order.task.criteria.constraints, own)})
    monkeypatch.setattr(Task, "criteria", property(lambda self: limited))
    assert warned(order, start(2.9)) == []
    assert warned(order, start(3.1)) == [
        "a start took 3.1 s here (imports and __init__); this task allows 3 s"
    ]


def test_one_of_many_requests_is_held_to_its_limit_and_grows_with_nothing(order: Order) -> None:
    limit = order.task.definition.phases["answer"].wall_seconds * order.profile.limit_factor
    assert warned(order, call("q0", 0.4 * limit), call("q1", 0.4 * limit)) == []
    (words,) = warned(order, call("q0", 0.1), call("q1", 0.6 * limit))
    assert (
        words == f"a call of answer took {0.6 * limit:.1f} s here; a run stops what takes over {limit:.0f} s"
    )
    assert warned(order, call("somebody else's", 10 * limit)) == []


def test_what_is_asked_once_grows_with_the_data(order: Order) -> None:
    limit = order.task.definition.phases["learn"].wall_seconds * order.profile.limit_factor
    factor = check.growth(order.task, order.profile.size)
    assert factor > 1
    few, many = (
        PhaseTime(item="learn", group="named-otherwise", seconds=s * limit / factor) for s in (0.9, 1.1)
    )
    assert warned(order, few) == []
    (words,) = warned(order, many)
    assert f"it may pass its limit of {limit:.0f} s" in words
