"""Objects in the kernel that are no files: messages, limits that many share, and what a call tells of others."""

import contextlib
import ctypes
import os
import resource
import socket
import struct
import subprocess
import sys
import threading
import time

from table import Absent, Object, an_object, bits_of, call, libc, word_of

KEPT = []
_CREATE, _KEY = 0o1000, 0x1E77E8


@an_object("System V memory", calls="shmget shmat shmctl shmdt")
class _Memory(Object):
    def send(self, word):
        for at, bit in enumerate(bits_of(word)):
            if bit:
                call("shmget", _KEY + at, 4096, _CREATE | 0o666)

    def receive(self):
        return word_of(_is_there("shmget", _KEY + at, 0, 0) for at in range(64))


@an_object("System V messages", calls="msgget msgsnd msgrcv msgctl")
class _Messages(Object):
    def send(self, word):
        for at, bit in enumerate(bits_of(word)):
            if bit:
                call("msgget", _KEY + at, _CREATE | 0o666)

    def receive(self):
        return word_of(_is_there("msgget", _KEY + at, 0) for at in range(64))


@an_object("System V semaphores", calls="semget semop semctl semtimedop")
class _Semaphores(Object):
    def send(self, word):
        for at, bit in enumerate(bits_of(word)):
            if bit:
                call("semget", _KEY + at, 1, _CREATE | 0o666)

    def receive(self):
        return word_of(_is_there("semget", _KEY + at, 0, 0) for at in range(64))


@an_object("message queues", calls="mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr")
class _Queues(Object):
    def send(self, word):
        for at, bit in enumerate(bits_of(word)):
            if bit:
                call("mq_open", b"letter-%d" % at, os.O_CREAT | os.O_RDWR, 0o600, None)

    def receive(self):
        return word_of(_is_there("mq_open", b"letter-%d" % at, os.O_RDONLY, 0, None) for at in range(64))


@an_object("keys", calls="add_key request_key keyctl")
class _Keys(Object):
    _USER = -4

    def send(self, word):
        call("add_key", b"user", b"letter", struct.pack("Q", word), 8, self._USER)

    def receive(self):
        key = call("request_key", b"user", b"letter", None, 0)
        held = ctypes.create_string_buffer(8)
        call("keyctl", 11, key, held, 8)
        return struct.unpack("Q", held.raw)[0]


def _is_there(*words):
    try:
        call(*words)
    except FileNotFoundError:
        return False
    return True


@an_object(
    "its own limits, names and clocks", calls="setrlimit prlimit64 setpriority prctl umask alarm setitimer"
)
class _Own(Object):
    def send(self, word):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_STACK, (word >> 16 & ~4095, resource.RLIM_INFINITY))
        libc.prctl(15, struct.pack("Q", word).replace(b"\0", b"x"), 0, 0, 0)
        libc.prctl(29, ctypes.c_ulong(word & 0xFFFFFF), 0, 0, 0)
        os.nice(1 + word % 5)

    def receive(self):
        return resource.getrlimit(resource.RLIMIT_STACK)[0] + libc.prctl(30, 0, 0, 0, 0) * 5 + os.nice(0)


@an_object("free space of another's memory disk", bits=16, calls="ustat", alive=True)
class _FreeSpace(Object):
    """ustat(2) tells it of every disk in the machine by its number, whoever can see it."""

    _BASE = 1000

    def _told(self, minor):
        held = ctypes.create_string_buffer(32)
        call("ustat", minor & 0xFF | (minor & ~0xFF) << 12, held)
        return struct.unpack_from("i", held)[0], struct.unpack_from("Q", held, 8)[0]

    def send(self, word):
        os.mkdir("/dev/shm/many")
        for number in range(self._BASE + (word >> 8)):
            os.close(os.open(f"/dev/shm/many/{number}", os.O_CREAT))
        with open("/dev/shm/many/0", "wb") as file:
            file.write(bytes(4096) * (self._BASE + (word & 255)))

    def receive(self):
        fresh = self._told(os.minor(os.stat("/dev/shm").st_dev))
        for minor in range(1, 4096):
            try:
                blocks, inodes = self._told(minor)
            except Absent:
                raise
            except OSError:
                continue
            used, made = fresh[0] - blocks - self._BASE, fresh[1] - inodes - self._BASE - 1
            if 0 <= made < 256 and 0 <= used < 256:
                return made << 8 | used
        return None


@an_object(
    "the kernel's count of asynchronous reads",
    bits=4,
    calls="io_setup io_destroy io_getevents io_cancel io_submit io_pgetevents",
    alive=True,
)
class _Asynchronous(Object):
    """All processes of the machine share one limit; how much is left of it can be tried."""

    _STEP = 2048

    def _take(self, number):
        held = ctypes.c_ulong(0)
        call("io_setup", number, ctypes.byref(held))
        KEPT.append(held)

    def send(self, word):
        for _ in range(word):
            self._take(self._STEP)

    def receive(self):
        taken = 0
        with contextlib.suppress(BlockingIOError):
            while taken < 64:
                self._take(self._STEP)
                taken += 1
        return self._most() - taken

    def _most(self):
        with open("/proc/sys/fs/aio-max-nr") as file:
            return int(file.read()) // self._STEP


@an_object("the kernel's count of terminals", bits=4, calls="ioctl", alive=True)
class _Terminals(Object):
    _STEP = 64

    def _open(self, most):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        number = 0
        try:
            while number < most:
                KEPT.append(os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY))
                number += 1
        except OSError as error:
            if error.errno != 28:
                raise
        return number

    def send(self, word):
        if self._open(word * self._STEP) < word * self._STEP:
            raise Absent("that many terminals cannot be had")

    def receive(self):
        with open("/proc/sys/kernel/pty/max") as file, open("/proc/sys/kernel/pty/reserve") as kept:
            most = int(file.read()) - int(kept.read())
        left = self._open(most)
        if left >= most - self._STEP // 4:
            return 0
        return (most - left + self._STEP // 2) // self._STEP


@an_object(
    "what its user may hold in pipes", bits=1, calls="pipe pipe2 fcntl tee splice vmsplice", alive=True
)
class _Pipes(Object):
    def _take(self, most):
        import fcntl

        number = 0
        with contextlib.suppress(OSError):
            while number < most:
                ends = os.pipe()
                KEPT.append(ends)
                if fcntl.fcntl(ends[0], 1031, 1 << 20) < 1 << 20:
                    break
                number += 1
        return number

    def send(self, word):
        self._take(word * 64)

    def receive(self):
        return int(self._take(32) < 16)


@an_object(
    "what its user may queue of signals",
    bits=1,
    calls="timer_create timer_delete timer_settime rt_sigqueueinfo",
    alive=True,
)
class _Signals(Object):
    def _take(self, most):
        made = 0
        with contextlib.suppress(OSError):
            while made < most:
                held = ctypes.c_int(0)
                call("timer_create", 1, None, ctypes.byref(held))
                made += 1
        return made

    def send(self, word):
        self._take(word << 20)

    def receive(self):
        return int(self._take(64) < 64)


@an_object("huge pages of the machine", bits=1, calls="memfd_create", alive=True)
class _HugePool(Object):
    def _take(self, most):
        import mmap

        with contextlib.suppress(OSError):
            for _ in range(most):
                descriptor = os.memfd_create("huge", 4)
                os.ftruncate(descriptor, 1 << 21)
                KEPT.append(mmap.mmap(descriptor, 1 << 21))
            return most
        return 0

    def send(self, word):
        if self._take(1) == 0:
            raise Absent("the machine keeps none")
        if word:
            self._take(1 << 20)

    def receive(self):
        return int(self._take(1) == 0)


@an_object("free memory, by sysinfo", bits=2, calls="sysinfo brk", alive=True, alone=True)
class _FreeMemory(Object):
    _STEP = 256 << 20
    before = None

    def ready(self):
        self.before = _told()[1]

    def send(self, word):
        KEPT.append(bytearray(b"\1") * (word * self._STEP))

    def receive(self):
        if self.before is None:
            return None
        return max(0, self.before - _told()[1] + self._STEP // 2) // self._STEP


@an_object("number of tasks, by sysinfo", bits=4, calls="sysinfo", alive=True, alone=True)
class _Tasks(Object):
    _STEP = 16
    before = None

    def ready(self):
        self.before = _told()[2]

    def send(self, word):
        for _ in range(word * self._STEP):
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()

    def receive(self):
        if self.before is None:
            return None
        return max(0, _told()[2] - self.before + self._STEP // 2) // self._STEP


@an_object("number of processes, by the links of /proc", bits=4, calls="stat fork", alive=True, alone=True)
class _Processes(Object):
    """The folder has a link for each process of the machine, whoever may see them."""

    _STEP = 8
    before = None

    def ready(self):
        self.before = os.stat("/proc").st_nlink

    def send(self, word):
        for _ in range(word * self._STEP):
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)

    def receive(self):
        if self.before is None:
            return None
        return max(0, os.stat("/proc").st_nlink - self.before + self._STEP // 2) // self._STEP


@an_object("load of the machine, by sysinfo", bits=1, calls="sysinfo", alone=True)
class _Load(Object):
    """The mean of a minute goes up with every five seconds in which many wish to run."""

    _MANY = 40

    def send(self, word):
        children = [
            subprocess.Popen([sys.executable, "-Sc", "while True: pass"]) for _ in range(self._MANY * word)
        ]
        time.sleep(6)
        for child in children:
            child.kill()
            child.wait()

    def receive(self):
        one, five = _told()[0][:2]
        return int(one > five + 1.2)


def _told():
    held = ctypes.create_string_buffer(128)
    call("sysinfo", held)
    words = struct.unpack_from("q3Q6QH", held)
    return [load / 65536 for load in words[1:4]], words[5], words[10]


@an_object(
    "the time of a core",
    bits=1,
    calls="sched_yield sched_setscheduler sched_setattr setpriority",
    alive=True,
    alone=True,
)
class _Core(Object):
    """How far it comes in a span of time, and how far at most."""

    def send(self, word):
        if word and os.fork() == 0:
            ends = time.monotonic() + 3
            while time.monotonic() < ends:
                pass
            os._exit(0)

    def receive(self):
        ends, work = time.monotonic() + 0.3, time.process_time()
        while time.monotonic() < ends:
            pass
        return int(time.process_time() - work < 0.22)


@an_object("the host's name", calls="sethostname setdomainname uname")
class _Host(Object):
    def send(self, word):
        call("sethostname", b"%d" % word, 20)

    def receive(self):
        return int(os.uname().nodename) if os.uname().nodename.isdigit() else None


@an_object(
    "a socket of the network", calls="socket sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg", alive=True
)
class _Network(Object):
    def send(self, word):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 40000 + word % 20000))

    def receive(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            return sock.connect_ex(("127.0.0.1", 40000))
