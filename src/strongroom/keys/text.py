"""A key as one line of text that carries its kind (spec/keys.md, section "Key text").

    text = public_to_text(KeyKind.DEVICE, raw)          # 'strongroom-device-public.AqL0s...'
    assert public_from_text(text, KeyKind.DEVICE) == raw

The kind and the half stand in front, so that people can tell keys apart, and enter
the checksum, so that no edit of the front turns one kind into another. A checksum
finds typing errors only; it authenticates nothing. No message ever holds the text
that was refused: it may be a secret, pasted into the wrong place.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from strongroom._encoding import from_base64url, to_base64url
from strongroom.crypto import digest, ed25519, hpke, labels, mldsa, signature
from strongroom.errors import FormatError

_CHECKSUM_BYTES: Final = 4

Half = Literal["public", "secret"]


class KeyKind(StrEnum):
    """What a key is for. A key of one kind is never accepted as another."""

    OWNER_ROOT = "owner-root"
    """Signs versions of the owner document, offline."""
    OWNER_PACKAGE = "owner-package"
    """Signs package statements."""
    OWNER_LICENSE = "owner-license"
    """Signs invites, licenses and what belongs to them."""
    OWNER_BROKER = "owner-broker"
    """Signs leases."""
    OWNER_LOG = "owner-log"
    """Signs log checkpoints (Ed25519)."""
    ORGANIZATION = "organization"
    """A partner's: signs enrollments, acceptances and sub-licenses."""
    MEMBER = "member"
    """One person's, to sign in at a broker."""
    DEVICE = "device"
    """One runtime's: signs its sealing key, its state and its receipts."""
    SEALING = "sealing"
    """One runtime's: receives wrapped keys (X-Wing)."""
    WITNESS = "witness"
    """A party's: cosigns checkpoints of the logs of others (ML-DSA-44)."""


def _prefix(kind: KeyKind, half: Half) -> str:
    return f"strongroom-{kind.value}-{half}"


_HALVES: Final[tuple[Half, ...]] = ("public", "secret")
_BY_PREFIX: Final = {_prefix(kind, half): (kind, half) for kind in KeyKind for half in _HALVES}


def raw_size(kind: KeyKind, half: Half) -> int:
    """Return how many bytes a key of this kind has, without its checksum."""
    match kind:
        case KeyKind.SEALING:
            return hpke.PUBLIC_BYTES if half == "public" else hpke.SECRET_BYTES
        case KeyKind.OWNER_LOG:
            return ed25519.PUBLIC_BYTES if half == "public" else ed25519.SECRET_BYTES
        case KeyKind.WITNESS:
            return mldsa.PUBLIC_BYTES if half == "public" else mldsa.SECRET_BYTES
        case _:
            return signature.PUBLIC_BYTES if half == "public" else signature.SECRET_BYTES


def public_to_text(kind: KeyKind, raw: bytes) -> str:
    """Write a public key as text.

    Raises:
        FormatError: a key of this kind has another size.
    """
    return _to_text(kind, "public", raw)


def public_from_text(text: str, kind: KeyKind) -> bytes:
    """Read a public key of the expected kind.

    Raises:
        FormatError: another kind (code ``wrong-kind``), a typing error (code
            ``key-checksum``), or no key text at all.
    """
    return _from_text(text, kind, "public")


def secret_to_text(kind: KeyKind, raw: bytes) -> str:
    """Write a secret key as text.

    Raises:
        FormatError: a key of this kind has another size.
    """
    return _to_text(kind, "secret", raw)


def secret_from_text(text: str, kind: KeyKind) -> bytes:
    """Read a secret key of the expected kind.

    Raises:
        FormatError: another kind (code ``wrong-kind``), a typing error (code
            ``key-checksum``), or no key text at all.
    """
    return _from_text(text, kind, "secret")


def _to_text(kind: KeyKind, half: Half, raw: bytes) -> str:
    if len(raw) != raw_size(kind, half):
        raise FormatError(f"{_name(kind, half)} has {raw_size(kind, half)} bytes, not {len(raw)}")
    return f"{_prefix(kind, half)}.{to_base64url(raw + _checksum(_prefix(kind, half), raw))}"


def _from_text(text: str, kind: KeyKind, half: Half) -> bytes:
    prefix, _, encoded = text.partition(".")
    if prefix != _prefix(kind, half):
        raise _wrong_prefix(prefix, kind, half)
    size = raw_size(kind, half)
    if len(encoded) != len(to_base64url(bytes(size + _CHECKSUM_BYTES))):
        raise FormatError(
            f"the text of {_name(kind, half)} has the wrong length",
            hint="Was the text cut when it was copied?",
        )
    data = from_base64url(encoded)
    raw = data[:size]
    if data[size:] != _checksum(prefix, raw):
        raise FormatError(
            f"the text of {_name(kind, half)} fails its checksum",
            code="key-checksum",
            hint="Copy the text again; a character differs.",
        )
    return raw


def _wrong_prefix(prefix: str, kind: KeyKind, half: Half) -> FormatError:
    found = _BY_PREFIX.get(prefix)
    if found is None:
        return FormatError(f"expected {_name(kind, half)}, got something that is no key text")
    return FormatError(f"expected {_name(kind, half)}, got {_name(*found)}", code="wrong-kind")


def _name(kind: KeyKind, half: Half) -> str:
    article = "an" if kind.value[0] in "aeiou" else "a"
    return f"{article} {kind.value} {half} key"


def _checksum(prefix: str, raw: bytes) -> bytes:
    return digest.sha256(labels.bind(labels.KEY_TEXT, prefix.encode("ascii"), raw))[:_CHECKSUM_BYTES]
