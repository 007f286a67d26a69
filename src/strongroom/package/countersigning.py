"""Countersigning: from a derivation file to a package, with the segments as they are.

    reader = PackageReader.open_derived(source, statement, record, package_digest=digest)
    reader.unlock(content_key)                                # whoever signs has looked inside
    written = write_countersigned(reader, sink, signer(secret))

Nothing is encrypted again, so that the package digest is the one that the partner signed
(spec/package.md, Derived packages). Whether the owner wants to sign is decided elsewhere.
"""

from __future__ import annotations

import hashlib

from strongroom.errors import StorageUnavailable
from strongroom.package import layout
from strongroom.package.layout import FileKind
from strongroom.package.reader import PackageReader
from strongroom.package.statement import StatementSigner, sign_statement
from strongroom.package.writer import Sink, Written


def write_countersigned(reader: PackageReader, sink: Sink, sign: StatementSigner) -> Written:
    """Write the package that a checked derivation file becomes.

    Every segment is checked against the index on the same bytes that are written: the file
    may have changed since somebody looked inside.

    Raises:
        IntegrityError: a segment is not the one that the partner signed.
        VerificationError: the signer signed something else.
        FormatError: the envelope is too large, or has not exactly one signature.
        StorageError: the storage does not answer.
    """
    digest, size = hashlib.sha256(), 0

    def emit(data: bytes | memoryview) -> None:
        nonlocal size
        count = sink.write(data)
        if isinstance(count, int) and count != len(data):
            raise StorageUnavailable("only a part of the package could be written")
        digest.update(data)
        size += len(data)

    emit(FileKind.PACKAGE.header)
    reader.copy_segments(emit)
    signed = sign_statement(reader.statement, sign)
    for piece in (reader.index.to_bytes(), signed, layout.trailer_to_bytes(len(signed))):
        emit(piece)
    return Written(reader.statement, reader.statement.package_digest, digest.hexdigest(), size)
