"""Receipt files and salt files: one of many tells nothing of the others, and none shows a salt in passing."""

from __future__ import annotations

import pytest

from strongroom.errors import FormatError, UsageError
from strongroom.receipts.receipt_file import ReceiptFile
from strongroom.receipts.salt_file import SaltFile
from strongroom.receipts.verifying import verify_receipts
from tests.unit.license.world import OWNER
from tests.unit.receipts.making import SEED, receipts_of, rows_of

COUNT = 5
INPUTS, OUTPUTS = rows_of(COUNT)
FILE = receipts_of(INPUTS, OUTPUTS, COUNT)
BATCH = verify_receipts(FILE, OWNER.id).signed.id
SALTS = SaltFile.of(BATCH, SEED, COUNT)


def test_bytes_and_back() -> None:
    for file in (FILE, FILE.one(3)):
        assert ReceiptFile.from_bytes(file.to_bytes()) == file
    for salts in (SALTS, SALTS.one(3), SALTS.one(3, input=False), SALTS.one(3, output=False)):
        assert SaltFile.from_bytes(salts.to_bytes()) == salts


def test_one_of_one_is_the_same() -> None:
    one = FILE.one(3)
    assert one.one(3) is one
    assert SALTS.one(3).one(3) == SALTS.one(3)
    assert len(one.entries) == 1


@pytest.mark.parametrize("index", [-1, COUNT, 10**9])
def test_a_receipt_that_is_not_there(index: int) -> None:
    for file in (FILE, FILE.one(3), SALTS, SALTS.one(3)):
        with pytest.raises(UsageError) as caught:
            file.one(index)
        assert caught.value.code == "receipt-index"
    for file in (FILE.one(3), SALTS.one(3)):
        with pytest.raises(UsageError):
            file.one(2)


def test_what_is_withheld_is_not_there() -> None:
    given, left = SALTS.of_row(2)
    assert SALTS.one(2).salts == ((given, left),)
    assert SALTS.one(2, input=False).salts == ((None, left),)
    assert SALTS.one(2, output=False).salts == ((given, None),)


def test_salts_do_not_show_themselves() -> None:
    assert repr(SALTS) == f"SaltFile(batch={BATCH!r})"
    for data in (FILE.to_bytes(), FILE.one(1).to_bytes()):
        assert all(
            salt is not None and salt.hex().encode() not in data for pair in SALTS.salts for salt in pair
        )
        assert SEED.hex().encode() not in data


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"format":"receipt-file/v1"}', b"[" * 10_000])
def test_anything_else_is_refused(data: bytes) -> None:
    for kind in (ReceiptFile, SaltFile):
        with pytest.raises(FormatError):
            kind.from_bytes(data)
