"""A small part of the simulation of places: who is noisy on purpose moves down, and honest equals stay together."""

from __future__ import annotations

import pytest

from tests.bench.places import CASES

BY_NAME = {case.name: case for case in CASES}


@pytest.mark.parametrize("name", ["times: an eighth equal", "times: all twice as noisy as the references"])
def test_honest_equals_still_share_a_place(name: str) -> None:
    before, now = BY_NAME[name].outcomes(12)
    assert before.apart <= now.apart <= before.apart + 0.02
    assert now.first >= before.first - 0.1


@pytest.mark.parametrize(
    "name",
    ["times: one twice as slow in half of its processes", "instances: one 40 points worse on half of them"],
)
def test_a_coin_that_makes_one_slow_or_wrong_earns_no_place(name: str) -> None:
    before, now = BY_NAME[name].outcomes(12)
    assert before.first >= 0.5
    assert now.first <= before.first / 2
    assert now.place >= before.place + 2
