"""Text that a candidate controls, made harmless: no escape sequences, no control characters, no false blanks, bounded.

It does not escape HTML or Markdown: each report does that for its own syntax.
"""

from __future__ import annotations

import re

from harness import strangers

ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # operating system commands: titles, links
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # device control and other strings
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # control sequences: colours, cursor
    r"|\x1b[ -/]*[0-~]?"  # every other escape
)
_BLANKS = re.compile(r"(?<=\S)[^\S\n]+")
MAX_LINE = 400
MAX_LINES = 60


def line(text: str, width: int = MAX_LINE) -> str:
    """`text` as one printable line of at most `width` characters."""
    return cut(" ".join(printable(text).split()), width)


def short(text: str, width: int) -> str:
    """`text` as one printable line, its end replaced by an ellipsis where it is too long."""
    shown = " ".join(printable(text).split())
    return shown if len(shown) <= width else f"{shown[: width - 1]}…"


def cut(text: str, width: int) -> str:
    """`text`, or its start and how many characters were cut off."""
    return text if len(text) <= width else f"{text[:width]} … ({len(text) - width:,} more characters)"


def printable(text: str) -> str:
    """`text` without escape sequences, carriage returns, control and bidirectional characters.

    What only looks like a space becomes one: `line` and `short` leave one of many.
    """
    if strangers.is_plain(text):
        return text
    return strangers.seen(ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n").expandtabs(4))


def sentence(text: str) -> str:
    """`text` as printable lines in which a single space stands for many: none moves what follows into its own line."""
    return _BLANKS.sub(" ", printable(text))


def fitted(text: str, columns: int) -> str:
    """`text` as one printable line that takes at most so many columns of a terminal."""
    return strangers.fitted(" ".join(printable(text).split()), columns)


def hanging(text: str, width: int, indent: int) -> str:
    """A line as lines of at most `width` columns, broken between words, all but the first set in by `indent`.

    So that nothing in it can begin a line of a terminal. Half of a narrow terminal is kept for the words.
    """
    indent, rest = min(indent, width // 2), text
    rows: list[str] = []
    while True:
        room = max(width - (indent if rows else 0), 2)
        row = strangers.head(rest, room)
        words = row.rpartition(" ")[0]
        if len(row) < len(rest) and rest[len(row)] != " " and words.strip():
            row = words
        rows.append(" " * (indent if rows else 0) + row.rstrip())
        rest = rest[len(row) :].lstrip()
        if not rest:
            return "\n".join(rows)


def block(text: str, lines: int = MAX_LINES, width: int = MAX_LINE) -> str:
    """`text` as printable lines: at most `lines`, the middle left out, each at most `width` long."""
    rows = [cut(row.rstrip(), width) for row in printable(text).strip("\n").split("\n")]
    if len(rows) > lines:
        head = lines // 3
        left_out = f"… {len(rows) - lines:,} lines left out …"
        rows = [*rows[:head], left_out, *rows[len(rows) - (lines - head) :]]
    return "\n".join(rows)


def log(head: str, tail: str, total: int) -> str:
    """A worker's stored output: its first and last bytes, and how many were not stored."""
    kept = len(head.encode()) + len(tail.encode())
    parts = [block(head)] if head else []
    if total > kept:
        parts.append(f"… {total - kept:,} bytes not kept …")
    if tail:
        parts.append(block(tail))
    return "\n".join(parts)
