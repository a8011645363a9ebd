"""The driver's side of the engine `ray`, on a cluster that is only pretended: what is sent, lost, refused and kept."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.assessment.executors import cluster, nodes
from harness.assessment.executors.base import Event, Unit, UnitDone
from harness.assessment.executors.cluster import RayExecutor, connected
from harness.assessment.executors.crew import Crew
from harness.errors import HarnessError, UsageError
from harness.sheets import Cell
from harness.store import packets
from harness.store.results import Store
from tests.conftest import TOYS
from tests.fixtures.reports import ok_run

ray = pytest.importorskip("ray")
TOY = TOYS / "toy-squares"
errors = ray.exceptions
MONITOR = "RAY_memory_monitor_refresh_ms"


class Cluster:
    """Nodes that do at once what they are sent; `answer` may put something in the place of a result."""

    exceptions = errors

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self.devices: list[str] = []
        self.sent: list[str] = []
        self.results: list[Any] = []
        self.answer: Callable[[str, Callable[[], bytes]], bytes] = lambda name, real: real()

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {
                "NodeID": f"{number:056x}",
                "Alive": True,
                "NodeManagerHostname": f"host-{number}",
                "Resources": {"CPU": 1.0, Crew.TIMING: 1.0},
            }
            for number in range(self.count)
        ]

    def remote(self, max_retries: int) -> Any:
        assert max_retries == 0, "Ray itself never tries again"

        def wrapped(function: Callable[..., Any]) -> Any:
            def send(*given: Any) -> int:
                if function is nodes.probe:
                    self.devices.append(given[1])
                    self.results.append(nodes.probe(given[0], "cpu"))
                else:
                    name = json.loads(given[1])["candidate"]
                    self.sent.append(name)
                    try:
                        self.results.append(self.answer(name, lambda: function(*given)))
                    except errors.RayError as error:
                        self.results.append(error)
                return len(self.results) - 1

            return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=send))

        return wrapped

    def put(self, content: bytes) -> bytes:
        return content

    def wait(self, references: list[int], timeout: float) -> tuple[list[int], list[int]]:
        return references[:1], references[1:]

    def get(self, reference: int, timeout: float | None = None) -> Any:
        result = self.results[reference]
        if isinstance(result, Exception):
            raise result
        return result

    def cancel(self, reference: int, force: bool) -> None:
        raise AssertionError("all of it came back")


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """The cluster that every engine of the test is connected to."""
    found = Cluster()
    monkeypatch.setenv(nodes.HOME, str(tmp_path / "node"))
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    for name in ("nodes", "remote", "put", "wait", "get", "cancel"):
        monkeypatch.setattr(ray, name, getattr(found, name))
    return found


def unit(name: str, *, timed: bool = True, key: str = "", **more: Any) -> Unit:
    payload = json.dumps({"candidate": name, "task": "toy-squares", "assessment": "a", **more})
    return Unit(candidate=name, task="toy-squares", key=key or name, payload=payload, timed=timed)


def do(payload: str, home: str) -> str:
    """Keeps a run by records alone where the unit names one; else no more than a cell."""
    asked = json.loads(payload)
    if run_id := asked.get("run"):
        store = Store.open(Path(home))
        store.claim(ok_run().head.model_copy(update={"run_id": run_id}), json.dumps({"task_folder": "there"}))
        store.release(run_id)
    cell = Cell(
        candidate=asked["candidate"],
        task="toy-squares",
        outcome="ok",
        run_id=asked.get("names", run_id or ""),
    )
    return cell.model_dump_json()


def run(store: Store, units: Sequence[Unit]) -> tuple[dict[str, UnitDone], list[tuple[str, Event]]]:
    """What was kept, each unit once, and every event in order."""
    kept: list[UnitDone] = []
    events: list[tuple[str, Event]] = []
    engine = RayExecutor(store, do)
    engine.run(units, kept.append, lambda one, event: events.append((one.candidate, event)))
    assert Counter(done.unit.candidate for done in kept) == Counter(one.candidate for one in units)
    return {done.unit.candidate: done for done in kept}, events


def cell(done: UnitDone) -> Cell:
    return Cell.model_validate_json(done.cell)


def test_timed_units_go_first_and_equal_ones_are_measured_once(pretended: Cluster, store: Store) -> None:
    units = [unit("a", timed=False), unit("b"), unit("c", timed=False), replace(unit("d"), key="b")]
    kept, events = run(store, units)
    assert pretended.sent in (["b", "a", "c"], ["d", "a", "c"])
    assert [event for _, event in events[:3]] == ["waits"] * 3
    assert [name for name, _ in events[:3]] == pretended.sent
    assert {cell(done).outcome for done in kept.values()} == {"ok"}
    assert all(done.node == "node host-0 (00000000)" and 0 <= done.seconds < 60 for done in kept.values())
    assert pretended.devices == ["cpu"]


def test_where_a_unit_wants_a_gpu_nodes_are_asked_about_theirs(
    pretended: Cluster, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = nodes.about
    monkeypatch.setattr(nodes, "about", lambda tasks, device: about(tasks, "cpu"))
    with pytest.raises(
        UsageError, match=r"no node can take b on toy-squares: none .* offers what cuda needs"
    ):
        run(store, [unit("a"), replace(unit("b"), device="cuda")])
    assert pretended.devices == ["cuda"]
    assert pretended.sent == ["a"]


def test_nothing_to_do_needs_no_cluster(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert run(store, []) == ({}, [])
    with pytest.raises(UsageError, match=r"pip install 'ml-skills-harness\[ray\]'"):
        run(store, [unit("a")])


def test_a_run_is_taken_in_with_the_task_where_it_lies_here(pretended: Cluster, store: Store) -> None:
    folder = str(TOY / "starter")
    kept, _ = run(
        store, [unit("a", run="run-a"), unit("b", run="run-b", folder=folder, task_folder=str(TOY))]
    )
    assert {cell(done).run_id for done in kept.values()} == {"run-a", "run-b"}
    assert [head.run_id for head in store.heads()] == ["run-a", "run-b"]
    assert [json.loads(store.call(name))["task_folder"] for name in ("run-a", "run-b")] == ["there", str(TOY)]


def test_another_run_than_the_cell_names_is_refused(pretended: Cluster, store: Store) -> None:
    with pytest.raises(HarnessError, match=r"node host-0 .* sent another run than its cell names"):
        run(store, [unit("a", run="run-a", names="run")])


def test_results_that_are_kept_elsewhere_are_refused_and_those_that_are_here_are_not(
    pretended: Cluster, store: Store
) -> None:
    def elsewhere(name: str, real: Callable[[], bytes]) -> bytes:
        named = Cell(candidate=name, task="toy-squares", outcome="ok", run_id="run-a").model_dump_json()
        return packets.sealed("unit", {"cell": named, "seconds": 2.5, "shared": "postgresql://host"}, [])

    pretended.answer = elsewhere
    with pytest.raises(
        HarnessError, match="keeps results in postgresql://host, where this machine does not look"
    ):
        run(store, [unit("a")])
    store.claim(ok_run().head.model_copy(update={"run_id": "run-a"}), "{}")
    kept, _ = run(store, [unit("a")])
    assert (cell(kept["a"]).run_id, kept["a"].seconds) == ("run-a", 2.5)


@pytest.mark.parametrize(
    ("losses", "outcome"), [(1, "ok"), (2, "ok"), (3, "harness_error"), (9, "harness_error")]
)
def test_what_is_lost_is_sent_again_at_once_and_three_times_at_most(
    pretended: Cluster, store: Store, losses: int, outcome: str
) -> None:
    left = Counter({"a": losses})

    def lost(name: str, real: Callable[[], bytes]) -> bytes:
        if left[name]:
            left[name] -= 1
            raise errors.WorkerCrashedError
        return real()

    pretended.answer = lost
    kept, events = run(store, [unit("a"), unit("b")])
    times = min(losses + 1, 3)
    assert pretended.sent == ["a"] * times + ["b"]
    assert Counter(events)["a", "again"] == times - 1
    assert cell(kept["a"]).outcome == outcome
    if outcome != "ok":
        assert "was lost 3 times, at last by WorkerCrashedError" in cell(kept["a"]).reasons[0]
        assert (kept["a"].seconds, kept["a"].node) == (0.0, "")
    assert cell(kept["b"]).outcome == "ok"


def test_a_unit_that_raises_is_ours_with_the_last_line_and_a_cluster_that_fails_ends_it(
    pretended: Cluster, store: Store
) -> None:
    class Failed(errors.RayTaskError):
        def __init__(self, words: str) -> None:
            self.words = words

        def __str__(self) -> str:
            return self.words

    faults: dict[str, Exception] = {
        "a": Failed("Traceback\n  ValueError: our own mistake \n\n"),
        "b": Failed(""),
        "c": errors.RaySystemError("the head is gone"),
    }

    def raises(name: str, real: Callable[[], bytes]) -> bytes:
        raise faults[name]

    pretended.answer = raises
    kept, _ = run(store, [unit("a"), unit("b")])
    assert cell(kept["a"]).reasons == ("node host-0 (00000000): ValueError: our own mistake",)
    assert cell(kept["b"]).reasons == ("node host-0 (00000000): Failed",)
    with pytest.raises(HarnessError, match=r"the Ray cluster no longer works: .*the head is gone"):
        run(store, [unit("c")])


def test_what_may_not_be_sent_is_refused_here(pretended: Cluster, store: Store, tmp_path: Path) -> None:
    kept, _ = run(store, [unit("a", folder=str(tmp_path / "nowhere")), unit("b")])
    assert pretended.sent == ["b"]
    assert (kept["a"].seconds, kept["a"].node) == (0.0, "")


@pytest.fixture
def fake_ray(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A Ray that notes how it is begun."""
    calls: list[dict[str, Any]] = []
    fake = SimpleNamespace(
        calls=calls,
        is_initialized=lambda: False,
        init=lambda **given: calls.append(given),
        shutdown=lambda: calls.append({"shutdown": True}),
    )
    monkeypatch.setitem(sys.modules, "ray", fake)
    for name in ("RAY_AUTH_TOKEN", "RAY_USAGE_STATS_ENABLED", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"):
        monkeypatch.setenv(name, "as it was")
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv(MONITOR, "")
    monkeypatch.delenv(MONITOR)  # as it was, afterwards
    return fake


QUIET = {"logging_level": logging.ERROR, "log_to_driver": False, "configure_logging": False}


def test_a_cluster_of_this_machine_is_small_quiet_and_ends_with_the_call(fake_ray: SimpleNamespace) -> None:
    with connected("") as found:
        assert found is fake_ray
    begun = {
        "address": "local",
        "include_dashboard": False,
        "resources": {"harness_timing": 1},
        "object_store_memory": 268_435_456,
    }
    assert fake_ray.calls == [begun | QUIET, {"shutdown": True}]


def test_a_cluster_of_this_machine_begins_without_rays_memory_monitor(fake_ray: SimpleNamespace) -> None:
    found: list[str | None] = []
    fake_ray.init = lambda **given: found.append(os.environ.get(MONITOR))
    with connected(""):
        pass
    assert found == ["0"]


def test_what_rays_memory_monitor_ends_is_said_with_what_mends_it(pretended: Cluster, store: Store) -> None:
    def ended(name: str, real: Callable[[], bytes]) -> bytes:
        raise errors.OutOfMemoryError("it took too much")

    pretended.answer = ended
    kept, _ = run(store, [unit("a")])
    (reason,) = cell(kept["a"]).reasons
    assert "OutOfMemoryError" in reason
    assert "RAY_memory_monitor_refresh_ms=0" in reason


@pytest.mark.parametrize(
    ("address", "knocked"),
    [("auto", []), ("ray://[::1]:10001", [("::1", 10001)]), ("host:6379", [("host", 6379)])],
)
def test_somebody_must_listen_at_an_address_before_ray_tries_it_for_minutes(
    fake_ray: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, address: str, knocked: list[tuple[str, int]]
) -> None:
    doors: list[tuple[str, int]] = []

    def door(place: tuple[str, int], timeout: float) -> SimpleNamespace:
        doors.append(place)
        return SimpleNamespace(close=lambda: None)

    monkeypatch.setattr(cluster.socket, "create_connection", door)
    with connected(address):
        assert fake_ray.calls == [{"address": address} | QUIET]
    assert doors == knocked

    def nobody(place: tuple[str, int], timeout: float) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(cluster.socket, "create_connection", nobody)
    if knocked:
        words = "no Ray cluster answers at .*: ConnectionRefusedError; `ray start --head` begins one"
        with pytest.raises(UsageError, match=words), connected(address):
            pass
