"""Turns: threads that compute go one after the other, for as long as that is quick.

    with turn.take():
        ...                     # much Python and no long wait

Python runs one thread at a time. Many that want it at once take it from one another at every call
that lets go of it, and a lease has a hundred of those: with eight clients that cost a third of
all CPU. A turn is a courtesy and protects nothing. Whoever cannot have it within a moment, because
a database or a token answers slowly to the one before, goes on without.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_PATIENCE: Final = 0.2
"""Seconds: some hundred leases' worth of computing."""


class Turn:
    """Whose turn it is. Safe to share between threads; not reentrant."""

    __slots__ = ("_lock", "_patience")

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._lock = threading.Lock()
        self._patience = patience

    @contextmanager
    def take(self) -> Iterator[bool]:
        """Compute alone, or after a moment of waiting beside others; yields whether alone."""
        alone = self._lock.acquire(timeout=self._patience)
        try:
            yield alone
        finally:
            if alone:
                self._lock.release()
