"""A real PostgreSQL server for tests: started from the system's own programs, in a folder that is thrown away.

It listens on a socket in that folder and nowhere else, flushes as in earnest, and ends with the tests. The
server refuses to be run by root; it is then run as `postgres`, or else as `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

_NUMBERS = count()
GUARDED = "guarded"


def programs() -> Path:
    """The folder of initdb and postgres, of the newest version; raises FileNotFoundError."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        raise FileNotFoundError("the tests of the store need PostgreSQL: install the package postgresql")
    return found[-1].parent if found else Path(str(on_path)).resolve().parent


class Server:
    """A server that runs; `url` names a database on it."""

    def __init__(self, socket: Path, user: str) -> None:
        self.socket = socket
        self.user = user

    def url(self, database: str, user: str = "") -> str:
        """As HARNESS_DATABASE_URL has it."""
        return f"postgresql://{user or self.user}@/{database}?host={self.socket}"

    def new(self) -> str:
        """The URL of a new and empty database."""
        name = f"results_{next(_NUMBERS)}"
        self.do(f"CREATE DATABASE {name}")
        return self.url(name)

    def do(self, statement: str, database: str = "postgres") -> None:
        """One statement, by itself."""
        import psycopg

        try:
            with psycopg.connect(self.url(database), autocommit=True) as connection:
                connection.execute(statement.encode())
        except psycopg.OperationalError as error:
            error.add_note((self.socket / "said").read_text(errors="replace")[-2000:])
            raise


@contextmanager
def server() -> Generator[Server]:
    """Starts one and stops it; raises where it cannot be started."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    user = _user()
    become = (
        []
        if user is None
        else ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    )
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    data, bin_ = folder / "data", programs()
    made = subprocess.run(
        [
            *become,
            str(bin_ / "initdb"),
            "-D",
            str(data),
            "-U",
            "harness",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    rules = data / "pg_hba.conf"  # everybody is let in, but one who must know a password
    rules.write_text(f"local all {GUARDED} scram-sha-256\n{rules.read_text()}")
    told = (folder / "said").open("wb")
    ends = ["setpriv", "--pdeathsig", "INT"] if become else []  # a test process that is killed takes it along
    process = subprocess.Popen(
        [
            *become,
            *ends,
            str(bin_ / "postgres"),
            "-D",
            str(data),
            "-k",
            str(folder),
            "-c",
            "listen_addresses=",
        ],
        cwd=folder,
        stdout=told,
        stderr=told,
        start_new_session=True,  # no signal to the tests' group ends it
    )
    told.close()
    try:
        found = Server(folder, "harness")
        _wait(found, process, folder / "said")
        yield found
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> pwd.struct_passwd | None:
    """Whom to run it as; None: as whoever runs the tests."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL refuses to be run by root, and there is no user postgres or nobody")


def _wait(found: Server, process: subprocess.Popen[bytes], said: Path) -> None:
    import psycopg

    for _ in range(600):
        assert process.poll() is None, said.read_text(errors="replace")
        try:
            found.do("SELECT 1")
            return
        except psycopg.OperationalError:
            threading.Event().wait(0.05)
    raise TimeoutError(said.read_text(errors="replace"))
