"""The table and the list of survivors, as printed and as kept in docs/testing.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from tests.mutants.operators import Mutant

MARK = "<!-- what follows is written by scripts/mutants -->"
Fate = Literal["killed", "by time", "survived", "not reached", "equivalent"]
_HEAD = "| module | of | mutants | killed | survived | not reached | equivalent | score | when |"


@dataclass(frozen=True)
class Tried:
    """One mutant and what became of it; `words` says which tests it outlived."""

    mutant: Mutant
    fate: Fate
    words: str = ""


@dataclass(frozen=True)
class Result:
    """All mutants that were tried of one module; `of` is how many there are, `when` a date and seed."""

    path: str
    of: int
    when: str
    tried: Sequence[Tried] = field(default_factory=tuple)

    def count(self, *fates: Fate) -> int:
        """How many came to one of these ends."""
        return sum(one.fate in fates for one in self.tried)

    @property
    def score(self) -> float | None:
        """Killed, of those that are not equivalent, in percent; a mutant that no test reaches is not killed."""
        real = len(self.tried) - self.count("equivalent")
        return 100 * self.count("killed", "by time") / real if real else None

    def row(self) -> str:
        """Its line of the table."""
        killed, slow = self.count("killed", "by time"), self.count("by time")
        by_time = f" ({slow} by time)" if slow else ""
        score = "none" if self.score is None else f"{self.score:.0f} %"
        rest = " | ".join(str(self.count(fate)) for fate in ("survived", "not reached", "equivalent"))
        return f"| {self.path} | {self.of} | {len(self.tried)} | {killed}{by_time} | {rest} | {score} | {self.when} |"

    def survivors(self) -> list[str]:
        """A line for each that no test noticed."""
        lines = []
        for one in self.tried:
            if one.fate in ("survived", "not reached"):
                m = one.mutant
                where = f"{self.path}:{m.line} {m.function or 'at the top'}"
                lines.append(
                    f"* {where}, {m.kind}: `{_short(m.before)}` -> `{_short(m.after)}` ({one.words})"
                )
        return lines


def _short(text: str) -> str:
    text = " ".join(text.split()).replace("`", "'")
    return text if len(text) <= 90 else f"{text[:87]}..."


def shown(results: Sequence[Result]) -> str:
    """The table and the survivors of these modules."""
    return _text({r.path: r.row() for r in results}, {r.path: r.survivors() for r in results})


def merged(page: str, results: Sequence[Result]) -> str:
    """The page with these modules' rows and survivors new, and those of other modules as they were."""
    before, _, old = page.partition(MARK)
    rows = {m[1]: m[0] for m in re.finditer(r"^\| (\S+\.py) \|.*$", old, flags=re.M)}
    survivors: dict[str, list[str]] = {}
    for line in re.finditer(r"^\* (\S+\.py):\d+ .*$", old, flags=re.M):
        survivors.setdefault(line[1], []).append(line[0])
    for result in results:
        rows[result.path], survivors[result.path] = result.row(), result.survivors()
    return f"{before}{MARK}\n\n{_text(rows, survivors)}"


def _text(rows: dict[str, str], survivors: dict[str, list[str]]) -> str:
    table = [_HEAD, "|---|" + "--:|" * 7 + "---|", *(rows[path] for path in sorted(rows))]
    lines = [line for path in sorted(survivors) for line in survivors[path]]
    return "\n".join([*table, "", "What no test noticed:", "", *(lines or ["* nothing"])]) + "\n"
