from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from strongroom.crypto.ed25519 import Ed25519Secret
from strongroom.crypto.mldsa import MlDsa44Secret
from strongroom.errors import FormatError, UsageError, VerificationError
from strongroom.log.cosignature import (
    Cosignature,
    Ed25519CosignatureVerifier,
    Ed25519Cosigner,
    MlDsa44CosignatureVerifier,
    MlDsa44Cosigner,
    verify_witnessed,
)
from strongroom.log.note import Ed25519Verifier, Note, NoteSignature, Signer, Verifier, sign_line
from tests.unit.log.memory_log import NOW, SECRET, MemoryLog

CLASSICAL = Ed25519Secret.from_bytes(b"the witness of the clinic, 32 b.")
MODERN = MlDsa44Secret.from_bytes(b"the witness of the clinic, 32 b.")
BANK = MlDsa44Secret.from_bytes(b"the witness of the bank, 32 byt.")
LOG = MemoryLog(5)
DAY = timedelta(days=1)


def classical(name: str = "clinic", now: datetime = NOW) -> Signer:
    return Ed25519Cosigner(name, CLASSICAL, now)


def modern(name: str = "clinic", now: datetime = NOW) -> Signer:
    return MlDsa44Cosigner(name, BANK if name == "bank" else MODERN, now)


WITNESSES: list[Verifier] = [
    Ed25519CosignatureVerifier("clinic", CLASSICAL.public),
    MlDsa44CosignatureVerifier("clinic", MODERN.public),
    MlDsa44CosignatureVerifier("bank", BANK.public),
]


def cosigned(*signers: Signer) -> Note:
    note = LOG.note()
    for signer in signers:
        note = note.with_signature(sign_line(note.unverified_text, signer))
    return Note.from_bytes(note.to_bytes())


def seen(note: Note, threshold: int = 1, now: datetime = NOW) -> tuple[Cosignature, ...]:
    return verify_witnessed(note, WITNESSES, threshold=threshold, now=now, max_age=DAY)


@pytest.mark.parametrize("signer", [classical(), modern(), modern("bank")])
def test_a_witness_is_believed(signer: Signer) -> None:
    assert seen(cosigned(signer)) == (Cosignature(signer.key.name, NOW),)


def test_what_an_ed25519_cosignature_covers() -> None:
    message = b"cosignature/v1\ntime 1795489200\n" + LOG.checkpoint().to_bytes()
    signature = classical().sign(LOG.checkpoint().to_bytes())
    assert signature[:8] == (1795489200).to_bytes(8, "big")
    CLASSICAL.public.verify(signature[8:], message)


def test_what_an_ml_dsa_44_cosignature_covers() -> None:
    checkpoint = LOG.checkpoint()
    message = (
        b"subtree/v1\n\x00"
        + b"\x06clinic"
        + (1795489200).to_bytes(8, "big")
        + bytes([len(checkpoint.origin)])
        + checkpoint.origin.encode()
        + (0).to_bytes(8, "big")
        + (5).to_bytes(8, "big")
        + checkpoint.root
    )
    MODERN.public.verify(modern().sign(checkpoint.to_bytes())[8:], message)


def test_keys_are_those_of_the_specification() -> None:
    assert [each.key.algorithm for each in WITNESSES] == [4, 6, 6]
    assert classical().key == WITNESSES[0].key
    assert modern().key == WITNESSES[1].key


def test_two_keys_of_one_witness_are_one_witness() -> None:
    note = cosigned(classical(), modern(), modern(now=NOW - timedelta(hours=1)))
    assert seen(note) == (Cosignature("clinic", NOW),)
    with pytest.raises(VerificationError) as caught:
        seen(note, threshold=2)
    assert caught.value.code == "too-few-witnesses"
    assert seen(cosigned(classical(), modern("bank")), threshold=2) == (
        Cosignature("bank", NOW),
        Cosignature("clinic", NOW),
    )


def test_nobody_cosigned() -> None:
    with pytest.raises(VerificationError) as caught:
        seen(LOG.note())
    assert caught.value.code == "too-few-witnesses"


def test_an_old_cosignature_does_not_count() -> None:
    note = cosigned(modern())
    assert seen(note, now=NOW + DAY)
    with pytest.raises(VerificationError) as caught:
        seen(note, now=NOW + DAY + timedelta(seconds=1))
    assert caught.value.code == "too-few-witnesses"


def test_a_cosignature_from_the_future_does_not_count() -> None:
    note = cosigned(modern())
    assert seen(note, now=NOW - timedelta(seconds=300))
    with pytest.raises(VerificationError) as caught:
        seen(note, now=NOW - timedelta(seconds=301))
    assert caught.value.code == "too-few-witnesses"


def test_one_witness_with_a_wrong_clock_does_not_stop_the_others() -> None:
    note = cosigned(classical(), modern("bank", now=NOW + DAY))
    assert seen(note) == (Cosignature("clinic", NOW),)


def test_one_key_under_two_names_is_refused() -> None:
    twice: list[Verifier] = [
        Ed25519CosignatureVerifier(name, CLASSICAL.public) for name in ("clinic", "bank")
    ]
    with pytest.raises(UsageError) as caught:
        verify_witnessed(cosigned(classical()), twice, threshold=1, now=NOW, max_age=DAY)
    assert caught.value.code == "witness-key"


@pytest.mark.parametrize("signer", [classical(), modern()])
def test_another_checkpoint_is_refused(signer: Signer) -> None:
    line = sign_line(MemoryLog(4).checkpoint().to_bytes(), signer)
    with pytest.raises(VerificationError) as caught:
        seen(LOG.note().with_signature(line))
    assert caught.value.code == "signature"


@pytest.mark.parametrize("signer", [classical(), modern()])
def test_a_changed_time_is_refused(signer: Signer) -> None:
    line = sign_line(LOG.checkpoint().to_bytes(), signer)
    changed = NoteSignature(line.name, line.key_id, (1).to_bytes(8, "big") + line.signature[8:])
    with pytest.raises(VerificationError) as caught:
        seen(LOG.note().with_signature(changed))
    assert caught.value.code == "signature"


@pytest.mark.parametrize("signer", [classical(), modern()])
@pytest.mark.parametrize("damage", ["short", "long", "late"])
def test_malformed_cosignatures_are_refused(signer: Signer, damage: str) -> None:
    line = sign_line(LOG.checkpoint().to_bytes(), signer)
    wrong = {
        "short": line.signature[:-1],
        "long": line.signature + b"\x00",
        "late": (253_402_300_800).to_bytes(8, "big") + line.signature[8:],
    }[damage]
    with pytest.raises(VerificationError, match="malformed"):
        seen(LOG.note().with_signature(NoteSignature(line.name, line.key_id, wrong)))


def test_an_ml_dsa_44_cosignature_is_bound_to_its_name() -> None:
    text = LOG.checkpoint().to_bytes()
    signature = modern().sign(text)
    MlDsa44CosignatureVerifier("clinic", MODERN.public).verify(text, signature)
    with pytest.raises(VerificationError):
        MlDsa44CosignatureVerifier("bank", MODERN.public).verify(text, signature)


def test_only_checkpoints_are_cosigned() -> None:
    with pytest.raises(FormatError):
        modern().sign(b"a text\n")
    with pytest.raises(FormatError):
        classical().sign(b"a text\n")
    note = Note(b"a text\n", (NoteSignature("clinic", WITNESSES[0].key.key_id, bytes(72)),))
    for witness in WITNESSES[:2]:
        with pytest.raises(FormatError):
            witness.verify(note.unverified_text, bytes(72))


def test_a_threshold_of_none_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        seen(cosigned(modern()), threshold=0)
    assert caught.value.code == "threshold"


def test_the_log_is_no_witness_of_itself() -> None:
    with pytest.raises(UsageError) as caught:
        verify_witnessed(
            LOG.note(),
            [Ed25519Verifier(LOG.origin.to_text(), SECRET.public)],
            threshold=1,
            now=NOW,
            max_age=DAY,
        )
    assert caught.value.code == "wrong-kind"


@pytest.mark.parametrize("make", [classical, modern])
def test_a_time_without_zone_or_before_1970_is_refused(make: Callable[..., Signer]) -> None:
    for now in (NOW.replace(tzinfo=None), datetime(1969, 12, 31, tzinfo=UTC)):
        with pytest.raises(UsageError) as caught:
            make(now=now)
        assert caught.value.code == "time-zone"
