"""Fixtures that every test may use: a private home for results, the toy task, and orders on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from harness.inputs import tasks
from harness.inputs.data import sources
from harness.runs.options import Options, order
from harness.runs.order import Order
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


TOYS = HERE / "toy_tasks"
HOSTILE = HERE / "hostile"


@pytest.fixture(autouse=True)
def _private_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of tests never mix with a person's; the cache is shared, since it is made by content."""
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HARNESS_DATABASE_URL", raising=False)
    monkeypatch.setenv("HARNESS_LOCKS", str(tmp_path / "locks"))
    monkeypatch.setenv("HARNESS_CACHE", str(sources.cache_folder()))


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
