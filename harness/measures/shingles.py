"""Near-duplicates by shingles: which texts of two parts say nearly the same, and which part gives them up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import scipy.sparse as sp

# Two words in a row: single words are shared by any two long texts, three in a row hardly by two short ones.
WORDS = 2
# The Jaccard index from which two texts count as near-duplicates: eight words of which two next to each other
# differ share .4 of their pairs, of which two apart from each other differ, .27.
LEAST = 0.3
ROWS = 1024  # texts that are compared at a time with all others, to bound the memory

Ints = NDArray[np.int64]
Part = Literal["training", "test"]


class Apart(NamedTuple):
    """The rows of both parts that are kept, how many were dropped, and from which part."""

    train: Ints
    test: Ints
    dropped: int
    part: Part

    @property
    def words(self) -> str:
        """For the facts of an instance: "120 of 800 training texts"."""
        kept = self.train if self.part == "training" else self.test
        return f"{self.dropped} of {len(kept) + self.dropped} {self.part} texts"


def shingles(text: str) -> frozenset[str]:
    """The text's runs of WORDS words in lower case; all of it where it is shorter."""
    words = re.findall(r"\w+", text.lower())
    return frozenset(" ".join(words[i : i + WORDS]) for i in range(max(1, len(words) - WORDS + 1)))


def near(texts: Sequence[str], others: Sequence[str]) -> sp.csr_matrix:
    """Which texts are near-duplicates of which others: sparse bool[texts, others].

    Exact, by the Jaccard index of their shingles, which is at least LEAST (Broder 1997, "On the resemblance and
    containment of documents").
    """
    import scipy.sparse as sp

    places: dict[str, int] = {}
    counted = [_rows(part, places) for part in (texts, others)]
    wide = [
        sp.csr_matrix((np.ones(len(at), np.int32), at, ends), shape=(len(ends) - 1, len(places)))
        for at, ends in counted
    ]
    sizes = [np.diff(ends) for _, ends in counted]
    turned = wide[1].T.tocsr()
    blocks = []
    for start in range(0, len(texts), ROWS):
        shared = (wide[0][start : start + ROWS] @ turned).tocoo()
        either = sizes[0][start + shared.row] + sizes[1][shared.col] - shared.data
        alike = shared.data >= LEAST * either
        held = np.ones(int(alike.sum()), np.bool_), (shared.row[alike], shared.col[alike])
        blocks.append(sp.csr_matrix(held, shape=shared.shape))
    return sp.vstack(blocks, format="csr") if blocks else sp.csr_matrix((0, len(others)), dtype=np.bool_)


def _rows(texts: Sequence[str], places: dict[str, int]) -> tuple[Ints, Ints]:
    """The places of all texts' shingles one after the other, and where each text's begin and end."""
    found = [[places.setdefault(one, len(places)) for one in sorted(shingles(text))] for text in texts]
    ends = np.cumsum([0, *map(len, found)], dtype=np.int64)
    return np.array([place for row in found for place in row], dtype=np.int64), ends


def apart(
    train: Sequence[str],
    test: Sequence[str],
    labels: tuple[Ints, Ints] | None = None,
    needed: tuple[int, int] = (0, 0),
) -> Apart:
    """Both parts without near-duplicates across them, given up by the part that is left with enough.

    `labels` are those of both parts, `needed` how many training and test texts a task asks for of each label
    (of all, without labels; 0: as many as there are). The part gives up its near-duplicates after which less is
    lacking; the training part, where that is the same: scored texts are the scarcer ones.
    """
    pairs = near(train, test)
    doubled = np.asarray(pairs.getnnz(axis=1) > 0), np.asarray(pairs.getnnz(axis=0) > 0)
    codes = labels or (np.zeros(len(train), np.int64), np.zeros(len(test), np.int64))
    gone = [_lacking(code, ~own, wanted) for code, own, wanted in zip(codes, doubled, needed, strict=True)]
    whole = [
        _lacking(code, np.ones_like(own), wanted)
        for code, own, wanted in zip(codes, doubled, needed, strict=True)
    ]
    part: Part = "training" if gone[0] + whole[1] <= whole[0] + gone[1] else "test"
    every = np.arange(len(train)), np.arange(len(test))
    if part == "training":
        return Apart(np.flatnonzero(~doubled[0]), every[1], int(doubled[0].sum()), part)
    return Apart(every[0], np.flatnonzero(~doubled[1]), int(doubled[1].sum()), part)


def _lacking(codes: Ints, kept: NDArray[np.bool_], needed: int) -> float:
    """How many times what a label needs is missing, summed over labels, when only `kept` texts stay."""
    there = np.bincount(codes)
    left = np.bincount(codes[kept], minlength=len(there))
    wanted = np.minimum(there, needed) if needed else there
    return float((np.maximum(wanted - left, 0) / np.maximum(wanted, 1)).sum())
