"""``strongroom client``: list, add, remove."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from strongroom.cli._page import noun, page
from strongroom.cli._shared import SHARED, Shared


def add(
    name: Annotated[str, Parameter(help="What the client is called, as ward-3; it stands in the log.")],
    /,
    *,
    expires: Annotated[
        str | None, Parameter(help="When the token ends by itself: a date, an instant or 90d.")
    ] = None,
    shared: Shared = SHARED,
) -> None:
    """Make a token with which a client asks what `strongroom run` serves to the network.

    The token is shown this once, and kept nowhere: this home has only its digest. Whoever has it may ask
    every model that is served from this home. A server that runs takes it at once.

    Examples:
        $ strongroom client add ward-3
        $ strongroom client add ward-3 --expires 1y

    Raises:
        UsageError: a name that is not allowed or taken, or a bad date.
        NoMatchingKey: the file with the digests is open to others.
        FormatError: the file with the digests is damaged.
        StorageUnavailable: it cannot be read or written.
    """
    from strongroom._encoding import to_instant
    from strongroom.cli._moment import end_of, shown

    ends = None if expires is None else end_of(expires, shared.now)
    token = shared.open_home().client_tokens.add(name, expires_at=ends, now=shared.now)
    document = {"name": name, "token": token, "expires_at": None if ends is None else to_instant(ends)}
    rows = [("client", name), ("token", token), ("expires", "never" if ends is None else shown(ends))]
    shared.terminal.fields(document, rows)
    shared.terminal.note(
        "It is shown this once. Keep it there in a file that only the client's program can read."
    )


def list_(*, shared: Shared = SHARED) -> None:
    """List the clients that have a token, with when it was made and last used.

    The last use is noted about once a minute.

    Examples:
        $ strongroom client list

    Raises:
        NoMatchingKey: the file with the digests is open to others.
        FormatError: the file with the digests is damaged.
        StorageUnavailable: it cannot be read.
    """
    from strongroom._encoding import from_instant, to_instant
    from strongroom.cli._moment import shown

    tokens = shared.open_home().client_tokens
    rows, documents = [], []
    for each in tokens.read():
        used = tokens.last_used(each.name)
        documents.append(
            {
                "name": each.name,
                "made_at": each.made_at,
                "last_used_at": None if used is None else to_instant(used),
                "expires_at": each.expires_at,
            }
        )
        ends = "never" if each.expires_at is None else shown(from_instant(each.expires_at))
        rows.append(
            (
                each.name,
                shown(from_instant(each.made_at)),
                "never" if used is None else shown(used),
                f"{ends} (over)" if each.has_expired(shared.now) else ends,
            )
        )
    columns = ("client", "made", "last used", "expires")
    empty = "No client has a token. strongroom client add NAME makes one."
    shared.terminal.table({"clients": documents}, columns, rows, empty=empty)


def remove(name: Annotated[str, Parameter(help="The client.")], /, *, shared: Shared = SHARED) -> None:
    """Remove a client's token, at once: a server that runs refuses its next request.

    Examples:
        $ strongroom client remove ward-3

    Raises:
        ObjectNotFound: no client of that name has a token.
        NoMatchingKey: the file with the digests is open to others.
        FormatError: the file with the digests is damaged.
        StorageUnavailable: it cannot be read or written.
    """
    shared.open_home().client_tokens.remove(name)
    shared.terminal.result({"name": name}, f"{name} is answered no more")


app = noun(
    "client",
    "List, add and remove the clients of a network that what you run answers.",
    page(list_, "list"),
    page(add, "add"),
    page(remove, "remove"),
)
