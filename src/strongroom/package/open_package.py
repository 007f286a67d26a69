"""An unlocked package: its contents, and its files into the caller's buffers.

    model.contents.loader.name
    model.read("model.onnx")                            # a new bytearray
    model.read_into("big.bin", buffer)                  # straight into yours
    model.read_range("big.bin", 4096, 512)

Whole segments are decrypted in place; the first and the last of a range pass through
a scratch buffer, which is wiped. Nothing is returned from a read that failed, and the
caller's buffer is wiped. Reads share no state: one open package may serve many threads.
"""

from __future__ import annotations

from types import MappingProxyType

from strongroom.crypto import segment
from strongroom.errors import FormatError, IntegrityError, NoMatchingKey, ObjectNotFound, UsageError
from strongroom.package.contents import Contents, FileEntry
from strongroom.package.layout import SEGMENT_BYTES, SegmentKind, segment_context, verify_content_key
from strongroom.package.segment_reader import SegmentReader
from strongroom.package.statement import Statement


class OpenPackage:
    """Made by ``PackageReader.unlock``. Holds the content key; its repr shows nothing."""

    def __init__(
        self, segments: SegmentReader, statement: Statement, content_key: bytes, *, threads: int
    ) -> None:
        self.statement = statement
        self._segments = segments
        self._package_id = bytes.fromhex(statement.package_id)
        self._key = verify_content_key(content_key)
        self._threads = threads
        self.contents = self._read_contents()
        """What the package says about its files."""
        self._files = MappingProxyType(
            {
                file.name: (offset, file)
                for file, offset in zip(self.contents.files, self.contents.offsets(), strict=True)
            }
        )

    def file(self, name: str) -> FileEntry:
        """Return what the contents say about one file.

        Raises:
            ObjectNotFound: the package has no such file.
        """
        return self._find(name)[1]

    def read(self, name: str) -> bytearray:
        """Decrypt one file into a new buffer.

        Raises:
            ObjectNotFound: the package has no such file.
            IntegrityError: the bytes are not what the owner signed.
            StorageError: the storage does not answer.
        """
        return self.read_range(name, 0, self.file(name).size)

    def read_into(self, name: str, buffer: bytearray | memoryview) -> None:
        """Decrypt one file into a buffer of exactly its size.

        Raises:
            ObjectNotFound: the package has no such file.
            UsageError: the buffer has another size.
            IntegrityError: the bytes are not what the owner signed; the buffer is wiped.
            StorageError: the storage does not answer; the buffer is wiped.
        """
        offset, file = self._find(name)
        view = memoryview(buffer).cast("B")
        if len(view) != file.size:
            raise UsageError("a buffer does not have the size of the file", code="buffer-size")
        self._decrypt(SegmentKind.PAYLOAD, offset, view)

    def read_range(self, name: str, offset: int, length: int) -> bytearray:
        """Decrypt ``length`` bytes of a file from ``offset`` on.

        Raises:
            ObjectNotFound: the package has no such file.
            UsageError: the range is not inside the file.
            IntegrityError: the bytes are not what the owner signed.
            StorageError: the storage does not answer.
        """
        start, file = self._find(name)
        if offset < 0 or length < 0 or offset + length > file.size:
            raise UsageError("a range is not inside the file", code="range")
        buffer = bytearray(length)
        self._decrypt(SegmentKind.PAYLOAD, start + offset, memoryview(buffer))
        return buffer

    def payload_into(self, offset: int, buffer: bytearray | memoryview) -> None:
        """Decrypt a range of the payload stream itself: files and the padding between them.

        Raises:
            UsageError: the range is not inside the payload.
            IntegrityError: the bytes are not what the owner signed; the buffer is wiped.
            StorageError: the storage does not answer; the buffer is wiped.
        """
        view = memoryview(buffer).cast("B")
        if offset < 0 or offset + len(view) > self.statement.payload_bytes:
            raise UsageError("a range is not inside the payload", code="range")
        self._decrypt(SegmentKind.PAYLOAD, offset, view)

    def _find(self, name: str) -> tuple[int, FileEntry]:
        try:
            return self._files[name]
        except KeyError as error:
            raise ObjectNotFound("the package has no such file", code="no-such-file") from error

    def _read_contents(self) -> Contents:
        data = bytearray(self.statement.contents_bytes)
        try:
            self._decrypt(SegmentKind.CONTENTS, 0, memoryview(data))
        except IntegrityError as error:
            if error.code != "segment-tag":
                raise
            # The digests matched, so these are the owner's bytes: the key is wrong.
            raise NoMatchingKey("this content key does not open the package", code="content-key") from error
        contents = Contents.from_bytes(bytes(data))
        if contents.payload_bytes() != self.statement.payload_bytes:
            raise FormatError("the files of a package do not fill its payload", code="payload-size")
        if contents.carries_code is not self.statement.carries_code:
            # The partner decides by the statement whether code of the owner may run.
            raise FormatError(
                "a package does not say in public whether it carries code", code="code-undeclared"
            )
        return contents

    def _decrypt(self, kind: SegmentKind, start: int, out: memoryview) -> None:
        if not out:
            return
        end = start + len(out)
        numbers = range(start // SEGMENT_BYTES, (end - 1) // SEGMENT_BYTES + 1)

        def use(number: int, encrypted: memoryview) -> None:
            begin = number * SEGMENT_BYTES
            size = self._segments.layout.segment_plain_bytes(kind, number)
            context = segment_context(self._package_id, kind, number)
            if start <= begin and begin + size <= end:
                segment.decrypt_into(self._key, context, encrypted, out[begin - start :][:size])
                return
            scratch = bytearray(size)
            segment.decrypt_into(self._key, context, encrypted, scratch)
            low, high = max(start, begin), min(end, begin + size)
            out[low - start : high - start] = scratch[low - begin : high - begin]
            scratch[:] = bytes(size)

        complete = False
        try:
            self._segments.for_each(kind, numbers, use, threads=self._threads)
            complete = True
        finally:
            if not complete:
                # Segments that passed stand beside one that did not: give out none.
                out[:] = bytes(len(out))
