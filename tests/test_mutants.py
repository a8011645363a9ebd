"""The tool that puts faults into the program: which faults, which are drawn, and which tests meet them."""

from __future__ import annotations

import ast
import io
import json
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.mutants import choosing, page, prefork, running
from tests.mutants.__main__ import EQUIVALENT, _differs, _path
from tests.mutants.operators import WEIGHTS, Mutant, mutants

TOP = Path(__file__).parent.parent


def afters(source: str, kind: str) -> set[str]:
    return {one.applied(source) for one in mutants(source) if one.kind == kind}


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("boundary", "x = a < b", "x = (a <= b)"),
        ("negate", "x = a in b", "x = (a not in b)"),
        ("bin", "x = a / b", "x = (a * b)"),
        ("const", "x = f(7)", "x = f(8)"),
        ("const", "x = f(True)", "x = f(False)"),
        ("bool", "x = a or b", "x = (a and b)"),
        ("bool", "x = a or b", "x = (a)"),
        ("not", "x = not a", "x = (a)"),
        ("not", "x = -a", "x = (a)"),
        ("guard", "x = a if b else c", "x = a if False else c"),
        ("return", "def f():\n    return a", "def f():\n    return None"),
        ("raise", "def f():\n    raise E()", "def f():\n    pass"),
        ("drop", "def f():\n    g()", "def f():\n    pass"),
        ("drop", "a += 1", "pass"),
        ("call", "x = max(a, b)", "x = (min(a, b))"),
        ("call", "x = abs(a)", "x = (a)"),
        ("call", "x = sorted(a, key=f)", "x = (list(a))"),
        ("swap", "x = f(a, b)", "x = (f(b, a))"),
        ("attr", "x = a.low", "x = (a.high)"),
        ("loop", "for x in y:\n    pass", "for x in ():\n    pass"),
        ("default", "def f(a=3):\n    g", "def f(a=4):\n    g"),
        ("filter", "x = [a for a in b if c]", "x = [a for a in b if True]"),
        ("word", "x = 'fail'", "x = 'inconclusive'"),
    ],
)
def test_each_kind_of_fault(kind: str, before: str, after: str) -> None:
    assert after in afters(before, kind)


def test_every_kind_has_a_weight_and_is_made_somewhere() -> None:
    made = {one.kind for file in (TOP / "harness").rglob("*.py") for one in mutants(file.read_text("utf-8"))}
    assert made == set(WEIGHTS)


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring with 1 < 2."""',
        "from typing import Literal\nWord = Literal['pass', 'fail']",
        "def f(x: Literal[3]) -> Literal[4]: ...",
        "@given(deadline=3)\ndef f(): ...",
        "x: int",
        "x = f'{a.low} and {3}'",
        "if TYPE_CHECKING:\n    x = 3",
        "x = 'a' + b",
        "def f():\n    return None",
    ],
)
def test_what_no_run_could_notice_is_left_alone(source: str) -> None:
    assert not mutants(source)


def test_places_are_right_beside_letters_of_several_bytes() -> None:
    source = "def f(self):\n    x = 'é' if a < b else 'ü'\n    return x\n"
    made = [one for one in mutants(source) if one.kind == "boundary"]
    assert [one.applied(source) for one in made] == [source.replace("a < b", "(a <= b)")]
    assert (made[0].line, made[0].function, made[0].before) == (2, "f", "a < b")


def test_functions_are_named_as_the_interpreter_names_them() -> None:
    source = (
        "X = 1\n\nclass A:\n    y = 2\n\n    def m(self):\n        def inner():\n            return 3\n"
        "        return inner()\n"
    )
    names = {one.before: one.function for one in mutants(source) if one.kind == "const"}
    assert names == {"1": "", "2": "", "3": "A.m.<locals>.inner"}
    space: dict = {}
    exec(source, space)
    codes = [c for c in space["A"].m.__code__.co_consts if hasattr(c, "co_qualname")]
    assert [c.co_qualname for c in codes] == ["A.m.<locals>.inner"]


@pytest.mark.parametrize("name", ["measures/stats.py", "measures/paired.py"])
def test_every_fault_compiles_and_changes_the_program(name: str) -> None:
    file = TOP / "harness" / name
    source = file.read_text("utf-8")
    plain = ast.dump(ast.parse(source))
    made = mutants(source)
    assert len(made) > 50
    same = [one for one in made if not _differs(one.applied(source), plain)]
    assert not same


SOURCE = "def f(a, b):\n    return (a < b or a.low > 3) and max(a, b) + 1 > 0\n"


def test_the_sample_hangs_on_seed_and_fault_alone() -> None:
    made = mutants(SOURCE)
    drawn = choosing.sample(made, 6, seed=4)
    assert len(drawn) == 6
    shuffled = list(made)
    random.Random(1).shuffle(shuffled)
    assert choosing.sample(shuffled, 6, seed=4) == drawn
    assert choosing.sample(made, 6, seed=5) != drawn
    moved = mutants(f"X = 9\n\n\n{SOURCE}")
    again = [one for one in choosing.sample(moved, len(moved), seed=4) if one.function]
    kept = {one.identity for one in choosing.sample(again, 6, seed=4)}
    assert kept == {one.identity for one in drawn}


def test_heavy_kinds_are_drawn_more_often() -> None:
    made = [Mutant(kind, "f", 1, 0, 1, f"{i}", "y") for i in range(200) for kind in ("attr", "drop")]
    drawn = choosing.sample(made, 100, seed=0)
    heavy = sum(one.kind == "attr" for one in drawn)
    # Expected near 73 of 100 at weights 4 and 1; equal weights would give 50 with a deviation of 4.3.
    assert heavy > 62


def test_the_same_text_twice_in_a_function_is_two_mutants() -> None:
    made = [one for one in mutants("def f():\n    g(1)\n    h(1)\n") if one.kind == "const"]
    assert [one.turn for one in made] == [0, 1]
    assert len({one.identity for one in made}) == 2


def record(test: str, seconds: float, *functions: str) -> choosing.Recorded:
    return choosing.Recorded(test, seconds, frozenset(functions))


HERE = "harness/m.py"
RECORDS = [
    record("whole run", 1.0, f"{HERE}:f", f"{HERE}:g", "harness/n.py:h"),
    record("slow", 2.0, f"{HERE}:f"),
    record("quick", 0.1, f"{HERE}:f"),
    record("other", 0.1, f"{HERE}:g"),
    record("elsewhere", 0.1, "harness/n.py:f"),
]


def test_the_nearest_tests_come_first_and_others_not_at_all() -> None:
    inside = Mutant("const", "f", 1, 0, 1, "1", "2")
    assert [r.test for r in choosing.reaching(inside, HERE, RECORDS)] == ["quick", "slow", "whole run"]
    top = Mutant("const", "", 1, 0, 1, "1", "2")
    assert {r.test for r in choosing.reaching(top, HERE, RECORDS)} == {"quick", "slow", "whole run", "other"}
    assert not choosing.reaching(Mutant("const", "k", 1, 0, 1, "1", "2"), HERE, RECORDS)


def test_tests_are_parted_by_the_time_they_took() -> None:
    own = [record(name, 2.0) for name in "abcde"]
    assert choosing.parted(own, near=4.0, most=8.0) == (["a", "b"], ["c", "d"], 1)
    assert choosing.parted(own, near=0.5, most=0.5) == (["a"], [], 4)
    assert choosing.parted([], near=1.0, most=2.0) == ([], [], 0)


def test_files_that_import_a_module_are_near_it() -> None:
    texts = {
        "a.py": "from harness.measures import (\n    cost,\n    stats,\n)\n",
        "b.py": "from harness.measures.stats import t_interval\n",
        "c.py": "import harness.measures.stats as s\n",
        "d.py": "from harness.measures import cost\nstats = 3\n",
        "e.py": "from harness.measures.statistics import x\n",
    }
    assert choosing.importers("harness.measures.stats", texts) == ["a.py", "b.py", "c.py"]


def test_a_module_may_be_named_in_three_ways() -> None:
    assert {_path(name) for name in ("harness.errors", "errors", "harness/errors.py")} == {
        "harness/errors.py"
    }
    with pytest.raises(ValueError, match="no module of harness"):
        _path("harness.nothing")
    with pytest.raises(ValueError, match="no module of harness"):
        _path("tests/conftest.py")


def test_an_equivalent_needs_a_reason_and_follows_its_module(tmp_path: Path) -> None:
    file = tmp_path / "equivalent.toml"
    entry = '[[mutant]]\nmodule = "m"\nfunction = "f"\nbefore = "a"\nafter = "b"\nreason = "{}"\n'
    file.write_text(entry.format("by hand"))
    (one,) = choosing.equivalents(file)
    mutant = Mutant("const", "f", 1, 0, 1, "a", "b")
    assert one.is_("harness.m", mutant)
    assert one.is_("harness.room.m", mutant)
    assert not one.is_("harness.room.am", mutant)
    assert not one.is_("harness.m", Mutant("const", "g", 1, 0, 1, "a", "b"))
    file.write_text(entry.format(" "))
    with pytest.raises(ValueError, match="say why"):
        choosing.equivalents(file)


def test_every_known_equivalent_is_still_a_fault_of_some_module() -> None:
    files = list((TOP / "harness").rglob("*.py"))
    for known in choosing.equivalents(EQUIVALENT):
        ends = f"/{known.module.replace('.', '/')}.py"
        near = [file for file in files if file.as_posix().endswith(ends)]
        dotted = f"harness.{known.module}"
        assert any(known.is_(dotted, one) for file in near for one in mutants(file.read_text("utf-8"))), known


def result(path: str, *fates: page.Fate) -> page.Result:
    mutant = Mutant("boundary", "f", 3, 0, 1, "a < b", "(a <= b)")
    return page.Result(
        path, 10, "2026-01-01", [page.Tried(mutant, fate, "outlived 2 tests") for fate in fates]
    )


def test_the_score_counts_what_nothing_reaches_and_sets_equivalents_aside() -> None:
    one = result("harness/m.py", "killed", "by time", "survived", "not reached", "equivalent")
    assert one.score == 50.0
    assert one.row() == "| harness/m.py | 10 | 5 | 2 (1 by time) | 1 | 1 | 1 | 50 % | 2026-01-01 |"
    assert result("harness/m.py", "equivalent").score is None


def test_a_page_keeps_the_rows_of_modules_that_were_not_tried_again() -> None:
    first = page.merged(
        f"Text.\n\n{page.MARK}\n", [result("harness/a.py", "survived"), result("harness/b.py", "survived")]
    )
    second = page.merged(first, [result("harness/b.py", "killed")])
    assert second.startswith("Text.\n")
    assert "| harness/a.py | 10 | 1 | 0 | 1 |" in second
    assert "| harness/b.py | 10 | 1 | 1 | 0 |" in second
    assert second.count("* harness/a.py:3 f, boundary: `a < b` -> `(a <= b)` (outlived 2 tests)") == 1
    assert "* harness/b.py" not in second
    assert page.merged(second, []) == second


def served(code: str, top: Path, orders: list[tuple[list[str], float]]) -> list[int | None]:
    """How runs end in a process that forks for each; `code` is run in it before it serves."""
    lines = [
        json.dumps({"arguments": arguments, "printed": str(top / "printed"), "limit": limit})
        for arguments, limit in orders
    ]
    program = f"from tests.mutants import prefork\nprefork.SLOW = ()\n{code}\nprefork.main()"
    done = subprocess.run(
        [sys.executable, "-c", program], input="\n".join(lines), capture_output=True, text=True, check=True
    )
    return [json.loads(line)["code"] for line in done.stdout.splitlines()]


def plain(top: Path) -> list[str]:
    """pytest's options for tests that are no part of this project."""
    own = [f"--rootdir={top}", f"--confcutdir={top}", "-c", "/dev/null"]
    return ["-q", "-p", "no:cacheprovider", *own]


def test_a_run_in_a_fork_ends_as_its_tests_do_or_at_its_limit(tmp_path: Path) -> None:
    for name, body in (("good", "pass"), ("bad", "assert False"), ("long", "__import__('time').sleep(60)")):
        (tmp_path / f"test_{name}.py").write_text(f"def test_it():\n    {body}\n")
    runs = [
        ([*plain(tmp_path), str(tmp_path / f"test_{name}.py")], limit)
        for name, limit in (("good", 60), ("bad", 60), ("long", 3))
    ]
    assert served("", tmp_path, runs) == [0, 1, None]


def test_what_a_test_left_open_is_a_red_run_though_it_is_seen_after_the_last_test(tmp_path: Path) -> None:
    body = "import gc, socket\ndef test_it():\n    gc.disable()\n    held = [socket.socket()]\n    held.append(held)\n"
    (tmp_path / "test_open.py").write_text(body)
    runs = [([*plain(tmp_path), "-W", "error", str(tmp_path / "test_open.py")], 60.0)]
    assert served("", tmp_path, runs) == [1]


def test_a_run_that_could_not_be_begun_says_why_and_kills_no_mutant(tmp_path: Path) -> None:
    fault = "def broken(arguments):\n    raise OSError('no room')\nprefork._tested = broken"
    assert served(fault, tmp_path, [([], 60.0)]) == [prefork.BROKEN]
    assert "OSError: no room" in (tmp_path / "printed").read_text()
    copy = object.__new__(running.Copy)
    copy.top = tmp_path / "copy"
    answers = io.StringIO(json.dumps({"code": prefork.BROKEN, "seconds": 0.1}) + "\n")
    copy._server = SimpleNamespace(stdin=io.StringIO(), stdout=answers)  # type: ignore[assignment]
    with pytest.raises(RuntimeError, match=r"(?s)could not be begun: .*no room"):
        copy.run(["t"], 1.0)
