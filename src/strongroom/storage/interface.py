"""The storage seam: read-only bytes with positional access.

    class MySource(Source):
        def _size(self) -> int: ...
        def _read_into(self, offset: int, buffer: memoryview) -> int: ...

    source.read_into(4096, buffer)       # fills the whole buffer, or raises

An adapter implements the two private methods; the public ones live here, check
the range, repeat short reads and turn whatever the technology raises into a
``StorageError``. Reads name their position and share no cursor, so one source
may serve many threads; an adapter must keep that promise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ParamSpec

from strongroom.errors import StorageError, StorageUnavailable

P = ParamSpec("P")


class Source(ABC):
    """Bytes of a fixed length that can be read at any offset by several threads."""

    def size(self) -> int:
        """Return the length in bytes.

        Raises:
            StorageError: the storage does not answer.
        """
        return _ask(self._size)

    def read_into(self, offset: int, buffer: bytearray | memoryview) -> None:
        """Fill ``buffer`` with the bytes that start at ``offset``.

        On failure the buffer may hold some of them; the caller owns it.

        Raises:
            StorageError: the storage does not answer, or ends before the buffer is full.
            ValueError: a negative offset (a bug of the caller).
        """
        if offset < 0:
            raise ValueError("an offset cannot be negative")
        view = memoryview(buffer)
        filled = 0
        while filled < len(view):
            count = _ask(self._read_into, offset + filled, view[filled:])
            if not 0 < count <= len(view) - filled:
                # The length was known before: somebody cut the object meanwhile.
                raise StorageError("the storage ended in the middle of a read", code="storage-short-read")
            filled += count

    @abstractmethod
    def _size(self) -> int:
        """Return the length in bytes."""

    @abstractmethod
    def _read_into(self, offset: int, buffer: memoryview) -> int:
        """Read at ``offset`` into the start of ``buffer``; return how much, 0 at the end.

        May read less than the buffer holds.
        """


def _ask(call: Callable[P, int], /, *args: P.args, **kwargs: P.kwargs) -> int:
    try:
        return call(*args, **kwargs)
    except StorageError:
        raise
    except Exception as error:
        # Every technology has errors of its own; one kind leaves this seam.
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise StorageUnavailable(f"the storage does not answer: {reason}") from error
