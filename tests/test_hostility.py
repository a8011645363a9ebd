"""Every hostile and every honest submission at every level: nothing more is gained, and nobody wrongly stopped."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.isolation.levels import LEVELS
from tests.conftest import HERE
from tests.hostility import leftovers, overview, page, poison
from tests.hostility.attacks import GAINS, Attack, controls, every, read
from tests.hostility.judge import Judge

ATTACKS = every()
NAMED = {attack.name: attack for attack in ATTACKS}
CONTROLS = controls()
PLAIN = HERE / "honest" / "plain"
# Only a GPU could show them (24, 27, 65), or only a machine that may be broken (57).
NOT_TRIED = {"T24", "T27", "T57", "T65"}
Judges = Callable[[str], Judge]


@pytest.fixture(scope="module")
def judge() -> Generator[Judges]:
    """One harness a level, for all submissions."""
    judges: dict[str, Judge] = {}

    def of(level: str) -> Judge:
        if level not in judges:
            judges[level] = Judge(level)
        return judges[level]

    yield of
    for one in judges.values():
        one.close()


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_gains_no_more_than_the_level_lets_it(attack: Attack, level: str, judge: Judges) -> None:
    for _ in range(3):  # beside other tests a time may be too close to call, which gives no points either
        verdict = judge(level).attack(attack)
        assert set(verdict.gained) <= attack.gains.get(level, set()), (
            verdict.gained,
            verdict.said.get("log"),
        )
        if verdict.outcome != "inconclusive":
            break
    assert verdict.outcome in attack.expected(level), (verdict.reason, verdict.said.get("log"))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("folder", CONTROLS, ids=lambda folder: folder.name)
def test_honest_code_is_not_stopped(folder: Path, level: str, judge: Judges) -> None:
    verdict = judge(level).control(folder)
    assert verdict.outcome == "ok", (verdict.reason, verdict.said.get("detail"), verdict.said.get("log"))
    assert verdict.said["accuracy"] == 1.0
    assert not verdict.gained


def test_every_threat_is_tried_by_somebody() -> None:
    tried = Counter(threat for attack in ATTACKS for threat in attack.threats)
    assert {f"T{number:02d}" for number in range(1, 78)} - tried.keys() == NOT_TRIED
    assert len(ATTACKS) >= 120
    assert sum(count >= 2 for count in tried.values()) >= 65
    assert len(CONTROLS) >= 60


@pytest.mark.parametrize("name", ["confined", "bubblewrap"])
def test_a_stronger_level_lets_through_no_more_than_it_says(name: str) -> None:
    residual = {"memory-hidden", "byte-sent", "disk-filled"} if name == "confined" else {"memory-hidden"}
    assert {gain for attack in ATTACKS for gain in attack.gains.get(name, ())} <= residual


@pytest.mark.parametrize(
    ("name", "gain"),
    [
        ("reads-the-answers", "label-read"),
        ("writes-into-the-store", "file-written"),
        ("udp-datagram", "byte-sent"),
        ("kills-the-harness", "parent-hurt"),
        ("stops-the-harness", "parent-hurt"),
        ("limits-the-harness", "parent-hurt"),
        ("leaves-in-shared-memory", "predecessor-read"),
        ("leaves-system-v-memory", "file-left"),
        ("reads-command-lines", "host-seen"),
        ("fills-the-disk", "disk-filled"),
    ],
)
def test_the_judge_sees_what_nothing_stops(name: str, gain: str, judge: Judges) -> None:
    assert gain in judge("process").attack(NAMED[name]).gained


@pytest.mark.parametrize(
    ("changed", "gain"),
    [({}, "scored"), ({"least": 30.0}, "clock-moved"), ({"holds": 4000.0}, "memory-hidden")],
)
def test_the_judge_sees_a_gain_that_it_is_told_to_look_for(
    changed: dict[str, float], gain: str, judge: Judges
) -> None:
    honest = Attack("plain", PLAIN, ("T00",), "Is honest.", {"": {"ok"}})
    assert set(judge("process").attack(replace(honest, **changed)).gained) == {gain}  # type: ignore[arg-type]


def test_the_judge_sees_a_process_that_is_left(judge: Judges, monkeypatch: pytest.MonkeyPatch) -> None:
    one, left = judge("process"), []
    ask = one._ask

    def leave(*arguments: object, **options: object) -> object:
        left.append(subprocess.Popen(["sleep", "30"]))
        return ask(*arguments, **options)  # type: ignore[arg-type]

    one.control(PLAIN)
    monkeypatch.setattr(one, "_ask", leave)
    verdict = one.control(PLAIN)
    assert verdict.gained == {"process-left": "1 processes"}
    assert left[0].wait() == -9


def test_a_poisoned_page_is_told_from_a_clean_one() -> None:
    clean = {
        "html": "<p title='a'>&lt;script&gt;</p><a href='#x'>x</a>",
        "markdown": "`<script>` and\n```\n<img>\n```\n",
        "text": "100 points",
        "json": '"\\u001b"',
    }
    assert poison.found_in(clean) == {}
    for name, page_ in (
        ("html", "<img src=x>"),
        ("html", "<p onclick='x'>"),
        ("html", "<a href='javascript:x'>"),
        ("markdown", "<script>"),
        ("markdown", "[a](https://a)"),
        ("text", "\x1b[2J"),
        ("json", "\u202e"),
    ):
        assert set(poison.found_in({name: page_})) == {name}, page_


@pytest.mark.slow
def test_after_twenty_attacks_an_honest_submission_scores_as_before(judge: Judges) -> None:
    one = judge(list(LEVELS)[-1])
    before = one.control(PLAIN)
    wild = [a for a in ATTACKS if {"T10", "T44", "T49", "T64", "T66"} & set(a.threats)][:20]
    assert len(wild) == 20
    for attack in wild:
        one.attack(attack)
    after = one.control(PLAIN)
    assert (after.outcome, after.said["accuracy"]) == (before.outcome, before.said["accuracy"]) == ("ok", 1.0)
    assert not after.gained
    assert leftovers.entries(one.tmp) == []
    assert list(Path("/dev/shm").glob("hx*")) == []


def test_a_head_that_says_too_little_is_refused(tmp_path: Path) -> None:
    for text in (
        '"""No threat."""',
        '"""T01. Tries.\n\nexpected: process ok\n"""',
        '"""T01. Tries.\n\nexpected: ok\ngains: ok\n"""',
    ):
        (tmp_path / "solution.py").write_text(text)
        with pytest.raises(ValueError, match=tmp_path.name):
            read(tmp_path)


def test_a_judge_ends_its_own_harness_and_nobody_else() -> None:
    judge = Judge("process")
    beside = subprocess.Popen(
        ["sh", "-c", "while :; do sleep 0.05; done"]
    )  # forks all the time, as servers do
    try:
        verdict = judge.attack(NAMED["leaves-in-tmp"])
        assert set(verdict.gained) == NAMED["leaves-in-tmp"].gains["process"], (
            "a fork beside it is no process left"
        )
        judge.close()
        assert beside.poll() is None
    finally:
        beside.kill()
        beside.wait()


def test_the_page_counts_and_names(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n")
    figures = page.Figures(
        "process", 2, {"a": ["byte-sent"]}, {"b": "ok"}, 3, {"c": "timeout"}, ["/tmp/x"], 4.0
    )
    page.insert(file, page.written([figures], 7, "Made."))
    text = file.read_text()
    assert "old" not in text
    assert "| `process` | 2 | 1 | 3 | 1 | 1: /tmp/x | 4 |" in text
    assert f"- 1 {GAINS['byte-sent']}: `a`" in text
    assert "- `c`: timeout" in text
    assert text.startswith("before")
    assert text.endswith("after\n")


def test_the_one_table_is_what_the_pages_say(tmp_path: Path) -> None:
    said = (overview.DOCS / "security.md").read_text("utf-8")
    shown = said.partition(overview.BEGIN)[2].partition(overview.END)[0].strip()
    assert shown == overview.written(overview.rows())
    for name in ("security.md", "durability.md", "wire.md", "benchmarks.md"):
        text = (overview.DOCS / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace("| results lost | 0 |", "| results lost | 3 |"), "utf-8")
    found = {row.found for row in overview.rows(tmp_path)}
    assert any(words.startswith("3 of ") for words in found)
    (tmp_path / "durability.md").write_text("", "utf-8")
    with pytest.raises(overview.Missing, match="processes killed"):
        overview.rows(tmp_path)


def test_every_task_comes_with_five_cheats() -> None:
    for task in sorted((HERE.parent / "tasks").iterdir()):
        if (task / "task.toml").exists():
            assert len(list(task.glob("cheats/*/solution.py"))) >= 5, task.name
