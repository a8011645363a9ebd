"""A change of a task's own parts is proven, a change of the program is told, and a commit draws the same."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import TaskError
from harness.observer import Silent
from harness.proofs import MadeOf, Proof, ProofCheat
from harness.records import Source
from harness.runs import made_of as making
from harness.runs.made_of import made_of, made_of_now
from harness.runs.options import Options, order
from harness.runs.order import Order
from harness.runs.prove import one_ladder, prove, spot_check
from tests.conftest import TOYS
from tests.proof_choice import INSTANCES, LADDERS_MORE, Choice, Standing, choose, why_due
from tests.proof_plugin import tree_of
from tests.reports.test_catalogue import proof

PARTS = MadeOf(
    task="t",
    references="r",
    common="c",
    profile="p",
    seed="s",
    sources={"data stackdocs": "d"},
    stack={"numpy": "2.0"},
    python="3.11",
    program="0" * 64,
)
TREES = [f"{number:040x}" for number in range(40)]


def standing(task: str = "toy", now: MadeOf = PARTS, **changed: Any) -> Standing:
    kept = proof().model_copy(update={"task": task, "made_of": PARTS, **changed})
    return Standing(task, kept, now)


def many(count: int = 12) -> list[Standing]:
    return [standing(f"task-{number}") for number in range(count)]


def ways(choices: dict[str, Choice], way: str) -> set[str]:
    return {name for name, choice in choices.items() if choice.way == way}


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("task", "other", "the task's folder"),
        ("references", "other", "its references"),
        ("common", "other", "tasks/common_*"),
        ("profile", "other", "the profile"),
        ("seed", "other", "the seed"),
        ("sources", {"data stackdocs": "other"}, "data stackdocs"),
        ("sources", {}, "data stackdocs"),
        ("stack", {"numpy": "2.1"}, "numpy (2.0, now 2.1)"),
        ("stack", {"numpy": "2.0", "torch": "3"}, "torch (none, now 3)"),
        ("python", "3.12", "Python (3.11, now 3.12)"),
    ],
)
def test_a_task_whose_own_part_changed_is_proven(part: str, value: object, words: str) -> None:
    changed = standing("changed", PARTS.model_copy(update={part: value}))
    for tree in TREES:
        choice = choose([*many(), changed], tree)["changed"]
        assert (choice.way, choice.why) == ("anew", f"changed since: {words}")


def test_the_parts_of_a_proof_are_all_its_own_but_for_the_program() -> None:
    own = {"task", "references", "common", "profile", "seed", "sources", "stack", "python"}
    assert set(MadeOf.model_fields) == {*own, "program"}


def test_where_only_the_program_changed_the_proof_is_kept_and_both_digests_are_said() -> None:
    later = PARTS.model_copy(update={"program": "f" * 64})
    choices = choose([replace(one, now=later) for one in many()], TREES[0])
    assert not ways(choices, "anew")
    for name in ways(choices, "one instance"):
        assert f"by an earlier program ({'0' * 12}, now {'f' * 12})" in choices[name].words
        assert "kept" in choices[name].words
    for choice in choose(many(), TREES[0]).values():
        assert choice.why.endswith("the kept proof is by this program")


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (Standing("toy", None, PARTS), "no proof is kept"),
        (standing(proven=False), "the kept proof did not hold"),
        (standing(made_of=None), "the kept proof does not name its parts"),
        (standing(instances=4), "the kept proof is on 4 instances, and 5 are needed"),
        (
            standing(sources=(Source(role="data", kind="local", name="a", digest="b", size_bytes=1),)),
            "the kept proof is on data or a model that were brought along",
        ),
        (replace(standing(), cheats=frozenset({"bad", "new"})), "the kept proof has not tried new"),
        (replace(standing(), mutants=frozenset({"m", "more"})), "the kept proof has not tried more"),
    ],
)
def test_a_task_without_a_proof_to_go_by_is_proven(one: Standing, why: str) -> None:
    assert why_due(one) == why
    assert choose([one], TREES[0])["toy"].way == "anew"


def test_a_proof_that_was_kept_before_parts_were_can_be_read() -> None:
    old = proof().model_dump(mode="json")
    del old["made_of"]
    assert Proof.model_validate(old).made_of is None


def test_a_tree_draws_three_more_and_one_instance_of_each_of_the_rest() -> None:
    first = choose(many(), TREES[0])
    assert first == choose(many(), TREES[0])
    assert first == choose(list(reversed(many())), TREES[0])
    assert len(ways(first, "ladder")) == LADDERS_MORE
    assert ways(first, "ladder") | ways(first, "one instance") == set(first)


def test_other_trees_draw_others_and_leave_nobody_out() -> None:
    drawn = [frozenset(ways(choose(many(), tree), "ladder")) for tree in TREES]
    assert len(set(drawn)) > len(TREES) // 2
    assert frozenset().union(*drawn) == {one.task for one in many()}
    instances = {choice.instance for tree in TREES for choice in choose(many(), tree).values()}
    assert instances == set(range(INSTANCES))


def test_the_three_more_are_none_of_those_that_are_proven_anyway() -> None:
    due = [standing(f"due-{n}", PARTS.model_copy(update={"task": "other"})) for n in range(4)]
    for tree in TREES:
        choices = choose([*due, *many(5)], tree)
        assert ways(choices, "anew") == {one.task for one in due}
        assert len(ways(choices, "ladder")) == LADDERS_MORE
        assert len(ways(choices, "one instance")) == 2
    assert ways(choose(many(2), TREES[0]), "ladder") == {"task-0", "task-1"}


def test_all_proofs_may_be_asked_for() -> None:
    choices = choose(many(), TREES[0], everything=True)
    assert {(choice.way, choice.why) for choice in choices.values()} == {("anew", "--all-proofs")}


def _committed(top: Path) -> None:
    (top / "tasks").mkdir(parents=True)
    (top / "tasks" / "one.txt").write_text("one")
    who = ["-c", "user.name=n", "-c", "user.email=e"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "m"]):
        subprocess.run(["git", *command], cwd=top, check=True)


def test_a_commit_is_named_by_its_tree_whenever_it_was_made(tmp_path: Path) -> None:
    for name in ("a", "b"):
        _committed(tmp_path / name)
    said = subprocess.run(
        ["git", "rev-parse", "HEAD^{tree}"], cwd=tmp_path / "a", capture_output=True, text=True, check=True
    )
    assert tree_of(tmp_path / "a") == tree_of(tmp_path / "b") == said.stdout.strip()


def test_without_git_or_with_changes_the_files_speak(tmp_path: Path) -> None:
    _committed(tmp_path / "a")
    clean = tree_of(tmp_path / "a")
    (tmp_path / "a" / "tasks" / "two.txt").write_text("two")
    changed = tree_of(tmp_path / "a")
    shutil.copytree(tmp_path / "a" / "tasks", tmp_path / "no-git" / "tasks")
    assert tree_of(tmp_path / "no-git") == changed != clean
    (tmp_path / "no-git" / "tasks" / "two.txt").write_text("three")
    assert tree_of(tmp_path / "no-git") != changed


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """The toy task with a cheat that names a helper of `common_cheats`, which names another."""
    root = tmp_path / "pack"
    shutil.copytree(TOYS / "toy-squares", root / "toy-squares")
    for name, text in (("peek", "import deep\n"), ("deep", "")):
        (root / "common_cheats").mkdir(exist_ok=True)
        (root / "common_cheats" / f"{name}.py").write_text(text)
    cheat = root / "toy-squares" / "cheats" / "peeks" / "solution.py"
    cheat.parent.mkdir(parents=True)
    cheat.write_text("from peek import search\nfrom starter import Solution\n")
    return root


def parts(root: Path, profile: str = "ci-smoke", used: Sequence[Source] = ()) -> MadeOf:
    return made_of(order(Options(task="toy-squares", tasks_root=root, profile=profile)), used)


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("toy-squares/task.py", ("the task's folder",)),
        ("toy-squares/cheats/peeks/solution.py", ("the task's folder",)),
        ("toy-squares/starter/solution.py", ("the task's folder",)),
        ("toy-squares/notes.md", ()),
        ("common_cheats/peek.py", ("tasks/common_*",)),
        ("common_cheats/deep.py", ("tasks/common_*",)),
        ("common_cheats/new.py", ("tasks/common_*",)),
    ],
)
def test_a_file_is_a_part_of_the_proof_or_is_not(file: str, changed: tuple[str, ...], pack: Path) -> None:
    before = parts(pack)
    with (pack / file).open("a") as end:
        end.write("\n# more\n")
    assert before.changes(parts(pack)) == changed


def test_references_and_mutants_and_the_profile_are_parts(pack: Path, tmp_path: Path) -> None:
    before = parts(pack)
    for place in ("expert/solution.py", "mutants/one/solution.py"):
        file = pack / "toy-squares" / "reference_solutions" / place
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as end:
            end.write("\n# more\n")
        after = parts(pack)
        assert "its references" in before.changes(after)
        before = after
    same, other = tmp_path / "same.toml", tmp_path / "other.toml"
    same.write_text('extends = "ci-smoke"\nname = "ci-smoke"\n')
    other.write_text('extends = "ci-smoke"\nname = "ci-smoke"\nthreads = 2\n')
    assert before.changes(parts(pack, str(other))) == ("the profile",)


def test_the_stack_names_packages_and_their_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    found = dict(making._versions("sklearn.linear_model:Ridge"))
    assert set(found) == {"scikit-learn"}
    monkeypatch.setattr(making.metadata, "version", lambda name: "another")
    assert dict(making._versions("sklearn")) == {"scikit-learn": "another"}
    assert not dict(making._versions("json"))


def test_data_and_models_are_looked_up_again_where_they_are_built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    making._today.cache_clear()
    asked = order(Options(task="toy-squares", tasks_root=TOYS, profile="ci-smoke"))
    wine = Source(role="data", kind="builtin", name="wine", digest="old", size_bytes=1)
    gone = wine.model_copy(update={"name": "gone"})
    own = wine.model_copy(update={"kind": "local", "name": "letters"})
    drawn = wine.model_copy(update={"kind": "derived", "name": "vectors"})
    kept = proof().model_copy(update={"sources": (wine, gone, own, drawn)})
    now = made_of_now(asked, kept).sources
    assert now.keys() == {"data wine", "data gone", "data letters"}
    assert len(now["data wine"]) == 64
    assert (now["data gone"], now["data letters"]) == ("", "old")


def test_a_proof_names_what_it_was_made_of_and_one_ladder_stands_in_order() -> None:
    asked = order(Options(task="toy-squares", tasks_root=TOYS, profile="ci-smoke"))
    kept = prove(asked, 1, Silent(), cheats=False)
    assert kept.made_of == made_of_now(asked, kept)
    assert kept.made_of is not None
    assert all((kept.made_of.task, kept.made_of.references, kept.made_of.profile, kept.made_of.program))
    assert not why_due(
        Standing(
            "toy-squares", kept.model_copy(update={"proven": True, "instances": INSTANCES}), made_of(asked)
        )
    )
    points = one_ladder(asked, 1, Silent()).points
    assert points["baseline"] < points["competent"] < points["expert"]


def test_a_spot_check_sees_tiers_that_are_not_apart_and_a_cheat_that_gains(tmp_path: Path) -> None:
    shutil.copytree(TOYS, tmp_path / "toys")

    def asked(root: Path) -> Order:
        return order(Options(task="toy-squares", tasks_root=root, profile="ci-smoke"))

    assert spot_check(asked(TOYS), 2, "constant", Silent()) == ()
    assert spot_check(asked(TOYS), 1, "", Silent()) == ()
    task = tmp_path / "toys" / "toy-squares"
    tiers = task / "reference_solutions"
    shutil.copytree(tiers / "expert", task / "cheats" / "constant", dirs_exist_ok=True)
    shutil.copytree(tiers / "baseline", tiers / "competent", dirs_exist_ok=True)
    doubts = spot_check(asked(tmp_path / "toys"), 2, "constant", Silent())
    assert [doubt.split(" on ")[0] for doubt in doubts] == [
        "competent stands only 0.0 standard deviations above baseline; 3 are needed",
        "competent fell below baseline",
        "cheat constant got 100.0 points, more than an empty submission's 0",
    ]


def test_a_cheat_that_is_allowed_points_may_have_so_many_and_no_more(tmp_path: Path) -> None:
    shutil.copytree(TOYS, tmp_path / "toys")
    task = tmp_path / "toys" / "toy-squares"
    shutil.copytree(task / "reference_solutions" / "expert", task / "cheats" / "constant", dirs_exist_ok=True)
    definition = (task / "task.toml").read_text("utf-8")

    def doubts(most: int) -> tuple[str, ...]:
        allowed = f'[[allowed]]\ncheat = "constant"\nat_most = {most}\nbecause = "the data are public"\n'
        (task / "task.toml").write_text(f"{definition}\n{allowed}", "utf-8")
        asked = order(Options(task="toy-squares", tasks_root=tmp_path / "toys", profile="ci-smoke"))
        return spot_check(asked, 1, "constant", Silent())

    assert doubts(100) == ()
    assert doubts(90) == ("cheat constant got 100.0 points, more than the 90 that the task allows it",)


def test_the_cheat_of_a_ladder_is_drawn_from_the_tasks_own() -> None:
    cheats = frozenset({"a", "b", "c"})
    kept = standing("one")
    assert kept.kept is not None
    tried = tuple(ProofCheat(id=name, points=0.0, outcome="ok", reason="") for name in sorted(cheats))
    one = replace(kept, cheats=cheats, kept=kept.kept.model_copy(update={"cheats": tried}))
    drawn = [choose([one], tree)["one"] for tree in TREES]
    assert {choice.way for choice in drawn} == {"ladder"}
    assert {choice.cheat for choice in drawn} == cheats
    assert f"tried on {INSTANCES} instances and with {drawn[0].cheat}; drawn by the tree" in drawn[0].words


def test_no_name_of_a_folder_or_ending_of_a_file_hides_code_and_a_link_is_refused(tmp_path: Path) -> None:
    shutil.copytree(TOYS, tmp_path / "toys")
    folder = tmp_path / "toys" / "toy-squares"

    def now() -> str:
        return made_of(
            order(Options(task="toy-squares", tasks_root=tmp_path / "toys", profile="ci-smoke"))
        ).task

    seen = [now()]
    for name in ("venv/helper.py", "helper.pyc", ".mypy_cache/helper.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"code")
        seen.append(now())
    assert len(set(seen)) == 4
    (folder / "__pycache__").mkdir(exist_ok=True)
    (folder / "__pycache__" / "task.pyc").write_bytes(b"compiled")
    assert now() == seen[-1]
    (folder / "lib").symlink_to(tmp_path)
    with pytest.raises(TaskError, match=r"lib is a link, .*put the files themselves there"):
        now()
