"""``strongroom license sublicenses`` and ``end``: what a partner passed on, and how it takes that back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.cli._broker import OwnerOption
from strongroom.cli._shared import SHARED, Shared
from strongroom.cli.license.listing import standing_of
from strongroom.cli.license.stored import summary, verified_chain
from strongroom.errors import ObjectNotFound, UsageError, VerificationError

if TYPE_CHECKING:
    from strongroom.cli._broker import Line
    from strongroom.home import Home
    from strongroom.protocol.broker import SublicenseAnswer


def sublicenses(*, owner: OwnerOption = None, shared: Shared = SHARED) -> None:
    """List the sub-licenses that you gave: for whom, until when, and what is out under each.

    "Held" is what leases and offline files under it hold of your license now, until they report what they
    used or the period is over. "Runtimes" can use the model now. An owner sees the sub-licenses of all.

    Examples:
        $ strongroom license sublicenses
        $ strongroom license sublicenses --json

    Raises:
        UsageError: no broker is known here, or several are.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not see licenses.
        VerificationError: what the broker says of one does not verify.
    """
    from strongroom._encoding import from_instant
    from strongroom.cli._broker import answering, demand_line
    from strongroom.cli._moment import shown

    home = shared.open_home()
    line = demand_line(home, owner)
    with answering(line):
        found = [_document(home, each) for each in _given(line)]
    rows = [
        (
            each["sublicense"],
            each["holder"],
            each["models"],
            "-" if each["ends"] is None else shown(from_instant(each["ends"]))[: len("2027-06-30")],
            ", ".join(each["runtimes"]) or "-",
            _held(each["held"]),
            each["status"],
        )
        for each in found
    ]
    columns = ("sub-license", "holder", "models", "ends", "runtimes", "held", "status")
    shared.terminal.table(
        {"sublicenses": found}, columns, rows, empty="There are no sub-licenses that this party gave."
    )


def end(
    sublicense: Annotated[str, Parameter(help="The id of a sub-license that you gave, sub-...")],
    /,
    *,
    reason: Annotated[str, Parameter(help="Why, in one line; the holder finds it with log tail.")],
    owner: OwnerOption = None,
    shared: Shared = SHARED,
) -> None:
    """End a sub-license that you gave to one of your sites, and what hangs from it, for good.

    No lease and no offline file is given under it any more. Use ends with the leases that are out, and with
    the offline files. What they hold of your license comes back when they report, or with the next period.

    Examples:
        $ strongroom license end sub-hvo3kuwepscn --reason "the ward has closed"

    Raises:
        ObjectNotFound: it is none of the sub-licenses that you gave.
        UsageError: no broker is known here, this home is the owner's, nobody can be asked, or the answer
            is no.
        FormatError: the reason is no line of text.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not end sub-licenses.
        VerificationError: what the broker says of it does not verify.
    """
    from strongroom.cli._broker import answering, demand_line
    from strongroom.protocol.broker import ReasonAsk

    home = shared.open_home()
    line = demand_line(home, owner)
    if line.is_own:
        raise UsageError(
            f"{sublicense} is for whoever gave it to end; its owner revokes it",
            code="not-the-giver",
            hint=f"strongroom license revoke {sublicense} --reason ...",
        )
    with answering(line):
        known = _find(home, line, sublicense)
        _show(shared, known)
        if not shared.terminal.confirm(f"End {sublicense}?", yes=shared.yes):
            raise UsageError(f"{sublicense} is not ended", code="not-ended")
        answer = line.client.end_sublicense(sublicense, ReasonAsk(reason=reason))
    document = {
        "sublicense": sublicense,
        "holder": answer.holder,
        "status": answer.status,
        "runtimes": known["runtimes"],
        "held": known["held"],
    }
    shared.terminal.result(document, f"{sublicense} of {answer.holder} is {answer.status}")


def _given(line: Line) -> Iterator[SublicenseAnswer]:
    from strongroom.cli._broker import pages

    yield from pages(lambda after: line.client.sublicenses(after=after), "sublicenses")


def _find(home: Home, line: Line, sublicense: str) -> dict[str, Any]:
    for each in _given(line):
        if each.license.license == sublicense:
            return _document(home, each)
    raise ObjectNotFound(
        f"{sublicense} is none of the sub-licenses that this party gave",
        code="not-found",
        hint="strongroom license sublicenses lists them",
    )


def _document(home: Home, given: SublicenseAnswer) -> dict[str, Any]:
    from strongroom.license.license_file import LicenseFile

    answer = given.license
    chain = verified_chain(home, LicenseFile.from_bytes(answer.file.encode("utf-8")))
    said = summary(chain)
    if said["license"] != answer.license:
        raise VerificationError(
            f"the broker shows another document than {answer.license}", code="broker-answer"
        )
    return {
        "sublicense": answer.license,
        "parent": answer.parent,
        # As the documents say it that were signed, and not as the broker does.
        "holder": chain.holder.name,
        "organization": answer.organization,
        "models": said["models"],
        "ends": said["ends"],
        "status": standing_of(answer),
        "runtimes": list(given.runtimes),
        "held": dict(sorted(given.held.items())),
        "worst_case_seconds": answer.worst_case_seconds,
    }


def _held(held: dict[str, int]) -> str:
    return ", ".join(f"{amount:,} {name}" for name, amount in held.items()) or "-"


def _show(shared: Shared, known: dict[str, Any]) -> None:
    from strongroom.cli._moment import span_at_most

    if shared.json:
        return
    span = span_at_most(known["worst_case_seconds"])
    shared.terminal.note(
        f"It concerns {known['holder']}: {len(known['runtimes'])} installation(s) can use it."
    )
    if known["held"]:
        shared.terminal.note(
            f"Held of your license until they report it, or the period is over: {_held(known['held'])}."
        )
    shared.terminal.note(f"Use under it ends within {span} at the latest, with what is out now.")
