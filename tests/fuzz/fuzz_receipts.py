"""Fuzz receipt and salt files: any bytes have one spelling or are refused, and no forged receipt verifies."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from strongroom.errors import FormatError, IntegrityError, VerificationError
from strongroom.receipts.commitment import split_rows
from strongroom.receipts.receipt_file import ReceiptFile
from strongroom.receipts.salt_file import SaltFile
from strongroom.receipts.verifying import verify_receipts
from strongroom.worker.frames import Datatype, Tensor
from tests.unit.license.world import OWNER
from tests.unit.receipts.making import SEED, receipts_of, rows_of

_COUNT = 3
_FILE = receipts_of(*rows_of(_COUNT), _COUNT)
_BATCH = verify_receipts(_FILE, OWNER.id)


def fuzz(data: bytes) -> None:
    """Parse as both, write back, verify; and cut as text."""
    with suppress(FormatError):
        assert SaltFile.from_bytes(data).to_bytes() == data
    for count in (1, 2, 7):
        with suppress(FormatError):
            rows = split_rows(Tensor("x", Datatype.BYTES, (count, 2), data), count)
            assert b"".join(rows) == data
    try:
        file = ReceiptFile.from_bytes(data)
    except FormatError:
        return
    assert file.to_bytes() == data
    with suppress(FormatError, IntegrityError, VerificationError):
        found = verify_receipts(file, OWNER.id)
        assert found.signed.document == _BATCH.signed.document, "a forged batch"
        places = range(_COUNT) if found.index is None else [found.index]
        assert [found.entry(place) for place in places] == [_BATCH.entry(place) for place in places], "forged"


def seeds() -> Iterable[bytes]:
    """One of each form."""
    yield _FILE.to_bytes()
    yield _FILE.one(1).to_bytes()
    salts = SaltFile.of(_BATCH.signed.id, SEED, _COUNT)
    yield salts.to_bytes()
    yield salts.one(1, output=False).to_bytes()
    yield bytes(rows_of(2)[0][1].data)
