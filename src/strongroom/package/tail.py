"""The public end of a package: trailer, signed statement, index (spec/package.md, Reading).

A derivation file has the same layout, with a record where a package has its signed statement.

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
from strongroom.package.layout import FileKind
from strongroom.package.statement import Statement
from strongroom.storage.interface import Source


def read_signed_statement(source: Source) -> bytes:
    """Return the signed statement as it stands in the file, unchecked.

    Raises:
        FormatError: no package, another format version, or cut short.
        StorageError: the storage does not answer.
    """
    _verify_header(_head(source))
    return _read_tail(source, FileKind.PACKAGE)


def read_derivation_record(source: Source) -> bytes:
    """Return the record of a derivation file as it stands in the file, unchecked.

    Raises:
        FormatError: no derivation file, another format version, or cut short.
        StorageError: the storage does not answer.
    """
    if _head(source) != FileKind.DERIVED.header:
        raise FormatError(
            "not a derivation file of this format version",
            code="not-a-derivation",
            hint="only what `strongroom derive` made can be countersigned",
        )
    return _read_tail(source, FileKind.DERIVED)


def _head(source: Source) -> bytes:
    return _read(source, 0, min(source.size(), len(layout.HEADER)))


def _read_tail(source: Source, kind: FileKind) -> bytes:
    size, least = source.size(), len(layout.HEADER) + layout.TRAILER_BYTES
    if size < least:
        raise FormatError(f"a {kind} file is cut short", code="truncated")
    trailer = _read(source, size - layout.TRAILER_BYTES, layout.TRAILER_BYTES)
    tail_bytes = layout.trailer_from_bytes(trailer, kind)
    if tail_bytes > size - least:
        raise FormatError(f"a {kind} file is cut short", code="truncated")
    return _read(source, size - layout.TRAILER_BYTES - tail_bytes, tail_bytes)


def _verify_header(data: bytes) -> None:
    if data.startswith(layout.DERIVED_START):
        raise FormatError(
            "this is a derived model that its owner has not countersigned",
            code="not-countersigned",
            hint="send it to the owner: strongroom countersign FILE",
        )
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

    ``signed`` is what stands between index and trailer.

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
