"""Leases on the machine and its GPUs: locks on files that every harness process of the machine shares.

What only needs to be right holds the machine shared; what is timed holds it alone, and its GPU too. The
kernel lets a lock go when its process ends, however it ends. A container with a file system of its own
has locks of its own: run the harness on one side only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError, UsageError
from harness.machine import devices
from harness.machine.temporary import named_folder
from harness.strangers import seen

_SHARED_FOLDER = Path("/run/lock")
POLL_SECONDS = 0.1


def place() -> Path:
    """Where the locks are: $HARNESS_LOCKS, else a folder that all users of the machine share."""
    chosen = named_folder("HARNESS_LOCKS")
    if chosen is not None:
        try:
            chosen.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"HARNESS_LOCKS is {chosen}, which cannot be made: {error.strerror}; set it to another folder"
            ) from error
        return chosen
    return _SHARED_FOLDER if os.access(_SHARED_FOLDER, os.W_OK) else Path(tempfile.gettempdir())


@contextmanager
def machine(
    alone: bool, note: Callable[[str], object] = lambda text: None, what: str = ""
) -> Generator[None]:
    """Holds the machine: alone for what is timed, else beside others that need only to be right.

    While it waits, `note` is called once, with a sentence that says which process holds it.
    """
    with _held("machine", alone, note, what):
        yield


@contextmanager
def gpu(index: int, note: Callable[[str], object] = lambda text: None, what: str = "") -> Generator[None]:
    """Holds one GPU alone, by its NVML index."""
    with _held(f"gpu-{index}", True, note, what):
        yield


@contextmanager
def instances(digest: str, note: Callable[[str], object] = lambda text: None) -> Generator[None]:
    """Holds instances, by a digest, as the only process of the machine; taken after the machine, never before it.

    Two submissions that are alive at once could tell each other the answers. It is a lock on one byte of a file, as
    the digest says which: it holds for this process as a whole. While it waits, `note` is called once.
    """
    waits = "waiting for another command here that measures the same instances, so that no two submissions on them meet"
    file = _opened(place() / "ml-skills-harness-instances.lock")
    try:
        byte = int(digest[:15], 16)
        _wait(lambda: fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte), lambda: note(waits))
        yield
    finally:
        os.close(file)


@contextmanager
def measuring(
    timed: bool, device: str, note: Callable[[str], object] = lambda text: None, what: str = ""
) -> Generator[None]:
    """Holds what scoring needs: the machine, alone where a clock decides (`timed`) or on a GPU; and the GPU."""
    with machine(timed or device != "cpu", note, what):
        if device != "cuda":
            yield
            return
        with gpu(devices.index(), note, what):
            yield


@contextmanager
def _held(name: str, alone: bool, note: Callable[[str], object], what: str) -> Generator[None]:
    file = _opened(place() / f"ml-skills-harness-{name}.lock")
    try:
        how = (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB
        _wait(
            lambda: fcntl.flock(file, how), lambda: note(f"waiting for the {_thing(name)}: {_holder(file)}")
        )
        if alone:
            _sign(file, f"process {os.getpid()} measures{f' {what}' if what else ''}")
        yield
        if alone:
            _sign(file, "")
    finally:
        os.close(file)


def _thing(name: str) -> str:
    return name.replace("gpu-", "GPU ")


def _holder(file: int) -> str:
    return _signed(file) or "another harness process is using it"


def _wait(take: Callable[[], object], waits: Callable[[], object]) -> None:
    noted = False
    while True:
        try:
            take()
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise HarnessError(f"this machine's lock cannot be taken: {error.strerror}") from error
        if not noted:
            noted = True
            waits()
        time.sleep(POLL_SECONDS)


def _opened(path: Path) -> int:
    """The lock's file, made if need be; never what a link points at, and never anything but a plain file."""
    plain = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        try:
            file = os.open(path, plain)  # without O_CREAT: in a sticky folder it would refuse another's file
        except FileNotFoundError:
            try:
                file = os.open(path, plain | os.O_CREAT | os.O_EXCL, 0o666)
                os.fchmod(file, 0o666)  # whatever the umask: other users take the same lock
            except FileExistsError:
                file = os.open(path, plain)
    except OSError as error:
        raise HarnessError(
            f"the lock {path} cannot be opened: {error.strerror}; set HARNESS_LOCKS to a folder that every "
            "user of the harness on this machine may write to"
        ) from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise HarnessError(f"{path} is no plain file; remove it, or set HARNESS_LOCKS to another folder")
    return file


def _sign(file: int, text: str) -> None:
    with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
        os.ftruncate(file, 0)
        os.pwrite(file, text.encode()[:200], 0)


def _signed(file: int) -> str:
    with contextlib.suppress(OSError):
        text = os.pread(file, 200, 0).decode("utf-8", "replace")
        return " ".join(seen(text).split())
    return ""
