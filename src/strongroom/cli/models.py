"""``strongroom models``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import BrokerError, Error, FormatError, LicenseDenied, VerificationError

if TYPE_CHECKING:
    from datetime import datetime

    from strongroom.cli._broker import Line
    from strongroom.home import Home
    from strongroom.home.catalog import Candidate
    from strongroom.home.licenses import StoredLicense
    from strongroom.opening import Opening
    from strongroom.protocol.broker import LicenseAnswer


def models(*, shared: Shared = SHARED) -> None:
    """List the models that this home may use.

    One line for each model and license: until when, how many predictions are left, whether it opens now.
    With an owner's broker, also what it offers and is not accepted yet, what it has suspended, and what
    was requested. Where that broker is silent, how long a model works without it, with its grace, or why it
    does not any more. What is left is counted here: what other installations used, the broker knows.

    Examples:
        $ strongroom models
        $ strongroom models --json

    Raises:
        ObjectNotFound: there is no home.
        FormatError: a file is damaged.
        VerificationError: the stored document of an owner does not verify.
        StorageUnavailable: a folder cannot be read.
    """
    from strongroom.leasing.silence import is_silence

    home = shared.open_home()
    answers, silent = _ask_brokers(home)
    candidates = home.catalog.candidates()
    outages = frozenset(owner for owner, error in silent if is_silence(error))
    found = [_try(shared, home, candidate, outages) for candidate in candidates]
    covered = {candidate.license.license_id for candidate in candidates}
    found += [
        _without_package(each) for each in home.catalog.licenses.all() if each.license_id not in covered
    ]
    _add_offered(found, answers)
    found += _requested(home)
    for each in found:
        each.pop("was", None)
        each.setdefault("works_until", None)
    rows = [
        (
            str(each["model"]),
            str(each["license"]),
            _last_day(each["until"]),
            "-" if each["remaining"] is None else f"{each['remaining']:,}",
            _status(each),
        )
        for each in found
    ]
    columns = ("model", "license", "until", "left", "status")
    shared.terminal.table(
        {"models": found, "broker_errors": [error.code for _, error in silent]},
        columns,
        rows,
        empty="There are no licenses here; accept one first.",
    )
    for _, error in silent:
        # Not the exit code: what is ready here opens, whether the broker answers now or not.
        shared.terminal.warning(f"{error}; this is what the home knows")


def _status(found: dict[str, Any]) -> str:
    purposes = found["purposes"]
    status = f"{found['status']}: --purpose {'|'.join(purposes)}" if purposes else str(found["status"])
    if found.get("carries_code"):
        status += "; a program of its owner"
    until = found["works_until"]
    return status if until is None else f"{status}; without the broker until {until}"


def _last_day(until: str | None) -> str:
    """Return the day of the last second that is covered: midnight is the end of the day before."""
    from strongroom._encoding import from_instant

    return "-" if until is None else f"{from_instant(until) - timedelta(seconds=1):%Y-%m-%d}"


def _try(shared: Shared, home: Home, candidate: Candidate, outages: frozenset[str]) -> dict[str, Any]:
    from strongroom._encoding import to_instant

    name = f"{candidate.owner.label}/{candidate.package.name}@{candidate.package.version}"
    reference = f"{candidate.owner.id}/{candidate.package.name}@{candidate.package.version}"
    known = {
        "model": name,
        "reference": reference,
        "owner": candidate.owner.id,
        "license": candidate.license.license_id,
        "path": str(candidate.package.path),
    }
    try:
        opened, purposes = _open(shared, home, candidate, reference)
    except Error as error:
        # A list shows all models, also those that do not open, with the reason.
        return {
            **known,
            "until": None,
            "remaining": None,
            "purposes": [],
            "carries_code": None,
            "status": f"refused: {error.code}",
            "reason": str(error),
        }
    until = opened.allowed.until or _end_of(opened)
    left = opened.allowed.remaining.values()
    refusal = None if opened.release is not None else home.leases.read(opened.place).refusal
    found = {
        **known,
        "until": None if until is None else to_instant(until),
        "remaining": min(left, default=None),
        "purposes": purposes,
        "carries_code": opened.statement.carries_code,
        "status": "spent" if 0 in left else "ready",
        "reason": None,
    }
    if until is not None and until <= shared.now:
        found.update(status="refused: expired", reason=f"the license ended {to_instant(until)}")
    elif refusal is not None and refusal.is_final:
        # The word of its last answer, unless it says something else now.
        found.update(status=f"refused: {refusal.code}", reason=refusal.message, was=found["status"])
    elif opened.release is None and candidate.owner.id in outages:
        found.update(_without_broker(home, opened, shared.now))
    return found


def _without_broker(home: Home, opened: Opening, now: datetime) -> dict[str, Any]:
    """Say how long it still works, where its broker does not answer."""
    from strongroom._encoding import to_instant
    from strongroom.leasing.outage import outlook

    try:
        found = outlook(home, opened, now)
    except Error as error:
        return {"status": f"refused: {error.code}", "reason": str(error), "remaining": None}
    if found is None:
        return {}
    if found.denied is not None:
        return {"status": f"refused: {found.denied.code}", "reason": found.denied.reason, "remaining": None}
    return {
        "works_until": to_instant(found.until),
        "reason": "its broker does not answer",
        "remaining": found.left,
    }


def _open(shared: Shared, home: Home, candidate: Candidate, reference: str) -> tuple[Opening, list[str]]:
    """Open it as far as that goes; for a purpose that the license allows, where it asks for one."""
    from strongroom.cli._level import open_here

    license = candidate.license.license_id
    try:
        return open_here(shared, home, reference, license_id=license), []
    except LicenseDenied as denied:
        purposes = _purposes(home, candidate) if denied.code == "purpose-missing" else []
        if not purposes:
            raise
    opened = open_here(shared, home, reference, license_id=license, purpose=purposes[0])
    return opened, purposes


def _purposes(home: Home, candidate: Candidate) -> list[str]:
    """Return the purposes that every document of the license allows."""
    from strongroom.cli.license.stored import verified_chain
    from strongroom.license.terms import Purpose

    terms = [term for _, term in verified_chain(home, candidate.license.file).terms()]
    allowed = [set(term.purposes) for term in terms if isinstance(term, Purpose)]
    return sorted(set.intersection(*allowed)) if allowed else []


def _end_of(opened: Opening) -> datetime | None:
    from strongroom.license.terms import Expires

    return min((term.at for _, term in opened.chain.terms_of(Expires)), default=None)


def _ask_brokers(
    home: Home,
) -> tuple[list[tuple[Line, LicenseAnswer]], list[tuple[str, BrokerError | LicenseDenied]]]:
    """Return what the brokers have for this party, and of which owner one did not answer, and why.

    What they withdrew is kept first: it says what opens.
    """
    from strongroom.cli._broker import lines
    from strongroom.cli._offered import offered
    from strongroom.leasing.hearing import keep_withdrawals

    answers: list[tuple[Line, LicenseAnswer]] = []
    silent: list[tuple[str, BrokerError | LicenseDenied]] = []
    for line in lines(home):
        if line.is_own:
            continue
        try:
            for answer in offered(home, line):
                answers.append((line, answer))
                try:
                    keep_withdrawals(home, line.owner.owner, answer.file)
                except (FormatError, VerificationError):
                    # Under an owner document that is not known here yet; a lease brings both.
                    continue
        except (BrokerError, LicenseDenied) as error:
            silent.append((line.owner.id, error))
    return answers, silent


def _add_offered(found: list[dict[str, Any]], answers: list[tuple[Line, LicenseAnswer]]) -> None:
    """Add what the brokers offer and is not here, and what they have suspended."""
    from strongroom.cli._offered import models_of

    for line, answer in answers:
        known = [each for each in found if each["license"] == answer.license]
        if not known:
            name = ", ".join(models_of(answer))
            known = [_not_here(line.owner.label, line.owner.id, name, answer)]
            found += known
        for each in known:
            was = each.pop("was", None)
            if answer.status != "granted":
                each.update(status=answer.status, reason=f"the broker says: {answer.status}")
            elif was is not None:
                each.update(status=was, reason=None)


def _not_here(label: str, owner: str, name: str, answer: LicenseAnswer) -> dict[str, Any]:
    return {
        "model": f"{label}/{name}",
        "reference": None,
        "owner": owner,
        "license": answer.license,
        "path": None,
        "until": answer.expires_at,
        "remaining": None,
        "purposes": [],
        "status": f"offered: strongroom accept {name if ',' not in name else answer.license}",
        "reason": "it is not accepted in this home yet",
    }


def _requested(home: Home) -> list[dict[str, Any]]:
    """Return what this party asked for and has no license for; a silent broker was warned of before."""
    from strongroom.cli._broker import lines
    from strongroom.cli._requests import requests_at

    found: list[dict[str, Any]] = []
    for line in lines(home):
        try:
            asked = [] if line.is_own else requests_at(line.client)
        except Error:
            # Also one that is older than this, and one that does not let this person see them.
            continue
        found += [
            {
                "model": f"{line.owner.label}/{each.model}",
                "reference": None,
                "owner": line.owner.id,
                "license": each.request,
                "path": None,
                "until": each.until,
                "remaining": None,
                "purposes": [],
                "status": "requested" if each.status == "open" else "request refused",
                "reason": each.reason or "the owner has not answered yet",
            }
            for each in asked
            if each.status != "granted"
        ]
    return found


def _without_package(stored: StoredLicense) -> dict[str, Any]:
    choices = " ".join(sorted({choice.to_text() for each in stored.choices for choice in each}))
    return {
        "model": choices,
        "reference": None,
        "owner": stored.owner_id,
        "license": stored.license_id,
        "path": None,
        "until": None,
        "remaining": None,
        "purposes": [],
        "status": "the package is missing",
        "reason": "no .sealed file that the license covers is in this home",
    }


app = page(models, "models")
