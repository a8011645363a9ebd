"""tasks/<id>/: each way in which task.toml can be wrong gives one clear sentence that names the place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from harness.digests import of_files
from harness.errors import TaskError
from harness.inputs import layout, tasks
from harness.instances import Evaluation
from tests.conftest import TOYS

Change = Callable[[str, str], Path]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id = "toy-squares"', 'id = "Toy Squares"', "id: String should match pattern"),
        ('id = "toy-squares"', 'id = "../up"', "id: String should match pattern"),
        ('id = "toy-squares"', "", "id: Field required"),
        ("minutes = 1", "minutes = 0", "minutes: Input should be greater than 0"),
        ("minutes = 1", "minuets = 1", "minutes: Field required"),
        (
            "minutes = 1",
            "minutes = 1\nhours = 1",
            "hours: this key is not known; known are id, version, title",
        ),
        ('devices = ["cpu"]', "devices = []", "devices: Tuple should have at least 1 item"),
        (
            "wall_seconds = 5",
            "wall_seconds = -5",
            "phases.learn.wall_seconds: Input should be greater than 0",
        ),
        ("wall_seconds = 5", "seconds = 5", "phases.learn.wall_seconds: Field required"),
        (
            "processes = 8",
            "process = 8",
            "limits.process: this key is not known; known are memory_gib, processes, ",
        ),
        ('direction = "higher"', 'direction = "up"', "objective.direction: Input should be"),
        ('direction = "higher"', 'scale = "square"', "objective.scale: Input should be"),
        ('direction = "higher"', 'ratio_of = ["a"]', "objective: ratio_of and reference go together"),
        ("at_most = 20.0", "", "constraints.0: constraint 'answer latency' needs exactly one"),
        (
            "at_most = 20.0",
            "at_mots = 20.0",
            "constraints.0.at_mots: this key is not known; known are name, measure, compare",
        ),
        ('reference = "competent"', 'reference = "best"', "constraints.0.reference: Input should be"),
        ('reference = "competent"', "", "constraints.0: constraint 'answer latency': reference goes"),
        ('of = "room_bytes"', "", "constraints.1: constraint 'notes size': of goes"),
        ("because = ", "why = ", "plausible.0.because: Field required"),
        ("[sizes.check]", "[sizes", "is not TOML"),
        ("n = 8", "n = [8]", "sizes.check.n"),
    ],
)
def test_a_broken_task_toml_is_one_sentence(changed_toy: Change, old: str, new: str, message: str) -> None:
    root = changed_toy(old, new)
    with pytest.raises(TaskError) as caught:
        tasks.read(root / "toy-squares")
    said = str(caught.value)
    assert message in said
    assert "task.toml" in said
    assert "\n" not in said
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["task.py", "contract.py", "README.md", "starter/solution.py"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    shutil.copytree(TOYS / "toy-squares", tmp_path / "toy")
    (tmp_path / "toy" / name).unlink()
    with pytest.raises(TaskError, match=f"task toy-squares: .*{name} is missing"):
        tasks.read(tmp_path / "toy")


def test_no_folder_and_no_task_are_named(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"task.toml cannot be read: No such file"):
        tasks.read(tmp_path)
    with pytest.raises(TaskError, match=r"there is no task 'nobody'; there are .*toy-squares"):
        tasks.find("nobody", TOYS)
    with pytest.raises(TaskError, match=r"the tasks folder .* does not exist"):
        tasks.find("nobody", tmp_path / "nowhere")


def test_tasks_are_found_by_id_by_folder_and_in_further_roots() -> None:
    assert tasks.find("toy-squares", TOYS).id == "toy-squares"
    assert tasks.find(str(TOYS / "toy-squares")).id == "toy-squares"
    assert "toy-squares" in tasks.all_tasks(TOYS)
    assert "toy-squares" not in tasks.all_tasks()


def test_the_digest_is_over_what_defines_the_task(changed_toy: Change) -> None:
    root = changed_toy('version = "1"', 'version = "1"')
    folder = root / "toy-squares"
    first = tasks.read(folder).digest
    assert first == tasks.read(TOYS / "toy-squares").digest
    for name in ("starter", "cheats/constant", "reference_solutions/expert"):
        (folder / name / "solution.py").write_text("# another\n")
    assert tasks.read(folder).digest == first
    changed = {first}
    for name in ("task.py", "contract.py", "README.md", "task.toml"):
        (folder / name).write_text((folder / name).read_text() + "\n")
        changed.add(tasks.read(folder).digest)
    assert len(changed) == 5


def test_a_size_that_the_task_lacks_is_named(toy: tasks.Task) -> None:
    assert toy.size("ci-smoke")["n"] == 60
    with pytest.raises(TaskError, match="toy-squares has no size 'huge'"):
        toy.size("huge")


def test_the_names_of_tiers_devices_and_cheats(toy: tasks.Task) -> None:
    assert [path.name for path in toy.cheats] == ["answers-nan", "constant"]
    assert toy.criteria.timed_against() == {"competent"}
    assert {"baseline", "expert"} <= toy.criteria.needed()
    assert toy.statement.is_file()


LETTERS = "kgbzamexqd"


def test_the_digest_hangs_on_no_order_of_the_file_system(toy: tasks.Task, tmp_path: Path) -> None:
    places = [f"{letter}.py" for letter in LETTERS] + [f"parts/{letter}.py" for letter in LETTERS]
    for place in (*places, "starter/solution.py", "parts/__pycache__/k.pyc"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(place)
    assert tasks.Task(toy.definition, tmp_path).digest == of_files(
        sorted(tmp_path / place for place in places)
    )


def test_tasks_and_cheats_are_listed_in_their_order(toy: tasks.Task, tmp_path: Path) -> None:
    toml = (TOYS / "toy-squares" / "task.toml").read_text()
    for letter in LETTERS:
        for name in ("task.py", "contract.py", "README.md", "starter/solution.py"):
            (tmp_path / letter / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / letter / name).touch()
        (tmp_path / letter / "task.toml").write_text(toml.replace("toy-squares", letter))
        (tmp_path / "cheats" / letter).mkdir(parents=True)
        (tmp_path / "cheats" / letter / "solution.py").touch()
    assert list(tasks.all_tasks(tmp_path))[: len(LETTERS)] == sorted(LETTERS)
    cheats = tasks.Task(toy.definition, tmp_path).cheats
    assert cheats == tuple(tmp_path / "cheats" / letter for letter in sorted(LETTERS))


def test_a_tasks_code_gets_and_gives_what_its_interface_says(toy: tasks.Task, tmp_path: Path) -> None:
    definition = toy.definition.model_copy(update={"id": "toy-of-four-lines"})
    text = "def prepare(bench): return 'made', bench\ndef evaluate(one, two): return one, two\n"
    (tmp_path / "task.py").write_text(text)
    plain = tasks.Task(definition, tmp_path)
    first: Any = "an instance"
    second: Any = {"answer": "of it"}
    assert plain.prepare(first) == ("made", first)
    assert plain.evaluate(first, second) == (first, second)
    assert plain.conclude(first, second) == Evaluation(())
    assert plain.module.__name__ == "harness_task_toy_of_four_lines"
    assert plain.module is plain.module
    (tmp_path / "task.py").write_text(text + "def conclude(one, two): return two, one\n")
    assert tasks.Task(definition, tmp_path).conclude(first, second) == (second, first)


def test_packs_that_are_installed_hold_tasks_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pack_of_another").mkdir()
    (tmp_path / "pack_of_another" / "__init__.py").touch()
    (tmp_path / "module_of_another.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    names = ("no_such_pack", "module_of_another", "pack_of_another")
    packs = [metadata.EntryPoint(name, name, "harness.tasks") for name in names]
    monkeypatch.setattr(metadata, "entry_points", lambda group: packs if group == "harness.tasks" else [])
    own = layout.folder("tasks")
    assert list(tasks.roots()) == [own, tmp_path / "pack_of_another"]
    assert list(tasks.roots(TOYS)) == [TOYS, own, tmp_path / "pack_of_another"]
