"""Plain files of an owner, opened so that what was checked is what is sealed.

    found = scan(Path("model/"))
    found.files["model.onnx"].chunks()       # raises if the file changed meanwhile
    found.left                               # hidden files, caches, sealed packages

Only regular files are taken. A symbolic link is refused rather than followed: it
would seal what stands elsewhere, and what that is may change between two looks.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from strongroom._limits import LIMITS
from strongroom.errors import FormatError, ObjectNotFound, StorageUnavailable, UsageError
from strongroom.package.names import verify_file_name

CHUNK_BYTES: Final = 1 << 20
_CACHES: Final = frozenset({"__pycache__"})
_SEALED_ENDINGS: Final = (
    ".sealed",
    ".sealed.sig",
    ".derived",
    ".license",
    ".invite",
    ".enrollment",
    ".acceptance",
    ".part",
)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """One regular file, as it was when it was looked at."""

    path: Path
    size: int
    _identity: tuple[int, int, int]

    @classmethod
    def at(cls, path: Path) -> LocalFile:
        """Look at a file.

        Raises:
            ObjectNotFound: there is none.
            UsageError: ``not-a-plain-file``: a symbolic link, a device, a pipe, a socket, a folder.
            StorageUnavailable: it cannot be read.
        """
        try:
            status = path.lstat()
        except FileNotFoundError as error:
            raise ObjectNotFound(f"there is no file {path.name!r}") from error
        except OSError as error:
            raise _unavailable(path, error) from error
        verify_plain(path, status.st_mode)
        return cls(path, status.st_size, _identity_of(status))

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the file, if it is still the one that was looked at.

        Raises:
            UsageError: ``source-changed``.
            StorageUnavailable: it cannot be read.
        """
        try:
            with open(self.path, "rb", opener=_no_link) as file:
                self._verify_same(file)
                yield file
                self._verify_same(file)
        except OSError as error:
            raise _unavailable(self.path, error) from error

    def chunks(self) -> Iterator[bytes]:
        """Yield the content, one MiB at a time.

        Raises:
            UsageError: ``source-changed``.
            StorageUnavailable: it cannot be read.
        """
        with self.open() as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def read(self) -> bytes:
        """Return the whole content.

        Raises:
            UsageError: ``source-changed``.
            StorageUnavailable: it cannot be read.
        """
        with self.open() as file:
            return file.read()

    def _verify_same(self, file: BinaryIO) -> None:
        if _identity_of(os.fstat(file.fileno())) != self._identity:
            raise UsageError(
                f"{self.path.name!r} was changed while it was being sealed",
                code="source-changed",
                hint="nothing was written; try again when nobody writes to it",
            )


@dataclass(frozen=True, slots=True)
class Left:
    """Something that was not taken, and why."""

    name: str
    reason: str


@dataclass(slots=True)
class Scan:
    """What a folder holds."""

    files: dict[str, LocalFile] = field(default_factory=dict)
    """By name inside the package."""
    left: list[Left] = field(default_factory=list)


def scan(folder: Path) -> Scan:
    """Look at everything in a folder.

    Raises:
        UsageError: ``not-a-plain-file``, ``file-name`` or ``file-count``.
        StorageUnavailable: a part of it cannot be read.
    """
    found = Scan()
    _scan_into(found, folder, "")
    return found


def _scan_into(found: Scan, folder: Path, prefix: str) -> None:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise _unavailable(folder, error) from error
    for path in entries:
        name = prefix + _name_in_package(path.name)
        reason = _reason_to_leave(path.name)
        if reason is not None:
            found.left.append(Left(name, reason))
        elif path.is_dir() and not path.is_symlink():
            _scan_into(found, path, f"{name}/")
        else:
            found.files[name] = LocalFile.at(path)
        if len(found.files) > LIMITS.max_files:
            raise UsageError(f"the folder holds more than {LIMITS.max_files} files", code="file-count")


def _reason_to_leave(name: str) -> str | None:
    if name.startswith("."):
        return "hidden"
    if name in _CACHES:
        return "a cache of Python"
    if name.endswith(_SEALED_ENDINGS):
        return "made by strongroom itself"
    return None


def _name_in_package(name: str) -> str:
    normal = unicodedata.normalize("NFC", name)
    try:
        verify_file_name(normal)
    except FormatError as error:
        raise UsageError(
            f"{name!r} cannot be the name of a file in a package: {error}", code="file-name"
        ) from error
    return normal


def verify_plain(path: Path, mode: int) -> None:
    """Check that a file is a regular one.

    Raises:
        UsageError: ``not-a-plain-file``.
    """
    if stat.S_ISREG(mode):
        return
    kinds = {
        stat.S_IFLNK: ("a symbolic link", "copy what it points to in its place: cp -rL"),
        stat.S_IFDIR: ("a folder", "pass a file"),
        stat.S_IFIFO: ("a pipe", None),
        stat.S_IFSOCK: ("a socket", None),
    }
    kind, hint = kinds.get(stat.S_IFMT(mode), ("a device", None))
    raise UsageError(f"{path.name!r} is {kind}, not a plain file", code="not-a-plain-file", hint=hint)


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _identity_of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _unavailable(path: Path, error: OSError) -> StorageUnavailable:
    return StorageUnavailable(f"cannot read {path.name!r}: {error.strerror or type(error).__name__}")
