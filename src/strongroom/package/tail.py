"""The public end of a package: trailer, signed statement, index (spec/package.md, Reading).

    signed = read_signed_statement(source)              # bounded, trusts nothing
    statement = verify_statement(signed, keys, owner=owner)
    index = read_index(source, statement, signed)       # sizes now come from the owner

Before the signature has been checked nothing is read that is larger than a fixed
limit; after it every size follows from the statement and must fit the file exactly.
"""

from __future__ import annotations

from strongroom.crypto.digest import sha256
from strongroom.errors import FormatError, IntegrityError, UnsupportedError
from strongroom.package import layout
from strongroom.package.index import Index
from strongroom.package.statement import Statement
from strongroom.storage.interface import Source


def read_signed_statement(source: Source) -> bytes:
    """Return the signed statement as it stands in the file, unchecked.

    Raises:
        FormatError: no package, another format version, or cut short.
        StorageError: the storage does not answer.
    """
    size = source.size()
    _verify_header(_read(source, 0, min(size, len(layout.HEADER))))
    least = len(layout.HEADER) + layout.TRAILER_BYTES
    if size < least:
        raise FormatError("a package is cut short", code="truncated")
    statement_bytes = layout.trailer_from_bytes(
        _read(source, size - layout.TRAILER_BYTES, layout.TRAILER_BYTES)
    )
    if statement_bytes > size - least:
        raise FormatError("a package is cut short", code="truncated")
    return _read(source, size - layout.TRAILER_BYTES - statement_bytes, statement_bytes)


def _verify_header(data: bytes) -> None:
    if not data.startswith(layout.HEADER_START):
        raise FormatError(
            "not a sealed package",
            code="not-a-package",
            hint="only what `strongroom seal` made can be opened",
        )
    if data != layout.HEADER:
        raise FormatError(
            "a sealed package of another format version", code="unknown-format", hint="try a newer Strongroom"
        )


def read_index(source: Source, statement: Statement, signed: bytes) -> Index:
    """Check the length of the file and return the index that the statement names.

    Raises:
        FormatError: the file is longer or shorter than its statement says.
        IntegrityError: the index is not the one that was signed.
        UnsupportedError: the package has marked segments.
        StorageError: the storage does not answer.
    """
    if statement.marked:
        raise UnsupportedError("a package with marked segments needs a later version", code="marked-segments")
    places = statement.layout
    if source.size() != places.file_bytes(len(signed)):
        raise FormatError("a package has another length than its statement says", code="package-size")
    data = _read(source, places.index_offset, places.index_bytes)
    if sha256(data).hex() != statement.index_sha256:
        raise IntegrityError("the index is not the one that the owner signed", code="index-digest")
    return Index.from_bytes(data, places)


def _read(source: Source, offset: int, length: int) -> bytes:
    buffer = bytearray(length)
    source.read_into(offset, buffer)
    return bytes(buffer)
