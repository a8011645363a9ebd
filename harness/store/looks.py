"""Decisions about results, by those who looked at them: added and never changed; the last one about a run holds.

One holds only while what is recorded of its run (the head and the raw trials) is what it was when it was decided.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import insert, select

from harness.digests import of_value
from harness.errors import UsageError
from harness.looks import Decision, Look, over
from harness.records import Run
from harness.store.results import Store
from harness.store.schema import LOOKS, RUNS, TRIALS
from harness.strangers import shows

_COLUMNS = tuple(Look.model_fields)
LONGEST = 2000  # characters of a reason


class Looks:
    """The decisions in a store. Raises StoreError like the store itself."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, run: Run, decision: Decision, *, by: str, why: str) -> Look:
        """Keeps a decision about a run; raises UsageError where nobody is named, or no reason."""
        if not shows(by) or not shows(why):
            raise UsageError("a decision needs who made it and why: both are kept beside it")
        if not _is_unicode(by + why) or len(by) > LONGEST or len(why) > LONGEST:
            raise UsageError(
                f"a decision's name and reason are text of at most {LONGEST} characters each, in UTF-8"
            )
        head = run.head
        look = Look(
            run_id=head.run_id,
            assessment=head.assessment,
            candidate=head.candidate or head.submission,
            task=head.task,
            decision=decision,
            by=by.strip(),
            looked_at=datetime.now(UTC).isoformat(timespec="seconds"),
            why=why.strip(),
            submission_digest=head.submission_digest,
            run_digest=self.run_digest(head.run_id),
        )
        self.store.write(lambda connection: connection.execute(insert(LOOKS), look.model_dump()))
        return look

    def history(self) -> list[Look]:
        """Every decision, the oldest first."""
        rows = self.store.read(select(LOOKS).order_by(LOOKS.c.id))
        return [Look.model_validate({name: getattr(row, name) for name in _COLUMNS}) for row in rows]

    def holding(self, run_ids: Collection[str]) -> dict[str, Look]:
        """By run, of those named: the last decision, where the run's record is still the one that was looked at."""
        newest = {look.run_id: look for look in self.history() if look.run_id in run_ids}
        return {name: look for name, look in newest.items() if look.run_digest == self.run_digest(name)}

    def run(self, name: str) -> Run:
        """As the store's own `run`, with the decision about it laid over its score."""
        run = self.store.run(name)
        return over(run, self.holding({run.head.run_id}).get(run.head.run_id))

    def run_digest(self, run_id: str) -> str:
        """Of what was recorded before anything was scored: scoring again leaves it alone."""
        heads = self.store.read(select(RUNS.c.head).where(RUNS.c.run_id == run_id))
        ours = select(TRIALS).where(TRIALS.c.run_id == run_id).order_by(TRIALS.c.key)
        trials = [
            [row.key, zlib.decompress(row.packed).decode() if row.packed is not None else row.trial]
            for row in self.store.read(ours)
        ]
        return of_value([[row.head for row in heads], sorted(trials)])


def _is_unicode(text: str) -> bool:
    """False for bytes of a command line that are no UTF-8, which no database keeps."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
