"""Shared code is found under disguise, independent code is not, and nothing that is handed in breaks it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis import fingerprints, similarity, trees
from harness.analysis.fingerprints import GRAM, WINDOW, Print, grams, tokens, winnow
from harness.analysis.similarity import COMMON_LEAST, Found, Part, Region, SharedCode, compare
from harness.cli.output import to_json
from harness.inputs import comparable, tasks
from harness.reports.assessment import similar as shown
from tests.cli.test_verbs import harness, refused
from tests.conftest import TOYS

ROOT = Path(__file__).parent.parent.parent
SPLIT = '''"""Splits and scores."""

def split(rows, share, seed):
    order = sorted(rows, key=lambda row: (hash((row, seed)), row))
    cut = int(len(order) * share)
    return order[:cut], order[cut:]


'''
SCORE = """def score(found, wanted):
    hits = 0
    for left, right in zip(found, wanted):
        if left == right and right is not None:
            hits += 1
        elif left > right:
            hits -= 0.5
    return hits / max(1, len(wanted))


"""
RANK = """class Ranker:
    def __init__(self, width=64):
        self.width = width
        self.table = {}

    def add(self, name, values):
        total = sum(value ** 2 for value in values[: self.width]) ** 0.5
        self.table[name] = [value / total for value in values] if total else list(values)
        return self

    def best(self, query):
        def near(name):
            return sum(a * b for a, b in zip(self.table[name], query))
        return max(self.table, key=near) if self.table else None
"""
WHOLE = SPLIT + SCORE + RANK
OTHER = """import collections

TABLE = collections.defaultdict(dict)
while len(TABLE) < 10:
    TABLE[len(TABLE)].update(a=1, b=[2, 3], **{"c": not TABLE})
try:
    with open(__file__) as lines:
        found = {line: len(line) for line in lines if line.strip()}
except OSError as error:
    raise SystemExit(1) from error
else:
    del TABLE[0], found
"""


def pair(one: str, other: str, starter: str = "") -> tuple[float, float]:
    """The shares of two submissions of one file each."""
    handed = {"one": {"solution.py": one.encode()}, "other": {"solution.py": other.encode()}}
    found = compare(handed, [starter.encode()], 0.01)
    return (found.pairs[0].share, found.pairs[0].other_share) if found.pairs else (0.0, 0.0)


def test_a_copy_is_whole_and_its_lines_are_named() -> None:
    handed = {"one": {"solution.py": WHOLE.encode()}, "other": {"helper.py": f"\n\n\n{WHOLE}".encode()}}
    (found,) = compare(handed, []).pairs
    assert (found.share, found.other_share, found.few) == (1.0, 1.0, False)
    (region,) = found.regions
    assert (region.file, region.other_file) == ("solution.py", "helper.py")
    assert region.lines[0] <= 5
    assert region.lines[1] >= WHOLE.count("\n") - 6, "what is after the last large statement is everybody's"
    assert region.other_lines == (region.lines[0] + 3, region.lines[1] + 3)


def test_renamed_variables_other_numbers_and_texts_match_wholly() -> None:
    disguised = WHOLE
    names = (
        "rows",
        "share",
        "order",
        "cut",
        "found",
        "wanted",
        "hits",
        "width",
        "table",
        "values",
        "query",
        "near",
    )
    for number, name in enumerate(names):
        disguised = disguised.replace(name, f"q{number}_")
    disguised = disguised.replace("64", "1_000").replace("0.5", "7e-3").replace("Ranker", "Tool")
    assert disguised != WHOLE
    assert pair(WHOLE, disguised) == (1.0, 1.0)


def test_inserted_comments_docstrings_and_blank_lines_match_wholly() -> None:
    lines = WHOLE.replace(":\n        hits", ":\n\n        # why\n        hits").split("\n")
    disguised = "\n".join(
        f"{line}  # note {i}\n" if line.endswith((")", ":")) else line for i, line in enumerate(lines)
    )
    disguised = disguised.replace("    hits = 0", '    """Said\n    otherwise."""\n    hits = 0')
    compile(disguised, "disguised", "exec")
    assert pair(WHOLE, disguised) == (1.0, 1.0)


def test_reordered_functions_match_but_for_the_seams() -> None:
    handed = {"one": {"a.py": WHOLE.encode()}, "other": {"a.py": (RANK + SCORE + SPLIT).encode()}}
    (found,) = compare(handed, []).pairs
    assert min(found.share, found.other_share) > 0.6
    assert len(found.regions) >= 3


def test_code_that_was_only_moved_in_among_other_code_is_found_on_the_copied_side() -> None:
    one, other = pair(SCORE + RANK, OTHER + SCORE + RANK)
    assert one > 0.85
    assert other < one


def test_other_code_is_not_alike() -> None:
    assert pair(WHOLE, OTHER) == (0.0, 0.0)


@pytest.mark.parametrize("task", ["semantic-search", "noisy-labels", "latency-budget"])
def test_the_reference_solutions_of_a_task_stay_far_below_the_threshold(task: str) -> None:
    handed = {
        tier.name: {file.name: file.read_bytes() for file in tier.glob("*.py")}
        for tier in sorted((ROOT / "reference_solutions" / task).iterdir())
    }
    starter = [*(ROOT / "tasks" / task / "starter").glob("*.py"), ROOT / "tasks" / task / "contract.py"]
    found = compare(
        {name: files for name, files in handed.items() if files}, [file.read_bytes() for file in starter]
    )
    assert not found.pairs
    assert len(found.parts) == 3
    assert all(part.own > 0 and part.share < 0.5 for part in found.parts), found.parts


def test_two_who_hand_in_the_starter_have_no_code_of_their_own() -> None:
    handed = {name: {"solution.py": WHOLE.encode()} for name in ("one", "other")}
    found = compare(handed, [WHOLE.encode()], 0.01)
    assert not found.pairs
    assert [(p.own, p.share, p.elsewhere, p.closest) for p in found.parts] == [(0, 0.0, 0.0, "")] * 2
    assert all(p.starter > 5 for p in found.parts)
    assert "no code of its own" in shown.render("toy", found, 0.5)


def test_the_starter_is_discounted_from_work_that_builds_on_it() -> None:
    assert pair(WHOLE + OTHER, WHOLE)[1] > 0.9
    _, share = pair(WHOLE + OTHER, WHOLE + OTHER.replace("with", "if True:\n        pass\n    with"), WHOLE)
    assert share > 0.3  # what both added is their own
    assert pair(WHOLE + OTHER, WHOLE, WHOLE) == (0.0, 0.0)


def test_what_many_have_is_common_counted_and_said_and_a_small_ring_is_not() -> None:
    handed = {f"c{i}": {"a.py": WHOLE.encode()} for i in range(6)}
    found = compare(handed, [])
    assert not found.pairs
    assert all(part.common > 5 and part.own == 0 for part in found.parts)
    assert len(found.notes) == 6
    ring = {f"c{i}": {"a.py": (WHOLE if i < COMMON_LEAST else "").encode()} for i in range(6)}
    assert len(compare(ring, []).pairs) == 3


def test_a_share_of_little_code_is_marked() -> None:
    handed = {name: {"a.py": SPLIT.encode()} for name in ("one", "other")}
    assert [found.few for found in compare(handed, []).pairs] == [True]


symbol = st.sampled_from("abcdefgh")


@given(
    shared=st.lists(symbol, min_size=GRAM + WINDOW - 1, max_size=60),
    around=st.tuples(*[st.lists(symbol, max_size=40)] * 4),
)
def test_every_shared_run_of_the_guaranteed_length_is_found(
    shared: list[str], around: tuple[list[str], ...]
) -> None:
    before, after, other_before, other_after = around
    kept = []
    for start, end in ((before, after), (other_before, other_after)):
        hashes = grams([*start, *shared, *end])
        inside = range(len(start), len(start) + len(shared) - GRAM + 1)
        kept.append({hashes[at] for at in winnow(hashes) if at in inside})
    assert kept[0] & kept[1]


@given(st.lists(st.integers(0, 5), max_size=80), st.integers(1, 12))
def test_every_window_has_a_chosen_hash_which_is_its_least(hashes: list[int], window: int) -> None:
    chosen = winnow(hashes, window)
    assert chosen == sorted(set(chosen))
    for start in range(len(hashes) - window + 1):
        within = [hashes[at] for at in chosen if start <= at < start + window]
        assert min(hashes[start : start + window]) in within


def test_a_long_table_of_numbers_has_few_fingerprints() -> None:
    table = grams([symbol for symbol, _ in tokens(f"T = [{'1, ' * 5000}]\n")])
    assert len(winnow(table)) <= len(table) / (WINDOW - 1) + 3


def test_hashes_are_the_same_in_every_process() -> None:
    code = "from harness.analysis.fingerprints import grams; print(grams(list('abcdefghijklmnopqrst')))"
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert said == {f"{grams(list('abcdefghijklmnopqrst'))}\n"}


BAD = {
    "huge.py": (b"x = 1\n" * 100_000, "larger than"),
    "binary.py": (b"\x7fELF\0\0", "binary"),
    "latin.py": ("# caf\xe9\n".encode("latin-1"), "not UTF-8"),
    "open.py": (b"x = '''never closed\n", "tokenises"),
    "dedent.py": (b"if x:\n        a\n    b\n", "tokenises"),
    "odd.py": (b"x = ?\n", "tokenises"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_has_one_note_and_the_rest_is_compared(name: str) -> None:
    content, word = BAD[name]
    good = {"solution.py": WHOLE.encode()}
    found = compare({"one": {**good, name: content}, "other": good}, [])
    assert len(found.notes) == 1
    assert name in found.notes[0]
    assert word in found.notes[0]
    assert found.pairs[0].other_share == 1.0


@pytest.mark.parametrize(
    "content", [b"(" * 100_000, b"x = " + b"-" * 50_000 + b"1\n", b"\r\xef\xbb\xbf", b"1if x else 2\n", b""]
)
def test_strange_files_do_no_harm(content: bytes) -> None:
    found = compare({"one": {"a.py": content}, "other": {"b.py": content}}, [content[:5]])
    assert len(found.parts) == 2


@given(st.binary(max_size=300))
def test_no_bytes_break_it(content: bytes) -> None:
    assert len(compare({"one": {"a.py": content}}, []).notes) <= 1


def test_a_copy_that_no_longer_tokenises_still_matches_one_that_does_not_either() -> None:
    assert pair(f"{WHOLE}x = '", f"{WHOLE}y = '")[0] > 0.95


def test_hostile_names_are_cleaned_in_the_text() -> None:
    alias, file = "eve\x1b[31m\nnote: all is well\u202e", "a\x1b]0;owned\x07\n.py"
    region = Region(file, (1, 9), "b.py", (2, 2))
    found = Found(
        (Part(candidate=alias, own=10, starter=0, common=0, closest=alias, share=1.0, elsewhere=1.0),),
        (
            SharedCode(
                one=alias, other="bob", shared=10, share=1.0, other_share=0.5, few=False, regions=(region,)
            ),
        ),
        0,
        (f"{alias}: x",),
    )
    text = shown.render("toy", found, 0.5)
    assert not set(text) & {"\x1b", "\x07", "\u202e"}
    assert "eve note: all is well and bob: 100% of what" in text
    assert not any(line.startswith("note: all is well") for line in text.splitlines())
    assert "a .py:1-9  is like  b.py:2" in text
    assert json.loads(to_json(shown.summary("toy", found, 0.5)))["pairs"][0]["candidates"][0] == alias


def test_a_thousand_submissions_share_one_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: regions are laid out for listed pairs only, never for every two."""
    laid: list[int] = []
    real = similarity._regions
    monkeypatch.setattr(similarity, "_regions", lambda a, b: laid.append(1) or real(a, b))
    handed = {
        f"c{i:04}": {
            "a.py": "".join(
                f"x{i} {'+-*/%'[(i >> (2 * j)) % 4]}= {'(' * (j + 1)}{i}{')' * (j + 1)}\n" for j in range(12)
            ).encode()
        }
        for i in range(1000)
    }
    handed["c0001"] = handed["c0900"] = {"a.py": WHOLE.encode()}
    found = compare(handed, [], 0.999)
    assert ("c0001", "c0900") in [(p.one, p.other) for p in found.pairs]
    assert len(laid) == len(found.pairs) <= similarity.MOST_PAIRS
    assert len(found.parts) == 1000


@pytest.fixture
def handed_in(tmp_path: Path) -> Path:
    """Three candidates of the toy task: two alike, one an archive, and one link to what is outside."""
    top = tmp_path / "handed-in"
    for name, code in (("ann", WHOLE), ("bob", WHOLE.replace("rows", "lines"))):
        (top / name / "toy-squares").mkdir(parents=True)
        (top / name / "toy-squares" / "solution.py").write_text(code)
    (tmp_path / "secret.py").write_text(WHOLE)
    (top / "bob" / "toy-squares" / "linked.py").symlink_to(tmp_path / "secret.py")
    (top / "bob" / "toy-squares" / "around").symlink_to(tmp_path)
    with zipfile.ZipFile(top / "cy.zip", "w") as archive:
        archive.writestr("toy-squares/solution.py", OTHER)
    return top


def test_the_verb_names_the_pair_the_lines_and_says_that_it_is_a_hint(handed_in: Path) -> None:
    said = harness("similar", handed_in, "--tasks", TOYS)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(
        "toy-squares: 3 submissions, 1 pair with a share of 50% or more, and 0 with public solutions\n"
    )
    assert "ann and bob: 100% of what ann wrote and 100% of what bob wrote" in said.out
    assert "solution.py:4-" in said.out
    assert "linked.py is a link" in said.out
    assert "around is a link" in said.out
    assert "never a verdict" in said.out


def test_the_verbs_json(handed_in: Path) -> None:
    found = harness(
        "similar", handed_in, "--tasks", TOYS, "--task", "toy-squares", "--threshold", "0.9", "--json"
    ).json
    assert "never a verdict" in found["hint"]
    (task,) = found["tasks"]
    assert (task["task"], task["threshold"], task["pairs_left_out"]) == ("toy-squares", 0.9, 0)
    assert [p["candidates"] for p in task["pairs"]] == [["ann", "bob"]]
    assert task["pairs"][0]["shares"] == [1.0, 1.0]
    parts = {part["candidate"]: part for part in task["submissions"]}
    assert (parts["cy"]["share"], parts["cy"]["closest"]) == (0.0, None)
    assert parts["cy"]["own"] > 0


def test_the_starter_and_the_contract_of_the_task_do_not_count(tmp_path: Path) -> None:
    task = tasks.read(TOYS / "toy-squares")
    for name in ("ann", "bob"):
        folder = tmp_path / "in" / name / "toy-squares"
        shutil.copytree(task.starter, folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copyfile(task.contract, folder / "contract.py")
    found = harness("similar", tmp_path / "in", "--tasks", TOYS, "--threshold", "0.01", "--json").json
    assert found["tasks"][0]["pairs"] == []
    assert {part["own"] for part in found["tasks"][0]["submissions"]} == {0}


def test_wrong_calls_are_refused(handed_in: Path, tmp_path: Path) -> None:
    assert "does not exist" in refused("similar", tmp_path / "nowhere")
    assert "no task 'nosuch'" in refused("similar", handed_in, "--task", "nosuch")
    assert "threshold" in refused("similar", handed_in, "--threshold", "0")
    assert "holds no submission" in refused("similar", handed_in, "--tasks", TOYS, "--task", "toy-pairs")


def test_a_pipe_is_not_waited_for(handed_in: Path) -> None:
    os.mkfifo(handed_in / "ann" / "toy-squares" / "pipe.py")
    said = harness("similar", handed_in, "--tasks", TOYS)
    assert said.code == 0
    assert "pipe.py is a link or cannot be read" in said.out


def test_the_numbers_are_those_that_the_page_states() -> None:
    page = " ".join((ROOT / "docs" / "similarity.md").read_text("utf-8").split())
    for words in (
        f"every sequence of k = {GRAM} symbols",
        f"every w = {WINDOW} successive hashes",
        f"cut off after {trees.DEPTH} levels",
        f"{trees.LEAST} nodes or more",
        f"texts of {trees.TEXT_FROM} characters or more",
        f"reaches {similarity.THRESHOLD:.0%}".replace("%", " %"),
        f"With {similarity.COMMON_FROM} submissions or more",
        f"that is in more than {similarity.COMMON_SHARE:.0%} of them".replace("%", " %"),
        f"in more than {COMMON_LEAST}, is not counted",
        f"The {similarity.MOST_PAIRS} most similar pairs",
        f"fewer than {similarity.FEW} fingerprints",
        f"larger than {fingerprints.MOST_FILE_BYTES >> 10} KiB",
    ):
        assert words in page, words


@pytest.mark.parametrize(
    ("sizes", "few"), [((20, 20), False), ((19, 20), True), ((20, 19), True), ((21, 50), False)]
)
def test_a_share_is_marked_where_either_has_fewer_than_twenty_fingerprints(
    sizes: tuple[int, int], few: bool
) -> None:
    own = [set(range(size)) for size in sizes]
    found = similarity._pair(("one", "other"), own, ([], []), (0, 1, 4))
    assert (found.few, found.share, found.other_share) == (few, 4 / sizes[0], 4 / sizes[1])


def test_closest_is_who_shares_most_wherever_he_is_listed() -> None:
    own = [{1, 2, 3, 4, 5}, {1, 9}, {1, 2, 3, 8}, {1, 2}]
    values = [each | {77} for each in own]
    shared = list(similarity._shared(own))
    assert shared == [(0, 1, 1), (0, 2, 3), (0, 3, 2), (1, 2, 1), (1, 3, 1), (2, 3, 2)]
    parts = similarity._parts("abcd", own, values, {77}, set(), shared)
    assert [(p.closest, p.share) for p in parts] == [("c", 3 / 5), ("a", 1 / 2), ("a", 3 / 4), ("a", 1.0)]
    assert [p.elsewhere for p in parts] == [3 / 5, 1 / 2, 3 / 4, 1.0]
    assert {(p.starter, p.common) for p in parts} == {(1, 0)}


def repeated(times: int, file: str, value: int = 5) -> list[similarity.Print]:
    return [similarity.Print(value, file, at, at, at) for at in range(times)]


@pytest.mark.parametrize(
    ("here", "there", "places"),
    [
        (2, 3, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]),
        (5, 5, [(n, n) for n in range(5)]),
        (3, 6, [(0, 0), (1, 1), (2, 2), (2, 3), (2, 4), (2, 5)]),
        (6, 3, [(0, 0), (1, 1), (2, 2), (3, 2), (4, 2), (5, 2)]),
    ],
)
def test_what_repeats_is_laid_out_in_every_way_or_in_turn(
    here: int, there: int, places: list[tuple[int, int]]
) -> None:
    found = list(similarity._matches(repeated(here, "a.py"), repeated(there, "b.py")))
    assert [(a.at, b.at) for a, b in found] == places
    assert {(a.file, b.file) for a, b in found} == {("a.py", "b.py")}


def test_sixteen_ways_to_lay_a_fingerprint_are_all_shown() -> None:
    assert len(list(similarity._matches(repeated(4, "a.py"), repeated(4, "b.py")))) == 16
    assert len(list(similarity._matches(repeated(3, "a.py"), repeated(6, "b.py")))) == 6


OUTER = Region("a.py", (10, 20), "b.py", (30, 40))


@pytest.mark.parametrize(
    ("inner", "within"),
    [
        (OUTER, True),
        (Region("a.py", (12, 18), "b.py", (31, 39)), True),
        (Region("c.py", (12, 18), "b.py", (31, 39)), False),
        (Region("a.py", (12, 18), "c.py", (31, 39)), False),
        (Region("a.py", (9, 20), "b.py", (30, 40)), False),
        (Region("a.py", (10, 21), "b.py", (30, 40)), False),
        (Region("a.py", (10, 20), "b.py", (29, 40)), False),
        (Region("a.py", (10, 20), "b.py", (30, 41)), False),
    ],
)
def test_a_region_is_within_another_on_both_sides_or_not_at_all(inner: Region, within: bool) -> None:
    assert similarity._within(inner, OUTER) is within


def test_a_file_at_the_limit_is_read_and_one_beyond_is_not() -> None:
    most = fingerprints.MOST_FILE_BYTES
    content = WHOLE.encode() + b"#" * (most - len(WHOLE.encode()))
    for extra, notes in ((b"", 0), (b"#", 1)):
        found = compare({"one": {"a.py": content + extra}, "other": {"a.py": WHOLE.encode()}}, [])
        assert (len(found.notes), len(found.pairs)) == (notes, 1 - notes)


def test_a_pair_exactly_at_the_threshold_is_listed_and_the_rest_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = [set(range(4)), {0, 1, 10, 11, 12}, {0, 20, 21, 22}]
    shared = list(similarity._shared(own))
    assert similarity._listed("abc", own, shared, 0.5) == ([(0, 1, 2)], 0)
    assert similarity._listed("abc", own, shared, 0.51) == ([], 0)
    monkeypatch.setattr(similarity, "MOST_PAIRS", 1)
    assert similarity._listed("abc", own, shared, 0.1) == ([(0, 1, 2)], 2)


def test_common_is_more_than_the_share_and_more_than_three() -> None:
    def held(having: int, others: int) -> list[set[int]]:
        return [{1}] * having + [set()] * others

    assert similarity._common(held(4, 0)) == set(), "among four nothing is common"
    assert similarity._common(held(4, 1)) == {1}
    assert similarity._common(held(3, 2)) == set()
    assert similarity._common(held(6, 14)) == set(), "exactly the share is not more"
    assert similarity._common(held(7, 13)) == {1}


def test_of_pairs_that_are_as_much_alike_the_one_that_shares_more_comes_first() -> None:
    little, much = SPLIT.encode(), (SCORE + RANK).encode()
    handed = {name: {"a.py": code} for name, code in zip("abcd", (little, little, much, much), strict=True)}
    pairs = compare(handed, []).pairs
    assert [(p.one, p.other, p.share) for p in pairs] == [("c", "d", 1.0), ("a", "b", 1.0)]
    assert pairs[0].shared > pairs[1].shared


def marks(text: str, file: str) -> list[Print]:
    """Fingerprints by letter and place, `v0 w10`: each on the line of its number and the next."""
    return [Print(ord(m[0]), file, int(m[1:]), int(m[1:]), int(m[1:]) + 1) for m in text.split()]


@pytest.mark.parametrize(
    ("one", "other", "regions"),
    [
        # both sides go on together, and 41 tokens may lie between
        ("v0 w41", "v100 w141", [((0, 42), (100, 142))]),
        ("v0 w42", "v100 w141", [((0, 1), (100, 101)), ((42, 43), (141, 142))]),
        ("v0 w41", "v100 w142", [((0, 1), (100, 101)), ((41, 42), (142, 143))]),
        # the other side goes back, or stands still
        ("v0 w10", "v120 w100", [((0, 1), (120, 121)), ((10, 11), (100, 101))]),
        ("v0 v10", "v100", [((0, 1), (100, 101)), ((10, 11), (100, 101))]),
        # an idiom at the start that two longer regions show on both sides
        ("v0 w10 v100 x110", "v200 x210 v300 w310", [((0, 11), (300, 311)), ((100, 111), (200, 211))]),
    ],
)
def test_lines_are_one_region_where_both_sides_go_on_together(
    one: str, other: str, regions: list[tuple[tuple[int, int], tuple[int, int]]]
) -> None:
    laid = similarity._regions(marks(one, "a.py"), marks(other, "b.py"))
    assert [(r.lines, r.other_lines) for r in laid] == regions
    assert {(r.file, r.other_file) for r in laid} == {("a.py", "b.py")}


def test_a_region_ends_with_its_file_and_regions_are_in_the_order_of_the_first_ones_lines() -> None:
    one = marks("v0 w10 x20", "a.py") + marks("y30", "c.py")
    other = marks("v100", "z.py") + marks("w110 x120 y130", "b.py")
    assert similarity._regions(one, other) == (
        Region("a.py", (0, 1), "z.py", (100, 101)),
        Region("a.py", (10, 21), "b.py", (110, 121)),
        Region("c.py", (30, 31), "b.py", (130, 131)),
    )


@pytest.mark.timeout(20)
def test_names_that_are_given_for_each_other_end() -> None:
    inner = "    def inner():\n        a = b + 1\n        return a + 1\n    return inner\n"
    assert trees.marks(f"def outer():\n    b = a + 1\n{inner}") is not None


def test_names_that_are_no_text_and_endless_folders_are_left_out_with_a_note(tmp_path: Path) -> None:
    (tmp_path / "solution.py").write_text("a = 1")
    place = os.fsencode(tmp_path)
    for _ in range(60):
        place += b"/d"
        os.mkdir(place)
    os.close(os.open(os.fsencode(tmp_path) + b"/x\xff.bin", os.O_CREAT))
    notes: list[str] = []
    held = comparable.contents(tmp_path, "bo", notes)
    assert list(held.code) == ["solution.py"]
    assert not held.others
    assert [note.split("; ")[0] for note in notes] == [
        "bo: 1 files or folders with names that are no text",
        "bo: folders deeper than 32 are left out",
    ]
