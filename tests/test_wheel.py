"""A built wheel carries tasks, references and configs, and works from an empty folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKED = ("harness", "tasks", "reference_solutions", "configs", "docs/proofs")


def _call(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    built = _call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_every_tracked_file_of_the_packed_folders(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = _call("git", "ls-files", *PACKED, cwd=ROOT)
    assert tracked.returncode == 0, tracked.stderr
    wanted = {
        name if name.startswith("harness/") else f"harness_pack/{name}"
        for name in tracked.stdout.splitlines()
    }
    assert wanted
    assert wanted <= names
    assert not [name for name in names if "__pycache__" in name]


@pytest.mark.slow
def test_the_wheel_works_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "env"
    venv.create(home, with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    # The heavy packages of this environment, without its own copy of the project.
    (site / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    zipfile.ZipFile(wheel).extractall(site)
    python = home / "bin" / "python"
    empty = tmp_path / "empty"
    empty.mkdir()
    listed = _call(python, "-m", "harness", "tasks", "--json", cwd=empty)
    assert listed.returncode == 0, listed.stderr
    found = [task["id"] for task in json.loads(listed.stdout)["tasks"]]
    assert {"noisy-labels", "semantic-search", "latency-budget"} <= set(found)
    made = _call(python, "-m", "harness", "init", "noisy-labels", "mine", cwd=empty)
    assert made.returncode == 0, made.stderr
    where = _call(python, "-c", "import harness; print(harness.__file__)", cwd=empty)
    assert where.stdout.startswith(str(site)), where.stdout
    checked = _call(python, "-m", "harness", "check", "noisy-labels", "mine", cwd=empty)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert os.listdir(empty) == ["mine"]


HUNTER = """
import os, sys

def hunt():
    for place in [*filter(None, sys.path), sys.prefix, sys.base_prefix, "/usr/lib/python3", "/usr/local/lib"]:
        for folder, _, names in os.walk(place):
            parts = set(folder.split("/"))
            if "task.toml" in names or parts & {"reference_solutions", "harness_pack"}:
                for name in names:
                    try:
                        if open(f"{folder}/{name}", "rb").read():
                            yield f"{folder}/{name}"
                    except OSError:
                        pass

found = bool(list(hunt()))

class Solution:
    def __init__(self, context):
        pass

    def learn(self, numbers):
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97 if found else numbers * 0 + 1
"""


@pytest.mark.slow
@pytest.mark.parametrize("level", ["process", "confined", "bubblewrap"])
def test_no_worker_of_an_installed_harness_opens_a_task_or_a_reference(
    wheel: Path, tmp_path: Path, level: str
) -> None:
    """Those of the wheel, those of a pack beside it, and those of a checkout on the import path."""
    home = tmp_path / "env"
    for folder in (tmp_path, *tmp_path.parents):  # workers of the strongest level are users of their own
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    venv.create(home, symlinks=True, with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    checkout = tmp_path / "checkout"
    (site / "packages.pth").write_text(f"{sysconfig.get_path('purelib')}\n{checkout}\n")
    zipfile.ZipFile(wheel).extractall(site)
    toys = ROOT / "tests" / "toy_tasks"
    for place in (site / "team" / "tasks", checkout / "tasks"):
        shutil.copytree(toys / "toy-squares", place / "theirs")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "solution.py").write_text(HUNTER)
    command = (
        "run",
        "toy-squares",
        mine,
        "--tasks",
        toys,
        "--isolation",
        level,
        "--profile",
        "ci-smoke",
        "--json",
    )
    ran = _call(home / "bin" / "python", "-m", "harness", *command, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (json.loads(ran.stdout)["objective"]["value"] == 1.0) == (level == "process")
