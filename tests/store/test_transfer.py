"""A run moved into another store: the same run there, once; and packets that are not sound are refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from harness.errors import HarnessError, StoreError
from harness.inputs import tasks
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


def test_another_run_of_the_same_id_is_refused(content: bytes, store: Store) -> None:
    transfer.adopt(store, content)
    head, parts = packets.opened("run", content)
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
        (_extra, "that was moved does not read as one"),
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
    forge: Callable[[Head], None], why: str, content: bytes, store: Store
) -> None:
    head, parts = packets.opened("run", content)
    forge(head)
    with pytest.raises(HarnessError, match=why):
        transfer.adopt(store, packets.sealed("run", head, parts))
    assert not any(rows(store).values())
    assert not list(store.folder.glob("artefacts/*/*"))


def test_answers_that_no_trial_names_are_refused(content: bytes, store: Store) -> None:
    head, parts = packets.opened("run", content)
    for others in ([*parts, b"more"], parts[1:], [b"other", *parts[1:]]):
        with pytest.raises(HarnessError, match="answers are not those"):
            transfer.adopt(store, packets.sealed("run", head, others))
    assert not any(rows(store).values())


@pytest.mark.parametrize("place", [0, 20, 200, -1])
def test_a_damaged_packet_is_refused(place: int, content: bytes, store: Store) -> None:
    broken = bytearray(content)
    broken[place] ^= 1
    with pytest.raises(HarnessError, match="damaged"):
        transfer.adopt(store, bytes(broken))
    with pytest.raises(HarnessError, match="damaged"):
        transfer.adopt(store, content[: len(content) // 2])
    assert not any(rows(store).values())


def test_a_packet_of_another_kind_or_too_large_is_refused() -> None:
    sealed = packets.sealed("folder", {"a": 1}, [b"x"])
    assert packets.opened("folder", sealed) == ({"a": 1}, [b"x"])
    with pytest.raises(HarnessError, match="another kind"):
        packets.opened("run", sealed)
    with pytest.raises(HarnessError, match="too large"):
        packets.opened("folder", sealed, most=10)
    with pytest.raises(HarnessError, match="the most"):
        packets.sealed("folder", {}, [bytes(100)], most=100)


def test_a_packet_at_the_limit_is_moved_and_one_beyond_is_not() -> None:
    sealed = packets.sealed("folder", {}, [bytes(100)])
    size = len(sealed)
    assert packets.sealed("folder", {}, [bytes(100)], most=size) == sealed
    assert packets.opened("folder", sealed, most=size) == ({}, [bytes(100)])
    with pytest.raises(HarnessError, match="the most that is moved"):
        packets.sealed("folder", {}, [bytes(100)], most=size - 1)
    with pytest.raises(HarnessError, match="it is too large"):
        packets.opened("folder", sealed, most=size - 1)


def whole(said: object, *parts: bytes) -> bytes:
    """A packet with the right digest, whatever its head says."""
    head = json.dumps(said).encode()
    body = b"".join((b"harness packet 1\n", len(head).to_bytes(8, "big"), head, *parts))
    return body + hashlib.sha256(body).digest()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"kind": "run", "head": {}, "sizes": [1]}, ""),
        ({"kind": "folder", "head": {}, "sizes": [1]}, "another kind"),
        ({"kind": "run", "head": [], "sizes": [1]}, "is not what it says"),
        ({"kind": "run", "head": {}, "sizes": [2]}, "is not what it says"),
        ({"kind": "run", "head": {}, "sizes": []}, "is not what it says"),
        ({"kind": "run", "head": {}, "sizes": [2, -1]}, "is not what it says"),
        ({"kind": "run", "head": {}, "sizes": [True]}, "is not what it says"),
        ({"kind": "run", "head": {}}, "cannot be read"),
        ([], "cannot be read"),
    ],
)
def test_a_packet_that_contradicts_itself_is_refused(said: object, words: str) -> None:
    if not words:
        assert packets.opened("run", whole(said, b"x")) == ({}, [b"x"])
        return
    with pytest.raises(HarnessError, match=words):
        packets.opened("run", whole(said, b"x"))


def test_a_run_by_records_alone_moves_as_well(store: Store, tmp_path: Path) -> None:
    run = ok_run()
    head = run.head
    store.claim(head, json.dumps({"task_folder": "x"}), "key")
    store.release(head.run_id)
    there = Store.open(tmp_path / "there", url="")
    transfer.adopt(there, transfer.packed(store, head.run_id))
    assert there.run(head.run_id) == store.run(head.run_id)
