"""What the stronger levels have in common: the self-test before the first worker, and none that is not held."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.errors import SandboxFailed
from harness.isolation import cgroups, selftest, strong
from harness.isolation.base import Checked, Launch, Launched
from harness.isolation.box import guard
from harness.machine import processes
from tests.isolation.doubles import FakeProcess, order

HELD = "Name:\tpython\nGroups:\t0 \nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n"


class Level(strong.StrongLevel):
    """Notes what is done, in turn."""

    def __init__(self, done: list[str], note: str = "") -> None:
        super().__init__(note)
        self.done = done
        self.lacks = ""

    def insist(self) -> None:
        self.done.append("insist")
        if self.lacks:
            raise SandboxFailed(self.lacks)

    def promises(self, launched: Launched) -> Checked:
        return Checked(promised=("a",))

    def _started(self, order: Launch, group: Any, held: bool, more: Mapping[str, Any]) -> Launched:
        self.done.append(f"start {dict(more)}")
        with socket.socket() as sock:
            return Launched(process=FakeProcess(pid=77), sock=sock)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What is done by the levels of this test, whose workers the kernel says are held."""
    done: list[str] = []
    (tmp_path / "status").write_text(HELD)
    files = {"/proc/77/status": tmp_path / "status"}
    monkeypatch.setattr(strong, "lines_of", lambda file: processes.lines_of(files[file]))
    monkeypatch.setattr(cgroups, "make", lambda: (None, "none for this test"))
    monkeypatch.setattr(guard, "raise_guard", lambda: done.append("raise"))
    monkeypatch.setattr(guard, "lower_guard", lambda: done.append("lower"))

    def run(start: Any, promises: Any) -> Checked:
        launched = start(order(tmp_path), {"probe": True})
        done.append("tested")
        return promises(launched)

    monkeypatch.setattr(selftest, "run", run)
    monkeypatch.setattr(selftest, "ended", lambda launched: done.append(f"ended {launched.pid}"))
    return done


FIRST = ["insist", "raise", "start {'probe': True}", "tested"]


def test_no_worker_is_started_before_the_self_test_which_runs_once(done: list[str], tmp_path: Path) -> None:
    level = Level(done, "because")
    assert level.note == "because"
    assert level.launch(order(tmp_path)).pid == 77
    assert done == [*FIRST, "start {}"]
    level.launch(order(tmp_path))
    assert done == [*FIRST, "start {}", "start {}"]
    level.close()
    level.close()
    assert done[-1] == "lower"
    assert done.count("lower") == 1


def test_a_level_that_was_checked_and_closed_is_guarded_again_for_a_worker(
    done: list[str], tmp_path: Path
) -> None:
    level = Level(done)
    checked = level.check()
    assert level.check() is checked
    assert checked.promised == ("a",)
    assert done == FIRST
    level.close()
    level.launch(order(tmp_path))
    level.close()
    assert done == [*FIRST, "lower", "raise", "start {}", "lower"]


def test_a_level_that_was_never_used_lowers_no_guard(done: list[str]) -> None:
    level = Level(done)
    level.close()
    level.lacks = "no Landlock"
    with pytest.raises(SandboxFailed, match="no Landlock"):
        level.check()
    level.close()
    assert done == ["insist"]


def test_closing_a_level_ends_what_serves_its_workers(done: list[str]) -> None:
    class Zygote:
        def close(self) -> None:
            done.append("zygote ended")

    level: Any = Level(done)
    level._zygotes[("numpy",)] = Zygote()
    level.close()
    assert done == ["zygote ended"]


@pytest.mark.parametrize(
    ("status", "missing"),
    [
        (HELD, ""),
        (HELD.replace("python", "a:\tb"), ""),  # a process names itself as it likes
        (HELD.replace("Groups:\t0 ", "no field"), ""),
        (HELD.replace("Seccomp:\t2", "Seccomp:\t0"), "Seccomp"),
        (HELD.replace("NoNewPrivs:\t1", "NoNewPrivs:\t0"), "NoNewPrivs"),
        (HELD.replace("Seccomp:\t2\n", ""), "Seccomp"),
        (None, "a word of the kernel about it"),
    ],
)
def test_a_worker_that_the_kernel_does_not_hold_is_ended_at_once(
    done: list[str], tmp_path: Path, status: str | None, missing: str
) -> None:
    level = Level(done)
    level.check()
    done.clear()
    (tmp_path / "status").write_text(status) if status else (tmp_path / "status").unlink()
    if missing:
        with pytest.raises(SandboxFailed) as caught:
            level.launch(order(tmp_path))
        assert str(caught.value) == (f"a worker was started without {missing}; run it again at another level")
        assert done == ["start {}", "ended 77"]
    else:
        level.launch(order(tmp_path))
        assert done == ["start {}"]


def test_a_weakened_level_is_left_to_the_self_test(done: list[str], tmp_path: Path) -> None:
    (tmp_path / "status").unlink()
    level = Level(done)
    level.weaken = lambda rules: None
    level.launch(order(tmp_path))
    assert done == [*FIRST, "start {}"]
