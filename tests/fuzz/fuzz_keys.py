"""Fuzz what `keys/` reads from strangers: key files and texts, owner chains, invites, enrollments."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

from strongroom.errors import FormatError, NoMatchingKey, UnsupportedError, VerificationError
from strongroom.keys import key_file
from strongroom.keys.introduction import (
    EnrollmentFile,
    InviteFile,
    make_enrollment,
    verify_enrollment,
    verify_invite,
)
from strongroom.keys.key_file import KeyFile
from strongroom.keys.owner import OwnerChain, rotate_owner, verify_owner_chain
from strongroom.keys.text import KeyKind, public_from_text, public_to_text, secret_from_text, secret_to_text
from tests.unit.keys.parties import NOW, Clinic, Hospital

_HOSPITAL, _CLINIC = Hospital(), Clinic()
_OWNER = verify_owner_chain(rotate_owner(_HOSPITAL.owner(), signers=_HOSPITAL.roots, now=NOW))
_INVITE = _HOSPITAL.invite(_OWNER)
_VERIFIED = verify_invite(_INVITE, NOW)
_ENROLLMENT = make_enrollment(
    _VERIFIED, organization=_CLINIC.organization, device=_CLINIC.device, sealing=_CLINIC.sealing, now=NOW
)
_KEY_FILE = key_file.to_bytes(_CLINIC.device, passphrase=None, created_at=NOW)

_ROUND_TRIPS: tuple[tuple[Callable[[bytes], Any], Callable[[Any], bytes]], ...] = (
    (OwnerChain.from_bytes, OwnerChain.to_bytes),
    (InviteFile.from_bytes, InviteFile.to_bytes),
    (EnrollmentFile.from_bytes, EnrollmentFile.to_bytes),
    (KeyFile.from_bytes, KeyFile.to_bytes),
)


def fuzz(data: bytes) -> None:
    """Read the bytes as each kind of file: what is read has one spelling, what verifies is genuine."""
    for parse, write in _ROUND_TRIPS:
        try:
            value = parse(data)
        except FormatError:
            continue
        assert write(value) == data
    _verify(data)
    _open_key_file(data)
    _read_texts(data)


def _verify(data: bytes) -> None:
    with contextlib.suppress(FormatError, VerificationError):
        assert verify_invite(data, NOW).token == _VERIFIED.token, "a forged invite verifies"
    try:
        verify_enrollment(data, _OWNER, NOW)
    except (FormatError, VerificationError):
        return
    assert data == _ENROLLMENT, "a forged enrollment verifies"


def _open_key_file(data: bytes) -> None:
    for kind in (KeyKind.DEVICE, KeyKind.SEALING, KeyKind.OWNER_LOG):
        try:
            key = key_file.from_bytes(data, kind, passphrase=None)
        except (FormatError, NoMatchingKey, UnsupportedError):
            continue
        parsed = KeyFile.from_bytes(data)
        assert key_file.to_bytes(key, passphrase=None, created_at=parsed.created_at) == data


def _read_texts(data: bytes) -> None:
    text = data.decode("latin-1")
    for kind in (KeyKind.DEVICE, KeyKind.SEALING):
        for read, write in ((public_from_text, public_to_text), (secret_from_text, secret_to_text)):
            try:
                raw = read(text, kind)
            except FormatError:
                continue
            assert write(kind, raw) == text


def seeds() -> Iterable[bytes]:
    """One good file of each kind, an encrypted key file, and texts."""
    yield _OWNER.chain.to_bytes()
    yield _INVITE
    yield _ENROLLMENT
    yield _KEY_FILE
    yield _KEY_FILE.replace(_CLINIC.device.to_text().encode(), b"strongroom-encrypted-key.device.AQAA")
    yield key_file.to_bytes(_CLINIC.sealing, passphrase=None, created_at=NOW)
    yield _CLINIC.device.public_text.encode()
    yield _CLINIC.device.to_text().encode()
