"""What an attack left on the machine under its mark: files, shared memory, queues, sockets. Found, and removed."""

from __future__ import annotations

import contextlib
import ctypes
import shutil
import tempfile
import zlib
from pathlib import Path

_FOLDERS = ("/dev/shm", "/dev/mqueue", "/var/tmp", tempfile.gettempdir())
_REMOVE = 0  # IPC_RMID
_libc = ctypes.CDLL(None, use_errno=True)


def key_of(marker: str) -> int:
    """The number under which System V memory and queues of a mark are kept."""
    return zlib.crc32(marker.encode()) & 0x7FFFFFFF


def sweep(marker: str) -> list[str]:
    """Names of what is there under the mark; none of it is there afterwards, but for sockets."""
    found = []
    for folder in map(Path, _FOLDERS):
        for path in folder.glob(f"*{marker}*") if folder.is_dir() else ():
            found.append(str(path))
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    for kind, remove in (("shm", _libc.shmctl), ("msg", _libc.msgctl), ("sem", _libc.semctl)):
        for number in [int(row[1]) for row in rows(kind) if int(row[0]) == key_of(marker)]:
            found.append(f"System V {kind}")
            remove(number, 0, _REMOVE, 0) if kind == "sem" else remove(number, _REMOVE, None)
    if _libc.mq_unlink(f"/{marker}".encode()) == 0:
        found.append("a message queue")
    with contextlib.suppress(OSError):
        if marker in Path("/proc/net/unix").read_text():
            found.append("a listening socket")
    return found


def rows(kind: str) -> list[list[str]]:
    """The kernel's list of System V objects of a kind: each with its key and its number first."""
    with contextlib.suppress(OSError):
        return [line.split() for line in Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:]]
    return []


def entries(folder: Path) -> list[str]:
    """What lies in the harness's own folder for temporary files."""
    return sorted(path.name for path in folder.iterdir())
