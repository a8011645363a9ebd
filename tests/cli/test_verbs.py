"""The command line: every verb on the toy task, its exit codes, its JSON, and its sentences."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.cli import main
from harness.errors import SandboxFailed
from harness.isolation.base import Launched
from harness.isolation.process import ProcessLevel
from harness.machine import devices
from harness.runs import prepare, runner
from harness.trials import steadiness
from tests.conftest import HOSTILE, TOYS

COMPETENT = TOYS / "toy-squares" / "reference_solutions" / "competent"
TOY = ["--tasks", str(TOYS)]
SMOKE = [*TOY, "--profile", "ci-smoke"]
RUN_KEYS = {
    "run_id",
    "task",
    "task_digest",
    "submission_digest",
    "profile",
    "device",
    "isolation",
    "stamp",
    "outcome",
    "points",
    "points_uncapped",
    "tier",
    "objective",
    "constraints",
    "measurements",
    "machine",
    "reasons",
}


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output as one JSON object and nothing else."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def harness(*arguments: object) -> Said:
    """`harness ...` in this process."""
    out, err, handler = io.StringIO(), io.StringIO(), signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        patch.setenv("COLUMNS", "100")
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main.main()
                code = 0
            except SystemExit as left:
                code = int(left.code or 0)
            finally:
                signal.signal(signal.SIGTERM, handler)
    return Said(code, out.getvalue(), err.getvalue())


def refused(*arguments: object) -> str:
    """The one sentence of a call that is wrong."""
    said = harness(*arguments)
    assert (said.code, said.out) == (2, "")
    assert re.fullmatch(r"harness: [^\n]+\n", said.err), said.err
    assert "Traceback" not in said.err
    return said.err


@dataclass(frozen=True)
class Home:
    folder: Path
    good: Said
    bad: Said


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a run that passed and, after it, one that failed."""
    folder = tmp_path_factory.mktemp("cli")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_HOME", str(folder / "home"))
        patch.chdir(folder)
        good = harness("run", "toy-squares", COMPETENT, *SMOKE, "--json", "--out", folder / "reports")
        bad = harness("run", "toy-squares", HOSTILE / "returns-nan", *SMOKE)
    return Home(folder, good, bad)


@pytest.fixture
def home(made: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("HARNESS_HOME", str(made.folder / "home"))
    monkeypatch.chdir(made.folder)
    return made


def test_run_exit_0_and_json(home: Home) -> None:
    assert (home.good.code, home.good.err) == (0, "")
    found = home.good.json
    assert found.keys() >= RUN_KEYS
    assert (found["outcome"], found["tier"], found["stamp"]) == ("ok", "competent", "practice")
    assert (found["device"], found["isolation"], found["profile"]) == ("cpu", "process", "ci-smoke")
    assert found["objective"].keys() >= {"name", "unit", "value", "low", "high"}
    assert {c["name"]: c["verdict"] for c in found["constraints"]} == {
        "answer latency": "pass",
        "notes size": "pass",
        "start-up time": "pass",
        "time of warm-up and rare calls": "pass",
        "time of learn": "pass",
    }
    for constraint in found["constraints"]:
        assert constraint.keys() >= {"name", "verdict", "value", "threshold", "unit"}
    for measurement in found["measurements"]:
        assert measurement.keys() >= {"name", "unit", "value", "low", "high", "measured_by"}
    assert 0 < found["points"] < 100


def test_run_writes_its_reports_where_it_was_told(home: Home) -> None:
    names = {path.name for path in (home.folder / "reports").iterdir()}
    assert names == {"report.html", "report.md", "summary.json", "run.json", "receipt.json"}
    assert json.loads((home.folder / "reports" / "summary.json").read_text()) == home.good.json


def test_run_exit_1_in_plain_text(home: Home) -> None:
    assert home.bad.code == 1
    assert "malformed" in home.bad.out.lower()
    assert "Report: runs/" in home.bad.out
    assert "\x1b" not in home.bad.out + home.bad.err
    assert "Traceback" not in home.bad.err


def test_run_exit_3_when_a_verdict_stays_open(
    changed_toy: Callable[[str, str], Path], tmp_path: Path
) -> None:
    root = changed_toy(
        'measure = "learn_bytes"\ncompare = "own_ratio"\nof = "room_bytes"\nat_most = 1.0',
        'measure = "start_seconds"\nmargin = 1e6\nat_most = 100.0',
    )
    once = tmp_path / "once.toml"
    once.write_text('extends = "ci-smoke"\nmax_trials = 1\n')
    said = harness(
        "run",
        "toy-squares",
        COMPETENT,
        "--tasks",
        root,
        "--profile",
        once,
        "--json",
        "--out",
        tmp_path / "out",
    )
    assert (said.code, said.json["outcome"], said.json["profile"]) == (3, "inconclusive", "once")
    assert "too close to call" in said.json["reasons"][0]


def test_run_exit_4_when_it_is_our_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Broken(ProcessLevel):
        name = "broken"

        def launch(self, order: object) -> Launched:
            raise SandboxFailed("the fence is down; mend the fence")

    monkeypatch.setattr(prepare, "level", lambda name: Broken())
    said = harness("run", "toy-squares", COMPETENT, *SMOKE, "--json", "--out", tmp_path / "out")
    assert (said.code, said.json["outcome"], said.json["points"]) == (4, "sandbox_failed", 0.0)
    assert "mend the fence" in said.json["reasons"][0]


def test_an_unexpected_error_of_ours_is_exit_4_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("division by\nzero")

    monkeypatch.setattr(runner, "run", fails)
    said = harness("run", "toy-squares", COMPETENT, *SMOKE)
    assert (said.code, said.out) == (4, "")
    assert said.err == (
        "harness: an error of ours: ZeroDivisionError: division by; run again with --debug for the traceback\n"
    )
    with pytest.raises(ZeroDivisionError):
        harness("--debug", "run", "toy-squares", COMPETENT, *SMOKE)


def test_interrupted_is_exit_130_soon_and_no_worker_is_left(
    changed_toy: Callable[[str, str], Path], tmp_path: Path
) -> None:
    root = changed_toy("wall_seconds = 2", "wall_seconds = 3600")
    command = [
        sys.executable,
        "-m",
        "harness",
        "run",
        "toy-squares",
        str(HOSTILE / "sleeps"),
        "--tasks",
        str(root),
        "--profile",
        "ci-smoke",
        "--json",
        "--out",
        str(tmp_path / "out"),
    ]
    began = time.monotonic()
    # A shell starts background jobs with SIGINT ignored, and whoever runs the tests may be one.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed
    )
    try:
        parent = psutil.Process(process.pid)
        workers: list[psutil.Process] = []
        while not workers:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() - began < 120
            time.sleep(0.05)
            workers = parent.children(recursive=True)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)  # the call would last an hour
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out) == (130, "")
    assert err == "harness: interrupted; every run that was finished is kept\n"
    assert "Traceback" not in err
    assert not [w for w in workers if w.is_running() and w.status() != psutil.STATUS_ZOMBIE]


def _asleep(workers: list[psutil.Process]) -> bool:
    """Whether all but one are paused and that one waits: the candidate, in its own sleep."""
    with contextlib.suppress(psutil.Error):
        states = [worker.status() for worker in workers]
        return states.count(psutil.STATUS_STOPPED) == 3 and psutil.STATUS_SLEEPING in states
    return False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "nobody", COMPETENT, *SMOKE], "there is no task 'nobody'; there are"),
        (
            ["run", "toy-squares", "no/such/folder", *SMOKE],
            "the submission's folder no/such/folder does not exist",
        ),
        (["run", "toy-squares", HOSTILE, *SMOKE], "holds no solution.py"),
        (
            ["run", "toy-squares", COMPETENT, *TOY, "--profile", "big"],
            "there is no profile 'big'; choose one of",
        ),
        (["run", "toy-squares", COMPETENT, *SMOKE, "--device", "gpu"], "--device gpu is not known"),
        (
            ["run", "toy-squares", COMPETENT, *SMOKE, "--isolation", "moat"],
            "isolation level 'moat' is unknown",
        ),
        (["run", "toy-squares", COMPETENT, *SMOKE, "--against", "best"], "--against best is no tier"),
        (["run", "toy-squares", COMPETENT, *SMOKE, "--trials", "0"], "Invalid value for '--trials'"),
        (["run", "toy-squares", COMPETENT, *SMOKE, "--colour", "red"], "No such option: --colour"),
        (
            ["run", "toy-squares", COMPETENT, *SMOKE, "--columns", "text"],
            "--columns 'text' is not ROLE=COLUMN",
        ),
        (
            ["run", "toy-squares", COMPETENT, *SMOKE, "--secret-seed-file", "no/such"],
            "no/such cannot be read",
        ),
        (["run", "toy-squares", COMPETENT, "--tasks", "no/such"], "the tasks folder no/such does not exist"),
        (["run", "toy-squares"], "Missing argument 'DIR'"),
        (["fly"], "No such command 'fly'"),
        (["check", "nobody", COMPETENT], "there is no task 'nobody'"),
        (["prove", "nobody"], "there is no task 'nobody'"),
        (["init", "nobody", "somewhere"], "there is no task 'nobody'"),
        (["report", "20991231"], "there are no results in"),
        (["rescore", "last"], "there are no results in"),
        (["compare", "last"], "compare needs two runs or more"),
    ],
)
def test_a_wrong_call_is_exit_2_and_one_sentence(arguments: list[object], words: str) -> None:
    assert words in refused(*arguments)


def test_tasks_from_a_folder_that_holds_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    own = "name the folder above it"
    for place, words in (
        (tmp_path / "empty", "holds no task: no folder in it has a task.toml\n"),
        (tmp_path / "file", "is no folder"),
        (TOYS / "toy-squares", own),
    ):
        assert words in refused("tasks", "--tasks", place)
        assert words in refused("run", "toy-squares", COMPETENT, "--tasks", place)


@pytest.mark.parametrize("variable", ["HARNESS_HOME", "HARNESS_LOCKS"])
@pytest.mark.parametrize("below", ["", "further/down"])
def test_a_file_where_a_folder_should_be_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, below: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(variable, str(tmp_path / "file" / below))
    said = refused("run", "toy-squares", COMPETENT, *SMOKE)
    assert f"{variable} is {tmp_path / 'file' / below}" in said
    assert f"{tmp_path / 'file'} is no folder" in said
    if variable == "HARNESS_HOME":
        for verb in (("report", "last"), ("keys", "list"), ("leaderboard",)):
            assert "is no folder" in refused(*verb)


@pytest.mark.parametrize(
    "verb",
    [
        ("report", "last"),
        ("report", "--candidate", "ann"),
        ("compare", "a", "b"),
        ("leaderboard",),
        ("export", "all", "--out", "tables"),
        ("rescore", "last"),
        ("rescore", "--suite", "smoke", "--history"),
        ("look", "list"),
        ("suite", "check", "smoke"),
    ],
)
def test_a_verb_that_reads_makes_no_store(verb: tuple[str, ...], tmp_path: Path) -> None:
    if verb[0] == "suite":
        assert "not measured here yet" in harness(*verb).out
    else:
        assert f"there are no results in {tmp_path / 'home'} yet" in refused(*verb)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("verb", ["run", "score"])
def test_where_a_secret_is_asked_for_it_is_said_what_makes_one(verb: str) -> None:
    assert "harness keys secret FILE" in " ".join(harness(verb, "--help").out.split())


def test_a_profile_with_an_unknown_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('extends = "ci-smoke"\nthread = 2\n')
    said = refused("run", "toy-squares", COMPETENT, *TOY, "--profile", file)
    assert "thread: this key is not known; known are name, description, size" in said


def test_cuda_without_one_is_refused_and_never_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "nvml", lambda: None)
    assert "no NVIDIA GPU" in refused("run", "toy-squares", COMPETENT, *SMOKE, "--device", "cuda")
    monkeypatch.setattr(devices, "resolve", lambda wanted: "cuda")
    assert "does not run on cuda; it runs on cpu" in refused("run", "toy-squares", COMPETENT, *SMOKE)


def test_debug_shows_a_traceback_and_without_it_there_is_none() -> None:
    assert "Traceback" not in refused("run", "nobody", "nowhere")
    command = [sys.executable, "-m", "harness", "run", "nobody", "nowhere"]
    debug = subprocess.run([*command, "--debug"], capture_output=True, text=True, check=False)
    assert debug.stdout == ""
    assert "Traceback (most recent call last)" in debug.stderr
    assert "TaskError: there is no task 'nobody'" in debug.stderr


def test_tasks(home: Home) -> None:
    (found,) = [t for t in harness("tasks", *TOY, "--json").json["tasks"] if t["id"] == "toy-squares"]
    assert found.keys() >= {"id", "title", "competencies", "minutes", "devices"}
    assert (found["minutes"], found["devices"]) == (1, ["cpu"])
    said = harness("tasks", *TOY)
    assert said.code == 0
    assert "toy-squares" in said.out
    assert "Next: harness init TASK DIR" in said.out
    assert "\x1b" not in said.out


def test_init_then_check_then_what_to_type_next(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    said = harness("init", "toy-squares", folder, *TOY)
    assert said.code == 0
    assert f"Next: harness check toy-squares {folder}" in said.out
    assert {p.name for p in folder.iterdir()} == {"solution.py", "README.md", "contract.py"}
    statement = (TOYS / "toy-squares" / "README.md").read_text("utf-8").rstrip()
    told = (folder / "README.md").read_text("utf-8")
    assert told.startswith(f"{statement}\n\n## Limits of every task\n")
    checked = harness("check", "toy-squares", folder, *TOY, "--json")
    assert (checked.code, checked.json["passed"], checked.json["problems"]) == (0, True, [])
    assert checked.json["measurements"]["accuracy"] < 0.6


def test_init_touches_no_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert "is not empty; name a new folder" in refused("init", "toy-squares", tmp_path, *TOY)
    assert "is not empty; name a new folder" in refused("init", "toy-squares", tmp_path / "notes.txt", *TOY)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / "empty").mkdir()
    said = harness("init", "toy-squares", tmp_path / "empty", *TOY, "--json")
    assert said.code == 0
    assert said.json["files"] == ["README.md", "contract.py", "solution.py"]


def test_check_says_what_would_make_the_run_fail(tmp_path: Path) -> None:
    said = harness("check", "toy-squares", HOSTILE / "raises", *TOY)
    assert said.code == 1
    assert "Check failed" in said.out
    assert "solution.py, line 8, in answer" in said.out
    shutil.copytree(COMPETENT, tmp_path / "mine")
    (tmp_path / "mine" / "unused.py").write_text("from harness.records import Run\n")
    found = harness("check", "toy-squares", tmp_path / "mine", *TOY, "--json")
    assert (found.code, found.json["passed"]) == (1, False)
    assert found.json["problems"] == [
        "unused.py: a submission may not import harness.records; copy what you need"
    ]


def test_report_in_every_form(home: Home) -> None:
    run = home.good.json["run_id"]
    assert harness("report", run, "--json").json == home.good.json
    assert harness("report", run, "--format", "json").json == home.good.json
    assert harness("report", run, "--format", "html").out.startswith("<!doctype html>")
    assert harness("report", run, "--format", "markdown").out.startswith("#")
    text = harness("report", run)
    assert (text.code, text.err) == (0, "")
    assert "competent" in text.out
    assert "\x1b" not in text.out
    assert "--format pdf is not known" in refused("report", run, "--format", "pdf")
    written = harness("report", run, "--format", "html", "--out", home.folder / "page.html")
    assert written.out == f"Report: {home.folder / 'page.html'}\n"
    assert (home.folder / "page.html").read_text().startswith("<!doctype html>")


def test_report_last_is_the_newest(home: Home) -> None:
    assert harness("report", "last", "--json").json["outcome"] == "malformed"


def test_compare(home: Home) -> None:
    run = home.good.json["run_id"]
    found = harness("compare", run, "last", "--json").json
    assert (found["task"], found["same_machine"]) == ("toy-squares", True)
    assert [one["outcome"] for one in found["runs"]] == ["ok", "malformed"]
    said = harness("compare", run, "last")
    assert said.code == 0
    assert "returns-nan" in said.out
    assert "\x1b" not in said.out


def test_rescore_gives_the_same_and_its_exit_code(home: Home) -> None:
    run = home.good.json["run_id"]
    said = harness("rescore", run, *TOY, "--json")
    assert said.code == 0
    assert said.json["points"] == said.json["points_before"] == home.good.json["points"]
    failed = harness("rescore", "last", *TOY)
    assert failed.code == 1
    assert "Before: 0.0 points, malformed." in failed.out


def test_prove(tmp_path: Path) -> None:
    said = harness(
        "prove", "toy-squares", *SMOKE, "--instances", 1, "--json", "--markdown", tmp_path / "proof.md"
    )
    found = said.json
    assert found.keys() >= {"task", "proven", "tiers", "separation", "cheats"}
    assert (said.code, found["proven"], found["reasons"]) == (0, True, [])
    assert [t["tier"] for t in found["tiers"]] == ["baseline", "competent", "expert"]
    assert all(t.keys() >= {"tier", "points_mean", "points_sd"} for t in found["tiers"])
    assert [c["id"] for c in found["cheats"]] == ["answers-nan", "constant"]
    assert all(c.keys() >= {"id", "points", "outcome"} for c in found["cheats"])
    assert "toy-squares" in (tmp_path / "proof.md").read_text()


@pytest.mark.parametrize("options", [("--quick",), ()])
def test_doctor(options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steadiness, "SECONDS", 0.3)
    said = harness("doctor", "--json", *options)
    found = said.json
    assert said.code == (0 if found["ready"] else 2)
    states = {finding["name"]: finding["state"] for finding in found["findings"]}
    assert states["worker"] == "ok"
    assert found["ready"] == ("bad" not in states.values())
    assert all(finding["words"].strip() for finding in found["findings"])
    steady = found["steadiness"]
    if options:
        assert steady is None
        return
    assert (steady["grade"] in "ABC", len(steady["ratios"])) == (True, steadiness.PAIRS)
    assert steady["words"]
    assert steady["counters"]["seconds"] > 0


def test_doctor_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steadiness, "SECONDS", 0.3)
    said = harness("doctor")
    assert re.search(r"^(ok  |note) grade  +[ABC]\. [A-Z]", said.out, flags=re.M)
    assert re.search(r"Grade of its times now: [ABC]\.\n$", said.out)
    assert "pair 3 of 3: a program timed against its own copy" in said.err


@pytest.mark.parametrize(
    "verb", ["tasks", "init", "check", "run", "prove", "report", "compare", "rescore", "doctor"]
)
def test_every_verb_explains_itself(verb: str) -> None:
    said = harness(verb, "--help")
    assert said.code == 0
    assert "--json" in said.out
    assert verb in harness("--help").out


def test_version_and_no_arguments() -> None:
    assert re.fullmatch(r"harness \d+\.\d+\.\d+\n", harness("--version").out)
    assert "Exit codes: 0 scored" in " ".join(harness("--help").out.split())


def test_a_files_name_cannot_move_the_terminals_cursor(tmp_path: Path) -> None:
    (tmp_path / "solution.py").write_text("")
    (tmp_path / "a\x1b]0;mine\x07b\u202e").symlink_to("/etc/hosts")
    said = refused("run", "toy-squares", tmp_path, *TOY)
    assert "ab is a link" in said
    assert said.removesuffix("\n").isprintable()
