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
from harness.measures.canaries import altered_some, canary_gap
from harness.measures.stats import bootstrap_draws, percentile_interval
from harness.records import Measurement, Series
from harness.tasks import asked_again, beside

documents = beside(__file__, "documents")

RECIPE = Path(__file__).with_name("recipe.py")
MODEL_BYTES = 512 * 2**20  # what `train` may return: more than five times the whole encoder's weights
FIRST = (
    2  # in each process pair, right after `load`, within the time to be ready; their answers count as well
)
INTERVAL_DRAWS = 200

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def prepare(workbench: Workbench) -> Instance:
    """The instance for the workbench's seed, size and data."""
    firsts, warm = FIRST * workbench.pairs, int(workbench.size["n_warmup"]) * workbench.pairs
    tested = int(workbench.size["n_test"])
    size = {**workbench.size, "n_test": tested and tested + firsts}
    whole = workbench.multi_label()
    if whole is None:
        collection = documents.composed(workbench.text_classification(), size, warm, workbench)
    else:
        collection = documents.drawn(whole, size, workbench.rng("drawn"))
    check(collection)
    texts, canaries = altered_some(collection.test.texts, workbench.rng("canaries"))
    scored = numbered(texts, firsts)
    limits = {"layers": int(size["layers"]), "window": int(size["window"])}
    labels = collection.train.marks.shape[1]
    return Instance(
        stages=(
            train_stage(collection.train),
            serve_stage(scored, warming(collection.spare, warm), labels, workbench),
        ),
        hidden={
            "marks": dict(zip(scored, collection.test.marks, strict=True)),
            "altered": dict(zip(scored, canaries.tolist(), strict=True)),
        },
        models={"encoder": workbench.derive("window", RECIPE, limits)},
        facts={
            "training_documents": len(collection.train.texts),
            "test_documents": len(collection.test.texts),
            "altered_documents": int(canaries.sum()),
            "labels": labels,
            "median_words": int(np.median([len(text.split()) for text in collection.test.texts])),
            "window_tokens": limits["window"],
            "near_duplicates_dropped": collection.dropped,
        },
    )


def numbered(texts: Sequence[str], firsts: int) -> dict[str, str]:
    """The documents that are scored by item: `firsts` that pairs begin with, then the timed ones."""
    names = (f"first-{i}" if i < firsts else f"single-{i - firsts}" for i in range(len(texts)))
    return dict(zip(names, texts, strict=True))


def warming(spare: Sequence[str], wanted: int) -> Sequence[str]:
    """So many documents that only warm up; raises DataError when there are too few."""
    if len(spare) < wanted:
        raise DataError(
            f"{len(spare)} documents are left over, {wanted} are needed to warm up: lower n_warmup"
        )
    return spare[:wanted]


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


def serve_stage(scored: Mapping[str, str], warm: Sequence[str], labels: int, workbench: Workbench) -> Stage:
    """The model comes back in fresh workers; in each, documents are scored one by one. Further pairs ask them again."""

    def score(item: str, text: str, group: str, **how: bool) -> Request:
        spec = ArraySpec("float64", (1, labels))
        return Request(item, "score", {"documents": [text]}, spec, group=group, **how)

    requests = (
        *(score(item, text, "ready") for item, text in scored.items() if item.startswith("first")),
        *(
            score(f"warm-{i}", text, "single", timed=True, warmup=True, scored=False)
            for i, text in enumerate(warm)
        ),
        *(
            score(item, text, "single", timed=True)
            for item, text in scored.items()
            if item.startswith("single")
        ),
    )
    more = max(0, workbench.max_pairs - workbench.pairs)
    return Stage(
        "serve",
        requests,
        each=(Request("loaded", "load", {"model": FromItem("trained")}, None, group="ready"),),
        reserve=asked_again(requests, workbench.pairs, more, workbench.rng("reserve")),
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
    draws = bootstrap_draws(both, macro, draws=INTERVAL_DRAWS)
    low, high = percentile_interval(draws)
    each = average_precisions(scores, actual)
    value = float(np.mean(each))
    altered = np.array([instance.hidden["altered"][item] for item in items])
    return Evaluation(
        measurements=(
            Measurement(
                name="macro_ap",
                unit="",
                direction="higher",
                value=value,
                low=min(low, value),
                high=max(high, value),
                draws=tuple(draws),
            ),
            *canary_gap("macro_ap", both, altered, macro, draws=INTERVAL_DRAWS),
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
