"""Pure: what strangers wrote, before it is used: what of a text can be seen, and numbers that can be reckoned with.

A text is shown on a line of a terminal. What looks like a blank there and is none to Python (the fillers of Hangul, the
blank of braille) pads a text until its end stands in a line of its own, where it passes for one of the program's.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator

# What a database, a C program and a float can take: a larger one ends in an OverflowError somewhere.
MOST = 2**63 - 1
# Parts of a field's name that are shown.
_PARTS = 8
# The way to a part of a value of JSON: that to what holds it, and its key or number there; None for the whole.
_Path = tuple["_Path", object] | None
# No width of their own, though their category is another than C (controls and formats): Unicode's property
# Default_Ignorable_Code_Point. They join, or choose among the forms of the character before.
_HIDDEN = "\u034f\u17b4-\u17b5\u180b-\u180f\ufe00-\ufe0f\U00016fe4\U000e0100-\U000e01ef"
# As wide as a letter and nothing to be seen: Hangul fillers (U+115F, U+1160, U+3164, U+FFA0), braille without a dot,
# a note without a head, hieroglyphs that are blank. Z, the separators, is said by its members that str.split leaves.
_BLANK = "\u115f\u1160\u2800\u3164\uffa0\U0001d159\U00013441-\U00013442"
_HIDDEN_ONE, _BLANK_ONE = re.compile(f"[{_HIDDEN}]"), re.compile(f"[{_BLANK}]")
_ODD = re.compile(f"[{_HIDDEN}{_BLANK}]")


def is_plain(text: str) -> bool:
    """Whether all of a text can be printed and seen; plain spaces may stand in it."""
    return text.isprintable() and not _ODD.search(text)


def seen(text: str) -> str:
    """`text` with a space for each character that only looks like one, and without those that nothing shows.

    Lines stay lines; controls and formats (category C) go but for the newline.
    """
    if is_plain(text):  # nearly every text is: none of what follows would change it
        return text
    text = _BLANK_ONE.sub(" ", _HIDDEN_ONE.sub("", text))
    kept = (" " if c.isspace() and c != "\n" else c for c in text)
    return "".join(c for c in kept if c == "\n" or not unicodedata.category(c).startswith("C"))


def shows(text: str) -> bool:
    """Whether anything of a text can be seen: a mark upon nothing is not."""
    return any(not c.isspace() and not unicodedata.category(c).startswith("M") for c in seen(text))


def columns(text: str) -> int:
    """How many columns of a terminal a line takes: two for a wide character, none for a mark upon another."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def head(text: str, most: int) -> str:
    """The start of a line that takes at most `most` columns, with no more marks than such a line holds."""
    if text.isascii():
        return text[:most]
    used = 0
    for number, character in enumerate(text[: 4 * most]):
        if (used := used + _columns(character)) > most:
            return text[:number]
    return text[: 4 * most]


def fitted(text: str, most: int) -> str:
    """A line of at most `most` columns: `text`, or its start with an ellipsis."""
    return text if head(text, most) == text else head(text, most - 1).rstrip() + "…"


def brief(text: str, most: int = 60) -> str:
    """A stranger's text within a sentence of ours: one line of at most `most` columns, with single spaces."""
    return fitted(" ".join(seen(text).split()), most)


def unfit(value: object) -> str:
    """What in a value of JSON cannot be reckoned with or kept, with the name of its field; "" where all can.

    Whole numbers beyond `MOST`, numbers that are none or have no end, and text that no encoding has.
    """
    return next((f"{_name(path)}: {why}" for path, one in _leaves(value) if (why := _why(one))), "")


def whole(text: str) -> int:
    """For `json.loads`: a whole number; of one that is far too long, another that `unfit` refuses as well."""
    return int(text) if len(text) <= len(str(MOST)) + 1 else MOST + 1


def _why(one: object) -> str:
    if isinstance(one, float) and not math.isfinite(one):
        name = "NaN" if math.isnan(one) else "Infinity" if one > 0 else "-Infinity"
        return f"{name} is no number of JSON"
    if isinstance(one, int) and abs(one) > MOST:
        return "a whole number beyond 2**63 - 1 cannot be reckoned with"
    if isinstance(one, str) and any("\ud800" <= c <= "\udfff" for c in one):
        return "half a character is no text"
    return ""


def _leaves(value: object) -> Iterator[tuple[_Path, object]]:
    """All numbers, texts and keys in a value of JSON, each with the way to it; without recursion."""
    waiting: list[tuple[_Path, object]] = [(None, value)]
    while waiting:
        path, one = waiting.pop()
        if isinstance(one, dict):
            yield from (((path, key), key) for key in one)
            waiting += [((path, key), part) for key, part in reversed(one.items())]
        elif isinstance(one, list):
            waiting += [((path, number), one[number]) for number in reversed(range(len(one)))]
        else:
            yield path, one


def _name(path: _Path) -> str:
    """A field's name by the way to it: "machine.memory_bytes", or the end of a long one."""
    parts: list[str] = []
    while path is not None and len(parts) < _PARTS:
        path, part = path
        parts.append(brief(str(part), 40))
    start = "" if path is None else "…."
    return f"{start}{'.'.join(reversed(parts))}" if parts else "it"


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
