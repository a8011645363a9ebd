"""Which stamp a run bears before anything is measured, and what its pages say of it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from harness.readings import Isolation
from harness.reports.assessment import practice
from harness.reports.parts import words
from harness.reports.run.markdown import render_run
from harness.runs.head import stamp_of
from harness.runs.options import Options, order
from tests.conftest import TOYS
from tests.fixtures import reports


def stamp(
    task: str,
    pairs: int,
    paired: bool = True,
    strong: bool = True,
    public: bool = False,
    seed: int | None = None,
) -> str:
    """The stamp of a run of a task, on so many pairs."""
    found = order(Options(task=task, tasks_root=TOYS, profile="ci-smoke"))
    profile = found.profile.model_copy(update={"pairs": pairs})
    setting: Any = SimpleNamespace(level=SimpleNamespace(official=strong))
    prepared: Any = SimpleNamespace(
        instance=SimpleNamespace(stages=(SimpleNamespace(paired=False), SimpleNamespace(paired=paired))),
        sources=(SimpleNamespace(public=public),),
    )
    return stamp_of(setting, prepared, replace(found, profile=profile, seed=seed))


@pytest.mark.parametrize(
    ("pairs", "due"), [(1, "self-check"), (4, "self-check"), (5, "official"), (12, "official")]
)
def test_a_time_beside_a_references_is_official_from_five_pairs_on(pairs: int, due: str) -> None:
    assert stamp("toy-pairs", pairs) == due
    assert stamp("toy-pairs", pairs, strong=False) == "self-check"
    assert stamp("toy-pairs", pairs, public=True) == "practice"
    assert stamp("toy-pairs", pairs, seed=3) == "practice"


def test_where_no_time_is_compared_in_pairs_one_is_enough() -> None:
    assert stamp("toy-free", 1) == "official"
    assert stamp("toy-squares", 1, paired=False) == "official"


def few() -> Any:
    held = Isolation(level="bubblewrap", official=True)
    profile = reports.head().profile.model_copy(update={"pairs": 1})
    return reports.head(stamp="self-check", isolation=held, profile=profile)


def test_a_run_says_why_it_is_not_official_and_what_to_use_in_a_sentence() -> None:
    name, why = words.stamp(few())
    assert name == "Self-check"
    assert why.startswith(
        "Its times rest on 1 process pair, which cannot show whether it slowed the reference"
    )
    assert "use a profile with 5 pairs or more, such as laptop-cpu" in why
    assert why in render_run(reports.ok_run(head=few()))
    weak = few().model_copy(update={"isolation": Isolation(level="process", official=False)})
    assert words.stamp(weak) == words.STAMPS["self-check"]
    assert words.stamp(reports.head(stamp="official")) == words.STAMPS["official"]


def test_an_assessment_says_which_tasks_had_too_few_pairs() -> None:
    assert practice.few_pairs([reports.head(), few()]) == (
        "self-check: the times of noisy-labels rest on fewer than 5 process pairs, which cannot show whether a "
        "submission slowed the reference that it is compared with: for official results, give a profile with 5 "
        "pairs or more, such as laptop-cpu"
    )
    assert practice.few_pairs([reports.head()]) == ""
