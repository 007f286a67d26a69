"""``strongroom license upload``: what could not be sent when it was signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import BrokerUnavailable

if TYPE_CHECKING:
    from strongroom.home import Home
    from strongroom.home.outbox import Parcel
    from strongroom.sending import Sent


def upload(
    *ids: Annotated[
        str,
        Parameter(help="What to send (else all that waits); what was signed here before is sent once more."),
    ],
    forget: Annotated[bool, Parameter(help="Do not send these ids, and forget that they wait.")] = False,
    shared: Shared = SHARED,
) -> int:
    """Hand in what was signed while the broker was down, or what it refused before.

    Licenses, sub-licenses, acceptances, revocations, withdrawals, packages and enrollments wait in the home
    until the broker has them. What it has already is not counted twice. A license, revocation or withdrawal
    that was sent long ago is sent again if you name it, a license with its revocation.

    Examples:
        $ strongroom license upload
        $ strongroom license upload lic-uvaxoz2qpfs5
        $ strongroom license upload lic-uvaxoz2qpfs5 --forget

    Raises:
        ObjectNotFound: nothing of that id waits here, and nothing of that id was signed here.
        FormatError: a stored file is damaged.
        StorageUnavailable: a file cannot be read or written.
    """
    home = shared.open_home()
    waiting = _choose(shared, home, ids)
    if forget:
        return _forget(shared, home, waiting if ids else [])
    sent, silent = _send(home, waiting)
    documents = [_document(each) for each in sent]
    left = [each for each in waiting if each.id not in {done.parcel.id for done in sent}]
    documents += [{"id": each.id, "about": each.about, "outcome": "waiting", "reason": None} for each in left]
    rows = [(each["id"], each["about"], each["reason"] or each["outcome"]) for each in documents]
    shared.terminal.table({"parcels": documents}, ("id", "what", "outcome"), rows, empty="Nothing waits.")
    if silent is not None:
        shared.terminal.warning(f"{silent}; what waits stays here")
        return silent.exit_code
    refused = [each.refusal for each in sent if each.refusal is not None]
    for each in refused:
        if each.hint:
            shared.terminal.note(f"hint: {each.hint}")
    return refused[0].exit_code if refused else 0


def _choose(shared: Shared, home: Home, ids: tuple[str, ...]) -> list[Parcel]:
    from strongroom.resending import parcels_of

    waiting = {each.id: each for each in home.outbox.waiting()}
    chosen = dict.fromkeys(ids)
    for identity in ids:
        if identity not in waiting:
            for parcel in parcels_of(home, identity, now=shared.now):
                home.outbox.add(parcel)
                waiting.setdefault(parcel.id, parcel)
                chosen[parcel.id] = None
    return [each for each in waiting.values() if not ids or each.id in chosen]


def _forget(shared: Shared, home: Home, parcels: list[Parcel]) -> int:
    for each in parcels:
        home.outbox.remove(each.id)
    document = {"forgotten": [each.id for each in parcels]}
    shared.terminal.result(document, "\n".join(f"{each.id} is not sent" for each in parcels))
    return 0


def _send(home: Home, waiting: list[Parcel]) -> tuple[list[Sent], BrokerUnavailable | None]:
    from strongroom.cli._broker import line_to
    from strongroom.sending import send

    sent: list[Sent] = []
    silent = None
    for owner_id in dict.fromkeys(each.owner for each in waiting):
        line = line_to(home, home.trust.get(owner_id))
        if line is None:
            continue
        for parcel in [each for each in waiting if each.owner == owner_id]:
            try:
                sent += send(home, line.client, owner_id=owner_id, only=[parcel.id])
            except BrokerUnavailable as error:
                silent = error
                break
    return sent, silent


def _document(sent: Sent) -> dict[str, Any]:
    return {
        "id": sent.parcel.id,
        "about": sent.parcel.about,
        "outcome": "sent" if sent.refusal is None else "refused",
        "reason": None if sent.refusal is None else f"{sent.refusal} [{sent.refusal.code}]",
    }
