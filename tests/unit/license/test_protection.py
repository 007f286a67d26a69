"""The level is added up from facts; one that is missing makes it local."""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom.license.protection import SEALED, Fact, counted, lacking, level_of
from strongroom.license.request import Level

SPEC = Path(__file__).parents[3] / "spec" / "license.md"


def test_all_of_them_are_sealed_and_none_is_local() -> None:
    assert level_of(SEALED) is Level.SEALED
    assert level_of(()) is Level.LOCAL
    assert lacking(SEALED) == ()
    assert lacking(()) == tuple(Fact)


@pytest.mark.parametrize("fact", list(Fact))
def test_each_is_needed(fact: Fact) -> None:
    shown = SEALED - {fact}
    assert level_of(shown) is Level.LOCAL
    assert level_of(shown | {"of-a-later-version", fact.upper()}) is Level.LOCAL
    assert lacking(shown) == (fact,)


@pytest.mark.parametrize("said", [Level.SEALED, Level.ATTESTED, Level.HOSTED])
def test_what_is_said_counts_for_what_is_shown(said: Level) -> None:
    assert counted(said, SEALED) is Level.SEALED
    assert counted(said, SEALED - {Fact.HOME}) is Level.LOCAL


def test_who_says_less_gets_no_more() -> None:
    assert counted(Level.LOCAL, SEALED) is Level.LOCAL


def test_the_specification_lists_them() -> None:
    table = SPEC.read_text("utf-8").partition("## Levels and facts")[2].partition("\nThe worker finds")[0]
    rows = [line.split("|")[1].strip(" `") for line in table.splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(Fact)
