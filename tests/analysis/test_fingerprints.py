"""Tokens, hashes and the choice among them, each against what another way of working it out gives."""

from __future__ import annotations

import hashlib
import tokenize
import warnings
from collections.abc import Callable, Iterator

import pytest

from harness.analysis import fingerprints
from harness.analysis.fingerprints import characters, grams, read_tokens, tokens, winnow


def symbols(text: str) -> str:
    return " ".join(symbol for symbol, _ in tokens(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("if rows: return rows[0]\n", "if N : return N [ 0 ]"),
        ("x = 'a' + \"b\"  # why\n", 'N = " + "'),
        ("def f(x):\n    '''Said.'''\n    return None\n", "def N ( N ) : return None"),
        ("'alone'\n'too' 'together'\n1\n", "0"),
        ("x = (1,\n\n  2.5e3)", "N = ( 0 , 0 )"),
        ("", ""),
    ],
)
def test_names_numbers_and_texts_are_a_symbol_each_and_keywords_stay(text: str, expected: str) -> None:
    assert symbols(text) == expected


def test_every_symbol_has_the_line_that_it_stands_on() -> None:
    assert [line for _, line in tokens("\n\nx = (\n    1,\n)\ny\n")] == [3, 3, 3, 4, 4, 5, 6]
    assert characters("a b\n\tc") == [("ca", 1), ("cb", 1), ("cc", 2)]


# x = f"a{f"{y}"}b" + z, as Python 3.12 takes it apart
PARTS = (
    ("NAME", "x"),
    ("OP", "="),
    ("FSTRING_START", 'f"'),
    ("FSTRING_MIDDLE", "a"),
    ("OP", "{"),
    ("FSTRING_START", 'f"'),
    ("OP", "{"),
    ("NAME", "y"),
    ("OP", "}"),
    ("FSTRING_END", '"'),
    ("OP", "}"),
    ("FSTRING_MIDDLE", "b"),
    ("FSTRING_END", '"'),
    ("OP", "+"),
    ("NAME", "z"),
    ("NEWLINE", "\n"),
    ("ENDMARKER", ""),
)


def test_an_f_string_is_one_symbol_on_every_version_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    assert symbols("x = f'a{y}b' + z\n") == 'N = " + N'
    kinds = sorted({kind for kind, _ in PARTS})
    monkeypatch.setattr(tokenize, "tok_name", dict(enumerate(kinds)))

    def parted(readline: Callable[[], str]) -> Iterator[tokenize.TokenInfo]:
        for kind, string in PARTS:
            yield tokenize.TokenInfo(kinds.index(kind), string, (1, 0), (1, 0), "")

    monkeypatch.setattr(tokenize, "generate_tokens", parted)
    assert symbols("") == 'N = " + N'


def test_what_python_warns_of_in_a_candidates_code_is_no_warning_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    genuine = tokenize.generate_tokens

    def loud(readline: Callable[[], str]) -> Iterator[tokenize.TokenInfo]:
        warnings.warn("invalid decimal literal", SyntaxWarning, stacklevel=2)
        yield from genuine(readline)

    monkeypatch.setattr(tokenize, "generate_tokens", loud)
    assert symbols("x = 1if y else 2\n") == "N = 0 if N else 0"


def test_a_hash_is_a_polynomial_of_its_symbols_whatever_stood_before() -> None:
    """sum of number(symbol i) B^(k - 1 - i), modulo the Mersenne prime 2^61 - 1."""

    def number(symbol: str) -> int:
        return int.from_bytes(hashlib.blake2b(symbol.encode(), digest_size=8).digest(), "big")

    run = ["N", "=", "0", "+", "N", "if", ":", "é"]
    for k in (1, 3, 8):
        whole = [
            sum(number(s) * 1_000_003 ** (k - 1 - i) for i, s in enumerate(run[at : at + k])) % (2**61 - 1)
            for at in range(len(run) - k + 1)
        ]
        assert grams(run, k) == whole
    assert grams(run, 9) == []
    assert grams([], 1) == []


# The example of the source, section 3: of its hashes these places are chosen in windows of four.
EXAMPLE = [77, 74, 42, 17, 98, 50, 17, 98, 8, 88, 67, 39, 77, 74, 42, 17, 98]


@pytest.mark.parametrize(
    ("hashes", "window", "places"),
    [
        (EXAMPLE, 4, [3, 6, 8, 11, 15]),
        (EXAMPLE[:4], 9, [3]),  # fewer hashes than a window: the least of all
        ([5, 5, 5, 5, 5, 5], 3, [2, 5]),  # of equal ones the rightmost, and then as long as it lasts
        ([3, 2, 1], 1, [0, 1, 2]),
        ([], 4, []),
    ],
)
def test_the_least_hash_of_each_window_is_chosen(hashes: list[int], window: int, places: list[int]) -> None:
    assert winnow(hashes, window) == places


def test_a_file_that_cannot_be_read_has_no_tokens_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "MOST_FILE_BYTES", 2048)
    assert read_tokens(b"x" * 2049) == ([], "is larger than 2 KiB; left out")
    assert read_tokens(b"x" * 2048) == ([("N", 1)], "")
    assert read_tokens(b"x = 1\0") == ([], "is binary; left out")
    assert read_tokens(b"x = '\xe9'") == ([], "is not UTF-8; left out")
    assert read_tokens(b"\xef\xbb\xbfx\r\ny\rz") == ([("N", 1), ("N", 2), ("N", 3)], "")
    assert read_tokens(b"(") == ([("c(", 1)], "is no Python that tokenises; compared by its characters")
