"""The task lora: texts of two passages, invariants, the judge's refusals and its merging, and evaluation."""

from __future__ import annotations

import importlib.util
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.errors import DataError, Fault
from harness.inputs import tasks
from harness.instances import FromItem, Instance
from tests.tasks.benches import Part, Seeded

SIZE: dict[str, Any] = {
    "problems": 2,
    "n_train": 60,
    "n_test": 40,
    "pairings": 1,
    "n_classes": 4,
    "characters": 0,
    "layers": 0,
    "order": "random",
    "budget": 100,
}
LAYER = "encoder.layer.0.attention.self.query"


@pytest.fixture(scope="module")
def task() -> ModuleType:
    return tasks.find("lora").module


@pytest.fixture(scope="module")
def judging() -> ModuleType:
    file = tasks.find("lora").folder / "judge" / "solution.py"
    spec = importlib.util.spec_from_file_location("lora_judge", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def part(n: int, seed: int) -> Part:
    labels = np.arange(n) % 5
    return Part(tuple(f"text {seed} {i} class{label}" for i, label in enumerate(labels)), labels)


@dataclass
class Bench(Seeded):
    """What `prepare` asks of a workbench."""

    seed: int = 1
    size: dict[str, Any] = field(default_factory=lambda: dict(SIZE))
    data: Any = field(default_factory=lambda: SimpleNamespace(train=part(100, 1), test=part(60, 2)))

    def text_classification(self) -> Any:
        return self.data

    def model(self, name: str = "encoder") -> Path:
        return Path("whole")

    def derive(self, name: str, recipe: Path, arguments: dict[str, Any]) -> Path:
        assert recipe.is_file()
        return Path(f"first-{arguments['layers']}")


def given(instance: Instance, problem: int = 0) -> dict[str, Any]:
    return dict(instance.stages[problem].requests[0].arguments)


def asked(instance: Instance, problem: int = 0) -> dict[str, Any]:
    return dict(instance.stages[-1].requests[problem].arguments)


def test_each_word_of_a_text_stands_behind_the_opening_word_of_its_passage_and_one_of_another_class(
    task: ModuleType,
) -> None:
    arguments = given(task.prepare(Bench()))
    truth = {text: int(label) for text, label in zip(part(100, 1).texts, part(100, 1).labels, strict=True)}
    wanted, other = arguments["wanted"], arguments["other"]
    of: dict[int, set[int]] = {}
    for text, label in zip(arguments["texts"], arguments["labels"].tolist(), strict=True):
        pairs = list(zip(text.split()[::2], text.split()[1::2], strict=True))
        assert {opener for opener, _ in pairs} == {wanted, other}
        counted, beside = (
            " ".join(word for opener, word in pairs if opener == one) for one in (wanted, other)
        )
        of.setdefault(label, set()).add(truth[counted])
        assert truth[beside] != truth[counted]
    assert all(len(found) == 1 for found in of.values())
    assert len(of) == 4


@pytest.mark.parametrize(("order", "places"), [("random", {True, False}), ("fixed", None)])
def test_where_the_counted_passage_stands(task: ModuleType, order: str, places: set[bool] | None) -> None:
    seen = set()
    for seed in range(6):
        instance = task.prepare(Bench(seed, SIZE | {"order": order}))
        wanted = given(instance)["wanted"]
        every = [text.startswith(wanted) for text in (*given(instance)["texts"], *asked(instance)["texts"])]
        assert set(every) == places if places else len(set(every)) == 1
        seen |= set(every)
    assert seen == {True, False}


def test_an_instance_depends_on_its_seed_alone(task: ModuleType) -> None:
    one, same, other = (given(task.prepare(Bench(seed))) for seed in (1, 1, 2))
    assert one["texts"] == same["texts"]
    assert one["texts"] != other["texts"]
    assert (one["wanted"], one["other"]) != (other["wanted"], other["other"])


def test_opening_words_stand_in_no_passage(task: ModuleType) -> None:
    rng = np.random.default_rng(0)
    texts = [f"a {word}" for word in task.OPENERS[2:]]
    assert set(task.openers(texts, rng)) == set(task.OPENERS[:2])
    with pytest.raises(DataError, match="every opening word"):
        task.openers([" ".join(task.OPENERS)], rng)


def test_opening_words_are_distinct(task: ModuleType) -> None:
    assert len(set(task.OPENERS)) == len(task.OPENERS) == 100


def test_what_the_data_cannot_support_is_said(task: ModuleType) -> None:
    with pytest.raises(DataError, match="must say one of fixed, random"):
        task.prepare(Bench(size=SIZE | {"order": "sorted"}))
    with pytest.raises(DataError, match="lora needs 2"):
        task.prepare(Bench(data=SimpleNamespace(train=part(20, 1), test=part(10, 2))))


def test_the_encoder_is_the_whole_one_or_its_first_layers(task: ModuleType) -> None:
    assert task.prepare(Bench()).models == {"encoder": Path("whole")}
    assert task.prepare(Bench(size=SIZE | {"layers": 2})).models == {"encoder": Path("first-2")}


def test_each_problem_is_drawn_by_itself_and_has_a_process_of_its_own(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    assert [len(stage.requests) for stage in instance.stages] == [1, 1, 2]
    one, two = given(instance, 0), given(instance, 1)
    assert (one["wanted"], one["other"]) != (two["wanted"], two["other"])
    assert len(one["texts"]) == len(two["texts"]) == 60
    assert one["texts"] != two["texts"]


@pytest.mark.parametrize("problem", [0, 1])
def test_the_judge_gets_the_file_and_the_unseen_texts_and_no_label(task: ModuleType, problem: int) -> None:
    instance = task.prepare(Bench())
    assert [stage.judge for stage in instance.stages] == ["", "", "judge"]
    assert asked(instance, problem)["adapters"] == FromItem(f"adapters-{problem}")
    assert set(asked(instance, problem)) == {"adapters", "texts", "num_classes"}
    assert all(given(instance, problem)["wanted"] in text for text in asked(instance, problem)["texts"])
    assert not set(asked(instance, problem)["texts"]) & set(given(instance, problem)["texts"])


def answers(instance: Instance) -> dict[str, np.ndarray]:
    """Two files, of 150 and of 50 values, whose predictions are right."""
    return {
        f"predicted-{i}": np.concatenate([[0, 150 - 100 * i], truth])
        for i, truth in enumerate(instance.hidden["labels"])
    }


def test_right_predictions_measure_one_and_the_largest_share_of_a_budget_counts(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    given_back = answers(instance)
    found = {m.name: m.value for m in task.evaluate(instance, given_back).measurements}
    assert found == {"accuracy": 1.0, "macro_f1": 1.0, "parameters": 150.0, "budget_share": 1.5}
    given_back["predicted-1"][2:6] = (given_back["predicted-1"][2:6] + 1) % 4
    evaluation = task.evaluate(instance, given_back)
    assert {m.name: m.value for m in evaluation.measurements}["accuracy"] == pytest.approx(1 - 4 / 80)
    assert evaluation.series[0].y == (1.0, pytest.approx(0.9))
    assert len(evaluation.series[1].y) == 8


def test_a_refused_file_is_malformed_and_one_class_for_all_is_wrong(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    refused, constant = np.full(42, -1), np.zeros(42, np.int64)
    refused[0] = 2
    with pytest.raises(Fault, match="names something that is no linear layer") as fault:
        task.evaluate(instance, answers(instance) | {"predicted-1": refused})
    assert fault.value.outcome == "malformed"
    with pytest.raises(Fault, match="in every problem all predictions are of one class"):
        task.evaluate(instance, {"predicted-0": constant, "predicted-1": constant})
    task.evaluate(instance, answers(instance) | {"predicted-1": constant})


# ---------------------------------------------------------------- the judge


class Tokens(dict[str, Any]):
    """What a tokenizer answers."""

    def to(self, device: Any) -> Tokens:
        return self


def fake_judge(judging: ModuleType) -> Any:
    """A judge over one linear layer of 3 by 3, whose texts are numbers: "2" is the unit vector of axis 2."""
    import torch

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = SimpleNamespace(hidden_size=3)
            self.query = torch.nn.Linear(3, 3, bias=False)
            self.query.weight.data = torch.eye(3)

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            states = torch.nn.functional.one_hot(input_ids, 3).float()
            return SimpleNamespace(last_hidden_state=self.query(states))

    def tokenizer(texts: list[str], **how: Any) -> Tokens:
        ids = torch.tensor([[int(text)] for text in texts])
        return Tokens(input_ids=ids, attention_mask=torch.ones_like(ids))

    judge = judging.Solution.__new__(judging.Solution)
    judge.device, judge.tokenizer, judge.plain = torch.device("cpu"), tokenizer, Encoder()
    return judge


def file_of(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def right() -> dict[str, np.ndarray]:
    """A head that tells the axes apart, and an adapter that turns axis 0 into axis 1."""
    return {
        "head.weight": np.eye(3, dtype=np.float32),
        "head.bias": np.zeros(3, np.float32),
        "query.A": np.array([[1, 0, 0]], np.float32),
        "query.B": np.array([[-1], [1], [0]], np.float32),
    }


def test_the_judge_adds_b_times_a_each_time_to_the_plain_weights_and_counts_its_values(
    judging: ModuleType,
) -> None:
    answer = fake_judge(judging).predict(file_of(**right()), ["0", "1", "2"], 3)
    assert answer.tolist() == [0, 6, 1, 1, 2]
    judge = fake_judge(judging)
    judge.predict(file_of(**right()), ["0"], 3)
    assert judge.predict(file_of(**right()), ["0", "1", "2"], 3).tolist() == [0, 6, 1, 1, 2]
    bare = {name: array for name, array in right().items() if name.startswith("head")}
    assert fake_judge(judging).predict(file_of(**bare), ["0", "1", "2"], 3).tolist() == [0, 0, 0, 1, 2]


def test_compressed_and_fortran_ordered_arrays_are_read_as_they_are(judging: ModuleType) -> None:
    file = io.BytesIO()
    np.savez_compressed(file, weight=np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)))
    assert judging.read(file.getvalue())["weight"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"key.A": np.ones((1, 3), np.float32), "key.B": np.ones((3, 1), np.float32)}, 2),
        ({"query.weight": np.eye(3, dtype=np.float32)}, 2),
        ({"query.B": None}, 3),
        ({"query.A": np.ones((1, 3))}, 4),
        ({"query.A": np.ones((1, 4), np.float32)}, 4),
        ({"query.A": np.ones((0, 3), np.float32), "query.B": np.ones((3, 0), np.float32)}, 4),
        ({"query.A": np.ones((65, 3), np.float32), "query.B": np.ones((3, 65), np.float32)}, 4),
        ({"query.A": np.ones(3, np.float32)}, 4),
        ({"query.A": np.float32(1)}, 4),
        ({"query.A": np.full((1, 3), np.nan, np.float32)}, 5),
        ({"query.A": np.full((1, 3), 3e38, np.float32), "query.B": np.full((3, 1), 3e38, np.float32)}, 5),
        ({"head.bias": None}, 6),
        ({"head.weight": np.eye(4, dtype=np.float32)}, 6),
    ],
)
def test_what_does_not_fit_is_refused_by_number(
    task: ModuleType, judging: ModuleType, change: dict[str, Any], number: int
) -> None:
    arrays = {name: array for name, array in (right() | change).items() if array is not None}
    answer = fake_judge(judging).predict(file_of(**arrays), ["0", "1"], 3)
    assert answer.tolist() == [number, 0, -1, -1]
    assert number in task.REFUSALS


def entry(content: bytes, name: str = "head.bias.npy") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


def npy(shape: tuple[int, ...], data: bytes) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue() + data


def objects() -> bytes:
    file = io.BytesIO()
    np.savez(file, allow_pickle=True, thing=np.array([{}], dtype=object))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"no archive at all",
        file_of(**right())[:-30],
        entry(b""),
        entry(b"\x93NUMPY\x01\x00\xff\xff("),
        entry(npy((2**40,), b"")),
        entry(npy((2,), b"1234")),
        entry(npy((2,), b"123456789")),
        entry(b"\x93NUMPY\x02\x00" + bytes(20)),
        entry(npy((-1,), b"")),
        entry(npy((2, 2, 2), bytes(32))),
        objects(),
    ],
)
def test_hostile_files_are_refused_and_never_crash_the_judge(judging: ModuleType, content: bytes) -> None:
    with pytest.raises(judging.Refused) as refused:
        judging.read(content)
    assert refused.value.number in (judging.UNREADABLE, judging.SHAPE)


def test_what_would_unpack_to_too_much_is_not_unpacked(judging: ModuleType) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("head.bias.npy", bytes(judging.MAX_BYTES + 1))
    with pytest.raises(judging.Refused):
        judging.read(file.getvalue())
    assert len(file.getvalue()) < 2**20


def test_two_entries_of_one_name_are_refused(judging: ModuleType) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.npy", npy((1,), bytes(4)))
        archive.writestr("x", npy((1,), bytes(4)))
    with pytest.raises(judging.Refused):
        judging.read(file.getvalue())
