"""The engine `ray` on a local cluster of several nodes: nothing lost, nothing twice, one clock at a time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import func, select

from harness.assessment.executors import cluster, nodes
from harness.assessment.executors.base import Unit, UnitDone
from harness.assessment.executors.cluster import RayExecutor, connected
from harness.assessment.executors.crew import Crew, Node, share
from harness.errors import HarnessError, StoreError, SubmissionError, UsageError
from harness.sheets import Cell
from harness.store import packets, transfer
from harness.store.results import Store
from harness.store.schema import CLAIMS, INSTANCES, RUNS, TRIALS
from tests.assessment import cluster_work
from tests.assessment.cluster_work import unit
from tests.conftest import TOYS

ray = pytest.importorskip("ray")
TOY = TOYS / "toy-squares"
SOLUTIONS = TOY / "reference_solutions"
STORE_BYTES = 80 * 2**20
WIDE = 3
TIMED_TRIALS = 2 * 4  # of a run of the toy task: two instances, the candidate and three references

# Ray's own: a socket or a pipe of its processes that it leaves to the collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@dataclass
class Site:
    """The cluster of this file, and its nodes by their ids."""

    cluster: Any
    top: Path
    nodes: dict[str, Any] = field(default_factory=dict)

    def add(self, cpus: int = 1, **variables: str) -> str:
        """One more machine, with a disk and an environment of its own."""
        home = self.top / f"disk-{len(list(self.top.iterdir()))}"
        home.mkdir()
        node = self.cluster.add_node(
            num_cpus=cpus,
            resources={Crew.TIMING: 1},
            object_store_memory=STORE_BYTES,
            env_vars={nodes.HOME: str(home), "HARNESS_LOCKS": str(home), **variables},
        )
        self.nodes[node.node_id] = node
        return str(node.node_id)

    def kill(self, node_id: str) -> None:
        """The node is gone from one moment to the next."""
        self.cluster.remove_node(self.nodes.pop(node_id), allow_graceful=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    from ray.cluster_utils import Cluster

    before = {process.pid for process in psutil.process_iter()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        head = {"num_cpus": 0, "object_store_memory": STORE_BYTES, "include_dashboard": False}
        whole = Cluster(initialize_head=True, head_node_args=head)
        found = Site(whole, tmp_path_factory.mktemp("disks"))
        handler = signal.getsignal(signal.SIGTERM)
        try:
            for cpus in (1, 1, WIDE):
                found.add(cpus)
            ray.init(
                address=whole.address, logging_level="error", log_to_driver=False, configure_logging=False
            )
            signal.signal(signal.SIGTERM, handler)  # Ray puts one of its own
            yield found
        finally:
            ray.shutdown()
            whole.shutdown()
    _, left = psutil.wait_procs(_ray_processes(before), timeout=60)
    assert not left


def _ray_processes(before: set[int]) -> list[psutil.Process]:
    """Those that are Ray's and were not there before."""
    found = []
    for process in psutil.process_iter(["name"]):
        if process.pid not in before and (process.info["name"] or "").startswith(("ray", "gcs_server")):
            found.append(process)
    return found


@dataclass
class Told:
    """What an engine told."""

    kept: list[UnitDone] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def run(self, store: Store, units: Sequence[Unit], **options: Any) -> list[Cell]:
        """The cells of all units, in the order of the units; each was kept once."""
        engine = RayExecutor(store, cluster_work.do, warn=self.warnings.append, **options)
        engine.run(units, self.kept.append, lambda unit, event: self.events.append((unit.candidate, event)))
        assert Counter(done.unit for done in self.kept) == Counter(units)
        cells = {done.unit.key: Cell.model_validate_json(done.cell) for done in self.kept}
        return [cells[unit.key] for unit in units]


def rows(store: Store, table: Any) -> int:
    return int(store.read(select(func.count()).select_from(table))[0][0])


def spans(stamps: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted(stamps.glob("*.ended"))]


@pytest.fixture
def stamps(tmp_path: Path) -> Path:
    (tmp_path / "stamps").mkdir()
    return tmp_path / "stamps"


def runs(stamps: Path, count: int, name: str = "handed-in", first: int = 0, until: str = "") -> list[Unit]:
    """Units that run the toy task, the folder of each somewhere else, and end when the file `until` is there."""
    found = []
    for number in range(first, first + count):
        folder = stamps.parent / f"{name}-{number}"
        shutil.copytree(SOLUTIONS / "competent", folder)
        more = {"folder": str(folder), "task_folder": str(TOY), "assessment": str(stamps), "seed": number}
        more["until"] = until
        found.append(unit(f"c{number}", stamps, **more))
    return found


@pytest.mark.slow
def test_without_an_address_a_cluster_of_this_machine_begins_and_ends(
    store: Store, stamps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(nodes.HOME, str(tmp_path / "disk"))
    before = {process.pid for process in psutil.process_iter()}
    handler = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as the command line does
    try:
        (cell,) = Told().run(store, runs(stamps, 1))
        assert signal.getsignal(signal.SIGTERM) == signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert cell.outcome == "ok"
    assert store.run(cell.run_id).score is not None
    assert not ray.is_initialized()
    _, left = psutil.wait_procs(_ray_processes(before), timeout=60)
    assert not left


@pytest.mark.slow
def test_an_interrupt_ends_what_runs(site: Site, store: Store, stamps: Path) -> None:
    def interrupted(_: UnitDone) -> None:
        raise KeyboardInterrupt

    units = [unit("quick", stamps, "pause", seconds=0.5), unit("slow", stamps, "pause", seconds=60)]
    with pytest.raises(KeyboardInterrupt):
        RayExecutor(store, cluster_work.do).run(units, interrupted, lambda *_: None)
    began = [json.loads(file.read_text()) for file in stamps.glob("*.begun")]
    slow = [psutil.Process(b["pid"]) for b in began if b["unit"] == "slow" and psutil.pid_exists(b["pid"])]
    _, left = psutil.wait_procs(slow, timeout=60)
    assert not left
    assert [span["unit"] for span in spans(stamps)] == ["quick"]


@pytest.mark.slow
def test_a_node_that_is_killed_in_the_middle_loses_and_doubles_nothing(
    site: Site, store: Store, stamps: Path
) -> None:
    # From the third on, none says that it is done before a node is killed: there is one to be killed.
    units, told = runs(stamps, 2) + runs(stamps, 3, "held", first=2, until="killed"), Told()
    killed: list[str] = []

    def kill() -> None:
        """The node of the third unit that begins, as soon as its store holds something."""
        ends = time.monotonic() + cluster_work.PATIENCE_SECONDS
        while time.monotonic() < ends and not killed:
            begun = [json.loads(file.read_text()) for file in stamps.glob("*.begun")]
            held = [b for b in begun if b["unit"] in ("c2", "c3", "c4")]
            busy = [b for b in held if (Path(b["home"]) / "results.sqlite").is_file()]
            if len(begun) >= 3 and busy:
                site.kill(busy[-1]["node"])
                killed.append(busy[-1]["node"])
            threading.Event().wait(0.05)
        (stamps / "killed").touch()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        cells = told.run(store, units)
    finally:
        killer.join()
    assert killed
    assert [cell.outcome for cell in cells] == ["ok"] * 5
    assert len({cell.run_id for cell in cells}) == rows(store, RUNS) == rows(store, CLAIMS) == 5
    assert rows(store, INSTANCES) == 5 * 2
    assert rows(store, TRIALS) == 5 * TIMED_TRIALS
    assert {event for _, event in told.events} == {"waits", "runs", "again"}
    assert any("is lost" in warning for warning in told.warnings)
    for cell in cells:
        run = store.run(cell.run_id)
        assert run.score is not None
        assert run.score.points == cell.points
        assert all(store.answers(trial.answers["archive"]) for trial in run.trials)
        assert json.loads(store.call(cell.run_id))["task_folder"] == str(TOY)
    slots = {
        int(found["Resources"]["CPU"])
        for found in ray.nodes()
        if found["Alive"] and Crew.TIMING in found["Resources"]
    }
    site.add(1 if WIDE in slots else WIDE)


@pytest.mark.slow
def test_no_two_clocks_at_once_on_a_node_and_nothing_beside_one(
    site: Site, store: Store, stamps: Path
) -> None:
    units = [unit(f"t{n}", stamps, "pause", seconds=0.2) for n in range(6)]
    units += [unit(f"u{n}", stamps, "pause", timed=False, seconds=0.6) for n in range(10)]
    cells = Told().run(store, units)
    assert {cell.outcome for cell in cells} == {"ok"}
    found = spans(stamps)
    assert len(found) == len(units)
    for one in found:
        for other in found:
            meet = one["began"] < other["ended"] and other["began"] < one["ended"]
            if one is not other and one["node"] == other["node"] and meet:
                assert {one["unit"][0], other["unit"][0]} == {"u"}


@pytest.mark.slow
def test_units_without_a_clock_share_a_node(site: Site, store: Store, stamps: Path) -> None:
    """None of them ends before two have met on one node: more of them than there are nodes must share one."""
    units = [unit(f"u{n}", stamps, "meets", timed=False) for n in range(len(site.nodes) + 1)]
    cells = Told().run(store, units)
    assert {cell.outcome for cell in cells} == {"ok"}
    assert (stamps / "met").exists()


@pytest.mark.slow
def test_a_unit_whose_process_dies_is_tried_again_a_few_times(
    site: Site, store: Store, stamps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "MOST_LOSSES", 2)
    told = Told()
    more = {"folder": str(SOLUTIONS / "competent"), "task_folder": str(TOY), "assessment": "a2"}
    units = [
        unit("once", stamps, "dies", times=1, **more),
        unit("always", stamps, "dies", times=99, **more),
        unit("raises", stamps, "raises"),
        unit("fine", stamps, "pause", seconds=0),
    ]
    once, always, raises, fine = told.run(store, units)
    assert once.outcome == fine.outcome == "ok"
    assert always.outcome == raises.outcome == "harness_error"
    assert "lost 2 times" in always.reasons[0]
    assert "our own mistake" in raises.reasons[0]
    assert Counter(told.events)["always", "again"] == 1
    assert rows(store, RUNS) == 1


@pytest.mark.slow
def test_what_may_not_be_sent_is_refused_in_the_words_of_this_machine(
    site: Site, store: Store, stamps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []

    def do(payload: str, home: str) -> str:
        refused.append(home)
        return Cell(candidate="c", task="toy-squares", outcome="malformed").model_dump_json()

    kept: list[UnitDone] = []
    asked = unit("c", stamps, folder=str(stamps), task_folder=str(TOY))
    RayExecutor(store, do).run([asked], kept.append, lambda *_: None)
    assert refused == [str(store.folder)]
    assert json.loads(kept[0].cell)["outcome"] == "malformed"


@pytest.mark.slow
def test_units_of_one_key_run_once_and_each_is_kept(site: Site, store: Store, stamps: Path) -> None:
    one = unit("c", stamps, "pause", seconds=0)
    other = Unit(candidate="d", task=one.task, key=one.key, payload=one.payload)
    Told().run(store, [one, other])
    assert len(spans(stamps)) == 1


@pytest.mark.slow
def test_nodes_of_another_program_or_task_are_refused_by_name(
    site: Site, store: Store, stamps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = nodes.about

    def other(asked: Any, device: str) -> nodes.About:
        return real(asked, device).model_copy(update={"program": "another"})

    monkeypatch.setattr(nodes, "about", other)
    told = Told()
    with pytest.raises(UsageError, match="no node of the cluster can be used"):
        told.run(store, [unit("c", stamps, "pause", seconds=0)])
    assert len([w for w in told.warnings if "another program" in w]) == len(site.nodes)
    monkeypatch.undo()
    monkeypatch.setattr(nodes, "_digest", lambda task: "another")
    told = Told()
    with pytest.raises(UsageError, match="no node of the cluster can be used"):
        told.run(store, [unit("c", stamps, "pause", seconds=0, task_folder=str(TOY))])
    assert len([w for w in told.warnings if "task toy-squares is missing or differs" in w]) == len(site.nodes)


@pytest.mark.slow
def test_a_node_with_a_database_writes_straight_and_others_through_the_driver(
    site: Site, stamps: Path, postgres_url: str, store: Store
) -> None:
    straight = site.add(1, HARNESS_DATABASE_URL=postgres_url)
    try:
        shared, told = Store.open(stamps.parent / "unused", url=postgres_url), Told()
        cells = told.run(shared, runs(stamps, 4))
        assert [cell.outcome for cell in cells] == ["ok"] * 4
        assert rows(shared, RUNS) == 4
        assert rows(shared, TRIALS) == 4 * TIMED_TRIALS
        assert any(straight[:8] in done.node for done in told.kept)
        assert all(shared.answers(t.answers["archive"]) for c in cells for t in shared.run(c.run_id).trials)
        with pytest.raises(HarnessError, match="where this machine does not look"):
            Told().run(store, [replace(unit, key=f"{unit.key} again") for unit in runs(stamps, 4, "other")])
        shared.engine.dispose()
    finally:
        site.kill(straight)


class FakeRay:
    """A cluster whose nodes have the hardware that their names say; it answers at once."""

    def __init__(self, machines: Sequence[str]) -> None:
        self.machines = list(machines)
        self.exceptions = ray.exceptions

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {
                "NodeID": f"{number:056x}",
                "Alive": True,
                "NodeManagerHostname": f"host-{number}",
                "Resources": {"CPU": 4.0, Crew.TIMING: 1.0},
                "machine": machine,
            }
            for number, machine in enumerate(self.machines)
        ]

    def remote(self, **_: Any) -> Any:
        return lambda function: self

    def options(self, **named: Any) -> Any:
        asked = named["scheduling_strategy"].node_id
        return _Sender(next(n["machine"] for n in self.nodes() if n["NodeID"] == asked))

    def get(self, said: str, timeout: float) -> str:
        return said


@dataclass
class _Sender:
    machine: str

    def remote(self, asked: str, device: str) -> str:
        return nodes.about([], device).model_copy(update={"machine": self.machine}).model_dump_json()


def crew_of(machines: Sequence[str], *, mix: bool = False) -> tuple[Crew, list[str]]:
    warnings: list[str] = []
    crew = Crew(FakeRay(machines), [], "cpu", mix=mix, warn=warnings.append)
    crew.look()
    return crew, warnings


def test_the_largest_group_of_equal_machines_is_used_and_others_are_named() -> None:
    crew, warnings = crew_of(["old", "new", "old"])
    assert [node.machine for node in crew.nodes] == ["old", "old"]
    assert len(warnings) == 1
    assert "host-1" in warnings[0]
    assert "--mix-machines" in warnings[0]


def test_at_a_tie_the_drivers_own_hardware_is_used() -> None:
    own = nodes.about([], "cpu").machine
    for machines in (["zzz", own], [own, "zzz"], ["000", own], [own, "000"]):
        crew, _ = crew_of(machines)
        assert [node.machine for node in crew.nodes] == [own]


def test_a_node_of_other_hardware_that_joins_later_is_not_used_either() -> None:
    crew, warnings = crew_of(["old", "old"])
    crew.ray.machines += ["new", "old"]
    crew.look()
    assert [node.machine for node in crew.nodes] == ["old"] * 3
    assert "host-2" in warnings[0]


def test_mixed_machines_still_time_one_task_on_one_hardware(stamps: Path) -> None:
    crew, warnings = crew_of(["old", "new", "old"], mix=True)
    assert not warnings
    old, new, other = crew.nodes
    first, second = (unit(name, stamps, task="t1") for name in "ab")
    third = unit("c", stamps, task="t2")
    untimed = unit("d", stamps, task="t1", timed=False)
    crew.take(old, first)
    assert crew.next_for(new, [second]) is None
    assert crew.next_for(new, [second, third]) == third
    assert crew.next_for(new, [untimed]) == untimed
    assert crew.next_for(other, [second]) == second
    crew.nodes = [new]  # none of the first hardware is left
    assert crew.next_for(new, [second]) == second
    crew.take(new, second)
    assert any("other hardware" in warning for warning in warnings)


def test_a_unit_with_a_clock_is_not_overtaken_for_ever(stamps: Path) -> None:
    node = Node(id="n", words="node", slots=4, gpus=0, machine="m")
    crew, _ = crew_of(["m"])
    timed, untimed = unit("t", stamps), unit("u", stamps, timed=False)
    crew.take(node, unit("v", stamps, timed=False))
    assert crew.next_for(node, [timed, untimed]) is None  # the node is let run empty for it
    assert crew.next_for(node, [untimed]) == untimed


@pytest.mark.parametrize("slots", [1, 2, 3, 7, 64, 192, 10_000, 50_000])
def test_all_slots_fit_and_one_leaves_no_room_for_a_clock(slots: int) -> None:
    assert 0 < share(slots) <= 1
    assert round(share(slots) * 10_000) * min(slots, 10_000) <= 10_000
    assert round(share(slots) * 10_000) == share(slots) * 10_000


def test_a_parcel_becomes_the_same_submission(tmp_path: Path) -> None:
    content = nodes.parcel("toy-squares", SOLUTIONS / "expert")
    folder = nodes.unparcelled(content, tmp_path)
    assert nodes.unparcelled(content, tmp_path) == folder
    assert folder.name == "expert"
    assert (folder / "solution.py").read_bytes() == (SOLUTIONS / "expert" / "solution.py").read_bytes()
    (folder / "solution.py").write_text("changed")
    with pytest.raises(SubmissionError, match="not what was sent"):
        nodes.unparcelled(content, tmp_path)


def test_what_a_node_measured_before_it_was_cut_short_is_taken_up_there(
    store: Store, stamps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(nodes.HOME, str(tmp_path / "disk"))
    (asked,) = runs(stamps, 1)
    task = nodes.task_there("toy-squares", TOY).model_dump_json()
    content = nodes.parcel("toy-squares", Path(json.loads(asked.payload)["folder"]))
    real, calls = Store.keep, iter(range(9))

    def crashes(*arguments: Any, **named: Any) -> None:
        if next(calls) == 1:
            raise RuntimeError("the power cut")
        real(*arguments, **named)

    monkeypatch.setattr(Store, "keep", crashes)
    with pytest.raises(RuntimeError, match="power cut"):
        nodes.measure(cluster_work.do, asked.payload, task, content, True)
    head, (moved,) = packets.opened(
        "unit", nodes.measure(cluster_work.do, asked.payload, task, content, True)
    )
    run = store.run(transfer.adopt(store, moved))
    assert len(run.head.taken_up) == 1
    assert len(run.trials) == TIMED_TRIALS
    assert json.loads(head["cell"])["run_id"] == run.head.run_id


def test_a_nodes_folder_must_be_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setenv(nodes.HOME, str(tmp_path / "link"))
    with pytest.raises(StoreError, match="own folder"):
        nodes.probe("[]", "cpu")


def test_what_no_unit_used_for_a_week_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(nodes.HOME, str(tmp_path))
    old, fresh = tmp_path / "stores" / "old", tmp_path / "stores" / "fresh"
    for folder in (old, fresh):
        folder.mkdir(parents=True)
        (folder / "results.sqlite").touch()
    for path in (old / "results.sqlite", old):
        os.utime(path, (1, 1))
    nodes.probe("[]", "cpu")
    assert fresh.is_dir()
    assert not old.exists()


@pytest.mark.parametrize("name", ["../outside.py", "/outside.py", "a/../../outside.py"])
def test_a_parcel_that_leads_out_of_its_folder_is_refused(name: str, tmp_path: Path) -> None:
    head = {"task": "t", "name": "n", "digest": "d", "files": [name]}
    with pytest.raises(HarnessError, match="leads out"):
        nodes.unparcelled(packets.sealed("submission", head, [b"x"]), tmp_path / "in")
    assert not list(tmp_path.rglob("outside.py"))


def test_a_cluster_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)

    def refuses(**_: Any) -> None:
        raise ConnectionError("nobody there\nmore")

    with (
        pytest.raises(UsageError, match=r"no Ray cluster answers at 127\.0\.0\.1:1: "),
        connected("127.0.0.1:1"),
    ):
        pass
    monkeypatch.setattr(ray, "init", refuses)
    with pytest.raises(UsageError, match=r"no Ray cluster answers at auto: nobody there;"), connected("auto"):
        pass


def test_a_cluster_without_the_resource_is_refused() -> None:
    crew = Crew(FakeRay([]), [], "cpu", mix=False, warn=lambda _: None)
    with pytest.raises(UsageError, match="--resources"):
        crew.look()
