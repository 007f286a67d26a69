"""What a witness hands in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from strongroom.crypto.ed25519 import Ed25519Secret
from strongroom.crypto.mldsa import MlDsa44Secret
from strongroom.errors import FormatError, VerificationError
from strongroom.log.checkpoint import Checkpoint
from strongroom.log.cosignature import Ed25519Cosigner, MlDsa44Cosigner
from strongroom.log.cosigned import Cosigned, witness_name
from strongroom.log.merkle import EMPTY_ROOT
from strongroom.log.note import Ed25519Signer, Ed25519Verifier, Note, Signer, Verifier, sign_line, sign_note

NOW = datetime(2026, 11, 24, 3, 0, 0, tzinfo=UTC)
ORIGIN = "own-aaaaaaaaaaaaaaaaaaaaaaaa/log/1"
NAME = witness_name("org-cccccccccccccccccccccccc")
LOG = Ed25519Secret.generate()
KEYS: list[Verifier] = [Ed25519Verifier(ORIGIN, LOG.public)]
CHECKPOINT = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
NOTE = sign_note(CHECKPOINT.to_bytes(), [Ed25519Signer(ORIGIN, LOG)])
COSIGNERS: list[Signer] = [
    Ed25519Cosigner(NAME, Ed25519Secret.generate(), NOW),
    MlDsa44Cosigner(NAME, MlDsa44Secret.generate(), NOW),
]


def cosigned(signer: Signer, note: Note = NOTE) -> Cosigned:
    return Cosigned(signer.key, note.with_signature(sign_line(note.unverified_text, signer)))


@pytest.mark.parametrize("signer", COSIGNERS)
def test_it_round_trips_and_verifies(signer: Signer) -> None:
    message = cosigned(signer)
    again = Cosigned.from_bytes(message.to_bytes())
    assert again == message
    checkpoint, signature = again.verify(NAME, KEYS, NOW)
    assert checkpoint == CHECKPOINT
    assert signature == message.note.signatures[1]


def test_its_form_is_pinned() -> None:
    message = cosigned(COSIGNERS[0])
    assert message.to_bytes() == f"{message.key.to_text()}\n\n".encode() + message.note.to_bytes()


def test_another_form_is_refused() -> None:
    good = cosigned(COSIGNERS[0])
    text = good.key.to_text().encode()
    for bad in (
        b"",
        good.note.to_bytes(),
        good.to_bytes().replace(text, text + b"\n" + text),
        good.to_bytes().replace(text, b"none"),
    ):
        with pytest.raises(FormatError):
            Cosigned.from_bytes(bad)
    with pytest.raises(FormatError) as caught:
        Cosigned.from_bytes(good.to_bytes().replace(text, text + b"\n" + text))
    assert caught.value.code == "log-cosigned"


def refused(message: Cosigned, name: str = NAME, now: datetime = NOW) -> str:
    with pytest.raises(VerificationError) as caught:
        message.verify(name, KEYS, now)
    return caught.value.code


def test_a_key_under_the_name_of_somebody_else_is_refused() -> None:
    assert refused(cosigned(COSIGNERS[0]), witness_name("org-" + 24 * "d")) == "log-key"


def test_a_key_that_makes_no_cosignatures_is_refused() -> None:
    assert refused(cosigned(Ed25519Signer(NAME, Ed25519Secret.generate()))) == "log-key"


def test_a_checkpoint_without_the_log_or_the_witness_is_refused() -> None:
    signer = COSIGNERS[0]
    alone = Note(NOTE.unverified_text, (sign_line(NOTE.unverified_text, signer),))
    assert refused(Cosigned(signer.key, alone)) == "log-key"
    assert refused(Cosigned(signer.key, NOTE)) == "log-cosigned"


def test_two_cosignatures_by_one_key_are_refused() -> None:
    secret = Ed25519Secret.generate()
    first = cosigned(Ed25519Cosigner(NAME, secret, NOW))
    second = sign_line(NOTE.unverified_text, Ed25519Cosigner(NAME, secret, NOW + timedelta(seconds=1)))
    assert refused(Cosigned(first.key, first.note.with_signature(second))) == "log-cosigned"


def test_a_cosignature_from_the_future_is_refused() -> None:
    message = cosigned(COSIGNERS[0])
    message.verify(NAME, KEYS, NOW - timedelta(seconds=300))
    assert refused(message, now=NOW - timedelta(seconds=301)) == "log-cosigned"


def test_a_wrong_cosignature_is_refused() -> None:
    message = cosigned(COSIGNERS[0])
    other = sign_note(Checkpoint(ORIGIN, 1, bytes(32)).to_bytes(), [Ed25519Signer(ORIGIN, LOG)])
    assert refused(Cosigned(message.key, other.with_signature(message.note.signatures[1]))) == "signature"
