r"""Files that are whole or absent, private from their first byte, and written by one process at a time.

    write_atomic(path, data)                            # old content or new, never half
    with atomic_file(path, mode=PUBLIC_MODE) as sink:   # the same for data that does not fit in memory
        sink.write(chunk)
    data = read_private(path)                           # refuses what others could have read
    with locked(path):                                  # across processes and threads
        ...

Data goes to a temporary file in the same directory, is flushed to the disk, and
takes the final name in one step. A failure removes the temporary file; one that a
killed process left behind is removed by the next write into that directory, which
tells it from a live one by the lock that every writer holds on its own.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from strongroom._limits import LIMITS
from strongroom.errors import (
    FormatError,
    NoMatchingKey,
    ObjectNotFound,
    StorageError,
    StorageUnavailable,
    UsageError,
)

PRIVATE_MODE: Final = 0o600
PUBLIC_MODE: Final = 0o644
FOLDER_MODE: Final = 0o700

LOCK_SECONDS: Final = 60.0
"""How long to wait for a lock that somebody else holds."""
_LOCK_POLL_SECONDS: Final = 0.002
_TEMPORARY_PREFIX: Final = ".strongroom-"
_TEMPORARY_SUFFIX: Final = ".tmp"
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_ABSENT: Final = {errno.ENOENT, errno.ENOTDIR}
_COMPONENT: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")
_MAX_COMPONENT_CHARS: Final = 160


class AtomicFile:
    """What ``atomic_file`` hands out: bytes appended to a file that has no name of its own yet."""

    __slots__ = ("_fd", "_path")

    def __init__(self, fd: int, path: Path) -> None:
        self._fd = fd
        self._path = path

    def fileno(self) -> int:
        """Return the descriptor, for reading back what was written; its owner closes it."""
        return self._fd

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Append all of ``data``; returns its size in bytes.

        Raises:
            StorageUnavailable: the disk is full or does not answer.
        """
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view):
                done += os.write(self._fd, view[done:])
        except OSError as error:
            raise storage_error(error, self._path, "write") from error
        return done


def write_atomic(path: Path, data: bytes, *, mode: int = PRIVATE_MODE, replace: bool = True) -> None:
    """Write a file in one step: readers, and the disk after a crash, see all of it or nothing.

    Raises:
        StorageUnavailable: the disk is full, does not answer, or refuses access.
        UsageError: the file exists and ``replace`` is false (code ``already-exists``).
    """
    with atomic_file(path, mode=mode, replace=replace) as sink:
        sink.write(data)


@contextmanager
def atomic_file(path: Path, *, mode: int = PRIVATE_MODE, replace: bool = True) -> Iterator[AtomicFile]:
    """Open a file for writing that takes its final name only when the block ends without an error.

    Raises:
        StorageUnavailable: the disk is full, does not answer, or refuses access.
        UsageError: the file exists and ``replace`` is false (code ``already-exists``).
    """
    temporary, fd = _open_temporary(path, mode)
    try:
        yield AtomicFile(fd, path)
        _take_name(fd, temporary, path, replace=replace)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        os.close(fd)


def _open_temporary(path: Path, mode: int) -> tuple[Path, int]:
    try:
        _sweep(path.parent)
        while True:
            temporary = path.parent / f"{_TEMPORARY_PREFIX}{secrets.token_hex(8)}{_TEMPORARY_SUFFIX}"
            # The final mode from the first byte on: no moment at which a secret is
            # readable. O_EXCL: nobody can have put a file or a link there.
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(temporary, flags, mode)
            if _hold(fd, temporary):
                return temporary, fd
    except OSError as error:
        raise storage_error(error, path, "write") from error


def _hold(fd: int, temporary: Path) -> bool:
    # The lock tells a sweeping process that the writer lives. One that swept between
    # open and lock has removed the name: the caller starts over.
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:
            return True
    except OSError:
        temporary.unlink(missing_ok=True)
        os.close(fd)
        raise
    os.close(fd)
    return False


def _sweep(folder: Path) -> None:
    for path in folder.iterdir():
        if is_temporary(path.name):
            # Another user's, or gone in the meantime: none of our business.
            with suppress(OSError):
                _remove_if_abandoned(path)


def _remove_if_abandoned(temporary: Path) -> None:
    fd = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        temporary.unlink()
    finally:
        os.close(fd)


def _take_name(fd: int, temporary: Path, path: Path, *, replace: bool) -> None:
    try:
        os.fsync(fd)
        if replace:
            temporary.replace(path)
        else:
            # A rename would overwrite; a link refuses.
            os.link(temporary, path, follow_symlinks=False)
        _flush_folder(path.parent)
    except FileExistsError as error:
        raise UsageError(f"{path} exists already", code="already-exists") from error
    except OSError as error:
        raise storage_error(error, path, "write") from error


def _flush_folder(folder: Path) -> None:
    # A name is data of the folder: without this a power cut may take it back.
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_bytes(path: Path, *, max_bytes: int = LIMITS.max_json_bytes) -> bytes:
    """Read a whole file of at most ``max_bytes``.

    Raises:
        ObjectNotFound: there is no such file.
        StorageUnavailable: it is not a regular file, or cannot be read.
        FormatError: it is larger than ``max_bytes`` (code ``too-large``).
    """
    try:
        # Not blocking, so that a pipe put in a file's place hangs nobody.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise storage_error(error, path, "read") from error
    return _read_descriptor(fd, path, max_bytes)


def read_private(path: Path, *, max_bytes: int = LIMITS.max_key_file_bytes) -> bytes:
    """Read a file that nobody else can have read or written.

    Raises:
        ObjectNotFound: there is no such file.
        NoMatchingKey: others may read it or it belongs to another user (code
            ``key-file-mode``), or it is a symbolic link (code ``key-file-link``).
        StorageUnavailable: it is not a regular file, or cannot be read.
        FormatError: it is larger than ``max_bytes`` (code ``too-large``).
    """
    return _read_descriptor(open_private(path), path, max_bytes)


def open_private(path: Path) -> int:
    """Open a private file for reading; returns a descriptor that the caller closes or passes on.

    Checks and opening concern the same file: what is checked is the descriptor.

    Raises:
        ObjectNotFound: there is no such file.
        NoMatchingKey: others may read it or it belongs to another user (code
            ``key-file-mode``), or it is a symbolic link (code ``key-file-link``).
        StorageUnavailable: it cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NoMatchingKey(
                f"{path} is a symbolic link, and a key file must not be one",
                code="key-file-link",
                hint="put the key file itself in this place",
            ) from error
        raise storage_error(error, path, "read") from error
    try:
        verify_private(os.fstat(fd), path, code="key-file-mode", mode=PRIVATE_MODE)
    except NoMatchingKey:
        os.close(fd)
        raise
    return fd


def verify_private(status: os.stat_result, path: Path, *, code: str, mode: int) -> None:
    """Check that a file or folder belongs to this user and is closed to everybody else.

    Raises:
        NoMatchingKey: it is not (with the given code).
    """
    if status.st_uid != os.geteuid():
        raise NoMatchingKey(
            f"{path} belongs to another user, who could have changed it",
            code=code,
            hint=f"run as the user who owns it, or: chown $(id -u) {path}",
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise NoMatchingKey(
            f"{path} is open to other users (mode {stat.S_IMODE(status.st_mode):04o})",
            code=code,
            hint=f"chmod {mode:o} {path}",
        )


def _read_descriptor(fd: int, path: Path, max_bytes: int) -> bytes:
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise StorageUnavailable(f"{path} is not a regular file", code="not-a-file")
        data = bytearray()
        while len(data) <= max_bytes and (chunk := os.read(fd, max_bytes + 1 - len(data))):
            data += chunk
    except OSError as error:
        raise storage_error(error, path, "read") from error
    finally:
        os.close(fd)
    if len(data) > max_bytes:
        raise FormatError(f"{path} is larger than {max_bytes} bytes", code="too-large")
    return bytes(data)


@contextmanager
def locked(path: Path, *, timeout_seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold an exclusive lock on a lock file, against other processes and other threads.

    The lock ends with the block or with the process, however it dies. It is not
    reentrant. The file stays: removing it would give two holders two files.

    Raises:
        StorageUnavailable: somebody else holds it for too long (code ``locked``), or
            the file cannot be made.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_MODE)
    except OSError as error:
        raise storage_error(error, path, "lock") from error
    try:
        _wait_for_lock(fd, path, time.monotonic() + timeout_seconds)
        yield
    finally:
        os.close(fd)


def _wait_for_lock(fd: int, path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise StorageUnavailable(
                    f"another process holds {path}",
                    code="locked",
                    hint="wait for it to finish, or end it",
                ) from error
            time.sleep(_LOCK_POLL_SECONDS)
        except OSError as error:
            raise storage_error(error, path, "lock") from error
        else:
            return


def remove(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        StorageUnavailable: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageUnavailable(f"{path} cannot be removed: {error.strerror}") from error


def make_folder(path: Path) -> None:
    """Make a folder that only this user can enter; one that exists is left as it is.

    Raises:
        StorageUnavailable: it cannot be made.
    """
    try:
        path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, path, "make") from error


def close_folder(path: Path) -> None:
    """Close an existing folder of this user to others; another user's is left as it is.

    Raises:
        StorageUnavailable: its mode cannot be changed.
    """
    try:
        if path.stat().st_uid == os.geteuid():
            path.chmod(FOLDER_MODE)
    except OSError as error:
        raise storage_error(error, path, "close") from error


def entries_of(folder: Path) -> list[str]:
    """Return the sorted names of all that is in a folder; one that is not there has nothing in it.

    Raises:
        StorageUnavailable: it cannot be read.
    """
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise storage_error(error, folder, "list") from error


def names_in(folder: Path, suffix: str) -> list[str]:
    """Return the sorted names, without ``suffix``, of a folder's entries that end so.

    Raises:
        StorageUnavailable: the folder cannot be read.
    """
    return [
        name.removesuffix(suffix)
        for name in entries_of(folder)
        if name.endswith(suffix) and not name.startswith(".")
    ]


def is_temporary(name: str) -> bool:
    """Say whether a name is that of an unfinished write."""
    return name.startswith(_TEMPORARY_PREFIX) and name.endswith(_TEMPORARY_SUFFIX)


def verify_component(text: str) -> str:
    """Return text that came from a document, if it may be one part of a path in a home.

    Raises:
        FormatError: it could name a place outside its folder (code ``unsafe-name``).
    """
    if len(text) > _MAX_COMPONENT_CHARS or not _COMPONENT.fullmatch(text):
        raise FormatError(
            "a name or id may hold only a-z, 0-9, '.', '_' and '-', and starts with a letter or a digit",
            code="unsafe-name",
        )
    return text


def storage_error(error: OSError, path: Path, act: str) -> StorageError:
    """Translate an error of the operating system into ours; ``act`` is the verb of the message."""
    reason = os.strerror(error.errno).lower() if error.errno else "unknown reason"
    if act == "read" and error.errno in _ABSENT:
        return ObjectNotFound(f"there is no file {path}", hint="check the path")
    if error.errno in _FULL:
        return StorageUnavailable(
            f"cannot {act} {path}: {reason}",
            code="disk-full",
            hint="free some space and try again; nothing was changed",
        )
    return StorageUnavailable(f"cannot {act} {path}: {reason}")
