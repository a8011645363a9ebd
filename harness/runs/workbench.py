"""What a task's `prepare` works with: the seed, the sizes, data, models, and trusted derivations."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from harness.digests import of_bytes, of_files, of_value
from harness.errors import Fault, HarnessError
from harness.inputs.data import sources
from harness.inputs.definition import SizeTable
from harness.instances import Request
from harness.isolation.levels import level
from harness.machine.temporary import private_folder
from harness.records import Source
from harness.runs.seeds import derived_seed
from harness.trials import session
from harness.trials.watch import Limits

# Begins the key of a bundled table among the sources that a workbench has used.
TABLE = "table "
_RECIPE_SECONDS = 3600.0
_RECIPE_BYTES = 32 * 2**30


@dataclass(kw_only=True)
class Workbench:
    """The surroundings of one call of `prepare`. `used` gathers what it drew on, for the record.

    With `may_derive` false (rescoring), `derive` answers with a path that may not exist: nothing
    is launched, since evaluation needs no derived model.
    """

    seed: int
    size: SizeTable
    device: str
    data: sources.DataSpec
    model_spec: sources.ModelSpec
    cache: Path
    threads: int = 1
    pairs: int = 1
    max_pairs: int = 1
    may_derive: bool = True
    used: dict[str, Source] = field(default_factory=dict)

    def reserve(self, base: int) -> int:
        """How many further requests the pairs beyond the first need, for a group of `base` requests."""
        return (base // self.pairs) * max(0, self.max_pairs - self.pairs)

    def rng(self, name: str) -> np.random.Generator:
        """An independent stream of this instance, by name."""
        return np.random.default_rng(derived_seed(str(self.seed).encode(), "rng", name))

    def text_classification(self) -> sources.TextClassification:
        """Labelled texts with a train and a test part."""
        texts = sources.text_classification(self.data, self.cache)
        self.used["data"] = texts.source
        return texts

    def multi_label(self) -> sources.MultiLabel | None:
        """Texts with any number of labels each; None where the data set has no columns `has_<label>`."""
        texts = sources.multi_label(self.data)
        if texts is not None:
            self.used["data"] = texts.source
        return texts

    def retrieval(self) -> sources.Retrieval:
        """Passages, queries and which passages are relevant to which query."""
        collection = sources.retrieval(self.data, self.cache)
        self.used["data"] = collection.source
        return collection

    def tabular(self, name: str) -> sources.Tabular:
        """One of the bundled tables."""
        table = sources.tabular(name)
        # A task may use several, and the one used last comes last.
        self.used.pop(f"{TABLE}{name}", None)
        self.used[f"{TABLE}{name}"] = table.source
        return table

    def model(self, name: str = "encoder") -> Path:
        """The folder of the model that workers are given under `name`."""
        folder = sources.model_folder(self.model_spec, self.cache)
        self.used[name] = folder.source
        return folder.path

    def derive(self, name: str, recipe: Path, arguments: Mapping[str, Any]) -> Path:
        """The folder that `recipe` writes: run once in a worker of its own, then cached by content.

        The recipe is a solution-like file whose phase `make(**arguments)` writes into
        `context.scratch / "out"`, with the encoder in `context.models`.
        """
        encoder = self.model()
        key = of_value(
            [
                of_bytes(recipe.read_bytes()),
                _plain(arguments),
                self.used["encoder"].digest,
                self.threads,
                self.device,
                {name: metadata.version(name) for name in ("torch", "transformers", "numpy")},
            ]
        )
        target = self.cache / "derived" / f"{name}-{key[:16]}"
        if not target.is_dir() and self.may_derive:
            self._make(recipe, arguments, encoder, target)
        if target.is_dir():
            files = sorted(path for path in target.rglob("*") if path.is_file())
            self.used[name] = Source(
                role=name,
                kind="derived",
                name=f"{name} made from the encoder",
                digest=of_files(files),
                size_bytes=sum(path.stat().st_size for path in files),
                license="as the encoder and data",
            )
        return target

    def _make(self, recipe: Path, arguments: Mapping[str, Any], encoder: Path, target: Path) -> None:
        top = private_folder("recipe")
        try:
            (top / "recipe").mkdir()
            shutil.copyfile(recipe, top / "recipe" / "solution.py")
            parameters = "".join(f", {parameter}" for parameter in arguments)
            (top / "contract.py").write_text(f"class Contract:\n    def make(self{parameters}): ...\n")
            limits = Limits(_RECIPE_BYTES, 256, _RECIPE_SECONDS, {"make": _RECIPE_SECONDS})
            seat = session.WorkerSpec(
                submission=top / "recipe",
                contract=top / "contract.py",
                models={"encoder": encoder},
                device=self.device,
                threads=self.threads,
                seed=0,
                limits=limits,
                keep_scratch=top / "kept",
            )
            worker = session.start(level("process"), seat, "derive")
            try:
                worker.call(Request("make", "make", dict(arguments)), arguments)
            finally:
                worker.close()
            _publish(top / "kept" / "out", target)
        except session.StartFault as failed:
            failed.session.close()
            raise HarnessError(
                f"the recipe {recipe.name} could not be loaded: {failed.fault.detail}"
            ) from failed
        except Fault as fault:
            raise HarnessError(f"the recipe {recipe.name} failed: {fault.reason}\n{fault.detail}") from fault
        finally:
            shutil.rmtree(top, ignore_errors=True)


def _publish(made: Path, target: Path) -> None:
    """Moves a finished folder into the cache in one step; a concurrent maker's result is as good."""
    if not made.is_dir():
        raise HarnessError("the recipe wrote nothing into its folder `out`")
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".making-", dir=target.parent))
    shutil.copytree(made, staging / "out")
    for path in (staging / "out").rglob("*"):
        if path.is_file():  # some libraries write for the owner alone; a box belongs to another user
            path.chmod(0o644)
    try:
        os.replace(staging / "out", target)
    except OSError:
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: [value.dtype.str, list(value.shape), of_bytes(value.tobytes())]
        if isinstance(value, np.ndarray)
        else json.loads(json.dumps(value))
        for name, value in arguments.items()
    }
