"""A started worker's group, names and end, and the environment that a worker is given."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.isolation.base import PASSED_ON, THREAD_VARIABLES, Inherited, Launched, environment
from harness.isolation.cgroups import Cgroup
from harness.isolation.dialects import V2
from harness.isolation.tree import Kept
from tests.isolation.doubles import FakeProcess, order


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket() as opened:
        yield opened


def launched(sock: socket.socket, **more: Any) -> Launched:
    return Launched(process=FakeProcess(pid=77), sock=sock, **more)


def test_what_is_not_told_of_a_worker_is_nothing(sock: socket.socket) -> None:
    worker = launched(sock)
    assert (worker.pid, worker.group, worker.keeper) == (77, None, 0)
    assert worker.inherited == Inherited(anonymous=0, file=0, stack="")


def test_its_control_group_holds_all_of_it_and_else_its_keeper_does(sock: socket.socket) -> None:
    group = Cgroup(dialect=V2, folders={})
    assert launched(sock, cgroup=group).group is group
    assert launched(sock, cgroup=group, keeper=5).group is group
    kept = launched(sock, keeper=5).group
    assert isinstance(kept, Kept)
    assert kept.keeper == 5


def test_a_path_has_the_name_of_the_place_it_lies_in(sock: socket.socket) -> None:
    worker = launched(sock, places={Path("/ours/home"): "/box", Path("/ours/given"): "/given/0"})
    assert worker.inside(Path("/ours/given/deep/file")) == "/given/0/deep/file"
    assert worker.inside(Path("/ours/home")) == "/box"
    assert worker.inside(Path("/ours/other")) == "/ours/other"


@pytest.mark.parametrize(("status", "went"), [(None, False), (-9, True)])
def test_a_worker_may_go_only_with_the_process_it_was_forked_from(
    sock: socket.socket, status: int | None, went: bool
) -> None:
    parent = FakeProcess(status=status)
    assert launched(sock, forked_from=parent).went_with_another() is went
    assert parent.waits == [0.5]  # that one may be on its way out still; but it is not waited for long


def test_a_fresh_interpreter_goes_with_nobody(sock: socket.socket) -> None:
    assert launched(sock).went_with_another() is False


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PASSED_ON, *THREAD_VARIABLES, "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "/some/bin")
    monkeypatch.setenv("SECRET_TOKEN", "secret")


@pytest.mark.usefixtures("outside")
def test_a_workers_environment_is_built_from_nothing(tmp_path: Path) -> None:
    made = environment(order(tmp_path, threads=3, extra_environment={"LANG": "eo", "MORE": "1"}))
    assert made["PATH"] == "/some/bin"
    assert not {"SECRET_TOKEN", "CUDA_HOME", "LD_LIBRARY_PATH"} & made.keys()
    assert {made[name] for name in THREAD_VARIABLES} == {"3"}
    assert (made["HOME"], made["TMPDIR"]) == (str(tmp_path / "home"), str(tmp_path / "scratch"))
    caches = [value for name, value in made.items() if name.endswith(("_HOME", "_DIR", "_PATH", "CONFIGDIR"))]
    assert caches
    assert all(Path(cache).is_relative_to(tmp_path / "home" / "cache") for cache in caches)
    assert (made["HF_HUB_OFFLINE"], made["LANG"], made["MORE"]) == ("1", "eo", "1")


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize(
    ("device", "ours", "its"), [("cpu", "3", ""), ("cpu", None, ""), ("cuda", "3", "3"), ("cuda", None, None)]
)
def test_a_worker_sees_the_devices_that_we_see_and_none_on_a_cpu(
    tmp_path: Path, device: str, ours: str | None, its: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ours is not None:
        monkeypatch.setitem(os.environ, "CUDA_VISIBLE_DEVICES", ours)
    assert environment(order(tmp_path, device=device)).get("CUDA_VISIBLE_DEVICES") == its
