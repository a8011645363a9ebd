"""What costs nothing to change changes no fingerprint; what is other code has others; no text breaks it."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis import trees
from harness.analysis.trees import DEEPEST, LEAST, marks, parsed

CODE = """import numpy as np


class Solution:
    def fit(self, rows, labels, rate=0.1):
        scale = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
        unit = rows / np.maximum(scale, 1e-9)
        self.centres = np.stack([unit[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
        for _ in range(20):
            gap = unit @ self.centres.T - np.eye(len(self.centres))[labels]
            if not gap.std() > 0.5:
                break
            self.centres -= rate * gap.T @ unit + 0.5 * self.centres
        return self
"""


def values(text: str) -> set[int]:
    """A text's distinct fingerprints."""
    every = marks(text)
    assert every is not None
    return {mark.value for mark in every}


ALIKE = {
    "names": [("rows", "x"), ("unit", "u"), ("centres", "middle"), ("gap", "error"), ("Solution", "Model")],
    "numbers": [("0.1", "3e-4"), ("20", "7"), ("1e-9", "0")],
    "an import by another name": [("import numpy as np", "import numpy as n"), ("np.", "n.")],
    "names that are imported by themselves": [
        ("import numpy as np", "from numpy import sqrt, maximum as most, stack, eye"),
        *[("np.sqrt", "sqrt"), ("np.maximum", "most"), ("np.stack", "stack"), ("np.eye", "eye")],
    ],
    "keyword arguments": [("axis=1, keepdims=True", "keepdims=True, axis=1")],
    "operands": [("rate * gap.T @ unit + 0.5 * self.centres", "self.centres * 0.5 + rate * gap.T @ unit")],
    "a comparison turned round": [("labels == k", "k == labels"), ("gap.std() > 0.5", "0.5 < gap.std()")],
    "a temporary more": [
        ("        scale = np.sqrt((", "        squares = (rows * rows)\n        scale = np.sqrt(("),
        ("((rows * rows).sum(axis=1, keepdims=True))", "(squares.sum(axis=1, keepdims=True))"),
    ],
    "a temporary less": [
        ("        scale = np.sqrt((rows * rows).sum(axis=1, keepdims=True))\n", ""),
        ("np.maximum(scale,", "np.maximum(np.sqrt((rows * rows).sum(axis=1, keepdims=True)),"),
    ],
    "an assignment in full": [
        ("self.centres -= rate", "self.centres = self.centres - (rate"),
        (" + 0.5 * self.centres\n", " + 0.5 * self.centres)\n"),
    ],
    "a condition that is not negated": [("if not gap.std() > 0.5", "if gap.std() <= 0.5")],
    "type hints and a docstring": [
        (
            "rows, labels, rate=0.1):",
            'rows: np.ndarray, labels, rate: float = 0.1) -> "Solution":\n        """Fits."""',
        )
    ],
    "comments": [("        for _", "        # twenty rounds\n\n        for _")],
}


@pytest.mark.parametrize("what", ALIKE)
def test_what_costs_nothing_to_change_changes_no_fingerprint(what: str) -> None:
    text = CODE
    for old, new in ALIKE[what]:
        assert old in text, old
        text = text.replace(old, new)
    compile(text, what, "exec")
    assert text != CODE
    assert len(values(CODE)) >= 5
    assert values(text) == values(CODE)


OTHER = {
    "another function": ("np.sqrt", "np.abs"),
    "another method": (".mean(", ".median("),
    "another order of what does not commute": (
        "rows / np.maximum(scale, 1e-9)",
        "np.maximum(scale, 1e-9) / rows",
    ),
    "another keyword": ("axis=0)", "out=0)"),
    "another operator": ("gap.T @ unit", "gap.T * unit"),
}


@pytest.mark.parametrize("what", OTHER)
def test_what_is_other_code_has_another_fingerprint(what: str) -> None:
    text = CODE.replace(*OTHER[what])
    assert text != CODE
    assert values(CODE) - values(text)
    assert values(CODE) & values(text), "and elsewhere it is as it was"


def test_moved_statements_and_methods_keep_their_fingerprints() -> None:
    line = "        return np.mean((rows @ self.centres.T).argmax(axis=1) == labels)\n"
    second = f"\n    def score(self, rows, labels):\n{line}"
    head, body = CODE.split("    def fit", 1)
    moved = head + second.lstrip("\n") + "\n    def fit" + body
    assert values(moved) == values(CODE + second)


PACKED = {
    "plain": lambda code: repr(code),
    "base 64": lambda code: repr(base64.b64encode(code.encode()).decode()),
    "compressed": lambda code: repr(base64.b64encode(zlib.compress(code.encode()))),
    "bytes": lambda code: repr(zlib.compress(code.encode())),
}


@pytest.mark.parametrize("how", PACKED)
def test_code_in_a_text_is_read_and_its_line_is_the_texts(how: str) -> None:
    text = f"import zlib\n\nCODE = {PACKED[how](CODE)}\nexec(CODE)\n"
    every = marks(text)
    assert every is not None
    assert {mark.value for mark in every} == values(CODE)
    assert {(mark.first, mark.last) for mark in every} == {(3, 3)}


def test_a_bomb_is_unpacked_to_a_limit() -> None:
    bomb = base64.b64encode(zlib.compress(b"a" * (trees.MOST_UNPACKED * 20))).decode()
    assert marks(f"X = {bomb!r}\n") == []


def test_lines_are_those_of_the_statement() -> None:
    every = marks(CODE)
    assert every is not None
    assert {mark.first for mark in every} <= set(range(5, 15))
    assert all(mark.first <= mark.last for mark in every)
    head = marks("for a in sorted(b, key=lambda c: c.d + c.e * 3):\n    f(a)\n") or []
    assert {(mark.first, mark.last) for mark in head} == {(1, 1)}


def test_small_trees_are_everybodys() -> None:
    assert marks("x = f(y)\nreturn_ = x + 1\n") == []
    assert LEAST > 4


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        f"x = {'-' * 50_000}1\n",
        f"x = {'f(' * (DEEPEST + 5)}{')' * (DEEPEST + 5)}",
        "x = ?",
        "\0",
    ],
)
def test_what_has_no_tree_or_too_deep_a_one_is_none(text: str) -> None:
    assert parsed(text) is None
    assert marks(text) is None


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    assert marks(text) is None or parsed(text) is not None


def test_a_name_that_is_given_by_itself_ends() -> None:
    assert marks("def f():\n    a = b\n    b = a\n") == []
    chain = "".join(f"    v{n + 1} = g(v{n}, 1)\n" for n in range(400))
    assert marks(f"def f(v0):\n{chain}    return v400\n") is not None


def test_hashes_are_the_same_in_every_process() -> None:
    code = f"from harness.analysis.trees import marks; print(sorted(m.value for m in marks({CODE!r})))"
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


def test_names_that_stand_for_deep_expressions_end_too() -> None:
    deep = [f"    v{n + 1} = {'f(' * 100}v{n}{')' * 100}\n" for n in range(60)]
    assert marks(f"def f(v0):\n{''.join(deep)}    return v60\n") is None


def test_names_of_two_scopes_that_stand_for_one_another_are_read_to_a_limit() -> None:
    outer = [f"    m{i} = ({', '.join([f'b{i + 1}'] * 8)})" for i in range(24)]
    names = ", ".join(f"b{i}" for i in range(25))
    inner = [f"        b{i} = m{i}" for i in range(25)]  # b0 would stand for 8 ** 24 names
    text = "\n".join(["def outer():", *outer, "    def inner():", *inner, f"        return ({names})"])
    found = marks(f"{CODE}\n\n{text}\n")
    assert found is not None
    assert len(found) < 10_000
    assert {mark.value for mark in marks(CODE) or ()} <= {mark.value for mark in found}


def test_the_files_of_a_submission_share_what_is_unpacked_of_them() -> None:
    lines = "".join(
        f"for v{n} in g({n}): s = s + h(v{n} * t, [u for u in w if u > s])\n" for n in range(4000)
    )
    bomb = base64.b64encode(zlib.compress(lines.encode())).decode()
    text, room = f"T = {bomb!r}\n", trees.Room()
    found = [len(trees.marks(text, (), room) or ()) for _ in range(6)]
    assert found[0] > 0
    assert found[-1] == 0, "two files of three KiB took 45 s, and there may be hundreds"
    assert len(trees.marks(text) or ()) == found[0]


def test_many_packed_texts_are_read_to_a_limit() -> None:
    bomb = base64.b64encode(zlib.compress(b"x = f(y)\n" * 40_000)).decode()
    text = "".join(f"T{n} = {bomb!r}\n" for n in range(100))
    tree = parsed(text)
    assert tree is not None
    assert 1 <= sum(len(code) > 10_000 for *_, code in trees._packed(tree, trees.Room())) <= 3
