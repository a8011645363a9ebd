"""lora: puts two passages into each text, of which one counts, and scores adapters that a judge has merged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError, Fault
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
from harness.measures.quality import accuracy, correct, macro_f1
from harness.measures.stats import bootstrap_draws, percentile_interval
from harness.records import Measurement, Series

RECIPE = Path(__file__).with_name("recipe.py")
BLOB_BYTES = 64 * 2**20
FEWEST_PER_CLASS = 5  # training texts, and test texts: under that, a class is left out
ORDERS = ("fixed", "random")
# Plain English words that name nothing a library documents; a pair is drawn that no passage holds.
OPENING_WORDS = """
    acorn amber anchovy apricot badger bakery balcony barley basil beetle blossom bonfire breeze butter
    cabin candle canyon carpet castle cedar cherry chimney cider clover copper cotton cradle cricket
    daisy desert donkey eagle ember falcon feather fiddle forest garlic ginger glacier goose granite
    harbour harvest hazel heron honey island ivory jasmine kettle ladder lantern lemon lily lobster
    maple marble meadow melon mitten mustard nectar nutmeg olive orchard otter oyster pantry parsley
    peach pebble pepper pigeon plum puddle quilt rabbit raven ribbon saddle saffron salmon silver
    sparrow squirrel sugar sunset swallow teapot thistle thunder tulip turtle velvet walnut willow window
    winter zebra
"""
OPENERS = tuple(OPENING_WORDS.split())
# The judge's numbers for what it refuses.
REFUSALS = {
    1: "it is no .npz of plain arrays, or is too large (numpy.savez of float32 arrays makes one)",
    2: "it names something that is no linear layer of the encoder",
    3: "a linear layer has only one of A and B",
    4: "an array is not float32, or A is not [r, in] and B not [out, r] with r from 1 to 64",
    5: "it holds, or leads to, values that are not finite",
    6: "head.weight [classes, width] or head.bias [classes] is missing or of another shape",
}

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Passages:
    """Passages and the class of each."""

    texts: tuple[str, ...]
    labels: Ints

    def take(self, rows: Ints) -> Passages:
        """The rows, in the order asked for."""
        return Passages(tuple(self.texts[i] for i in rows.tolist()), self.labels[rows])


@dataclass(frozen=True)
class Problem:
    """One problem of an instance: texts to learn from, texts to be asked, two opening words."""

    texts: tuple[str, ...]
    labels: Ints
    tested: tuple[str, ...]
    truth: Ints
    classes: int
    names: tuple[str, str]


def prepare(workbench: Workbench) -> Instance:
    """The instance for the workbench's seed, size and data."""
    size = workbench.size
    if size["order"] not in ORDERS:
        raise DataError(f"order {size['order']!r} is not known: the size must say one of {', '.join(ORDERS)}")
    data = workbench.text_classification()
    train, test = distinct(
        *(Passages(cut(part.texts, int(size["characters"])), part.labels) for part in (data.train, data.test))
    )
    problems = [draw_problem(train, test, workbench, number) for number in range(int(size["problems"]))]
    layers, budget = int(size["layers"]), int(size["budget"])
    encoder = workbench.derive("encoder", RECIPE, {"layers": layers}) if layers else workbench.model()
    trained = [learn(problem, number, budget) for number, problem in enumerate(problems)]
    predicted = [ask(problem, number) for number, problem in enumerate(problems)]
    return Instance(
        stages=(
            *(Stage(f"problem{number}", (request,)) for number, request in enumerate(trained)),
            Stage("judge", tuple(predicted), judge="judge"),
        ),
        hidden={
            "labels": [problem.truth for problem in problems],
            "classes": [problem.classes for problem in problems],
            "budget": budget,
        },
        models={"encoder": encoder},
        facts={
            "problems": len(problems),
            "training_texts": sum(len(problem.texts) for problem in problems),
            "test_texts": sum(len(problem.tested) for problem in problems),
            "classes": sum(problem.classes for problem in problems),
            "layers": layers,
            "order": str(size["order"]),
            "budget": budget,
        },
    )


def draw_problem(train: Passages, test: Passages, workbench: Workbench, number: int) -> Problem:
    """Draws the classes, passages, words and places of one problem from its own streams of the seed."""
    size = workbench.size

    def rng(name: str) -> np.random.Generator:
        return workbench.rng(f"{name} {number}")

    train, test, classes = choose_classes(train, test, size, rng("classes"))
    train = train.take(draw_evenly(train.labels, int(size["n_train"]), rng("train")))
    test = test.take(draw_evenly(test.labels, int(size["n_test"]), rng("test")))
    test = test.take(np.tile(np.arange(len(test.texts)), int(size["pairings"])))
    names = openers((*train.texts, *test.texts), rng("openers"))
    first = None if size["order"] == "random" else bool(rng("order").integers(2))
    texts = join(train, names, first, rng("train pairs"))
    tested = join(test, names, first, rng("test pairs"))
    check(train, test, texts, tested, names)
    return Problem(texts, train.labels, tested, test.labels, classes, names)


def learn(problem: Problem, number: int, budget: int) -> Request:
    """The request to train: the only one of its stage, so that each problem has a process of its own."""
    return Request(
        f"adapters-{number}",
        "train",
        {
            "texts": list(problem.texts),
            "labels": problem.labels,
            "num_classes": problem.classes,
            "wanted": problem.names[0],
            "other": problem.names[1],
            "budget": budget,
        },
        BlobSpec(BLOB_BYTES),
        count=len(problem.texts),
    )


def ask(problem: Problem, number: int) -> Request:
    """The request to the judge, who gets the file and the unseen texts and no label."""
    adapters = FromItem(f"adapters-{number}")
    return Request(
        f"predicted-{number}",
        "predict",
        {"adapters": adapters, "texts": list(problem.tested), "num_classes": problem.classes},
        ArraySpec("int64", (2 + len(problem.tested),), low=-1),
        group="judging",
        count=len(problem.tested),
    )


# ---------------------------------------------------------------- sampling


def cut(texts: Sequence[str], limit: int) -> tuple[str, ...]:
    """The texts, each ended before the word that would pass `limit` characters (0: no limit)."""
    if limit <= 0:
        return tuple(texts)
    return tuple(t if len(t) <= limit else t[: limit + 1].rpartition(" ")[0] or t[:limit] for t in texts)


def words(text: str) -> list[str]:
    """The text's words in lower case."""
    return re.findall(r"\w+", text.lower())


def distinct(train: Passages, test: Passages) -> tuple[Passages, Passages]:
    """Both parts without passages that repeat another's words; what stands in both stays in the test part."""
    seen: set[str] = set()

    def new(text: str) -> bool:
        key = " ".join(words(text))
        fresh = bool(key) and key not in seen
        seen.add(key)
        return fresh

    tested = [i for i, text in enumerate(test.texts) if new(text)]
    trained = [i for i, text in enumerate(train.texts) if new(text)]
    return train.take(np.array(trained, np.int64)), test.take(np.array(tested, np.int64))


def choose_classes(
    train: Passages, test: Passages, size: Mapping[str, Any], rng: np.random.Generator
) -> tuple[Passages, Passages, int]:
    """Both parts, cut down to `n_classes` classes drawn at random (0: all), numbered anew, and their number.

    They are drawn from the classes that have their share of `n_train` and `n_test`; where too few have
    it, from as many as are wanted of those that come closest.
    """
    most = int(max(train.labels.max(initial=-1), test.labels.max(initial=-1))) + 1
    trained, tested = (np.bincount(part.labels, minlength=most) for part in (train, test))
    able = np.flatnonzero(np.minimum(trained, tested) >= FEWEST_PER_CLASS)
    if len(able) < 2:
        raise DataError(
            f"{len(able)} classes have {FEWEST_PER_CLASS} passages in both parts, lora needs 2: "
            "use a larger data set"
        )
    wanted = min(int(size["n_classes"]) or len(able), len(able))
    filled = np.minimum(trained * wanted / int(size["n_train"]), tested * wanted / int(size["n_test"]))
    share = np.minimum(filled, 1.0)[able]
    enough = max(wanted, int((share >= 1.0).sum()))
    chosen = rng.permutation(able[np.argsort(-share, kind="stable")[:enough]])[:wanted]
    number = np.full(most, -1, dtype=np.int64)
    number[chosen] = np.arange(len(chosen))

    def keep(part: Passages) -> Passages:
        kept = part.take(np.flatnonzero(number[part.labels] >= 0))
        return Passages(kept.texts, number[kept.labels])

    return keep(train), keep(test), len(chosen)


def draw_evenly(labels: Ints, wanted: int, rng: np.random.Generator) -> Ints:
    """At most `wanted` rows (0: all) in random order, the classes as equal as their sizes allow."""
    if wanted <= 0 or wanted >= len(labels):
        return rng.permutation(len(labels))
    place = np.empty(len(labels), dtype=np.int64)  # a row's turn within its class
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        place[members] = rng.permutation(len(members))
    return rng.permutation(np.lexsort((rng.random(len(labels)), place))[:wanted])


def openers(texts: Sequence[str], rng: np.random.Generator) -> tuple[str, str]:
    """Two words that no passage holds: the one before what counts, and the one before what does not."""
    used = {word for text in texts for word in words(text)}
    free = [word for word in OPENERS if word not in used]
    if len(free) < 2:
        raise DataError(
            "every opening word stands in some passage: set `characters` lower or n_train smaller"
        )
    one, two = rng.permutation(len(free))[:2].tolist()
    return free[one], free[two]


def marked(opener: str, passage: str) -> str:
    """The passage with the opening word before each of its words."""
    return " ".join(f"{opener} {word}" for word in passage.split())


def join(
    counted: Passages, names: tuple[str, str], first: bool | None, rng: np.random.Generator
) -> tuple[str, ...]:
    """Each passage beside one of another class of the same part, their words behind their opening words.

    A passage that is there several times meets another one each time.

    first  whether what counts comes first; None draws it for every text
    """
    texts = []
    met: set[tuple[str, str]] = set()
    for text, label in zip(counted.texts, counted.labels.tolist(), strict=True):
        others = [i for i in np.flatnonzero(counted.labels != label) if (text, counted.texts[i]) not in met]
        beside = counted.texts[others[rng.integers(len(others))]]
        met.add((text, beside))
        parts = [marked(names[0], text), marked(names[1], beside)]
        leads = bool(rng.integers(2)) if first is None else first
        texts.append(" ".join(parts if leads else parts[::-1]))
    return tuple(texts)


def check(
    train: Passages, test: Passages, texts: Sequence[str], tested: Sequence[str], names: tuple[str, str]
) -> None:
    """The instance's invariants."""
    assert len(np.unique(train.labels)) == int(train.labels.max()) + 1, "a class has no training text"
    assert len(set(texts) | set(tested)) == len(texts) + len(tested), "a text appears twice"
    parts = [{" ".join(words(text)) for text in part.texts} for part in (train, test)]
    assert len(parts[0]) == len(train.texts), "a passage counts in two training texts"
    assert not parts[0] & parts[1], "a passage stands in both parts"
    for text in (*texts, *tested):
        openers, others = text.split()[::2], text.split()[1::2]
        assert len(openers) == len(others), "a word has no opening word"
        assert set(openers) == set(names), "each word must stand behind one of the two opening words"
        assert not set(words(" ".join(others))) & set(names), "an opening word stands in a passage"
    assert train.labels.dtype == np.int64


# ---------------------------------------------------------------- evaluation


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """Accuracy and macro-F1 of what the judge predicted, and the adapters' size by the budget.

    All problems are of one size, so the accuracy over all texts is the mean of the problems'. The
    classes of each problem count as classes of their own.
    """
    truths, classes = instance.hidden["labels"], instance.hidden["classes"]
    predictions, parameters = zip(
        *(opened(answers[f"predicted-{i}"]) for i in range(len(truths))), strict=True
    )
    if all(len(np.unique(one)) == 1 for one in predictions):
        raise Fault("wrong", "in every problem all predictions are of one class")
    starts = np.concatenate([[0], np.cumsum(classes)])
    predicted = np.concatenate([one + start for one, start in zip(predictions, starts, strict=False)])
    actual = np.concatenate([one + start for one, start in zip(truths, starts, strict=False)])
    total = int(starts[-1])
    pairs = np.column_stack([predicted, actual])

    def f1(rows: NDArray[Any]) -> float:
        return macro_f1(rows[:, 0], rows[:, 1], total)

    return Evaluation(
        measurements=(
            measured("accuracy", accuracy(predicted, actual), bootstrap_draws(correct(predicted, actual))),
            measured("macro_f1", f1(pairs), bootstrap_draws(pairs, f1)),
            exact("parameters", float(max(parameters))),
            exact("budget_share", max(parameters) / int(instance.hidden["budget"])),
        ),
        series=(
            curve(
                "accuracy of each problem",
                "problem",
                [accuracy(*pair) for pair in zip(predictions, truths, strict=True)],
            ),
            curve(
                "accuracy of each class, problem after problem",
                "class",
                [float((predicted[actual == c] == c).mean()) for c in range(total)],
            ),
        ),
    )


def opened(answer: Answer) -> tuple[Ints, int]:
    """The predictions in a judge's answer, and how many parameters it counted; a refusal is a fault."""
    values = np.asarray(answer, dtype=np.int64)
    if values[0]:
        raise Fault("malformed", f"the adapters were refused: {REFUSALS[int(values[0])]}")
    return values[2:], int(values[1])


def curve(name: str, of: str, values: Sequence[float]) -> Series:
    """A figure of each problem or class, by its number."""
    return Series(
        name=name,
        x_label=of,
        y_label="accuracy",
        x=tuple(float(number) for number in range(len(values))),
        y=tuple(values),
    )


def measured(name: str, value: float, draws: NDArray[np.float64]) -> Measurement:
    """A quality measurement with its interval, from values over resampled texts."""
    low, high = percentile_interval(draws)
    return Measurement(
        name=name, unit="", direction="higher", value=value, low=low, high=high, draws=tuple(draws)
    )


def exact(name: str, value: float) -> Measurement:
    """A count: its interval has no width."""
    return Measurement(name=name, unit="", direction="lower", value=value, low=value, high=value)
