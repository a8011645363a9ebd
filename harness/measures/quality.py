"""Quality measures: predictions and answers in, floats out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def correct(predicted: Ints, actual: Ints) -> Floats:
    """1.0 where `predicted` equals `actual`, else 0.0; int64[n], int64[n] -> float64[n].

    Raises ValueError when the shapes differ.
    """
    if predicted.shape != actual.shape:
        raise ValueError(f"predicted has shape {predicted.shape}, actual {actual.shape}")
    return (predicted == actual).astype(np.float64)


def accuracy(predicted: Ints, actual: Ints) -> float:
    """The share of `predicted` that equals `actual`, 0 to 1."""
    return float(correct(predicted, actual).mean())


def macro_f1(predicted: Ints, actual: Ints, classes: int) -> float:
    """Unweighted mean of the F1 of each of `classes` classes, 0 to 1.

    A class that is neither predicted nor actual counts 0, as in scikit-learn's
    `f1_score(labels=range(classes), average="macro", zero_division=0)`, its oracle in the tests.
    """
    if predicted.shape != actual.shape:
        raise ValueError(f"predicted has shape {predicted.shape}, actual {actual.shape}")
    hit = np.bincount(actual[predicted == actual], minlength=classes)
    total = np.bincount(predicted, minlength=classes) + np.bincount(actual, minlength=classes)
    return float(np.mean(2.0 * hit / np.maximum(total, 1)))


def ndcg_at_k(ranking: Ints, relevant: Sequence[Mapping[int, float]], k: int) -> Floats:
    """Normalised discounted cumulative gain of each query's first k; int64[q, >=k] -> float64[q].

    Gain is the grade itself and the discount log2(rank + 1), as in trec_eval's ndcg_cut
    (Järvelin and Kekäläinen 2002, with the linear gain). A query with nothing relevant gives 0.
    """
    discount = 1.0 / np.log2(np.arange(k) + 2)
    values = np.zeros(len(relevant))
    for row, grades in enumerate(relevant):
        gains = np.array([grades.get(int(p), 0.0) for p in ranking[row, :k]])
        ideal = np.sort(np.fromiter(grades.values(), dtype=np.float64))[::-1][:k]
        best = float(ideal @ discount[: len(ideal)])
        values[row] = float(gains @ discount[: len(gains)]) / best if best > 0 else 0.0
    return values


def recall_at_k(ranking: Ints, relevant: Sequence[Mapping[int, float]], k: int) -> Floats:
    """Share of each query's relevant passages among its first k; int64[q, >=k] -> float64[q]."""
    values = np.zeros(len(relevant))
    for row, grades in enumerate(relevant):
        wanted = {passage for passage, grade in grades.items() if grade > 0}
        hits = wanted.intersection(int(p) for p in ranking[row, :k])
        values[row] = len(hits) / len(wanted) if wanted else 0.0
    return values


def reciprocal_rank(ranking: Ints, relevant: Sequence[Mapping[int, float]], k: int) -> Floats:
    """1 / rank of each query's first relevant passage among k, or 0; int64[q, >=k] -> float64[q]."""
    values = np.zeros(len(relevant))
    for row, grades in enumerate(relevant):
        for rank, passage in enumerate(ranking[row, :k], start=1):
            if grades.get(int(passage), 0.0) > 0:
                values[row] = 1.0 / rank
                break
    return values
