"""How a paired stage is spread over process pairs: its blocks of requests, its turns, its warm-up.

Pure but for the given random generator. Why pairs: resampling the calls of one pair of processes
"found" a difference between two copies of one program in 36 % of runs; over fresh pairs, in 3 %.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.instances import Request, Stage

# Looks at the verdicts come after so many pairs; the error of 5 % is split evenly between them.
LOOKS = (5, 8, 12)
# Steady: the medians of the last and of the previous eight calls differ by less.
STEADY_WINDOW, STEADY_SHARE = 8, 0.05


@dataclass(frozen=True)
class Plan:
    """How many pairs a round makes, and when it may stop.

    After `pairs`, at each of LOOKS below `most`, and at `most`, it stops when nothing is open any more;
    it also stops when `seconds` have passed, a candidate's own left out. `block` is K, the calls that one
    worker serves in a row: 1 on a CPU (random order for each request), more on a GPU, whose contexts take
    turns by time slices (counter-balanced blocks, the first call of each thrown away).
    """

    pairs: int = 1
    most: int = 1
    seconds: float = 600.0
    block: int = 1
    memory_pass: bool = False

    def looks(self) -> tuple[int, ...]:
        """The numbers of pairs after which the verdicts are looked at."""
        between = (look for look in LOOKS if self.pairs < look < self.most)
        return (self.pairs, *between, self.most) if self.most > self.pairs else (self.pairs,)

    def alpha(self) -> float:
        """The error allowed at each look, so that all together stay within 5 % (Bonferroni)."""
        return 0.05 / len(self.looks())


def base_blocks(stage: Stage, pairs: int) -> list[tuple[Request, ...]]:
    """The stage's requests in `pairs` blocks: each group split evenly, each block in the stage's order."""
    return _split(stage.requests, pairs)


def reserve_blocks(stage: Stage, pairs: int, most: int) -> list[tuple[Request, ...]]:
    """At most `most - pairs` further blocks as large as the base ones, as far as the reserve reaches."""
    size = {key: len(members) // pairs for key, members in _groups(stage.requests).items()}
    have = {key: len(members) for key, members in _groups(stage.reserve).items()}
    room = min((have.get(key, 0) // n for key, n in size.items() if n), default=0)
    count = max(0, min(most - pairs, room))
    used = [r for key, members in _groups(stage.reserve).items() for r in members[: count * size.get(key, 0)]]
    chosen = {request.item for request in used}
    return _split(tuple(r for r in stage.reserve if r.item in chosen), count) if count else []


def _groups(requests: Sequence[Request]) -> dict[tuple[str, bool], list[Request]]:
    groups: dict[tuple[str, bool], list[Request]] = {}
    for request in requests:
        groups.setdefault((request.label, request.warmup), []).append(request)
    return groups


def _split(requests: Sequence[Request], parts: int) -> list[tuple[Request, ...]]:
    block_of: dict[str, int] = {}
    for members in _groups(requests).values():
        for number, part in enumerate(np.array_split(np.arange(len(members)), parts)):
            block_of |= {members[i].item: number for i in part}
    return [tuple(r for r in requests if block_of[r.item] == number) for number in range(parts)]


@dataclass(frozen=True)
class Turn:
    """One worker serves one request; `counted` is false for the first call after a change of context."""

    worker: int
    request: Request
    counted: bool = True


def turns(
    requests: Sequence[Request], workers: int, block: int, order: np.random.Generator
) -> Iterator[Turn]:
    """Who serves what, in which order: every request by every worker."""
    if block <= 1:
        for request in requests:
            yield from (Turn(int(i), request) for i in order.permutation(workers))
        return
    sequence = order.permutation(workers)
    for part in _runs(requests, block):
        for i in sequence:
            yield from (Turn(int(i), request, n > 0) for n, request in enumerate(part))
        sequence = sequence[::-1]  # A B B A: what changes steadily falls on both sides alike


def in_order(drawn: Iterable[Turn], later: Callable[[Turn], bool]) -> Iterator[Turn]:
    """The same turns, but in those of one request first whoever is not `later`."""
    for _, together in itertools.groupby(drawn, key=lambda turn: turn.request.item):
        yield from sorted(together, key=later)


def _runs(requests: Sequence[Request], block: int) -> Iterator[Sequence[Request]]:
    """Blocks of one group each, so that what is thrown away is alike for all."""
    groups: dict[str, list[Request]] = {}
    for request in requests:
        groups.setdefault(request.label, []).append(request)
    for members in groups.values():
        yield from _batched(members, block)


def _batched(members: Sequence[Request], size: int) -> Iterator[Sequence[Request]]:
    for start in range(0, len(members), size):
        yield members[start : start + size]


def steady(seconds: Sequence[float]) -> bool | None:
    """Whether the last calls took as long as those before; None while there are too few to say."""
    if len(seconds) < 2 * STEADY_WINDOW:
        return None
    last = float(np.median(seconds[-STEADY_WINDOW:]))
    before = float(np.median(seconds[-2 * STEADY_WINDOW : -STEADY_WINDOW]))
    return abs(last / before - 1) < STEADY_SHARE
