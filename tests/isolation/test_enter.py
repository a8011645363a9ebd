"""How a box is entered by root: which mounts are made, and who runs what in the end; nothing of it is done here."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.isolation.box import enter

# As <linux/sched.h>, <linux/mount.h> and <linux/prctl.h> have them.
CLONE_NEWNS = 0x00020000
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG = 1


class Kernel:
    """Notes what is asked of it, in turn; the calls in `refused` fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.refused: tuple[Any, ...] = ()
        for name in ("setgroups", "setresgid", "setresuid", "chdir", "execv"):
            monkeypatch.setattr(os, name, lambda *words, name=name: self.calls.append((name, *words)))
        monkeypatch.setattr(resource, "setrlimit", lambda *words: self.calls.append(("setrlimit", *words)))
        monkeypatch.setattr(ctypes, "CDLL", self.library)

    def library(self, name: None, use_errno: bool) -> Kernel:
        assert use_errno  # else the reason of a refusal would be lost
        return self

    def unshare(self, what: int) -> int:
        return self._called("unshare", what)

    def mount(self, source: Any, target: Any, kind: Any, flags: ctypes.c_ulong, data: Any) -> int:
        return self._called("mount", source, target, kind, flags.value, data)

    def prctl(self, *words: int) -> int:
        return self._called("prctl", *words)

    def _called(self, *words: Any) -> int:
        self.calls.append(words)
        if words[: len(self.refused)] == self.refused and self.refused:
            ctypes.set_errno(errno.EPERM)
            return -1
        return 0


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


@pytest.fixture
def words(tmp_path: Path) -> dict[str, Any]:
    """An order that shows a folder and a file of ours."""
    for folder in ("under", "library"):
        (tmp_path / folder).mkdir()
    (tmp_path / "model").touch()
    return {
        "under": str(tmp_path / "under"),
        "binds": [(str(tmp_path / "library"), "0"), (str(tmp_path / "model"), "1")],
        "argv": ["/usr/bin/bwrap", "--args", "5"],
        "pool": 60_600,
    }


def due(words: dict[str, Any]) -> list[tuple[Any, ...]]:
    under = words["under"]
    binds = [
        ("mount", source.encode(), f"{under}/{name}".encode(), None, MS_BIND | MS_REC, None)
        for source, name in words["binds"]
    ]
    return [
        ("unshare", CLONE_NEWNS),
        ("mount", None, b"/", None, MS_REC | MS_PRIVATE, None),
        ("mount", b"tmpfs", under.encode(), b"tmpfs", MS_NOSUID | MS_NODEV, b"mode=0711"),
        *binds,
        ("setrlimit", resource.RLIMIT_CORE, (0, 0)),
        ("setgroups", []),
        ("setresgid", 60_600, 60_600, 60_600),
        ("setresuid", 60_600, 60_600, 60_600),
        ("prctl", PR_SET_PDEATHSIG, 9),
        ("chdir", "/"),
        ("execv", "/usr/bin/bwrap", words["argv"]),
    ]


def test_it_mounts_what_is_shown_then_becomes_the_pool_user_and_then_bwrap(
    kernel: Kernel, words: dict[str, Any]
) -> None:
    enter.main(words)
    assert kernel.calls == due(words)
    folder, file = Path(words["under"], "0"), Path(words["under"], "1")
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o777 == 0o711  # its user may pass through, and not list it
    assert file.is_file()


def test_run_as_a_program_it_reads_its_order_from_a_descriptor(
    kernel: Kernel, words: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.write(writing, json.dumps(words).encode())
    os.close(writing)
    monkeypatch.setattr(sys, "argv", ["enter.py", str(reading)])
    runpy.run_path(enter.__file__, run_name="__main__")
    assert kernel.calls == due(words)
    with pytest.raises(OSError, match="Bad file descriptor"):  # bwrap would inherit it
        os.fstat(reading)


@pytest.mark.parametrize(
    ("refused", "named"),
    [(("unshare",), "a mount namespace"), (("mount", None), "/"), (("mount", b"tmpfs"), "tmpfs")],
)
def test_a_mount_that_is_refused_ends_it_by_name_before_anything_runs(
    kernel: Kernel, words: dict[str, Any], refused: tuple[Any, ...], named: str
) -> None:
    kernel.refused = refused
    with pytest.raises(OSError, match="it could not be mounted") as caught:
        enter.main(words)
    assert (caught.value.errno, caught.value.filename) == (errno.EPERM, named)
    assert kernel.calls[-1][: len(refused)] == refused
