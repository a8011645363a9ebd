"""A disk that is full, or fails, at every call in turn that a run makes to it.

Faults are put in by strace, which answers a call in the kernel's place, so that SQLite's calls are met
as well as Python's; a really full disk is a small tmpfs. Each case is a forked child that writes what a
run writes until it is done or refused; then the fault is taken away, what was acknowledged is looked
for, and another child goes on where the first one stopped. As a program:
`python -m tests.crash.faults FOLDER KIND EVERY`.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from harness.errors import EXIT_OURS, HarnessError
from harness.store.results import Store
from tests.crash.told import INSTANCES, Ack, Told, lost, results

# The kind of fault -> the calls that it meets, one after the other.
KINDS = {
    "eio-flush": ("fsync,fdatasync", "EIO"),
    "eio-write": ("pwrite64,write,ftruncate", "EIO"),
    "eio-read": ("pread64", "EIO"),
    "full-write": ("pwrite64,write,ftruncate,fallocate", "ENOSPC"),
    "full-name": ("rename,renameat,renameat2,mkdir,mkdirat", "ENOSPC"),
}
DISK = "full-disk"
STEP = 8192  # bytes between two sizes of a full disk
_PR_SET_PTRACER = 0x59616D61


@dataclass
class Shown:
    """What the faults of one kind showed; `lost`, `odd` and `stuck` are to stay empty."""

    kind: str
    cases: int = 0
    refused: int = 0
    survived: int = 0
    acks: int = 0
    saved_by_ballast: int = 0
    lost: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)

    def fine(self) -> bool:
        """Whether every fault ended in a clear refusal or in none, and nothing was lost."""
        return not (self.lost or self.odd or self.stuck) and self.cases > 0


def injected(folder: Path, kind: str, every: int) -> Shown:
    """The k-th call of the kind fails, for every k there is (each `every`-th of them)."""
    shown = Shown(kind)
    calls, error = KINDS[kind]
    number = 1
    while True:
        home = folder / f"{kind}-{number}"
        hit = _case(shown, home, lambda n=number: [f"inject={calls}:error={error}:when={n}"])
        shutil.rmtree(home, ignore_errors=True)
        if not hit:
            return shown
        number += every


def _case(shown: Shown, home: Path, faults: Callable[[], list[str]]) -> bool:
    """One case; False where there were fewer calls than that."""
    said, tracer = home.with_name(home.name + ".said"), home.with_name(home.name + ".trace")
    code, acks, words = _child(home, said, faults(), tracer)
    if "(INJECTED)" not in tracer.read_text(errors="replace"):
        return False
    _judge(shown, home, code, acks, words)
    return True


def _judge(shown: Shown, home: Path, code: int, acks: list[Ack], words: str) -> None:
    """What came of a case, and whether another child can finish it."""
    shown.cases += 1
    shown.acks += len(acks)
    shown.refused += code == EXIT_OURS
    shown.survived += code == 0
    if code not in (0, EXIT_OURS) or (code == EXIT_OURS and (words.count("\n") != 1 or ";" not in words)):
        shown.odd.append(f"{home.name}: status {code}: {words[-300:]}")
    shown.lost += [f"{home.name}: {w}" for w in lost(home, acks)]
    again, more, words = _child(home, home.with_name(home.name + ".again"), [], None)
    measured = {a["number"] for a in [*acks, *more] if a["what"] == "measured"}
    repeated = {a["number"] for a in acks if a["what"] == "measured"} & {
        a["number"] for a in more if a["what"] == "measured"
    }
    # A commit that was refused may still stand: then nobody was told of that instance.
    if again or len(measured) < INSTANCES - 1 or (repeated and code != 0):
        shown.stuck.append(
            f"{home.name}: went on with {again}: {sorted(measured)} {sorted(repeated)} {words[-300:]}"
        )
    shown.lost += [f"{home.name}, afterwards: {w}" for w in lost(home, [*acks, *more])]


def _child(home: Path, said: Path, faults: Sequence[str], tracer: Path | None) -> tuple[int, list[Ack], str]:
    """Status, acknowledgements and last words of a child that writes a run's results into `home`."""
    go = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_the_writer(home, said, go)
    os.close(go[0])
    strace = _traced(pid, faults, tracer) if tracer is not None else None
    os.write(go[1], b"x")
    os.close(go[1])
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if strace is not None:
        strace.wait()
    lines = said.read_text().splitlines()
    acks = [json.loads(line[4:]) for line in lines if line.startswith("ACK ")]
    return code, acks, "".join(f"{line}\n" for line in lines if not line.startswith("ACK "))


def _traced(pid: int, faults: Sequence[str], out: Path) -> subprocess.Popen[bytes]:
    arguments = [part for fault in faults for part in ("-e", fault)]
    calls = ",".join(fault.split("=", 1)[1].split(":")[0] for fault in faults)
    strace = subprocess.Popen(
        ["strace", "-qq", "-o", str(out), "-e", f"trace={calls}", *arguments, "-p", str(pid)]
    )
    while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
        if strace.poll() is not None:
            raise RuntimeError("strace could not watch a process of ours")
        time.sleep(0.001)
    return strace


def _be_the_writer(home: Path, said: Path, go: tuple[int, int]) -> None:
    """In the forked child: as the command line would, one sentence and status 4 for a fault of the store."""
    code = 70
    os.close(go[1])
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, -1, 0, 0, 0)
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    os.dup2(out, 1)
    try:
        os.readv(go[0], [bytearray(1)])
        results(Told.open(home))
        code = 0
    except HarnessError as error:
        os.writev(1, [f"{error}\n".encode()])
        code = error.exit_code
    except BaseException as error:  # noqa: BLE001  (whatever else comes out is what is looked for)
        os.writev(1, [f"{type(error).__name__}: {error}\n".encode()])
    finally:
        os._exit(code)


def full_disk(folder: Path, every: int, ballast: bool) -> Shown:
    """A disk with so many bytes free and no more, from none to enough, in steps."""
    shown = Shown(DISK + (" with ballast" if ballast else ""))
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], check=True)
    try:
        for free in _frees(every):
            if _on_a_full_disk(shown, disk, free, ballast):
                return shown
        raise RuntimeError("the largest disk was still too small")
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _frees(every: int) -> Iterator[int]:
    yield from range(0, 8 * 2**20, STEP * every)


def _on_a_full_disk(shown: Shown, disk: Path, free: int, ballast: bool) -> bool:
    """One size; True where it was enough for everything."""
    home, filler = disk / f"home-{free}", disk / "filler"
    store = Store.open(home)
    store.engine.dispose()
    if ballast:
        from harness.store.durable import set_ballast

        set_ballast(home, 2**20)
    with filler.open("wb") as file:
        while shutil.disk_usage(disk).free > free:
            left = shutil.disk_usage(disk).free - free
            file.write(bytes(min(left, 2**16)))
            file.flush()
    code, acks, words = _child(home, disk.with_name(f"said-{free}"), [], None)
    filler.unlink()
    thrown_off = ballast and not (home / "ballast").exists()
    shown.saved_by_ballast += thrown_off and code == 0
    (home / "ballast").unlink(missing_ok=True)
    _judge_on(shown, home, disk.with_name(f"home-{free}"), (code, acks, words))
    shutil.rmtree(home)
    return code == 0 and not thrown_off


def _judge_on(shown: Shown, home: Path, beside: Path, told: tuple[int, list[Ack], str]) -> None:
    """Judged from a copy on a disk that has room, as after space was freed."""
    shutil.copytree(home, beside)
    _judge(shown, beside, *told)
    shutil.rmtree(beside)


def main(arguments: Sequence[str]) -> None:
    """Prints what the faults of one kind showed, as JSON."""
    folder, kind, every = Path(arguments[0]), arguments[1], int(arguments[2])
    folder.mkdir(parents=True, exist_ok=True)
    shown = injected(folder, kind, every) if kind in KINDS else full_disk(folder, every, kind != DISK)
    print(json.dumps({**asdict(shown), "fine": shown.fine()}))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SQLAlchemyError as error:
        sys.exit(f"the store lets an error of its database out: {error}")
