"""A store that says when a result is acknowledged, what it says checked against a folder, and runs to say it.

As a program (`python -m tests.crash.told FOLDER VARIANT`) it writes the results of three instances, and
prints what was acknowledged, one line of JSON after the other.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from harness.digests import of_bytes
from harness.errors import HarnessError
from harness.instances import Answer
from harness.records import Assessed, Run, RunHead, Trial
from harness.store import durable
from harness.store.results import Store
from tests.fixtures.reports import ok_run

INSTANCES = 3
Ack = dict[str, Any]
Tell = Callable[[Ack], None]


def say(ack: Ack) -> None:
    """To standard output, by a call that no fault is injected into."""
    os.writev(1, [b"ACK " + json.dumps(ack).encode() + b"\n"])


class Told(Store):
    """Tells what it has acknowledged, after it has."""

    tell: Tell = staticmethod(say)

    def claim(self, head: RunHead, call: str, key: str = "", anew: bool = False) -> RunHead:
        """As the store does."""
        found = super().claim(head, call, key, anew)
        self.tell({"what": "claimed", "run": found.run_id})
        return found

    def keep(
        self,
        run_id: str,
        number: int,
        trials: Sequence[Trial],
        known: Iterable[Assessed] = (),
        seconds: float = 0.0,
    ) -> None:
        """As the store does."""
        super().keep(run_id, number, trials, known, seconds)
        answers = [t.answers["archive"] for t in trials if t.answers]
        ack = {"what": "measured", "run": run_id, "number": number, "hash": _hash(trials), "answers": answers}
        self.tell(ack)

    def void(self, run_id: str, number: int) -> None:
        """As the store does."""
        super().void(run_id, number)
        self.tell({"what": "voided", "run": run_id, "number": number})

    def scored(self, run: Run, final: bool = True) -> None:
        """As the store does."""
        super().scored(run, final)
        points = run.score.points if run.score else None
        self.tell({"what": "scored" if final else "failed", "run": run.head.run_id, "points": points})

    def keep_answers(self, answers: Mapping[str, Answer]) -> str:
        """As the store does."""
        digest = super().keep_answers(answers)
        self.tell({"what": "answers", "digest": digest})
        return digest


def _hash(trials: Sequence[Trial]) -> str:
    return of_bytes("".join(sorted(t.model_dump_json() for t in trials)).encode())


def lost(folder: Path, acks: Sequence[Ack]) -> list[str]:
    """What was acknowledged and is not there, or is there and damaged, in words."""
    try:
        store = Store.open(folder)
        found = [*_damage(store), *(words for ack in _latest(acks) if (words := _missing(store, ack)))]
        store.engine.dispose()
    except (HarnessError, SQLAlchemyError, ValueError) as error:
        return [f"the store is damaged: {error}"]
    return found


def _latest(acks: Sequence[Ack]) -> list[Ack]:
    """What is still to hold: an instance that was voided or measured again stands by its last word."""
    found: dict[Any, Ack] = {}
    for ack in acks:
        kind = "instance" if ack["what"] in ("measured", "voided") else ack["what"]
        found[kind, ack.get("run"), ack.get("number"), ack.get("digest")] = ack
    return [ack for ack in found.values() if ack["what"] != "voided"]


def _missing(store: Store, ack: Ack) -> str:
    try:
        if ack["what"] == "answers":
            store.answers(ack["digest"])
        elif ack["what"] == "measured":
            trials = store.trials(ack["run"], ack["number"])
            for digest in ack["answers"]:
                store.answers(digest)
            if store.known(ack["run"], ack["number"]) is None or _hash(trials) != ack["hash"]:
                return f"instance {ack['number']} of {ack['run']} is lost"
        else:
            score = store.run(ack["run"]).score
            if ack["what"] == "scored" and (score is None or score.points != ack["points"]):
                return f"the score of {ack['run']} is lost"
    except HarnessError as error:
        return f"{ack['what']}: {error}"
    return ""


def _damage(store: Store) -> list[str]:
    """Whatever a row names must be there, acknowledged or not, and the database must be whole."""
    with store.engine.connect() as connection:
        said = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
        runs = [row[0] for row in connection.exec_driver_sql("SELECT run_id FROM runs")]
    found = [] if said == "ok" else [f"the database is damaged: {said}"]
    for trial in (trial for run in runs for trial in store.trials(run)):
        for digest in trial.answers.values():
            try:
                store.answers(digest)
            except HarnessError as error:
                found.append(f"a row names answers that are not there: {error}")
    return found


def results(store: Store, log_bytes: int = 2000, answer_bytes: int = 3000) -> None:
    """What a run writes, by the calls that a run makes, with results made up; goes on where it was cut short."""
    run = ok_run()
    rng = np.random.default_rng(7)
    head = store.claim(run.head.model_copy(update={"run_id": f"run-{os.getpid()}"}), "{}", key="the same")
    for number in range(INSTANCES):
        made = [
            (trial, {"q": rng.bytes(answer_bytes)}, rng.bytes(log_bytes // 2).hex())
            for trial in run.trials[:3]
        ]
        if store.known(head.run_id, number) is not None:
            continue
        store.begin(head.run_id, number)
        trials = []
        for place, (trial, answers, log) in enumerate(made):
            update = {"number": number, "label": f"trial-{place}", "log_head": log}
            trials.append(
                trial.model_copy(update={**update, "answers": {"archive": store.keep_answers(answers)}})
            )
        store.keep(head.run_id, number, trials, run.assessed[:1], 1.0)
    store.measured(head)
    store.scored(run.model_copy(update={"head": head}))


def weaken(variant: str) -> Callable[[Store], None]:
    """Takes a part of the promise away, to see that the simulation notices; "own" takes nothing.

    "often" moves pages from the log to the database at every few, which a store does at every thousand.
    """
    pragma = {"normal": "synchronous=NORMAL", "off": "synchronous=OFF", "often": "wal_autocheckpoint=20"}.get(
        variant
    )
    if variant == "no-folder":
        durable.flush_folder = lambda folder: None
    if variant == "no-flush":
        durable.flush = lambda fd: None

    def change(store: Store) -> None:
        if pragma:
            event.listen(store.engine, "connect", lambda c, _: c.execute(f"PRAGMA {pragma}") and None)
            store.engine.dispose()

    return change


def real(folder: Path) -> None:
    """A whole run of a toy task by the one path, workers and all."""
    from harness.runs import runner
    from harness.runs.options import Options, order
    from tests.conftest import TOYS

    competent = TOYS / "toy-squares" / "reference_solutions" / "competent"
    runner.run(
        order(Options(task="toy-squares", folder=competent, tasks_root=TOYS, profile="ci-smoke", trials=2)),
        Told.open(folder),
    )


def main(folder: Path, variant: str) -> None:
    """Writes into `folder` by a store that is weakened as `variant` says, or by a real run."""
    if variant == "real":
        real(folder)
        return
    change = weaken(variant)
    store = Told.open(folder)
    change(store)
    results(store, log_bytes=60_000)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
