"""OpenSSF Model Signing v1.0: the bundle ``NAME-VERSION.sealed.sig`` beside a package.

    data = make_bundle("risk-1.0.0.sealed", written.file_sha256, secret)
    verify_bundle(data, digest_file(source), [public])           # raises

    model_signing verify key risk-1.0.0.sealed --public_key owner.pub --signature risk-1.0.0.sealed.sig

A sigstore bundle (v0.3) with a DSSE envelope around an in-toto statement whose only
resource is the whole file, named ``.`` (https://github.com/ossf/model-signing-spec).
Our bundles are canonical JSON with one accepted signature. Reading accepts what other
signers write: any spelling of JSON and DER, and fields that version 1.0 lets a verifier
ignore. The name of the file is informational and is not checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from strongroom._encoding import canonical_json, from_base64, from_hex, from_json_value, parse_json, to_base64
from strongroom._limits import LIMITS
from strongroom.crypto.digest import DIGEST_BYTES, sha256
from strongroom.crypto.dsse import pre_authentication_encoding
from strongroom.crypto.signature import SigningPublic, SigningSecret
from strongroom.errors import FormatError, IntegrityError, VerificationError
from strongroom.storage.interface import Source

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://model_signing/signature/v1.0"
_WHOLE_FILE: Final = "."
_BLOCK_BYTES: Final = 1 << 20


class _PublicKey(msgspec.Struct, frozen=True):
    hint: str


class _Material(msgspec.Struct, frozen=True):
    publicKey: _PublicKey  # noqa: N815 - the name that sigstore gives it


class _Signature(msgspec.Struct, frozen=True):
    sig: str


class _Envelope(msgspec.Struct, frozen=True):
    payload: str
    payloadType: str  # noqa: N815 - the name that DSSE gives it
    signatures: list[_Signature]


class _Bundle(msgspec.Struct, frozen=True):
    mediaType: str  # noqa: N815 - the name that sigstore gives it
    verificationMaterial: _Material  # noqa: N815 - the name that sigstore gives it
    dsseEnvelope: _Envelope  # noqa: N815 - the name that sigstore gives it


class _Digest(msgspec.Struct, frozen=True):
    sha256: str


class _Subject(msgspec.Struct, frozen=True):
    digest: _Digest


class _Resource(msgspec.Struct, frozen=True):
    name: str
    algorithm: str
    digest: str


class _Serialization(msgspec.Struct, frozen=True):
    method: str
    hash_type: str


class _Predicate(msgspec.Struct, frozen=True):
    serialization: _Serialization
    resources: list[_Resource]


class _Statement(msgspec.Struct, frozen=True):
    type: str = msgspec.field(name="_type")
    subject: list[_Subject]
    predicateType: str  # noqa: N815 - the name that in-toto gives it
    predicate: _Predicate


def digest_file(source: Source, *, progress: Callable[[int], None] | None = None) -> str:
    """Return the SHA-256 of a whole source in hexadecimal, read once from front to back.

    Raises:
        StorageError: the storage does not answer.
    """
    digest = hashlib.sha256()
    size = source.size()
    buffer = memoryview(bytearray(min(_BLOCK_BYTES, size)))
    for offset in range(0, size, _BLOCK_BYTES):
        block = buffer[: min(_BLOCK_BYTES, size - offset)]
        source.read_into(offset, block)
        digest.update(block)
        if progress is not None:
            progress(len(block))
    return digest.hexdigest()


def make_bundle(file_name: str, file_sha256: str, secret: SigningSecret) -> bytes:
    """Sign a file by its SHA-256 (hexadecimal); returns the bytes of the ``.sig`` file.

    Raises:
        FormatError: the digest is not 32 bytes of hexadecimal.
    """
    raw_digest = from_hex(file_sha256, size=DIGEST_BYTES)
    payload = canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": file_name, "digest": {"sha256": sha256(raw_digest).hex()}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "resources": [{"algorithm": "sha256", "digest": file_sha256, "name": _WHOLE_FILE}],
                "serialization": {
                    "allow_symlinks": False,
                    "hash_type": "sha256",
                    "ignore_paths": [],
                    "method": "files",
                },
            },
        }
    )
    signature = secret.sign_der(pre_authentication_encoding(PAYLOAD_TYPE, payload))
    return canonical_json(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {
                "publicKey": {"hint": _hint(secret.public)},
                "tlogEntries": [],
            },
            "dsseEnvelope": {
                "payload": to_base64(payload),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"keyid": "", "sig": to_base64(signature)}],
            },
        }
    )


def verify_bundle(data: bytes, file_sha256: str, keys: Sequence[SigningPublic]) -> None:
    """Check that a bundle is by one of the keys and about the file with this SHA-256.

    Raises:
        FormatError: not a Model Signing bundle for a single file.
        VerificationError: signed by none of the keys, or wrongly.
        IntegrityError: it is about another file.
    """
    bundle = from_json_value(parse_json(data, max_bytes=LIMITS.max_json_bytes), _Bundle)
    envelope = bundle.dsseEnvelope
    if bundle.mediaType != MEDIA_TYPE or envelope.payloadType != PAYLOAD_TYPE:
        raise FormatError("not a Model Signing bundle of a known version", code="unknown-format")
    if len(envelope.signatures) != 1:
        raise FormatError("a Model Signing bundle has exactly one signature")
    payload = from_base64(envelope.payload)
    _verify_signature(bundle.verificationMaterial.publicKey.hint, envelope.signatures[0].sig, payload, keys)
    if _signed_digest(payload) != file_sha256:
        raise IntegrityError("the Model Signing bundle is about another file", code="file-digest")


def _verify_signature(hint: str, signature: str, payload: bytes, keys: Sequence[SigningPublic]) -> None:
    message = pre_authentication_encoding(PAYLOAD_TYPE, payload)
    for key in keys:
        if _hint(key) == hint:
            key.verify_der(from_base64(signature), message)
            return
    raise VerificationError("a Model Signing bundle is signed by another key", code="wrong-signer")


def _signed_digest(payload: bytes) -> str:
    statement = from_json_value(parse_json(payload), _Statement)
    if statement.type != STATEMENT_TYPE or statement.predicateType != PREDICATE_TYPE:
        raise FormatError("not a Model Signing statement of a known version", code="unknown-format")
    serialization, resources = statement.predicate.serialization, statement.predicate.resources
    if (serialization.method, serialization.hash_type) != ("files", "sha256") or len(resources) != 1:
        raise FormatError("a Model Signing statement is not about one file by its SHA-256")
    resource = resources[0]
    if (resource.name, resource.algorithm) != (_WHOLE_FILE, "sha256"):
        raise FormatError("a Model Signing statement is not about one file by its SHA-256")
    root = sha256(from_hex(resource.digest, size=DIGEST_BYTES)).hex()
    if [subject.digest.sha256 for subject in statement.subject] != [root]:
        raise FormatError("the subject of a Model Signing statement does not match its resource")
    return resource.digest


def _hint(key: SigningPublic) -> str:
    # The reference signer names a key by the SHA-256 of its PEM text.
    return sha256(key.to_pem()).hex()
