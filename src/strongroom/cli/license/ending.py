"""``strongroom license revoke`` and ``withdraw-version``: what the owner takes back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from strongroom.cli._broker import Line
    from strongroom.home import Home
    from strongroom.license.documents import Withdrawal
    from strongroom.license.signing import Signed
    from strongroom.protocol.broker import LeaseSummary, LicenseAnswer


def revoke(
    license: Annotated[str, Parameter(help="The id of a license or sub-license, lic-... or sub-...")],
    /,
    *,
    reason: Annotated[str, Parameter(help="Why, in one line; the partner finds it with log tail.")],
    shared: Shared = SHARED,
) -> None:
    """End a license and every sub-license under it, for good.

    You see whom it concerns and how long use can go on before you are asked; --yes revokes without asking.
    Installations that hear of it stop at once; others when lease, grace and break-glass have passed, and
    those with an offline file when that ends.

    Examples:
        $ strongroom license revoke lic-uvaxoz2qpfs5 --reason "the contract ended"

    Raises:
        ObjectNotFound: the broker knows no such license.
        UsageError: this home owns no models, has no broker, nobody can be asked, or the answer is no.
        NoMatchingKey: the license key is not here, or the pass-phrase is wrong.
        FormatError: the reason is no line of text.
        BrokerUnavailable: the broker does not answer; what was signed waits here.
        BrokerRefused: you may not revoke.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom import revoking
    from strongroom.cli._broker import demand_own_line, hand_in

    home = shared.open_home()
    _verify_holds_key(home, license)
    line = demand_own_line(home)
    affected, leases = _affected(home, line, license)
    _show_affected(shared, affected, leases)
    if not shared.terminal.confirm(f"Revoke {license}?", yes=shared.yes):
        raise UsageError(f"{license} is not revoked", code="not-revoked")
    signed = revoking.revoke(home, license, reason=reason, now=shared.now)
    hand_in(home, line, [signed.id], what=f"the revocation of {license}")
    _tell_revoked(shared, license, signed.id, affected, leases)


def _verify_holds_key(home: Home, license: str) -> None:
    """Tell a person with a home of their own what they can do: only the license key ends a license.

    Raises:
        UsageError: this home knows brokers, and none is its own.
    """
    from strongroom.cli._broker import lines, own_line

    if own_line(home) is None and (others := lines(home)):
        raise UsageError(
            f"only the home that holds the license key of {others[0].owner.label} revokes",
            code="not-an-owner",
            hint=f"ask whoever has it; stop the use meanwhile: strongroom license suspend {license}",
        )


def _affected(home: Home, line: Line, license: str) -> tuple[list[LicenseAnswer], list[LeaseSummary] | None]:
    """Return the licenses that end, and what is out under them; None if the broker is down."""
    from strongroom.cli._broker import pages
    from strongroom.errors import BrokerUnavailable
    from strongroom.revoking import hanging_from, may_be_narrowed

    client = line.client
    try:
        found = [client.license(license)]
        if may_be_narrowed(found[0]):
            found = hanging_from(license, pages(lambda after: client.licenses(after=after), "licenses"))
        leases = pages(lambda after: client.leases(after=after, license=license), "leases")
        return found, list(leases)
    except BrokerUnavailable:
        # It is signed all the same, and ends what it can as soon as the broker is back.
        if license.startswith("lic-"):
            home.vault.grants.get(license)
        return [], None


def _show_affected(
    shared: Shared, affected: Sequence[LicenseAnswer], leases: Sequence[LeaseSummary] | None
) -> None:
    from strongroom._encoding import from_instant
    from strongroom.cli._moment import shown
    from strongroom.revoking import is_file

    if shared.json:
        return
    if leases is None:
        shared.terminal.note("The broker is down, so nobody can say here how many installations it concerns.")
        return
    for each in affected:
        kind = "license" if each.parent is None else "sub-license"
        held = _held([lease for lease in leases if lease.license == each.license])
        shared.terminal.note(f"It concerns {each.holder}: the {kind} {each.license}, {held} out.")
    for file in filter(is_file, leases):
        end = shown(from_instant(file.ends_at))
        shared.terminal.note(
            f"The offline file {file.lease} of {file.runtime} works until {end} where no network is."
        )
    shared.terminal.note(_last_moment(shared.now, affected, leases))


def _held(out: Sequence[LeaseSummary]) -> str:
    from strongroom.revoking import is_file

    files = len([each for each in out if is_file(each)])
    leases = f"{len(out) - files} lease(s)"
    return f"{leases} and {files} offline file(s)" if files else leases


def _last_moment(now: datetime, affected: Sequence[LicenseAnswer], leases: Sequence[LeaseSummary]) -> str:
    from strongroom.cli._moment import shown
    from strongroom.revoking import last_use, no_use_after

    worst = no_use_after(now, affected)
    last = last_use(leases)
    out = "no lease is out now" if last is None else f"what is out now ends by {shown(last)}"
    return f"Worst case: no use is possible after {shown(worst)}, whatever gets through; {out}."


def _tell_revoked(
    shared: Shared,
    license: str,
    revocation: str,
    affected: Sequence[LicenseAnswer],
    leases: Sequence[LeaseSummary] | None,
) -> None:
    from strongroom._encoding import to_instant
    from strongroom.revoking import is_file, last_use, no_use_after

    files = [each for each in leases or () if is_file(each)]
    running = [each for each in leases or () if not is_file(each)]
    last = last_use(running)
    document = {
        "license": license,
        "revocation": revocation,
        "affected": [{"license": each.license, "holder": each.holder} for each in affected],
        "leases": [each.lease for each in running],
        "offline_files": [{"file": each.lease, "ends_at": each.ends_at} for each in files],
        "no_use_after": to_instant(no_use_after(shared.now, affected)),
        "last_lease_ends_at": None if last is None else to_instant(last),
    }
    shared.terminal.result(document, f"{license} is revoked")


def withdraw_version(
    model: Annotated[str, Parameter(help="NAME@VERSION, the version that must not run any more.")],
    /,
    *,
    reason: Annotated[str, Parameter(help="Why, in one line; it is signed with it, and stands in the log.")],
    permits: Annotated[
        str | None, Parameter(help="The older version that may run in its place (else none).")
    ] = None,
    into: Annotated[
        Path | None, Parameter(help="Where new license files go (else here; with a broker: none are needed).")
    ] = None,
    shared: Shared = SHARED,
) -> None:
    """Withdraw a version of a model, and permit an older one in its place.

    A runtime that has seen a version refuses lower ones; this is the only way back. With a broker, every
    runtime hears of it with its next lease. Without one, it is added to every license that names the model;
    send each partner its new file, to be accepted as the first was.

    Examples:
        $ strongroom license withdraw-version risk@2.0.0 --permits 1.0.0 --reason "wrong unit of age"

    Raises:
        ObjectNotFound: a version was not sealed here.
        UsageError: no version is named, this home owns no models, or a file exists.
        FormatError: what is permitted is not older, or the reason is no line of text.
        BrokerUnavailable: the broker does not answer; what was signed waits here.
        BrokerRefused: you may not withdraw versions.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom import revoking
    from strongroom.cli._broker import hand_in, own_line

    if not model.partition("@")[2]:
        raise UsageError(
            f"which version of {model} is to be withdrawn?",
            code="version-needed",
            hint=f"name it, it cannot be taken back: {model.rstrip('@')}@1.2.0",
        )
    home = shared.open_home()
    line = own_line(home)
    signed = revoking.withdraw_version(
        home, model, permits=permits, reason=reason, now=shared.now, to_broker=line is not None
    )
    written = _write_renewed(shared, home, signed, into, needed=line is None)
    if line is not None:
        hand_in(home, line, [signed.id], what=f"the withdrawal of {model}")
    document = {
        "withdrawal": signed.id,
        "model": signed.document.name,
        "version": signed.document.version,
        "permits": permits,
        "licenses": [{"license": each["license"], "path": each["path"]} for each in written],
    }
    rows = [(each["partner"], each["license"], each["path"]) for each in written]
    version = f"{signed.document.name} {signed.document.version}"
    empty = f"{version} is withdrawn. No license names this model."
    if line is not None:
        empty = f"{version} is withdrawn. Installations hear of it with their next lease."
    shared.terminal.table(document, ("partner", "license", "file"), rows, empty=empty)


def _write_renewed(
    shared: Shared, home: Home, signed: Signed[Withdrawal], into: Path | None, *, needed: bool
) -> list[dict[str, Any]]:
    from strongroom.cli._file import write_output
    from strongroom.revoking import renewed_files

    written = []
    for noted, data in renewed_files(home, signed):
        if into is None and not needed:
            continue
        folder = into or Path()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{noted.partner}-{noted.license}.license"
        write_output(shared.terminal, data, path, replace=shared.yes)
        written.append({"partner": noted.partner, "license": noted.license, "path": str(path)})
    return written
