"""Whatever bytes a partner hands in: a value, or ``FormatError``."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from strongroom.errors import FormatError
from strongroom.license.derivation import DerivationRecord
from strongroom.package.layout import FileKind, trailer_to_bytes
from strongroom.package.tail import read_derivation_record
from strongroom.storage.memory import MemorySource

texts = st.text(max_size=20)
records = st.builds(
    DerivationRecord,
    license=texts,
    sublicenses=st.lists(texts, max_size=3).map(tuple),
    acceptances=st.lists(texts, max_size=3).map(tuple),
    statement=texts,
    derivation=texts,
)


@given(st.binary(max_size=200))
@example(b"{}")
def test_any_bytes_are_a_record_or_a_format_error(data: bytes) -> None:
    try:
        record = DerivationRecord.from_bytes(data)
    except FormatError:
        return
    assert record.to_bytes() == data


@given(records)
def test_a_record_is_read_back_byte_for_byte(record: DerivationRecord) -> None:
    data = record.to_bytes()
    assert DerivationRecord.from_bytes(data) == record
    assert DerivationRecord.from_bytes(data).to_bytes() == data


@given(st.binary(max_size=100), st.integers(0, 1 << 64 - 1), st.sampled_from(FileKind))
def test_any_file_has_a_record_or_is_refused(middle: bytes, size: int, kind: FileKind) -> None:
    data = kind.header + middle + trailer_to_bytes(size, kind)
    for cut in (data, data[:-1], middle):
        try:
            record = read_derivation_record(MemorySource(cut))
        except FormatError:
            continue
        assert kind is FileKind.DERIVED
        assert record == middle[len(middle) - size :]
