"""Every archive that tries to write elsewhere, to hold more than it may, or to be read for ever."""

from __future__ import annotations

import errno
import gzip
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import SubmissionError, UsageError
from harness.inputs import archives
from tests.fixtures.archives import of, tar, zipped


@pytest.mark.parametrize("name", ["\u2800", "a/\u3164\u3164/solution.py", "\u115f\u1160"])
def test_no_member_has_a_name_that_nothing_shows(tmp_path: Path, name: str) -> None:
    for made in (tar(tmp_path / "a.tar.gz", (of(name), b"x")), zipped(tmp_path / "a.zip", (name, b"x"))):
        with pytest.raises(SubmissionError, match="has a name that shows nothing"):
            archives.unpack(made, tmp_path / "keep")


@pytest.mark.parametrize("name", ["/abs.py", "../up.py", "a/../../up.py", "a\\..\\b", "C:x", "new\nline"])
def test_no_member_is_written_outside(tmp_path: Path, name: str) -> None:
    for made in (tar(tmp_path / "a.tar.gz", (of(name), b"x")), zipped(tmp_path / "a.zip", (name, b"x"))):
        with pytest.raises(
            SubmissionError, match=r"would be written outside|leads outside on some systems; rename"
        ):
            archives.unpack(made, tmp_path / "keep")
        assert list((tmp_path / "keep").iterdir()) == []
    assert not (tmp_path / "up.py").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    made = tar(tmp_path / "a.tar.gz", (of("solution.py", kind, "/etc/passwd"), b""))
    with pytest.raises(SubmissionError, match=r"solution\.py.*link or device"):
        archives.unpack(made, tmp_path / "keep")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("solution.py")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr(info, "/etc/passwd")
    with pytest.raises(SubmissionError, match="link or device"):
        archives.unpack(tmp_path / "a.zip", tmp_path / "keep")


def test_names_that_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    made = zipped(tmp_path / "a.zip", ("Solution.py", b"1"), ("solution.py", b"2"))
    with pytest.raises(SubmissionError, match="same name twice"):
        archives.unpack(made, tmp_path / "keep")


def test_what_is_really_unpacked_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_BYTES", 1 << 20)
    made = zipped(tmp_path / "a.zip", ("solution.py", bytes(2 << 20)))
    assert made.stat().st_size < 1 << 14
    with pytest.raises(SubmissionError, match="unpacks to more than"):
        archives.unpack(made, tmp_path / "keep")


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    made = zipped(tmp_path / "a.zip", *((f"f{n}", b"") for n in range(4)))
    with pytest.raises(SubmissionError, match="more than 3 files and folders"):
        archives.unpack(made, tmp_path / "keep")


def test_a_full_disk_is_not_the_candidates_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(archive: Path, top: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archives, "_write", full)
    with pytest.raises(UsageError, match="No space left") as caught:
        archives.unpack(zipped(tmp_path / "a.zip", ("solution.py", b"")), tmp_path / "keep")
    assert not isinstance(caught.value, SubmissionError)


def test_the_limits_are_those_that_the_page_states() -> None:
    page = " ".join(
        (Path(__file__).parent.parent.parent / "docs" / "assessments.md").read_text("utf-8").split()
    )
    assert (
        f"more than {archives.MOST_MEMBERS:,} files and folders (those that only a path names included), or more "
        f"than {archives.MOST_BYTES / 2**20:g} MiB" in page
    )


def test_an_archive_at_each_limit_is_taken_and_one_beyond_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two files together, so that it is their sum that counts; stored, so that the archive is larger than both.
    parts = [("solution.py", bytes(70_000)), ("b.bin", bytes(30_000))]
    made = zipped(tmp_path / "a.zip", *parts)
    monkeypatch.setattr(archives, "MOST_MEMBERS", 2)
    monkeypatch.setattr(archives, "MOST_BYTES", 100_000)
    assert len(list(archives.unpack(made, tmp_path / "exact").iterdir())) == 2
    monkeypatch.setattr(archives, "MOST_BYTES", 99_999)
    with pytest.raises(SubmissionError, match=r"unpacks to more than .*, at 'b\.bin'"):
        archives.unpack(made, tmp_path / "bytes")
    monkeypatch.setattr(archives, "MOST_BYTES", 100_000)
    monkeypatch.setattr(archives, "MOST_MEMBERS", 1)
    with pytest.raises(SubmissionError, match="more than 1 files and folders"):
        archives.unpack(made, tmp_path / "members")
    monkeypatch.setattr(archives, "MOST_MEMBERS", 2)
    small = zipped(tmp_path / "small.zip", ("solution.py", b"x"))
    monkeypatch.setattr(archives, "MOST_BYTES", small.stat().st_size)
    assert archives.unpack(small, tmp_path / "file").is_dir()
    monkeypatch.setattr(archives, "MOST_BYTES", small.stat().st_size - 1)
    with pytest.raises(SubmissionError, match=r"small\.zip is larger than"):
        archives.unpack(small, tmp_path / "file again")


def test_what_is_too_large_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 1)
    with pytest.raises(SubmissionError):
        archives.unpack(zipped(tmp_path / "a.zip", ("a.py", b""), ("b.py", b"")), tmp_path / "keep")
    assert list((tmp_path / "keep").iterdir()) == []


def test_what_is_unpacked_is_its_owners_alone_and_is_unpacked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = zipped(tmp_path / "a.zip", ("solution.py", b"x"))
    first = archives.unpack(made, tmp_path / "keep")
    assert (tmp_path / "keep").stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(archives, "_write", lambda *_: pytest.fail("it was unpacked again"))
    assert archives.unpack(made, tmp_path / "keep") == first


def test_names_that_are_one_on_another_system_are_refused(tmp_path: Path) -> None:
    composed, decomposed = "caf\u00e9.py", "cafe\u0301.py"
    made = zipped(tmp_path / "a.zip", (composed, b"1"), (decomposed, b"2"))
    with pytest.raises(SubmissionError, match="the same name twice"):
        archives.unpack(made, tmp_path / "keep")


def test_an_encrypted_member_is_refused_as_that(tmp_path: Path) -> None:
    made = zipped(tmp_path / "a.zip", ("solution.py", b"x"))
    content = bytearray(made.read_bytes())
    content[6] |= 1  # the flags of the member's own header
    content[content.index(b"PK\1\2") + 8] |= 1  # and of the directory's
    made.write_bytes(content)
    with pytest.raises(SubmissionError, match=r"'solution\.py' is encrypted; hand it in open"):
        archives.unpack(made, tmp_path / "keep")


def test_folders_count_that_only_a_files_path_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = zipped(tmp_path / "a.zip", ("a/b/c/one.py", b""), ("a/b/two.py", b""))
    monkeypatch.setattr(archives, "MOST_MEMBERS", 5)  # two files, and a, a/b and a/b/c
    assert (archives.unpack(made, tmp_path / "exact") / "a/b/c/one.py").is_file()
    monkeypatch.setattr(archives, "MOST_MEMBERS", 4)
    with pytest.raises(SubmissionError, match="more than 4 files and folders"):
        archives.unpack(made, tmp_path / "more")


def test_a_path_may_be_so_deep_and_so_long(tmp_path: Path) -> None:
    deep = "/".join(["d"] * (archives.MOST_DEPTH - 1))
    assert archives.unpack(zipped(tmp_path / "a.zip", (f"{deep}/x", b"")), tmp_path / "keep").is_dir()
    folders = "/".join(["e" * 200] * 5)
    long = folders + "/" + "x" * (archives.LONGEST_PATH - len(folders) - 1)
    assert archives.unpack(zipped(tmp_path / "b.zip", (long, b"")), tmp_path / "keep").is_dir()
    for name in (f"{deep}/d/x", f"{long}x"):
        with pytest.raises(
            SubmissionError, match="lies deeper than 32 folders, or its path is longer than 1024"
        ):
            archives.unpack(zipped(tmp_path / "c.zip", (name, b"")), tmp_path / "keep")


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
        ("cut.tar.gz", lambda path: tar(path, (of("solution.py"), os.urandom(9000))).read_bytes()[:5000]),
    ],
)
def test_a_damaged_archive_is_refused_with_its_name(
    tmp_path: Path, name: str, make: Callable[[Path], bytes]
) -> None:
    (tmp_path / name).write_bytes(make(tmp_path / "made"))
    with pytest.raises(SubmissionError, match=f"the archive .*{name} cannot be unpacked"):
        archives.unpack(tmp_path / name, tmp_path / "keep")
    assert list((tmp_path / "keep").iterdir()) == []


def test_folders_of_an_archive_are_made_wherever_they_stand_in_it(tmp_path: Path) -> None:
    # As common programs pack: with modes, a folder before what lies in it, after it, or with nothing in it.
    members = ("parts/deep/", "parts/deep/one.py", "parts/", "solution.py", "empty/")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        for name in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o40755 if name.endswith("/") else 0o100644) << 16
            opened.writestr(info, b"")
    packed = [
        (of(name.rstrip("/"), tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE), b"")
        for name in members
    ]
    for made in (tmp_path / "a.zip", tar(tmp_path / "a.tar.gz", *packed)):
        folder = archives.unpack(made, tmp_path / "keep")
        assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")) == [
            "empty",
            "parts",
            "parts/deep",
            "parts/deep/one.py",
            "solution.py",
        ]
        assert (folder / "empty").is_dir()


def test_a_method_that_no_program_knows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "method.zip").write_bytes(unknown_method(tmp_path / "made"))
    with pytest.raises(SubmissionError, match="neither stored nor deflated"):
        archives.unpack(tmp_path / "method.zip", tmp_path / "keep")
    assert list((tmp_path / "keep").iterdir()) == []


def test_a_zips_directory_is_bounded_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_DIRECTORY", 1000)
    made = zipped(tmp_path / "a.zip", *((f"{n}.py", b"") for n in range(30)))
    monkeypatch.setattr(zipfile, "ZipFile", None)  # is not come to
    with pytest.raises(SubmissionError, match="more than 10000 files and folders"):
        archives.unpack(made, tmp_path / "keep")
    content = made.read_bytes()
    # 64-bit sizes stand in a record of their own, which goes before those that were looked at.
    end = content[-22:]
    wide = b"PK\x06\x06" + (44).to_bytes(8, "little") + bytes(44) + b"PK\x06\x07" + bytes(16)
    made.write_bytes(content[:-22] + wide + end[:12] + (46).to_bytes(4, "little") + end[16:])
    with pytest.raises(SubmissionError, match="64-bit sizes"):
        archives.unpack(made, tmp_path / "keep")


def test_where_archives_are_unpacked_is_not_told() -> None:
    place = "/data/eva b/assessments/unpacked/" + "0123456789abcdef" * 2
    assert archives.without_place(f"the archive {place}/a/x.zip has {place}/b") == "the archive a/x.zip has b"
    assert archives.without_place("a/b: the archive /x/y.zip") == "a/b: the archive /x/y.zip"


def extended(path: Path, kind: bytes, content: bytes) -> Path:
    """A tar whose first header, of `kind`, has `content`, and extends that of a solution.py."""
    head = tarfile.TarInfo("././@PaxHeader")
    head.type, head.size = kind, len(content)
    body = content + bytes(-len(content) % 512)
    path.write_bytes(
        gzip.compress(head.tobuf(tarfile.GNU_FORMAT) + body + of("solution.py").tobuf() + bytes(1024))
    )
    return path


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK]
)
def test_a_header_that_python_would_read_for_hours_is_refused(tmp_path: Path, kind: bytes) -> None:
    made = extended(tmp_path / "a.tar.gz", kind, b"1" * 4_000_000)
    with pytest.raises(SubmissionError, match="a header of 4,000,000 bytes is refused, 8,192 are enough"):
        archives.unpack(made, tmp_path / "kept")


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    made = tar(tmp_path / "a.tar.gz", (of("solution.py", tarfile.GNUTYPE_SPARSE), b""))
    with pytest.raises(SubmissionError, match="sparse"):
        archives.unpack(made, tmp_path / "kept")


@pytest.mark.timeout(20)
def test_a_tar_in_endless_pieces_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A map of a sparse file, of which a hundred megabytes are read number by number."""
    monkeypatch.setattr(archives, "MOST_READS", 2000)
    facts = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "solution.py"}
    info = of("solution.py")
    info.size = 100_000_000
    info.pax_headers = facts
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as file:
        file.write(info.tobuf(tarfile.PAX_FORMAT))
        file.write(b"50000000\n")
        for _ in range(100):
            file.write(b"1\n" * 500_000)
    with pytest.raises(SubmissionError, match="is no plain tar: it is in too many pieces"):
        archives.unpack(tmp_path / "a.tar.gz", tmp_path / "kept")


def test_a_tar_of_as_many_files_as_may_be_is_read(tmp_path: Path) -> None:
    few = archives.MOST_MEMBERS // 10
    made = tar(tmp_path / "a.tar.gz", *((of(f"{number}.py"), b"x" * 70_000) for number in range(few)))
    assert len(list(archives.unpack(made, tmp_path / "kept").iterdir())) == few


def test_a_tar_that_says_it_goes_on_where_it_has_been_is_refused(tmp_path: Path) -> None:
    """By an extended header a member may end before it begins: of a packed file each step back unpacks all of it."""

    def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
        info = tarfile.TarInfo(name)
        info.size, info.type = size, kind
        return info.tobuf(tarfile.USTAR_FORMAT)

    record = b"20 size=-0000000512\n"
    assert len(record) == 20
    body = record + bytes(512 - len(record))
    content = header("./", 0, tarfile.DIRTYPE) + header(".", 512) + bytes(512)
    content += header("pax", len(record), tarfile.XHDTYPE) + body + header(".", 0) + bytes(1024)
    file = tmp_path / "anna.tar.gz"
    file.write_bytes(gzip.compress(content))
    with pytest.raises(SubmissionError, match=r"'\.' ends before it begins; pack it anew"):
        archives.unpack(file, tmp_path / "kept")
