"""How much of what arrived would have arrived by chance."""

from __future__ import annotations

import math
from collections.abc import Sequence

# Over all objects and relations, by symbols and by bits: each is held to this part of it.
LEVEL, TRIED = 1e-3, 400


def above(right: int, tried: int, bits: int, level: float = LEVEL / TRIED) -> bool:
    """Whether so many symbols of `bits` bits are right above chance: the exact binomial tail is below `level`."""
    by_chance = 2.0**-bits
    tail = sum(
        math.comb(tried, k) * by_chance**k * (1 - by_chance) ** (tried - k) for k in range(right, tried + 1)
    )
    return tried > 0 and tail < level


def bits(right: float, tried: float, each: int) -> float:
    """Bits a symbol: the capacity of a symmetric channel of 2**each symbols with this share of errors.

    log2 q - H(e) - e log2(q - 1); Cover and Thomas, Elements of Information Theory, 2nd ed., 7.2.
    """
    wrong = 1 - right / tried
    if wrong in (0.0, 1.0):
        return float(each) if wrong == 0.0 else 0.0
    entropy = -wrong * math.log2(wrong) - (1 - wrong) * math.log2(1 - wrong)
    return max(0.0, each - entropy - wrong * math.log2(2**each - 1))


def separation(zeros: Sequence[float], ones: Sequence[float]) -> float:
    """How far two samples are apart in rank, from 0 (alike) to 1 (every one above, or below, every other).

    Twice the distance of Mann and Whitney's U, as a share of all pairs, from a half.
    """
    above_ = sum((b > a) + (b == a) / 2 for a in zeros for b in ones)
    return abs(2 * above_ / (len(zeros) * len(ones)) - 1)


def chance_of(apart: float, zeros: int, ones: int) -> float:
    """The chance of at least this separation of two samples of the same kind without ties, both directions.

    Exact, by counting the orders of ranks (Mann and Whitney, Annals of Mathematical Statistics 18, 1947).
    """
    ways = [[0] * (zeros * ones + 1) for _ in range(zeros + 1)]
    for row in ways:
        row[0] = 1
    # ways[n][u] of m ones among n zeros, m growing: a one in front of a zeros adds as many.
    for _ in range(ones):
        fresh = [[0] * (zeros * ones + 1) for _ in range(zeros + 1)]
        fresh[0] = [1] + [0] * (zeros * ones)
        for n in range(1, zeros + 1):
            for u in range(zeros * ones + 1):
                fresh[n][u] = fresh[n - 1][u] + (ways[n][u - n] if u >= n else 0)
        ways = fresh
    total, counts = math.comb(zeros + ones, ones), ways[zeros]
    return sum(c for u, c in enumerate(counts) if abs(2 * u / (zeros * ones) - 1) >= apart - 1e-9) / total
