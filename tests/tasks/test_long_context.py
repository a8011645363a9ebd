"""The pure parts of the task long-context: documents, the answer by hand, what is checked, and memory's figures."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from harness.errors import TaskError
from harness.inputs import tasks
from harness.instances import Instance
from harness.records import Measurement
from tests.tasks.benches import Seeded

SIZE: dict[str, Any] = {
    "heads": 2,
    "width": 4,
    "longest": 512,
    "lengths": 2,
    "documents": 6,
    "timed": 4,
    "rows": 16,
}


@pytest.fixture(scope="module")
def task() -> ModuleType:
    return tasks.find("long-context").module


@dataclass
class Bench(Seeded):
    """What `prepare` asks of a workbench."""

    seed: int = 1
    size: dict[str, Any] = field(default_factory=lambda: dict(SIZE))
    pairs: int = 1
    max_pairs: int = 1

    def reserve(self, base: int) -> int:
        return (base // self.pairs) * (self.max_pairs - self.pairs)


def measured(name: str, value: float) -> Measurement:
    return Measurement(name=name, unit="B", direction="lower", value=value)


def right(instance: Instance, task: ModuleType) -> dict[str, Any]:
    """Answers that are right to float32 in every row."""
    return {
        r.item: task.attended(r.arguments, np.arange(r.arguments["q"].shape[1]))
        .transpose(1, 0, 2)
        .astype(np.float32)
        for r in instance.requests()
        if not r.warmup
    }


def test_the_answer_by_hand(task: ModuleType) -> None:
    q = np.array([[[0.0], [2.0], [3.0]]], dtype=np.float32)
    k = np.array([[[1.0], [1.0], [1.0]]], dtype=np.float32)
    v = np.array([[[1.0], [5.0], [9.0]]], dtype=np.float32)
    arguments = {
        "q": q,
        "k": k,
        "v": v,
        "slopes": np.array([math.log(3)], dtype=np.float32),
        "starts": np.array([0, 2]),
        "softcap": 10.0,
    }
    # Token 1 sees 0 and 1 with equal products and a bias of log 3 between: weights 1/4 and 3/4.
    assert task.attended(arguments, np.arange(3))[:, 0, 0] == pytest.approx([1.0, 4.0, 9.0])


def test_the_cap_bends_scores_before_the_bias(task: ModuleType) -> None:
    one = np.ones((1, 2, 1), dtype=np.float32)
    k, v = one * np.array([[[30.0], [0.0]]], dtype=np.float32), np.array([[[1.0], [0.0]]], dtype=np.float32)
    arguments = {
        "q": one,
        "k": k,
        "v": v,
        "slopes": np.array([0.5], dtype=np.float32),
        "starts": np.array([0]),
        "softcap": 2.0,
    }
    weight = 1 / (1 + math.exp(-(2 * math.tanh(15) - 0.5)))
    assert task.attended(arguments, np.array([1]))[0, 0, 0] == pytest.approx(weight)


def test_documents_are_uneven_and_skipping_saves_about_as_much_each_time(task: ModuleType) -> None:
    for seed in range(5):
        starts = task.draw_starts(1000, 8, np.random.default_rng(seed))
        sizes = np.diff(np.append(starts, 1000))
        assert starts[0] == 0
        assert len(sizes) == 8
        assert 1 <= sizes.min() <= 8
        assert 460 <= sizes.max() <= 520
        assert task.WORK[0] <= (sizes**2).sum() / 1000**2 <= task.WORK[1]


def test_documents_that_cannot_be_are_said(task: ModuleType) -> None:
    with pytest.raises(TaskError, match="no 3 documents of 1000 tokens have the wanted lengths"):
        task.draw_starts(1000, 3, np.random.default_rng(0))


def test_one_head_is_mild_so_that_no_window_will_do(task: ModuleType) -> None:
    for seed in range(10):
        slopes = task.draw_slopes(4, np.random.default_rng(seed))
        assert slopes.min() <= 2.0 ** -task.MILD[0]
        assert slopes.max() <= 2.0 ** -task.STEEP[0]


def test_both_ends_of_every_document_are_checked(task: ModuleType) -> None:
    rows = task.draw_rows(100, np.array([0, 30, 31]), 5, np.random.default_rng(0))
    assert {0, 29, 30, 31, 99} <= set(rows.tolist())


def wide(n: int = 2048, heads: int = 1) -> dict[str, Any]:
    return SIZE | {"heads": heads, "width": 64, "longest": n}


def test_large_keys_are_another_share_and_size_in_each_document_and_none_in_some(task: ModuleType) -> None:
    starts, plain, drawn = np.array([0, 3000, 6000]), 0, []
    for seed in range(40):
        gains = task.draw_gains(9000, starts, np.random.default_rng(seed))
        for start in starts:
            own = gains[start : start + 3000]
            plain += bool((own == 1).all())
            drawn += [(float((own > 1).mean()), float(own.max()))] if own.max() > 1 else []
            assert len(np.unique(own)) <= 2
    assert 15 <= plain <= 46  # a quarter of 120
    shares, sizes = np.array(drawn).T
    assert shares.min() < 0.01 < 0.03 < shares.max() < 0.07
    assert (sizes.min() < 1.8, sizes.max() > 2.7, sizes.max() <= 3) == (True, True, True)


@pytest.mark.parametrize("seed", range(3))
def test_a_needle_outweighs_its_row_and_is_checked_in_every_request(task: ModuleType, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, starts, gains = 2048, np.array([0, 1000, 1200]), np.ones(2048, dtype=np.float32)
    gains[::50] = 2.0
    q, k = (task.SPREAD * rng.standard_normal((2, n, 64), dtype=np.float32) for _ in range(2))
    k *= gains[:, None]
    arguments = {
        "q": q,
        "k": k,
        "slopes": np.array([0.004, 0.2], dtype=np.float32),
        "starts": starts,
        "softcap": 110.0,
    }
    before = k.copy()
    needles = task.plant(arguments, gains, rng)
    # three documents, none of them short, of two heads each
    assert 3 * 2 * task.IN_EACH - 3 <= len(needles) <= 3 * 2 * task.IN_EACH
    assert len(set(needles[:, 1])) == len(needles)
    changed = np.argwhere((k != before).any(axis=2))
    assert {tuple(pair) for pair in changed} >= {(head, token) for head, _, token in needles}
    assert len(changed) <= 3 * 2 * task.IN_EACH
    assert 3 <= sum(gains[token] > 1 for token in needles[:, 2]) <= 3 * 2
    # the mild head's lie further back than the steep one's, whose bias ends sooner
    back = [max(row - token for h, row, token in needles if h == head) for head in range(2)]
    assert back[0] > 550 > back[1]  # no score is above the cap of 110
    for head, row, token in needles:
        begin = int(starts[starts <= row].max())
        assert begin <= token < row
        assert task.share_of(arguments, head, row, token, begin) >= task.OUTWEIGHS
        length = float(np.linalg.norm(k[head, token]))
        assert 15 < length / gains[token] < 33  # as long as others: no norm gives it away


def test_who_looks_at_near_tokens_alone_errs_in_a_checked_row_of_every_request(task: ModuleType) -> None:
    for seed in range(3):
        request, truth = task.asking("x", 2048, wide(), np.random.default_rng(seed), {})
        starts, near = request.arguments["starts"], np.zeros((1, 2048, 64))
        for row in truth.rows.tolist():
            begin = max(int(starts[starts <= row].max()), row - 256)
            cut = {name: request.arguments[name][:, begin : row + 1] for name in ("q", "k", "v")}
            alone = dict(request.arguments, **cut, starts=np.array([0]))
            near[:, row] = task.attended(alone, np.array([row - begin]))[0]
        assert task.error(near, truth) > 0.1


def test_weights_sum_to_one_and_are_those_of_the_answer(task: ModuleType) -> None:
    request, truth = task.asking("x", 512, dict(SIZE), np.random.default_rng(0), {})
    row = int(truth.rows[-1])
    begin = int(request.arguments["starts"][-1])
    weights = task.weights_of(request.arguments, begin, row)
    assert weights.sum(axis=1) == pytest.approx([1.0, 1.0])
    by_hand = np.einsum("hj,hjd->hd", weights, request.arguments["v"][:, begin : row + 1].astype(np.float64))
    assert truth.values[-1] == pytest.approx(by_hand)


def test_an_instance_has_a_stage_for_each_length_and_depends_on_its_seed_alone(task: ModuleType) -> None:
    one, same, other = (task.prepare(Bench(seed)) for seed in (1, 1, 2))
    assert [stage.name for stage in one.stages] == ["small", "n256", "longest"]
    first, again, differs = (i.stages[-1].requests[-1].arguments["q"] for i in (one, same, other))
    assert (first == again).all()
    assert (first != differs).any()


def test_further_pairs_get_inputs_of_their_own(task: ModuleType) -> None:
    longest = task.prepare(Bench(pairs=2, max_pairs=4)).stages[-1]
    assert [r.warmup for r in longest.requests].count(True) == 2
    assert [r.warmup for r in longest.reserve] == [True, True, False, False, False, False]


def test_right_answers_err_by_little_and_one_wrong_row_is_seen(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    answers = right(instance, task)
    (found,) = task.evaluate(instance, answers).measurements
    assert found.value < 1e-6
    answers["longest-1"][1, 0, 2] += 0.25
    (found,) = task.evaluate(instance, answers).measurements
    assert found.value == pytest.approx(0.25, abs=1e-5)


def test_no_answer_is_the_tasks_fault(task: ModuleType) -> None:
    with pytest.raises(TaskError, match="no answer"):
        task.evaluate(task.prepare(Bench()), {})


def test_memory_is_counted_from_the_short_request_by_the_bytes_of_inputs_and_answer(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    token = 16 * 2 * 4
    found = {
        m.name: m
        for m in (
            measured("peak_memory_small", 1000.0),
            measured("peak_memory_n256", 1000.0 + 2 * token * 256),
            measured("peak_memory_longest", 1000.0 + 8 * token * 512),
            measured("n256_seconds", 1.0),
            measured("longest_p50", 2.0),
        )
    }
    made = task.conclude(instance, found)
    values = {m.name: m.value for m in made.measurements}
    assert values["extra_memory"] == pytest.approx(8)
    assert values["memory_growth"] == pytest.approx(3)  # eight times as much for twice the length
    assert [series.name for series in made.series] == ["time", "memory"]


def test_memory_that_was_not_read_is_absent_with_a_reason(task: ModuleType) -> None:
    made = task.conclude(task.prepare(Bench()), {})
    assert [m.value for m in made.measurements] == [None, None]
    assert all("was not read" in m.absent_because for m in made.measurements)


def test_a_shorter_pages_reuse_is_no_saving(task: ModuleType) -> None:
    names = ("peak_memory_small", "peak_memory_n256", "peak_memory_longest")
    found = {name: measured(name, 5e6) for name in names}
    values = {m.name: m.value for m in task.conclude(task.prepare(Bench()), found).measurements}
    assert values == {"extra_memory": pytest.approx(1.0), "memory_growth": pytest.approx(1.0)}
