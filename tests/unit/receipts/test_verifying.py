"""What verifies, toward an id and toward a pinned owner. What does not is in the vectors and the attacks."""

from __future__ import annotations

import pytest

from strongroom.errors import Error, IntegrityError, VerificationError
from strongroom.receipts.commitment import expand
from strongroom.receipts.verifying import verify_receipts
from tests.unit.license.world import NOW, OWNER, RUNTIME, owner
from tests.unit.receipts.making import CHAIN, SEED, STATEMENT, receipts_of, rows_of

INPUTS, OUTPUTS = rows_of(1)


def test_what_a_stranger_reads() -> None:
    receipts = verify_receipts(receipts_of(INPUTS, OUTPUTS, 1), OWNER.id)
    assert (receipts.owner.name, receipts.chain.holder.name) == ("hospital", "clinic")
    assert receipts.statement == STATEMENT
    assert receipts.chain.ids == CHAIN.ids
    assert (receipts.batch.runtime, receipts.batch.issued_at) == (RUNTIME, NOW)
    assert receipts.index is None


def test_toward_a_pinned_owner() -> None:
    file = receipts_of(INPUTS, OUTPUTS, 1)
    assert verify_receipts(file, OWNER).owner == OWNER
    with pytest.raises(VerificationError) as caught:
        verify_receipts(file, owner("another"))
    assert caught.value.code == "owner-other"


def test_salt_and_values_show_what_it_was() -> None:
    receipts = verify_receipts(receipts_of(INPUTS, OUTPUTS, 1), OWNER.id)
    ((before, after),) = expand(SEED, 1)
    receipts.verify_input(0, before, INPUTS)
    receipts.verify_output(0, after, OUTPUTS)
    with pytest.raises(IntegrityError) as caught:
        receipts.verify_input(0, after, INPUTS)
    assert caught.value.code == "receipt-input"
    with pytest.raises(IntegrityError) as caught:
        receipts.verify_output(0, after, INPUTS)
    assert caught.value.code == "receipt-output"
    with pytest.raises(Error) as missing:
        receipts.verify_input(1, before, INPUTS)
    assert missing.value.code == "receipt-index"


def test_a_row_is_found_in_all_of_a_request() -> None:
    inputs, outputs = rows_of(4)
    receipts = verify_receipts(receipts_of(inputs, outputs, 4), OWNER.id)
    for index, (before, after) in enumerate(expand(SEED, 4)):
        alone = receipts.row_of(inputs, index)
        receipts.verify_input(index, before, alone)
        receipts.verify_input(index, before, receipts.row_of(alone, index))
        receipts.verify_output(index, after, receipts.row_of(outputs, index))
