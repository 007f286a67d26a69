"""Make logs, right ones and deliberately wrong ones, from the text of spec/log.md alone.

    log = Log(7)
    data = log.proof(3)                                # a proof file with its record
    data = log.offer(3, 7)

This is a second implementation: it imports nothing of Strongroom, so that a mistake
there cannot repeat itself here. Roots and proofs are those of the recursive definitions
of RFC 6962 section 2.1. Nothing is random but one ML-DSA-44 signature, which is hedged:
it was made once and is kept in ``log_cosignature.txt``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

OWNER = "own-" + "a" * 24
ORIGIN = f"{OWNER}/log/1"
NEXT_ORIGIN = f"{OWNER}/log/2"
WITNESS = "clinic.example/witness"
AT = "2026-11-24T03:00:00Z"
AT_SECONDS = 1795489200
LABEL = b"strongroom/log-commitment/v1"
KEPT = Path(__file__).parent / "log_cosignature.txt"


def derive(name: str, size: int) -> bytes:
    """Return bytes that are fixed by a name."""
    return hashlib.shake_256(name.encode()).digest(size)


def sha256(*pieces: bytes) -> bytes:
    """Return the SHA-256 of the pieces, joined."""
    return hashlib.sha256(b"".join(pieces)).digest()


def b64(data: bytes) -> str:
    """Encode base64."""
    return base64.b64encode(data).decode()


def bind(label: bytes, *fields: bytes) -> bytes:
    """Join a label and fields, each after its length."""
    return b"".join(len(piece).to_bytes(4, "big") + piece for piece in (label, *fields))


def canonical(value: Any) -> bytes:
    """Encode canonical JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def split(count: int) -> int:
    """Return the largest power of two below a number."""
    half = 1
    while half * 2 < count:
        half *= 2
    return half


def leaf(entry: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\0", entry)


def root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256()
    half = split(len(leaves))
    return sha256(b"\1", root(leaves[:half]), root(leaves[half:]))


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962."""
    if len(leaves) < 2:
        return []
    half = split(len(leaves))
    if index < half:
        return [*path(index, leaves[:half]), root(leaves[half:])]
    return [*path(index - half, leaves[half:]), root(leaves[:half])]


def subproof(size: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962."""
    if size == len(leaves):
        return [] if whole else [root(leaves)]
    half = split(len(leaves))
    if size <= half:
        return [*subproof(size, leaves[:half], whole), root(leaves[half:])]
    return [*subproof(size - half, leaves[half:], False), root(leaves[:half])]


def record(number: int, **changes: Any) -> dict[str, Any]:
    """Return a record."""
    base = {
        "at": AT,
        "details": {"predictions": number},
        "document": derive(f"document {number}", 32).hex(),
        "format": "log-record/v1",
        "kind": "grant",
        "subjects": ["lic-" + "b" * 24, "org-" + "c" * 24],
    }
    return {**base, **changes}


def salt(number: int) -> bytes:
    """Return the salt of a record."""
    return derive(f"salt {number}", 32)


def entry(number: int, **changes: Any) -> bytes:
    """Return the entry of a record."""
    commitment = sha256(bind(LABEL, salt(number), canonical(record(number, **changes))))
    return canonical({"commitment": commitment.hex(), "format": "log-entry/v1"})


def disclosure(number: int, **changes: Any) -> bytes:
    """Return a record with its salt."""
    return canonical(
        {
            "format": "log-disclosure/v1",
            "record": record(number, **changes),
            "salt": salt(number).hex(),
        }
    )


class Key:
    """A named key that signs notes."""

    def __init__(self, name: str, secret: str = "log") -> None:  # noqa: S107 - it is the name of a secret
        self.name = name
        self._secret = Ed25519PrivateKey.from_private_bytes(derive(secret, 32))
        self.public = self._secret.public_key().public_bytes_raw()

    def sign(self, text: bytes) -> bytes:
        """Return the signature line, with its line feed."""
        return line(self.name, 1, self.public, self._secret.sign(text))

    def cosign(self, text: bytes, seconds: int = AT_SECONDS) -> bytes:
        """Return the line of an Ed25519 cosignature."""
        signature = self._secret.sign(b"cosignature/v1\ntime %d\n" % seconds + text)
        return line(self.name, 4, self.public, seconds.to_bytes(8, "big") + signature)

    def vkey(self, algorithm: int = 1) -> str:
        """Return the key as text."""
        return vkey(self.name, algorithm, self.public)


def key_id(name: str, algorithm: int, public: bytes) -> bytes:
    """Return the four bytes that tell keys apart."""
    return sha256(name.encode(), b"\n", bytes([algorithm]), public)[:4]


def vkey(name: str, algorithm: int, public: bytes) -> str:
    """Return a key as text."""
    return f"{name}+{key_id(name, algorithm, public).hex()}+{b64(bytes([algorithm]) + public)}"


def line(name: str, algorithm: int, public: bytes, signature: bytes) -> bytes:
    """Return a signature line, with its line feed."""
    return f"\N{EM DASH} {name} {b64(key_id(name, algorithm, public) + signature)}\n".encode()


class ModernWitness:
    """A witness with an ML-DSA-44 key."""

    def __init__(self, name: str = WITNESS) -> None:
        self.name = name
        self._secret = MLDSA44PrivateKey.from_seed_bytes(derive("witness", 32))
        self._public = self._secret.public_key()
        self.public = self._public.public_bytes_raw()

    def cosign(self, origin: str, size: int, tree_root: bytes) -> bytes:
        """Return the line of the cosignature that is kept; makes it anew if it is of something else."""
        name, log = self.name.encode(), origin.encode()
        message = b"subtree/v1\n\0" + bytes([len(name)]) + name + AT_SECONDS.to_bytes(8, "big")
        message += bytes([len(log)]) + log + bytes(8) + size.to_bytes(8, "big") + tree_root
        signature = base64.b64decode(KEPT.read_bytes()) if KEPT.exists() else b""
        try:
            self._public.verify(signature, message)
        except InvalidSignature:
            signature = self._secret.sign(message)
            KEPT.write_text(f"{b64(signature)}\n", encoding="ascii")
        return line(self.name, 6, self.public, AT_SECONDS.to_bytes(8, "big") + signature)


class Log:
    """A log of a few entries."""

    def __init__(self, size: int, *, origin: str = ORIGIN, replace: dict[int, bytes] | None = None) -> None:
        self.origin = origin
        self.key = Key(origin)
        entries = {**dict(enumerate(map(entry, range(size)))), **(replace or {})}
        self.entries = [entries[number] for number in range(size)]
        self.leaves = [leaf(each) for each in self.entries]
        self.extensions: list[str] = []

    def text(self, size: int | None = None) -> bytes:
        """Return the text of the checkpoint of a size."""
        size = len(self.leaves) if size is None else size
        lines = [self.origin, str(size), b64(root(self.leaves[:size])), *self.extensions]
        return "".join(f"{each}\n" for each in lines).encode()

    def note(self, size: int | None = None) -> bytes:
        """Return the signed checkpoint of a size."""
        return self.text(size) + b"\n" + self.key.sign(self.text(size))

    def proof(self, index: int, size: int | None = None, *, extra: bytes | None = None) -> bytes:
        """Return a proof file with the record of the entry."""
        size = len(self.leaves) if size is None else size
        extra = disclosure(index) if extra is None else extra
        head = ["c2sp.org/tlog-proof@v1", f"extra {b64(extra)}", f"index {index}"]
        return self._join(head, path(index, self.leaves[:size]), size)

    def offer(self, old_size: int, size: int | None = None) -> bytes:
        """Return an offer."""
        size = len(self.leaves) if size is None else size
        hashes = subproof(old_size, self.leaves[:size]) if old_size else []
        return self._join([f"old {old_size}"], hashes, size)

    def _join(self, head: list[str], hashes: list[bytes], size: int) -> bytes:
        lines = [*head, *map(b64, hashes)]
        return "".join(f"{each}\n" for each in lines).encode() + b"\n" + self.note(size)
