"""Everything that can be read: each file of /proc and /sys, and what calls tell without being given anything."""

import contextlib
import ctypes
import os
import re
import resource
import socket
import struct
import time
import zlib

from table import Absent, call

TOPS = ("/proc", "/sys")
_LONGEST, _MOST = 1 << 16, 400
_WORK_SECONDS = 2.5
_NUMBER = re.compile(rb"0x[0-9a-f]+|\d+")
# What tells of a process's own memory, byte by byte, or never ends.
UNREAD = {
    "/proc/self/mem": "its own memory",
    "/proc/self/pagemap": "its own pages; tried by the object of that name",
    "/proc/kmsg": "the kernel's messages; waits for more",
    "/proc/self/clear_refs": "only to be written",
}
CLOCKS = {name: getattr(time, name) for name in dir(time) if name.startswith("CLOCK_")}


def walk():
    """What there is below /proc and /sys, each file with "read", or why it cannot be read; numbers as "N"."""
    found = {}
    for path in _paths():
        name = named(path)
        if name in UNREAD:
            found[name] = "listed"
            continue
        try:
            _content(path)
            found[name] = "read"
        except OSError as error:
            found.setdefault(name, f"refused: {error.strerror}")
    return {
        "files": found,
        "writable": sorted({named(path) for path in _paths() if _writable(path)}),
        "folders": _writable_folders(),
    }


def named(path):
    """A path by which files of one kind are one: processes other than itself, cores, descriptors by N."""
    path = re.sub(r"^/proc/(self/task/)?\d+(?=/)", "/proc/self", path)
    path = re.sub(r"/task/\d+(?=/)", "", path)
    path = re.sub(r"(?<=/(?:fd|ns)/)\d+$|(?<=/fdinfo/)\d+$|(?<=/map_files/)[0-9a-f-]+$", "N", path)
    return re.sub(r"(?<=[a-z-])\d+(?=/)", "N", path)


def _writable(path):
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def _writable_folders():
    """Folders in which it can make a file, and files outside of /proc and /sys that it can open to write."""
    with open("/proc/self/mountinfo") as file:
        points = {line.split()[4] for line in file} - {"/"}
    tops = {point for point in points if not point.startswith(TOPS)}
    found = set()
    for top in sorted(tops | {"/dev", "/etc", "/run", "/var", "/home", "/root", "/given", "/"}):
        if os.path.isfile(top) or not os.path.isdir(top):
            found |= {top} if _writable(top) else set()
            continue
        for folder, folders, names in os.walk(top):
            folders[:] = [f for f in folders if os.path.join(folder, f) not in points][:40]
            if folder.count("/") > top.count("/") + 2 or top == "/":
                folders.clear()
            found |= {folder} if _can_make(folder) else set()
            found |= {path for name in names[:40] if _writable(path := os.path.join(folder, name))}
    return sorted(found)


def _can_make(folder):
    file = os.path.join(folder, ".try")
    try:
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY))
    except OSError:
        return False
    os.unlink(file)
    return True


def _paths():
    for top in (*TOPS, "/proc/self"):  # a link, which a walk from above does not follow
        for folder, folders, names in os.walk(top):
            folders.sort()
            if folder == "/proc":
                folders[:] = [f for f in folders if not f.isdigit()]
            if folder == "/proc/self":
                folders[:] = [f for f in folders if f not in ("task", "cwd", "root", "fd", "map_files")]
            yield from (os.path.join(folder, name) for name in sorted(names))


def _content(path):
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        held = b""
        while len(held) < _LONGEST and (more := os.read(descriptor, _LONGEST)):
            held += more
        return held
    finally:
        os.close(descriptor)


def everything(only=None):
    """Numbers by what they were read of; a file's are those in its text, and a checksum of the rest."""
    found = {}
    for path in _paths():
        if named(path) in UNREAD or (only and path not in only):
            continue
        with contextlib.suppress(OSError):
            words = _content(path)
            numbers = [int(n, 0) if n[:2] == b"0x" else int(n) for n in _NUMBER.findall(words)[:_MOST]]
            found[path] = [float(n) for n in numbers] + [float(zlib.crc32(_NUMBER.sub(b"", words)))]
    for name, tell in CALLS.items():
        with contextlib.suppress(OSError, Absent):
            found[name] = [float(number) for number in tell()]
    return found


def _sysinfo():
    held = ctypes.create_string_buffer(128)
    call("sysinfo", held)
    return struct.unpack_from("q3Q6QH", held)


def _disks():
    for place in (
        "/",
        "/usr",
        "/tmp",
        "/dev/shm",
        "/box",
        "/dev",
        "/proc",
        "/sys",
        "/given",
        "/venv/lib",
        "/etc/passwd",
    ):
        with contextlib.suppress(OSError):
            told = os.statvfs(place)
            yield from (told.f_blocks, told.f_bfree, told.f_bavail, told.f_files, told.f_ffree)


def _stats():
    for place in (
        "/",
        "/usr",
        "/tmp",
        "/dev/shm",
        "/box",
        "/dev",
        "/dev/null",
        "/dev/tty",
        "/proc",
        "/proc/self",
        "/sys",
        "/given",
        "/dev/pts",
        "/etc/passwd",
        "/usr/bin",
    ):
        with contextlib.suppress(OSError):
            told = os.stat(place)
            yield from (told.st_dev, told.st_ino, told.st_nlink, told.st_size, told.st_blocks)
            yield from (told.st_mtime_ns, told.st_ctime_ns, told.st_atime_ns)


def _made():
    """Numbers of what it makes itself."""
    ends, memory = os.pipe(), os.memfd_create("x")
    a, b = socket.socketpair()
    file = os.open("/tmp/.made", os.O_CREAT | os.O_RDWR)
    for descriptor in (*ends, memory, a.fileno(), b.fileno(), file):
        told = os.fstat(descriptor)
        yield from (told.st_dev, told.st_ino)
    for descriptor in (*ends, memory, file):
        os.close(descriptor)
    a.close(), b.close()
    os.unlink("/tmp/.made")
    event = call("eventfd2", 0, 0)
    yield from (int(n) for n in _NUMBER.findall(_content(f"/proc/self/fdinfo/{event}")))
    os.close(event)
    if (child := os.fork()) == 0:
        os._exit(0)
    yield child
    os.waitpid(child, 0)


def _spaces():
    for name in sorted(os.listdir("/proc/self/ns")):
        with contextlib.suppress(OSError):
            yield os.stat(f"/proc/self/ns/{name}").st_ino


def _unique():
    for place in (b"/", b"/usr", b"/tmp", b"/proc", b"/dev"):
        held = ctypes.create_string_buffer(256)
        call("statx", -100, place, 0, 0x5000, held)
        yield struct.unpack_from("Q", held, 0x90)[0]


def _loops():
    ends, number = time.monotonic() + 0.05, 0
    while time.monotonic() < ends:
        number += 1
    yield number


CALLS = {
    "sysinfo()": _sysinfo,
    "statfs()": _disks,
    "stat()": _stats,
    "numbers of what it makes": _made,
    "namespaces": _spaces,
    "unique mount numbers": _unique,
    "getrusage()": lambda: [float(v) for who in (0, -1) for v in resource.getrusage(who)],
    "times()": lambda: os.times(),
    "limits": lambda: [v for kind in range(16) for v in resource.getrlimit(kind)],
    "cores": lambda: [len(os.sched_getaffinity(0)), sum(os.sched_getaffinity(0)), os.cpu_count() or 0],
    "the core it runs on": lambda: [ctypes.CDLL(None).sched_getcpu()],
    "loops in 50 ms": _loops,
    "ids": lambda: [os.getpid(), os.getppid(), os.getsid(0), os.getpgid(0), os.getuid(), os.getgid()],
    "entropy": lambda: [
        struct.unpack("i", __import__("fcntl").ioctl(os.open("/dev/random", 0), 0x80045200, bytes(4)))[0]
    ],
    "clocks without time": lambda: [time.clock_getres(clock) for clock in CLOCKS.values()],
}


def work(bit):
    """Works hard, or only waits as long: so that time alone tells nothing."""
    ends = time.monotonic() + _WORK_SECONDS
    if bit:
        _work()
    time.sleep(max(0.0, ends - time.monotonic()))


def _work():
    """Allocates, forks, writes, opens, makes sockets, maps, computes, and keeps some of it."""
    held.append(bytearray(b"\1") * (64 << 20))
    for number in range(24):
        if (child := os.fork()) == 0:
            if number < 12:
                os._exit(0)
            time.sleep(60)
            os._exit(0)
        if number < 12:
            os.waitpid(child, 0)
    for number in range(200):
        with open(f"/tmp/w{number}", "wb") as file:
            file.write(bytes(1 << 15))
        with open(f"/dev/shm/w{number}", "wb") as file:
            file.write(bytes(1 << 12))
        held.append(socket.socketpair())
        held.append(os.pipe())
        held.append(os.memfd_create("w"))
        held.append(call("eventfd2", 0, 0))
    for _ in range(3000):
        os.close(os.memfd_create("w"))
        for end in os.pipe():
            os.close(end)
    for _ in range(30):
        with contextlib.suppress(OSError):
            held.append(os.openpty())
    ends = time.monotonic() + 0.4
    while time.monotonic() < ends:
        pass


held = []
