"""Encrypting a stream: plaintext in, encrypted segments out, in order, on a few threads.

    pipeline = SegmentPipeline(emit, key=content_key, package_id=package_id, threads=2)
    pipeline.write(SegmentKind.PAYLOAD, data)
    pipeline.end(SegmentKind.PAYLOAD)
    pipeline.drain()
    pipeline.digests                  # one for each segment so far
    pipeline.close()

Memory is bounded by the number of threads, not by the stream: a fixed set of buffers
goes round. Plaintext is wiped as soon as its segment is encrypted, and on every way out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from strongroom.crypto import segment
from strongroom.crypto.digest import blake3_256
from strongroom.package.layout import SEGMENT_BYTES, SegmentKind, segment_context

Emit = Callable[[bytes | memoryview], None]
"""Takes the bytes before it returns: the buffer behind them is used again."""
_ZEROS: Final = bytes(SEGMENT_BYTES)


class _Slot:
    """The buffers of one segment on its way through."""

    def __init__(self) -> None:
        self.plain = bytearray(SEGMENT_BYTES)
        self.filled = 0
        self.encrypted = bytearray(segment.encrypted_size(SEGMENT_BYTES))

    def encrypt(self, key: bytes, context: bytes) -> tuple[memoryview, bytes]:
        """Encrypt what was filled in; returns the segment and its digest."""
        encrypted = memoryview(self.encrypted)[: segment.encrypted_size(self.filled)]
        segment.encrypt_into(key, context, memoryview(self.plain)[: self.filled], encrypted)
        self.wipe()
        return encrypted, blake3_256(encrypted)

    def wipe(self) -> None:
        """Zero the plaintext."""
        self.plain[: self.filled] = _ZEROS[: self.filled]
        self.filled = 0


class SegmentPipeline:
    """Cuts a stream into segments, encrypts them in parallel and emits them in order."""

    def __init__(self, emit: Emit, *, key: bytes, package_id: bytes, threads: int) -> None:
        self.digests = bytearray()
        """Digest of every segment emitted so far, concatenated."""
        self._emit = emit
        self._key = key
        self._package_id = package_id
        self._closed = False
        self._number = 0
        self._slot = _Slot()
        self._free = [_Slot() for _ in range(threads + 1)]
        self._pending: deque[tuple[Future[tuple[memoryview, bytes]], _Slot]] = deque()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="seal")

    def write(self, kind: SegmentKind, data: memoryview) -> None:
        """Append plaintext to the stream of a kind.

        Raises:
            ValueError: the pipeline is closed (a bug of the caller).
        """
        if self._closed:
            raise ValueError("the package is finished or abandoned")
        while data:
            slot = self._slot
            count = min(len(data), SEGMENT_BYTES - slot.filled)
            slot.plain[slot.filled : slot.filled + count] = data[:count]
            slot.filled += count
            data = data[count:]
            if slot.filled == SEGMENT_BYTES:
                self._submit(kind)

    def end(self, kind: SegmentKind) -> None:
        """End the stream of a kind: what is left becomes its last, shorter segment."""
        if self._slot.filled:
            self._submit(kind)
        self._number = 0

    def drain(self) -> None:
        """Wait until every segment so far has been emitted."""
        while self._pending:
            self._emit_oldest()

    def close(self) -> None:
        """End the threads and wipe what plaintext is left. Closing twice is harmless."""
        self._closed = True
        self._pool.shutdown(cancel_futures=True)
        for _, slot in self._pending:
            slot.wipe()
        self._pending.clear()
        self._slot.wipe()

    def _submit(self, kind: SegmentKind) -> None:
        context = segment_context(self._package_id, kind, self._number)
        self._number += 1
        self._pending.append((self._pool.submit(self._slot.encrypt, self._key, context), self._slot))
        if not self._free:
            self._emit_oldest()
        self._slot = self._free.pop()

    def _emit_oldest(self) -> None:
        future, slot = self._pending[0]
        encrypted, digest = future.result()
        self._emit(encrypted)
        self.digests += digest
        self._pending.popleft()
        self._free.append(slot)
