"""Memory that is kept in files: counted at every level, with a control group and without; what is only read is not."""

from __future__ import annotations

import contextlib
import mmap
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.instances import BlobSpec, Request
from harness.isolation import cgroups, written
from harness.isolation.base import Level
from harness.isolation.levels import LEVELS, level
from harness.isolation.written import Allowance, Held, Resident, WrittenFiles
from harness.machine import processes
from harness.machine.processes import TooMuch
from harness.trials import session
from harness.trials.watch import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="files are looked for in /proc")
MIB = 1 << 20
KEPT = 64 * MIB
NONE = Resident(0, 0)
PHASES = ("keep", "drop", "give", "look", "work")
LIMITS = Limits(2**31, 16, 60.0, dict.fromkeys(PHASES, 60.0))
CONTRACT = "class Contract:\n" + "".join(f"    def {name}(self, given): ...\n" for name in PHASES)
KEEPER = """
import mmap, os, time

SIZE = 64 << 20
KEPT = []
INPUTS = []
close = os.close

def duplicating(fd):
    try:
        if os.readlink(f"/proc/self/fd/{fd}").startswith("/memfd:input"):
            INPUTS.append(os.dup(fd))
    except OSError:
        pass
    close(fd)

class Solution:
    def __init__(self, context):
        self.scratch, self.place = context.scratch, ""
    def keep(self, given):
        where, how = given.split()
        folder = {"scratch": str(self.scratch), "shm": "/dev/shm", "memfd": ""}[where]
        self.place = f"{folder}/kept" if folder else ""
        fd = os.open(self.place, os.O_RDWR | os.O_CREAT) if folder else os.memfd_create("kept")
        if how == "mapped":
            os.ftruncate(fd, SIZE)
            KEPT.append(mmap.mmap(fd, SIZE))
            for start in range(0, SIZE, 1 << 20):
                KEPT[-1][start : start + (1 << 20)] = b"x" * (1 << 20)
        else:
            for _ in range(SIZE >> 20):
                os.write(fd, b"x" * (1 << 20))
        if how == "synced":
            os.fsync(fd)
        if how == "deleted":
            os.unlink(self.place)
        if how in ("closed", "synced"):
            os.close(fd)
        return b""
    def drop(self, given):
        if os.path.exists(self.place):
            os.unlink(self.place)
        return b""
    def give(self, given):
        os.close = duplicating
        return b""
    def look(self, given):
        if INPUTS:
            KEPT.append(mmap.mmap(INPUTS[-1], 0, access=mmap.ACCESS_READ))
            sum(KEPT[-1][i] for i in range(0, len(KEPT[-1]), 4096))
            if len(INPUTS) > 1:
                close(INPUTS.pop())
        return b"%d" % len(INPUTS)
    def work(self, given):
        until = time.process_time() + given
        while time.process_time() < until:
            pass
        return b""
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("keeper")
    (top / "submission").mkdir()
    (top / "submission" / "solution.py").write_text(KEEPER)
    (top / "contract.py").write_text(CONTRACT)
    return top


@pytest.fixture(params=[(name, group) for name in LEVELS for group in ("group", "none")], scope="module")
def keeping(request: pytest.FixtureRequest) -> Iterator[Level]:
    """Each level in turn, with a control group for each worker and without."""
    name, group = request.param
    if group == "group" and not cgroups.places().parents:
        pytest.skip(f"no control group can be made here: {cgroups.places().reason}")
    with pytest.MonkeyPatch.context() as patch:
        if group == "none":
            patch.setattr(cgroups, "make", lambda: cgroups.Made(None, "switched off"))
        with contextlib.closing(level(name)) as found:
            yield found


@pytest.fixture
def worker(keeping: Level, given: Path) -> Generator[session.Session]:
    seat = session.WorkerSpec(
        submission=given / "submission",
        contract=given / "contract.py",
        models={},
        device="cpu",
        threads=1,
        seed=7,
        limits=LIMITS,
        stack=("json",),
    )
    found = session.start(keeping, seat, "main")
    yield found
    found.close()


def asked(worker: session.Session, phase: str, given: object) -> bytes:
    answer, _ = worker.call(Request("x", phase, {}, BlobSpec(100)), {"given": given})
    assert isinstance(answer, bytes)
    return answer


def held(worker: session.Session) -> int:
    with worker.watch._lock:
        return worker.watch.meter.read().held


@pytest.mark.parametrize(
    "what",
    [
        *("scratch closed", "scratch synced", "scratch mapped", "scratch deleted"),
        *("shm closed", "memfd open", "memfd mapped"),
    ],
)
def test_what_is_kept_in_files_is_held(worker: session.Session, keeping: Level, what: str) -> None:
    if what == "shm closed" and keeping.name == "process" and worker.launched.cgroup is None:
        pytest.skip(
            "a file on the machine's own memory disk that is closed is nobody's without a control group"
        )
    before = held(worker)
    asked(worker, "keep", what)
    risen = held(worker) - before
    # A file's journal and its kernel structures are in the group's count too.
    assert 0.98 * KEPT < risen < 1.1 * KEPT, risen / MIB
    worker.watch.read_now()
    assert worker.watch.peak_host is not None
    assert worker.watch.peak_host >= before + 0.98 * KEPT
    if what.endswith(("closed", "synced")):
        asked(worker, "drop", "")
        assert held(worker) - before < 0.1 * KEPT


@pytest.mark.slow
def test_an_input_of_ours_counts_when_it_is_kept_and_not_while_it_is_read(worker: session.Session) -> None:
    numbers = np.zeros(KEPT // 8)
    asked(worker, "look", numbers)
    asked(worker, "give", 0)  # a request's arguments are held until the next one
    before = held(worker)
    asked(worker, "look", numbers)  # is kept by a duplicate, and mapped
    asked(worker, "work", written._GRACE_SECONDS / 10)
    worker.watch.meter.written._since.clear()
    grouped = worker.launched.cgroup is not None
    early = held(worker) - before
    if grouped:
        assert early < 0.1 * KEPT, early / MIB
    asked(worker, "work", written._GRACE_SECONDS + KEPT / written._GRACE_BYTES_A_SECOND + 0.2)
    risen = held(worker) - before
    assert 0.95 * KEPT < risen < 1.1 * KEPT, risen / MIB


@pytest.fixture
def files(tmp_path: Path) -> WrittenFiles:
    return WrittenFiles(home=tmp_path, seconds=lambda: 0.0)


def here(files: WrittenFiles, grouped: bool = True) -> Held:
    files._wait = 0
    return files.read([os.getpid()], os.getpid(), NONE, grouped)


def on_a_disk(folder: Path) -> bool:
    return os.stat(folder).st_dev not in {disk.device for disk in written._memory_disks("self")}


def test_files_count_by_the_blocks_that_they_take_and_links_and_what_is_read_do_not(
    files: WrittenFiles, tmp_path: Path
) -> None:
    if not on_a_disk(tmp_path):
        pytest.skip("temporary files are on a memory disk here")
    before = here(files).disk
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"x" * MIB)
    os.link(tmp_path / "a" / "b" / "file", tmp_path / "twice")
    (tmp_path / "link").symlink_to(sys.executable)
    with open(tmp_path / "sparse", "wb") as sparse, open(sys.executable, "rb"):
        sparse.truncate(1 << 40)
        assert abs(here(files).disk - before - MIB) < 64 * 1024


def test_what_is_mapped_of_ones_own_files_counts_once(files: WrittenFiles, tmp_path: Path) -> None:
    if not on_a_disk(tmp_path):
        pytest.skip("temporary files are on a memory disk here")
    before = here(files).disk
    with open(tmp_path / "file", "w+b") as file:
        file.write(b"x" * (4 * MIB))
        file.flush()
        assert abs(here(files).disk - before - 4 * MIB) < 64 * 1024
        with mmap.mmap(file.fileno(), 0) as mapped:
            files._signs = (-1, -1)
            untouched = here(files).disk
            for _ in range(20):  # a kernel that is short of memory may have unmapped some already
                mapped[0 : 4 * MIB] = b"y" * (4 * MIB)
                files._signs = (-1, -1)
                if (left := here(files).disk - before) < 64 * 1024:
                    break
            assert left < 64 * 1024
    # The kernel maps pages around the one that is touched, and none before.
    assert abs(untouched - before - 4 * MIB) < 64 * 1024


def test_a_folder_of_many_files_is_walked_seldom(
    files: WrittenFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written, "_MANY", 2)
    walks = []
    real = written._files_in
    monkeypatch.setattr(
        written, "_files_in", lambda folder, allowed: walks.append(folder) or real(folder, allowed)
    )
    for name in "abc":
        (tmp_path / name).write_bytes(b"x")
    for _ in range(41):
        files.read([os.getpid()], os.getpid(), NONE, grouped=True)
    assert len(walks) == 3


@pytest.fixture
def removed(tmp_path: Path) -> Iterator[Path]:
    """A folder that is gone afterwards, however deep it is: removal by Python calls itself for each level."""
    yield tmp_path
    subprocess.run(["rm", "-rf", str(tmp_path)], check=True)


def test_folders_deeper_than_python_may_call_are_walked_to_their_end(
    files: WrittenFiles, removed: Path
) -> None:
    tmp_path = removed
    kept = os.getcwd()
    try:
        os.chdir(tmp_path)
        for _ in range(1200):
            os.mkdir("d")
            os.chdir("d")
        Path("deep").write_bytes(b"x" * 4096)
    except OSError:
        pytest.skip("this file system does not go so deep")
    finally:
        os.chdir(kept)
    found = dict(written._files_in(str(tmp_path), Allowance()))
    assert (
        len(found) >= 1 or len(str(tmp_path)) + 2 * 1200 > 4095
    )  # a path may be as long as that, and no longer
    here(files)


def test_a_mapped_file_whose_name_is_no_text_hides_no_other(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(bytes(MIB))
    odd = os.fsencode(tmp_path) + b"/\xff\xfe"
    try:
        os.close(os.open(odd, os.O_CREAT))
    except OSError:
        pytest.skip("this file system takes text alone")
    Path(os.fsdecode(odd)).write_bytes(bytes(MIB))
    with (
        open(odd, "rb") as first,
        open(plain, "rb") as second,
        mmap.mmap(first.fileno(), 0, prot=mmap.PROT_READ) as one,
        mmap.mmap(second.fileno(), 0, prot=mmap.PROT_READ) as two,
    ):
        inodes = {inode for _, inode, _ in written._maps(os.getpid(), Allowance())}
        assert {(os.stat(f).st_dev, os.stat(f).st_ino) for f in (odd, plain)} <= inodes
        assert len(one) == len(two) == MIB


def test_a_mapped_files_name_writes_no_lines_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "x\rzz-yy rw-p 0 00:01 5 \x85ff-ff rw-p 0 00:01 6 "
    folder.mkdir()
    file = folder / "memfd:input (deleted)"
    file.write_bytes(bytes(MIB))
    with open(file, "rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        found = {name: inode for _, inode, name in written._maps(os.getpid(), Allowance())}
        assert found[str(file)] == (os.stat(file).st_dev, os.stat(file).st_ino)
        assert list(written._mapped_inputs(os.getpid(), Allowance())) == []
        assert not {(1, 5), (1, 6)} & {(os.minor(device), inode) for device, inode in found.values()}
        assert len(mapped) == MIB


def test_nothing_is_told_of_a_worker_without_a_folder_or_a_process(tmp_path: Path) -> None:
    nowhere = WrittenFiles(home=None, seconds=lambda: 0.0)
    assert nowhere.read([os.getpid()], os.getpid(), NONE, grouped=True) == Held()
    gone = WrittenFiles(home=tmp_path / "gone", seconds=lambda: 0.0)
    assert gone.read([], 0, NONE, grouped=True) == Held()
    assert sum(gone.read([2**22 + 1], 2**22 + 1, NONE, grouped=True)) == 0


@pytest.mark.parametrize(
    ("flags", "writes"),
    [(os.O_RDONLY, False), (os.O_WRONLY, True), (os.O_RDWR, True), (os.O_APPEND | os.O_WRONLY, True)],
)
def test_how_a_file_is_open_is_told_by_its_link_and_not_by_what_walks_every_lock(
    tmp_path: Path, flags: int, writes: bool
) -> None:
    """A hundred thousand locks made one reading last for minutes, and what was mapped meanwhile was not counted."""
    (tmp_path / "own").write_bytes(b"x")
    fd = os.open(tmp_path / "own", flags)
    try:
        assert written._writes(os.getpid(), str(fd)) is writes
    finally:
        os.close(fd)


def test_a_look_that_a_worker_makes_long_is_broken_off(tmp_path: Path) -> None:
    clock = iter(range(100))
    own = WrittenFiles(
        home=tmp_path, seconds=lambda: 0.0, allowance=Allowance(5.0, lambda: float(next(clock)))
    )
    for number in range(20):
        (tmp_path / f"file-{number}").write_bytes(b"x")
    with pytest.raises(
        TooMuch, match=r"looking at its files and mappings takes over 5\.0 s of processor time"
    ):
        own.read([os.getpid()], os.getpid(), NONE, grouped=True)
    free = WrittenFiles(home=tmp_path, seconds=lambda: 0.0)
    assert free.read([os.getpid()], os.getpid(), NONE, grouped=True).disk > 0


def test_a_text_of_the_kernel_is_read_up_to_what_an_honest_process_can_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand mappings of files in deep folders held two GiB of the harness's memory."""
    monkeypatch.setattr(processes, "MOST_TEXT", 1 << 20)
    (tmp_path / "maps").write_bytes(b"a\n" * (1 << 19))
    assert len(processes.lines_of(tmp_path / "maps")) == 1 << 19
    (tmp_path / "maps").write_bytes(b"a\n" * (1 << 19) + b"b")
    with pytest.raises(TooMuch, match=r"\(maps\) is longer than 1 MiB"):
        processes.lines_of(tmp_path / "maps")
