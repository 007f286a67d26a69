"""``strongroom partner``: list, approve, refuse, suspend, resume."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.cli._broker import OwnerOption
from strongroom.cli._file import STANDARD
from strongroom.cli._page import noun, page
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import BrokerUnavailable, ObjectNotFound, UsageError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.cli._broker import Line
    from strongroom.home import Home
    from strongroom.home.partners import Partner
    from strongroom.keys.introduction import VerifiedEnrollment


RuntimeOption = Annotated[
    str | None, Parameter(help="Only this runtime, at the broker: its id, or the beginning of it.")
]


def list_(*, owner: OwnerOption = None, shared: Shared = SHARED) -> int:
    """List the partners of this owner, with those whose enrollment arrived at the broker.

    A person of the owner with a home of their own sees those at the broker that this home is connected to.

    Examples:
        $ strongroom partner list
        $ strongroom partner list --json

    Raises:
        UsageError: this home owns no models and knows no broker, or several.
        FormatError: a stored record is damaged.
        VerificationError: a stored enrollment does not verify.
        BrokerRefused: you may not see the partners.
        StorageUnavailable: a file cannot be read.
    """
    home = shared.open_home()
    line = _line_of(home, owner)
    found = _kept(home) if line is None or line.is_own else []
    down = None if line is None else _add_arrived(line, found)
    rows = [
        (each["name"], each["status"], str(len(each["runtimes"])), " ".join(each["fingerprints"]))
        for each in found
    ]
    columns = ("partner", "status", "runtimes", "fingerprint")
    shared.terminal.table(
        {"partners": found, "broker_error": None if down is None else down.code},
        columns,
        rows,
        empty="There are no partners; make one: strongroom invite NAME",
    )
    if down is None:
        return 0
    shared.terminal.warning(f"{down}; this is what the home knows")
    return down.exit_code


def _line_of(home: Home, owner: str | None) -> Line | None:
    from strongroom.cli._broker import demand_line, lines, own_line

    own = own_line(home)
    if owner is None and (own is not None or not lines(home)):
        return own
    return demand_line(home, owner)


def _kept(home: Home) -> list[dict[str, Any]]:
    from strongroom.founding import own_owner

    owner = own_owner(home)
    return [
        {
            "name": partner.name,
            "organization": organization,
            "status": partner.status.value,
            "runtimes": [each.document.runtime for each in answers],
            "fingerprints": [each.fingerprint for each in answers],
        }
        for partner in home.vault.partners.all()
        for organization, answers in _by_organization(home.vault.partners.enrollments(partner.name, owner))
    ]


def _by_organization(
    enrollments: Sequence[VerifiedEnrollment],
) -> list[tuple[str, list[VerifiedEnrollment]]]:
    found: dict[str, list[VerifiedEnrollment]] = {}
    for each in enrollments:
        found.setdefault(each.organization_id, []).append(each)
    return list(found.items())


def _add_arrived(line: Line, found: list[dict[str, Any]]) -> BrokerUnavailable | None:
    """Put what the broker says over what the home knows; returns the error if it does not answer."""
    from strongroom.cli._broker import pages

    known = {each["organization"]: each for each in found}
    client = line.client
    try:
        for partner in pages(lambda after: client.partners(after=after), "partners"):
            arrived = {
                "name": partner.name,
                "organization": partner.organization,
                "status": partner.status,
                "runtimes": [each.runtime for each in partner.runtimes],
                "fingerprints": [each.fingerprint for each in partner.runtimes],
            }
            if partner.organization in known:
                known[partner.organization].update(arrived)
            else:
                found.append(arrived)
    except BrokerUnavailable as error:
        return error
    found.sort(key=lambda each: (each["name"], each["organization"]))
    return None


def approve(
    partner: Annotated[str, Parameter(help="The .enrollment file, or the name of a partner that sent one.")],
    /,
    *,
    fingerprint: Annotated[
        str | None,
        Parameter(help="What the partner read out on the telephone (else compared at the terminal)."),
    ] = None,
    shared: Shared = SHARED,
) -> None:
    """Approve a partner, once its fingerprint was compared.

    With a broker, an enrollment that arrived there is found by the partner's name, and approved there and
    here. A further runtime of a partner is approved in the same way.

    Examples:
        $ strongroom partner approve clinic.enrollment
        $ strongroom partner approve clinic --fingerprint XK4T-09RM-2H7Q-VB3N-E8WD

    Raises:
        FormatError: not an enrollment, or not of the form of a fingerprint.
        VerificationError: another fingerprint, or an enrollment that does not hold.
        ObjectNotFound: no such partner.
        UsageError: nobody can be asked for the fingerprint.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not approve partners.
    """
    from strongroom.home.partners import PartnerStatus

    home = shared.open_home()
    fetch_arrived(home, partner, fingerprint)
    if not is_file(partner) and home.vault.partners.get(partner).status is PartnerStatus.SUSPENDED:
        approved = _resume(shared, home, partner)
    else:
        enrollment = find_enrollment(shared, home, partner, fingerprint)
        approved = _compare_and_approve(shared, home, enrollment, fingerprint)
    shared.terminal.result(
        {"partner": approved.name, "status": approved.status.value}, f"{approved.name} is approved"
    )


def refuse(
    partner: Annotated[str, Parameter(help="The name that was invited.")],
    /,
    *,
    fingerprint: Annotated[
        str | None, Parameter(help="Only whoever sent the enrollment of this fingerprint (else all).")
    ] = None,
    reason: Annotated[str, Parameter(help="Why, in one line; it stands in the log.")] = "refused",
    shared: Shared = SHARED,
) -> None:
    """Drop those who answered an invite and were not approved, here and at the broker.

    Somebody else may have had the invite. Approving one of several answers drops the others; this is for
    when the right one is not among them. Whoever has the invite can answer it again until it expires; the
    partner needs a fresh one.

    Examples:
        $ strongroom partner refuse clinic
        $ strongroom partner refuse clinic --fingerprint XK4T-09RM-2H7Q-VB3N-E8WD --reason "not theirs"

    Raises:
        ObjectNotFound: nobody waits for approval under this name.
        FormatError: not of the form of a fingerprint.
        UsageError: it was approved; suspend it instead.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not refuse partners.
        StorageUnavailable: a file cannot be written.
    """
    home = shared.open_home()
    refused = _refuse_arrived(home, partner, fingerprint, reason) | _refuse_kept(home, partner, fingerprint)
    if not refused:
        raise ObjectNotFound(
            f"nobody waits for approval as {partner!r}",
            code="unknown-partner",
            hint="strongroom partner list",
        )
    shared.terminal.result(
        {"partner": partner, "refused": sorted(refused)},
        f"{partner}: {len(refused)} answer(s) refused; invite again: strongroom invite {partner}",
    )


def _refuse_arrived(home: Home, name: str, fingerprint: str | None, reason: str) -> set[str]:
    """Drop those at the broker; returns their organization ids."""
    from strongroom import enrolling
    from strongroom.cli._broker import answering, own_line, pages
    from strongroom.protocol.broker import ReasonAsk

    line = own_line(home)
    if line is None:
        return set()
    client = line.client
    with answering(line):
        found = {
            each.organization
            for each in pages(lambda after: client.partners(after=after), "partners")
            if (each.name, each.status) == (name, "pending")
            and (fingerprint is None or enrolling.is_of(each, fingerprint))
        }
        for organization in sorted(found):
            client.refuse_partner(organization, ReasonAsk(reason=reason))
    return found


def _refuse_kept(home: Home, name: str, fingerprint: str | None) -> set[str]:
    """Drop those that came to this home; returns their organization ids."""
    from strongroom.founding import own_owner
    from strongroom.keys.introduction import is_fingerprint_of

    try:
        kept = home.vault.partners.enrollments(name, own_owner(home))
    except ObjectNotFound:
        return set()
    meant = {
        each.document.organization: each.organization_id
        for each in kept
        if fingerprint is None or is_fingerprint_of(fingerprint, each.token)
    }
    home.vault.partners.refuse(name, meant)
    return set(meant.values())


def suspend(
    partner: Annotated[str, Parameter(help="The name of the partner.")],
    /,
    *,
    reason: Annotated[str, Parameter(help="Why, in one line; it stands in the log.")] = "suspended",
    runtime: RuntimeOption = None,
    owner: OwnerOption = None,
    shared: Shared = SHARED,
) -> None:
    """Suspend a partner, or one runtime of it: it gets nothing new, until it is resumed.

    With a broker its leases are not renewed, so use ends with lease and grace. Key files that it holds
    work until they end. --runtime is for one lost machine, and leaves the others alone.

    Examples:
        $ strongroom partner suspend clinic
        $ strongroom partner suspend clinic --runtime run-uvaxoz2q --reason "a laptop was stolen"
        $ strongroom partner suspend clinic --reason "a laptop was stolen"

    Raises:
        ObjectNotFound: no such partner.
        UsageError: it was never approved.
        BrokerUnavailable: the broker does not answer; here it is suspended, and what it has to know waits.
        BrokerRefused: you may not suspend partners.
        StorageUnavailable: a file cannot be written.
    """
    home = shared.open_home()
    if runtime is not None:
        _set_runtime(shared, home, owner, partner, runtime, reason)
        return
    # Here first: whatever the broker says, nothing more is granted.
    suspended = home.vault.partners.suspend(partner)
    _tell_broker(shared, home, suspended, reason=reason)
    shared.terminal.result(
        {"partner": suspended.name, "status": suspended.status.value}, f"{suspended.name} is suspended"
    )


def resume(
    partner: Annotated[str, Parameter(help="The name of the partner.")],
    /,
    *,
    runtime: RuntimeOption = None,
    owner: OwnerOption = None,
    shared: Shared = SHARED,
) -> None:
    """Take a suspension back. The partner's fingerprint was compared before.

    Examples:
        $ strongroom partner resume clinic

    Raises:
        ObjectNotFound: no such partner.
        UsageError: it was never approved.
        BrokerUnavailable: the broker does not answer; what it has to know waits here.
        BrokerRefused: you may not do this.
        StorageUnavailable: a file cannot be written.
    """
    if runtime is not None:
        _set_runtime(shared, shared.open_home(), owner, partner, runtime, None)
        return
    resumed = _resume(shared, shared.open_home(), partner)
    shared.terminal.result(
        {"partner": resumed.name, "status": resumed.status.value}, f"{resumed.name} is approved"
    )


def _set_runtime(
    shared: Shared, home: Home, owner: str | None, partner: str, runtime: str, reason: str | None
) -> None:
    from strongroom.cli._standing import set_runtime

    told = set_runtime(home, owner, partner, runtime, reason)
    document = {"partner": partner, "runtime": told.runtime, "status": told.status}
    shared.terminal.result(document, f"{told.runtime} of {partner} is {told.status}")


def _resume(shared: Shared, home: Home, name: str) -> Partner:
    resumed = home.vault.partners.resume(name)
    _tell_broker(shared, home, resumed, reason=None)
    return resumed


def _tell_broker(shared: Shared, home: Home, partner: Partner, *, reason: str | None) -> None:
    from strongroom.cli._broker import hand_in, own_line
    from strongroom.enrolling import keep_standing

    line = own_line(home)
    if line is None:
        return
    waiting = keep_standing(home, partner, reason=reason, now=shared.now)
    hand_in(home, line, [waiting], said=f"{partner.name} is {partner.status.value} in this home")


def fetch_arrived(home: Home, partner: str, fingerprint: str | None) -> None:
    """Take in what arrived at the broker under a partner's name.

    Raises:
        VerificationError: what arrived does not hold, or the partner is known under another key.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not see the partners.
        FormatError: what arrived is no enrollment.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom import enrolling
    from strongroom.cli._broker import answering, own_line, pages

    line = None if is_file(partner) else own_line(home)
    if line is None:
        return
    client = line.client
    with answering(line):
        arrived = pages(lambda after: client.partners(after=after), "partners")
        enrolling.take_in_all(home, arrived, partner, fingerprint=fingerprint)


def ensure_approved(shared: Shared, home: Home, partner: str, fingerprint: str | None) -> str:
    """Return the name of a partner, given by name or by file, that is approved now.

    Raises:
        FormatError: not an enrollment, or not of the form of a fingerprint.
        VerificationError: another fingerprint, or a suspended partner.
        ObjectNotFound: no such partner or file.
        UsageError: nobody can be asked for the fingerprint.
    """
    from strongroom.home.partners import PartnerStatus
    from strongroom.keys.introduction import verify_fingerprint

    if is_file(partner):
        enrollment = find_enrollment(shared, home, partner, fingerprint)
        name = enrollment.document.partner
        if home.vault.partners.get(name).status is PartnerStatus.PENDING:
            _compare_and_approve(shared, home, enrollment, fingerprint)
        elif fingerprint is not None:
            verify_fingerprint(fingerprint, enrollment.token)
    else:
        name = partner
        if not _is_known(home, name):
            fetch_arrived(home, name, fingerprint)
        if home.vault.partners.get(name).status is PartnerStatus.PENDING:
            enrollment = find_enrollment(shared, home, name, fingerprint)
            _compare_and_approve(shared, home, enrollment, fingerprint)
    return home.vault.partners.verify_approved(name).name


def _is_known(home: Home, name: str) -> bool:
    from strongroom.home.partners import PartnerStatus

    try:
        return home.vault.partners.get(name).status is not PartnerStatus.PENDING
    except ObjectNotFound:
        return False


def _compare_and_approve(
    shared: Shared, home: Home, enrollment: VerifiedEnrollment, fingerprint: str | None
) -> Partner:
    from strongroom import enrolling
    from strongroom.cli._broker import answering, own_line
    from strongroom.cli._fingerprint import compare

    name = enrollment.document.partner
    said = compare(
        shared.terminal,
        enrollment.fingerprint,
        given=fingerprint,
        other_side=name,
        several=" (several partners: strongroom partner approve, one by one)",
    )
    approved = enrolling.approve(home, enrollment, said)
    line = own_line(home)
    if line is not None:
        with answering(line, kept=f"{name} is approved in this home", again=f"partner approve {name}"):
            enrolling.approve_at(line.client, enrollment)
    return approved


def is_file(partner: str) -> bool:
    """Tell a file from a name: a name of a partner that is also a file is the file."""
    return Path(partner) == STANDARD or partner.endswith(".enrollment") or Path(partner).is_file()


def find_enrollment(shared: Shared, home: Home, partner: str, fingerprint: str | None) -> VerifiedEnrollment:
    """Return the enrollment in a file, which is kept, or one that came earlier under a partner's name.

    Raises:
        FormatError: not an enrollment.
        VerificationError: it does not hold.
        ObjectNotFound: no such partner or file.
        UsageError: several answers came to one invite (code ``several-answers``).
    """
    from strongroom import enrolling
    from strongroom.cli._file import read_input
    from strongroom.founding import own_owner

    if is_file(partner):
        return enrolling.receive(home, read_input(shared.terminal, Path(partner)), now=shared.now)
    return _choose(partner, home.vault.partners.enrollments(partner, own_owner(home)), fingerprint)


def _choose(name: str, answers: Sequence[VerifiedEnrollment], fingerprint: str | None) -> VerifiedEnrollment:
    from strongroom.keys.introduction import verify_fingerprint

    if len({answer.document.organization for answer in answers}) == 1:
        return answers[-1]
    for answer in answers if fingerprint is not None else ():
        try:
            verify_fingerprint(str(fingerprint), answer.token)
        except VerificationError:
            continue
        return answer
    raise UsageError(
        f"several answers came to the invite for {name}, under different keys",
        code="several-answers",
        hint="call the partner, and give the fingerprint that they read out with --fingerprint",
    )


app = noun(
    "partner",
    "List, approve, refuse and suspend partners.",
    page(list_, "list"),
    page(approve, "approve"),
    page(refuse, "refuse"),
    page(suspend, "suspend"),
    page(resume, "resume"),
)
