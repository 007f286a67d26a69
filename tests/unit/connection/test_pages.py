"""Lists are read to their end, and those without one are found out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

import pytest

from strongroom.connection import pages
from strongroom.connection.pages import follow
from strongroom.errors import FormatError


@dataclass
class Part:
    next: str | None


class Lists:
    """A broker's list, by what follows each page."""

    def __init__(self, places: Iterable[str | None]) -> None:
        self._places = iter(places)
        self.asked: list[str | None] = []

    def fetch(self, after: str | None) -> Part:
        self.asked.append(after)
        return Part(next(self._places))


def test_a_list_is_read_to_its_end() -> None:
    lists = Lists(["b", "a", None])
    assert [page.next for page in follow(lists.fetch)] == ["b", "a", None]
    assert lists.asked == [None, "b", "a"]


def test_a_list_is_read_from_a_place_on() -> None:
    lists = Lists([None])
    assert len(list(follow(lists.fetch, after="c"))) == 1
    assert lists.asked == ["c"]


@pytest.mark.parametrize(("places", "after"), [(["a", "b", "a"], None), (["a"], "a"), (["a", "a"], None)])
def test_a_list_that_goes_round_has_no_end(places: list[str], after: str | None) -> None:
    lists = Lists(places)
    with pytest.raises(FormatError) as caught:
        list(follow(lists.fetch, after=after))
    assert caught.value.code == "broker-answer"


def test_a_list_that_is_longer_than_any_has_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_MAX_PAGES", 20)
    lists = Lists(str(number) for number in count())
    with pytest.raises(FormatError):
        list(follow(lists.fetch))
    assert len(lists.asked) == 20


def test_a_place_that_is_a_book_is_none() -> None:
    read: list[Part] = []
    with pytest.raises(FormatError):
        read.extend(follow(Lists(["a" * 1001]).fetch))
    assert read == []
