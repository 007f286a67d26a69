"""Commitments to rows are those to the rows alone, and no two values have one."""

from __future__ import annotations

import numpy as np
import pytest

from strongroom.crypto.labels import RECEIPT_INPUT, RECEIPT_OUTPUT
from strongroom.errors import FormatError
from strongroom.receipts.commitment import commit, commit_rows, expand, has_rows, split_rows, take_row
from strongroom.worker.frames import Datatype, Tensor
from strongroom.worker.tensor import from_array
from tests.unit.receipts.making import SEED, rows_of

SALTS = [given for given, _ in expand(SEED, 9)]


@pytest.mark.parametrize("count", [1, 2, 9])
def test_each_row_has_the_commitment_that_it_has_alone(count: int) -> None:
    inputs, outputs = rows_of(count)
    for tensors in (inputs, inputs[:1], inputs[1:], outputs, ()):
        found = commit_rows(RECEIPT_INPUT, SALTS[:count], tensors)
        alone = [
            commit(RECEIPT_INPUT, salt, take_row(tensors, count, place))
            for place, salt in enumerate(SALTS[:count])
        ]
        assert found == alone
        assert len(set(found)) == count


def test_nothing_at_all_is_no_row() -> None:
    with pytest.raises(FormatError):
        commit_rows(RECEIPT_INPUT, [], rows_of(0)[1])


def test_the_order_of_tensors_says_nothing() -> None:
    inputs, _ = rows_of(3)
    assert commit(RECEIPT_INPUT, SALTS[0], inputs) == commit(RECEIPT_INPUT, SALTS[0], inputs[::-1])


def test_a_commitment_tells_apart_what_differs_in_anything() -> None:
    one = np.array([[1.0, 0.0]])
    tensors = [
        from_array("X", one),
        from_array("Y", one),
        from_array("X", one.astype(np.float32)),
        from_array("X", one.reshape(2)),
        from_array("X", one * -1),
        from_array("X", np.array([[1.0, -0.0]])),
        from_array("X", one.astype(np.int64)),
        from_array("X", np.array([[1.0]])),
    ]
    found = {commit(RECEIPT_INPUT, SALTS[0], [each]) for each in tensors}
    found |= {commit(RECEIPT_INPUT, SALTS[0], tensors[:2]), commit(RECEIPT_INPUT, SALTS[0], [])}
    found |= {commit(RECEIPT_INPUT, SALTS[1], tensors[:1]), commit(RECEIPT_OUTPUT, SALTS[0], tensors[:1])}
    assert len(found) == len(tensors) + 4


def test_salts_come_out_of_a_seed_and_differ() -> None:
    salts = expand(SEED, 50)
    assert salts[:9] == expand(SEED, 9)
    assert len({salt for pair in salts for salt in pair}) == 100
    assert not set(salts) & set(expand(SEED[::-1], 50))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_salts_and_seeds_have_one_size(size: int) -> None:
    with pytest.raises(FormatError):
        expand(bytes(size), 1)
    with pytest.raises(FormatError):
        commit(RECEIPT_INPUT, bytes(size), ())


def test_a_name_stands_once() -> None:
    inputs, _ = rows_of(1)
    with pytest.raises(FormatError):
        commit(RECEIPT_INPUT, SALTS[0], [inputs[0], inputs[0]])


def test_what_has_rows() -> None:
    inputs, outputs = rows_of(3)
    assert has_rows([*inputs, *outputs], 3)
    assert not has_rows(inputs, 2)
    assert not has_rows([Tensor("x", Datatype.FP64, (), bytes(8))], 1)


def test_rows_without_columns() -> None:
    for datatype in (Datatype.FP64, Datatype.BYTES):
        assert [bytes(each) for each in split_rows(Tensor("x", datatype, (3, 0), b""), 3)] == [b""] * 3
        with pytest.raises(FormatError) as caught:
            split_rows(Tensor("x", datatype, (1 << 30, 0), b""), 1 << 30)
        assert caught.value.code == "receipt-rows"


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ((2,), b"\x05\0\0\0ab"),
        ((2,), b"\x01\0\0\0a"),
        ((2,), b"\x01\0\0\0a\x01"),
        ((1,), b"\x01\0\0\0ab"),
        ((1,), b"\xff\xff\xff\xffb"),
        ((1,), b"\x09\0\0\0ab"),
        ((1, 2), b"\x01\0\0\0a"),
        ((1, 0), b"\0\0\0\0"),
    ],
)
def test_text_that_does_not_fill_its_bytes(shape: tuple[int, ...], data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        split_rows(Tensor("x", Datatype.BYTES, shape, data), shape[0])
    assert caught.value.code == "receipt-rows"


def test_numbers_that_do_not_fill_their_rows() -> None:
    with pytest.raises(FormatError):
        split_rows(Tensor("x", Datatype.UINT8, (2,), bytes(3)), 2)
    with pytest.raises(FormatError):
        split_rows(Tensor("x", Datatype.UINT8, (2,), bytes(2)), 3)
