"""The engine `ray`: units run on the nodes of a Ray cluster, each node measuring as one machine does alone.

Who runs where is decided here, by the driver, and Ray is asked for exactly that node. Every node offers one
`harness_timing`. A timed unit takes all of it. Any other takes floor(10,000 / slots) / 10,000 of it, where
slots is the node's number of processors: all slots together fit, and while one of them is taken, less than
one is left, so a timed unit begins only on a node with nothing else of the harness on it, whoever else uses
the cluster for it. Ray itself never tries again: what is lost with its process or node is submitted anew by
the driver, a few times; the first result that arrives is the one that is kept.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.assessment.executors import nodes
from harness.assessment.executors.base import Event, Unit, UnitDone, lost
from harness.assessment.executors.crew import Crew, Node
from harness.errors import HarnessError, SubmissionError, UsageError
from harness.sheets import Cell
from harness.store import packets, transfer
from harness.store.results import Store

MOST_LOSSES = 3
_LOOK_SECONDS = 0.5
_LOCAL_STORE_BYTES = 256 * 2**20
_OF_MEMORY = ": Ray's memory monitor ended it; start every node with RAY_memory_monitor_refresh_ms=0"


class RayExecutor:
    """Runs units on a Ray cluster and takes every run into `store`, from this process alone.

    do        runs one unit against a store in a folder (`harness.assessment.executors.work.do`)
    address   "auto", "ray://HOST:PORT" or HOST:PORT of a cluster; empty begins one on this machine
    mix       use nodes of different hardware in one table; by default the largest group of equal ones
    warn      called with a sentence for each node that is not used, and why
    """

    name = "ray"

    def __init__(
        self,
        store: Store,
        do: nodes.Do,
        address: str = "",
        *,
        mix: bool = False,
        warn: Callable[[str], object] = lambda text: None,
    ) -> None:
        self.store = store
        self.do = do
        self.address = address
        self.mix = mix
        self.warn = warn

    def run(
        self, units: Sequence[Unit], kept: Callable[[UnitDone], None], seen: Callable[[Unit, Event], None]
    ) -> None:
        """As the contract says. Raises UsageError where no node can be used, HarnessError where none is left."""
        if not units:
            return
        with connected(self.address) as ray:
            course = _Course(self, ray, list(units), kept, seen)
            try:
                course.go()
            finally:
                course.cancel()


@contextmanager
def connected(address: str) -> Generator[Any]:
    """Ray, connected to a cluster; one that was started here is shut down. Raises UsageError where none answers."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports no use of itself over the network
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # by default Ray's workers run at a low priority
    # Ray would end a whole unit that is short of memory, as if the node were lost; the harness ends the worker that is.
    os.environ.setdefault("RAY_memory_monitor_refresh_ms", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "the engine ray needs Ray, which is not installed; pip install 'ml-skills-harness[ray]'"
        ) from error
    if ray.is_initialized():
        yield ray
        return
    quiet: dict[str, Any] = {
        "logging_level": logging.ERROR,
        "log_to_driver": False,
        "configure_logging": False,
    }
    ended_by = signal.getsignal(signal.SIGTERM)
    try:
        if address:
            _knock(address)
            ray.init(address=address, **quiet)
        else:
            # A secret of this process and of those below it, so that nobody else on this machine gets in.
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
            logging.getLogger("ray").setLevel(logging.ERROR)
            ray.init(
                address="local",
                include_dashboard=False,
                resources={Crew.TIMING: 1},
                object_store_memory=_LOCAL_STORE_BYTES,
                **quiet,
            )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"no Ray cluster answers at {address or 'this machine'}: {first}; `ray start --head` begins one"
        ) from error
    finally:
        # Ray would end the program at SIGTERM with its own exit code; put the command line's handler back.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ended_by)
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raises OSError where nobody listens at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


@dataclass
class _Flight:
    """A unit that was sent to a node and has not come back yet."""

    unit: Unit
    node: Node


class _Course:
    """One call of `run`: which units wait, and which are on their way."""

    def __init__(
        self,
        engine: RayExecutor,
        ray: Any,
        units: list[Unit],
        kept: Callable[[UnitDone], None],
        seen: Callable[[Unit, Event], None],
    ) -> None:
        self.engine = engine
        self.ray = ray
        self.kept = kept
        self.seen = seen
        self.waiting = sorted({u.key: u for u in units}.values(), key=lambda u: not u.timed)
        self.same = {u.key: [v for v in units if v.key == u.key] for u in units}
        self.flights: dict[Any, _Flight] = {}
        self.losses: Counter[str] = Counter()
        self.tasks = _tasks(units)
        device = "cuda" if any(unit.device == "cuda" for unit in units) else "cpu"
        self.crew = Crew(ray, list(self.tasks.values()), device, mix=engine.mix, warn=engine.warn)
        self.remote = ray.remote(max_retries=0)(nodes.measure)

    def go(self) -> None:
        """Sends units and collects results until every unit is kept."""
        for unit in self.waiting:
            self.seen(unit, "waits")
        self.crew.look()
        while self.waiting or self.flights:
            self._send()
            if self.flights:
                self._collect()
            elif self.waiting and not self.crew.nodes:
                raise HarnessError(
                    f"no node of the cluster is left and {len(self.waiting)} units wait; when nodes are back, "
                    "type the same command again: what was kept stays kept"
                )
            elif self.waiting:
                first = self.waiting[0]
                lacks = self.crew.lacks(first)
                raise UsageError(f"no node can take {first.candidate} on {first.task}: {lacks}")

    def cancel(self) -> None:
        """Ends what still runs, at once."""
        for reference in self.flights:
            with contextlib.suppress(self.ray.exceptions.RayError, ConnectionError):
                self.ray.cancel(reference, force=True)

    def _send(self) -> None:
        """Gives every node that has room its next unit, timed ones first."""
        for node in self.crew.nodes:
            while (unit := self.crew.next_for(node, self.waiting)) is not None:
                self.waiting.remove(unit)
                self._launch(unit, node)

    def _launch(self, unit: Unit, node: Node) -> None:
        request = json.loads(unit.payload)
        content = b""
        if folder := request.get("folder"):
            try:
                content = nodes.parcel(unit.task, Path(folder))
            except (SubmissionError, OSError):
                # It is run here instead: it is refused before anything starts, with the same message as ever.
                self._keep(unit, self.engine.do(unit.payload, str(self.engine.store.folder)), 0.0, "")
                return
        task = self.tasks.get(unit.task)
        sent = self.ray.put(content) if content else content
        self.crew.take(node, unit)
        reference = self.remote.options(**self.crew.options(node, unit)).remote(
            self.engine.do, unit.payload, task.model_dump_json() if task else "", sent, unit.timed
        )
        self.flights[reference] = _Flight(unit, node)
        self.seen(unit, "runs")

    def _collect(self) -> None:
        """Waits a moment for whatever comes back, and keeps it or sends it again."""
        errors = self.ray.exceptions
        gone = (
            errors.WorkerCrashedError,
            errors.NodeDiedError,
            errors.ObjectLostError,
            errors.LocalRayletDiedError,
            errors.TaskUnschedulableError,
            errors.OutOfMemoryError,
            errors.TaskCancelledError,
        )
        ready, _ = self.ray.wait(list(self.flights), timeout=_LOOK_SECONDS)
        for reference in ready:
            flight = self.flights.pop(reference)
            self.crew.give_back(flight.node, flight.unit)
            try:
                content = self.ray.get(reference)
            except gone as error:
                self._lost(flight, type(error).__name__)
            except errors.RayTaskError as error:
                self._failed(flight.unit, f"{flight.node.words}: {_last(error)}")
            except errors.RayError as error:
                raise HarnessError(f"the Ray cluster no longer works: {_last(error)}") from error
            else:
                self._arrived(flight, content)
        if not ready:
            self.crew.look()

    def _arrived(self, flight: _Flight, content: bytes) -> None:
        unit = flight.unit
        head, parts = packets.opened("unit", content)
        cell = Cell.model_validate_json(head["cell"])
        store, shared = self.engine.store, str(head["shared"])
        here = json.loads(unit.payload).get("task_folder")
        if parts and transfer.adopt(store, parts[0], Path(here) if here else None) != cell.run_id:
            raise HarnessError(f"{flight.node.words} sent another run than its cell names")
        if cell.run_id and shared and not _holds(store, cell.run_id):
            raise HarnessError(
                f"{flight.node.words} keeps results in {shared}, where this machine does not look; set "
                "HARNESS_DATABASE_URL to one server everywhere, or nowhere"
            )
        self._keep(unit, head["cell"], float(head["seconds"]), flight.node.words)

    def _keep(self, unit: Unit, cell: str, seconds: float, node: str) -> None:
        for each in self.same[unit.key]:
            self.kept(UnitDone(each, cell, seconds, node))

    def _lost(self, flight: _Flight, why: str) -> None:
        """Sends the unit again, elsewhere if its node is gone; a few times at most: it may itself kill nodes."""
        unit = flight.unit
        self.losses[unit.key] += 1
        self.crew.look()
        if self.losses[unit.key] >= MOST_LOSSES:
            hint = _OF_MEMORY if why == "OutOfMemoryError" else ""
            self._failed(unit, f"its process or node was lost {MOST_LOSSES} times, at last by {why}{hint}")
            return
        self.waiting.insert(0, unit)
        self.seen(unit, "again")

    def _failed(self, unit: Unit, why: str) -> None:
        self._keep(unit, lost(unit, why), 0.0, "")


def _tasks(units: Sequence[Unit]) -> dict[str, nodes.TaskThere]:
    """The tasks of those units that name a folder, in the form in which nodes look them up."""
    folders = {unit.task: json.loads(unit.payload).get("task_folder") for unit in units}
    return {task: nodes.task_there(task, Path(folder)) for task, folder in folders.items() if folder}


def _holds(store: Store, run_id: str) -> bool:
    try:
        store.run(run_id)
    except UsageError:
        return False
    return True


def _last(error: Exception) -> str:
    """The last line of Ray's message, which holds the error itself."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
