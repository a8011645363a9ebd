"""The walls of the house, read off the source: who may import whom, and which door leads outside."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
PACKAGE = TOP / "harness"
MODULES = sorted(PACKAGE.rglob("*.py"))

HEAVY = ("torch", "transformers", "datasets", "faiss", "sklearn", "sentence_transformers", "pandas", "scipy")


def name_of(file: Path) -> str:
    """A module's dotted name inside the package; a folder's own for its __init__."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def running(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that is executed: not what stands under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        yield node
        yield from running(node)


def imported(nodes: Iterator[ast.AST]) -> set[str]:
    """Dotted names of all imports, `from a import b` as a.b."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import hides whom it reaches"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def libraries(nodes: Iterator[ast.AST]) -> set[str]:
    return {name.split(".")[0] for name in imported(nodes)} - {"__future__"}


@cache
def ours(file: Path) -> frozenset[str]:
    """The modules of the package that `file` imports, at its top or later."""
    known = {name_of(module) for module in MODULES}
    found = set()
    for name in imported(running(tree_of(file))):
        if name.split(".")[0] != "harness":
            continue
        inner = name.removeprefix("harness.")
        found.add(inner if inner in known else inner.rpartition(".")[0] or "__init__")
    return frozenset(found)


def calls(file: Path) -> Iterator[str]:
    """Every call as it is written: `print`, `sys.exit`, `os.fork`."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


every_module = pytest.mark.parametrize("file", MODULES, ids=name_of)


def test_no_import_loops() -> None:
    waiting = {name_of(file): set(ours(file)) - {name_of(file)} for file in MODULES}
    while free := [name for name, needs in waiting.items() if not needs & waiting.keys()]:
        for name in free:
            del waiting[name]
    assert not waiting


@pytest.mark.parametrize("file", sorted((PACKAGE / "worker").glob("*.py")), ids=name_of)
def test_the_worker_knows_nothing_of_ours_and_little_else(file: Path) -> None:
    assert all(name.split(".")[0] in ("worker", "__init__") for name in ours(file))
    top = libraries(iter(tree_of(file).body)) - {"harness"}
    assert top <= set(sys.stdlib_module_names)


def test_a_worker_costs_little_before_the_submission_is_imported() -> None:
    code = "import sys, harness.worker.serve; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    said = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(said.stdout.split())
    assert "harness" in loaded
    assert not loaded & {*HEAVY, "numpy", "pydantic", "sqlalchemy", "rich", "typer", "psutil"}


@pytest.mark.parametrize("arguments", [["--help"], ["tasks"]])
def test_the_start_of_the_command_line_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom harness.cli.main import main\n"
        f"sys.argv = ['harness', *{arguments!r}]\n"
        "try:\n    main()\nfinally:\n    print(*sorted(sys.modules), file=sys.stderr)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip()
    loaded = {name.split(".")[0] for name in said.stderr.split()}
    assert "typer" in loaded
    assert not loaded & set(HEAVY)


@every_module
def test_modules_and_functions_stay_short(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) <= 400
    for node in ast.walk(tree_of(file)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"


@every_module
def test_every_signature_is_typed(file: Path) -> None:
    for node in ast.walk(tree_of(file)):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        a = node.args
        named = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
        untyped = [arg.arg for arg in named if arg.annotation is None and arg.arg not in ("self", "cls")]
        assert not untyped, f"{node.name}({', '.join(untyped)})"
        assert node.returns is not None, node.name


@every_module
def test_every_module_says_what_it_is(file: Path) -> None:
    said = ast.get_docstring(tree_of(file))
    assert said
    assert said.split("\n\n")[0].strip().endswith((".", "`."))


def _solutions(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in TOP.glob(pattern))


def test_references_and_starters_have_no_privilege() -> None:
    files = _solutions(
        "reference_solutions/**/*.py",
        "tasks/*/starter/**/*.py",
        "tests/toy_tasks/*/starter/*.py",
        "tests/toy_tasks/*/reference_solutions/**/*.py",
    )
    assert len(files) >= 4
    for file in files:
        reached = libraries(ast.walk(tree_of(file))) & {"harness", "tasks", "reference_solutions", "tests"}
        assert not reached, f"{file.relative_to(TOP)} imports {reached}"


def test_contracts_need_numpy_at_most() -> None:
    files = _solutions("tasks/*/contract.py", "tests/toy_tasks/*/contract.py")
    assert files
    for file in files:
        reached = libraries(ast.walk(tree_of(file))) - set(sys.stdlib_module_names)
        assert reached <= {"numpy"}, f"{file.relative_to(TOP)} imports {reached}"


def test_no_text_names_a_place_on_one_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    place = re.compile(rf"(?<![\w.])/({'work'}|{'root'}|{'home'}|{'Users'})/\w|[A-Z]:\\{'Users'}")
    found = []
    for name in filter(None, listed):
        try:
            text = (TOP / name).read_text("utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        found += [f"{name}: {match.group()}" for match in place.finditer(text)]
    assert len(listed) > 50
    assert not found
