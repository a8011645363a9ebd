"""The same command goes on where it was cut short; a deliberate second run is a new one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.errors import SandboxFailed, StoreError
from harness.machine import processes
from harness.machine import temporary as leftovers
from harness.machine.processes import Owner
from harness.records import Trial
from harness.runs import runner
from harness.runs.order import Order
from harness.store import durable
from harness.store import ownership as claims
from harness.store.results import Store
from harness.store.schema import CLAIMS, INSTANCES
from harness.trials.participant import Entry
from harness.trials.round import RawTrial, Round
from tests.conftest import TOYS
from tests.fixtures.reports import ok_run

COMPETENT = TOYS / "toy-squares" / "reference_solutions" / "competent"


class Crash(BaseException):
    """The power cut."""


@pytest.fixture
def asked(toy_order: Callable[..., Order]) -> Order:
    return toy_order(COMPETENT, trials=2)


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The instances that were really run, in order."""
    found: list[int] = []
    real = Round.run

    def counted(self: Round, entries: Sequence[Entry]) -> list[RawTrial]:
        found.append(self.number)
        return real(self, entries)

    monkeypatch.setattr(Round, "run", counted)
    return found


def crash_at(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, call: int, error: BaseException
) -> None:
    """The `call`-th call of `owner.name` from now on raises, once."""
    real, calls = getattr(owner, name), iter(range(1, 100))

    def crashes(*arguments: object, **named: object) -> object:
        if next(calls) == call:
            raise error
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, crashes)


@pytest.mark.parametrize(
    ("owner", "name", "call", "again"),
    [
        (Store, "begin", 1, [0, 1]),  # nothing measured yet
        (Store, "keep", 1, [0, 0, 1]),  # measured, and not kept: the unit that is repeated
        (runner, "judge_round", 1, [0, 1]),  # kept, and not judged
        (Store, "begin", 2, [0, 1]),  # between two instances
        (Store, "keep", 2, [0, 1, 1]),
        (Store, "measured", 1, [0, 1]),
        (Store, "scored", 1, [0, 1]),
    ],
)
def test_what_was_measured_is_never_measured_again(
    asked: Order,
    rounds: list[int],
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    call: int,
    again: list[int],
) -> None:
    store = Store.open(Path(os.environ["HARNESS_HOME"]))
    crash_at(monkeypatch, owner, name, call, Crash())
    with pytest.raises(Crash):
        runner.run(asked, store)
    finished = runner.run(asked, store)
    assert rounds == again
    assert finished.score is not None
    assert finished.score.outcome == "ok"
    assert len(finished.head.taken_up) == 1
    assert [t.number for t in finished.trials] == sorted(t.number for t in finished.trials)
    assert {t.number for t in finished.trials} == {0, 1}
    assert store.run("last") == finished
    assert _states(store) == ["scored", "scored"]


def _states(store: Store) -> list[str]:
    with store.engine.connect() as connection:
        return [row.state for row in connection.execute(INSTANCES.select())]


def test_a_run_that_was_scored_is_not_taken_up(asked: Order, rounds: list[int], store: Store) -> None:
    first, second = (runner.run(asked, store) for _ in range(2))
    assert first.head.run_id != second.head.run_id
    assert rounds == [0, 1, 0, 1]
    assert second.head.taken_up == ()


def test_a_run_that_was_scored_and_not_shown_is_shown(
    asked: Order, rounds: list[int], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_at(monkeypatch, Store, "release", 1, Crash())
    with pytest.raises(Crash):
        runner.run(asked, store)
    scored = store.run("last")
    monkeypatch.setattr(processes, "is_gone", lambda owner: True)
    shown: list[object] = []
    finished = runner.run(asked, store, show=shown.append)
    assert shown == [finished]
    assert finished.score == scored.score
    assert finished.head.run_id == scored.head.run_id
    assert rounds == [0, 1]


def test_a_new_run_can_be_asked_for_and_the_old_one_is_overtaken(
    asked: Order, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_at(monkeypatch, Store, "measured", 1, Crash())
    with pytest.raises(Crash):
        runner.run(asked, store)
    cut_short = store.run("last").head.run_id
    new = runner.run(replace(asked, anew=True), store)
    after = runner.run(asked, store)
    assert len({cut_short, new.head.run_id, after.head.run_id}) == 3


@pytest.mark.parametrize("change", ["seed", "profile", "against", "label"])
def test_another_command_is_another_run(
    asked: Order, store: Store, monkeypatch: pytest.MonkeyPatch, change: str, tmp_path: Path
) -> None:
    crash_at(monkeypatch, Store, "measured", 1, Crash())
    with pytest.raises(Crash):
        runner.run(asked, store)
    other = {
        "seed": replace(asked, seed=9, root=b"public:9"),
        "profile": replace(asked, profile=asked.profile.model_copy(update={"limit_factor": 2.0})),
        "against": replace(asked, against=("baseline",)),
        "label": replace(asked, submission=replace(asked.submission, label="another")),
    }[change]
    assert runner.run(other, store).head.taken_up == ()


def test_our_own_fault_is_tried_again_by_the_same_command(
    asked: Order, rounds: list[int], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_at(monkeypatch, runner, "round_of", 2, SandboxFailed("the fence is down; mend it"))
    failed = runner.run(asked, store)
    assert failed.score is not None
    assert failed.score.outcome == "sandbox_failed"
    finished = runner.run(asked, store)
    assert finished.score is not None
    assert finished.score.outcome == "ok"
    assert finished.head.run_id == failed.head.run_id
    assert rounds == [0, 1]


def test_a_reference_that_fails_makes_its_instance_void(
    asked: Order, rounds: list[int], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Store.keep

    def a_reference_died(self: Store, run_id: str, number: int, trials: list[Trial], *rest: Any) -> None:
        ended = [t.model_copy(update={"outcome": "crashed"}) if t.tier == "expert" else t for t in trials]
        monkeypatch.setattr(Store, "keep", real)
        real(self, run_id, number, ended, *rest)

    monkeypatch.setattr(Store, "keep", a_reference_died)
    failed = runner.run(asked, store)
    assert failed.score is not None
    assert failed.score.outcome == "harness_error"
    assert store.run("last").trials != ()  # to be looked at
    finished = runner.run(asked, store)
    assert finished.score is not None
    assert finished.score.outcome == "ok"
    assert rounds == [0, 0, 1]


def test_a_run_that_somebody_works_on_is_left_alone(asked: Order, store: Store) -> None:
    head = ok_run().head
    store.claim(head, "{}", key="k")
    other = head.model_copy(update={"run_id": "another"})
    assert store.claim(other, "{}", key="k").run_id == "another"
    with store.engine.connect() as connection:
        found = connection.execute(CLAIMS.select().order_by(CLAIMS.c.attempt))
        assert [(row.run_id, row.attempt) for row in found] == [(head.run_id, 1), ("another", 2)]


def test_who_lost_a_run_to_another_process_can_write_to_it_no_more(store: Store) -> None:
    run = ok_run()
    store.claim(run.head, "{}", key="k")
    store.release(run.head.run_id)
    with pytest.raises(StoreError, match="is not this process's any more"):
        store.begin(run.head.run_id, 0)
    with pytest.raises(StoreError, match="is not this process's any more"):
        store.keep(run.head.run_id, 1, run.trials[:1])
    assert store.trials(run.head.run_id) == []


TAKER = """
import os, sys
from pathlib import Path
from harness.store.results import Store
from tests.fixtures.reports import ok_run

store = Store.open(Path(sys.argv[1]))
sys.stdout.write("ready\\n")
sys.stdout.flush()
sys.stdin.readline()
head = ok_run().head.model_copy(update={"run_id": f"new-{os.getpid()}"})
sys.stdout.write(store.claim(head, "{}", key="k").run_id + "\\n")
sys.stdout.flush()
sys.stdin.readline()
"""


def test_of_several_processes_one_takes_a_dead_run_up(store: Store) -> None:
    run = ok_run()
    store.claim(run.head, "{}", key="k")
    store.release(run.head.run_id)
    takers = [
        subprocess.Popen(
            [sys.executable, "-c", TAKER, str(store.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent.parent,
        )
        for _ in range(4)
    ]
    lines = []
    for taker in takers:
        assert taker.stdout is not None
        assert taker.stdout.readline() == "ready\n"
    for taker in takers:
        assert taker.stdin is not None
        taker.stdin.write("go\n")
        taker.stdin.flush()
    for taker in takers:
        assert taker.stdout is not None
        lines.append(taker.stdout.readline().strip())
    for taker in takers:
        taker.communicate("end\n")
    assert lines.count(run.head.run_id) == 1
    assert len(set(lines)) == 4


def test_an_owner_is_gone_only_where_that_is_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    here = processes.me()
    assert not processes.is_gone(here)
    assert not processes.is_gone_by_name(here.short())
    assert processes.parsed(here.text()) == here
    assert processes.parsed("") is None
    gone = {
        "a pid that came round again": replace(here, born=here.born - 1),
        "an earlier boot": replace(here, boot="another"),
    }
    unknown = {
        "another machine": replace(here, machine="another", born=1),
        "another container": replace(here, space=here.space + 1, born=1),
    }
    assert {name: processes.is_gone(owner) for name, owner in gone.items()} == dict.fromkeys(gone, True)
    assert {name: processes.is_gone_by_name(o.short()) for name, o in gone.items()} == dict.fromkeys(
        gone, True
    )
    assert {name: processes.is_gone(owner) for name, owner in unknown.items()} == dict.fromkeys(
        unknown, False
    )
    assert not processes.is_gone_by_name(unknown["another container"].short())
    assert not processes.is_gone_by_name(unknown["another machine"].short())
    assert not processes.is_gone_by_name("no such name")


def test_an_owner_elsewhere_is_gone_once_its_lease_has_run_out() -> None:
    elsewhere = replace(processes.me(), machine="another", born=1)
    lease = claims.LEASE_SECONDS
    assert lease >= 2 * claims.BEAT_SECONDS
    assert not claims._is_gone(elsewhere, 1000.0, 1000.0 + lease)
    assert claims._is_gone(elsewhere, 1000.0, 1000.5 + lease)
    # Nothing is known where it never said that it lives, or where there is no clock that both go by.
    assert not claims._is_gone(elsewhere, None, 1e9)
    assert not claims._is_gone(elsewhere, 1000.0, None)
    # Of this machine the kernel is asked, however long it was silent.
    assert not claims._is_gone(processes.me(), 0.0, 1e9)
    assert claims._is_gone(replace(processes.me(), born=processes.me().born - 1), 1000.0, 1000.0)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "1000"])
    yield process
    process.kill()
    process.wait()


def test_a_process_that_was_killed_and_not_waited_for_is_gone(child: subprocess.Popen[bytes]) -> None:
    owner = _of(child.pid)
    assert not processes.is_gone(owner)
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
    assert processes.is_gone(owner)


def _of(pid: int) -> Owner:
    birth = processes._born(pid)
    assert birth is not None
    return replace(processes.me(), pid=pid, born=birth)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(leftovers.tempfile, "tempdir", str(folder))
    return folder


def test_what_the_dead_left_is_swept_and_nothing_else(temporary: Path, tmp_path: Path) -> None:
    dead = replace(processes.me(), born=1).short()
    away = tmp_path / "elsewhere"
    away.mkdir()
    (away / "precious").touch()
    for name in (f"harness-staged-{dead}-a", f"harness-worker-{dead}-b"):
        (temporary / name / "inner").mkdir(parents=True)
        (temporary / name / "inner" / "file").touch()
        (temporary / name / "inner" / "away").symlink_to(away)
        (temporary / name / "inner").chmod(0o555)
    kept = {"harness-worker-of-another-kind", f"harness-worker-{dead}", "mine", f"harness-link-{dead}-c"}
    for name in kept - {f"harness-link-{dead}-c"}:
        (temporary / name).mkdir()
    (temporary / f"harness-link-{dead}-c").symlink_to(away)
    alive = leftovers.private_folder("worker")
    swept = leftovers.sweep()
    assert {path.name for path in swept} == {f"harness-staged-{dead}-a", f"harness-worker-{dead}-b"}
    assert {path.name for path in temporary.iterdir()} == kept | {alive.name}
    assert (away / "precious").exists()


def test_a_process_that_outlived_its_dead_run_is_ended(temporary: Path) -> None:
    home = temporary / f"harness-worker-{replace(processes.me(), born=1).short()}-a"
    home.mkdir()
    orphan = subprocess.Popen(["sleep", "1000"], env={**os.environ, "HOME": str(home)})
    bystander = subprocess.Popen(["sleep", "1000"], cwd=home)
    try:
        leftovers.sweep()
        assert orphan.wait(timeout=60) == -signal.SIGKILL
        assert bystander.poll() is None
    finally:
        for process in (orphan, bystander):
            process.kill()
            process.wait()


def test_no_run_is_begun_on_a_disk_without_room(
    asked: Order, rounds: list[int], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = durable.shutil.disk_usage(store.folder)
    monkeypatch.setattr(durable.shutil, "disk_usage", lambda folder: usage._replace(free=50 * 2**20))
    with pytest.raises(
        StoreError, match=r"home, where results go, has 50 MiB free and 136 MiB are needed; free some"
    ):
        runner.run(asked, store)
    assert rounds == []


def test_a_write_that_takes_a_part_only_is_gone_on_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = os.write
    monkeypatch.setattr(durable.os, "write", lambda fd, data: real(fd, bytes(data)[:7]))
    durable.write_durably(tmp_path / "file", bytes(range(100)))
    assert (tmp_path / "file").read_bytes() == bytes(range(100))


def test_a_damaged_artefact_is_written_again_by_who_has_its_content(store: Store) -> None:
    digest = store.keep_answers({"q": b"content"})
    store.blobs.place(digest).write_bytes(b"torn")
    assert store.keep_answers({"q": b"content"}) == digest
    assert store.answers(digest) == {"q": b"content"}


def test_half_written_artefacts_of_the_dead_are_swept(store: Store) -> None:
    digest = store.keep_answers({"q": b"content"})
    folder = store.blobs.place(digest).parent
    (folder / f".part-{replace(processes.me(), born=1).short()}-a").touch()
    (folder / f".part-{processes.me().short()}-b").touch()
    store.make_room(0)
    assert [p.name for p in folder.glob(".part-*")] == [f".part-{processes.me().short()}-b"]
    assert (store.folder / "ballast").stat().st_size == durable.BALLAST_BYTES
