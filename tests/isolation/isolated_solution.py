"""A submission that does what honest ones do, one thing for each word; run inside every isolation level."""

import contextlib
import ctypes
import errno
import json
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing import shared_memory
from pathlib import Path

import numpy as np

# What a worker leaves to be found by another: a name, a mode, a time, a key.
NAME, MODE, TIME, KEY = "left-here", 0o751, 1_000_000_007, 0x5EED
IPC_CREATE = 0o1000


def double(number):
    return number * 2


def put(queue):
    queue.put(5)


class Numbers:
    def __len__(self):
        return 16

    def __getitem__(self, index):
        import torch

        return torch.full((64,), float(index))


class Solution:
    def __init__(self, context):
        self.context = context

    def do(self, what):
        word, _, rest = what.partition(" ")
        return json.dumps(getattr(self, f"_{word}")(*rest.split())).encode()

    def count(self, numbers):
        return numbers + 1

    def hold(self, numbers):
        self.held = np.ones(int(numbers[0]) << 17)
        return numbers

    def die(self, numbers):
        if numbers[0] < 0:
            os.kill(os.getpid(), int(-numbers[0]))
        os._exit(int(numbers[0]))

    def spin(self, numbers):
        return numbers

    def _print(self):
        print("said to nobody")

    def _torch(self):
        import torch

        net = torch.nn.Linear(8, 1)
        net(torch.ones(4, 8)).sum().backward()
        file = self.context.scratch / "net.pt"
        torch.save(net.state_dict(), file)
        again = torch.load(file, weights_only=True)
        return bool(torch.equal(again["weight"], net.weight))

    def _loader(self):
        import torch

        loader = torch.utils.data.DataLoader(Numbers(), batch_size=4, num_workers=2)
        return sum(float(batch.sum()) for batch in loader) == 64.0 * sum(range(16))

    def _pool(self):
        with multiprocessing.get_context("fork").Pool(2) as pool:
            return pool.map(double, range(5)) == [0, 2, 4, 6, 8]

    def _spawn(self):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.map(double, [21]) == [42]

    def _queue(self):
        context = multiprocessing.get_context("fork")
        queue, lock = context.Queue(), context.Semaphore(1)
        child = context.Process(target=put, args=(queue,))
        child.start()
        with lock:
            found = queue.get(timeout=30)
        child.join()
        return found == 5 and child.exitcode == 0

    def _temporary(self):
        with tempfile.TemporaryDirectory() as name, tempfile.NamedTemporaryFile(dir=name) as file:
            file.write(b"x")
            return name.startswith(tempfile.gettempdir())

    def _interpreter(self):
        code = "import numpy, sys; print(numpy.arange(3).sum())"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        return said.stdout.strip() == "3" or said.stderr

    def _shell(self):
        said = subprocess.run(
            "echo one | cat > piped && cat piped", shell=True, capture_output=True, text=True
        )
        return said.stdout == "one\n" or said.stderr

    def _threads(self):
        found = []
        threads = [threading.Thread(target=found.append, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(found) == list(range(8))

    def _shared(self):
        block = shared_memory.SharedMemory(create=True, size=1 << 20)
        block.buf[0] = 7
        again = shared_memory.SharedMemory(block.name)
        value = again.buf[0]
        again.close()
        block.close()
        block.unlink()
        return value == 7

    def _cache(self):
        folder = Path.home() / ".cache" / "library"
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")
        with open(os.devnull, "w") as nowhere:
            nowhere.write("x")
        return os.path.expanduser("~").startswith(str(Path.home()))

    def _compile(self):
        Path("add.c").write_text("int add(int a, int b) { return a + b; }\n")
        done = subprocess.run(
            ["cc", "-shared", "-fPIC", "-o", "add.so", "add.c"], capture_output=True, text=True
        )
        if done.returncode:
            return done.stderr
        import ctypes

        return ctypes.CDLL("./add.so").add(2, 3) == 5

    def _leave(self):
        (self.context.scratch / "trace").write_text("answers")
        for folder in ("/dev/shm", "/tmp"):
            try:
                deep = Path(folder, f"left-{os.getpid()}", "deep")
                deep.mkdir(parents=True)
                (deep / "answers").write_text("x")
                deep.parent.chmod(0)
            except OSError:
                pass
        return True

    def _look(self):
        def named(folder):
            try:
                return [name for name in os.listdir(folder) if name.startswith("left-")]
            except OSError:
                return []

        return {
            "scratch": os.listdir(self.context.scratch),
            "shm": named("/dev/shm"),
            "tmp": named("/tmp"),
            "environment": dict(os.environ),
        }

    def _folders(self):
        return ["/tmp", "/dev/shm", "/dev", str(Path.home()), str(self.context.scratch)]

    def _all(self):
        """All that this worker can see and another could have changed."""
        folders = {}
        for folder in self._folders():
            stat = os.stat(folder)
            try:
                names = sorted(os.listdir(folder))
            except PermissionError:
                names = ["not to be listed"]
            times = int(stat.st_mtime) == TIME
            folders[folder] = [names, oct(stat.st_mode), stat.st_uid, times, os.listxattr(folder)]
        file = self.context.scratch / "new"
        file.touch()
        inode = file.stat().st_ino
        file.unlink()
        with socket.socket(socket.AF_UNIX) as sock:
            name = errno.errorcode.get(sock.connect_ex(f"\0{NAME}"), "")
        if (child := os.fork()) == 0:
            os._exit(0)
        os.waitpid(child, 0)
        return {
            "folders": folders,
            "counts": [inode, child],
            "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
            "numbers": [os.getpid(), os.getppid(), os.getsid(0)],
            "terminals": [number for number in range(32) if os.path.exists(f"/dev/pts/{number}")],
            "name": name,
            "memory": [Path("/proc/sysvipc", kind).read_text() for kind in ("shm", "msg", "sem")],
            "host": [socket.gethostname(), Path("/proc/sys/kernel/hostname").read_text()],
            "groups": {line.split(":", 2)[2] for line in Path("/proc/self/cgroup").read_text().split()}
            == {"/"},
            "limits": [os.nice(0), *map(resource.getrlimit, range(16))],
            "counters": [Path("/proc", name).read_text() for name in ("stat", "loadavg", "sys/fs/file-nr")],
        }

    def _hunt(self, *places):
        """Which files of tasks, references and packs it can open, and whether the pack's own module is there."""
        opened, seen = [], []
        for place in [*places, *filter(None, sys.path)]:
            for folder, _, names in os.walk(place):
                for name in names:
                    if name == "packed_module.py":
                        seen.append(Path(folder, name).read_text())
                    if {"tasks", "reference_solutions", "harness_pack"} & set(Path(folder).parts):
                        with contextlib.suppress(OSError, UnicodeDecodeError):
                            opened.append(Path(folder, name).read_text() and str(Path(folder, name)))
        return [sorted(set(opened)), sorted(set(seen))]

    def _everywhere(self):
        """Leaves whatever it may, some of it as long as it lives; returns what it may not."""
        refused = []

        def tries(what, work, *words):
            try:
                work(*words)
            except OSError:
                refused.append(what)

        def shared():
            if ctypes.CDLL(None).shmget(KEY, 4096, IPC_CREATE | 0o666) < 0:
                raise OSError

        for folder in self._folders():
            tries(f"file {folder}", Path(folder, NAME).touch)
            tries(f"attribute {folder}", os.setxattr, folder, f"user.{NAME}", b"x")
            tries(f"mode {folder}", os.chmod, folder, MODE)
            tries(f"time {folder}", os.utime, folder, (TIME, TIME))
        for name in ("one", "two", "three"):
            (self.context.scratch / name).touch()
            (self.context.scratch / name).unlink()
        tries("memory", shared)
        tries("host", socket.sethostname, NAME)
        tries("host again", Path("/proc/sys/kernel/hostname").write_text, NAME)
        tries("terminal", lambda: self.__dict__.update(terminal=os.openpty()))
        self.listener = socket.socket(socket.AF_UNIX)
        tries("name", self.listener.bind, f"\0{NAME}")
        tries("name", self.listener.listen, 1)
        tries("limits", os.nice, 3)
        tries("limits", resource.setrlimit, resource.RLIMIT_NOFILE, (211, 211))
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(600)
            os._exit(0)
        os.wait()
        return refused

    def _daemon(self, marker):
        ready, written = os.pipe()
        if os.fork() == 0:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            child = subprocess.Popen(
                [sys.executable, "-c", "import time; time.sleep(600)", marker], start_new_session=True
            )
            os.write(written, b"%d" % child.pid)
            os._exit(0)
        os.wait()
        return int(os.read(ready, 20))
