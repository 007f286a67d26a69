"""``strongroom license``: list, show, narrow, withdraw-version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.cli._page import noun, page
from strongroom.cli._shared import SHARED, Shared
from strongroom.cli._terms import NO_TERMS, TermOptions

if TYPE_CHECKING:
    from datetime import datetime

    from strongroom.home import Home
    from strongroom.license.chain import LicenseChain
    from strongroom.license.license_file import LicenseFile


def list_(*, shared: Shared = SHARED) -> None:
    """List the licenses that this home gave and those that it got.

    Examples:
        $ strongroom license list
        $ strongroom license list --json

    Raises:
        FormatError: a stored license is damaged.
        VerificationError: a stored license does not verify.
        StorageUnavailable: a file cannot be read.
    """
    from strongroom._encoding import from_instant

    home = shared.open_home()
    found = [_given(home, grant.license) for grant in home.vault.grants.all()]
    found += [_got(home, stored.owner_id, stored.license_id) for stored in home.catalog.licenses.all()]
    rows = [
        (
            each["license"],
            f"{each['direction']} {each['party']}"
            + (", not accepted" if each["status"] == "not accepted" else "")
            + (
                ", ended"
                if each["ends"] is not None and from_instant(str(each["ends"])) <= shared.now
                else ""
            ),
            each["models"],
            str(each["ends"] or "-")[: len("2027-06-30")],
        )
        for each in found
    ]
    columns = ("license", "to or from", "models", "ends")
    shared.terminal.table({"licenses": found}, columns, rows, empty="There are no licenses in this home.")


def _given(home: Home, license_id: str) -> dict[str, Any]:
    from strongroom.license.license_file import LicenseFile

    file = LicenseFile.from_bytes(home.vault.grants.license_file(license_id))
    chain = _verify(home, file)
    return {**_summary(chain), "direction": "to", "party": chain.holder.name, "status": "granted"}


def _got(home: Home, owner_id: str, license_id: str) -> dict[str, Any]:
    stored = home.catalog.licenses.get(owner_id, license_id)
    chain = _verify(home, stored.file)
    status = "accepted" if stored.acceptance is not None else "not accepted"
    return {**_summary(chain), "direction": "from", "party": home.trust.get(owner_id).label, "status": status}


def _summary(chain: LicenseChain) -> dict[str, Any]:
    from strongroom._encoding import to_instant
    from strongroom.license.terms import Expires, Packages

    terms = [term for _, term in chain.terms()]
    ends = [term.at for term in terms if isinstance(term, Expires)]
    models = [choice.to_text() for term in terms if isinstance(term, Packages) for choice in term.packages]
    return {
        "license": chain.id,
        "models": ", ".join(dict.fromkeys(models)),
        "ends": to_instant(min(ends)) if ends else None,
    }


def ends_of(home: Home, file: LicenseFile) -> datetime | None:
    """Return when a license file is of no more use here: the end of its terms or of its last key, or None.

    Raises:
        VerificationError: it does not verify.
        ObjectNotFound: its owner is not pinned here.
        FormatError: it is damaged.
    """
    from strongroom.license.release_documents import OfflineFile, PassphraseFile
    from strongroom.license.signing import read_unverified
    from strongroom.license.terms import Expires

    ends = [term.at for _, term in _verify(home, file).terms() if isinstance(term, Expires)]
    keys = [read_unverified(token, OfflineFile).not_after for token in file.offline]
    keys += [read_unverified(token, PassphraseFile).not_after for token in file.passphrase]
    return min((*ends, *([max(keys)] if keys else [])), default=None)


def _verify(home: Home, file: LicenseFile) -> LicenseChain:
    from strongroom.keys.owner import verify_owner_chain
    from strongroom.license.chain import verify_chain

    owner = home.trust.get(verify_owner_chain(file.owner_chain()).id).owner
    return verify_chain(file.license, file.sublicenses, owner)


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
    chain = _verify(home, file)
    if output is not None:
        write_output(shared.terminal, file.to_bytes(), output, replace=shared.yes)
    sentences = describe_license(chain)
    document = {
        **_summary(chain),
        "holder": chain.holder.name,
        "owner": chain.owner,
        "terms": [encode_term(term) for _, term in chain.terms()],
        "sentences": [{"label": label, "text": text} for label, text in sentences],
        "agreement": file.agreement,
    }
    shared.terminal.fields(document, sentences)
    if agreement and not shared.json:
        shared.terminal.result({}, f"\n{file.agreement or 'It names no agreement.'}")


def find_license(home: Home, license_id: str) -> LicenseFile:
    """Return a license file of this home, given or got.

    Raises:
        ObjectNotFound: there is no such license here.
        FormatError: it is damaged.
        StorageUnavailable: it cannot be read.
    """
    from strongroom.license.license_file import LicenseFile

    for stored in home.catalog.licenses.all():
        if stored.license_id == license_id:
            return stored.file
    return LicenseFile.from_bytes(home.vault.grants.license_file(license_id))


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

    The result carries no key: send it to the owner, who adds one for the site with `grant --under`.

    Examples:
        $ strongroom license narrow lic-uvaxoz2qpfs5 site.enrollment --expires 30d
        $ strongroom license narrow lic-uvaxoz2qpfs5 site.enrollment -o site.license

    Raises:
        ObjectNotFound: there is no such license here.
        VerificationError: it gives no right to sub-license, or the fingerprints differ.
        UsageError: it is not accepted, or an option cannot be read.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom import accepting
    from strongroom.cli._file import deliver, read_input
    from strongroom.cli._fingerprint import compare
    from strongroom.keys.introduction import verify_enrollment, verify_fingerprint
    from strongroom.license.documents import Party

    home = shared.open_home()
    owner = home.trust.confirmed(_verify(home, find_license(home, license)).owner)
    site = verify_enrollment(read_input(shared.terminal, enrollment), owner, shared.now)
    name = site.document.partner
    said = compare(shared.terminal, site.fingerprint, given=fingerprint, other_side=name)
    verify_fingerprint(said, site.token)
    file = accepting.narrow(
        home,
        license,
        holder=Party(name=name, organization=site.document.organization),
        terms=terms.terms("", runtimes=1, now=shared.now),
        now=shared.now,
    )
    document = {"license": license, "holder": name}
    deliver(shared, file.to_bytes(), output=output, suggested=f"{name}.license", document=document)


def withdraw_version(
    model: Annotated[str, Parameter(help="NAME@VERSION, the version that must not run any more.")],
    /,
    *,
    reason: Annotated[str, Parameter(help="Why, in one line; partners read it.")],
    permits: Annotated[
        str | None, Parameter(help="The older version that may run in its place (else none).")
    ] = None,
    into: Annotated[Path, Parameter(help="Where the new license files go (else here).")] = Path(),
    shared: Shared = SHARED,
) -> None:
    """Withdraw a version of a model, and permit an older one in its place.

    A runtime that has seen a version refuses lower ones; this is the only way back. The withdrawal is added
    to every license that names the model; send each partner its new file, to be accepted as the first was.

    Examples:
        $ strongroom license withdraw-version risk@2.0.0 --permits 1.0.0 --reason "wrong unit of age"

    Raises:
        ObjectNotFound: a version was not sealed here.
        UsageError: this home owns no models, or a file exists.
        FormatError: what is permitted is not older, or the reason is no line of text.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom import granting
    from strongroom.cli._withdrawal import add_to_licenses

    home = shared.open_home()
    signed = granting.withdraw_version(home, model, permits=permits, reason=reason, now=shared.now)
    written = add_to_licenses(shared, home, signed.token, signed.document.name, into)
    document = {
        "withdrawal": signed.id,
        "model": signed.document.name,
        "version": signed.document.version,
        "permits": permits,
        "licenses": [{"license": each.license_id, "path": str(each.path)} for each in written],
    }
    rows = [(each.partner, each.license_id, str(each.path)) for each in written]
    shared.terminal.table(
        document, ("partner", "license", "file"), rows, empty="It is withdrawn. No license names this model."
    )


app = noun(
    "license",
    "List, show and narrow licenses, withdraw a version.",
    page(list_, "list"),
    page(show, "show"),
    page(narrow, "narrow"),
    page(withdraw_version, "withdraw-version"),
)
