"""Objects that are counts of the whole kernel: each thing that a process makes moves one on."""

import os
import socket
import struct
import time
from abc import abstractmethod
from pathlib import Path

from table import Absent, Counter, an_object, call


class _Inodes(Counter):
    slack = 4096

    @abstractmethod
    def made(self):
        """The descriptors of what was made, each with a number of its own."""

    def count(self):
        descriptors = self.made()
        number = os.fstat(descriptors[0]).st_ino
        for descriptor in descriptors:
            os.close(descriptor)
        return number

    move = count


@an_object("inode numbers of pipes", bits=4, calls="pipe pipe2 fstat")
class _OfPipes(_Inodes):
    def made(self):
        return os.pipe()


@an_object("inode numbers of memory without a file", bits=4, calls="memfd_create fstat")
class _OfMemory(_Inodes):
    slack = 1024

    def made(self):
        return (os.memfd_create("x"),)


@an_object("inode numbers of sockets", bits=4, calls="socket socketpair fstat", alone=True)
class _OfSockets(_Inodes):
    def made(self):
        a, b = socket.socketpair()
        return a.detach(), b.detach()


@an_object("cookies of sockets", bits=4, calls="getsockopt setsockopt getsockname getpeername shutdown")
class _Cookies(Counter):
    slack, _COOKIE = 4096, 57

    def count(self):
        with socket.socket(socket.AF_UNIX) as sock:
            return struct.unpack("Q", sock.getsockopt(socket.SOL_SOCKET, self._COOKIE, 8))[0]

    move = count


def told_by_a_child(work):
    """What a number is in a child; Absent where it cannot be had."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(writing, str(work()).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    number = os.read(reading, 64)
    os.close(reading)
    if not number:
        raise Absent("it was refused, or this kernel has none")
    return int(number)


class _Forks(Counter):
    slack, seconds = 96, 30.0

    def move(self):
        if (child := os.fork()) == 0:
            os._exit(0)
        os.waitpid(child, 0)


@an_object(
    "inode numbers of processes, by clone",
    bits=3,
    calls="clone clone3 fork vfork pidfd_open wait4 waitid",
    alone=True,
)
class _ByClone(_Forks):
    _WITH_DESCRIPTOR = 0x1000

    def count(self):
        import ctypes

        held = ctypes.c_int(-1)
        child = call("clone", self._WITH_DESCRIPTOR | 17, 0, ctypes.byref(held), 0, 0)
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        number = os.fstat(held.value).st_ino
        os.close(held.value)
        return number


@an_object("inode numbers of processes, by socket", bits=3, calls="getsockopt", alone=True)
class _BySocket(_Forks):
    _PEER = 77

    def _of_itself(self):
        a, b = socket.socketpair()
        with a, b:
            descriptor = struct.unpack("i", a.getsockopt(socket.SOL_SOCKET, self._PEER, 4))[0]
        number = os.fstat(descriptor).st_ino
        os.close(descriptor)
        return number

    def count(self):
        return told_by_a_child(self._of_itself)

    move = count


@an_object("numbers of groups of the scheduler", bits=3, calls="setsid setpgid", alone=True)
class _Groups(Counter):
    """/proc/self/autogroup: each setsid moves it on, wherever in the machine it was."""

    slack, seconds = 24, 30.0

    def _of(self, path):
        if not os.path.exists(path):
            raise Absent("this kernel has none")
        return int(Path(path).read_text().split()[0].rsplit("-")[1])

    def _of_itself(self):
        os.setsid()
        return self._of("/proc/self/autogroup")

    def count(self):
        return told_by_a_child(self._of_itself)

    move = count


@an_object("unique numbers of mounts", bits=4, calls="statx", alone=True)
class _Mounts(Counter):
    """A worker can make none, so that it can only be read."""

    slack, seconds = 64, 0.5

    def count(self):
        import ctypes

        held = ctypes.create_string_buffer(256)
        call("statx", -100, b"/tmp", 0, 0x4000, held)
        return struct.unpack_from("Q", held, 0x90)[0]

    def move(self):
        time.sleep(0.1)


@an_object(
    "when a worker ends",
    bits=1,
    calls="clock_gettime gettimeofday time nanosleep clock_nanosleep",
    alone=True,
)
class _When(Counter):
    """The next begins that much later, by a clock that both read; seconds, as a new box takes one to be made."""

    slack = 3000

    def count(self):
        return time.time_ns() // 1_000_000

    def move(self):
        time.sleep(0.002)
