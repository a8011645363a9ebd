"""The pure parts of the task semantic-search; nothing here imports torch."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from harness.errors import DataError, Fault
from harness.inputs import tasks
from harness.instances import ArraySpec, FromItem, Instance
from harness.records import Trial
from harness.runs.evaluate import assess
from harness.trials.schedule import base_blocks, reserve_blocks
from tests.tasks.benches import Seeded

WORDS = ("axis", "array", "index", "value", "shape", "sparse", "matrix", "window", "kernel", "label")


@pytest.fixture(scope="module")
def task() -> ModuleType:
    return tasks.find("semantic-search").module


@dataclass(frozen=True)
class Data:
    passages: tuple[str, ...]
    queries: tuple[str, ...]
    relevant: tuple[dict[int, float], ...]
    train_queries: tuple[str, ...] = tuple(f"train {i}" for i in range(110))


def made(n: int = 60) -> Data:
    """Passages of made-up words, and a query for each even one."""
    rng = np.random.default_rng(5)
    passages = tuple(f"p{i} " + " ".join(rng.choice(WORDS, 30)) for i in range(n))
    asked = range(0, n, 2)
    return Data(passages, tuple(f"query {i}" for i in asked), tuple({i: 1.0} for i in asked))


@dataclass
class Bench(Seeded):
    """What `prepare` asks of a workbench."""

    model_folder: Path
    seed: int = 1
    data: Data = field(default_factory=made)
    size: dict[str, int] = field(
        default_factory=lambda: {"passages": 40, "queries": 12, "passage_characters": 0}
    )
    pairs: int = 2
    max_pairs: int = 3

    def retrieval(self) -> Data:
        return self.data

    def model(self, name: str = "encoder") -> Path:
        return self.model_folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": 16}))
    return tmp_path


def timed(instance: Instance) -> list[Any]:
    return [r for r in instance.stages[1].requests if r.timed and not r.warmup]


def perfect(instance: Instance) -> dict[str, Any]:
    """The answers of a search that finds everything."""
    answers: dict[str, Any] = {"index": bytes(4096)}
    n = instance.facts["passages"]
    for i, grades in enumerate(instance.hidden["relevant"]):
        first = list(grades)
        rest = [p for p in range(int(n)) if p not in grades]
        answers[f"query-{i}"] = np.array([(first + rest)[:20]], dtype=np.int64)
    return answers


def test_every_query_is_asked_alone_timed_and_once(task: ModuleType, model: Path) -> None:
    requests = timed(task.prepare(Bench(model)))
    queries = [request.arguments["queries"] for request in requests]
    assert len(requests) == 12
    assert all(len(query) == 1 for query in queries)
    assert len({query[0] for query in queries}) == 12
    assert all(request.returns == ArraySpec("int64", (1, 20), 0, 39, True) for request in requests)


def test_the_index_reaches_a_fresh_worker_and_nothing_else_does(task: ModuleType, model: Path) -> None:
    build, serve = task.prepare(Bench(model)).stages
    assert [request.phase for request in build.requests] == ["build"]
    assert [request.arguments for request in serve.each] == [{"index": FromItem("index")}]
    assert {request.group for request in (*serve.each, *serve.requests[:6])} == {"ready"}
    assert serve.paired


def test_every_pair_has_its_own_first_searches_and_nothing_but_scored_queries_is_judged(
    task: ModuleType, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "LEAST_WARM", 2)
    serve = task.prepare(Bench(model)).stages[1]
    (more,) = reserve_blocks(serve, 2, 3)
    for block in (*base_blocks(serve, 2), more):
        kinds = [(r.timed, r.warmup) for r in block]
        assert (kinds.count((False, False)), kinds.count((True, False))) == (3, 6)
    scored = {r.item for r in serve.all_requests() if r.scored and r.timed}
    assert scored == {f"query-{i}" for i in range(12)}
    assert not any(r.scored for r in serve.reserve)


def test_queries_of_added_pairs_have_no_truth_and_are_not_evaluated(model: Path) -> None:
    found = tasks.find("semantic-search")
    instance = found.prepare(Bench(model))
    more = {r.item: np.arange(20)[None, :] for r in instance.stages[1].reserve if not r.warmup}
    trial = Trial(
        number=0, role="candidate", label="x", tier=None, submission_digest="d", instance_id="i", outcome="ok"
    )
    assert assess(found, instance, trial, perfect(instance) | more).outcome == "ok"


def test_no_argument_and_no_fact_gives_relevance_away(task: ModuleType, model: Path) -> None:
    instance = task.prepare(Bench(model))
    assert set(instance.facts) == {"passages", "queries", "mean_passage_characters", "flat_index_bytes"}
    for request in instance.requests():
        assert set(request.arguments) <= {"passages", "index", "queries", "k"}


def test_an_instance_depends_on_its_seed_alone(task: ModuleType, model: Path) -> None:
    one, same, other = (task.prepare(Bench(model, seed)) for seed in (1, 1, 2))
    assert one == same
    assert one.stages[0].requests[0].arguments != other.stages[0].requests[0].arguments


def test_the_flat_index_is_counted_from_the_models_width(task: ModuleType, model: Path) -> None:
    instance = task.prepare(Bench(model))
    found = {m.name: m.value for m in task.evaluate(instance, perfect(instance)).measurements}
    assert found["flat_index_bytes"] == 40 * 16 * 4


def test_perfect_rankings_measure_one(task: ModuleType, model: Path) -> None:
    instance = task.prepare(Bench(model))
    evaluation = task.evaluate(instance, perfect(instance))
    found = {m.name: m.value for m in evaluation.measurements}
    assert found["ndcg_at_10"] == found["recall_at_10"] == found["reciprocal_rank_at_10"] == 1.0
    assert evaluation.series[0].x == tuple(float(k) for k in range(1, 21))
    assert evaluation.series[0].y == (1.0,) * 20


def test_the_second_rank_is_worth_what_the_formula_says(task: ModuleType, model: Path) -> None:
    instance = task.prepare(Bench(model))
    answers = perfect(instance)
    for item in answers:
        if item.startswith("query-"):
            answers[item][0, [0, 1]] = answers[item][0, [1, 0]]
    found = {m.name: m.value for m in task.evaluate(instance, answers).measurements}
    assert found["ndcg_at_10"] == pytest.approx(1 / np.log2(3))
    assert found["reciprocal_rank_at_10"] == pytest.approx(0.5)


def test_the_same_ranking_for_every_query_is_no_attempt(task: ModuleType, model: Path) -> None:
    instance = task.prepare(Bench(model))
    answers = {f"query-{i}": np.arange(20)[None, :] for i in range(12)} | {"index": bytes(4096)}
    with pytest.raises(Fault, match="ignores the query"):
        task.evaluate(instance, answers)


def test_an_index_of_a_byte_is_not_believed(task: ModuleType, model: Path) -> None:
    instance = task.prepare(Bench(model))
    with pytest.raises(Fault, match="too few") as caught:
        task.evaluate(instance, perfect(instance) | {"index": b"\0"})
    assert caught.value.outcome == "implausible"


def test_all_relevant_passages_are_in_the_sample(task: ModuleType) -> None:
    data = made()
    relevant = [{i: 1.0, i + 1: 2.0, (i + 2) % 60: 0.0} for i in range(0, 60, 2)]
    sample = task.draw(data.passages, data.queries, relevant, (30, 0), np.random.default_rng(0))
    assert len(sample.passages) == 30
    assert len(sample.queries) == 15
    for query, grades in zip(sample.queries, sample.relevant, strict=True):
        number = int(query.split()[1])
        found = {sample.passages[p]: grade for p, grade in grades.items()}
        assert found == {data.passages[number]: 1.0, data.passages[number + 1]: 2.0}


def test_zero_asks_for_everything(task: ModuleType) -> None:
    data = made()
    sample = task.draw(data.passages, data.queries, data.relevant, (0, 0), np.random.default_rng(0))
    assert sorted(sample.passages) == sorted(data.passages)
    assert sorted(sample.queries) == sorted(data.queries)


def test_of_two_equal_passages_one_is_kept_and_its_queries_are_not_ambiguous(task: ModuleType) -> None:
    passages = ["same", "same", *(f"other {i}" for i in range(30))]
    sample = task.draw(passages, ["first", "second"], [{0: 1.0}, {1: 1.0}], (0, 0), np.random.default_rng(3))
    assert len(sample.passages) == 31
    assert len(sample.queries) == 1


@pytest.mark.parametrize(
    ("limit", "left"), [(0, "one two three"), (7, "one two"), (6, "one"), (2, "on"), (99, "one two three")]
)
def test_passages_are_cut_at_a_word(task: ModuleType, limit: int, left: str) -> None:
    assert task.cut("one two three", limit) == left


def test_a_data_set_that_is_too_small_is_refused_in_words(task: ModuleType, model: Path) -> None:
    with pytest.raises(DataError, match="raise `passages`"):
        task.prepare(Bench(model, size={"passages": 5, "queries": 5, "passage_characters": 0}))
    few = Data(made(16).passages, made(16).queries, made(16).relevant)
    with pytest.raises(DataError, match="16 distinct passages"):
        task.prepare(Bench(model, data=few, size={"passages": 0, "queries": 0, "passage_characters": 0}))
    nothing_over = Data(made().passages, made().queries, made().relevant, ())
    with pytest.raises(DataError, match="untimed first searches"):
        task.prepare(
            Bench(model, data=nothing_over, size={"passages": 0, "queries": 0, "passage_characters": 0})
        )
