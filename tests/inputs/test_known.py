"""Whether a folder's texts are those of a listed public set: made-up sets, and the list that ships."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.inputs.data import known, sources
from harness.inputs.data.sources import DataSpec


def texts(seed: int, count: int = 400, words: int = 12) -> list[str]:
    """Made-up sentences; those of different seeds have no run of eight words in common."""
    rng = np.random.default_rng(seed)
    return [" ".join(f"word{number}" for number in rng.integers(0, 5000, words)) for _ in range(count)]


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list holds two made-up sets."""
    file = tmp_path / "list.json"
    file.write_text(json.dumps({"first": known.sketch(texts(1)), "second": known.sketch(texts(2))}))
    monkeypatch.setattr(known, "LIST", file)


@pytest.mark.usefixtures("listed")
def test_a_set_is_known_whole_in_part_in_another_order_and_written_otherwise() -> None:
    assert known.recognised(texts(1)) == "first"
    assert known.recognised(reversed(texts(2)[:200])) == "second"
    assert known.recognised(text.upper().replace(" ", ", ") for text in texts(1)) == "first"
    assert known.recognised([" ".join(texts(1))]) == "first"
    assert known.recognised(text.rpartition(" ")[0] for text in texts(1)) == "first"


@pytest.mark.usefixtures("listed")
def test_texts_of_ones_own_are_not_known() -> None:
    assert known.recognised(texts(3)) == ""
    assert known.recognised([]) == ""
    assert known.recognised(["yes", "no, thank you", "0"]) == ""


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize(("public", "name"), [(300, "first"), (10, "")])
def test_a_tenth_of_public_texts_makes_a_set_public(public: int, name: str) -> None:
    assert known.recognised([*texts(1)[:public], *texts(3, 1000)]) == name


@pytest.mark.usefixtures("listed")
def test_a_local_folder_of_a_known_set_is_public_and_another_is_not(tmp_path: Path) -> None:
    for seed, public in ((1, True), (3, False)):
        folder = tmp_path / f"mine{seed}"
        folder.mkdir()
        for part, rows in (("train", slice(0, 200)), ("test", slice(200, 400))):
            content = {"text": texts(seed)[rows], "label": ["a", "b"] * 100}
            pd.DataFrame(content).to_csv(folder / f"{part}.csv", index=False)
        source = sources.text_classification(DataSpec("local", str(folder)), tmp_path).source
        assert (source.public, source.revision) == (public, "first" if public else "")
        assert (source.kind, source.name) == ("local", f"mine{seed}")


def test_short_texts_are_one_run_and_longer_ones_as_many_as_they_have() -> None:
    assert len(known.runs(["one two three"])) == 0
    assert len(known.runs(["one two three four", "One, two, three: FOUR!"])) == 1
    assert len(known.runs([" ".join(map(str, range(20)))])) == 20 - known.RUN + 1
    assert len(known.runs(["a b c d", "d c b a"])) == 2


def test_the_shipped_list_holds_hashes_in_order_and_nothing_else() -> None:
    sets = json.loads(known.LIST.read_text("utf-8"))
    assert {"banking77", "scifact", "manifesto_crowd", "cuad_contracts"} <= set(sets)
    for kept in sets.values():
        hashes = np.frombuffer(base64.b64decode(kept, validate=True), "<u8")
        assert len(hashes) == known.MOST
        assert (np.diff(hashes.astype(object)) > 0).all()
    assert known.recognised(texts(1)) == ""
