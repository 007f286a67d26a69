"""Key wrapping against the X-Wing vector of draft-ietf-hpke-pq and a second, small implementation here."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from strongroom.crypto.hpke import PUBLIC_BYTES, SealingPublic, SealingSecret, unwrap_key, wrap_key
from strongroom.errors import FormatError, IntegrityError

VECTOR: dict[str, Any] = json.loads((Path(__file__).parent / "hpke_xwing_vector.json").read_text())
KEY = bytes(range(32))


def xwing_decapsulate(seed: bytes, encapsulated: bytes) -> bytes:
    """X-Wing (draft-connolly-cfrg-xwing-kem sections 5.2 and 5.5), written from the draft."""
    expanded = hashlib.shake_256(seed).digest(96)
    kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    dh = x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
    shared_kem = kem.decapsulate(encapsulated[:1088])
    shared_dh = dh.exchange(x25519.X25519PublicKey.from_public_bytes(encapsulated[1088:]))
    public = dh.public_key().public_bytes_raw()
    return hashlib.sha3_256(
        shared_kem + shared_dh + encapsulated[1088:] + public + rb"\./" + rb"/^\ "[:-1]
    ).digest()


def hkdf_extract(salt: bytes, material: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), material, "sha256")


def hkdf_expand(key: bytes, info: bytes, size: int) -> bytes:
    out, block = b"", b""
    for number in range(1, 256):
        if len(out) >= size:
            break
        block = hmac.digest(key, block + info + bytes([number]), "sha256")
        out += block
    return out[:size]


def key_schedule(aead: int, shared: bytes, info: bytes) -> tuple[bytes, bytes]:
    """RFC 9180 section 5.1 in base mode with HKDF-SHA256; returns key and base nonce."""
    suite = b"HPKE" + b"\x64\x7a" + b"\x00\x01" + aead.to_bytes(2, "big")

    def extract(salt: bytes, label: bytes, material: bytes) -> bytes:
        return hkdf_extract(salt, b"HPKE-v1" + suite + label + material)

    def expand(key: bytes, label: bytes, context: bytes, size: int) -> bytes:
        return hkdf_expand(key, size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context, size)

    context = b"\x00" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared, b"secret", b"")
    return expand(secret, b"key", context, 32), expand(secret, b"base_nonce", context, 12)


def test_a_seed_gives_the_public_key_of_the_vector() -> None:
    secret = SealingSecret.from_bytes(bytes.fromhex(VECTOR["skRm"]))
    assert secret.public.to_bytes().hex() == VECTOR["pkRm"]


def test_the_second_implementation_opens_the_vector() -> None:
    shared = xwing_decapsulate(bytes.fromhex(VECTOR["skRm"]), bytes.fromhex(VECTOR["enc"]))
    assert shared.hex() == VECTOR["shared_secret"]
    key, nonce = key_schedule(VECTOR["aead_id"], shared, bytes.fromhex(VECTOR["info"]))
    assert (key.hex(), nonce.hex()) == (VECTOR["key"], VECTOR["base_nonce"])
    first = {name: bytes.fromhex(text) for name, text in VECTOR["encryptions"][0].items()}
    assert ChaCha20Poly1305(key).decrypt(nonce, first["ct"], first["aad"]) == first["pt"]


def test_the_second_implementation_opens_what_we_wrap() -> None:
    secret = SealingSecret.generate()
    wrapped = wrap_key(KEY, secret.public, info=b"context")
    key, nonce = key_schedule(2, xwing_decapsulate(secret.to_bytes(), wrapped[:1120]), b"context")
    assert AESGCM(key).decrypt(nonce, wrapped[1120:], b"") == KEY


def test_a_wrapped_key_unwraps() -> None:
    secret = SealingSecret.generate()
    wrapped = wrap_key(KEY, SealingPublic.from_bytes(secret.public.to_bytes()), info=b"context")
    assert unwrap_key(wrapped, SealingSecret.from_bytes(secret.to_bytes()), info=b"context") == KEY
    assert wrap_key(KEY, secret.public, info=b"context") != wrapped


def test_it_unwraps_for_nobody_and_nothing_else() -> None:
    secret = SealingSecret.generate()
    wrapped = wrap_key(KEY, secret.public, info=b"context")
    attempts = [
        (wrapped, SealingSecret.generate(), b"context"),
        (wrapped, secret, b"contexT"),
        (wrapped, secret, b""),
    ]
    attempts += [(flip(wrapped, place), secret, b"context") for place in (0, 1087, 1088, 1119, 1120, -1)]
    attempts += [
        (wrapped[:-1], secret, b"context"),
        (wrapped + b"\0", secret, b"context"),
        (b"", secret, b"context"),
    ]
    attempts += [(wrapped[:1088] + bytes(32) + wrapped[1120:], secret, b"context")]
    for data, key, info in attempts:
        with pytest.raises(IntegrityError) as caught:
            unwrap_key(data, key, info=info)
        assert caught.value.code == "wrapped-key"


def flip(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


LOW_ORDER = [
    "00" * 32,
    "01" + "00" * 31,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


@pytest.mark.parametrize("point", LOW_ORDER)
def test_a_recipient_of_small_order_is_malformed(point: str) -> None:
    """A stranger's key must not crash whoever wraps to it, nor let everybody read what was wrapped."""
    raw = SealingSecret.generate().public.to_bytes()
    with pytest.raises(FormatError, match="not an X-Wing"):
        SealingPublic.from_bytes(raw[:1184] + bytes.fromhex(point))


@pytest.mark.parametrize(
    "raw", [b"", bytes(PUBLIC_BYTES - 1), bytes(PUBLIC_BYTES + 1), b"\xff" * PUBLIC_BYTES]
)
def test_what_is_no_public_key_is_refused(raw: bytes) -> None:
    with pytest.raises(FormatError):
        SealingPublic.from_bytes(raw)


@pytest.mark.parametrize("seed", [b"", bytes(31), bytes(33)])
def test_a_secret_has_32_bytes(seed: bytes) -> None:
    with pytest.raises(FormatError):
        SealingSecret.from_bytes(seed)


def test_public_keys_compare_by_their_bytes() -> None:
    secret = SealingSecret.generate()
    again = SealingPublic.from_bytes(secret.public.to_bytes())
    assert again == secret.public
    assert hash(again) == hash(secret.public)
    assert again != SealingSecret.generate().public
    assert again != secret.public.to_bytes()


def test_a_repr_shows_no_secret() -> None:
    assert repr(SealingSecret.generate()) == "SealingSecret(...)"
