"""docs/authoring.md builds a task that proves itself: from its blocks, in an empty folder, by its commands."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from harness.inputs.tasks import find
from harness.observer import Silent
from harness.proofs import Proof
from harness.runs.options import Options, order
from harness.runs.prove import NEEDED_SDS, prove

PAGE = Path(__file__).parent.parent.parent / "docs" / "authoring.md"
BLOCK = re.compile(r"^```(\w+) ?(.*?)\n(.*?)^```", flags=re.S | re.M)


def build(top: Path) -> None:
    """Writes every block that is a file, then runs the shell's blocks where they say."""
    blocks = BLOCK.findall(PAGE.read_text())
    for kind, name, content in blocks:
        if name and kind != "sh":
            file = top / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
    for kind, name, content in blocks:
        if kind == "sh":
            folder = top / name.removeprefix("in ")
            subprocess.run(["bash", "-euc", content], cwd=folder, check=True)


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authoring")
    build(folder)
    return folder


@pytest.fixture(scope="module")
def proof(top: Path) -> Proof:
    """What the page's command finds."""
    (command,) = re.findall(r"^\$ harness prove (.*)$", PAGE.read_text(), flags=re.M)
    assert command == "thresholds --tasks . --profile ci-smoke --instances 5"
    return prove(order(Options(task="thresholds", tasks_root=top, profile="ci-smoke")), 5, Silent())


def test_the_task_of_the_page_proves_itself(proof: Proof) -> None:
    assert proof.proven, proof.reasons
    assert min(gap.pooled_sds for gap in proof.separation) >= NEEDED_SDS
    assert [mutant.id for mutant in proof.mutants] == ["thirds"]
    assert 35 <= proof.tiers[1].points_mean <= 70


def test_its_cheats_end_as_the_page_says(proof: Proof) -> None:
    outcomes = {cheat.id: cheat.outcome for cheat in proof.cheats}
    assert outcomes == {
        "asks-nothing": "ok",
        "not-a-number": "malformed",
        "program-for-the-judge": "malformed",
    }
    assert all(cheat.points <= 0 for cheat in proof.cheats)


def test_the_page_shows_every_hook(top: Path) -> None:
    """An author looks here for how a thing is written: what harness.instances offers is on the page."""
    code = (top / "thresholds" / "task.py").read_text()
    for hook in ("FromItem(", "FromAnswers(", "judge=", "def conclude(", "Series(", "draws=", "Fault("):
        assert hook in code
    assert {"check", "ci-smoke", "laptop-cpu", "gpu-box"} <= set(find("thresholds", top).definition.sizes)


def test_the_page_names_only_files_that_are_there() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", PAGE.read_text())
    assert "../CONTRIBUTING.md" in targets
    for target in targets:
        assert (PAGE.parent / target).exists(), target
