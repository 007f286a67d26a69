"""Facts from a worker's report and an account's traits, and what a refusal says of those that are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom.errors import LicenseDenied
from strongroom.hardening.account import Seen, Trait
from strongroom.hardening.report import Measure, Outcome, Report
from strongroom.license.protection import Fact
from strongroom.license.request import Level
from strongroom.runtime.level import Reached, explaining, fact_of, foresee, foresee_here, reached, try_here

CONFINED = Report(tuple(Outcome(measure, True, "held") for measure in Measure))
SERVICE = [Seen(trait, True, "so it is") for trait in Trait]


def test_each_measure_and_trait_is_one_fact() -> None:
    assert sorted(fact_of(each) for each in (*Measure, *Trait)) == sorted(Fact)


def test_everything_is_sealed() -> None:
    found = reached(CONFINED, SERVICE)
    assert (found.level, found.missing) == (Level.SEALED, ())
    assert list(found.facts) == sorted(Fact)
    assert found.details[Fact.HOME] == "so it is"


@pytest.mark.parametrize("lacks", [*Measure, *Trait])
def test_one_that_does_not_hold_or_was_not_found_is_local_and_named(lacks: Measure | Trait) -> None:
    for seen in (True, False):
        outcomes = [Outcome(each, each is not lacks, "no") for each in Measure if seen or each is not lacks]
        traits = [Seen(each, each is not lacks, "no") for each in Trait if seen or each is not lacks]
        found = reached(Report(tuple(outcomes)), traits)
        assert found.level is Level.LOCAL
        (missing,) = found.missing
        assert missing.fact is fact_of(lacks)
        assert missing.reason == ("no" if seen else "nobody has found out")
        assert missing.remedy


def test_for_what_was_not_looked_at_there_is_nothing_to_do_yet() -> None:
    unseen = Seen(Trait.HOME, False, "not looked at", was_looked_at=False)
    found = reached(CONFINED, [*(each for each in SERVICE if each.trait is not Trait.HOME), unseen])
    assert found.level is Level.LOCAL
    assert [(each.fact, each.reason, each.remedy) for each in found.missing] == [
        (Fact.HOME, "not looked at", None)
    ]


def test_an_unconfined_worker_is_local_under_any_account() -> None:
    assert reached(Report(()), SERVICE).level is Level.LOCAL
    assert foresee(SERVICE).level is Level.SEALED


def test_here_it_is_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert foresee_here(tmp_path).level is Level.LOCAL
    assert Fact.FILES in try_here(None).facts
    monkeypatch.setattr("sys.executable", "/bin/false")
    found = try_here(None)
    assert (found.level, Fact.SUPERVISOR in found.facts) == (Level.LOCAL, False)


def test_a_refusal_for_the_level_says_nothing_of_what_was_not_looked_at(tmp_path: Path) -> None:
    # The tests run as root, which people log in as.
    with pytest.raises(LicenseDenied) as denied, explaining(foresee_here(tmp_path)):
        raise LicenseDenied("too low", code="level-too-low", hint="x")
    assert "own-account: it runs as root" in str(denied.value)
    assert "not looked at" not in str(denied.value)
    assert "service account" in str(denied.value.hint)


def test_a_refusal_for_the_level_says_what_is_missing() -> None:
    found = reached(Report(CONFINED.outcomes[1:]), SERVICE)
    with pytest.raises(LicenseDenied) as denied, explaining(found):
        raise LicenseDenied("too low", code="level-too-low", hint="x")
    assert str(denied.value).startswith("too low. Missing here: no-dump: nobody has found out")
    assert "strongroom doctor" in str(denied.value.hint)


@pytest.mark.parametrize(
    ("code", "found"), [("expired", reached(Report(()), ())), ("level-too-low", reached(CONFINED, SERVICE))]
)
def test_other_refusals_are_left_alone(code: str, found: Reached) -> None:
    with pytest.raises(LicenseDenied) as denied, explaining(found):
        raise LicenseDenied("no", code=code, hint="x")
    assert (str(denied.value.args[0]), denied.value.hint) == ("no", "x")
