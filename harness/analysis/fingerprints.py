"""Fingerprints of a file that has no syntax tree: its tokens or characters, hashed in runs and winnowed; pure."""

from __future__ import annotations

import hashlib
import keyword
import tokenize
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

GRAM = 16  # tokens in one fingerprint: shorter runs are never a match
WINDOW = 9  # every run of GRAM + WINDOW - 1 tokens that two files share is found
MOST_FILE_BYTES = 256 * 1024
_BASE = 1_000_003
_PRIME = (1 << 61) - 1
_DROPPED = {"COMMENT", "NL", "INDENT", "DEDENT", "ENCODING", "TYPE_COMMENT", "TYPE_IGNORE"}
_TEXT = '"'
Token = tuple[str, int]


class Print(NamedTuple):
    """One fingerprint: its hash, the file, the position of its first token, and its lines, from 1."""

    value: int
    file: str
    at: int
    first: int
    last: int


def tokens(text: str) -> list[Token]:
    """Symbols and lines of Python code: names as one symbol, numbers and strings as one each.

    Comments, white space and statements that are only a string (docstrings) are left out. Raises
    tokenize.TokenError, SyntaxError or ValueError where it does not tokenise.
    """
    lines = iter([f"{line}\n" for line in text.split("\n")])
    kept: list[Token] = []
    statement: list[Token] = []
    depth = 0  # in an f-string: one symbol on every version of Python
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on numbers and escapes of the candidate's
        for token in tokenize.generate_tokens(lines.__next__):
            kind, line = tokenize.tok_name[token.type], token.start[0]
            if kind == "ERRORTOKEN":
                raise tokenize.TokenError("no token", token.start)
            if kind.endswith("STRING_START"):
                statement += [(_TEXT, line)] if depth == 0 else []
                depth += 1
            elif kind.endswith("STRING_END"):
                depth -= 1
            elif kind in ("NEWLINE", "ENDMARKER"):
                kept += statement if any(symbol != _TEXT for symbol, _ in statement) else []
                statement = []
            elif depth == 0 and kind not in _DROPPED:
                statement.append((_symbol(kind, token.string), line))
    return kept


def characters(text: str) -> list[Token]:
    """Every character that is no white space, with its line: for files that do not tokenise."""
    return [
        (f"c{c}", number) for number, line in enumerate(text.split("\n"), 1) for c in line if not c.isspace()
    ]


def grams(symbols: Sequence[str], k: int = GRAM) -> list[int]:
    """The hash of every k symbols in a row (Karp and Rabin's rolling hash), the same in every process."""
    if len(symbols) < k:
        return []
    numbers = [_number(symbol) for symbol in symbols]
    oldest = pow(_BASE, k - 1, _PRIME)
    value = 0
    for number in numbers[:k]:
        value = (value * _BASE + number) % _PRIME
    hashes = [value]
    for gone, new in zip(numbers, numbers[k:], strict=False):
        value = ((value - gone * oldest) * _BASE + new) % _PRIME
        hashes.append(value)
    return hashes


def winnow(hashes: Sequence[int], window: int = WINDOW) -> list[int]:
    """Positions of the chosen hashes: the least in every window of so many.

    Of equal ones the choice of the window before is kept, else the rightmost is taken (robust winnowing,
    section 5.1 of the source), so a long table of numbers has few.
    """
    if not hashes:
        return []
    window = min(window, len(hashes))
    chosen: list[int] = []
    at = -1
    for end in range(window - 1, len(hashes)):
        start = end - window + 1
        if at < start:
            at = min(range(end, start - 1, -1), key=hashes.__getitem__)
        elif hashes[end] < hashes[at]:
            at = end
        else:
            continue
        chosen.append(at)
    return chosen


def _symbol(kind: str, text: str) -> str:
    if kind == "NAME":
        return text if keyword.iskeyword(text) else "N"
    return {"NUMBER": "0", "STRING": _TEXT}.get(kind, text)


@lru_cache(maxsize=1 << 16)
def _number(symbol: str) -> int:
    digest = hashlib.blake2b(symbol.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % _PRIME


class FileTokens(NamedTuple):
    """The tokens of a file, and what a person should know about them; empty where there is nothing."""

    tokens: list[Token]
    note: str = ""


def read_tokens(content: bytes) -> FileTokens:
    """The tokens of a file; none where it is too large or no text, and its characters where it is no Python."""
    if len(content) > MOST_FILE_BYTES:
        return FileTokens([], f"is larger than {MOST_FILE_BYTES >> 10} KiB; left out")
    if b"\0" in content:
        return FileTokens([], "is binary; left out")
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        return FileTokens([], "is not UTF-8; left out")
    try:
        return FileTokens(tokens(text))
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError):
        return FileTokens(characters(text), "is no Python that tokenises; compared by its characters")
