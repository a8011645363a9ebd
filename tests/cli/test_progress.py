"""What a person who waits is told where there is no terminal."""

from __future__ import annotations

import io
import threading
import time
from typing import get_args

import pytest
from rich.console import Console

from harness.assessment.executors.base import Unit
from harness.cli import progress
from harness.cli.assessments import _NotOfficial, _report, _status
from harness.cli.progress import Shown, Table
from harness.errors import EXIT_INCONCLUSIVE, EXIT_OK
from harness.records import Outcome
from harness.reports.run.text import to_text
from harness.sheets import Cell
from tests.fixtures import sheets


def test_a_phase_has_a_line_when_it_first_comes_up_and_then_time_decides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Shown("run toy") as shown:
        for done, phase in enumerate(("load", "score", "load", "score")):
            shown.step(0, "serve", "anna", phase, done, 9)
        lines = capsys.readouterr().err.splitlines()
        assert [line.partition("waiting for anna: ")[2] for line in lines] == [
            "load (serve)",
            "score (serve)",
        ]
        now[0] += progress.PLAIN_SECONDS
        shown.step(0, "serve", "anna", "load", 4, 9)
        shown.step(1, "serve", "anna", "load", 0, 9)
        lines = capsys.readouterr().err.splitlines()
    assert ["4 of 9" in lines[0], "instance 2: 0 of 9" in lines[1], len(lines)] == [True, True, 2]
    assert lines[0].startswith("[   10 s] run toy: instance 1:")


def test_while_one_call_runs_on_the_time_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "STILL_SECONDS", 0.02)
    with Shown("run toy") as shown:
        shown.step(0, "serve", "anna", "load", 0, 9)
        shown.step(0, "serve", "anna", "load", 1, 9)  # too soon for a line of its own
        lines = said(capsys, "still: ")
    assert lines[-1].endswith("run toy: still: instance 1: 1 of 9 requests, waiting for anna: load (serve)")
    assert lines[-1].startswith("[")
    assert threading.active_count() == 1 or "progress" not in {t.name for t in threading.enumerate()}
    with Shown("run toy", quiet=True) as shown:
        shown.note("a word")
        assert "progress" not in {t.name for t in threading.enumerate()}
    unit = Unit(
        candidate="anna", task="toy", key="k", payload="", timed=True, device="cpu", threads=1, memory_bytes=1
    )
    with Table("score toys") as table:
        table.begin(sheets.sheet(), [unit])
        table.event(unit, "runs")
        capsys.readouterr()
        (line, *_) = said(capsys, "still: ")
    assert line.endswith("score toys: still: 0 of 1 measured; running: anna on toy")


def said(capsys: pytest.CaptureFixture[str], words: str) -> list[str]:
    """The lines with these words, once there is one."""
    err = ""
    until = time.monotonic() + 30
    while words not in err and time.monotonic() < until:
        time.sleep(0.01)
        err += capsys.readouterr().err
    return [line for line in err.splitlines() if words in line]


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_a_cross_is_for_what_is_the_submissions_own_fault(outcome: Outcome) -> None:
    own = Cell(candidate="ann", task="noisy-labels", outcome=outcome)
    sheet = sheets.sheet().model_copy(update={"candidates": ("ann",), "cells": (own,)})
    assert ("✗" in to_text(progress.table_of(sheet))) == (own.standing == "unfit")


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Shown("run toy", quiet=True) as shown:
        shown.step(0, "serve", "anna", "load", 0, 9)
        shown.note("a word")
    assert capsys.readouterr().err == ""


def test_what_another_command_scored_is_kept_for_the_end_and_makes_the_command_inconclusive() -> None:
    table = Table("score", quiet=True)
    sheet = sheets.sheet().model_copy(update={"cells": ()})
    assert _status(sheet, table.disputes) == EXIT_OK
    table.overtaken("anna on toy: another command scored it meanwhile")
    assert table.disputes == ["anna on toy: another command scored it meanwhile"]
    assert _status(sheet, table.disputes) == EXIT_INCONCLUSIVE


def test_a_unit_that_was_tried_again_is_said_to_be_at_the_end_too(capsys: pytest.CaptureFixture[str]) -> None:
    unit = Unit(
        candidate="anna", task="toy", key="k", payload="", timed=True, device="cpu", threads=1, memory_bytes=1
    )
    words = "anna on toy: what measured it ended by itself, so it was tried once more"
    with Table("score toys") as table:
        table.begin(sheets.sheet(), [unit])
        table.event(unit, "runs")
        assert table.retried == []
        table.event(unit, "again")
    assert table.retried == [words]
    assert words in capsys.readouterr().err
    _report(sheets.sheet(), _NotOfficial("", ""), table, as_json=False)
    assert words in capsys.readouterr().out


@pytest.mark.parametrize("observer", [Shown, Table])
@pytest.mark.parametrize("blank", ["\u2800", "\u3164", " ", "\u00a0", "\t", "\r", "\n"])
def test_a_folders_name_cannot_move_its_words_into_a_line_of_their_own(
    observer: type[Shown | Table], blank: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with observer("score") as shown:
        shown.note(f"fay: unknown task 'a{blank * 90}bob: not attempted'")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("fay: unknown task 'a bob: not attempted'")


def test_a_note_on_a_terminal_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "Console", lambda stderr: Console(file=io.StringIO(), force_terminal=True))
    with Shown("verify") as shown:
        shown.note("'[/dim][bold]here'")
        assert shown.live is not None
        shown.live.refresh()
        assert "'[/dim][bold]here'" in "".join(
            segment.text for segment in shown.console.render(shown.live.get_renderable())
        )
