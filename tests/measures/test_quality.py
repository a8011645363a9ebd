"""Quality measures against scikit-learn and ir_measures as oracles, against hand-worked figures, and in range."""

from __future__ import annotations

import math

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import RR, R, nDCG
from sklearn.metrics import accuracy_score, f1_score

from harness.measures import quality

K = 10
Grades = dict[int, float]


@pytest.mark.parametrize("seed", range(20))
def test_macro_f1_and_accuracy_are_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 12))
    actual = rng.integers(0, classes, size=int(rng.integers(1, 80)))
    predicted = np.where(rng.random(len(actual)) < 0.6, actual, rng.integers(0, classes, size=len(actual)))
    wanted = f1_score(actual, predicted, labels=range(classes), average="macro", zero_division=0)
    assert quality.macro_f1(predicted, actual, classes) == pytest.approx(wanted, abs=1e-12)
    assert quality.accuracy(predicted, actual) == pytest.approx(accuracy_score(actual, predicted), abs=1e-12)


def test_macro_f1_by_hand() -> None:
    actual, predicted = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1])
    # class 0: precision 1, recall 1/2, F1 2/3; class 1: precision 1/3, recall 1, F1 1/2; class 2: 0
    assert quality.macro_f1(predicted, actual, 3) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    # a fourth class that nobody names counts 0
    assert quality.macro_f1(predicted, actual, 4) == pytest.approx((2 / 3 + 1 / 2 + 0) / 4)
    assert list(quality.correct(predicted, actual)) == [1.0, 0.0, 1.0, 0.0]


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match=r"predicted has shape \(3,\), actual \(1,\)"):
        quality.macro_f1(np.zeros(3, int), np.zeros(1, int), 2)
    with pytest.raises(ValueError, match=r"predicted has shape \(3,\), actual \(3, 1\)"):
        quality.accuracy(np.zeros(3, int), np.zeros((3, 1), int))


def _retrieval(seed: int) -> tuple[np.ndarray, list[Grades]]:
    """Rankings of 4 to 15 passages, and grades 0 to 3 with ties, some queries with nothing relevant."""
    rng = np.random.default_rng(seed)
    passages, width = 40, int(rng.integers(4, 16))
    ranking = np.stack([rng.permutation(passages)[:width] for _ in range(12)])
    grades = []
    for row in range(12):
        judged = rng.permutation(passages)[: int(rng.integers(1, 20))]
        values = np.zeros(len(judged)) if row % 4 == 0 else rng.integers(0, 4, size=len(judged))
        grades.append({int(p): float(g) for p, g in zip(judged, values, strict=True)})
    return ranking, grades


@pytest.mark.parametrize("seed", range(10))
def test_ranking_measures_are_trec_evals(seed: int) -> None:
    ranking, grades = _retrieval(seed)
    qrels = {str(q): {str(p): int(g) for p, g in row.items()} for q, row in enumerate(grades)}
    scores = {str(q): {str(p): 100.0 - i for i, p in enumerate(row)} for q, row in enumerate(ranking)}
    oracle = {
        (m.query_id, str(m.measure)): m.value
        for m in ir_measures.iter_calc([nDCG @ K, R @ K, RR @ K], qrels, scores)
    }
    ours = {
        f"nDCG@{K}": quality.ndcg_at_k(ranking, grades, K),
        f"R@{K}": quality.recall_at_k(ranking, grades, K),
        f"RR@{K}": quality.reciprocal_rank(ranking, grades, K),
    }
    assert len(oracle) == 3 * len(grades)
    for (query, measure), wanted in oracle.items():
        assert ours[measure][int(query)] == pytest.approx(wanted, abs=1e-6), (query, measure)


def test_ranking_measures_by_hand() -> None:
    ranking = np.array([[7, 3, 9], [1, 2, 4]])
    grades: list[Grades] = [{3: 2.0, 9: 1.0, 5: 1.0}, {}]
    gained = 2 / math.log2(3) + 1 / math.log2(4)
    ideal = 2 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert quality.ndcg_at_k(ranking, grades, 3) == pytest.approx([gained / ideal, 0.0])
    assert quality.recall_at_k(ranking, grades, 3) == pytest.approx([2 / 3, 0.0])
    assert quality.reciprocal_rank(ranking, grades, 3) == pytest.approx([1 / 2, 0.0])
    # cut off before the first relevant passage
    assert quality.reciprocal_rank(ranking, grades, 1) == pytest.approx([0.0, 0.0])


def test_the_ideal_ranking_is_one() -> None:
    grades: list[Grades] = [{4: 3.0, 2: 2.0, 8: 2.0, 1: 1.0, 5: 0.0}]
    assert quality.ndcg_at_k(np.array([[4, 8, 2, 1]]), grades, 4) == pytest.approx([1.0])
    assert quality.ndcg_at_k(np.array([[4, 2, 8, 1]]), grades, 4) == pytest.approx([1.0])
    assert quality.ndcg_at_k(np.array([[1, 2, 8, 4]]), grades, 4)[0] < 0.9


@settings(max_examples=60, deadline=None)
@given(
    ranked=st.lists(st.integers(0, 30), min_size=1, max_size=15, unique=True),
    grades=st.dictionaries(st.integers(0, 30), st.sampled_from([0.0, 1.0, 2.0]), max_size=12),
    k=st.integers(1, 12),
)
def test_ranking_measures_lie_between_0_and_1(ranked: list[int], grades: Grades, k: int) -> None:
    ranking = np.array([ranked])
    for measure in (quality.ndcg_at_k, quality.recall_at_k, quality.reciprocal_rank):
        (value,) = measure(ranking, [grades], k)
        assert 0.0 <= value <= 1.0 + 1e-12
        found = any(grades.get(p, 0.0) > 0 for p in ranked[:k])
        assert (value > 0) == found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40))
def test_classification_measures_lie_between_0_and_1(pairs: list[tuple[int, int]]) -> None:
    predicted, actual = (np.array(side) for side in zip(*pairs, strict=True))
    f1, accuracy = quality.macro_f1(predicted, actual, 5), quality.accuracy(predicted, actual)
    assert 0.0 <= f1 <= 1.0
    assert 0.0 <= accuracy <= 1.0
    assert (f1 > 0) == (accuracy > 0)
    assert (accuracy == 1.0) == bool((predicted == actual).all())


def test_a_list_shorter_than_k_is_held_against_the_ideal_of_k() -> None:
    grades: list[Grades] = [{4: 0.5, 2: 0.5}]
    ideal = 0.5 / math.log2(2) + 0.5 / math.log2(3)
    assert quality.ndcg_at_k(np.array([[4]]), grades, 10) == pytest.approx([0.5 / ideal])
    assert quality.ndcg_at_k(np.array([[4]]), grades, 1) == pytest.approx([1.0])
