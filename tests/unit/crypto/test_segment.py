"""Segments against the vectors of C2SP chunked-encryption (as `cryptography_vectors` 50.0.2 has them)."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from strongroom.crypto.digest import sha256
from strongroom.crypto.segment import decrypt_into, encrypt_into, encrypted_size, generate_key
from strongroom.errors import IntegrityError

VECTORS: dict[str, dict[str, Any]] = {
    vector["name"]: vector
    for vector in json.loads((Path(__file__).parent / "cobblestone_256_vectors.json").read_text())
}
GOOD = [name for name, vector in VECTORS.items() if vector["expect"] == "success"]
BAD_KEYS = ["short_key", "long_key"]
BAD = [name for name in VECTORS if name not in GOOD and name not in BAD_KEYS]
KEY = bytes(range(32))
SIZES = [0, 1, 16_383, 16_384, 16_385, 32_768, 100_000]


def ciphertext(vector: dict[str, Any]) -> bytes:
    data = base64.b64decode(vector["ciphertext"] or "")
    return zlib.decompress(data) if vector.get("compressed") else data


def plain_size(encrypted: bytes) -> int:
    """Return the only size of plaintext that may fit, or 0 if none does."""
    size = max(len(encrypted) - 88, 0)
    return next((n for n in range(max(size - 5000, 0), size + 1) if encrypted_size(n) == len(encrypted)), 0)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_vector_decrypts(name: str) -> None:
    vector = VECTORS[name]
    encrypted = ciphertext(vector)
    out = bytearray(vector["payload_length"])
    assert encrypted_size(len(out)) == len(encrypted)
    decrypt_into(bytes.fromhex(vector["key"]), vector["context"].encode(), encrypted, out)
    assert sha256(out).hex() == vector["payload_sha256"]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_vector_is_refused_and_leaves_nothing(name: str) -> None:
    vector = VECTORS[name]
    encrypted = ciphertext(vector)
    out = bytearray(plain_size(encrypted))
    with pytest.raises(IntegrityError) as caught:
        decrypt_into(bytes.fromhex(vector["key"]), vector["context"].encode(), encrypted, out)
    assert caught.value.code in ("segment-tag", "segment-size")
    assert not any(out)


@pytest.mark.parametrize("name", BAD_KEYS)
def test_a_key_of_another_size_is_a_bug_of_the_caller(name: str) -> None:
    vector = VECTORS[name]
    encrypted = ciphertext(vector)
    with pytest.raises(ValueError, match="key"):
        decrypt_into(bytes.fromhex(vector["key"]), b"", encrypted, bytearray(plain_size(encrypted)))


@pytest.mark.parametrize("size", SIZES)
def test_a_segment_round_trips(size: int) -> None:
    plain = bytes(size)
    encrypted = bytearray(encrypted_size(size))
    encrypt_into(KEY, b"context", plain, encrypted)
    out = bytearray(b"\xff" * size)
    decrypt_into(KEY, b"context", encrypted, out)
    assert out == plain


def test_buffers_may_be_views() -> None:
    room = bytearray(10 + encrypted_size(100))
    encrypt_into(KEY, b"", memoryview(bytes(100)), memoryview(room)[10:])
    out = bytearray(200)
    decrypt_into(KEY, b"", memoryview(room)[10:], memoryview(out)[50:150])
    assert not any(out)
    assert room[:10] == bytes(10)


def test_two_segments_of_one_plaintext_differ() -> None:
    one, other = bytearray(encrypted_size(5)), bytearray(encrypted_size(5))
    encrypt_into(KEY, b"", b"plain", one)
    encrypt_into(KEY, b"", b"plain", other)
    assert one != other


@pytest.mark.parametrize("position", [0, 24, 56, 56 + 16_384, -1])
def test_every_part_is_authenticated(position: int) -> None:
    size = 20_000
    encrypted = bytearray(encrypted_size(size))
    encrypt_into(KEY, b"context", b"\x07" * size, encrypted)
    encrypted[position] ^= 1
    out = bytearray(b"\xff" * size)
    with pytest.raises(IntegrityError) as caught:
        decrypt_into(KEY, b"context", encrypted, out)
    assert caught.value.code == "segment-tag"
    assert not any(out), "plaintext of the chunks that did pass is left behind"


def test_another_key_or_context_opens_nothing() -> None:
    encrypted = bytearray(encrypted_size(5))
    encrypt_into(KEY, b"context", b"plain", encrypted)
    for key, context in ((generate_key(), b"context"), (KEY, b"contexT"), (KEY, b"")):
        with pytest.raises(IntegrityError):
            decrypt_into(key, context, encrypted, bytearray(5))


@pytest.mark.parametrize("out", [0, 4, 6])
def test_a_buffer_of_another_size_is_refused(out: int) -> None:
    encrypted = bytearray(encrypted_size(5))
    encrypt_into(KEY, b"", b"plain", encrypted)
    with pytest.raises(IntegrityError) as caught:
        decrypt_into(KEY, b"", encrypted, bytearray(out))
    assert caught.value.code == "segment-size"
    with pytest.raises(ValueError, match="buffer"):
        encrypt_into(KEY, b"", bytes(out), encrypted)


def test_keys_are_fresh() -> None:
    assert len(generate_key()) == 32
    assert generate_key() != generate_key()
