"""A plugin of pytest: `--all-proofs`, which proofs are due in this tree, and a summary of what was proven.

Every process of a parallel run draws by one tree, which the first of them has read.
"""

from __future__ import annotations

import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from harness.inputs import tasks
from harness.proofs import Proof
from harness.runs.made_of import made_of, made_of_now
from harness.runs.options import Options, order
from tests.proof_choice import Choice, Standing, choose

TOP = Path(__file__).parent.parent
PROOFS = TOP / "docs" / "proofs"
PROFILE = "ci-smoke"
PROPERTY = "proof"
# What a proof, or a choice of proofs, could come of.
FOLDERS = ("configs", "docs/proofs", "harness", "reference_solutions", "scripts", "tasks", "tests")
TREE = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """One option."""
    parser.addoption(
        "--all-proofs", action="store_true", help="prove every task anew, whatever proofs are kept"
    )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a parallel process which tree it draws by."""
    node.workerinput[PROPERTY] = _tree(node.config)


@pytest.fixture(scope="session")
def proof_choices(pytestconfig: pytest.Config) -> dict[str, Choice]:
    """What is to be done about each task's proof."""
    everything = bool(pytestconfig.getoption("--all-proofs"))
    return choose([standing(name) for name in tasks.all_tasks()], _tree(pytestconfig), everything=everything)


def standing(task: str) -> Standing:
    """A task, and its proof as it is kept."""
    asked, file = order(Options(task=task, profile=PROFILE)), PROOFS / f"{task}.{PROFILE}.json"
    if not file.is_file():
        return Standing(task, None, made_of(asked))
    kept = Proof.model_validate_json(file.read_text("utf-8"))
    return Standing(
        task,
        kept,
        made_of_now(asked, kept),
        cheats=frozenset(folder.name for folder in asked.task.cheats),
        mutants=frozenset(mutant.id for mutant in asked.task.definition.mutants),
    )


def _tree(config: pytest.Config) -> str:
    if TREE not in config.stash:
        told = getattr(config, "workerinput", {}).get(PROPERTY)
        config.stash[TREE] = told or tree_of(TOP)
    return config.stash[TREE]


def tree_of(top: Path) -> str:
    """The hash of the commit's tree; of the files themselves where git is missing or something is changed.

    So a commit proves the same today and next year, and two edits of it may draw different tasks.
    """
    try:
        if not _git(top, "status", "--porcelain"):
            return _git(top, "rev-parse", "HEAD^{tree}")
    except (OSError, subprocess.CalledProcessError):
        pass
    whole = sha256()
    for file in sorted(path for folder in FOLDERS for path in (top / folder).rglob("*") if path.is_file()):
        if "__pycache__" not in file.parts:
            whole.update(
                f"{file.relative_to(top).as_posix()}\0{sha256(file.read_bytes()).hexdigest()}\n".encode()
            )
    return whole.hexdigest()


def _git(top: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=top, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Which tasks were proven, which proofs were kept, and why."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    lines = sorted({str(text) for r in reports for name, text in r.user_properties if name == PROPERTY})
    if not lines:
        return
    terminalreporter.section("proofs")
    for line in lines:
        terminalreporter.write_line(line)
    if any("by an earlier program" in line for line in lines):
        terminalreporter.write_line(f"scripts/prove-all --profile {PROFILE} makes every kept proof anew.")
