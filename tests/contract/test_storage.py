"""What every storage must do: one suite, run over each technology."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from strongroom.errors import StorageError
from strongroom.storage.interface import Source
from strongroom.storage.local import LocalSource
from strongroom.storage.memory import MemorySource

DATA = bytes(range(256)) * 300

Make = Callable[[bytes], Source]


@pytest.fixture(params=["local", "memory"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    opened: list[LocalSource] = []

    def local(data: bytes) -> Source:
        path = tmp_path / "object"
        path.write_bytes(data)
        opened.append(LocalSource(path))
        return opened[-1]

    yield {"local": local, "memory": MemorySource}[request.param]
    for source in opened:
        source.close()


@pytest.mark.parametrize("size", [0, 1, len(DATA)])
def test_size(make: Make, size: int) -> None:
    assert make(DATA[:size]).size() == size


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 0), (0, 1), (0, len(DATA)), (1000, 4096), (len(DATA) - 1, 1), (len(DATA), 0)]
)
def test_a_read_fills_the_buffer(make: Make, offset: int, length: int) -> None:
    buffer = bytearray(length)
    make(DATA).read_into(offset, buffer)
    assert buffer == DATA[offset : offset + length]


def test_a_read_fills_exactly_the_slice_it_is_given(make: Make) -> None:
    buffer = bytearray(b"\xff" * 12)
    make(DATA).read_into(5, memoryview(buffer)[1:11])
    assert buffer == b"\xff" + DATA[5:15] + b"\xff"


@pytest.mark.parametrize(("offset", "length"), [(len(DATA), 1), (len(DATA) - 1, 2), (1 << 40, 1)])
def test_a_read_past_the_end_is_a_storage_error(make: Make, offset: int, length: int) -> None:
    with pytest.raises(StorageError) as refused:
        make(DATA).read_into(offset, bytearray(length))
    assert refused.value.code == "storage-short-read"


def test_a_negative_offset_is_a_bug_of_the_caller(make: Make) -> None:
    with pytest.raises(ValueError, match="negative"):
        make(DATA).read_into(-1, bytearray(1))


def test_reads_share_no_cursor(make: Make) -> None:
    source = make(DATA)

    def read(offset: int) -> bool:
        buffer = bytearray(512)
        source.read_into(offset, buffer)
        return buffer == DATA[offset : offset + 512]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(0, len(DATA) - 512, 97)))
