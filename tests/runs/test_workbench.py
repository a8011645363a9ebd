"""What `prepare` works with: seeds that tell nothing of each other, and derivations made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.errors import HarnessError, UsageError
from harness.inputs.data import sources
from harness.records import Source
from harness.runs.seeds import derived_seed
from harness.runs.workbench import Workbench
from harness.trials import session

RECIPE = """
from pathlib import Path

class Solution:
    def __init__(self, context):
        self.context = context
    def make(self, texts, labels, rate):
        out = self.context.scratch / "out"
        out.mkdir()
        encoder = sorted(p.name for p in self.context.models["encoder"].iterdir())
        (out / "made.txt").write_text(f"{encoder} {list(texts)} {labels.sum()} {rate}")
        (out / "made.txt").chmod(0o600)
"""
ARGUMENTS = {"texts": ["a", "b"], "labels": np.array([1, 2]), "rate": 0.5}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    """A workbench whose model is a folder with one file."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    source = Source(role="model", kind="local", name="tiny", digest="d1", size_bytes=2)
    monkeypatch.setattr(sources, "model_folder", lambda spec, cache: sources.ModelFolder(model, source))
    data, spec = sources.parse_data("builtin:stackdocs"), sources.parse_model(None)
    return Workbench(seed=7, size={}, device="cpu", data=data, model_spec=spec, cache=tmp_path / "cache")


def _recipe(tmp_path: Path, text: str = RECIPE) -> Path:
    file = tmp_path / "recipe.py"
    file.write_text(text)
    return file


def test_derive_runs_a_recipe_once_and_caches_by_content(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = _recipe(tmp_path)
    made = bench.derive("plain", recipe, ARGUMENTS)
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in made.rglob("*") if path.is_file())
    assert (made / "made.txt").read_text() == "['config.json'] ['a', 'b'] 3 0.5"
    assert (bench.used["plain"].kind, bench.used["plain"].size_bytes) == ("derived", 32)
    assert bench.used["encoder"].digest == "d1"
    assert sorted(p.name for p in made.parent.iterdir()) == [made.name]

    def refuse(*_: object) -> None:
        raise AssertionError("it was made again")

    monkeypatch.setattr(session, "start", refuse)
    assert bench.derive("plain", recipe, dict(ARGUMENTS)) == made
    changes = [
        (RECIPE, {**ARGUMENTS, "rate": 0.6}),
        (RECIPE, {**ARGUMENTS, "labels": np.array([1, 3])}),
        (RECIPE, {**ARGUMENTS, "texts": ["a", "c"]}),
        (RECIPE + "\n", ARGUMENTS),
    ]
    for text, arguments in changes:
        with pytest.raises(AssertionError, match="made again"):
            bench.derive("plain", _recipe(tmp_path, text), arguments)
    bench.threads = 2
    with pytest.raises(AssertionError, match="made again"):
        bench.derive("plain", _recipe(tmp_path), ARGUMENTS)


def test_rescoring_derives_nothing(bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "start", lambda *_: pytest.fail("a worker was started"))
    bench.may_derive = False
    assert not bench.derive("plain", _recipe(tmp_path), ARGUMENTS).exists()
    assert "plain" not in bench.used


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nonsense_module\n", "could not be loaded"),
        (
            RECIPE.replace("out.mkdir()", "raise ValueError('no luck')"),
            "recipe.py failed: ValueError: no luck",
        ),
        (RECIPE.split("        out =")[0] + "        pass\n", "wrote nothing into its folder `out`"),
    ],
)
def test_a_recipe_that_fails_is_our_fault_and_leaves_nothing(
    bench: Workbench, tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(HarnessError, match=message) as caught:
        bench.derive("plain", _recipe(tmp_path, text), ARGUMENTS)
    assert not isinstance(caught.value, UsageError)
    assert caught.value.exit_code == 4
    assert not list((tmp_path / "cache").rglob("*plain*"))


def test_streams_are_independent_by_name_and_by_seed(bench: Workbench) -> None:
    def draw(seed: int, name: str) -> tuple[int, ...]:
        bench.seed = seed
        return tuple(bench.rng(name).integers(0, 2**62, size=4).tolist())

    keys = [(seed, name) for seed in (0, 1, 10, 2**62) for name in ("noise", "split", "noise2", "")]
    assert len({draw(*key) for key in keys}) == len(keys)
    assert draw(1, "noise") == draw(1, "noise")
    large = np.array([bench.rng("a").normal(size=20_000), bench.rng("b").normal(size=20_000)])
    assert abs(np.corrcoef(large)[0, 1]) < 0.05


def test_derived_seeds_fit_and_differ_with_every_part() -> None:
    roots, parts = (
        (b"public:0", b"public:1", b"secret:0"),
        (("t", "instance", "0"), ("t", "worker", "0"), ("u", "0")),
    )
    seeds = {derived_seed(root, *part) for root in roots for part in parts}
    assert len(seeds) == 9
    assert all(0 <= seed < 2**63 for seed in seeds)
    # RFC 2104 by hand: the first 8 bytes of HMAC-SHA256("key", "t/instance/0"), less the last bit
    import hashlib
    import hmac

    wanted = hmac.new(b"key", b"t/instance/0", hashlib.sha256).digest()[:8]
    assert derived_seed(b"key", "t", "instance", "0") == int.from_bytes(wanted, "big") // 2


@pytest.mark.parametrize(
    ("base", "pairs", "most", "wanted"),
    [(10, 2, 5, 15), (10, 5, 5, 0), (10, 5, 2, 0), (11, 2, 3, 5), (6, 1, 4, 18)],
)
def test_reserve_is_what_the_further_pairs_ask_for(
    bench: Workbench, base: int, pairs: int, most: int, wanted: int
) -> None:
    bench.pairs, bench.max_pairs = pairs, most
    assert bench.reserve(base) == wanted
