"""Private folders go with the process that made them, however early it was interrupted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.machine import temporary

INTERRUPTED = """
import os, sys
from harness.machine import temporary

def interrupted(prefix):
    folder = made(prefix=prefix)
    open(os.path.join(folder, "half"), "w").close()
    os.chmod(folder, 0)
    raise KeyboardInterrupt

made = temporary.tempfile.mkdtemp
temporary.tempfile.mkdtemp = interrupted
try:
    temporary.private_folder("w")
except KeyboardInterrupt:
    print(*os.listdir(temporary.tempfile.gettempdir()))
"""


def test_a_folder_whose_name_nobody_wrote_down_goes_with_its_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("harness-w-")
    assert list(tmp_path.iterdir()) == []


def test_only_what_this_process_made_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary.tempfile, "tempdir", str(tmp_path))
    mine = temporary.private_folder("staged")
    (mine / "inner").mkdir()
    (mine / "inner").chmod(0o500)
    kept = [tmp_path / "harness-w-0123456789abcdef-1-1-abc", tmp_path / "harness-w", tmp_path / "mine"]
    for folder in kept:
        folder.mkdir()
    link = tmp_path / mine.name.replace("staged", "linked")
    link.symlink_to(kept[-1])
    process = subprocess.Popen(["sleep", "600"], env={"HOME": str(mine)})
    assert temporary.remove_own() == [mine]
    assert process.wait(timeout=20) < 0
    assert sorted(tmp_path.iterdir()) == sorted([*kept, link])
    assert temporary.remove_own() == []


def test_a_folder_deeper_than_python_may_call_or_a_path_may_name_is_removed(tmp_path: Path) -> None:
    """One that was left behind stopped every later command."""
    top = tmp_path / "left"
    top.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").write_text("x")
    here = os.open(top, os.O_RDONLY)
    for level in range(1500):
        name = "deeper-" + "x" * 20
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(os.open(f"file-{level}", os.O_CREAT | os.O_WRONLY, dir_fd=inner))
        os.close(here)
        here = inner
    os.symlink(tmp_path / "elsewhere", "away", dir_fd=here)
    os.fchmod(here, 0o500)
    os.close(here)
    temporary.remove(top)
    assert not top.exists()
    assert (tmp_path / "elsewhere" / "kept").read_text() == "x"
    temporary.remove(top)


def test_somebody_who_goes_on_making_folders_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporary, "_MOST_LEVELS", 50)
    top, real, made = tmp_path / "left", temporary._folders_in, []

    def refilled(folder: Path) -> list[Path]:
        if folder == top and top.is_dir() and len(made) < 1000:
            made.append(len(made))
            (top / f"more-{len(made)}").mkdir()
        return real(folder)

    top.mkdir()
    monkeypatch.setattr(temporary, "_folders_in", refilled)
    temporary.remove(top)
    assert len(made) < 1000
