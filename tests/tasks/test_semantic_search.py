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
    train_relevant: tuple[dict[int, float], ...] = ()


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


def test_every_pair_has_its_own_first_searches_and_all_but_the_warm_up_is_judged(
    task: ModuleType, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "MOST_WARM", 2)
    serve = task.prepare(Bench(model)).stages[1]
    (more,) = reserve_blocks(serve, 2, 3)
    for block in (*base_blocks(serve, 2), more):
        kinds = [(r.timed, r.warmup) for r in block]
        assert (kinds.count((False, False)), kinds.count((True, True))) == (3, 2)
        assert kinds.count((True, False)) == 6
    scored = {r.item for r in serve.requests if not r.warmup}
    assert scored == {f"query-{i}" for i in range(18)}
    assert {r.again for r in more if not r.warmup} < scored


def test_no_argument_and_no_fact_gives_relevance_away(task: ModuleType, model: Path) -> None:
    instance = task.prepare(Bench(model))
    assert set(instance.facts) == {
        "passages", "queries", "altered_queries", "passages_asked_for", "asked_for_several_times",
        "mean_passage_characters", "flat_index_bytes",
    }  # fmt: skip
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
    answers = {f"query-{i}": np.arange(20)[None, :] for i in range(18)} | {"index": bytes(4096)}
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
    sample = task.draw(data.passages, data.queries, relevant, (60, 0), np.random.default_rng(0))
    assert len(sample.passages) == 60
    assert len(sample.queries) == 15  # for half of the passages, two each
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
    with pytest.raises(DataError, match="50% of 16, 14 are needed"):
        task.prepare(Bench(model, data=few, size={"passages": 0, "queries": 0, "passage_characters": 0}))
    nothing_over = Data(made().passages, made().queries, made().relevant, ())
    with pytest.raises(DataError, match="leaves 0 queries to warm up 2 process pairs"):
        task.prepare(
            Bench(model, data=nothing_over, size={"passages": 0, "queries": 0, "passage_characters": 0})
        )


def prose(number: int) -> str:
    """A sentence of nine words that is in one passage alone."""
    return f"This is what passage {number} says of the matter."


def test_a_passage_gives_up_a_sentence_that_asks_for_the_rest_of_it(task: ModuleType) -> None:
    passages = [f"First of p{i}. {prose(i)} Last of p{i}." for i in range(3)]
    passages += [
        f"Only two. {prose(3)}",
        "Some text. Parameters x : int of the first kind of all there are. End.",
    ]
    data = Data(
        tuple(passages),
        ("q0", "q3", "q4"),
        ({0: 1.0}, {3: 1.0}, {4: 1.0}),
        ("t1", "t2"),
        ({1: 1.0}, {2: 1.0}),
    )
    several = task.asked_several_times(data)
    assert several.passages == [*(f"First of p{i}. Last of p{i}." for i in range(3)), *passages[3:]]
    assert several.queries == ["q0", "q3", "q4", prose(0)]
    assert several.relevant == [{0: 1.0}, {3: 1.0}, {4: 1.0}, {0: 1.0}]
    assert several.train_queries == ["t1", "t2", prose(1), prose(2)]


def test_a_sentence_of_two_passages_or_that_is_a_query_asks_for_neither(task: ModuleType) -> None:
    passages = (f"One. {prose(0)} Three.", f"Four. {prose(0)} Six.", f"Seven. {prose(1)} Nine.")
    data = Data(passages, ("q", prose(1)), ({0: 1.0}, {1: 1.0}))
    several = task.asked_several_times(data)
    assert several.passages == list(passages)
    assert several.queries == ["q", prose(1)]


def test_data_with_several_queries_for_a_passage_are_taken_as_they_are(task: ModuleType) -> None:
    passages = tuple(f"First of p{i}. {prose(i)} Last of p{i}." for i in range(3))
    data = Data(passages, ("q", "p"), ({0: 1.0}, {0: 1.0}), ("t",), ({1: 1.0},))
    several = task.asked_several_times(data)
    assert (several.passages, several.queries, several.train_queries) == (passages, data.queries, ("t",))


def test_each_query_picks_its_passage_by_chance_whether_it_was_wanted_before_or_not(task: ModuleType) -> None:
    """Rates over 40 draws, for each passage that was wanted before and each that was not: alike."""
    passages = tuple(f"First of p{i}. {prose(i)} {prose(1000 + i)} End of p{i}." for i in range(200))
    data = Data(passages, tuple(f"query {i}" for i in range(200)), tuple({i: 1.0} for i in range(200)))
    several = task.asked_several_times(data)
    assert several.taken
    hits, chances = np.zeros(2), np.zeros(2)
    for seed in range(40):
        sample = task.draw_by_chance(
            several.passages, several.queries, several.relevant, (100, 75), np.random.default_rng(seed)
        )
        assert len(sample.passages) == 100
        assert 70 <= len(sample.queries) == len(set(sample.queries)) <= 75
        before: set[int] = set()
        for (passage,) in sample.relevant:
            hits[int(passage in before)] += 1
            chances += [100 - len(before), len(before)]
            before.add(passage)
        times = np.bincount([p for grades in sample.relevant for p in grades], minlength=100)
        assert 35 <= (times == 0).sum() <= 60
        assert (times > 1).sum() >= 5
    unseen, seen = hits / chances
    assert seen == pytest.approx(unseen, rel=0.15)


def test_where_no_passage_has_a_second_query_others_are_asked_for(task: ModuleType) -> None:
    data = made()
    sample = task.draw_by_chance(
        data.passages, data.queries, data.relevant, (50, 20), np.random.default_rng(1)
    )
    assert (len(sample.passages), len(sample.queries)) == (50, 20)
    assert len({p for grades in sample.relevant for p in grades}) == 20


def test_the_facts_say_how_many_passages_are_asked_for(task: ModuleType, model: Path) -> None:
    passages = tuple(f"First of p{i}. {prose(i)} Last of p{i}." for i in range(80))
    data = Data(passages, tuple(f"query {i}" for i in range(80)), tuple({i: 1.0} for i in range(80)))
    instance = task.prepare(
        Bench(model, data=data, size={"passages": 60, "queries": 0, "passage_characters": 0})
    )
    times = np.bincount([p for grades in instance.hidden["relevant"] for p in grades], minlength=60)
    assert instance.facts["queries"] == times.sum() == 30
    assert (times > 0).sum() == instance.facts["passages_asked_for"]
    assert (times > 1).sum() == instance.facts["asked_for_several_times"]
