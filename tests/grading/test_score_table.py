"""The table of an assessment as it fills: a line for each unit where there is no terminal, and when it is done."""

from __future__ import annotations

import pytest

from harness.assessment.executors.base import Unit
from harness.cli.progress import MOST_ROWS, Table, table_of
from harness.reports.run.text import to_text
from harness.sheets import Assessment, Cell, Sheet, Suite, TaskInSuite, not_attempted


def sheet(count: int) -> Sheet:
    suite = Suite(name="s", title="s", tasks=(TaskInSuite(id="toy"),))
    known = Assessment(id="a", suite=suite, seed_id="x", begun_at="", harness_version="")
    aliases = tuple(f"c{number}" for number in range(count))
    return Sheet(assessment=known, candidates=aliases, cells=(not_attempted("c0", "toy"),))


def test_plain_lines_count_and_tell_what_remains(capsys: pytest.CaptureFixture[str]) -> None:
    units = [Unit(candidate=f"c{number}", task="toy", key=str(number), payload="") for number in (1, 2)]
    with Table("score s") as table:
        table.begin(sheet(3), units)
        table.note("an \x1b[31modd note")
        table.done(units[0], Cell(candidate="c1", task="toy", outcome="ok"), 75.0)
    said = capsys.readouterr()
    assert said.out == ""
    assert "2 to measure, 1 known already" in said.err
    assert "1 of 2: c1 on toy: ok; about 0:01:15 remaining" in said.err
    assert "\x1b" not in said.err


@pytest.mark.parametrize(("count", "row"), [(3, "▶ runs"), (MOST_ROWS + 1, "40")])
def test_the_live_table_is_a_summary_where_there_are_many(count: int, row: str) -> None:
    table = Table("score s", quiet=True)
    unit = Unit(candidate="c1", task="toy", key="1", payload="")
    table.begin(sheet(count), [unit])
    table.event(unit, "runs")
    shown = to_text(table._shown())
    assert row in shown
    assert ("c2" in shown) == (count == 3)


def test_the_finished_table_names_every_candidate() -> None:
    shown = to_text(table_of(sheet(2)))
    assert "not attempted" in shown
    assert "c1" in shown
