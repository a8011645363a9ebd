"""What was ever found to carry a word, and what still does, as docs/security.md says; and what CI tries of the rest."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256

_ALL = frozenset({"stage", "submission", "beside"})
_BESIDE = frozenset({"beside"})
# Objects that carried once, and the relations in which they still may.
EVER: dict[str, frozenset[str]] = {
    "inode numbers of pipes": _ALL,
    "inode numbers of sockets": _ALL,
    "inode numbers of memory without a file": _ALL,
    "numbers of groups of the scheduler": _ALL,
    "when a worker ends": _ALL,
    "load of the machine, by sysinfo": _ALL,
    "free memory, by sysinfo": _BESIDE,
    "number of tasks, by sysinfo": _BESIDE,
    "number of processes, by the links of /proc": _BESIDE,
    "the time of a core": _BESIDE,
    "whole-file locks of shared files": _BESIDE,
    "locks of ranges of a shared file": _BESIDE,
    "locks of ranges by descriptor": _BESIDE,
    "waiters at an address of a shared file": _BESIDE,
    "how many map a page, by page map": _BESIDE,
    "how many map a page, by smaps": _BESIDE,
    # Closed since.
    "cookies of sockets": frozenset(),
    "inode numbers of processes, by clone": frozenset(),
    "inode numbers of processes, by socket": frozenset(),
    "the times of a device": frozenset(),
    "free space of another's memory disk": frozenset(),
    "the kernel's count of asynchronous reads": frozenset(),
    "the kernel's count of terminals": frozenset(),
    "notices of shared files": frozenset(),
    "notices of shared folders": frozenset(),
}
# Where what its user may hold is shared: if the harness is not root, all boxes are of one user.
OF_A_USER = frozenset(
    {"what its user may hold in pipes", "what its user may queue of signals", "leases of shared files"}
)
# What the sweep found to tell whether another had worked, and in which relations it may.
TOLD: dict[str, frozenset[str]] = {
    # Inode numbers of its pipes and sockets.
    "numbers of what it makes": _ALL,
    "stat()": _ALL,
    **{f"/proc/self/fdinfo/{number}": _ALL for number in range(1, 10)},
    "/proc/self/numa_maps": _BESIDE,  # how many map a page
    "sysinfo()": _BESIDE,
    "loops in 50 ms": _BESIDE,
    "/proc/self/schedstat": _BESIDE,
}
# What others who run on the machine hide, and a quiet one would show.
OF_A_QUIET_MACHINE = frozenset(
    {"load of the machine, by sysinfo", "the time of a core", "free memory, by sysinfo"}
)
# So many of the others are tried for each commit.
DRAWN = 8


def may_carry(name: str, relation: str, root: bool) -> bool:
    """Whether the docs say that something may arrive by this object in this relation."""
    return relation in EVER.get(name, ()) or (not root and name in OF_A_USER and relation == "beside")


def chosen(names: Collection[str], commit: str) -> list[str]:
    """All that ever carried, and `DRAWN` of the others by the commit's hash; the same for the same commit."""
    others = sorted(set(names) - EVER.keys(), key=lambda name: _drawn(commit, name))
    return sorted([*(name for name in names if name in EVER), *others[:DRAWN]])


def _drawn(*words: str) -> str:
    return sha256("\0".join(words).encode()).hexdigest()
