from __future__ import annotations

import threading

import pytest

from strongroom.crypto import segment
from strongroom.crypto.digest import blake3_256
from strongroom.package.layout import SEGMENT_BYTES, SegmentKind, segment_context
from strongroom.package.pipeline import Emit, SegmentPipeline
from tests.unit.package.making import CONTENT_KEY, noise

PACKAGE_ID = bytes(16)


class Collector:
    """Keeps what the pipeline emits."""

    def __init__(self) -> None:
        self.segments: list[bytes] = []

    def __call__(self, data: bytes | memoryview) -> None:
        self.segments.append(bytes(data))


def _pipeline(emit: Emit) -> SegmentPipeline:
    return SegmentPipeline(emit, key=CONTENT_KEY, package_id=PACKAGE_ID, threads=2)


def _open(kind: SegmentKind, number: int, encrypted: bytes, size: int) -> bytes:
    out = bytearray(size)
    segment.decrypt_into(CONTENT_KEY, segment_context(PACKAGE_ID, kind, number), encrypted, out)
    return bytes(out)


def test_segments_come_out_in_order_with_their_digests() -> None:
    out = Collector()
    pipeline = _pipeline(out)
    data = noise(9 * SEGMENT_BYTES + 17)
    pipeline.write(SegmentKind.PAYLOAD, memoryview(data))
    pipeline.end(SegmentKind.PAYLOAD)
    pipeline.write(SegmentKind.CONTENTS, memoryview(b"contents"))
    pipeline.end(SegmentKind.CONTENTS)
    pipeline.drain()
    pipeline.close()
    assert pipeline.digests == b"".join(blake3_256(item) for item in out.segments)
    plain = [_open(SegmentKind.PAYLOAD, n, out.segments[n], SEGMENT_BYTES) for n in range(9)]
    plain.append(_open(SegmentKind.PAYLOAD, 9, out.segments[9], 17))
    assert b"".join(plain) == data
    assert _open(SegmentKind.CONTENTS, 0, out.segments[10], 8) == b"contents"


def test_an_empty_stream_has_no_segments() -> None:
    out = Collector()
    pipeline = _pipeline(out)
    pipeline.end(SegmentKind.PAYLOAD)
    pipeline.drain()
    pipeline.close()
    assert out.segments == []


def test_closing_wipes_what_was_not_sealed_yet() -> None:
    pipeline = _pipeline(Collector())
    pipeline.write(SegmentKind.PAYLOAD, memoryview(b"secret"))
    slot = pipeline._slot
    assert slot.plain.startswith(b"secret")
    pipeline.close()
    pipeline.close()
    assert not any(slot.plain)


def test_a_closed_pipeline_takes_no_plaintext() -> None:
    pipeline = _pipeline(Collector())
    pipeline.close()
    with pytest.raises(ValueError, match="finished or abandoned"):
        pipeline.write(SegmentKind.PAYLOAD, memoryview(b"secret"))


def test_closing_wipes_segments_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, started = threading.Event(), threading.Event()
    encrypt = segment.encrypt_into

    def slowly(*arguments: object) -> None:
        started.set()
        assert gate.wait(30)
        encrypt(*arguments)  # type: ignore[arg-type] # passed through

    monkeypatch.setattr(segment, "encrypt_into", slowly)
    pipeline = SegmentPipeline(Collector(), key=CONTENT_KEY, package_id=PACKAGE_ID, threads=1)
    pipeline.write(SegmentKind.PAYLOAD, memoryview(b"s" * (2 * SEGMENT_BYTES)))
    slots = [slot for _, slot in pipeline._pending]
    assert len(slots) == 2
    assert started.wait(30)
    closing = threading.Thread(target=pipeline.close)
    closing.start()
    gate.set()
    closing.join(30)
    assert not any(any(slot.plain) for slot in slots)


def test_an_error_while_encrypting_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(segment, "encrypt_into", fail)
    pipeline = _pipeline(Collector())
    pipeline.write(SegmentKind.PAYLOAD, memoryview(b"secret"))
    pipeline.end(SegmentKind.PAYLOAD)
    slot = pipeline._pending[0][1]
    with pytest.raises(MemoryError):
        pipeline.drain()
    pipeline.close()
    assert not any(slot.plain)
