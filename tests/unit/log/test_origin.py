from __future__ import annotations

import pytest

from strongroom.errors import FormatError
from strongroom.log.origin import Origin
from tests.unit.log.memory_log import ORIGIN, OWNER


def test_text_and_back() -> None:
    assert ORIGIN.to_text() == str(ORIGIN) == f"{OWNER}/log/1"
    assert Origin.from_text(str(ORIGIN)) == ORIGIN
    assert ORIGIN.following == Origin(OWNER, 2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        OWNER,
        f"{OWNER}/log",
        f"{OWNER}/log/",
        f"{OWNER}/log/0",
        f"{OWNER}/log/01",
        f"{OWNER}/log/1/",
        f"{OWNER}/log/1\n",
        f"{OWNER}/log/1000000000",
        f"{OWNER}/LOG/1",
        f"{OWNER.upper()}/log/1",
        f"own-{'a' * 23}/log/1",
        f"org-{'a' * 24}/log/1",
        "example.com/log/1",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        Origin.from_text(text)


@pytest.mark.parametrize("number", [0, -1, 1_000_000_000])
def test_impossible_numbers_are_refused(number: int) -> None:
    with pytest.raises(FormatError) as caught:
        Origin(OWNER, number)
    assert caught.value.code == "log-origin"
