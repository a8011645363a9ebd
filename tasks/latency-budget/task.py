"""latency-budget: makes the given classifier, draws the texts that are served, and scores every answer.

The classifier depends on the size and the data only, so it is made once and cached; the seed decides which
texts calibrate, which are served, and in which order. No text is served twice, and none that is served was
in the classifier's training or in the calibration texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
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
from harness.measures import quality, stats
from harness.measures.canaries import altered_some, canary_gap
from harness.records import Measurement

RECIPE = Path(__file__).with_name("recipe.py")
ARTEFACT_BYTES = 192 * 2**20  # twice the fp32 weights: room for any honest artefact
WARMUP_SINGLES = 24  # for each process pair: enough to see whether it is steady
WARMUP_BATCHES = 2
MORE = "more-"  # before the items of pairs that are added
CLASSIFIER_SEED = 20240229  # the classifier is part of the task, not of an instance

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pool:
    """Texts, all different, with their classes."""

    texts: tuple[str, ...]
    labels: Ints

    def take(self, rows: Ints) -> Pool:
        """The texts at `rows`, in that order."""
        return Pool(tuple(self.texts[row] for row in rows), self.labels[rows])


def prepare(workbench: Workbench) -> Instance:
    """One instance: the classifier, the calibration texts, and the requests of both stages."""
    size = {name: int(value) for name, value in workbench.size.items()}
    data = workbench.text_classification()
    kept = most_frequent(data.train.labels, size["classes"])
    train = pool(data.train.texts, data.train.labels, kept)
    test = pool(data.test.texts, data.test.labels, kept, without=frozenset(train.texts))
    given, rest = split(train, size["train_texts"], np.random.default_rng(CLASSIFIER_SEED))
    calibration, unseen = split(rest, size["calibration_texts"], workbench.rng("calibration"))
    servable = Pool((*test.texts, *unseen.texts), np.concatenate([test.labels, unseen.labels]))
    per_pair = Counts.of(size, workbench.pairs)
    base = per_pair.times(workbench.pairs)
    more = (len(servable.texts) - base.texts) // per_pair.texts
    reserved = per_pair.times(max(0, min(workbench.max_pairs - workbench.pairs, more)))
    served, left = split(servable, base.texts, workbench.rng("served"))
    kept_back, _ = split(left, reserved.texts, workbench.rng("reserve"))
    served, canaries = with_canaries(served, workbench.rng("canaries"))
    kept_back, more_canaries = with_canaries(kept_back, workbench.rng("reserve canaries"))
    classes = len(kept)
    requests, labels = serving(served, base, classes, "", workbench.rng("order"))
    reserve, more_labels = serving(kept_back, reserved, classes, MORE, workbench.rng("reserve order"))
    marks = which((*requests, *reserve), canaries | more_canaries)
    folder = workbench.derive("classifier", RECIPE, recipe_arguments(given, size, len(kept)))
    instance = Instance(
        stages=(
            Stage("optimise", (optimising(calibration),)),
            Stage(
                "serve",
                requests,
                each=(Request("load", "load", {"artefact": FromItem("artefact")}),),
                reserve=reserve,
                paired=True,
            ),
        ),
        hidden={"labels": {**labels, **more_labels}, "classes": classes, "altered": marks},
        models={"encoder": workbench.model(), "classifier": folder},
        facts=facts(served, labels, size, classes, sum(int(marks[item].sum()) for item in labels)),
    )
    check(instance, calibration)
    return instance


def most_frequent(labels: Ints, classes: int) -> Ints:
    """The labels of the `classes` most frequent classes (0: of all), in ascending order."""
    found, counts = np.unique(labels, return_counts=True)
    if classes <= 0:
        return found
    order = np.lexsort((found, -counts))  # ties go to the lower label
    return np.sort(found[order[:classes]])


def pool(texts: tuple[str, ...], labels: Ints, kept: Ints, without: frozenset[str] = frozenset()) -> Pool:
    """The texts of the `kept` labels, each once, renumbered from 0 in the order of `kept`."""
    number = {int(label): index for index, label in enumerate(kept)}
    chosen: dict[str, int] = {}
    for text, label in zip(texts, labels, strict=True):
        if int(label) in number and text not in without and text.strip():
            chosen.setdefault(text, number[int(label)])
    return Pool(tuple(chosen), np.fromiter(chosen.values(), dtype=np.int64, count=len(chosen)))


def split(source: Pool, count: int, rng: np.random.Generator) -> tuple[Pool, Pool]:
    """`count` texts drawn without replacement, and the others."""
    if len(source.texts) < count:
        raise DataError(
            f"latency-budget needs {count} different texts of its classes in one part of the data, which has "
            f"{len(source.texts)}: take a larger data set or a smaller size"
        )
    order = rng.permutation(len(source.texts))
    return source.take(order[:count]), source.take(order[count:])


def with_canaries(source: Pool, rng: np.random.Generator) -> tuple[Pool, frozenset[str]]:
    """The texts, of which a share is altered, and those that are."""
    texts, chosen = altered_some(source.texts, rng)
    altered = frozenset(text for text, canary in zip(texts, chosen.tolist(), strict=True) if canary)
    return Pool(texts, source.labels), altered


def which(requests: Sequence[Request], altered: frozenset[str]) -> dict[str, NDArray[np.bool_]]:
    """By item, which texts of a request are altered."""
    return {r.item: np.array([t in altered for t in cast(list[str], r.arguments["texts"])]) for r in requests}


@dataclass(frozen=True)
class Counts:
    """How many requests of each kind, warm-up apart; `width` texts in a batch."""

    singles: int
    batches: int
    warm_singles: int
    warm_batches: int
    width: int

    @classmethod
    def of(cls, size: Mapping[str, int], pairs: int) -> Counts:
        """One process pair's share, rounded up."""
        singles, batches = -(-size["singles"] // pairs), -(-size["batches"] // pairs)
        return cls(singles, batches, WARMUP_SINGLES, WARMUP_BATCHES, size["batch_size"])

    def times(self, pairs: int) -> Counts:
        """So many pairs' shares."""
        return Counts(
            self.singles * pairs,
            self.batches * pairs,
            self.warm_singles * pairs,
            self.warm_batches * pairs,
            self.width,
        )

    @property
    def texts(self) -> int:
        """How many texts they take, each used once."""
        return self.singles + self.warm_singles + (self.batches + self.warm_batches) * self.width


def recipe_arguments(given: Pool, size: Mapping[str, int], classes: int) -> dict[str, Any]:
    """What recipe.py makes the classifier from: the same for every seed."""
    return {
        "texts": list(given.texts),
        "labels": given.labels,
        "num_classes": classes,
        "max_length": size["max_length"],
        "frozen_layers": size["frozen_layers"],
        "epochs": size["epochs"],
    }


def optimising(calibration: Pool) -> Request:
    """The one request of the first stage."""
    arguments = {"texts": list(calibration.texts), "labels": calibration.labels}
    return Request("artefact", "optimise", arguments, returns=BlobSpec(ARTEFACT_BYTES))


def serving(
    served: Pool, counts: Counts, classes: int, prefix: str, rng: np.random.Generator
) -> tuple[tuple[Request, ...], dict[str, Ints]]:
    """The requests of the second stage after `load`, and the labels of the scored ones by item.

    Warm-up first; then single texts and batches in one random order, so that a request's place says
    nothing and both groups meet the same state of the machine.
    """
    kinds = (
        ("batch", counts.warm_batches, counts.width, True),
        ("single", counts.warm_singles, 1, True),
        ("single", counts.singles, 1, False),
        ("batch", counts.batches, counts.width, False),
    )
    warm: list[Request] = []
    timed: list[Request] = []
    labels: dict[str, Ints] = {}
    end = 0
    for group, count, width, is_warm in kinds:
        for number in range(count):
            end += width
            item = f"{prefix}{'warm-' if is_warm else ''}{group}-{number:04d}"
            request = Request(
                item=item,
                phase="predict",
                arguments={"texts": list(served.texts[end - width : end])},
                returns=ArraySpec("int64", (width,), low=0, high=classes - 1),
                group=group,
                timed=True,
                warmup=is_warm,
                count=width,
            )
            (warm if is_warm else timed).append(request)
            if not is_warm:
                labels[item] = served.labels[end - width : end]
    order = rng.permutation(len(timed))
    return (*warm, *(timed[index] for index in order)), labels


def facts(
    served: Pool, labels: Mapping[str, Ints], size: Mapping[str, int], classes: int, altered: int
) -> dict[str, int | float | str]:
    """Figures for the record; none of them tells an answer."""
    words = [len(text.split()) for text in served.texts]
    return {
        "classes": classes,
        "scored_texts": sum(len(part) for part in labels.values()),
        "altered_texts": altered,
        "batch_size": size["batch_size"],
        "max_length_tokens": size["max_length"],
        "words_median": float(np.median(words)),
        "words_p95": float(np.quantile(words, 0.95)),
    }


def check(instance: Instance, calibration: Pool) -> None:
    """Our own invariants."""
    requests = (*instance.stages[1].requests, *instance.stages[1].reserve)
    texts = [text for request in requests for text in cast(list[str], request.arguments["texts"])]
    scored = {request.item for request in requests if not request.warmup}
    assert len(set(texts)) == len(texts), "a text is served twice"
    assert not set(texts) & set(calibration.texts), "a served text is in the calibration texts"
    assert scored == set(instance.hidden["labels"]), "every timed answer is scored"
    assert {request.group for request in requests} == {"single", "batch"}
    assert all(group_of(r.item) == r.group for r in requests if not r.warmup)
    seen = np.concatenate(list(instance.hidden["labels"].values()))
    assert len(np.unique(seen)) > 1, "the served texts are all of one class"


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """Accuracy over every timed answer that is given, and over single texts and batches each by itself."""
    labels: Mapping[str, Ints] = instance.hidden["labels"]
    given = [item for item in labels if item in answers]
    actual = np.concatenate([labels[item] for item in given])
    predicted = np.concatenate([np.asarray(answers[item], dtype=np.int64) for item in given])
    correct = quality.correct(predicted, actual)
    groups = np.repeat([group_of(item) for item in given], [len(labels[item]) for item in given])
    macro_f1 = quality.macro_f1(predicted, actual, int(instance.hidden["classes"]))
    return Evaluation(
        (
            accuracy("accuracy", correct),
            *(accuracy(f"{group}_accuracy", correct[groups == group]) for group in np.unique(groups)),
            *canary_gap(
                "accuracy", correct, np.concatenate([instance.hidden["altered"][item] for item in given])
            ),
            Measurement(name="macro_f1", unit="", direction="higher", value=macro_f1),
        )
    )


def group_of(item: str) -> str:
    """The group of a scored item: `single` or `batch`."""
    return item.removeprefix(MORE).split("-")[0]


def accuracy(name: str, correct: NDArray[np.float64]) -> Measurement:
    """The share of float64[n] that is right, with its interval and draws."""
    draws = stats.bootstrap_draws(correct)
    low, high = stats.percentile_interval(draws)
    return Measurement(
        name=name,
        unit="",
        direction="higher",
        value=float(correct.mean()),
        low=low,
        high=high,
        draws=tuple(draws),
    )
