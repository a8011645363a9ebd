"""Level `confined`: on what system it starts, what it promises there, and what a worker is told to keep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import SandboxFailed
from harness.isolation import cgroups, confined, selftest
from harness.isolation.base import Checked, Launch, Launched
from harness.isolation.box import guard, sharedmemory
from harness.isolation.confined import ConfinedLevel, cuda_devices, linked, path_files
from harness.isolation.zygotes import Forked
from tests.isolation.doubles import FakeProcess, order

OURS = Path(confined.__file__).parents[2]


def a_system(monkeypatch: pytest.MonkeyPatch, platform: str, forks: bool, known: bool, landlock: int) -> None:
    monkeypatch.setattr(confined, "sys", SimpleNamespace(platform=platform))
    monkeypatch.setattr(confined, "possible", lambda: forks)
    monkeypatch.setattr(confined, "syscalls", SimpleNamespace(known=lambda: known))
    monkeypatch.setattr(confined, "version", lambda: landlock)


@pytest.mark.parametrize(
    ("platform", "forks", "known", "landlock", "refused"),
    [
        ("linux", True, True, 1, ""),
        ("darwin", True, True, 1, "needs Linux 5.13 or newer on x86_64 or aarch64"),
        ("linux", False, True, 1, "needs Linux 5.13 or newer"),
        ("linux", True, False, 1, "needs Linux 5.13 or newer"),
        ("linux", True, True, 0, "needs Landlock"),
    ],
)
def test_it_starts_only_where_the_kernel_can_hold_a_worker(
    monkeypatch: pytest.MonkeyPatch, platform: str, forks: bool, known: bool, landlock: int, refused: str
) -> None:
    a_system(monkeypatch, platform, forks, known, landlock)
    if refused:
        with pytest.raises(SandboxFailed, match=f"level confined {refused}"):
            ConfinedLevel().insist()
    else:
        ConfinedLevel().insist()


ALL_MOUNTS = {"shm": "private", "sealed": True, "hidden": True}
ALWAYS = ("connects to unix sockets that have a path", "can fill the disk")
SEES_SHM = "sees what others of its user keep in /dev/shm"
MODES = "changes the modes and times of files of its user"
SEES = "sees the command lines of other processes"
SIGNALS = "signals other processes of its user (Linux before 6.12)"
SOCKETS = "connects to abstract sockets (Linux before 6.12)"
TRUNCATES = "truncates files of its user (Linux before 6.2)"
NAMES = {
    SEES_SHM: "find shared memory of others",
    MODES: "change the mode of a file outside",
    SEES: "see the harness",
    SIGNALS: "signal the harness",
    SOCKETS: "connect to an abstract socket",
    TRUNCATES: "truncate a file outside",
}


def forked(says: dict[str, Any]) -> Forked:
    zygote: Any = None
    return Forked(zygote=zygote, pid=77, its_own=9, descriptor=-1, stdout=None, stderr=None, says=says)


def launched(process: Any) -> Launched:
    sock: Any = None
    return Launched(process=process, sock=sock)


@pytest.mark.parametrize(
    ("landlock", "process", "lacking"),
    [
        (7, forked(ALL_MOUNTS), []),
        (6, forked(ALL_MOUNTS), []),
        (5, forked(ALL_MOUNTS), [SIGNALS, SOCKETS]),
        (3, forked(ALL_MOUNTS), [SIGNALS, SOCKETS]),
        (2, forked(ALL_MOUNTS), [SIGNALS, SOCKETS, TRUNCATES]),
        (6, forked({**ALL_MOUNTS, "shm": "shared"}), [SEES_SHM]),
        (6, forked({**ALL_MOUNTS, "sealed": False}), [MODES]),
        (6, forked({**ALL_MOUNTS, "hidden": False}), [SEES]),
        (6, forked({**ALL_MOUNTS, "hidden": "yes"}), [SEES]),
        (6, forked({}), [SEES_SHM, MODES, SEES]),
        (6, FakeProcess(), [SEES_SHM, MODES, SEES]),
    ],
)
def test_it_promises_all_but_what_this_kernel_and_these_mounts_cannot_hold(
    monkeypatch: pytest.MonkeyPatch, landlock: int, process: Any, lacking: list[str]
) -> None:
    monkeypatch.setattr(confined, "version", lambda: landlock)
    checked = ConfinedLevel().promises(launched(process))
    never = {
        "connect to a socket that has a path",
        "know the machine's name",
        "take back the mark of its peak memory",
        "count on from the worker before",
        "know which worker of the run it is",
    }
    due = selftest.every() - never - {NAMES[words] for words in lacking}
    assert checked.promised == tuple(sorted(due))
    assert checked.residual == (*ALWAYS, *lacking)
    assert checked.reached == {}


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Starts a worker of a level whose zygotes fork `process` for these stacks only; tells how it was forked."""
    monkeypatch.setattr(selftest, "run", lambda start, promises: Checked())
    monkeypatch.setattr(ConfinedLevel, "insist", lambda self: None)
    monkeypatch.setattr(guard, "raise_guard", lambda: None)
    monkeypatch.setattr(guard, "lower_guard", lambda: None)

    def start(wanted: Launch, process: Any, stacks: tuple[Any, ...], group: Any = None) -> Any:
        forks: list[tuple[Launch, Any, Any]] = []

        def fork(level: ConfinedLevel, order: Launch, group: Any, more: Any) -> Launched | None:
            forks.append((order, group, more))
            return launched(process) if order.stack in stacks else None

        monkeypatch.setattr(cgroups, "make", lambda: (group, "" if group else "none today"))
        monkeypatch.setattr(ConfinedLevel, "_forked", fork)
        level, rules = ConfinedLevel(), {}
        level.weaken = rules.update
        try:
            return SimpleNamespace(launched=level.launch(wanted), forks=forks, rules=rules)
        finally:
            level.close()

    return start


class Group:
    """A control group that can keep its workers on their cores."""

    def confine(self, cores: list[int]) -> bool:
        return True

    def remove(self) -> None: ...


STACK = ("numpy",)


@pytest.mark.parametrize("grouped", [True, False])
def test_without_a_control_group_a_keeper_ends_what_a_worker_leaves(
    worker: Any, tmp_path: Path, grouped: bool
) -> None:
    wanted = order(tmp_path, stack=STACK)
    group = Group() if grouped else None
    started = worker(wanted, forked(ALL_MOUNTS), (STACK,), group)
    ((with_order, with_group, more),) = started.forks
    assert (with_order, with_group) == (wanted, group)
    assert (more["keep"], started.launched.keeper) == ((False, 0) if grouped else (True, 9))
    assert more["confine"]["affinity"] is grouped
    assert started.launched.no_cgroup == ("" if grouped else "none today")


def test_a_stack_that_cannot_be_forked_is_left_to_the_submission_to_import(
    worker: Any, tmp_path: Path
) -> None:
    wanted = order(tmp_path, stack=STACK, readable=(tmp_path,))
    started = worker(wanted, forked(ALL_MOUNTS), ((),))
    assert [one.stack for one, _, _ in started.forks] == [STACK, ()]
    bare = started.forks[1][0]
    assert bare == order(tmp_path, readable=(tmp_path,))
    assert started.launched.pid == 77


def test_where_nothing_can_be_forked_no_worker_is_started(worker: Any, tmp_path: Path) -> None:
    with pytest.raises(SandboxFailed, match="no worker could be forked at level confined"):
        worker(order(tmp_path, stack=STACK), None, ())


@pytest.mark.parametrize(("shm", "swept"), [("private", []), ("shared", ["left"])])
def test_shared_memory_of_all_is_swept_when_the_worker_has_ended(
    worker: Any, tmp_path: Path, shm: str, swept: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setattr(sharedmemory, "FOLDER", folder)
    (folder / "earlier").touch()
    started = worker(order(tmp_path, stack=STACK), forked({**ALL_MOUNTS, "shm": shm}), (STACK,))
    (folder / "left").touch()
    started.launched.process.afterwards()
    assert started.launched.swept == swept
    assert (folder / "earlier").exists()


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_worker_keeps_its_folder_what_it_was_given_and_its_device(
    worker: Any, tmp_path: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (tmp_path / "weights").touch()
    (given / "link").symlink_to(tmp_path / "weights")
    monkeypatch.setattr(confined, "cuda_devices", lambda: ["/dev/nvidia0"])
    wanted = order(tmp_path, stack=STACK, readable=(given,), device=device)
    started = worker(wanted, forked(ALL_MOUNTS), (STACK,))
    rules = started.rules
    assert rules == started.forks[0][2]["confine"]
    on_cuda = device == "cuda"
    assert rules["own"] == [str(tmp_path / "home")]
    assert {str(given), "/usr", "/proc"} < set(rules["readable"])
    assert str(OURS / "harness" / "worker") in rules["readable"]
    assert not {"/", str(OURS), str(OURS / "harness")} & {*rules["readable"], *rules["readable_if"]}
    assert str(tmp_path / "weights") in rules["readable_if"]
    assert ("/sys" in rules["readable_if"], "/dev/nvidia0" in rules["use_if"]) == (on_cuda, on_cuda)
    assert {"/dev/null", "/dev/urandom"} < set(rules["use_if"])
    assert (rules["shm"], rules["seccomp"], rules["cuda"]) == (True, True, on_cuda)


def test_a_level_as_it_is_weakens_nothing(tmp_path: Path) -> None:
    assert ConfinedLevel()._rules(order(tmp_path), held=True)["seccomp"] is True


def test_folders_that_path_files_add_are_readable_but_no_checkout_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages, more = tmp_path / "packages", tmp_path / "more"
    for name in (
        "beside",
        "# a comment",
        "import sys",
    ):  # those two are no folders to Python, whatever is there
        (packages / name).mkdir(parents=True)
    more.mkdir()
    names = ["zoo", "yak", "emu", "cat", "bee", "ant", "owl", "fox", "hen", "dog"]
    for name in names:
        (packages / f"{name}.pth").write_text("")
    lines = [
        "# a comment",
        "import sys",
        "",
        "  ",
        f" {more} ",
        "beside",
        str(tmp_path / "missing"),
        str(OURS),
    ]
    (packages / "ant.pth").write_text("\n".join(lines))
    (packages / "no.txt").write_text(str(more))
    folders = [str(tmp_path / "missing"), str(packages)]
    monkeypatch.setattr(confined, "site", SimpleNamespace(getsitepackages=lambda: folders))
    added = path_files.__wrapped__()
    assert list(added) == [packages / f"{name}.pth" for name in sorted(names)]
    assert added.pop(packages / "ant.pth") == [more, packages / "beside"]
    assert not any(added.values())


def test_files_to_which_links_lead_are_readable_where_they_lie_outside(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    for file in (tmp_path / "blob", folder / "plain", tmp_path / "contract.py"):
        file.touch()
    (folder / "inside").symlink_to("plain")
    (folder / "deep" / "outside").symlink_to(tmp_path / "blob")
    assert linked((folder, tmp_path / "contract.py", tmp_path / "missing")) == (tmp_path / "blob",)


def test_a_drivers_device_files_are_found_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [
        "nvidia7",
        "nvidia-uvm",
        "nvidia0",
        "nvidiactl",
        "nvidia3",
        "nvidia-modeset",
        "nvidia1",
        "nvidia5",
    ]
    for name in (*names, "null"):
        (tmp_path / name).touch()
    monkeypatch.setattr(confined, "Path", {"/dev": tmp_path}.__getitem__)
    assert cuda_devices() == sorted(str(tmp_path / name) for name in names)
