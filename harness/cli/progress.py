"""Progress for people: a live bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.table import Table as Grid
from rich.text import Text

from harness import strangers

if TYPE_CHECKING:
    from harness.assessment.executors.base import Event, Unit
    from harness.sheets import Cell, Sheet

PLAIN_SECONDS = 10.0
STILL_SECONDS = 30.0


class _Still:
    """Repeats what is going on, with the time, while nothing new is to be said: one call may take many minutes."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line, self._doing = line, ""
        self._last = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="progress", daemon=True)

    def begin(self) -> None:
        """From now on."""
        self._thread.start()

    def end(self) -> None:
        """No line comes after this."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def going_on(self, doing: str, is_new: bool) -> None:
        """What goes on now; `is_new`: a line has just said so."""
        self._doing = doing
        if is_new:
            self._last = time.monotonic()

    def _repeat(self) -> None:
        while not self._over.wait(max(STILL_SECONDS + self._last - time.monotonic(), STILL_SECONDS / 10)):
            if self._doing and time.monotonic() - self._last >= STILL_SECONDS:
                self._line(f"still: {self._doing}")
                self._last = time.monotonic()


class Shown:
    """An observer that writes to standard error, so that standard output holds the result and nothing else."""

    def __init__(self, title: str, quiet: bool = False) -> None:
        self.console = Console(stderr=True)
        self.title = title
        self.quiet = quiet
        self.live: Progress | None = None
        self._last = 0.0
        self._seen: set[tuple[int, str, str]] = set()
        self._began = time.monotonic()
        self._still = _Still(self._write)

    def __enter__(self) -> Self:
        if not self.quiet and not self.console.is_terminal:
            self._still.begin()
        if not self.quiet and self.console.is_terminal:
            kept = Column(no_wrap=True, min_width=7)
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}", table_column=Column(no_wrap=True)),
                BarColumn(bar_width=10),
                MofNCompleteColumn(table_column=kept),
                TimeElapsedColumn(table_column=kept),
                # On a narrow terminal the words are cut, never the count or the clock.
                TextColumn(
                    "[dim]{task.fields[doing]}",
                    table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
                ),
            )
            self.live = Progress(*columns, console=self.console, transient=True, expand=True)
            self.live.start()
            self._bar = self.live.add_task(self.title, total=None, doing="starting")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._still.end()
        if self.live:
            self.live.stop()

    def step(self, trial: int, stage: str, label: str, phase: str, done: int, total: int) -> None:
        """`done` of `total` requests are answered; now `label` serves `phase`."""
        doing = f"waiting for {label}: {phase} ({stage})"
        if self.live:
            name = f"{self.title}, instance {trial + 1}"
            self.live.update(self._bar, description=name, completed=done, total=total, doing=doing)
        else:
            # Phases recur, because workers take turns: only the first time of each gets a line of its own.
            new = (trial, stage, phase) not in self._seen
            self._seen.add((trial, stage, phase))
            self._plain(f"instance {trial + 1}: {done} of {total} requests, {doing}", always=new)

    def note(self, text: str) -> None:
        """Something a person waiting would want to know."""
        if self.live:
            self.live.update(self._bar, doing=escape(_clean(text)))
        else:
            self._plain(text, always=True)

    def _plain(self, text: str, always: bool = False) -> None:
        now = time.monotonic()
        is_new = not self.quiet and (always or now - self._last >= PLAIN_SECONDS)
        if is_new:
            self._last = now
            self._write(text)
        self._still.going_on(text, is_new)

    def _write(self, text: str) -> None:
        sys.stderr.write(f"[{time.monotonic() - self._began:5.0f} s] {self.title}: {_clean(text)}\n")
        sys.stderr.flush()


MOST_ROWS = 40
MOST_NAMED = 4  # units in one line
# A cross is the submission's own fault: what is open, or a fault of ours, has another sign.
_GLYPHS = {"waits": "·", "runs": "▶", "again": "↻", "ok": "✓", "not_attempted": "–", "inconclusive": "?"}
_GLYPHS |= {"sandbox_failed": "!", "harness_error": "!"}


class Table:
    """The table of candidates by tasks as it fills: live on a terminal, one line for each unit elsewhere."""

    def __init__(self, title: str, quiet: bool = False) -> None:
        self.console = Console(stderr=True)
        self.title, self.quiet = title, quiet
        self.words: dict[tuple[str, str], str] = {}
        self.candidates: tuple[str, ...] = ()
        self.tasks: tuple[str, ...] = ()
        self.left: dict[tuple[str, str], Unit] = {}
        self.took: dict[str, list[float]] = {}
        self.count = self.all = 0
        self.caption = ""
        self.disputes: list[str] = []
        self.retried: list[str] = []
        self.live: Live | None = None
        self._began = time.monotonic()
        self._still = _Still(self._write)

    def __enter__(self) -> Self:
        if not self.quiet and not self.console.is_terminal:
            self._still.begin()
        if not self.quiet and self.console.is_terminal:
            self.live = Live(
                get_renderable=self._shown, console=self.console, transient=True, refresh_per_second=2
            )
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._still.end()
        if self.live:
            self.live.stop()

    def begin(self, sheet: Sheet, missing: Sequence[Unit]) -> None:
        """What is known already, and what will be measured."""
        self.candidates = sheet.candidates
        self.tasks = tuple(task.id for task in sheet.assessment.suite.tasks)
        self.words = {(c.candidate, c.task): _word(c.outcome) for c in sheet.cells}
        self.left = {(u.candidate, u.task): u for u in missing}
        self.all = len(missing)
        known = len(sheet.candidates) * len(self.tasks) - self.all
        self.note(f"{self.all} to measure, {known} known already")

    def event(self, unit: Unit, event: Event) -> None:
        """A unit waits, runs, or is tried again: that is said at the end, too, for a submission may have caused it."""
        self.words[unit.candidate, unit.task] = _word(event)
        if event == "again":
            text = f"{unit.candidate} on {unit.task}: what measured it ended by itself, so it was tried once more"
            self.retried.append(text)
            self.note(text)
        self._still.going_on(f"{self.count} of {self.all} measured; {self._running()}", is_new=False)

    def done(self, unit: Unit, cell: Cell, seconds: float) -> None:
        """A unit was scored: its cell replaces its state in the table."""
        self.words[unit.candidate, unit.task] = _word(cell.outcome)
        self.left.pop((unit.candidate, unit.task), None)
        self.took.setdefault(unit.task, []).append(seconds)
        self.count += 1
        self._plain(
            f"{self.count} of {self.all}: {unit.candidate} on {unit.task}: {cell.outcome}; {self._remains()}"
        )

    def note(self, text: str) -> None:
        """Something a person should know."""
        self.caption = text
        self._plain(text)

    def overtaken(self, text: str) -> None:
        """Another command's result stands; it is said again at the end."""
        self.disputes.append(text)
        self.note(text)

    def _remains(self) -> str:
        """How long the remaining units will take if they take as long as those already measured."""
        known = [sorted(took)[len(took) // 2] for took in self.took.values()]
        if not known:
            return "remaining time not known yet"
        usual = sorted(known)[len(known) // 2]
        each = {task: sorted(took)[len(took) // 2] for task, took in self.took.items()}
        seconds = sum(each.get(unit.task, usual) for unit in self.left.values())
        return f"about {_clock(seconds)} remaining"

    def _plain(self, text: str) -> None:
        if not self.quiet and self.live is None:
            self._write(text)
            running = f"{self.count} of {self.all} measured; {self._running()}"
            self._still.going_on(running if self.left else text, is_new=True)

    def _write(self, text: str) -> None:
        sys.stderr.write(f"[{_clock(time.monotonic() - self._began)}] {self.title}: {_clean(text)}\n")
        sys.stderr.flush()

    def _running(self) -> str:
        """The units that run now, as far as one line takes them."""
        runs = [f"{who} on {task}" for (who, task), word in self.words.items() if word == _word("runs")]
        more = f" and {len(runs) - MOST_NAMED} more" if len(runs) > MOST_NAMED else ""
        return f"running: {', '.join(runs[:MOST_NAMED])}{more}" if runs else "none is running"

    def _shown(self) -> Grid:
        elapsed = _clock(time.monotonic() - self._began)
        remains = "" if not self.left else f", {self._remains()}"
        grid = Grid(
            title=Text(f"{self.title}: {self.count} of {self.all} measured, {elapsed} elapsed{remains}"),
            caption=Text(_clean(self.caption)),
            title_justify="left",
            caption_justify="left",
        )
        if len(self.candidates) > MOST_ROWS:
            return self._summed(grid)
        for name in ("candidate", *self.tasks):
            grid.add_column(Text(name))
        for alias in self.candidates:
            grid.add_row(Text(alias), *(Text(self.words.get((alias, task), "")) for task in self.tasks))
        return grid

    def _summed(self, grid: Grid) -> Grid:
        for name in ("task", "known", "left"):
            grid.add_column(Text(name))
        for task in self.tasks:
            left = sum(unit.task == task for unit in list(self.left.values()))
            grid.add_row(Text(task), str(len(self.candidates) - left), str(left))
        return grid


def _word(state: str) -> str:
    return f"{_GLYPHS.get(state, '✗')} {state.replace('_', ' ')}"


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"


def _clean(text: str) -> str:
    """A candidate's folder, a notice of a task: no blank in it moves what follows into a line of its own."""
    return " ".join(strangers.seen(text).split())


def _finished(cell: Cell) -> str:
    """How a cell ended: its points, uncut and marked where they stand above what counts; else the outcome."""
    word = _word(cell.outcome)
    if cell.open_by == "evaluator":
        return f"{word}: look at it"
    if cell.open_by == "data":
        return "references too close"
    if cell.outcome != "ok":
        return word
    uncut = cell.points_uncapped
    above = uncut is not None and uncut > cell.points
    return f"{word} {cell.points:.1f}" + (f" ({uncut:.1f} uncut!)" if above else "")


def table_of(sheet: Sheet) -> Grid:
    """The finished table: points where a candidate has some, else the outcome."""
    grid = Grid()
    tasks = [task.id for task in sheet.assessment.suite.tasks]
    for name in ("candidate", *tasks):
        grid.add_column(Text(name))
    for alias in sheet.candidates:
        cells = {cell.task: cell for cell in sheet.of(alias)}
        words = []
        for task in tasks:
            cell = cells.get(task)
            words.append(Text(_finished(cell) if cell else ""))
        grid.add_row(Text(alias), *words)
    return grid
