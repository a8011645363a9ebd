"""What a node does with what it is sent: tasks looked up, submissions unpacked, one unit measured, old ones removed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.assessment.executors import nodes
from harness.errors import HarnessError, StoreError
from harness.inputs import tasks
from harness.sheets import Cell
from harness.store import packets, transfer
from harness.store.results import Store
from tests.conftest import TOYS
from tests.fixtures.reports import ok_run

TOY = TOYS / "toy-squares"
HEX = r"[0-9a-f]{64}"


@pytest.fixture(autouse=True)
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The node's own folder."""
    monkeypatch.setenv(nodes.HOME, str(tmp_path / "node"))
    return tmp_path / "node"


def test_a_task_is_looked_up_by_its_name_where_it_is_installed_and_else_by_its_folder() -> None:
    installed = tasks.find("gradients")
    by_name = nodes.task_there("gradients", installed.folder)
    assert (by_name.id, by_name.folder) == ("gradients", "")
    by_folder = nodes.task_there("toy-squares", TOY)
    assert (by_folder.id, by_folder.folder) == ("toy-squares", str(TOY))
    for there in (by_name, by_folder):
        assert len(bytes.fromhex(there.digest)) == 32


def test_a_tasks_digest_is_over_its_references_too(tmp_path: Path) -> None:
    shutil.copytree(TOYS, tmp_path / "toys")
    copy = tmp_path / "toys" / "toy-squares"
    same = nodes.task_there("toy-squares", copy)
    assert same.digest == nodes.task_there("toy-squares", TOY).digest
    with (copy / "reference_solutions" / "expert" / "solution.py").open("a") as file:
        file.write("\n# another reference\n")
    assert nodes.about([same], "cpu").tasks == {"toy-squares": nodes.task_there("toy-squares", copy).digest}
    assert nodes.about([same], "cpu").tasks["toy-squares"] != same.digest


def parcel(*names: str, parts: int | None = None) -> bytes:
    head = {"task": "toy-squares", "name": "mine", "digest": "d", "files": list(names)}
    return packets.sealed("submission", head, [b"x"] * (len(names) if parts is None else parts))


@pytest.mark.parametrize(
    "content",
    [
        parcel("solution.py", "../outside.py"),
        parcel("solution.py", "a/../outside.py"),
        parcel("/outside.py", "solution.py"),
        parcel("solution.py", parts=2),
        parcel("solution.py", "more.py", parts=1),
    ],
)
def test_one_name_that_leads_out_or_has_no_content_is_enough(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="holds a name that leads out of its folder"):
        nodes.unparcelled(content, tmp_path / "in")
    assert not (tmp_path / "in").exists()


def test_a_submission_is_unpacked_once_under_the_digest_of_its_parcel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = nodes.parcel("toy-squares", TOY / "starter")
    folder = nodes.unparcelled(content, tmp_path)
    assert folder == tmp_path / hashlib.sha256(content).hexdigest()[:32] / "starter"
    assert [path.name for path in tmp_path.iterdir()] == [folder.parent.name]

    def refuse(**_: object) -> str:
        raise AssertionError("it is there already")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    assert nodes.unparcelled(content, tmp_path) == folder


def recorded(requests: list[tuple[dict[str, object], Path]], run_id: str | None = None) -> nodes.Do:
    """Does a unit by keeping a run by records alone, or none."""

    def do(payload: str, home: str) -> str:
        requests.append((json.loads(payload), Path(home)))
        if run_id:
            run = ok_run()
            store = Store.open(Path(home))
            store.claim(run.head.model_copy(update={"run_id": run_id}), "{}", "key")
            store.release(run_id)
        return Cell(candidate="ann", task="toy-squares", outcome="ok", run_id=run_id or "").model_dump_json()

    return do


def test_a_unit_is_measured_with_the_task_and_the_submission_that_lie_on_the_node(
    top: Path, store: Store
) -> None:
    requests: list[tuple[dict[str, object], Path]] = []
    payload = json.dumps({"assessment": "abc123", "folder": "/elsewhere", "task_folder": "/elsewhere too"})
    task, content = nodes.task_there("toy-squares", TOY), nodes.parcel("toy-squares", TOY / "starter")
    answer = nodes.measure(recorded(requests, "run-1"), payload, task.model_dump_json(), content, True)
    ((request, home),) = requests
    assert request["task_folder"] == str(TOY)
    folder = Path(str(request["folder"]))
    assert folder.is_relative_to(top / "submissions")
    assert (folder / "solution.py").read_bytes() == (TOY / "starter" / "solution.py").read_bytes()
    assert home == top / "stores" / hashlib.sha256(b"abc123").hexdigest()[:16]
    head, parts = packets.opened("unit", answer)
    assert (json.loads(head["cell"])["run_id"], head["shared"], len(parts)) == ("run-1", "", 1)
    assert 0 <= head["seconds"] < 600
    assert transfer.adopt(store, parts[0]) == "run-1"


def test_a_unit_that_names_neither_is_measured_as_it_was_sent() -> None:
    requests: list[tuple[dict[str, object], Path]] = []
    head, parts = packets.opened("unit", nodes.measure(recorded(requests), '{"folder": "x"}', "", b"", False))
    assert requests[0][0] == {"folder": "x"}
    assert (head["shared"], parts) == ("", []), "where nothing was run there is no run to send"


def test_where_a_database_is_shared_the_run_is_there_already_and_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests: list[tuple[dict[str, object], Path]] = []
    do = recorded(requests, "run-1")
    opened = Store.open

    def shared(home: Path) -> object:
        return SimpleNamespace(shared=True, where="postgresql://host/results") if requests else opened(home)

    def measured(payload: str, home: str) -> str:
        cell = do(payload, home)
        monkeypatch.setattr(Store, "open", shared)
        return cell

    head, parts = packets.opened("unit", nodes.measure(measured, "{}", "", b"", False))
    assert (head["shared"], parts) == ("postgresql://host/results", [])


@pytest.mark.parametrize("ours", [True, False])
def test_a_folder_that_another_user_made_is_not_trusted(
    top: Path, monkeypatch: pytest.MonkeyPatch, ours: bool
) -> None:
    top.mkdir()
    owner = top.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: owner if ours else owner + 1)
    if ours:
        assert nodes.About.model_validate_json(nodes.probe("[]", "cpu")).tasks == {}
    else:
        with pytest.raises(StoreError, match="is not this user's own folder; set HARNESS_NODE_HOME"):
            nodes.probe("[]", "cpu")


def test_without_numbers_of_users_there_is_one_folder_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(nodes.HOME)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    nodes.probe("[]", "cpu")
    assert (tmp_path / f"harness-node-{os.getuid()}").stat().st_mode & 0o777 == 0o700
    monkeypatch.delattr(os, "getuid")
    nodes.probe("[]", "cpu")
    assert (tmp_path / "harness-node-0").is_dir()


def test_a_week_is_what_unused_things_are_kept_for(top: Path) -> None:
    now, week = time.time(), 7 * 24 * 3600
    ages = {
        "stores/old": (week + 60, week + 60),
        "stores/fresh": (week - 60, week - 60),
        "stores/written": (week + 60, 0),
        "submissions/old": (week + 60, week + 60),
        "submissions/touched": (0, week + 60),
    }
    for name, (folder, inside) in ages.items():
        (top / name).mkdir(parents=True)
        (top / name / "file").touch()
        os.utime(top / name / "file", (now - inside, now - inside))
        os.utime(top / name, (now - folder, now - folder))
    nodes.probe("[]", "cpu")
    left = {f"{path.parent.name}/{path.name}" for path in top.glob("*/*")}
    assert left == {"stores/fresh", "stores/written", "submissions/touched"}
