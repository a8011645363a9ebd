"""Suites: what their files may say, and what their digest hangs on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.assessment import suites
from harness.errors import UsageError
from harness.inputs import profiles
from harness.machine import fingerprint
from tests.conftest import TOYS

GOOD = '[[tasks]]\nid = "toy-squares"\nprofile = "ci-smoke"\n'


def written(folder: Path, text: str, name: str = "mine.toml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_the_projects_own_suites_read_and_cover_their_tasks() -> None:
    assert profiles.suite_names() == ["card", "modelling-core", "smoke"]
    card = suites.read("card")
    assert [task.id for task in card.tasks] == ["noisy-labels", "semantic-search", "latency-budget"]
    assert all(task.minutes > 0 and task.task_digest and task.competencies for task in card.tasks)
    assert card.digest != suites.read("smoke").digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[tasks]]\nid = "toy-sqares"\n', "there is no task 'toy-sqares'"),
        (GOOD + "weight = 0\n", "tasks.0.weight: Input should be greater than 0"),
        (GOOD + "weight = inf\n", "tasks.0.weight: Input should be a finite number"),
        (GOOD + "weight = nan\n", "tasks.0.weight: Input should be"),
        (GOOD + "minutes = 0\n", "tasks.0.minutes: Input should be greater than 0"),
        (GOOD + GOOD, "'toy-squares' is listed twice"),
        (GOOD + "wight = 2\n", "tasks.0.wight"),
        ("tasks = []\n", "tasks"),
        ("title = \n", "cannot be read"),
        (GOOD.replace("ci-smoke", "gpu-box"), "no size 'gpu-box'"),
        (GOOD + "[cut]\npoints = 50\n", "cut"),
    ],
)
def test_a_bad_suite_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        suites.read(written(tmp_path, text), TOYS)
    assert "\n" not in str(caught.value) or "cannot be read" in said


def test_the_digest_hangs_on_what_can_change_a_score(tmp_path: Path) -> None:
    one = suites.read(written(tmp_path, GOOD), TOYS)
    assert suites.read(written(tmp_path, 'title = "other"\n' + GOOD), TOYS).digest == one.digest
    assert suites.read(written(tmp_path, GOOD + "weight = 2\n"), TOYS).digest != one.digest
    assert suites.plan(written(tmp_path, GOOD), TOYS, "confined").suite.digest != one.digest


def test_the_digest_follows_the_task_and_no_profiles_description(tmp_path: Path) -> None:
    profile = tmp_path / "own.toml"
    text = GOOD.replace("ci-smoke", str(profile))

    def digest(description: str = "one", trials: int = 1) -> str:
        profile.write_text(f'extends = "ci-smoke"\ndescription = "{description}"\ntrials = {trials}\n')
        return suites.read(written(tmp_path, text), tmp_path / "toys").digest

    shutil.copytree(TOYS, tmp_path / "toys")
    first = digest()
    assert digest(description="another") == first
    assert digest(trials=2) != first
    with (tmp_path / "toys" / "toy-squares" / "task.py").open("a") as file:
        file.write("\n# another task\n")
    assert digest() != first


def test_what_a_suites_file_leaves_out_is_the_tasks_own(tmp_path: Path) -> None:
    text = GOOD + "weight = 2.5\n" + GOOD.replace("toy-squares", "toy-pairs") + "minutes = 7\n"
    plain = suites.read(written(tmp_path, text), TOYS)
    assert (plain.name, plain.title) == ("mine", "mine")
    assert suites.read(written(tmp_path, 'title = "Mine, all mine"\n' + text), TOYS).title == "Mine, all mine"
    squares, pairs = plain.tasks
    assert (squares.id, squares.title, squares.profile) == ("toy-squares", "Squares modulo 97", "ci-smoke")
    assert (squares.minutes, squares.weight, squares.competencies) == (1, 2.5, ("arithmetic",))
    assert (pairs.id, pairs.minutes, pairs.weight) == ("toy-pairs", 7, 1.0)


def test_the_isolation_that_is_asked_for_takes_the_place_of_every_profiles_own(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    assert suites.plan(file, TOYS).profiles["toy-squares"].isolation == "process"
    planned = suites.plan(file, TOYS, "confined")
    assert planned.profiles["toy-squares"].isolation == "confined"
    assert planned.tasks["toy-squares"].folder == TOYS / "toy-squares"
    with pytest.raises(UsageError, match="nowhere"):
        suites.plan(file, TOYS, "nowhere")


def test_a_machine_is_told_apart_by_the_device_and_threads_of_the_tasks_profile(tmp_path: Path) -> None:
    profile = tmp_path / "own.toml"
    profile.write_text('extends = "ci-smoke"\nthreads = 2\n')
    more = GOOD.replace("toy-squares", "toy-pairs").replace("ci-smoke", str(profile))
    suite = suites.read(written(tmp_path, GOOD + more), TOYS)
    suite = suite.model_copy(
        update={"tasks": (suite.tasks[0], suite.tasks[1].model_copy(update={"profile": str(profile)}))}
    )
    ids = {f"toy-{name}": fingerprint.fingerprint("cpu", n).id for name, n in (("squares", 1), ("pairs", 2))}
    assert suites.machines(suite) == ids
    assert ids["toy-squares"] != ids["toy-pairs"]
