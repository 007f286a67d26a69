"""Pages of answers in the order of their ids, some of which the asking one may not see.

    answers, following = page_of(fetch, id_of, answer, after="lic-...", count=100, keep=visible)

``following`` is what to ask for next; None: there is no more. It is the last id on the page and
never one that was left out: that one is another's, and its id would tell of it. A page ends by
its bytes as well: what one party puts into an answer must not make everybody's list unreadable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import msgspec

from strongroom._limits import LIMITS

R = TypeVar("R")
A = TypeVar("A")

_LEAST_FETCH: Final = 200


def page_of(
    fetch: Callable[[str, int], list[R]],
    id_of: Callable[[R], str],
    answer: Callable[[R], A],
    *,
    after: str,
    count: int,
    keep: Callable[[R], bool] = lambda row: True,
    at_a_time: int | None = None,
) -> tuple[tuple[A, ...], str | None]:
    """Return a page, and what to give as ``after`` for the next one.

    Args:
        fetch: Returns at most so many rows whose ids are above the one given.
        id_of: The id of a row.
        answer: What the page says of a row. A page has one in any case, and no more than fit into
            ``LIMITS.max_page_bytes``.
        after: Where to begin.
        count: The most answers to return.
        keep: Whether a row belongs on the page.
        at_a_time: How many rows to fetch at once; many, unless rows are large: most may be others'.
    """
    found: list[A] = []
    last = after
    size = 0
    wanted = at_a_time or max(count + 1, _LEAST_FETCH)
    while True:
        rows = fetch(after, wanted)
        for row in rows:
            if not keep(row):
                continue
            if len(found) == count:
                return tuple(found), last
            said = answer(row)
            size += len(msgspec.json.encode(said))
            if found and size > LIMITS.max_page_bytes:
                return tuple(found), last
            found.append(said)
            last = id_of(row)
        if len(rows) < wanted:
            return tuple(found), None
        after = id_of(rows[-1])


def some_of(rows: Iterable[R], id_of: Callable[[R], str], after: str, limit: int) -> list[R]:
    """Return at most so many of the few rows of one party whose ids are above the one given."""
    return [row for row in sorted(rows, key=id_of) if id_of(row) > after][:limit]
