"""Intake: folders, lists and archives, and every archive that tries to write elsewhere or without end."""

from __future__ import annotations

import errno
import io
import os
import tarfile
import zipfile
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
