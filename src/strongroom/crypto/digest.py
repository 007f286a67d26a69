"""Digests: SHA-256 where strangers verify, BLAKE3 where speed counts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import blake3

DIGEST_BYTES: Final = 32

Buffer = bytes | bytearray | memoryview


def sha256(data: Buffer) -> bytes:
    """Return the SHA-256 digest, 32 bytes."""
    return hashlib.sha256(data).digest()


def sha256_each(pieces: Iterable[Buffer]) -> list[bytes]:
    """Return the SHA-256 digest of each, without a call of ours for each: there may be millions."""
    make = hashlib.sha256
    return [make(piece).digest() for piece in pieces]


def shake_256(data: Buffer, size: int) -> bytes:
    """Return ``size`` bytes of SHAKE256: parts of it tell nothing of the rest, nor of the data."""
    return hashlib.shake_256(data).digest(size)


def blake3_256(data: Buffer) -> bytes:
    """Return the BLAKE3 digest, 32 bytes, computed on the calling thread."""
    return blake3.blake3(data).digest()
