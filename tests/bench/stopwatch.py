"""Where a run's wall time goes: the harness's own functions, each counted without those it calls.

Wraps them for the time of one run; nothing in the harness knows of it.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from harness.runs import evaluate, runner
from harness.store.results import Store
from harness.trials.pair import Pair
from harness.trials.participant import Participant
from harness.trials.round import Round
from harness.trials.session import Session

# What is wrapped: where it stands, its name, and what its time is called on the page.
WRAPPED: tuple[tuple[Any, str, str], ...] = (
    (runner, "prepare", "preparing the instance"),
    (Round, "_single", "the stage before (learn)"),
    (Round, "_alone", "references needed for their answers only"),
    (Round, "_memory", "memory pass"),
    (Pair, "_begin", "loading"),
    (Participant, "start", "starting workers (interpreter, numpy, submission)"),
    (Participant, "close", "ending workers"),
    (Pair, "_warm", "warm-up"),
    (Pair, "_alone", "audit probes (reference alone, inputs again)"),
    (Pair, "_repeat", "audit probes (reference alone, inputs again)"),
    (Pair, "_metered", "timed part: turns (pausing, resuming, metering)"),
    (Participant, "ping", "timed part: empty requests for the floor"),
    (evaluate, "settled", "judging and storing"),
    (runner, "is_settled", "judging and storing"),
    (runner, "judge_round", "judging and storing"),
    (Store, "keep", "judging and storing"),
    (Store, "keep_answers", "judging and storing"),
    (Store, "measured", "judging and storing"),
    (Store, "scored", "judging and storing"),
    (Store, "claim", "judging and storing"),
)
TIMED = "timed part: the calls themselves"
PARENTS_OF_CALLS = "timed part: turns (pausing, resuming, metering)"
REST = "the rest"


@dataclass
class Stopwatch:
    """Seconds by name, each without those of the functions called from it."""

    seconds: dict[str, float] = field(default_factory=dict)
    _open: list[tuple[str, float]] = field(default_factory=list)

    def enter(self, name: str) -> None:
        """From now on time goes to `name`."""
        self._settle()
        self._open.append((name, time.perf_counter()))

    def leave(self) -> None:
        """Time goes to whoever called again."""
        self._settle()
        self._open.pop()
        if self._open:
            self._open[-1] = (self._open[-1][0], time.perf_counter())

    def _settle(self) -> None:
        if self._open:
            name, since = self._open[-1]
            now = time.perf_counter()
            self.seconds[name] = self.seconds.get(name, 0.0) + now - since
            self._open[-1] = (name, now)

    def timed_now(self) -> bool:
        """Whether the innermost open name is the timed part's."""
        return bool(self._open) and self._open[-1][0] == PARENTS_OF_CALLS

    @contextlib.contextmanager
    def running(self) -> Generator[None]:
        """Wraps everything meanwhile."""
        with contextlib.ExitStack() as stack:
            for place, name, words in WRAPPED:
                stack.enter_context(
                    mock.patch.object(place, name, self._wrapped(getattr(place, name), words))
                )
            call = Session.exchange
            stack.enter_context(mock.patch.object(Session, "exchange", self._called(call)))
            self.enter(REST)
            try:
                yield
            finally:
                self.leave()

    def _wrapped(self, function: Callable[..., Any], words: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*given: Any, **named: Any) -> Any:
            self.enter(words)
            try:
                return function(*given, **named)
            finally:
                self.leave()

        return wrapped

    def _called(self, function: Callable[..., Any]) -> Callable[..., Any]:
        # One exchange with a worker is a call of the timed part only when nothing else is open in it.
        @functools.wraps(function)
        def wrapped(*given: Any, **named: Any) -> Any:
            if not self.timed_now():
                return function(*given, **named)
            self.enter(TIMED)
            try:
                return function(*given, **named)
            finally:
                self.leave()

        return wrapped
