"""Ed25519 keys of this machine, the list of keys it trusts, and signed documents.

A document is a JSON object: `context`, `payload`, `key_id`, `public_key` and `signature` (both in lower-case hex).
What is signed (RFC 8032) is the context, a zero byte, and the payload in canonical JSON: keys sorted, no white
space, UTF-8, no NaN. So a signature made for one kind of document is none for another kind.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError

from harness import strangers
from harness.errors import StoreError, UsageError
from harness.readings import Record
from harness.store.durable import make_folder, write_durably

KeyRole = Literal["evaluator", "candidate"]
Trust = Literal["evaluator", "candidate", "unknown", "broken"]

ROLES: tuple[KeyRole, ...] = ("evaluator", "candidate")
MOST_BYTES = 4 * 2**20
_KEY_BYTES = 64 * 2**10
_FIELDS = {"context", "payload", "key_id", "public_key", "signature"}
_PRIME = 2**255 - 19
# The y coordinates of the points of order 1, 2, 4 and 8: eight times such a point is the neutral one.
_OF_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_LOW_ORDER = {1, _PRIME - 1, 0, _OF_ORDER_8, _PRIME - _OF_ORDER_8}
_ID = re.compile(r"[0-9a-f]{16}")


class Trusted(Record):
    """A public key that this machine knows, in hex, and what its owner is trusted as."""

    id: str
    role: KeyRole
    public_key: str
    name: str = ""


class _List(Record):
    keys: tuple[Trusted, ...] = ()


@dataclass(frozen=True)
class OwnKey:
    """A key pair of this machine."""

    role: KeyRole
    private: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        """The 32 raw bytes of the public key."""
        return self.private.public_key().public_bytes_raw()

    @property
    def id(self) -> str:
        """The key's short name, for people."""
        return key_id(self.public)


@dataclass(frozen=True)
class Signed:
    """A document that was read: `intact` says whether its key id and signature fit its payload."""

    payload: dict[str, Any]
    public: bytes
    key_id: str
    intact: bool


def key_id(public: bytes) -> str:
    """The first 16 hex digits of the sha256 of a raw public key; a name for people, never compared alone."""
    return hashlib.sha256(public).hexdigest()[:16]


def canonical(value: Any) -> bytes:
    """`value` as canonical JSON; raises ValueError for what has none: NaN, infinity, lone surrogates."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def signed(context: str, payload: dict[str, Any], key: OwnKey) -> bytes:
    """The document that holds `payload`, signed for this context, as a file's content.

    Raises ValueError, as `canonical` does, for what JSON cannot carry.
    """
    document = {
        "context": context,
        "payload": payload,
        "key_id": key.id,
        "public_key": key.public.hex(),
        "signature": key.private.sign(_message(context, payload)).hex(),
    }
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def opened(context: str, content: bytes, name: str) -> Signed:
    """The document in `content`, from the file `name`; raises UsageError where it is none of this context."""
    document = _parsed(content, name)
    if document.get("context") != context:
        raise UsageError(f"{name} is no {context}; give the file that `harness run` wrote")
    if set(document) != _FIELDS:
        wrong = sorted(set(document) ^ _FIELDS)[0]
        raise UsageError(f"{name} lacks {wrong!r} or has it unasked; give the file as `harness run` wrote it")
    payload = document["payload"]
    if not isinstance(payload, dict):
        raise UsageError(f"{name}: payload is no JSON object; give the file as `harness run` wrote it")
    public = _hex(document["public_key"], 32, f"{name}: public_key")
    signature = _hex(document["signature"], 64, f"{name}: signature")
    claimed_id = document["key_id"]
    if not isinstance(claimed_id, str) or not _ID.fullmatch(claimed_id):
        raise UsageError(f"{name}: key_id is not 16 hex digits; give the file as `harness run` wrote it")
    try:
        message = _message(context, payload)
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        intact = claimed_id == key_id(public) and not _anybody_can_sign(public)
    except InvalidSignature:
        intact = False
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} holds a number or text that JSON cannot carry: {error}") from error
    return Signed(payload, public, key_id(public), intact)


class KeyRing:
    """The keys in one folder: this machine's own, one for each role, and those it trusts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def private_file(self, role: KeyRole) -> Path:
        """Where this machine's private key of a role lies, as PKCS8 in PEM, readable by its owner only."""
        return self.folder / f"{role}.pem"

    def public_file(self, role: KeyRole) -> Path:
        """Where its public half lies, in PEM: the file to give to others."""
        return self.folder / f"{role}.pub.pem"

    def own(self, role: KeyRole) -> OwnKey | None:
        """This machine's key of a role, or None; raises UsageError where others could read or change it."""
        path = self.private_file(role)
        try:
            status = path.stat()
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UsageError(f"the key {path} cannot be read: {error.strerror}") from error
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise UsageError(
                f"the private key {path} can be read by others; chmod 600 {path}, or make a new one"
            )
        try:
            private = serialization.load_pem_private_key(content, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise UsageError(f"the key {path} is damaged; move it away and make a new one") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise UsageError(f"the key {path} is not an Ed25519 key; move it away and make a new one")
        return OwnKey(role, private)

    def make(self, role: KeyRole) -> OwnKey:
        """Makes this machine's key of a role; raises UsageError where it has one."""
        if self.own(role) is not None:
            raise UsageError(
                f"this machine has a key of role {role}: {self.private_file(role)}; move it away first"
            )
        return self.ensured(role)

    def ensured(self, role: KeyRole) -> OwnKey:
        """This machine's key of a role, made at first use; of two that make it at once, one wins."""
        key = self.own(role)
        try:
            if key is None:
                make_folder(self.folder)
                self.folder.chmod(0o700)
                self._add(role)
                key = self.own(role)
            if key is None:
                raise StoreError(f"the key {self.private_file(role)} vanished while it was made; try again")
            if not self.public_file(role).is_file():
                write_durably(self.public_file(role), public_pem(key.public))
                self.public_file(role).chmod(0o644)
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be written: {error.strerror}") from error
        return key

    def _add(self, role: KeyRole) -> None:
        """Links a new private key to its name, which fails where another was faster: no key is ever replaced."""
        fresh = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        draft = self.folder / f".new-{secrets.token_hex(8)}"
        write_durably(draft, fresh)  # mode 0600 from its first byte on
        try:
            with contextlib.suppress(FileExistsError):
                os.link(draft, self.private_file(role))
        finally:
            draft.unlink(missing_ok=True)

    def trusted(self) -> tuple[Trusted, ...]:
        """The list of trusted keys; raises UsageError where it is damaged or others could change it."""
        path = self.folder / "trusted.json"
        try:
            status = path.stat()
            content = path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise UsageError(f"the list of trusted keys {path} cannot be read: {error.strerror}") from error
        if stat.S_IMODE(status.st_mode) & 0o022:
            raise UsageError(f"the list of trusted keys {path} can be changed by others; chmod 600 {path}")
        try:
            listed = _List.model_validate_json(content)
        except ValidationError as error:
            raise UsageError(
                f"the list of trusted keys {path} is damaged; move it away and trust anew"
            ) from error
        return listed.keys

    def trust(self, file: Path, role: KeyRole, name: str = "") -> Trusted:
        """Adds the public key in a PEM file to the list, in place of what it was trusted as before."""
        public = read_public(file)
        own = {key.public: key.role for key in filter(None, map(self.own, ROLES))}
        if own.get(public, role) != role:
            raise UsageError(
                f"{file} is this machine's own {own[public]} key; it cannot be trusted as {role}"
            )
        entry = Trusted(id=key_id(public), role=role, public_key=public.hex(), name=name)
        self._keep([*(t for t in self.trusted() if t.public_key != entry.public_key), entry])
        return entry

    def forget(self, name: str) -> Trusted:
        """Takes the key with this id off the list; raises UsageError where no trusted key has it."""
        known = self.trusted()
        gone = next((t for t in known if t.id == name), None)
        if gone is None:
            raise UsageError(f"no key {name!r} is trusted; `harness keys list` shows those that are")
        self._keep(t for t in known if t != gone)
        return gone

    def standing(self, public: bytes) -> Trust:
        """What the owner of a public key is trusted as here: by its whole key, never by its id alone."""
        for role in ROLES:
            own = self.own(role)
            if own is not None and own.public == public:
                return role
        return next((t.role for t in self.trusted() if t.public_key == public.hex()), "unknown")

    def _keep(self, keys: Iterable[Trusted]) -> None:
        content = _List(keys=tuple(keys)).model_dump_json(indent=1) + "\n"
        try:
            make_folder(self.folder)
            self.folder.chmod(0o700)
            write_durably(self.folder / "trusted.json", content.encode())
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be written: {error.strerror}") from error


def public_pem(public: bytes) -> bytes:
    """A raw public key as PEM."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return Ed25519PublicKey.from_public_bytes(public).public_bytes(serialization.Encoding.PEM, form)


def read_public(file: Path) -> bytes:
    """The raw public key in a PEM file; raises UsageError where it holds none, or a private one."""
    content = read_bounded(file, _KEY_BYTES)
    if b"PRIVATE KEY" in content:
        raise UsageError(
            f"{file} is a private key, which nobody else should have; give the .pub.pem beside it"
        )
    try:
        public = serialization.load_pem_public_key(content)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{file} is no public key in PEM; `harness keys show` prints one") from error
    if not isinstance(public, Ed25519PublicKey):
        raise UsageError(f"{file} is not an Ed25519 key; `harness keys make` makes one")
    raw = public.public_bytes_raw()
    if _anybody_can_sign(raw):
        raise UsageError(f"{file} is a key for which anybody can sign; `harness keys make` makes a sound one")
    return raw


def _anybody_can_sign(public: bytes) -> bool:
    """Whether a public key is one of the eight points of low order, however it is written (RFC 8032, 5.1.3)."""
    return int.from_bytes(public, "little") % 2**255 % _PRIME in _LOW_ORDER


def read_bounded(file: Path, most: int = MOST_BYTES) -> bytes:
    """A plain file's content; raises UsageError where it is none, or larger than `most` bytes."""
    if not file.is_file():
        raise UsageError(f"{file} is no file that can be read; check the path")
    try:
        with file.open("rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    if len(content) > most:
        raise UsageError(f"{file} is too large: {most // 2**10:,} KiB are the most that is read")
    return content


def _message(context: str, payload: dict[str, Any]) -> bytes:
    return context.encode() + b"\0" + canonical(payload)


def _parsed(content: bytes, name: str) -> dict[str, Any]:
    try:
        document = json.loads(
            content.decode(), object_pairs_hook=_once, parse_constant=float, parse_int=strangers.whole
        )
    except (ValueError, RecursionError) as error:
        why = "it is nested too deep" if isinstance(error, RecursionError) else str(error).splitlines()[0]
        raise UsageError(
            f"{name} is not strict JSON: {why}; give the file as `harness run` wrote it"
        ) from error
    if not isinstance(document, dict):
        raise UsageError(f"{name} is no JSON object; give the file as `harness run` wrote it")
    if wrong := strangers.unfit(document):
        raise UsageError(f"{name}: {wrong}; give the file as `harness run` wrote it")
    return cast("dict[str, Any]", document)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in names if names.count(key) > 1)
        raise ValueError(f"the key {twice[:40]!r} stands twice in one object")
    return unique


def _hex(value: object, size: int, what: str) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(rf"[0-9a-f]{{{2 * size}}}", value):
        raise UsageError(f"{what} is not {2 * size} hex digits; give the file as `harness run` wrote it")
    return bytes.fromhex(value)
