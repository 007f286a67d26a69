"""Fuzz what a log hands out: any bytes have one spelling or are refused, and no forged one verifies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from strongroom.errors import FormatError, IntegrityError, VerificationError
from strongroom.log.checkpoint import Checkpoint, verify_checkpoint
from strongroom.log.cosigned import Cosigned
from strongroom.log.disclosure import Disclosure
from strongroom.log.entry import Entry, Record
from strongroom.log.note import Note
from strongroom.log.offer import Offer
from strongroom.log.proof import Proof
from strongroom.log.tile import bundle_from_bytes, bundle_to_bytes, from_path
from strongroom.log.verifier_key import VerifierKey
from strongroom.log.witness import advance_offer
from tests.unit.log.memory_log import SECRET, MemoryLog, disclosure

_LOG = MemoryLog(9)
_READERS: tuple[Callable[[bytes], Any], ...] = (
    Note.from_bytes,
    Checkpoint.from_bytes,
    Proof.from_bytes,
    Offer.from_bytes,
    Cosigned.from_bytes,
    Disclosure.from_bytes,
    Record.from_bytes,
    Entry.from_bytes,
)


def fuzz(data: bytes) -> None:
    """Parse as everything, write back, verify."""
    for read in _READERS:
        try:
            assert read(data).to_bytes() == data
        except FormatError:
            continue
    _texts(data)
    with suppress(FormatError):
        assert bundle_to_bytes(bundle_from_bytes(data)) == data
    _verify(data)


def _texts(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    with suppress(FormatError):
        assert VerifierKey.from_text(text).to_text() == text
    with suppress(FormatError):
        assert from_path(text).path == text


def _verify(data: bytes) -> None:
    refused = (FormatError, IntegrityError, VerificationError)
    with suppress(*refused):
        assert verify_checkpoint(Note.from_bytes(data), _LOG.keys) == _LOG.checkpoint(), "a forged checkpoint"
    with suppress(*refused):
        record = Proof.from_bytes(data).verify_record(_LOG.keys)
        assert record == disclosure(3).record, "a forged record"
    with suppress(*refused):
        advanced = advance_offer(_LOG.checkpoint(4), Offer.from_bytes(data), _LOG.keys)
        assert advanced == _LOG.checkpoint(), "a forged offer"


def seeds() -> Iterable[bytes]:
    """One of each form."""
    yield _LOG.note().to_bytes()
    yield _LOG.checkpoint().to_bytes()
    yield _LOG.proof(3, extra=disclosure(3).to_bytes()).to_bytes()
    yield _LOG.offer(4).to_bytes()
    yield disclosure(3).to_bytes()
    yield disclosure(3).record.to_bytes()
    yield _LOG.entries[3]
    yield bundle_to_bytes(_LOG.entries)
    yield b"tile/1/x001/234.p/5"
    yield VerifierKey("log", 1, SECRET.public.to_bytes()).to_text().encode()
