from __future__ import annotations

import dataclasses

import pytest

from strongroom.errors import FormatError, IntegrityError, UnsupportedError
from strongroom.package import tail
from strongroom.package.layout import HEADER, TRAILER_BYTES, trailer_to_bytes
from strongroom.package.statement import read_unverified
from strongroom.storage.memory import MemorySource
from tests.unit.package.making import make

MADE = make()
SIGNED = tail.read_signed_statement(MemorySource(MADE.data))


def _refuse(data: bytes, code: str) -> None:
    with pytest.raises(FormatError) as refused:
        tail.read_signed_statement(MemorySource(data))
    assert refused.value.code == code


def test_the_signed_statement_is_found_from_the_end() -> None:
    assert read_unverified(SIGNED) == MADE.statement


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"strongroom", b"\x08\x07\x12\x07pytorch" * 10, HEADER[1:]]
)
def test_other_files_are_not_packages(data: bytes) -> None:
    _refuse(data, "not-a-package")


def test_another_version_is_named_as_such() -> None:
    _refuse(b"strongroom package v2\n".ljust(32, b"\0") + MADE.data[32:], "unknown-format")
    _refuse(HEADER[:-1], "unknown-format")


@pytest.mark.parametrize("data", [HEADER, HEADER + bytes(31), HEADER + bytes(32), MADE.data + b"\0"])
def test_a_wrong_end_is_refused(data: bytes) -> None:
    _refuse(data, "truncated")


def test_a_statement_that_does_not_fit_is_refused() -> None:
    _refuse(HEADER + trailer_to_bytes(1), "truncated")
    _refuse(HEADER + b"{}" + trailer_to_bytes(3), "truncated")
    assert tail.read_signed_statement(MemorySource(HEADER + b"{}" + trailer_to_bytes(2))) == b"{}"


def test_the_index_is_read_only_if_the_file_has_the_right_size() -> None:
    for data in (MADE.data + b"\0", MADE.data[1:]):
        with pytest.raises(FormatError) as refused:
            tail.read_index(MemorySource(data), MADE.statement, SIGNED)
        assert refused.value.code == "package-size"


def test_the_index_must_be_the_signed_one() -> None:
    data = bytearray(MADE.data)
    data[-TRAILER_BYTES - len(SIGNED) - 1] ^= 1
    with pytest.raises(IntegrityError) as refused:
        tail.read_index(MemorySource(data), MADE.statement, SIGNED)
    assert refused.value.code == "index-digest"


def test_marked_segments_need_a_later_version() -> None:
    marked = dataclasses.replace(MADE.statement, marked=(0,))
    with pytest.raises(UnsupportedError) as refused:
        tail.read_index(MemorySource(MADE.data), marked, SIGNED)
    assert refused.value.code == "marked-segments"
