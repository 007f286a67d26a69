"""``strongroom accept``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from strongroom.cli._code import CODE_NOTE, carries_code
from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import ObjectNotFound, UsageError

if TYPE_CHECKING:
    from strongroom.accepting import Offer
    from strongroom.home import Home
    from strongroom.home.packages import StoredPackage


def accept(
    license: Annotated[
        str,
        Parameter(help="The .license file, or the folder that was sent; with a broker, a model or an id."),
    ],
    /,
    *,
    package: Annotated[
        tuple[Path, ...],
        Parameter(help="A .sealed file to take in (else those beside the license or here)."),
    ] = (),
    fingerprint: Annotated[
        str | None, Parameter(help="What the owner read out on the telephone (else compared here, once).")
    ] = None,
    output: Annotated[
        Path | None, Parameter(alias="-o", help="Also write the acceptance, to be sent to the owner.")
    ] = None,
    shared: Shared = SHARED,
) -> None:
    """Accept a license and its agreement, and add it to this home.

    You see what the license says and the text of the agreement before you are asked; --yes accepts without
    asking. The key of your organization signs that it accepts. Packages are checked byte by byte. With the
    owner's broker, the license is fetched from it, and the acceptance handed in.

    Examples:
        $ strongroom accept risk
        $ strongroom accept clinic.license
        $ strongroom accept clinic/ --fingerprint XK4T-09RM-2H7Q-VB3N-E8WD --yes
        $ strongroom accept clinic.license --package risk-1.0.0.sealed -o clinic.acceptance

    Raises:
        ObjectNotFound: there is no such file, or its owner was never joined.
        FormatError: not a license, or a damaged one.
        VerificationError: a signature does not hold, it is for somebody else, or the fingerprints differ.
        UsageError: nobody can be asked, or the answer is no.
        BrokerUnavailable: the broker does not answer; what was signed waits here.
        BrokerRefused: the broker refuses.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom import accepting
    from strongroom.cli._broker import hand_in, line_to
    from strongroom.cli._file import write_output

    home = shared.open_home()
    file, data = _fetch(shared, home, license)
    offer = accepting.read_offer(home, data)
    _confirm_owner(shared, home, offer, fingerprint)
    _show(shared, offer)
    if not shared.terminal.confirm("Accept this license?", yes=shared.yes):
        raise UsageError("the license is not accepted", code="not-accepted")
    # A license that brings its key along was granted past the broker, which knows nothing of it.
    line = None if offer.has_key_for_this_runtime else line_to(home, offer.pinned)
    signed = accepting.accept(home, offer, now=shared.now, to_broker=line is not None)
    if output is not None:
        write_output(shared.terminal, signed.token.encode("ascii"), output, replace=shared.yes)
    packages = [_pull(shared, home, path) for path in package or find_packages(file, offer)]
    if line is not None:
        hand_in(home, line, [signed.id], what=f"the acceptance of {offer.license.chain.id}")
    _tell(shared, offer, signed.id, packages, has_broker=line is not None)


def _fetch(shared: Shared, home: Home, word: str) -> tuple[Path, bytes]:
    """Return the license file that is meant, and where packages may lie beside it."""
    from strongroom.cli._broker import lines
    from strongroom.cli._file import STANDARD, read_input
    from strongroom.cli._offered import find_offered

    path = Path(word)
    if path != STANDARD and not path.exists() and not word.endswith(".license"):
        brokers = [line for line in lines(home) if not line.is_own]
        if brokers:
            return Path("here.license"), find_offered(home, brokers, word).file.encode("utf-8")
    file = find_license(path)
    return file, read_input(shared.terminal, file)


def find_license(path: Path) -> Path:
    """Return the license file that a path means: the file, or the only one in the folder.

    Raises:
        ObjectNotFound: there is none in the folder.
        UsageError: there are several.
    """
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.license"))
    if not found:
        raise ObjectNotFound(f"there is no .license file in {path}", hint="name the file itself")
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise UsageError(
            f"there are several licenses in {path}: {names}", code="several-licenses", hint="name one"
        )
    return found[0]


def find_packages(file: Path, offer: Offer) -> list[Path]:
    """Return the packages beside a license file that it is about.

    Raises:
        OSError: the folder cannot be read.
    """
    from strongroom.errors import FormatError, StorageError
    from strongroom.license.terms import Packages
    from strongroom.package.inspect import inspect
    from strongroom.storage.local import LocalSource

    choices = [term.packages for _, term in offer.license.chain.terms_of(Packages)]
    found = []
    for path in sorted(file.parent.glob("*.sealed")):
        try:
            with LocalSource(path) as source:
                said = inspect(source).unverified
        except (FormatError, StorageError):
            # Somebody else's file, or a damaged one: what the license is about is still looked for.
            continue
        name, version, digest = said.name, str(said.version), said.package_digest
        if said.owner == offer.owner.id and all(
            any(choice.covers(name, version, digest) for choice in each) for each in choices
        ):
            found.append(path)
    return found


def _confirm_owner(shared: Shared, home: Home, offer: Offer, fingerprint: str | None) -> None:
    from strongroom import enrolling
    from strongroom.cli._fingerprint import compare
    from strongroom.home.trust import TrustStatus

    pending = offer.pinned.status is not TrustStatus.CONFIRMED
    if pending or fingerprint is not None:
        ours = enrolling.own_fingerprint(home, offer.pinned)
        said = compare(shared.terminal, ours, given=fingerprint, other_side=offer.pinned.label)
        enrolling.confirm(home, offer.pinned, said)


def _show(shared: Shared, offer: Offer) -> None:
    from strongroom.license.describe import describe_license

    if shared.json:
        return
    for label, sentence in describe_license(offer.license.chain):
        shared.terminal.note(f"{label}: {sentence}")
    if offer.license.agreement is not None:
        shared.terminal.note("\nAgreement:\n")
        shared.terminal.note(offer.license.agreement.replace("\t", "    ").replace("\r", ""))


def _pull(shared: Shared, home: Home, path: Path) -> StoredPackage:
    from strongroom import accepting

    with shared.terminal.progress(f"Checking {path.name}", path.stat().st_size) as progress:
        return accepting.pull(home, path, progress=progress.advance)


def _tell(
    shared: Shared, offer: Offer, acceptance: str, packages: list[StoredPackage], *, has_broker: bool
) -> None:
    from strongroom.cli._moment import shown
    from strongroom.license.terms import Expires

    chain = offer.license.chain
    document = {
        "license": chain.id,
        "owner": offer.owner.id,
        "owner_name": offer.pinned.label,
        "acceptance": acceptance,
        "agreement": chain.last.agreement,
        "packages": [{"name": each.name, "version": str(each.version)} for each in packages],
        "has_key_for_this_runtime": offer.has_key_for_this_runtime,
        "has_broker": has_broker,
    }
    models = ", ".join(f"{each.name} {each.version}" for each in packages)
    shared.terminal.result(document, f"{chain.id} is accepted{f', with {models}' if models else ''}")
    for each in packages:
        if carries_code(each.path):
            shared.terminal.warning(f"{each.name} {each.version} is {CODE_NOTE}")
    if not packages and not shared.json:
        shared.terminal.note("No package lies beside it; if it is not here yet, get it and use --package.")
    ended = [term.at for _, term in chain.terms_of(Expires) if term.at <= shared.now]
    if ended:
        shared.terminal.warning(f"it ended {shown(min(ended))}; ask {offer.pinned.label} for a new one")
    if not offer.has_key_for_this_runtime and not has_broker:
        shared.terminal.warning(f"it has no key for this installation; ask {offer.pinned.label} for one")


app = page(accept, "accept")
