"""What a zygote says and does for each order, and what a worker forked from it has of it and what not."""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import select
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from harness.worker import zygote
from harness.worker.confine import Confinement
from harness.worker.landlock import Unconfined
from tests.worker.forked import fork, until_gone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
PAGE = mmap.PAGESIZE
# Far from each other: the kernel maps what lies near a page with it.
HALF, MANY = 1 << 13, 1 << 14


class Left(BaseException):
    """Stands for the process's end, with its status."""


class Orders:
    """A zygote under test: what it does to its process, without doing it, and what it says to its parent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[Any] = []
        self.child = 4711
        self.refused = ""

        def left(status: int) -> None:
            raise Left(status)

        def reaped(pid: int) -> int:
            self.done.append(("reap", pid))
            return -9

        def warden(disks: list[Any]) -> int:
            self.done.append(("warden", disks))
            if self.refused:
                raise Unconfined(self.refused)
            return self.child

        def waited(pid: int) -> int:
            self.done.append(("wait", pid))
            return 7

        def became(order: dict[str, Any], fds: list[int], born_with: Any) -> None:
            self.done.append(("became", order["number"]))
            for fd in fds:
                os.close(fd)

        monkeypatch.setattr(zygote, "die_with_parent", lambda: None)
        wardens = SimpleNamespace(fork=warden, wait=waited)
        monkeypatch.setattr(zygote.namespaces, "begin", lambda: self.done.append("begins"))
        monkeypatch.setattr(zygote.namespaces, "Wardens", lambda: wardens)
        monkeypatch.setattr(zygote.keeping, "keep_the_next", lambda: self.done.append("keeps"))
        monkeypatch.setattr(zygote.keeping, "dumpable", lambda yes: self.done.append(("dumpable", yes)))
        monkeypatch.setattr(zygote.keeping, "reap", reaped)
        monkeypatch.setattr(zygote, "sys", SimpleNamespace(modules={}))
        monkeypatch.setattr(zygote, "gc", SimpleNamespace(collect=int, freeze=int))
        monkeypatch.setattr(zygote, "_become", became)
        monkeypatch.setattr(zygote, "_require_descriptors", lambda sock: self.done.append("descriptors"))
        monkeypatch.setattr(zygote.os, "fork", lambda: self.child)
        monkeypatch.setattr(zygote.os, "_exit", left)
        monkeypatch.setenv("HOME", "/no/such/home")
        monkeypatch.delenv(zygote.BOXED, raising=False)

    def gives(self, *orders: dict[str, Any], stack: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """All that it says, the report of its imports first; then its parent is gone."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs, open(os.devnull, "rb") as given:
            for number, order in enumerate(orders, 1):
                fds = [given.fileno()] * 3 if order["do"] == "fork" else []
                socket.send_fds(ours, [json.dumps({**order, "number": number}).encode()], fds)
            ours.shutdown(socket.SHUT_WR)
            if self.child:
                with pytest.raises(Left, match=r"^0$"):
                    zygote.main(theirs, list(stack))
            else:
                zygote.main(theirs, list(stack))  # a worker serves, and comes back
            theirs.close()
            return list(messages(ours))


def messages(sock: socket.socket) -> Iterator[dict[str, Any]]:
    while words := sock.recv(zygote.MESSAGE_BYTES):
        assert words.endswith(b"\n")
        yield json.loads(words)


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> Iterator[Orders]:
    before = os.listdir("/proc/self/fd")
    yield Orders(monkeypatch)
    assert os.listdir("/proc/self/fd") == before


def test_it_reports_what_it_could_not_import_and_what_it_holds(orders: Orders) -> None:
    stack = ("json", "json:loads", "json:no_such_name", "no_such_module", "no_such_module:name")
    (report,) = orders.gives(stack=stack)
    assert report["number"] == 0
    assert report["missing"] == ["json:no_such_name", "no_such_module", "no_such_module:name"]
    assert report["threads"] == psutil.Process().num_threads()
    memory, resident = report["memory"], psutil.Process().memory_info().rss
    assert set(memory) == {"anon", "file"}
    assert all(isinstance(amount, int) for amount in memory.values())
    assert 0.8 * resident < sum(memory.values()) < 1.2 * resident
    assert orders.done == [("dumpable", False)]


@pytest.fixture
def boxed(orders: Orders, monkeypatch: pytest.MonkeyPatch) -> Orders:
    """The same in a box."""
    monkeypatch.setenv(zygote.BOXED, "1")
    return orders


def test_in_a_box_it_insists_that_nothing_leaked_in_before_it_forks(boxed: Orders) -> None:
    boxed.gives()
    assert boxed.done == ["descriptors", "begins", ("dumpable", False)]


def test_a_worker_that_ended_is_reaped(orders: Orders) -> None:
    _, answer = orders.gives({"do": "reap", "pid": 33})
    assert answer == {"number": 1, "status": -9}
    assert orders.done[1:] == [("reap", 33)]


def test_in_a_box_a_workers_warden_tells_how_it_ended(boxed: Orders) -> None:
    _, answer = boxed.gives({"do": "reap", "pid": 33})
    assert answer == {"number": 1, "status": 7}
    assert boxed.done[3:] == [("wait", 33)]


def test_a_fork_is_told(orders: Orders) -> None:
    _, first, second = orders.gives({"do": "fork"}, {"do": "fork"})
    assert (first, second) == ({"number": 1, "pid": 4711}, {"number": 2, "pid": 4711})
    assert orders.done == [("dumpable", False)]


def test_in_a_box_a_warden_is_forked_with_the_workers_disks(boxed: Orders) -> None:
    disks = [["/tmp", 5]]
    assert boxed.gives({"do": "fork", "disks": disks})[1] == {"number": 1, "pid": 4711}
    assert boxed.done[3:] == [("warden", disks)]


def test_a_warden_that_is_refused_something_tells_the_workers_parent_and_ends(
    boxed: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxed.refused = "a mount at /tmp was refused: Operation not permitted"
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parents, workers = socket.socketpair()
    came: list[int] = []

    def recv_fds(*words: Any) -> Any:
        message, fds, *more = socket.recv_fds(*words)
        came.extend(fds)
        return message, fds, *more

    def opened(fileno: int) -> socket.socket:
        assert fileno == came[0]
        return workers

    monkeypatch.setattr(zygote, "socket", SimpleNamespace(recv_fds=recv_fds, socket=opened))
    with ours, theirs, parents, workers:
        order = json.dumps({"do": "fork", "disks": [], "number": 1}).encode()
        socket.send_fds(ours, [order], [workers.fileno()] * 3)
        with pytest.raises(Left, match=r"^1$"):
            zygote.main(theirs, [])
        assert json.loads(parents.recv(zygote.MESSAGE_BYTES)) == {"unconfined": boxed.refused}
        theirs.shutdown(socket.SHUT_WR)
        assert [said["number"] for said in messages(ours)] == [0]  # the zygote itself answers the order
    for fd in came:
        os.close(fd)


@pytest.mark.parametrize(("more", "steps"), [({}, []), ({"keep": False}, []), ({"keep": True}, ["keeps"])])
def test_a_fork_becomes_a_worker_and_takes_no_more_orders(
    orders: Orders, more: dict[str, bool], steps: list[str]
) -> None:
    orders.child = 0
    said = orders.gives({"do": "fork", **more})
    assert len(said) == 1  # the report only
    assert orders.done[1:] == [*steps, ("became", 1)]


@pytest.mark.parametrize(
    ("open_files", "leaked"), [("0125", ""), ("01257", "7"), ("01235", "3"), ("015", "")]
)
def test_a_box_with_another_descriptor_than_its_own_is_refused(
    monkeypatch: pytest.MonkeyPatch, open_files: str, leaked: str
) -> None:
    sock: Any = SimpleNamespace(fileno=lambda: 5)
    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", lambda path: [*open_files, "9"])  # 9 is the listing's own
        patch.setattr(os.path, "exists", lambda path: path.rpartition("/")[2] in open_files)
        if leaked:
            with pytest.raises(Unconfined, match=f"^descriptor {leaked} leaked into the box$"):
                zygote._require_descriptors(sock)
        else:
            zygote._require_descriptors(sock)


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[tuple[mmap.mmap, int]]:
    """Pages of a file, none of them read so far, and where they are."""
    file = tmp_path / "pages"
    file.touch()
    os.truncate(file, MANY * PAGE)
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as pages:
        lines = Path("/proc/self/maps").read_text().splitlines()
        (line,) = (line for line in lines if line.endswith(str(file)))
        yield pages, int(line.split("-")[0], 16)


def covers(spans: list[tuple[int, int]], place: int) -> bool:
    return any(start <= place < start + size for start, size in spans)


def test_pages_of_files_that_were_used_are_known_and_no_others(mapped: tuple[mmap.mmap, int]) -> None:
    pages, start = mapped
    assert not covers(zygote._mapped_pages(), start)
    assert pages[0] == pages[HALF * PAGE] == 0
    spans = zygote._mapped_pages()
    assert [covers(spans, start + n * PAGE) for n in (0, HALF // 2, HALF, MANY - 1)] == [
        True,
        False,
        True,
        False,
    ]
    ends = [begin + size for begin, size in spans]
    assert all(end < begin for end, (begin, _) in zip(ends, spans[1:], strict=False))  # none could be joined
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line]
    files = joined([[int(n, 16) for n in line[0].split("-")] for line in lines if line[1].startswith("r")])
    whole = [any(a <= begin and begin + size <= b for a, b in files) for begin, size in spans]
    assert all(whole)


def joined(areas: list[list[int]]) -> list[list[int]]:
    """Areas of memory, those that touch each other as one."""
    whole: list[list[int]] = []
    for begin, end in areas:
        if whole and whole[-1][1] == begin:
            whole[-1][1] = end
        else:
            whole.append([begin, end])
    return whole


def test_pages_are_mapped_again_without_being_read(mapped: tuple[mmap.mmap, int]) -> None:
    _, start = mapped
    zygote._map_again([(start, PAGE), (start + HALF * PAGE, 2 * PAGE)])
    spans = zygote._mapped_pages()
    assert [covers(spans, start + n * PAGE) for n in (0, HALF // 2, HALF, HALF + 1)] == [
        True,
        False,
        True,
        True,
    ]


def test_texts_and_paths_that_name_its_folders_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    home = "/tmp/zygote-0123"
    module, lazy = ModuleType("stack"), type("_LazyModule", (ModuleType,), {})("lazy")
    vars(module).update(CACHE=f"{home}/cache", PLACE=Path(home), OTHER="/tmp", LIST=[home], NUMBER=3)
    vars(lazy).update(CACHE=f"{home}/cache")
    modules = {"lazy": lazy, "odd": object(), "stack": module}
    monkeypatch.setattr(zygote, "sys", SimpleNamespace(modules=modules))
    assert zygote._places(home) == [(module, "CACHE", f"{home}/cache"), (module, "PLACE", home)]


@pytest.mark.parametrize("draw", [lambda most: 0, lambda most: most - 1])
def test_every_worker_has_memory_of_another_size_in_front(
    monkeypatch: pytest.MonkeyPatch, draw: Callable[[int], int]
) -> None:
    drawn: list[int] = []
    chance = SimpleNamespace(randrange=lambda most: drawn.append(most) or draw(most))
    monkeypatch.setattr(zygote, "random", SimpleNamespace(SystemRandom=lambda: chance))
    monkeypatch.setattr(zygote, "_held", [])
    zygote._shift()
    address, pages = zygote._held
    assert address
    with pages:
        assert len(pages) == PAGE * (1 + draw(drawn[1]))
    assert all(most > 1 for most in drawn)


def test_the_generator_of_numpy_is_seeded_anew() -> None:
    before = np.random.get_state()
    try:
        zygote._reseed()
        assert not np.array_equal(np.random.get_state()[1], before[1])
    finally:
        np.random.set_state(before)


def test_the_generator_of_torch_is_seeded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[bool] = []
    torch = SimpleNamespace(default_generator=SimpleNamespace(seed=lambda: seeded.append(True)))
    monkeypatch.setattr(zygote, "sys", SimpleNamespace(modules={"torch": torch}))
    zygote._reseed()
    assert seeded == [True]


def test_numpy_is_not_imported_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zygote, "sys", SimpleNamespace(modules={}))
    zygote._reseed()


def test_a_worker_has_its_own_environment_files_and_names(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    out, err = os.pipe(), os.pipe()
    stack = ModuleType("stack")
    vars(stack).update(CACHE="/old/home/cache", PLACE=Path("/old/home/place"))
    born_with = zygote._BornWith(
        [(stack, "CACHE", "/old/home/cache"), (stack, "PLACE", "/old/home/place")], []
    )
    order = {"environment": {"HOME": "/new", "ONE": "1"}, "scratch": str(tmp_path)}

    def served(sock: socket.socket) -> None:
        os.write(1, b"to the output")
        os.write(2, b"to the errors")
        state = {
            "descriptors": sorted(fd for fd in map(int, os.listdir("/proc/self/fd")) if is_open(fd)),
            "environment": dict(os.environ),
            "folder": os.getcwd(),
            "stack": [stack.CACHE, str(stack.PLACE), type(stack.PLACE).__name__],
            "main": sorted(n for n in vars(sys.modules["__main__"]) if not n.startswith("__")),
            "socket": sock.fileno(),
            "session": os.getsid(0) == os.getpid(),
            "signal": fcntl.fcntl(0, fcntl.F_GETSIG),
            "input": os.read(0, 9).decode(),
        }
        sock.sendall(json.dumps(state).encode() + b"\n")

    pid = fork()
    if pid == 0:
        try:
            fds = [fcntl.fcntl(fd, fcntl.F_DUPFD, 60) for fd in (theirs.fileno(), out[1], err[1])]
            os.dup2(os.open("/dev/zero", os.O_RDWR), 0)
            fcntl.fcntl(0, fcntl.F_SETSIG, 42)  # as a worker before could have set it, on what all were given
            os.dup2(fds[1], 3)  # what is left open after it in a worker that should not have it
            os.environ["HOME"] = "/old/home"
            zygote.serve = served
            zygote._become(order, fds, born_with)
        finally:
            os._exit(0)
    for fd in (out[1], err[1]):
        os.close(fd)
    theirs.close()
    printed = [until_gone(pipe) for pipe in (out[0], err[0])]
    os.waitpid(pid, 0)
    with ours, ours.makefile("rb") as file:
        hello, state = (json.loads(line) for line in file.read().splitlines())
    assert hello == {}  # it was not to be confined
    assert printed == [b"to the output", b"to the errors"]
    assert state["descriptors"] == [0, 1, 2, state["socket"]]
    assert state["environment"] == order["environment"]
    assert state["folder"] == str(tmp_path)
    assert state["stack"] == ["/new/cache", "/new/place", type(tmp_path).__name__]
    assert (state["main"], state["session"]) == ([], True)
    assert (state["signal"], state["input"]) == (0, "")


@pytest.mark.parametrize("refused", ["", "a control-group namespace was refused"])
def test_in_a_box_a_worker_waits_for_its_parent_before_it_is_confined(tmp_path: Path, refused: str) -> None:
    ours, theirs = socket.socketpair()
    out, out_end = os.pipe()
    pid = fork()
    if pid == 0:
        try:

            def hides() -> None:
                os.write(1, b"hides,")
                if refused:
                    raise Unconfined(refused)

            def confines(rules: dict[str, Any]) -> Confinement:
                os.write(1, b"confines,")
                return Confinement(rules["landlock"], "box", False, False)

            zygote.namespaces.hide_control_groups = hides
            zygote.confine = confines
            zygote.serve = lambda sock: os.write(1, b"serves")
            os.environ[zygote.BOXED] = "1"
            fds = [fcntl.fcntl(fd, fcntl.F_DUPFD, 60) for fd in (theirs.fileno(), out_end, out_end)]
            order = {"environment": {"HOME": "/box"}, "scratch": str(tmp_path), "confine": {"landlock": 7}}
            zygote._become(order, fds, zygote._BornWith([], []))
        finally:
            os._exit(0)
    os.close(out_end)
    theirs.close()
    with ours, ours.makefile("rb") as file:
        assert json.loads(file.readline()) == {}
        assert select.select([out, ours], [], [], 0.2)[0] == []  # it does and says nothing more
        ours.sendall(b"\n")
        printed = until_gone(out)
        second = json.loads(file.readline())
        assert file.read() == b""
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if refused:
        assert (printed, second, status) == (b"hides,", {"unconfined": refused}, 1)
    else:
        told = {"landlock": 7, "shm": "box", "sealed": False, "hidden": False}
        assert (printed, second, status) == (b"hides,confines,serves", told, 0)


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
