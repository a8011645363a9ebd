"""The table of what attacks gained at each level, for the terminal and for docs/security.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostility.attacks import GAINS

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


@dataclass
class Figures:
    """What was seen at one level."""

    level: str
    attacks: int = 0
    gained: dict[str, list[str]] = field(default_factory=dict)  # by attack
    unlike: dict[str, str] = field(default_factory=dict)  # ended or gained otherwise than it says
    controls: int = 0
    stopped: dict[str, str] = field(default_factory=dict)  # honest, and not scored in full
    left: list[str] = field(default_factory=list)
    seconds: float = 0.0
    before: tuple[float, float] = (
        0.0,
        0.0,
    )  # an honest submission's accuracy and seconds, before all attacks
    after: tuple[float, float] = (0.0, 0.0)


def written(levels: Sequence[Figures], threats: int, made: str) -> str:
    """The figures as Markdown."""
    rows = [
        "| level | attacks | gained something | honest submissions | wrongly stopped | left behind | seconds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for f in levels:
        left = "nothing" if not f.left else f"{len(f.left)}: {', '.join(f.left[:3])}"
        cells = (
            f"`{f.level}`",
            f.attacks,
            len(f.gained),
            f.controls,
            len(f.stopped),
            left,
            f"{f.seconds:.0f}",
        )
        rows.append(f"| {' | '.join(map(str, cells))} |")
    parts = [f"{made} The attacks cover {threats} threats.", "\n".join(rows)]
    for f in levels:
        parts.append(f"What was gained at level `{f.level}`:\n\n{_kinds(f.gained)}")
        if f.before[1]:
            parts.append(
                f"The same honest submission at level `{f.level}`, before and after all attacks: {f.before[0]:.0%} and "
                f"{f.after[0]:.0%} right, {f.before[1] * 1e6:.0f} and {f.after[1] * 1e6:.0f} microseconds an answer."
            )
        if f.unlike:
            unlike = "\n".join(f"- `{name}`: {words}" for name, words in sorted(f.unlike.items()))
            parts.append(f"Attacks that ended otherwise than promised at level `{f.level}`:\n\n{unlike}")
        if f.stopped:
            stopped = "\n".join(f"- `{name}`: {words}" for name, words in sorted(f.stopped.items()))
            parts.append(f"Honest submissions that were stopped at level `{f.level}`:\n\n{stopped}")
    return "\n\n".join(parts)


def _kinds(gained: Mapping[str, Sequence[str]]) -> str:
    counts = Counter(kind for kinds in gained.values() for kind in kinds)
    if not counts:
        return "- nothing"
    lines = []
    for kind, words in GAINS.items():
        names = sorted(name for name, kinds in gained.items() if kind in kinds)
        if names:
            lines.append(f"- {len(names)} {words}: {', '.join(f'`{name}`' for name in names)}")
    return "\n".join(lines)


def insert(page: Path, figures: str, begin: str = BEGIN, end: str = END) -> None:
    """Puts the figures between the page's two marks."""
    text = page.read_text("utf-8")
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    page.write_text(f"{head}{begin}\n\n{figures}\n\n{end}{tail}", "utf-8")
