"""Cosignatures: a witness saw a checkpoint, and nothing before it had changed (C2SP tlog-cosignature).

    cosigner = MlDsa44Cosigner("clinic.example/witness", secret, now)
    note = note.with_signature(sign_line(note.unverified_text, cosigner))

    seen = verify_witnessed(note, witnesses, threshold=2, now=now, max_age=timedelta(days=1))

Two types: Ed25519 over the whole text of the checkpoint, and ML-DSA-44 over its first
three lines and the cosigner's name. Both carry the time. Only ``witness.cosign`` decides
whether a checkpoint may be cosigned; this module signs what it is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from strongroom._limits import LIMITS
from strongroom.crypto import ed25519, mldsa
from strongroom.crypto.ed25519 import Ed25519Public, Ed25519Secret
from strongroom.crypto.mldsa import MlDsa44Public, MlDsa44Secret
from strongroom.errors import UsageError, VerificationError
from strongroom.log.checkpoint import Checkpoint
from strongroom.log.note import Note, NoteSignature, Verifier
from strongroom.log.verifier_key import Algorithm, VerifierKey

_TIME_BYTES: Final = 8
_MAX_TIME: Final = 253_402_300_799
"""The last second of the year 9999: later times cannot be shown, and none is honest."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SUBTREE_LABEL: Final = b"subtree/v1\n\x00"


@dataclass(frozen=True, slots=True)
class Cosignature:
    """What a witness stated: it saw this checkpoint at this time."""

    name: str
    at: datetime


class Ed25519CosignatureVerifier:
    """A witness's Ed25519 key (signature type 0x04)."""

    __slots__ = ("_public", "key")

    def __init__(self, name: str, public: Ed25519Public) -> None:
        self.key = VerifierKey(name, Algorithm.ED25519_COSIGNATURE, public.to_bytes())
        self._public = public

    def verify(self, text: bytes, signature: bytes) -> None:
        """Check a cosignature.

        Raises:
            VerificationError: it is not by this key, over this checkpoint.
            FormatError: the text is no checkpoint.
        """
        Checkpoint.from_bytes(text)
        seconds, inner = _split(signature, ed25519.SIGNATURE_BYTES)
        self._public.verify(inner, _ed25519_message(text, seconds))


class MlDsa44CosignatureVerifier:
    """A witness's, or a log's, ML-DSA-44 key (signature type 0x06)."""

    __slots__ = ("_public", "key")

    def __init__(self, name: str, public: MlDsa44Public) -> None:
        self.key = VerifierKey(name, Algorithm.ML_DSA_44_COSIGNATURE, public.to_bytes())
        self._public = public

    def verify(self, text: bytes, signature: bytes) -> None:
        """Check a cosignature. The lines after the third are not covered by it.

        Raises:
            VerificationError: it is not by this key, over this checkpoint.
            FormatError: the text is no checkpoint.
        """
        checkpoint = Checkpoint.from_bytes(text)
        seconds, inner = _split(signature, mldsa.SIGNATURE_BYTES)
        self._public.verify(inner, _ml_dsa_message(self.key.name, checkpoint, seconds))


class Ed25519Cosigner:
    """The secret half of an ``Ed25519CosignatureVerifier``, at one time."""

    __slots__ = ("_seconds", "_secret", "key")

    def __init__(self, name: str, secret: Ed25519Secret, now: datetime) -> None:
        self.key = VerifierKey(name, Algorithm.ED25519_COSIGNATURE, secret.public.to_bytes())
        self._secret = secret
        self._seconds = _to_seconds(now)

    def sign(self, text: bytes) -> bytes:
        """Return a cosignature over the checkpoint.

        Raises:
            FormatError: the text is no checkpoint.
        """
        Checkpoint.from_bytes(text)
        signature = self._secret.sign(_ed25519_message(text, self._seconds))
        return self._seconds.to_bytes(_TIME_BYTES, "big") + signature


class MlDsa44Cosigner:
    """The secret half of an ``MlDsa44CosignatureVerifier``, at one time."""

    __slots__ = ("_seconds", "_secret", "key")

    def __init__(self, name: str, secret: MlDsa44Secret, now: datetime) -> None:
        self.key = VerifierKey(name, Algorithm.ML_DSA_44_COSIGNATURE, secret.public.to_bytes())
        self._secret = secret
        self._seconds = _to_seconds(now)

    def sign(self, text: bytes) -> bytes:
        """Return a cosignature over the checkpoint.

        Raises:
            FormatError: the text is no checkpoint.
        """
        message = _ml_dsa_message(self.key.name, Checkpoint.from_bytes(text), self._seconds)
        return self._seconds.to_bytes(_TIME_BYTES, "big") + self._secret.sign(message)


def verify_witnessed(
    note: Note, witnesses: Iterable[Verifier], *, threshold: int, now: datetime, max_age: timedelta
) -> tuple[Cosignature, ...]:
    """Check that enough witnesses cosigned lately; returns what each stated, latest per witness.

    A witness is counted by its name: two keys of one witness, or two lines of one key, are one.
    What is older than ``max_age`` or from the future does not count.

    Raises:
        UsageError: a threshold below 1, a key that makes no cosignatures, or one key under
            two names.
        VerificationError: a cosignature by one of them is wrong, or too few count (code
            ``too-few-witnesses``).
        FormatError: the note holds no checkpoint.
    """
    known = list(witnesses)
    if threshold < 1:
        raise UsageError("a threshold of witnesses must be at least 1", code="threshold")
    if any(each.key.algorithm == Algorithm.ED25519 for each in known):
        raise UsageError("a key that makes no cosignatures is no witness", code="wrong-kind")
    # An Ed25519 cosignature does not cover the name: one signature could be shown under both.
    if len({each.key.public for each in known}) != len({(each.key.name, each.key.public) for each in known}):
        raise UsageError("one key under two names is one witness", code="witness-key")
    latest = now + timedelta(seconds=LIMITS.max_clock_skew_seconds)
    newest: dict[str, datetime] = {}
    for each in note.verified_signatures(known):
        at = cosigned_at(each)
        if now - max_age <= at <= latest:
            newest[each.name] = max(at, newest.get(each.name, at))
    seen = tuple(Cosignature(name, at) for name, at in sorted(newest.items()))
    if len(seen) < threshold:
        raise VerificationError(
            f"{len(seen)} of {threshold} required witnesses cosigned this checkpoint lately",
            code="too-few-witnesses",
            hint="Ask again later; if it stays so, the owner may show you another log than them.",
        )
    return seen


def cosigned_at(signature: NoteSignature) -> datetime:
    """Return when a cosignature says that it was made. It must have been verified."""
    return _EPOCH + timedelta(seconds=int.from_bytes(signature.signature[:_TIME_BYTES], "big"))


def _split(signature: bytes, size: int) -> tuple[int, bytes]:
    seconds = int.from_bytes(signature[:_TIME_BYTES], "big")
    if len(signature) != _TIME_BYTES + size or seconds > _MAX_TIME:
        raise VerificationError("a cosignature is malformed", code="signature")
    return seconds, signature[_TIME_BYTES:]


def _to_seconds(now: datetime) -> int:
    if now.tzinfo is None or now < _EPOCH:
        raise UsageError("a cosignature needs an instant with a time zone, after 1970", code="time-zone")
    return int(now.timestamp())


def _ed25519_message(text: bytes, seconds: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % seconds + text


def _ml_dsa_message(name: str, checkpoint: Checkpoint, seconds: int) -> bytes:
    return b"".join(
        (
            _SUBTREE_LABEL,
            _short(name.encode()),
            seconds.to_bytes(_TIME_BYTES, "big"),
            _short(checkpoint.origin.encode()),
            bytes(8),  # the first leaf of the subtree: a checkpoint covers all
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


def _short(data: bytes) -> bytes:
    return len(data).to_bytes(1, "big") + data
