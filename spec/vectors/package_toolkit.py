"""Make packages, right ones and deliberately wrong ones, from the text of spec/package.md alone.

    recipe = Recipe()
    recipe.predicate["name"] = "Risk"          # a rule broken
    data = recipe.build()

This is a second implementation: it imports nothing of Strongroom, so that a mistake
there cannot repeat itself here. Every random choice is derived from a name, and the
signatures are deterministic (RFC 6979): the same recipe gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import blake3
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SEGMENT = 1 << 20
CHUNK = 16_384
HEADER = b"strongroom package v1-draft\n\0\0\0\0"
TRAILER = b"strongroom end v1-draft\n"
LABEL = b"strongroom/package/v1-draft/segment"
KEY_ID_LABEL = b"strongroom/key-id/v1"
IN_TOTO = "application/vnd.in-toto+json"
OWNER = "own-" + "a" * 24
OTHER_OWNER = "own-" + "b" * 24


def derive(name: str, size: int) -> bytes:
    """Return bytes that are fixed by a name."""
    return hashlib.shake_256(name.encode()).digest(size)


def bind(label: bytes, *fields: bytes) -> bytes:
    """Join a label and fields, each after its length."""
    return b"".join(len(piece).to_bytes(4, "big") + piece for piece in (label, *fields))


def canonical(value: Any) -> bytes:
    """Encode canonical JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def cobblestone(key: bytes, context: bytes, plain: bytes, salt: bytes) -> bytes:
    """Encrypt one Cobblestone-256 message (C2SP chunked-encryption with SHA-512 and AES-256-GCM)."""
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
    derived = HKDFExpand(hashes.SHA512(), 32 + 12 + 32, info).derive(key)
    aead, nonce, commitment = AESGCM(derived[:32]), int.from_bytes(derived[32:44], "big"), derived[44:]
    pieces = [salt, commitment]
    for number in range(len(plain) // CHUNK + 1):
        chunk = plain[number * CHUNK :][:CHUNK]
        pieces.append(aead.encrypt((nonce ^ number).to_bytes(12, "big"), chunk, None))
    return b"".join(pieces)


class Signer:
    """A P-256 key whose secret is fixed by its name."""

    def __init__(self, name: str) -> None:
        scalar = int.from_bytes(derive(name, 40), "big") % (ORDER - 1) + 1
        self._secret = ec.derive_private_key(scalar, ec.SECP256R1())
        self.public = self._secret.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        self.key_id = hashlib.sha256(bind(KEY_ID_LABEL, self.public)).hexdigest()[:32]

    def sign(self, message: bytes, *, high: bool = False) -> bytes:
        """Sign in DER, with the lower s unless asked for the other."""
        algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        r, s = decode_dss_signature(self._secret.sign(message, algorithm))
        low = min(s, ORDER - s)
        return encode_dss_signature(r, ORDER - low if high else low)


OWNER_KEY = Signer("owner package key")
OTHER_KEY = Signer("another owner's package key")


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return what a DSSE signature covers."""
    return b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)


def seal(package_id: bytes, key: bytes, kind: str, plain: bytes) -> list[bytes]:
    """Cut a stream into segments and encrypt each."""
    segments = []
    for number in range(-(-len(plain) // SEGMENT)):
        context = bind(LABEL, package_id, kind.encode(), number.to_bytes(8, "big"))
        piece = plain[number * SEGMENT :][:SEGMENT]
        salt = derive(f"salt {package_id.hex()} {kind} {number} {len(plain)}", 24)
        segments.append(cobblestone(key, context, piece, salt))
    return segments


def lay_out(files: list[tuple[str, bytes]]) -> bytes:
    """Join files, each at a multiple of 64."""
    payload = b""
    for _, data in files:
        payload += bytes(-len(payload) % 64) + data
    return payload


def describe(files: list[tuple[str, bytes]]) -> dict[str, Any]:
    """Return contents for files."""
    return {
        "format": "v1-draft",
        "files": [
            {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files
        ],
        "loader": {"name": "onnx", "entry": files[0][0], "options": {}},
        "schema": {
            "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 2]}],
            "outputs": [{"name": "label", "datatype": "INT64", "shape": [-1]}],
            "columns": ["age", "bmi"],
            "classes": [0, 1],
            "methods": ["predict"],
        },
        "bom": {"bomFormat": "CycloneDX", "specVersion": "1.6"},
    }


def unchanged(data: bytes) -> bytes:
    """Change nothing."""
    return data


@dataclass
class Recipe:
    """How to make one package. Each attribute can be spoiled before ``build``."""

    files: list[tuple[str, bytes]] = field(default_factory=lambda: [("model.onnx", derive("weights", 100))])
    package_id: bytes = field(default_factory=lambda: derive("package id", 16))
    key: bytes = field(default_factory=lambda: derive("content key", 32))
    payload: bytes | None = None
    contents: dict[str, Any] = field(default_factory=dict)
    """Changes to the contents, by member."""
    contents_bytes: Callable[[bytes], bytes] = unchanged
    seal_as: bytes | None = None
    """Package id that the segments are bound to, if not that of the statement."""
    segments: Callable[[list[bytes]], list[bytes]] = list
    """Changes to the segments before they are digested."""
    index: Callable[[bytes], bytes] = unchanged
    """Changes to the index before it is signed."""
    predicate: dict[str, Any] = field(default_factory=dict)
    statement: dict[str, Any] = field(default_factory=dict)
    statement_bytes: Callable[[bytes], bytes] = unchanged
    payload_type: str = IN_TOTO
    signatures: Callable[[bytes], list[dict[str, str]]] | None = None
    envelope_bytes: Callable[[bytes], bytes] = unchanged
    trailer_size: int | None = None
    """Statement bytes that the trailer claims, if not the true ones."""
    finished: Callable[[bytes], bytes] = unchanged
    """Changes to the finished file."""

    def build(self) -> bytes:
        """Make the package."""
        payload = lay_out(self.files) if self.payload is None else self.payload
        contents = self.contents_bytes(canonical(describe(self.files) | self.contents))
        bound = self.seal_as or self.package_id
        sealed = seal(bound, self.key, "payload", payload) + seal(bound, self.key, "contents", contents)
        sealed = self.segments(sealed)
        index = self.index(b"".join(blake3.blake3(segment).digest() for segment in sealed))
        envelope = self.envelope(self.signed_bytes(len(payload), len(contents), index))
        size = len(envelope) if self.trailer_size is None else self.trailer_size
        trailer = size.to_bytes(8, "big") + TRAILER
        return self.finished(HEADER + b"".join(sealed) + index + envelope + trailer)

    def signed_bytes(self, payload_bytes: int, contents_bytes: int, index: bytes) -> bytes:
        """Return the statement."""
        predicate = {
            "format": "v1-draft",
            "package_id": self.package_id.hex(),
            "parent": None,
            "name": "risk",
            "version": "1.0.0",
            "owner": OWNER,
            "previous": None,
            "payload_bytes": payload_bytes,
            "contents_bytes": contents_bytes,
            "marked": [],
            "agreement": None,
            "created_at": "2026-11-24T03:00:00Z",
        } | self.predicate
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [
                {
                    "name": f"{predicate['name']}-{predicate['version']}.sealed",
                    "digest": {"sha256": hashlib.sha256(index).hexdigest()},
                }
            ],
            "predicateType": "urn:strongroom:package:v1-draft",
            "predicate": predicate,
        } | self.statement
        return self.statement_bytes(canonical(statement))

    def envelope(self, payload: bytes) -> bytes:
        """Sign the statement."""
        message = pae(self.payload_type, payload)
        signatures = self.signatures or (lambda message: [signature(OWNER_KEY, message)])
        envelope = {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": self.payload_type,
            "signatures": signatures(message),
        }
        return self.envelope_bytes(canonical(envelope))


def signature(key: Signer, message: bytes, *, high: bool = False) -> dict[str, str]:
    """Return one signature as it stands in an envelope."""
    return {"keyid": key.key_id, "sig": base64.b64encode(key.sign(message, high=high)).decode()}
