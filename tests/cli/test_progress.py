"""What a person who waits is told where there is no terminal."""

from __future__ import annotations

import pytest

from harness.cli import progress
from harness.cli.progress import Shown


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


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Shown("run toy", quiet=True) as shown:
        shown.step(0, "serve", "anna", "load", 0, 9)
        shown.note("a word")
    assert capsys.readouterr().err == ""
