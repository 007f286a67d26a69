"""Fetching segments: read once, check the digest, hand the same bytes on.

    segments = SegmentReader(source, index)
    segments.for_each(SegmentKind.PAYLOAD, range(0, 9), use, threads=2)

``use(number, encrypted)`` gets bytes that the owner signed, in a scratch buffer of
the thread that runs it. Nobody reads a segment twice: between two reads a hostile
storage could answer with two different things.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from strongroom.package.index import Index
from strongroom.package.layout import SegmentKind
from strongroom.storage.interface import Source

Use = Callable[[int, memoryview], None]


class SegmentReader:
    """Reads encrypted segments of one package and checks them against its index."""

    def __init__(self, source: Source, index: Index) -> None:
        self._source = source
        self.index = index
        self.layout = index.layout

    def for_each(self, kind: SegmentKind, numbers: range, use: Use, *, threads: int) -> None:
        """Fetch, check and use each of the segments, in no particular order.

        The first failure stops all threads and is raised; by then ``use`` may have
        seen any of the segments.

        Raises:
            IntegrityError: a segment is not the one that the owner signed.
            StorageError: the storage does not answer.
        """
        workers = min(threads, len(numbers))
        if workers <= 1:
            self._run(kind, numbers, use, Event())
            return
        stop = Event()
        with ThreadPoolExecutor(workers, thread_name_prefix="open") as pool:
            # Each thread takes every n-th segment: neighbours are read at about the
            # same time, and no counter has to be shared.
            shares = [numbers[first::workers] for first in range(workers)]
            futures = [pool.submit(self._run, kind, share, use, stop) for share in shares]
        for future in futures:
            future.result()

    def _run(self, kind: SegmentKind, numbers: range, use: Use, stop: Event) -> None:
        scratch = memoryview(bytearray(self._longest(kind, numbers)))
        complete = False
        try:
            for number in numbers:
                if stop.is_set():
                    break
                offset, length = self.layout.segment_range(kind, number)
                encrypted = scratch[:length]
                self._source.read_into(offset, encrypted)
                self.index.verify_segment(kind, number, encrypted)
                use(number, encrypted)
            complete = True
        finally:
            if not complete:
                stop.set()

    def _longest(self, kind: SegmentKind, numbers: range) -> int:
        # Only the last segment of a kind can be shorter than the others.
        return self.layout.segment_range(kind, numbers[0])[1] if numbers else 0
