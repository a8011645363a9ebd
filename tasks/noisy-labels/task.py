"""noisy-labels: samples texts for a seed, makes a share of the training labels wrong, scores on clean ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from harness.measures.quality import accuracy, correct, macro_f1
from harness.measures.shingles import apart, near
from harness.measures.stats import bootstrap_draws, percentile_interval
from harness.records import Measurement, Series
from harness.tasks import asked_again

FEWEST_PER_CLASS = 8  # training texts: under that, no class can be told from its noise
FEWEST_TESTED = 4  # texts of each class in the test part
MOST_WRONG_OF_TWO = 0.30  # with two classes a wrong label is the other one: 0.42 would leave almost nothing
FOLDS = 3
MODEL_BYTES = 512 * 2**20  # what `train` may return: more than five times the given encoder's weights
FIRST_PREDICTIONS = 3  # in each process pair, right after `load`, within the time to be ready; scored as well
BULK_PARTS = 5
NOISES = ("auto", "mixed", "symmetric", "pair", "boundary", "real")
UNTOUCHED, SYMMETRIC, PAIR, BOUNDARY = 0, 1, 2, 3

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Shares = tuple[float, float, float]  # of the wrong labels: symmetric, pair, boundary


@dataclass(frozen=True)
class Texts:
    """Texts, their true labels, and the noisy labels that the data set itself brings, or None."""

    texts: tuple[str, ...]
    labels: Ints
    given: Ints | None = None

    def take(self, rows: Ints | list[int]) -> Texts:
        """The rows, in the order asked for."""
        index = np.asarray(rows, dtype=np.int64)
        given = None if self.given is None else self.given[index]
        return Texts(tuple(self.texts[i] for i in index.tolist()), self.labels[index], given)


@dataclass(frozen=True)
class Served:
    """What is predicted: the scored test texts, and others like them that only warm up; a pair is asked each once.

    The others come from the classes that were not chosen and from what was not drawn.
    """

    first: Texts
    single: Texts
    bulk: tuple[Texts, ...]  # a request each
    warm: tuple[str, ...]

    def scored(self) -> dict[str, Texts]:
        """The texts whose answers count, by the item that asks for them."""
        first = {f"first-{i}": self.first.take([i]) for i in range(len(self.first.texts))}
        bulk = {f"bulk-{i}": part for i, part in enumerate(self.bulk)}
        return first | bulk | {f"single-{i}": self.single.take([i]) for i in range(len(self.single.texts))}


def prepare(workbench: Workbench) -> Instance:
    """The instance for the workbench's seed, size and data."""
    size = workbench.size
    data = workbench.text_classification()
    most = int(size["characters"])
    train, test = distinct(
        Texts(cut(data.train.texts, most), data.train.labels, data.train.noisy_labels),
        Texts(cut(data.test.texts, most), data.test.labels),
    )
    kind = noise_kind(str(size["noise"]), train.given is not None)
    everything = (*test.texts, *train.texts)
    firsts, warm = FIRST_PREDICTIONS * workbench.pairs, int(size["n_warmup"]) * workbench.pairs
    tested = int(size["n_single"]) + int(size["n_bulk"]) + firsts if size["n_bulk"] else 0
    train, test, dropped = without_near_duplicates(train, test, size, tested)
    train, test, classes = choose_classes(train, test, int(size["n_classes"]), kind, workbench.rng("classes"))
    draw = draw_as_it_comes if kind == "real" else draw_evenly
    train = train.take(draw(train.labels, classes, int(size["n_train"]), workbench.rng("train")))
    used = {*train.texts, *test.texts}
    others = [text for text in everything if text not in used]
    borrowed = max(0, warm - len(others))  # where all classes are chosen, there are no others
    drawn = test.take(draw(test.labels, classes, tested + borrowed if tested else 0, workbench.rng("test")))
    others += [text for text in test.texts if text not in {*drawn.texts}]
    others = [others[i] for i in workbench.rng("spare").permutation(len(others)).tolist()]
    test = drawn.take(np.arange(borrowed, len(drawn.texts)))
    labels = spoil(train, classes, kind, size, workbench.rng("noise"))
    check(train, test, labels, classes, kind)
    texts, canaries = altered_some(test.texts, workbench.rng("canaries"))
    test = Texts(texts, test.labels)
    served = share_out(test, (*drawn.texts[:borrowed], *others), (firsts, int(size["n_single"]), warm))
    truth = {item: part.labels for item, part in served.scored().items()}
    return Instance(
        stages=(train_stage(train, labels, classes), serve_stage(served, classes, workbench)),
        hidden={"labels": truth, "classes": classes, "altered": which(served, texts, canaries)},
        models={"encoder": workbench.model("encoder")},
        facts={
            "training_texts": len(train.texts),
            "test_texts": sum(len(part) for part in truth.values()),
            "altered_texts": int(canaries.sum()),
            "classes": classes,
            "near_duplicates_dropped": dropped,
            "noise": kind,
            "wrong_labels_percent": round(100 * float((labels != train.labels).mean()), 1),
        },
    )


def which(served: Served, texts: Sequence[str], canaries: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """By item of a scored request, which of its texts are altered."""
    altered = {text for text, canary in zip(texts, canaries.tolist(), strict=True) if canary}
    return {
        item: np.array([text in altered for text in part.texts]) for item, part in served.scored().items()
    }


# ---------------------------------------------------------------- sampling


def cut(texts: Sequence[str], limit: int) -> tuple[str, ...]:
    """The texts, each ended before the word that would pass `limit` characters (0: no limit)."""
    if limit <= 0:
        return tuple(texts)
    return tuple(t if len(t) <= limit else t[: limit + 1].rpartition(" ")[0] or t[:limit] for t in texts)


def normalised(text: str) -> str:
    """The text's words in lower case: texts that agree in them count as the same."""
    return " ".join(re.findall(r"\w+", text.lower()))


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


def without_near_duplicates(
    train: Texts, test: Texts, size: Mapping[str, Any], tested: int
) -> tuple[Texts, Texts, str]:
    """Both parts without near-duplicates across them, and in words what was dropped: no label is found by likeness."""
    classes = int(size["n_classes"]) or int(train.labels.max(initial=0)) + 1
    needed = -(-int(size["n_train"]) // classes), -(-tested // classes)
    parts = apart(train.texts, test.texts, (train.labels, test.labels), needed)
    return train.take(parts.train), test.take(parts.test), parts.words


def noise_kind(wanted: str, has_real: bool) -> str:
    """The kind of noise of the instance, with "auto" resolved."""
    if wanted not in NOISES:
        raise DataError(f"noise {wanted!r} is not known: the size must say one of {', '.join(NOISES)}")
    if wanted == "real" and not has_real:
        raise DataError(
            "the data set brings no noisy labels: map a column to noisy_label, or use another noise"
        )
    if wanted == "auto":
        return "real" if has_real else "mixed"
    return wanted


def choose_classes(
    train: Texts, test: Texts, wanted: int, kind: str, rng: np.random.Generator
) -> tuple[Texts, Texts, int]:
    """Both parts, cut down to `wanted` classes drawn at random (0: all) and numbered anew, and their number.

    Classes with too few texts are left out. Real noise confuses all classes, so there none is left out.
    """
    classes = int(max(train.labels.max(initial=-1), test.labels.max(initial=-1))) + 1
    if kind == "real":
        return train, test, classes
    trained = np.bincount(train.labels, minlength=classes)
    tested = np.bincount(test.labels, minlength=classes)
    able = np.flatnonzero((trained >= FEWEST_PER_CLASS) & (tested >= FEWEST_TESTED))
    if len(able) < 2:
        raise DataError(
            f"{len(able)} classes have {FEWEST_PER_CLASS} training and {FEWEST_TESTED} test texts, "
            "at least 2 are needed"
        )
    chosen = rng.permutation(able)[: wanted or len(able)]
    number = np.full(classes, -1, dtype=np.int64)
    number[chosen] = np.arange(len(chosen))

    def keep(part: Texts) -> Texts:
        kept = part.take(np.flatnonzero(number[part.labels] >= 0))
        return Texts(kept.texts, number[kept.labels])

    return keep(train), keep(test), len(chosen)


def draw_evenly(labels: Ints, classes: int, wanted: int, rng: np.random.Generator) -> Ints:
    """At most `wanted` rows (0: all) in random order, the classes as equal as their sizes allow."""
    if wanted <= 0 or wanted >= len(labels):
        return rng.permutation(len(labels))
    place = np.empty(len(labels), dtype=np.int64)  # a row's turn within its class
    for label in range(classes):
        members = np.flatnonzero(labels == label)
        place[members] = rng.permutation(len(members))
    first = np.lexsort((rng.random(len(labels)), place))[:wanted]
    return rng.permutation(first)


def draw_as_it_comes(labels: Ints, classes: int, wanted: int, rng: np.random.Generator) -> Ints:
    """At most `wanted` rows (0: all), each as likely as any other: class shares stay the data set's."""
    return rng.permutation(len(labels))[: wanted or len(labels)]


def share_out(test: Texts, spare: Sequence[str], counts: tuple[int, int, int]) -> Served:
    """Who is asked for what: `test` is scored, first, one by one and in bulk; `spare` warms up.

    `counts` are how many come first, one by one and to warm up; the rest goes into the bulk. Raises DataError when
    the texts do not go round.
    """
    firsts, n_single, warm = counts
    ends = np.minimum([firsts, firsts + n_single], len(test.texts)).tolist()
    first, single, bulk = np.split(np.arange(len(test.texts)), ends)
    if len(bulk) < BULK_PARTS or len(spare) < warm:
        raise DataError(
            f"{len(test.texts) + len(spare)} test texts are too few: {firsts + n_single} are asked one by one, "
            f"{warm} are not scored, at least {BULK_PARTS} are asked in bulk"
        )
    parts = tuple(test.take(rows) for rows in np.array_split(bulk, BULK_PARTS))
    return Served(test.take(first), test.take(single), parts, tuple(spare[:warm]))


# ---------------------------------------------------------------- noise


def spoil(train: Texts, classes: int, kind: str, size: Mapping[str, Any], rng: np.random.Generator) -> Ints:
    """The labels that the candidate is given."""
    if kind == "real":
        assert train.given is not None
        return train.given.astype(np.int64)
    low, high = float(size["rate_low"]), float(size["rate_high"])
    rate = float(rng.uniform(low, high))
    if classes == 2:
        rate = min(rate, MOST_WRONG_OF_TWO)
    probabilities = out_of_fold(train.texts, train.labels, classes)
    noisy, _ = corrupt(train.labels, probabilities, rate, draw_shares(kind, rng), rng)
    return noisy


def draw_shares(kind: str, rng: np.random.Generator) -> Shares:
    """Which share of the wrong labels is of which kind; a mix leans on pairs, the hardest to undo."""
    if kind == "mixed":
        pair, boundary = float(rng.uniform(0.55, 0.65)), float(rng.uniform(0.15, 0.20))
        return 1.0 - pair - boundary, pair, boundary
    return float(kind == "symmetric"), float(kind == "pair"), float(kind == "boundary")


def out_of_fold(texts: Sequence[str], labels: Ints, classes: int) -> Floats:
    """Each text's class probabilities by a model that has not seen it: float64[n, classes].

    Naive Bayes on TF-IDF: linear in the words, and takes milliseconds however many classes there are.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.model_selection import StratifiedKFold
    from sklearn.naive_bayes import MultinomialNB

    features = TfidfVectorizer(sublinear_tf=True).fit_transform(texts)
    probabilities = np.zeros((len(texts), classes))
    for seen, unseen in StratifiedKFold(FOLDS).split(features, labels):
        model = MultinomialNB(alpha=0.1).fit(features[seen], labels[seen])
        probabilities[unseen[:, None], model.classes_[None, :]] = model.predict_proba(features[unseen])
    return probabilities


def partners(labels: Ints, probabilities: Floats) -> Ints:
    """For each class the one it is mistaken for: the most confusing assignment without two to one.

    That no class is the partner of two keeps the true class the most frequent one under each label.
    """
    from scipy.optimize import linear_sum_assignment

    classes = probabilities.shape[1]
    confusion = np.stack([probabilities[labels == label].mean(axis=0) for label in range(classes)])
    np.fill_diagonal(confusion, -float(classes))
    return linear_sum_assignment(-confusion)[1].astype(np.int64)


def corrupt(
    labels: Ints, probabilities: Floats, rate: float, shares: Shares, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Labels of which `rate` are wrong within every class, and for each which kind made it so.

    symmetric   any other class
    pair        the class's one partner, the class it is most easily mistaken for
    boundary    the runner-up of a text model, for the texts where it hesitates most
    """
    classes = probabilities.shape[1]
    rivals = probabilities.copy()
    own = rivals[np.arange(len(labels)), labels].copy()
    rivals[np.arange(len(labels)), labels] = -1.0
    # A little randomness, so that the boundary is not a sharp rule of the model's.
    hesitation = rivals.max(axis=1) - own + rng.normal(0.0, 0.1, len(labels))
    partner = partners(labels, probabilities)
    noisy, kinds = labels.copy(), np.full(len(labels), UNTOUCHED, dtype=np.int64)
    for label in range(classes):
        members = np.flatnonzero(labels == label)
        wrong = round(rate * len(members))
        n_boundary, n_pair = round(wrong * shares[2]), round(wrong * shares[1])
        members = members[np.argsort(-hesitation[members], kind="stable")]
        rest = rng.permutation(members[n_boundary:])
        n_pair = min(n_pair, wrong - n_boundary)
        kinds[members[:n_boundary]] = BOUNDARY
        kinds[rest[:n_pair]] = PAIR
        kinds[rest[n_pair : wrong - n_boundary]] = SYMMETRIC
    noisy[kinds == BOUNDARY] = rivals[kinds == BOUNDARY].argmax(axis=1)
    noisy[kinds == PAIR] = partner[labels[kinds == PAIR]]
    spread = kinds == SYMMETRIC
    noisy[spread] = (labels[spread] + rng.integers(1, classes, int(spread.sum()))) % classes
    return noisy, kinds


# ---------------------------------------------------------------- requests


def check(train: Texts, test: Texts, labels: Ints, classes: int, kind: str) -> None:
    """The instance's invariants; raises DataError where the data cannot support the task."""
    trained = np.bincount(train.labels, minlength=classes)
    tested = np.bincount(test.labels, minlength=classes)
    given = np.bincount(labels, minlength=classes)
    if trained.min() < FEWEST_PER_CLASS or given.min() < 1 or tested.min() < 1:
        raise DataError(
            f"a class is left with {trained.min()} training texts ({given.min()} so labelled) and "
            f"{tested.min()} test texts: use a larger data set, raise n_train, or lower n_classes"
        )
    assert labels.dtype == np.int64
    assert labels.min() >= 0
    assert labels.max() < classes
    assert len(labels) == len(train.texts)
    keys = [normalised(text) for text in (*train.texts, *test.texts)]
    assert len(set(keys)) == len(keys), "a text appears twice"
    assert not near(train.texts, test.texts).nnz, "a test text has a near-duplicate in training"
    if kind != "real":
        table = np.zeros((classes, classes))
        np.add.at(table, (train.labels, labels), 1)
        assert (table.argmax(axis=1) == np.arange(classes)).all(), "a class is mostly labelled as another"


def train_stage(train: Texts, labels: Ints, classes: int) -> Stage:
    """One request: texts and noisy labels in, the trained model's bytes out."""
    arguments = {"texts": list(train.texts), "labels": labels, "num_classes": classes}
    spec = BlobSpec(MODEL_BYTES)
    return Stage("train", (Request("trained", "train", arguments, spec, count=len(train.texts)),))


def serve_stage(served: Served, classes: int, workbench: Workbench) -> Stage:
    """The model comes back in fresh workers; in each the bulk in parts, then texts one by one.

    What `train` has put off is timed wherever it is done: in `load`, in the first predictions, in the bulk. Further
    pairs are asked the same again.
    """

    def predict(item: str, texts: Sequence[str], group: str, **how: bool) -> Request:
        spec = ArraySpec("int64", (len(texts),), low=0, high=classes - 1)
        return Request(item, "predict", {"texts": list(texts)}, spec, group=group, count=len(texts), **how)

    warm = [
        predict(f"warm-{i}", [text], "single", timed=True, warmup=True, scored=False)
        for i, text in enumerate(served.warm)
    ]
    scored = [(item, item.partition("-")[0], part.texts) for item, part in served.scored().items()]
    requests = (
        *(predict(item, texts, "ready") for item, group, texts in scored if group == "first"),
        *warm,
        *(
            predict(item, texts, group, timed=group == "single")
            for item, group, texts in scored
            if group != "first"
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
    """Macro-F1 and accuracy over all scored predictions that were asked for, and the F1 of each class."""
    classes = int(instance.hidden["classes"])
    labels: Mapping[str, Ints] = instance.hidden["labels"]
    items = [item for item in labels if item in answers]
    if not items:
        raise TaskError("no scored request of noisy-labels was answered: its stage serve asks for none")
    predicted = np.concatenate([np.asarray(answers[item], dtype=np.int64) for item in items])
    actual = np.concatenate([labels[item] for item in items])
    if len(np.unique(predicted)) == 1:
        raise Fault("wrong", f"every one of {len(predicted)} predictions is class {predicted[0]}")
    pairs = np.column_stack([predicted, actual])

    def f1(rows: NDArray[Any]) -> float:
        return macro_f1(rows[:, 0], rows[:, 1], classes)

    return Evaluation(
        measurements=(
            measured("macro_f1", f1(pairs), bootstrap_draws(pairs, f1)),
            measured("accuracy", accuracy(predicted, actual), bootstrap_draws(correct(predicted, actual))),
            *canary_gap(
                "accuracy",
                correct(predicted, actual),
                np.concatenate([instance.hidden["altered"][item] for item in items]),
            ),
        ),
        series=(
            Series(
                name="F1 of each class",
                x_label="class",
                y_label="F1",
                x=tuple(float(label) for label in range(classes)),
                y=class_f1(predicted, actual, classes),
            ),
        ),
    )


def class_f1(predicted: Ints, actual: Ints, classes: int) -> tuple[float, ...]:
    """The F1 of each class, 0 for one that is neither predicted nor actual."""
    hit = np.bincount(actual[predicted == actual], minlength=classes)
    total = np.bincount(predicted, minlength=classes) + np.bincount(actual, minlength=classes)
    return tuple((2.0 * hit / np.maximum(total, 1)).tolist())


def measured(name: str, value: float, draws: NDArray[np.float64]) -> Measurement:
    """A quality measurement with its interval, from values over resampled texts."""
    low, high = percentile_interval(draws)
    return Measurement(
        name=name, unit="", direction="higher", value=value, low=low, high=high, draws=tuple(draws)
    )
