"""The pure parts of the task vector-index: growing, exact neighbours, requests, evaluation; no torch here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from harness.errors import DataError, Fault
from harness.inputs import tasks
from harness.instances import ArraySpec, BlobSpec, FromItem, Instance
from harness.trials.schedule import base_blocks, reserve_blocks
from tests.tasks.benches import Seeded

TEXTS, WIDTH = 120, 24
SIZE = {"vectors": 400, "dimension": 16, "texts": 100, "requests": 5, "bytes_per_vector": 12}


@pytest.fixture(scope="module")
def task() -> ModuleType:
    return tasks.find("vector-index").module


@dataclass(frozen=True)
class Part:
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Data:
    train: Part


@dataclass
class Bench(Seeded):
    """What `prepare` asks of a workbench; `derive` finds the vectors in `cache`, where there are any."""

    cache: Path
    seed: int = 1
    size: dict[str, int] = field(default_factory=lambda: dict(SIZE))
    pairs: int = 1
    max_pairs: int = 1
    asked: list[str] = field(default_factory=list)

    def text_classification(self) -> Data:
        return Data(Part(tuple(f"text {i} {'word ' * 40}" for i in range(TEXTS))))

    def derive(self, name: str, recipe: Path, arguments: dict[str, Any]) -> Path:
        assert recipe.is_file()
        self.asked = arguments["texts"]
        return self.cache / name


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "vectors").mkdir()
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((12, WIDTH))
    real = centres[rng.integers(0, 12, TEXTS)] + 0.5 * rng.standard_normal((TEXTS, WIDTH))
    real /= np.linalg.norm(real, axis=1, keepdims=True)
    np.save(tmp_path / "vectors" / "vectors.npy", real[: SIZE["texts"]].astype(np.float32))
    return tmp_path


def given(instance: Instance) -> np.ndarray:
    return np.asarray(instance.stages[0].requests[0].arguments["vectors"])


def perfect(instance: Instance) -> dict[str, Any]:
    """The answers of an exact search, from an index of a believable size."""
    return {"index": bytes(4000), **instance.hidden["truth"]}


def found(task: ModuleType, instance: Instance, answers: dict[str, Any]) -> dict[str, float]:
    return {m.name: m.value for m in task.evaluate(instance, answers).measurements}


def test_vectors_have_length_one_and_depend_on_the_seed_alone(task: ModuleType, cache: Path) -> None:
    one, same, other = (given(task.prepare(Bench(cache, seed))) for seed in (1, 1, 2))
    assert one.shape == (400, 16)
    assert one.dtype == np.float32
    assert np.linalg.norm(one, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (one == same).all()
    assert not np.isclose(one, other).all()


def test_the_texts_that_are_encoded_are_cut_and_the_same_for_every_seed(
    task: ModuleType, cache: Path
) -> None:
    first, second = Bench(cache, 1), Bench(cache, 2)
    task.prepare(first)
    task.prepare(second)
    assert first.asked == second.asked
    assert len(set(first.asked)) == SIZE["texts"]
    assert max(map(len, first.asked)) <= task.CHARACTERS


def test_without_the_cached_vectors_nothing_is_made_up(task: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no longer in the cache"):
        task.prepare(Bench(tmp_path))


def test_what_the_data_cannot_support_is_said(task: ModuleType, cache: Path) -> None:
    with pytest.raises(DataError, match="needs 500 different training texts"):
        task.prepare(Bench(cache, size=SIZE | {"texts": 500}))
    with pytest.raises(DataError, match="have 24 dimensions, size asks for 32"):
        task.prepare(Bench(cache, size=SIZE | {"dimension": 32}))


def test_reduced_vectors_keep_their_products_where_nothing_is_cut(task: ModuleType) -> None:
    rng = np.random.default_rng(3)
    real = task.unit(rng.standard_normal((50, 8)).astype(np.float32))
    turned = task.reduced(real, 8, rng)
    assert turned @ turned.T == pytest.approx(real @ real.T, abs=1e-5)
    assert not np.isclose(turned, real).all()


def test_the_noise_is_shaped_like_the_differences_between_near_neighbours(task: ModuleType) -> None:
    rng = np.random.default_rng(4)
    spread = np.array([1.0, 0.5, 0.1, 0.1])
    real = (10 + spread * rng.standard_normal((400, 4))).astype(np.float32)
    soil = task.prepared(task.unit(real), rng)
    covariance = soil.factor @ soil.factor.T
    assert covariance.shape == (4, 4)
    assert np.linalg.eigvalsh(covariance.astype(np.float64)).min() > 0
    assert (soil.near != np.arange(400)[:, np.newaxis]).all()
    assert np.diag(covariance)[0] > np.diag(covariance)[2]


def test_nearest_is_the_order_of_inner_products(task: ModuleType) -> None:
    vectors = task.unit(np.array([[1, 0], [0, 1], [1, 1], [-1, 0]], dtype=np.float32))
    assert task.nearest(vectors, vectors[:1], 3).tolist() == [[0, 2, 1]]
    rng = np.random.default_rng(5)
    many, queries = (task.unit(rng.standard_normal((n, 6)).astype(np.float32)) for n in (300, 9))
    assert (task.nearest(many, queries, 10) == np.argsort(-(queries @ many.T), axis=1)[:, :10]).all()


def test_only_the_index_passes_from_building_to_serving(task: ModuleType, cache: Path) -> None:
    build, serve = task.prepare(Bench(cache)).stages
    (built,) = build.requests
    assert built.arguments["most_bytes"] == 400 * 12
    assert isinstance(built.returns, BlobSpec)
    (loaded,) = serve.each
    assert (loaded.phase, loaded.label, loaded.returns) == ("load", "ready", None)
    assert loaded.arguments == {"index": FromItem(built.item)}
    assert all(set(request.arguments) == {"queries", "k"} for request in serve.all_requests()[1:])
    assert serve.paired


def test_each_pair_searches_first_warms_up_and_is_timed_on_queries_of_its_own(
    task: ModuleType, cache: Path
) -> None:
    instance = task.prepare(Bench(cache, pairs=2, max_pairs=3, size=SIZE | {"requests": 6}))
    serve = instance.stages[1]
    blocks = [*base_blocks(serve, 2), *reserve_blocks(serve, 2, 3)]
    assert len(blocks) == 3
    for block in blocks:
        kinds = [(request.label, request.timed, request.warmup) for request in block]
        assert kinds[:3] == [("ready", False, False)] * 3
        assert kinds[3:19] == [("query", True, True)] * 16
        assert kinds[19:] == [("query", True, False)] * 3
        assert block[-1].returns == ArraySpec("int64", (16, 10), low=0, high=399, unique_rows=True)
    queries = np.concatenate([request.arguments["queries"] for block in blocks for request in block])
    assert len(np.unique(queries, axis=0)) == len(queries)
    scored = {r.item for r in (*serve.requests, *serve.reserve) if not r.warmup}
    assert set(instance.hidden["truth"]) == scored


def test_perfect_answers_find_everything(task: ModuleType, cache: Path) -> None:
    instance = task.prepare(Bench(cache))
    values = found(task, instance, perfect(instance))
    assert values == {"recall_at_10": 1.0, "nearest_first": 1.0, "index_budget_bytes": 4800.0}
    assert task.evaluate(instance, perfect(instance)).series[0].y == (1.0,) * 10


def test_recall_by_hand(task: ModuleType, cache: Path) -> None:
    instance = task.prepare(Bench(cache))
    answers = perfect(instance)
    rows = answers["query-0"].copy()
    absent = np.setdiff1d(np.arange(400), rows[3])[:4]
    rows[3, :4] = absent  # 4 of 10 missed by one query of 128, its nearest among them
    values = found(task, instance, answers | {"query-0": rows})
    assert values["recall_at_10"] == pytest.approx(1 - 4 / 1280)
    assert values["nearest_first"] == pytest.approx(1 - 1 / 128)


def test_order_within_the_ten_does_not_change_recall(task: ModuleType, cache: Path) -> None:
    instance = task.prepare(Bench(cache))
    answers = {i: a if i == "index" else a[:, ::-1] for i, a in perfect(instance).items()}
    values = found(task, instance, answers)
    assert values["recall_at_10"] == 1.0
    assert values["nearest_first"] == 0.0


def test_the_reserve_is_scored_by_itself(task: ModuleType, cache: Path) -> None:
    instance = task.prepare(Bench(cache, pairs=1, max_pairs=2))
    truth = instance.hidden["truth"]
    more = {item: rows for item, rows in truth.items() if item.startswith("more")}
    assert len(more) == 3 + 5
    assert found(task, instance, {"index": bytes(4000), **more})["recall_at_10"] == 1.0


def test_a_tiny_index_is_not_believed(task: ModuleType, cache: Path) -> None:
    instance = task.prepare(Bench(cache))
    with pytest.raises(Fault, match="1599 bytes for 400 vectors: too few"):
        task.evaluate(instance, perfect(instance) | {"index": bytes(1599)})


def test_answers_that_ignore_the_query_are_no_attempt(task: ModuleType, cache: Path) -> None:
    instance = task.prepare(Bench(cache))
    same = np.tile(np.arange(10), (16, 1))
    answers = {i: a if i == "index" else same for i, a in perfect(instance).items()}
    with pytest.raises(Fault, match="ignore the query"):
        task.evaluate(instance, answers)


def test_facts_give_nothing_away(task: ModuleType, cache: Path) -> None:
    facts = task.prepare(Bench(cache)).facts
    assert facts == {
        "vectors": 400,
        "dimension": 16,
        "real_vectors": 80,
        "index_budget_bytes": 4800,
        "flat_index_bytes": 400 * 16 * 4,
    }
