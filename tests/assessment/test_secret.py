"""An assessment's secret: made once, whole, for its owner alone; and the order of units that hangs on it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import psutil
import pytest

from harness.assessment import secret
from harness.assessment.executors.base import Unit
from harness.assessment.secret import secret_of, shuffled
from harness.errors import DataError, UsageError

WORD = "8c1f0d6be2a34957b0c6d1e84f7a2935"


def test_a_secret_that_is_given_is_taken_and_none_is_made(tmp_path: Path) -> None:
    file = tmp_path / "given"
    file.write_text(f"{WORD}\n")
    assert secret_of("pairs", tmp_path / "home", file) == f"secret:{WORD}".encode()
    assert not (tmp_path / "home").exists()


def test_a_secret_is_made_where_nobody_else_looks_and_is_only_read_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    monkeypatch.setattr(secret.os, "fsync", lambda fd: held.append(os.fstat(fd).st_size))
    home, open_before = tmp_path / "not" / "yet", psutil.Process().num_fds()
    made = secret_of("a pair/of suites", home, None)
    (file,) = (home / "assessments").iterdir()
    assert file.name == "a-pair-of-suites.secret"
    assert made == b"secret:" + file.read_bytes().strip()
    assert len(bytes.fromhex(file.read_text())) == 16
    assert [path.stat().st_mode & 0o777 for path in (file, file.parent)] == [0o600, 0o700]
    assert held == [33], "all of it is held by the disk before it has its name"
    assert psutil.Process().num_fds() == open_before

    def refuse(*_: object) -> str:
        raise AssertionError("nothing is drawn")

    monkeypatch.setattr(secrets, "token_hex", refuse)
    assert secret_of("a pair/of suites", home, None) == made


def test_a_phrase_is_no_secret_wherever_it_comes_from(tmp_path: Path) -> None:
    for file in (tmp_path / "given", tmp_path / "assessments" / "pairs.secret"):
        file.parent.mkdir(exist_ok=True)
        file.write_text("correct horse battery staple and some more words\n")
        with pytest.raises(DataError, match="can be guessed; `harness keys secret FILE` makes one"):
            secret_of("pairs", tmp_path, None if file.suffix else file)


def test_of_two_that_make_it_at_once_the_first_ones_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, link = tmp_path / "assessments" / "pairs.secret", os.link

    def late(before: Path, after: Path) -> None:
        file.write_text(WORD)
        link(before, after)

    monkeypatch.setattr(secret.os, "link", late)
    assert secret_of("pairs", tmp_path, None) == f"secret:{WORD}".encode()
    assert list(file.parent.iterdir()) == [file]


def test_where_no_secret_can_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(UsageError, match=r"the secret .*pairs\.secret cannot be made: Not a directory"):
        secret_of("pairs", tmp_path / "home", None)


def test_the_order_is_the_secrets_own_so_that_a_resumed_command_keeps_it() -> None:
    # Worked out by the definition of HMAC-SHA256 (RFC 2104): over "order", alias and task for a candidate's own
    # order, over "order", round and alias for that of the candidates, with zero bytes between.
    tasks = {"ann": "123", "ben": "123", "cleo": "2", "dan": "13"}
    units = [
        Unit(candidate=alias, task=f"t{number}", key=f"{alias} t{number}", payload="")
        for alias, numbers in tasks.items()
        for number in numbers
    ]
    expected = [
        *("cleo t2", "dan t1", "ben t2", "ann t3"),
        *("ann t1", "dan t3", "ben t1"),
        *("ben t3", "ann t2"),
    ]
    for given in (units, units[::-1]):
        assert [unit.key for unit in shuffled(given, b"sixteen bytes or")] == expected
    assert shuffled([], b"sixteen bytes or") == []
