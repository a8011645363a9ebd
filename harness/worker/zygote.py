"""`python -I -P -m harness.worker.zygote FD IMPORT...`: imports a stack once, then forks workers that have it.

It never sees any code of a submission; a worker that its level wants confined is confined before it does. The
zygote runs one thread (a fork copies only the thread that forks: a lock held by another one would stay locked
for ever), opens no context on a GPU (a forked context is dead), and runs no parallel region (OpenMP's pool
does not survive a fork). It reports in its first message whatever it cannot promise, and the parent then
starts fresh interpreters instead.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import importlib
import json
import mmap
import os
import random
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import PurePath
from types import ModuleType
from typing import Any

from harness.worker import keeping, namespaces
from harness.worker.confine import confine
from harness.worker.landlock import Unconfined
from harness.worker.probes import answering
from harness.worker.serve import die_with_parent, serve

MESSAGE_BYTES = 256 * 1024
# Says in the environment that this zygote lives in a box of its own: every process there is its worker's.
BOXED = "HARNESS_BOXED"
# A worker forked with these: its socket, and where its standard output and error go.
DESCRIPTORS = 3
_PRESENT, _OF_A_FILE = 1 << 63, 1 << 61  # bits of a word of /proc/self/pagemap
_MADV_POPULATE_READ = 22
# Every worker's heap begins elsewhere, as a fresh interpreter's would: up to so many bytes and pages.
_SHIFT_BYTES, _SHIFT_PAGES = 4096, 256


def main(sock: socket.socket, stack: list[str]) -> None:
    """Imports `stack`, reports the result, then carries out the parent's orders until the parent is gone."""
    die_with_parent()
    wardens = None
    if BOXED in os.environ:
        _require_descriptors(sock)
        namespaces.begin()
        wardens = namespaces.Wardens()
    missing = [name for name in stack if not _imported(name)]
    born_with = _BornWith(_places(os.environ["HOME"]), _mapped_pages())
    keeping.dumpable(False)  # from here on not even it may look at its own pages, if it is not root
    gc.collect()
    # What is alive now stays for good: left to the collector, its marks would copy every page of it.
    gc.freeze()
    _say(sock, {"number": 0, "missing": missing, "threads": _threads(), "memory": _memory()})
    while True:
        message, fds, _, _ = socket.recv_fds(sock, MESSAGE_BYTES, DESCRIPTORS)
        if not message:
            os._exit(0)
        order = json.loads(message)
        if order["do"] == "reap":
            status = wardens.wait(order["pid"]) if wardens else keeping.reap(order["pid"])
            _say(sock, {"number": order["number"], "status": status})
            continue
        try:
            pid = wardens.fork(order["disks"]) if wardens else os.fork()
        except Unconfined as error:
            _say(socket.socket(fileno=fds[0]), {"unconfined": str(error)})
            os._exit(1)
        if pid == 0:
            sock.close()
            if order.get("keep"):
                keeping.keep_the_next()
            _become(order, fds, born_with)
            return
        for fd in fds:
            os.close(fd)
        _say(sock, {"number": order["number"], "pid": pid})


def _imported(name: str) -> bool:
    """Imports `module` or `module:attribute` (for modules that load their parts when asked for)."""
    module, _, attribute = name.partition(":")
    try:
        imported = importlib.import_module(module)
        if attribute:
            getattr(imported, attribute)
    except Exception:  # noqa: BLE001  (what a library raises when it is half installed is anything)
        return False
    return True


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _memory() -> dict[str, int]:
    """Resident bytes by kind that every worker inherits."""
    amounts = {}
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(("RssAnon:", "RssFile:")):
                name, amount = line.split()[:2]
                amounts[name[3:-1].lower()] = int(amount) * 1024
    return amounts


def _say(sock: socket.socket, words: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        sock.sendall(json.dumps(words).encode() + b"\n")


def _require_descriptors(sock: socket.socket) -> None:
    """In a box only the standard descriptors and the socket may be open: any other one leaked in."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in (0, 1, 2, sock.fileno()) and os.path.exists(f"/proc/self/fd/{name}"):
            raise Unconfined(f"descriptor {name} leaked into the box")


@dataclass(frozen=True)
class _BornWith:
    """What each worker has to correct: texts that name the zygote's folders, and pages of files it had mapped."""

    places: list[tuple[Any, str, str]]
    pages: list[tuple[int, int]]


def _mapped_pages() -> list[tuple[int, int]]:
    """Spans (address, bytes) of the pages of files that are mapped now.

    A fork does not inherit the mapping of pages that were only read. A fresh interpreter would have them
    mapped, so they would count as its memory and cause no page fault at their first use.
    """
    size = mmap.PAGESIZE
    spans: list[tuple[int, int]] = []
    with open("/proc/self/maps") as maps, open("/proc/self/pagemap", "rb", buffering=0) as flags:
        for line in maps:
            begin, end = (int(part, 16) for part in line.split()[0].split("-"))
            if "/" not in line or line.split()[1][0] != "r":
                continue
            flags.seek(begin // size * 8)
            words = array.array("Q", flags.read((end - begin) // size * 8))
            for number, word in enumerate(words):
                if word & _PRESENT and word & _OF_A_FILE:
                    at = begin + number * size
                    if spans and sum(spans[-1]) == at:
                        spans[-1] = (spans[-1][0], spans[-1][1] + size)
                    else:
                        spans.append((at, size))
    return spans


def _map_again(pages: list[tuple[int, int]]) -> None:
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for address, length in pages:
        if madvise(address, length, _MADV_POPULATE_READ):
            return  # a kernel before 5.14: they are mapped when they are used


def _places(home: str) -> list[tuple[Any, str, str]]:
    """Where the stack stored the zygote's own folders when it was imported: module, name, and the text."""
    places = []
    for module in list(sys.modules.values()):
        if module.__class__.__name__ == "_LazyModule" or not hasattr(module, "__dict__"):
            continue
        for name, value in list(vars(module).items()):
            if isinstance(value, (str, PurePath)) and str(value).startswith(home):
                places.append((module, name, str(value)))
    return places


def _become(order: dict[str, Any], fds: list[int], born_with: _BornWith) -> None:
    """Turns this forked process into a worker of its own, then serves."""
    os.setsid()
    die_with_parent()
    before, boxed = os.environ["HOME"], BOXED in os.environ
    os.environ.clear()
    os.environ.update(order["environment"])
    # Not the zygote's: what is set on an open file (locks, flags, a signal) is set for all who share it.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(fds[1], 1)
    os.dup2(fds[2], 2)
    kept = fds[0]
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != kept:
            with contextlib.suppress(OSError):
                os.close(int(name))
    os.makedirs(order["scratch"], 0o700, exist_ok=True)
    os.chdir(order["scratch"])
    for module, name, text in born_with.places:
        value = text.replace(before, order["environment"]["HOME"], 1)
        setattr(module, name, type(getattr(module, name))(value))
    _map_again(born_with.pages)
    _shift()
    _reseed()
    sock = socket.socket(fileno=kept)
    try:
        if boxed:
            _say(sock, {})
            sock.recv(1)  # until its parent has put it into its control group
            namespaces.hide_control_groups()
        hello = asdict(confine(order["confine"])) if "confine" in order else {}
    except Unconfined as error:
        _say(sock, {"unconfined": str(error)})
        os._exit(1)
    keeping.dumpable(True)
    die_with_parent()
    _say(sock, hello)  # the kernel tells the parent with it whose it is, in the parent's own numbers
    if "probe" in order:
        answering.answer(sock)
    # What it starts afresh (multiprocessing's spawn) would import the harness again as its main module.
    _held.append(sys.modules["__main__"])
    sys.modules["__main__"] = ModuleType("__main__")
    serve(sock)


_held: list[Any] = []


def _shift() -> None:
    """Moves future allocations by a random distance: otherwise all forks of a process share one layout."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    _held.append(libc.malloc(16 + random.SystemRandom().randrange(_SHIFT_BYTES)))
    _held.append(mmap.mmap(-1, mmap.PAGESIZE * (1 + random.SystemRandom().randrange(_SHIFT_PAGES))))


def _reseed() -> None:
    """Seeds anew the generators that were seeded at random; Python's own reseeds itself after a fork."""
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()
    if (torch := sys.modules.get("torch")) is not None:
        torch.default_generator.seed()


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
