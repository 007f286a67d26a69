"""Checking the plaintext: does the payload hold the files that the contents describe?

    verify_manifest(package.unlock(content_key))        # raises

Reading needs none of this, because each segment is authenticated. It is for those who
make a package, to see that what they sealed is what comes out, and for those who hand
plaintext out. One pass, one buffer, the plaintext wiped behind it (spec/package.md,
Payload).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from strongroom.errors import FormatError, IntegrityError
from strongroom.package.contents import FileEntry
from strongroom.package.layout import SEGMENT_BYTES
from strongroom.package.open_package import OpenPackage

_BLOCK_SEGMENTS = 4


def verify_manifest(package: OpenPackage, *, progress: Callable[[int], None] | None = None) -> None:
    """Decrypt the whole payload and check the digest of every file and the padding between them.

    Raises:
        IntegrityError: a file is not the one that the contents describe, or the
            payload fails authentication.
        FormatError: the padding between two files is not zero.
        StorageError: the storage does not answer.
    """
    stream = _Stream(package, progress)
    try:
        position = 0
        for file, offset in zip(package.contents.files, package.contents.offsets(), strict=True):
            _verify_padding(stream, offset - position)
            _verify_file(stream, file)
            position = offset + file.size
    finally:
        stream.wipe()


def _verify_padding(stream: _Stream, count: int) -> None:
    padding = bytearray()
    stream.take(count, padding.extend)
    if any(padding):
        raise FormatError("the padding between two files of a package is not zero", code="padding")


def _verify_file(stream: _Stream, file: FileEntry) -> None:
    digest = hashlib.sha256()
    stream.take(file.size, digest.update)
    if digest.hexdigest() != file.sha256:
        raise IntegrityError("a file of a package is not the one that it describes", code="file-digest")


class _Stream:
    """The payload from front to back, decrypted in blocks of whole segments."""

    def __init__(self, package: OpenPackage, progress: Callable[[int], None] | None) -> None:
        self._package = package
        self._progress = progress
        self._left = package.statement.payload_bytes
        self._buffer = memoryview(bytearray(min(self._left, _BLOCK_SEGMENTS * SEGMENT_BYTES)))
        self._block = self._buffer[:0]

    def take(self, count: int, use: Callable[[memoryview], object]) -> None:
        """Hand the next ``count`` bytes on, in pieces."""
        while count:
            if not self._block:
                self._refill()
            piece = self._block[:count]
            use(piece)
            self._block = self._block[len(piece) :]
            count -= len(piece)

    def wipe(self) -> None:
        """Wipe the buffer."""
        self._buffer[:] = bytes(len(self._buffer))

    def _refill(self) -> None:
        offset = self._package.statement.payload_bytes - self._left
        self._block = self._buffer[: min(self._left, len(self._buffer))]
        self._package.payload_into(offset, self._block)
        self._left -= len(self._block)
        if self._progress is not None:
            self._progress(len(self._block))
