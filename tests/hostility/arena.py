"""`python -m tests.hostility.arena LEVEL`: the harness as a process of its own, which an attack may hurt.

It runs submissions that are named on its standard input, one JSON object a line, through the harness's own
path (staging, worker, watch, checks), and answers in the same way with what the harness saw. It knows
secrets that nobody else does, the way an evaluator's harness knows labels: in memory, in its environment,
in files that are open. It judges nothing: that is done by who started it.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import signal
import statistics
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import HarnessError, SubmissionError
from harness.inputs import submissions
from harness.inputs.definition import PhaseLimit, TaskLimits
from harness.inputs.tasks import Task
from harness.instances import Instance, Stage
from harness.isolation.levels import LEVELS
from harness.isolation.tree import descendants
from harness.observer import Silent
from harness.runs import runner
from harness.runs.evaluate import assess
from harness.runs.options import Options, order
from harness.runs.prepare import prepare
from harness.store.results import Store
from harness.trials.participant import Entry, Setting
from harness.trials.round import RawTrial, Round

TOYS = Path(__file__).parents[1] / "toy_tasks"
Words = dict[str, Any]
# Short: an attack that hangs costs that long. The honest get what a real task gives.
HOSTILE_LIMITS = (TaskLimits(memory_gib=0.5, processes=8, start_seconds=6, printed_mib=1), 4.0, 2.0)
HONEST_LIMITS = (TaskLimits(memory_gib=6, processes=96, start_seconds=240, printed_mib=16), 240.0, 60.0)
_LOOKS_A_SECOND = 25
runner.settle_pages = lambda: 0  # seconds of each run; nobody else is asked what the arena asks
_MORE_THAN_NEEDED = 256 << 20


class Arena:
    """One level, kept for all submissions that are run at it."""

    def __init__(self, name: str, secrets: Words) -> None:
        self.level = LEVELS[name]()
        self.name = name
        self.secrets = secrets  # what an attack on the harness's memory looks for
        self.labels = np.frombuffer(secrets["memory"].encode() * 64, dtype=np.uint8).copy()
        self.held = _held_open(Path(secrets["file"]), secrets["open"])
        self.oom = _oom_score()

    def serve(self, job: Words) -> Words:
        """What the harness saw of one job. Our own faults are told apart from refusals."""
        try:
            with _looking() as seen:
                found = self._run(job) if job["way"] == "run" else self._workers(job)
        except SubmissionError as error:
            return {"outcome": "refused", "reason": str(error)}
        except HarnessError as error:
            return {"outcome": "harness_error", "reason": f"{type(error).__name__}: {error}"}
        except Exception:  # noqa: BLE001  (the attack got through to us: the judge is told of it)
            return {"outcome": "harness_error", "reason": traceback.format_exc(), "broken": True}
        finally:
            raised = _oom_score() > self.oom
            if not job.get("keep"):
                self.level.close()
        return {**found, **seen, "oom_raised": raised}

    def _workers(self, job: Words) -> Words:
        told = [self._worker(Path(folder), job) for folder in job["folders"]]
        return {**told[-1], "log": "".join(one["log"] for one in told[-1:]), "earlier": told[:-1]}

    def _worker(self, folder: Path, job: Words) -> Words:
        """The submission alone, without references."""
        task, instance, setting = self._prepared(folder, job)
        if job["way"] == "stages":
            instance = _in_two_stages(instance)
        submission = submissions.read(task.id, folder)
        around = Round(
            setting=setting,
            instance=instance,
            instance_id="arena",
            number=0,
            worker_seed=7,
            order=np.random.default_rng(),
        )
        (outcome,) = around.run([Entry(submission)])
        return _told(task, instance, outcome)

    def _prepared(self, folder: Path, job: Words) -> tuple[Task, Instance, Setting]:
        limits, learn, answer = HONEST_LIMITS if job.get("honest") else HOSTILE_LIMITS
        asked = order(
            Options(
                task="toy-squares",
                folder=folder,
                tasks_root=TOYS,
                profile="ci-smoke",
                secret_seed_file=Path(self.secrets["seed"]),
            )
        )
        definition = asked.task.definition
        sizes = {**definition.sizes, "ci-smoke": {"n": int(job.get("numbers", 60)), "requests": 8}}
        phases = {"learn": PhaseLimit(wall_seconds=learn), "answer": PhaseLimit(wall_seconds=answer)}
        stack = tuple(job.get("stack", ("numpy",)))
        changed = {"limits": limits, "sizes": sizes, "phases": phases, "stack": stack}
        task = replace(asked.task, definition=definition.model_copy(update=changed))
        instance = prepare(replace(asked, task=task), 0, Silent()).instance
        return task, instance, Setting(task=task, level=self.level, device="cpu", threads=1)

    def _run(self, job: Words) -> Words:
        """A whole run with its references, and every report of it."""
        from harness.reports.run import html, markdown, summary, text

        asked = order(
            Options(
                task="toy-squares",
                folder=Path(job["folders"][0]),
                tasks_root=TOYS,
                profile="ci-smoke",
                isolation=self.name,
                secret_seed_file=Path(self.secrets["seed"]),
            )
        )
        run = runner.run(asked, Store.open(Path(self.secrets["store"])))
        assert run.score is not None
        mine = next((t for t in run.trials if t.role == "candidate"), None)
        pages = {
            "html": html.render_html(run),
            "markdown": markdown.render_run(run),
            "text": text.to_text(text.render_run(run)),
            "json": summary.summary(run).model_dump_json(),
        }
        log = (mine.log_head + mine.log_tail) if mine else ""
        return {
            "outcome": run.score.outcome,
            "reason": " ".join(run.score.reasons),
            "log": log,
            "pages": pages,
            "points": run.score.points or 0.0,
            "accuracy": 0.0 if not run.score.points else 1.0,
            "answers": "",
            "seconds": 0.0,
            "peak": 0,
        }


def _in_two_stages(instance: Instance) -> Instance:
    """The same requests, but those of the first phase in a stage of their own."""
    requests = instance.stages[0].requests
    first = tuple(r for r in requests if r.phase == requests[0].phase)
    rest = tuple(r for r in requests if r.phase != requests[0].phase)
    return replace(instance, stages=(Stage("first", first), Stage("second", rest)))


def _told(task: Task, instance: Instance, outcome: RawTrial) -> Words:
    trial = outcome.trial
    judged = assess(task, instance, trial, outcome.answers)
    accuracy = next((m.value for m in judged.measurements if m.name == "accuracy"), 0.0)
    times = [sample.seconds for sample in trial.samples]
    raw = b"\n".join(a if isinstance(a, bytes) else a.tobytes() for a in outcome.answers.values())
    return {
        "outcome": judged.outcome,
        "reason": judged.reason,
        "detail": trial.detail,
        "log": trial.log_head + trial.log_tail,
        "answers": base64.b64encode(raw).decode(),
        "accuracy": accuracy,
        "seconds": statistics.median(times) if times else 0.0,
        "peak": trial.peak_host_bytes or 0,
        "measured_by": trial.memory_measured_by,
    }


def _held_open(answers: Path, secret: str) -> list[int]:
    """Descriptors that a careless launch would hand on: the answers, and a file without a name."""
    answers_fd = os.open(answers, os.O_RDONLY)
    nameless = os.memfd_create("labels")
    os.write(nameless, secret.encode())
    for fd in (answers_fd, nameless):
        os.set_inheritable(fd, True)
    return [answers_fd, nameless]


def _oom_score() -> int:
    return int(Path("/proc/self/oom_score_adj").read_text())


@contextmanager
def _looking() -> Iterator[Words]:
    """Looks at every process below this one meanwhile: on which cores it may run, what it has on disk."""
    given, disk = os.sched_getaffinity(0), Path(os.environ["TMPDIR"])
    seen: Words = {"cores": [], "on_disk": 0}
    over = threading.Event()

    def look() -> None:
        while not over.wait(1 / _LOOKS_A_SECOND):
            for pid in descendants(os.getpid())[1:]:
                try:
                    wider = os.sched_getaffinity(pid) - given
                except OSError:
                    continue
                seen["cores"] = sorted({*seen["cores"], *wider})
            seen["on_disk"] = max(seen["on_disk"], _bytes_in(disk))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
        seen["filled"] = seen.pop("on_disk") > _MORE_THAN_NEEDED


def _bytes_in(folder: Path) -> int:
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(base, name)).st_blocks * 512
            except OSError:
                continue  # it was taken away while we looked
    return total


def main() -> None:
    """Serves until its input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also when we were started in the background
    first = json.loads(sys.stdin.readline())
    arena = Arena(sys.argv[1], first)
    answers.write(json.dumps({"ready": True}) + "\n")
    for line in sys.stdin:
        answers.write(json.dumps(arena.serve(json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
