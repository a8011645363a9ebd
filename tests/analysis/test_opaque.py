"""What a comparison cannot see is named with its line; what honest code does is not."""

from __future__ import annotations

import pytest

from harness.analysis.opaque import LARGE_FILE, LONG_TABLE, LONG_TEXT, MOST_NAMED, opaque

CASES: dict[str, str | list[str]] = {
    "exec(open('x').read())\n": "exec (a.py:1)",
    "y = 1\nz = eval('y')\n": "eval (a.py:2)",
    "c = compile(s, '', 'exec')\n": "compile (a.py:1)",
    "import marshal\n": "marshal (a.py:1)",
    "import builtins\nbuiltins.exec(text)\n": "builtins (a.py:1)",
    "x = 1\n__builtins__['exec'](text)\n": "__builtins__ (a.py:2)",
    "import numpy\nf = getattr(numpy, 'eval')\n": "eval (a.py:2)",
    "\n".join(f"T{i} = {'a' * 1000!r}" for i in range(4)): "4 literals of 4,000 characters in all (a.py:1)",
    "import sys\nf = vars(sys.modules['built' + 'ins'])['ex' + 'ec']\n": [
        "vars (a.py:2)",
        "sys.modules (a.py:2)",
    ],
    "f = print.__self__.__dict__['ex' + 'ec']\n": "__dict__ (a.py:1)",
    "from sys import modules\n": "sys.modules (a.py:1)",
    "from ctypes import CDLL\n": "ctypes (a.py:1)",
    "import importlib.util\n": "importlib (a.py:1)",
    "from types import FunctionType\n": "types.FunctionType (a.py:1)",
    "import pickle\nx = pickle.loads(open('w', 'rb').read())\n": "pickle (a.py:1)",
    f"T = {'a' * LONG_TEXT!r}\n": f"a literal of {LONG_TEXT:,} characters (a.py:1)",
    f"T = {list(range(LONG_TABLE))}\n": f"a table of {LONG_TABLE} values (a.py:1)",
    "x = = 1\n": "is no Python that parses (a.py)",
}


@pytest.mark.parametrize("text", CASES)
def test_what_cannot_be_compared_is_named_with_its_line(text: str) -> None:
    wanted = CASES[text]
    words = [one.words for one in opaque({"a.py": text.encode()}, {})]
    assert words == (wanted if isinstance(wanted, list) else [wanted])


@pytest.mark.parametrize(
    "text",
    [
        "import pickle\n\ndef save(x):\n    return pickle.dumps(x)\n\ndef load(b):\n    return pickle.loads(b)\n",
        "import re\nP = re.compile('a')\nmodel.eval()\n",
        f"T = {'a' * (LONG_TEXT - 1)!r}\nU = {list(range(LONG_TABLE - 1))}\n",
        "'''" + "words " * 100 + "'''\n",
        "".join(f"def f{i}():\n    '''{'words ' * 30}'''\n    return g(x, 'eval')\n" for i in range(30)),
        "\ufeffimport re\n",
    ],
)
def test_what_honest_code_does_is_not_named(text: str) -> None:
    assert opaque({"a.py": text.encode()}, {}) == ()


def test_files_that_are_no_code_are_named_the_largest_first_and_no_more_than_so_many() -> None:
    sizes = {"w.bin": 5 * LARGE_FILE, "v.npy": 9 * LARGE_FILE, "notes.md": LARGE_FILE - 1}
    assert [one.words for one in opaque({}, sizes)] == [
        "a file of 36 KiB (v.npy)",
        "a file of 20 KiB (w.bin)",
    ]
    assert len(opaque({}, {f"{n}.bin": LARGE_FILE for n in range(50)})) == MOST_NAMED
    pieces = {f"notes{n}.txt": LARGE_FILE // 4 for n in range(4)}
    assert [one.words for one in opaque({}, pieces)] == ["4 files of 4 KiB in all (notes0.txt)"]


@pytest.mark.timeout(30)
def test_tables_in_tables_are_counted_once_each() -> None:
    """Ten seconds for one file, when each was counted by walking all that is in it."""
    depth, values = 90, ",".join(["1"] * 100_000)
    text = f"table = {'[' * depth}{values}{']' * depth}\n"
    assert [one.what for one in opaque({"a.py": text.encode()}, {})] == ["a table of 100,000 values"]
