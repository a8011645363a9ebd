"""Every isolation level under one contract, what each promises tried for real, and which of them is taken."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from harness.errors import Fault, ProfileError, SandboxFailed
from harness.instances import ArraySpec, BlobSpec, Request
from harness.isolation import cgroups, confined, selftest, strong
from harness.isolation.base import Checked, Launch, Launched, Level
from harness.isolation.box import bubblewrap, poolusers, sharedmemory
from harness.isolation.box.bubblewrap import BubblewrapLevel
from harness.isolation.cgroups import Cgroup
from harness.isolation.confined import ConfinedLevel
from harness.isolation.levels import LEVELS, level
from harness.isolation.process import ProcessLevel
from harness.isolation.zygotes import Forked
from harness.machine import processes
from harness.trials import session
from harness.trials.watch import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the stronger levels are Linux's")
STRONG = [name for name in LEVELS if name != "process"]
SOLUTION = Path(__file__).with_name("isolated_solution.py")
PHASES = ("do", "count", "hold", "die", "spin")
LIMITS = Limits(3 << 30, 32, 60.0, dict.fromkeys(PHASES, 60.0))
STACK = ("torch", "torch.utils.data")
as_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0,
    reason="only a box of root has a pool user, and only root may look into what is in it",
)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a worker is given: a submission and a contract, in folders that everybody may read."""
    top = tmp_path_factory.mktemp("given")
    (top / "submission").mkdir()
    (top / "submission" / "solution.py").write_text(SOLUTION.read_text())
    phases = {"do": "what", "count": "numbers", "hold": "numbers", "die": "numbers", "spin": "numbers"}
    contract = [f"    def {name}(self, {argument}): ...\n" for name, argument in phases.items()]
    (top / "contract.py").write_text("class Contract:\n" + "".join(contract))
    return top


@pytest.fixture(params=list(LEVELS), scope="module")
def isolation(request: pytest.FixtureRequest) -> Iterator[Level]:
    """Each level in turn, with its zygotes and boxes kept for all tests of this module."""
    with contextlib.closing(level(request.param)) as found:
        yield found


def started(of: Level, given: Path, stack: tuple[str, ...] = STACK) -> session.Session:
    seat = session.WorkerSpec(
        submission=given / "submission",
        contract=given / "contract.py",
        models={},
        device="cpu",
        threads=1,
        seed=7,
        limits=LIMITS,
        stack=stack,
    )
    return session.start(of, seat, "main")


@pytest.fixture
def worker(isolation: Level, given: Path) -> Generator[session.Session]:
    found = started(isolation, given)
    yield found
    found.close()


def does(worker: session.Session, what: str) -> Any:
    answer, _ = worker.call(Request(what, "do", {}, BlobSpec(60_000)), {"what": what})
    assert isinstance(answer, bytes)
    return json.loads(answer)


def asked(worker: session.Session, phase: str, number: float) -> tuple[Any, float]:
    request = Request("x", phase, {}, ArraySpec("float64", (1,)))
    return worker.call(request, {"numbers": np.array([number])})


def test_it_answers_pauses_and_ends_with_its_log_read(worker: session.Session) -> None:
    answer, seconds = asked(worker, "count", 41.0)
    assert (answer[0], seconds > 0) == (42.0, True)
    worker.pause()
    # It may have to wait for a core before it notices; the pause itself waits for some milliseconds.
    ends = time.monotonic() + 30
    while psutil.Process(worker.launched.pid).status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < ends
    assert asked(worker, "count", 1.0)[0][0] == 2.0
    does(worker, "print")
    worker.close()
    assert worker.launched.process.poll() == 0
    assert b"said to nobody" in worker.watch.log.head
    assert not psutil.pid_exists(worker.launched.pid)
    assert not worker.home.exists()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (3.0, "by itself with status 3"),
        (255.0, "by itself with status 255"),
        (-9.0, "killed by signal 9"),
        (-15.0, "killed by signal 15"),
    ],
)
def test_how_it_ended_is_told(worker: session.Session, number: float, said: str) -> None:
    with pytest.raises(Fault, match=said):
        asked(worker, "die", number)
    assert worker.launched.process.wait(timeout=20) == number


def test_its_memory_is_seen_from_outside(worker: session.Session) -> None:
    worker.watch.read_now()
    before = worker.watch.meter.read().held
    asked(worker, "hold", 200)
    assert worker.watch.meter.read().held - before > 190 << 20
    assert ("cgroup" in worker.watch.measured_by) == (worker.launched.cgroup is not None)


@pytest.mark.parametrize(
    "what",
    [
        "torch",
        "loader",
        "pool",
        "spawn",
        "queue",
        "temporary",
        "interpreter",
        "shell",
        "threads",
        "shared",
        "cache",
        "compile",
    ],
)
def test_what_honest_code_does_it_may(worker: session.Session, what: str) -> None:
    assert does(worker, what) is True


def test_each_worker_finds_its_place_empty_and_its_own(isolation: Level, given: Path) -> None:
    first = started(isolation, given)
    assert does(first, "leave") is True
    first.close()
    second = started(isolation, given)
    found = does(second, "look")
    second.close()
    assert not found["scratch"]
    if isolation.name != "process":
        assert not found["shm"]
        assert not found["tmp"]
        assert not [name for name, value in found["environment"].items() if "hunter2" in value]


# What even a first worker may not do, in a box; of the rest nothing may be found.
NOBODY_MAY = {
    *(f"{what} /dev" for what in ("file", "mode", "time")),
    *(f"attribute {folder}" for folder in ("/tmp", "/dev/shm", "/dev", "/box", "/box/scratch")),
    *("memory", "host", "host again"),
}
# What differs for the worker itself once it has left all it may, so that what is looked at can be told apart.
CHANGED = {"folders", "counts", "processes", "terminals", "name", "limits"}


def test_of_the_workers_of_a_box_none_finds_anything_of_another(given: Path) -> None:
    with contextlib.closing(level("bubblewrap")) as found:
        first = started(found, given, ("json",))
        fresh = does(first, "all")
        assert set(does(first, "everywhere")) == NOBODY_MAY
        own = does(first, "all")
        assert {what for what in fresh if own[what] != fresh[what]} == CHANGED
        beside = started(found, given, ("json",))  # the first one lives
        assert does(beside, "all") == fresh
        does(beside, "everywhere")
        assert _without_counts(does(first, "all")) == _without_counts(own)
        for worker in (first, beside):
            worker.close()
        after = started(found, given, ("json",))
        assert does(after, "all") == fresh
        after.close()
        assert len(_boxes(found)) == 1
    assert fresh["numbers"] == [2, 1, 2]
    assert fresh["processes"] == [1, 2]
    assert fresh["counts"][1] == 3
    assert fresh["host"] == ["box", "box\n"]
    assert (fresh["groups"], fresh["name"]) == (True, "ECONNREFUSED")
    assert fresh["terminals"] == []
    assert own["terminals"] == [0]
    folders = fresh["folders"].values()
    assert not [seen for seen in folders if seen[3] or "left-here" in str(seen)]


def _boxes(of: Level) -> list[Any]:
    assert isinstance(of, BubblewrapLevel)
    return list(of._boxes.values())


def _without_counts(seen: dict[str, Any]) -> dict[str, Any]:
    """What a worker sees but for the numbers that it draws by looking."""
    return {what: seen[what] for what in seen if what != "counts"}


SPACES = ("mnt", "pid", "ipc", "uts", "net", "cgroup")


@as_root
def test_each_worker_of_a_box_has_namespaces_and_no_rights_and_only_the_zygote_has_one(given: Path) -> None:
    with contextlib.closing(level("bubblewrap")) as found:
        workers = [started(found, given, ("json",)) for _ in range(2)]
        (boxed,) = _boxes(found)
        one, two, zygote = (_spaces(pid) for pid in (*(w.launched.pid for w in workers), boxed.zygote.pid))
        for each, other in ((one, two), (one, zygote), (two, zygote)):
            assert [kind for kind in SPACES if each[kind] == other[kind]] == []
        assert one["user"] == two["user"] == zygote["user"] != _spaces(os.getpid())["user"]
        inside = psutil.Process(boxed.zygote.pid).children(recursive=True)
        pids = {pid for worker in workers for pid in (worker.launched.pid, worker.launched.keeper)}
        assert {process.pid for process in inside} == pids
        assert {worker.launched.keeper for worker in workers} == {
            process.pid for process in inside if process.ppid() == boxed.zygote.pid
        }
        for worker in workers:
            assert set(_rights(worker.launched.pid).values()) == {0}
            ends = time.monotonic() + 20  # its warden gives them up beside it
            while set(_rights(worker.launched.keeper).values()) != {0}:
                assert time.monotonic() < ends
                time.sleep(0.01)
        assert _rights(boxed.zygote.pid)["CapEff"] == 1 << 21  # CAP_SYS_ADMIN
        status = [Path(f"/proc/{pid}/status").read_text() for pid in (boxed.zygote.pid, *pids)]
        assert all("NoNewPrivs:\t1" in words for words in status)  # nobody there gains any by a program
        for worker in workers:
            worker.close()


def _spaces(pid: int) -> dict[str, str]:
    return {kind: os.readlink(f"/proc/{pid}/ns/{kind}") for kind in (*SPACES, "user")}


def _rights(pid: int) -> dict[str, int]:
    """The sets of its capabilities, but for the bounding set: it bounds what a program could give."""
    lines = [line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return {
        line[0].rstrip(":"): int(line[1], 16)
        for line in lines
        if line[0].startswith("Cap") and line[0] != "CapBnd:"
    }


def test_all_workers_end_with_their_boxs_zygote_and_the_next_gets_another_box(given: Path) -> None:
    with contextlib.closing(level("bubblewrap")) as found:
        workers = [started(found, given, ("json",)) for _ in range(2)]
        marker = f"daemon-{os.getpid()}-zygote"
        does(workers[0], f"daemon {marker}")
        (boxed,) = _boxes(found)
        pids = {process.pid for process in psutil.Process(boxed.zygote.pid).children(recursive=True)}
        assert len(pids) >= 5
        os.kill(boxed.zygote.pid, signal.SIGKILL)
        for worker in workers:
            assert worker.launched.process.wait(timeout=20) == -signal.SIGKILL
            worker.close()
        ends = time.monotonic() + 20
        while alive(marker) or any(psutil.pid_exists(pid) for pid in pids):
            assert time.monotonic() < ends
            time.sleep(0.01)
        another = started(found, given, ("json",))
        (second,) = _boxes(found)
        assert second is not boxed
        another.close()


def test_a_worker_that_is_refused_a_mount_of_its_own_is_told_in_a_sentence(
    given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "a worker could not be confined: a mount at /no/such was refused: No such file or directory"
    with contextlib.closing(level("bubblewrap")) as found:
        started(found, given, ("json",)).close()
        before = _open_here()
        with monkeypatch.context() as patch:
            patch.setattr(bubblewrap.boxes, "DISKS", (*bubblewrap.boxes.DISKS, ("/no/such", 1)))
            with pytest.raises(SandboxFailed) as caught:
                started(found, given, ("json",))
        assert str(caught.value) == words
        assert _open_here() <= before
        (boxed,) = _boxes(found)
        assert psutil.Process(boxed.zygote.pid).children() == []  # and is not left as a zombie
        worker = started(found, given, ("json",))
        assert asked(worker, "count", 41.0)[0][0] == 42.0
        worker.close()


@pytest.mark.parametrize("name", STRONG)
@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("how", ["close", "crash"])
def test_a_daemon_does_not_outlive_its_worker(
    name: str, grouped: bool, how: str, given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not grouped:
        monkeypatch.setattr(cgroups, "make", lambda: (None, "none for this test"))
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    marker = f"daemon-{os.getpid()}-{name}-{grouped}-{how}"
    with contextlib.closing(level(name)) as found:
        worker = started(found, given, ("json",))
        does(worker, f"daemon {marker}")
        ends = time.monotonic() + 30
        while not alive(marker):  # it is there before it has become the program with this command line
            assert time.monotonic() < ends
        if how == "crash":
            with pytest.raises(Fault):
                asked(worker, "die", -9.0)
        worker.close()
        assert not alive(marker)
    assert {process.pid for process in psutil.Process().children(recursive=True)} <= before


def alive(marker: str) -> list[int]:
    """Processes whose command line ends in `marker`."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cmdline()[-1:] == [marker]:
                found.append(process.pid)
    return found


def test_a_box_that_is_closed_is_empty_when_that_returns(given: Path) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    found = level("bubblewrap")
    worker = started(found, given, ("json",))
    does(worker, "daemon boxed")
    pids = {process.pid for process in psutil.Process().children(recursive=True)} - before
    assert len(pids) >= 3
    found.close()
    assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
    worker.close()


@pytest.mark.parametrize("name", STRONG)
def test_a_level_refuses_every_attack_that_it_promises_to(name: str) -> None:
    with contextlib.closing(level(name)) as found:
        checked = found.check()
        assert set(checked.promised) <= set(checked.reached) == selftest.every()
        assert len(checked.promised) >= 38
        assert not [probe for probe in checked.promised if checked.reached[probe]]
        assert checked.residual
        assert len(selftest.digest(checked)) == 12
        assert found.check() is checked


class Unconfined(ProcessLevel):
    """Forks workers that attack without anything to hold them."""

    def _started(self, order: Launch, group: Cgroup | None, held: bool, more: Mapping[str, Any]) -> Launched:
        launched = self._forked(order, group, more)
        assert launched is not None
        return launched


def test_without_any_wall_every_probe_gets_through_that_this_user_may() -> None:
    """A probe that is refused everywhere shows nothing: each is seen to succeed where nothing is confined."""
    orders: list[Launch] = []

    def start(order: Launch, more: Mapping[str, Any]) -> Launched:
        orders.append(order)
        launched = found._launch(orders[0], more)
        launched.places = {order.home: str(orders[0].home)}  # the second in the first one's folder
        return launched

    with contextlib.closing(Unconfined()) as found:
        checked = selftest.run(start, lambda launched: Checked())
    due = selftest.every() - REFUSED_ANYHOW if os.geteuid() == 0 else ANY_USER_MAY
    got_through = {name for name, words in checked.reached.items() if words}
    assert due - got_through == set()


# What a worker of ours refuses itself at any level: it closes what it inherits, and is made without variables.
# More cores it has only where there are more, and root's name is nobody's. Limits and names end with a process,
# and its standard input is opened for it alone.
REFUSED_ANYHOW = {
    "inherit descriptors",
    "see the harness's variables",
    "take more cores",
    "know the user's name",
    "find the limits of the worker before",
    "find a name in the kernel of the worker before",
    "find a lock or a flag of the worker before on the standard input",
}
# What needs no root and no kernel that is lenient with tracing or namespaces.
ANY_USER_MAY = {
    "have the kernel wake many by a timer",
    "let what is stopped go on",
    "take back the mark of its peak memory",
    "read a file outside",
    "list a folder outside",
    "write a file outside",
    "change a file outside",
    "truncate a file outside",
    "change what was handed in",
    "see the harness",
    "signal the harness",
    "hold the harness by a descriptor",
    "limit the harness",
    "move the harness to other cores",
    "renice the harness",
    "connect over TCP",
    "send over UDP",
    "connect to an abstract socket",
    "connect to a socket that has a path",
    "use sockets of the kernel",
    "keep shared memory",
    "find shared memory of others",
    "switch the loader's randomness off",
    "know the machine's name",
    "find a file of the worker before",
    "find a mode or a time of the worker before",
    "count on from the worker before",
}


def may_mount() -> bool:
    """Whether the kernel lets this user make mounts; tried by another program than ours."""
    tried = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return os.geteuid() == 0 and subprocess.run(tried, capture_output=True).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="no mounts can be made here")
def test_where_mounts_can_be_made_a_confined_worker_says_that_all_of_them_were(given: Path) -> None:
    with contextlib.closing(level("confined")) as found:
        assert not set(found.check().residual) & {words for _, _, words in confined._BY_MOUNTS}
        worker = started(found, given, ("json",))
        process = worker.launched.process
        worker.close()
    assert isinstance(process, Forked)
    told = {name: process.says[name] for name in ("shm", "sealed", "hidden")}
    assert told == {"shm": "private", "sealed": True, "hidden": True}


def test_a_held_worker_is_killed_before_the_harness_for_want_of_memory(
    isolation: Level, worker: session.Session
) -> None:
    if isolation.name == "process":
        pytest.skip("it promises nothing")
    assert int(Path(f"/proc/{worker.launched.pid}/oom_score_adj").read_text()) == 500


def _users(pid: int) -> set[int]:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {
        int(number) for line in status if line.startswith(("Uid:", "Gid:")) for number in line.split()[1:]
    }


@as_root
def test_each_box_of_root_belongs_to_a_user_of_its_own(given: Path, tmp_path: Path) -> None:
    another = tmp_path / "another"
    shutil.copytree(given, another)
    seen = []
    with contextlib.closing(level("bubblewrap")) as found:
        workers = [started(found, folder, ("json",)) for folder in (given, another)]
        for worker in workers:
            users = _users(worker.launched.pid)
            assert users == _users(worker.launched.keeper)  # the zygote that it was forked from
            assert len(users) == 1
            seen.append(users.pop())
        for worker in workers:
            worker.close()
    assert min(seen) >= 60_600
    assert seen[0] != seen[1]


@as_root
@pytest.mark.parametrize(
    ("closed", "mode", "mend"), [("contract.py", 0o600, "o+r"), ("submission", 0o700, "o+rX")]
)
def test_what_a_boxs_user_cannot_read_is_the_evaluators_to_mend(
    given: Path, tmp_path: Path, closed: str, mode: int, mend: str
) -> None:
    own = tmp_path / "own"
    shutil.copytree(given, own)
    (own / closed).chmod(mode)
    with (
        contextlib.closing(level("bubblewrap")) as found,
        pytest.raises(SandboxFailed, match=f"chmod -R {re.escape(mend)} {own / closed}$"),
    ):
        started(found, own, ("json",))


def _open_here() -> set[str]:
    found = set()
    for fd in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(f"{fd.name} {os.readlink(fd)}")
    return {what for what in found if "/proc/" not in what}


@pytest.mark.parametrize("name", STRONG)
@pytest.mark.parametrize("reason", ["unheld", "gone"])
def test_a_worker_that_is_not_held_is_ended_and_nothing_of_it_stays_open(
    name: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[Cgroup] = []
    make = cgroups.make

    def noted() -> tuple[Cgroup | None, str]:
        group, why = make()
        groups.extend(filter(None, [group]))
        return group, why

    monkeypatch.setattr(cgroups, "make", noted)
    if reason == "unheld":
        monkeypatch.setattr(strong, "_HELD", {"Seccomp": "9"})
    else:
        monkeypatch.setattr(strong, "lines_of", lambda path: processes.lines_of("/no/such/process"))
    before = _open_here(), {process.pid for process in psutil.Process().children(recursive=True)}
    words = "without Seccomp" if reason == "unheld" else "without a word of the kernel"
    with contextlib.closing(level(name)) as found, pytest.raises(SandboxFailed, match=words):
        found.check()
    assert _open_here() <= before[0]
    assert {process.pid for process in psutil.Process().children(recursive=True)} <= before[1]
    assert not [folder for group in groups for folder in group.folders.values() if folder.exists()]


# Starts a level where numbers of processes are small: given is that of the bystander, less one.
SMALL_NUMBERS = """
import contextlib, pathlib, sys
from harness.isolation.levels import level
pathlib.Path("/proc/sys/kernel/ns_last_pid").write_text(sys.argv[1])
with contextlib.closing(level("bubblewrap")) as found:
    checked = found.check()
print(sorted(name for name in checked.promised if checked.reached[name]), len(checked.promised))
"""


@pytest.mark.skipif(not may_mount(), reason="no namespace of processes can be made here")
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_box_can_be_made_where_the_harnesss_numbers_are_as_small_as_the_boxs(number: int) -> None:
    """In a container the bystander may have the number of a process in the box: that one is not the harness."""
    command = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", sys.executable, "-c", SMALL_NUMBERS]
    tried = subprocess.run([*command, str(number)], capture_output=True, text=True)
    assert tried.stderr == ""
    assert tried.stdout.split("] ")[0] == "["
    assert int(tried.stdout.split("] ")[1]) >= 38


def _without_seccomp(rules: dict[str, Any]) -> None:
    rules["seccomp"] = False


def _with_everything_readable(rules: dict[str, Any]) -> None:
    rules["readable"].append("/")


def _with_a_writable_root(rules: dict[str, Any]) -> None:
    rules["own"].append("/")


@pytest.mark.parametrize("weaken", [_without_seccomp, _with_everything_readable, _with_a_writable_root])
def test_a_weakened_confinement_is_refused_by_name(
    weaken: Callable[[dict[str, Any]], None], given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ConfinedLevel, "weaken", staticmethod(weaken))
    with contextlib.closing(level("confined")) as found, pytest.raises(SandboxFailed, match="a worker could"):
        started(found, given, ("json",))


def test_a_missing_path_is_an_error_and_never_dropped(given: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(rules: dict[str, Any]) -> None:
        rules["readable"].append("/no/such/folder")

    monkeypatch.setattr(ConfinedLevel, "weaken", staticmethod(missing))
    with (
        contextlib.closing(level("confined")) as found,
        pytest.raises(SandboxFailed, match="/no/such/folder, which a worker needs, cannot be opened"),
    ):
        started(found, given, ("json",))


def test_a_box_that_shares_the_hosts_names_is_refused(given: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def named(rules: dict[str, Any]) -> None:
        place = rules["options"].index("--hostname")
        del rules["options"][place : place + 2]

    monkeypatch.setattr(BubblewrapLevel, "weaken", staticmethod(named))
    with (
        contextlib.closing(level("bubblewrap")) as found,
        pytest.raises(SandboxFailed, match="know the machine's name"),
    ):
        started(found, given, ("json",))


def test_a_box_whose_workers_share_its_memory_disks_is_refused(
    given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shared(rules: dict[str, Any]) -> None:
        assert "/box" in rules["options"]
        monkeypatch.setattr(bubblewrap.boxes, "DISKS", ())  # its workers get none of their own

    monkeypatch.setattr(BubblewrapLevel, "weaken", staticmethod(shared))
    with (
        contextlib.closing(level("bubblewrap")) as found,
        pytest.raises(SandboxFailed, match=r"a worker could .* the worker before \("),
    ):
        started(found, given, ("json",))


def test_a_box_whose_zygote_may_make_no_namespaces_is_not_made(
    given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(rules: dict[str, Any]) -> None:
        place = rules["options"].index("--cap-add")
        del rules["options"][place : place + 2]

    monkeypatch.setattr(BubblewrapLevel, "weaken", staticmethod(without))
    words = "bubblewrap could not make a box: .*a process namespace was refused: Operation not permitted"
    with contextlib.closing(level("bubblewrap")) as found, pytest.raises(SandboxFailed, match=words):
        started(found, given, ("json",))


def test_auto_takes_the_strongest_that_holds_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(level("auto")) as found:
        assert (found.name, found.official) == ("bubblewrap", True)
        assert found.note == "isolation bubblewrap, the strongest that holds here"
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: None)
    with contextlib.closing(level("auto")) as found:
        assert (found.name, found.official) == ("confined", False)
        assert "bubblewrap was passed over: level bubblewrap needs the program bwrap" in found.note
    with contextlib.closing(level("bubblewrap")) as found, pytest.raises(SandboxFailed, match="install"):
        found.check()
    monkeypatch.setattr("harness.isolation.confined.version", lambda: 0)
    with contextlib.closing(level("auto")) as found:
        assert found.name == "process"
        assert "confined was passed over: level confined needs Landlock" in found.note
    with pytest.raises(ProfileError, match="'fortress' is unknown; choose auto or one of process"):
        level("fortress")


def test_a_path_that_strangers_may_not_read_is_named_with_its_mend(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(SandboxFailed, match=rf"{tmp_path} cannot be read .* chmod -R o\+rX {tmp_path}"):
        poolusers.require_readable([str(tmp_path)])
    tmp_path.chmod(0o755)
    poolusers.require_readable([str(tmp_path)])


def test_two_boxes_never_share_a_pool_user() -> None:
    first, second = poolusers.take(), poolusers.take()
    assert first.uid != second.uid
    first.give_back()
    third = poolusers.take()
    assert third.uid == first.uid
    second.give_back()
    third.give_back()


def test_only_what_nobody_holds_is_swept_from_shared_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sharedmemory, "FOLDER", tmp_path)
    (tmp_path / "earlier").write_text("")
    before = sharedmemory.entries()
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "inner").write_text("")
    with open(tmp_path / "in use", "w"):
        assert sharedmemory.sweep(before) == ["left"]
    assert {path.name for path in tmp_path.iterdir()} == {"earlier", "in use"}


def test_how_long_a_worker_of_each_level_takes_to_start(
    isolation: Level, given: Path, record_property: Callable[[str, object], None]
) -> None:
    """Printed, not judged: machines differ. The first of a box makes the box, and imports for it."""
    seconds, handler = [], signal.getsignal(signal.SIGTERM)
    for _ in range(5):
        began = time.perf_counter()
        worker = started(isolation, given, ("json",))
        seconds.append(time.perf_counter() - began)
        worker.close()
    first, median = seconds[0], sorted(seconds[1:])[1]
    record_property(f"start {isolation.name}", f"first {first * 1e3:.0f} ms, then {median * 1e3:.0f} ms")
    sys.stderr.write(f"\n{isolation.name}: first worker {first * 1e3:.0f} ms, then {median * 1e3:.0f} ms\n")
    assert all(second > 0 for second in seconds)
    assert signal.getsignal(signal.SIGTERM) == handler
