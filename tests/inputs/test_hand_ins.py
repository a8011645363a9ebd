"""Intake: folders, lists and archives of what candidates handed in."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from harness.errors import SubmissionError, UsageError
from harness.inputs import hand_ins
from tests.fixtures.archives import of, tar, zipped

TASKS = ["toy-squares", "toy-pairs"]


def test_one_broken_archive_is_that_candidates_alone(tmp_path: Path) -> None:
    place = tmp_path / "handed"
    place.mkdir()
    (place / "bela.zip").write_bytes(b"PK\3\4 no zip")
    zipped(place / "anna.zip", ("anna/toy-squares/solution.py", b"x"))
    (place / ".hidden").mkdir()
    found = hand_ins.read(place, TASKS, tmp_path / "keep")
    assert found.candidates == ("anna", "bela")
    folder = found.handed["anna", "toy-squares"].folder
    assert folder is not None
    assert (folder / "solution.py").read_bytes() == b"x"
    assert ("anna", "toy-pairs") not in found.handed
    for task in TASKS:
        assert "cannot be unpacked" in found.handed["bela", task].refused


def test_a_list_and_one_archive_for_all_are_read(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "list.csv").write_text("candidate,task,path\nanna,toy-pairs,x\n")
    found = hand_ins.read(tmp_path / "list.csv", TASKS, tmp_path / "keep")
    assert found.handed["anna", "toy-pairs"].folder == tmp_path / "x"
    whole = zipped(tmp_path / "all.zip", ("all/a/toy-pairs/solution.py", b""), ("all/b/toy-pars/x", b""))
    found = hand_ins.read(whole, TASKS, tmp_path / "keep")
    assert found.candidates == ("a", "b")
    assert found.notes == ("b: unknown task 'toy-pars', did you mean 'toy-pairs'?",)


def test_one_candidate_in_an_archive_is_still_a_candidate(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "all.zip", ("anna/toy-pairs/solution.py", b""))
    assert hand_ins.read(whole, TASKS, tmp_path / "keep").candidates == ("anna",)


@pytest.mark.parametrize(
    ("names", "said"), [(["an\x1bna"], "holds no candidate"), ([], "holds no candidate")]
)
def test_bad_aliases_are_refused(tmp_path: Path, names: list[str], said: str) -> None:
    place = tmp_path / "handed"
    place.mkdir()
    for name in names:
        (place / name).mkdir()
    if len(os.listdir(place)) < len(names):
        pytest.skip("this file system does not tell case apart")
    with pytest.raises(UsageError, match=said):
        hand_ins.read(place, TASKS, tmp_path / "keep")


def handed_in(tmp_path: Path, *names: str) -> Path:
    """A folder of candidates, each with an empty solution for both tasks."""
    place = tmp_path / "handed"
    for name in names:
        for task in TASKS:
            (place / name / task).mkdir(parents=True)
            (place / name / task / "solution.py").touch()
    return place


def test_a_link_handed_in_is_never_followed(tmp_path: Path) -> None:
    place = handed_in(tmp_path, "anna", "bela")
    for task in TASKS:
        (place / "bela" / task / "solution.py").unlink()
        (place / "bela" / task).rmdir()
    (place / "bela" / "toy-squares").symlink_to(place / "anna" / "toy-squares")
    (place / "cleo").symlink_to(place / "anna")
    (place / "dora").symlink_to("nowhere")
    found = hand_ins.read(place, TASKS, tmp_path / "keep")
    assert found.handed["anna", "toy-squares"].folder == place / "anna" / "toy-squares"
    for alias, tasks in (("bela", ["toy-squares"]), ("cleo", TASKS), ("dora", TASKS)):
        for task in tasks:
            assert found.handed[alias, task].folder is None
            assert "is a link; hand in the folder itself" in found.handed[alias, task].refused
    assert ("bela", "toy-pairs") not in found.handed


def test_a_member_below_a_file_of_the_same_name_is_that_candidates_fault(tmp_path: Path) -> None:
    place = handed_in(tmp_path, "anna")
    tar(place / "bela.tar.gz", (of("toy-squares"), b"x"), (of("toy-squares/solution.py"), b"x"))
    found = hand_ins.read(place, TASKS, tmp_path / "keep")
    assert found.handed["anna", "toy-squares"].refused == ""
    assert "bela.tar.gz cannot be unpacked" in found.handed["bela", "toy-squares"].refused
    assert list((tmp_path / "keep").iterdir()) == []


def test_what_systems_leave_in_folders_is_passed_over_in_silence(tmp_path: Path) -> None:
    place = handed_in(tmp_path, "anna")
    for hidden in (place, place / "anna"):
        (hidden / ".DS_Store").touch()
        (hidden / "__MACOSX").mkdir()
    found = hand_ins.read(place, TASKS, tmp_path / "keep")
    assert (found.candidates, found.notes) == (("anna",), ())
    whole = zipped(tmp_path / "all.zip", ("all/bela/toy-pairs/solution.py", b""), ("__MACOSX/all/._x", b""))
    assert hand_ins.read(whole, TASKS, tmp_path / "keep").candidates == ("bela",)


def test_a_file_that_is_nobodys_is_named(tmp_path: Path) -> None:
    place = handed_in(tmp_path, "anna")
    (place / "notes.txt").touch()
    (place / "anna" / "toy-square").mkdir()
    (place / "anna" / "zzz").mkdir()
    assert hand_ins.read(place, TASKS, tmp_path / "keep").notes == (
        "'notes.txt' is neither a candidate's folder nor an archive; left out",
        "anna: unknown task 'toy-square', did you mean 'toy-squares'?",
        "anna: unknown task 'zzz'",
    )


@pytest.mark.parametrize("second", ["anna.zip", "Anna"])
def test_a_candidate_who_is_there_twice_is_refused_and_nobody_else(tmp_path: Path, second: str) -> None:
    place = handed_in(tmp_path, "anna", "ben")
    if second.endswith(".zip"):
        zipped(place / second, ("toy-pairs/solution.py", b""))
    else:
        shutil.copytree(place / "anna", place / second)
    found = hand_ins.read(place, TASKS, tmp_path / "keep")
    assert {alias.lower() for alias in found.candidates} == {"anna", "ben"}
    for task in TASKS:
        (theirs,) = [h for (alias, of), h in found.handed.items() if of == task and alias.lower() == "anna"]
        assert theirs.folder is None
        assert re.fullmatch(r"'.*' and '.*' in .* are one candidate's name twice; keep one", theirs.refused)
        assert {"'anna'", repr(second)} <= set(theirs.refused.split(" in ")[0].split(" and "))
    assert all(h.folder for (alias, _), h in found.handed.items() if alias == "ben")


@pytest.mark.parametrize("packed", [False, True])
def test_a_task_that_is_there_twice_is_refused_and_no_other(tmp_path: Path, packed: bool) -> None:
    there = tmp_path / "handed" / "cy"
    for task in TASKS:
        (there / task).mkdir(parents=True)
        (there / task / "solution.py").write_text("A = 1")
    zipped(there / "toy-pairs.zip", ("solution.py", b"A = 2"))
    if packed:
        shutil.make_archive(str(there), "zip", there)
        shutil.rmtree(there)
    taken = hand_ins.read(tmp_path / "handed", TASKS, tmp_path / "keep")
    refused = taken.handed["cy", "toy-pairs"]
    assert refused.folder is None
    assert refused.refused == "'toy-pairs' and 'toy-pairs.zip' are cy's toy-pairs twice; keep one"
    assert (taken.handed["cy", "toy-squares"].folder or Path()).name == "toy-squares"


def test_a_name_that_is_no_alias_is_said_and_hinders_nobody_else(tmp_path: Path) -> None:
    place = handed_in(tmp_path, "anna")
    zipped(place / "an na.zip", ("toy-pairs/solution.py", b""))
    found = hand_ins.read(place, TASKS, tmp_path / "keep")
    assert found.candidates == ("anna",)
    (note,) = found.notes
    assert note.startswith("'an na' cannot be an alias: letters, digits")
    assert note.endswith("; left out: rename it and type the same command again")


@pytest.mark.parametrize("ending", [".zip", ".tar.gz", ".TGZ", ".tar"])
def test_a_task_may_be_an_archive_that_wraps_all_in_one_folder(tmp_path: Path, ending: str) -> None:
    (tmp_path / "handed" / "anna").mkdir(parents=True)
    member, made = "wrapped/solution.py", tmp_path / "handed" / "anna" / f"toy-pairs{ending}"
    _ = zipped(made, (member, b"x")) if ending == ".zip" else tar(made, (of(member), b"x"))
    folder = hand_ins.read(tmp_path / "handed", TASKS, tmp_path / "keep").handed["anna", "toy-pairs"].folder
    assert folder is not None
    assert (folder / "solution.py").read_bytes() == b"x"


def test_a_candidates_archive_may_hold_one_task_alone(tmp_path: Path) -> None:
    (tmp_path / "handed").mkdir()
    zipped(tmp_path / "handed" / "anna.zip", ("toy-pairs/solution.py", b"x"))
    found = hand_ins.read(tmp_path / "handed", TASKS, tmp_path / "keep")
    assert set(found.handed) == {("anna", "toy-pairs")}


def test_an_archive_of_several_or_of_a_file_alone_is_not_entered(tmp_path: Path) -> None:
    several = zipped(
        tmp_path / "s.zip", *((f"{name}/toy-pairs/solution.py", b"") for name in ("anna", "bela"))
    )
    assert hand_ins.read(several, TASKS, tmp_path / "keep").candidates == ("anna", "bela")
    (tmp_path / "handed").mkdir()
    zipped(tmp_path / "handed" / "cleo.zip", ("solution.py", b""))
    found = hand_ins.read(tmp_path / "handed", TASKS, tmp_path / "keep")
    assert (found.candidates, found.handed) == (("cleo",), {})
    assert found.notes == ("cleo: unknown task 'solution.py'",)
    zipped(
        tmp_path / "handed" / "cleo.zip",
        *((f"{name}/toy-pairs/solution.py", b"") for name in ("first", "second")),
    )
    found = hand_ins.read(tmp_path / "handed", TASKS, tmp_path / "keep")
    assert found.handed == {}
    assert found.notes == ("cleo: unknown task 'first'", "cleo: unknown task 'second'")


def test_a_tasks_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    place = tmp_path / "handed" / "anna" / "toy-pairs"
    (place / "wrapped").mkdir(parents=True)
    (place / "wrapped" / "solution.py").touch()
    found = hand_ins.read(tmp_path / "handed", TASKS, tmp_path / "keep")
    assert found.handed["anna", "toy-pairs"].folder == place


def test_an_archive_with_a_solution_is_not_entered_further(tmp_path: Path) -> None:
    place = tmp_path / "handed" / "anna"
    place.mkdir(parents=True)
    zipped(place / "toy-pairs.zip", ("solution.py", b"x"))
    zipped(place / "toy-squares.zip", ("parts/solution.py", b"in"), ("solution.py", b"out"))
    handed = hand_ins.read(tmp_path / "handed", TASKS, tmp_path / "keep").handed
    for task, content in (("toy-pairs", b"x"), ("toy-squares", b"out")):
        folder = handed["anna", task].folder
        assert folder is not None
        assert (folder / "solution.py").read_bytes() == content


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "needs a header with the columns candidate,path or candidate,task,path"),
        ("candidate,path\n", "needs a header with the columns"),
        ("candidate,folder\nanna,x\n", "needs a header with the columns"),
        ("alias,path\nanna,x\n", "needs a header with the columns"),
        ("candidate,path\nanna,x\nbela,\n", "line 3: there is no path"),
        ("candidate,path\nanna,nowhere\n", "line 2: nowhere does not exist"),
        ("candidate,path\n-anna,x\n", "'-anna' cannot be an alias"),
        (f"candidate,path\n{'a' * 65},x\n", "cannot be an alias: .* at most 64"),
        ("candidate,task,path\nanna,toy-pairs,x\nanna,toy-pairs,x\n", "line 3: anna hands in the same task"),
        ("candidate,task,path\nanna,,whole\nanna,toy-pairs,x\n", "line 3: anna hands in the same task twice"),
        ('candidate,path\n"anna,x\n', "cannot be read as CSV"),
    ],
)
def test_a_list_that_cannot_be_used_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "whole" / "toy-pairs").mkdir(parents=True)
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(UsageError, match=words) as caught:
        hand_ins.read(tmp_path / "list.csv", TASKS, tmp_path / "keep")
    assert not isinstance(caught.value, SubmissionError)


def test_a_list_may_give_a_row_for_each_candidate_or_each_task(tmp_path: Path) -> None:
    place, longest = handed_in(tmp_path, "one", "two"), "a" * 64
    rows = [f"{longest},,handed/one", "bela,toy-pairs,handed/two/toy-pairs", "bela,toy-par,handed/two"]
    (tmp_path / "list.csv").write_text("\n".join(["\ufeffcandidate,task,path", *rows]), encoding="utf-8")
    found = hand_ins.read(tmp_path / "list.csv", TASKS, tmp_path / "keep")
    assert found.candidates == (longest, "bela")
    assert {key: handed.folder for key, handed in found.handed.items()} == {
        (longest, "toy-pairs"): place / "one" / "toy-pairs",
        (longest, "toy-squares"): place / "one" / "toy-squares",
        ("bela", "toy-pairs"): place / "two" / "toy-pairs",
    }
    assert found.notes == ("bela: unknown task 'toy-par'",)


def test_a_place_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere does not exist; name a folder, a CSV or an archive"):
        hand_ins.read(tmp_path / "nowhere", TASKS, tmp_path / "keep")


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_unpacks_without_a_bound_is_refused_unread(tmp_path: Path, kind: int) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    with zipfile.ZipFile(folder / "anna.zip", "w", kind) as made:
        made.writestr("toy-squares/solution.py", "x = 0\n" * 100)
    (found,) = hand_ins.read(folder, ["toy-squares"], tmp_path / "keep").handed.values()
    assert found.folder is None
    assert "neither stored nor deflated" in found.refused


def test_a_header_that_announces_more_than_there_is_is_that_candidates_alone(tmp_path: Path) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    for alias, size in (
        ("anna", b"\x80\0\0\0" + (1 << 45).to_bytes(8, "big")),
        ("bert", b"\x80\0" + b"\xff" * 10),
    ):
        head = bytearray(tarfile.TarInfo("././@LongLink").tobuf(tarfile.GNU_FORMAT))
        head[124:136], head[156:157] = size, b"L"
        head[148:156] = b" " * 8
        head[148:156] = f"{sum(head):06o}\0 ".encode()
        (folder / f"{alias}.tar").write_bytes(bytes(head) + bytes(2048))
    (folder / "carl" / "toy-squares").mkdir(parents=True)
    (folder / "carl" / "toy-squares" / "solution.py").write_text("x = 0\n")
    found = {
        h.candidate: h for h in hand_ins.read(folder, ["toy-squares"], tmp_path / "keep").handed.values()
    }
    assert found["carl"].folder is not None
    assert found["anna"].folder is None is found["bert"].folder


def test_one_candidates_own_folder_is_not_taken_for_everybodys(tmp_path: Path) -> None:
    """It made candidates called like the tasks, who could not be removed again."""
    place = handed_in(tmp_path, "anna")
    with pytest.raises(UsageError, match="is one candidate's folder; name the folder above it"):
        hand_ins.read(place / "anna", TASKS, tmp_path / "keep")
