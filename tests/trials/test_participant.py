"""One submission in a round: what its worker is given, whose fault is whose, and what is kept of what was read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.errors import Fault
from harness.inputs.tasks import Task
from harness.instances import ArraySpec, BlobSpec, FromAnswers, FromItem, Request
from harness.records import Role
from harness.trials.participant import Entry, Participant, Place, Readings, Setting
from harness.trials.use import TurnUse
from harness.trials.watch import Limits
from tests.fixtures.workers import LOADING, Workers, submission

CRASH = Fault("crashed", "it fell over", "line by line")
BLOB = Request("notes", "learn", {}, BlobSpec(50))


@pytest.fixture
def setting(toy: Task) -> Setting:
    """The toy task's, which is never launched."""
    return Setting(task=toy, level=None, device="cpu", threads=3)  # type: ignore[arg-type]


@pytest.fixture
def place(setting: Setting) -> Place:
    return Place(setting=setting, models={"encoder": Path("/models/e")}, seed=11, stage="serve", pair=2)


@pytest.fixture
def own(tmp_path: Path, workers: Workers) -> Participant:
    entry = Entry(submission(tmp_path, "candidate"))
    return Participant(entry=entry, copy=entry.submission.folder)


def test_limits_are_the_tasks_and_only_times_are_stretched(setting: Setting) -> None:
    assert replace(setting, limit_factor=3.0).limits() == Limits(
        memory_bytes=536_870_912,
        processes=8,
        start_seconds=60.0,
        phase_seconds={"learn": 15.0, "answer": 6.0},
        printed_bytes=1_048_576,
    )


@pytest.mark.parametrize(
    ("role", "tier", "name"),
    [
        ("candidate", None, "candidate"),
        ("reference", "expert", "expert"),
        ("copy", "expert", "expert copy"),
        ("reference", None, "mine"),
        ("copy", None, "mine copy"),
    ],
)
def test_a_records_name_for_it_is_its_role_or_its_tier(
    tmp_path: Path, role: Role, tier: Any, name: str
) -> None:
    entry = Entry(submission(tmp_path, "mine", tier), role)
    assert entry.name == Participant(entry=entry, copy=tmp_path).name == name


def test_an_entry_is_a_timed_candidate_unless_it_says_otherwise(tmp_path: Path) -> None:
    entry = Entry(submission(tmp_path, "mine"))
    assert (entry.role, entry.timed, entry.pairs) == ("candidate", True, None)


def test_a_worker_is_given_the_submission_and_what_its_place_says(
    workers: Workers, own: Participant, place: Place
) -> None:
    own.start(place)
    (seat,) = workers.seats
    task = place.setting.task
    assert (seat.submission, seat.contract) == (own.copy, task.contract)
    assert (seat.models, seat.seed, seat.device, seat.threads) == (place.models, 11, "cpu", 3)
    assert seat.limits == place.setting.limits()
    assert (own.pair, own.fault, own.judged) == (2, None, False)
    assert own.worker is not None
    assert workers.alive[0].paused
    kept = [(p.item, p.group, p.seconds, p.pair) for p in own.readings.phases]
    assert kept == [("shim serve", "shim", 0.1, 2), ("start serve", "start", 0.2, 2)]


@pytest.mark.parametrize("forks", [True, False])
def test_only_a_worker_that_may_be_forked_is_given_the_tasks_stack(
    workers: Workers, own: Participant, place: Place, forks: bool
) -> None:
    task = place.setting.task
    stacked = replace(task, definition=task.definition.model_copy(update={"stack": ("numpy",)}))
    own.start(replace(place, setting=replace(place.setting, task=stacked, forks=forks)))
    assert workers.seats[0].stack == (("numpy",) if forks else ())


def test_times_of_a_start_are_not_kept_where_they_are_of_no_use(own: Participant, place: Place) -> None:
    own.start(place, keep=False)
    assert own.worker is not None
    assert own.readings.phases == []


@pytest.fixture
def judged(tmp_path: Path, own: Participant, place: Place) -> Participant:
    """A participant whose worker of the moment is the task's judge."""
    judge = submission(tmp_path, "judge").folder
    own.start(replace(place, judge=judge))
    return own


def test_a_judge_serves_in_the_submissions_place_and_costs_it_nothing(
    workers: Workers, judged: Participant
) -> None:
    (seat,) = workers.seats
    assert seat.submission.name == "judge"
    assert seat.contract == seat.submission / "contract.py"
    assert judged.ask(BLOB) == 0.01
    judged.close()
    kept = judged.readings
    assert judged.fault is None
    assert (kept.phases, kept.memory, kept.peaks_host, kept.says) == ([], [], [], {})
    assert kept.answers == {"notes": b"notes of judge"}


@pytest.mark.parametrize("at", ["notes", "ping", LOADING])
def test_a_fault_of_the_judge_is_ours_and_one_of_the_submission_its_own(
    tmp_path: Path, workers: Workers, own: Participant, place: Place, at: str
) -> None:
    for program in ("judge", "candidate"):
        workers.faults[program, at] = CRASH
        own.fault = None
        own.start(replace(place, judge=submission(tmp_path, "judge").folder if program == "judge" else None))
        assert (own.ping(BLOB) if at == "ping" else own.ask(BLOB)) is None
        assert own.fault is not None
        if program == "judge":
            assert own.fault.outcome == "harness_error"
            assert own.fault.reason == "the task's own judge ended as crashed: it fell over"
            assert own.fault.detail == "line by line"
        else:
            assert own.fault is CRASH
        own.close()


def test_a_judges_fault_is_handed_back_only_where_there_is_one(
    workers: Workers, own: Participant, judged: Participant
) -> None:
    own.hand_back()
    assert own.fault is None
    workers.faults["judge", "notes"] = CRASH
    judged.ask(BLOB)
    judged.hand_back()
    assert judged.fault is not None
    assert (judged.fault.outcome, judged.fault.detail) == ("malformed", "line by line")
    assert judged.fault.reason == (
        "the task's own judge ended as crashed on what was handed over (it fell over), and not on what a reference "
        "handed over"
    )


def test_a_submissions_own_fault_is_never_handed_back(
    workers: Workers, own: Participant, place: Place
) -> None:
    workers.faults["candidate", "notes"] = CRASH
    own.start(place)
    own.ask(BLOB)
    own.hand_back()
    assert own.fault is CRASH
    own.close()


def test_what_a_judge_prints_is_not_the_submissions(
    workers: Workers, judged: Participant, place: Place
) -> None:
    for participant_is_judged in (True, False):
        worker = judged.worker
        assert worker is not None
        worker.watch.log = SimpleNamespace(head=b"printed", tail=b"", total=7)
        judged.close()
        assert judged.readings.log == (b"" if participant_is_judged else b"printed")
        judged.start(place)
    judged.close()


@pytest.mark.parametrize("broken", [False, True])
def test_what_is_noticed_at_the_end_is_a_fault_too(
    workers: Workers, own: Participant, place: Place, broken: bool
) -> None:
    own.start(place)
    worker = workers.alive[0]
    worker.broken = CRASH if broken else None
    worker.watch.breach = None if broken else CRASH
    own.close()
    assert own.fault is CRASH


def test_the_first_fault_is_the_one_that_stays(workers: Workers, own: Participant, place: Place) -> None:
    own.start(place)
    own.fault = CRASH
    workers.alive[0].broken = Fault("protocol_error", "and it said too much")
    own.close()
    assert own.fault is CRASH


@pytest.mark.parametrize(("held", "taken"), [(1024, True), (1025, False)])
def test_a_folder_that_is_larger_than_the_task_takes_is_not_started(
    workers: Workers, own: Participant, place: Place, held: int, taken: bool
) -> None:
    task = place.setting.task
    limits = task.definition.limits.model_copy(update={"submission_kib": 1})
    small = replace(task, definition=task.definition.model_copy(update={"limits": limits}))
    program = own.copy / "solution.py"
    program.write_text("x" * held)
    workers.name = lambda seat: "candidate"
    own.start(replace(place, setting=replace(place.setting, task=small)))
    assert (own.fault is None) == (own.worker is not None) == taken
    if own.fault is not None:
        assert own.fault.outcome == "malformed"
        assert "holds 1 KiB, and this task takes 1 KiB at most" in own.fault.reason
        assert own.ask(BLOB) is own.ping(BLOB) is None


def test_one_that_has_failed_or_was_not_started_is_asked_nothing(
    workers: Workers, own: Participant, place: Place
) -> None:
    assert own.ask(BLOB) is own.ping(BLOB) is None
    own.start(place)
    own.fault = CRASH
    assert own.ask(BLOB) is own.ping(BLOB) is None
    assert workers.order("call") == workers.order("ping") == []


def test_an_answer_is_kept_once_and_none_of_a_warm_up(own: Participant, place: Place) -> None:
    own.start(place)
    warm = Request("warm", "learn", {}, BlobSpec(50), timed=True, warmup=True)
    for request in (BLOB, warm, Request("nothing", "learn", {}, None)):
        assert own.ask(request) == 0.01
    first = own.readings.answers["notes"]
    own.ask(BLOB)
    assert own.readings.answers == {"notes": b"notes of candidate"}
    assert own.readings.answers["notes"] is first


def test_memory_is_looked_at_after_each_answer_that_is_not_timed(
    workers: Workers, own: Participant, place: Place
) -> None:
    own.start(place)
    own.ask(replace(BLOB, timed=True))
    own.ask(replace(BLOB, warmup=True))
    assert workers.order("look") == []
    own.ask(BLOB)
    assert workers.order("look") == ["candidate"]


def test_arguments_may_come_from_earlier_answers(own: Participant, place: Place, workers: Workers) -> None:
    own.start(place)
    own.readings.answers["notes"] = b"what was learnt"
    passed: list[Any] = []
    worker = workers.alive[0]
    call = worker.call

    def watched(request: Request, arguments: Any, most: float) -> Any:
        passed.append(dict(arguments))
        return call(request, arguments)

    worker.call = watched  # type: ignore[method-assign]
    given = {
        "plain": 5,
        "stored": FromItem("notes"),
        "counted": FromAnswers("n", lambda answers: len(answers)),
    }
    assert own.ask(Request("q", "answer", given, BlobSpec(50))) == 0.01
    assert passed == [{"plain": 5, "stored": b"what was learnt", "counted": 1}]


def test_an_argument_that_cannot_be_made_is_a_fault_and_nothing_is_asked(
    own: Participant, place: Place, workers: Workers
) -> None:
    def wrong(answers: object) -> int:
        raise CRASH

    own.start(place)
    assert own.ask(Request("q", "answer", {"told": FromAnswers("n", wrong)}, None)) is None
    assert own.fault is CRASH
    assert workers.order("call") == []


def test_times_are_kept_as_samples_or_as_those_of_a_phase(own: Participant) -> None:
    own.pair = 4
    single = Request("q-0", "answer", {}, ArraySpec("int64", (1,)), group="single", timed=True, count=8)
    own.keep(single, 0.5)
    own.keep(replace(single, item="q-1"), 0.6, counted=False)
    own.keep(replace(single, item="q-2"), None)
    own.keep(replace(single, item="q-3", warmup=True), 0.7)
    own.keep(replace(single, item="q-4"), 0.8)
    own.keep(BLOB, 0.9, counted=False)
    own.keep_first(single, 1.5)
    samples = [(s.item, s.group, s.seconds, s.count, s.position, s.pair) for s in own.readings.samples]
    assert samples == [("q-0", "single", 0.5, 8, 0, 4), ("q-4", "single", 0.8, 8, 1, 4)]
    phases = [(p.item, p.group, p.seconds, p.pair) for p in own.readings.phases]
    aside = [("q-1", "aside_single", 0.6, 4), ("q-3", "aside_single", 0.7, 4)]
    assert phases == [*aside, ("notes", "learn", 0.9, 4), ("q-0", "first_single", 1.5, 4)]


@pytest.mark.parametrize("timeline", [True, False])
def test_what_a_worker_leaves_is_taken_over(
    own: Participant, place: Place, workers: Workers, timeline: bool
) -> None:
    own.start(place)
    workers.alive[0].watch.log = SimpleNamespace(head=b"so far", tail=b"", total=6)
    own.close(timeline)
    kept = own.readings
    assert own.worker is None
    assert workers.order("close") == ["candidate"]
    assert [(point.pair, point.host_bytes) for point in kept.memory] == [(2, 60)] * timeline + [(2, 70)]
    assert (kept.peaks_host, kept.peaks_device) == ([70], [])
    assert (kept.bases_host, kept.bases_file) == ([20], [10])
    assert list(kept.memory_measured_by) == ["a fake watch"]
    assert (kept.log, kept.log_bytes, kept.says) == (b"so far", 6, {"said by": "candidate"})
    own.close()
    assert workers.order("close") == ["candidate"]


def test_a_peak_or_a_base_that_was_not_read_is_none_of_the_peaks() -> None:
    def watch(*bytes_of: int | None) -> Any:
        names = ("peak_host", "peak_device", "base_host", "base_file")
        return SimpleNamespace(points=(), measured_by="x", **dict(zip(names, bytes_of, strict=True)))

    kept = Readings()
    for bytes_of in ((None, 1, 2, 3), (4, None, 5, 6), (7, 8, None, 9), (10, 11, 12, None)):
        kept.add_memory(watch(*bytes_of), 0, timeline=True)
    assert (kept.peaks_host, kept.peaks_device) == ([4, 7, 10], [1, 8, 11])
    assert (kept.bases_host, kept.bases_file) == ([2, 5, 12], [3, 6, 9])


def test_a_log_is_its_beginning_and_its_end_with_a_mark_between() -> None:
    kept = Readings()
    for head, tail, total in ((b"one", b"", 3), (b"two", b"last", 500)):
        kept.add_log(SimpleNamespace(log=SimpleNamespace(head=head, tail=tail, total=total)))  # type: ignore[arg-type]
    assert (kept.log, kept.log_bytes) == (b"onetwo\n[...]\nlast", 503)


def test_a_record_of_it_holds_what_was_read_and_no_path_of_the_copy(own: Participant, place: Place) -> None:
    kept = own.readings
    own.pair = 1
    printed = "".join(chr(97 + i % 23) for i in range(2 * 65_536 + 9))
    kept.log, kept.log_bytes = printed.encode(), 777_777
    kept.peaks_host, kept.bases_host, kept.bases_file = [5, 9, 7], [3, 4], [2, 1]
    kept.memory_measured_by = {"first": None, "second": None}
    kept.answers |= {"notes": b"12345", "labels": np.zeros(3)}
    kept.says["python"] = "3"
    own.fault = Fault("crashed", f"in {own.copy}/solution.py", f'File "{own.copy}/helper.py" in {own.copy}')
    trial = own.trial(6, "the-instance")
    assert (trial.number, trial.instance_id, trial.role, trial.label) == (
        6,
        "the-instance",
        "candidate",
        "candidate",
    )
    assert (trial.outcome, trial.reason) == ("crashed", "in solution.py")
    assert trial.detail == 'File "helper.py" in .'
    assert (trial.log_head, trial.log_tail) == (printed[:65_536], printed[-65_536:])
    assert trial.log_bytes == 777_777
    assert (trial.peak_host_bytes, trial.peak_device_bytes) == (9, None)
    assert (trial.base_host_bytes, trial.base_file_bytes) == (4, 2)
    assert trial.memory_measured_by == "first; second"
    assert (trial.blob_bytes, trial.worker_says) == ({"notes": 5}, {"python": "3"})


def test_a_record_without_a_fault_is_of_one_that_went_well(own: Participant) -> None:
    trial = own.trial(0, "i")
    assert (trial.outcome, trial.reason, trial.detail) == ("ok", "", "")
    assert (trial.peak_host_bytes, trial.base_file_bytes) == (None, None)


class Clocked:
    """A worker whose processor time is read off a list; at the word it is paused."""

    def __init__(self, *readings: float | None) -> None:
        self.readings: Iterator[float | None] = iter(readings)
        self.pauses: list[float | None] = []
        self.stopped = {os.getpid()}
        self.last: float | None = None

    def cpu_seconds(self) -> float | None:
        self.last = next(self.readings)
        return self.last

    def pause(self) -> None:
        self.pauses.append(self.last)


def used(*readings: float | None) -> tuple[float, float, float]:
    """Idle, busy and turns' seconds of a worker that is started and has two turns of 0.5 and 0.25 s.

    Its processor time is read after the start, and in each turn before it, at the answer, and when it stands.
    """
    use, worker = TurnUse(), Clocked(*readings)
    use.mark(worker)  # type: ignore[arg-type]
    for seconds in (0.5, 0.25):
        use.end(worker, use.begin(worker), seconds)  # type: ignore[arg-type]
    assert len(worker.pauses) == 3
    assert list(worker.readings) == []
    return use.idle_cpu, use.busy_cpu, use.turn_seconds


def test_processor_time_is_of_a_turn_or_outside_of_it() -> None:
    idle, busy, turns = used(1.0, 1.25, 2.25, 2.375, 2.5, 4.5, 4.5625)
    assert busy == (2.25 - 1.25) + (4.5 - 2.5)
    assert idle == (1.25 - 1.0) + (2.375 - 2.25) + (2.5 - 2.375) + (4.5625 - 4.5)
    assert turns == 0.75


def test_processor_time_that_seems_to_fall_is_none() -> None:
    # children that ended between two readings may take their time with them
    assert used(5.0, 4.0, 3.0, 2.0, 1.0, 0.5, 0.25) == (0.0, 0.0, 0.75)


@pytest.mark.parametrize("missing", range(7))
def test_processor_time_that_cannot_be_read_counts_for_nothing(missing: int) -> None:
    readings: list[float | None] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
    readings[missing] = None
    mark, (a, b, c, d, e, f) = readings[0], readings[1:]
    idle = busy = 0.0
    for now, answered, stood in ((a, b, c), (d, e, f)):
        idle += now - mark if None not in (now, mark) else 0.0  # type: ignore[operator]
        if None not in (now, answered, stood):
            busy += answered - now  # type: ignore[operator]
            idle += stood - answered  # type: ignore[operator]
        mark = stood
    assert used(*readings) == (idle, busy, 0.75)
