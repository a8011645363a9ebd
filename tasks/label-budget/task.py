"""label-budget: two collections of texts, one in plain words and one in a code, whose labels arrive bit by bit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError, Fault
from harness.instances import Answer, ArraySpec, Evaluation, Instance, Request, Stage, Workbench
from harness.measures.canaries import altered_some, canary_gap
from harness.measures.quality import macro_f1
from harness.measures.shingles import apart, near
from harness.measures.stats import bootstrap_draws, percentile_interval
from harness.records import Measurement, Series

FEWEST_TESTED = 4  # texts of each class in the test part
BATCH = 40  # texts in one call of `predict`
PLAIN, CODED = "plain", "coded"
# What the code replaces; it leaves nothing else of a text, or punctuation would tell texts apart.
WORD = re.compile(r"\w+")

Ints = NDArray[np.int64]
Code = Mapping[str, str]


@dataclass(frozen=True)
class Texts:
    """Texts and their labels."""

    texts: tuple[str, ...]
    labels: Ints

    def take(self, rows: Ints | list[int]) -> Texts:
        """The rows, in the order asked for."""
        index = np.asarray(rows, dtype=np.int64)
        return Texts(tuple(self.texts[i] for i in index.tolist()), self.labels[index])


@dataclass(frozen=True)
class Collection:
    """Texts of some classes, numbered from 0. `train` is ordered so that any budget is its beginning."""

    name: str
    train: Texts
    test: Texts

    def budget(self, per_class: int, classes: int) -> Texts:
        """The first `per_class` training texts of every class."""
        return self.train.take(np.arange(per_class * classes))


def prepare(workbench: Workbench) -> Instance:
    """The instance for the workbench's seed, size and data."""
    size = workbench.size
    budgets = parse_budgets(str(size["budgets"]))
    data = workbench.text_classification()
    most = int(size["characters"])
    train, test = distinct(
        Texts(cut(data.train.texts, most), data.train.labels),
        Texts(cut(data.test.texts, most), data.test.labels),
    )
    counts = budgets[-1], int(size["tests_per_class"])
    parts = apart(train.texts, test.texts, (train.labels, test.labels), counts)
    train, test = train.take(parts.train), test.take(parts.test)
    groups = choose_classes(train, test, budgets[-1], int(size["n_classes"]), workbench.rng("classes"))
    classes = len(groups[0])
    collections = [
        draw(name, (train, test), chosen, counts, workbench.rng(name))
        for name, chosen in zip((PLAIN, CODED), groups, strict=True)
    ]
    collections[1] = encode(collections[1], make_code(collections[1], workbench.rng("code")))
    check(collections, budgets, classes)
    collections[0], canaries = with_canaries(collections[0], workbench.rng("canaries"))
    return Instance(
        stages=(stage(collections, budgets, classes, workbench.rng("order")),),
        hidden={
            "labels": {c.name: c.test.labels for c in collections},
            "budgets": budgets,
            "classes": classes,
            "altered": canaries,
        },
        models={"encoder": workbench.model("encoder")},
        facts={
            "budgets": ", ".join(map(str, budgets)),
            "classes": classes,
            "test_texts": sum(len(c.test.texts) for c in collections),
            "near_duplicates_dropped": parts.words,
            "altered_texts": int(canaries.sum()),
        },
    )


# ---------------------------------------------------------------- sampling


def parse_budgets(text: str) -> tuple[int, ...]:
    """Labels a class, as the size lists them; raises DataError unless they are at least 2 and increase."""
    try:
        budgets = tuple(int(part) for part in text.split(","))
    except ValueError:
        budgets = ()
    if not budgets or budgets[0] < 2 or any(b <= a for a, b in pairwise(budgets)):
        raise DataError(f'budgets {text!r} must be increasing whole numbers from 2 on, such as "2,8,32"')
    return budgets


def cut(texts: Sequence[str], limit: int) -> tuple[str, ...]:
    """The texts in lower case, each ended before the word that would pass `limit` characters (0: no limit)."""
    lowered = (text.lower() for text in texts)
    if limit <= 0:
        return tuple(lowered)
    return tuple(t if len(t) <= limit else t[: limit + 1].rpartition(" ")[0] or t[:limit] for t in lowered)


def normalised(text: str) -> str:
    """The text's words: texts that agree in them count as the same."""
    return " ".join(re.findall(r"\w+", text))


def distinct(train: Texts, test: Texts) -> tuple[Texts, Texts]:
    """Both parts without repeated texts, and the training part without texts of the test part."""
    seen: set[str] = set()

    def new(text: str) -> bool:
        key = normalised(text)
        fresh = bool(key) and key not in seen
        seen.add(key)
        return fresh

    tested = [i for i, text in enumerate(test.texts) if new(text)]
    trained = [i for i, text in enumerate(train.texts) if new(text)]
    return train.take(trained), test.take(tested)


def choose_classes(
    train: Texts, test: Texts, largest: int, wanted: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """The classes of the two collections, `wanted` each (0: as many as there are); none is in both.

    That keeps the plain texts from telling what the coded ones mean.
    """
    count = int(max(train.labels.max(initial=-1), test.labels.max(initial=-1))) + 1
    trained = np.bincount(train.labels, minlength=count)
    tested = np.bincount(test.labels, minlength=count)
    able = rng.permutation(np.flatnonzero((trained >= largest) & (tested >= FEWEST_TESTED)))
    each = wanted or len(able) // 2
    if each < 2 or len(able) < 2 * each:
        raise DataError(
            f"{len(able)} classes have {largest} training and {FEWEST_TESTED} test texts, two collections of "
            f"{max(each, 2)} classes are needed: lower n_classes or the largest budget"
        )
    return able[:each], able[each : 2 * each]


def draw(
    name: str, parts: tuple[Texts, Texts], chosen: Ints, counts: tuple[int, int], rng: np.random.Generator
) -> Collection:
    """A collection of the chosen classes: `counts` training and (at most) test texts of each."""
    drawn = []
    for part, count in zip(parts, counts, strict=True):
        members = [rng.permutation(np.flatnonzero(part.labels == label))[:count] for label in chosen]
        # Round by round over the classes, each round in random order: every beginning is balanced.
        rounds = [rng.permutation([m[i] for m in members if i < len(m)]) for i in range(count)]
        taken = part.take(np.concatenate(rounds).astype(np.int64))
        number = {int(label): i for i, label in enumerate(chosen)}
        drawn.append(Texts(taken.texts, np.array([number[int(v)] for v in taken.labels], dtype=np.int64)))
    train, test = drawn
    # The rounds of the test part would tell that so many texts in a row are all of different classes.
    return Collection(name, train, test.take(rng.permutation(len(test.texts))))


def with_canaries(plain: Collection, rng: np.random.Generator) -> tuple[Collection, NDArray[np.bool_]]:
    """The collection with a share of its test texts altered, and which. The coded one needs none: no words are left."""
    texts, chosen = altered_some(plain.test.texts, rng)
    test = Texts(tuple(text.lower() for text in texts), plain.test.labels)
    return Collection(plain.name, plain.train, test), chosen


# ---------------------------------------------------------------- the code


def make_code(collection: Collection, rng: np.random.Generator) -> dict[str, str]:
    """A permutation of the collection's words: every word stands for another one, always the same."""
    both = (*collection.train.texts, *collection.test.texts)
    words = sorted({word for text in both for word in WORD.findall(text)})
    order = rng.permutation(len(words)).tolist()
    return {word: words[i] for word, i in zip(words, order, strict=True)}


def encode(collection: Collection, code: Code) -> Collection:
    """The collection with every word replaced by the one that stands for it, and blanks alone between words."""

    def translate(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(" ".join(code[word] for word in WORD.findall(text)) for text in texts)

    return Collection(
        collection.name,
        Texts(translate(collection.train.texts), collection.train.labels),
        Texts(translate(collection.test.texts), collection.test.labels),
    )


# ---------------------------------------------------------------- requests


def check(collections: Sequence[Collection], budgets: Sequence[int], classes: int) -> None:
    """The instance's invariants."""
    for c in collections:
        keys = [normalised(text) for text in (*c.train.texts, *c.test.texts)]
        assert len(set(keys)) == len(keys), "a text appears twice"
        # The code keeps which texts are alike, since it gives every word another one's place.
        assert not near(c.train.texts, c.test.texts).nnz, "a test text has a near-duplicate in training"
        for budget in budgets:
            counts = np.bincount(c.budget(budget, classes).labels, minlength=classes)
            assert (counts == budget).all(), "a budget is not the same for every class"
        assert np.bincount(c.test.labels, minlength=classes).min() >= FEWEST_TESTED


def stage(
    collections: Sequence[Collection], budgets: Sequence[int], classes: int, rng: np.random.Generator
) -> Stage:
    """One worker: the collections in random order, and for each at every budget a training, then predictions.

    All calls are of one group: only their total counts, whenever the work is done.
    """
    requests = []
    for collection in [collections[i] for i in rng.permutation(len(collections)).tolist()]:
        for budget in budgets:
            name, given = f"{collection.name}-{budget}", collection.budget(budget, classes)
            arguments = {"texts": list(given.texts), "labels": given.labels, "num_classes": classes}
            n = len(given.texts)
            requests.append(Request(f"{name}-train", "train", arguments, None, group="work", count=n))
            requests += predictions(name, collection.test, classes)
    return Stage("serve", tuple(requests))


def predictions(name: str, test: Texts, classes: int) -> list[Request]:
    """The requests for the whole test part, in batches."""
    requests = []
    for number, rows in enumerate(batches(len(test.texts))):
        spec = ArraySpec("int64", (len(rows),), low=0, high=classes - 1)
        texts = {"texts": list(test.take(rows).texts)}
        requests.append(Request(f"{name}-{number}", "predict", texts, spec, group="work", count=len(rows)))
    return requests


def batches(n: int) -> list[Ints]:
    """Rows 0 to n - 1 in runs of at most BATCH."""
    return [np.arange(start, min(start + BATCH, n)) for start in range(0, n, BATCH)]


# ---------------------------------------------------------------- evaluation


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """Macro-F1 at every budget of each collection, and their means."""
    hidden = instance.hidden
    classes, budgets = int(hidden["classes"]), hidden["budgets"]
    labels: Mapping[str, Ints] = hidden["labels"]
    predicted = {name: gather(name, budgets, len(actual), answers) for name, actual in labels.items()}
    values = np.unique(np.concatenate([table.ravel() for table in predicted.values()]))
    if len(values) == 1:
        raise Fault("wrong", f"every prediction of every collection is class {values[0]}")
    curves, draws = {}, {}
    for name, table in predicted.items():
        rows: NDArray[Any] = np.column_stack([table, labels[name]])
        curves[name] = f1_by_budget(rows, classes)
        draws[name] = bootstrap_draws(rows, lambda r: float(np.mean(f1_by_budget(r, classes))))
    by_collection = [
        measured(f"macro_f1_{n}", float(np.mean(curve)), draws[n]) for n, curve in curves.items()
    ]
    mean = float(np.mean([m.value for m in by_collection]))
    series = tuple(
        Series(
            name=f"macro-F1, {name} words",
            x_label="labels a class",
            y_label="macro-F1",
            x=tuple(float(b) for b in budgets),
            y=curve,
        )
        for name, curve in curves.items()
    )
    overall = measured("macro_f1", mean, np.mean(list(draws.values()), axis=0))
    right = (predicted[PLAIN] == labels[PLAIN][:, None]).mean(axis=1)
    gap = canary_gap("plain_accuracy", right, instance.hidden["altered"])
    return Evaluation(measurements=(overall, *by_collection, *gap), series=series)


def gather(name: str, budgets: Sequence[int], n: int, answers: Mapping[str, Answer]) -> Ints:
    """The predictions for a collection: int64[n, budgets]."""
    columns = [
        np.concatenate([np.asarray(answers[f"{name}-{b}-{i}"]) for i in range(len(batches(n)))])
        for b in budgets
    ]
    return np.stack(columns, axis=1).astype(np.int64)


def f1_by_budget(rows: NDArray[Any], classes: int) -> tuple[float, ...]:
    """Macro-F1 of each column of `rows` against the last one; int64[n, budgets + 1]."""
    return tuple(macro_f1(rows[:, i], rows[:, -1], classes) for i in range(rows.shape[1] - 1))


def measured(name: str, value: float, draws: NDArray[np.float64]) -> Measurement:
    """A quality measurement with its interval, from values over resampled texts."""
    low, high = percentile_interval(draws)
    return Measurement(
        name=name, unit="", direction="higher", value=value, low=low, high=high, draws=tuple(draws)
    )
