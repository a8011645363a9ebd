"""Expert: residuals on principal axes, quantised along a trellis, arithmetic-coded, searched by FAISS at float16.

Six ideas:

1. Storing and searching are different things. The budget is for the returned bytes alone; the serving
   process has room for float16. So the bytes are written as tightly as they can be, and `load`
   decodes them into a FAISS index of inverted lists, which needs no trick to be searched.
2. Many lists. A list's centre tells much of its vectors, and its number costs only some bits: the
   residuals of one list in some 30 to 50 vectors are far smaller than those of one in 1000.
3. Codes of unequal length. On principal axes a component's integers are nearly Gaussian; an
   arithmetic code (rANS, Duda 2013) spends what each is worth, to fractions of a bit, and needs one
   width for each component to know how.
4. Integers are chosen jointly. Rounding each number by itself fills space with cubes. A trellis of
   eight states lets each choice decide which numbers the next component may take, and the Viterbi
   algorithm finds the best path: a fifth less squared error at the same bits (Marcellin and Fischer 1990).
5. Errors are put where queries do not look. A query differs from its neighbours as these differ from
   their centres, mostly along the leading axes, so those get the finer steps.
6. What is known need not be stored: vectors have length 1. Decoded ones are made so again, which
   removes the error along the vector itself, where a query is sure to look.

How many lists a query probes is tuned on a sample.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

PER_LIST = 24  # vectors for each list, at least; the number of lists is a power of two
MOST_LISTS = 2048
COARSE_PASSES = 8
COARSE_POINTS = 32  # vectors for each list's centre in training
TILT = 0.85  # a component's step falls with this power of its spread
AXES_STEP = 0.02  # of the axes' own numbers, which are made orthogonal again after decoding
CENTRES_STEP = 1.5  # times the vectors' steps: residuals make good what centres lack
SHARES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 3 / 8)  # of the lists that may be probed, in the order of trying
MOST_PROBED = 1 / 2
SAME = 0.998  # of the answers of the most probes: fewer probes that give so much are enough
SAMPLE = 256
TRIED = 4096  # vectors that a step is tried on before all are coded
FILL = 0.9985  # of the room that is aimed at
CHUNK = 4096

STATES = np.arange(8)
TURNED = ((STATES >> 1) ^ (STATES >> 2)) & 1
PARITY = STATES & 1  # of the integers that a state allows
NEXT = np.stack([(2 * STATES & 7) | (TURNED ^ bit) for bit in (0, 1)], axis=1)
EARLIER = np.stack([STATES >> 1, STATES >> 1 | 4])  # the two states that lead to each
CLASS = PARITY[EARLIER] + 2 * ((STATES & 1) ^ TURNED[EARLIER])  # modulo 4: the integers on that way
NOISE = 0.8 * 4 / 12  # the trellis's squared error for a step of 1: 0.8 of that of rounding to even integers

PRECISION = 12  # bits of a probability
WIDEST = 45.0  # of a component, in steps: its integers fit a byte
REACH = 4.5  # standard deviations that a table covers
LEAST_LANES, MOST_LANES = 256, 8192  # vectors that are decoded side by side
ROUNDS = 16
HEAD = "<IIIIII"


class Solution:
    """Lists, axes, centres and residuals as bits; FAISS's scalar quantiser at float16 while serving."""

    def __init__(self, context: Any) -> None:
        faiss.omp_set_num_threads(context.threads)
        self.seed = context.seed
        self.index: Any = None

    def build(self, vectors: Floats, most_bytes: int) -> bytes:
        """A head, the axes, the centres, each vector's list, and the residuals, list after list."""
        n, dimension = vectors.shape
        rng = np.random.default_rng(self.seed)
        lists = 2 ** int(np.clip(np.log2(n / PER_LIST), 2, np.log2(MOST_LISTS)))
        rough, owner = clustered(vectors, lists)
        axes_bytes, axes = coded_axes(principal_axes(vectors - rough[owner]))
        turned = vectors @ axes
        spread = np.std(turned - (rough @ axes)[owner], axis=0)
        room = most_bytes - struct.calcsize(HEAD) - len(axes_bytes) - len(packed(owner, lists))
        steps = steps_for(spread, self._bits_left(room, n, lists, dimension))
        body = b""
        for sample in (TRIED, TRIED, n, n, n, n):
            centres_bytes, centres = coded_whole(rough @ axes, CENTRES_STEP * steps)
            order = np.argsort(owner, kind="stable") if sample >= n else rng.permutation(n)[:sample]
            body = coded(turned[order] - centres[owner[order]], steps)
            used = len(centres_bytes) + len(body) * (n / len(order))
            if sample >= n and used <= room:
                break
            steps = half(steps * 2 ** (8 * (used - FILL * room) / n / dimension))
        return self._finished(vectors, axes_bytes, centres_bytes, packed(owner, lists), body, lists)

    @staticmethod
    def _bits_left(room: int, n: int, lists: int, dimension: int) -> float:
        """For each number of each vector, when the centres take about as many for each of theirs."""
        return 8 * room / (n + lists) / dimension

    def _finished(
        self, vectors: Floats, axes: bytes, centres: bytes, owner: bytes, body: bytes, lists: int
    ) -> bytes:
        """The parts in one, with the number of probes that the decoded index is found to need."""
        n, dimension = vectors.shape
        parts = axes + centres + owner + body
        head = [n, dimension, lists, max(1, int(lists * MOST_PROBED)), len(axes), len(centres)]
        self.load(struct.pack(HEAD, *head) + parts)
        head[3] = self._tuned(vectors[np.random.default_rng(self.seed).permutation(n)[:SAMPLE]])
        return struct.pack(HEAD, *head) + parts

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
        owner_end = axes_end + centres_end + packed_length(n, lists)
        self.axes = orthogonal(decoded_whole(data[:axes_end], dimension, dimension))
        centres = decoded_whole(data[axes_end : axes_end + centres_end], lists, dimension)
        owner = unpacked(data[axes_end + centres_end : owner_end], n, lists)
        numbers = np.argsort(owner, kind="stable")
        owner = owner[numbers]

        self.quantiser = faiss.IndexFlatL2(dimension)
        self.quantiser.add(centres)
        self.index = faiss.IndexIVFScalarQuantizer(
            self.quantiser, dimension, lists, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
        )
        self.index.is_trained = True
        for number, size in enumerate(np.bincount(owner, minlength=lists).tolist()):
            self.index.invlists.resize(number, size)
        start = 0
        for residuals in decoded(data[owner_end:], n, dimension):
            end = start + len(residuals)
            self._fill(rescaled(residuals + centres[owner[start:end]]), owner, numbers, start)
            start = end
        self.index.ntotal, self.index.nprobe = n, probes

    def _fill(self, vectors: Floats, owner: NDArray[Any], numbers: NDArray[Any], start: int) -> None:
        """Puts some vectors, sorted by list, at their places in the lists."""
        codes = vectors.astype(np.float16).view(np.uint8)
        present = owner[start : start + len(vectors)]
        for number in np.unique(present).tolist():
            first, last = np.searchsorted(present, [number, number + 1]).tolist()
            offset = start + first - int(np.searchsorted(owner, number))
            ids, part = numbers[start + first : start + last], codes[first:last]
            self.index.invlists.update_entries(
                number, offset, last - first, faiss.swig_ptr(ids), faiss.swig_ptr(part)
            )

    def search(self, queries: Floats, k: int) -> NDArray[np.int64]:
        """The k nearest by inner product, as far as the probed lists hold them."""
        _, found = self.index.search(np.ascontiguousarray(queries @ self.axes), k)
        return complete(found, self.index.ntotal)


def clustered(vectors: Floats, lists: int) -> tuple[Floats, NDArray[np.int64]]:
    """The lists' centres, and the number of the nearest to each vector."""
    means = faiss.Kmeans(
        vectors.shape[1], lists, niter=COARSE_PASSES, seed=1,
        max_points_per_centroid=COARSE_POINTS, min_points_per_centroid=1,
    )  # fmt: skip
    means.train(vectors)
    return means.centroids, means.index.search(vectors, 1)[1][:, 0]


def principal_axes(residuals: Floats) -> Floats:
    """Orthonormal columns, that of the greatest variance first."""
    return np.linalg.eigh(residuals.T @ residuals)[1][:, ::-1].astype(np.float32)


def orthogonal(matrix: Floats) -> Floats:
    """The orthogonal matrix that is nearest to it: float32[d, d]."""
    left, _, right = np.linalg.svd(matrix.astype(np.float64))
    return np.ascontiguousarray(left @ right, dtype=np.float32)


def coded_axes(axes: Floats) -> tuple[bytes, Floats]:
    """The axes as bytes, and what becomes of them; what is lost costs a little variance, no precision."""
    stored, rough = coded_whole(axes, np.full(len(axes), AXES_STEP, np.float32))
    return stored, orthogonal(rough)


def rescaled(vectors: Floats) -> Floats:
    """The same directions at length 1, as the vectors had."""
    return vectors / np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, np.newaxis]


def half(values: NDArray[Any]) -> Floats:
    """What float16 keeps of them, so that building and serving see the same."""
    return values.astype(np.float16).astype(np.float32)


def packed_length(n: int, lists: int) -> int:
    """The bytes of `packed`."""
    return -(-n * (lists.bit_length() - 1) // 8)


def packed(owner: NDArray[np.int64], lists: int) -> bytes:
    """Numbers below `lists`, a power of two, in as many bits as they need."""
    bits = np.unpackbits(owner.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)
    return np.packbits(bits[:, 17 - lists.bit_length() :]).tobytes()


def unpacked(stored: memoryview, n: int, lists: int) -> NDArray[np.int64]:
    """The numbers again."""
    width = lists.bit_length() - 1
    bits = np.unpackbits(np.frombuffer(stored, np.uint8), count=n * width).reshape(n, width)
    number = np.zeros(n, np.int16)
    for place in range(width):
        number = number << 1 | bits[:, place]
    return number.astype(np.int64)


# -- How fine: steps and widths


def steps_for(spread: Floats, bits: float) -> Floats:
    """Steps that leave so many bits to a number, by the entropy of Gaussians; finer where the spread is wide."""
    tilt = (spread / np.exp(np.log(spread).mean())) ** -TILT
    step = float(np.exp(np.log(spread).mean()))
    for _ in range(20):
        widths = widths_of(spread, tilt * step)
        entropy = np.log2(widths * np.sqrt(2 * np.pi * np.e) / 2).mean()
        step *= 2 ** float(entropy - bits)
    return half(tilt * max(step, float((spread / tilt).max() / WIDEST)))


def shrunk(spread: Floats, steps: Floats) -> Floats:
    """What components are multiplied by before they are quantised: the noisier, the less is worth its bits."""
    return spread**2 / (spread**2 + NOISE * steps**2)


def widths_of(spread: Floats, steps: Floats) -> Floats:
    """Standard deviations of the integers that components become."""
    return np.sqrt((shrunk(spread, steps) * spread / steps) ** 2 + NOISE)


# -- Which integers: the trellis


def trellis(scaled: Floats) -> tuple[NDArray[np.int16], Bytes]:
    """For each row the best path: its integers by component, int16[d, n], and their parities.

    A path begins in state 0. A state allows the even integers or the odd ones; which half of these is
    taken, every second one, leads to one or the other of two next states.
    """
    count, dimension = scaled.shape
    columns = np.ascontiguousarray(scaled.T)
    cost = np.full((8, count), np.inf, np.float32)
    cost[0] = 0
    came = np.empty((dimension, 8, count), np.bool_)
    classes = np.arange(4, dtype=np.float32)[:, np.newaxis]
    for place, column in enumerate(columns):
        off = column - classes
        off -= 4 * np.rint(off / 4)
        off *= off
        one, other = cost[EARLIER[0]] + off[CLASS[0]], cost[EARLIER[1]] + off[CLASS[1]]
        np.less(other, one, out=came[place])
        cost = np.minimum(one, other)
    return traced(columns, came, cost.argmin(axis=0))


def traced(columns: Floats, came: NDArray[np.bool_], state: NDArray[Any]) -> tuple[NDArray[np.int16], Bytes]:
    """The integers on the paths that end in `state`, found from the last component back."""
    integers = np.empty(columns.shape, np.int16)
    parities = np.empty(columns.shape, np.uint8)
    rows = np.arange(columns.shape[1])
    for place in range(len(columns) - 1, -1, -1):
        way = came[place, state, rows].view(np.uint8)
        wanted = CLASS[way, state]
        integers[place] = wanted + 4 * np.rint((columns[place] - wanted) / 4)
        state = EARLIER[way, state]
        parities[place] = PARITY[state]
    return integers, parities


# -- How many bits: the arithmetic code


@dataclass(frozen=True)
class Tables:
    """What each integer of each component is worth, for even and odd ones; integers m are kept as m // 2 + 128.

    reach    the largest m // 2 that a component may have
    counts   of 2 ** PRECISION, by component and symbol: 256 for even integers, 256 for odd ones
    starts   the sum of the counts before each symbol
    """

    reach: NDArray[np.int64]
    counts: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, widths: Floats) -> Tables:
        """Those of Gaussians of such widths; no integer within reach has a count of 0."""
        wide = widths.astype(np.float64)[:, np.newaxis, np.newaxis]
        reach = np.ceil(REACH / 2 * wide).astype(np.int64) + 3
        halves = np.arange(256) - 128
        likely = np.exp(-(((2 * halves + np.arange(2)[:, np.newaxis]) / wide) ** 2) / 2)
        likely *= (within := np.abs(halves) <= reach)
        spare = 2**PRECISION - within.sum(axis=2, keepdims=True)
        counts = within + np.floor(likely / likely.sum(axis=2, keepdims=True) * spare).astype(np.int64)
        counts[:, :, 128] += 2**PRECISION - counts.sum(axis=2)
        starts = np.cumsum(counts, axis=2) - counts
        return cls(reach.ravel(), counts.reshape(-1, 512), starts.reshape(-1, 512))

    def slots(self) -> NDArray[np.int64]:
        """By component and slot, those of odd integers last: count, place within the symbol, and integer.

        They share 64 bits: 12 for the count, then 12 for the place, then the integer and 256.
        """
        dimension = len(self.counts)
        symbol = np.arange(512)
        integers = 2 * (symbol % 256) + symbol // 256
        parts = self.counts - (self.starts << PRECISION) + (integers << 2 * PRECISION)
        found = np.repeat(parts.ravel(), self.counts.ravel()).reshape(dimension, 2, -1)
        found += np.arange(2**PRECISION) << PRECISION
        return found.reshape(dimension, -1)


def lanes_for(count: int) -> int:
    """How many vectors are decoded side by side: each lane costs 2 bytes, each round of them time."""
    return min(count, int(np.clip(count // ROUNDS, LEAST_LANES, MOST_LANES)))


def coded(values: Floats, steps: Floats) -> bytes:
    """Rows of numbers as bytes: steps and widths at float16, the lanes' last states, then 16-bit words."""
    steps = half(steps)
    spread = np.sqrt((values**2).mean(axis=0))
    steps = half(np.maximum(steps, spread / WIDEST))
    widths = half(widths_of(spread, steps))
    tables = Tables.of(widths)
    scale, limit = shrunk(spread, steps) / steps, (2 * tables.reach - 4).astype(np.float32)
    symbols = np.empty((values.shape[1], len(values)), np.int16)  # with 256 more for the odd ones
    for start in range(0, len(values), CHUNK):
        integers, parities = trellis(np.clip(values[start : start + CHUNK] * scale, -limit, limit))
        symbols[:, start : start + CHUNK] = (integers >> 1) + 128 + 256 * parities.astype(np.int16)
    head = steps.astype(np.float16).tobytes() + widths.astype(np.float16).tobytes()
    return head + written(symbols, tables)


def written(symbols: NDArray[np.int16], tables: Tables) -> bytes:
    """The symbols by rANS; written from the last to the first, since a state is a stack."""
    dimension, count = symbols.shape
    lanes = lanes_for(count)
    states, words = np.full(lanes, 2**16), []
    for first in range((count - 1) // lanes * lanes, -1, -lanes):
        state = states[: min(lanes, count - first)]
        for place in range(dimension - 1, -1, -1):
            symbol = symbols[place, first : first + lanes]
            width = tables.counts[place].take(symbol)
            full = state >= width << (32 - PRECISION)
            words.append(state[full].astype(np.uint16))
            state[full] >>= 16
            quotient, rest = np.divmod(state, width)
            state[:] = (quotient << PRECISION) + rest + tables.starts[place].take(symbol)
    return states.astype(np.uint32).tobytes() + np.concatenate(words[::-1]).tobytes()


def decoded(stored: memoryview, count: int, dimension: int) -> Iterator[Floats]:
    """The rows again, as many at a time as there are lanes."""
    steps, widths = np.frombuffer(stored, np.float16, 2 * dimension).astype(np.float32).reshape(2, -1)
    lanes = lanes_for(count)
    states = np.frombuffer(stored, np.uint32, lanes, 4 * dimension).astype(np.int64)
    words = np.frombuffer(stored, np.uint16, offset=4 * dimension + 4 * lanes)
    slots = Tables.of(widths).slots()
    at = 0
    for first in range(0, count, lanes):
        integers, at = read(states[: min(lanes, count - first)], words, at, slots)
        yield integers.T.astype(np.float32) * steps


def read(
    state: NDArray[np.int64], words: NDArray[np.uint16], at: int, slots: NDArray[np.int64]
) -> tuple[NDArray[np.int64], int]:
    """One round: the integers of a row in each lane, int[d, lanes], and where the next words are."""
    entries = np.empty((len(slots), len(state)), np.int64)
    follows, mask = 2 * NEXT.ravel(), 2**PRECISION - 1
    way = np.zeros(len(state), np.int64)  # twice the trellis's state
    for slot, entry in zip(slots, entries, strict=True):
        slot.take((state & mask) | (way & 2) << PRECISION - 1, out=entry, mode="clip")
        state >>= PRECISION
        state *= entry & mask
        state += entry >> PRECISION & mask
        (empty,) = (state < 2**16).nonzero()
        state[empty] = state[empty] << 16 | words[at : at + len(empty)]
        at += len(empty)
        way = follows.take(way + (entry >> 2 * PRECISION + 1 & 1), mode="clip")
    return (entries >> 2 * PRECISION) - 256, at


def coded_whole(values: Floats, steps: Floats) -> tuple[bytes, Floats]:
    """A small matrix as bytes, and what they decode to."""
    stored = coded(values, steps)
    return stored, decoded_whole(memoryview(stored), *values.shape)


def decoded_whole(stored: memoryview, count: int, dimension: int) -> Floats:
    """A small matrix again."""
    return np.concatenate(list(decoded(stored, count, dimension)))


def complete(found: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """The same rows with numbers that are not in them where too few were found (-1)."""
    for row in found:
        missing = row < 0
        if missing.any():
            others = np.setdiff1d(np.arange(min(n, 2 * len(row))), row)
            row[missing] = others[: missing.sum()]
    return found
