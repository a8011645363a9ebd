"""The schema of task.toml: what may be left out, the least of each number, and what a mutant has to say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.inputs.definition import Definition, Mutant

LEAST: dict[str, Any] = {
    "id": "t",
    "version": "1",
    "title": "A title",
    "summary": "A summary.",
    "competencies": ["one"],
    "minutes": 1,
    "devices": ["cpu"],
    "phases": {"learn": {"wall_seconds": 0.5}},
    "objective": {"measure": "accuracy"},
    "sizes": {},
}
FULL = LEAST | {"mutants": [{"id": "deaf", "without": "ears", "at_most": 50}]}


def test_what_a_definition_may_leave_out() -> None:
    found = Definition.model_validate(LEAST)
    assert (found.data, found.stack, found.constraints, found.plausible, found.mutants) == (
        "none",
        (),
        (),
        (),
        (),
    )
    assert found.limits.model_dump() == {
        "memory_gib": 8.0,
        "processes": 64,
        "start_seconds": 180.0,
        "printed_mib": 16,
        "submission_kib": 256,
        "binary_files": False,
        "stage_factor": 20.0,
        "stage_floor": 60.0,
    }
    assert set(found.limited()) == {"learn"}


def test_phases_of_the_contract_and_of_the_judge_have_limits() -> None:
    found = Definition.model_validate({**LEAST, "judge_phases": {"check": {"wall_seconds": 2}}})
    assert {name: limit.wall_seconds for name, limit in found.limited().items()} == {"learn": 0.5, "check": 2}


def test_a_definition_cannot_be_changed() -> None:
    found = Definition.model_validate(FULL)
    for record, name in (
        (found, "minutes"),
        (found.limits, "processes"),
        (found.phases["learn"], "wall_seconds"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(record, name, 7)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("memory_gib", 0.5),
        ("processes", 1),
        ("start_seconds", 0.5),
        ("printed_mib", 1),
        ("submission_kib", 1),
    ],
)
def test_a_limit_is_above_0(name: str, least: float) -> None:
    assert getattr(Definition.model_validate({**FULL, "limits": {name: least}}).limits, name) == least
    for wrong in (0, -1):
        with pytest.raises(ValidationError, match=f"limits.{name}\n.*greater than 0"):
            Definition.model_validate({**FULL, "limits": {name: wrong}})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("competencies", [], "at least 1 item"),
        ("devices", [], "at least 1 item"),
        ("phases", {}, "at least 1 item"),
        ("minutes", 0, "greater than 0"),
        ("phases", {"learn": {"wall_seconds": 0}}, "greater than 0"),
        ("id", "-t", "match pattern"),
    ],
)
def test_what_a_definition_needs(name: str, value: object, words: str) -> None:
    with pytest.raises(ValidationError, match=f"^1 validation error for Definition\n{name}.*\n.*{words}"):
        Definition.model_validate({**LEAST, name: value})


@pytest.mark.parametrize(
    "aim", [{"at_most": 50}, {"at_most": 0}, {"at_most": 50, "at_least": 10}, {"breaks": "notes size"}]
)
def test_a_mutant_scores_at_most_so_much_or_breaks_a_constraint(aim: dict[str, Any]) -> None:
    found = Definition.model_validate({**LEAST, "mutants": [{"id": "deaf", "without": "ears", **aim}]})
    (mutant,) = found.mutants
    assert mutant == Mutant.model_validate({"id": "deaf", "without": "ears", **aim})
    assert mutant.id == "deaf"


@pytest.mark.parametrize("aim", [{}, {"at_least": 10}, {"at_most": 50, "breaks": "notes size"}])
def test_a_mutant_without_one_clear_aim_is_refused(aim: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="mutant 'deaf' needs exactly one of at_most and breaks"):
        Mutant.model_validate({"id": "deaf", "without": "ears", **aim})
