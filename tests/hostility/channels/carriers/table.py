"""The table of objects: how many bits each can be made to hold, what it needs, and how it is set and read."""

import ctypes
import json
import os
import platform
import sysconfig
import time
from abc import ABC, abstractmethod
from pathlib import Path

OBJECTS = {}
HERE = Path(__file__).parent
libc = ctypes.CDLL(None, use_errno=True)
_COLUMN = {"x86_64": 1, "aarch64": 2}[platform.machine()]
_NUMBERS = {
    line.split()[0]: line.split()[_COLUMN]
    for line in (HERE / "numbers.txt").read_text().splitlines()
    if line and line[0] != "#"
}


class Absent(Exception):
    """This machine has no such object."""


class Object(ABC):
    """One object. `bits` that one pair of workers can pass by it; `alive`: only while the sender lives; `alone`:
    others tried beside it would change it. `calls` are the system calls that it tries."""

    name, bits, calls, alive, alone = "", 64, (), False, False

    def ready(self):  # noqa: B027  (most objects need nothing before)
        """In the receiver, before anything is sent, where it is alive then."""

    @abstractmethod
    def send(self, word):
        """In the sender: makes the object hold the word."""

    @abstractmethod
    def receive(self):
        """In the receiver: the word that it finds."""


def an_object(name, *, bits=64, calls="", alive=False, alone=False):
    def kept(made):
        found = OBJECTS[name] = made()
        found.name, found.bits, found.calls, found.alive, found.alone = (
            name,
            bits,
            calls.split(),
            alive,
            alone,
        )
        return made

    return kept


def call(name, *arguments):
    """A system call by its name; OSError where it fails, Absent where this processor has none."""
    number = _NUMBERS[name]
    if number == "-":
        raise Absent(f"no {name} on this processor")
    typed = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = libc.syscall(ctypes.c_long(int(number)), *typed)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class Counter(Object):
    """A count that all workers move: it is moved on until it stands in the cell that the word names.

    So the receiver needs no earlier reading. `slack`: what the starts of workers move it by, at most.
    """

    slack, seconds = 1, 20.0

    @abstractmethod
    def count(self):
        """Where the count stands."""

    @abstractmethod
    def move(self):
        """Moves it on, by one or a few."""

    def send(self, word):
        cells, ends = 1 << self.bits, time.monotonic() + self.seconds
        while time.monotonic() < ends:
            at = self.count() % (self.slack * cells)
            if word * self.slack <= at < word * self.slack + self.slack // 8:
                return
            self.move()
        raise Absent("it could not be moved there in time")

    def receive(self):
        return self.count() // self.slack % (1 << self.bits)


def shared_files(number, least=4096):
    """Files that every worker can read, the same ones in each: sorted, of at least so many bytes."""
    # Not below /usr: the environment may lie elsewhere.
    top, found = Path(sysconfig.get_path("purelib")), []
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            file = os.path.join(folder, name)
            if os.path.isfile(file) and os.path.getsize(file) >= least:
                found.append(file)
                if len(found) == number:
                    return found
    raise Absent("too few files")


def biggest():
    """A large file that every worker can read."""
    top = Path(sysconfig.get_path("purelib"))
    files = [*top.glob("*/*.so*"), *top.glob("*/lib/*.so*"), *top.glob("*/*.py")]
    # Not what the zygote has mapped: all of that is mapped more than once.
    return str(
        max(
            (
                file
                for file in files
                if not any(word in str(file) for word in ("numpy", "torch", "scipy", "arrow"))
            ),
            key=lambda file: (file.stat().st_size, str(file)),
        )
    )


def bits_of(word, number=64):
    return [word >> at & 1 for at in range(number)]


def word_of(bits):
    return sum(bool(bit) << at for at, bit in enumerate(bits))


def written(word):
    return json.dumps({"word": word})
