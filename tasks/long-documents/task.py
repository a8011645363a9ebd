"""long-documents: gives out documents many times longer than the encoder's window, scores how labels rank them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError, Fault, TaskError
from harness.instances import (
    Answer,
    ArraySpec,
    BlobSpec,
    Evaluation,
    FromItem,
    Instance,
    Request,
    Stage,
    Workbench,
)
from harness.measures.stats import bootstrap_draws, percentile_interval
from harness.records import Measurement, Series
from harness.tasks import beside

documents = beside(__file__, "documents")

RECIPE = Path(__file__).with_name("recipe.py")
MODEL_BYTES = 512 * 2**20  # what `train` may return: more than five times the whole encoder's weights
FIRST = 2  # scored right after `load`, within the time to be ready; their answers do not count
INTERVAL_DRAWS = 200

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def prepare(workbench: Workbench) -> Instance:
    """The instance for the workbench's seed, size and data."""
    size = workbench.size
    whole = workbench.multi_label()
    if whole is None:
        spare = spare_wanted(size, workbench.pairs, workbench.max_pairs)
        collection = documents.composed(workbench.text_classification(), size, spare, workbench)
    else:
        collection = documents.drawn(whole, size, workbench.rng("drawn"))
    check(collection)
    limits = {"layers": int(size["layers"]), "window": int(size["window"])}
    labels = collection.train.marks.shape[1]
    return Instance(
        stages=(
            train_stage(collection.train),
            serve_stage(
                collection.test.texts, collection.spare, labels, size, (workbench.pairs, workbench.max_pairs)
            ),
        ),
        hidden={"marks": {f"single-{i}": row for i, row in enumerate(collection.test.marks)}},
        models={"encoder": workbench.derive("window", RECIPE, limits)},
        facts={
            "training_documents": len(collection.train.texts),
            "test_documents": len(collection.test.texts),
            "labels": labels,
            "median_words": int(np.median([len(text.split()) for text in collection.test.texts])),
            "window_tokens": limits["window"],
        },
    )


def spare_wanted(size: Mapping[str, Any], pairs: int, most: int) -> int:
    """How many documents are asked for that do not count: first ones, warm-up, and further pairs' share."""
    unscored = (FIRST + int(size["n_warmup"])) * most
    return unscored + -(-int(size["n_test"]) // pairs) * (most - pairs)


def check(collection: Any) -> None:
    """The instance's invariants."""
    train, test = collection.train, collection.test
    for part in (train, test):
        assert part.marks.dtype == np.int64
        assert set(np.unique(part.marks)) == {0, 1}
        having = part.marks.mean(axis=0)
        assert ((having > 0) & (having < 1)).all(), "a label says nothing: every document has it, or none"
    keys = [documents.normalised(text) for text in train.texts]
    assert not {documents.normalised(text) for text in test.texts} & {*keys}, "a document is in both parts"


# ---------------------------------------------------------------- requests


def train_stage(train: Any) -> Stage:
    """One request: documents and marks in, the trained model's bytes out."""
    arguments = {"documents": list(train.texts), "marks": train.marks}
    return Stage(
        "train", (Request("trained", "train", arguments, BlobSpec(MODEL_BYTES), count=len(train.texts)),)
    )


def serve_stage(
    texts: Sequence[str], spare: Sequence[str], labels: int, size: Mapping[str, Any], pairs: tuple[int, int]
) -> Stage:
    """The model comes back in fresh workers; in each, documents are scored one by one.

    Raises DataError when the spare documents do not suffice for the first ones and the warm-up.
    """
    base, most = pairs
    unscored = FIRST + int(size["n_warmup"])
    share = -(-len(texts) // base)
    if len(spare) < unscored * base:
        raise DataError(
            f"{len(spare)} documents are left over, {unscored * base} are needed to warm up: lower n_warmup"
        )
    more = max(0, min(most - base, (len(spare) - unscored * base) // (unscored + share)))
    total = base + more
    first, warm = spare[: FIRST * total], spare[FIRST * total : unscored * total]
    rest = spare[unscored * total :][: share * more]

    def score(item: str, text: str, group: str, **how: bool) -> Request:
        spec = ArraySpec("float64", (1, labels))
        return Request(item, "score", {"documents": [text]}, spec, group=group, **how)

    firsts = [score(f"first-{i}", text, "ready", scored=False) for i, text in enumerate(first)]
    warms = [score(f"warm-{i}", text, "single", timed=True, warmup=True) for i, text in enumerate(warm)]
    singles = [score(f"single-{i}", text, "single", timed=True) for i, text in enumerate(texts)]
    reserve = [score(f"more-{i}", text, "single", timed=True, scored=False) for i, text in enumerate(rest)]
    n_warm = (unscored - FIRST) * base
    return Stage(
        "serve",
        (*firsts[: FIRST * base], *warms[:n_warm], *singles),
        each=(Request("loaded", "load", {"model": FromItem("trained")}, None, group="ready"),),
        reserve=(*firsts[FIRST * base :], *warms[n_warm:], *reserve),
        paired=True,
    )


# ---------------------------------------------------------------- evaluation


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """Average precision of each label over the scored documents that were asked for, and its mean."""
    marks: Mapping[str, Ints] = instance.hidden["marks"]
    items = [item for item in marks if item in answers]
    if not items:
        raise TaskError("no scored request of long-documents was answered: its stage serve asks for none")
    actual = np.array([marks[item] for item in items])
    scores = np.concatenate([np.asarray(answers[item], dtype=np.float64) for item in items])
    if (scores == scores[0]).all():
        raise Fault("wrong", f"all {len(scores)} documents got the same scores")
    labels = actual.shape[1]

    def macro(rows: NDArray[Any]) -> float:
        return float(np.mean(average_precisions(rows[:, :labels], rows[:, labels:])))

    both = np.column_stack([scores, actual])
    low, high = percentile_interval(bootstrap_draws(both, macro, draws=INTERVAL_DRAWS))
    each = average_precisions(scores, actual)
    value = float(np.mean(each))
    return Evaluation(
        measurements=(
            Measurement(
                name="macro_ap",
                unit="",
                direction="higher",
                value=value,
                low=min(low, value),
                high=max(high, value),
            ),
        ),
        series=(
            Series(
                name="average precision of each label",
                x_label="label",
                y_label="average precision",
                x=tuple(float(label) for label in range(labels)),
                y=tuple(each.tolist()),
            ),
        ),
    )


def average_precisions(scores: Floats, marks: NDArray[Any]) -> Floats:
    """Each label's average precision: scores and marks [n, labels] -> float64[labels].

    The sum over distinct scores, from the highest, of the precision at that score times the recall it
    adds, as in scikit-learn's `average_precision_score`, its oracle in the tests: documents with the
    same score come in at once. A label that no document has gets 0.
    """
    values = np.zeros(scores.shape[1])
    for label in range(scores.shape[1]):
        order = np.argsort(-scores[:, label], kind="stable")
        ranked = scores[order, label]
        last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # of each run of equal scores
        hits = np.cumsum(marks[order, label])[last]
        gained = np.diff(hits, prepend=0)
        values[label] = float((gained * hits / (last + 1)).sum() / max(hits[-1], 1))
    return values
