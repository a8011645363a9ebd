"""What no worker may read of tasks and references: found on the whole import path, and shut at both walls."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import SandboxFailed
from harness.instances import BlobSpec, Request
from harness.isolation import confined, hiding
from harness.isolation.box import boxes
from harness.isolation.hiding import around, hidden_in
from harness.isolation.levels import level
from harness.trials import session
from harness.trials.watch import Limits

SOLUTION = Path(__file__).parent / "isolated_solution.py"
CONTRACT = """
class Contract:
    def do(self, what: str) -> bytes: ...
"""
LIMITS = Limits(
    memory_bytes=2 << 30, processes=32, start_seconds=60, phase_seconds={"do": 60}, printed_bytes=1 << 20
)


def write(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"the text of {file.name}")


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment with a library, and our package elsewhere."""
    monkeypatch.setattr(hiding, "PACKAGE", tmp_path / "elsewhere" / "harness")
    write(tmp_path / "elsewhere" / "harness" / "__init__.py")
    write(tmp_path / "venv" / "lib" / "python3.11" / "site-packages" / "numpy" / "core.py")
    return tmp_path / "venv"


def in_site(prefix: Path, name: str) -> Path:
    return prefix / "lib" / "python3.11" / "site-packages" / name


def test_where_only_libraries_lie_nothing_is_hidden(prefix: Path) -> None:
    write(in_site(prefix, "tests/test_theirs.py"), in_site(prefix, "docs/theirs.md"))
    assert hidden_in([prefix]) == ()
    assert around(str(prefix), ()) == ((), (str(prefix),))


@pytest.mark.parametrize(
    ("files", "hidden"),
    [
        (["harness_pack/tasks/a/task.toml", "harness_pack/configs/b.toml"], ["harness_pack"]),
        (["team/tasks/a/task.toml", "team/tasks/a/reference_solutions/x.py"], ["team/tasks/a"]),
        (["team/a/task.toml", "team/reference_solutions/a/x.py"], ["team/a", "team/reference_solutions"]),
        (["a/task.toml"], ["a"]),
        (["old/harness/worker/zygote.py", "old/harness/isolation/hiding.py"], ["old/harness"]),
        # of these there is nothing to hide: no harness, and no folder of its own
        (["harness/worker/zygote.py", "task.toml"], []),
    ],
)
def test_what_looks_like_a_task_is_found_on_the_import_path(
    prefix: Path, files: list[str], hidden: list[str]
) -> None:
    write(*(in_site(prefix, file) for file in files))
    hiding._found.cache_clear()
    assert hidden_in([prefix]) == tuple(in_site(prefix, name) for name in hidden)


def test_a_folder_that_is_put_on_the_import_path_by_itself_is_looked_through(prefix: Path) -> None:
    checkout = prefix.parent / "theirs"
    write(checkout / "tasks" / "a" / "task.toml", checkout / "reference_solutions" / "a" / "x.py")
    found = hidden_in([prefix, checkout])
    assert found == (checkout / "reference_solutions", checkout / "tasks" / "a")


def test_what_is_named_is_hidden_where_it_is_shown_and_not_above_that(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = prefix / "share" / "tasks"
    write(tasks / "a" / "statement.md")
    (prefix.parent / "link").symlink_to(tasks)
    assert hidden_in([prefix], [tasks, tasks / "a", prefix.parent / "elsewhere"]) == (tasks,)
    assert hidden_in([prefix], [prefix.parent / "link"]) == (tasks,)
    assert hidden_in([prefix], [prefix, prefix.parent, prefix / "gone"]) == ()
    # the package and what lies beside it in a checkout, wherever that is
    monkeypatch.setattr(hiding, "PACKAGE", prefix / "src" / "harness")
    write(
        prefix / "src" / "harness" / "x.py",
        prefix / "src" / "tests" / "x.py",
        prefix / "src" / "pyproject.toml",
    )
    assert hidden_in([prefix]) == (prefix / "src" / "harness", prefix / "src" / "tests")


def test_around_it_everything_else_may_be_read_and_no_link_leads_in(prefix: Path) -> None:
    write(
        in_site(prefix, "team/tasks/a/task.toml"), in_site(prefix, "team/helper.py"), prefix / "bin" / "tool"
    )
    (prefix / "lib64").symlink_to("lib")
    hidden = (in_site(prefix, "team/tasks/a"),)
    listed, read = around(str(prefix), hidden)
    lib = prefix / "lib"
    inside = [lib / "python3.11", in_site(prefix, ""), in_site(prefix, "team"), in_site(prefix, "team/tasks")]
    assert [Path(folder) for folder in listed] == [prefix, lib, *inside]
    shown = {prefix / "bin", in_site(prefix, "numpy"), in_site(prefix, "team/helper.py")}
    assert {Path(path) for path in read} == shown
    # what is needed of a hidden folder is named, and may be read
    needed = str(in_site(prefix, "team/tasks/a/task.toml"))
    assert around(needed, hidden) == ((), (needed,))
    assert around(str(hidden[0]), hidden) == ((), ())


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A pack of tasks on the import path of every worker, by a file that the environment has already."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid and not folder.stat().st_mode & 0o005:
            break
        folder.chmod(folder.stat().st_mode | 0o005)
    place = tmp_path / "pack"
    write(
        place / "packed_module.py",
        place / "tasks" / "a" / "task.toml",
        place / "reference_solutions" / "a" / "expert" / "solution.py",
        place / "more" / "harness_pack" / "tasks" / "b" / "notes.md",
    )
    real = confined.path_files()
    file = next(iter(real))
    patched = {**real, file: [*real[file], place]}
    for module in (confined, boxes):
        monkeypatch.setattr(module, "path_files", lambda: patched)
    confined.interpreter.cache_clear()
    yield place
    confined.interpreter.cache_clear()


def hunted(name: str, tmp_path: Path, pack: Path) -> list[list[str]]:
    given = tmp_path / "given"
    write(given / "submission" / "solution.py")
    (given / "submission" / "solution.py").write_text(SOLUTION.read_text())
    (given / "contract.py").write_text(CONTRACT)
    seat = session.WorkerSpec(
        submission=given / "submission",
        contract=given / "contract.py",
        models={},
        device="cpu",
        threads=1,
        seed=7,
        limits=LIMITS,
        hidden=(pack / "named",),
    )
    with contextlib.closing(level(name)) as found:
        worker = session.start(found, seat, "main")
        try:
            request = Request("x", "do", {}, BlobSpec(60_000))
            answer, _ = worker.call(request, {"what": f"hunt {pack}"})
        finally:
            worker.close()
    assert isinstance(answer, bytes)
    return json.loads(answer)


@pytest.mark.parametrize(("name", "shut"), [("process", False), ("confined", True), ("bubblewrap", True)])
def test_a_worker_opens_no_file_of_a_task_or_reference(
    name: str, shut: bool, tmp_path: Path, pack: Path
) -> None:
    write(pack / "named" / "tasks" / "c.txt")
    opened, seen = hunted(name, tmp_path, pack)
    assert seen == ["the text of packed_module.py"], "what else the pack holds is a library like others"
    assert not shut or opened == []
    if not shut:  # so that the hunt is seen to find what is there
        names = {Path(file).name for file in opened}
        assert names >= {"task.toml", "solution.py", "notes.md", "c.txt"}


@pytest.mark.parametrize("name", ["confined", "bubblewrap"])
def test_the_self_test_ends_the_run_where_one_can_be_opened(
    name: str, tmp_path: Path, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (confined, boxes):
        monkeypatch.setattr(module, "hidden_in", lambda shown, named=(): ())
    # Of a worker that is forked, the import path is this environment's, without the pack.
    monkeypatch.setattr(hiding, "beside", lambda: (pack / "tasks",))
    with pytest.raises(SandboxFailed, match="a worker could read a task or a reference"):
        hunted(name, tmp_path, pack)
