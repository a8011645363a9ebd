"""Compares the answers of independent solutions to one instance: errors made alike, numbers equal to the bit; pure.

Errors made alike. Two solutions err on w1 and w2 of n items. If they err independently of each other, the number of
items on which both err is hypergeometric (R. A. Fisher, "The logic of inductive inference", JRSS 98, 1935). Hard items
make everybody err, so items are first divided by how many of the task's other references err on them, and the numbers
of the strata are added up (W. Cochran 1954; N. Mantel, W. Haenszel, "Statistical aspects of the analysis of data from
retrospective studies", JNCI 22, 1959; here with the exact distribution). Counted as made alike is an item on which both
give the same wrong answer; the chance is that of both being wrong, however, so it errs towards innocence. What is above
chance is told as a share of what would be possible, as Cohen's kappa is, here of errors (R. Geirhos, K. Meding,
F. Wichmann, "Beyond accuracy: quantifying trial-by-trial behaviour of CNNs and humans by measuring error consistency",
NeurIPS 2020).

Numbers equal to the bit. No chance can be given. Counted are numbers on which the references do not all agree.

Both are read beside the same of the task's references among themselves, which are solutions of different ideas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.instances import Answer, ItemAnswers

LEAST_ERRORS = 10  # of each side: fewer are alike by luck
LEAST_NUMBERS = 50  # on which the references do not agree
MOST_NUMBERS, FEWEST = 2**16, 64  # of a solution, and of one answer, that are compared
MOST_CHANCE = 1e-6  # an assessment compares thousands of pairs
HALF_WAY = 0.5  # from the most alike references to identity
BELIEVED = 0.5  # where references among themselves are more alike than that, the question decides the answer


@dataclass(frozen=True)
class Answered:
    """One solution's answers to an instance, by request, and item by item where the task tells right from wrong."""

    name: str
    answers: Mapping[str, Answer]
    items: ItemAnswers | None = None


@dataclass(frozen=True, kw_only=True)
class Alike:
    """How much two solutions' answers are alike.

    `alike` of `possible` are (errors: the fewer of both sides'; bits: the numbers that could differ), `expected` by
    chance, with `chance` (0 to 1) of so many or more; None for bits, and 1 where it is not far from usual. `excess` is
    what is above chance, as a share of what would be possible, `usual` the most of that among the references.
    """

    one: str
    other: str
    kind: Literal["errors", "bits"]
    alike: int
    possible: int
    expected: float
    chance: float | None
    excess: float
    usual: float

    @property
    def notable(self) -> bool:
        """Whether no two references are alike so much, by far, and chance does not explain it."""
        least = LEAST_ERRORS if self.kind == "errors" else LEAST_NUMBERS
        likely = self.chance is not None and self.chance > MOST_CHANCE
        return (
            self.usual <= BELIEVED and _far(self.excess, self.usual) and not likely and self.possible >= least
        )


def _far(excess: float, usual: float) -> bool:
    return excess >= usual + HALF_WAY * (1 - usual)


def thinned(answers: Mapping[str, Answer]) -> dict[str, Answer]:
    """Answers of floating-point numbers alone, of each as many evenly spaced numbers as make MOST_NUMBERS together.

    An answer keeps FEWEST of them at least: what a thousand submissions answered has to be held at once.
    """
    floats = {item: np.asarray(answer).ravel() for item, answer in answers.items() if _is_float(answer)}
    most = max(FEWEST, MOST_NUMBERS // max(1, len(floats)))
    return {
        item: values[np.linspace(0, len(values) - 1, min(most, len(values)), dtype=np.int64)]
        for item, values in floats.items()
    }


def alike(handed: Sequence[Answered], references: Sequence[Answered]) -> list[Alike]:
    """Each submission beside each reference and each other submission on one instance; those that are notable.

    With fewer than two references nothing is usual, and nothing is said.
    """
    if len(references) < 2:
        return []
    pairs = [*((one, other) for one in handed for other in references), *combinations(handed, 2)]
    found = [*errors(pairs, references), *bits(pairs, references)]
    return [one for one in found if one.notable]


def errors(pairs: Sequence[tuple[Answered, Answered]], references: Sequence[Answered]) -> list[Alike]:
    """How far each pair errs alike, where both have answers item by item."""
    known = [one for one in references if one.items is not None]
    if len(known) < 2:
        return []
    usual = max(_errors(*pair, known, 0.0).excess for pair in combinations(known, 2))
    return [
        _errors(one, other, known, max(0.0, usual))
        for one, other in pairs
        if one.items is not None and other.items is not None and _same_items(one.items, known[0].items)
        if _same_items(other.items, known[0].items)
    ]


def _same_items(one: ItemAnswers, other: ItemAnswers | None) -> bool:
    return other is not None and one.given.shape == other.given.shape


def _errors(one: Answered, other: Answered, references: Sequence[Answered], usual: float) -> Alike:
    mine, theirs = one.items, other.items
    assert mine is not None
    assert theirs is not None
    others = [
        r.items.wrong for r in references if r.items is not None and r.name not in (one.name, other.name)
    ]
    hard = np.sum(others, axis=0) if others else np.zeros(len(mine.wrong), dtype=np.int64)
    strata = [
        (int(at.sum()), int((mine.wrong & at).sum()), int((theirs.wrong & at).sum()))
        for at in (hard == level for level in np.unique(hard))
    ]
    together = int((mine.wrong & theirs.wrong & (mine.given == theirs.given)).sum())
    expected = sum(first * second / size for size, first, second in strata)
    fewer = int(min(mine.wrong.sum(), theirs.wrong.sum()))
    room = fewer - expected
    excess = (together - expected) / room if room > 0 else 0.0
    return Alike(
        one=one.name,
        other=other.name,
        kind="errors",
        alike=together,
        possible=fewer,
        expected=expected,
        chance=chance_of(together, strata) if _far(excess, usual) else 1.0,
        excess=excess,
        usual=usual,
    )


def chance_of(together: int, strata: Sequence[tuple[int, int, int]]) -> float:
    """The chance that two independent solutions err together on so many items or more.

    `strata` hold the number of items, and the errors of either side among them.
    """
    from scipy.stats import hypergeom

    total: Any = np.ones(1)
    for size, first, second in strata:
        total = np.convolve(total, hypergeom.pmf(np.arange(min(first, second) + 1), size, first, second))
    return float(min(1.0, total[together:].sum()))


def bits(pairs: Sequence[tuple[Answered, Answered]], references: Sequence[Answered]) -> list[Alike]:
    """How many numbers of each pair are equal to the bit, of those on which the references do not all agree."""
    names = [item for item, answer in references[0].answers.items() if _is_float(answer)]
    names = [item for item in names if all(_fits(one, item, references[0]) for one in references)]
    if not names:
        return []
    known = [_words(one, names) for one in references]
    open_ = np.any([words != known[0] for words in known[1:]], axis=0)
    count = int(open_.sum())
    if count < LEAST_NUMBERS:
        return []
    usual = max(float((a[open_] == b[open_]).mean()) for a, b in combinations(known, 2))
    return list(_bits(pairs, names, references[0], open_, usual))


def _bits(
    pairs: Sequence[tuple[Answered, Answered]],
    names: Sequence[str],
    model: Answered,
    open_: NDArray[np.bool_],
    usual: float,
) -> Iterator[Alike]:
    kept: dict[int, NDArray[Any] | None] = {}
    count = int(open_.sum())

    def words(one: Answered) -> NDArray[Any] | None:
        if id(one) not in kept:
            fits = all(_fits(one, item, model) for item in names)
            kept[id(one)] = _words(one, names)[open_] if fits else None
        return kept[id(one)]

    for one, other in pairs:
        mine, theirs = words(one), words(other)
        if mine is None or theirs is None:
            continue
        equal = int((mine == theirs).sum())
        yield Alike(
            one=one.name,
            other=other.name,
            kind="bits",
            alike=equal,
            possible=count,
            expected=usual * count,
            chance=None,
            excess=equal / count,
            usual=usual,
        )


def _is_float(answer: Answer) -> bool:
    return isinstance(answer, np.ndarray) and answer.dtype.kind == "f"


def _fits(one: Answered, item: str, model: Answered) -> bool:
    mine, theirs = one.answers.get(item), model.answers[item]
    return (
        isinstance(mine, np.ndarray)
        and isinstance(theirs, np.ndarray)
        and (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
    )


def _words(one: Answered, names: Sequence[str]) -> NDArray[Any]:
    """All numbers of these items as float64, so that equal means equal to the bit (but for the sign of 0)."""
    return np.concatenate([np.asarray(one.answers[item], dtype=np.float64).ravel() for item in names])
