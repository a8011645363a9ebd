"""Finds code that submissions to one task share, by winnowed fingerprints: a hint for a person, never a verdict.

Own code, since copydetect (PyPI) compares every file with every other by its own documentation, where an
index over a thousand submissions finds the pairs that share anything; the choice of fingerprints is the same.

Sources: S. Schleimer, D. Wilkerson, A. Aiken, "Winnowing: Local Algorithms for Document Fingerprinting",
SIGMOD 2003 (selection, its guarantee, robust ties); A. Broder, "On the resemblance and containment of
documents", SEQUENCES 1997 (the share).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.fingerprints import GRAM, WINDOW, Print, all_grams, grams, read_tokens, winnow

COMMON_SHARE = 0.3
COMMON_FROM = 5  # submissions; among fewer nothing is common
COMMON_LEAST = 3  # so many alike are shown, however few hand in
FEW = 8  # own fingerprints below which a share says little
MOST_PAIRS = 500
MOST_PLACES = 16  # ways to lay one repeated fingerprint of a pair side by side
_GAP = WINDOW + 2 * GRAM  # tokens that may differ inside one region: a changed name or line, not a function


@dataclass(frozen=True)
class Region:
    """Lines (first and last, from 1) of one file beside lines of the other's."""

    file: str
    lines: tuple[int, int]
    other_file: str
    other_lines: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class SharedCode:
    """Two submissions: distinct fingerprints they share, that as a share (0 to 1) of each one's own, and where."""

    one: str
    other: str
    shared: int
    share: float
    other_share: float
    few: bool
    regions: tuple[Region, ...]

    @property
    def highest(self) -> float:
        """The larger of both shares."""
        return max(self.share, self.other_share)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One submission: how many distinct fingerprints are its own, the starter's, common to many.

    `share` (0 to 1) of its own also stand in `closest`, `elsewhere` of them in any other submission.
    """

    candidate: str
    own: int
    starter: int
    common: int
    closest: str
    share: float
    elsewhere: float


@dataclass(frozen=True)
class Found:
    """What the comparison of one task's submissions found; `left_out` pairs are beyond the most that are listed."""

    parts: tuple[Part, ...]
    pairs: tuple[SharedCode, ...]
    left_out: int
    notes: tuple[str, ...]


def compare(
    handed: Mapping[str, Mapping[str, bytes]], given: Iterable[bytes], threshold: float = 0.5
) -> Found:
    """Compares submissions, files by alias and name, and discounts what is `given` to all (starter, contract).

    A pair is listed where the share of either side is at least `threshold` (0 to 1). Raises nothing: a file
    that cannot be read has a note.
    """
    known = {value for content in given for value in all_grams(content)}
    notes: list[str] = []
    prints: list[list[Print]] = []
    for candidate, files in handed.items():
        prints.append(
            [p for name, content in sorted(files.items()) for p in _file(candidate, name, content, notes)]
        )
    values = [{p.value for p in held} for held in prints]
    common = _common([held - known for held in values])
    own = [held - known - common for held in values]
    names = list(handed)
    shared = list(_shared(own))
    pairs, left_out = _listed(names, own, shared, threshold)
    detailed = [_pair(names, own, prints, entry) for entry in pairs]
    parts = _parts(names, own, values, known, common, shared)
    notes += [
        f"{part.candidate}: {part.common} of its fingerprints stand in many submissions and are not counted"
        for part in parts
        if part.common > part.own
    ]
    return Found(tuple(parts), tuple(detailed), left_out, tuple(notes))


def _file(candidate: str, name: str, content: bytes, notes: list[str]) -> list[Print]:
    tokens, note = read_tokens(content)
    if note:
        notes.append(f"{candidate}: {name} {note}")
    hashes = grams([symbol for symbol, _ in tokens])
    return [Print(hashes[at], name, at, tokens[at][1], tokens[at + GRAM - 1][1]) for at in winnow(hashes)]


def _common(held: Sequence[set[int]]) -> set[int]:
    """What more than COMMON_SHARE of the submissions, and more than COMMON_LEAST, have."""
    if len(held) < COMMON_FROM:
        return set()
    most = max(COMMON_LEAST, COMMON_SHARE * len(held))
    return {value for value, count in Counter(v for each in held for v in each).items() if count > most}


def _shared(own: Sequence[set[int]]) -> Iterator[tuple[int, int, int]]:
    """(i, j, count) for every two with i < j that share a fingerprint.

    A sparse matrix of submissions by fingerprints is the inverted index: its product with its own
    transpose touches only pairs that share something.
    """
    from scipy import sparse

    counts = Counter(v for each in own for v in each)
    column = {value: i for i, value in enumerate(sorted(v for v, count in counts.items() if count > 1))}
    places = [(row, column[v]) for row, each in enumerate(own) for v in each if v in column]
    if not places:
        return
    rows, columns = zip(*places, strict=True)
    index: Any = sparse.csr_matrix(([1] * len(places), (rows, columns)), shape=(len(own), len(column)))
    upper: Any = sparse.triu(index @ index.T, 1).tocoo()
    yield from sorted(zip(upper.row.tolist(), upper.col.tolist(), upper.data.tolist(), strict=True))


Entry = tuple[int, int, int]


def _listed(
    names: Sequence[str], own: Sequence[set[int]], shared: Iterable[Entry], threshold: float
) -> tuple[list[Entry], int]:
    """The pairs at or above the threshold, the most alike first, and how many more there are."""

    def order(entry: Entry) -> tuple[float, int, str, str]:
        i, j, count = entry
        return (-count / min(len(own[i]), len(own[j])), -count, names[i], names[j])

    alike = sorted((e for e in shared if -order(e)[0] >= threshold), key=order)
    return alike[:MOST_PAIRS], max(0, len(alike) - MOST_PAIRS)


def _parts(
    names: Sequence[str],
    own: Sequence[set[int]],
    values: Sequence[set[int]],
    known: set[int],
    common: set[int],
    shared: Iterable[Entry],
) -> list[Part]:
    closest: dict[int, tuple[int, int]] = {}
    for i, j, count in shared:
        for one, other in ((i, j), (j, i)):
            if count > closest.get(one, (0, 0))[0]:
                closest[one] = (count, other)
    counts = Counter(v for each in own for v in each)
    parts = []
    for i, name in enumerate(names):
        size = len(own[i])
        most, other = closest.get(i, (0, -1))
        parts.append(
            Part(
                candidate=name,
                own=size,
                starter=len(values[i] & known),
                common=len(values[i] & common),
                closest=names[other] if most else "",
                share=most / size if size else 0.0,
                elsewhere=sum(counts[v] > 1 for v in own[i]) / size if size else 0.0,
            )
        )
    return parts


def _pair(
    names: Sequence[str], own: Sequence[set[int]], prints: Sequence[Sequence[Print]], entry: Entry
) -> SharedCode:
    i, j, count = entry
    both = own[i] & own[j]
    regions = _regions([p for p in prints[i] if p.value in both], [p for p in prints[j] if p.value in both])
    return SharedCode(
        one=names[i],
        other=names[j],
        shared=count,
        share=count / len(own[i]),
        other_share=count / len(own[j]),
        few=min(len(own[i]), len(own[j])) < FEW,
        regions=regions,
    )


def _regions(one: Iterable[Print], other: Iterable[Print]) -> tuple[Region, ...]:
    """Matching fingerprints joined to line ranges where both sides go on together."""
    chains: list[list[tuple[Print, Print]]] = []
    for a, b in sorted(_matches(one, other), key=lambda m: (m[0].file, m[1].file, m[0].at, m[1].at)):
        for chain in reversed(chains[-2 * MOST_PLACES :]):
            last_a, last_b = chain[-1]
            near = 0 < a.at - last_a.at <= _GAP and 0 < b.at - last_b.at <= _GAP
            if near and (last_a.file, last_b.file) == (a.file, b.file):
                chain.append((a, b))
                break
        else:
            chains.append([(a, b)])
    seen: tuple[set[Print], set[Print]] = (set(), set())
    kept: list[Region] = []
    for chain in sorted(chains, key=len, reverse=True):
        sides = [{m[side] for m in chain} for side in (0, 1)]
        if all(side <= known for side, known in zip(sides, seen, strict=True)):
            continue  # a repeated idiom that longer regions show on both sides
        for side, known in zip(sides, seen, strict=True):
            known |= side
        kept.append(_region(chain))
    return tuple(sorted(_joined(kept), key=lambda r: (r.file, r.lines, r.other_file, r.other_lines)))


def _region(chain: Sequence[tuple[Print, Print]]) -> Region:
    a, b = [m[0] for m in chain], [m[1] for m in chain]
    return Region(
        a[0].file,
        (min(p.first for p in a), max(p.last for p in a)),
        b[0].file,
        (min(p.first for p in b), max(p.last for p in b)),
    )


def _joined(regions: Iterable[Region]) -> list[Region]:
    """Without those whose lines another region holds on both sides."""
    ordered = sorted(
        set(regions), key=lambda r: (r.file, r.other_file, r.lines[0], -r.lines[1], r.other_lines)
    )
    kept: list[Region] = []
    for region in ordered:
        if not any(_within(region, other) for other in kept[-MOST_PLACES:]):
            kept.append(region)
    return kept


def _within(region: Region, other: Region) -> bool:
    return (
        (region.file, region.other_file) == (other.file, other.other_file)
        and other.lines[0] <= region.lines[0]
        and region.lines[1] <= other.lines[1]
        and other.other_lines[0] <= region.other_lines[0]
        and region.other_lines[1] <= other.other_lines[1]
    )


def _matches(one: Iterable[Print], other: Iterable[Print]) -> Iterator[tuple[Print, Print]]:
    """Each fingerprint beside the same one of the other; where it repeats too often, in turn."""
    beside: dict[int, list[Print]] = {}
    for mark in other:
        beside.setdefault(mark.value, []).append(mark)
    mine: dict[int, list[Print]] = {}
    for mark in one:
        mine.setdefault(mark.value, []).append(mark)
    for value, here in mine.items():
        there = beside[value]
        if len(here) * len(there) <= MOST_PLACES:
            yield from ((a, b) for a in here for b in there)
        else:
            for turn in range(max(len(here), len(there))):
                yield here[min(turn, len(here) - 1)], there[min(turn, len(there) - 1)]
