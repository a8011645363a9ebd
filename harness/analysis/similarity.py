"""Finds code that submissions to one task share with each other and with what is public: a hint, never a verdict.

Own code, since copydetect (PyPI) compares every file with every other by its own documentation, where an
index over a thousand submissions finds the pairs that share anything.

Sources: I. Baxter, A. Yahin, L. Moura, M. Sant'Anna, L. Bier, "Clone Detection Using Abstract Syntax Trees", ICSM
1998 (hashes of trees, operands that commute); S. Schleimer, D. Wilkerson, A. Aiken, "Winnowing: Local Algorithms for
Document Fingerprinting", SIGMOD 2003 (files without a tree); A. Broder, "On the resemblance and containment of
documents", SEQUENCES 1997 (the share).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.analysis import trees
from harness.analysis.fingerprints import GRAM, Print, grams, read_tokens, winnow

COMMON_SHARE = 0.3
COMMON_FROM = 5  # submissions; among fewer nothing is common
COMMON_LEAST = 3  # so many alike are shown, however few hand in
FEW = 20  # own fingerprints below which a share says little
THRESHOLD = 0.5  # share from which a pair is listed: docs/similarity.md has what it was measured on
MOST_KNOWN = 3  # public solutions that are listed for one submission
MOST_PAIRS = 500
MOST_PLACES = 16  # ways to lay one repeated fingerprint of a pair side by side
_GAP = 41  # positions that may differ inside one region: eight statements, or as many tokens
Files = Mapping[str, bytes]


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

    `share` (0 to 1) of its own also stand in `closest`, `elsewhere` of them in any other submission. `known_share` of
    all but the starter's stand in `known`, the public solution with which it shares the most. `unseen` says what of it
    cannot be compared.
    """

    candidate: str
    own: int
    starter: int
    common: int
    closest: str
    share: float
    elsewhere: float
    known: str = ""
    known_share: float = 0.0
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """What the comparison of one task's submissions found; `left_out` pairs are beyond the most that are listed.

    `known` are pairs of a submission and a public solution, whose name is `other`.
    """

    parts: tuple[Part, ...]
    pairs: tuple[SharedCode, ...]
    left_out: int
    notes: tuple[str, ...]
    known: tuple[SharedCode, ...] = ()


def compare(
    handed: Mapping[str, Files],
    given: Iterable[bytes],
    threshold: float = THRESHOLD,
    known: Mapping[str, Files] | None = None,
) -> Found:
    """Compares submissions, files by alias and name, and discounts what is `given` to all (starter, contract).

    `known` are public solutions by name: each submission is compared with them as well, and nothing that is common
    to many is discounted there. A pair is listed where the share of either side is at least `threshold` (0 to 1).
    A file that cannot be read, or is no Python, is no error: it has a note.
    """
    notes: list[str] = []
    starter = {
        mark.value for number, content in enumerate(given) for mark in _file("", f"{number}.py", content, ())
    }
    prints = [_prints(candidate, files, notes) for candidate, files in handed.items()]
    values = [{p.value for p in held} for held in prints]
    common = _common([held - starter for held in values])
    own = [held - starter - common for held in values]
    names = list(handed)
    shared = list(_shared(own))
    pairs, left_out = _listed(names, own, shared, threshold)
    detailed = [_pair(names, own, prints, entry) for entry in pairs]
    public = _Public(known or {}, starter)
    parts = [
        public.placed(part, held - starter)
        for part, held in zip(_parts(names, own, values, starter, common, shared), values, strict=True)
    ]
    listed = [
        pair
        for name, held, mine in zip(names, values, prints, strict=True)
        for pair in public.pairs(name, held - starter, mine, threshold)
    ]
    notes += [
        f"{part.candidate}: {part.common} of its fingerprints stand in many submissions and are not counted"
        for part in parts
        if part.common > part.own
    ]
    return Found(tuple(parts), tuple(detailed), left_out, tuple(notes), tuple(listed))


class _Public:
    """The public solutions of a task, as each submission is compared with them."""

    def __init__(self, known: Mapping[str, Files], starter: set[int]) -> None:
        self.names = list(known)
        self.prints = [_prints(name, files, []) for name, files in known.items()]
        self.own = [{p.value for p in held} - starter for held in self.prints]

    def placed(self, part: Part, own: set[int]) -> Part:
        """The part with the public solution that it shares the most with."""
        counts = [len(own & held) for held in self.own]
        if not own or not any(counts):
            return part
        most = max(range(len(counts)), key=counts.__getitem__)
        return replace(part, known=self.names[most], known_share=counts[most] / len(own))

    def pairs(
        self, name: str, own: set[int], prints: Sequence[Print], threshold: float
    ) -> Iterator[SharedCode]:
        """The public solutions with which a submission shares so much, the most alike first.

        A share counts where it is of FEW fingerprints or more: a submission that holds all of a short solution may
        hold it by chance.
        """
        listed = []
        for number, other in enumerate(self.own):
            shares = [len(own & other) / len(side) for side in (own, other) if len(side) >= FEW]
            if own & other and max(shares, default=0.0) >= threshold:
                listed.append((-len(own & other), number))
        for count, number in sorted(listed)[:MOST_KNOWN]:
            both = ([name, self.names[number]], [own, self.own[number]], [prints, self.prints[number]])
            yield _pair(*both, (0, 1, -count))


def _prints(whose: str, files: Files, notes: list[str]) -> list[Print]:
    helpers = {name.removesuffix(".py").split("/")[0] for name in files}
    found: list[Print] = []
    room = trees.Room()
    for name, content in sorted(files.items()):
        found += _file(whose, name, content, helpers, notes, room)
    return found


def _file(
    whose: str,
    name: str,
    content: bytes,
    helpers: Collection[str],
    notes: list[str] | None = None,
    room: trees.Room | None = None,
) -> list[Print]:
    """A file's fingerprints by its syntax tree; by its tokens or characters where it has none."""
    tokens, note = read_tokens(content)
    if note and notes is not None:
        notes.append(f"{whose}: {name} {note}")
    if tokens and not note:
        marks = trees.marks(content.decode("utf-8-sig"), helpers, room)
        if marks is not None:
            return [Print(mark.value, name, mark.at, mark.first, mark.last) for mark in marks]
        if notes is not None:
            notes.append(f"{whose}: {name} does not parse as Python, or too deep; compared by its tokens")
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
    # Fingerprints of one statement stand at one place.
    matches = {(a.file, b.file, a.at, b.at): (a, b) for a, b in _matches(one, other)}
    for _, (a, b) in sorted(matches.items(), key=lambda entry: entry[0]):
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
