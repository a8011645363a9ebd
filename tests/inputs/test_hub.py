"""What the hub may answer, each as one sentence; without a network."""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness.errors import DataError, ModelError
from harness.inputs.data import hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def fault(name: str) -> Exception:
    """An error of the hub's library, or a builtin one, without a text; constructors differ among its versions."""
    from huggingface_hub import errors

    kind = getattr(errors, name, ConnectionError)
    made: Exception = kind.__new__(kind)
    return made


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "RepositoryNotFoundError",
            "does not exist or is private: check the name, or log in with `hf auth login`",
        ),
        ("RevisionNotFoundError", "has no such revision: check the commit on its page"),
        (
            "LocalEntryNotFoundError",
            "is not in the local cache: connect once without HF_HUB_OFFLINE, or name a folder",
        ),
        ("ConnectionError", "(ConnectionError): connect, or name a folder"),
    ],
)
def test_what_the_hub_answers_is_said_of_data_and_of_models(
    monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    import datasets
    import huggingface_hub

    calls: list[Any] = []

    def refusing(kind: str) -> Any:
        def refuse(self: object, name: str, *, revision: str, timeout: float) -> None:
            calls.append((kind, name, revision, timeout))
            raise fault_of_hub

        return refuse

    def not_cached(name: str, **options: Any) -> None:
        assert options["local_files_only"], "the hub has answered already"
        raise fault("LocalEntryNotFoundError")

    fault_of_hub = fault(name)
    for kind in ("dataset", "model"):
        monkeypatch.setattr(huggingface_hub.HfApi, f"{kind}_info", refusing(kind))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", not_cached)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: pytest.fail("the hub was asked again"))
    with pytest.raises(DataError, match=re.escape(words)) as of_data:
        hub.load_splits("org/set", COMMIT)
    with pytest.raises(ModelError, match=re.escape(words)) as of_model:
        hub.fetch_model("org/model", COMMIT)
    assert f"dataset org/set@{COMMIT}" in str(of_data.value)
    assert f"model org/model@{COMMIT}" in str(of_model.value)
    assert calls == [  # a person waits ten seconds at most
        ("dataset", "org/set", COMMIT, 10.0),
        ("model", "org/model", COMMIT, 10.0),
    ]


def test_a_data_set_without_splits_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    import huggingface_hub

    whole = datasets.Dataset.from_dict({"text": ["a"]})
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: None)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: whole)
    with pytest.raises(DataError, match=f"org/set@{COMMIT} has no splits: train and test are needed"):
        hub.load_splits("org/set", COMMIT)


def test_class_labels_go_by_their_names_and_those_withheld_are_blank(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    import huggingface_hub

    features = datasets.Features(
        text=datasets.Value("string"), label=datasets.ClassLabel(names=["pos", "neg"])
    )
    table = {"text": ["a", "b", "c"], "label": [0, 1, -1]}
    loaded = datasets.DatasetDict({"test": datasets.Dataset.from_dict(table, features)})
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: None)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: loaded)
    (frame,) = hub.load_splits("org/set", COMMIT).values()
    assert frame.to_dict("list") == {"text": ["a", "b", "c"], "label": ["pos", "neg", ""]}
