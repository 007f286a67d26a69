"""Which level this runtime reaches, by what was found, and why it is no higher.

    account = look(home.path)
    found = reached(worker.report, account)
    found.level, found.facts, found.missing
    with explaining(found):                      # a refusal for its level says what is missing
        ...

The level is added up in ``license.protection``. Who runs the account can change this program and say
what it likes: below ``attested`` the level is a statement, signed by the device key, and no proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from strongroom.errors import LicenseDenied
from strongroom.hardening import account, report
from strongroom.hardening.account import Seen, Trait, look
from strongroom.hardening.report import Measure, Outcome, Report
from strongroom.license.codes import Code
from strongroom.license.protection import Fact, level_of
from strongroom.license.request import Level
from strongroom.worker.trial import try_confinement


@dataclass(frozen=True, slots=True)
class Missing:
    """A fact that is not there."""

    fact: Fact
    reason: str
    remedy: str | None
    """What to do; None: first what another fact asks for, without which this one was not looked at."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A level, and what it follows from."""

    level: Level
    facts: tuple[Fact, ...]
    """In the order of their names, as a lease request lists them."""
    missing: tuple[Missing, ...]
    details: Mapping[Fact, str]
    """What was found of each fact that is there."""


def reached(confinement: Report, traits: Sequence[Seen]) -> Reached:
    """Add up what confines the worker and what is true of the account. What was not found is missing."""
    found = {fact_of(each.measure): each for each in confinement.outcomes} | {
        fact_of(each.trait): each for each in traits
    }
    facts = sorted(fact for fact, each in found.items() if each.holds)
    missing = [_missing(fact, found.get(fact)) for fact in Fact if fact not in facts]
    details = {fact: found[fact].detail for fact in facts}
    return Reached(level_of(facts), tuple(facts), tuple(missing), details)


def foresee(traits: Sequence[Seen]) -> Reached:
    """Return what is reached at best, before there is a worker."""
    return reached(Report(tuple(Outcome(each, True, "") for each in Measure)), traits)


def foresee_here(home: Path) -> Reached:
    """Return what a runtime that this process starts reaches at best. It hardens itself when it begins."""
    return foresee([Seen(Trait.SUPERVISOR, True, ""), *_of_account(home)])


def try_here(home: Path | None) -> Reached:
    """Find out what a runtime that this process starts reaches, by confining a process as a worker is."""
    confinement = try_confinement()
    # A supervisor is protected by the same call as a worker.
    hardened = Measure.NO_DUMP not in confinement.lacking
    said = "it hardens itself before it begins" if hardened else "no process could be hardened"
    return reached(confinement, [Seen(Trait.SUPERVISOR, hardened, said), *_of_account(home)])


def _of_account(home: Path | None) -> list[Seen]:
    return [each for each in look(home) if each.trait is not Trait.SUPERVISOR]


@contextmanager
def explaining(found: Reached) -> Iterator[None]:
    """Have a refusal for the level say which facts are missing.

    Raises:
        LicenseDenied: whatever was denied.
    """
    try:
        yield
    except LicenseDenied as denied:
        known = [(each, each.remedy) for each in found.missing if each.remedy is not None]
        if denied.code != Code.LEVEL_TOO_LOW or not known:
            raise
        reasons = "; ".join(f"{each.fact}: {each.reason}" for each, _ in known)
        raise LicenseDenied(
            f"{denied}. Missing here: {reasons}",
            code=denied.code,
            hint=f"{known[0][1]}. 'strongroom doctor' tells all that is missing, and what to do",
        ) from denied


def fact_of(found: Measure | Trait) -> Fact:
    """Return the name that a measure or trait has in documents."""
    return Fact(found.value.replace(" ", "-"))


_REMEDIES = {fact_of(measure): remedy for measure, remedy in report.REMEDIES.items()} | {
    fact_of(trait): remedy for trait, remedy in account.REMEDIES.items()
}


def _missing(fact: Fact, found: Outcome | Seen | None) -> Missing:
    if found is None:
        return Missing(fact, "nobody has found out", _REMEDIES[fact])
    was_looked_at = not isinstance(found, Seen) or found.was_looked_at
    return Missing(fact, found.detail, _REMEDIES[fact] if was_looked_at else None)
