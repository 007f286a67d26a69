from __future__ import annotations

import pytest

from strongroom.storage.memory import MemorySource


@pytest.mark.parametrize("data", [b"abc", bytearray(b"abc"), memoryview(b"xabcx")[1:4]])
def test_any_buffer(data: bytes | bytearray | memoryview) -> None:
    source = MemorySource(data)
    buffer = bytearray(2)
    source.read_into(1, buffer)
    assert (source.size(), bytes(buffer)) == (3, b"bc")
