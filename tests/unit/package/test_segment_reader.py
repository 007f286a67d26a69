from __future__ import annotations

import threading

import pytest

from strongroom.errors import IntegrityError, StorageError
from strongroom.package import tail
from strongroom.package.layout import SegmentKind
from strongroom.package.segment_reader import SegmentReader
from strongroom.storage.interface import Source
from strongroom.storage.memory import MemorySource
from tests.unit.package.making import LARGE, make

MADE = make(LARGE)
SEGMENTS = 4


def _segments(data: bytes | bytearray) -> SegmentReader:
    good = MemorySource(MADE.data)
    index = tail.read_index(good, MADE.statement, tail.read_signed_statement(good))
    return SegmentReader(MemorySource(data), index)


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
def test_each_segment_is_handed_on_once(threads: int) -> None:
    seen: list[tuple[int, int]] = []
    lock = threading.Lock()

    def use(number: int, encrypted: memoryview) -> None:
        with lock:
            seen.append((number, len(encrypted)))

    segments = _segments(MADE.data)
    segments.for_each(SegmentKind.PAYLOAD, range(SEGMENTS), use, threads=threads)
    lengths = [segments.layout.segment_range(SegmentKind.PAYLOAD, n)[1] for n in range(SEGMENTS)]
    assert sorted(seen) == list(enumerate(lengths))


def test_a_range_in_the_middle() -> None:
    seen = []
    _segments(MADE.data).for_each(
        SegmentKind.PAYLOAD, range(1, 3), lambda number, _: seen.append(number), threads=1
    )
    assert seen == [1, 2]


def test_no_segments_are_no_work() -> None:
    _segments(MADE.data).for_each(SegmentKind.PAYLOAD, range(0), lambda *_: pytest.fail("used"), threads=2)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_bad_segment_is_not_handed_on(threads: int) -> None:
    data = bytearray(MADE.data)
    segments = _segments(data)
    offset, length = segments.layout.segment_range(SegmentKind.PAYLOAD, 2)
    data[offset + length // 2] ^= 1
    seen: list[int] = []
    with pytest.raises(IntegrityError) as refused:
        segments.for_each(
            SegmentKind.PAYLOAD, range(SEGMENTS), lambda number, _: seen.append(number), threads=threads
        )
    assert refused.value.code == "segment-digest"
    assert 2 not in seen


def test_one_failure_stops_the_other_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, both = threading.Event(), threading.Barrier(2, timeout=30)
    monkeypatch.setattr("strongroom.package.segment_reader.Event", lambda: stop)
    seen = []

    def use(number: int, encrypted: memoryview) -> None:
        seen.append(number)
        both.wait()
        if number == 0:
            raise IntegrityError("the first one fails")
        assert stop.wait(30)

    with pytest.raises(IntegrityError):
        _segments(MADE.data).for_each(SegmentKind.PAYLOAD, range(SEGMENTS), use, threads=2)
    assert sorted(seen) == [0, 1]


def test_a_storage_that_shrank_is_a_storage_error() -> None:
    with pytest.raises(StorageError) as refused:
        _segments(MADE.data[:1000]).for_each(SegmentKind.PAYLOAD, range(SEGMENTS), lambda *_: None, threads=1)
    assert refused.value.code == "storage-short-read"


def test_each_byte_is_read_once() -> None:
    class Counting(Source):
        def __init__(self) -> None:
            self.reads: list[tuple[int, int]] = []

        def _size(self) -> int:
            return len(MADE.data)

        def _read_into(self, offset: int, buffer: memoryview) -> int:
            self.reads.append((offset, len(buffer)))
            buffer[:] = MADE.data[offset : offset + len(buffer)]
            return len(buffer)

    source = Counting()
    index = tail.read_index(source, MADE.statement, tail.read_signed_statement(source))
    source.reads.clear()
    segments = SegmentReader(source, index)
    segments.for_each(SegmentKind.PAYLOAD, range(SEGMENTS), lambda *_: None, threads=2)
    assert sorted(source.reads) == [
        segments.layout.segment_range(SegmentKind.PAYLOAD, n) for n in range(SEGMENTS)
    ]
