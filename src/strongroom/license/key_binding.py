"""Content keys wrapped for one license, one runtime and one package.

    binding = KeyBinding(license=chain.id, runtime=runtime, package=digest, package_id=package_id)
    wrapped = wrap_for_runtime(content_key, sealing_public, binding, serial=serial)
    content_key = unwrap_offline(document, sealing_secret, binding)

Unwrapping takes the binding that the caller *expects* and never the one that the
document claims: a file for another license, runtime or package does not open, even if
somebody signed it by mistake (spec/license.md, "Key wrapping").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from strongroom._encoding import from_base64, from_hex, to_base64
from strongroom.crypto import hpke, labels, passphrase
from strongroom.crypto.hpke import SealingPublic, SealingSecret
from strongroom.errors import IntegrityError, VerificationError
from strongroom.keys.strength import verify_passphrase
from strongroom.license.derivation_document import Derivation
from strongroom.license.release_documents import KeyRelease, Lease, OfflineFile, PassphraseFile

CONTENT_KEY_BYTES: Final = 32
_OFFLINE: Final = b"offline"
_PASSPHRASE: Final = b"passphrase"
_LEASE: Final = b"lease"
_RESTART: Final = b"restart"
_DERIVATION: Final = b"derivation"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyBinding:
    """What the release of a key depends on."""

    license: str
    """Id of the narrowest document of the chain."""
    runtime: str | None
    """Runtime id; None for a pass-phrase file and for a derivation."""
    package: str
    """Package digest, hexadecimal."""
    package_id: str
    """Package id, hexadecimal."""


def wrap_for_runtime(
    content_key: bytes, recipient: SealingPublic, binding: KeyBinding, *, serial: str
) -> str:
    """Wrap a content key to a sealing key, for an offline file with this serial; returns base64."""
    return _wrap(content_key, recipient, _info(_OFFLINE, binding, serial))


def wrap_for_lease(
    content_key: bytes, recipient: SealingPublic, binding: KeyBinding, *, serial: str, nonce: str
) -> str:
    """Wrap a content key to a worker's one-time key, for a lease; returns base64."""
    return _wrap(content_key, recipient, _info(_LEASE, binding, serial, nonce))


def wrap_for_restart(
    content_key: bytes, recipient: SealingPublic, binding: KeyBinding, *, serial: str, nonce: str
) -> str:
    """Wrap a content key to a sealing key, for a restart in an outage; returns base64."""
    return _wrap(content_key, recipient, _info(_RESTART, binding, serial, nonce))


def wrap_for_owner(content_key: bytes, recipient: SealingPublic, binding: KeyBinding, *, serial: str) -> str:
    """Wrap the content key of a derived model to the key of the term ``derivations``; returns base64."""
    return _wrap(content_key, recipient, _info(_DERIVATION, binding, serial))


def wrap_with_passphrase(
    content_key: bytes,
    phrase: str,
    binding: KeyBinding,
    *,
    serial: str,
    context_words: tuple[str, ...] = (),
) -> str:
    """Wrap a content key under a pass-phrase that cannot be guessed; returns base64.

    Raises:
        UsageError: the pass-phrase is too weak or too long; the hint says what to change.
    """
    verify_passphrase(phrase, context_words=context_words)
    return to_base64(passphrase.wrap(content_key, phrase, label=_info(_PASSPHRASE, binding, serial)))


def unwrap_offline(document: OfflineFile, secret: SealingSecret, expected: KeyBinding) -> bytes:
    """Unwrap the content key of a verified offline file.

    Raises:
        VerificationError: it is for another license, runtime or package (``wrong-license``).
        IntegrityError: it was wrapped to another sealing key, or for something else.
    """
    _verify_binding(document, document.runtime, expected)
    return _unwrap(document.wrapped_key, secret, _info(_OFFLINE, expected, document.serial))


def unwrap_lease(document: Lease, secret: SealingSecret, expected: KeyBinding, *, nonce: str) -> bytes:
    """Unwrap the content key of a verified lease, with the one-time key and nonce that asked for it.

    Raises:
        VerificationError: it is for another license, runtime or package (``wrong-license``),
            or answers another request (``wrong-nonce``).
        IntegrityError: it was wrapped to another key, or for something else.
    """
    _verify_binding(document, document.runtime, expected)
    if document.nonce != nonce:
        raise VerificationError("a lease answers another request", code="wrong-nonce")
    return _unwrap(document.wrapped_key, secret, _info(_LEASE, expected, document.serial, nonce))


def unwrap_restart(document: Lease, secret: SealingSecret, expected: KeyBinding) -> bytes:
    """Unwrap the restart envelope of a verified lease, with the sealing key.

    Raises:
        VerificationError: it is for another license, runtime or package (``wrong-license``),
            or has no restart envelope (``no-restart-key``).
        IntegrityError: it was wrapped to another key, or for something else.
    """
    _verify_binding(document, document.runtime, expected)
    if document.restart_key is None:
        raise VerificationError("a lease has no restart envelope", code="no-restart-key")
    info = _info(_RESTART, expected, document.serial, document.nonce)
    return _unwrap(document.restart_key, secret, info)


def unwrap_derivation(document: Derivation, secret: SealingSecret, expected: KeyBinding) -> bytes:
    """Unwrap the content key of a verified derivation, at the owner.

    Raises:
        VerificationError: it is for another license or package (``wrong-license``).
        IntegrityError: it was wrapped to another key, or for something else.
    """
    _verify_binding(document, None, expected)
    return _unwrap(document.wrapped_key, secret, _info(_DERIVATION, expected, document.serial))


def unwrap_with_passphrase(document: PassphraseFile, phrase: str, expected: KeyBinding) -> bytes:
    """Unwrap the content key of a verified pass-phrase file.

    Raises:
        VerificationError: it is for another license or package (``wrong-license``).
        NoMatchingKey: wrong pass-phrase, or wrapped for something else.
        FormatError: no wrapping under a pass-phrase.
        IntegrityError: what was wrapped is no content key.
    """
    _verify_binding(document, None, expected)
    info = _info(_PASSPHRASE, expected, document.serial)
    key = passphrase.unwrap(from_base64(document.wrapped_key), phrase, label=info)
    if len(key) != CONTENT_KEY_BYTES:
        raise IntegrityError("what a pass-phrase file holds is no content key", code="wrapped-key")
    return key


def _wrap(content_key: bytes, recipient: SealingPublic, info: bytes) -> str:
    return to_base64(hpke.wrap_key(content_key, recipient, info=info))


def _unwrap(wrapped: str, secret: SealingSecret, info: bytes) -> bytes:
    return hpke.unwrap_key(from_base64(wrapped), secret, info=info)


def _info(kind: bytes, binding: KeyBinding, serial: str, nonce: str = "") -> bytes:
    return labels.bind(
        labels.KEY_WRAP,
        kind,
        binding.license.encode(),
        (binding.runtime or "").encode(),
        from_hex(binding.package),
        from_hex(binding.package_id),
        from_hex(serial),
        from_hex(nonce),
    )


def _verify_binding(document: KeyRelease | Derivation, runtime: str | None, expected: KeyBinding) -> None:
    # HPKE would refuse as well; this says why.
    claimed = KeyBinding(
        license=document.license, runtime=runtime, package=document.package, package_id=document.package_id
    )
    if claimed != expected:
        raise VerificationError(
            f"the {document.NAME} file is for another license, runtime or package", code="wrong-license"
        )
