"""Canaries: scored texts said in other words, so that a look-up of the published text fails and a reader does not.

Words that have a near equal are replaced, neutral words are put in where none was for a while, small numbers are spelt,
and case and punctuation change: so no start, no run of a few words and hardly a pair of neighbouring words stays. A
look-up that compares whole bags of words still finds most of them: it reads, if badly.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.measures.stats import DRAWS, Floats, Statistic, bootstrap_draws, mean, percentile_interval
from harness.measures.synonyms import EQUALS
from harness.records import Measurement

SHARE = 0.2  # of the scored texts
GAP = 2  # words in a row that may stay; after them a neutral one is put in
ENGLISH = 0.15  # of a text's words that have an equal; under that, words change places instead
GAP_NAME, UNTOUCHED, ALTERED = "canary_gap", "untouched_", "altered_"

FILLERS = (
    "here",
    "indeed",
    "in fact",
    "as such",
    "in turn",
    "thus",
    "in effect",
    "so to speak",
    "as it were",
    "then",
)
OPENINGS = (
    "In short,",
    "Put plainly,",
    "As a rule,",
    "In other words,",
    "To begin with,",
    "Generally speaking,",
)
NUMBERS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
WORD = re.compile(r"^(\W*)([A-Za-z]+|\d{1,2})(\W*)$")

Mask = NDArray[np.bool_]


class Some(NamedTuple):
    """Texts, and which of them are altered: bool[n]."""

    texts: tuple[str, ...]
    chosen: Mask


def altered_some(texts: Sequence[str], rng: np.random.Generator, share: float = SHARE) -> Some:
    """The texts, of which a share drawn by chance is altered. No two of them become equal."""
    chosen = np.zeros(len(texts), dtype=np.bool_)
    chosen[rng.permutation(len(texts))[: round(share * len(texts))]] = True
    seen, made = set(texts), []
    for text, canary in zip(texts, chosen.tolist(), strict=True):
        other = altered(text, rng) if canary else text
        if canary and other in seen:
            other = f"{OPENINGS[len(made) % len(OPENINGS)]} {other}"
        seen.add(other)
        made.append(other)
    return Some(tuple(made), chosen)


def altered(text: str, rng: np.random.Generator) -> str:
    """The text in other words; its lines stay lines."""
    return "\n".join(_line(line, rng) if line.strip() else line for line in text.split("\n"))


def _line(line: str, rng: np.random.Generator) -> str:
    words = line.split()
    matches = [WORD.match(word) for word in words]
    equals = [_equals(match.group(2)) if match else () for match in matches]
    if sum(map(bool, equals)) < ENGLISH * len(words):
        return " ".join(_swapped(words, rng))
    made: list[str] = []
    since = 0
    for place, (word, match, others) in enumerate(zip(words, matches, equals, strict=True)):
        since += 1
        if match and others:
            made.append(_in_place(match, others[int(rng.integers(len(others)))]))
            since = 0
        else:
            made.append(word)
        if since >= GAP and place < len(words) - 1 and word[-1].isalnum():
            made.append(FILLERS[int(rng.integers(len(FILLERS)))])
            since = 0
    if rng.random() < 0.5:
        made[:1] = [OPENINGS[int(rng.integers(len(OPENINGS)))], made[0][:1].lower() + made[0][1:]]
    changed = " ".join(made)
    if changed.endswith("."):
        return changed[:-1]
    return f"{changed}." if changed[-1].isalnum() else changed


def _swapped(words: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Every second pair of neighbours in the other order: for a text whose language is not known here."""
    made, start = list(words), int(rng.integers(2))
    for place in range(start, len(made) - 1, GAP + 1):
        made[place], made[place + 1] = made[place + 1], made[place]
    return made


def _in_place(match: re.Match[str], other: str) -> str:
    """The other word between what stood around the first, and with its capital."""
    before, word, after = match.groups()
    return before + (other.capitalize() if word[0].isupper() and word[1:].islower() else other) + after


def _equals(word: str) -> tuple[str, ...]:
    if word.isdigit():
        return (NUMBERS[int(word)],) if int(word) < len(NUMBERS) else ()
    return EQUALS.get(word.lower(), ())


def canary_gap(
    name: str, per_item: Floats, altered: Mask, statistic: Statistic = mean, draws: int = DRAWS
) -> tuple[Measurement, ...]:
    """The measure `name` on the untouched items and on the altered ones, and by how much the first is better.

    `statistic` makes the measure of rows of `per_item` (n, ...); nothing where all items are of one kind.
    """
    if altered.all() or not altered.any():
        return ()
    parts = per_item[~altered], per_item[altered]
    values = statistic(parts[0]), statistic(parts[1])
    drawn = [bootstrap_draws(part, statistic, seed, draws) for seed, part in enumerate(parts)]
    return (
        _measured(UNTOUCHED + name, values[0], drawn[0], "higher"),
        _measured(ALTERED + name, values[1], drawn[1], "higher"),
        _measured(GAP_NAME, values[0] - values[1], np.subtract(*drawn), "neither"),
    )


def _measured(name: str, value: float, draws: Floats, direction: str) -> Measurement:
    low, high = percentile_interval(draws)
    return Measurement.model_validate(
        {
            "name": name,
            "unit": "",
            "direction": direction,
            "value": value,
            "low": min(low, value),
            "high": max(high, value),
        }
    )
