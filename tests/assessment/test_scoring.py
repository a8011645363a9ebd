"""The path from a folder of submissions to a sheet: what is asked, what is kept, what is asked again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis.equating import equating, in_words
from harness.assessment import suites
from harness.assessment.executors.base import Event, Unit, UnitDone, lost
from harness.assessment.executors.payload import Payload
from harness.assessment.scoring import ScoreRequest, measure, score
from harness.assessment.secret import secret_of, shuffled
from harness.cli.assessments import check_verb
from harness.grading.criteria import Criteria, Objective, Plausible
from harness.machine import devices, program
from harness.records import Culprit, Outcome, Rung
from harness.runs.seeds import root_of
from harness.sheets import Assessment, Cell, CellConstraint, Sheet, Suite, TaskInSuite, Variants
from harness.store.ledger import Ledger
from harness.store.results import Store, home
from tests.conftest import TOYS


class Quiet:
    """A watcher that counts what was to be measured, and keeps the notes."""

    def __init__(self) -> None:
        self.missing = -1
        self.notes: list[str] = []
        self.disputes: list[str] = []

    def begin(self, sheet: Sheet, missing: Sequence[Unit]) -> None:
        self.missing = len(missing)

    def event(self, unit: Unit, event: Event) -> None: ...

    def done(self, unit: Unit, cell: Cell, seconds: float) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)

    def overtaken(self, text: str) -> None:
        self.disputes.append(text)


class Fake:
    """An engine that measures nothing: each unit comes back with the outcome given."""

    name = "fake"

    def __init__(self, outcome: Outcome = "ok") -> None:
        self.outcome, self.units = outcome, list[Unit]()

    def run(
        self, units: Sequence[Unit], kept: Callable[[UnitDone], None], seen: Callable[[Unit, Event], None]
    ) -> None:
        for unit in units:
            self.units.append(unit)
            cell = Cell(
                candidate=unit.candidate, task=unit.task, outcome=self.outcome, run_id=f"r-{unit.key[:6]}"
            )
            kept(UnitDone(unit, cell.model_dump_json(), 1.0))


@pytest.fixture
def asked(tmp_path: Path) -> ScoreRequest:
    tasks = ("toy-squares", "toy-pairs")
    text = "".join(f'[[tasks]]\nid = "{task}"\nprofile = "ci-smoke"\n' for task in tasks)
    (tmp_path / "toys.toml").write_text(text)
    for alias in ("anna", "bela"):
        for task in tasks:
            shutil.copytree(TOYS / task / "starter", tmp_path / "handed" / alias / task)
    return ScoreRequest(suite=str(tmp_path / "toys.toml"), place=tmp_path / "handed", tasks_root=TOYS)


def units(asked: ScoreRequest, store: Store) -> dict[tuple[str, str], Payload]:
    engine = Fake()
    score(asked, store, engine, Quiet())
    return {(u.candidate, u.task): Payload.model_validate_json(u.payload) for u in engine.units}


def test_every_cell_is_filled_and_nothing_is_asked_twice(asked: ScoreRequest, store: Store) -> None:
    shutil.rmtree(asked.place / "bela" / "toy-pairs")
    (asked.place / "bela" / "toy-squares" / "solution.py").unlink()
    (asked.place / "cleo").mkdir()
    (asked.place / "notes.txt").write_text("who handed in what")
    (asked.place / "dora.zip").write_bytes(b"this is no archive")
    watch, engine = Quiet(), Fake()
    sheet = score(asked, store, engine, watch)
    assert watch.notes == ["'notes.txt' is neither a candidate's folder nor an archive; left out"]
    assert (len(sheet.assessment.id), len(sheet.assessment.seed_id)) == (12, 12)
    outcomes = {(c.candidate, c.task): c.outcome for c in sheet.cells}
    assert outcomes == {
        ("anna", "toy-squares"): "ok",
        ("anna", "toy-pairs"): "ok",
        ("bela", "toy-squares"): "malformed",
        ("bela", "toy-pairs"): "not_attempted",
        ("cleo", "toy-squares"): "not_attempted",
        ("cleo", "toy-pairs"): "not_attempted",
        ("dora", "toy-squares"): "malformed",
        ("dora", "toy-pairs"): "malformed",
    }
    reasons = {reason for cell in sheet.cells if cell.candidate == "dora" for reason in cell.reasons}
    assert len(reasons) == 1
    assert str(asked.place) not in reasons.pop()
    assert {u.memory_bytes for u in engine.units} == {2**29}, "the task's half a GiB"
    again = Fake()
    assert score(asked, store, again, watch) == sheet
    assert (again.units, watch.missing) == ([], 0)


def test_what_is_changed_is_measured_again_and_nothing_else(asked: ScoreRequest, store: Store) -> None:
    score(asked, store, Fake(), Quiet())
    with (asked.place / "anna" / "toy-pairs" / "solution.py").open("a") as file:
        file.write("\n# another thought\n")
    engine = Fake()
    score(asked, store, engine, Quiet())
    assert [(u.candidate, u.task) for u in engine.units] == [("anna", "toy-pairs")]


def test_our_faults_are_tried_again_and_open_cells_when_asked(asked: ScoreRequest, store: Store) -> None:
    score(asked, store, Fake("harness_error"), Quiet())
    inconclusive = Fake("inconclusive")
    score(asked, store, inconclusive, Quiet())
    assert len(inconclusive.units) == 4
    left, retried = Fake(), Fake()
    score(asked, store, left, Quiet())
    assert left.units == []
    score(replace(asked, retry_open=True), store, retried, Quiet())
    assert all(Payload.model_validate_json(u.payload).instead_of.startswith("r-") for u in retried.units)
    assert len(retried.units) == 4


def test_what_is_open_by_its_own_doing_is_measured_again_once(asked: ScoreRequest, store: Store) -> None:
    class Open(Fake):
        """Every run is one of its own, and open: by its own doing where `by` says so."""

        def __init__(self, by: Culprit) -> None:
            super().__init__("inconclusive")
            self.by: Culprit = by

        def run(
            self, units: Sequence[Unit], kept: Callable[[UnitDone], None], seen: Callable[[Unit, Event], None]
        ) -> None:
            def named(done: UnitDone) -> None:
                limit = {
                    "name": "x",
                    "unit": "x",
                    "verdict": "inconclusive",
                    "threshold": 1.0,
                    "open_by": self.by,
                }
                limit |= {"value": 2.0, "low": 0.5, "high": 8.0, "bound": "at_most"}
                cell = Cell.model_validate_json(done.cell).model_copy(
                    update={
                        "run_id": f"r-{len(runs)}",
                        "submission_digest": done.unit.key,
                        "constraints": (CellConstraint.model_validate(limit),),
                    }
                )
                runs.append(cell)
                kept(UnitDone(done.unit, cell.model_dump_json(), 1.0))

            super().run(units, named, seen)

    runs: list[Cell] = []
    again = replace(asked, retry_open=True)
    for engine, due in (
        (Open("candidate"), 4),
        (Open("candidate"), 4),
        (Open("candidate"), 0),
        (Open("evaluator"), 0),
        (Open(""), 0),
    ):
        score(again, store, engine, Quiet())
        assert len(engine.units) == due
    with (asked.place / "anna" / "toy-pairs" / "solution.py").open("a") as file:
        file.write("\n# another thought\n")
    for engine, due in (
        (Open("machine"), 1),
        (Open("machine"), 1),
        (Open("machine"), 1),
        (Fake(), 1),
        (Fake(), 0),
    ):
        score(
            again, store, engine, Quiet()
        )  # what the machine leaves open is measured again as often as is asked
        assert len(engine.units) == due


def test_all_candidates_have_the_same_instances_or_each_his_own(asked: ScoreRequest, store: Store) -> None:
    same = units(asked, store)
    assert same["anna", "toy-pairs"].root == same["bela", "toy-pairs"].root
    assert same["anna", "toy-pairs"].root != same["anna", "toy-squares"].root
    own = units(replace(asked, variants="per-candidate"), store)
    assert len({payload.root for payload in (*own.values(), *same.values())}) == 6
    assert own["anna", "toy-pairs"].assessment != same["anna", "toy-pairs"].assessment


def test_the_secret_is_made_once_is_private_and_is_nowhere_in_the_results(
    asked: ScoreRequest, store: Store
) -> None:
    score(asked, store, Fake(), Quiet())
    (file,) = (store.folder / "assessments").glob("*.secret")
    secret = file.read_bytes().strip()
    assert len(bytes.fromhex(secret.decode())) == 16
    assert file.stat().st_mode & 0o777 == 0o600
    assert secret_of("toys", store.folder, None) == b"secret:" + secret
    for kept in (path for path in store.folder.rglob("*") if path.is_file() and path != file):
        assert secret not in kept.read_bytes()
    assert root_of(b"a", "task") != root_of(b"b", "task")


def test_the_order_is_in_rounds_and_nobody_is_always_first() -> None:
    given = [
        Unit(candidate=f"c{c}", task=f"t{t}", key=f"{c}{t}", payload="") for c in range(5) for t in range(20)
    ]
    found = shuffled(given, b"secret")
    assert sorted(u.key for u in found) == sorted(u.key for u in given)
    assert found == shuffled(list(reversed(given)), b"secret")
    assert found != shuffled(given, b"another")
    rounds = [found[start : start + 5] for start in range(0, 100, 5)]
    assert all(len({unit.candidate for unit in one}) == 5 for one in rounds)
    assert len({one[0].candidate for one in rounds}) > 2


def test_a_clock_decides_where_a_time_is_judged() -> None:
    assert not Criteria(objective=Objective(measure="accuracy")).is_timed()
    assert Criteria(objective=Objective(measure="build_seconds")).is_timed()
    bound = Plausible(measure="answer_throughput", high=1.0, because="x")
    assert Criteria(objective=Objective(measure="accuracy"), plausible=(bound,)).is_timed()


def test_a_lost_unit_is_ours() -> None:
    cell = Cell.model_validate_json(lost(Unit(candidate="anna", task="toy", key="k", payload=""), "it ended"))
    assert (cell.outcome, cell.standing, cell.reasons) == ("harness_error", "open", ("it ended",))


def test_the_programs_digest_is_over_what_can_change_a_score(tmp_path: Path) -> None:
    for name in ("records.py", "grading/grade.py", "cli/x.py", "reports/html.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    first = program.program_digest(tmp_path)
    (tmp_path / "reports" / "html.py").write_text("2")
    (tmp_path / "cli" / "x.py").write_text("2")
    assert program.program_digest(tmp_path) == first
    for name in ("grading/grade.py", "records.py"):
        before = program.program_digest(tmp_path)
        (tmp_path / name).write_text("2")
        assert program.program_digest(tmp_path) != before


def test_equating_shows_how_far_the_anchors_wander() -> None:
    suite = Suite(name="s", title="s", tasks=(TaskInSuite(id="toy"),))
    known = Assessment(
        id="a", suite=suite, seed_id="x", begun_at="", harness_version="", variants="per-candidate"
    )
    cells = tuple(
        Cell(
            candidate=alias,
            task="toy",
            outcome="ok",
            instances=(instance,),
            ladder=(
                Rung(tier="baseline", objective=low, points=0),
                Rung(tier="expert", objective=high, points=100),
            ),
        )
        for alias, instance, low, high in (("a", "i", 1, 3), ("b", "j", 3, 7), ("c", "j", 3, 7))
    )
    baseline, expert = equating(Sheet(assessment=known, candidates=("a", "b", "c"), cells=cells))
    assert (baseline.variants, baseline.mean, expert.mean) == (2, 2, 5)
    assert baseline.spread == pytest.approx(2**0.5)
    assert expert.share == pytest.approx(8**0.5 / 3)  # the distance is 3 on average
    assert "2 variants" in in_words((baseline,))[0]


def test_a_new_weight_is_a_new_assessment_and_measures_nothing(asked: ScoreRequest, store: Store) -> None:
    first = score(asked, store, Fake(), Quiet())
    suite = Path(asked.suite)
    suite.write_text(suite.read_text() + "weight = 3\n")
    engine = Fake()
    second = score(asked, store, engine, Quiet())
    assert engine.units == []
    assert second.assessment.id != first.assessment.id
    assert second.cells == first.cells


@pytest.mark.parametrize(("by", "again"), [("evaluator", 0), ("candidate", 4)])
def test_what_waits_for_a_look_is_taken_over_as_it_was_measured(
    asked: ScoreRequest, store: Store, by: Culprit, again: int
) -> None:
    class Waits(Fake):
        def run(
            self, units: Sequence[Unit], kept: Callable[[UnitDone], None], seen: Callable[[Unit, Event], None]
        ) -> None:
            limit = {"name": "x", "unit": "x", "verdict": "inconclusive", "threshold": 1.0, "open_by": by}
            limit |= {"value": 2.0, "low": 2.0, "high": 2.0, "bound": "at_most"}
            update = {"constraints": (CellConstraint.model_validate(limit),)}

            def waits(done: UnitDone) -> None:
                cell = Cell.model_validate_json(done.cell).model_copy(update=update)
                kept(UnitDone(done.unit, cell.model_dump_json(), 1.0))

            super().run(units, waits, seen)

    first = score(asked, store, Waits("inconclusive"), Quiet())
    suite = Path(asked.suite)
    suite.write_text(suite.read_text() + "weight = 3\n")
    engine = Waits("inconclusive")
    second = score(asked, store, engine, Quiet())
    assert len(engine.units) == again
    assert second.assessment.id != first.assessment.id


def test_measuring_a_suite_leaves_its_own_assessments_alone(asked: ScoreRequest, store: Store) -> None:
    engine = Fake()
    sheet = measure(asked.suite, TOYS, store, engine, Quiet())
    assert sheet.assessment.suite.name == "toys-references"
    assert {(u.candidate, u.task) for u in engine.units} == {
        ("expert", "toy-squares"),
        ("expert", "toy-pairs"),
    }
    folders = {Path(Payload.model_validate_json(u.payload).folder) for u in engine.units}
    assert folders == {TOYS / u.task / "reference_solutions" / "expert" for u in engine.units}
    again = Fake()
    assert measure(asked.suite, TOYS, store, again, Quiet()) == sheet
    assert again.units == []


def test_the_minutes_of_a_suite_are_added_up_once_every_task_was_measured(
    asked: ScoreRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    store = Store.open(home())
    suite = suites.read(asked.suite, TOYS)
    ledger = Ledger(store)
    ledger.open(
        Assessment(id="one", suite=suite, seed_id="s", begun_at="2026-01-01", harness_version="0"), ["x"]
    )
    for seconds, task in ((90.0, "toy-squares"), (30.0, "toy-pairs")):
        check_verb(asked.suite, tasks=TOYS)
        assert "Scoring a candidate takes" not in capsys.readouterr().out
        here = suites.machines(suite)[task]
        cell = Cell(
            candidate="x", task=task, outcome="ok", run_id=task, machine_id=here, wall_seconds=seconds
        )
        ledger.keep("one", cell, "unit")
    check_verb(asked.suite, tasks=TOYS)
    assert "Scoring a candidate takes 2.0 minutes here" in capsys.readouterr().out
    store.engine.dispose()


def unit(candidate: str, task: str, key: str) -> Unit:
    return Unit(candidate=candidate, task=task, key=key, payload="")


def test_the_order_leaves_nobody_out_who_has_more_to_measure_than_others() -> None:
    given = [unit("a", "t0", "a0"), *(unit("b", f"t{t}", f"b{t}") for t in range(3))]
    found = shuffled(given, b"secret")
    assert sorted(one.key for one in found) == ["a0", "b0", "b1", "b2"]
    assert "a" in {one.candidate for one in found[:2]}
    assert shuffled([], b"secret") == []


def test_a_cell_that_is_asked_anew_is_measured_though_another_assessment_knows_it(
    asked: ScoreRequest, store: Store
) -> None:
    score(asked, store, Fake("inconclusive"), Quiet())
    suite = Path(asked.suite)
    before = suite.read_text()
    suite.write_text(before + "weight = 3\n")
    elsewhere = Fake()
    score(asked, store, elsewhere, Quiet())
    assert len(elsewhere.units) == 4, "what is open is never taken over"
    suite.write_text(before)
    engine = Fake()
    score(replace(asked, retry_open=True), store, engine, Quiet())
    assert len(engine.units) == 4, "to ask again is to measure again"


def test_the_programs_digest_is_the_same_in_whatever_order_files_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(name)
    listed = sorted(tmp_path.glob("*.py"))
    digests = set()
    for order in (listed, listed[::-1]):
        monkeypatch.setattr(Path, "glob", lambda self, pattern, order=order: iter(order))
        digests.add(program.program_digest(tmp_path))
    assert len(digests) == 1


def test_only_what_is_open_is_asked_again(asked: ScoreRequest, store: Store) -> None:
    score(asked, store, Fake(), Quiet())
    engine = Fake()
    score(replace(asked, retry_open=True), store, engine, Quiet())
    assert engine.units == []


def test_what_another_assessment_measured_is_taken_over_where_the_old_hand_in_comes_back(
    asked: ScoreRequest, store: Store
) -> None:
    suite, file = Path(asked.suite), asked.place / "anna" / "toy-pairs" / "solution.py"
    before, handed = suite.read_text(), file.read_text()
    score(asked, store, Fake(), Quiet())
    suite.write_text(before + "weight = 3\n")
    score(asked, store, Fake(), Quiet())
    file.write_text(handed + "\n# another thought\n")
    changed = Fake()
    score(asked, store, changed, Quiet())
    assert [(u.candidate, u.task) for u in changed.units] == [("anna", "toy-pairs")]
    file.write_text(handed)
    back = Fake()
    sheet = score(asked, store, back, Quiet())
    assert back.units == []
    history = Ledger(store).history(sheet.assessment.id)
    assert [entry.why for entry in history] == ["measured again", "measured in another assessment"]
    shutil.rmtree(file.parent)
    quiet = Quiet()
    after = score(asked, store, Fake(), quiet)
    assert after.cells == sheet.cells, "a result is not replaced by nothing"
    assert "anna: nothing was handed in for toy-pairs this time; its result of before stands" in quiet.notes
    assert len(Ledger(store).history(sheet.assessment.id)) == 2


def test_a_unit_is_planned_for_the_device_that_this_machine_has(
    asked: ScoreRequest, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.toml").write_text('extends = "ci-smoke"\ndevice = "auto"\nthreads = 2\n')
    suite = Path(asked.suite)
    suite.write_text(suite.read_text().replace("ci-smoke", str(tmp_path / "own.toml")))
    monkeypatch.setattr(devices, "resolve", lambda device: {"auto": "cuda"}[device])
    engine = Fake()
    score(asked, store, engine, Quiet())
    assert {(u.device, u.threads) for u in engine.units} == {("cuda", 2)}
    assert {Payload.model_validate_json(u.payload).profile["device"] for u in engine.units} == {"cuda"}


@pytest.mark.parametrize(("variants", "tellings"), [("same", 2), ("per-candidate", 4)])
def test_units_say_whose_instances_they_share(
    asked: ScoreRequest, store: Store, variants: Variants, tellings: int
) -> None:
    engine = Fake()
    score(replace(asked, variants=variants), store, engine, Quiet())
    assert len(engine.units) == 4
    assert len({unit.instances for unit in engine.units}) == tellings
    assert all(unit.may_run_beside([]) for unit in engine.units)
    anna, *others = [unit for unit in engine.units if unit.candidate == "anna"]
    assert anna.may_run_beside(others), "another task's instances are others"


class Overtaken(Fake):
    """An engine that is so slow that another command scores the same meanwhile."""

    def __init__(self, meanwhile: Callable[[], object], outcome: Outcome = "ok") -> None:
        super().__init__(outcome)
        self.meanwhile = meanwhile

    def run(
        self, units: Sequence[Unit], kept: Callable[[UnitDone], None], seen: Callable[[Unit, Event], None]
    ) -> None:
        self.meanwhile()
        super().run(units, kept, seen)


def test_of_two_commands_at_once_the_later_replaces_nothing_in_silence(
    asked: ScoreRequest, store: Store, tmp_path: Path
) -> None:
    shutil.copytree(asked.place, tmp_path / "newer")
    with (tmp_path / "newer" / "anna" / "toy-pairs" / "solution.py").open("a") as file:
        file.write("\n# another thought\n")
    newer = replace(asked, place=tmp_path / "newer")
    watch, first, theirs = Quiet(), Fake(), Quiet()
    sheet = score(asked, store, Overtaken(lambda: score(newer, store, first, theirs)), watch)
    keys = {(unit.candidate, unit.task): unit.key for unit in first.units}
    (cell,) = [cell for cell in sheet.cells if (cell.candidate, cell.task) == ("anna", "toy-pairs")]
    assert cell.run_id == f"r-{keys['anna', 'toy-pairs'][:6]}"
    (words,) = watch.disputes
    assert "anna on toy-pairs: another command scored it meanwhile, and its result stands" in words
    assert theirs.disputes == []


def test_a_fault_of_ours_replaces_nothing_that_another_command_scored(
    asked: ScoreRequest, store: Store
) -> None:
    watch = Quiet()
    slow = Overtaken(lambda: score(asked, store, Fake(), Quiet()), "harness_error")
    sheet = score(asked, store, slow, watch)
    assert {cell.outcome for cell in sheet.cells} == {"ok"}
    assert watch.disputes == [], "both measured the same submissions"
