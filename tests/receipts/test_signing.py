"""Keys, the list of trusted keys and signed documents: what is refused, and what a changed byte does."""

from __future__ import annotations

import errno
import hashlib
import json
import re
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from harness.errors import StoreError, UsageError
from harness.receipts import signing
from harness.receipts.signing import KeyRing, canonical, key_id, opened, public_pem, read_bounded, signed

CONTEXT = "a test's document v1"
PAYLOAD: dict[str, Any] = {"b": [1, 2.5, None, True], "a": {"text": "naïve €"}, "n": -0.0}


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "keys")


@pytest.fixture
def document(ring: KeyRing) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(signed(CONTEXT, PAYLOAD, ring.ensured("candidate")))
    return found


def intact(document: dict[str, Any]) -> bool:
    return opened(document["context"], json.dumps(document).encode(), "file").intact


def test_a_key_is_made_once_and_is_its_owners_alone(ring: KeyRing) -> None:
    assert ring.own("candidate") is None
    key = ring.ensured("candidate")
    assert stat.S_IMODE(ring.private_file("candidate").stat().st_mode) == 0o600
    assert stat.S_IMODE(ring.folder.stat().st_mode) == 0o700
    assert key.id == hashlib.sha256(key.public).hexdigest()[:16]
    assert ring.ensured("candidate").public == key.public
    again = serialization.load_pem_public_key(ring.public_file("candidate").read_bytes())
    assert isinstance(again, Ed25519PublicKey)
    assert again.public_bytes_raw() == key.public
    assert {path.name for path in ring.folder.iterdir()} == {"candidate.pem", "candidate.pub.pem"}
    with pytest.raises(UsageError, match="this machine has a key of role candidate"):
        ring.make("candidate")
    assert ring.make("evaluator").public != key.public


def test_the_keys_folder_becomes_its_owners_alone(ring: KeyRing, tmp_path: Path) -> None:
    KeyRing(tmp_path / "theirs").make("evaluator")
    for work in (
        lambda: ring.ensured("candidate"),
        lambda: ring.trust(tmp_path / "theirs" / "evaluator.pub.pem", "evaluator"),
    ):
        ring.folder.mkdir(exist_ok=True)
        ring.folder.chmod(0o755)
        work()
        assert stat.S_IMODE(ring.folder.stat().st_mode) == 0o700


def test_a_full_disk_is_said_and_hinders_no_key_that_is_there(
    ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ring.ensured("candidate")
    theirs = KeyRing(tmp_path / "theirs")
    theirs.make("evaluator")

    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(signing, "write_durably", full)
    assert ring.ensured("candidate").public == key.public
    with pytest.raises(StoreError, match="keys cannot be written: No space left"):
        ring.ensured("evaluator")
    with pytest.raises(StoreError, match="keys cannot be written: No space left"):
        ring.trust(theirs.public_file("evaluator"), "evaluator")
    assert {path.name for path in ring.folder.iterdir()} == {"candidate.pem", "candidate.pub.pem"}


def test_of_many_who_make_a_key_at_once_one_wins(ring: KeyRing) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = {key.public for key in pool.map(lambda _: ring.ensured("candidate"), range(16))}
    assert len(found) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_private_key_that_others_could_read_is_refused(ring: KeyRing, mode: int) -> None:
    ring.ensured("candidate")
    ring.private_file("candidate").chmod(mode)
    with pytest.raises(UsageError, match=r"can be read by others; chmod 600"):
        ring.own("candidate")


def test_a_private_key_that_is_damaged_or_of_another_kind_is_refused(ring: KeyRing) -> None:
    ring.ensured("candidate")
    ring.private_file("candidate").write_bytes(b"-----BEGIN PRIVATE KEY-----\nnonsense\n")
    with pytest.raises(UsageError, match="is damaged"):
        ring.own("candidate")
    other = X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    ring.private_file("candidate").write_bytes(other)
    with pytest.raises(UsageError, match="is not an Ed25519 key"):
        ring.own("candidate")


def test_canonical_json() -> None:
    assert canonical(PAYLOAD) == '{"a":{"text":"naïve €"},"b":[1,2.5,null,true],"n":-0.0}'.encode()
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})
    assert canonical(json.loads(canonical(PAYLOAD))) == canonical(PAYLOAD)
    for wrong in (float("nan"), float("inf"), "\ud800"):
        with pytest.raises(ValueError, match=r"."):
            canonical({"a": wrong})


def test_a_signature_is_over_context_and_payload(ring: KeyRing, document: dict[str, Any]) -> None:
    key = ring.ensured("candidate")
    message = CONTEXT.encode() + b"\0" + canonical(PAYLOAD)
    Ed25519PublicKey.from_public_bytes(key.public).verify(bytes.fromhex(document["signature"]), message)
    assert intact(document)
    moved = {**document, "context": "another document v1"}
    assert not intact(moved)  # read as what it claims to be, the signature is none of it
    with pytest.raises(UsageError, match="is no a test's document v1"):
        opened(CONTEXT, json.dumps(moved).encode(), "file")


def test_order_and_white_space_of_the_file_do_not_matter(document: dict[str, Any]) -> None:
    turned = dict(reversed(document.items()))
    assert intact({**turned, "payload": dict(reversed(document["payload"].items()))})


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.update(n=0.0),
        lambda p: p.update(n=0),
        lambda p: p["b"].__setitem__(0, 1.0),
        lambda p: p["b"].__setitem__(2, False),
        lambda p: p["b"].append(0),
        lambda p: p["a"].update(text="naive €"),
        lambda p: p.update(extra=None),
        lambda p: p.pop("n"),
    ],
)
def test_a_changed_payload_is_broken(
    document: dict[str, Any], change: Callable[[dict[str, Any]], object]
) -> None:
    change(document["payload"])
    assert not intact(document)


def test_every_bit_of_the_signature_and_the_key_counts(document: dict[str, Any]) -> None:
    for field, size in (("signature", 64), ("public_key", 32)):
        raw = bytearray.fromhex(document[field])
        for bit in range(0, 8 * size, 5):
            changed = bytearray(raw)
            changed[bit // 8] ^= 1 << bit % 8
            assert not intact({**document, field: changed.hex()}), (field, bit)


def test_another_keys_id_signature_or_public_half_is_broken(ring: KeyRing, document: dict[str, Any]) -> None:
    other = json.loads(signed(CONTEXT, PAYLOAD, ring.ensured("evaluator")))
    for field in ("key_id", "public_key", "signature"):
        assert not intact({**document, field: other[field]})
    assert not intact({**document, "key_id": other["key_id"], "public_key": other["public_key"]})
    assert not intact({**other, "payload": {**PAYLOAD, "n": 1}})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "is not strict JSON"),
        (b"\xff\xfe", "is not strict JSON"),
        (b"[1]", "is no JSON object"),
        (b"{}", "is no a test's document v1"),
        (b'{"a": NaN}', "NaN is no number of JSON"),
        (b'{"a": -Infinity}', "-Infinity is no number of JSON"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
        (b'{"a": 1, "b": 1, "c": 1, "b": 2}', "the key 'b' stands twice"),
        (b'{"a": {"\\u001b]0;x": 1, "\\u001b]0;x": 2}}', "stands twice"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a: a whole number beyond 2**63 - 1"),
    ],
)
def test_what_is_no_document_is_refused_in_one_clear_sentence(text: bytes, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        opened(CONTEXT, text, "file")
    assert words in str(caught.value)
    assert re.fullmatch(r"[^\n\x1b]+", str(caught.value))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("payload", [], "payload is no JSON object"),
        ("payload", None, "payload is no JSON object"),
        ("public_key", 7, "public_key is not 64 hex digits"),
        ("public_key", "00" * 31, "public_key is not 64 hex digits"),
        ("signature", "AB" * 64, "signature is not 128 hex digits"),
        ("signature", "ab" * 64 + "\n", "signature is not 128 hex digits"),
        ("key_id", None, "key_id is not 16 hex digits"),
        ("key_id", "0" * 15, "key_id is not 16 hex digits"),
        ("key_id", "0" * 17, "key_id is not 16 hex digits"),
        ("key_id", "A" * 16, "key_id is not 16 hex digits"),
        ("more", 1, "'more'"),
    ],
)
def test_a_document_of_the_wrong_shape_is_refused(
    document: dict[str, Any], field: str, value: object, words: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        opened(CONTEXT, json.dumps({**document, field: value}).encode(), "file")


def test_numbers_and_text_that_json_cannot_carry_are_refused(document: dict[str, Any]) -> None:
    raw = json.dumps(document)
    for old, new, why in (
        (": -0.0", ": 1e999", "Infinity is no number of JSON"),
        ("na\\u00efve", "\\ud800", "half a character is no text"),
    ):
        assert old in raw
        with pytest.raises(UsageError, match=rf"payload\.[a-z.]+: {why}"):
            opened(CONTEXT, raw.replace(old, new).encode(), "file")


def test_a_missing_field_is_named(document: dict[str, Any]) -> None:
    del document["signature"]
    with pytest.raises(UsageError, match="'signature'"):
        opened(CONTEXT, json.dumps(document).encode(), "file")


def test_of_many_wrong_fields_the_first_by_name_is_named(document: dict[str, Any]) -> None:
    strange = {f"more {letter}": 1 for letter in "qwertzuiopasdfghjkly"}
    with pytest.raises(UsageError, match="lacks 'more a' or has it unasked"):
        opened(CONTEXT, json.dumps(document | strange).encode(), "file")


def test_a_document_is_text_that_people_can_read(ring: KeyRing) -> None:
    content = signed(CONTEXT, PAYLOAD, ring.ensured("candidate")).decode()
    assert "naïve €" in content
    assert content.endswith("}\n")
    for wrong in (float("nan"), "\ud800"):
        with pytest.raises(ValueError, match=r"."):
            signed(CONTEXT, {"a": wrong}, ring.ensured("candidate"))


def test_only_plain_files_of_a_bounded_size_are_read(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 101)
    assert len(read_bounded(tmp_path / "large", 101)) == 101
    with pytest.raises(UsageError, match="is too large"):
        read_bounded(tmp_path / "large", 100)
    for path in (tmp_path, tmp_path / "none", Path("/dev/zero")):
        with pytest.raises(UsageError, match="is no file that can be read"):
            read_bounded(path)


def test_trust_has_roles_and_is_by_the_whole_key(ring: KeyRing, tmp_path: Path) -> None:
    theirs = KeyRing(tmp_path / "theirs").make("evaluator")
    file = tmp_path / "theirs" / "evaluator.pub.pem"
    assert ring.standing(theirs.public) == "unknown"
    assert ring.trust(file, "candidate", "Ada").id == theirs.id
    assert ring.standing(theirs.public) == "candidate"
    ring.trust(file, "evaluator")
    assert ring.standing(theirs.public) == "evaluator"
    assert [found.role for found in ring.trusted()] == ["evaluator"]
    assert ring.standing(bytes(32)) == "unknown"
    # A list in which an id stands beside another key: the id alone gives nobody any trust.
    listed = ring.folder / "trusted.json"
    listed.write_text(listed.read_text().replace(theirs.public.hex(), bytes(32).hex()))
    assert ring.standing(theirs.public) == "unknown"
    ring.forget(theirs.id)
    assert ring.trusted() == ()
    with pytest.raises(UsageError, match="no key '0000' is trusted"):
        ring.forget("0000")


def test_own_keys_stand_for_their_roles_and_no_others(ring: KeyRing) -> None:
    for role in ("candidate", "evaluator"):
        assert ring.standing(ring.ensured(role).public) == role
    with pytest.raises(UsageError, match="own candidate key; it cannot be trusted as evaluator"):
        ring.trust(ring.public_file("candidate"), "evaluator")
    assert ring.standing(ring.ensured("candidate").public) == "candidate"


def test_what_is_no_public_key_is_not_trusted(ring: KeyRing, tmp_path: Path) -> None:
    ring.ensured("candidate")
    with pytest.raises(UsageError, match=r"is a private key, .*; give the \.pub\.pem beside it"):
        ring.trust(ring.private_file("candidate"), "candidate")
    other = tmp_path / "other.pem"
    other.write_text("-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n")
    with pytest.raises(UsageError, match="is no public key in PEM"):
        ring.trust(other, "evaluator")
    for size, words in ((64 * 2**10, "is no public key in PEM"), (64 * 2**10 + 1, "is too large: 64 KiB")):
        other.write_bytes(b"x" * size)
        with pytest.raises(UsageError, match=words):
            ring.trust(other, "evaluator")
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    made = X25519PrivateKey.generate().public_key().public_bytes(serialization.Encoding.PEM, form)
    other.write_bytes(made)
    with pytest.raises(UsageError, match="is not an Ed25519 key"):
        ring.trust(other, "evaluator")


P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def added(one: tuple[int, int], two: tuple[int, int]) -> tuple[int, int]:
    """The sum of two points of the curve (RFC 8032, 5.1)."""
    (x1, y1), (x2, y2) = one, two
    both = D * x1 * x2 * y1 * y2 % P
    return (x1 * y2 + x2 * y1) * pow(1 + both, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - both, -1, P) % P


def x_of(y: int) -> int:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    assert x * x % P == square
    return x


def test_the_points_of_low_order_are_all_eight_and_no_key_is_one(ring: KeyRing) -> None:
    points = {(x, y) for y in signing._LOW_ORDER for x in (x_of(y), -x_of(y) % P)}
    assert len(points) == 8
    for point in points:
        times = point
        for _ in range(3):
            times = added(times, times)
        assert times == (0, 1)
    assert not signing._anybody_can_sign(ring.make("candidate").public)


@pytest.mark.parametrize("sign", [0, 1 << 255])
@pytest.mark.parametrize("y", [*sorted(signing._LOW_ORDER), P, P + 1])
def test_a_key_for_which_anybody_can_sign_is_refused(
    ring: KeyRing, tmp_path: Path, y: int, sign: int
) -> None:
    public = (y + sign).to_bytes(32, "little")
    assert signing._anybody_can_sign(public)
    file = tmp_path / "weak.pem"
    file.write_bytes(signing.public_pem(public))
    with pytest.raises(UsageError, match="is a key for which anybody can sign"):
        ring.trust(file, "evaluator")


def test_what_is_signed_with_the_neutral_point_is_broken(document: dict[str, Any]) -> None:
    neutral = (1).to_bytes(32, "little")
    # With it S = 0 and R = 0 B fit every message, where a library checks no more than the equation.
    changed = {**document, "public_key": neutral.hex(), "key_id": signing.key_id(neutral)}
    changed["signature"] = (neutral + bytes(32)).hex()
    assert not intact(changed)


def test_a_list_that_others_could_change_or_that_is_damaged_is_refused(ring: KeyRing, tmp_path: Path) -> None:
    KeyRing(tmp_path / "theirs").make("evaluator")
    ring.trust(tmp_path / "theirs" / "evaluator.pub.pem", "evaluator")
    listed = ring.folder / "trusted.json"
    listed.chmod(0o620)
    with pytest.raises(UsageError, match="can be changed by others"):
        ring.trusted()
    listed.chmod(0o600)
    listed.write_text('{"keys": [{"id": 1}]}')
    with pytest.raises(UsageError, match="is damaged"):
        ring.standing(bytes(32))


def test_pem_and_id_of_a_known_key() -> None:
    # The public key of RFC 8032, section 7.1, test 1.
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert key_id(public) == hashlib.sha256(public).hexdigest()[:16]
    body = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="  # RFC 8410's form of it
    assert public_pem(public).decode() == f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"
