"""``strongroom derivation send``, ``list``, ``fetch`` and ``refuse``: derived models over a broker."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.cli._broker import OwnerOption
from strongroom.cli._page import noun, page
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import BrokerRefused, ObjectNotFound, UsageError

if TYPE_CHECKING:
    from strongroom.connection import BrokerClient
    from strongroom.protocol.derivation import DerivationAnswer

DerivedFile = Annotated[Path, Parameter(help="The .derived file that `strongroom derive` wrote.")]


def send(file: DerivedFile, /, *, shared: Shared = SHARED) -> None:
    """Ask the owner's broker for the countersignature of a model that you derived.

    The broker checks your license and what your organization signed; the model itself never goes there.
    Send the file to the owner on any way. The same file again is the same request.

    Examples:
        $ strongroom derivation send risk-1.1.0.derived

    Raises:
        FormatError: no derivation file, or a damaged one.
        ObjectNotFound: there is no such file, or the broker knows no such license or parent of yours.
        VerificationError: a signature does not hold, or the documents do not fit together.
        LicenseDenied: the license gives no right to modify the parent now.
        UsageError: no broker of that owner is known here.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not do this, or too many of yours wait.
        StorageUnavailable: the file cannot be read.
    """
    from strongroom.cli._broker import answering, demand_line
    from strongroom.deriving import announce

    announced = announce(file)
    line = demand_line(shared.open_home(), announced.owner)
    with answering(line):
        answer = line.client.hand_in_derivation(announced.ask)
    shared.terminal.result(_document(answer), f"{answer.derivation} is {standing_of(answer)}")
    if not shared.json and answer.status == "open":
        shared.terminal.note(
            f"Send {file} to {line.owner.label} on any way; when it is countersigned: "
            f"strongroom derivation fetch {file}"
        )


def list_(*, owner: OwnerOption = None, shared: Shared = SHARED) -> None:
    """List derived models: at an owner those of all partners, at a partner its own.

    Examples:
        $ strongroom derivation list
        $ strongroom derivation list --json

    Raises:
        UsageError: no broker is known here, or several are.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not see them.
    """
    from strongroom.cli._broker import answering, demand_line

    line = demand_line(shared.open_home(), owner)
    with answering(line):
        found = _all(line.client)
    rows = [
        (
            each.derivation,
            each.holder,
            f"{each.name} {each.version}",
            each.parent_name,
            each.package,
            standing_of(each),
        )
        for each in found
    ]
    columns = ("derivation", "partner", "model", "made of", "digest", "status")
    shared.terminal.table(
        {"derivations": [_document(each) for each in found]}, columns, rows, empty="There are none."
    )


def fetch(file: DerivedFile, /, *, shared: Shared = SHARED) -> None:
    """Fetch the owner's countersignature, and make the package of it and your file.

    The package lies in this home then. To run it takes a license for it, as for any other. If the owner has a
    new package key by now, the newer owner document comes with it.

    Examples:
        $ strongroom derivation fetch risk-1.1.0.derived

    Raises:
        FormatError: no derivation file, or a damaged one.
        ObjectNotFound: there is no such file, or the broker was not asked for its countersignature.
        VerificationError: what came is not signed by the owner, or is for another package.
        IntegrityError: the file has changed since.
        UsageError: it is not countersigned yet, or no broker of that owner is known here.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: the owner refused it, or you may not see it.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom._encoding import from_base64
    from strongroom.cli._broker import answering, demand_line
    from strongroom.deriving import announce, take_in
    from strongroom.witnessing import with_newest_owner

    announced, home = announce(file), shared.open_home()
    line = demand_line(home, announced.owner)
    with answering(line):
        answer = _find(line.client, announced.derivation, file)
    if answer.reason is not None:
        raise BrokerRefused(
            f"{line.owner.label} refused it: {answer.reason}",
            code="derivation-refused",
            hint="change the model, and derive it anew",
        )
    if answer.statement is None:
        raise UsageError(
            f"{line.owner.label} has not countersigned it yet",
            code="derivation-open",
            hint=f"{line.owner.label} needs the file for that: send {file} on any way",
        )
    signed = from_base64(answer.statement)
    with answering(line):
        # A home that takes no leases hears of a new package key by nothing else.
        stored = with_newest_owner(
            home,
            line.client,
            home.trust.confirmed(announced.owner),
            lambda owner: take_in(home, file, signed, owner),
            moved={"wrong-signer"},
        )
    shared.terminal.result(_document(answer) | {"path": str(stored.path)}, str(stored.path))
    if not shared.json:
        shared.terminal.note(f"{answer.name} {answer.version} is countersigned. It runs once it is granted.")


def refuse(
    derivation: Annotated[str, Parameter(help="The id of a derived model, drv-...")],
    /,
    *,
    reason: Annotated[
        str, Parameter(help="Why, in one line; the partner is told, and it stands in the log.")
    ],
    shared: Shared = SHARED,
) -> None:
    """Refuse to countersign a partner's derived model. To sign it: strongroom countersign FILE.

    Examples:
        $ strongroom derivation refuse drv-uvaxoz2qpfs5 --reason "trained on too few patients"

    Raises:
        ObjectNotFound: the broker knows no such derived model.
        UsageError: this home owns no models, or has no broker.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not do this, or it was countersigned.
    """
    from strongroom.cli._broker import answering, demand_own_line
    from strongroom.protocol.broker import ReasonAsk

    line = demand_own_line(shared.open_home())
    with answering(line):
        answer = line.client.refuse_derivation(derivation, ReasonAsk(reason=reason))
    text = f"{answer.derivation} of {answer.holder} is {standing_of(answer)}"
    shared.terminal.result(_document(answer), text)


def standing_of(answer: DerivationAnswer) -> str:
    """Say in a few words what the owner said."""
    return answer.status if answer.reason is None else f"{answer.status}: {answer.reason}"


def _all(client: BrokerClient) -> list[DerivationAnswer]:
    from strongroom.cli._broker import pages

    found = pages(lambda after: client.derivations(after=after), "derivations")
    return sorted(found, key=lambda each: (each.handed_in_at, each.derivation))


def _find(client: BrokerClient, derivation: str, file: Path) -> DerivationAnswer:
    try:
        return client.derivation(derivation)
    except ObjectNotFound as error:
        raise ObjectNotFound(
            "the broker was not asked to have this file countersigned",
            code="unknown-derivation",
            hint=f"strongroom derivation send {file}",
        ) from error


def _document(answer: DerivationAnswer) -> dict[str, Any]:
    document = asdict(answer)
    del document["statement"]
    return document


app = noun(
    "derivation",
    "Hand in, list, fetch and refuse derived models over a broker.",
    page(send, "send"),
    page(list_, "list"),
    page(fetch, "fetch"),
    page(refuse, "refuse"),
)
