"""``strongroom partner``: list, approve, suspend."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from strongroom.cli._file import STANDARD
from strongroom.cli._page import noun, page
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import UsageError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.home import Home
    from strongroom.home.partners import Partner
    from strongroom.keys.introduction import VerifiedEnrollment


def list_(*, shared: Shared = SHARED) -> None:
    """List the partners of this owner.

    Examples:
        $ strongroom partner list
        $ strongroom partner list --json

    Raises:
        UsageError: this home owns no models.
        FormatError: a stored record is damaged.
        VerificationError: a stored enrollment does not verify.
        StorageUnavailable: a file cannot be read.
    """
    from strongroom.founding import own_owner

    home = shared.open_home()
    owner = own_owner(home)
    partners = home.vault.partners.all()
    fingerprints = {
        partner.name: [each.fingerprint for each in home.vault.partners.enrollments(partner.name, owner)]
        for partner in partners
    }
    document = {
        "partners": [
            {
                "name": partner.name,
                "status": partner.status.value,
                "runtimes": [runtime.runtime for runtime in partner.runtimes],
                "fingerprints": fingerprints[partner.name],
            }
            for partner in partners
        ]
    }
    rows = [
        (partner.name, partner.status.value, str(len(partner.runtimes)), " ".join(fingerprints[partner.name]))
        for partner in partners
    ]
    columns = ("partner", "status", "runtimes", "fingerprint")
    shared.terminal.table(
        document, columns, rows, empty="There are no partners; make one: strongroom invite NAME"
    )


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

    A suspended partner is taken up again; its fingerprint was compared before.

    Examples:
        $ strongroom partner approve clinic.enrollment
        $ strongroom partner approve clinic --fingerprint XK4T-09RM-2H7Q-VB3N-E8WD

    Raises:
        FormatError: not an enrollment, or not of the form of a fingerprint.
        VerificationError: another fingerprint, or an enrollment that does not hold.
        ObjectNotFound: no such partner.
        UsageError: nobody can be asked for the fingerprint.
    """
    from strongroom.home.partners import PartnerStatus

    home = shared.open_home()
    if not is_file(partner) and home.vault.partners.get(partner).status is PartnerStatus.SUSPENDED:
        approved = home.vault.partners.resume(partner)
    else:
        enrollment = find_enrollment(shared, home, partner, fingerprint)
        approved = _compare_and_approve(shared, home, enrollment, fingerprint)
    shared.terminal.result(
        {"partner": approved.name, "status": approved.status.value}, f"{approved.name} is approved"
    )


def suspend(
    partner: Annotated[str, Parameter(help="The name of the partner.")], /, *, shared: Shared = SHARED
) -> None:
    """Suspend a partner: it gets nothing new. What it holds stays in force until it expires.

    Examples:
        $ strongroom partner suspend clinic

    Raises:
        ObjectNotFound: no such partner.
        UsageError: it was never approved.
        StorageUnavailable: a file cannot be written.
    """
    suspended = shared.open_home().vault.partners.suspend(partner)
    shared.terminal.result(
        {"partner": suspended.name, "status": suspended.status.value}, f"{suspended.name} is suspended"
    )


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
        if home.vault.partners.get(name).status is PartnerStatus.PENDING:
            enrollment = find_enrollment(shared, home, name, fingerprint)
            _compare_and_approve(shared, home, enrollment, fingerprint)
    return home.vault.partners.verify_approved(name).name


def _compare_and_approve(
    shared: Shared, home: Home, enrollment: VerifiedEnrollment, fingerprint: str | None
) -> Partner:
    from strongroom import enrolling
    from strongroom.cli._fingerprint import compare

    name = enrollment.document.partner
    said = compare(shared.terminal, enrollment.fingerprint, given=fingerprint, other_side=name)
    return enrolling.approve(home, enrollment, said)


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
    "List, approve and suspend partners.",
    page(list_, "list"),
    page(approve, "approve"),
    page(suspend, "suspend"),
)
