"""What the documents say is what the commands do."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```console\n(.*?)^```", README, flags=re.S | re.M)
# The two set-up commands call this test, or take minutes; proofs are those of tests/tasks/test_proofs.py.
NOT_RUN_HERE = ("scripts/", "harness prove")


def commands() -> list[str]:
    lines = [line[2:] for block in BLOCKS for line in block.splitlines() if line.startswith("$ ")]
    return [line for line in lines if not line.startswith(NOT_RUN_HERE)]


def test_the_readme_names_every_verb_and_the_two_commands() -> None:
    from harness.cli.main import app

    verbs = {
        command.name or (command.callback.__name__ if command.callback else "")
        for command in app.registered_commands
    }
    assert verbs >= {"tasks", "init", "check", "run", "prove", "report", "compare", "rescore", "doctor"}
    for verb in verbs:
        assert f"harness {verb}" in README
    assert README.index("scripts/demo") < README.index("scripts/test") < README.index("harness init")


def test_the_exit_codes_are_documented() -> None:
    for code in ("`0`", "`1`", "`2`", "`3`", "`4`", "`130`"):
        assert code in README


def test_the_readme_lists_the_tasks_as_the_command_does(monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from harness.cli.main import app

    monkeypatch.setenv("COLUMNS", "100")
    listed = CliRunner().invoke(app, ["tasks"]).stdout
    assert f"```text\n{listed.partition('Next:')[0].strip()}\n```" in README


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_readmes_commands_run(tmp_path: Path) -> None:
    """Runs the README's commands in order in an empty folder, on the size that `harness check` uses."""
    assert len(commands()) >= 8
    quick = tmp_path / "quick.toml"
    quick.write_text('extends = "ci-smoke"\nsize = "check"\nmax_trials = 1\n')
    smoke = (ROOT / "configs" / "suites" / "smoke.toml").read_text()
    assert smoke.count('profile = "ci-smoke"') == 3
    (tmp_path / "smoke.toml").write_text(smoke.replace('"ci-smoke"', '"quick.toml"'))
    environment = {
        **os.environ,
        "HARNESS_HOME": str(tmp_path / "home"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    for folder in ("reference_solutions", "configs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for alias, tier in (("ann", "expert"), ("ben", "baseline")):
        task = "latency-budget"
        shutil.copytree(ROOT / "reference_solutions" / task / tier, tmp_path / "hand-ins" / alias / task)
    for line in commands():
        words = shlex.split(line)
        if words[:2] in (["harness", "run"], ["harness", "check"]):
            words += ["--profile", str(quick)]
        if words[:3] == ["harness", "score", "smoke"]:
            words[2] = "smoke.toml"
        done = subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        # 1 and 3 are verdicts on what was run; any other code means that the call itself is wrong
        assert done.returncode in (0, 1, 3), (line, done.stdout[-2000:], done.stderr[-2000:])
        assert "Traceback" not in done.stderr
