"""Everything that can be read, held against a worker that works hard or does nothing: what tells which it was?

The first half of the pairs only chooses: of each file the one number that tells best. The second half, which had
no part in that, judges the chosen ones, each by an exact test held to its share of the error allowed in all.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.hostility.channels import chance
from tests.hostility.channels.hunt import Hunt

Reading = Mapping[str, Sequence[float]]
# A number itself, or how far it is from the same of the worker before (or of itself, before the other worked).
_KINDS = ("value", "step")
_CHOSEN_FROM, LEVEL = 0.75, 1e-3


@dataclass(frozen=True)
class Told:
    """A file, or a call, which of its numbers tells, how far apart that is, and the chance of as much by chance."""

    name: str
    number: int
    kind: str
    apart: float
    chance: float


@dataclass(frozen=True)
class Swept:
    """What was read in one relation, what tells, and how many were chosen to be judged."""

    relation: str
    read: int
    chosen: int
    pairs: int
    tells: tuple[Told, ...]


@dataclass(frozen=True)
class Pair:
    """Whether the sender worked, what was read then, and what was read before."""

    bit: int
    after: Reading
    before: Reading


def sweep(hunt: Hunt, relation: str, rng: random.Random, choosing: int = 16, judging: int = 20) -> Swept:
    """Runs `choosing` and then `judging` pairs, half of which work."""
    last: Reading = {}
    pairs = []
    for many in (choosing, judging):
        bits = [0, 1] * (many // 2)
        rng.shuffle(bits)
        for bit in bits:
            first, after, _ = hunt.pair(
                relation, [{"do": "work", "bit": bit}], [{"do": "read"}, {"do": "read"}]
            )
            pairs.append(Pair(bit, after, first or last))
            last = after
    return judged(relation, pairs[:choosing], pairs[choosing:])


def judged(relation: str, choosing: Sequence[Pair], judging: Sequence[Pair]) -> Swept:
    """What tells, of the readings of such pairs."""
    names = sorted(set.intersection(*(set(pair.after) for pair in (*choosing, *judging))))
    chosen = []
    for name in names:
        width = min(len(pair.after[name]) for pair in choosing)
        tried = [(_apart(choosing, name, at, kind), at, kind) for at in range(width) for kind in _KINDS]
        if tried and (best := max(tried))[0] >= _CHOSEN_FROM:
            chosen.append((name, *best[1:]))
    tells = []
    for name, at, kind in chosen:
        apart = _apart(judging, name, at, kind)
        by_chance = chance.chance_of(apart, *(sum(p.bit == bit for p in judging) for bit in (0, 1)))
        if by_chance * len(chosen) < LEVEL:
            tells.append(Told(name, at, kind, apart, by_chance))
    return Swept(relation, len(names), len(chosen), len(choosing) + len(judging), tuple(tells))


def _apart(pairs: Sequence[Pair], name: str, at: int, kind: str) -> float:
    groups: tuple[list[float], list[float]] = ([], [])
    for pair in pairs:
        words = pair.after[name]
        if at >= len(words):
            return 0.0
        value = words[at]
        if kind == "step":
            before = pair.before.get(name, ())
            if at >= len(before):
                continue
            value -= before[at]
        groups[pair.bit].append(value)
    return chance.separation(*groups) if all(groups) else 0.0
