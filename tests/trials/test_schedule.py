"""How a paired stage is spread over process pairs: blocks, turns, warm-up, looks."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.instances import Request, Stage
from harness.trials.schedule import Plan, Turn, base_blocks, reserve_blocks, steady, turns


def asked(group: str, count: int, prefix: str = "", **how: bool) -> list[Request]:
    return [
        Request(f"{prefix}{group}-{i}", "answer", {}, group=group, timed=True, **how) for i in range(count)
    ]


def stage(
    singles: int = 10, batches: int = 6, warm: int = 9, reserve: tuple[int, int, int] = (0, 0, 0)
) -> Stage:
    def requests(prefix: str, counts: tuple[int, int, int]) -> tuple[Request, ...]:
        warmups = asked("single", counts[2], f"{prefix}warm-", warmup=True)
        timed = [*asked("single", counts[0], prefix), *asked("batch", counts[1], prefix)]
        order = np.random.default_rng(3).permutation(len(timed))
        return (*warmups, *(timed[i] for i in order))

    return Stage(
        "serve", requests("", (singles, batches, warm)), reserve=requests("more-", reserve), paired=True
    )


def counts(block: tuple[Request, ...]) -> Counter[tuple[str, bool]]:
    return Counter((request.label, request.warmup) for request in block)


@settings(deadline=None)
@given(
    singles=st.integers(1, 40), batches=st.integers(1, 20), warm=st.integers(0, 20), pairs=st.integers(1, 8)
)
def test_base_blocks_hold_every_request_once_and_each_group_evenly(
    singles: int, batches: int, warm: int, pairs: int
) -> None:
    whole = stage(singles, batches, warm)
    blocks = base_blocks(whole, pairs)
    assert len(blocks) == pairs
    assert sorted(r.item for block in blocks for r in block) == sorted(r.item for r in whole.requests)
    for key in counts(whole.requests):
        shares = [counts(block)[key] for block in blocks]
        assert max(shares) - min(shares) <= 1, key


def test_a_block_keeps_the_stages_order_so_that_warm_ups_come_first() -> None:
    whole = stage()
    place = {request.item: i for i, request in enumerate(whole.requests)}
    blocks = base_blocks(whole, 3)
    assert len(blocks) == 3
    for block in blocks:
        assert [place[r.item] for r in block] == sorted(place[r.item] for r in block)
        assert [r.warmup for r in block] == sorted((r.warmup for r in block), reverse=True)
        assert counts(block)["single", True] == 3


@pytest.mark.parametrize(
    ("reserve", "most", "added"),
    [
        ((6, 4, 10), 4, 2),  # two blocks of 3 singles, 2 batches and 3 warm-ups fit, and two are allowed
        ((6, 4, 10), 3, 1),
        ((99, 99, 99), 3, 1),
        ((5, 4, 10), 9, 1),  # the scarcest group decides: here singles
        ((99, 99, 2), 9, 0),  # here warm-ups
        ((0, 0, 0), 9, 0),
        ((6, 4, 10), 2, 0),
    ],
)
def test_reserve_blocks_are_as_large_as_the_base_and_as_many_as_there_are_requests_for(
    reserve: tuple[int, int, int], most: int, added: int
) -> None:
    whole = stage(6, 4, 6, reserve)
    blocks = reserve_blocks(whole, 2, most)
    assert len(blocks) == added
    size = counts(base_blocks(whole, 2)[0])
    assert all(counts(block) == size for block in blocks)
    items = [request.item for block in blocks for request in block]
    assert len(set(items)) == len(items)
    assert all(item.startswith("more-") for item in items)


@pytest.mark.parametrize(("singles", "batches"), [(0, 0), (1, 0), (1, 1)])
def test_groups_that_are_smaller_than_the_pairs_bring_no_further_ones(singles: int, batches: int) -> None:
    assert reserve_blocks(stage(singles, batches, 0, (9, 9, 9)), 2, 9) == []


def test_a_group_smaller_than_the_pairs_holds_no_other_back() -> None:
    blocks = reserve_blocks(stage(6, 1, 0, (9, 9, 0)), 2, 9)
    assert [counts(block) for block in blocks] == [{("single", False): 3}] * 3


def test_a_group_without_a_reserve_brings_no_further_pairs() -> None:
    assert reserve_blocks(stage(2, 2, 0, (9, 0, 0)), 2, 9) == []


def test_on_a_cpu_every_request_goes_to_every_worker_once_before_the_next() -> None:
    requests = asked("single", 60)
    found = list(turns(requests, 3, 1, np.random.default_rng(0)))
    assert len(found) == 180
    assert all(turn.counted for turn in found)
    firsts = Counter[int]()
    for number, request in enumerate(requests):
        these = found[3 * number : 3 * number + 3]
        assert {turn.request.item for turn in these} == {request.item}
        assert sorted(turn.worker for turn in these) == [0, 1, 2]
        firsts[these[0].worker] += 1
    assert min(firsts.values()) > 10  # in random order, not always the same worker first


def _runs(found: list[Turn]) -> list[list[Turn]]:
    """Neighbouring turns of one worker in one block."""
    runs: list[list[Turn]] = []
    for turn in found:
        if runs and runs[-1][-1].worker == turn.worker and turn.request not in [t.request for t in runs[-1]]:
            same_group = runs[-1][-1].request.label == turn.request.label
            if same_group and len(runs[-1]) < 4:
                runs[-1].append(turn)
                continue
        runs.append([turn])
    return runs


def test_on_a_gpu_blocks_are_counter_balanced_and_the_first_call_of_each_is_thrown_away() -> None:
    requests = asked("single", 16)
    found = list(turns(requests, 2, 4, np.random.default_rng(0)))
    runs = _runs(found)
    assert [len(run) for run in runs] == [4] * 8
    order = [run[0].worker for run in runs]
    a, b = order[:2]
    assert order == [a, b, b, a, a, b, b, a]
    for run in runs:
        assert [turn.counted for turn in run] == [False, True, True, True]
    counted = Counter((turn.worker, turn.request.item) for turn in found if turn.counted)
    # thrown away for both alike, so that what is left is still paired by request
    assert {item for worker, item in counted if worker == 0} == {
        item for worker, item in counted if worker == 1
    }


def test_blocks_of_two_are_counter_balanced_as_well() -> None:
    found = list(turns(asked("single", 4), 2, 2, np.random.default_rng(0)))
    a, b = found[0].worker, found[2].worker
    assert [turn.worker for turn in found] == [a, a, b, b, b, b, a, a]
    assert [turn.counted for turn in found] == [False, True] * 4


def test_a_gpu_block_holds_one_group_and_every_worker_serves_every_request() -> None:
    whole = [*asked("single", 9), *asked("batch", 5)]
    mixed = [whole[i] for i in np.random.default_rng(1).permutation(len(whole))]
    found = list(turns(mixed, 3, 4, np.random.default_rng(2)))
    assert Counter((t.worker, t.request.item) for t in found) == {
        (w, r.item): 1 for w in range(3) for r in mixed
    }
    assert [t.request.label for t in found] == sorted(
        (t.request.label for t in found), key=[r.label for r in mixed].index
    )


def test_a_plan_looks_after_so_many_pairs_and_shares_the_error_between_the_looks() -> None:
    plan = Plan(pairs=5, most=12)
    assert plan.looks() == (5, 8, 12)
    assert plan.alpha() == pytest.approx(0.05 / 3)
    assert (Plan().looks(), Plan().alpha()) == ((1,), 0.05)
    assert Plan(pairs=5, most=5).looks() == (5,)
    # the end is a look as well, whatever the most is
    assert Plan(pairs=5, most=6).looks() == (5, 6)
    assert Plan(pairs=5, most=10).looks() == (5, 8, 10)
    assert Plan(pairs=3, most=20).looks() == (3, 5, 8, 12, 20)


def test_steady_needs_sixteen_calls_and_compares_the_last_eight_with_those_before() -> None:
    assert steady([1.0] * 15) is None
    assert steady([1.0] * 16) is True
    assert steady([9.0] * 30 + [1.0] * 16) is True
    assert steady([1.06] * 8 + [1.0] * 8) is False
    assert steady([1.04] * 8 + [1.0] * 8) is True
    assert steady([1.0] * 8 + [1.06] * 8) is False
    assert steady([1.0] * 12 + [9.0] + [1.0] * 3) is True  # one slow call is no trend
