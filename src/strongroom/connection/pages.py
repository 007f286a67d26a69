"""Lists of a broker, page after page, and the end of those that have none.

    for page in follow(lambda after: client.licenses(after=after)):
        page.licenses

A broker says itself whether another page follows. One that says so for ever, out of malice or by a
mistake, is found out: by a place that was given before, or by a length that no list has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol, TypeVar

from strongroom.errors import FormatError

_MAX_PAGES: Final = 100_000
"""Ten million objects."""
_MAX_PLACE_CHARS: Final = 1000


class Page(Protocol):
    """A part of a list."""

    @property
    def next(self) -> str | None:
        """What to give as ``after`` for the next page; None: this was the last."""
        ...


P = TypeVar("P", bound=Page)


def follow(fetch: Callable[[str | None], P], *, after: str | None = None) -> Iterator[P]:
    """Yield every page of a list.

    Args:
        fetch: Asks for the page after a place.
        after: Where to begin; None: at the first.

    Raises:
        FormatError: the list does not end, or a place in it is none (code ``broker-answer``).
        Error: whatever ``fetch`` raises.
    """
    seen = {after}
    for _ in range(_MAX_PAGES):
        page = fetch(after)
        after = page.next
        if after is not None and len(after) > _MAX_PLACE_CHARS:
            # Before anybody keeps it.
            raise FormatError("a place in a list of the broker is none", code="broker-answer")
        yield page
        if after is None:
            return
        if after in seen:
            break
        seen.add(after)
    raise FormatError("a list of the broker does not end", code="broker-answer")
