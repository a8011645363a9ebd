"""The pure parts of the task small-data: alphabets, hands, shift, requests and evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from harness.errors import DataError, Fault
from harness.inputs import layout, submissions, tasks
from harness.instances import ArraySpec, BlobSpec, FromItem, Instance
from harness.tasks import imported
from tests.tasks.benches import Seeded

SIZE = {"alphabets": 2, "classes": 4, "labelled": 3, "pool": 12, "test": 48}


@pytest.fixture(scope="module")
def task() -> ModuleType:
    return tasks.find("small-data").module


@pytest.fixture(scope="module")
def glyphs(task: ModuleType) -> ModuleType:
    return task.glyphs


@pytest.fixture(scope="module")
def instance(task: ModuleType) -> Instance:
    return task.prepare(Bench())


@dataclass
class Bench(Seeded):
    """What `prepare` asks of a workbench."""

    seed: int = 1
    size: dict[str, Any] = field(default_factory=lambda: dict(SIZE))


def right(instance: Instance) -> dict[str, Any]:
    """Answers that are all right."""
    return {
        f"test-{i}-{part}": rows
        for i, labels in enumerate(instance.hidden["labels"])
        for part, rows in enumerate(np.array_split(labels, 3))
    }


def values(task: ModuleType, instance: Instance, answers: dict[str, Any]) -> dict[str, float]:
    return {m.name: m.value for m in task.evaluate(instance, answers).measurements}


def test_an_instance_depends_on_its_seed_alone(task: ModuleType, instance: Instance) -> None:
    again, other = task.prepare(Bench()), task.prepare(Bench(seed=2))
    images, same, differs = (
        one.stages[0].requests[0].arguments["images"] for one in (instance, again, other)
    )
    assert (images == same).all()
    assert not (images == differs).all()


def test_training_gets_few_labels_and_a_pool_and_nothing_of_the_test(instance: Instance) -> None:
    train, serve = instance.stages
    assert len(train.requests) == 2
    for request in train.requests:
        arguments = request.arguments
        assert set(arguments) == {"images", "labels", "pool", "num_classes"}
        assert np.bincount(arguments["labels"]).tolist() == [3, 3, 3, 3]
        assert arguments["pool"].shape == (12, 16, 16)
        assert isinstance(request.returns, BlobSpec)
    given = {
        image.tobytes() for r in train.requests for image in (*r.arguments["images"], *r.arguments["pool"])
    }
    tested = [i.tobytes() for r in serve.requests if r.phase == "predict" for i in r.arguments["images"]]
    assert len(set(tested)) == len(tested) == 96
    assert not given.intersection(tested)


def test_each_alphabet_is_loaded_before_it_is_asked_for_and_all_of_it_is_timed(instance: Instance) -> None:
    serve = instance.stages[1].requests
    assert [r.phase for r in serve] == ["load", "predict", "predict", "predict"] * 2
    assert {r.label for r in serve} == {"serve"}
    assert serve[4].arguments == {"model": FromItem("model-1")}
    assert serve[5].returns == ArraySpec("int64", (16,), low=0, high=3)


def test_facts_give_no_answer_away(instance: Instance) -> None:
    assert set(instance.facts) == {"alphabets", "classes", "labels_a_class", "pool", "test_images"}
    assert instance.facts["test_images"] == 96


def test_classes_come_in_pairs_that_share_two_strokes(glyphs: ModuleType) -> None:
    alphabet = glyphs.invent(6, np.random.default_rng(0))
    own = list(zip(alphabet.prototypes, alphabet.families, strict=True))
    shared = [
        (a, b)
        for a in range(6)
        for b in range(a)
        if all((mine[:2] == theirs[:2]).all() for mine, theirs in zip(own[a], own[b], strict=True))
    ]
    assert len(shared) == 3
    assert len({one for pair in shared for one in pair}) == 6
    for a, b in shared:
        ends = [part[2:] for one in (own[a], own[b]) for part in one]
        assert glyphs.gap(*ends) > glyphs.CLOSEST_STROKES
    apart = [glyphs.gap(*own[a], *own[b]) for a in range(6) for b in range(a) if (a, b) not in shared]
    assert min(apart) > glyphs.CLOSEST


def test_an_odd_number_of_classes_is_possible(glyphs: ModuleType) -> None:
    alphabet = glyphs.invent(5, np.random.default_rng(0))
    assert len(alphabet.prototypes) == len(alphabet.families) == 5


def test_strokes_of_all_families_go_by_their_control_points(glyphs: ModuleType) -> None:
    """A curve, a corner, a line, a loop and a wave over the same three points."""
    points = np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 0.0]])
    given = np.repeat(points[None, None], glyphs.FAMILIES, axis=1)
    bend, corner, line, loop, wave = glyphs.curve(given, np.arange(glyphs.FAMILIES)[None])[0]
    t = np.linspace(0.0, 1.0, glyphs.POINTS)
    assert bend[1] == pytest.approx([2 * t[1] * (1 - t[1]) + 2 * t[1] ** 2, 4 * t[1] * (1 - t[1])])
    assert corner == pytest.approx(np.stack([2 * t, 2 - 4 * abs(t - 0.5)], axis=1))
    assert line == pytest.approx(np.stack([2 * t, 0 * t], axis=1))
    assert wave == pytest.approx(np.stack([2 * t, 2 * np.sin(2 * np.pi * t)], axis=1))
    for one in (bend, corner, line, wave):
        assert one[[0, -1]] == pytest.approx(points[[0, 2]])
    assert loop[[0, 5, 10, 15]] == pytest.approx(points[[0, 1, 2, 0]])
    assert glyphs.blends().sum(axis=2) == pytest.approx(1.0), "a glyph that is moved keeps its shape"


def plain(glyphs: ModuleType, **other: Any) -> Any:
    """A style in which the pen is round, and ink fades over one pixel."""
    style = glyphs.styled(np.random.default_rng(0))
    return replace(style, **{"nib": np.eye(2), "fade": 1.0, "hollow": 0.0, "dash": 0, "tone": 1.0} | other)


def test_ink_lies_where_the_pen_was_and_fades_over_a_pixel(glyphs: ModuleType) -> None:
    middle, pen = np.array([[[0.5, 0.5]]]), np.array([1.0])  # the middle of pixel 8, 8
    image = glyphs.spread(middle, pen, plain(glyphs))[0]
    assert image[8, 8] == 1.0
    assert image[8, 9] == pytest.approx(0.5)
    assert image[9, 9] == pytest.approx(1.5 - np.sqrt(2))
    assert image[8, 10] == 0.0
    softer = glyphs.spread(middle, pen, plain(glyphs, fade=2.0))[0]
    assert softer[8, 10] == pytest.approx(0.0)
    assert softer[9, 9] == pytest.approx((1.0 - np.sqrt(2)) / 2 + 0.5)
    flat = glyphs.spread(middle, pen, plain(glyphs, nib=np.diag([0.25, 4.0])))[0]
    assert (flat[8, 9], flat[9, 8]) == (pytest.approx(1.0), 0.0), "wide and low"


def test_hollow_strokes_lack_ink_in_the_middle_alone(glyphs: ModuleType) -> None:
    middle, pen = np.array([[[0.5, 0.5]]]), np.array([2.0])
    full, hollow = (glyphs.spread(middle, pen, plain(glyphs, hollow=h))[0] for h in (0.0, 0.5))
    assert (full[8, 8], hollow[8, 8]) == (1.0, 0.5)
    assert hollow[8, 10] == pytest.approx(full[8, 10]) == pytest.approx(0.5)
    assert (hollow >= 0).all()


def test_a_blur_keeps_the_ink_and_spreads_it_and_none_changes_nothing(glyphs: ModuleType) -> None:
    point = np.zeros((2, 16, 16))
    point[:, 8, 8] = 1.0
    soft, same = glyphs.blurred(point, np.array([1.0, 0.0]))
    assert (same == point[1]).all()
    assert soft.sum() == pytest.approx(1.0, abs=1e-3)
    # The product of two Gaussians of one pixel at 0, each 1 / sqrt(2 pi) but for what is cut off.
    assert soft[8, 8] == pytest.approx(1 / (2 * np.pi), abs=1e-3)
    assert soft[8, 9] / soft[8, 8] == pytest.approx(np.exp(-0.5), abs=1e-3)


def test_dashed_strokes_leave_gaps(glyphs: ModuleType) -> None:
    alphabet = glyphs.invent(2, np.random.default_rng(0))
    labels = np.zeros(50, dtype=np.int64)
    thin = {"pen": (0.4, 0.5), "grain": 0.0}
    ink = [
        glyphs.write(
            replace(alphabet, style=plain(glyphs, dash=dash, **thin)),
            labels,
            labels,
            np.random.default_rng(1),
        ).images.sum()
        for dash in (0, 5, 3)
    ]
    assert ink[0] > 1.05 * ink[1] > 1.05 * ink[2] > 0


def test_every_alphabet_has_a_style_of_its_own(glyphs: ModuleType) -> None:
    styles = [glyphs.invent(2, np.random.default_rng(seed)).style for seed in range(20)]
    for name in ("jitter", "width", "slant", "pen", "fade", "tone", "grain", "turn", "offset", "blur"):
        assert len({getattr(style, name) for style in styles}) == 20, name
    assert {style.dash for style in styles} == {0, 3, 4, 5}
    assert 3 <= sum(style.hollow == 0 for style in styles) < 18
    for style in styles:
        assert style.families.sum() == pytest.approx(1.0)
        assert np.linalg.det(style.nib) == pytest.approx(1.0)


def test_shift_takes_images_away_from_upright_ones_the_more_the_higher_its_level(glyphs: ModuleType) -> None:
    alphabet = glyphs.invent(2, np.random.default_rng(0))
    # A blurred image is more like a mean, which is blurred too; turning and moving are what is looked at.
    alphabet = replace(alphabet, style=plain(glyphs, blur=0.0))
    labels = np.zeros(200, dtype=np.int64)
    mean = glyphs.write(alphabet, labels, labels, np.random.default_rng(1)).images.mean(axis=0).ravel()
    alike = []
    for k in range(4):
        images = glyphs.write(alphabet, labels, labels + k, np.random.default_rng(2)).images.reshape(200, -1)
        alike.append(float(np.mean(images @ mean / np.linalg.norm(images, axis=1))))
    assert alike == sorted(alike, reverse=True)


def test_every_class_is_tested_at_every_level(instance: Instance) -> None:
    for labels, levels in zip(instance.hidden["labels"], instance.hidden["levels"], strict=True):
        table = np.zeros((4, 4))
        np.add.at(table, (labels, levels), 1)
        assert table.min() >= 1
        assert (table.sum(axis=0) == 12).all()


def test_test_images_come_in_unequal_shares_of_classes(task: ModuleType) -> None:
    for seed in range(20):
        counts = np.bincount(task.unevenly(10, 1200, np.random.default_rng(seed)))
        assert (len(counts), counts.sum()) == (10, 1200)
        assert counts.max() > 1.3 * counts.min() > 1.3 * task.LEVELS
    assert np.bincount(task.unevenly(4, 16, np.random.default_rng(0))).tolist() == [4, 4, 4, 4]


def test_right_answers_measure_one_and_no_gap(task: ModuleType, instance: Instance) -> None:
    found = values(task, instance, right(instance))
    assert found == {"shifted_accuracy": 1.0, "clean_accuracy": 1.0, "generalisation_gap": 0.0}


def test_accuracy_under_shift_leaves_the_upright_images_aside(task: ModuleType, instance: Instance) -> None:
    answers = right(instance)
    wrong = 0
    for i, levels in enumerate(instance.hidden["levels"]):
        for part, rows in enumerate(np.array_split(levels, 3)):
            answers[f"test-{i}-{part}"] = (answers[f"test-{i}-{part}"] + (rows == 3)) % 4
            wrong += int((rows == 3).sum())
    evaluation = task.evaluate(instance, answers)
    found = {m.name: m for m in evaluation.measurements}
    assert wrong == 24
    assert found["shifted_accuracy"].value == pytest.approx(1 - 24 / 72)
    assert found["clean_accuracy"].value == 1.0
    assert found["generalisation_gap"].value == pytest.approx(24 / 72)
    assert (
        0 < found["shifted_accuracy"].low < found["shifted_accuracy"].value < found["shifted_accuracy"].high
    )
    assert evaluation.series[0].y == (1.0, 1.0, 1.0, 0.0)


def test_one_class_for_a_whole_alphabet_is_no_attempt(task: ModuleType, instance: Instance) -> None:
    answers = right(instance)
    for part in range(3):
        answers[f"test-1-{part}"] = np.zeros_like(answers[f"test-1-{part}"])
    with pytest.raises(Fault, match="every one of 48 predictions of alphabet 1 is class 0"):
        task.evaluate(instance, answers)


@pytest.mark.parametrize("size", [{"classes": 1}, {"pool": 3}, {"test": 15}])
def test_a_size_that_cannot_support_the_task_is_refused(task: ModuleType, size: dict[str, int]) -> None:
    with pytest.raises(DataError, match="raise classes"):
        task.prepare(Bench(size=SIZE | size))


def test_weights_survive_being_packed_into_text(tmp_path: Path) -> None:
    """What pretrain.py writes is what the expert reads: signs are kept, and small weights become 0."""
    folder = layout.folder("reference_solutions") / "small-data"
    pretrain = imported("small_data_pretrain", folder / "pretrain.py")
    expert = pretrain.loaded(folder / "expert" / "solution.py")
    expert.CARRIED = tmp_path / "weights.txt"
    network = expert.build(3)
    pretrain.write(expert, network)
    assert max(map(len, expert.CARRIED.read_text("utf-8").splitlines())) <= 120
    for mine, theirs in zip(*(map(expert.convolutions, (network, expert.begun(3)))), strict=True):
        given, back = mine.weight.detach().flatten(1), theirs.weight.detach().flatten(1)
        kept = given.abs() > pretrain.CUT * given.abs().mean(dim=1, keepdim=True)
        assert 0.2 < kept.float().mean() < 0.9
        assert bool((back.sign() == given.sign() * kept).all())
        assert len(back.abs()[0].unique()) == 2, "0 and one scale a channel"


def test_the_expert_and_what_it_carries_fit_into_what_a_submission_may_hold() -> None:
    expert = submissions.references("small-data", tasks.find("small-data").folder)["expert"]
    held = sum((expert.folder / file).stat().st_size for file in expert.files)
    assert set(map(str, expert.files)) == {"solution.py", "weights.txt"}
    assert 18 * 1024 < held < (tasks.find("small-data").definition.limits.submission_kib or 0) * 1024
