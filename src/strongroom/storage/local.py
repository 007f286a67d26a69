"""Local files as a source, read with ``preadv``.

    with LocalSource(Path("risk-1.0.0.sealed")) as source:
        source.read_into(0, buffer)

A mapped file that somebody cuts short kills the process, and its bytes can change
between a check and their use; ``preadv`` copies each byte once, into memory that
is ours.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import TracebackType

from strongroom.errors import ObjectNotFound, StorageError, StorageUnavailable
from strongroom.storage.interface import Source


class LocalSource(Source):
    """An open regular file. The length is that of the moment of opening."""

    def __init__(self, file: Path | int) -> None:
        """Open a path, or take over an open file descriptor (it is closed with the source).

        Raises:
            ObjectNotFound: there is no such file.
            StorageUnavailable: it cannot be opened.
            StorageError: it is not a regular file.
        """
        self._descriptor = file if isinstance(file, int) else _open(file)
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise StorageError("not a regular file", code="not-a-file")
        self._bytes = status.st_size

    def _size(self) -> int:
        return self._bytes

    def _read_into(self, offset: int, buffer: memoryview) -> int:
        return os.preadv(self._descriptor, [buffer], offset)

    def close(self) -> None:
        """Close the file; reading afterwards fails. Closing twice is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> LocalSource:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _open(path: Path) -> int:
    # Without O_NONBLOCK, opening a named pipe would wait for a writer for ever.
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise ObjectNotFound(f"there is no file {path}") from error
    except OSError as error:
        raise StorageUnavailable(f"cannot open {path}: {error.strerror}") from error
