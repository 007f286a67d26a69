"""Pages of rows in the order of their ids, some of which the asking one may not see.

    rows, following = page_of(fetch, lambda row: row.license, after="lic-...", count=100, keep=visible)

``following`` is what to ask for next; None: there is no more. It is the last id on the page and
never one that was left out: that one is another's, and its id would tell of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

R = TypeVar("R")

_LEAST_FETCH: Final = 200


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
    # Many at once: most rows may be others'.
    wanted = max(count + 1, _LEAST_FETCH)
    while True:
        rows = fetch(after, wanted)
        for row in rows:
            if not keep(row):
                continue
            if len(found) == count:
                return found, id_of(found[-1])
            found.append(row)
        if len(rows) < wanted:
            return found, None
        after = id_of(rows[-1])
