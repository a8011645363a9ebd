"""Expert: residuals on principal axes, quantised along a trellis, arithmetic-coded, searched by FAISS at float16.

Seven ideas:

1. Storing and searching are different things. The budget is for the returned bytes alone; the serving
   process has room for float16. So the bytes are written as tightly as they can be, and `load`
   decodes them into a FAISS index of inverted lists, which needs no trick to be searched.
2. Many lists. A list's centre tells much of its vectors, and its number costs only some bits.
3. Precision goes to the vectors that are found. Those near a centre are the neighbours of many queries,
   outliers of hardly any: eight classes by length of the residual get each its own step, the finer
   the more often the class is found by a sample of the vectors that stands for queries.
4. And to the directions that queries look in. A query differs from its neighbours as these differ from
   their centres, mostly along the leading axes, so those get the finer steps.
5. Codes of unequal length. On principal axes a component's integers are nearly Gaussian; an arithmetic
   code (rANS, Duda 2013) spends what each is worth, to fractions of a bit, and need know but widths.
6. Integers are chosen jointly. Rounding each number by itself fills space with cubes. A trellis of
   eight states lets each choice decide which numbers the next component may take, and the Viterbi
   algorithm finds the best path: a fifth less squared error at the same bits (Marcellin and Fischer 1990).
7. What is known need not be stored: vectors have length 1. Decoded ones are made so again, which
   removes the error along the vector itself, where a query is sure to look.

How many lists a query probes is tuned on a sample.
"""

from __future__ import annotations

import struct
from itertools import chain, repeat
from typing import Any

import codes
import faiss
import numpy as np
from codes import Floats, Integers, Ruler
from numpy.typing import NDArray

PER_LIST = 24  # vectors for each list, at least; the number of lists is a power of two
MOST_LISTS = 2048
COARSE_PASSES = 8
COARSE_POINTS = 32  # vectors for each list's centre in training
CLASSES = 8  # of vectors, by their distance to the centre; a power of two
FOUND = 30  # vectors that each of a sample finds, to see which classes matter
LEAST_POPULARITY = 0.02  # against the mean
FAVOUR = 0.75  # the power of its popularity that divides a class's step; a little above the 0.5 of theory
MEASURED = 2**17  # residuals that axes and spreads are taken from, at most
AXES_STEP = 0.02  # of the axes' own numbers, which are made orthogonal again after decoding
CENTRES_STEP = 1.5  # times the vectors' mean step: residuals make good what centres lack
SHARES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 3 / 8)  # of the lists that may be probed, in the order of trying
MOST_PROBED = 1 / 2
SAME = 0.998  # of the answers of the most probes: fewer probes that give so much are enough
SAMPLE = 256
TRIED = 4096  # vectors that a step is tried on before all are coded
FILL = 0.999  # of the room that is aimed at
HEAD = "<IIIIII"


class Solution:
    """Lists, axes, centres and residuals as bits; FAISS's scalar quantiser at float16 while serving."""

    def __init__(self, context: Any) -> None:
        faiss.omp_set_num_threads(context.threads)
        self.seed = context.seed
        self.index: Any = None

    def build(self, vectors: Floats, most_bytes: int) -> bytes:
        """A head, the axes, the centres, each vector's class and list, and the residuals, class after class."""
        n, dimension = vectors.shape
        rng = np.random.default_rng(self.seed)
        lists = 2 ** int(np.clip(np.log2(n / PER_LIST), 2, np.log2(MOST_LISTS)))
        rough, owner, kind = clustered(vectors, lists)
        some = rng.permutation(n)[:MEASURED]
        axes_bytes, axes = coded_axes(principal_axes(vectors[some] - rough[owner[some]]))
        places = kind * lists + owner
        packed_places = packed(places, lists * CLASSES)
        room = most_bytes - struct.calcsize(HEAD) - len(axes_bytes) - len(packed_places)
        steps = self._favour(popularity(vectors, kind, rng))
        centres, body = fitted(vectors @ axes, rough @ axes, places, steps, room)
        head = [n, dimension, lists, max(1, int(lists * MOST_PROBED)), len(axes_bytes), len(centres)]
        parts = axes_bytes + centres + packed_places + body
        self.load(struct.pack(HEAD, *head) + parts)
        head[3] = self._tuned(vectors[some[:SAMPLE]])
        return struct.pack(HEAD, *head) + parts

    def _favour(self, popular: Floats) -> Floats:
        """How coarse each class's step is against the others': an error counts as often as it is met."""
        return popular**-FAVOUR

    def _tuned(self, sample: Floats) -> int:
        """The fewest probes, among some shares of all lists, that answer as the most do."""
        most = self.index.nprobe
        best = self.search(sample, 10)
        for share in SHARES:
            self.index.nprobe = max(1, int(self.index.nlist * share))
            found = self.search(sample, 10)
            same = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(best, found, strict=True)])
            if same >= SAME:
                return self.index.nprobe
        return most

    def load(self, index: bytes) -> None:
        """Decodes the vectors, some thousands at a time, into FAISS's inverted lists."""
        n, dimension, lists, probes, axes_end, centres_end = struct.unpack_from(HEAD, index)
        data = memoryview(index)[struct.calcsize(HEAD) :]
        centres_end += axes_end
        places_end = centres_end + packed_length(n, lists * CLASSES)
        self.axes = orthogonal(decoded_whole(data[:axes_end], dimension, dimension))
        centres = decoded_whole(data[axes_end:centres_end], lists, dimension)
        places = unpacked(data[centres_end:places_end], n, lists * CLASSES)
        numbers = np.argsort(places, kind="stable")
        places, start = places[numbers], 0
        self.index = self._emptied(centres, np.bincount(places % lists, minlength=lists))
        sizes = np.bincount(places // lists, minlength=CLASSES)
        for residuals in codes.decoded(data[places_end:], sizes, dimension):
            part = slice(start, start + len(residuals))
            owner, ids = (places[part] % lists).astype(np.int64), numbers[part]
            rows = np.ascontiguousarray(self._restored(residuals + centres[owner]))
            self.index.add_core(len(rows), *(faiss.swig_ptr(array) for array in (rows, ids, owner)))
            start = part.stop
        self.index.nprobe = probes

    def _emptied(self, centres: Floats, sizes: Integers) -> Any:
        """FAISS's index of no vectors yet, its lists with room for theirs, so that none grows by doubling."""
        lists, dimension = centres.shape
        self.quantiser = faiss.IndexFlatL2(dimension)
        self.quantiser.add(centres)
        index = faiss.IndexIVFScalarQuantizer(
            self.quantiser, dimension, lists, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
        )
        index.is_trained = True
        for number, size in enumerate(sizes.tolist()):
            index.invlists.resize(number, size)
            index.invlists.resize(number, 0)
        return index

    def _restored(self, vectors: Floats) -> Floats:
        """The same directions at length 1, as the vectors had."""
        return vectors / np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, np.newaxis]

    def search(self, queries: Floats, k: int) -> Integers:
        """The k nearest by inner product, as far as the probed lists hold them."""
        _, neighbours = self.index.search(np.ascontiguousarray(queries @ self.axes), k)
        return complete(neighbours, self.index.ntotal)


def clustered(vectors: Floats, lists: int) -> tuple[Floats, Integers, Integers]:
    """The lists' centres, the number of the nearest to each vector, and the vector's class by how near that is."""
    means = faiss.Kmeans(
        vectors.shape[1],
        lists,
        niter=COARSE_PASSES,
        seed=1,
        max_points_per_centroid=COARSE_POINTS,
        min_points_per_centroid=1,
    )
    means.train(vectors)
    far, owner = means.index.search(vectors, 1)
    bounds = np.quantile(far[:, 0], np.arange(1, CLASSES) / CLASSES)
    return means.centroids, owner[:, 0], np.searchsorted(bounds, far[:, 0])


def popularity(vectors: Floats, kind: Integers, rng: np.random.Generator) -> Floats:
    """How often a vector of each class is found by others of the collection, against the mean."""
    chosen = vectors[rng.permutation(len(vectors))[: 2 * SAMPLE]]
    found = faiss.knn(chosen, vectors, FOUND + 1, metric=faiss.METRIC_INNER_PRODUCT)[1][:, 1:]  # not itself
    often = np.bincount(kind[found.ravel()], minlength=CLASSES) / found.size
    share = np.bincount(kind, minlength=CLASSES) / len(kind)
    return np.maximum(often / np.maximum(share, 1e-6), LEAST_POPULARITY).astype(np.float32)


def fitted(turned: Floats, rough: Floats, places: Integers, steps: Floats, room: int) -> tuple[bytes, bytes]:
    """Centres and residuals as bytes, with the finest steps that fit: tried on some vectors first, then on all."""
    (n, dimension), lists = turned.shape, len(rough)
    order = np.argsort(places, kind="stable")
    rows = order[:: -(-n // MEASURED)]
    ruler = Ruler.of(turned[rows] - rough[places[rows] % lists], places[rows] // lists, steps)
    ruler = ruler.leaving(8 * room / (n + lists) / dimension)
    for tried in chain((TRIED, TRIED), repeat(n)):
        near = Ruler.of(rough, None, np.full(1, CENTRES_STEP * ruler.step.mean()))
        centres_bytes, centres = coded_whole(rough, near)
        rows = order[:: -(-n // tried)]  # of all classes and lists alike
        body = residual_bytes(turned, centres, places, rows, ruler)
        fixed = codes.fixed_bytes(ruler, n) + len(centres_bytes)
        used = fixed + (len(body) - codes.fixed_bytes(ruler, len(rows))) * n / len(rows)
        if tried >= n and used <= room:
            break
        ruler = ruler.times(2 ** (8 * (used - FILL * room) / n / dimension))
    return centres_bytes, body


def residual_bytes(turned: Floats, centres: Floats, places: Integers, rows: Integers, ruler: Ruler) -> bytes:
    """The residuals of these rows, which are in the order of their places."""
    lists = len(centres)
    classes = np.split(rows, np.searchsorted(places[rows] // lists, np.arange(1, CLASSES)))
    return codes.coded((turned[each] - centres[places[each] % lists] for each in classes), ruler)


def principal_axes(residuals: Floats) -> Floats:
    """Orthonormal columns, that of the greatest variance first."""
    return np.linalg.eigh(residuals.T @ residuals)[1][:, ::-1].astype(np.float32)


def orthogonal(matrix: Floats) -> Floats:
    """The orthogonal matrix that is nearest to it: float32[d, d]."""
    left, _, right = np.linalg.svd(matrix.astype(np.float64))
    return np.ascontiguousarray(left @ right, dtype=np.float32)


def coded_axes(axes: Floats) -> tuple[bytes, Floats]:
    """The axes as bytes, and what becomes of them; what is lost costs a little variance, no precision."""
    stored, rough = coded_whole(axes, Ruler.of(axes, None, np.full(1, AXES_STEP, np.float32)))
    return stored, orthogonal(rough)


def packed_length(n: int, values: int) -> int:
    """The bytes of `packed`."""
    return -(-n * (values.bit_length() - 1) // 8)


def packed(numbers: Integers, values: int) -> bytes:
    """Numbers below `values`, a power of two, in as many bits as they need."""
    bits = np.unpackbits(numbers.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)
    return np.packbits(bits[:, 17 - values.bit_length() :]).tobytes()


def unpacked(stored: memoryview, n: int, values: int) -> NDArray[np.uint16]:
    """The numbers again."""
    width = values.bit_length() - 1
    bits = np.unpackbits(np.frombuffer(stored, np.uint8), count=n * width).reshape(n, width)
    numbers = np.zeros(n, np.uint16)
    for place in range(width):
        numbers = numbers << 1 | bits[:, place]
    return numbers


def coded_whole(values: Floats, ruler: Ruler) -> tuple[bytes, Floats]:
    """A small matrix as bytes, and what they decode to."""
    stored = codes.coded([values], ruler)
    return stored, decoded_whole(memoryview(stored), *values.shape)


def decoded_whole(stored: memoryview, count: int, dimension: int) -> Floats:
    """A small matrix again."""
    return np.concatenate(list(codes.decoded(stored, [count], dimension)))


def complete(neighbours: Integers, n: int) -> Integers:
    """The same rows with numbers that are not in them where too few were found (-1)."""
    for row in neighbours:
        missing = row < 0
        if missing.any():
            others = np.setdiff1d(np.arange(min(n, 2 * len(row))), row)
            row[missing] = others[: missing.sum()]
    return neighbours
