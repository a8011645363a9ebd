"""Which public data set a local folder's texts are of, by fingerprints alone; a set that is not listed is not known.

A set's list, in `known.json`, holds the smallest hashes of its runs of words, and no text. So cutting, splitting or
choosing texts changes nothing, and rewriting them does. `scripts/known-sets` makes the list from local folders.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LIST = Path(__file__).with_name("known.json")
RUN = 8  # words: shorter runs occur in anybody's texts
FEWEST_WORDS = 4  # a text of fewer says nothing of where it is from; one of fewer than RUN is one run
MOST = 1024  # hashes of a set: the smallest, so that two lists of the same texts hold the same
READ = 10_000  # characters of a text that are looked at: enough of a contract to know it
# From this share of its runs on a folder is of the set, if it is so in FEWEST_HITS runs at least.
SHARE = 0.1
FEWEST_HITS = 3
FACTOR = np.uint64(0x9E3779B97F4A7C15)

Hashes = NDArray[np.uint64]


def recognised(texts: Iterable[str]) -> str:
    """The listed set that most of the texts' runs are of; '' where it is less than SHARE of them.

    Only runs with hashes as small as the list's own are compared (bottom-k sketches: Broder 1997).
    """
    own = runs(text[:READ] for text in texts)
    shares = {}
    for name, hashes in _listed(LIST).items():
        compared = own[own <= hashes[-1]]
        hits = int(np.isin(compared, hashes).sum())
        if hits >= FEWEST_HITS:
            shares[name] = hits / len(compared)
    best = max(shares, key=lambda name: shares[name], default="")
    return best if best and shares[best] >= SHARE else ""


def runs(texts: Iterable[str]) -> Hashes:
    """The hashes of all runs of RUN words in the texts, each once, in order: uint64[runs]."""
    words: dict[str, int] = {}
    parts = [run for text in texts if len(run := _runs_of(text, words))]
    return np.unique(_mixed(np.concatenate(parts))) if parts else np.zeros(0, np.uint64)


def sketch(texts: Iterable[str]) -> str:
    """What the list keeps of a set: its MOST smallest hashes, little-endian, in base64."""
    return base64.b64encode(runs(texts)[:MOST].astype("<u8").tobytes()).decode()


@functools.cache
def _listed(file: Path) -> dict[str, Hashes]:
    sets: dict[str, str] = json.loads(file.read_text("utf-8"))
    return {name: np.frombuffer(base64.b64decode(kept), "<u8") for name, kept in sets.items()}


def _runs_of(text: str, known: dict[str, int]) -> Hashes:
    """A polynomial of the hashes of each run's words, modulo 2 to the 64."""
    words = re.findall(r"\w+", text.lower())
    if len(words) < FEWEST_WORDS:
        return np.zeros(0, np.uint64)
    for word in words:
        if word not in known:
            known[word] = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
    hashes = np.array([known[word] for word in words], np.uint64)
    width = min(RUN, len(words))
    total = np.zeros(len(words) - width + 1, np.uint64)
    for place in range(width):
        total = total * FACTOR + hashes[place : place + len(total)]
    return total


def _mixed(values: Hashes) -> Hashes:
    """Every bit spread over all bits (the finaliser of splitmix64), so that small values are random ones."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
