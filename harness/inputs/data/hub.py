"""What is read through the Hugging Face libraries: hub data and models, and `save_to_disk` folders.

Hub content is taken at a commit only, so that a name and a revision are always the same bytes. The
hub is asked once, with a short patience, before a library may retry for half a minute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import DataError, ModelError, UsageError

if TYPE_CHECKING:
    import pandas as pd

PATIENCE_SECONDS = 10.0
MODEL_FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "README.md"]  # no pickles
NOT_MODEL_FILES = ["onnx/*", "openvino/*", "runs/*", "checkpoint-*"]
Frames = dict[str, "pd.DataFrame"]


def load_splits(name: str, revision: str, config: str | None = None) -> Frames:
    """The splits of `datasets.load_dataset(name, config)` at a commit, each as a frame."""
    _check_pinned(name, revision, "data set")
    if Path(name).exists():  # which `load_dataset` would take instead
        raise DataError(f"hub data set {name} has the name of a folder here: call from another folder")
    _ask_hub(name, revision, "dataset")
    import datasets
    from datasets.exceptions import DatasetsError

    datasets.disable_progress_bars()
    try:
        loaded = datasets.load_dataset(name, config, revision=revision)
    except ConnectionError as error:
        raise DataError(_sentence(name, revision, "dataset", error)) from error
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        raise DataError(
            f"hub data set {name}@{revision} could not be loaded: {_first_line(error)}"
        ) from error
    if not isinstance(loaded, datasets.DatasetDict):
        raise DataError(f"hub data set {name}@{revision} has no splits: train and test are needed")
    _check_commit(loaded, name, revision)
    return {str(split): _frame(part) for split, part in loaded.items()}


def _check_commit(loaded: Mapping[Any, Any], name: str, revision: str) -> None:
    """Offline, `datasets` takes the newest copy in its cache, of whatever commit: refuse another one."""
    from huggingface_hub import constants

    files = [str(file["filename"]) for part in loaded.values() for file in part.cache_files]
    if constants.HF_HUB_OFFLINE and not all(revision in file for file in files):
        raise DataError(f"hub data set {name} is cached at another commit than {revision}: connect once")


def load_saved(folder: Path) -> Frames:
    """The splits of a folder written by `DatasetDict.save_to_disk`, each as a frame."""
    import datasets

    try:
        loaded = datasets.load_from_disk(str(folder))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{folder} could not be read as a saved data set: {_first_line(error)}") from error
    if not isinstance(loaded, datasets.DatasetDict):
        raise DataError(f"{folder} is one data set without splits: save a DatasetDict with train and test")
    return {str(split): _frame(part) for split, part in loaded.items()}


def is_saved(folder: Path) -> bool:
    """Whether the folder was written by `save_to_disk`."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def fetch_model(name: str, revision: str) -> Path:
    """The folder of a hub model at a commit; without a connection, from the library's cache."""
    _check_pinned(name, revision, "model")
    unreachable = ""
    try:
        _ask_hub(name, revision, "model")
    except ModelError as error:
        unreachable = str(error)
    import huggingface_hub

    try:
        folder = huggingface_hub.snapshot_download(
            name,
            revision=revision,
            local_files_only=bool(unreachable),
            allow_patterns=MODEL_FILES,
            ignore_patterns=NOT_MODEL_FILES,
            etag_timeout=PATIENCE_SECONDS,
        )
    except _hub_faults() as error:
        raise ModelError(unreachable or _sentence(name, revision, "model", error)) from error
    return Path(str(folder))


def _check_pinned(name: str, revision: str, what: str) -> None:
    fault = ModelError if what == "model" else DataError
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", name):
        raise fault(f"{name!r} is no hub name: write hub:ORGANISATION/NAME@COMMIT")
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        held = f"{revision!r} is no commit" if revision else "it has no revision"
        raise fault(
            f"hub {what} {name} is not pinned, {held}: write hub:{name}@ and a commit of 40 hex digits"
        )


def _ask_hub(name: str, revision: str, kind: Literal["dataset", "model"]) -> None:
    """One question to the hub; says in a sentence why it could not be answered. None is asked offline."""
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE:
        return
    hub = HfApi()
    ask = hub.dataset_info if kind == "dataset" else hub.model_info
    try:
        ask(name, revision=revision, timeout=PATIENCE_SECONDS)
    except _hub_faults() as error:
        raise _fault(kind)(_sentence(name, revision, kind, error)) from error


def _fault(kind: str) -> type[UsageError]:
    return ModelError if kind == "model" else DataError


def _hub_faults() -> tuple[type[Exception], ...]:
    from huggingface_hub import errors

    return (OSError, ValueError, errors.HTTPError)


def _sentence(name: str, revision: str, kind: str, error: Exception) -> str:
    from huggingface_hub import constants, errors

    what = f"{kind} {name}@{revision}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"hub {what} does not exist or is private: check the name, or log in with `hf auth login`"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"hub {what} has no such revision: check the commit on its page"
    if isinstance(error, errors.LocalEntryNotFoundError) or constants.HF_HUB_OFFLINE:
        return f"hub {what} is not in the local cache: connect once without HF_HUB_OFFLINE, or name a folder"
    return f"the hub cannot be reached for {what} ({_first_line(error)}): connect, or name a folder"


def _frame(part: Any) -> pd.DataFrame:
    """A split as a frame; class labels by their names, and by a blank where they are withheld (-1)."""
    frame = part.to_pandas()
    for column, feature in part.features.items():
        names = getattr(feature, "names", None)
        if names is not None:
            frame[column] = [names[int(value)] if value >= 0 else "" for value in frame[column]]
    return frame


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
