from __future__ import annotations

from strongroom.crypto.digest import DIGEST_BYTES, blake3_256, sha256


def test_sha256_of_fips_180_4() -> None:
    assert sha256(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_blake3_of_its_reference_vectors() -> None:
    # test_vectors.json of BLAKE3: inputs of 0 and 1 bytes, and of 1025 bytes that count up to 250.
    assert blake3_256(b"").hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert blake3_256(b"\0").hex() == "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"
    counted = bytes(number % 251 for number in range(1025))
    assert blake3_256(counted).hex() == "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"


def test_any_buffer_will_do() -> None:
    for digest in (sha256, blake3_256):
        assert digest(b"abc") == digest(bytearray(b"abc")) == digest(memoryview(b"xabc")[1:])
        assert len(digest(b"")) == DIGEST_BYTES
