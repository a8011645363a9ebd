"""Every box has a user's number that nobody else uses, and what that user cannot read is named."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import SandboxFailed
from harness.isolation.box import poolusers


class Names:
    """Abstract sockets, of which those in `taken` are somebody else's."""

    AF_UNIX = socket.AF_UNIX

    def __init__(self, *taken: int) -> None:
        self.taken = {f"\0harness-pool-{uid}" for uid in taken}
        self.tried: list[str] = []
        self.open = 0

    def socket(self, family: int) -> Names:
        assert family == socket.AF_UNIX
        self.open += 1
        return self

    def bind(self, name: str) -> None:
        self.tried.append(name)
        if name in self.taken:
            raise OSError(98, "Address already in use")

    def close(self) -> None:
        self.open -= 1


class Processes:
    """The folder /proc with these names, whose owners they are; None for one that has just ended."""

    def __init__(self, owners: dict[str, int | None]) -> None:
        self.owners = owners

    def iterdir(self) -> list[Any]:
        return [
            SimpleNamespace(name=name, stat=lambda owner=owner: self._stat(owner))
            for name, owner in self.owners.items()
        ]

    def _stat(self, owner: int | None) -> Any:
        if owner is None:
            raise FileNotFoundError(2, "No such file or directory")
        return SimpleNamespace(st_uid=owner)


def test_the_first_number_is_taken_that_has_no_box_and_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(60_600, 60_601)
    living = Processes({"self": 60_603, "7": None, "8": 0, "9": 60_602, "10": 60_604})
    monkeypatch.setattr(poolusers, "socket", names)
    monkeypatch.setattr(poolusers, "Path", {"/proc": living}.__getitem__)
    user = poolusers.take()
    assert user.uid == 60_603
    assert names.tried == [f"\0harness-pool-{uid}" for uid in range(60_600, 60_604)]
    assert names.open == 1  # the number's own; those that were not free are let go
    user.give_back()
    assert names.open == 0


def test_when_all_are_taken_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = range(60_600, 60_728)
    names = Names(*numbers)
    monkeypatch.setattr(poolusers, "socket", names)
    with pytest.raises(SandboxFailed, match="all 128 pool users of the boxes are in use"):
        poolusers.take()
    assert names.tried == [f"\0harness-pool-{uid}" for uid in numbers]
    assert names.open == 0


@pytest.mark.parametrize(
    ("kind", "mode", "mend"),
    [
        ("folder", 0o705, ""),
        ("folder", 0o774, "rX"),
        ("folder", 0o771, "rX"),
        ("folder", 0o776, "rX"),
        ("file", 0o604, ""),
        ("file", 0o773, "r"),
    ],
)
def test_others_must_be_able_to_read_a_file_and_to_enter_a_folder(
    tmp_path: Path, kind: str, mode: int, mend: str
) -> None:
    path = tmp_path / "shown"
    path.mkdir() if kind == "folder" else path.touch()
    path.chmod(mode)
    if mend:
        with pytest.raises(SandboxFailed) as caught:
            poolusers.require_readable(["/usr", str(path)])
        assert str(caught.value).startswith(f"{path} cannot be read by other users")
        assert str(caught.value).endswith(f"chmod -R o+{mend} {path}")
    else:
        poolusers.require_readable([str(path)])
