"""Rows of numbers as bytes, and back: how finely they are measured, which integers, and in how many bits.

A `Ruler` holds the steps. A trellis picks each row's integers (Marcellin and Fischer 1990), and rANS (Duda
2013) writes them, many rows side by side, so that numpy decodes millions in a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Symbols = NDArray[np.int16]

TILT = 0.6  # a component's step falls with this power of its spread
LEAST_SPREAD = 1e-4  # float16 keeps it well
CHUNK = 4096  # rows on the trellis at a time

STATES = np.arange(8)
TURNED = ((STATES >> 1) ^ (STATES >> 2)) & 1
PARITY = STATES & 1  # of the integers that a state allows
NEXT = np.stack([(2 * STATES & 7) | (TURNED ^ bit) for bit in (0, 1)], axis=1)
EARLIER = np.stack([STATES >> 1, STATES >> 1 | 4])  # the two states that lead to each
CLASS = PARITY[EARLIER] + 2 * ((STATES & 1) ^ TURNED[EARLIER])  # modulo 4: the integers on that way
NOISE = 0.8 * 4 / 12  # the trellis's squared error for a step of 1: 0.8 of that of rounding to even integers

PRECISION = 11  # bits of a probability
WIDEST = 45.0  # of a component, in steps: its integers fit the tables
REACH = 4.5  # standard deviations that a table covers
LEAST_LANES, MOST_LANES = 256, 2048  # rows that are decoded side by side
ROUNDS = 16


@dataclass(frozen=True)
class Ruler:
    """How finely each component of each class is measured.

    spread   standard deviation of each component, over all classes
    radius   by class, what that is to be multiplied by
    step     by class, the geometric mean of its components' steps
    """

    spread: Floats
    radius: Floats
    step: Floats

    @classmethod
    def of(cls, values: Floats, kind: Integers | None, step: Floats) -> Ruler:
        """That of these values (without classes: of one for all), as float16 keeps it."""
        squares = values**2
        spread = np.maximum(np.sqrt(squares.mean(axis=0)), LEAST_SPREAD)
        energy = squares @ (1 / spread**2) / len(spread)
        kind = np.zeros(len(values), np.int64) if kind is None else kind
        sizes = np.maximum(np.bincount(kind, minlength=len(step)), 1)
        radius = np.sqrt(np.bincount(kind, energy, minlength=len(step)) / sizes)
        return cls(half(spread), half(np.maximum(radius, LEAST_SPREAD)), half(step))

    def stored(self) -> bytes:
        """All of it at float16."""
        return np.concatenate([self.spread, self.radius, self.step]).astype(np.float16).tobytes()

    def times(self, factor: float) -> Ruler:
        """The same with coarser steps, or finer ones."""
        return replace(self, step=half(self.step * factor))

    def leaving(self, bits: float) -> Ruler:
        """The same with steps that leave so many bits to a number, by the entropy of Gaussians."""
        ruler = self
        for _ in range(20):
            entropy = np.log2(ruler.widths() * np.sqrt(2 * np.pi * np.e) / 2).mean()
            ruler = ruler.times(2 ** float(entropy - bits))
        return ruler

    def spreads(self) -> Floats:
        """By class and component."""
        return self.radius[:, np.newaxis] * self.spread

    def steps(self) -> Floats:
        """By class and component, finer where the spread is wide; never so fine that tables overflow."""
        tilt = (self.spread / np.exp(np.log(self.spread).mean())) ** -TILT
        return np.maximum(self.step[:, np.newaxis] * tilt, self.spreads() / WIDEST)

    def shrinking(self) -> Floats:
        """What components are multiplied by before they are quantised: noisy ones are not worth their bits."""
        return self.spreads() ** 2 / (self.spreads() ** 2 + NOISE * self.steps() ** 2)

    def widths(self) -> Floats:
        """Standard deviations of the integers that components become, rounded so that no last bit matters."""
        return half(np.sqrt((self.shrinking() * self.spreads() / self.steps()) ** 2 + NOISE))


# -- Which integers: the trellis


def trellis(scaled: Floats) -> tuple[Symbols, NDArray[np.uint8]]:
    """For each row the best path: its integers by component, int16[d, n], and their parities.

    A path begins in state 0. A state allows the even integers or the odd ones; which half of these is
    taken, every second one, leads to one or the other of two next states. `cost` is the least squared
    error of any path to each state, `origin` which of the two earlier states that path came from.
    """
    count, dimension = scaled.shape
    columns = np.ascontiguousarray(scaled.T)
    cost = np.full((8, count), np.inf, np.float32)
    cost[0] = 0
    origin = np.empty((dimension, 8, count), np.bool_)
    classes = np.arange(4, dtype=np.float32)[:, np.newaxis]
    for place, column in enumerate(columns):
        off = column - classes
        off -= 4 * np.rint(off / 4)
        off *= off
        one, other = cost[EARLIER[0]] + off[CLASS[0]], cost[EARLIER[1]] + off[CLASS[1]]
        np.less(other, one, out=origin[place])
        cost = np.minimum(one, other)
    return traced(columns, origin, cost.argmin(axis=0))


def traced(
    columns: Floats, origin: NDArray[np.bool_], state: NDArray[Any]
) -> tuple[Symbols, NDArray[np.uint8]]:
    """The integers on the paths that end in `state`, found from the last component back."""
    integers = np.empty(columns.shape, np.int16)
    parities = np.empty(columns.shape, np.uint8)
    rows = np.arange(columns.shape[1])
    for place in range(len(columns) - 1, -1, -1):
        way = origin[place, state, rows].view(np.uint8)
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

    reach: Integers
    counts: Integers
    starts: Integers

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

    def slots(self) -> Integers:
        """By component and slot, those of odd integers last: count, place within the symbol, and integer.

        They share 64 bits: PRECISION for the count, as many for the place, then the integer and 256.
        """
        dimension = len(self.counts)
        symbol = np.arange(512)
        integers = 2 * (symbol % 256) + symbol // 256
        parts = self.counts - (self.starts << PRECISION) + (integers << 2 * PRECISION)
        found = np.repeat(parts.ravel(), self.counts.ravel()).reshape(dimension, 2, -1)
        found += np.arange(2**PRECISION) << PRECISION
        return found.reshape(dimension, -1)


def half(values: NDArray[Any]) -> Floats:
    """What float16 keeps of them, so that building and serving see the same."""
    return values.astype(np.float16).astype(np.float32)


def lanes_for(count: int) -> int:
    """How many vectors are decoded side by side: each lane costs 2 bytes, each round of them time."""
    return min(count, int(np.clip(count // ROUNDS, LEAST_LANES, MOST_LANES)))


def fixed_bytes(ruler: Ruler, count: int) -> int:
    """Of `coded`, what does not grow with the rows: half of a lane's last state tells nothing."""
    return len(ruler.stored()) + 2 * lanes_for(count)


def coded(classes: Iterable[Floats], ruler: Ruler) -> bytes:
    """Rows of each class as bytes: the ruler, the lanes' last states, then 16-bit words."""
    scales, tables = ruler.shrinking() / ruler.steps(), [Tables.of(widths) for widths in ruler.widths()]
    symbols = [symbolic(*each) for each in zip(classes, scales, tables, strict=True)]
    return ruler.stored() + written(symbols, tables)


def symbolic(values: Floats, scale: Floats, tables: Tables) -> Symbols:
    """The rows' symbols on the trellis's best paths: int16[d, n]."""
    limit = (2 * tables.reach - 4).astype(np.float32)
    found = np.empty((values.shape[1], len(values)), np.int16)
    for start in range(0, len(values), CHUNK):
        integers, parities = trellis(np.clip(values[start : start + CHUNK] * scale, -limit, limit))
        found[:, start : start + CHUNK] = (integers >> 1) + 128 + 256 * parities.astype(np.int16)
    return found


def written(classes: Sequence[Symbols], tables: Sequence[Tables]) -> bytes:
    """The symbols by rANS; written from the last to the first, since a state is a stack."""
    lanes = lanes_for(sum(symbols.shape[1] for symbols in classes))
    states = np.full(lanes, 2**16)
    words: list[NDArray[np.uint16]] = [np.empty(0, np.uint16)]
    for symbols, table in zip(reversed(classes), reversed(tables), strict=True):
        count = symbols.shape[1]
        for first in range((count - 1) // lanes * lanes, -1, -lanes):
            write(states[: min(lanes, count - first)], symbols[:, first : first + lanes], table, words)
    return states.astype(np.uint32).tobytes() + np.concatenate(words[::-1]).tobytes()


def write(state: Integers, symbols: Symbols, tables: Tables, words: list[NDArray[np.uint16]]) -> None:
    """One round: a row's symbols into each lane's state; what overflows goes to the words."""
    for place in range(len(symbols) - 1, -1, -1):
        width = tables.counts[place].take(symbols[place])
        full = state >= width << (32 - PRECISION)
        words.append(state[full].astype(np.uint16))
        state[full] >>= 16
        quotient, rest = np.divmod(state, width)
        state[:] = (quotient << PRECISION) + rest + tables.starts[place].take(symbols[place])


def decoded(stored: memoryview, counts: Sequence[int] | Integers, dimension: int) -> Iterator[Floats]:
    """The rows again, at most as many at a time as there are lanes, none of two classes together."""
    classes, lanes = len(counts), lanes_for(int(sum(counts)))
    numbers = np.frombuffer(stored, np.float16, dimension + 2 * classes).astype(np.float32)
    ruler = Ruler(*np.split(numbers, [dimension, dimension + classes]))
    states = np.frombuffer(stored, np.uint32, lanes, 2 * len(numbers)).astype(np.int64)
    words, at = np.frombuffer(stored, np.uint16, offset=2 * len(numbers) + 4 * lanes), 0
    for count, steps, widths in zip(counts, ruler.steps(), ruler.widths(), strict=True):
        slots = Tables.of(widths).slots()
        for first in range(0, int(count), lanes):
            integers, at = read(states[: min(lanes, count - first)], words, at, slots)
            yield integers.T * steps
        del slots  # before the next are made: memory is measured


def read(state: Integers, words: NDArray[np.uint16], at: int, slots: Integers) -> tuple[Symbols, int]:
    """One round: the integers of a row in each lane, int16[d, lanes], and where the next words are."""
    integers = np.empty((len(slots), len(state)), np.int16)
    follows, mask = 2 * NEXT.ravel(), 2**PRECISION - 1
    way = np.zeros(len(state), np.int64)  # twice the trellis's state
    for place, slot in enumerate(slots):
        entry = slot.take((state & mask) | (way & 2) << PRECISION - 1, mode="clip")
        state >>= PRECISION
        state *= entry & mask
        state += entry >> PRECISION & mask
        (empty,) = (state < 2**16).nonzero()
        state[empty] = state[empty] << 16 | words[at : at + len(empty)]
        at += len(empty)
        entry >>= 2 * PRECISION
        integers[place] = entry
        way = follows.take(way + (entry >> 1 & 1), mode="clip")
    return integers - np.int16(256), at
