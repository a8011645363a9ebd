"""Probes of two workers: where nothing parts them, the second finds what the first left; else it finds nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.worker.probes import between
from harness.worker.probes.table import BETWEEN, Refused
from tests.worker.forked import forked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the stronger levels are Linux's")
FILE, ATTRIBUTE, STAT, COUNTS, NAME, LIMITS, INPUT, WHICH = BETWEEN


@pytest.fixture
def to(tmp_path: Path) -> dict[str, Any]:
    """Targets whose folders are this test's own."""
    own = tmp_path / "home" / "scratch"
    own.mkdir(parents=True)
    (tmp_path / "shm").mkdir()
    return {"own": str(own), "owned": [str(tmp_path / "shm")], "token": "0123456789abcdef"}


def found(name: str, to: dict[str, Any], before: Callable[[], object] = lambda: None) -> str:
    """What a second worker finds, in the same place, of a first one; "" for nothing."""

    def both() -> str:
        before()
        BETWEEN[name].leave(to)
        try:
            return BETWEEN[name].find(to)
        except Refused:
            return ""

    return str(forked(both))


def test_a_file_is_found_in_every_folder_that_both_have(to: dict[str, Any], tmp_path: Path) -> None:
    assert found(FILE, to) == f"{to['own']}, {tmp_path / 'home'}, {tmp_path / 'shm'}"
    with pytest.raises(Refused):
        BETWEEN[FILE].find({**to, "token": "another"})


def test_an_attribute_is_found(to: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        BETWEEN[ATTRIBUTE].find(to)
    try:
        os.setxattr(to["own"], "user.try", b"x")
    except OSError:
        pytest.skip("this file system has no attributes of users")
    assert to["own"] in found(ATTRIBUTE, to)
    with pytest.raises(Refused):
        BETWEEN[ATTRIBUTE].find({**to, "token": "another"})


def test_a_mode_or_a_time_is_found(to: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(Refused):
        BETWEEN[STAT].find(to)
    shm = tmp_path / "shm"
    shm.chmod(0o751)
    assert BETWEEN[STAT].find(to) == str(shm)
    shm.chmod(0o755)
    os.utime(shm, (1, 1_000_000_007))
    assert BETWEEN[STAT].find(to) == str(shm)
    assert found(STAT, to) == f"{to['own']}, {tmp_path / 'home'}, {shm}"


def test_numbers_that_go_on_are_found(to: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "process" in found(COUNTS, to)
    monkeypatch.setattr(between, "_MANY", 1 << 60)  # no number is so large
    with pytest.raises(Refused):
        BETWEEN[COUNTS].find(to)


def test_a_name_that_is_still_taken_is_found(to: dict[str, Any]) -> None:
    assert found(NAME, to) == "the name is taken"
    with pytest.raises(Refused):
        BETWEEN[NAME].find({**to, "token": "another"})


def test_limits_that_were_lowered_are_found(to: dict[str, Any]) -> None:
    words = found(LIMITS, to, lambda: os.nice(-os.nice(0)))
    assert words == "descriptors, niceness"
    with pytest.raises(Refused):
        BETWEEN[LIMITS].find(to)


def test_a_control_group_that_has_a_name_tells_who_it_is(
    to: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    BETWEEN[WHICH].leave(to)
    for text, words in (("1:cpu:/\n0::/\n", ""), ("1:cpu:/\n0::/harness-1\n", "/harness-1")):
        monkeypatch.setattr(between.Path, "read_text", lambda path, text=text: text)
        if words:
            assert BETWEEN[WHICH].find(to) == words
        else:
            with pytest.raises(Refused):
                BETWEEN[WHICH].find(to)


def test_what_was_set_on_the_standard_input_is_found(to: dict[str, Any]) -> None:
    def given(mode: int) -> Callable[[], object]:
        return lambda: os.dup2(os.open(os.devnull, mode), 0)

    assert found(INPUT, to, given(os.O_RDWR)) == "a signal, flags"

    def anew() -> str:
        given(os.O_RDONLY)()
        BETWEEN[INPUT].leave(to)
        given(os.O_RDONLY)()
        try:
            return BETWEEN[INPUT].find(to)
        except Refused:
            return ""

    assert forked(anew) == ""
