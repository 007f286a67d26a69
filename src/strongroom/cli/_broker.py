"""The broker, as commands meet it: is there one, what is asked of it, and what to say when it is down.

    line = own_line(home)                     # the owner's; None without a broker
    line = demand_line(home, None)            # whichever party this home is; an error without one
    with answering(line):
        answer = line.client.license("lic-...")
    hand_in(home, line, [signed.id], what="the license")

A broker that is down ends a command with exit code 7 and says what still works. What was signed
is in the home by then, and waits in its outbox.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.errors import BrokerUnavailable, UsageError

if TYPE_CHECKING:
    from strongroom.connection import BrokerClient
    from strongroom.home import Home
    from strongroom.home.trust import PinnedOwner
    from strongroom.keys.owner import Owner
    from strongroom.sending import Sent

OwnerOption = Annotated[
    str | None, Parameter(help="Whose broker, where this home knows several: a name, alias or id.")
]


@dataclass(frozen=True, slots=True)
class Line:
    """The way to one broker, as a member of this party or as this runtime."""

    owner: PinnedOwner
    client: BrokerClient
    is_own: bool
    """Whether it is this party's own broker."""
    url: str
    home: Home
    """Of the party that asks."""

    @property
    def goes_on(self) -> str:
        """What works while it is down, and what to do."""
        if self.is_own:
            return (
                "start it with `strongroom broker run`, or check the network; partners go on with their "
                f"leases and grace meanwhile. It is looked for at {self.url}"
            )
        from strongroom.cli._meanwhile import said_of

        told = said_of(self.home, self.owner)
        goes_on = told or "open and predict go on with the lease and its grace time meanwhile"
        return f"try again later; {goes_on}. It is looked for at {self.url}"


def own_line(home: Home) -> Line | None:
    """Return the line to this owner's broker, or None if it has none, or owns no models.

    Raises:
        NoMatchingKey: the member key is missing, or the pass-phrase is missing or wrong.
        VerificationError: the owner's own chain does not verify.
        FormatError: a record is damaged.
        StorageUnavailable: a record cannot be read.
    """
    owner_id = home.vault.owner_id
    return None if owner_id is None else line_to(home, home.trust.get(owner_id))


def line_to(home: Home, owner: PinnedOwner, *, as_runtime: bool = False) -> Line | None:
    """Return the line to an owner's broker, or None if none is known here.

    Args:
        home: This party.
        owner: Whose broker.
        as_runtime: Speak as this installation, with its device key, and not as a person.

    Raises:
        NoMatchingKey: the key is missing, or the pass-phrase is missing or wrong.
        FormatError: a record is damaged.
        StorageUnavailable: a record cannot be read.
    """
    from strongroom.connection import BrokerClient
    from strongroom.connection.https import HttpsTransport
    from strongroom.keys.identity import member_id, runtime_id

    address = home.brokers.address(owner.id)
    if address is None:
        return None
    key = home.keys.device(owner.id) if as_runtime else home.keys.member()
    subject = runtime_id(key.public) if as_runtime else member_id(key.public)
    transport = HttpsTransport(ca=address.ca)
    client = BrokerClient(
        transport,
        address.url,
        owner=owner.id,
        subject=subject,
        key=key,
        clock=lambda: datetime.now(UTC),
    )
    # A command is over when nobody holds the client any more; its connections end with it.
    weakref.finalize(client, transport.close)
    return Line(owner, client, owner.id == home.vault.owner_id, address.url, home)


def demand_own_line(home: Home) -> Line:
    """Return the line to this owner's broker.

    Raises:
        UsageError: this home owns no models, or has no broker (code ``no-broker``).
        NoMatchingKey: the member key is missing, or the pass-phrase is missing or wrong.
        FormatError: a record is damaged.
        StorageUnavailable: a record cannot be read.
    """
    home.vault.verify_owner_id()
    line = own_line(home)
    if line is None:
        raise UsageError(
            "this home has no broker",
            code="no-broker",
            hint="start one: strongroom broker run. Without one, grant and accept work with files",
        )
    return line


def demand_line(home: Home, owner: str | None, *, as_runtime: bool = False) -> Line:
    """Return the line that a command of both sides means: the owner named, else the only one there is.

    Raises:
        UsageError: there is no broker (code ``no-broker``), or there are several (code
            ``several-brokers``; the message lists them).
        ObjectNotFound: no owner is called so.
        NoMatchingKey: the key is missing, or the pass-phrase is missing or wrong.
        VerificationError: a stored chain does not verify.
        FormatError: a record is damaged.
        StorageUnavailable: a record cannot be read.
    """
    if owner is not None:
        line = line_to(home, home.trust.find(owner), as_runtime=as_runtime)
        if line is None:
            raise UsageError(
                f"no broker of {owner} is known here",
                code="no-broker",
                hint=f"ask {owner} for an invite that names it, and join again",
            )
        return line
    own = None if as_runtime else own_line(home)
    if own is not None:
        return own
    known = [each for each in home.trust.all() if home.brokers.address(each.id) is not None]
    if len(known) > 1:
        raise UsageError(
            f"several owners have a broker: {', '.join(each.label for each in known)}",
            code="several-brokers",
            hint="choose one with --owner",
        )
    line = line_to(home, known[0], as_runtime=as_runtime) if known else None
    if line is None:
        raise UsageError(
            "this home knows no broker",
            code="no-broker",
            hint="an owner starts one with `strongroom broker run`; a partner learns of it by the invite",
        )
    return line


def ask_withdrawals(home: Home, owner: Owner, license: str) -> None:
    """Take in which versions the owner's broker knows to be withdrawn; a silent one changes nothing."""
    from strongroom.leasing import asker, runtime_client

    asker(partial(runtime_client, clock=lambda: datetime.now(UTC)))(home, owner, license)


@contextmanager
def answering(line: Line, *, kept: str | None = None, again: str | None = None) -> Iterator[None]:
    """Say what still works, and what is kept, if the broker does not answer in the block.

    Args:
        line: The way to it.
        kept: What is done here in any case.
        again: What to say once more when it answers; None, with ``kept``: what waits is handed in.

    Raises:
        BrokerUnavailable: it does not.
    """
    try:
        yield
    except BrokerUnavailable as error:
        from strongroom.connection.interface import RUNS

        message = str(error) if kept is None else f"{kept}, but the broker did not get it: {error}"
        if again is not None:
            todo = f". When it answers, once more: strongroom {again}"
        elif kept is not None:
            todo = ". It waits here to be handed in: strongroom license upload"
        else:
            todo = ". Nothing waits of this command: give it again"
        # A broker that runs is not to be started: what is wrong with it, it has said.
        cure = error.hint if error.code in RUNS and error.hint else line.goes_on
        raise BrokerUnavailable(message, code=error.code, hint=cure + todo) from error


def hand_in(
    home: Home, line: Line, ids: Collection[str], *, what: str = "", said: str | None = None
) -> list[Sent]:
    """Send these parcels of the outbox; returns what the broker answered.

    Args:
        home: Whose outbox.
        line: The way to the broker.
        ids: Of the parcels.
        what: What was signed.
        said: What holds here in any case; None: that it is signed and kept.

    Raises:
        BrokerUnavailable: it does not answer; they stay in the outbox.
        BrokerRefused: it refused one, which stays in the outbox too.
        LicenseDenied: it refused one because of a license or the standing of a partner.
        ObjectNotFound: it does not know what one is about.
    """
    from strongroom.sending import send

    kept = said or f"{what} is signed and kept here"
    with answering(line, kept=kept):
        sent = send(home, line.client, owner_id=line.owner.id, only=ids)
    for each in sent:
        if each.refusal is not None:
            raise type(each.refusal)(
                f"{kept}, but the broker refused it: {each.refusal}",
                code=each.refusal.code,
                hint=each.refusal.hint or "when the reason is gone: strongroom license upload",
            )
    return sent


def pages(fetch: Callable[[str | None], Any], member: str) -> Iterator[Any]:
    """Yield what every page of a list holds, from the first to the last.

    Raises:
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: it refuses.
        FormatError: the list does not end.
    """
    from strongroom.connection.pages import follow

    for page in follow(fetch):
        yield from getattr(page, member)


def lines(home: Home) -> list[Line]:
    """Return the lines to every broker that this home knows, its own first.

    Raises:
        NoMatchingKey: the member key is missing, or the pass-phrase is missing or wrong.
        VerificationError: a stored chain does not verify.
        FormatError: a record is damaged.
        StorageUnavailable: a record cannot be read.
    """
    found = [line_to(home, owner) for owner in home.trust.all()]
    return sorted((line for line in found if line is not None), key=lambda line: not line.is_own)
