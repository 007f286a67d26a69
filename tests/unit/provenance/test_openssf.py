from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from strongroom.crypto.digest import sha256
from strongroom.crypto.dsse import pre_authentication_encoding
from strongroom.crypto.signature import SigningPublic, SigningSecret
from strongroom.errors import FormatError, IntegrityError, VerificationError
from strongroom.provenance.openssf import PAYLOAD_TYPE, digest_file, make_bundle, verify_bundle
from strongroom.storage.memory import MemorySource

FILE = b"the whole package"
DIGEST = sha256(FILE).hex()
SECRET = SigningSecret.from_bytes(sha256(b"owner"))
OTHER = SigningSecret.from_bytes(sha256(b"other"))
KEYS = [OTHER.public, SECRET.public]
BUNDLE = make_bundle("risk-1.0.0.sealed", DIGEST, SECRET)


def _statement() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(base64.b64decode(json.loads(BUNDLE)["dsseEnvelope"]["payload"]))
    return value


def _sign(statement: dict[str, Any] | bytes, secret: SigningSecret = SECRET) -> bytes:
    """Wrap any statement in a right bundle."""
    payload = statement if isinstance(statement, bytes) else json.dumps(statement, indent=2).encode()
    bundle = json.loads(BUNDLE)
    signature = secret.sign_der(pre_authentication_encoding(PAYLOAD_TYPE, payload))
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    return json.dumps(bundle).encode()


def _model_signing(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "model_signing", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=120,
        check=False,
    )


def test_round_trip() -> None:
    verify_bundle(BUNDLE, DIGEST, KEYS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "risk-1.0.0.sealed").write_bytes(FILE)
    (tmp_path / "risk-1.0.0.sealed.sig").write_bytes(BUNDLE)
    (tmp_path / "owner.pub").write_bytes(SECRET.public.to_pem())
    (tmp_path / "other.pub").write_bytes(OTHER.public.to_pem())
    return tmp_path


def _verify_with_their_tool(folder: Path, key: str = "owner.pub") -> int:
    return _model_signing(
        "verify", "key", "risk-1.0.0.sealed", "--public_key", key, "--signature", "risk-1.0.0.sealed.sig",
        folder=folder,
    ).returncode  # fmt: skip


def test_the_standard_tool_accepts_our_bundle(folder: Path) -> None:
    assert _verify_with_their_tool(folder) == 0


def test_the_standard_tool_refuses_another_key(folder: Path) -> None:
    assert _verify_with_their_tool(folder, "other.pub") == 1


def test_the_standard_tool_refuses_one_flipped_bit(folder: Path) -> None:
    (folder / "risk-1.0.0.sealed").write_bytes(b"T" + FILE[1:])
    assert _verify_with_their_tool(folder) == 1


def test_we_accept_a_bundle_of_the_standard_tool(folder: Path) -> None:
    theirs = ec.generate_private_key(ec.SECP256R1())
    public = SigningPublic.from_bytes(
        theirs.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    )
    (folder / "ec.pem").write_bytes(theirs.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    signed = _model_signing(
        "sign", "key", "risk-1.0.0.sealed", "--private_key", "ec.pem", "--signature", "theirs.sig",
        folder=folder,
    )  # fmt: skip
    assert signed.returncode == 0, signed.stderr
    bundle = (folder / "theirs.sig").read_bytes()
    verify_bundle(bundle, DIGEST, [public])
    with pytest.raises(IntegrityError):
        verify_bundle(bundle, sha256(b"other").hex(), [public])
    with pytest.raises(VerificationError):
        verify_bundle(bundle, DIGEST, KEYS)


def test_another_file_is_refused() -> None:
    with pytest.raises(IntegrityError) as refused:
        verify_bundle(BUNDLE, sha256(b"other").hex(), KEYS)
    assert refused.value.code == "file-digest"


@pytest.mark.parametrize("keys", [[], [OTHER.public]])
def test_another_signer_is_refused(keys: list[SigningPublic]) -> None:
    with pytest.raises(VerificationError) as refused:
        verify_bundle(BUNDLE, DIGEST, keys)
    assert refused.value.code == "wrong-signer"


def test_a_signature_by_another_key_under_our_hint_is_refused() -> None:
    with pytest.raises(VerificationError) as refused:
        verify_bundle(_sign(_statement(), OTHER), DIGEST, KEYS)
    assert refused.value.code == "signature"


def test_fields_that_we_do_not_know_are_ignored() -> None:
    statement = _statement()
    statement["predicate"]["later"] = {"x": 1}
    verify_bundle(_sign(statement), DIGEST, KEYS)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("mediaType", "application/vnd.dev.sigstore.bundle.v0.2+json"),
        ("dsseEnvelope.payloadType", "text/plain"),
        ("dsseEnvelope.signatures", []),
        ("dsseEnvelope.signatures", [{"sig": "AA=="}, {"sig": "AA=="}]),
        ("dsseEnvelope.payload", "AA="),
        ("dsseEnvelope", None),
        ("verificationMaterial.publicKey", {}),
    ],
)
def test_other_bundles_are_refused(path: str, wrong: Any) -> None:
    bundle = json.loads(BUNDLE)
    inner = bundle
    *parents, last = path.split(".")
    for parent in parents:
        inner = inner[parent]
    inner[last] = wrong
    with pytest.raises(FormatError):
        verify_bundle(json.dumps(bundle).encode(), DIGEST, KEYS)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("_type", "https://in-toto.io/Statement/v0.1"),
        ("predicateType", "https://model_signing/Digests/v0.1"),
        ("predicate.serialization.method", "shards"),
        ("predicate.serialization.hash_type", "blake3"),
        ("predicate.resources", []),
        ("predicate.resources", [{"name": ".", "algorithm": "sha256", "digest": DIGEST}] * 2),
        ("predicate.resources", [{"name": "a", "algorithm": "sha256", "digest": DIGEST}]),
        ("predicate.resources", [{"name": ".", "algorithm": "sha512", "digest": DIGEST}]),
        ("predicate.resources", [{"name": ".", "algorithm": "sha256", "digest": DIGEST.upper()}]),
        ("subject", []),
        ("subject", [{"digest": {"sha256": DIGEST}}]),
    ],
)
def test_other_statements_are_refused_although_signed(path: str, wrong: Any) -> None:
    statement = _statement()
    inner = statement
    *parents, last = path.split(".")
    for parent in parents:
        inner = inner[parent]
    inner[last] = wrong
    with pytest.raises(FormatError):
        verify_bundle(_sign(statement), DIGEST, KEYS)


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"{}"])
def test_something_else_is_no_bundle(data: bytes) -> None:
    with pytest.raises(FormatError):
        verify_bundle(data, DIGEST, KEYS)
    with pytest.raises(FormatError):
        verify_bundle(_sign(data), DIGEST, KEYS)


@pytest.mark.parametrize("digest", ["", "00", DIGEST.upper()])
def test_a_digest_that_is_none_is_not_signed(digest: str) -> None:
    with pytest.raises(FormatError):
        make_bundle("x", digest, SECRET)


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1])
def test_digest_file(size: int) -> None:
    data = bytes(size)
    done: list[int] = []
    assert digest_file(MemorySource(data), progress=done.append) == sha256(data).hex()
    assert sum(done) == size
    assert digest_file(MemorySource(data)) == sha256(data).hex()
