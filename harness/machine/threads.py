"""What the kernel counts of processes, thread by thread: time on a core, time in line for one, preemptions.

Waiting is per thread and ends with its thread, so what one did after the last reading before its end is
missed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Spent:
    """What one thread has had: nanoseconds on a core, nanoseconds runnable without one, preemptions."""

    cpu: int = 0
    wait: int = 0
    switches: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.cpu + other.cpu, self.wait + other.wait, self.switches + other.switches)

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.cpu - other.cpu, self.wait - other.wait, self.switches - other.switches)


WORKED = 0.1  # of the busiest thread's time in a turn


@dataclass(kw_only=True)
class Threads:
    """What the threads of some processes and their children had since the first reading."""

    root: Path
    first: dict[tuple[int, str], Spent] = field(default_factory=dict)
    last: dict[tuple[int, str], Spent] = field(default_factory=dict)
    banked: Spent = Spent()
    turned: Spent | None = None
    opened: bool = False

    def look(self, pids: Iterable[int]) -> dict[tuple[int, str], Spent]:
        """What each thread has had by now."""
        looked = ((pid, thread) for pid, threads in _walk(pids, self.root) for thread in threads)
        readings = {key: _spent(f"{self.root}/proc/{key[0]}/task/{key[1]}") for key in looked}
        return {key: spent for key, spent in readings.items() if spent is not None}

    def add_turn(self, before: dict[tuple[int, str], Spent], after: dict[tuple[int, str], Spent]) -> None:
        """Counts what was had between two looks.

        Only the threads that worked are asked how long they waited: a resumed process wakes its idle
        ones too, and those wait for a core behind the one that has the work (measured: 4 ms of a call of
        13 ms, for 10 microseconds each), which delays no work.
        """
        deltas = []
        for key, spent in after.items():
            had = before.get(key, Spent())
            deltas.append(spent if spent.cpu < had.cpu else spent - had)  # the number of a new thread
        most = max((delta.cpu for delta in deltas), default=0)
        for delta in deltas:
            worked = delta.cpu >= WORKED * most
            self.turned = (self.turned or Spent()) + (delta if worked else Spent(delta.cpu))

    def read(self, pids: Iterable[int]) -> None:
        """Takes a reading. What is there the first time counts from then on, later threads from birth."""
        for pid, threads in _walk(pids, self.root):
            for thread in threads:
                spent = _spent(f"{self.root}/proc/{pid}/task/{thread}")
                if spent is not None:
                    self._keep((pid, thread), spent)
        self.opened = True

    def _keep(self, key: tuple[int, str], spent: Spent) -> None:
        before = self.last.get(key)
        if before is None:
            self.first[key] = Spent() if self.opened else spent
        elif spent.cpu < before.cpu:  # the number went to a new thread
            self.banked += before - self.first[key]
            self.first[key] = Spent()
        self.last[key] = spent

    def total(self) -> Spent | None:
        """The sum over all threads that were ever read, or None when none was."""
        if not self.last:
            return None
        return sum((last - self.first[key] for key, last in self.last.items()), self.banked)


def tree(pids: Iterable[int], root: Path = Path("/")) -> list[int]:
    """`pids` and all their living descendants, under a /proc that may be a test's."""
    return [pid for pid, _ in _walk(pids, root)]


def _walk(pids: Iterable[int], root: Path) -> Iterator[tuple[int, list[str]]]:
    """Each of `pids` and their living descendants, with its threads. Done twice a turn: no pathlib here."""
    seen, queue = set(), list(pids)
    while queue:
        pid = queue.pop(0)
        folder = f"{root}/proc/{pid}/task"
        try:
            threads = os.listdir(folder)
        except OSError:
            continue
        if pid in seen:
            continue
        seen.add(pid)
        yield pid, threads
        for thread in threads:
            queue += [int(child) for child in _text(f"{folder}/{thread}/children").split()]


def _spent(folder: str) -> Spent | None:
    """What the thread of `folder` has had; None where the kernel does not tell."""
    words = _text(f"{folder}/schedstat").split()
    # A kernel that does not keep these prints zeros; no thread has lived for no time at all.
    if len(words) < 2 or words[0] == "0":
        return None
    switches = _text(f"{folder}/status").partition("\nnonvoluntary_ctxt_switches:")[2].split()
    return Spent(int(words[0]), int(words[1]), int(switches[0]) if switches else 0)


def _text(file: str) -> str:
    with contextlib.suppress(OSError), open(file, errors="replace", newline="\n") as opened:
        return opened.read()
    return ""


def count(pids: Iterable[int]) -> int:
    """How many threads these processes have; one that has ended, or that cannot be read, has none."""
    found = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            found += len(os.listdir(f"/proc/{pid}/task"))
    return found
