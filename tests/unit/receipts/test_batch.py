"""The tree is that of RFC 6962, and an entry has one place in it."""

from __future__ import annotations

import pytest

from strongroom._encoding import canonical_json
from strongroom.crypto.labels import RECEIPT_INPUT, RECEIPT_OUTPUT
from strongroom.errors import IntegrityError
from strongroom.log.frontier import Frontier
from strongroom.log.merkle import leaf_hash
from strongroom.receipts.batch import Entry, make_entries, path_of, root_of, verify_path
from strongroom.receipts.commitment import commit, expand
from strongroom.worker.frames import Datatype, Tensor
from tests.unit.receipts.making import SEED, rows_of


def entries(count: int) -> list[Entry]:
    return [Entry(bytes([number]) * 32, bytes([255 - number]) * 32) for number in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33])
def test_the_root_is_that_of_a_log_and_every_path_leads_to_it(count: int) -> None:
    some = entries(count)
    root = root_of(some)
    frontier, _ = Frontier.empty().extend(leaf_hash(each.to_bytes()) for each in some)
    assert root == frontier.root
    for index, entry in enumerate(some):
        path = path_of(some, index)
        verify_path(entry, index=index, size=count, path=path, root=root)
        for wrong in {index ^ 1, (index + 1) % count, count} - {index}:
            with pytest.raises(IntegrityError) as caught:
                verify_path(entry, index=wrong, size=count, path=path, root=root)
            assert caught.value.code == "receipt-path"


def test_an_entry_is_canonical_json() -> None:
    entry = Entry(b"\x01" * 32, b"\xfe" * 32)
    said = {"format": "receipt-entry/v1", "input": "01" * 32, "output": "fe" * 32}
    assert entry.to_bytes() == canonical_json(said)


def test_rows_have_entries_of_their_own() -> None:
    inputs, outputs = rows_of(5)
    some = make_entries(inputs, outputs, predictions=5, seed=SEED)
    assert len(some) == 5
    assert len({value for each in some for value in (each.input, each.output)}) == 10


def test_what_has_no_rows_has_one_entry() -> None:
    inputs, _ = rows_of(5)
    outputs = [Tensor("mean", Datatype.FP64, (), bytes(8))]
    (entry,) = make_entries(inputs, outputs, predictions=5, seed=SEED)
    ((before, after),) = expand(SEED, 1)
    assert entry == Entry(commit(RECEIPT_INPUT, before, inputs), commit(RECEIPT_OUTPUT, after, outputs))


def test_one_prediction_is_committed_to_as_it_is() -> None:
    inputs, outputs = rows_of(1)
    (entry,) = make_entries(inputs, outputs, predictions=1, seed=SEED)
    ((before, after),) = expand(SEED, 1)
    assert entry == Entry(commit(RECEIPT_INPUT, before, inputs), commit(RECEIPT_OUTPUT, after, outputs))
