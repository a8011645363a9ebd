"""The nodes of a cluster that may be used: which they are, what hardware they have, and which units run on them.

Times of different machines are never compared, so by default only nodes of one hardware are used: of the
largest group of equal ones, at a tie that of the driver's own. With `mix` all are, and then the timed units
of one task still go to one hardware, as long as any of it is left.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from harness.assessment.executors import nodes
from harness.assessment.executors.base import Unit
from harness.errors import UsageError

_GRAIN = 10_000  # Ray counts resources in ten-thousandths
_PROBE_SECONDS = 60.0
_SPARE_BYTES = 2**28  # for the harness's own process on a node; Ray leaves out the system's share itself


@dataclass(kw_only=True)
class Node:
    """A node: its id in Ray, its name for people, processors (slots), GPUs, memory, and the units that run on it."""

    id: str
    words: str
    slots: int
    gpus: int
    machine: str
    memory_bytes: int = 0
    units: list[Unit] = field(default_factory=list)

    def has_room(self, unit: Unit) -> bool:
        """Whether it can take the unit now: a timed unit needs an empty node, and nothing else runs beside it.

        Nor do two units on the same instances run at once.
        """
        if not unit.may_run_beside(self.units):
            return False
        if unit.device == "cuda" and self.gpus <= sum(u.device == "cuda" for u in self.units):
            return False
        if unit.timed:
            return not self.units
        if any(u.timed for u in self.units):
            return False
        threads = sum(u.threads for u in self.units) + unit.threads
        memory = sum(u.memory_bytes for u in self.units) + unit.memory_bytes
        return not self.units or (threads <= self.slots and memory <= (self.memory_bytes or memory))

    def is_large_enough(self, unit: Unit) -> bool:
        """Whether one worker of the unit fits into its memory; one that does not say how much it has is believed."""
        if not self.memory_bytes or not unit.memory_bytes:
            return True
        return unit.memory_bytes + _SPARE_BYTES <= self.memory_bytes


def share(slots: int) -> float:
    """What a unit without a clock takes of a node's one `harness_timing`; all slots together take at most 1."""
    return (_GRAIN // max(1, min(slots, _GRAIN))) / _GRAIN


class Placement(TypedDict):
    """Where Ray shall run a unit, as Ray's `options` takes it: the node, and the share of it that the unit takes."""

    scheduling_strategy: object
    num_cpus: int
    num_gpus: int
    resources: dict[str, float]


class Crew:
    """The nodes in use. `look` brings it up to date; nodes that join later are taken in as well."""

    TIMING = "harness_timing"

    def __init__(
        self,
        ray: Any,
        tasks: Sequence[nodes.TaskThere],
        device: str,
        *,
        mix: bool,
        warn: Callable[[str], object],
    ) -> None:
        self.ray = ray
        self.tasks = tasks
        self.device = device
        self.mix = mix
        self.warn = warn
        self.own = nodes.about(tasks, device)
        self.nodes: list[Node] = []
        self.hardware = ""
        self._asked: set[str] = set()
        self._of_task: dict[str, str] = {}

    def look(self) -> None:
        """Adds new nodes and drops those that are gone. Raises UsageError where none can be used."""
        alive = {listing["NodeID"]: listing for listing in self.ray.nodes() if listing["Alive"]}
        gone = [node for node in self.nodes if node.id not in alive]
        self.nodes = [node for node in self.nodes if node.id in alive]
        for node in gone:
            self.warn(f"{node.words} is lost; what ran there is measured elsewhere")
        offering = {n: listing for n, listing in alive.items() if listing["Resources"].get(self.TIMING)}
        if not offering and not self._asked:
            raise UsageError(
                f"no node of the cluster offers {self.TIMING}; start each node that may measure with "
                f"--resources '{{\"{self.TIMING}\": 1}}'"
            )
        fresh = [listing for node_id, listing in offering.items() if node_id not in self._asked]
        if fresh:
            first = not self._asked
            self._take_in(fresh)
            if first and not self.nodes:
                raise UsageError("no node of the cluster can be used; the warnings above say what mends it")

    def _take_in(self, fresh: Sequence[dict[str, Any]]) -> None:
        self._asked |= {listing["NodeID"] for listing in fresh}
        tasks_json = json.dumps([task.model_dump() for task in self.tasks])
        remote = self.ray.remote(max_retries=0)(nodes.probe)
        waits = [
            (
                f,
                remote.options(scheduling_strategy=self._at(f["NodeID"]), num_cpus=0).remote(
                    tasks_json, self.device
                ),
            )
            for f in fresh
        ]
        sound = [
            node for listing, reference in waits if (node := self._probed(listing, reference)) is not None
        ]
        if not self.mix and sound:
            self.hardware = self.hardware or self._largest(sound)
            others = [node for node in sound if node.machine != self.hardware]
            sound = [node for node in sound if node.machine == self.hardware]
            if others:
                self.warn(
                    f"other hardware or software than the {len(self.nodes) + len(sound)} nodes in use: "
                    f"{', '.join(node.words for node in others)}; not used, unless by --mix-machines"
                )
        self.nodes += sound

    def _probed(self, listing: dict[str, Any], reference: Any) -> Node | None:
        """The node, once it said what it is; None, with a warning, where it may not be used."""
        words = f"node {listing['NodeManagerHostname']} ({listing['NodeID'][:8]})"
        try:
            about = nodes.About.model_validate_json(self.ray.get(reference, timeout=_PROBE_SECONDS))
        except (self.ray.exceptions.RayError, ValueError) as error:
            why = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
            self.warn(
                f"{words} is not used: it does not answer as a harness does ({why}); install the same there"
            )
            return None
        if about.program != self.own.program:
            self.warn(
                f"{words} is not used: its harness (version {about.version}) is another program than this one "
                f"(version {self.own.version}); install the same on both"
            )
            return None
        for task in self.tasks:
            if about.tasks.get(task.id) != task.digest:
                self.warn(
                    f"{words} is not used: its task {task.id} is missing or differs from this machine's; install the "
                    "same task pack there, in the same place"
                )
                return None
        resources = listing["Resources"]
        return Node(
            id=listing["NodeID"],
            words=words,
            slots=max(1, int(resources.get("CPU", 1))),
            gpus=int(resources.get("GPU", 0)),
            machine=about.machine,
            memory_bytes=int(resources.get("memory", 0)),
        )

    def _largest(self, sound: Sequence[Node]) -> str:
        sizes = {node.machine: sum(n.machine == node.machine for n in sound) for node in sound}
        return max(sizes, key=lambda machine: (sizes[machine], machine == self.own.machine, machine))

    def next_for(self, node: Node, waiting: Sequence[Unit]) -> Unit | None:
        """The first unit that this node can take now; none without a clock where one with a clock waits for it."""
        for unit in waiting:
            if not self._suits(node, unit):
                continue
            if node.has_room(unit):
                return unit
            if unit.timed:
                return None
        return None

    def lacks(self, unit: Unit) -> str:
        """What every node lacks for the unit, in words."""
        if any(node.is_large_enough(unit) for node in self.nodes):
            return f"none that may be used offers what {unit.device} needs"
        most = max(node.memory_bytes for node in self.nodes)
        return (
            f"its task lets a worker use {unit.memory_bytes / 2**30:.1f} GiB, and with {_SPARE_BYTES / 2**30:.2f} "
            f"GiB for the harness that is more than any node has ({most / 2**30:.1f} GiB at most); use a larger "
            "node, or tell Ray of more by --memory"
        )

    def _suits(self, node: Node, unit: Unit) -> bool:
        if (unit.device == "cuda" and not node.gpus) or not node.is_large_enough(unit):
            return False
        hardware = self._of_task.get(unit.task)
        return not unit.timed or hardware in (None, node.machine) or not self._has(hardware)

    def _has(self, hardware: str | None) -> bool:
        return any(node.machine == hardware for node in self.nodes)

    def take(self, node: Node, unit: Unit) -> None:
        """Records that the unit runs on the node."""
        node.units.append(unit)
        if unit.timed:
            before = self._of_task.get(unit.task)
            if before not in (None, node.machine):
                self.warn(f"{unit.task} goes on with other hardware: none of what it began on is left")
            self._of_task[unit.task] = node.machine

    def give_back(self, node: Node, unit: Unit) -> None:
        """Records that the unit no longer runs on the node."""
        node.units.remove(unit)

    def options(self, node: Node, unit: Unit) -> Placement:
        """What to ask Ray for: this node, and the share of it that the unit takes."""
        taken = 1.0 if unit.timed else share(node.slots)
        gpus = 1 if unit.device == "cuda" else 0
        return {
            "scheduling_strategy": self._at(node.id),
            "num_cpus": min(unit.threads, node.slots),
            "num_gpus": gpus,
            "resources": {self.TIMING: taken},
        }

    def _at(self, node_id: str) -> object:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return NodeAffinitySchedulingStrategy(node_id, soft=False)
