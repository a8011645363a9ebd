"""The docstring corpus: what is taken from a source file, how it is cut, masked and cached."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DataError
from harness.inputs.data import stackdocs
from harness.inputs.data.stackdocs import Corpus, Docstring

SMALL = {name: stackdocs.PACKAGES[name] for name in ("datasets", "numpy")}

FILE = '''
"""The module's own docstring is not taken."""
import sys

class TensorSplit:
    """Splits a tensor into several views of equal size.

    A tensor split keeps the storage: TensorSplit never copies, and tensor-split
    works along one axis.

    Examples
    --------
    >>> TensorSplit(3)
    views of nothing

    Notes are worth reading when the axis is not divisible at all.
    """

    def along(self):
        """Split along one axis of the given tensor.

        The class TensorSplit calls this along the way, for each and every axis that it was told about.
        """

    def _hidden(self):
        """This is private and must not be taken at all."""

if sys.version_info:
    async def later():
        """Wait until the tensor has been split."""

add_newdoc("pkg.array", "zeros", """
    zeros(shape, dtype=None)

    Return a new array of given shape, filled with zeros.
    """)
add_newdoc("pkg.array", "dtype", ("kind", """A character code that tells the general kind of data."""))
add_docstr(torch.absolute, r"""
absolute(input) -> Tensor

Computes the absolute value of each element in {input}, {{exactly}}.
""".format(**common) + " More of it.")
'''


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def corpus(cache: Path) -> Corpus:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stackdocs, "PACKAGES", SMALL)
        return stackdocs.collect(cache)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stackdocs, "PACKAGES", SMALL)


def test_public_objects_and_added_docstrings_are_found() -> None:
    found = dict(stackdocs.documented(ast.parse(FILE)))
    assert list(found) == [
        ("TensorSplit",),
        ("TensorSplit", "along"),
        ("later",),
        ("zeros",),
        ("dtype", "kind"),
        ("absolute",),
    ]
    assert "each element in , {exactly}." in found["absolute",]
    assert found["absolute",].endswith("More of it.")
    assert found["dtype", "kind"] == "A character code that tells the general kind of data."


def test_what_a_function_hides_and_calls_without_a_text_document_nothing() -> None:
    text = """
def outer():
    '''Only this one is public.'''
    def inner():
        '''Nobody can call this one from outside.'''
print()
add_newdoc("of a text alone")
table.add_newdoc("pkg", "x", "A method of that name is another function.")
"""
    assert list(stackdocs.documented(ast.parse(text))) == [(("outer",), "Only this one is public.")]


def test_a_docstring_becomes_summary_and_masked_body() -> None:
    name, text = next(stackdocs.documented(ast.parse(FILE)))
    entry = stackdocs.split("pkg.views", name, text)
    assert entry == Docstring(
        "pkg.views",
        "TensorSplit",
        "Splits a tensor into several views of equal size.",
        "A [name] keeps the storage: [name] never copies, and [name] works along one axis. "
        "Examples Notes are worth reading when the axis is not divisible at all.",
    )


def test_a_method_masks_its_class_too() -> None:
    found = dict(stackdocs.documented(ast.parse(FILE)))
    entry = stackdocs.split("pkg", ("TensorSplit", "along"), found["TensorSplit", "along"])
    assert entry is not None
    assert entry.body.startswith("The class [name] calls this [name] the way")


def test_a_signature_is_no_summary() -> None:
    found = dict(stackdocs.documented(ast.parse(FILE)))
    entry = stackdocs.split("pkg", ("zeros",), found["zeros",])
    assert entry is not None
    assert entry.summary == "Return a new array of given shape, filled with zeros."


@pytest.mark.parametrize(
    "text",
    [
        "Too short.",
        "Args: first of them, second of them",
        "Parameters\n----------\nx : the first of the numbers",
        "size (`int`, *optional*, defaults to 3): the size of it",
        "The following conditions must be met here:",
        "数组的元素之和，沿着给定的轴计算并返回结果。 The sum of an array.",
        "x = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]] @ 1e-9 ** (3 - 4) and so on it is",
    ],
)
def test_what_is_no_english_sentence_is_left_out(text: str) -> None:
    assert stackdocs.split("pkg", ("thing",), text) is None


def test_a_short_body_is_dropped_and_the_summary_kept() -> None:
    entry = stackdocs.split("pkg", ("thing",), "A sentence of enough words.\n\nOnly this.")
    assert entry is not None
    assert entry.body == ""


@pytest.mark.parametrize(
    ("name", "text", "masked"),
    [
        ("LinearRegression", "Linear regression, linear-regressions", "[name], [name]"),
        ("LinearRegression", "nonlinear regression", "nonlinear regression"),
        ("tensor_split", "a tensor split, tensor_split_all", "a [name], tensor_split_all"),
        ("planck_gen", "For planck is", "For [name] is"),
        ("KMeans", "k means and K-Means and kmeans", "[name] and [name] and [name]"),
        ("conv2d", "conv 2d or Conv2d", "[name] or [name]"),
        ("_", "nothing to mask", "nothing to mask"),
    ],
)
def test_masking(name: str, text: str, masked: str) -> None:
    assert stackdocs.mask(text, (name,)) == masked


def test_prose_drops_the_marks_of_markup() -> None:
    paragraph = "See :class:`~torch.nn.Linear` and [`Trainer`], ``x``.\n-----\n.. note:: this\n%(example)s"
    assert stackdocs.prose(paragraph + "\n>>> 1 + 1\n2") == "See torch.nn.Linear and Trainer, x."


@given(st.text(alphabet="ab. ", max_size=60), st.integers(4, 40))
def test_trim_keeps_a_start_within_the_limit(text: str, limit: int) -> None:
    kept = stackdocs.trim(text, limit)
    assert text.startswith(kept)
    assert len(kept) <= limit or kept == text[: limit + 1].rstrip()
    assert kept == text or len(text) > limit


def test_trim_prefers_the_end_of_a_sentence() -> None:
    assert stackdocs.trim("One two three. Four five six.", 20) == "One two three."
    assert stackdocs.trim("One two three four five six.", 20) == "One two three four"


@pytest.mark.parametrize(
    ("limit", "kept"),
    [(3, "One"), (6, "One"), (7, "One two"), (8, "One two"), (12, "One two"), (13, "One two three")],
)
def test_trim_keeps_a_word_that_ends_at_the_limit(limit: int, kept: str) -> None:
    assert stackdocs.trim("One two three four", limit) == kept


def test_equal_words_count_once() -> None:
    first = Docstring("a", "x", "Sum of the elements.", "The body of the first one.")
    again = Docstring("b", "y", "sum of the Elements", "Another body.")
    same_body = Docstring("c", "z", "Product of the elements.", "The body of the first one!")
    assert list(stackdocs.distinct([first, again, same_body])) == [
        first,
        Docstring("c", "z", "Product of the elements.", ""),
    ]


def test_tests_private_folders_and_broken_files_are_passed_over(tmp_path: Path) -> None:
    for place in ("a/views.py", "_core/views.py", "_private/views.py", "a/tests/views.py", "test_views.py"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text('def f():\n    """A function of the file that was read."""\n')
    (tmp_path / "broken.py").write_text("def f(:\n")
    found = [entry.module for entry in stackdocs.read_folder(tmp_path, "pkg")]
    assert found == ["pkg._core.views", "pkg.a.views"]


def test_invalid_escapes_in_other_peoples_source_are_silent(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text('def f():\n    """A sum of \\sigma over all of them."""\n')
    assert [entry.name for entry in stackdocs.read_folder(tmp_path, "pkg")] == ["f"]


def test_the_corpus_is_of_the_expected_kind(corpus: Corpus) -> None:
    assert set(corpus.versions) == {"datasets", "numpy"}
    assert len(corpus.docstrings) > 500
    assert sum(bool(entry.body) for entry in corpus.docstrings) > 300
    assert all(len(entry.summary) <= stackdocs.SUMMARY_CHARACTERS for entry in corpus.docstrings)
    assert len({stackdocs.normalised(entry.summary) for entry in corpus.docstrings}) == len(corpus.docstrings)


def test_no_body_gives_its_name_away(corpus: Corpus) -> None:
    named = [(e.name.rpartition(".")[2], e.body) for e in corpus.docstrings if e.body]
    telling = [name for name, body in named if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", body)]
    assert telling == []


def test_areas_are_large_enough_and_cut(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stackdocs, "AREA_AT_MOST", 100)
    areas = stackdocs.by_area(corpus)
    assert {"numpy.core", "numpy.lib"} <= set(areas)
    assert all(stackdocs.AREA_AT_LEAST <= len(texts) <= 100 for texts in areas.values())
    assert not [area for area in areas if area.startswith("torch")]


def test_an_area_of_just_enough_texts_is_kept_and_one_of_fewer_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stackdocs, "AREA_AT_LEAST", 3)
    # A package whose name only begins like that of an area is none of it.
    modules = ["numpy.lib"] * 2 + ["numpy.lib.io", "numpy.ma", "numpy.ma.core", "numpy.mask"]
    entries = tuple(Docstring(module, "x", f"Text {number}", "") for number, module in enumerate(modules))
    areas = stackdocs.by_area(Corpus(entries, "", 0, {}))
    assert {area: sorted(texts) for area, texts in areas.items()} == {
        "numpy.lib": ["Text 0", "Text 1", "Text 2"]
    }


def test_packages_are_read_in_the_order_of_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("later", "first", "middle"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "m.py").write_text(
            'def f():\n    """A function of the file that was read."""\n'
        )
    monkeypatch.setattr(stackdocs, "package_folder", lambda package: tmp_path / package)
    modules = [entry.module for entry in stackdocs.read_packages(("later", "first", "middle"))]
    assert modules == ["first.m", "later.m", "middle.m"]


@pytest.mark.usefixtures("small")
def test_collecting_anew_gives_the_same_bytes(corpus: Corpus, tmp_path: Path) -> None:
    again = stackdocs.collect(tmp_path)
    assert again == corpus


@pytest.mark.usefixtures("small")
def test_the_cache_is_used_and_a_damaged_one_is_made_anew(
    corpus: Corpus, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected: list[str] = []

    def few(packages: object) -> list[Docstring]:
        collected.append("once")
        return [Docstring("a", "x", "Sum of the elements.", "")]

    monkeypatch.setattr(stackdocs, "read_packages", few)
    assert stackdocs.collect(cache) == corpus
    assert collected == []
    (file,) = cache.glob("stackdocs-*.jsonl")
    whole = file.read_bytes()
    for damage in (whole[: len(whole) // 2], b"", b"\xff\xfe", whole.replace(b"array", b"arrow", 1)):
        file.write_bytes(damage)
        collected.clear()
        assert len(stackdocs.collect(cache).docstrings) == 1
        assert collected == ["once"]
    file.write_bytes(whole)
    assert [path.name for path in cache.iterdir()] == [file.name]


@pytest.mark.usefixtures("small")
def test_another_version_has_another_cache(
    corpus: Corpus, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stackdocs, "installed_versions", lambda: {"numpy": "0.0"})
    monkeypatch.setattr(
        stackdocs, "read_packages", lambda packages: [Docstring("a", "x", "A text of it.", "")]
    )
    assert stackdocs.collect(cache).digest != corpus.digest
    assert len(list(cache.glob("stackdocs-*.jsonl"))) == 2


@pytest.mark.usefixtures("small")
def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stackdocs, "read_packages", lambda packages: [])
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"file/cache cannot be written .*: set HARNESS_CACHE"):
        stackdocs.collect(tmp_path / "file" / "cache")


def test_without_any_package_there_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stackdocs, "PACKAGES", {"no_such_package": ("no-such-distribution", "MIT")})
    with pytest.raises(DataError, match="stackdocs needs one of no_such_package"):
        stackdocs.collect(tmp_path)


def test_shares_are_stable_and_of_their_size() -> None:
    texts = [f"text {chr(97 + i % 26)} {chr(97 + i // 26 % 26)} {chr(97 + i // 676)}" for i in range(2000)]
    inside = [text for text in texts if stackdocs.in_share(text, 30)]
    assert 500 < len(inside) < 700
    assert all(stackdocs.in_share(text.upper() + "!", 30) for text in inside)


def test_collecting_imports_nothing_heavy(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from harness.inputs.data import sources, stackdocs
stackdocs.PACKAGES = {{"numpy": ("numpy", "BSD-3-Clause"), "datasets": ("datasets", "Apache-2.0")}}
cache = Path({str(tmp_path)!r})
print(len(sources.text_classification(sources.parse_data(None), cache).train.texts) > 100)
print(len(sources.retrieval(sources.parse_data(None), cache).queries) > 100)
heavy = {{"torch", "transformers", "datasets", "faiss", "sklearn", "scipy", "pandas", "pyarrow", "huggingface_hub"}}
print(sorted(heavy & set(sys.modules)))
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert (run.stdout.split("\n")[:3], run.stderr) == (["True", "True", "[]"], "")
