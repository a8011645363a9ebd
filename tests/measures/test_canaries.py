"""Altered texts: other words for the same, no start and hardly a pair of words left, the same for the same seed."""

from __future__ import annotations

import re

import numpy as np
import pytest

from harness.measures.canaries import ALTERED, GAP_NAME, SHARE, UNTOUCHED, altered, altered_some, canary_gap
from harness.measures.shingles import LEAST, shingles
from harness.measures.synonyms import EQUALS

TEXTS = (
    "Compute the arithmetic mean along the specified axis.",
    "Return the indices of the maximum values along an axis.",
    "Wrapper around sparse matrices used by the solver",
    "Fit a Gaussian mixture model with 3 components.",
    "Raise an error if two arrays are not equal up to desired precision.",
    "I bought two tickets for the movie and it was the best one of the year.",
    "How can I change the address that my card was sent to?",
)
GERMAN = "Dieser Satz hat keine englischen Worte und wird deshalb anders behandelt"


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("seed", range(5))
def test_no_look_up_of_words_in_a_row_finds_an_altered_text(text: str, seed: int) -> None:
    other = altered(text, np.random.default_rng(seed))
    for count in (3, 4, 5, 6):
        assert words(other)[:count] != words(text)[:count]
    runs = {tuple(words(text)[i : i + 4]) for i in range(len(words(text)) - 3)}
    assert not runs & {tuple(words(other)[i : i + 4]) for i in range(len(words(other)) - 3)}
    own, changed = shingles(text), shingles(other)
    assert len(own & changed) / len(own | changed) < LEAST


@pytest.mark.parametrize("text", TEXTS)
def test_a_reader_still_finds_what_it_is_about(text: str) -> None:
    """Every word that has no near equal is still there, in its order."""
    other = words(altered(text, np.random.default_rng(0)))
    kept = [word for word in words(text) if word not in EQUALS and not word.isdigit()]
    places = [other.index(word) for word in kept]
    assert places == sorted(places)
    assert len(other) <= 2 * len(words(text)) + 4


def test_capitals_punctuation_and_lines_are_kept_where_words_change() -> None:
    other = altered("(Returns) the axis.\n\nNew lines, then.", np.random.default_rng(2))
    assert [bool(line) for line in other.split("\n")] == [True, False, True]
    assert re.search(r"\((Gives|gives|Hands|hands) back\)", other)


def test_a_text_of_another_language_has_its_words_in_another_order() -> None:
    other = altered(GERMAN, np.random.default_rng(0))
    assert other != GERMAN
    assert sorted(other.split()) == sorted(GERMAN.split())


def test_a_text_without_words_stays() -> None:
    assert altered("", np.random.default_rng(0)) == ""
    assert altered("42", np.random.default_rng(0)) == "42"


def test_a_share_drawn_by_the_seed_is_altered_and_no_two_become_equal() -> None:
    texts = [f"{text} {i}" for i in range(10) for text in TEXTS]
    made, chosen = altered_some(texts, np.random.default_rng(4))
    again, _ = altered_some(texts, np.random.default_rng(4))
    _, other = altered_some(texts, np.random.default_rng(5))
    assert made == again
    assert chosen.sum() == other.sum() == round(SHARE * len(texts))
    assert (chosen != other).any()
    assert all((a != b) == canary for a, b, canary in zip(texts, made, chosen.tolist(), strict=True))
    assert len(set(made)) == len(made)


def test_equal_words_lead_to_others_and_never_to_themselves() -> None:
    for word, others in EQUALS.items():
        assert word == word.lower()
        assert others
        assert word not in others


def test_what_is_better_on_untouched_texts_shows_as_a_gap_with_its_interval() -> None:
    right = np.array([1.0] * 90 + [0.0] * 10 + [1.0] * 5 + [0.0] * 15)
    which = np.arange(120) >= 100
    found = {m.name: m for m in canary_gap("accuracy", right, which)}
    assert found[f"{UNTOUCHED}accuracy"].value == 0.9
    assert found[f"{ALTERED}accuracy"].value == 0.25
    gap = found[GAP_NAME]
    assert gap.value == pytest.approx(0.65)
    assert gap.low is not None
    assert gap.high is not None
    assert 0.4 < gap.low < 0.65 < gap.high < 0.9


def test_without_texts_of_both_kinds_there_is_no_gap() -> None:
    for which in (np.ones(5, np.bool_), np.zeros(5, np.bool_)):
        assert canary_gap("accuracy", np.ones(5), which) == ()
