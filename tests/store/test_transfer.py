"""A run moved into another store: the same run there, once; and packets that are not sound are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from harness.errors import HarnessError, StoreError
from harness.inputs import tasks
from harness.records import Run
from harness.reports.run import markdown
from harness.runs import rescore, runner
from harness.runs.options import Options, order
from harness.store import packets, transfer
from harness.store.results import Store
from harness.store.schema import CLAIMS, INSTANCES, QUALITY, RUNS, TRIALS
from tests.conftest import TOYS
from tests.fixtures.reports import ok_run

COMPETENT = TOYS / "toy-squares" / "reference_solutions" / "competent"
Head = dict[str, Any]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with one scored run of two instances."""
    found = Store.open(tmp_path_factory.mktemp("origin"), url="")
    runner.run(
        order(Options(task="toy-squares", folder=COMPETENT, tasks_root=TOYS, profile="ci-smoke", trials=2)),
        found,
    )
    return found


@pytest.fixture(scope="module")
def content(origin: Store) -> bytes:
    return transfer.packed(origin, origin.run("last").head.run_id)


def recorded(store: Store, run: Run) -> bytes:
    """The packet of a run by records alone, with one instance, its answers and a reference's quality."""
    run_id, digest = run.head.run_id, store.keep_answers({"q": b"forty-two"})
    answers = {"archive": digest}
    trials = [t.model_copy(update={"number": 0, "answers": answers}) for t in run.trials[:2]]
    store.claim(run.head, json.dumps({"task_folder": "x"}), "key")
    store.keep(run_id, 0, trials, run.assessed[1:2], 12.5)
    store.keep_quality("quality of it", run_id, run.assessed[2])
    store.scored(run.model_copy(update={"wall_seconds": 1.0}))
    store.scored(run)
    store.release(run_id)
    return transfer.packed(store, run_id)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return recorded(Store.open(tmp_path_factory.mktemp("small"), url=""), ok_run())


def rows(store: Store) -> dict[str, int]:
    tables = (RUNS, CLAIMS, INSTANCES, TRIALS, QUALITY)
    return {t.name: store.read(select(func.count()).select_from(t))[0][0] for t in tables}


def _same(_: str, folder: Path) -> tasks.Task:
    return tasks.read(folder)


def test_a_moved_run_is_the_run(origin: Store, content: bytes, store: Store) -> None:
    run = origin.run("last")
    assert transfer.adopt(store, content) == run.head.run_id
    moved = store.run("last")
    assert moved == run
    assert len(moved.trials) == 2 * 4
    assert markdown.render_run(moved) == markdown.render_run(run)
    assert rows(store) == rows(origin)
    old, new = rescore.rescore("last", store, _same)
    assert new.score == old.score == run.score
    assert transfer.packed(store, run.head.run_id) != content  # its history has the score of before


def test_what_is_adopted_twice_is_there_once(content: bytes, store: Store) -> None:
    transfer.adopt(store, content)
    once = rows(store)
    rescore.rescore("last", store, _same)
    (before,) = store.read(select(RUNS.c.scored))
    transfer.adopt(store, content)
    assert rows(store) == once
    (after,) = store.read(select(RUNS.c.scored))
    assert after.scored == before.scored  # a later score stays


def test_the_task_is_looked_for_where_it_lies_here(content: bytes, store: Store, tmp_path: Path) -> None:
    run_id = transfer.adopt(store, content, tmp_path / "toy-squares")
    assert json.loads(store.call(run_id))["task_folder"] == str(tmp_path / "toy-squares")


def test_two_commands_of_the_same_key_keep_both_runs(content: bytes, store: Store) -> None:
    own = runner.run(
        order(Options(task="toy-squares", folder=COMPETENT, tasks_root=TOYS, profile="ci-smoke", seed=3)),
        store,
    )
    head, parts = packets.opened("run", content)
    (claim,) = store.read(select(CLAIMS.c.key))
    transfer.adopt(store, packets.sealed("run", {**head, "key": claim.key}, parts))
    found = store.read(select(CLAIMS.c.attempt, CLAIMS.c.run_id).order_by(CLAIMS.c.attempt))
    assert [row.attempt for row in found] == [1, 2]
    assert found[0].run_id == own.head.run_id


def test_an_unfinished_copy_is_replaced_by_the_whole_one(content: bytes, store: Store) -> None:
    head, parts = packets.opened("run", content)
    begun = {**head, "state": "claimed", "scored": None}
    transfer.adopt(store, packets.sealed("run", begun, parts))
    assert store.run("last").score is None
    transfer.adopt(store, content)
    assert store.run("last").score is not None
    assert rows(store)["runs"] == 1


def test_another_run_of_the_same_id_is_refused(small: bytes, store: Store) -> None:
    transfer.adopt(store, small)
    head, parts = packets.opened("run", small)
    head["trials"][0]["log_bytes"] += 1
    with pytest.raises(StoreError, match="measured otherwise"):
        transfer.adopt(store, packets.sealed("run", head, parts))


def _other_head(head: Head) -> None:
    head["head"]["run_id"] = "another"


def _twice(head: Head) -> None:
    head["instances"].append(head["instances"][0])


def _trial_twice(head: Head) -> None:
    head["trials"].append(head["trials"][0])


def _extra(head: Head) -> None:
    head["owner"] = "me"


def _newer(head: Head) -> None:
    head["head"]["schema_version"] = 99


def _no_instance(head: Head) -> None:
    head["instances"].pop()


def _unscored(head: Head) -> None:
    head["scored"] = None


def _no_id(head: Head) -> None:
    head["head"]["run_id"] = head["scored"]["run"]["head"]["run_id"] = ""


def _no_key(head: Head) -> None:
    head["key"] = ""


def _unknown_instance_state(head: Head) -> None:
    head["instances"][0]["state"] = "official"


def _more_in_the_score(head: Head) -> None:
    head["scored"]["owner"] = "me"


def _unknown_state(head: Head) -> None:
    head["state"] = "official"


def _bad_history(head: Head) -> None:
    head["scored"]["history"] = [{"not": "a run"}]


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (_other_head, "its score is another run's"),
        (_twice, "its instances are not told apart"),
        (_trial_twice, "its trials are not told apart"),
        (_extra, "that was moved does not read as one: 1 validation error"),
        (_newer, "it was made by a newer harness"),
        (_no_id, "it has no id"),
        (_no_key, "it has no id"),
        (_no_instance, "a trial is of no instance of it"),
        (_unscored, "it is said to be scored and is not"),
        (_unknown_state, "its state is unknown"),
        (_unknown_instance_state, "its state is unknown"),
        (_more_in_the_score, "its score is not as the store keeps it"),
        (_bad_history, "that was moved does not read as one"),
    ],
)
def test_a_forged_packet_leaves_nothing(
    forge: Callable[[Head], None], why: str, small: bytes, store: Store
) -> None:
    head, parts = packets.opened("run", small)
    forge(head)
    with pytest.raises(HarnessError, match=why):
        transfer.adopt(store, packets.sealed("run", head, parts))
    assert not any(rows(store).values())
    assert not list(store.folder.glob("artefacts/*/*"))


def test_answers_that_no_trial_names_are_refused(small: bytes, store: Store) -> None:
    head, parts = packets.opened("run", small)
    for others in ([*parts, b"more"], parts[1:], [b"other", *parts[1:]]):
        with pytest.raises(HarnessError, match="answers are not those"):
            transfer.adopt(store, packets.sealed("run", head, others))
    assert not any(rows(store).values())


@pytest.mark.parametrize("place", [0, 20, 200, -1])
def test_a_damaged_packet_is_refused(place: int, small: bytes, store: Store) -> None:
    broken = bytearray(small)
    broken[place] ^= 1
    with pytest.raises(HarnessError, match="damaged"):
        transfer.adopt(store, bytes(broken))
    with pytest.raises(HarnessError, match="damaged"):
        transfer.adopt(store, small[: len(small) // 2])
    assert not any(rows(store).values())


def test_a_run_by_records_alone_moves_as_well(store: Store, tmp_path: Path) -> None:
    run = ok_run()
    head = run.head
    store.claim(head, json.dumps({"task_folder": "x"}), "key")
    store.release(head.run_id)
    there = Store.open(tmp_path / "there", url="")
    transfer.adopt(there, transfer.packed(store, head.run_id))
    assert there.run(head.run_id) == store.run(head.run_id)


def test_all_that_is_kept_of_a_run_is_moved_and_other_runs_are_left_alone(
    small: bytes, store: Store, tmp_path: Path
) -> None:
    own = ok_run().model_copy(update={"head": ok_run().head.model_copy(update={"run_id": "own"})})
    recorded(store, own)
    run_id = transfer.adopt(store, small)
    assert transfer.adopt(store, small) == run_id, "what is there already is there once"
    assert store.run("own").head == own.head
    assert json.loads(store.call(run_id)) == {"task_folder": "x"}
    assert [row.attempt for row in store.read(select(CLAIMS.c.attempt).order_by(CLAIMS.c.attempt))] == [1, 2]
    assert rows(store) == {"runs": 2, "claims": 2, "instances": 2, "trials": 4, "quality": 1}
    known = store.known(run_id, 0)
    assert known is not None
    assert (known.references, known.seconds) == (ok_run().assessed[1:2], 12.5)
    assert (
        len(json.loads(store.read(select(RUNS.c.scored).where(RUNS.c.run_id == run_id))[0].scored)["history"])
        == 1
    )
    there = Store.open(tmp_path / "there", url="")
    transfer.adopt(there, small)
    assert transfer.packed(there, run_id) == small
    assert there.answers(there.trials(run_id, 0)[0].answers["archive"]) == {"q": b"forty-two"}
    reference = there.quality("quality of it")
    assert reference == ok_run().assessed[2].model_copy(update={"reused_from": run_id})


def test_a_run_that_somebody_works_on_is_not_replaced(small: bytes, store: Store) -> None:
    store.claim(ok_run().head, "{}", "key")
    with pytest.raises(StoreError, match="somebody works on run"):
        transfer.adopt(store, small)
    assert rows(store)["trials"] == 0


def test_answers_that_find_no_room_are_one_sentence_and_no_run_is_taken_in(
    small: bytes, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: bytes) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.blobs, "keep", full)
    with pytest.raises(StoreError, match=r"answers could not be written to .*: No space left on device"):
        transfer.adopt(store, small)
    assert not any(rows(store).values())
