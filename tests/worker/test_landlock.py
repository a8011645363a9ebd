"""Which rights to files are given up for each version of the kernel's interface, and which remain."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.worker import landlock
from harness.worker.landlock import OWN, READ, USE, Rules, Unconfined

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Landlock is Linux's")
# In the order of their bits (linux/landlock.h).
RIGHTS = [
    *("execute", "write_file", "read_file", "read_dir", "remove_dir", "remove_file", "make_char", "make_dir"),
    *("make_reg", "make_sock", "make_fifo", "make_block", "make_sym", "refer", "truncate", "ioctl_dev"),
]
OF_A_FILE = {"execute", "write_file", "read_file", "truncate", "ioctl_dev"}
# Version: how many rights it knows, to ports (both), to what lies outside (both), bytes of its struct.
VERSIONS = {
    1: (13, 0, 0, 8),
    2: (14, 0, 0, 8),
    3: (15, 0, 0, 8),
    4: (15, 3, 0, 16),
    5: (16, 3, 0, 16),
    6: (16, 3, 3, 24),
    7: (16, 3, 3, 24),
    99: (16, 3, 3, 24),
}


def rights(*names: str) -> int:
    return sum(1 << RIGHTS.index(name) for name in names)


class Kernel:
    """Stands for a kernel with one version of the interface; refuses what it is told to refuse."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, version: int) -> None:
        self.version = version
        self.created: list[tuple[int, ...]] = []
        self.rules: list[tuple[str, int]] = []
        self.restricted: list[int] = []
        self.refuses: set[int] = set()
        self.fd = -1
        plays = SimpleNamespace(
            CDLL=lambda name, use_errno=False: SimpleNamespace(syscall=self.syscall),
            c_long=ctypes.c_long,
            get_errno=lambda: errno.EPERM,
        )
        monkeypatch.setattr(landlock, "ctypes", plays)

    def syscall(self, number: Any, *arguments: Any) -> int:
        plain = [a.value if isinstance(a, ctypes.c_long) else a for a in (number, *arguments)]
        if plain[0] in self.refuses:
            return -1
        if plain == [444, None, 0, 1]:
            return self.version
        if plain[0] == 444:
            _, words, size, flags = plain
            assert (len(words), flags) == (size, 0)
            self.created.append(struct.unpack(f"<{size // 8}Q", words))
            self.fd = os.open(os.devnull, os.O_RDONLY)
            return self.fd
        if plain[0] == 445:
            _, fd, kind, words, flags = plain
            allowed, target = struct.unpack("<Qi", words)
            assert (fd, kind, flags) == (self.fd, 1, 0)
            self.rules.append((os.readlink(f"/proc/self/fd/{target}"), allowed))
            return 0
        assert plain == [446, self.fd, 0]
        self.restricted.append(self.fd)
        return 0


def is_open(fd: int) -> bool:
    with contextlib.suppress(OSError):
        return bool(os.fstat(fd))
    return False


@pytest.mark.parametrize("version", VERSIONS)
def test_all_that_a_version_knows_is_given_up(monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    kernel = Kernel(monkeypatch, version)
    known, ports, outside, size = VERSIONS[version]
    assert landlock.version() == version
    rules = Rules()
    rules.allow([], READ)
    rules.restrict()
    assert kernel.created == [((1 << known) - 1, ports, outside)[: size // 8]]
    assert kernel.restricted == [kernel.fd]
    assert not is_open(kernel.fd)


@pytest.mark.parametrize("version", [-1, 0])
def test_a_kernel_without_it_confines_nobody(monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    Kernel(monkeypatch, version)
    assert landlock.version() == 0
    with pytest.raises(Unconfined, match="the kernel has no Landlock"):
        Rules()


@pytest.mark.parametrize(
    ("kind", "folder"),
    [
        (READ, {"execute", "read_file", "read_dir"}),
        (USE, {"read_file", "write_file", "truncate", "ioctl_dev"}),
        (OWN, set(RIGHTS) - {"make_char", "make_block"}),
    ],
)
def test_a_path_keeps_the_rights_of_its_kind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: int, folder: set[str]
) -> None:
    kernel = Kernel(monkeypatch, 7)
    file = tmp_path / "file"
    file.write_text("")
    rules = Rules()
    before = os.listdir("/proc/self/fd")
    rules.allow([str(tmp_path), str(file)], kind)
    assert os.listdir("/proc/self/fd") == before
    rules.restrict()
    assert kernel.rules == [(str(tmp_path), rights(*folder)), (str(file), rights(*(folder & OF_A_FILE)))]


def test_rights_that_the_kernel_does_not_know_are_not_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kernel = Kernel(monkeypatch, 1)
    rules = Rules()
    rules.allow([str(tmp_path)], OWN)
    rules.restrict()
    new = {"refer", "truncate", "ioctl_dev", "make_char", "make_block"}
    assert kernel.rules == [(str(tmp_path), rights(*(set(RIGHTS) - new)))]


def test_a_path_that_is_needed_and_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kernel = Kernel(monkeypatch, 7)
    rules = Rules()
    with pytest.raises(Unconfined, match=r"missing, which a worker needs, cannot be opened \(No such file"):
        rules.allow([str(tmp_path / "missing")], READ)
    os.close(kernel.fd)


@pytest.mark.parametrize(
    ("number", "doing"), [(444, "the kernel has no"), (445, "allowing /: "), (446, "restricting itself: ")]
)
def test_what_the_kernel_refuses_is_an_error(
    monkeypatch: pytest.MonkeyPatch, number: int, doing: str
) -> None:
    kernel = Kernel(monkeypatch, 7)
    kernel.refuses = {number}

    def confined() -> None:
        rules = Rules()
        rules.allow(["/"], READ)
        rules.restrict()

    with pytest.raises(Unconfined, match=doing):
        confined()
    if kernel.fd >= 0:
        os.close(kernel.fd)


@pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
def test_the_kernels_own_reason_is_told() -> None:
    ctypes.set_errno(0)
    rules = Rules()
    os.close(rules.fd)
    rules.fd = -1
    # Which of the two depends on whether this process had the right to restrict itself.
    with pytest.raises(Unconfined, match=r"(Bad file descriptor|Operation not permitted)$"):
        rules.restrict()
