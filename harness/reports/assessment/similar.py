"""Shared code as text: pairs with their lines, and each submission's share; control characters removed."""

from __future__ import annotations

from harness.analysis.similarity import Found, Part, SharedCode
from harness.analysis.trees import DEPTH, LEAST
from harness.readings import Record
from harness.reports.parts import clean, plain

HINT = (
    "Shared code is a hint to look at, never a verdict: two people may write the same lines, learn them from the "
    "same page, or be given them. Read both sides before you think anything of anybody."
)
MOST_REGIONS = 12
MOST_PARTS = 20


def render(task: str, comparison: Found, threshold: float) -> str:
    """One task's comparison as lines for a terminal."""
    listed = len(comparison.pairs) + comparison.left_out
    lines = [
        f"{task}: {plain.count(len(comparison.parts), 'submission')}, {plain.count(listed, 'pair')} with a share of "
        f"{threshold:.0%} or more, and {len(comparison.known)} with public solutions"
    ]
    for pair in (*comparison.known, *comparison.pairs):
        lines += _pair(pair)
    if comparison.left_out:
        lines.append(f"  {comparison.left_out:,} more pairs are not listed; raise --threshold")
    lines += _parts(comparison.parts)
    lines += [
        f"  {clean.line(part.candidate, 64)} cannot be compared: "
        + "; ".join(clean.line(what, 120) for what in part.unseen)
        for part in comparison.parts
        if part.unseen
    ]
    lines += [note(text) for text in comparison.notes]
    return "\n".join(lines) + "\n"


def note(text: str) -> str:
    """A note for the reader, as a line."""
    return f"note: {clean.line(text)}"


class RegionSummary(Record):
    """Lines of one side's file and of the other's that are alike; lines count from 1, both ends included."""

    files: tuple[str, str]
    lines: tuple[tuple[int, int], tuple[int, int]]


class PairSummary(Record):
    """Two submissions: their distinct shared fingerprints, and these as a share (0 to 1) of each one's own."""

    candidates: tuple[str, str]
    shared: int
    shares: tuple[float, float]
    few: bool
    regions: tuple[RegionSummary, ...]


class SubmissionSummary(Record):
    """One submission's distinct fingerprints; `closest` is the candidate who shares the most, if any does.

    `public` is the public solution that shares the most; `unseen` says what of the submission cannot be compared.
    """

    candidate: str
    own: int
    starter: int
    common: int
    closest: str | None
    share: float
    elsewhere: float
    public: str | None
    public_share: float
    unseen: tuple[str, ...]


class SimilarSummary(Record):
    """One task's comparison as JSON: a fingerprint covers `depth` levels of a tree, and `least` nodes or more.

    `public` are pairs of a submission and a public solution.
    """

    task: str
    threshold: float
    depth: int
    least: int
    submissions: tuple[SubmissionSummary, ...]
    public: tuple[PairSummary, ...]
    pairs: tuple[PairSummary, ...]
    pairs_left_out: int
    notes: tuple[str, ...]


def summary(task: str, comparison: Found, threshold: float) -> SimilarSummary:
    """One task's comparison; shares are from 0 to 1."""
    return SimilarSummary(
        task=task,
        threshold=threshold,
        depth=DEPTH,
        least=LEAST,
        submissions=tuple(_submission(part) for part in comparison.parts),
        public=tuple(_pair_summary(pair) for pair in comparison.known),
        pairs=tuple(_pair_summary(pair) for pair in comparison.pairs),
        pairs_left_out=comparison.left_out,
        notes=comparison.notes,
    )


def _submission(part: Part) -> SubmissionSummary:
    return SubmissionSummary(
        candidate=part.candidate,
        own=part.own,
        starter=part.starter,
        common=part.common,
        closest=part.closest or None,
        share=part.share,
        elsewhere=part.elsewhere,
        public=part.known or None,
        public_share=part.known_share,
        unseen=part.unseen,
    )


def _pair_summary(pair: SharedCode) -> PairSummary:
    regions = [
        RegionSummary(files=(r.file, r.other_file), lines=(r.lines, r.other_lines)) for r in pair.regions
    ]
    return PairSummary(
        candidates=(pair.one, pair.other),
        shared=pair.shared,
        shares=(pair.share, pair.other_share),
        few=pair.few,
        regions=tuple(regions),
    )


def _pair(pair: SharedCode) -> list[str]:
    one, other = clean.line(pair.one, 64), clean.line(pair.other, 64)
    few = "; so little code of one's own that a share says little" if pair.few else ""
    lines = [
        f"  {one} and {other}: {pair.share:.0%} of what {one} wrote and {pair.other_share:.0%} of what {other} "
        f"wrote ({pair.shared} fingerprints{few})"
    ]
    for r in pair.regions[:MOST_REGIONS]:
        lines.append(f"    {_place(r.file, r.lines)}  is like  {_place(r.other_file, r.other_lines)}")
    if len(pair.regions) > MOST_REGIONS:
        lines.append(f"    and {len(pair.regions) - MOST_REGIONS} more regions; --json has them all")
    return lines


def _place(file: str, lines: tuple[int, int]) -> str:
    first, last = lines
    return f"{clean.short(file, 60)}:{first}" + (f"-{last}" if last != first else "")


def _parts(parts: tuple[Part, ...]) -> list[str]:
    ordered = sorted(parts, key=lambda part: (-max(part.share, part.known_share), part.candidate))
    names = [clean.short(part.candidate, 30) for part in ordered[:MOST_PARTS]]
    width = max([len("submission"), *map(len, names)])
    head = f"{'own':>5}  {'starter':>7}  {'common':>6}  {'public':>6}  {'share':>5}  closest"
    lines = [f"  {'submission':<{width}}  {head}"]
    for name, part in zip(names, ordered, strict=False):
        closest = clean.short(part.closest, 30) or ("none" if part.own else "no code of its own")
        numbers = f"{part.own:>5}  {part.starter:>7}  {part.common:>6}  {part.known_share:>6.0%}  {part.share:>5.0%}"
        lines.append(f"  {name:<{width}}  {numbers}  {closest}")
    if len(ordered) > MOST_PARTS:
        lines.append(f"  and {len(ordered) - MOST_PARTS:,} more with smaller shares; --json has them all")
    return lines
