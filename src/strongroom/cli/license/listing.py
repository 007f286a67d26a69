"""``strongroom license list`` and ``show``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.cli._shared import SHARED, Shared
from strongroom.cli.license.stored import find_license, summary, verified_chain
from strongroom.errors import BrokerError, LicenseDenied

if TYPE_CHECKING:
    from strongroom.cli._broker import Line
    from strongroom.connection import BrokerClient
    from strongroom.home import Home
    from strongroom.protocol.broker import LicenseAnswer


def list_(
    *,
    expiring: Annotated[
        str | None,
        Parameter(help="Only those that end within this time, as 30d: whom to ask, what to renew."),
    ] = None,
    shared: Shared = SHARED,
) -> int:
    """List the licenses that this home gave and those that it got.

    With a broker, also what it knows of them: not accepted yet, suspended, revoked. An organization's access
    outlives its people: --expiring shows what has to be reviewed.

    Examples:
        $ strongroom license list
        $ strongroom license list --expiring 30d
        $ strongroom license list --json

    Raises:
        FormatError: a stored license is damaged.
        VerificationError: a stored license does not verify.
        UsageError: no length of time.
        StorageUnavailable: a file cannot be read.
    """
    from strongroom._encoding import from_instant
    from strongroom.cli._moment import duration_of, shown

    home = shared.open_home()
    before = None if expiring is None else shared.now + duration_of(expiring)
    found = {each["license"]: each for each in _kept(home)}
    silent = _ask_brokers(home, found, before, shared.now)
    wanted = [
        each
        for each in found.values()
        if before is None or (each["ends"] is not None and shared.now < from_instant(each["ends"]) <= before)
    ]
    rows = [
        (
            each["license"],
            f"{each['direction']} {each['party']}",
            each["models"],
            "-" if each["ends"] is None else shown(from_instant(each["ends"]))[: len("2027-06-30")],
            each["status"] + (", ended" if _ended(each, shared.now) else ""),
        )
        for each in wanted
    ]
    empty = "There are no licenses in this home." if before is None else "No license ends within that time."
    columns = ("license", "to or from", "models", "ends", "status")
    shared.terminal.table(
        {"licenses": wanted, "broker_errors": [error.code for error in silent]}, columns, rows, empty=empty
    )
    for error in silent:
        shared.terminal.warning(f"{error}; this is what the home knows")
    return silent[0].exit_code if silent else 0


def _ended(license: dict[str, Any], now: datetime) -> bool:
    from strongroom._encoding import from_instant

    return license["ends"] is not None and from_instant(license["ends"]) <= now


def _kept(home: Home) -> Iterator[dict[str, Any]]:
    from strongroom.license.license_file import LicenseFile

    for grant in home.vault.grants.all():
        file = LicenseFile.from_bytes(home.vault.grants.license_file(grant.license))
        chain = verified_chain(home, file)
        yield {**summary(chain), "direction": "to", "party": chain.holder.name, "status": "granted"}
    for stored in home.catalog.licenses.all():
        chain = verified_chain(home, stored.file)
        label = home.trust.get(stored.owner_id).label
        status = "accepted" if stored.acceptance is not None else "not accepted"
        yield {**summary(chain), "direction": "from", "party": label, "status": status}


def _ask_brokers(
    home: Home, found: dict[str, dict[str, Any]], before: datetime | None, now: datetime
) -> list[BrokerError | LicenseDenied]:
    """Add what the brokers say; returns why those that did not answer did not."""
    from strongroom.cli._broker import lines

    days = None if before is None else max(1, (before - now).days + 1)
    silent: list[BrokerError | LicenseDenied] = []
    for line in lines(home):
        try:
            for answer in _licenses(line.client, days):
                _merge(home, found, line, answer)
        except (BrokerError, LicenseDenied) as error:
            silent.append(error)
    return silent


def _licenses(client: BrokerClient, days: int | None) -> Iterator[LicenseAnswer]:
    from strongroom.cli._broker import pages

    yield from pages(lambda after: client.licenses(after=after, expires_within_days=days), "licenses")


def _merge(home: Home, found: dict[str, dict[str, Any]], line: Line, answer: LicenseAnswer) -> None:
    from strongroom.license.license_file import LicenseFile

    entry = found.get(answer.license)
    if entry is None:
        chain = verified_chain(home, LicenseFile.from_bytes(answer.file.encode("utf-8")))
        party = answer.holder if line.is_own else line.owner.label
        entry = {**summary(chain), "direction": "to" if line.is_own else "from", "party": party}
        found[answer.license] = entry
    entry["status"] = standing_of(answer)
    entry["worst_case_seconds"] = answer.worst_case_seconds


def standing_of(answer: LicenseAnswer) -> str:
    """Say in a word or two where a license is in its life, as the broker has it."""
    if answer.status == "granted":
        return "accepted" if answer.accepted_at is not None else "not accepted"
    return answer.status


def show(
    license: Annotated[str, Parameter(help="The id of a license in this home, lic-... or sub-...")],
    /,
    *,
    agreement: Annotated[bool, Parameter(help="Show the text of the agreement too.")] = False,
    output: Annotated[
        Path | None, Parameter(alias="-o", help="Also write the license file again, to be sent once more.")
    ] = None,
    shared: Shared = SHARED,
) -> None:
    """Show what a license says, in plain words.

    For a file that is not in this home yet, use `strongroom inspect FILE`.

    Examples:
        $ strongroom license show lic-uvaxoz2qpfs5
        $ strongroom license show lic-uvaxoz2qpfs5 --agreement

    Raises:
        ObjectNotFound: there is no such license here.
        VerificationError: it does not verify.
        UsageError: the file exists.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom.cli._file import write_output
    from strongroom.license.describe import describe_license
    from strongroom.license.terms import encode_term

    home = shared.open_home()
    file = find_license(home, license)
    chain = verified_chain(home, file)
    if output is not None:
        write_output(shared.terminal, file.to_bytes(), output, replace=shared.yes)
    sentences = describe_license(chain)
    document = {
        **summary(chain),
        "holder": chain.holder.name,
        "owner": chain.owner,
        "terms": [encode_term(term) for _, term in chain.terms()],
        "sentences": [{"label": label, "text": text} for label, text in sentences],
        "agreement": file.agreement,
    }
    shared.terminal.fields(document, sentences)
    if agreement and not shared.json:
        shared.terminal.result({}, f"\n{file.agreement or 'It names no agreement.'}")
