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
