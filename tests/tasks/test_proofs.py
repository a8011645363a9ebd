"""Every task that is found is complete, and proves itself on ci-smoke or has a proof that still holds."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.inputs import submissions, tasks
from harness.observer import Silent
from harness.proofs import Proof
from harness.runs.check import CHECK_SIZE, check
from harness.runs.options import Options, order
from harness.runs.prove import NEEDED_SDS, one_ladder, prove, spot_check
from harness.worker.loader import load_module, phases_of
from tests.proof_choice import INSTANCES, Choice
from tests.proof_plugin import PROOFS

TASKS = tasks.all_tasks()
LEAST_CHEATS = 5
LEAST_MUTANTS = 2
# The first three came before mutants did; noisy-labels has one by now.
WITHOUT_MUTANTS = {"noisy-labels", "semantic-search", "latency-budget"}


def test_the_three_tasks_are_here() -> None:
    assert {"noisy-labels", "semantic-search", "latency-budget"} <= set(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_complete(name: str) -> None:
    task = TASKS[name]
    assert task.id == task.folder.name
    assert set(submissions.references(task.id, task.folder)) == {"baseline", "competent", "expert"}
    assert len(task.cheats) >= LEAST_CHEATS
    assert {one.cheat for one in task.definition.allowed} <= set(submissions.cheats(task.id, task.folder))
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


@pytest.mark.parametrize("name", TASKS)
def test_no_candidate_holds_a_machine_for_more_than_half_an_hour(name: str) -> None:
    """On ci-smoke, by the kept proof: all stages' budgets on the slowest instance, at the slowest tier's pace."""
    proof = Proof.model_validate_json((PROOFS / f"{name}.ci-smoke.json").read_text("utf-8"))
    limits, clock = TASKS[name].definition.limits, TASKS[name].criteria.clock()
    stages = proof.stage_seconds
    assert stages
    budgets = [
        max(TASKS[name].definition.stage_floor(clock), limits.stage_factor * seconds)
        for seconds in stages.values()
    ]
    assert sum(budgets) <= 1800, stages


@pytest.mark.slow
@pytest.mark.timed
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("name", TASKS)
def test_proves_itself(
    name: str, proof_choices: dict[str, Choice], record_property: Callable[[str, object], None]
) -> None:
    """Whole where its kept proof says nothing of it; else the tiers on all instances or on one, as the commit draws."""
    choice = proof_choices[name]
    record_property("proof", choice.words)
    asked = order(Options(task=name, profile="ci-smoke"))
    if choice.way == "one instance":
        ladder = one_ladder(asked, choice.instance, Silent())
        points = ladder.points
        assert points["baseline"] < points["competent"] < points["expert"], points
        assert "budget_exceeded" not in {ladder.scores[tier].outcome for tier in ("competent", "expert")}
        return
    if choice.way == "ladder":
        assert spot_check(asked, INSTANCES, choice.cheat, Silent()) == ()
        return
    proof = prove(asked, INSTANCES, Silent())
    assert proof.proven, proof.reasons
    assert min(gap.pooled_sds for gap in proof.separation) >= NEEDED_SDS
    assert not sum(gap.inversions for gap in proof.separation)
    assert all(cheat.points <= cheat.expected_at_most for cheat in proof.cheats), proof.cheats
    assert proof.starter.outcome in ("ok", "budget_exceeded", "inconclusive"), proof.starter
    assert len(proof.cheats) == len(TASKS[name].cheats)
    assert [tier.points_mean for tier in proof.tiers] == sorted(tier.points_mean for tier in proof.tiers)


@pytest.mark.slow
@pytest.mark.timed
@pytest.mark.parametrize("name", TASKS)
def test_the_starter_passes_its_check(name: str, tmp_path: Path) -> None:
    found = check(order(Options(task=name, folder=TASKS[name].starter, profile="ci-smoke")), Silent())
    assert found.passed, found.problems
