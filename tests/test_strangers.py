"""What strangers wrote: what looks like a blank is one, a line is no wider than it may be, numbers have an end."""

from __future__ import annotations

import unicodedata

import pytest

from harness import strangers
from harness.reports.parts import clean

# Of Unicode 15: a letter's place and nothing in it, or nothing at all, though none is a control or a space.
BLANKS = "\u115f\u1160\u2800\u3164\uffa0\U0001d159\U00013441\U00013442"
HIDDEN = "\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f\ufe00\ufe0f\U00016fe4\U000e0100\U000e01ef"


@pytest.mark.parametrize("blank", [*BLANKS, "\u00a0", "\u2003", "\u3000", "\t", "\u2028"])
def test_what_looks_like_a_blank_is_a_space(blank: str) -> None:
    assert clean.line(f"a{blank * 30}b{blank}") == "a b"
    assert clean.short(f"a{blank * 30}b", 20) == "a b"
    assert clean.sentence(f"  a{blank * 30}b") == "  a b"
    assert not strangers.shows(blank * 3)


@pytest.mark.parametrize("hidden", [*HIDDEN, "\u200b", "\u00ad", "\u2060", "\u202e", "\x00", "\U000e0041"])
def test_what_nothing_shows_is_left_out(hidden: str) -> None:
    assert clean.line(f"a{hidden * 30}b") == "ab"
    assert not strangers.shows(hidden * 3)


def test_every_filler_of_unicode_is_known() -> None:
    names = ((chr(code), unicodedata.name(chr(code), "")) for code in range(0x110000))
    kinds = (
        "HANGUL CHOSEONG FILLER",
        "HANGUL JUNGSEONG FILLER",
        "VARIATION SELECTOR",
        "INVISIBLE",
        "BRAILLE PATTERN BLANK",
    )
    found = [one for one, name in names if ("HANGUL" in name and "FILLER" in name) or name.startswith(kinds)]
    assert len(found) > 250
    assert [one for one in found if strangers.is_plain(one) or strangers.shows(one)] == []


@pytest.mark.parametrize(
    "text", ["a b", "größer", "模型", "훈련", "\u2801\u28ff", "e\u0301", "🙂", "ᄒ\u1161\u11ab"]
)
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    assert clean.line(text) == text
    assert strangers.is_plain(text)
    assert strangers.shows(text)


def test_a_mark_upon_nothing_shows_nothing() -> None:
    assert not strangers.shows("\u0301\u0302")


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("模型模型", 8, "模型模型"),
        ("模型模型", 7, "模型模…"),
        ("模型模型", 6, "模型…"),
        ("a" + "\u0301" * 23, 6, "a" + "\u0301" * 23),
        ("a" + "\u0301" * 99, 6, "a" + "\u0301" * 19 + "…"),
    ],
)
def test_a_line_takes_no_more_columns_than_it_may(text: str, most: int, shown: str) -> None:
    assert strangers.fitted(text, most) == shown


@pytest.mark.parametrize(
    "text", ["word " * 60, "x" * 400, "模" * 200, "a " + "y" * 130 + " z", "", "ok       name"]
)
@pytest.mark.parametrize("width", [120, 60, 3])
def test_only_the_first_line_of_a_text_begins_at_the_edge(text: str, width: int) -> None:
    first, *rest = clean.hanging(text, width, 20).split("\n")
    assert len(first) <= width
    assert all(row.startswith(" " * min(20, width // 2)) and row.strip() for row in rest)
    assert "".join([first, *rest]).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [0, {"b": 2**63}]}, "a.1.b: a whole number beyond 2**63 - 1 cannot be reckoned with"),
        ({"a": -(2**63)}, "a: a whole number beyond 2**63 - 1 cannot be reckoned with"),
        ({"a": float("nan")}, "a: NaN is no number of JSON"),
        ([1, float("-inf")], "1: -Infinity is no number of JSON"),
        ({"a": {"b": "\ud800"}}, "a.b: half a character is no text"),
        ({"a\u2800\u2800\x1bb": {"\udfff": 1}}, "a b.: half a character is no text"),
        (2**64, "it: a whole number beyond 2**63 - 1 cannot be reckoned with"),
        ({"a": [2**63 - 1, -(2**63) + 1, -0.0, 1e308, 5e-324, True, None, "", []], "b": {}}, ""),
    ],
)
def test_what_cannot_be_reckoned_with_is_named_by_its_field(value: object, words: str) -> None:
    assert strangers.unfit(value) == words


def test_a_value_that_is_nested_deep_needs_no_stack() -> None:
    value: object = 2**63
    for _ in range(50_000):
        value = [value]
    assert (
        strangers.unfit(value) == "….0.0.0.0.0.0.0.0: a whole number beyond 2**63 - 1 cannot be reckoned with"
    )


@pytest.mark.parametrize(
    "text", ["0", "-1", str(2**63 - 1), str(-(2**63)), "9" * 20, "9" * 100_000, "-" + "9" * 5000]
)
def test_a_whole_number_that_is_too_long_is_never_made(text: str) -> None:
    assert strangers.unfit(strangers.whole(text)) == strangers.unfit(int(text) if len(text) < 100 else 2**63)
