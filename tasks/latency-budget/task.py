"""latency-budget: makes the given classifier, draws the texts that are served, and scores every answer.

The classifier depends on the size and the data only, so it is made once and cached; the seed decides which
texts calibrate, which are served, and in which order. No text is served twice, and none that is served was
in the classifier's training or in the calibration texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from harness.instances import Answer, ArraySpec, BlobSpec, Evaluation, FromItem, Instance, Request, Stage
from harness.measures import quality, stats
from harness.records import Measurement

RECIPE = Path(__file__).with_name("recipe.py")
ARTEFACT_BYTES = 192 * 2**20  # twice the fp32 weights: room for any honest artefact
WARMUP_SINGLES = 4
WARMUP_BATCHES = 3
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


def prepare(workbench: Any) -> Instance:
    """One instance: the classifier, the calibration texts, and the requests of both stages."""
    size = {name: int(value) for name, value in workbench.size.items()}
    data = workbench.text_classification()
    kept = most_frequent(data.train.labels, size["classes"])
    train = pool(data.train.texts, data.train.labels, kept)
    test = pool(data.test.texts, data.test.labels, kept, without=frozenset(train.texts))
    given, rest = split(train, size["train_texts"], np.random.default_rng(CLASSIFIER_SEED))
    calibration, _ = split(rest, size["calibration_texts"], workbench.rng("calibration"))
    served, _ = split(test, texts_needed(size), workbench.rng("served"))
    requests, labels = serving(served, size, len(kept), workbench.rng("order"))
    folder = workbench.derive("classifier", RECIPE, recipe_arguments(given, size, len(kept)))
    instance = Instance(
        stages=(
            Stage("optimise", (optimising(calibration),)),
            Stage("serve", (Request("load", "load", {"artefact": FromItem("artefact")}), *requests)),
        ),
        hidden={"labels": labels, "classes": len(kept)},
        models={"encoder": workbench.model(), "classifier": folder},
        facts=facts(served, labels, size, len(kept)),
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


def texts_needed(size: Mapping[str, int]) -> int:
    """How many texts one instance serves, warm-up included."""
    singles = size["singles"] + WARMUP_SINGLES
    return singles + (size["batches"] + WARMUP_BATCHES) * size["batch_size"]


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
    served: Pool, size: Mapping[str, int], classes: int, rng: np.random.Generator
) -> tuple[tuple[Request, ...], dict[str, Ints]]:
    """The requests of the second stage after `load`, and the labels of the scored ones by item.

    Warm-up first, as the runner asks; then single texts and batches in one random order, so that a
    request's place says nothing and both groups meet the same state of the machine.
    """
    widths = [1] * (size["singles"] + WARMUP_SINGLES)
    widths += [size["batch_size"]] * (size["batches"] + WARMUP_BATCHES)
    ends = np.cumsum(widths)
    names = [f"single-{n:04d}" for n in range(size["singles"] + WARMUP_SINGLES)]
    names += [f"batch-{n:04d}" for n in range(size["batches"] + WARMUP_BATCHES)]
    warm, timed, labels = [], [], {}
    for name, width, end in zip(names, widths, ends, strict=True):
        group, number = name.split("-")
        is_warm = int(number) < (WARMUP_SINGLES if group == "single" else WARMUP_BATCHES)
        request = Request(
            item=name,
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
            labels[name] = served.labels[end - width : end]
    order = rng.permutation(len(timed))
    return (*warm, *(timed[index] for index in order)), labels


def facts(
    served: Pool, labels: Mapping[str, Ints], size: Mapping[str, int], classes: int
) -> dict[str, int | float | str]:
    """Figures for the record; none of them tells an answer."""
    words = [len(text.split()) for text in served.texts]
    return {
        "classes": classes,
        "scored_texts": sum(len(part) for part in labels.values()),
        "batch_size": size["batch_size"],
        "max_length_tokens": size["max_length"],
        "words_median": float(np.median(words)),
        "words_p95": float(np.quantile(words, 0.95)),
    }


def check(instance: Instance, calibration: Pool) -> None:
    """Our own invariants."""
    requests = instance.stages[1].requests[1:]
    texts = [text for request in requests for text in request.arguments["texts"]]  # type: ignore[union-attr]
    scored = {request.item for request in requests if not request.warmup}
    assert len(set(texts)) == len(texts), "a text is served twice"
    assert not set(texts) & set(calibration.texts), "a served text is in the calibration texts"
    assert scored == set(instance.hidden["labels"]), "every timed answer is scored"
    assert {request.group for request in requests} == {"single", "batch"}
    seen = np.concatenate(list(instance.hidden["labels"].values()))
    assert len(np.unique(seen)) > 1, "the served texts are all of one class"


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """Accuracy over every timed answer, single texts and batches alike."""
    labels: Mapping[str, Ints] = instance.hidden["labels"]
    actual = np.concatenate([labels[item] for item in labels])
    predicted = np.concatenate([np.asarray(answers[item], dtype=np.int64) for item in labels])
    correct = quality.correct(predicted, actual)
    low, high = stats.bootstrap_interval(correct)
    classes = int(instance.hidden["classes"])
    macro_f1 = quality.macro_f1(predicted, actual, classes)
    return Evaluation(
        (
            Measurement(
                name="accuracy", unit="", direction="higher", value=float(correct.mean()), low=low, high=high
            ),
            Measurement(name="macro_f1", unit="", direction="higher", value=macro_f1),
        )
    )
