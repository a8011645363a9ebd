"""A packet: a JSON head and byte strings in one run of bytes with a digest; what travels between our processes.

Nothing in it is a program: it is read as JSON and as bytes, whoever sent it. The digest finds damage, not
forgery, which no reader can tell by the packet alone; so the code that opens one also checks its content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from harness import strangers
from harness.errors import HarnessError

MOST_BYTES = 1 << 30
_MARK = b"harness packet 1\n"
_LENGTH = 8
_DIGEST = 32


class Packet(NamedTuple):
    """What a packet holds: its head, a JSON object, and its byte strings in their order."""

    head: dict[str, Any]
    parts: list[bytes]


def sealed(kind: str, head: dict[str, Any], parts: Sequence[bytes] = (), most: int = MOST_BYTES) -> bytes:
    """The packet of `kind` with this head and these byte strings; raises HarnessError where it is too large."""
    header = json.dumps({"kind": kind, "head": head, "sizes": [len(part) for part in parts]}).encode()
    size = len(_MARK) + _LENGTH + len(header) + sum(map(len, parts)) + _DIGEST
    if size > most:
        raise HarnessError(
            f"a packet ({kind}) has {size >> 20} MiB, and {most >> 20} MiB are the most that is moved"
        )
    body = b"".join((_MARK, len(header).to_bytes(_LENGTH, "big"), header, *parts))
    return body + hashlib.sha256(body).digest()


def opened(kind: str, content: bytes, most: int = MOST_BYTES) -> Packet:
    """The content of a packet; raises HarnessError where it is damaged, too large or another kind."""
    if len(content) > most:
        raise HarnessError(f"a packet ({kind}) of {len(content) >> 20} MiB was refused: it is too large")
    body = memoryview(content)[:-_DIGEST]
    start = len(_MARK) + _LENGTH
    if content[: len(_MARK)] != _MARK or hashlib.sha256(body).digest() != content[-_DIGEST:]:
        raise HarnessError(f"a packet ({kind}) arrived damaged, or is none")
    length = int.from_bytes(body[len(_MARK) : start], "big")
    try:
        header = json.loads(bytes(body[start : start + length]), parse_int=strangers.whole)
        wrong = strangers.unfit(header)
        head, sizes = header["head"], header["sizes"]
        fits = (
            header["kind"] == kind
            and isinstance(head, dict)
            and all(type(n) is int and n >= 0 for n in sizes)
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise HarnessError(f"a packet ({kind}) cannot be read") from error
    if wrong:
        raise HarnessError(f"a packet ({kind}) was refused: {wrong}")
    if not fits or start + length + sum(sizes) != len(body):
        raise HarnessError(f"a packet ({kind}) is not what it says, or is one of another kind")
    parts, at = [], start + length
    for size in sizes:
        parts.append(bytes(body[at : at + size]))
        at += size
    return Packet(head, parts)
