"""Control groups on a file system that is none of the kernel's: where they are made, what they count, how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PosixPath

import pytest

from harness.isolation import cgroups, dialects
from harness.isolation.cgroups import Cgroup
from harness.machine import processes
from harness.machine.processes import born, pid_namespace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
V1, V2 = dialects.V1, dialects.V2
# The files of a new group, of both versions.
NEW = {
    "cgroup.procs": "",
    "memory.current": "5",
    "memory.usage_in_bytes": "5",
    "memory.peak": "5",
    "memory.max_usage_in_bytes": "5",
    "memory.stat": "anon 1\nfile 2\nshmem 1\ntotal_rss 1\ntotal_cache 2\ntotal_shmem 1",
    "memory.events": "low 0\noom 0\noom_kill 0",
    "memory.oom_control": "oom_kill_disable 0\noom_kill 0",
    "cpu.stat": "usage_usec 0\nuser_usec 0",
    "cpuacct.usage": "0",
}


def _written(folder: Path, **files: object) -> None:
    for name, value in files.items():
        (folder / name.replace("_", ".", 1)).write_text(f"{value}\n")


def test_page_cache_is_taken_off_the_kernels_peak_and_a_spike_is_not(tmp_path: Path) -> None:
    group = cgroups.Cgroup(dialect=dialects.V2, folders={"memory": tmp_path})

    def state(peak: int, current: int, file: int) -> cgroups.Usage:
        stat = f"anon 5\nfile {file + 7}\nshmem 7"
        _written(tmp_path, memory_peak=peak, memory_current=current, memory_stat=stat)
        return group.usage()

    assert state(100, 100, 0) == cgroups.Usage(100, 100, 5, 7)
    assert state(300, 100, 0).peak == 300  # a spike
    assert state(300, 300, 200) == cgroups.Usage(100, 100, 5, 7)  # a file was written
    assert state(300, 100, 0).peak == 100  # and dropped
    group._close()


def test_a_peak_that_cannot_be_reset_counts_once(tmp_path: Path) -> None:
    group = cgroups.Cgroup(dialect=dialects.V2, folders={"memory": tmp_path}, _resets=False)
    _written(tmp_path, memory_peak=300, memory_current=100, memory_stat="anon 5\nfile 0\nshmem 0")
    assert [group.usage().peak for _ in range(3)] == [300, 100, 100]
    (tmp_path / "memory.peak").write_text("400\n")
    assert group.usage().peak == 400
    group._close()


def _proc(folder: Path, groups: str, mounts: str) -> Path:
    folder.mkdir()
    (folder / "cgroup").write_text(groups)
    (folder / "mountinfo").write_text(mounts)
    return folder


def _v2(folder: Path, control: str, limit: str = "max") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("cgroup.procs", "memory.stat"):
        (folder / name).touch()
    (folder / "cgroup.subtree_control").write_text(control)
    (folder / "memory.max").write_text(limit)


def test_where_groups_can_be_made_in_version_2(tmp_path: Path) -> None:
    mount = tmp_path / "cgroup"
    proc = _proc(tmp_path / "proc", "0::/a/b\n", f"31 23 0:28 / {mount} rw - cgroup2 cgroup2 rw\n")
    own, above = mount / "a" / "b", mount / "a"
    _v2(above, "")
    _v2(own, "memory pids")
    both = {"memory": own, "pids": own}
    assert cgroups.places(proc).parents == (dialects.V2, both)
    _v2(own, "")  # we are in it ourselves: it can give nothing to its children
    assert cgroups.places(proc) == (None, "no memory controller was delegated")
    _v2(above, "cpu memory")
    _v2(own, "")
    assert cgroups.places(proc).parents == (dialects.V2, {"memory": above, "pids": above})
    _v2(own, "", limit="1000")  # beside us, a worker would not be held by the limit set on us
    assert cgroups.places(proc).parents is None
    _v2(own, "memory", limit="1000")  # below us it is
    assert cgroups.places(proc).parents == (dialects.V2, both)


def test_version_2_is_taken_beside_hierarchies_of_version_1_that_are_not_mounted(tmp_path: Path) -> None:
    mount = tmp_path / "cgroup"
    mounts = f"31 23 0:28 / {mount} rw - cgroup2 cgroup2 rw\n"
    proc = _proc(tmp_path / "proc", "0::/\n5:name=systemd:/\n4:memory:/a\n", mounts)
    _v2(mount, "memory")
    assert cgroups.places(proc).parents == (dialects.V2, {"memory": mount, "pids": mount})


@pytest.mark.parametrize("file", ["cgroup.procs", "memory.stat", "cgroup.subtree_control", "memory.max"])
def test_a_group_without_the_files_of_the_kernel_is_none(tmp_path: Path, file: str) -> None:
    mount = tmp_path / "cgroup"
    proc = _proc(tmp_path / "proc", "0::/a\n", f"31 23 0:28 / {mount} rw - cgroup2 cgroup2 rw\n")
    _v2(mount, "memory")
    _v2(mount / "a", "")
    (mount / file if file != "memory.max" else mount / "a" / file).unlink()
    assert cgroups.places(proc) == (None, "no memory controller was delegated")


def test_where_groups_can_be_made_in_version_1(tmp_path: Path) -> None:
    mount = tmp_path / "cgroup"
    lines = [
        f"3{i} 31 0:3{i} /docker/x {mount}/{name} rw - cgroup cgroup rw,{name}"
        for i, name in enumerate(("memory", "cpu,cpuacct"))
    ]
    lines.append(f"41 31 0:38 / {mount}/unified rw - cgroup2 cgroup2 rw")
    groups = "4:memory:/docker/x/y\n2:cpu,cpuacct:/docker/x\n1:pids:/\n0::/\n"
    proc = _proc(tmp_path / "proc", groups, "\n".join(lines) + "\n")
    assert cgroups.places(proc) == (None, "the memory group is not ours to write")
    for folder in (mount / "memory" / "y", mount / "cpu,cpuacct"):
        folder.mkdir(parents=True)
        (folder / "cgroup.procs").touch()
    usable = {"memory": mount / "memory" / "y", "cpuacct": mount / "cpu,cpuacct"}
    assert cgroups.places(proc).parents == (dialects.V1, usable)
    outside = _proc(tmp_path / "outside", "4:memory:/other\n", "\n".join(lines) + "\n")
    assert cgroups.places(outside).parents is None
    assert cgroups.places(tmp_path / "nowhere") == (None, "this system has no control groups")


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Cgroup]:
    """A group of version 2."""
    made = Cgroup(dialect=V2, folders={"memory": tmp_path, "pids": tmp_path})
    yield made
    made._close()


def test_every_spike_counts_where_the_peak_can_be_reset(group: Cgroup) -> None:
    peaks = []
    for _ in range(2):
        _written(group.memory, memory_peak=300, memory_current=100, memory_stat="anon 5\nfile 0\nshmem 0")
        peaks.append(group.usage().peak)
    assert peaks == [300, 300]


def test_cache_that_is_counted_later_than_the_total_makes_no_memory_negative(group: Cgroup) -> None:
    _written(group.memory, memory_peak=100, memory_current=100, memory_stat="anon 5\nfile 120\nshmem 0")
    assert group.usage().held == 0


def test_a_command_joins_every_group_that_it_can_and_then_runs(tmp_path: Path) -> None:
    folders = {
        "memory": tmp_path / "a",
        "pids": tmp_path / "b",
        "cpuset": tmp_path / "a",
        "freezer": tmp_path / "c",
    }
    for name in "ac":
        (tmp_path / name).mkdir()
    command = Cgroup(dialect=V1, folders=folders).joining(["/bin/echo", "two words"])
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("two words\n", "")
    assert [(tmp_path / name / "cgroup.procs").read_text() for name in "ac"] == ["0\n", "0\n"]


def test_a_process_is_moved_into_every_group_that_there_is(tmp_path: Path) -> None:
    Cgroup(dialect=V1, folders={"memory": tmp_path / "gone", "pids": tmp_path}).take(77)
    assert (tmp_path / "cgroup.procs").read_text() == "77"


def test_the_kernel_refuses_well_above_what_the_watch_allows(tmp_path: Path) -> None:
    Cgroup(dialect=V2, folders={"memory": tmp_path, "pids": tmp_path}).bound(1_000_000_000, 16)
    limits = {name: (tmp_path / name).read_text() for name in ("memory.max", "memory.swap.max", "pids.max")}
    assert limits == {"memory.max": str(1_368_435_456), "memory.swap.max": "0", "pids.max": "2048"}


def test_without_a_group_that_counts_processes_memory_is_bounded_alone(tmp_path: Path) -> None:
    Cgroup(dialect=V1, folders={"memory": tmp_path}).bound(1_000_000_000, 16)
    assert {path.name for path in tmp_path.iterdir()} == {"memory.limit_in_bytes", "memory.swappiness"}


def test_a_group_keeps_its_processes_on_cores_only_where_it_has_a_say(tmp_path: Path) -> None:
    assert Cgroup(dialect=V1, folders={"cpuset": tmp_path}).confine([0, 2, 5]) is True
    assert (tmp_path / "cpuset.cpus").read_text() == "0,2,5"
    assert Cgroup(dialect=V1, folders={"cpuset": tmp_path / "gone"}).confine([1]) is False
    assert Cgroup(dialect=V2, folders={"memory": tmp_path}).confine([1]) is False
    assert (tmp_path / "cpuset.cpus").read_text() == "0,2,5"


def test_processes_of_another_numbering_are_not_its_own(group: Cgroup) -> None:
    (group.memory / "cgroup.procs").write_text("12\n0\n34\n")
    assert group.pids() == [12, 34]


@pytest.mark.parametrize(
    ("dialect", "lines", "holds"),
    [
        (V1, "5:cpu,cpuacct:/\n4:memory:/docker/harness-7\n", True),
        (V1, "4:hugetlb,memory:/harness-7/below\n", True),
        (V1, "4:memory:/\n3:cpuset:/harness-7\n", False),
        (V1, "0::/harness-7\n", False),
        (V1, "0::/harness-7\n4:memory:/harness-77\n", False),
        (V2, "0::/user/harness-7\n", True),
        (V2, "1:name=systemd:/harness-7\n0::/user\n", False),
        (V2, "", False),
        (V2, None, False),
    ],
)
def test_what_a_process_holds_is_counted_where_its_memory_group_is(
    tmp_path: Path, dialect: dialects.Dialect, lines: str | None, holds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lines is not None:
        (tmp_path / "cgroup").write_text(lines)
    files = {"/proc/7/cgroup": tmp_path / "cgroup"}
    monkeypatch.setattr(cgroups, "lines_of", lambda file: processes.lines_of(files[file]))
    group = Cgroup(dialect=dialect, folders={"memory": tmp_path / "harness-7"})
    assert group.holds(7) is holds


def test_kills_for_memory_and_processor_time_are_read_in_each_dialect(tmp_path: Path) -> None:
    for name in ("memory", "cpu"):
        (tmp_path / name).mkdir()
    (tmp_path / "memory" / "memory.events").write_text("low 9\noom 5\noom_kill 2\noom_group_kill 4\n")
    (tmp_path / "memory" / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 7\n")
    (tmp_path / "memory" / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 1\noom_kill 3\n")
    (tmp_path / "cpu" / "cpuacct.usage").write_text("1500000000\n")
    second = Cgroup(dialect=V2, folders={"memory": tmp_path / "memory"})
    first = Cgroup(dialect=V1, folders={"memory": tmp_path / "memory", "cpuacct": tmp_path / "cpu"})
    uncounted = Cgroup(dialect=V1, folders={"memory": tmp_path / "memory"})
    assert (second.oom_kills(), second.cpu_seconds()) == (2, 2.5)
    assert (first.oom_kills(), first.cpu_seconds()) == (3, 1.5)
    assert uncounted.cpu_seconds() is None
    for group in (first, second, uncounted):
        group._close()


@pytest.mark.parametrize(
    ("dialect", "file", "states"),
    [(V2, "cgroup.freeze", ["1", "0"]), (V1, "freezer.state", ["FROZEN", "THAWED"])],
)
def test_what_is_in_a_group_is_killed_while_it_is_frozen(
    tmp_path: Path, dialect: dialects.Dialect, file: str, states: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cgroup.procs").write_text("12\n34\n")
    (tmp_path / file).write_text("as it was")
    killed: list[tuple[int, int, str]] = []

    def kill(pid: int, number: int) -> None:
        killed.append((pid, number, (tmp_path / file).read_text()))
        if pid == 34:
            (tmp_path / "cgroup.procs").write_text("")
        raise ProcessLookupError(3, "No such process")  # each may end by itself meanwhile

    monkeypatch.setattr(os, "kill", kill)
    Cgroup(dialect=dialect, folders={"memory": tmp_path, "freezer": tmp_path}).kill_all()
    assert killed == [(12, signal.SIGKILL, states[0]), (34, signal.SIGKILL, states[0])]
    assert (tmp_path / file).read_text() == states[1]


def test_a_group_is_removed_with_those_that_its_worker_made_in_it(tmp_path: Path) -> None:
    (tmp_path / "group" / "inner" / "deeper").mkdir(parents=True)
    group = Cgroup(dialect=V2, folders={"memory": tmp_path / "group"})
    group.remove()
    group.remove()
    assert not list(tmp_path.iterdir())


class KernelFolder(PosixPath):
    """A folder in which the kernel puts its files, as it does where a group is made."""

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        super().mkdir(mode, parents, exist_ok)
        for name, text in NEW.items():
            (self / name).write_text(text)


Tell = Callable[..., dict[str, Path]]


@pytest.fixture
def parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Tells the program in which folders groups can be made; one for each controller named."""

    def tell(dialect: dialects.Dialect, *controllers: str) -> dict[str, Path]:
        folders = {name: KernelFolder(tmp_path / name) for name in controllers}
        for folder in folders.values():
            PosixPath(folder).mkdir()
        monkeypatch.setattr(
            cgroups, "places", lambda: cgroups.Places(cgroups.Parents(dialect, dict(folders)))
        )
        return dict(folders)

    return tell


def test_a_group_is_made_with_every_controller_and_the_cores_of_the_group_above(parents: Tell) -> None:
    above = parents(V1, "memory", "cpuacct", "cpuset")
    for file, text in (("cpuset.mems", "0"), ("cpuset.cpus", "0-3")):
        (above["cpuset"] / file).write_text(text)
    group, reason = cgroups.make()
    assert (group is not None, reason) == (True, "")
    assert group is not None
    assert group.dialect is V1
    assert {name: folder.parent for name, folder in group.folders.items()} == above
    (name,) = {folder.name for folder in group.folders.values()}
    assert name.startswith(f"harness-{pid_namespace()}-{os.getpid()}-{born(os.getpid())}-")
    cores = [(group.folders["cpuset"] / file).read_text() for file in ("cpuset.mems", "cpuset.cpus")]
    assert cores == ["0", "0-3"]
    group._close()
    another, _ = cgroups.make()
    assert another is not None
    assert another.memory.name != name
    another._close()


def test_groups_of_dead_runs_are_removed_first_and_those_of_living_ones_are_not(parents: Tell) -> None:
    memory = parents(V2, "memory")["memory"]
    start = born(os.getpid())
    assert start is not None
    living = f"harness-{pid_namespace()}-{os.getpid()}-{start}-0"
    others = [f"harness-{pid_namespace() + 1}-1-2-0", "somebody-elses"]
    dead = [
        f"harness-{pid_namespace()}-{os.getpid()}-{start - 1}-0",
        f"harness-{pid_namespace()}-{1 << 23}-5-3",
    ]
    for name in (living, *others, *dead):
        os.mkdir(memory / name)
    group, _ = cgroups.make()
    assert group is not None
    group._close()
    assert {path.name for path in memory.iterdir()} == {living, *others, group.memory.name}


@pytest.mark.parametrize(
    ("controllers", "shell", "reason"),
    [
        (("memory",), "/no/such/shell", "no /no/such/shell"),
        (("memory", "cpuset"), "/bin/sh", "a group could not be made (No such file or directory)"),
    ],
)
def test_where_no_group_can_be_made_the_reason_is_told(
    parents: Tell, controllers: tuple[str, ...], shell: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parents(V1, *controllers)  # the group above has no cores to give
    monkeypatch.setattr(cgroups, "SHELL", shell)
    monkeypatch.setattr(cgroups.Cgroup, "remove", Cgroup._close)  # these files are not the kernel's
    assert cgroups.make() == (None, reason)


def test_where_groups_are_not_to_be_had_none_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "places", lambda: cgroups.Places(None, "no memory controller"))
    assert cgroups.make() == (None, "no memory controller")
