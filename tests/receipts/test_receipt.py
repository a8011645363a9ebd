"""Receipts: what a run signs, what `verify` finds, and that no forged one passes for what it is not."""

from __future__ import annotations

import copy
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.analysis import agreement
from harness.analysis.agreement import Result, apart, compare, contradictions
from harness.cli import trust
from harness.errors import HarnessError, UsageError
from harness.inputs import profiles, tasks
from harness.inputs.data import sources
from harness.receipts import fresh
from harness.receipts import receipt as receipts
from harness.receipts import settings as settings_of
from harness.receipts.receipt import CONTEXT, Receipt, profile_of
from harness.receipts.signing import KeyRing, KeyRole, signed
from harness.receipts.verify import Verified, VerifyRequest, verify
from harness.records import Run, Source
from harness.runs import runner
from harness.runs.options import Options, order
from harness.runs.order import Order
from harness.store.results import Store
from tests.cli.test_verbs import COMPETENT, SMOKE, TOY, Said, harness, refused
from tests.conftest import HOSTILE, TOYS

FRESH = b"secret:5d0e93b1f7a846c2983eb06d1fc47a25"


@dataclass(frozen=True)
class Made:
    """A finished run of a candidate, its folder, and its receipt as it was written."""

    top: Path
    said: Said

    @property
    def file(self) -> Path:
        return self.top / "reports" / "receipt.json"

    @property
    def folder(self) -> Path:
        return self.top / "mine"

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.file.read_text())
        return found

    @property
    def receipt(self) -> Receipt:
        return Receipt.model_validate_json(json.dumps(self.document["payload"]))


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    top = tmp_path_factory.mktemp("receipts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_HOME", str(top / "home"))
        patch.chdir(top)
        shutil.copytree(COMPETENT, top / "mine")
        said = harness("run", "toy-squares", "mine", *SMOKE, "--json", "--out", top / "reports")
    return Made(top, said)


@pytest.fixture
def made(_made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Made:
    """The run, on a machine of its own whose home may be changed."""
    shutil.copytree(_made.top, tmp_path / "made")
    monkeypatch.setattr(fresh, "new_secret", lambda: FRESH)  # what is drawn must not decide a test
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "made" / "home"))
    return Made(tmp_path / "made", _made.said)


def ring(made: Made) -> KeyRing:
    return KeyRing(made.top / "home" / "keys")


def signed_by(made: Made, payload: dict[str, Any], role: KeyRole | None = "candidate") -> Path:
    """A receipt with this payload, signed by this machine's key of a role, or by a stranger's."""
    keys = KeyRing(made.top / "stranger") if role is None else ring(made)
    path = made.top / "signed.json"
    path.write_bytes(signed(CONTEXT, payload, keys.ensured(role or "evaluator")))
    return path


def official(made: Made) -> dict[str, Any]:
    """The payload of a receipt that claims all that makes a run official."""
    payload = copy.deepcopy(made.document["payload"])
    payload |= {"stamp": "official", "seed": None, "seed_id": "0123456789ab"}
    payload["isolation"] |= {"level": "bubblewrap", "official": True}
    return payload


def looked_at(made: Made, file: Path, folder: Path | None = None, **options: Any) -> Verified:
    wanted = VerifyRequest(receipt=file, folder=folder, tasks_root=TOYS, **options)
    return verify(wanted, ring(made), lambda: Store.open(made.top / "home"), runner.Silent())


def state(found: Verified, name: str) -> str:
    (one,) = [finding for finding in found.findings if finding.name == name]
    return one.state


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every leaf of a JSON value with its path; an empty list or object is a leaf."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if isinstance(value, (dict, list)) and value:
        for key, part in inner:
            yield from leaves(part, (*path, key))
    else:
        yield path, value


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    copied = copy.deepcopy(value)
    at = copied
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = new
    return copied


def other(leaf: Any) -> Any:
    """Another value of the same type."""
    if isinstance(leaf, bool):
        return not leaf
    if isinstance(leaf, str):
        return ("1" if leaf[:1] == "0" else "0") + leaf[1:]
    return leaf + 1 if isinstance(leaf, (int, float)) else 0


def test_a_run_writes_a_receipt_of_what_it_was(made: Made) -> None:
    assert (made.said.code, made.said.err) == (0, "")
    summary, receipt = made.said.json, made.receipt
    assert (receipt.run_id, receipt.task_digest) == (summary["run_id"], summary["task_digest"])
    assert (receipt.stamp, receipt.seed, receipt.profile.name) == ("practice", 0, "ci-smoke")
    assert receipt.submission_digest == summary["submission_digest"]
    assert [file.path for file in receipt.files] == ["solution.py"]
    found = receipt.result
    assert (found.outcome, found.tier, found.points) == ("ok", "competent", summary["points"])
    assert found.objective.value == summary["objective"]["value"]
    assert [c.name for c in found.constraints] == [
        "answer latency",
        "notes size",
        "time of warm-up and rare calls",
        "time of learn",
        "start-up time",
    ]
    key = ring(made).own("candidate")
    assert key is not None
    assert made.document["key_id"] == key.id


def test_a_submission_that_fails_has_a_receipt_too(tmp_path: Path) -> None:
    said = harness("run", "toy-squares", HOSTILE / "returns-nan", *SMOKE, "--out", tmp_path / "out")
    assert said.code == 1
    found = json.loads((tmp_path / "out" / "receipt.json").read_text())["payload"]["result"]
    assert (found["outcome"], found["points"], found["objective"]["value"]) == ("malformed", 0.0, None)
    again = harness("verify", tmp_path / "out" / "receipt.json", HOSTILE / "returns-nan", *TOY, "--json")
    assert (again.code, again.json["verdict"]) == (0, "agrees")


def test_a_new_run_agrees(made: Made) -> None:
    said = harness("verify", made.file, made.folder, *TOY, "--json")
    found = said.json
    assert {f["name"]: f["state"] for f in found["findings"]}.items() >= {
        "signature": "same",
        "task": "same",
        "files": "same",
        "machine": "same",
        "objective": "same",
        "points": "same",
        "tier": "same",
        "outcome": "same",
        "constraint notes size": "same",
        "fresh seed": "same",
    }.items()
    # Nothing but the latency, whose times a single pair cannot certify, may be left open on a busy machine.
    still = {f["name"] for f in found["findings"] if f["state"] not in ("same", "note")}
    assert still <= {"constraint answer latency"}
    assert (said.code, found["verdict"]) == ((3, "inconclusive") if still else (0, "agrees"))
    assert (found["signature"], found["official"]) == ("candidate", False)
    assert found["new_run"] != made.receipt.run_id
    assert harness("report", found["new_run"], "--json").json["points"] == made.said.json["points"]


def test_for_people(made: Made) -> None:
    said = harness("verify", made.file, made.folder, *TOY, "--no-rerun")
    assert said.code == 3
    assert re.search(
        r"^ok +signature +valid, and the key is known as a candidate's \(key [0-9a-f]{16}\)$",
        said.out,
        flags=re.M,
    )
    assert "a signature alone shows no number to be true" in said.out
    assert "Inconclusive: nothing speaks against the receipt" in said.out
    assert "\x1b" not in said.out


def test_files_that_changed_are_named_and_not_run(made: Made) -> None:
    solution = made.folder / "solution.py"
    solution.write_text(solution.read_text() + "# more\n")
    (made.folder / "new.py").write_text("")
    said = harness("verify", made.file, made.folder, *TOY, "--json")
    assert (said.code, said.json["verdict"], said.json["new_run"]) == (1, "differs", None)
    assert said.json["files"] == {"changed": ["solution.py"], "added": ["new.py"], "removed": []}
    payload = made.document["payload"]
    payload["files"].append({"path": "gone.py", "sha256": "0" * 64})
    assert looked_at(made, signed_by(made, payload), made.folder).removed == ["gone.py"]


def test_another_version_of_the_task_is_told_and_not_run(made: Made) -> None:
    root = made.top / "toys"
    shutil.copytree(TOYS, root)
    toml = root / "toy-squares" / "task.toml"
    toml.write_text(toml.read_text().replace("at_most = 20.0", "at_most = 21.0"))
    said = harness("verify", made.file, made.folder, "--tasks", root, "--json")
    assert (said.code, said.json["new_run"]) == (1, None)
    assert {f["name"]: f["state"] for f in said.json["findings"]}["task"] == "differs"
    nowhere = harness("verify", made.file, made.folder, "--json")
    assert (nowhere.code, nowhere.json["verdict"]) == (3, "inconclusive")


def test_a_task_in_the_folder_of_work_is_never_imported(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made.top)
    shutil.copytree(TOYS / "toy-squares", made.top / "toy-squares")
    (made.top / "toy-squares" / "task.py").write_text("raise SystemExit(99)\n")
    assert harness("verify", made.file, made.folder, "--json").code == 3


def test_every_changed_leaf_breaks_the_signature(made: Made) -> None:
    document = made.document
    found = list(leaves(document["payload"]))
    assert len(found) > 80
    path = made.top / "changed.json"
    for where, leaf in found:
        payload = changed(document["payload"], where, other(leaf))
        path.write_text(json.dumps({**document, "payload": payload}))
        seen = looked_at(made, path)
        assert (seen.standing, seen.verdict, seen.official) == ("broken", "differs", False), where


def test_a_broken_signature_is_exit_1_and_nothing_is_run(made: Made) -> None:
    text = made.file.read_text()
    assert '"tier": "competent"' in text
    made.file.write_text(text.replace('"tier": "competent"', '"tier": "expert"'))
    said = harness("verify", made.file, made.folder, *TOY, "--json")
    assert (said.code, said.json["signature"], said.json["new_run"]) == (1, "broken", None)
    assert [f["name"] for f in said.json["findings"]] == ["signature"]
    shown = harness("verify", made.file, made.folder, *TOY)
    assert "expert" not in shown.out


def test_a_swapped_signature_is_broken(made: Made) -> None:
    document = made.document
    evaluators = json.loads(signed_by(made, official(made), "evaluator").read_text())
    for fields in (
        ("signature",),
        ("signature", "public_key", "key_id"),
        ("public_key", "key_id"),
        ("payload",),
    ):
        path = made.top / "swapped.json"
        path.write_text(json.dumps({**document, **{field: evaluators[field] for field in fields}}))
        found = looked_at(made, path)
        assert (found.standing, found.official, found.verdict) == ("broken", False, "differs"), fields


@pytest.mark.parametrize(("role", "standing"), [("candidate", "candidate"), (None, "unknown")])
def test_a_forged_official_receipt_is_never_official(
    made: Made, role: KeyRole | None, standing: str, tmp_path: Path
) -> None:
    file = signed_by(made, official(made), role)
    said = harness("verify", file, made.folder, *TOY, "--json")
    assert (said.code, said.json["official"], said.json["signature"]) == (3, False, standing)
    shown = harness("verify", file, *TOY)
    assert (
        "NOT official: the receipt claims it, and nobody trusted here as an evaluator signed it" in shown.out
    )
    public = dict(official(made), seed=0, seed_id=made.receipt.seed_id)
    again = harness("verify", signed_by(made, public, role), made.folder, *TOY, "--json")
    assert again.json["new_run"]  # even where a new run finds the very same numbers
    assert (again.code, again.json["official"]) == (3, False)


def test_a_strangers_evaluator_key_counts_once_it_is_trusted(made: Made) -> None:
    file = signed_by(made, official(made), None)
    stranger = KeyRing(made.top / "stranger")
    for role, is_official in (("candidate", False), ("evaluator", True)):
        said = harness("keys", "trust", stranger.public_file("evaluator"), "--role", role, "--json")
        assert (said.code, said.json["role"]) == (0, role)
        assert looked_at(made, file).official is is_official
    assert harness("verify", file, *TOY).code == 0
    assert harness("keys", "forget", said.json["id"]).code == 0
    assert not looked_at(made, file).official


@pytest.mark.parametrize(
    "change",
    [
        {"stamp": "self-check"},
        {"seed": 0},
        {"isolation": None},
        {"isolation": {"level": "process", "official": False}},
        {
            "sources": [
                {"role": "data", "kind": "hub", "name": "a", "digest": "b", "size_bytes": 1, "public": True}
            ]
        },
    ],
)
def test_not_even_an_evaluator_makes_a_public_run_official(made: Made, change: dict[str, Any]) -> None:
    assert looked_at(made, signed_by(made, official(made), "evaluator")).official
    assert not looked_at(made, signed_by(made, official(made) | change, "evaluator")).official


def test_an_evaluators_key_signs_official_runs_and_no_others(made: Made, tmp_path: Path) -> None:
    asked = order(Options(task="toy-squares", folder=COMPETENT, tasks_root=TOYS, profile="ci-smoke"))
    done = runner.run(asked, Store.open(tmp_path / "home"))
    secret = done.model_copy(update={"head": done.head.model_copy(update={"stamp": "official"})})
    keys = KeyRing(tmp_path / "keys")
    before = receipts.Signer(asked, keys)
    evaluator = keys.make("evaluator")
    after = receipts.Signer(asked, keys)
    for signer, run, key in (
        (before, secret, before.candidate),
        (after, secret, evaluator),
        (after, done, before.candidate),
    ):
        document, said = receipts.read(signer.write(run, tmp_path))
        assert said is not None
        assert (document.intact, document.public) == (True, key.public)


def test_a_key_that_cannot_be_used_is_told_before_anything_runs(made: Made, tmp_path: Path) -> None:
    ring(made).private_file("candidate").chmod(0o644)
    said = refused("run", "toy-squares", COMPETENT, *SMOKE, "--out", tmp_path / "out")
    assert "can be read by others; chmod 600" in said
    assert not (tmp_path / "out").exists()


def test_a_secret_seed_stays_secret_and_is_wanted_again(made: Made, tmp_path: Path) -> None:
    secret, wrong = tmp_path / "seed", tmp_path / "wrong"
    assert harness("keys", "secret", secret).code == harness("keys", "secret", wrong).code == 0
    assert "is there already" in refused("keys", "secret", secret)
    out = tmp_path / "out"
    said = harness("run", "toy-squares", made.folder, *SMOKE, "--secret-seed-file", secret, "--out", out)
    assert said.code == 0
    text = (out / "receipt.json").read_text()
    content = secret.read_text().strip()
    assert not [form for form in (content, content.encode().hex(), str(secret)) if form in text]
    assert (json.loads(text)["payload"]["seed"], "answers" in text) == (None, False)
    without = harness("verify", out / "receipt.json", made.folder, *TOY, "--json")
    assert (without.code, without.json["new_run"]) == (3, None)
    given = harness("verify", out / "receipt.json", made.folder, *TOY, "--json", "--secret-seed-file", secret)
    assert given.json["new_run"]
    assert {f["name"]: f["state"] for f in given.json["findings"]}["objective"] == "same"
    told = refused("verify", out / "receipt.json", made.folder, *TOY, "--secret-seed-file", wrong)
    assert "holds another seed than the receipt's run had" in told
    assert "public seed" in refused("verify", made.file, made.folder, *TOY, "--secret-seed-file", secret)


def test_where_local_data_lie_is_nobodys_business(made: Made, tmp_path: Path) -> None:
    asked = order(Options(task="toy-squares", folder=COMPETENT, tasks_root=TOYS, profile="ci-smoke"))
    own = sources.parse_data(str(tmp_path)), sources.parse_model(str(tmp_path))
    asked = replace(asked, data=own[0], model=own[1])
    done = runner.run(asked, Store.open(tmp_path / "home"))
    file = receipts.Signer(asked, ring(made)).write(done, tmp_path)
    assert str(tmp_path) not in file.read_text()
    assert "--data names where you have the same" in refused("verify", file, COMPETENT, *TOY)
    payload = made.document["payload"]
    payload["asked"]["data"] = "/etc"
    told = refused("verify", signed_by(made, payload), made.folder, *TOY)
    assert "no source that a receipt may name" in told


@pytest.mark.parametrize(
    ("part", "key", "value", "words"),
    [
        ("profile", "trials", 10**9, "trials is over 1000"),
        ("profile", "threads", 10**6, "threads is over 1024"),
        ("profile", "trials", 0, "trials: Input should be greater"),
        ("profile", "device", "abacus", "device: Input should be"),
        ("profile", "size", "\x1b[2Jhuge", "has no size"),
        ("asked", "limit_factor", 1e9, "limit_factor is over 100"),
        ("asked", "data", "builtin:\x1b[2J", "String should match"),
    ],
)
def test_a_receipt_cannot_ask_for_just_any_run(
    made: Made, part: str, key: str, value: object, words: str
) -> None:
    payload = made.document["payload"]
    payload[part][key] = value
    said = refused("verify", signed_by(made, payload), made.folder, *TOY)
    assert words in said
    assert "\x1b" not in said


def test_a_receipts_text_cannot_write_on_the_terminal(made: Made) -> None:
    payload = made.document["payload"]
    payload |= {"run_id": "\x1b]0;gotcha\x07x", "submission": "\x1b[2Jme\nok       signature"}
    payload["machine"] |= {"id": "another", "processor": "\x1b[31mred\u202e"}
    said = harness("verify", signed_by(made, payload), *TOY)
    assert not [c for c in said.out if c in "\x1b\x07\u202e"]
    assert len(re.findall(r"^ok +signature", said.out, flags=re.M)) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "is not strict JSON"),
        ('{"context": 1, "context": 2}', "stands twice"),
        ('{"context": NaN}', "NaN is no number of JSON"),
        ("[]", "is no JSON object"),
        ('{"context": "ml-skills-harness receipt v2"}', "is no ml-skills-harness receipt v1"),
        ("[" * 50_000, "nested too deep"),
        ("0" * (4 * 2**20 + 1), "is too large"),
    ],
)
def test_a_malformed_file_is_exit_2_and_one_sentence(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "receipt.json"
    file.write_text(text)
    assert words in refused("verify", file)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("points",), "64"),
        (("result", "points"), "64"),
        (("result", "outcome"), "splendid"),
        (("result", "constraints"), {}),
        (("schema_version",), 2),
        (("schema_version",), True),
        (("files", 0, "sha256"), None),
        (("task",), "../toy-squares"),
        (("task",), "toy-squares\n"),
        (("machine", "cores"), 2.5),
        (("\x1b[2J",), 1),
    ],
)
def test_a_signed_receipt_of_the_wrong_shape_is_exit_2(
    made: Made, where: tuple[Any, ...], value: Any
) -> None:
    file = signed_by(made, changed(made.document["payload"], where, value))
    said = refused("verify", file, *TOY)
    assert str(file) in said
    assert "\x1b" not in said


def test_wrong_calls(made: Made) -> None:
    assert "is no file that can be read" in refused("verify", "no/such.json")
    assert "--rerun needs DIR" in refused("verify", made.file, "--rerun", *TOY)
    assert "isolation level 'moat' is unknown" in refused("verify", made.file, "--isolation", "moat", *TOY)
    assert "--role boss is not known" in refused("keys", "make", "--role", "boss")
    assert "has no key of role evaluator" in refused("keys", "show", "--role", "evaluator")


def test_keys_by_hand(tmp_path: Path) -> None:
    assert "No keys yet" in harness("keys", "list").out
    made = harness("keys", "make", "--role", "evaluator", "--json").json
    said = harness("keys", "show", "--role", "evaluator", "--json").json
    assert (said["id"], said["role"]) == (made["id"], "evaluator")
    assert harness("keys", "show", "--role", "evaluator").out == said["pem"]
    assert Path(made["public"]).read_text() == said["pem"]
    theirs = KeyRing(tmp_path / "theirs")
    theirs.make("candidate")
    named = ["--name", "\x1b[2JAda"]
    assert harness("keys", "trust", theirs.public_file("candidate"), "--role", "candidate", *named).code == 0
    listed = harness("keys", "list")
    assert "own" in listed.out
    assert "Ada" in listed.out
    assert "\x1b" not in listed.out
    found = harness("keys", "list", "--json").json
    assert [key["id"] for key in found["own"]] == [made["id"]]
    assert [key["role"] for key in found["trusted"]] == ["candidate"]


def test_any_number_that_is_signed_and_untrue_is_found(made: Made) -> None:
    """Every leaf of the result is raised well beyond the noise, signed again, and compared with the truth."""
    criteria = tasks.read(TOYS / "toy-squares").criteria
    truth = made.receipt.result
    raw = json.loads(truth.model_dump_json())
    # What says how a verdict is worded, how wide an interval is, or what is not compared at all.
    free = {"words", "low", "high", "points_low", "points_high", "tolerance", "pairs", "certified", "guard"}
    seen = set()
    for where, leaf in leaves(raw):
        if where[-1] in free or (where[:2] == ("constraints", 0) and where[-1] in ("value", "verdict")):
            continue
        if where[0] == "constraints" and where[1] >= len(criteria.constraints) and where[-1] == "value":
            continue  # how far within a limit that is only implied
        for new in _lies(where, leaf):
            forged = Result.model_validate(changed(raw, where, new))
            found = compare(forged, truth, criteria, same_machine=True)
            states = {finding.state for finding in found}
            assert contradictions(forged) or states & {"differs", "open"}, (where, leaf, new)
            seen.add(where[-1])
    assert seen >= {"outcome", "tier", "points", "points_uncapped", "value", "verdict", "threshold", "bound"}
    assert not contradictions(truth)
    assert {f.state for f in compare(truth, truth, criteria, same_machine=True)} == {"same"}


def _lies(where: tuple[Any, ...], leaf: Any) -> list[Any]:
    if isinstance(leaf, float):
        return [leaf + 1000.0, leaf - 1000.0]
    choices = {
        "outcome": ["budget_exceeded", "inconclusive", "malformed", "timeout"],
        "tier": ["expert", "baseline"],
        "verdict": ["fail", "inconclusive"],
        "bound": ["at_least"],
        "direction": ["lower"],
        "open_by": ["candidate", "machine"],
        "void": [True],
    }
    return choices.get(str(where[-1]), [f"{leaf}x"])


def test_a_better_score_that_is_consistent_and_signed_differs_from_a_new_run(made: Made) -> None:
    payload = made.document["payload"]
    payload["result"] |= {
        "tier": "expert",
        "points": 125.0,
        "points_uncapped": 160.0,
        "points_low": 150.0,
        "points_high": 170.0,
    }
    payload["result"]["objective"] |= {"value": 0.999, "low": 0.998, "high": 1.0}
    said = harness("verify", signed_by(made, payload), made.folder, *TOY, "--json")
    assert (said.code, said.json["verdict"]) == (1, "differs")
    states = {f["name"]: f["state"] for f in said.json["findings"]}
    assert [states[name] for name in ("signature", "objective", "points", "tier")] == [
        "same",
        *["differs"] * 3,
    ]


def test_a_receipt_that_contradicts_itself_differs(made: Made) -> None:
    for where, value in (
        (("result", "points"), 99.0),
        (("seed",), 7),
        (("submission_digest",), "0" * 64),
        (("result", "objective", "low"), 0.9999),
    ):
        found = looked_at(made, signed_by(made, changed(made.document["payload"], where, value)), made.folder)
        assert (found.verdict, found.again) == ("differs", None), where
    payload = changed(official(made), ("result", "points"), 99.0)
    assert not looked_at(made, signed_by(made, payload, "evaluator")).official


@pytest.mark.parametrize(
    ("a", "b", "differs"),
    [
        ((1.0, 0.9, 1.1), (1.2, 1.1, 1.3), True),
        ((1.0, 0.9, 1.1), (1.14, 1.04, 1.24), False),
        ((1.14, 1.04, 1.24), (1.0, 0.9, 1.1), False),
        ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), False),
        ((1.0, 1.0, 1.0), (1.0 + 1e-12, None, None), False),
        ((1.0, 1.0, 1.0), (1.001, None, None), True),
        ((1.0, 0.0, 1.0), (1.5, 1.5, 3.0), True),  # the sides that face each other have no width
        ((None, None, None), (1.0, 0.9, 1.1), None),
    ],
)
def test_half_widths_add_in_quadrature(
    a: tuple[float | None, ...], b: tuple[float | None, ...], differs: bool | None
) -> None:
    assert apart(a, b) is differs


def test_what_the_noise_explains_is_open_and_never_a_difference(made: Made) -> None:
    criteria = tasks.read(TOYS / "toy-squares").criteria
    raw = json.loads(made.receipt.result.model_dump_json())
    raw["constraints"][1] |= {"value": 0.99, "low": 0.98, "high": 1.0, "verdict": "pass"}
    near = copy.deepcopy(raw)
    near["constraints"][1] |= {"value": 1.003, "low": 0.993, "high": 1.013, "verdict": "inconclusive"}
    near |= {"outcome": "inconclusive"}
    found = compare(Result.model_validate(raw), Result.model_validate(near), criteria, same_machine=True)
    states = {finding.name: finding.state for finding in found}
    assert (states["constraint notes size"], states["outcome"]) == ("open", "open")
    assert "differs" not in states.values()
    near["constraints"][1] |= {"value": 1.5, "low": 1.4, "high": 1.6, "verdict": "fail"}
    near |= {"outcome": "budget_exceeded"}
    found = compare(Result.model_validate(raw), Result.model_validate(near), criteria, same_machine=True)
    states = {finding.name: finding.state for finding in found}
    assert (states["constraint notes size"], states["outcome"]) == ("differs", "differs")


def test_on_another_machine_absolute_costs_are_noted_and_ratios_compared(made: Made) -> None:
    criteria = tasks.read(TOYS / "toy-squares").criteria
    slow = criteria.constraints[0].model_copy(
        update={"compare": "absolute", "reference": None, "measure": "answer_p50", "at_most": 1.0}
    )
    absolute = criteria.model_copy(update={"constraints": (slow, criteria.constraints[1])})
    raw = json.loads(made.receipt.result.model_dump_json())
    raw |= {"certified": True}
    raw["constraints"][0] |= {"unit": "s", "reference": "", "value": 0.5, "low": 0.49, "high": 0.51}
    far = copy.deepcopy(raw)
    far["constraints"][0] |= {"value": 0.9, "low": 0.89, "high": 0.91}
    for same, of_time in ((True, "differs"), (False, "note")):
        found = compare(Result.model_validate(raw), Result.model_validate(far), absolute, same)
        states = {finding.name: finding.state for finding in found}
        assert states["constraint answer latency"] == of_time
    far["constraints"][1]["value"] = far["constraints"][1]["low"] = far["constraints"][1]["high"] = 0.5
    found = compare(Result.model_validate(raw), Result.model_validate(far), absolute, same_machine=False)
    assert {f.name: f.state for f in found}["constraint notes size"] == "differs"


@pytest.mark.parametrize(
    ("certified", "value", "expected"),
    [(True, 1.3, "differs"), (False, 1.3, "same"), (None, 1.3, "same"), (False, 9.0, "open")],
)
def test_times_that_are_not_certified_show_no_difference(
    made: Made, certified: bool | None, value: float, expected: str
) -> None:
    criteria = tasks.read(TOYS / "toy-squares").criteria
    raw = json.loads(made.receipt.result.model_dump_json())
    raw |= {"certified": True}
    raw["constraints"][0] |= {"value": 1.0, "low": 0.98, "high": 1.02, "tolerance": 0.03, "verdict": "pass"}
    again = copy.deepcopy(raw) | {"certified": certified}
    again["constraints"][0] |= {"value": value, "low": value - 0.02, "high": value + 0.02}
    found = compare(Result.model_validate(raw), Result.model_validate(again), criteria, same_machine=True)
    assert {f.name: f.state for f in found}["constraint answer latency"] == expected


def test_a_limit_that_another_machine_met_is_open(made: Made) -> None:
    criteria = tasks.read(TOYS / "toy-squares").criteria
    raw = json.loads(made.receipt.result.model_dump_json())
    raw |= {"points": 0.0, "points_uncapped": None, "points_low": None, "points_high": None, "tier": "none"}
    raw |= {"constraints": [], "outcome": "timeout"}
    raw["objective"] |= {"value": None, "low": None, "high": None}
    late = Result.model_validate(raw)
    truth = made.receipt.result
    for same, expected in ((True, "differs"), (False, "open")):
        found = compare(truth, late, criteria, same)
        assert {f.name: f.state for f in found}["outcome"] == expected
    assert agreement.contradictions(late) == []


def test_a_run_that_was_not_scored_has_no_receipt(made: Made, tmp_path: Path) -> None:
    asked = order(Options(task="toy-squares", folder=COMPETENT, tasks_root=TOYS, profile="ci-smoke"))
    done = runner.run(asked, Store.open(tmp_path / "home")).model_copy(update={"score": None})
    with pytest.raises(Exception, match="was not scored"):
        receipts.receipt_of(asked, done)
    with pytest.raises(UsageError, match="cannot be written"):
        receipts.Signer(asked, ring(made)).write(
            runner.run(asked, Store.open(tmp_path / "home")), tmp_path / "no" / "such"
        )


def test_official_is_what_an_evaluator_signed_and_nothing_speaks_against(made: Made) -> None:
    receipt = Receipt.model_validate_json(json.dumps(official(made)))
    assert receipts.is_official(receipt, by_evaluator=True)
    assert not receipts.is_official(receipt, by_evaluator=False)
    assert receipt.isolation is not None
    own = Source(role="data", kind="local", name="a", digest="b", size_bytes=1)
    public = own.model_copy(update={"public": True})
    assert receipts.is_official(receipt.model_copy(update={"sources": (own,)}), by_evaluator=True)
    for change in (
        {"seed": 0},  # a public seed is never official: anybody can make its instances beforehand
        {"seed": 7},
        {"stamp": "self-check"},
        {"stamp": "practice"},
        {"isolation": None},
        {"isolation": receipt.isolation.model_copy(update={"official": False})},
        {"sources": (public,)},
        {"sources": (own, public)},
    ):
        assert not receipts.is_official(receipt.model_copy(update=change), by_evaluator=True), change


@pytest.mark.parametrize(("pairs", "is_official"), [(1, False), (4, False), (5, True)])
def test_a_time_beside_a_references_is_official_from_five_pairs_on(
    made: Made, pairs: int, is_official: bool
) -> None:
    receipt = Receipt.model_validate_json(json.dumps(official(made)))
    profile = receipt.profile.model_copy(update={"pairs": pairs})
    receipt = receipt.model_copy(update={"profile": profile})
    assert receipts.is_official(receipt, by_evaluator=True), "no process pair was read"
    in_pairs = receipt.result.model_copy(update={"certified": False})
    assert receipts.is_official(receipt.model_copy(update={"result": in_pairs}), True) == is_official
    speed = in_pairs.objective.model_copy(update={"unit": "x"})
    for unit, constraints in (("x", ()), ("", ())):
        objective = speed.model_copy(update={"unit": unit})
        result = in_pairs.model_copy(update={"objective": objective, "constraints": constraints})
        found = receipts.is_official(receipt.model_copy(update={"result": result}), True)
        assert found == (is_official or unit == "")


def claiming_more(made: Made) -> dict[str, Any]:
    """The payload of a receipt that claims another accuracy, half way up to the end of its own interval."""
    payload: dict[str, Any] = copy.deepcopy(made.document["payload"])
    objective = payload["result"]["objective"]
    assert objective["low"] < objective["value"] < objective["high"]
    objective["value"] = (objective["value"] + objective["high"]) / 2
    return payload


@pytest.mark.parametrize("level", ["process", "bubblewrap"])
def test_another_quality_on_the_same_seed_is_told_by_one_more_run(
    made: Made, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    """At whatever level it ran: a verification takes the strongest, and arithmetic is the same there."""

    def at_a_level(run: Run) -> Run:
        assert run.head.isolation is not None
        isolation = run.head.isolation.model_copy(update={"level": level})
        return run.model_copy(update={"head": run.head.model_copy(update={"isolation": isolation})})

    orders = instead(made, monkeypatch, at_a_level)
    honest = looked_at(made, made.file, made.folder, same_seed_only=True)
    assert (state(honest, "objective"), len(orders)) == ("same", 1)
    found = looked_at(made, signed_by(made, claiming_more(made)), made.folder, same_seed_only=True)
    assert (state(found, "objective"), found.verdict) == ("differs", "differs")
    assert state(found, "one more run") == "note"
    assert len(orders) == 3
    assert orders[2] == orders[1]


@pytest.mark.parametrize("change", [{"harness_version": "0.0.1"}, {"machine": "another"}])
def test_where_other_arithmetic_may_tell_another_quality_it_is_open(
    made: Made, monkeypatch: pytest.MonkeyPatch, change: dict[str, str]
) -> None:
    orders = instead(made, monkeypatch)
    payload = claiming_more(made)
    if "machine" in change:
        payload["machine"]["id"] = change["machine"]
    else:
        payload |= change
    found = looked_at(made, signed_by(made, payload), made.folder, same_seed_only=True)
    assert (state(found, "objective"), found.verdict, len(orders)) == ("open", "inconclusive", 1)


def test_a_submission_that_draws_by_itself_is_not_accused(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = Store.open(made.top / "home").run(made.receipt.run_id)
    assert done.score is not None
    payload = claiming_more(made)
    claimed = payload["result"]["objective"]["value"]
    for factor, due in (
        (1.5, "same"),
        (0.5, "open"),
    ):  # the second run beyond the receipt's value, or short of it
        own = done.score.objective
        assert own.value is not None
        more = own.model_copy(update={"value": own.value + factor * (claimed - own.value)})
        runs = iter(
            [done, done.model_copy(update={"score": done.score.model_copy(update={"objective": more})})]
        )
        monkeypatch.setattr(runner, "run", lambda *_, runs=runs: next(runs))
        found = looked_at(made, signed_by(made, payload), made.folder, same_seed_only=True)
        assert state(found, "objective") == due


def test_a_tier_that_its_own_points_do_not_reach_contradicts_the_receipt(made: Made) -> None:
    payload = made.document["payload"]
    payload["result"]["tier"] = "expert"
    found = looked_at(made, signed_by(made, payload), made.folder)
    (inside,) = [f for f in found.findings if f.name == "the receipt"]
    assert inside.words == (
        "contradicts itself: its tier is expert, which does not follow from its own outcome and points"
    )
    assert (found.verdict, found.again) == ("differs", None)


@pytest.mark.parametrize(
    ("part", "name", "most"),
    [
        ("profile", "threads", 1024),
        ("profile", "trials", 1000),
        ("profile", "max_trials", 1000),
        ("profile", "pairs", 1000),
        ("profile", "max_pairs", 1000),
        ("settings", "limit_factor", 100),
        ("settings", "pair_seconds", 86400),
    ],
)
def test_what_a_receipt_may_ask_for_ends_exactly_here(made: Made, part: str, name: str, most: int) -> None:
    receipt = made.receipt

    def with_it(value: int) -> Receipt:
        inner = getattr(receipt, part).model_copy(update={name: value})
        return receipt.model_copy(update={part: inner})

    assert getattr(receipts.profile_of(with_it(most)), name) == most
    with pytest.raises(UsageError, match=f"cannot be run: {name} is over {most}"):
        receipts.profile_of(with_it(most + 1))


@pytest.mark.parametrize(
    ("where", "value", "words"),
    [
        (("result", "points"), "64", r"'result\.points': Input should be a valid number"),
        (("files", 0, "sha256"), None, r"'files\.0\.sha256': Input should be a valid string"),
        (("more",), 1, r"'more': Extra inputs are not permitted"),
        (("schema_version",), 2, r"is no receipt: its schema is 2, and this version reads 1"),
        (("more",), json.loads("[" * 300 + "]" * 300), r"'payload': Invalid JSON: recursion limit exceeded"),
    ],
)
def test_what_is_wrong_in_a_signed_receipt_is_named(
    made: Made, where: tuple[Any, ...], value: Any, words: str
) -> None:
    file = signed_by(made, changed(made.document["payload"], where, value))
    with pytest.raises(UsageError, match=words) as caught:
        receipts.read(file)
    assert "\n" not in str(caught.value)


def test_an_evaluators_word_stands_without_a_new_run_and_nobody_elses(made: Made) -> None:
    by_evaluator = signed_by(made, official(made), "evaluator")
    found = looked_at(made, by_evaluator)
    (new,) = [finding for finding in found.findings if finding.name == "new run"]
    assert (new.state, found.verdict) == ("note", "agrees")
    assert new.words == "none: no DIR was given; an evaluator of yours vouches for the result"
    for role in ("candidate", None):
        found = looked_at(made, signed_by(made, official(made), role))
        (new,) = [finding for finding in found.findings if finding.name == "new run"]
        assert (new.state, found.verdict) == ("open", "inconclusive")
        assert new.words == "none: no DIR was given; a signature alone shows no number to be true"


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ({"task_digest": "0" * 64}, "the task is not the receipt's"),
        ({"files": []}, "the files are not the receipt's"),
        ({"seed": 7}, "the receipt contradicts itself"),
        ({"seed": None}, "its seed is secret; --secret-seed-file names the file that holds it"),
    ],
)
def test_why_there_is_no_new_run_is_said(made: Made, spoil: dict[str, Any], why: str) -> None:
    found = looked_at(made, signed_by(made, made.document["payload"] | spoil), made.folder)
    (new,) = [finding for finding in found.findings if finding.name == "new run"]
    assert found.again is None
    assert why in new.words
    assert (
        looked_at(made, made.file, made.folder, rerun=False)
        .findings[-1]
        .words.startswith("none: it was not asked for")
    )


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"model": "hub:ada/minilm@" + "0" * 40}, "model hub:ada/minilm@00"),
        ({"data": "hub:ada/texts@" + "0" * 40}, "data hub:ada/texts@00"),
        ({"columns": {"label": "noise"}}, "by columns of its own"),
    ],
)
def test_nothing_is_run_with_data_or_a_model_that_the_receipts_maker_chose(
    made: Made, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], words: str
) -> None:
    """A model without its word embeddings made the references poor: 90 points for 17."""
    orders = instead(made, monkeypatch)
    file = signed_by(made, made.document["payload"] | {"asked": made.document["payload"]["asked"] | asked})
    found = looked_at(made, file, made.folder)
    (sources,) = [one for one in found.findings if one.name == "sources"]
    assert sources.state == "open"
    assert words in sources.words
    assert "which its maker chose; --" in sources.words
    assert orders == []
    assert found.verdict == "inconclusive"
    given = {"model": "hub:mine/one@" + "1" * 40} if "model" in asked else {"data": "/mine"}
    found = looked_at(made, file, made.folder, **given)
    assert [one.state for one in found.findings if one.name == "sources"] == ["same"]
    assert orders


def instead(
    made: Made, monkeypatch: pytest.MonkeyPatch, change: Callable[[Run], Run] = lambda run: run
) -> list[Order]:
    """Instead of a new run the receipt's own is given back, changed; returns the orders that will have been given."""
    orders: list[Order] = []
    done = change(Store.open(made.top / "home").run(made.receipt.run_id))

    def run(order: Order, *_: object) -> Run:
        orders.append(order)
        return done

    monkeypatch.setattr(runner, "run", run)
    return orders


def test_a_new_run_is_of_the_receipts_settings_and_of_the_callers_own_sources(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = made.document["payload"]
    payload["asked"] |= {"data": "local", "model": "local", "columns": {"text": "words"}}
    payload["profile"] |= {"pairs": 7}
    file = signed_by(made, payload)
    orders = instead(made, monkeypatch)
    for given, missing in ({"data": "/mine"}, "--model"), ({"model": "/mine"}, "--data"):
        words = f"used a folder of its own; {missing} names where you have the same"
        with pytest.raises(UsageError, match=words):
            looked_at(made, file, made.folder, **given)
    assert orders == []
    assert looked_at(made, file, made.folder, data="/my/data", model="/my/model", isolation="process").again
    again, on_fresh = orders
    assert (again.data.source, again.data.name, again.data.columns) == (
        "local",
        "/my/data",
        {"text": "words"},
    )
    assert (again.model.source, again.model.name) == ("local", "/my/model")
    assert (again.seed, again.profile.isolation, again.anew) == (0, "process", True)
    assert again.profile.pairs == 1, "no more than the installed profile has"
    assert again.worker_key.hex() == made.receipt.worker_key, "what a submission draws for itself is the same"
    assert (on_fresh.seed, on_fresh.root, on_fresh.anew) == (None, FRESH, True)
    assert on_fresh.worker_key not in (again.worker_key, again.root, on_fresh.root)
    assert on_fresh == replace(again, seed=None, root=FRESH, worker_key=on_fresh.worker_key)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (None, "it was not scored"),
        ({"outcome": "sandbox_failed", "reasons": ("no walls here", "more")}, "no walls here$"),
        ({"outcome": "harness_error", "reasons": ()}, "it was not scored"),
    ],
)
def test_a_new_run_that_is_no_result_shows_nothing(
    made: Made, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any] | None, why: str
) -> None:
    def without_result(run: Run) -> Run:
        assert run.score is not None
        score = None if change is None else run.score.model_copy(update=change)
        return run.model_copy(update={"score": score})

    instead(made, monkeypatch, without_result)
    with pytest.raises(HarnessError, match=f"could not be run again: {why}"):
        looked_at(made, made.file, made.folder)


@pytest.mark.parametrize(("kind", "differs"), [("derived", False), ("local", True)])
def test_a_new_run_on_other_data_differs_but_for_what_is_derived(
    made: Made, monkeypatch: pytest.MonkeyPatch, kind: str, differs: bool
) -> None:
    def on_more(run: Run) -> Run:
        more = Source.model_validate(
            {"role": "data", "kind": kind, "name": "a", "digest": "b", "size_bytes": 1}
        )
        return run.model_copy(update={"head": run.head.model_copy(update={"sources": (more,)})})

    instead(made, monkeypatch, on_more)
    states = {finding.name: finding.state for finding in looked_at(made, made.file, made.folder).findings}
    assert states["new run"] == "note"
    assert (states.get("data"), states.get("points")) == (("differs", None) if differs else (None, "same"))


def test_who_wants_a_new_run_and_gets_none_is_not_put_off_with_an_evaluators_word(made: Made) -> None:
    file = signed_by(made, official(made), "evaluator")
    for rerun, state_of_it in ((None, "note"), (False, "note"), (True, "open")):
        assert state(looked_at(made, file, made.folder, rerun=rerun), "new run") == state_of_it


def test_another_machine_is_told_and_is_no_difference(made: Made) -> None:
    payload = made.document["payload"]
    payload["machine"] |= {"id": "another", "processor": "an abacus"}
    report = looked_at(made, signed_by(made, payload), rerun=False)
    (machine,) = [finding for finding in report.findings if finding.name == "machine"]
    assert (machine.state, report.verdict) == ("note", "inconclusive")
    assert machine.words.startswith("another: ")
    assert "an abacus" in machine.words
    assert machine.words.endswith("; absolute times and sizes are not compared")


def test_of_many_changed_files_the_first_ten_are_named(made: Made) -> None:
    letters = "qwertzuiopas"
    payload = made.document["payload"]
    for letter in letters:
        (made.folder / f"changed {letter}").write_text("now")
        (made.folder / f"added {letter}").touch()
    payload["files"] += [
        {"path": f"{what} {letter}", "sha256": "0" * 64} for what in ("changed", "gone") for letter in letters
    ]
    report = looked_at(made, signed_by(made, payload), made.folder)
    for what, names in (("changed", report.changed), ("added", report.added), ("gone", report.removed)):
        assert names == [f"{what} {letter}" for letter in sorted(letters)]
    (files,) = [finding for finding in report.findings if finding.name == "files"]
    named = ", ".join(f"changed {letter}" for letter in sorted(letters)[:10])
    assert files.state == "differs"
    assert files.words.startswith(f"changed: {named}, ...; added: ")


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("profile", "trials", 900),
        ("profile", "max_trials", 900),
        ("profile", "threads", 64),
        ("profile", "pairs", 2),
        ("asked", "limit_factor", 9.0),
        ("asked", "pair_seconds", 1.0),
    ],
)
def test_a_profile_that_only_bears_a_known_name_is_open_with_what_differs(
    made: Made, part: str, key: str, value: float
) -> None:
    installed = profiles.read("ci-smoke")
    assert settings_of.compare(made.receipt).state == "same"
    payload = made.document["payload"]
    payload[part][key] = value
    found = looked_at(made, signed_by(made, payload))
    assert state(found, "profile") == "open"
    assert found.verdict != "agrees"
    (words,) = [one.words for one in found.findings if one.name == "profile"]
    assert f"{key} {value} instead of {getattr(installed, key)}" in words
    assert found.receipt is not None
    run = settings_of.bounded(profile_of(found.receipt), found.receipt)
    most = max(installed.trials, installed.max_trials)
    assert run.trials <= most
    assert run.max_trials <= most
    assert (f"no more than {most} instances" in words) == (key in ("trials", "max_trials"))


@pytest.mark.parametrize("trials", [1, 900])
def test_settings_that_no_profile_here_has_are_open_and_the_mend_is_said(made: Made, trials: int) -> None:
    payload = made.document["payload"]
    payload["profile"] |= {"name": "home", "trials": trials, "max_trials": trials}
    payload["asked"]["limit_factor"] = 1.5
    found = looked_at(made, signed_by(made, payload))
    (one,) = [finding for finding in found.findings if finding.name == "profile"]
    assert one.state == "open"
    assert "limit_factor 1.5" in one.words
    assert "--profile NAME or FILE.toml says which profile the run had to have" in one.words
    assert found.receipt is not None
    most = settings_of.most_trials(found.receipt)
    assert most == max(profiles.read(name).max_trials for name in profiles.names())
    assert settings_of.bounded(profile_of(found.receipt), found.receipt).max_trials == min(trials, most)
    assert (f"no more than {most} instances" in one.words) == (trials > most)


def test_a_name_of_ones_own_for_the_settings_of_an_installed_profile_is_that_profile(made: Made) -> None:
    payload = made.document["payload"]
    payload["profile"]["name"] = "home"
    found = looked_at(made, signed_by(made, payload))
    assert state(found, "profile") == "same"
    assert found.receipt is not None
    assert settings_of.bounded(profile_of(found.receipt), found.receipt).name == "ci-smoke"


def test_an_evaluator_says_which_profile_the_run_had_to_have(
    made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    orders = instead(made, monkeypatch)
    file = tmp_path / "ours.toml"
    file.write_text('extends = "ci-smoke"\nlimit_factor = 2.0\n')
    payload = made.document["payload"]
    payload["profile"]["name"] = "home"
    payload["asked"]["limit_factor"] = 2.0
    home = signed_by(made, payload)
    for profile, of, due in (
        (None, home, "open"),
        ("ci-smoke", home, "open"),
        (str(file), home, "same"),
        (None, made.file, "same"),
        ("ci-smoke", made.file, "same"),
        (str(file), made.file, "open"),
    ):
        found = looked_at(made, of, made.folder, same_seed_only=True, profile=profile)
        assert state(found, "profile") == due, (profile, of)
        assert (found.verdict == "agrees") == (due == "same")
    (words,) = [f.words for f in found.findings if f.name == "profile"]
    assert words == "the receipt says ci-smoke, not ours as it was given: limit_factor 1.0 instead of 2.0"
    assert [order.profile.limit_factor for order in orders] == [2.0, 1.0, 2.0, 1.0, 1.0, 1.0]
    assert "there is no profile 'moon'" in refused("verify", made.file, *TOY, "--profile", "moon")


def test_verifying_takes_no_longer_than_the_profile_that_the_run_had_to_have(made: Made) -> None:
    payload = made.document["payload"]
    long = {"trials": 9, "max_trials": 9, "pairs": 9, "max_pairs": 9}
    payload["profile"] |= {"name": "home", **long}
    payload["asked"] |= {"limit_factor": 90.0, "pair_seconds": 9000.0, "memory_pass": True}
    receipt = Receipt.model_validate(payload)
    due = profiles.read("ci-smoke")
    run = settings_of.bounded(profile_of(receipt), receipt, due)
    for key in ("max_trials", "max_pairs", "limit_factor", "pair_seconds", "memory_pass"):
        assert getattr(run, key) == getattr(due, key), key
    assert (run.trials, run.pairs, settings_of.most_trials(receipt, due)) == (2, 1, 2)
    every = [profiles.read(name) for name in profiles.names()]
    run = settings_of.bounded(profile_of(receipt), receipt)
    assert run.limit_factor == max(one.limit_factor for one in every)
    assert run.pair_seconds == max(one.pair_seconds for one in every)


def test_a_run_of_another_size_than_the_profiles_is_not_made(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = instead(made, monkeypatch)
    found = looked_at(made, made.file, made.folder, profile="laptop-cpu")
    assert (state(found, "new run"), found.verdict, orders) == ("open", "inconclusive", [])
    (words,) = [f.words for f in found.findings if f.name == "new run"]
    assert "its size is ci-smoke, and that of laptop-cpu is laptop-cpu" in words


def test_intervals_and_a_certificate_that_no_run_gave_are_found(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(made, monkeypatch)
    honest = {f.name for f in looked_at(made, made.file, made.folder, same_seed_only=True).findings}
    assert not honest & {"interval", "certified", "pairs"}
    payload = made.document["payload"]
    forged = payload["result"]
    forged |= {"points_low": forged["points_uncapped"], "points_high": forged["points_uncapped"]}
    value = forged["objective"]["value"]
    forged["objective"] |= {"low": value, "high": value}
    for machine, due in ((None, "differs"), ("another", "open")):
        payload["machine"]["id"] = machine or payload["machine"]["id"]
        found = looked_at(made, signed_by(made, payload), made.folder, same_seed_only=True)
        assert state(found, "interval") == due
        (words,) = [f.words for f in found.findings if f.name == "interval"]
        truth = made.receipt.result
        assert truth.objective.high is not None
        assert truth.objective.low is not None
        wide = agreement.shown(truth.objective.high - truth.objective.low)
        assert f"objective 0 wide in the receipt, {wide} here; points 0 wide in the receipt" in words
    payload = made.document["payload"]
    payload["result"]["certified"] = True
    found = looked_at(made, signed_by(made, payload), made.folder, same_seed_only=True)
    assert (state(found, "pairs"), state(found, "certified"), found.verdict) == ("open", "differs", "differs")


HOSTILE_VALUES = [
    *(
        10**400,
        -(10**400),
        2**63,
        -(2**63) - 1,
        2**63 - 1,
        -0.0,
        1e308,
        -1e308,
        5e-324,
        True,
        False,
        None,
        0,
        -1,
    ),
    *("", "x" * 100_000, "\u2800" * 500, "\ud800", "[]", {}, []),
]


def test_no_value_in_any_field_of_a_receipt_ends_in_an_error_of_ours(
    made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    instead(made, monkeypatch)
    payload = made.document["payload"]
    payload["sources"] = [{"role": "data", "kind": "hub", "name": "a", "digest": "b", "size_bytes": 1}]
    fields = [where for where, _ in leaves(payload) if not any(isinstance(p, int) and p > 0 for p in where)]
    assert len(fields) > 80
    keys, file = ring(made).ensured("candidate"), made.top / "hostile.json"
    refusals: list[str] = []
    for where in fields:
        for value in HOSTILE_VALUES:
            forged = changed(payload, where, value)
            if where[0] == "machine" and where[1] != "id":  # else this machine's own figures are told
                forged["machine"]["id"] = "another"
            try:
                file.write_bytes(signed(CONTEXT, forged, keys))
            except ValueError:  # what a signature cannot be made of, a stranger may write nevertheless
                unsigned = {**made.document, "payload": forged}
                file.write_text(json.dumps(unsigned))
            try:
                found = looked_at(made, file, made.folder)
            except UsageError as error:
                refusals.append(str(error))
                continue
            trust._show(found)
            json.dumps(trust._summary(found).model_dump(mode="json"), allow_nan=False)
            assert max(map(len, capsys.readouterr().out.splitlines())) < 1100, (where, value)
    assert len(refusals) > len(fields) * 5
    assert [told for told in refusals if len(told.splitlines()) != 1] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1" * 400, "a whole number beyond 2**63 - 1"),
        ("1" * 40_000, "a whole number beyond 2**63 - 1"),
        ("-9223372036854775809", "a whole number beyond 2**63 - 1"),
        ("NaN", "NaN is no number of JSON"),
        ("-Infinity", "-Infinity is no number of JSON"),
        ("1e999", "Infinity is no number of JSON"),
        ('"\\ud800"', "half a character is no text"),
    ],
)
def test_a_number_that_cannot_be_reckoned_with_is_refused_by_its_fields_name(
    made: Made, text: str, words: str
) -> None:
    document, file = made.document, made.top / "hostile.json"
    for field in ("memory_bytes", "load_before", "processor"):
        spoilt = changed(document, ("payload", "machine", field), "HERE")
        file.write_text(json.dumps(spoilt).replace('"HERE"', text))
        told = refused("verify", file, made.folder, *TOY)
        assert f"payload.machine.{field}: {words}" in told


PAD = "\u2800\u3164\u115f\uffa0 "


def test_a_claim_of_the_receipt_is_said_to_be_one(made: Made) -> None:
    payload = official(made) | {"stamp": "practice"}
    payload["isolation"] |= {"promised": 56, "probes": 56}
    payload["machine"] |= {"id": "another"}
    found = looked_at(made, signed_by(made, payload))
    claims = {f.name: f.words for f in found.findings if "the receipt says" in f.words}
    assert claims.keys() >= {"stamp", "machine", "isolation", "harness", "profile"}
    assert claims["isolation"].startswith("the receipt says bubblewrap, strong enough for an official result")
    assert claims["isolation"].endswith("were to be refused, and were")
    out = harness("verify", signed_by(made, payload), *TOY).out
    assert out.startswith("The receipt says: run ")


def test_no_padding_begins_a_line_like_one_of_ours(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = "ok       signature                            valid, and the key is trusted as an evaluator's"
    payload = made.document["payload"]
    payload["machine"] |= {"id": "another", "processor": "Xeon" + PAD * 20 + fake, "system": "x" * 300}
    payload |= {"run_id": "r" + PAD * 20 + fake, "submission": "s" * 300}
    file = signed_by(made, payload)
    plain = harness("verify", file, *TOY).out
    assert not set(plain) & set(PAD[:-1])
    assert "s" * 40 not in plain
    assert "x" * 70 not in plain
    found = looked_at(made, file)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("sys.stdout", terminal := Terminal())
    trust._show(found)
    rows = terminal.getvalue().splitlines()
    assert max(map(len, rows)) <= 120
    assert len([row for row in rows if re.match(r"ok +signature", row)]) == 1
    assert sum(row.startswith(" " * 46) for row in rows) > 2


class Terminal(io.StringIO):
    """A terminal's end."""

    def isatty(self) -> bool:
        return True
