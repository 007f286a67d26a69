"""Make licenses, the documents around them and wrapped keys from the text of spec/license.md alone.

    parent = license()
    child = sublicense(parent, terms=[{"limit": 5, "per": "day", "term": "predictions"}])
    data = license_file(parent, sublicenses=[child])

This is a second implementation: it imports nothing of Strongroom. Every random choice is
derived from a name, and the signatures are deterministic: the same call gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from keys_toolkit import (
    DEVICE,
    NOW,
    ORGANIZATION,
    ROLE_KEYS,
    SEALING,
    SEALING_SEED,
    Chain,
    Members,
    identify,
    public,
    text,
    token,
    wrap,
    xwing_public,
)
from package_toolkit import Signer, bind, canonical, derive

OWNER = Chain()
LICENSE_KEY = ROLE_KEYS["license"][0]
BROKER_KEY = ROLE_KEYS["broker"][0]
CLINIC = ORGANIZATION
WARD = Signer("ward organization")
BED = Signer("bed organization")
RUNTIME = identify("run-", "runtime", DEVICE.public)
OTHER_RUNTIME = identify("run-", "runtime", Signer("other device").public)
CONTENT_KEY = derive("content key", 32)
PACKAGE = hashlib.sha256(b"statement of the package").hexdigest()
OTHER_PACKAGE = hashlib.sha256(b"statement of another package").hexdigest()
PACKAGE_ID = derive("package id", 16).hex()
SERIAL = derive("license serial", 16).hex()
NONCE = derive("nonce", 16).hex()
AGREEMENT = "The clinic uses the model for triage only.\n"
END = "2026-12-24T03:00:00Z"
PREFIXES = {
    "license": "lic-",
    "sublicense": "sub-",
    "acceptance": "acc-",
    "offline": "off-",
    "passphrase": "pwd-",
    "lease": "lea-",
    "withdrawal": "wdr-",
    "revocation": "rev-",
    "usage": "use-",
    "receipt": "rct-",
    "lease-request": "req-",
    "derivation": "drv-",
    "runtime-certificate": "rtc-",
    "receipt-batch": "rcb-",
}
BASE = [
    {"packages": [{"name": "risk"}], "term": "packages"},
    {"rights": ["explain", "predict", "sublicense"], "term": "rights"},
    {"at_least": "local", "term": "levels"},
]
OFFLINE = {"files": 3, "hours": 800, "term": "offline"}


def party(name: str, key: Signer) -> Members:
    """Return a partner or holder."""
    return {"name": name, "organization": public("organization", key)}


class Document:
    """A signed document: its payload, its id and its token."""

    def __init__(self, kind: str, payload: Members | bytes, key: Signer, **header: Any) -> None:
        self.kind = kind
        self.payload = payload if isinstance(payload, bytes) else canonical(payload)
        self.id = identify(PREFIXES[kind], kind, self.payload)
        self.token = token(header.pop("typ", f"strongroom-{kind}+jws"), self.payload, key, **header)


def by_owner(kind: str) -> Members:
    """Return what every document signed by the owner has."""
    return {"format": f"{kind}/v1", "issued_at": NOW, "owner": OWNER.owner, "owner_version": 1}


def license(
    *terms: Members, key: Signer = LICENSE_KEY, header: Members | None = None, **changes: Any
) -> Document:
    """Make a license for the clinic, with these terms after the three that it must have."""
    payload = by_owner("license") | {
        "partner": party("clinic", CLINIC),
        "serial": SERIAL,
        "terms": [*BASE, *terms],
    }
    return Document("license", payload | changes, key, **(header or {}))


def sublicense(parent: Document, *terms: Members, key: Signer = CLINIC, **changes: Any) -> Document:
    """Make a sub-license for the ward."""
    payload = {
        "format": "sublicense/v1",
        "holder": party("ward", WARD),
        "issued_at": NOW,
        "parent": parent.id,
        "serial": SERIAL,
        "terms": list(terms),
    }
    return Document("sublicense", payload | changes, key)


def acceptance(of: Document, agreement: str | None = None, key: Signer = CLINIC, **changes: Any) -> Document:
    """Accept a document."""
    payload = {
        "accepted_at": NOW,
        "agreement": agreement,
        "format": "acceptance/v1",
        "license": of.id,
        "organization": public("organization", key),
    }
    return Document("acceptance", payload | changes, key)


def release(kind: str, of: Document, key: Signer = LICENSE_KEY, **changes: Any) -> Document:
    """Make an offline file, a pass-phrase file or a lease, with nothing wrapped."""
    payload = by_owner(kind) | {
        "license": of.id,
        "not_after": END,
        "package": PACKAGE,
        "package_id": PACKAGE_ID,
        "serial": SERIAL,
        "wrapped_key": base64.b64encode(b"nothing").decode(),
    }
    if kind != "passphrase":
        payload |= {"budget": [], "runtime": RUNTIME}
    if kind == "lease":
        payload |= {
            "nonce": NONCE,
            "not_after": "2026-11-24T04:00:00Z",
            "previous": None,
            "restart_key": None,
        }
    return Document(kind, payload | changes, key)


def lease(of: Document, **changes: Any) -> Document:
    """Make a lease with nothing wrapped."""
    return release("lease", of, changes.pop("key", BROKER_KEY), **changes)


def withdrawal(version: str, permits: str | None, key: Signer = LICENSE_KEY, **changes: Any) -> Document:
    """Withdraw a version."""
    payload = by_owner("withdrawal") | {
        "name": "risk",
        "package": OTHER_PACKAGE,
        "permits": permits,
        "reason": "wrong unit of creatinine",
        "version": version,
    }
    return Document("withdrawal", payload | changes, key)


def revocation(of: Document, key: Signer = LICENSE_KEY, **changes: Any) -> Document:
    """Revoke a document."""
    payload = by_owner("revocation") | {"reason": "the contract ended", "target": of.id}
    return Document("revocation", payload | changes, key)


def usage(of: Document, authority: Document, key: Signer = DEVICE, **changes: Any) -> Document:
    """Report what a runtime used."""
    count = {"count": 12, "counter": "predictions", "document": authority.id, "period": "2026-11-24"}
    payload = {
        "authority": authority.id,
        "break_glass": [{"reason": "the network of the ward is down", "started_at": NOW}],
        "counts": [count],
        "format": "usage/v1",
        "issued_at": NOW,
        "license": of.id,
        "previous": None,
        "runtime": RUNTIME,
    }
    return Document("usage", payload | changes, key)


def receipt(of: Document, key: Signer = DEVICE, **changes: Any) -> Document:
    """Say that an input became an output."""
    payload = {
        "format": "receipt/v1",
        "input": hashlib.sha256(b"input").hexdigest(),
        "issued_at": NOW,
        "license": of.id,
        "output": hashlib.sha256(b"output").hexdigest(),
        "package": PACKAGE,
        "part": None,
        "right": "predict",
        "runtime": RUNTIME,
    }
    return Document("receipt", payload | changes, key)


def runtime_certificate(key: Signer = CLINIC, **changes: Any) -> Document:
    """Certify the device key of the runtime."""
    payload = {
        "device": public("device", DEVICE),
        "format": "runtime-certificate/v1",
        "issued_at": NOW,
        "owner": OWNER.owner,
        "runtime": RUNTIME,
    }
    return Document("runtime-certificate", payload | changes, key)


def receipt_batch(of: Document, under: Document, key: Signer = DEVICE, **changes: Any) -> Document:
    """Sign receipts of three predictions."""
    payload = {
        "authority": under.id,
        "first": 12,
        "format": "receipt-batch/v1",
        "issued_at": NOW,
        "level": "sealed",
        "license": of.id,
        "method": "predict",
        "package": PACKAGE,
        "part": None,
        "predictions": 3,
        "right": "predict",
        "root": hashlib.sha256(b"root").hexdigest(),
        "runtime": RUNTIME,
        "session": derive("session", 16).hex(),
        "size": 3,
    }
    return Document("receipt-batch", payload | changes, key)


def lease_request(of: Document, key: Signer = DEVICE, **changes: Any) -> Document:
    """Ask for a lease."""
    payload = {
        "format": "lease-request/v1",
        "issued_at": NOW,
        "level": "sealed",
        "license": of.id,
        "nonce": NONCE,
        "owner": OWNER.owner,
        "package": PACKAGE,
        "predictions": None,
        "previous": None,
        "runtime": RUNTIME,
        "worker_key": hashlib.sha256(SEALING).hexdigest(),
    }
    return Document("lease-request", payload | changes, key)


DERIVATIONS = {"term": "derivations", "to": text("sealing", "public", SEALING)}
OTHER_DERIVATIONS = {
    "term": "derivations",
    "to": text("sealing", "public", xwing_public(derive("another sealing key", 32))),
}


def derivation(of: Document, key: Signer = CLINIC, **changes: Any) -> Document:
    """Hand in a derived model, with nothing wrapped."""
    payload = {
        "format": "derivation/v1",
        "issued_at": NOW,
        "license": of.id,
        "name": "risk",
        "owner": OWNER.owner,
        "package": OTHER_PACKAGE,
        "package_id": PACKAGE_ID,
        "parent": PACKAGE,
        "serial": SERIAL,
        "version": "1.1.0",
        "wrapped_key": base64.b64encode(b"nothing").decode(),
    }
    return Document("derivation", payload | changes, key)


def derivation_record(of: Document, statement: bytes, derived: Document, /, **members: Any) -> bytes:
    """Return the record of a derivation file."""
    content: Members = {
        "acceptances": [acceptance(of).token],
        "derivation": derived.token,
        "format": "derivation-file/v1",
        "license": of.token,
        "statement": base64.b64encode(statement).decode(),
        "sublicenses": [],
    }
    return canonical(content | members)


def license_file(of: Document, **members: Any) -> bytes:
    """Return a license file."""
    lists = ("acceptances", "offline", "passphrase", "sublicenses", "withdrawals")
    content: Members = {
        "agreement": None,
        "format": "license-file/v1",
        "license": of.token,
        "owner": OWNER.texts(),
        **{name: [] for name in lists},
    }
    tokens = {
        name: [each.token if isinstance(each, Document) else each for each in value]
        if name in lists
        else value
        for name, value in members.items()
    }
    return canonical(content | tokens)


# --- wrapped keys ----------------------------------------------------------------------------


def info(purpose: str, of: Document, runtime: str = RUNTIME, nonce: str = "", **changes: str) -> bytes:
    """Return what a wrapping is bound to."""
    fields = {"package": PACKAGE, "package_id": PACKAGE_ID, "serial": SERIAL} | changes
    return bind(
        b"strongroom/key-wrap/v1",
        purpose.encode(),
        of.id.encode(),
        runtime.encode(),
        *(bytes.fromhex(fields[name]) for name in ("package", "package_id", "serial")),
        bytes.fromhex(nonce),
    )


def wrap_to_sealing_key(bound_to: bytes, content_key: bytes = CONTENT_KEY, name: str = "one") -> str:
    """Wrap a key to the sealing key; returns base64.

    ML-KEM gives a shared secret for any ciphertext of the right size, also for one that
    nobody encapsulated. That makes a wrapping without a random choice, which a reader
    cannot tell from another.
    """
    expanded = hashlib.shake_256(SEALING_SEED).digest(96)
    kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    dh = x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
    ephemeral = x25519.X25519PrivateKey.from_private_bytes(derive(f"ephemeral {name}", 32))
    kem_ciphertext = derive(f"kem ciphertext {name}", 1088)
    dh_ciphertext = ephemeral.public_key().public_bytes_raw()
    combined = (
        kem.decapsulate(kem_ciphertext)
        + ephemeral.exchange(dh.public_key())
        + dh_ciphertext
        + SEALING[1184:]
        + rb"\.//^"
        + b"\\"
    )
    shared = hashlib.sha3_256(combined).digest()
    key, nonce = _key_schedule(shared, bound_to)
    message = kem_ciphertext + dh_ciphertext + AESGCM(key).encrypt(nonce, content_key, b"")
    return base64.b64encode(message).decode()


_SUITE = b"HPKE" + bytes.fromhex("647a00010002")


def _extract(salt: bytes, label: bytes, material: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + _SUITE + label + material, "sha256")


def _expand(secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
    labelled = size.to_bytes(2, "big") + b"HPKE-v1" + _SUITE + label + context
    return hmac.digest(secret, labelled + b"\x01", "sha256")[:size]


def _key_schedule(shared: bytes, bound_to: bytes) -> tuple[bytes, bytes]:
    """RFC 9180 section 5.1 in base mode; one block of HKDF-SHA256 is enough for each output."""
    context = b"\x00" + _extract(b"", b"psk_id_hash", b"") + _extract(b"", b"info_hash", bound_to)
    secret = _extract(shared, b"secret", b"")
    return _expand(secret, b"key", context, 32), _expand(secret, b"base_nonce", context, 12)


def wrap_under_passphrase(bound_to: bytes, passphrase: str, content_key: bytes = CONTENT_KEY) -> str:
    """Wrap a key under a pass-phrase; returns base64."""
    return base64.b64encode(wrap(content_key, passphrase, bound_to)).decode()
