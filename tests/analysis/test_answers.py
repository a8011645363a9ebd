"""Errors made alike and numbers equal to the bit: chances against counts by hand, copies named, strangers not."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest

from harness.analysis import answers
from harness.analysis.answers import Answered, alike, bits, chance_of, errors
from harness.instances import ItemAnswers

N = 600
CLASSES = 8


def solution(
    name: str, seed: int, rate: float = 0.2, hard: float = 0.0, like: Answered | None = None
) -> Answered:
    """Errs on items of its own, more on the first third by `hard`; only a tenth is its own where it is `like` one."""
    rng = np.random.default_rng(seed)
    truth = np.arange(N) % CLASSES
    chance = np.full(N, rate)
    chance[: N // 3] += hard
    wrong = rng.random(N) < chance
    given = np.where(wrong, (truth + rng.integers(1, CLASSES, N)) % CLASSES, truth)
    if like is not None:
        assert like.items is not None
        given = np.where(rng.random(N) < 0.9, like.items.given, given)
    return Answered(name, {}, ItemAnswers(given, given != truth))


def by_hand(together: int, size: int, first: int, second: int) -> float:
    """P(X >= together) for one stratum, counted."""
    whole = comb(size, second)
    return (
        sum(comb(first, k) * comb(size - first, second - k) for k in range(together, min(first, second) + 1))
        / whole
    )


@pytest.mark.parametrize(
    ("together", "size", "first", "second"), [(0, 10, 3, 4), (2, 10, 3, 4), (3, 10, 3, 4), (5, 40, 9, 12)]
)
def test_the_chance_in_one_stratum_is_the_hypergeometric_tail(
    together: int, size: int, first: int, second: int
) -> None:
    assert chance_of(together, [(size, first, second)]) == pytest.approx(
        by_hand(together, size, first, second)
    )


def test_the_chance_over_strata_is_that_of_the_sum() -> None:
    strata = [(10, 3, 4), (8, 5, 2)]

    def exactly(k: int, size: int, first: int, second: int) -> float:
        return comb(first, k) * comb(size - first, second - k) / comb(size, second)

    wanted = sum(
        exactly(i, *strata[0]) * exactly(j, *strata[1]) for i, j in product(range(4), range(3)) if i + j >= 3
    )
    assert chance_of(3, strata) == pytest.approx(wanted)


REFERENCES = [solution(name, seed) for seed, name in enumerate(("a", "b", "c"), 1)]


def test_a_copy_is_named_also_where_a_tenth_is_answered_anew_and_strangers_are_not() -> None:
    copy, near = Answered("copy", {}, REFERENCES[2].items), solution("near", 9, like=REFERENCES[2])
    strangers = [solution(f"s{seed}", seed) for seed in range(20, 40)]
    named = alike([copy, near, *strangers], REFERENCES)
    assert {frozenset((one.one, one.other)) for one in named} == {
        frozenset(pair) for pair in (("copy", "c"), ("near", "c"), ("copy", "near"))
    }
    whole = next(one for one in named if (one.one, one.other) == ("copy", "c"))
    assert whole.excess == 1.0
    assert whole.alike == whole.possible
    assert whole.chance is not None
    assert whole.chance < 1e-12


def test_hard_items_make_strangers_err_alike_and_the_strata_take_that_away() -> None:
    references = [solution(name, seed, 0.05, 0.75) for seed, name in enumerate(("a", "b", "c"), 1)]
    stranger = solution("s", 50, 0.05, 0.75)
    (beside,) = errors([(stranger, references[0])], references)
    mine, theirs = stranger.items, references[0].items
    assert mine is not None
    assert theirs is not None
    both = int((mine.wrong & theirs.wrong).sum())
    flat = int(mine.wrong.sum()) * int(theirs.wrong.sum()) / N
    assert chance_of(both, [(N, int(mine.wrong.sum()), int(theirs.wrong.sum()))]) < 1e-6, "they do err alike"
    assert beside.expected > 1.5 * flat
    assert not beside.notable


def test_nothing_is_said_where_references_are_alike_themselves_or_are_too_few_or_errors_are() -> None:
    copy = Answered("copy", {}, REFERENCES[2].items)
    same = [REFERENCES[0], Answered("twin", {}, REFERENCES[0].items), REFERENCES[2]]
    assert alike([copy], same) == []
    assert alike([copy], REFERENCES[:1]) == []
    good = [solution(name, seed, 0.005) for seed, name in enumerate(("a", "b", "c"), 1)]
    assert alike([Answered("copy", {}, good[0].items)], good) == []


def numbers(name: str, seed: int, known: float = 0.0) -> Answered:
    """Random numbers, a share of them the same for everybody."""
    values = np.random.default_rng(seed).normal(size=400)
    values[: int(known * 400)] = 0.5
    return Answered(name, {"ask-1": values[:100].reshape(10, 10), "ask-2": values[100:], "blob": b"x"})


def test_numbers_equal_to_the_bit_count_where_the_references_differ() -> None:
    references = [numbers(name, seed, 0.5) for seed, name in enumerate(("a", "b", "c"), 1)]
    copy = Answered("copy", references[1].answers)
    (named,) = alike([copy, numbers("s", 9, 0.5)], references)
    assert (named.one, named.other, named.kind, named.alike, named.possible) == (
        "copy",
        "b",
        "bits",
        200,
        200,
    )
    assert named.chance is None


def test_where_the_question_decides_the_numbers_nothing_is_said() -> None:
    references = [numbers("a", 1), Answered("b", numbers("a", 1).answers), numbers("c", 2)]
    assert alike([Answered("copy", references[0].answers)], references) == []


def test_answers_of_another_shape_are_left_out() -> None:
    references = [numbers(name, seed) for seed, name in enumerate(("a", "b"), 1)]
    odd = Answered("odd", {"ask-1": np.zeros(3), "ask-2": np.zeros(300)})
    assert bits([(odd, references[0])], references) == []
    assert answers.LEAST_NUMBERS < 400


def test_of_large_answers_evenly_spaced_numbers_are_held_and_no_other_answers() -> None:
    large = {"a": np.arange(1e6).reshape(1000, 1000), "b": np.arange(10.0), "ids": np.arange(5), "blob": b"x"}
    held = answers.thinned(large)
    assert set(held) == {"a", "b"}
    kept = np.asarray(held["a"])
    assert len(kept) == answers.MOST_NUMBERS // 2
    assert (kept[0], kept[-1]) == (0, 1e6 - 1)
    assert len(held["b"]) == 10
    many = answers.thinned({str(n): np.arange(500.0) for n in range(5000)})
    assert {len(one) for one in many.values()} == {answers.FEWEST}
