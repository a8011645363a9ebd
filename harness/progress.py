"""Progress for people: a live bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column

PLAIN_SECONDS = 10.0


class Shown:
    """An observer that writes to standard error, so that standard output stays the result's alone."""

    def __init__(self, title: str, quiet: bool = False) -> None:
        self.console = Console(stderr=True)
        self.title = title
        self.quiet = quiet
        self.live: Progress | None = None
        self._last = 0.0
        self._doing: tuple[int, str, str] | None = None
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        if not self.quiet and self.console.is_terminal:
            kept = Column(no_wrap=True, min_width=7)
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}", table_column=Column(no_wrap=True)),
                BarColumn(bar_width=10),
                MofNCompleteColumn(table_column=kept),
                TimeElapsedColumn(table_column=kept),
                # What gives way on a narrow terminal is the words, never the count or the clock.
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
        if self.live:
            self.live.stop()

    def step(self, trial: int, stage: str, label: str, phase: str, done: int, total: int) -> None:
        """`done` of `total` requests are answered; now `label` serves `phase`."""
        doing = f"waiting for {label}: {phase} ({stage})"
        if self.live:
            name = f"{self.title}, instance {trial + 1}"
            self.live.update(self._bar, description=name, completed=done, total=total, doing=doing)
        else:
            changed, self._doing = self._doing != (trial, stage, phase), (trial, stage, phase)
            self._plain(f"instance {trial + 1}: {done} of {total} requests, {doing}", always=changed)

    def note(self, text: str) -> None:
        """Something a person waiting would want to know."""
        if self.live:
            self.live.update(self._bar, doing=text)
        else:
            self._plain(text, always=True)

    def _plain(self, text: str, always: bool = False) -> None:
        now = time.monotonic()
        if self.quiet or (not always and now - self._last < PLAIN_SECONDS):
            return
        self._last = now
        sys.stderr.write(f"[{now - self._began:5.0f} s] {self.title}: {text}\n")
        sys.stderr.flush()
