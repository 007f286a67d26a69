"""Pages of rows in the order of their ids, some of which the asking one may not see.

    rows, following = page_of(fetch, lambda row: row.license, after="lic-...", count=100, keep=visible)

``following`` is what to ask for next; None: there is no more. A page can be short and still name
a next one: what is left out is looked at as well, and an answer must not take for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

R = TypeVar("R")

_ROUNDS: Final = 10


def page_of(
    fetch: Callable[[str, int], list[R]],
    id_of: Callable[[R], str],
    *,
    after: str,
    count: int,
    keep: Callable[[R], bool] = lambda row: True,
) -> tuple[list[R], str | None]:
    """Return a page, and what to give as ``after`` for the next one.

    Args:
        fetch: Returns at most so many rows whose ids are above the one given.
        id_of: The id of a row.
        after: Where to begin.
        count: The most rows to return.
        keep: Whether a row belongs on the page.
    """
    found: list[R] = []
    for _ in range(_ROUNDS):
        rows = fetch(after, count + 1)
        for row in rows:
            if not keep(row):
                continue
            if len(found) == count:
                return found, id_of(found[-1])
            found.append(row)
        if len(rows) <= count:
            return found, None
        after = id_of(rows[-1])
    return found, after
