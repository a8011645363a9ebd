"""Power cuts at every moment of a recorded run: what is found afterwards must hold all that was acknowledged."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.digests import of_bytes
from tests.crash.disk import Disk, State, laid_out
from tests.crash.told import Ack, lost
from tests.crash.trace import Op, recorded

VARIANTS = {
    "own": "the store as it is",
    "often": "the store as it is, its log emptied often",
    "real": "a whole run of two instances, as it is",
    "normal": "synchronous=NORMAL",
    "off": "synchronous=OFF",
    "no-folder": "no flush of folders",
    "no-flush": "artefacts not flushed",
}
SOUND = ("own", "often", "real")


@dataclass
class Found:
    """What the power cuts of one recording showed."""

    variant: str
    steps: int = 0
    acks: int = 0
    states: int = 0
    losing: int = 0
    damaged: int = 0
    worst: int = 0
    examples: list[str] = field(default_factory=list)


def tried(variant: str, most: int, draws: int, seed: int = 0) -> Found:
    """Records one run and tries at most `most` different states of the disk, spread over all of it."""
    with tempfile.TemporaryDirectory(prefix="crash-", dir=_memory()) as top:
        folder, scratch = Path(top) / "home", Path(top) / "scratch"
        scratch.mkdir()
        ops = recorded(folder, variant, scratch)
        return _tried(variant, ops, (most, draws), random.Random(seed), Path(top) / "found")


def _tried(variant: str, ops: Sequence[Op], much: tuple[int, int], chance: random.Random, at: Path) -> Found:
    most, draws = much
    found = Found(variant, len(ops), sum(op.kind == "ack" for op in ops))
    # Where something may go wrong: at every step if there is time, else at flushes and acknowledgements first.
    draws = max(draws, most // len(ops) - 4)
    moments = list(range(len(ops)))
    if len(moments) * (draws + 4) > most:
        telling = [i for i in moments if ops[i].kind in ("ack", "sync", "rename")]
        rest = chance.sample(moments, len(moments))
        moments = sorted(set((chance.sample(telling, len(telling)) + rest)[: max(1, most // (draws + 4))]))
    disk, acks, seen = Disk(), [], set()
    wanted = set(moments)
    for number, op in enumerate(ops):
        if op.kind == "ack":
            assert op.ack is not None
            acks.append(op.ack)
        else:
            disk.apply(op)
        if number not in wanted:
            continue
        for state in disk.states(chance, draws):
            key = (len(acks), _digest(state))
            if key not in seen:
                seen.add(key)
                _one(found, state, acks, at)
    return found


def _one(found: Found, state: State, acks: Sequence[Ack], at: Path) -> None:
    laid_out(state, at)
    missing = lost(at, acks)
    shutil.rmtree(at)
    found.states += 1
    if missing:
        found.losing += 1
        found.worst = max(found.worst, len(missing))
        found.damaged += any("damaged" in words or "names" in words for words in missing)
        found.examples = (found.examples + missing)[:5]


def _digest(state: State) -> str:
    return of_bytes(b"".join(p.encode() + b"\0" + (c if c is not None else b"/") for p, c in state.items()))


def _memory() -> str | None:
    """A folder in memory, where there is one: real flushes would be waited for."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
