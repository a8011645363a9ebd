"""Profiles: those that come with the project, `extends`, and one sentence for whatever is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import ProfileError
from harness.inputs import profiles

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
        ("size = 'x'\nthread = 2\n", "thread: Extra inputs are not permitted"),
        ("threads = 2\n", "size: Field required"),
        ("size = 'x'\nthreads = 0\n", "threads: Input should be greater than or equal to 1"),
        ("size = 'x'\ntrials = 0\n", "trials: Input should be greater than or equal to 1"),
        ("size = 'x'\nmax_trials = 0\n", "max_trials: Input should be greater than or equal to 1"),
        ("size = 'x'\npairs = 0\n", "pairs: Input should be greater than or equal to 1"),
        ("size = 'x'\nmax_pairs = 0\n", "max_pairs: Input should be greater than or equal to 1"),
        ("size = 'x'\npair_seconds = 0\n", "pair_seconds: Input should be greater than 0"),
        ("size = 'x'\nlimit_factor = 0\n", "limit_factor: Input should be greater than 0"),
        ("size = 'x'\ndevice = 'gpu'\n", "device: Input should be 'auto', 'cpu' or 'cuda'"),
        ("size = 'x'\n[data.text]\nsorce = 'y'\n", "data.text.sorce: Extra inputs"),
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
