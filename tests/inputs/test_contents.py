"""What a task takes of a folder, and what of it a reader is sent to first."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import SubmissionError
from harness.inputs import submissions, tasks
from harness.inputs.contents import contents_of, require_fit
from harness.inputs.definition import TaskLimits


def folder(top: Path, **files: bytes) -> submissions.Submission:
    for name, content in ({"solution_py": b"class Solution: ...\n"} | files).items():
        (top / name.replace("_", ".")).write_bytes(content)
    return submissions.read("toy", top)


@pytest.mark.parametrize(("held", "taken"), [(1024, True), (1025, False)])
def test_a_folder_that_is_too_large_is_refused_with_its_largest_file(
    tmp_path: Path, held: int, taken: bool
) -> None:
    own = folder(tmp_path, table_py=b"#" * (held - 20))
    if taken:
        require_fit(own, TaskLimits(submission_kib=1))
        return
    with pytest.raises(SubmissionError, match=r"holds 1 KiB, and this task takes 1 KiB .*table.py, 1 KiB\)"):
        require_fit(own, TaskLimits(submission_kib=1))


@pytest.mark.parametrize(
    "content", [b"\x80\x03", b"PK\x03\x04\x00", b"\x93NUMPY\x01\x00", "ä".encode("latin-1")]
)
def test_binary_files_are_refused_unless_the_task_allows_them(tmp_path: Path, content: bytes) -> None:
    own = folder(tmp_path, weights_npz=content)
    with pytest.raises(
        SubmissionError, match=r"holds weights.npz, which is no UTF-8 text, .* text files only"
    ):
        require_fit(own, TaskLimits())
    require_fit(own, TaskLimits(binary_files=True))


@pytest.mark.parametrize("name", sorted(tasks.all_tasks()))
def test_what_a_task_ships_is_what_it_takes(name: str) -> None:
    task = tasks.find(name)
    shipped = [
        submissions.read(name, task.starter),
        *submissions.references(name, task.folder).values(),
        *submissions.mutants(name, task.folder).values(),
    ]
    for own in shipped:
        require_fit(own, task.definition.limits)


def test_text_in_any_language_is_taken(tmp_path: Path) -> None:
    require_fit(folder(tmp_path, notes_md="ähnlich 日本語 \x1b".encode(), empty_txt=b""), TaskLimits())


def test_the_largest_file_and_the_longest_literal_are_found(tmp_path: Path) -> None:
    own = folder(
        tmp_path,
        table_py=b'"""Doc."""\nX = 1\nLONG = (\n    "' + b"a" * 100 + b'"\n    "' + b"b" * 100 + b'"\n)\n',
        list_py="ä = 1; NUMBERS = [1,\n 2,\n 3]\n".encode(),
        words_txt=b"w" * 900,
    )
    found = contents_of(own)
    assert (found.files, found.largest, found.largest_bytes) == (4, "words.txt", 900)
    # two strings in a row are one literal: both with their quotes, the break and four blanks between them
    assert (found.literal, found.literal_line, found.literal_bytes) == ("table.py", 4, 2 * 102 + 5)
    (tmp_path / "table.py").unlink()
    found = contents_of(submissions.read("toy", tmp_path))
    assert (found.literal, found.literal_line) == ("list.py", 1)
    assert found.literal_bytes == len("[1,\n 2,\n 3]")


def test_a_folder_that_changes_meanwhile_is_refused_in_a_sentence(tmp_path: Path) -> None:
    own = folder(tmp_path, table_py=b"x = 1")
    (tmp_path / "table.py").unlink()
    for looks in (lambda: require_fit(own, TaskLimits()), lambda: contents_of(own)):
        with pytest.raises(SubmissionError, match=r"changed since it was read .*leave it alone during a run"):
            looks()
    assert contents_of(replace(own, files=(), sources=())).largest == ""


def test_code_that_does_not_parse_has_no_literal(tmp_path: Path) -> None:
    found = contents_of(folder(tmp_path, broken_py=b"def (", nul_py=b"x = 1\0", warns_py=rb'x = "\d"'))
    assert (found.files, found.literal) == (4, "warns.py")


HOSTILE = {
    "utf-7, with lines that only it has": b"# -*- coding: utf-7 -*-\nx = '''a+AAoACgAKAAoACg-b'''\n",
    "an encoding that is none of text": b"# coding: rot13\nk = 1\n",
    "an encoding of raw escapes": b"# coding: raw_unicode_escape\nx = '\\u000a'\n",
    "utf-16": "x = 'wide'\n".encode("utf-16"),
    "a mark at the start": b"\xef\xbb\xbfx = 'abc'\n",
    "zero bytes": b"x = 1\0\n",
    "lines that only text has": "x = '\u2028\u2029\x0b\x0c\x1c\x85'\ny = [1,\r2,\r\n3]".encode(),
    "a formatted text over lines": b'y = 1\nx = f"""a\n{\ny\n+ 1}\n\n{[1, y]}"""\n',
    "no end of line": b"x = '''abc\r\r\r'''",
    "a half of a letter": b"x = '\xed\xa0\x80\xff'\n",
    "brackets without end": b"(" * 60_000,
    "signs without end": b"x = " + b"-" * 60_000 + b"1\n",
    "sums without end": b"x = 1" + b"+1" * 60_000 + b"\n",
    "attributes without end": b"x" + b".x" * 30_000 + b"\n",
    "a number without end": b"x = " + b"9" * 9_000 + b"\n",
    "every byte": bytes(range(256)) * 8,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_read_for_the_record_never_raises(tmp_path: Path, kind: str) -> None:
    own = folder(tmp_path, odd_py=HOSTILE[kind], fine_py=b"x = [1, 2, 3, 4, 5, 6, 7, 8, 9]\n")
    found = contents_of(own)
    assert found.files == 3
    assert found.literal in ("odd.py", "fine.py")
    assert 0 < found.literal_bytes <= len(HOSTILE[kind]) + 40


def test_a_file_that_became_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    own = folder(tmp_path, table_py=b"x = 1")
    (tmp_path / "table.py").unlink()
    os.mkfifo(tmp_path / "table.py")
    for looks in (lambda: require_fit(own, TaskLimits()), lambda: contents_of(own)):
        with pytest.raises(SubmissionError, match="no regular file"):
            looks()


@pytest.mark.parametrize("cookie", ["utf-7", "unicode_escape", "latin-1", "no-such-code"])
def test_code_in_another_encoding_is_refused(tmp_path: Path, cookie: str) -> None:
    """What a reader of UTF-8 takes for a comment is code for Python, which goes by the file's own word."""
    (tmp_path / "solution.py").write_text(f"# -*- coding: {cookie} -*-\n")
    with pytest.raises(SubmissionError, match="taken in UTF-8 only"):
        require_fit(submissions.read("toy", tmp_path), TaskLimits())


def test_names_of_files_count_as_what_they_hold(tmp_path: Path) -> None:
    (tmp_path / "solution.py").write_text("")
    for number in range(30):
        (tmp_path / f"{number:0200d}").write_text("")
    require_fit(submissions.read("toy", tmp_path), TaskLimits(submission_kib=2))
    with pytest.raises(SubmissionError, match="at most"):
        require_fit(submissions.read("toy", tmp_path), TaskLimits(submission_kib=1))
