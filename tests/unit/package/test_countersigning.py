from __future__ import annotations

import hashlib
import io

import pytest

from strongroom.errors import FormatError, IntegrityError, StorageUnavailable, VerificationError
from strongroom.package import layout, tail
from strongroom.package.contents import Loader
from strongroom.package.countersigning import write_countersigned
from strongroom.package.inspect import inspect, verify_package
from strongroom.package.layout import FileKind
from strongroom.package.names import Version
from strongroom.package.reader import PackageReader
from strongroom.package.statement import Statement, signer
from strongroom.package.writer import PackageWriter
from strongroom.storage.memory import MemorySource
from tests.unit.package.making import (
    CONTENT_KEY,
    KEYS,
    LARGE,
    NOW,
    OWNER,
    OWNER_SECRET,
    SCHEMA,
    make,
)

PARENT = "11" * 32
BOM = {"bomFormat": "CycloneDX", "specVersion": "1.6"}


def derived(record: bytes = b"{}") -> tuple[bytes, Statement]:
    """Return a derivation file of the large model, and the statement of the package to be."""
    sink = io.BytesIO()
    writer = PackageWriter(
        sink,
        name="risk",
        version=Version(1, 1, 0),
        owner=OWNER,
        created_at=NOW,
        content_key=CONTENT_KEY,
        parent=PARENT,
        kind=FileKind.DERIVED,
    )
    for name in sorted(LARGE):
        with writer.file(name, len(LARGE[name])) as file:
            file.write(LARGE[name])
    loader = Loader(name="onnx", entry="a.bin")
    written = writer.finish_derived(loader=loader, schema=SCHEMA, bom=BOM, record=lambda _: record)
    return sink.getvalue(), written.statement


def opened(data: bytes, statement: Statement) -> PackageReader:
    """Open a derivation file as an owner does."""
    source = MemorySource(data)
    record = tail.read_derivation_record(source)
    return PackageReader.open_derived(
        source, statement.to_bytes(), record, package_digest=statement.package_digest
    )


def test_a_countersigned_file_is_a_package_with_the_same_segments() -> None:
    data, statement = derived()
    sink = io.BytesIO()
    written = write_countersigned(opened(data, statement), sink, signer(OWNER_SECRET))
    package = sink.getvalue()
    assert written.statement == statement
    assert statement.parent == PARENT
    assert written.package_digest == statement.package_digest
    assert (written.size, written.file_sha256) == (len(package), hashlib.sha256(package).hexdigest())
    end = statement.layout.statement_offset
    assert package[32:end] == data[32:end]
    assert verify_package(MemorySource(package), KEYS, owner=OWNER) == statement
    reader = PackageReader.open(MemorySource(package), KEYS, owner=OWNER)
    assert reader.unlock(CONTENT_KEY).read("weights/one.bin") == LARGE["weights/one.bin"]


def test_a_segment_that_changed_is_not_copied() -> None:
    data, statement = derived()
    changed = bytearray(data)
    changed[100] ^= 1
    with pytest.raises(IntegrityError):
        write_countersigned(opened(bytes(changed), statement), io.BytesIO(), signer(OWNER_SECRET))


def test_a_disk_that_takes_a_part_is_an_error() -> None:
    class Half(io.RawIOBase):
        def write(self, data: object, /) -> int:
            return 1

    data, statement = derived()
    with pytest.raises(StorageUnavailable):
        write_countersigned(opened(data, statement), Half(), signer(OWNER_SECRET))


def test_a_sink_that_counts_nothing_is_trusted() -> None:
    class Silent:
        def __init__(self) -> None:
            self.pieces: list[bytes] = []

        def write(self, data: bytes | memoryview, /) -> None:
            self.pieces.append(bytes(data))

    data, statement = derived()
    sink = Silent()
    written = write_countersigned(opened(data, statement), sink, signer(OWNER_SECRET))
    assert sum(map(len, sink.pieces)) == written.size


def test_another_statement_than_the_signed_one_is_refused() -> None:
    data, statement = derived()
    source = MemorySource(data)
    record = tail.read_derivation_record(source)
    with pytest.raises(VerificationError) as refused:
        PackageReader.open_derived(source, statement.to_bytes(), record, package_digest="00" * 32)
    assert refused.value.code == "wrong-package"


def test_a_derivation_file_is_no_package_and_a_package_is_none() -> None:
    data, _ = derived()
    with pytest.raises(FormatError) as refused:
        inspect(MemorySource(data))
    assert refused.value.code == "not-countersigned"
    with pytest.raises(FormatError) as refused:
        tail.read_derivation_record(MemorySource(make().data))
    assert refused.value.code == "not-a-derivation"


def test_the_header_and_trailer_of_a_package_make_no_package_of_it() -> None:
    data, _ = derived()
    dressed = FileKind.PACKAGE.header + data[32:]
    with pytest.raises(FormatError):
        inspect(MemorySource(dressed))
    with pytest.raises(FormatError):
        inspect(MemorySource(dressed[:-24] + FileKind.PACKAGE.magic))


@pytest.mark.parametrize("size", [0, FileKind.DERIVED.max_tail_bytes + 1])
def test_a_record_of_an_impossible_size_is_refused(size: int) -> None:
    data, _ = derived()
    with pytest.raises(FormatError) as refused:
        tail.read_derivation_record(
            MemorySource(data[:-32] + layout.trailer_to_bytes(size, FileKind.DERIVED))
        )
    assert refused.value.code == "statement-size"


def test_a_record_may_be_larger_than_a_statement() -> None:
    record = b"x" * (FileKind.PACKAGE.max_tail_bytes + 1)
    data, _ = derived(record)
    assert tail.read_derivation_record(MemorySource(data)) == record


def test_a_file_of_one_kind_is_not_finished_as_another() -> None:
    writer = PackageWriter(
        io.BytesIO(),
        name="risk",
        version=Version(1, 0, 0),
        owner=OWNER,
        created_at=NOW,
        content_key=CONTENT_KEY,
    )
    with pytest.raises(ValueError, match="kind"):
        writer.finish_derived(
            loader=Loader(name="onnx", entry="a"), schema=SCHEMA, bom=BOM, record=lambda _: b""
        )
    writer.close()


def test_both_kinds_have_headers_and_trailers_of_one_size() -> None:
    for kind in FileKind:
        assert len(kind.header) == len(layout.trailer_to_bytes(1, kind)) == 32
    assert FileKind.PACKAGE.header != FileKind.DERIVED.header
