"""A submission's folder: what may be staged, a digest over content alone, and a copy that stays the same."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SubmissionError, TaskError
from harness.inputs import layout, submissions
from tests.conftest import TOYS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "My Submission"
    (made / "parts").mkdir(parents=True)
    (made / "solution.py").write_text("class Solution: ...\n")
    (made / "parts" / "weights.bin").write_bytes(bytes(range(256)))
    return made


def test_what_is_read(folder: Path) -> None:
    found = submissions.read("toy", folder)
    assert (found.task, found.label, found.tier) == ("toy", "my-submission", None)
    assert found.files == (Path("solution.py"), Path("parts/weights.bin"))
    assert len(found.digest) == 64


def test_the_digest_is_over_names_and_content_alone(folder: Path, tmp_path: Path) -> None:
    first = submissions.read("toy", folder).digest
    shutil.copytree(folder, tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "solution.py").touch()
    (tmp_path / "elsewhere" / "solution.py").chmod(0o600)
    (tmp_path / "elsewhere" / "__pycache__").mkdir()
    (tmp_path / "elsewhere" / "__pycache__" / "solution.pyc").write_bytes(b"x")
    assert submissions.read("other", tmp_path / "elsewhere").digest == first
    (folder / "parts" / "weights.bin").rename(folder / "parts" / "weights2.bin")
    second = submissions.read("toy", folder).digest
    (folder / "solution.py").write_text("class Solution: pass\n")
    third = submissions.read("toy", folder).digest
    assert len({first, second, third}) == 3


def test_a_names_line_break_cannot_pass_for_another_file(tmp_path: Path) -> None:
    two, one = tmp_path / "two", tmp_path / "one"
    two.mkdir(), one.mkdir()
    (two / "a").write_text("A")
    (two / "solution.py").write_text("S")
    (one / "solution.py").write_text("S")
    first = submissions.of_bytes(b"A")
    (one / f"a {first}\nb").write_text("B")
    assert submissions.read("toy", one).digest != submissions.read("toy", two).digest


def _link_file(folder: Path) -> None:
    (folder / "data").symlink_to("/etc/passwd")


def _link_folder(folder: Path) -> None:
    (folder / "more").symlink_to("/etc")


def _link_inside(folder: Path) -> None:
    (folder / "again.py").symlink_to("solution.py")


def _link_to_nothing(folder: Path) -> None:
    (folder / "parts" / "gone").symlink_to("nowhere")


def _traversal(folder: Path) -> None:
    (folder / "parts" / "up").symlink_to("../..")


def _solution_is_a_link(folder: Path) -> None:
    (folder / "solution.py").unlink()
    (folder / "solution.py").symlink_to("/etc/hostname")


def _fifo(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


@pytest.mark.parametrize(
    "spoil",
    [_link_file, _link_folder, _link_inside, _link_to_nothing, _traversal, _solution_is_a_link, _fifo],
)
def test_only_plain_files_are_taken(folder: Path, spoil: Callable[[Path], None]) -> None:
    spoil(folder)
    with pytest.raises(SubmissionError, match="only plain files"):
        submissions.read("toy", folder)


def test_too_many_files_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submissions, "MOST_FILES", 2)
    assert len(submissions.read("toy", folder).files) == 2
    (folder / "third").touch()
    with pytest.raises(SubmissionError, match="too large: at most 2 files"):
        submissions.read("toy", folder)


def test_so_many_bytes_are_taken_and_not_one_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    monkeypatch.setattr(submissions, "MOST_BYTES", size)
    assert len(submissions.read("toy", folder).files) == 2
    monkeypatch.setattr(submissions, "MOST_BYTES", size - 1)
    with pytest.raises(SubmissionError, match="is too large: at most 1000 files"):
        submissions.read("toy", folder)


@pytest.mark.parametrize(
    "name", ["__pycache__", ".git", ".venv", "venv", ".ipynb_checkpoints", ".mypy_cache", ".ruff_cache"]
)
def test_what_tools_leave_behind_is_no_part_of_it(folder: Path, name: str) -> None:
    before = submissions.read("toy", folder)
    (folder / "parts" / name).mkdir()
    (folder / "parts" / name / "left.py").write_text("x")
    (folder / "parts" / "old.pyc").write_bytes(b"x")
    assert submissions.read("toy", folder) == before


def test_the_staged_copy_can_be_read_and_not_changed(folder: Path) -> None:
    with submissions.staged(submissions.read("toy", folder)) as copy:
        modes = {path.relative_to(copy).as_posix(): path.stat().st_mode & 0o777 for path in copy.rglob("*")}
        assert modes == {"solution.py": 0o444, "parts": 0o555, "parts/weights.bin": 0o444}
        assert copy.stat().st_mode & 0o777 == 0o555


def test_too_many_bytes_are_refused_without_reading_them(folder: Path) -> None:
    with (folder / "sparse").open("wb") as file:
        file.truncate(submissions.MOST_BYTES)
    with pytest.raises(SubmissionError, match="64 MiB may be staged"):
        submissions.read("toy", folder)


def test_a_folder_without_a_solution_or_no_folder_is_refused(folder: Path) -> None:
    (folder / "solution.py").unlink()
    with pytest.raises(SubmissionError, match=r"holds no solution.py; `harness init toy DIR`"):
        submissions.read("toy", folder)
    with pytest.raises(SubmissionError, match="does not exist; `harness init toy"):
        submissions.read("toy", folder / "nowhere")
    with pytest.raises(SubmissionError, match="is a file, not a folder: name the folder that holds"):
        submissions.read("toy", folder / "parts" / "weights.bin")
    (folder.parent / "handed.zip").write_bytes(b"PK")
    with pytest.raises(
        SubmissionError, match=r"handed\.zip is a file, not a folder: unpack it, and name the folder"
    ):
        submissions.read("toy", folder.parent / "handed.zip")


def test_the_staged_copy_is_whole_neutral_and_gone_afterwards(folder: Path) -> None:
    found = submissions.read("toy", folder)
    with submissions.staged(found) as copy:
        assert {p.relative_to(copy) for p in copy.rglob("*") if p.is_file()} == set(found.files)
        assert (copy / "parts" / "weights.bin").read_bytes() == bytes(range(256))
        assert "my" not in str(copy).lower().split("/")[-2:][1]
        assert submissions.read("toy", copy).digest == found.digest
    assert not copy.parent.exists()


def test_a_folder_that_changed_after_it_was_read_is_not_run_under_the_old_digest(folder: Path) -> None:
    found = submissions.read("toy", folder)
    (folder / "solution.py").write_text("class Solution: 'better'\n")
    with pytest.raises(SubmissionError, match="changed since it was read"), submissions.staged(found):
        pytest.fail("it was staged")
    (folder / "solution.py").unlink()
    (folder / "solution.py").symlink_to("/etc/hostname")
    with pytest.raises(SubmissionError, match="cannot be read"), submissions.staged(found):
        pytest.fail("a link was followed")


@given(st.text(max_size=80))
def test_an_alias_is_safe_anywhere(name: str) -> None:
    alias = submissions.alias(name)
    assert 1 <= len(alias) <= 64
    assert set(alias) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_references_come_by_tier_and_a_missing_one_is_named(tmp_path: Path) -> None:
    toy = TOYS / "toy-squares"
    found = submissions.references("toy-squares", toy)
    assert [(tier, s.label, s.tier) for tier, s in found.items()] == [
        (tier, tier, tier) for tier in ("baseline", "competent", "expert")
    ]
    shutil.copytree(toy, tmp_path / "toy")
    (tmp_path / "toy" / "reference_solutions" / "competent" / "solution.py").unlink()
    with pytest.raises(TaskError, match=r"toy has no reference at .*competent/solution.py"):
        submissions.references("toy", tmp_path / "toy")


def test_a_file_with_a_second_name_is_refused_unless_an_installer_linked_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.link(folder / "parts" / "weights.bin", tmp_path / "elsewhere")
    with pytest.raises(SubmissionError, match=r"weights.bin has a second name elsewhere .* cp -r"):
        submissions.read("toy", folder)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert len(submissions.read("toy", folder).files) == 2


def written(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_a_mutant_is_staged_over_the_expert(tmp_path: Path) -> None:
    base = tmp_path / "reference_solutions"
    written(
        base,
        {
            "expert/solution.py": "LIMIT = 1\n",
            "expert/helper.py": "HELP = 1\n",
            "mutants/deaf/solution.py": "import expert\n",
            "mutants/blind/solution.py": "import expert, helper\n",
            "mutants/blind/helper.py": "HELP = 0\n",
        },
    )
    found = submissions.mutants("toy", tmp_path)
    assert set(found) == {"deaf", "blind"}
    assert found["deaf"].files == tuple(map(Path, ("expert.py", "helper.py", "solution.py")))
    with submissions.staged(found["deaf"]) as copy:
        staged = {file.name: file.read_text() for file in copy.iterdir()}
    assert staged == {"expert.py": "LIMIT = 1\n", "helper.py": "HELP = 1\n", "solution.py": "import expert\n"}
    with submissions.staged(found["blind"]) as copy:
        assert (copy / "helper.py").read_text() == "HELP = 0\n", "its own file stands above the expert's"
    assert found["deaf"].digest != found["blind"].digest


def test_a_cheat_is_staged_over_the_starter_and_what_cheats_share(tmp_path: Path) -> None:
    written(
        tmp_path,
        {
            "toy/starter/solution.py": "START = 1\n",
            "toy/starter/model.py": "MODEL = 1\n",
            "toy/cheats/lazy/solution.py": "import starter, model\n",
            "common_cheats/peek.py": "SEEN = 1\n",
        },
    )
    found = submissions.cheats("toy", tmp_path / "toy")
    assert set(found) == {"lazy"}
    with submissions.staged(found["lazy"]) as copy:
        assert {file.name for file in copy.iterdir()} == {"starter.py", "model.py", "peek.py", "solution.py"}
        assert (copy / "solution.py").read_text() == "import starter, model\n"
        assert (copy / "peek.py").read_text() == "SEEN = 1\n"


def test_a_mutant_follows_its_expert(tmp_path: Path) -> None:
    base = tmp_path / "reference_solutions"
    for folder in ("expert", "mutants/deaf"):
        (base / folder).mkdir(parents=True)
        (base / folder / "solution.py").write_text("LIMIT = 1\n")
    before = submissions.mutants("toy", tmp_path)["deaf"]
    (base / "expert" / "solution.py").write_text("LIMIT = 2\n")
    assert submissions.mutants("toy", tmp_path)["deaf"].digest != before.digest
    with pytest.raises(SubmissionError, match="changed since"), submissions.staged(before):
        pass


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Ada's 2nd try.v2", "ada-s-2nd-try-v2"),
        ("--", "submission"),
        ("", "submission"),
        ("x" * 80, "x" * 64),
    ],
)
def test_the_alias_of_a_name(name: str, label: str) -> None:
    assert submissions.alias(name) == label


def test_files_come_in_an_order_that_no_file_system_decides(tmp_path: Path) -> None:
    letters = "kgbzamexqd"
    written(tmp_path, {f"{letter}/in.py": "" for letter in letters})
    written(tmp_path, {f"{letter}.py": "" for letter in letters} | {"solution.py": ""})
    assert [file.as_posix() for file in submissions.read("toy", tmp_path).files] == [
        *(f"{letter}.py" for letter in "abdegkmq"),
        "solution.py",
        *("x.py", "z.py"),
        *(f"{letter}/in.py" for letter in "abdegkmqxz"),
    ]


def test_the_projects_own_references_lie_beside_its_tasks() -> None:
    references = submissions.references("noisy-labels", layout.folder("tasks") / "noisy-labels")
    base = layout.folder("reference_solutions") / "noisy-labels"
    assert [submission.folder for submission in references.values()] == [
        base / tier for tier in ("baseline", "competent", "expert")
    ]


def test_a_file_as_large_as_may_be_is_staged_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "parts" / "weights.bin").unlink()
    content = (folder / "solution.py").read_bytes()
    monkeypatch.setattr(submissions, "MOST_BYTES", len(content))
    with submissions.staged(submissions.read("toy", folder)) as copy:
        assert (copy / "solution.py").read_bytes() == content


def test_a_file_that_grew_beyond_the_limit_is_not_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "parts" / "weights.bin").unlink()
    monkeypatch.setattr(submissions, "MOST_BYTES", (folder / "solution.py").stat().st_size)
    submission = submissions.read("toy", folder)
    with (folder / "solution.py").open("a") as file:
        file.write("# and more\n")
    with pytest.raises(SubmissionError, match="changed since it was read"), submissions.staged(submission):
        pytest.fail("it was staged")


def test_folders_that_go_too_deep_are_refused(tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    deep.mkdir()
    (deep / "solution.py").write_text("")
    inner = deep
    for _ in range(40):
        inner = inner / "d"
        inner.mkdir()
    with pytest.raises(SubmissionError, match="go too deep"):
        submissions.read("toy-squares", deep)
    long = tmp_path / "long"
    (long / "/".join(["n" * 200] * 6)).mkdir(parents=True)
    (long / "solution.py").write_text("")
    with pytest.raises(SubmissionError, match="paths of 1024 bytes"):
        submissions.read("toy-squares", long)


@pytest.mark.parametrize("name", [b"\xff.txt", b"data\xfe/a.txt"])
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are text")
def test_a_name_that_is_no_text_is_refused_before_anything_is_measured(tmp_path: Path, name: bytes) -> None:
    (tmp_path / "solution.py").write_text("")
    place = os.path.join(os.fsencode(tmp_path), name)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "w"):
        pass
    with pytest.raises(
        SubmissionError,
        match=r"holds a name that is no UTF-8 text or shows nothing, b'.*\\xf[ef].*'; rename it",
    ):
        submissions.read("a-task", tmp_path)


@pytest.mark.parametrize("name", ["\u2800", "\u3164\uffa0", "\u200b", " ", "\u2800/a.txt"])
def test_a_name_of_which_nothing_can_be_seen_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "solution.py").write_text("")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("")
    with pytest.raises(SubmissionError, match="holds a name that is no UTF-8 text or shows nothing"):
        submissions.read("a-task", tmp_path)
