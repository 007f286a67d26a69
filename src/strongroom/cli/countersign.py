"""``strongroom countersign``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import UsageError

if TYPE_CHECKING:
    from strongroom.deriving import Countersigned, Proposal


def countersign(
    file: Annotated[Path, Parameter(help="A .derived file that a partner sent.")],
    /,
    *,
    shared: Shared = SHARED,
) -> None:
    """Check a model that a partner made of one of yours, and make a package of it.

    The partner's license, its signatures, every byte and the contents are checked; nothing of it is run, and
    what `seal` would refuse is refused. Your package key signs it only after all of that, and after your yes:
    the signature is your word for the model, and whether its answers are right nobody has checked. From then
    on you can grant it as any other. A partner that asked at the broker fetches
    the signature there.

    Examples:
        $ strongroom countersign risk-1.1.0.derived
        $ strongroom countersign risk-1.1.0.derived --yes --json

    Raises:
        FormatError: no derivation file, or a damaged one.
        VerificationError: a signature does not hold, or the partner is suspended.
        LicenseDenied: the license gave no right to modify the parent.
        UsageError: a name that is taken, a version that is not the next one, or nobody said yes.
        UnsupportedError: it holds what cannot be sealed, or an extra is missing.
        IntegrityError: a byte is not what the partner signed.
        ObjectNotFound: there is no such file.
        BrokerUnavailable: the broker does not answer; the signature waits here.
        BrokerRefused: the broker refuses it, as it was refused there before.
        NoMatchingKey: a key is missing, or the home's pass-phrase is missing or wrong.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom import deriving
    from strongroom.cli._broker import hand_in, own_line

    def agree(proposal: Proposal) -> None:
        _ask(shared, proposal)

    home = shared.open_home()
    done = deriving.countersign(home, file, now=shared.now, agree=agree)
    line = own_line(home)
    if line is not None:
        sent = hand_in(home, line, [deriving.post(home, done, now=shared.now)], what="the package")
        if sent[0].answer is None:
            shared.terminal.note(
                f"{done.holder} has not asked the broker for it: send the package, or ask for "
                "`strongroom derivation send`, and countersign the file once more"
            )
    shared.terminal.result(_document(done), str(done.path))
    if not shared.json:
        shared.terminal.note(f"Grant it: strongroom grant PARTNER {done.name}@{done.version}")


def _ask(shared: Shared, proposal: Proposal) -> None:
    note = shared.terminal.note
    if not shared.json:
        note(f"{proposal.holder} made {proposal.name} {proposal.version} of {proposal.parent}.")
        note(f"License {proposal.license}; it runs with {proposal.loader}.")
        note(f"Digest {proposal.package}")
        for file in proposal.files:
            note(f"  {file.name}, {file.size:,} bytes{_compared(proposal, file.name)}")
    if not shared.terminal.confirm("Countersign it?", yes=shared.yes):
        raise UsageError("nothing was signed", code="not-signed")


def _compared(proposal: Proposal, name: str) -> str:
    if proposal.unchanged is None:
        return ""
    return ", as in the parent" if name in proposal.unchanged else ", changed or new"


def _document(done: Countersigned) -> dict[str, Any]:
    return {
        "name": done.name,
        "version": done.version,
        "path": str(done.path),
        "package_digest": done.package,
        "parent": done.parent,
        "holder": done.holder,
        "license": done.license,
        "derivation": done.derivation,
    }


app = page(countersign, "countersign")
