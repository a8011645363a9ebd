"""Reserves of the same questions; refused are timed inputs asked twice and timed answers held to nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.errors import TaskError
from harness.inputs import tasks
from harness.instances import ArraySpec, Instance, Request, Stage
from harness.runs.prepare import require_fresh_inputs
from harness.tasks import asked_again

SPEC = ArraySpec("int64", (1,))


def request(item: str, text: str, **how: Any) -> Request:
    return Request(item, "predict", {"texts": [text]}, SPEC, **how)


def requests(pairs: int, each: int = 3) -> tuple[Request, ...]:
    warm = [request(f"warm-{i}", f"w{i}", timed=True, warmup=True) for i in range(2 * pairs)]
    return (*warm, *(request(f"call-{i}", f"c{i}", timed=True) for i in range(each * pairs)))


def checked(base: tuple[Request, ...], reserve: tuple[Request, ...] = ()) -> list[str]:
    stage = Stage("serve", base, reserve=reserve, paired=True)
    return require_fresh_inputs(tasks.find("noisy-labels"), Instance((stage,), {}))


@pytest.mark.parametrize(("pairs", "more"), [(1, 3), (2, 5), (5, 7), (3, 0)])
def test_a_further_pair_is_asked_as_much_as_the_first_and_nothing_twice(pairs: int, more: int) -> None:
    base = requests(pairs)
    reserve = asked_again(base, pairs, more, np.random.default_rng(0))
    checked(base, reserve)
    for number in range(more):
        block = [r for r in reserve if r.item.startswith(f"more-{number}-")]
        assert [r.warmup for r in block] == [True] * 2 + [False] * 3
        assert len({r.again for r in block}) == 5
    times = [sum(r.again == item.item for r in reserve) for item in base if not item.warmup]
    assert max(times, default=0) - min(times, default=0) <= 1  # all before any of them once more


def test_a_rest_that_fills_no_pair_is_left_out() -> None:
    base = requests(2)[:-1]  # five calls: two for each pair that is added
    reserve = asked_again(base, 2, 3, np.random.default_rng(0))
    assert len(reserve) == 3 * (2 + 2)


def test_timed_answers_that_are_held_to_nothing_are_refused() -> None:
    with pytest.raises(TaskError, match="the timed answer of 'b' is held to nothing"):
        checked((request("a", "x", timed=True), request("b", "y", timed=True, scored=False)))
    checked(
        (request("a", "x"), request("b", "y", scored=False), request("c", "z", warmup=True, scored=False))
    )


def test_what_asks_again_asks_the_same_and_is_a_reserve() -> None:
    base = (request("a", "x", timed=True), request("b", "y", timed=True))
    checked(base, (request("more", "x", timed=True, again="a"),))
    for wrong in (request("more", "x", timed=True, again="b"), request("more", "x", timed=True, again="c")):
        with pytest.raises(TaskError, match="'more' does not ask what"):
            checked(base, (wrong,))
    with pytest.raises(TaskError, match="'again' does not ask what 'a' asks, or is no reserve"):
        checked((*base, request("again", "x", timed=True, again="a")))
    with pytest.raises(TaskError, match="the timed input of 'more' was used before"):
        checked(base, (request("more", "x", timed=True),))
