"""The walls of the house, read off the source; each is shown to bite by a breach planted in a copy."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.machine import program
from tests import house, house_style
from tests.house import Sources, libraries, tree_of

TOP = Path(__file__).parent.parent
PACKAGE = TOP / "harness"
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = ("torch", "transformers", "datasets", "faiss", "sklearn", "sentence_transformers", "pandas", "scipy")
SOURCES = house.sources(PACKAGE)
WALLS = (
    house.rooms,
    house.loops,
    house.pure,
    house.inits,
    house.doors,
    house.inner_rooms,
    house.readers,
    house.crowded,
    house_style.names,
    house_style.returns,
    house_style.wide,
)
# A wall, where the breach is planted, and the line that is one.
BREACHES = (
    (house.rooms, "utilities", '"""A new word."""'),
    (house.rooms, "attic.things", '"""A new room."""'),
    (house.rooms, "store.results", "from harness.grading import grade"),
    (house.rooms, "grading.grade", "def late():\n    from harness.store import results"),
    (house.rooms, "grading.grade", "if TYPE_CHECKING:\n    from harness.runs.order import Order"),
    (house.rooms, "inputs.profiles", "from harness.machine import lease"),
    (house.rooms, "inputs.profiles", "from harness.grading import verdicts"),
    (house.rooms, "runs.runner", "from harness.worker import serve"),
    (house.rooms, "worker.serve", "from harness import errors"),
    (house.rooms, "records", "from harness.measures import stats"),
    (house.rooms, "store.results", "from . import ledger"),
    (house.loops, "records", "if TYPE_CHECKING:\n    from harness.sheets import Sheet"),
    (house.loops, "store.schema", "from harness.store.results import Store"),
    (house.pure, "measures.stats", "import os"),
    (house.pure, "grading.grade", "def late():\n    import time"),
    (house.pure, "reports.run.text", "Path('x').write_text('')"),
    (house.pure, "analysis.standings", "rng = np.random.default_rng()"),
    (house.pure, "records", "from harness import digests"),
    (house.pure, "runs.mutants", "from harness.store import results"),
    (house.inits, "grading.__init__", "from harness.grading.grade import grade"),
    (house.doors, "runs.runner", "print('done')"),
    (house.doors, "store.results", "sys.exit(1)"),
    (house.doors, "reports.run.text", "sys.stdout.write('')"),
    (house.doors, "machine.lease", "import subprocess"),
    (house.doors, "runs.doctor", "os.fork()"),
    (house.doors, "assessment.scoring", "import sqlite3"),
    (house.doors, "grading.grade", "import time"),
    (house.doors, "inputs.submissions", "pickle.loads(b'')"),
    (house.inner_rooms, "assessment.scoring", "from harness.trials import session"),
    (house.inner_rooms, "cli.main", "from harness.isolation import levels"),
    (house.inner_rooms, "runs.runner", "from harness.worker.wire import encode_call"),
    (house.readers, "runs.runner", "layout.folder('tasks')"),
    (house.readers, "inputs.profiles", "layout.folder(name)"),
    (house_style.names, "records", "def late(said: str) -> None: ..."),
    (house_style.names, "records", "class Late:\n    told: str"),
    (house_style.names, "records", "found = 1\n\n\n\n\n\n\nlate = found"),
    (
        house_style.names,
        "runs.runner",
        "class Late:\n    def __init__(self) -> None:\n        self.asked = 1",
    ),
    (house_style.returns, "records", "def late() -> tuple[int, str]: ..."),
    (house_style.returns, "records", "class Late:\n    def it(self) -> tuple[int, str] | None: ..."),
    (house_style.returns, "records", "def late() -> dict[str, Any]: ..."),
    (
        house_style.wide,
        "records",
        "@dataclass(frozen=True)\nclass Late:\n" + "".join(f"    f{i}: int\n" for i in range(6)),
    ),
)


@pytest.mark.parametrize("wall", WALLS, ids=lambda wall: wall.__name__)
def test_the_wall_stands(wall: Callable[[Sources], list[str]]) -> None:
    breaches = wall(SOURCES)
    assert not breaches


@pytest.mark.parametrize(
    ("wall", "place", "line"),
    BREACHES,
    ids=[f"{wall.__name__} {place} {i}" for i, (wall, place, _) in enumerate(BREACHES)],
)
def test_the_wall_bites(wall: Callable[[Sources], list[str]], place: str, line: str) -> None:
    breaches = wall({**SOURCES, place: f"{SOURCES.get(place, '')}\n{line}\n"})
    assert any(place in breach for breach in breaches), breaches


def test_a_room_with_a_seventeenth_module_is_crowded() -> None:
    more = {f"grading.part_{number}": '"""One more."""' for number in range(17)}
    assert house.crowded({**SOURCES, **more})


def test_the_table_of_rooms_is_small_and_without_a_circle() -> None:
    assert len(house.ROOMS) <= 20
    for room, entries in house.ROOMS.items():
        for entry in entries.split():
            assert room not in house.reach(entry.split(".")[0])


def _authored() -> dict[str, str]:
    files = _solutions("tasks/**/*.py", "tests/toy_tasks/**/*.py", "reference_solutions/**/*.py")
    return {str(file.relative_to(TOP)): file.read_text("utf-8") for file in files}


def test_task_authors_import_their_words_only() -> None:
    assert len(files := _authored()) > 100
    assert not house.authors(files)


def test_tasks_name_things_too() -> None:
    # What a dialogue's contract calls its argument is part of what is asked, and so of every instance.
    breaches = [b for b in house_style.names(_authored()) if ": parameter told;" not in b]
    assert not breaches


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("tasks/new/task.py", "from harness.grading import grade"),
        ("tasks/new/inputs.py", "from tests import house"),
        ("tasks/new/contract.py", "from harness import records"),
        ("tasks/new/starter/solution.py", "import harness"),
        ("tasks/new/judge/solution.py", "from harness.measures import stats"),
        ("tasks/new/cheats/peek/solution.py", "from harness import records"),
        ("reference_solutions/new/expert/solution.py", "from harness.measures import stats"),
    ],
)
def test_the_authors_wall_bites(path: str, line: str) -> None:
    assert house.authors({path: line})


def test_the_programs_digest_covers_what_a_run_can_reach(tmp_path: Path) -> None:
    reached = house.reach("runs") | {name for name in house.AUTHORS if name in house.ROOMS}
    assert set(program.ROOMS) == reached
    copy = tmp_path / "harness"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = program.program_digest(copy)
    assert before == program.program_digest()
    for room in sorted(house.ROOMS):
        (copy / room / "one_more.py").write_text('"""One more."""')
        assert (program.program_digest(copy) != before) == (room in reached), room
        (copy / room / "one_more.py").unlink()
    (copy / "records.py").write_text('"""Another dictionary."""')
    assert program.program_digest(copy) != before


def test_git_hides_no_file_of_ours() -> None:
    hidden = subprocess.run(
        ["git", "ls-files", "--others", "--ignored", "--exclude-standard", "harness", "tasks", "tests"],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert not [name for name in hidden if "__pycache__" not in name]
    for name in ("harness/runs/new.py", "tests/runs/test_new.py", "tasks/new/task.py"):
        ignored = subprocess.run(["git", "check-ignore", "-q", name], cwd=TOP, check=False)
        assert ignored.returncode == 1, name


def name_of(file: Path) -> str:
    """A module's dotted name inside the package; a folder's own for its __init__."""
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


every_module = pytest.mark.parametrize("file", MODULES, ids=name_of)


@pytest.mark.parametrize("file", sorted((PACKAGE / "worker").rglob("*.py")), ids=name_of)
def test_the_worker_knows_nothing_of_ours_and_little_else(file: Path) -> None:
    top = libraries(iter(tree_of(file.read_text("utf-8")).body)) - {"harness"}
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
    for node in ast.walk(tree_of(file.read_text("utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"


@every_module
def test_every_signature_is_typed(file: Path) -> None:
    for node in ast.walk(tree_of(file.read_text("utf-8"))):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        a = node.args
        named = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
        untyped = [arg.arg for arg in named if arg.annotation is None and arg.arg not in ("self", "cls")]
        assert not untyped, f"{node.name}({', '.join(untyped)})"
        assert node.returns is not None, node.name


@every_module
def test_every_module_says_what_it_is(file: Path) -> None:
    said = ast.get_docstring(tree_of(file.read_text("utf-8")))
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
        reached = libraries(ast.walk(tree_of(file.read_text("utf-8")))) & {
            "harness",
            "tasks",
            "reference_solutions",
            "tests",
        }
        assert not reached, f"{file.relative_to(TOP)} imports {reached}"


def test_contracts_need_numpy_at_most() -> None:
    files = _solutions("tasks/*/contract.py", "tests/toy_tasks/*/contract.py")
    assert files
    for file in files:
        reached = libraries(ast.walk(tree_of(file.read_text("utf-8")))) - set(sys.stdlib_module_names)
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
