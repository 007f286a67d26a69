"""``strongroom license narrow`` and ``checkout``: what a partner makes of a license that it holds."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from strongroom.cli._shared import SHARED, Shared
from strongroom.cli._terms import NO_TERMS, TermOptions
from strongroom.cli.license.stored import find_license, verified_chain
from strongroom.errors import Error, LicenseDenied

if TYPE_CHECKING:
    from strongroom.cli._broker import Line
    from strongroom.home import Home
    from strongroom.license.chain import LicenseChain
    from strongroom.license.terms import Counted

_HELD_BY_LEASES: Final = frozenset(
    {
        "predictions-used-up",
        "tokens-used-up",
        "explanations-used-up",
        "no-budget",
        "too-many-runtimes",
    }
)
"""What a check-out is refused with where leases hold what it needs."""


def narrow(
    license: Annotated[str, Parameter(help="The id of an accepted license.")],
    enrollment: Annotated[
        Path, Parameter(help="The .enrollment file of the site, made from the owner's invite.")
    ],
    /,
    *,
    fingerprint: Annotated[
        str | None, Parameter(help="What the site read out on the telephone (else compared here).")
    ] = None,
    output: Annotated[
        Path | None,
        Parameter(alias="-o", help="Where to write it (else stdout, on a terminal SITE.license)."),
    ] = None,
    terms: TermOptions = NO_TERMS,
    shared: Shared = SHARED,
) -> None:
    """Pass a license on to one of your sites, with further limits.

    With a broker, the sub-license is handed in, and the site fetches it with `strongroom accept`. Without
    one, it carries no key: send it to the owner, who adds one for the site with `grant --under`. What the
    site uses counts against your license too.

    Examples:
        $ strongroom license narrow lic-uvaxoz2qpfs5 site.enrollment --expires 30d
        $ strongroom license narrow lic-uvaxoz2qpfs5 site.enrollment -o site.license

    Raises:
        ObjectNotFound: there is no such license here.
        VerificationError: it gives no right to sub-license, or the fingerprints differ.
        UsageError: it is not accepted, an option cannot be read or gives more than it, or the file exists.
        BrokerUnavailable: the broker does not answer; what was signed waits here.
        BrokerRefused: the broker does not take it.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom import accepting
    from strongroom.cli._broker import hand_in, line_to
    from strongroom.cli._file import STANDARD, agree_to_replace, deliver, read_input
    from strongroom.cli._fingerprint import compare
    from strongroom.keys.introduction import verify_enrollment, verify_fingerprint
    from strongroom.license.documents import Party

    terms.warn(shared)
    home = shared.open_home()
    if output is not None and output != STANDARD:
        # Before anything is signed: what is signed waits to be handed in.
        agree_to_replace(shared.terminal, output, replace=shared.yes)
    pinned = home.trust.get(verified_chain(home, find_license(home, license)).owner)
    owner = home.trust.confirmed(pinned.id)
    site = verify_enrollment(read_input(shared.terminal, enrollment), owner, shared.now)
    name = site.document.partner
    said = compare(shared.terminal, site.fingerprint, given=fingerprint, other_side=name)
    verify_fingerprint(said, site.token)
    line = line_to(home, pinned)
    file = accepting.narrow(
        home,
        license,
        holder=Party(name=name, organization=site.document.organization),
        terms=terms.terms("", runtimes=1, now=shared.now),
        now=shared.now,
        to_broker=line is not None,
    )
    identity = (chain := verified_chain(home, file)).id
    document = {"license": license, "holder": name, "sublicense": identity}
    if line is None or output is not None:
        deliver(
            shared,
            file.to_bytes(),
            output=output,
            suggested=f"{name}.license",
            document=document,
            replace=output is not None,
        )
    _show_terms(shared, chain)
    if line is not None:
        hand_in(home, line, [identity], what=f"the sub-license {identity}")
        if output is None:
            shared.terminal.result(document, f"{identity} is granted to {name}")
        if not shared.json:
            shared.terminal.note(f"{name} takes it with: strongroom accept {identity}")


def _show_terms(shared: Shared, chain: LicenseChain) -> None:
    """Say what the site gets, and where the license above is narrower than what was asked for."""
    from strongroom.cli._moment import shown
    from strongroom.license.describe import describe_terms
    from strongroom.license.terms import Counted, Expires

    if shared.json:
        return
    for label, sentence in describe_terms(chain.last.terms):
        shared.terminal.note(f"{label}: {sentence}")
    above = [term for document in chain.documents[:-1] for term in document.terms]
    for term in chain.last.terms:
        for held in above:
            if isinstance(term, Expires) and isinstance(held, Expires) and held.at < term.at:
                shared.terminal.warning(f"your own license ends sooner, {shown(held.at)}: that counts")
            if isinstance(term, Counted) and isinstance(held, Counted) and _is_below(held, term):
                shared.terminal.warning(
                    f"your own license allows {held.limit:,} {held.counter.value} per {held.per.value}: "
                    "that counts"
                )


def _is_below(held: Counted, term: Counted) -> bool:
    return (held.counter, held.per) == (term.counter, term.per) and held.limit < term.limit


def checkout(
    model: Annotated[str, Parameter(help="[OWNER/]NAME[@VERSION] of an accepted license.")],
    /,
    *,
    until: Annotated[
        str | None,
        Parameter(help="Until when: a date, an instant or 30d (else as long as the license lets)."),
    ] = None,
    license: Annotated[str | None, Parameter(help="The id of the license, where several fit.")] = None,
    shared: Shared = SHARED,
) -> None:
    """Fetch a key file for this installation, to use a model where no broker can be reached.

    Take it while you are in the network. Its share of every count is set aside for as long as it lasts; what
    it used is reported when the broker can be reached again. It cannot be called back before it ends. Where
    the lease of this installation holds all that is left, the lease is given back for it.

    Examples:
        $ strongroom license checkout risk
        $ strongroom license checkout risk --until 30d

    Raises:
        ObjectNotFound: no license covers the model.
        LicenseDenied: the license allows no use without the broker, or nothing is left for it.
        UsageError: no broker is known here, the license is not accepted, or a date cannot be read.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: the broker refuses.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom._encoding import to_instant
    from strongroom.cli._broker import answering, demand_line
    from strongroom.cli._moment import end_of, shown
    from strongroom.leasing import check_out
    from strongroom.package.inspect import inspect
    from strongroom.storage.local import LocalSource

    home = shared.open_home()
    candidate = home.catalog.resolve(model, license_id=license)
    line = demand_line(home, candidate.owner.id, as_runtime=True)
    with LocalSource(candidate.package.path) as source:
        package = inspect(source).unverified.package_digest
    identity = candidate.license.license_id
    ask = partial(
        check_out,
        home,
        line.client,
        candidate.owner.id,
        license=identity,
        package=package,
        until=None if until is None else end_of(until, shared.now),
    )
    with answering(line):
        try:
            offline = ask().document
        except LicenseDenied as denied:
            # What is missing may be in the lease of this installation itself, which the file replaces.
            if denied.code not in _HELD_BY_LEASES or not _give_back(shared, home, model, line, identity):
                raise
            offline = ask().document
    document = {
        "license": identity,
        "package": package,
        "until": to_instant(offline.not_after),
        "budget": [
            {"counter": each.counter.value, "per": each.per.value, "limit": each.limit}
            | ({} if each.later is None else {"later": each.later})
            for each in offline.budget
        ],
    }
    name = candidate.package.name
    shared.terminal.result(document, f"{name} works here without the broker until {shown(offline.not_after)}")
    for each in () if shared.json else offline.budget:
        later = "" if each.later is None else f", {each.later:,} in each later one"
        shared.terminal.note(
            f"Set aside for it: {each.limit:,} {each.counter.value} per {each.per.value}{later}."
        )


def _give_back(shared: Shared, home: Home, model: str, line: Line, license: str) -> bool:
    """Give the lease of this installation back, and say whether there was one."""
    from strongroom.cli._level import open_here
    from strongroom.cli.lease import give_back

    try:
        opened = open_here(shared, home, model, license_id=license)
    except Error:
        # The refusal before says more.
        return False
    return give_back(home, opened, line) is not None
