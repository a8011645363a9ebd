"""The catalogue's table says what the proofs say, and docs/tasks.md is what they make."""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness.inputs.tasks import all_tasks
from harness.proofs import Proof, ProofCheat, ProofGap, ProofMutant, ProofSlack, ProofStarter, ProofTier
from harness.records import Source
from harness.reports.run import catalogue
from tests.catalogue import DOCS, page, proofs
from tests.slack import unbound


def proof(proven: bool = True) -> Proof:
    points = {"baseline": (0.0, 0.0), "competent": (55.0, 4.0), "expert": (100.0, 0.0)}
    tiers = tuple(
        ProofTier(
            tier=tier, points_mean=mean, points_sd=sd, objective_mean=0.5 + mean / 400, objective_sd=0.01
        )
        for tier, (mean, sd) in points.items()
    )
    return Proof(
        task="toy",
        profile="laptop-cpu",
        proven=proven,
        tiers=tiers,
        separation=(
            ProofGap(lower="baseline", upper="competent", gap_points=55, pooled_sds=13.75, inversions=0),
            ProofGap(lower="competent", upper="expert", gap_points=45, pooled_sds=11.25, inversions=0),
        ),
        cheats=(
            ProofCheat(id="bad", points=0.0, outcome="wrong"),
            ProofCheat(id="pays", points=9.0, outcome="ok"),
        ),
        mutants=(
            ProofMutant(
                id="m",
                without="an idea",
                expected="at most 90 points",
                points=(70.0,),
                outcomes=("ok",),
                in_place=True,
            ),
        ),
        starter=ProofStarter(outcome="ok", points=-3.0),
        instances=5,
        wall_seconds=300.0,
        ladder_seconds=(50.0, 70.0),
        minutes=90,
        competencies=("mathematics",),
    )


def test_a_row_holds_what_the_proof_says() -> None:
    (row,) = catalogue.overview([proof()]).rows
    said = [(c.text, c.note) for c in row]
    assert said[0] == ("toy", "mathematics")
    # t(0.975, 4) = 2.776; 2.776 * 0.01 / sqrt(5) = 0.0124
    assert said[2] == ("0.5", "0.488 to 0.512")
    assert said[5][0] == "55 \u00b1 4.0"
    assert said[6][0] == "13.8 and 11.2"
    assert said[7][0] == "1 of 1 in place"
    assert said[8][0] == "1 of 2 caught"
    assert said[10][0] == "90"


def test_a_task_that_is_not_proven_is_marked() -> None:
    (row,) = catalogue.overview([proof(proven=False)]).rows
    assert row[0].mark == "fail"


def test_a_proof_on_data_that_were_brought_stands_in_a_table_of_its_own() -> None:
    own = Source(role="data", kind="builtin", name="stackdocs", digest="0", size_bytes=1)
    brought = own.model_copy(update={"kind": "local", "name": "letters", "license": "CC BY 4.0"})
    both = [proof().model_copy(update={"sources": (s,)}) for s in (own, brought)]
    said = catalogue.render(both)
    first, second = said.split("## On real data")
    assert "letters" not in first
    assert "| letters<br>CC BY 4.0 | toy<br>mathematics |" in second
    assert "with letters" in second


TIGHT = ProofSlack(
    name="training time",
    measure="train_seconds",
    unit="x",
    bound="at_most",
    threshold=6.0,
    reference="baseline",
    use={"baseline": 1.0, "competent": 2.0, "expert": 5.0},
    absurd=40.0,
    absurd_by="cheat trains-ten-times",
)


@pytest.mark.parametrize(
    ("changes", "room"),
    [
        ({}, 1.2),
        ({"use": {"expert": 4.61}}, 1.3015),
        ({"use": {"expert": 4.62}}, 1.2987),
        ({"bound": "at_least", "threshold": 4.0}, 1.25),
        ({"bound": "at_least", "threshold": 0.25}, 20.0),
        ({"bound": "at_least", "threshold": -0.01, "use": {"expert": -0.002}}, 5.0),
        ({"bound": "at_least", "threshold": -0.01, "use": {"expert": 0.002}}, None),
        ({"threshold": -0.01, "use": {"expert": -0.002}}, None),
        ({"use": {"expert": 0.0}}, None),
        ({"use": {}}, None),
    ],
)
def test_a_budget_binds_where_the_expert_has_little_room(changes: dict[str, Any], room: float | None) -> None:
    one = TIGHT.model_copy(update=changes)
    assert one.room == (None if room is None else pytest.approx(room, rel=1e-4))
    assert one.binds == (room is not None and room <= 1.3)


def test_slack_stands_in_a_table_with_its_name() -> None:
    wide = TIGHT.model_copy(
        update={"name": "peak memory", "use": {"expert": 1.0}, "absurd": None, "absurd_by": ""}
    )
    kept = proof().model_copy(update={"slack": (TIGHT, wide)})
    tight, guard = catalogue.slack(catalogue.slacks([proof(), kept])).rows
    assert [c.text for c in tight] == [
        "toy",
        "training time",
        "budget",
        "at most 6.00x",
        "5.00x",
        "1.2 times",
        "2.00x",
        "40.0x",
    ]
    assert tight[-1].note == "cheat trains-ten-times"
    assert [c.text for c in guard][1:] == [
        "peak memory",
        "guard",
        "at most 6.00x",
        "1.00x",
        "6.0 times",
        "not measured",
        "",
    ]
    said = catalogue.render([proof(), kept])
    assert "## Slack of the budgets" in said
    assert "kept before slack was, or of tasks without constraints: toy on laptop-cpu" in said


@pytest.mark.parametrize(
    ("competency", "speaks"),
    [
        ("training within a budget", True),
        ("serving under latency and memory constraints", True),
        ("profiling", False),
    ],
)
def test_which_competencies_speak_of_a_budget(competency: str, speaks: bool) -> None:
    assert catalogue.speaks_of_a_budget(competency) == speaks


def test_no_task_speaks_of_a_budget_that_its_kept_proofs_show_to_be_wide() -> None:
    assert unbound(catalogue.slacks(proofs(DOCS / "proofs"))) == []


def test_a_task_that_speaks_of_a_budget_that_never_binds_is_named() -> None:
    wide = TIGHT.model_copy(update={"use": {"expert": 1.0}})
    (doubt,) = unbound([catalogue.Slack("lora", "ci-smoke", (wide,))])
    assert doubt.startswith("lora on ci-smoke says 'spending a budget of parameters'")
    assert unbound([catalogue.Slack("lora", "ci-smoke", (wide, TIGHT))]) == []
    assert unbound([catalogue.Slack("gradients", "ci-smoke", (wide,))]) == []


@pytest.mark.parametrize(
    "kept", [k for k in proofs(DOCS / "proofs") if k.slack], ids=lambda k: f"{k.task} {k.profile}"
)
def test_a_statement_calls_a_guard_what_the_kept_proof_shows_to_be_one(kept: Proof) -> None:
    statement = all_tasks()[kept.task].statement.read_text("utf-8")
    called = set(re.findall(r"\| (budget|guard) \|$", statement, flags=re.M))
    if not called:  # a single constraint needs no table
        called = set(re.findall(r"\*\*Constraint\*\* \(a (budget|guard)\)", statement))
    assert called == {"budget" if line.binds else "guard" for line in kept.slack}


def test_the_page_is_what_the_proofs_make() -> None:
    assert (DOCS / "tasks.md").read_text("utf-8") == page(DOCS / "proofs")


@pytest.mark.parametrize(
    "found",
    proofs(DOCS / "proofs"),
    ids=lambda p: " ".join((p.task, p.profile, *(s.name for s in p.brought))),
)
def test_every_kept_proof_holds_and_is_of_a_task_that_there_is(found: Proof) -> None:
    task = all_tasks()[found.task]
    assert found.proven or found.brought, found.reasons
    assert found.instances >= 5
    assert {cheat.id for cheat in found.cheats} == {folder.name for folder in task.cheats}
    assert {mutant.id for mutant in found.mutants} == {mutant.id for mutant in task.definition.mutants}
