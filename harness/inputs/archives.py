"""Unpacks an archive that a stranger made into a private folder that is named by its content.

Nothing in it is trusted: links, devices, absolute paths, `..`, names that differ only in case, and sizes, numbers and
depths beyond the caps are refused, with the archive and the member named.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import lzma
import os
import re
import shutil
import stat
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Self

from harness.digests import of_bytes
from harness.errors import SubmissionError, UsageError
from harness.inputs.submissions import LONGEST_PATH, MOST_DEPTH
from harness.strangers import shows

MOST_MEMBERS = 10_000  # files and folders, named or implied by a file's path
MOST_BYTES = 200 * 2**20
# Bytes of a zip's directory, which Python reads whole before it tells of any member.
MOST_DIRECTORY = 400 * MOST_MEMBERS
MOST_READS = 10 * MOST_MEMBERS  # of a tar: a few for each member, and one for 64 KiB
LONGEST_HEADER = 8192  # bytes of a tar's header that extends another: names, times
_UNPACKED = re.compile(r"(?<![^\s'\"])(?:/[^/\n]*)+?/unpacked/(?:[0-9a-f]{32}|\.unpacking-[^/\n]*)/")
_EXTENDING = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    ValueError,
    MemoryError,  # a header that announces more than there is
    OverflowError,
    RecursionError,
)
# Others unpack to thousands of times their size in one step, before a limit is looked at.
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What an archive's content can bring about; any other error of the system is not its candidate's doing.
_THEIRS = (None, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL)
_ZIP_END, _ZIP64_LOCATOR = b"PK\x05\x06", b"PK\x06\x07"
Member = tuple[str, Callable[[], IO[bytes]] | None]
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


def is_archive(path: Path) -> bool:
    """Whether a path is a file that is an archive by its name."""
    return path.is_file() and path.name.lower().endswith(_ARCHIVES)


def stem(path: Path) -> str:
    """A folder's name, or an archive's without its ending."""
    if is_archive(path):
        for end in sorted(_ARCHIVES, key=len, reverse=True):
            if path.name.lower().endswith(end):
                return path.name[: -len(end)]
    return path.name


def without_place(text: str) -> str:
    """A sentence without the folders that archives are unpacked into: where they lie is the evaluator's."""
    return _UNPACKED.sub("", text)


def unpack(archive: Path, keep: Path) -> Path:
    """The folder below `keep` with the archive's content; raises SubmissionError naming archive and member."""
    try:
        if archive.stat().st_size > MOST_BYTES:
            raise SubmissionError(f"{archive} is larger than {MOST_BYTES >> 20} MiB")
        target = keep / of_bytes(archive.read_bytes())[:32]
        if target.is_dir():
            return target
        keep.mkdir(parents=True, exist_ok=True, mode=0o700)
        making = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=keep))
        try:
            _write(archive, making)
            with contextlib.suppress(FileExistsError):  # another command was as quick, with the same content
                os.replace(making, target)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    except _BROKEN as error:
        raise SubmissionError(f"the archive {archive} cannot be unpacked: {error}") from error
    except OSError as error:
        if error.errno in _THEIRS:
            raise SubmissionError(f"the archive {archive} cannot be unpacked: {error}") from error
        raise UsageError(f"the archive {archive} cannot be unpacked into {keep}: {error.strerror}") from error
    return target


def _write(archive: Path, top: Path) -> None:
    """Unpacks into `top`, which is new and empty: every file is made here, so nothing can be written through."""
    seen: dict[str, str] = {}
    made: set[PurePosixPath] = set()
    total = 0
    for count, (name, opens) in enumerate(_members(archive), 1):
        path = _safe(archive, name)
        made.update([path, *path.parents[:-1]] if path else ())
        if max(count, len(made)) > MOST_MEMBERS:
            raise SubmissionError(f"{archive} has more than {MOST_MEMBERS} files and folders")
        if path is None:
            continue
        key = unicodedata.normalize("NFC", str(path)).casefold()
        if opens is None:
            (top / path).mkdir(parents=True, exist_ok=True)
            continue
        if key in seen:
            raise SubmissionError(f"{archive}: {name!r} and {seen[key]!r} are the same name twice")
        seen[key] = name
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        with opens() as source, (top / path).open("xb") as target:
            while content := source.read(1 << 16):
                total += len(content)  # what was really unpacked: a header may lie
                if total > MOST_BYTES:
                    raise SubmissionError(
                        f"{archive}: unpacks to more than {MOST_BYTES >> 20} MiB, at {name!r}"
                    )
                target.write(content)


def _safe(archive: Path, name: str) -> PurePosixPath | None:
    """The member's path inside; None for the top itself."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise SubmissionError(f"{archive}: the member {name[:120]!r} would be written outside; refused")
    if "\\" in name or ":" in name or not name.isprintable():
        raise SubmissionError(
            f"{archive}: the member {name[:120]!r} has a backslash, a colon or a character that cannot be seen in its "
            "name, which leads outside on some systems; rename it"
        )
    if not all(shows(part) for part in path.parts):
        raise SubmissionError(
            f"{archive}: a member of {str(path.parent)[:120]!r} has a name that shows nothing; refused"
        )
    if len(path.parts) > MOST_DEPTH or len(os.fsencode(name)) > LONGEST_PATH:
        raise SubmissionError(
            f"{archive}: the member {name[:120]!r} lies deeper than {MOST_DEPTH} folders, or its path is longer "
            f"than {LONGEST_PATH} bytes"
        )
    return path if path.parts else None


def _members(archive: Path) -> Iterator[Member]:
    """Name and opener of each member, None for folders; raises SubmissionError for links and devices."""
    if archive.name.lower().endswith(".zip"):
        _require_small_directory(archive)
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise SubmissionError(f"{archive}: {info.filename!r} is a link or device; refused")
                if info.flag_bits & 1:
                    raise SubmissionError(f"{archive}: {info.filename!r} is encrypted; hand it in open")
                if info.compress_type not in _PACKED:
                    raise SubmissionError(
                        f"{archive}: {info.filename!r} is neither stored nor deflated; pack it so"
                    )
                yield info.filename, None if info.is_dir() else lambda i=info: opened.open(i)
        return
    with _plain(archive) as file, tarfile.open(fileobj=file, mode="r:", tarinfo=_Header) as tar:
        last = -1
        for member in tar:
            if (
                member.size < 0 or member.offset <= last
            ):  # by an extended header it may say where it likes to go on
                raise SubmissionError(f"{archive}: {member.name[:120]!r} ends before it begins; pack it anew")
            last = member.offset
            if not (member.isfile() or member.isdir()):
                raise SubmissionError(f"{archive}: {member.name[:120]!r} is a link or device; refused")
            yield member.name, None if member.isdir() else lambda m=member: _content(tar, m)


def _require_small_directory(archive: Path) -> None:
    """Raises SubmissionError where a zip's directory is larger than any that is allowed could be.

    The record at its end is looked for as Python does: without a comment behind it, else the last one.
    """
    size = archive.stat().st_size
    with archive.open("rb") as file:
        file.seek(max(0, size - (1 << 16) - 22 - 20))
        end = file.read()
    plain = end[-22:-18] == _ZIP_END and end[-2:] == b"\0\0"
    at = len(end) - 22 if plain else end.rfind(_ZIP_END)
    if at >= 20 and end[at - 20 : at - 16] == _ZIP64_LOCATOR:
        raise SubmissionError(
            f"{archive} is a zip with 64-bit sizes; pack it anew, with fewer files, as a plain one"
        )
    if at >= 0 and int.from_bytes(end[at + 12 : at + 16], "little") > MOST_DIRECTORY:
        raise SubmissionError(f"{archive} has more than {MOST_MEMBERS} files and folders")


class _Header(tarfile.TarInfo):
    """A header with a bound on what extends it: Python reads that whole, in time that grows with its square."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """As of TarInfo; raises SubmissionError for an extension over LONGEST_HEADER bytes, and for a sparse file."""
        made = super().frombuf(buf, encoding, errors)
        if made.type in _EXTENDING and made.size > LONGEST_HEADER:
            raise SubmissionError(
                f"a header of {made.size:,} bytes is refused, {LONGEST_HEADER:,} are enough; pack it anew"
            )
        if made.type == tarfile.GNUTYPE_SPARSE:
            raise SubmissionError("a sparse file is refused; pack it anew without --sparse")
        return made


class _Plain(io.RawIOBase):
    """What a tar holds, uncompressed; raises SubmissionError where it takes more reads than any that is plain.

    A sparse file's map is read half a kilobyte at a time, number by number, for as long as it goes on.
    """

    def __init__(self, file: io.BufferedIOBase, archive: Path) -> None:
        self.file, self.archive = file, archive
        self.reads = 0

    def read(self, size: int = -1) -> bytes:
        """As of a file."""
        self.reads += 1
        if self.reads > MOST_READS:
            raise SubmissionError(f"{self.archive} is no plain tar: it is in too many pieces; pack it anew")
        return self.file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of a file."""
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        """As of a file."""
        return self.file.tell()


@contextlib.contextmanager
def _plain(archive: Path) -> Generator[_Plain]:
    with archive.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        with gzip.GzipFile(fileobj=file) if packed else contextlib.nullcontext(file) as plain:
            yield _Plain(plain, archive)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(member)
    if content is None:
        raise SubmissionError(f"the member {member.name!r} has no content")
    return content
