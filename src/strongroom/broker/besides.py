"""What happens besides in the transaction of an act, for whoever had a service do it.

    def keep(act: Act, do: Callable[[Act], T]) -> T: ...    # calls ``do(act)``, and may note what came of it

    with besides(keep):
        partners.suspend(admin, organization, ask)          # its act is ``keep(act, do)``

No service knows of it. It goes along into the threads that the caller has work for it, and
concerns what is handed to ``Ledger.act`` until the block ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Final, Protocol, TypeVar

from strongroom.broker.act import Act

T = TypeVar("T")


class Around(Protocol):
    """Does an act, and something besides."""

    def __call__(self, act: Act, do: Callable[[Act], T]) -> T:
        """Do it; returns what it returns."""
        ...


_AROUND: Final[ContextVar[Around | None]] = ContextVar("strongroom-around-act", default=None)


@contextmanager
def besides(around: Around) -> Iterator[None]:
    """Have every act of this block done this way."""
    token = _AROUND.set(around)
    try:
        yield
    finally:
        _AROUND.reset(token)


def surrounded(do: Callable[[Act], T]) -> Callable[[Act], T]:
    """Return what the ledger shall do where a service asks it for ``do``."""
    around = _AROUND.get()
    return do if around is None else partial(around, do=do)
