"""Near-duplicates by shingles, against a plain count over all pairs, and who gives them up."""

from __future__ import annotations

import numpy as np
import pytest

from harness.measures import shingles
from harness.measures.shingles import apart, near

EIGHT = "compute the inverse of a sparse square matrix"


def jaccard(one: str, other: str) -> float:
    first, second = shingles.shingles(one), shingles.shingles(other)
    return len(first & second) / len(first | second)


def test_shingles_are_pairs_of_words_whatever_their_case_and_punctuation() -> None:
    assert shingles.shingles("Sum of, all  VALUES.") == {"sum of", "of all", "all values"}
    assert shingles.shingles("Sum") == {"sum"}
    assert shingles.shingles("...") == {""}


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        ("Compute the INVERSE of a sparse, square matrix!", True),
        ("compute the inverse of a dense square matrix", True),  # 5 of 9 pairs
        ("compute the inverse of a dense round matrix", True),  # 4 of 10
        ("compute some inverse of a dense square matrix", False),  # 3 of 11
        ("return the matrix product of two arrays", False),
    ],
)
def test_two_words_next_to_each_other_make_no_new_text_and_two_apart_do(other: str, alike: bool) -> None:
    assert near([EIGHT], [other]).nnz == alike
    assert (jaccard(EIGHT, other) >= shingles.LEAST) == alike


def test_it_finds_what_a_count_over_all_pairs_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shingles, "ROWS", 7)
    rng = np.random.default_rng(3)
    texts = [" ".join(rng.choice(list("abc"), size)) for size in rng.integers(0, 9, 60)]
    found = near(texts[:25], texts[25:]).toarray()
    wanted = [[jaccard(a, b) >= shingles.LEAST for b in texts[25:]] for a in texts[:25]]
    assert found.tolist() == wanted
    assert 0 < found.sum() < found.size
    assert near([], texts).shape == (0, 60)


def labelled(*labels: int) -> np.ndarray:
    return np.array(labels, dtype=np.int64)


TRAIN = [EIGHT, f"{EIGHT} quickly", "sort an array in place", "join two tables by a key"]
TEST = [f"{EIGHT} again", "draw random numbers", "plot a histogram of counts"]


def test_the_training_part_gives_up_its_texts_where_both_could() -> None:
    parts = apart(TRAIN, TEST, (labelled(0, 0, 0, 0), labelled(0, 0, 0)), (2, 2))
    assert (parts.train.tolist(), parts.test.tolist()) == ([2, 3], [0, 1, 2])
    assert parts.words == "2 of 4 training texts"


def test_the_test_part_gives_them_up_where_the_training_part_would_be_left_with_too_few() -> None:
    parts = apart(TRAIN, TEST, (labelled(0, 0, 0, 0), labelled(0, 0, 0)), (3, 2))
    assert (parts.train.tolist(), parts.test.tolist()) == ([0, 1, 2, 3], [1, 2])
    assert parts.words == "1 of 3 test texts"


def test_a_label_that_would_lose_its_training_texts_counts_although_others_have_plenty() -> None:
    parts = apart(TRAIN, TEST, (labelled(1, 1, 0, 0), labelled(1, 1, 1)), (2, 2))
    assert parts.part == "test"


def test_what_was_short_before_is_nobodys_loss() -> None:
    """The training part lacks texts either way: it gives up the near-duplicates only where that lacks no more."""
    parts = apart(TRAIN, TEST, (labelled(0, 0, 0, 0), labelled(0, 0, 0)), (9, 2))
    assert parts.part == "test"
    whole = apart(TRAIN, TEST)  # everything is asked for: the smaller share goes
    assert (whole.part, whole.dropped) == ("test", 1)


def test_nothing_is_dropped_where_nothing_is_alike() -> None:
    parts = apart(TRAIN[2:], TEST[1:])
    assert (parts.dropped, parts.train.tolist(), parts.test.tolist()) == (0, [0, 1], [0, 1])
    assert parts.words == "0 of 2 training texts"
