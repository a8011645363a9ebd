"""docs/private-editions.md: its example proves itself, is run like any task, and tells candidates nothing more."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from harness.inputs.tasks import find
from harness.observer import Silent
from harness.runs import runner
from harness.runs.options import Options, order
from harness.runs.prepare import prepare
from harness.runs.prove import NEEDED_SDS, prove
from harness.store.results import Store
from tests.cli.test_verbs import harness
from tests.conftest import HERE

ROOT = HERE.parent
EDITIONS = ROOT / "tests" / "editions"
TASK = EDITIONS / "losses-by-hand"
PAGE = ROOT / "docs" / "private-editions.md"


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    profile = tmp_path / "quick.toml"
    profile.write_text('extends = "ci-smoke"\nsize = "check"\nmax_trials = 1\n')
    return profile


def asked(quick: Path, folder: Path, root: Path = EDITIONS, **more: str) -> Options:
    return Options(task="losses-by-hand", folder=folder, tasks_root=root, profile=str(quick), **more)


@pytest.mark.slow
def test_the_example_proves_itself(quick: Path) -> None:
    proof = prove(order(asked(quick, TASK / "starter")), 3, Silent())
    assert proof.proven, proof.reasons
    assert min(gap.pooled_sds for gap in proof.separation) >= NEEDED_SDS
    assert {cheat.id for cheat in proof.cheats} == {"constant-zeros", "looks-for-the-pack", "not-a-number"}
    assert {line.name for line in proof.slack} == {"time of all calls", "peak memory"}


def test_the_commands_of_the_page_run(
    tmp_path: Path, quick: Path, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    commands = re.findall(r"^\$ harness (.*)$", PAGE.read_text(), flags=re.M)
    assert [line.split()[0] for line in commands] == ["prove", "init", "check", "run"]
    monkeypatch.chdir(tmp_path)
    for line in commands[1:]:
        words = line.replace("tests/editions", str(EDITIONS)).split()
        words = [str(quick) if word == "ci-smoke" else word for word in words]
        done = harness(*words)
        assert done.code == 0, (line, done.out, done.err)
    given = {file.relative_to("my-solution").as_posix() for file in Path("my-solution").rglob("*")}
    assert given == {"solution.py", "README.md", "contract.py"}
    told = Path("my-solution/README.md").read_text() + Path("my-solution/contract.py").read_text()
    assert "private" not in told


def test_a_solution_of_the_public_task_is_of_no_use(quick: Path, store: Store) -> None:
    public = ROOT / "reference_solutions" / "gradients" / "expert"
    run = runner.run(order(asked(quick, public)), store)
    assert run.score is not None
    assert (run.score.outcome, run.score.points) == ("malformed", 0.0)


def test_its_expert_reaches_the_experts_points(quick: Path, store: Store) -> None:
    run = runner.run(order(asked(quick, TASK / "reference_solutions" / "expert")), store)
    assert run.score is not None
    assert (run.score.outcome, run.score.tier) == ("ok", "expert")


def test_other_parameters_are_another_task_and_other_instances(tmp_path: Path, quick: Path) -> None:
    copy = tmp_path / "packs" / "losses-by-hand"
    shutil.copytree(TASK, copy)
    same = find("losses-by-hand", copy.parent)
    assert same.digest == find("losses-by-hand", EDITIONS).digest
    own = prepare(order(asked(quick, TASK / "starter")), 0, Silent())
    private = copy / "private.toml"
    changed = private.read_text().replace("exponent = [0.07, 0.9]", "exponent = [0.1, 0.2]")
    assert changed != private.read_text()
    private.write_text(changed)
    other = prepare(order(asked(quick, TASK / "starter", copy.parent)), 0, Silent())
    assert find("losses-by-hand", copy.parent).digest != same.digest
    assert other.id != own.id


OPENS = """
import os

import numpy as np

PLACES = {places}


class Solution:
    def __init__(self, context):
        for place in PLACES:
            try:
                print("opened" if os.path.isdir(place) and os.listdir(place) or open(place).read() else "empty", place)
            except OSError as error:
                print("refused", type(error).__name__)

    def power_loss(self, logits, targets, exponent):
        return np.zeros((len(logits), 1 + logits.shape[1]), dtype=np.float32)

    def poly_loss(self, logits, targets, epsilon):
        return np.zeros((len(logits), 1 + logits.shape[1]), dtype=np.float32)

    def soft_margin(self, logits, targets, sharpness):
        return np.zeros((2, len(logits)), dtype=np.float32)
"""


@pytest.mark.parametrize(("level", "shut"), [("process", False), ("confined", True)])
def test_no_confined_worker_opens_a_file_of_a_pack(
    tmp_path: Path, quick: Path, store: Store, level: str, shut: bool
) -> None:
    secret = [
        TASK / "private.toml",
        TASK / "task.py",
        TASK / "reference_solutions" / "expert" / "solution.py",
    ]
    own = tmp_path / "opens"
    own.mkdir()
    places = [str(path) for path in (*secret, TASK)]
    (own / "solution.py").write_text(OPENS.replace("{places}", repr(places)))
    run = runner.run(order(asked(quick, own, isolation=level)), store)
    assert run.trials[0].outcome == "ok", run.trials[0].reason
    log = run.trials[0].log_head + run.trials[0].log_tail
    said = [line.split()[0] for line in log.splitlines() if line.strip()]
    assert said == (["refused"] if shut else ["opened"]) * len(places), log
