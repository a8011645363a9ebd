"""Which units fit on which node, and which nodes a crew is made of: on a cluster that is only pretended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from harness.assessment.executors import nodes
from harness.assessment.executors.base import Unit
from harness.assessment.executors.crew import Crew, Node, share
from harness.errors import UsageError

ray = pytest.importorskip("ray")
PROGRAM = nodes.whole_digest()


def unit(name: str = "u", task: str = "t", *, timed: bool = False, **more: Any) -> Unit:
    return Unit(candidate=name, task=task, key=f"{name}/{task}", payload="{}", timed=timed, **more)


def node(*units: Unit, machine: str = "m", **more: Any) -> Node:
    given = {"id": "n", "words": "node", "slots": 4, "gpus": 0, "machine": machine, **more}
    return Node(**given, units=list(units))


GPU = {"device": "cuda"}


@pytest.mark.parametrize(
    ("there", "wanted", "room"),
    [
        (node(), unit(), True),
        (node(), unit(timed=True), True),
        (node(unit("v")), unit(timed=True), False),
        (node(unit("v", timed=True)), unit(), False),
        (node(unit("v", threads=2)), unit(threads=2), True),
        (node(unit("v", threads=2)), unit(threads=3), False),
        (node(), unit(threads=9), True),  # nothing else runs there: it gets what there is
        (node(unit("v", memory_bytes=6), memory_bytes=10), unit(memory_bytes=4), True),
        (node(unit("v", memory_bytes=6), memory_bytes=10), unit(memory_bytes=5), False),
        (node(unit("v", memory_bytes=6)), unit(memory_bytes=5), True),  # it does not say how much it has
        (node(unit("v", instances="i")), unit(instances="i"), False),  # each could tell the other its answers
        (node(unit("v", instances="j")), unit(instances="i"), True),
        (node(unit("v", instances="i", **GPU), gpus=2), unit(instances="i", **GPU), False),
        (node(gpus=0), unit(**GPU), False),
        (node(gpus=1), unit(**GPU), True),
        (node(unit("v"), gpus=1), unit(**GPU), True),
        (node(unit("v", **GPU), gpus=1), unit(**GPU), False),
        (node(unit("v", **GPU), gpus=2), unit(**GPU), True),
    ],
)
def test_what_a_node_has_room_for(there: Node, wanted: Unit, room: bool) -> None:
    assert there.has_room(wanted) is room


@pytest.mark.parametrize(
    ("slots", "taken"),
    [(0, 1.0), (1, 1.0), (2, 0.5), (3, 0.3333), (64, 0.0156), (10_000, 1e-4), (50_000, 1e-4)],
)
def test_what_a_unit_without_a_clock_takes_of_its_node(slots: int, taken: float) -> None:
    assert share(slots) == taken


class Cluster:
    """Nodes that answer at once with what `says` holds for their names: parts of an About, or an error."""

    exceptions = ray.exceptions

    def __init__(self, *names: str, **says: Any) -> None:
        self.names, self.says = list(names), says
        self.resources: dict[str, float] = {"CPU": 3.0, "GPU": 2.0, "memory": 2.0**30, Crew.TIMING: 1.0}
        self.dead: set[str] = set()
        self.probed: list[str] = []

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {
                "NodeID": name,
                "Alive": name not in self.dead,
                "NodeManagerHostname": f"host-{name}",
                "Resources": self.resources,
            }
            for name in self.names
        ]

    def remote(self, **_: Any) -> Any:
        return lambda function: self

    def options(self, scheduling_strategy: Any, num_cpus: int) -> Any:
        assert num_cpus == 0
        name = scheduling_strategy.node_id
        return SimpleNamespace(remote=lambda tasks, device: self.probed.append(name) or name)

    def get(self, name: str, timeout: float) -> str:
        said = self.says.get(name, {})
        if isinstance(said, Exception):
            raise said
        about = {"machine": "m", "version": "1", "program": PROGRAM, "tasks": {}, **said}
        return nodes.About.model_validate(about).model_dump_json()


@pytest.fixture(autouse=True)
def _placed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray takes nothing but ids of its own form."""
    monkeypatch.setattr(Crew, "_at", lambda self, node_id: SimpleNamespace(node_id=node_id))


def crew_of(cluster: Cluster, tasks: Sequence[nodes.TaskThere] = (), **more: Any) -> tuple[Crew, list[str]]:
    warnings: list[str] = []
    return Crew(cluster, tasks, "cpu", **{"mix": False, "warn": warnings.append, **more}), warnings


def test_a_node_is_taken_in_once_with_what_it_has() -> None:
    cluster = Cluster("a", "b")
    crew, warnings = crew_of(cluster)
    for _ in range(2):
        crew.look()
    assert [(n.id, n.words, n.slots, n.gpus, n.machine, n.memory_bytes) for n in crew.nodes] == [
        ("a", "node host-a (a)", 3, 2, "m", 2**30),
        ("b", "node host-b (b)", 3, 2, "m", 2**30),
    ]
    assert cluster.probed == ["a", "b"]
    cluster.dead.add("a")
    crew.look()
    assert [n.id for n in crew.nodes] == ["b"]
    assert warnings == ["node host-a (a) is lost; what ran there is measured elsewhere"]
    cluster.dead.add("b")
    crew.look()  # a cluster that offered something once may do so again
    assert crew.nodes == []


def test_a_node_that_does_not_say_what_it_has_has_one_slot() -> None:
    cluster = Cluster("a")
    cluster.resources = {Crew.TIMING: 1.0}
    crew, _ = crew_of(cluster)
    crew.look()
    assert [(n.slots, n.gpus, n.memory_bytes) for n in crew.nodes] == [(1, 0, 0)]


def test_a_cluster_that_offers_nothing_is_refused() -> None:
    cluster = Cluster("a")
    cluster.resources = {"CPU": 3.0}
    crew, _ = crew_of(cluster)
    with pytest.raises(
        UsageError, match=r"no node of the cluster offers harness_timing; start .* '\{\"harness_timing"
    ):
        crew.look()


TASK = nodes.TaskThere(id="t", digest="right")


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ({"program": "another"}, r"its harness \(version 1\) is another program than this one"),
        ({"tasks": {"t": "wrong"}}, "its task t is missing or differs"),
        ({"tasks": {}}, "its task t is missing or differs"),
        (ValueError("first\n  last  "), r"does not answer as a harness does \(last\); install"),
        (ValueError(), r"does not answer as a harness does \(ValueError\); install"),
    ],
)
def test_a_node_that_may_not_be_used_is_named_with_why(says: Any, words: str) -> None:
    fine = {"tasks": {"t": "right"}}
    crew, warnings = crew_of(Cluster("a", "b", a=says, b=fine), [TASK])
    crew.look()
    assert [n.id for n in crew.nodes] == ["b"]
    (warning,) = warnings
    assert warning.startswith("node host-a (a) is not used")
    assert re.search(words, warning)
    alone, _ = crew_of(Cluster("a", a=says), [TASK])
    with pytest.raises(UsageError, match="no node of the cluster can be used; the warnings above"):
        alone.look()


def test_of_several_kinds_of_hardware_the_largest_group_stays_the_one_in_use() -> None:
    cluster = Cluster("a", "b", "c", a={"machine": "x"}, b={"machine": "y"}, c={"machine": "x"})
    crew, warnings = crew_of(cluster)
    crew.look()
    assert [n.id for n in crew.nodes] == ["a", "c"]
    assert len(warnings) == 1
    assert "than the 2 nodes in use: node host-b (b); not used" in warnings[0]
    cluster.names += ["d", "e", "f"]
    cluster.says |= {name: {"machine": "y"} for name in "de"}
    cluster.says["f"] = {"machine": "x"}
    crew.look()
    assert [n.id for n in crew.nodes] == ["a", "c", "f"], "though there are more of the other now"
    assert "than the 3 nodes in use: node host-d (d), node host-e (e); not used" in warnings[1]
    mixed, warnings = crew_of(Cluster("a", "b", b={"machine": "y"}), mix=True)
    mixed.look()
    assert [n.id for n in mixed.nodes] == ["a", "b"]
    assert warnings == []


def test_at_a_tie_it_is_the_drivers_own_hardware() -> None:
    own = nodes.about([], "cpu").machine
    for other in ("000", "zzz"):
        crew, _ = crew_of(Cluster("a", "b", a={"machine": other}, b={"machine": own}))
        crew.look()
        assert [n.id for n in crew.nodes] == ["b"]


def test_which_unit_a_node_takes_next() -> None:
    crew, warnings = crew_of(Cluster(), mix=True)
    plain, with_gpu = node(machine="x"), node(machine="y", gpus=1)
    crew.nodes = [plain, with_gpu]
    timed, other, untimed, cuda = unit("a", timed=True), unit("b", timed=True), unit("c"), unit("d", **GPU)
    assert crew.next_for(plain, [cuda, untimed]) == untimed
    assert crew.next_for(with_gpu, [cuda, untimed]) == cuda
    assert crew.next_for(plain, []) is None
    crew.take(plain, timed)
    assert plain.units == [timed]
    assert crew.next_for(plain, [other, untimed]) is None, "beside a clock nothing runs"
    assert crew.next_for(with_gpu, [other]) is None, "one task is timed on one hardware"
    assert crew.next_for(with_gpu, [other, untimed]) == untimed
    crew.give_back(plain, timed)
    assert plain.units == []
    assert crew.next_for(plain, [other]) == other
    crew.take(plain, untimed)
    assert crew.next_for(plain, [other, unit("e")]) is None, "it is let run empty for a clock"
    crew.nodes = [with_gpu]
    assert crew.next_for(with_gpu, [other]) == other, "none of what it began on is left"
    assert warnings == []
    crew.take(with_gpu, other)
    assert warnings == ["t goes on with other hardware: none of what it began on is left"]


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        (unit(timed=True), (1, 0, 1.0)),
        (unit(), (1, 0, 0.25)),
        (unit(threads=3), (3, 0, 0.25)),
        (unit(threads=9), (4, 0, 0.25)),
        (unit(timed=True, **GPU), (1, 1, 1.0)),
    ],
)
def test_what_ray_is_asked_for(wanted: Unit, asked: tuple[int, int, float]) -> None:
    crew, _ = crew_of(Cluster())
    placed = crew.options(node(id="there"), wanted)
    assert (placed["num_cpus"], placed["num_gpus"], placed["resources"]) == (
        *asked[:2],
        {"harness_timing": asked[2]},
    )
    assert placed["scheduling_strategy"].node_id == "there"  # type: ignore[attr-defined]


def test_a_unit_that_no_node_has_the_memory_for_is_sent_nowhere_and_said() -> None:
    crew, _ = crew_of(Cluster("a"))
    crew.look()
    (there,) = crew.nodes
    fits, large = unit("small", memory_bytes=2**29), unit("large", memory_bytes=2**30)
    assert crew.next_for(there, [large, fits]) is fits
    assert crew.next_for(there, [large]) is None
    words = r"its task lets a worker use 1\.0 GiB, .* more than any node has \(1\.0 GiB .*"
    assert re.fullmatch(words, crew.lacks(large))
    assert (
        crew.lacks(unit("small", memory_bytes=2**29, **GPU)) == "none that may be used offers what cuda needs"
    )
    there.memory_bytes = 0
    assert crew.next_for(there, [large]) is large, "a node that does not say what it has is believed"
