from __future__ import annotations

import pytest

from strongroom.errors import FormatError, UsageError
from strongroom.keys.name import verify_chosen_name, verify_name


@pytest.mark.parametrize("name", ["a", "7", "hospital", "st-georg.north_2", "a" * 64])
def test_a_good_name(name: str) -> None:
    verify_name(name)
    verify_chosen_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a" * 65,
        "Hospital",
        "a b",
        "-a",
        "a-",
        ".",
        "..",
        "../a",
        "a/b",
        "a\n",
        "é",
        "\u0430",
        "a\x1b[31m",
        "a\0",
    ],
)
def test_a_bad_name(name: str) -> None:
    with pytest.raises(FormatError) as foreign:
        verify_name(name)
    with pytest.raises(UsageError) as chosen:
        verify_chosen_name(name)
    assert foreign.value.code == chosen.value.code == "name"
    assert chosen.value.hint
