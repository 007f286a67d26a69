"""Segments against a second, small implementation of C2SP chunked-encryption.

The published vectors (as `cryptography_vectors` 50.0.2 has them) are for HKDF with SHA-256;
Cobblestone-256 is the same construction with SHA-512. The second implementation is proven
on the vectors with the one hash and then opens what we write with the other.
"""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from strongroom.crypto.digest import sha256
from strongroom.crypto.segment import decrypt_into, encrypt_into, encrypted_size, generate_key
from strongroom.errors import IntegrityError

VECTORS: dict[str, dict[str, Any]] = {
    vector["name"]: vector
    for vector in json.loads((Path(__file__).parent / "chunked_encryption_vectors.json").read_text())
}
KEY = bytes(range(32))
SIZES = [0, 1, 16_383, 16_384, 16_385, 32_768, 100_000]


def open_message(algorithm: hashes.HashAlgorithm, key: bytes, context: bytes, message: bytes) -> bytes:
    """Decrypt a message as the specification says, without the library's recipe."""
    salt, commitment, chunks = message[:24], message[24:56], message[56:]
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
    derived = HKDFExpand(algorithm, 76, info).derive(key)
    assert derived[44:] == commitment
    cipher, plain, size = AESGCM(derived[:32]), b"", 16_384 + 16
    for number in range(len(chunks) // size + 1):
        nonce = int.from_bytes(derived[32:44], "big") ^ number
        plain += cipher.decrypt(nonce.to_bytes(12, "big"), chunks[number * size : (number + 1) * size], b"")
    return plain


@pytest.mark.parametrize("name", VECTORS)
def test_the_second_implementation_opens_the_vectors(name: str) -> None:
    vector = VECTORS[name]
    message = base64.b64decode(vector["ciphertext"])
    if vector.get("compressed"):
        message = zlib.decompress(message)
    plain = open_message(hashes.SHA256(), bytes.fromhex(vector["key"]), vector["context"].encode(), message)
    assert sha256(plain).hex() == vector["payload_sha256"]
    assert encrypted_size(len(plain)) == len(message)


@pytest.mark.parametrize("size", SIZES)
def test_the_second_implementation_opens_what_we_write(size: int) -> None:
    message = bytearray(encrypted_size(size))
    encrypt_into(KEY, b"context", b"\x05" * size, message)
    assert open_message(hashes.SHA512(), KEY, b"context", bytes(message)) == b"\x05" * size


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_size_is_a_bug_of_the_caller(size: int) -> None:
    with pytest.raises(ValueError, match="key"):
        decrypt_into(bytes(size), b"", bytes(encrypted_size(0)), bytearray())


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
