"""Profiles: those that come with the project, `extends`, and one sentence for whatever is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.errors import ProfileError
from harness.inputs import layout, profiles

Write = Callable[[str, str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(name: str, text: str) -> str:
        file = tmp_path / f"{name}.toml"
        file.write_text(text)
        return str(file)

    return make


@pytest.mark.parametrize("name", ["ci-smoke", "gpu-box", "laptop-cpu"])
def test_the_projects_own_profiles_can_be_read(name: str) -> None:
    found = profiles.read(name)
    assert found.name == name
    assert found.description
    assert found.max_trials >= found.trials >= 1
    assert name in profiles.names()


def test_a_file_extends_another_and_says_what_differs(write: Write) -> None:
    base = write("base", 'extends = "laptop-cpu"\ntrials = 2\nthreads = 3\n')
    found = profiles.read(write("mine", f'extends = "{base}"\nthreads = 5\n'))
    laptop = profiles.read("laptop-cpu")
    assert (found.name, found.trials, found.threads, found.size) == ("mine", 2, 5, laptop.size)
    assert found.description == laptop.description


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "size = 'x'\nthread = 2\n",
            "thread: this key is not known; known are name, description, size, device, ",
        ),
        ("threads = 2\n", "size: Field required"),
        ("size = 'x'\nthreads = 0\n", "threads: Input should be greater than or equal to 1"),
        ("size = 'x'\ntrials = 0\n", "trials: Input should be greater than or equal to 1"),
        ("size = 'x'\nmax_trials = 0\n", "max_trials: Input should be greater than or equal to 1"),
        ("size = 'x'\npairs = 0\n", "pairs: Input should be greater than or equal to 1"),
        ("size = 'x'\nmax_pairs = 0\n", "max_pairs: Input should be greater than or equal to 1"),
        ("size = 'x'\npair_seconds = 0\n", "pair_seconds: Input should be greater than 0"),
        ("size = 'x'\nlimit_factor = 0\n", "limit_factor: Input should be greater than 0"),
        ("size = 'x'\ndevice = 'gpu'\n", "device: Input should be 'auto', 'cpu' or 'cuda'"),
        (
            "size = 'x'\n[data.text]\nsorce = 'y'\n",
            "data.text.sorce: this key is not known; known are source, columns",
        ),
        ("size = \n", "cannot be read: Invalid value"),
        ("extends = 'nobody'\n", "there is no profile 'nobody'; choose one of ci-smoke, gpu-box, laptop-cpu"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(write: Write, text: str, message: str) -> None:
    with pytest.raises(ProfileError) as caught:
        profiles.read(write("bad", text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_profile_that_extends_itself_is_refused(write: Write) -> None:
    one = write("one", "")
    two = write("two", f'extends = "{one}"')
    write("one", f'extends = "{two}"')
    with pytest.raises(ProfileError, match="extends itself by way of"):
        profiles.read(one)
    write("one", f'extends = "{one}"')
    with pytest.raises(ProfileError, match="extends itself"):
        profiles.read(one)


def test_an_unknown_profile_is_told_which_there_are() -> None:
    for name in ("laptop", "no/such.toml"):
        with pytest.raises(
            ProfileError, match=r"choose one of ci-smoke, gpu-box, laptop-cpu, whole-cpu or a \.toml file"
        ):
            profiles.read(name)


def test_what_a_profile_leaves_out(write: Write) -> None:
    assert profiles.read(write("bare", "size = 'x'\n")).model_dump() == {
        "name": "bare",
        "description": "",
        "size": "x",
        "device": "auto",
        "isolation": "auto",
        "executor": "local",
        "threads": 1,
        "trials": 1,
        "max_trials": 3,
        "pairs": 5,
        "max_pairs": 12,
        "pair_seconds": 600.0,
        "memory_pass": True,
        "limit_factor": 1.0,
        "split": "final",
        "data": {},
        "model": "builtin:all-MiniLM-L6-v2",
    }


def test_the_least_that_a_profile_may_ask_for(write: Write) -> None:
    least = dict.fromkeys(("threads", "trials", "max_trials", "pairs", "max_pairs"), 1)
    below_1 = {"pair_seconds": 0.5, "limit_factor": 0.5}
    lines = "".join(f"{name} = {value}\n" for name, value in (least | below_1).items())
    content = profiles.read(write("least", "size = 'x'\n" + lines)).model_dump()
    assert content.items() >= (least | below_1).items()


def test_a_profile_cannot_be_changed() -> None:
    profile = profiles.read("ci-smoke")
    for name in ("trials", "isolation"):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(profile, name, "more")


def test_names_are_listed_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = "qwertzuiopasdfghjkly"
    for kind in ("profiles", "suites"):
        (tmp_path / kind).mkdir()
        for letter in letters:
            (tmp_path / kind / f"{letter}.toml").touch()
        (tmp_path / kind / "notes.md").touch()
    monkeypatch.setattr(layout, "folder", lambda name: tmp_path)
    assert profiles.names() == profiles.suite_names() == sorted(letters)


def test_what_a_suite_says_of_its_tasks_and_leaves_out(write: Write) -> None:
    text = '[[tasks]]\nid = "a"\nprofile = "ci-smoke"\nweight = 0.5\nminutes = 1\n'
    suite = profiles.suite(write("mine", text))
    assert (suite.name, suite.title, suite.description, suite.cut) == ("mine", "", "", None)
    assert [task.model_dump() for task in suite.tasks] == [
        {"id": "a", "profile": "ci-smoke", "weight": 0.5, "minutes": 1}
    ]
    first, second = profiles.suite(write("two", text + '[[tasks]]\nid = "b"\n')).tasks
    assert (first.id, second.model_dump()) == (
        "a",
        {"id": "b", "profile": "laptop-cpu", "weight": 1.0, "minutes": None},
    )
    assert profiles.suite("smoke").name == "smoke"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[tasks]]\nid = 'a'\n[[tasks]]\nid = 'b'\n[[tasks]]\nid = 'b'\n", "the task 'b' is listed twice"),
        ("tasks = []\n", "tasks: Tuple should have at least 1 item"),
        ("[[tasks]]\nid = 'a'\nweight = inf\n", "tasks.0.weight: Input should be a finite number"),
        ("[[tasks]]\nid = 'a'\nweight = 0\n", "tasks.0.weight: Input should be greater than 0"),
        ("[[tasks]]\nid = 'a'\nminutes = 0\n", "tasks.0.minutes: Input should be greater than 0"),
        ("title = \n", "cannot be read: Invalid value"),
    ],
)
def test_what_is_wrong_in_a_suite_is_said_in_one_sentence(write: Write, text: str, message: str) -> None:
    with pytest.raises(ProfileError) as caught:
        profiles.suite(write("bad", text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_suite_is_told_which_there_are() -> None:
    for name in ("smok", "no/such.toml"):
        with pytest.raises(ProfileError, match=r"no suite .*; choose one of .*smoke or a \.toml file"):
            profiles.suite(name)
