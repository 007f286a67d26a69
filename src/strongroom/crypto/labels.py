"""Every domain-separation string, in one table.

A key or a digest that serves two purposes must not give the same bytes in both.
Each purpose therefore has a label of its own, with the version of the format that
uses it. Labels are never reused and never changed; a new meaning is a new line.
"""

from __future__ import annotations

from typing import Final

SEGMENT_CONTEXT: Final = b"strongroom/package/v1-draft/segment"
"""Associated data of an encrypted segment (spec/package.md)."""

KEY_ID: Final = b"strongroom/key-id/v1"
"""Digest that names a public key."""

DOCUMENT_ID: Final = b"strongroom/document-id/v1"
"""Digest that names a signed document by its payload."""

KEY_TEXT: Final = b"strongroom/key-text/v1"
"""Checksum of a key written as text."""

FINGERPRINT: Final = b"strongroom/fingerprint/v1"
"""Short digest that two people compare aloud."""

KEY_WRAP: Final = b"strongroom/key-wrap/v1"
"""HPKE info of a content or part key wrapped to a sealing key."""

PASSPHRASE_FILE: Final = b"strongroom/passphrase/v1"
"""Associated data of anything under a pass-phrase."""

KEY_ENCRYPTION: Final = b"strongroom/key-encryption/v1"
"""Associated data of a content key at rest under the owner's key-encryption key."""

KEY_ENCRYPTION_ID: Final = b"strongroom/key-encryption-id/v1"
"""Digest that names a key-encryption key (spec/keys.md)."""

LOG_COMMITMENT: Final = b"strongroom/log-commitment/v1"
"""Salted digest by which the log holds a record (spec/log.md)."""

RECEIPT_INPUT: Final = b"strongroom/receipt-input/v1"
"""Salted digest by which a receipt holds an input (spec/receipt.md)."""

RECEIPT_OUTPUT: Final = b"strongroom/receipt-output/v1"
"""Salted digest by which a receipt holds an output (spec/receipt.md)."""

RECEIPT_SALTS: Final = b"strongroom/receipt-salts/v1"
"""Expansion of one seed to the salts of a batch of receipts (spec/receipt.md)."""

ALL: Final = tuple(value for name, value in sorted(globals().items()) if isinstance(value, bytes))


def bind(label: bytes, *fields: bytes) -> bytes:
    """Join a label and fields so that no two different lists give the same bytes.

    Each piece is preceded by its length as four bytes, big-endian; the encoding is
    injective, so a field can hold anything.
    """
    return b"".join([len(piece).to_bytes(4, "big") + piece for piece in (label, *fields)])
