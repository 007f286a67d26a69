"""Looks into archives and compressed files, in memory, without following what they say about themselves.

    for name, content in members("weights.zip", file):
        ...

What is inside is never written anywhere. Sizes that an archive claims are not
believed: reading stops at a limit, and what lies beyond it makes the archive unreadable
for us, which refuses it.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, cast

_MAX_MEMBERS: Final = 10_000
_MAX_EXPANDED_BYTES: Final = 256 << 20
_CHUNK_BYTES: Final = 1 << 16
_TAR_MAGIC_OFFSET: Final = 257
_ZLIB_HEADERS: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
# Compressed in ways that Python's library does not know.
_CLOSED: Final = {
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"\x04\x22\x4d\x18": "lz4",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
}


# What the readers of Python raise for truncated, encrypted, exotic and hostile archives.
_DAMAGE: Final = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


class Unreadable(Exception):
    """The archive is damaged, encrypted, or larger inside than we look. Never leaves the intake."""


def members(name: str, file: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    """Yield what is inside: names and contents; nothing for a file that is no archive.

    The one thing inside a compressed file has the name "".

    Raises:
        Unreadable: it is an archive, and cannot be read to its end.
    """
    file.seek(0)
    head = file.read(512)
    for magic, kind in _CLOSED.items():
        if head.startswith(magic):
            raise Unreadable(f"it is compressed with {kind}")
    try:
        if zipfile.is_zipfile(file):
            yield from _zip_members(file)
        elif head[_TAR_MAGIC_OFFSET : _TAR_MAGIC_OFFSET + 5] == b"ustar" or name.lower().endswith(".tar"):
            yield from _tar_members(file)
        else:
            yield from _compressed(head, file)
    except _DAMAGE as error:
        raise Unreadable("it is damaged, or made in a way that we cannot read") from error


def _zip_members(file: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    budget = _Budget()
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.is_dir():
                continue
            with archive.open(member) as content:
                yield member.filename, budget.read(cast("BinaryIO", content))


def _tar_members(file: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    budget = _Budget()
    file.seek(0)
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if content is not None:
                yield member.name, budget.read(cast("BinaryIO", content))


def _compressed(head: bytes, file: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    opener = _opener(head)
    if opener is None:
        return
    file.seek(0)
    try:
        content = _Budget().read(opener(file))
    except (zlib.error, lzma.LZMAError, OSError, EOFError):
        if head[:3] == b"\x1f\x8b\x08" or head[:6] == b"\xfd7zXZ\0":
            raise
        # The short marks of zlib and bzip2 occur in other files: it is none of them.
        return
    yield "", content


def _opener(head: bytes) -> Callable[[BinaryIO], BinaryIO] | None:
    if head.startswith(b"\x1f\x8b"):
        return lambda file: cast("BinaryIO", gzip.GzipFile(fileobj=file))
    if head.startswith(b"BZh"):
        return lambda file: cast("BinaryIO", bz2.BZ2File(file))
    if head.startswith((b"\xfd7zXZ\0", b"\x5d\x00\x00")):
        return lambda file: cast("BinaryIO", lzma.LZMAFile(file))
    if head.startswith(_ZLIB_HEADERS):
        return _zlib_file
    return None


def _zlib_file(file: BinaryIO) -> BinaryIO:
    decompressor = zlib.decompressobj()
    content = io.BytesIO()
    while content.tell() <= _MAX_EXPANDED_BYTES and (chunk := file.read(_CHUNK_BYTES)):
        content.write(decompressor.decompress(chunk, _MAX_EXPANDED_BYTES + 1))
        if decompressor.eof:
            break
    content.seek(0)
    return content


class _Budget:
    """How much may be unpacked from one archive."""

    def __init__(self) -> None:
        self._bytes = _MAX_EXPANDED_BYTES
        self._members = _MAX_MEMBERS

    def read(self, content: BinaryIO) -> BinaryIO:
        """Return the content in memory."""
        self._members -= 1
        data = content.read(self._bytes + 1)
        self._bytes -= len(data)
        if self._bytes < 0 or self._members < 0:
            raise Unreadable("it holds more than we look at")
        return io.BytesIO(data)
