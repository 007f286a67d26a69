from __future__ import annotations

import pytest

from strongroom.crypto.mldsa import PUBLIC_BYTES, SIGNATURE_BYTES, MlDsa44Public, MlDsa44Secret
from strongroom.errors import FormatError, VerificationError

SECRET = MlDsa44Secret.from_bytes(bytes(range(32)))


def test_a_signature_verifies() -> None:
    signature = SECRET.sign(b"text")
    assert len(signature) == SIGNATURE_BYTES
    SECRET.public.verify(signature, b"text")


def test_signing_is_hedged() -> None:
    assert SECRET.sign(b"text") != SECRET.sign(b"text")


def test_keys_are_read_and_written() -> None:
    secret = MlDsa44Secret.generate()
    again = MlDsa44Secret.from_bytes(secret.to_bytes())
    public = MlDsa44Public.from_bytes(secret.public.to_bytes())
    assert again.public == secret.public == public
    assert hash(public) == hash(secret.public)
    assert public != SECRET.public
    assert public != public.to_bytes()
    assert len(public.to_bytes()) == PUBLIC_BYTES
    assert public.key_id != SECRET.public.key_id


def test_reprs_show_no_secret() -> None:
    assert repr(SECRET) == "MlDsa44Secret(...)"
    assert repr(SECRET.public) == f"MlDsa44Public(key_id={SECRET.public.key_id!r})"


@pytest.mark.parametrize("change", ["text", "short", "long", "empty", "flipped"])
def test_other_signatures_are_refused(change: str) -> None:
    signature = SECRET.sign(b"text")
    wrong = {
        "text": (signature, b"another text"),
        "short": (signature[:-1], b"text"),
        "long": (signature + b"\x00", b"text"),
        "empty": (b"", b"text"),
        "flipped": (bytes([signature[0] ^ 1]) + signature[1:], b"text"),
    }
    with pytest.raises(VerificationError) as caught:
        SECRET.public.verify(*wrong[change])
    assert caught.value.code == "signature"


def test_another_key_is_refused() -> None:
    with pytest.raises(VerificationError):
        MlDsa44Secret.generate().public.verify(SECRET.sign(b"text"), b"text")


def test_other_sizes_are_refused() -> None:
    with pytest.raises(FormatError, match="has 1312 bytes"):
        MlDsa44Public.from_bytes(bytes(1311))
    with pytest.raises(FormatError, match="has 32 bytes"):
        MlDsa44Secret.from_bytes(bytes(31))
