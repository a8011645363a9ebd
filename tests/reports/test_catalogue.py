"""The catalogue's table says what the proofs say, and docs/tasks.md is what they make."""

from __future__ import annotations

import pytest

from harness.inputs.tasks import all_tasks
from harness.proofs import Proof, ProofCheat, ProofGap, ProofMutant, ProofStarter, ProofTier
from harness.records import Source
from harness.reports.run import catalogue
from tests.catalogue import DOCS, page, proofs


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
