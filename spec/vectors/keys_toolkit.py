"""Make key texts, key files, owner chains, invites and enrollments from the text of spec/keys.md alone.

    chain = Chain()
    chain.add(roots=[ROOTS[1]], signers=[ROOTS[0], ROOTS[1]])
    data = chain.build()

This is a second implementation: it imports nothing of Strongroom. Every random choice is
derived from a name, and the signatures are deterministic: the same call gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa, mlkem, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from package_toolkit import ORDER, Signer, bind, canonical, cobblestone, derive, pae, signature

NOW = "2026-11-24T03:00:00Z"
LATER = "2026-11-25T03:00:00Z"
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
OWNER_TYPE = "application/vnd.strongroom.owner+json"
ROLES = ("broker", "license", "package")

ROOTS = [Signer(f"owner root {number}") for number in range(4)]
ROLE_KEYS = {role: [Signer(f"owner {role} {number}") for number in range(3)] for role in ROLES}
ORGANIZATION = Signer("organization")
DEVICE = Signer("device")
STRANGER = Signer("stranger")

Members = dict[str, Any]


class LogKey:
    """An Ed25519 key whose secret is fixed by its name."""

    def __init__(self, name: str) -> None:
        self.seed = derive(name, 32)
        self.public = ed25519.Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        self.key_id = hashlib.sha256(bind(b"strongroom/key-id/v1", self.public)).hexdigest()[:32]


WITNESS_SEED = derive("witness", 32)
WITNESS = mldsa.MLDSA44PrivateKey.from_seed_bytes(WITNESS_SEED).public_key().public_bytes_raw()
LOG_KEYS = [LogKey(f"owner log {number}") for number in range(2)]


def base64url(data: bytes) -> str:
    """Encode without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def text(kind: str, half: str, raw: bytes) -> str:
    """Write a key as text."""
    prefix = f"strongroom-{kind}-{half}"
    checksum = hashlib.sha256(bind(b"strongroom/key-text/v1", prefix.encode(), raw)).digest()[:4]
    return f"{prefix}.{base64url(raw + checksum)}"


def public(kind: str, key: Signer | LogKey) -> str:
    """Write the public half of a signing key as text."""
    return text(kind, "public", key.public)


def secret_bytes(name: str) -> bytes:
    """Return the scalar that a signer of this name has."""
    return (int.from_bytes(derive(name, 40), "big") % (ORDER - 1) + 1).to_bytes(32, "big")


def xwing_public(seed: bytes) -> bytes:
    """Expand an X-Wing seed."""
    expanded = hashlib.shake_256(seed).digest(96)
    kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).public_key()
    dh = x25519.X25519PrivateKey.from_private_bytes(expanded[64:]).public_key()
    return kem.public_bytes_raw() + dh.public_bytes_raw()


SEALING_SEED = derive("sealing", 32)
SEALING = xwing_public(SEALING_SEED)


def identify(prefix: str, kind: str, data: bytes) -> str:
    """Return an id."""
    digest = hashlib.sha256(bind(b"strongroom/document-id/v1", kind.encode(), data)).digest()[:15]
    return prefix + base64.b32encode(digest).decode().lower()


def key_file(kind: str, public_text: str, line: str) -> bytes:
    """Lay out a key file."""
    return f"# strongroom {kind} key, created {NOW}\n# public: {public_text}\n{line}\n".encode()


@cache
def wrap(secret: bytes, passphrase: str, label: str | bytes) -> bytes:
    """Encrypt a secret under a pass-phrase."""
    bound_to, name = (label.encode(), label) if isinstance(label, str) else (label, label.hex())
    head = b"\x01" + derive(f"salt {name}", 16)
    kdf = Argon2id(salt=head[1:], length=32, iterations=3, lanes=4, memory_cost=65_536)
    context = bind(b"strongroom/passphrase/v1", head, bound_to)
    return head + cobblestone(kdf.derive(passphrase.encode()), context, secret, derive(f"inner {name}", 24))


def encrypted_line(kind: str, secret_text: str, passphrase: str) -> str:
    """Return the last line of a key file under a pass-phrase."""
    blob = wrap(secret_text.encode(), passphrase, f"key-file/{kind}")
    return f"strongroom-encrypted-key.{kind}.{base64url(blob)}"


def role_key(role: str, key: Signer | LogKey, retired_at: str | None = None) -> Members:
    """Return an entry of a role."""
    return {"key": public(f"owner-{role}", key), "retired_at": retired_at}


def roots(keys: Sequence[Signer], threshold: int = 1) -> Members:
    """Return the member ``roots``."""
    return {"keys": sorted(public("owner-root", key) for key in keys), "threshold": threshold}


def cut_off(key: Signer | LogKey, log_position: int | None = None, reason: str = "laptop stolen") -> Members:
    """Return an entry of ``cut_off``."""
    return {"key_id": key.key_id, "log_position": log_position, "reason": reason}


def first_version() -> Members:
    """Return version 1 with one root and one key in each role."""
    return {
        "cut_off": [],
        "format": "owner/v1",
        "issued_at": NOW,
        "name": "hospital",
        "owner": None,
        "roles": {"log": [], **{role: [role_key(role, ROLE_KEYS[role][0])] for role in ROLES}},
        "roots": roots(ROOTS[:1]),
        "version": 1,
    }


def envelope(payload: bytes, signers: Sequence[Signer], payload_type: str = OWNER_TYPE) -> Members:
    """Sign the payload of a version."""
    entries = [signature(key, pae(payload_type, payload)) for key in signers]
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": sorted(entries, key=lambda entry: entry["keyid"]),
    }


class Chain:
    """Versions of an owner document, each signed as it is added."""

    def __init__(self, signers: Sequence[Signer] = ROOTS[:1], **changes: Any) -> None:
        self.version = first_version() | changes
        self.payloads = [canonical(self.version)]
        self.envelopes = [envelope(self.payloads[0], signers)]

    @property
    def owner(self) -> str:
        """Return the owner id."""
        return identify("own-", "owner", self.payloads[0])

    def add(self, signers: Sequence[Signer] = ROOTS[:1], **changes: Any) -> Chain:
        """Add a version with changed members; returns the chain itself."""
        number = self.version["version"] + 1
        self.version = deepcopy(self.version) | {"owner": self.owner, "version": number} | changes
        self.payloads.append(canonical(self.version))
        self.envelopes.append(envelope(self.payloads[-1], signers))
        return self

    def roles(self, **changes: list[Members]) -> Members:
        """Return the member ``roles`` with changed lists, each sorted."""
        lists = self.version["roles"] | changes
        return {role: sorted(entries, key=lambda entry: entry["key"]) for role, entries in lists.items()}

    def texts(self) -> list[str]:
        """Return the chain as it stands inside other documents."""
        return [base64.b64encode(canonical(each)).decode() for each in self.envelopes]

    def build(self) -> bytes:
        """Return the bytes of the chain."""
        return canonical(self.texts())


def token(typ: str, payload: Members | bytes, key: Signer, *, high: bool = False, **header: Any) -> str:
    """Sign a document."""
    head = canonical({"alg": "ES256", "kid": key.key_id, "typ": typ} | header)
    body = payload if isinstance(payload, bytes) else canonical(payload)
    signing_input = f"{base64url(head)}.{base64url(body)}"
    r, s = decode_dss_signature(key.sign(signing_input.encode(), high=high))
    return f"{signing_input}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def invite(chain: Chain, key: Signer = ROLE_KEYS["license"][0], /, **changes: Any) -> str:
    """Return an invite token."""
    payload = {
        "broker": None,
        "expires_at": "2026-12-01T03:00:00Z",
        "format": "invite/v1",
        "issued_at": NOW,
        "owner": chain.owner,
        "owner_version": len(chain.payloads),
        "partner": "clinic",
        "serial": derive("serial", 16).hex(),
    }
    return token("strongroom-invite+jws", payload | changes, key)


def invite_file(chain: Chain, invite_token: str | None = None, **changes: Any) -> bytes:
    """Return an invite file."""
    members = {"format": "invite-file/v1", "invite": invite_token or invite(chain), "owner": chain.texts()}
    return canonical(members | changes)


def certificate(chain: Chain, key: Signer = DEVICE, /, **changes: Any) -> str:
    """Return a sealing certificate."""
    payload = {
        "device": public("device", DEVICE),
        "format": "sealing-key/v1",
        "issued_at": NOW,
        "organization": identify("org-", "organization", ORGANIZATION.public),
        "owner": chain.owner,
        "sealing": text("sealing", "public", SEALING),
    }
    return token("strongroom-sealing-key+jws", payload | changes, key)


def enrollment(chain: Chain, key: Signer = ORGANIZATION, /, **changes: Any) -> str:
    """Return an enrollment token."""
    payload = {
        "device": public("device", DEVICE),
        "format": "enrollment/v1",
        "invite": invite(chain),
        "issued_at": NOW,
        "organization": public("organization", ORGANIZATION),
        "owner": chain.owner,
        "owner_digest": hashlib.sha256(chain.payloads[-1]).hexdigest(),
        "partner": "clinic",
        "runtime": identify("run-", "runtime", DEVICE.public),
        "sealing_certificate": certificate(chain),
    }
    return token("strongroom-enrollment+jws", payload | changes, key)


def enrollment_file(enrollment_token: str, **changes: Any) -> bytes:
    """Return an enrollment file."""
    return canonical({"enrollment": enrollment_token, "format": "enrollment-file/v1"} | changes)


def fingerprint(enrollment_token: str) -> str:
    """Return what people compare."""
    digest = hashlib.sha256(bind(b"strongroom/fingerprint/v1", enrollment_token.encode())).digest()
    bits = "".join(f"{byte:08b}" for byte in digest)[:100]
    chars = "".join(ALPHABET[int(bits[at : at + 5], 2)] for at in range(0, 100, 5))
    return "-".join(chars[at : at + 4] for at in range(0, 20, 4))
