"""Bytes in memory as a source: for what arrived over a pipe, and for tests.

source = MemorySource(data)
"""

from __future__ import annotations

from strongroom.storage.interface import Source


class MemorySource(Source):
    """A source over bytes that the caller does not change any more."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = memoryview(data).toreadonly()

    def _size(self) -> int:
        return len(self._data)

    def _read_into(self, offset: int, buffer: memoryview) -> int:
        piece = self._data[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        return len(piece)
