"""Writing a package: one pass over the model, a few segments of memory.

    with PackageWriter(sink, name="risk", version=version, owner=owner_id,
                       created_at=now, content_key=key) as writer:
        for name in sorted(files):
            with writer.file(name, size) as file:
                file.write(chunk)                      # as often as it takes
        written = writer.finish(loader=loader, schema=schema, bom=bom, sign=signer(secret))

The sink sees every byte once and needs no seek; what it raises passes through. A
package exists only after ``finish``: until then the sink holds something that no
reader takes for one (spec/package.md).
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol

from strongroom._limits import LIMITS
from strongroom.crypto.digest import sha256
from strongroom.errors import FormatError, StorageUnavailable, UsageError
from strongroom.package import layout
from strongroom.package.contents import Contents, FileEntry, Loader, Schema
from strongroom.package.layout import FileKind, SegmentKind
from strongroom.package.names import Version, verify_file_name
from strongroom.package.pipeline import SegmentPipeline
from strongroom.package.statement import Statement, StatementSigner, sign_statement


class Sink(Protocol):
    """Where a package goes: a binary file opened for writing, or anything like it."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Take all the bytes before returning, or raise: the buffer is used again."""


@dataclass(frozen=True, slots=True)
class Written:
    """A finished package."""

    statement: Statement
    package_digest: str
    file_sha256: str
    """SHA-256 of the whole file in hexadecimal, for the OpenSSF bundle beside it."""
    size: int
    """Bytes of the whole file."""


class FileWriter:
    """Takes the bytes of one file, in order."""

    def __init__(self, name: str, size: int, pipeline: SegmentPipeline) -> None:
        self._name = name
        self._size = size
        self._pipeline = pipeline
        self._written = 0
        self._digest = hashlib.sha256()

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Append bytes to the file; returns how many.

        Raises:
            UsageError: more than the announced size.
        """
        view = memoryview(data).cast("B")
        if len(view) > self._size - self._written:
            raise UsageError(f"{self._name} is longer than announced", code="file-size")
        self._digest.update(view)
        self._pipeline.write(SegmentKind.PAYLOAD, view)
        self._written += len(view)
        return len(view)

    def entry(self) -> FileEntry:
        """Return what the contents say about the finished file.

        Raises:
            UsageError: bytes are missing.
        """
        if self._written != self._size:
            raise UsageError(f"{self._name} is shorter than announced", code="file-size")
        return FileEntry(name=self._name, size=self._size, sha256=self._digest.hexdigest())


class PackageWriter:
    """Writes one package to a sink. Not for use by several threads."""

    def __init__(
        self,
        sink: Sink,
        *,
        name: str,
        version: Version,
        owner: str,
        created_at: datetime,
        content_key: bytes,
        previous: str | None = None,
        parent: str | None = None,
        agreement: str | None = None,
        kind: FileKind = FileKind.PACKAGE,
        package_id: str | None = None,
        threads: int = 2,
    ) -> None:
        """Begin a package.

        ``content_key`` is 32 fresh random bytes that no other package uses;
        ``package_id`` is chosen at random unless given; fractions of a second are dropped.
        A derivation file is ended with ``finish_derived``.

        Raises:
            FormatError: the key, a name, an id or a digest has not the form that the specification asks for.
        """
        # The statement with its last three facts still open: checks all others now.
        self._statement = Statement(
            package_id=package_id or secrets.token_hex(layout.PACKAGE_ID_BYTES),
            name=name,
            version=version,
            owner=owner,
            created_at=created_at.replace(microsecond=0),
            previous=previous,
            parent=parent,
            agreement=agreement,
            payload_bytes=0,
            contents_bytes=1,
            index_sha256=sha256(b"").hex(),
        )
        self._sink = sink
        self._kind = kind
        self._digest = hashlib.sha256()
        self._size = 0
        self._files: list[FileEntry] = []
        self._end = 0
        self._closed = False
        self._pipeline = SegmentPipeline(
            self._emit,
            key=layout.verify_content_key(content_key),
            package_id=bytes.fromhex(self._statement.package_id),
            threads=threads,
        )
        self._emit(kind.header)

    @contextmanager
    def file(self, name: str, size: int) -> Iterator[FileWriter]:
        """Begin the next file; names must ascend. Leaving the block ends it.

        Raises:
            FormatError: a name that a package may not carry, or out of order.
            UsageError: another number of bytes than announced.
        """
        self._require_open()
        verify_file_name(name)
        if self._files and self._files[-1].name >= name:
            raise FormatError("the files of a package are not sorted by name", code="file-order")
        start = layout.align(self._end)
        if not 0 <= size <= LIMITS.max_payload_bytes - start:
            raise FormatError("a file of a package has an impossible size", code="file-size")
        writer = FileWriter(name, size, self._pipeline)
        # Half a file in the stream spoils all that follows: unless this block ends
        # well, the package is closed.
        self._closed = True
        try:
            self._pipeline.write(SegmentKind.PAYLOAD, memoryview(bytes(start - self._end)))
            yield writer
            self._files.append(writer.entry())
            self._end = start + size
            self._closed = False
        finally:
            if self._closed:
                self.close()

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """What the contents will say about the files that are complete."""
        return tuple(self._files)

    def finish(
        self, *, loader: Loader, schema: Schema, bom: dict[str, Any], sign: StatementSigner
    ) -> Written:
        """Write contents, index, statement and trailer; returns what was written.

        Raises:
            FormatError: a rule of the specification is broken: names that clash, a wrong schema.
            VerificationError: the signer signed something else.
        """
        return self._end_with(
            FileKind.PACKAGE, lambda statement: sign_statement(statement, sign), loader, schema, bom
        )

    def finish_derived(
        self, *, loader: Loader, schema: Schema, bom: dict[str, Any], record: Callable[[Statement], bytes]
    ) -> Written:
        """Write contents, index, record and trailer of a derivation file; returns what was written.

        Raises:
            FormatError: a rule of the specification is broken: names that clash, a wrong schema.
        """
        return self._end_with(FileKind.DERIVED, record, loader, schema, bom)

    def _end_with(
        self,
        kind: FileKind,
        tail_of: Callable[[Statement], bytes],
        loader: Loader,
        schema: Schema,
        bom: dict[str, Any],
    ) -> Written:
        self._require_open()
        if kind is not self._kind:
            raise ValueError("a file of one kind is not finished as one of another")
        try:
            said = Contents(format=layout.FORMAT, files=self._files, loader=loader, schema=schema, bom=bom)
            contents = said.to_bytes()
            self._pipeline.end(SegmentKind.PAYLOAD)
            self._pipeline.write(SegmentKind.CONTENTS, memoryview(contents))
            self._pipeline.end(SegmentKind.CONTENTS)
            self._pipeline.drain()
            index = bytes(self._pipeline.digests)
            statement = dataclasses.replace(
                self._statement,
                payload_bytes=self._end,
                contents_bytes=len(contents),
                index_sha256=sha256(index).hex(),
                carries_code=said.carries_code,
            )
            tail = tail_of(statement)
            for piece in (index, tail, layout.trailer_to_bytes(len(tail), kind)):
                self._emit(piece)
        finally:
            self.close()
        return Written(statement, statement.package_digest, self._digest.hexdigest(), self._size)

    def close(self) -> None:
        """End the threads and wipe what plaintext is left. Closing twice is harmless."""
        self._closed = True
        self._pipeline.close()

    def __enter__(self) -> PackageWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _emit(self, data: bytes | memoryview) -> None:
        count = self._sink.write(data)
        if isinstance(count, int) and count != len(data):
            # An unbuffered file on a disk that fills up writes part and says so.
            raise StorageUnavailable("only a part of the package could be written")
        self._digest.update(data)
        self._size += len(data)

    def _require_open(self) -> None:
        if self._closed:
            raise ValueError("the package is finished or abandoned")
