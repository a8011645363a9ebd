"""The benchmark of scale: each part runs with the least there is, and its section takes its place on the page."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.bench import page, scale, scale_others, scale_units


@pytest.mark.slow
@pytest.mark.timeout(900)  # 51 s alone
def test_submissions_and_the_large_store_have_their_sections(tmp_path: Path) -> None:
    raw, out = tmp_path / "raw.json", tmp_path / "page.md"
    out.write_text("# Page\n\n## Kept\n\nwords\n")
    words = ["--smallest", "--only", "units,store", "--raw", str(raw), "--out", str(out)]
    assert scale.main(words) == 0
    told = json.loads(raw.read_text())
    assert [row["outcomes"] for row in told["units"]["found"]["rows"]] == [{"ok": 4}, {"ok": 2}]
    large = told["store"]["found"]
    assert large["trials"] >= 60
    assert large["cells"] == large["candidates"] * large["tasks"]
    text = out.read_text()
    assert text.startswith("# Page\n\n## Kept\n\nwords\n\n" + page.SCALE[0])
    assert text.count("### ") == 2
    again = page.written({}, {}, text)  # scripts/bench, which writes all other sections, leaves it as it is
    assert again.endswith(text[text.index(page.SCALE[0]) :])
    assert scale.main(["--only", "", "--raw", str(raw), "--out", str(out)]) == 0
    assert out.read_text() == text


@pytest.mark.skipif(bool(scale_others.missing()), reason="the other tools are not installed")
def test_every_tool_finds_the_wrong_submission(tmp_path: Path) -> None:
    raw, out = tmp_path / "raw.json", tmp_path / "page.md"
    assert scale.main(["--smallest", "--only", "others", "--raw", str(raw), "--out", str(out)]) == 0
    rows = json.loads(raw.read_text())["others"]["found"]["rows"]
    assert [row["side"] for row in rows] == list(scale_others.NAMES)
    assert all(row["count"] - row["right"] == 1 for row in rows)  # the first of them is the wrong one


def test_growth_is_the_slope_after_the_first_tenth() -> None:
    memory = [[float(done), 50.0 if done <= 100 else 60.0 + done / 100] for done in range(0, 1001, 50)]
    first, last, slope = scale_units.growth(memory, 1000)
    assert (first, last) == (50.0, pytest.approx(69.5))
    assert slope == pytest.approx(1.0)
    assert math.isnan(scale_units.growth([], 1000)[2])


def test_an_unknown_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert scale.main(["--only", "everything"]) == 2
    assert "the parts are units, store, others" in capsys.readouterr().err
