from __future__ import annotations

import pytest

from strongroom.broker.settings import Settings
from strongroom.errors import UsageError


@pytest.mark.parametrize(
    "wrong", [{"lease_seconds": 9}, {"lease_seconds": 86_401}, {"page_limit": 0}, {"page_limit": 1001}]
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError) as caught:
        Settings(**wrong)  # type: ignore[arg-type] # mypy takes every member for each type
    assert caught.value.code == "settings"


def test_a_page_is_bounded() -> None:
    settings = Settings(page_limit=10)
    assert [settings.page(limit) for limit in (1, 10, 11, 10**9)] == [1, 10, 10, 10]
    with pytest.raises(UsageError) as caught:
        settings.page(0)
    assert caught.value.code == "page-limit"
