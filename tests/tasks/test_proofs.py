"""Every task that is found is complete, and proves itself on ci-smoke or has a proof that still holds."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.inputs import submissions, tasks
from harness.observer import Silent
from harness.runs.check import CHECK_SIZE, check
from harness.runs.options import Options, order
from harness.runs.prove import NEEDED_SDS, one_ladder, prove
from harness.worker.loader import load_module, phases_of
from tests.proof_choice import INSTANCES, Choice

TASKS = tasks.all_tasks()
LEAST_CHEATS = 5
LEAST_MUTANTS = 2
# The first three came before mutants did.
WITHOUT_MUTANTS = {"noisy-labels", "semantic-search", "latency-budget"}


def test_the_three_tasks_are_here() -> None:
    assert {"noisy-labels", "semantic-search", "latency-budget"} <= set(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_complete(name: str) -> None:
    task = TASKS[name]
    assert task.id == task.folder.name
    assert set(submissions.references(task.id, task.folder)) == {"baseline", "competent", "expert"}
    assert len(task.cheats) >= LEAST_CHEATS
    assert len(task.definition.mutants) >= LEAST_MUTANTS or name in WITHOUT_MUTANTS
    assert set(submissions.mutants(task.id, task.folder)) == {m.id for m in task.definition.mutants}
    assert {CHECK_SIZE, "ci-smoke", "laptop-cpu", "gpu-box"} <= set(task.definition.sizes)
    assert set(task.definition.devices) == {"cpu", "cuda"}
    assert (task.folder / "notes.md").is_file()


@pytest.mark.parametrize("name", TASKS)
def test_the_contract_the_limits_and_the_statement_name_the_same_phases(name: str) -> None:
    task = TASKS[name]
    contract = load_module(f"contract_of_{name.replace('-', '_')}", task.contract)
    phases = phases_of(contract)
    assert set(phases) == set(task.definition.phases)
    statement = task.statement.read_text()
    for phase in phases:
        assert phase in statement
        assert inspect.getdoc(getattr(contract.Contract, phase))
    for verb in ("init", "check", "run"):
        assert f"harness {verb} {task.id}" in statement


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("name", TASKS)
def test_proves_itself(
    name: str, proof_choices: dict[str, Choice], record_property: Callable[[str, object], None]
) -> None:
    """Whole where its kept proof says nothing of it, and where this commit draws it; or else on one instance."""
    choice = proof_choices[name]
    record_property("proof", choice.words)
    asked = order(Options(task=name, profile="ci-smoke"))
    if choice.way == "one instance":
        points = one_ladder(asked, choice.instance, Silent()).points
        assert points["baseline"] < points["competent"] < points["expert"], points
        return
    proof = prove(asked, INSTANCES, Silent())
    assert proof.proven, proof.reasons
    assert min(gap.pooled_sds for gap in proof.separation) >= NEEDED_SDS
    assert not sum(gap.inversions for gap in proof.separation)
    assert all(cheat.points <= 0 for cheat in proof.cheats), proof.cheats
    assert proof.starter.outcome in ("ok", "budget_exceeded", "inconclusive"), proof.starter
    assert len(proof.cheats) == len(TASKS[name].cheats)
    assert [tier.points_mean for tier in proof.tiers] == sorted(tier.points_mean for tier in proof.tiers)


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_the_starter_passes_its_check(name: str, tmp_path: Path) -> None:
    found = check(order(Options(task=name, folder=TASKS[name].starter, profile="ci-smoke")), Silent())
    assert found.passed, found.problems
