from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from strongroom._limits import LIMITS
from strongroom.broker.services.paging import page_of


def fetch_from(rows: list[str]) -> Callable[[str, int], list[str]]:
    return lambda after, limit: [row for row in sorted(rows) if row > after][:limit]


@given(
    st.lists(st.text("ab", min_size=1, max_size=6), unique=True, max_size=60),
    st.integers(1, 7),
    st.sets(st.text("ab", min_size=1, max_size=6)),
)
def test_pages_together_are_everything_once_in_order(rows: list[str], count: int, hidden: set[str]) -> None:
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        page, after = page_of(
            fetch_from(rows),
            lambda row: row,
            str,
            after=after,
            count=count,
            keep=lambda row: row not in hidden,
        )
        assert len(page) <= count
        assert after is None or after == page[-1]
        seen.extend(page)
    assert seen == sorted(set(rows) - hidden)


def test_a_search_for_little_among_much_finds_it_and_names_nothing_else() -> None:
    rows = [f"{number:04d}" for number in range(1000)]
    for at_a_time in (None, 16):
        page = page_of(
            fetch_from(rows),
            str,
            str,
            after="",
            count=1,
            keep=lambda row: row in {"0999", "0998"},
            at_a_time=at_a_time,
        )
        assert page == (("0998",), "0998")
    assert page_of(fetch_from(rows), str, str, after="", count=1, keep=lambda row: False) == ((), None)


def test_a_page_ends_by_its_bytes_too() -> None:
    rows = list("abcde")

    def answer(row: str) -> str:
        # One of them is more than a page by itself.
        return row * (LIMITS.max_page_bytes // (1 if row == "c" else 3))

    pages: list[list[str]] = []
    after: str | None = ""
    while after is not None:
        page, after = page_of(fetch_from(rows), str, answer, after=after, count=9)
        pages.append([each[0] for each in page])
    assert pages == [["a", "b"], ["c"], ["d", "e"]]
