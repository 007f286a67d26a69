from __future__ import annotations

import errno
import hashlib
import io
import threading
from datetime import timedelta

import pytest

from strongroom.errors import FormatError, StorageUnavailable, UsageError, VerificationError
from strongroom.package.contents import FileEntry, Loader
from strongroom.package.layout import HEADER, SEGMENT_BYTES
from strongroom.package.names import Version
from strongroom.package.statement import signer
from strongroom.package.writer import PackageWriter
from tests.unit.package.making import (
    CONTENT_KEY,
    LARGE,
    NOW,
    OWNER,
    OWNER_SECRET,
    SCHEMA,
    SMALL,
    Made,
    make,
    noise,
    write,
)

LOADER = Loader(name="onnx", entry="a")


class FullDisk(io.RawIOBase):
    """A file that takes so many bytes and then fails as a full disk does."""

    def __init__(self, room: int, *, quietly: bool = False) -> None:
        self.room = room
        self.quietly = quietly
        self.taken = 0

    def write(self, data: object, /) -> int:
        size = len(memoryview(data))  # type: ignore[arg-type] # the writer passes buffers
        if self.taken + size > self.room:
            if self.quietly:
                return size - 1
            raise OSError(errno.ENOSPC, "No space left on device")
        self.taken += size
        return size


def _writer(sink: io.IOBase | None = None, **options: object) -> PackageWriter:
    return PackageWriter(
        sink or io.BytesIO(),
        name="risk",
        version=Version(1, 0, 0),
        owner=OWNER,
        created_at=NOW,
        content_key=CONTENT_KEY,
        **options,  # type: ignore[arg-type] # named by each test
    )


def _finish(writer: PackageWriter) -> None:
    writer.finish(loader=LOADER, schema=SCHEMA, bom={}, sign=signer(OWNER_SECRET))


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("chunk_bytes", [SEGMENT_BYTES - 1, 3 * SEGMENT_BYTES])
def test_what_is_written_is_what_is_read(threads: int, chunk_bytes: int) -> None:
    made = make(LARGE, threads=threads, chunk_bytes=chunk_bytes)
    package = made.reader().unlock(CONTENT_KEY)
    assert {name: bytes(package.read(name)) for name in LARGE} == LARGE


def test_written_tells_the_truth() -> None:
    made = make(LARGE)
    assert made.written.size == len(made.data)
    assert made.written.file_sha256 == hashlib.sha256(made.data).hexdigest()
    assert made.written.statement == made.reader().statement
    assert made.written.package_digest == made.statement.package_digest


def test_contents_carry_the_digest_of_each_file() -> None:
    package = make(LARGE).reader().unlock(CONTENT_KEY)
    assert {file.name: file.sha256 for file in package.contents.files} == {
        name: hashlib.sha256(data).hexdigest() for name, data in LARGE.items()
    }


def test_every_package_gets_an_id_of_its_own() -> None:
    ids = {make(package_id=None).statement.package_id for _ in range(3)}
    assert len(ids) == 3


def test_every_segment_gets_a_salt_of_its_own() -> None:
    assert make().data[32:56] != make().data[32:56]


def test_statement_fields_come_from_the_caller() -> None:
    sink = io.BytesIO()
    later = NOW + timedelta(microseconds=7)
    with PackageWriter(
        sink,
        name="risk",
        version=Version(2, 0, 0),
        owner=OWNER,
        created_at=later,
        content_key=CONTENT_KEY,
        previous="11" * 32,
        agreement="22" * 32,
    ) as writer:
        with writer.file("a", 1) as file:
            assert file.write(b"x") == 1
        written = writer.finish(loader=LOADER, schema=SCHEMA, bom={}, sign=signer(OWNER_SECRET))
    statement = Made(sink.getvalue(), written).reader().statement
    assert (statement.previous, statement.agreement) == ("11" * 32, "22" * 32)
    assert (statement.version, statement.created_at) == (Version(2, 0, 0), NOW)


@pytest.mark.parametrize(
    "options",
    [{"previous": "x"}, {"agreement": "22" * 31}, {"package_id": "00"}],
    ids=lambda o: next(iter(o)),
)
def test_a_wrong_field_is_refused_before_anything_is_written(options: dict[str, str]) -> None:
    sink = io.BytesIO()
    with pytest.raises(FormatError):
        _writer(sink, **options)
    assert sink.getvalue() == b""


def test_a_content_key_of_another_size_is_refused() -> None:
    with pytest.raises(FormatError) as refused:
        write(io.BytesIO(), content_key=bytes(16))
    assert refused.value.code == "content-key-size"


def test_a_file_longer_than_announced_is_refused_and_ends_the_package() -> None:
    writer = _writer()
    with pytest.raises(UsageError) as refused, writer.file("a", 1) as file:
        file.write(b"xy")
    assert refused.value.code == "file-size"
    with pytest.raises(ValueError, match="finished or abandoned"):
        _finish(writer)


def test_a_file_shorter_than_announced_is_refused_and_ends_the_package() -> None:
    writer = _writer()
    with pytest.raises(UsageError) as refused, writer.file("a", 2) as file:
        file.write(b"x")
    assert refused.value.code == "file-size"
    with pytest.raises(ValueError, match="finished or abandoned"), writer.file("b", 0):
        pass


def test_files_come_in_order() -> None:
    with _writer() as writer:
        with writer.file("b", 0):
            pass
        for name in ("a", "b"):
            with pytest.raises(FormatError) as refused, writer.file(name, 0):
                pass
            assert refused.value.code == "file-order"


@pytest.mark.parametrize("size", [-1, (1 << 44) + 1])
def test_an_impossible_size_is_refused(size: int) -> None:
    with _writer() as writer, pytest.raises(FormatError) as refused, writer.file("a", size):
        pass
    assert refused.value.code == "file-size"


def test_a_name_that_escapes_is_refused() -> None:
    with _writer() as writer, pytest.raises(FormatError), writer.file("../a", 0):
        pass


def test_names_that_clash_are_refused_at_the_end() -> None:
    with _writer() as writer:
        for name in ("A", "a"):
            with writer.file(name, 0):
                pass
        with pytest.raises(FormatError) as refused:
            _finish(writer)
        assert refused.value.code == "file-name-clash"


def test_one_file_at_a_time() -> None:
    with _writer() as writer, writer.file("a", 0):
        second = writer.file("b", 0)
        with pytest.raises(ValueError, match="finished or abandoned"):
            second.__enter__()


def test_a_finished_package_takes_nothing_more() -> None:
    writer = _writer()
    with writer.file("a", 0):
        pass
    _finish(writer)
    with pytest.raises(ValueError, match="finished or abandoned"):
        _finish(writer)


def test_a_package_without_files_is_refused() -> None:
    with _writer() as writer, pytest.raises(FormatError) as refused:
        _finish(writer)
    assert refused.value.code == "file-count"


def test_a_signer_that_fails_leaves_no_package() -> None:
    sink = io.BytesIO()

    def refuse(payload: bytes) -> None:
        raise VerificationError("the token was pulled out")

    with pytest.raises(VerificationError):
        write(sink, sign=refuse)  # type: ignore[arg-type] # it never returns
    assert sink.getvalue().startswith(HEADER)
    assert not sink.getvalue().endswith(b"end v1-draft\n")


@pytest.mark.parametrize("room", [0, 32, 40, 2_000_000, 3_000_000])
def test_a_full_disk_is_the_callers_error_and_no_thread_stays(room: int) -> None:
    before = threading.active_count()
    with pytest.raises(OSError, match="No space left"):
        write(FullDisk(room), LARGE)
    assert threading.active_count() == before


def test_a_sink_that_takes_only_a_part_is_noticed() -> None:
    with pytest.raises(StorageUnavailable):
        write(FullDisk(100, quietly=True), SMALL)


def test_memory_does_not_grow_with_the_model() -> None:
    """The pipeline owns a fixed set of buffers: 64 MiB pass through the same few."""

    class Counting(io.RawIOBase):
        seen: set[int]
        size = 0

        def write(self, data: object, /) -> int:
            view = memoryview(data)  # type: ignore[arg-type] # the writer passes buffers
            if view.nbytes > SEGMENT_BYTES:
                self.seen.add(id(view.obj))
            self.size += view.nbytes
            return view.nbytes

    sink = Counting()
    sink.seen = set()
    block = noise(SEGMENT_BYTES)
    with _writer(sink) as writer:
        with writer.file("a", 64 * SEGMENT_BYTES) as file:
            for _ in range(64):
                file.write(block)
        _finish(writer)
    assert sink.size > 64 * SEGMENT_BYTES
    assert len(sink.seen) <= 4


def test_multidimensional_buffers_are_taken_as_bytes() -> None:
    with _writer() as writer:
        with writer.file("a", 8) as file:
            assert file.write(memoryview(b"12345678").cast("Q")) == 8
        _finish(writer)


def test_files_lists_what_is_complete() -> None:
    with _writer() as writer:
        with writer.file("a", 1) as file:
            file.write(b"x")
            assert not writer.files
        entry = FileEntry(name="a", size=1, sha256=hashlib.sha256(b"x").hexdigest())
        assert list(writer.files) == [entry]
