"""Fixtures that every test may use: a private home for results, the toy task, and orders on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from harness.inputs import tasks
from harness.inputs.data import sources
from harness.runs.options import Options, order
from harness.runs.order import Order
from harness.store import ownership
from harness.store.results import Store
from tests import intervals, private_home
from tests.fixtures import postgres

pytest_plugins = ("tests.proof_plugin",)
os.environ["HF_HUB_OFFLINE"] = "1"
HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """A private home and sound intervals; and a core for each parallel process, which its workers inherit."""
    intervals.enforce(private_home.begin(config))
    number = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    if number and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(number) % len(cores)]})


# The slow tests that take longest, in this order; begun last, one of them would run on alone.
LONGEST = (
    "test_the_readmes_commands_run",
    "test_proves_itself",
    "test_start_up_is_told_of_a_real_task",
    "test_killed_at_any_moment",
    "test_honest_code_is_not_stopped[torch-compile",
    "test_the_wheel_works",
)


@pytest.hookimpl(trylast=True)  # after those that are not asked for have been taken out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of slow tests the longest come first in each share, since parallel processes begin with a share each."""
    if not items or not all(item.get_closest_marker("slow") for item in items):
        return

    def place(item: pytest.Item) -> int:
        return next((n for n, name in enumerate(LONGEST) if item.name.startswith(name)), len(LONGEST))

    shares = int(getattr(config, "workerinput", {}).get("workercount", 1))
    longest = sorted((item for item in items if place(item) < len(LONGEST)), key=place)
    rest = [
        item for item in items if place(item) == len(LONGEST)
    ]  # files stay together, as do their fixtures
    ordered: list[pytest.Item] = []
    for share in range(shares):
        first = longest[share::shares]
        size = len(items) * (share + 1) // shares - len(ordered) - len(first)
        ordered += first + rest[:size]
        del rest[:size]
    items[:] = ordered + rest


TOYS = HERE / "toy_tasks"
HOSTILE = HERE / "hostile"


@pytest.fixture(autouse=True)
def _private_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of tests never mix with a person's; the cache is shared, since it is made by content."""
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HARNESS_DATABASE_URL", raising=False)
    monkeypatch.setenv("HARNESS_LOCKS", str(tmp_path / "locks"))
    monkeypatch.setenv("HARNESS_CACHE", str(sources.cache_folder()))


@pytest.fixture(autouse=True)
def _no_heart_beats_on(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """The heartbeats of claims that a test leaves held end with it; their connections would come and go in others."""
    begun: list[ownership.Beat] = []
    begin = ownership.Beat.__init__

    def noted(self: ownership.Beat, *given: Any, **named: Any) -> None:
        begin(self, *given, **named)
        begun.append(self)

    monkeypatch.setattr(ownership.Beat, "__init__", noted)
    yield
    for beat in begun:
        beat.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Generator[postgres.Server]:
    """A PostgreSQL server, once for all tests of a process."""
    with postgres.server() as found:
        yield found


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> str:
    """The URL of a new database on it."""
    return postgres_server.new()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both databases in turn: every store that a test opens, and every process that it starts, uses it."""
    if request.param == "postgres":
        monkeypatch.setenv("HARNESS_DATABASE_URL", request.getfixturevalue("postgres_url"))
    return str(request.param)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store.open(tmp_path / "home")


@pytest.fixture
def toy() -> tasks.Task:
    """The task that costs nothing."""
    return tasks.read(TOYS / "toy-squares")


@pytest.fixture
def toy_order() -> Callable[..., Order]:
    """Makes an order for a folder on the toy task."""

    def make(folder: Path, root: Path = TOYS, **options: object) -> Order:
        return order(
            Options(task="toy-squares", folder=folder, tasks_root=root, profile="ci-smoke", **options)
        )  # type: ignore[arg-type]

    return make


@pytest.fixture
def changed_toy(tmp_path: Path) -> Callable[[str, str], Path]:
    """A copy of the toy task with one text of its task.toml replaced; returns the tasks folder."""

    def change(old: str, new: str) -> Path:
        root = tmp_path / "toys"
        if not root.exists():
            shutil.copytree(TOYS, root)
        file = root / "toy-squares" / "task.toml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        return root

    return change
