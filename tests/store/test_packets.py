"""Packets: what travels is whole, of the kind that was waited for, and says of itself what is true."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.store import packets


def test_what_is_sealed_is_opened_in_its_order() -> None:
    parts = [b"", b"ab", b"c", b""]
    assert packets.opened("folder", packets.sealed("folder", {"a": 1}, parts)) == ({"a": 1}, parts)
    assert packets.opened("folder", packets.sealed("folder", {})) == ({}, [])


def test_a_packet_of_another_kind_or_too_large_is_refused() -> None:
    sealed = packets.sealed("folder", {"a": 1}, [b"x"])
    assert packets.opened("folder", sealed) == ({"a": 1}, [b"x"])
    with pytest.raises(HarnessError, match="another kind"):
        packets.opened("run", sealed)
    with pytest.raises(HarnessError, match="too large"):
        packets.opened("folder", sealed, most=10)
    with pytest.raises(HarnessError, match="the most"):
        packets.sealed("folder", {}, [bytes(100)], most=100)


def test_a_packet_at_the_limit_is_moved_and_one_beyond_is_not() -> None:
    sealed = packets.sealed("folder", {}, [bytes(100)])
    size = len(sealed)
    assert packets.sealed("folder", {}, [bytes(100)], most=size) == sealed
    assert packets.opened("folder", sealed, most=size) == ({}, [bytes(100)])
    with pytest.raises(HarnessError, match="the most that is moved"):
        packets.sealed("folder", {}, [bytes(100)], most=size - 1)
    with pytest.raises(HarnessError, match="it is too large"):
        packets.opened("folder", sealed, most=size - 1)


def whole(said: object, *parts: bytes) -> bytes:
    """A packet with the right digest, whatever its head says."""
    head = json.dumps(said).encode()
    body = b"".join((b"harness packet 1\n", len(head).to_bytes(8, "big"), head, *parts))
    return body + hashlib.sha256(body).digest()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"kind": "run", "head": {}, "sizes": [1]}, ""),
        ({"kind": "folder", "head": {}, "sizes": [1]}, "another kind"),
        ({"kind": "run", "head": [], "sizes": [1]}, "is not what it says"),
        ({"kind": "run", "head": {}, "sizes": [2]}, "is not what it says"),
        ({"kind": "run", "head": {}, "sizes": []}, "is not what it says"),
        ({"kind": "run", "head": {}, "sizes": [2, -1]}, "is not what it says"),
        ({"kind": "run", "head": {}, "sizes": [True]}, "is not what it says"),
        ({"kind": "run", "head": {}}, "cannot be read"),
        ([], "cannot be read"),
        ({"kind": "run", "head": {"number": 10**400}, "sizes": [1]}, "head.number: a whole number beyond"),
        (
            {"kind": "run", "head": {"seconds": float("inf")}, "sizes": [1]},
            "head.seconds: Infinity is no number",
        ),
        ({"kind": "run", "head": {"log": "\ud800"}, "sizes": [1]}, "head.log: half a character is no text"),
    ],
)
def test_a_packet_that_contradicts_itself_is_refused(said: object, words: str) -> None:
    if not words:
        assert packets.opened("run", whole(said, b"x")) == ({}, [b"x"])
        return
    with pytest.raises(HarnessError, match=words):
        packets.opened("run", whole(said, b"x"))


def test_a_gib_is_the_most_that_is_moved() -> None:
    long: Any = range(2**30)  # stands for as many bytes, and none is made
    with pytest.raises(HarnessError, match="has 1024 MiB, and 1024 MiB are the most"):
        packets.sealed("folder", {}, [long])


def test_what_was_not_sealed_here_is_none_of_ours() -> None:
    other = packets.sealed("folder", {"a": 1})[:-32].replace(b"packet 1", b"packet 2")
    for content in (other + hashlib.sha256(other).digest(), b"", bytes(100)):
        with pytest.raises(HarnessError, match="arrived damaged, or is none"):
            packets.opened("folder", content)


@pytest.mark.parametrize("place", [0, 20, 30, -40, -1])
def test_one_bit_that_is_turned_is_noticed(place: int) -> None:
    broken = bytearray(packets.sealed("folder", {"a": 1}, [bytes(100)]))
    broken[place] ^= 1
    with pytest.raises(HarnessError, match="arrived damaged, or is none"):
        packets.opened("folder", bytes(broken))
