"""Pairs of workers at a level, as a round would start them: one leaves words, the other looks for them."""

from __future__ import annotations

import contextlib
import json
import math
import random
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.instances import BlobSpec, Request
from harness.isolation.base import Level
from harness.trials import session
from harness.trials.watch import Limits
from tests.hostility.channels import chance

CARRIERS = Path(__file__).with_name("carriers")
# How two workers can stand to each other, and what that is in an assessment.
RELATIONS = {
    "stage": "one after the other in one box: stages and pairs of a submission",
    "submission": "one after the other in two boxes: two submissions",
    "beside": "both alive, in two boxes: submissions that are scored at once, or a pair",
}
LIMITS = Limits(6 << 30, 4096, 120.0, {"do": 120.0})
WORD = 64
# Pairs for an object that holds one bit: as few as can tell it from chance among all objects, and some to spare.
_SINGLE = 22
_ANSWER = 16 << 20
Words = dict[str, Any]


@dataclass(frozen=True)
class Thing:
    """An object, as the workers know it: bits that a pair can pass by it, and the system calls that it tries."""

    name: str
    bits: int
    calls: tuple[str, ...]
    alive: bool
    alone: bool


@dataclass
class Found:
    """What arrived by one object in one relation: symbols sent and received, in order; why none was sent."""

    thing: Thing
    relation: str
    sent: list[int] = field(default_factory=list)
    received: list[Any] = field(default_factory=list)
    refused: str = ""

    @property
    def pairs(self) -> int:
        """Pairs of workers that tried."""
        return len(self.sent)

    @property
    def right(self) -> int:
        """Symbols that arrived as they were sent."""
        return sum(a == b for a, b in zip(self.sent, self.received, strict=True))

    @property
    def right_bits(self) -> int:
        """Bits that arrived as they were sent; none of a symbol that is no number of so many bits."""
        bits = self.thing.bits
        fit = [
            (a, b)
            for a, b in zip(self.sent, self.received, strict=True)
            if isinstance(b, int) and 0 <= b < 1 << bits
        ]
        return sum(bits - (a ^ b).bit_count() for a, b in fit)

    @property
    def arrives(self) -> bool:
        """Whether more symbols, or more bits, arrived than by chance (`chance.LEVEL`, over all that is tried)."""
        bits = self.thing.bits
        return chance.above(self.right, self.pairs, bits) or chance.above(
            self.right_bits, self.pairs * bits, 1
        )

    @property
    def bits_a_pair(self) -> float:
        """Bits that a pair passes at this rate of errors; 0 where nothing arrives above chance."""
        if not self.arrives:
            return 0.0
        bits = self.thing.bits
        each = max(0.5, self.right_bits / (self.pairs * bits))
        return max(chance.bits(self.right, self.pairs, bits), bits * chance.bits(each, 1, 1))

    @property
    def word(self) -> tuple[str, str]:
        """The last 64 bits sent, and those received."""
        return _hex(self.sent, self.thing.bits), _hex(self.received, self.thing.bits)


def _hex(symbols: Sequence[Any], bits: int) -> str:
    number = 0
    for symbol in symbols[: max(1, WORD // bits)]:
        number = number << bits | (symbol if isinstance(symbol, int) and 0 <= symbol < 1 << bits else 0)
    return f"{number:016x}"


class Hunt:
    """One level and two folders of carriers, which stand for two submissions; `close` ends every box."""

    def __init__(self, level: Level) -> None:
        self.level = level
        self.top = Path(tempfile.mkdtemp(prefix="harness-hunt-"))
        self.top.chmod(0o755)
        self._number = 0
        (self.top / "contract.py").write_text("class Contract:\n    def do(self, what): ...\n")
        self.folders = [self._folder(), self._folder()]

    def _folder(self) -> Path:
        self._number += 1
        folder = self.top / f"submission-{self._number}"
        shutil.copytree(CARRIERS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        return folder

    def close(self) -> None:
        """Ends every box, and removes the folders."""
        self.level.close()
        shutil.rmtree(self.top, ignore_errors=True)

    @contextlib.contextmanager
    def worker(self, folder: Path) -> Iterator[session.Session]:
        """One worker of a submission, which has constructed it."""
        seat = session.WorkerSpec(
            submission=folder,
            contract=self.top / "contract.py",
            models={},
            device="cpu",
            threads=1,
            seed=7,
            limits=LIMITS,
        )
        worker = session.start(self.level, seat, "main")
        try:
            yield worker
        finally:
            worker.close()

    def pair(self, relation: str, sends: Sequence[Words], receives: Sequence[Words]) -> list[Any]:
        """What the second worker answers, each in turn; the first is told `sends` in between, or before.

        The first of `receives` is what the second hears before anything is sent, where it is alive then. The
        last of the answers is the first worker's to the last of `sends`.
        """
        if relation == "submission":  # each in a box of its own, which is gone before the next is made
            for folder in self.folders:
                shutil.rmtree(folder, ignore_errors=True)
            self.folders = []
        self.folders += [self._folder() for _ in range(2 - len(self.folders))]
        one, two = self.folders if relation != "stage" else self.folders[:1] * 2
        if relation == "beside":
            with self.worker(one) as sender, self.worker(two) as receiver:
                first = ask(receiver, receives[0])
                said = [ask(sender, words) for words in sends]
                return [first, *(ask(receiver, words) for words in receives[1:]), said[-1]]
        with self.worker(one) as sender:
            said = [ask(sender, words) for words in sends]
        if relation == "submission":
            shutil.rmtree(one)  # its box ends with the next launch
            self.folders = [two]
        with self.worker(two) as receiver:
            return [None, *(ask(receiver, words) for words in receives[1:]), said[-1]]

    def things(self) -> list[Thing]:
        """The table of objects, as a worker has it."""
        with self.worker(self.folders[0]) as worker:
            told = ask(worker, {"do": "objects"})
        return [Thing(o["name"], o["bits"], tuple(o["calls"]), o["alive"], o["alone"]) for o in told]

    def try_words(self, things: Collection[Thing], relation: str, rng: random.Random) -> Iterator[Found]:
        """Sends a 64-bit word by each of some objects, in as many pairs as that needs, or a bit by each of some pairs.

        Objects that do not change each other go together.
        """
        founds = [Found(thing, relation) for thing in things]
        together = [found for found in founds if not found.thing.alone]
        for group in [together, *([found] for found in founds if found.thing.alone)]:
            due = list(group)
            while due:
                self._exchange(due, relation, rng)
                due = [found for found in due if _goes_on(found)]
            yield from group

    def _exchange(self, due: Sequence[Found], relation: str, rng: random.Random) -> None:
        words = {found.thing.name: rng.getrandbits(found.thing.bits) for found in due}
        names = list(words)
        told = self.pair(
            relation,
            [{"do": "send", "words": words}],
            [{"do": "ready", "names": names}, {"do": "receive", "names": names}],
        )
        for found in due:
            name = found.thing.name
            found.sent.append(words[name])
            found.received.append(told[1][name])
            reasons = [
                part[name] for part in (told[-1], told[0] or {}, told[1]) if isinstance(part.get(name), str)
            ]
            found.refused = reasons[0] if reasons else found.refused


def _goes_on(found: Found) -> bool:
    """Whether more pairs could still tell something: what carried nothing of a few symbols is let go."""
    bits, pairs = found.thing.bits, found.pairs
    if found.refused and pairs >= 2 and not found.right:
        return False
    few = 8 if bits == 1 else 4
    if pairs >= few and not chance.above(found.right, pairs, bits, 0.05):
        return False
    return pairs < (_SINGLE if bits == 1 else math.ceil(WORD / bits))


def ask(worker: session.Session, words: Mapping[str, Any]) -> Any:
    """A worker's answer."""
    request = Request("x", "do", {}, BlobSpec(_ANSWER))
    answer, _ = worker.call(request, {"what": json.dumps(words)})
    assert isinstance(answer, bytes)
    return json.loads(answer)
