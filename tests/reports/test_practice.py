"""Why results are practice, in one sentence."""

from __future__ import annotations

from harness.records import RunHead, Source
from harness.reports.assessment.practice import because, runs
from harness.reports.parts import words
from tests.fixtures import reports, sheets

OWN = Source(role="data", kind="local", name="tickets", digest="1", size_bytes=1)
MODEL = Source(role="encoder", kind="builtin", name="all-MiniLM-L6-v2", digest="2", size_bytes=1)
BUILT_IN = Source(role="data", kind="builtin", name="stackdocs", digest="3", size_bytes=1, public=True)
HUB = Source(role="data", kind="hub", name="org/set", digest="4", size_bytes=1, public=True)
KNOWN = OWN.model_copy(update={"name": "mine", "revision": "scifact", "public": True})


def head(task: str, *sources: Source) -> RunHead:
    return reports.head(task=task, sources=sources)


def test_nothing_is_said_where_nothing_is_public() -> None:
    assert because([]) == ""
    assert because([head("noisy-labels", OWN, MODEL)]) == ""


def test_the_tasks_the_data_and_what_to_use_instead_are_named_in_one_sentence() -> None:
    told = because(
        [head("noisy-labels", BUILT_IN, MODEL), head("lora", OWN), head("label-budget", BUILT_IN, MODEL)]
    )
    assert "the answers of noisy-labels and label-budget can be looked up" in told
    assert "(stackdocs, built in)" in told
    assert "lora" not in told
    assert "MiniLM" not in told
    assert "[data.text-classification]" in told
    assert ". " not in told


def test_a_folder_of_a_known_set_and_the_hub_are_named_as_what_they_are() -> None:
    told = because([head("semantic-search", KNOWN), head("noisy-labels", HUB)])
    assert "(mine, which holds texts of scifact; org/set, from the hub)" in told


def test_the_runs_of_practice_alone_are_asked_for() -> None:
    cells = (
        sheets.cell("ann", "noisy-labels", stamp="practice", run_id="one"),
        sheets.cell("ann", "semantic-search", run_id="two"),
        sheets.cell("ben", "noisy-labels", stamp="practice", run_id=""),
    )
    sheet = sheets.sheet().model_copy(update={"cells": cells})
    assert runs(sheet) == {"one"}


def test_a_run_shows_the_published_set_that_a_folder_holds() -> None:
    assert words.revision(KNOWN) == "texts of scifact"
    assert words.revision(OWN) == ""
    assert words.revision(HUB.model_copy(update={"revision": "abc"})) == "revision abc"
