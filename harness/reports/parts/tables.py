"""A table as plain data, so that every report format shows the same cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.reports.parts import clean

LONG_WORD = 16
Mark = Literal["", "pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class Cell:
    """One printable line, an optional second line in small type, and a verdict if the cell shows one."""

    text: str
    note: str = ""
    mark: Mark = ""

    @property
    def whole(self) -> bool:
        """Whether no word is so long that it would have to be broken to fit a column."""
        return max((len(word) for word in f"{self.text} {self.note}".split()), default=0) <= LONG_WORD


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under columns; `numeric` columns are right-aligned. The first column names the row.

    `compact`: the columns are few and short enough for a table on a phone.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: tuple[int, ...] = ()
    footnote: str = ""
    compact: bool = False


@dataclass(frozen=True)
class Facts:
    """Names and values in two columns."""

    caption: str
    rows: tuple[tuple[str, Cell], ...]


def cell(text: str, note: str = "", mark: Mark = "") -> Cell:
    """A cell made printable: text that a candidate controls may be passed in."""
    return Cell(clean.line(text), clean.line(note), mark)


def row(*texts: str | Cell) -> tuple[Cell, ...]:
    """A row of cells."""
    return tuple(t if isinstance(t, Cell) else cell(t) for t in texts)


def facts(caption: str, rows: Sequence[tuple[str, str | Cell]]) -> Facts:
    """Names and values; rows without a value are left out."""
    kept = [(name, value if isinstance(value, Cell) else cell(value)) for name, value in rows]
    return Facts(caption, tuple((clean.line(name), value) for name, value in kept if value.text))
