"""Intake: folders, lists and archives, and every archive that tries to write elsewhere or without end."""

from __future__ import annotations

import errno
import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import SubmissionError, UsageError
from harness.inputs import hand_ins

TASKS = ["toy-squares", "toy-pairs"]


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as opened:
        for info, content in members:
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
    return path


def zipped(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members:
            opened.writestr(name, content)
    return path


def of(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize("name", ["/abs.py", "../up.py", "a/../../up.py", "a\\..\\b", "C:x", "new\nline"])
def test_no_member_is_written_outside(tmp_path: Path, name: str) -> None:
    for made in (tar(tmp_path / "a.tar.gz", (of(name), b"x")), zipped(tmp_path / "a.zip", (name, b"x"))):
        with pytest.raises(SubmissionError, match="would be written outside"):
            hand_ins.unpack(made, tmp_path / "keep")
        assert list((tmp_path / "keep").iterdir()) == []
    assert not (tmp_path / "up.py").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    made = tar(tmp_path / "a.tar.gz", (of("solution.py", kind, "/etc/passwd"), b""))
    with pytest.raises(SubmissionError, match=r"solution\.py.*link or device"):
        hand_ins.unpack(made, tmp_path / "keep")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("solution.py")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr(info, "/etc/passwd")
    with pytest.raises(SubmissionError, match="link or device"):
        hand_ins.unpack(tmp_path / "a.zip", tmp_path / "keep")


def test_names_that_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    made = zipped(tmp_path / "a.zip", ("Solution.py", b"1"), ("solution.py", b"2"))
    with pytest.raises(SubmissionError, match="same name twice"):
        hand_ins.unpack(made, tmp_path / "keep")


def test_what_is_really_unpacked_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_ins, "MOST_BYTES", 1 << 20)
    made = zipped(tmp_path / "a.zip", ("solution.py", bytes(2 << 20)))
    assert made.stat().st_size < 1 << 14
    with pytest.raises(SubmissionError, match="unpacks to more than"):
        hand_ins.unpack(made, tmp_path / "keep")


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_ins, "MOST_MEMBERS", 3)
    made = zipped(tmp_path / "a.zip", *((f"f{n}", b"") for n in range(4)))
    with pytest.raises(SubmissionError, match="more than 3 members"):
        hand_ins.unpack(made, tmp_path / "keep")


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


def test_a_full_disk_is_not_the_candidates_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(archive: Path, top: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hand_ins, "_write", full)
    with pytest.raises(UsageError, match="No space left") as caught:
        hand_ins.unpack(zipped(tmp_path / "a.zip", ("solution.py", b"")), tmp_path / "keep")
    assert not isinstance(caught.value, SubmissionError)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["Anna", "anna"], "differ only in case"),
        (["an\x1bna"], "cannot be an alias"),
        ([], "holds no candidate"),
    ],
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


def test_the_limits_are_those_that_the_page_states() -> None:
    page = " ".join(
        (Path(__file__).parent.parent.parent / "docs" / "assessments.md").read_text("utf-8").split()
    )
    assert (
        f"more than {hand_ins.MOST_MEMBERS:,} members or more than {hand_ins.MOST_BYTES / 2**20:g} MiB"
        in page
    )


def test_an_archive_at_each_limit_is_taken_and_one_beyond_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two files together, so that it is their sum that counts; stored, so that the archive is larger than both.
    parts = [("solution.py", bytes(70_000)), ("b.bin", bytes(30_000))]
    made = zipped(tmp_path / "a.zip", *parts)
    monkeypatch.setattr(hand_ins, "MOST_MEMBERS", 2)
    monkeypatch.setattr(hand_ins, "MOST_BYTES", 100_000)
    assert len(list(hand_ins.unpack(made, tmp_path / "exact").iterdir())) == 2
    monkeypatch.setattr(hand_ins, "MOST_BYTES", 99_999)
    with pytest.raises(SubmissionError, match=r"unpacks to more than .*, at 'b\.bin'"):
        hand_ins.unpack(made, tmp_path / "bytes")
    monkeypatch.setattr(hand_ins, "MOST_BYTES", 100_000)
    monkeypatch.setattr(hand_ins, "MOST_MEMBERS", 1)
    with pytest.raises(SubmissionError, match="more than 1 members"):
        hand_ins.unpack(made, tmp_path / "members")
    monkeypatch.setattr(hand_ins, "MOST_MEMBERS", 2)
    small = zipped(tmp_path / "small.zip", ("solution.py", b"x"))
    monkeypatch.setattr(hand_ins, "MOST_BYTES", small.stat().st_size)
    assert hand_ins.unpack(small, tmp_path / "file").is_dir()
    monkeypatch.setattr(hand_ins, "MOST_BYTES", small.stat().st_size - 1)
    with pytest.raises(SubmissionError, match=r"small\.zip is larger than"):
        hand_ins.unpack(small, tmp_path / "file again")


def test_what_is_too_large_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_ins, "MOST_MEMBERS", 1)
    with pytest.raises(SubmissionError):
        hand_ins.unpack(zipped(tmp_path / "a.zip", ("a.py", b""), ("b.py", b"")), tmp_path / "keep")
    assert list((tmp_path / "keep").iterdir()) == []


def test_what_is_unpacked_is_its_owners_alone_and_is_unpacked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = zipped(tmp_path / "a.zip", ("solution.py", b"x"))
    first = hand_ins.unpack(made, tmp_path / "keep")
    assert (tmp_path / "keep").stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(hand_ins, "_write", lambda *_: pytest.fail("it was unpacked again"))
    assert hand_ins.unpack(made, tmp_path / "keep") == first


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


def test_names_that_are_one_on_another_system_are_refused(tmp_path: Path) -> None:
    composed, decomposed = "caf\u00e9.py", "cafe\u0301.py"
    made = zipped(tmp_path / "a.zip", (composed, b"1"), (decomposed, b"2"))
    with pytest.raises(SubmissionError, match="the same name twice"):
        hand_ins.unpack(made, tmp_path / "keep")


def test_an_encrypted_member_is_refused_as_that(tmp_path: Path) -> None:
    made = zipped(tmp_path / "a.zip", ("solution.py", b"x"))
    content = bytearray(made.read_bytes())
    content[6] |= 1  # the flags of the member's own header
    content[content.index(b"PK\1\2") + 8] |= 1  # and of the directory's
    made.write_bytes(content)
    with pytest.raises(SubmissionError, match=r"'solution\.py' is encrypted; hand it in open"):
        hand_ins.unpack(made, tmp_path / "keep")


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
        "anna: unknown task 'toy-square', did you mean 'toy-squares'?",
        "anna: unknown task 'zzz'",
        "'notes.txt' is neither a candidate's folder nor an archive; left out",
    )


def test_a_candidate_who_is_there_twice_is_refused(tmp_path: Path) -> None:
    place = handed_in(tmp_path, "anna")
    zipped(place / "anna.zip", ("toy-pairs/solution.py", b""))
    with pytest.raises(UsageError, match=r"the candidate 'anna' is there twice in .*; keep one"):
        hand_ins.read(place, TASKS, tmp_path / "keep")


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


def damaged(path: Path, method: int) -> bytes:
    """A zip whose one member, compressed by this method, is damaged from its second third on."""
    with zipfile.ZipFile(path, "w", method) as opened:
        opened.writestr("solution.py", os.urandom(3000).hex())  # which can be compressed by half
    content = bytearray(path.read_bytes())
    content[1000:1500] = bytes(500)
    return bytes(content)


def unknown_method(path: Path) -> bytes:
    """A zip whose one member is compressed by a method that no program knows."""
    content = bytearray(zipped(path, ("solution.py", b"x")).read_bytes())
    content[8] = content[content.index(b"PK\1\2") + 10] = 99
    return bytes(content)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("none.zip", lambda path: b"no zip"),
        ("none.tar", lambda path: b"no tar" * 1000),
        ("deflated.zip", lambda path: damaged(path, zipfile.ZIP_DEFLATED)),
        ("lzma.zip", lambda path: damaged(path, zipfile.ZIP_LZMA)),
        ("method.zip", unknown_method),
        ("cut.tar.gz", lambda path: tar(path, (of("solution.py"), os.urandom(9000))).read_bytes()[:5000]),
    ],
)
def test_a_damaged_archive_is_refused_with_its_name(
    tmp_path: Path, name: str, make: Callable[[Path], bytes]
) -> None:
    (tmp_path / name).write_bytes(make(tmp_path / "made"))
    with pytest.raises(SubmissionError, match=f"the archive .*{name} cannot be unpacked"):
        hand_ins.unpack(tmp_path / name, tmp_path / "keep")
    assert list((tmp_path / "keep").iterdir()) == []


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
