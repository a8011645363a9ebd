"""Objects that are files: what can be written, and what an inode has besides its content."""

import contextlib
import ctypes
import fcntl
import mmap
import os
import signal
import socket
import struct
import time
from pathlib import Path

from table import Absent, Object, an_object, biggest, bits_of, call, libc, shared_files, word_of, written

KEPT = []  # until the worker ends
WRITABLE = (
    "/tmp",
    "/dev/shm",
    "/box",
    "/box/scratch",
    "/dev",
    "/dev/pts",
    "/",
    "/given",
    "/etc",
    "/run",
    "/sys",
    "/usr",
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
NAME = ".a-letter"


def folders():
    return [folder for folder in WRITABLE if os.path.isdir(folder)]


def in_any(work):
    """What the first of some tries gives that gives something."""
    for place in folders():
        with contextlib.suppress(OSError, ValueError):
            found = work(place)
            if found is not None:
                return found
    return None


def set_in_all(work):
    """Does it wherever it is let; OSError where it is let nowhere."""
    let = 0
    for place in folders():
        with contextlib.suppress(OSError):
            work(place)
            let += 1
    if not let:
        raise OSError(1, "nowhere let")


@an_object("a file", calls="open openat creat write mkdir unlink")
class _File(Object):
    def send(self, word):
        set_in_all(lambda place: Path(place, NAME).write_text(written(word)))

    def receive(self):
        import json

        return in_any(lambda place: json.loads(Path(place, NAME).read_text())["word"])


@an_object("a folder's mode", bits=9, calls="chmod fchmod fchmodat fchmodat2")
class _Mode(Object):
    def send(self, word):
        set_in_all(lambda place: os.chmod(place, word | 0o700))

    def receive(self):
        return os.stat("/box").st_mode & 0o777


@an_object("a folder's times", calls="utime utimes utimensat futimesat")
class _Times(Object):
    def send(self, word):
        set_in_all(lambda place: os.utime(place, ns=(word >> 32, word & 0xFFFFFFFF)))

    def receive(self):
        def times(place):
            found = os.stat(place)
            low = found.st_mtime_ns < 1 << 33 and found.st_atime_ns < 1 << 33
            return (found.st_atime_ns << 32 | found.st_mtime_ns) if low and found.st_mtime_ns else None

        return in_any(times)


@an_object("an extended attribute", calls="setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr")
class _Attribute(Object):
    def send(self, word):
        set_in_all(lambda place: os.setxattr(place, "user.letter", written(word).encode()))

    def receive(self):
        import json

        return in_any(lambda place: json.loads(os.getxattr(place, "user.letter"))["word"])


_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602
_GET_MORE, _SET_MORE = 0x801C581F, 0x401C5820
_GET_VERSION, _SET_VERSION = 0x80087601, 0x40087602


@an_object("flags of a shared inode", bits=16, calls="ioctl file_getattr file_setattr")
class _Flags(Object):
    """No-dump flags, project numbers and versions of files that all workers read."""

    def _each(self, work):
        for file in (*shared_files(16), *folders()):
            with contextlib.suppress(OSError):
                descriptor = os.open(file, os.O_RDONLY)
                try:
                    yield work(descriptor)
                finally:
                    os.close(descriptor)

    def send(self, word):
        def set_all(descriptor):
            done = 0
            with contextlib.suppress(OSError):
                fcntl.ioctl(descriptor, _SET_VERSION, struct.pack("Q", 1 << 20 | word))
                done = 1
            with contextlib.suppress(OSError):
                held = bytearray(fcntl.ioctl(descriptor, _GET_MORE, bytes(28)))
                struct.pack_into("I", held, 12, 1 << 20 | word)
                fcntl.ioctl(descriptor, _SET_MORE, bytes(held))
                done = 1
            return done

        if not sum(self._each(set_all)):
            raise OSError(1, "nowhere let")

    def receive(self):
        def looked(descriptor):
            found = []
            with contextlib.suppress(OSError):
                found.append(struct.unpack("Q", fcntl.ioctl(descriptor, _GET_VERSION, bytes(8)))[0])
            with contextlib.suppress(OSError):
                found.append(struct.unpack_from("I", fcntl.ioctl(descriptor, _GET_MORE, bytes(28)), 12)[0])
            return [number & 0xFFFF for number in found if number >> 20 == 1]

        return next((numbers[0] for numbers in self._each(looked) if numbers), None)


@an_object("times of a shared inode", calls="utimensat chmod chown lchown fchown fchownat")
class _SharedTimes(Object):
    def send(self, word):
        let = 0
        for file in shared_files(16):
            for work in (
                lambda file=file: os.utime(file, ns=(word >> 32, word & 0xFFFFFFFF)),
                lambda file=file: os.chmod(file, 0o444),
                lambda file=file: os.chown(file, 1000, 1000),
            ):
                with contextlib.suppress(OSError):
                    work()
                    let += 1
        if not let:
            raise OSError(1, "nowhere let")

    def receive(self):
        for file in shared_files(16):
            found = os.stat(file)
            if found.st_mtime_ns < 1 << 33:
                return found.st_atime_ns << 32 | found.st_mtime_ns
        return None


@an_object("the time at which a shared file was read", calls="read pread64 stat fstat lstat newfstatat statx")
class _ReadTimes(Object):
    """The time of access, and that of a folder."""

    def _files(self):
        return shared_files(64)

    def send(self, word):
        for file, bit in zip(self._files(), bits_of(word), strict=True):
            if bit:
                Path(file).read_bytes()

    def receive(self):
        now = time.time()
        return word_of(now - os.stat(file).st_atime < 30 for file in self._files())


@an_object("the times of a device", bits=16, calls="utimensat")
class _DeviceTimes(Object):
    """Whoever may write to a file may set its times to now: it waits until now ends as the word says."""

    _STEP = 20_000_000

    def send(self, word):
        let = 0
        for at, device in enumerate(DEVICES[:4]):
            wanted = word >> 4 * at & 15
            while time.time_ns() // self._STEP % 16 != wanted:
                time.sleep(0.001)
            time.sleep(self._STEP / 4e9)
            with contextlib.suppress(OSError):
                os.utime(device)
                let += 1
        if not let:
            raise OSError(30, "nowhere let")

    def receive(self):
        return sum(
            (os.stat(device).st_mtime_ns // self._STEP % 16) << 4 * at
            for at, device in enumerate(DEVICES[:4])
        )


@an_object("whole-file locks of shared files", calls="flock", alive=True)
class _WholeLocks(Object):
    def send(self, word):
        for file, bit in zip(shared_files(64), bits_of(word), strict=True):
            if bit:
                KEPT.append(os.open(file, os.O_RDONLY))
                fcntl.flock(KEPT[-1], fcntl.LOCK_EX)

    def receive(self):
        def taken(file):
            with open(file, "rb") as opened:
                try:
                    fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return True
                return False

        return word_of(map(taken, shared_files(64)))


_OFD_GETLK, _OFD_SETLK = 36, 37


class _Ranges(Object):
    """A lock of a range of bytes can be asked for: where it begins and how long it is are the word."""

    set, get, file = fcntl.F_SETLK, fcntl.F_GETLK, 0

    def _lock(self, command, kind, begin, length):
        if not KEPT or getattr(self, "opened", None) is None:
            self.opened = os.open(shared_files(4)[self.file], os.O_RDONLY)
        words = fcntl.fcntl(self.opened, command, struct.pack("hhqqi4x", kind, os.SEEK_SET, begin, length, 0))
        return struct.unpack("hhqqi4x", words)

    def send(self, word):
        for half, base in ((word >> 32, 0), (word & 0xFFFFFFFF, 1 << 40)):
            self._lock(self.set, fcntl.F_RDLCK, base + half, 1)
        KEPT.append(self.opened)

    def receive(self):
        halves = []
        for base in (0, 1 << 40):
            kind, _, begin, _, _ = self._lock(self.get, fcntl.F_WRLCK, base, 1 << 40)
            if kind == fcntl.F_UNLCK:
                return None
            halves.append(begin - base)
        return halves[0] << 32 | halves[1]


@an_object("locks of ranges of a shared file", calls="fcntl", alive=True)
class _ProcessRanges(_Ranges):
    file = 1


@an_object("locks of ranges by descriptor", calls="fcntl", alive=True)
class _OpenRanges(_Ranges):
    set, get, file = _OFD_SETLK, _OFD_GETLK, 2


@an_object("leases of shared files", calls="fcntl", alive=True)
class _Leases(Object):
    """A lease to write is refused while another has the file open."""

    def send(self, word):
        KEPT.extend(
            os.open(f, os.O_RDONLY) for f, bit in zip(shared_files(64), bits_of(word), strict=True) if bit
        )

    def receive(self):
        def opened(file):
            descriptor = os.open(file, os.O_RDONLY)
            try:
                fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
                fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            except BlockingIOError:
                return True
            finally:
                os.close(descriptor)
            return False

        return word_of(map(opened, shared_files(64)))


@an_object(
    "notices of shared files",
    calls="inotify_init inotify_init1 inotify_add_watch inotify_rm_watch",
    alive=True,
)
class _Notices(Object):
    _IN_OPEN = 0x20
    descriptor = None

    def ready(self):
        self.descriptor = call("inotify_init1", os.O_NONBLOCK)
        self.at = {}
        for number, file in enumerate(shared_files(64)):
            watch = call("inotify_add_watch", self.descriptor, file.encode(), self._IN_OPEN)
            self.at[watch] = number

    def send(self, word):
        for file, bit in zip(shared_files(64), bits_of(word), strict=True):
            if bit:
                os.close(os.open(file, os.O_RDONLY))

    def receive(self):
        if self.descriptor is None:
            raise Absent("it was not alive before, or was refused")
        seen = set()
        with contextlib.suppress(BlockingIOError):
            while events := os.read(self.descriptor, 1 << 16):
                while events:
                    watch, _, _, length = struct.unpack_from("iIII", events)
                    seen.add(self.at[watch])
                    events = events[16 + length :]
        return word_of(at in seen for at in range(64))


@an_object("notices of shared folders", bits=8, calls="fcntl", alive=True)
class _FolderNotices(Object):
    _F_NOTIFY, _F_SETSIG, _ACCESS, _MANY = 1026, 10, 1, 0x80000000
    folders = None

    def _folders(self):
        return [f"/usr/share/{name}" for name in sorted(os.listdir("/usr/share"))][:8]

    def ready(self):
        self.signals = [signal.SIGRTMIN + 1 + at for at in range(8)]
        signal.pthread_sigmask(signal.SIG_BLOCK, self.signals)
        for number, folder in zip(self.signals, self._folders(), strict=True):
            KEPT.append(os.open(folder, os.O_RDONLY))
            fcntl.fcntl(KEPT[-1], self._F_SETSIG, number)
            if libc.fcntl(KEPT[-1], self._F_NOTIFY, ctypes.c_ulong(self._MANY | self._ACCESS)) < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self.folders = True

    def send(self, word):
        for folder, bit in zip(self._folders(), bits_of(word, 8), strict=True):
            if bit:
                os.listdir(folder)

    def receive(self):
        if self.folders is None:
            raise Absent("it was not alive before, or was refused")
        return word_of(signal.sigtimedwait([number], 0) is not None for number in self.signals)


@an_object(
    "waiters at an address of a shared file", calls="futex futex_wait futex_wake futex_waitv", alive=True
)
class _Waiters(Object):
    _WAIT, _WAKE = 0, 1

    def _map(self):
        with open(shared_files(1)[0], "rb") as file:
            held = mmap.mmap(file.fileno(), 4096, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
        KEPT.append(held)
        return held, ctypes.addressof(_pointer(held))

    def send(self, word):
        import threading

        held, address = self._map()
        for at, bit in enumerate(bits_of(word)):
            if bit:
                value = struct.unpack_from("I", held, 4 * at)[0]
                threading.Thread(
                    target=lambda a=at, v=value: libc.syscall(
                        202 if os.uname().machine == "x86_64" else 98,
                        ctypes.c_void_p(address + 4 * a),
                        self._WAIT,
                        v,
                        None,
                    ),
                    daemon=True,
                ).start()
        time.sleep(0.1)

    def receive(self):
        _, address = self._map()
        return word_of(call("futex", address + 4 * at, self._WAKE, 1) for at in range(64))


def _pointer(held):
    """A ctypes view of a mapping that is read-only."""

    class _Buffer(ctypes.Structure):
        _fields_ = [("buf", ctypes.c_void_p), ("obj", ctypes.py_object), ("len", ctypes.c_ssize_t)] + [
            (f"more{n}", ctypes.c_void_p) for n in range(8)
        ]

    view = _Buffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(held), ctypes.byref(view), 0)
    return (ctypes.c_char * 1).from_address(view.buf)


class _Pages(Object):
    """Single pages of a large shared file, far from each other, mapped by the sender or not."""

    _APART = 1 << 18

    def _page(self, file, at):
        held = mmap.mmap(
            file.fileno(),
            4096,
            flags=mmap.MAP_SHARED,
            prot=mmap.PROT_READ,
            offset=at * self._APART + self.first,
        )
        held[0]
        KEPT.append(held)
        return ctypes.addressof(_pointer(held))

    first = 1 << 16

    def _file(self):
        file = biggest()
        if os.path.getsize(file) < 65 * self._APART:
            raise Absent("no shared file is that large")
        return file

    def send(self, word):
        with open(self._file(), "rb") as file:
            for at, bit in enumerate(bits_of(word)):
                if bit:
                    self._page(file, at)


@an_object("how many map a page, by page map", calls="mmap munmap mremap mprotect", alive=True)
class _PageMap(_Pages):
    def receive(self):
        found = []
        with open(self._file(), "rb") as file, open("/proc/self/pagemap", "rb", 0) as flags:
            for at in range(64):
                flags.seek(self._page(file, at) // 4096 * 8)
                word = struct.unpack("Q", flags.read(8))[0]
                found.append(not word >> 56 & 1)
        return word_of(found)


@an_object("how many map a page, by smaps", calls="mmap", alive=True)
class _Smaps(_Pages):
    first = 1 << 17

    def receive(self):
        with open(self._file(), "rb") as file:
            places = [self._page(file, at) for at in range(64)]
        shared, current = {}, 0
        for line in Path("/proc/self/smaps").read_text().splitlines():
            first = line.split()[0]
            if "-" in first:
                current = int(first.split("-")[0], 16)
            elif first == "Shared_Clean:":
                shared[current] = int(line.split()[1])
        return word_of(shared.get(place, 0) > 0 for place in places)


_ADD_KEY, _KEY_STATUS = 0xC0506617, 0xC080661A


@an_object("keys of a file system", bits=16, calls="ioctl")
class _Keys(Object):
    """Encryption keys that are added to a whole file system, whoever may only read it."""

    def _of(self, at):
        return bytes([at + 1]) * 64

    def send(self, word):
        let, missing = 0, ""
        for place in ("/usr", *shared_files(1)):
            descriptor = os.open(place, os.O_RDONLY)
            for at, bit in enumerate(bits_of(word, 16)):
                if bit:
                    words = struct.pack("II32xII32x", 2, 0, 64, 0) + self._of(at)
                    try:
                        fcntl.ioctl(descriptor, _ADD_KEY, bytearray(words))
                        let += 1
                    except OSError as error:
                        missing = error.strerror
            os.close(descriptor)
        if not let:
            raise Absent(f"keys cannot be added: {missing}")

    def receive(self):
        import hmac

        def identifier(key):
            extracted = hmac.new(bytes(64), key, "sha512").digest()
            return hmac.new(extracted, b"fscrypt\0\x01\x01", "sha512").digest()[:16]

        found = [False] * 16
        for place in ("/usr", *shared_files(1)):
            descriptor = os.open(place, os.O_RDONLY)
            for at in range(16):
                words = bytearray(struct.pack("II16s16x", 2, 0, identifier(self._of(at))) + bytes(88))
                with contextlib.suppress(OSError):
                    fcntl.ioctl(descriptor, _KEY_STATUS, words)
                    found[at] |= struct.unpack_from("I", words, 64)[0] != 1
            os.close(descriptor)
        return word_of(found)


@an_object("huge pages of a shared file", bits=8, calls="madvise")
class _HugePages(Object):
    """Pages of a file put together into a huge one: how much of it is mapped so shows in smaps."""

    _HUGE, _COLLAPSE = 1 << 21, 25

    def _spans(self):
        with open(biggest(), "rb") as file:
            held = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | 4)
        KEPT.append(held)
        first = -ctypes.addressof(_pointer(held)) % self._HUGE
        base = ctypes.addressof(_pointer(held)) + first
        if len(held) < first + 8 * self._HUGE:
            raise Absent("no shared file is that large")
        return held, first, base

    def send(self, word):
        held, first, base = self._spans()
        for at, bit in enumerate(bits_of(word, 8)):
            if bit:
                held[first + at * self._HUGE : first + (at + 1) * self._HUGE : 4096]
                call("madvise", base + at * self._HUGE, self._HUGE, self._COLLAPSE)

    def receive(self):
        held, first, base = self._spans()
        found = []
        for at in range(8):
            before = _huge_of(base)
            held[first + at * self._HUGE]
            found.append(_huge_of(base) > before)
        return word_of(found)


def _huge_of(address):
    current = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first = line.split()[0]
        if "-" in first:
            begin, end = (int(part, 16) for part in first.split("-"))
            current = begin <= address < end
        elif current and first == "FilePmdMapped:":
            return int(line.split()[1])
    return 0


@an_object("names of sockets", calls="socket bind connect listen accept accept4 socketpair", alive=True)
class _Names(Object):
    def send(self, word):
        for at, bit in enumerate(bits_of(word)):
            if bit:
                KEPT.append(socket.socket(socket.AF_UNIX))
                KEPT[-1].bind(f"\0letter-{at}")

    def receive(self):
        def taken(at):
            with socket.socket(socket.AF_UNIX) as sock:
                try:
                    sock.bind(f"\0letter-{at}")
                except OSError:
                    return True
                return False

        return word_of(map(taken, range(64)))
