"""``strongroom member``: list, show, connect, add, remove."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from strongroom.cli._broker import OwnerOption
from strongroom.cli._page import noun, page
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from strongroom.cli._broker import Line
    from strongroom.home import Home
    from strongroom.protocol.broker import MemberAnswer, MemberAsk

RoleName = Literal["admin", "publisher", "manager", "operator", "auditor"]
_OWNER_ROLES = ("admin", "publisher", "auditor")
_PARTNER_ROLES = ("manager", "operator", "auditor")


def list_(*, owner: OwnerOption = None, shared: Shared = SHARED) -> None:
    """List the people of this party who have access to a broker, with their roles.

    Examples:
        $ strongroom member list

    Raises:
        UsageError: no broker is known here, or several are.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not see the members.
    """
    from strongroom.cli._broker import answering, demand_line, pages

    line = demand_line(shared.open_home(), owner)
    client = line.client
    with answering(line):
        found = list(pages(lambda after: client.members(after=after), "members"))
    rows = [
        (each.member, each.name, each.role, each.added_at[: len("2027-06-30")], each.expires_at or "-")
        for each in found
    ]
    columns = ("member", "name", "role", "since", "ends")
    shared.terminal.table(
        {"members": [_document(each) for each in found]}, columns, rows, empty="There are no members."
    )


def _document(member: MemberAnswer) -> dict[str, Any]:
    return {
        "member": member.member,
        "name": member.name,
        "role": member.role,
        "added_at": member.added_at,
        "expires_at": member.expires_at,
    }


def show(*, shared: Shared = SHARED) -> None:
    """Print the public text of your own member key, for whoever gives you access.

    It is no secret. The key itself was made by `strongroom init` and stays in your home.

    Examples:
        $ strongroom member show > jane.txt

    Raises:
        ObjectNotFound: there is no home.
        NoMatchingKey: the member key is missing, or the pass-phrase is wrong.
    """
    from strongroom.keys.identity import member_id

    key = shared.open_home().keys.member()
    shared.terminal.result({"member": member_id(key.public), "text": key.public_text}, key.public_text)


def connect(
    invite: Annotated[Path, Parameter(help="Any .invite of the owner, or - for stdin.")],
    /,
    *,
    shared: Shared = SHARED,
) -> None:
    """Learn from an invite where an owner's broker is, without joining as a partner.

    For a further person of the owner, or of a partner that joined on another machine: with a home of their
    own they approve, look up and manage what their role allows, with --owner.

    Examples:
        $ strongroom member connect clinic.invite

    Raises:
        FormatError: not an invite.
        VerificationError: the invite does not hold, has expired, or contradicts what is pinned.
        UsageError: the invite names no broker.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom import enrolling
    from strongroom.cli._file import read_input

    home = shared.open_home()
    owner = enrolling.connect(home, read_input(shared.terminal, invite), now=shared.now)
    document = {"owner": owner.id, "owner_name": owner.label}
    shared.terminal.result(document, f"The broker of {owner.label} is known here")
    if not shared.json:
        shared.terminal.note(f"Compare this id with somebody at {owner.label}: {owner.id}")


def add(
    name: Annotated[str, Parameter(help="What the person is called.")],
    member: Annotated[Path, Parameter(help="What `strongroom member show` printed there: a file, or -.")],
    /,
    *,
    role: Annotated[
        RoleName, Parameter(help="At an owner admin, publisher or auditor; at a partner manager to auditor.")
    ] = "auditor",
    expires: Annotated[
        str | None, Parameter(help="When the access ends by itself: a date, an instant or 90d.")
    ] = None,
    owner: OwnerOption = None,
    shared: Shared = SHARED,
) -> None:
    """Give a person access to the broker in a role.

    Access belongs to the organization; a role is a share of it. At a partner, the organization's key
    certifies the person; at the owner, an admin adds the key.

    Examples:
        $ strongroom member add jane jane.txt --role publisher --expires 1y
        $ strongroom member add joe joe.txt --role operator --owner hospital

    Raises:
        FormatError: the file holds no public text of a member key.
        UsageError: a role of the other side, a bad name or date, or no broker is known here.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not add members.
    """
    from strongroom.cli._broker import answering, demand_line
    from strongroom.cli._file import read_text
    from strongroom.cli._moment import end_of

    home = shared.open_home()
    line = demand_line(home, owner)
    text = read_text(shared.terminal, member).strip()
    ends = None if expires is None else end_of(expires, shared.now)
    ask = _ask(home, line, name, text, role, ends, shared.now)
    with answering(line):
        answer = line.client.add_member(ask)
    shared.terminal.result(_document(answer), f"{answer.name} is {answer.role} ({answer.member})")


def _ask(
    home: Home, line: Line, name: str, text: str, role: RoleName, ends: datetime | None, now: datetime
) -> MemberAsk:
    from strongroom import enrolling
    from strongroom._encoding import to_instant
    from strongroom.protocol.broker import MemberAsk

    roles = _OWNER_ROLES if line.is_own else _PARTNER_ROLES
    if role not in roles:
        side = "an owner" if line.is_own else "a partner"
        raise UsageError(
            f"nobody is {role} at {side}", code="wrong-role", hint=f"choose one of {', '.join(roles)}"
        )
    if line.is_own:
        return MemberAsk(
            key=text, name=name, role=role, expires_at=None if ends is None else to_instant(ends)
        )
    token = enrolling.certify_member(
        home, line.owner, name=name, key=text, role=role, expires_at=ends, now=now
    )
    return MemberAsk(member=token)


def remove(
    member: Annotated[str, Parameter(help="The id of a member, mem-...")],
    /,
    *,
    owner: OwnerOption = None,
    shared: Shared = SHARED,
) -> None:
    """Take a person's access to the broker away, at once.

    Examples:
        $ strongroom member remove mem-uvaxoz2qpfs5

    Raises:
        ObjectNotFound: the broker knows no such member.
        UsageError: no broker is known here, or several are.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not remove members, or it is the last admin.
    """
    from strongroom.cli._broker import answering, demand_line

    line = demand_line(shared.open_home(), owner)
    with answering(line):
        done = line.client.remove_member(member)
    shared.terminal.result({"member": member, "entry": done.entry}, f"{member} has no access any more")


app = noun(
    "member",
    "List, add and remove the people who have access to a broker.",
    page(list_, "list"),
    page(show, "show"),
    page(connect, "connect"),
    page(add, "add"),
    page(remove, "remove"),
)
