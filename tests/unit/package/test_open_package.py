from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from strongroom.crypto import segment
from strongroom.crypto.digest import Buffer
from strongroom.errors import FormatError, IntegrityError, ObjectNotFound, StorageError, UsageError
from strongroom.package import writer as writer_module
from strongroom.package.contents import Contents
from strongroom.package.layout import SEGMENT_BYTES, SegmentKind
from strongroom.package.open_package import OpenPackage
from strongroom.package.reader import PackageReader
from strongroom.storage.memory import MemorySource
from tests.unit.package.making import CONTENT_KEY, KEYS, LARGE, OWNER, SCHEMA, make

MADE = make(LARGE)
ONE = LARGE["weights/one.bin"]


def _open(data: bytes | bytearray = MADE.data, threads: int = 2) -> OpenPackage:
    return PackageReader.open(MemorySource(data), KEYS, owner=OWNER).unlock(CONTENT_KEY, threads=threads)


def _damaged(segment: int) -> bytearray:
    data = bytearray(MADE.data)
    offset, length = MADE.statement.layout.segment_range(SegmentKind.PAYLOAD, segment)
    data[offset + length - 1] ^= 1
    return data


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("name", LARGE)
def test_read(name: str, threads: int) -> None:
    assert _open(threads=threads).read(name) == LARGE[name]


def test_contents_are_there_from_the_start() -> None:
    package = _open()
    assert [file.name for file in package.contents.files] == sorted(LARGE)
    assert package.contents.schema == SCHEMA
    assert package.file("a.bin").size == 100
    assert package.statement == MADE.statement


def test_read_into_a_buffer_of_the_caller() -> None:
    buffer = bytearray(b"\xff" * (len(ONE) + 2))
    _open().read_into("weights/one.bin", memoryview(buffer)[1:-1])
    assert buffer[1:-1] == ONE
    assert (buffer[0], buffer[-1]) == (0xFF, 0xFF)


def test_read_into_a_buffer_of_wider_items() -> None:
    buffer = memoryview(bytearray(100)).cast("I")
    _open().read_into("a.bin", buffer)
    assert buffer.tobytes() == LARGE["a.bin"]


@pytest.mark.parametrize("size", [0, 99, 101])
def test_a_buffer_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(UsageError) as refused:
        _open().read_into("a.bin", bytearray(size))
    assert refused.value.code == "buffer-size"


@pytest.mark.parametrize("name", ["b.bin", "A.bin", "weights", "weights/", ""])
def test_a_file_that_is_not_there(name: str) -> None:
    package = _open()
    for read in (package.read, package.file, lambda n: package.read_range(n, 0, 0)):
        with pytest.raises(ObjectNotFound) as refused:
            read(name)
        assert refused.value.code == "no-such-file"
    with pytest.raises(ObjectNotFound):
        package.read_into(name, bytearray())


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (0, 0),
        (0, 1),
        (len(ONE), 0),
        (len(ONE) - 1, 1),
        (SEGMENT_BYTES - 193, 1),
        (SEGMENT_BYTES - 193, 2),
        (0, SEGMENT_BYTES - 192),
        (SEGMENT_BYTES - 192, SEGMENT_BYTES),
        (SEGMENT_BYTES - 193, SEGMENT_BYTES + 2),
        (5, 2 * SEGMENT_BYTES),
    ],
)
def test_a_range_is_a_slice(offset: int, length: int) -> None:
    assert _open().read_range("weights/one.bin", offset, length) == ONE[offset : offset + length]


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, -1), (0, 101), (100, 1), (101, 0), (1 << 60, 1)])
def test_a_range_outside_of_the_file_is_refused(offset: int, length: int) -> None:
    with pytest.raises(UsageError) as refused:
        _open().read_range("a.bin", offset, length)
    assert refused.value.code == "range"


def test_the_payload_itself_holds_files_and_zeros() -> None:
    buffer = bytearray(MADE.statement.payload_bytes)
    _open().payload_into(0, buffer)
    assert buffer[:100] == LARGE["a.bin"]
    assert buffer[100:128] == bytes(28)
    assert buffer[128 : 128 + len(ONE)] == ONE
    for offset, size in ((-1, 1), (len(buffer), 1), (0, len(buffer) + 1)):
        with pytest.raises(UsageError):
            _open().payload_into(offset, bytearray(size))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("segment", [0, 1, 2])
def test_nothing_is_left_of_a_read_that_failed(segment: int, threads: int) -> None:
    buffer = bytearray(b"\xff" * len(ONE))
    with pytest.raises(IntegrityError):
        _open(_damaged(segment), threads).read_into("weights/one.bin", buffer)
    assert buffer == bytes(len(ONE))


def test_undamaged_files_of_a_damaged_package_can_be_read() -> None:
    assert _open(_damaged(3)).read("a.bin") == LARGE["a.bin"]


def test_a_storage_that_shrank_leaves_nothing_either() -> None:
    data = bytearray(MADE.data)

    class Shrinking(MemorySource):
        gone = False

        def _read_into(self, offset: int, buffer: memoryview) -> int:
            if self.gone and offset > SEGMENT_BYTES:
                return 0
            return super()._read_into(offset, buffer)

    source = Shrinking(data)
    package = PackageReader.open(source, KEYS, owner=OWNER).unlock(CONTENT_KEY)
    source.gone = True
    buffer = bytearray(b"\xff" * len(ONE))
    with pytest.raises(StorageError):
        package.read_into("weights/one.bin", buffer)
    assert buffer == bytes(len(ONE))


def test_scratch_plaintext_is_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    package = _open()
    scratches: list[bytearray] = []
    decrypt = segment.decrypt_into

    def watch(key: bytes, context: bytes, encrypted: Buffer, out: bytearray | memoryview) -> None:
        decrypt(key, context, encrypted, out)
        assert any(out)
        if isinstance(out, bytearray):
            scratches.append(out)

    monkeypatch.setattr(segment, "decrypt_into", watch)
    package.read_range("weights/one.bin", 10, 2 * SEGMENT_BYTES)
    assert [len(scratch) for scratch in scratches] == [SEGMENT_BYTES, SEGMENT_BYTES]
    assert not any(any(scratch) for scratch in scratches)


def test_one_package_serves_many_threads() -> None:
    package = _open()
    names = [*LARGE, *LARGE, *LARGE]
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(package.read, names))
    assert all(result == LARGE[name] for name, result in zip(names, results, strict=True))


def test_its_repr_shows_no_key() -> None:
    package = _open()
    assert CONTENT_KEY.hex() not in repr(package)
    assert repr(CONTENT_KEY) not in repr(package)


def test_contents_that_do_not_fill_the_payload_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def shorter(**fields: object) -> Contents:
        contents = Contents(**fields)  # type: ignore[arg-type] # passed through
        short = [msgspec.structs.replace(contents.files[0], size=contents.files[0].size - 1)]
        return msgspec.structs.replace(contents, files=short)

    monkeypatch.setattr(writer_module, "Contents", shorter)
    with pytest.raises(FormatError) as refused:
        make().reader().unlock(CONTENT_KEY)
    assert refused.value.code == "payload-size"


def test_a_package_that_hides_that_it_carries_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    package = make().reader()
    monkeypatch.setattr(Contents, "carries_code", True)
    with pytest.raises(FormatError) as refused:
        package.unlock(CONTENT_KEY)
    assert refused.value.code == "code-undeclared"
