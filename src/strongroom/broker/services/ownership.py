"""Whose something is: the one place where "not there" and "not yours" become the same answer.

    row = own_or_not_found(principal, kept.partner(organization), lambda row: [row.organization])

A partner must not learn that another exists, nor what it holds. Whatever a service looks
up by an id from outside therefore goes through this function, which has one error for both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final, NoReturn, TypeVar

from strongroom.broker.principal import Principal
from strongroom.broker.records import LicenseRow
from strongroom.broker.repository import Reading
from strongroom.errors import BrokerRefused, ObjectNotFound

T = TypeVar("T")

_AT_A_TIME: Final = 32
"""Rows of licenses: each may have an agreement of a megabyte."""


def own_or_not_found(
    principal: Principal, found: T | None, held_by: Callable[[T], Collection[str]], *, owner_too: bool = True
) -> T:
    """Return what was found, if the principal may know of it.

    Args:
        principal: Who asks.
        found: What was looked up; None if there is no such thing.
        held_by: The organizations that may know of it.
        owner_too: Whether the owner may know of it as well, as it does of nearly everything.

    Raises:
        ObjectNotFound: there is none, or it is another's (code ``not-found`` for both).
    """
    if found is None or not ((owner_too and principal.is_owner) or principal.organization in held_by(found)):
        raise_not_found()
    return found


def raise_not_found() -> NoReturn:
    """Answer for what is not there, and for what is another's.

    Raises:
        ObjectNotFound: always (code ``not-found``).
    """
    raise ObjectNotFound(
        "there is nothing of this id that you may see",
        code="not-found",
        hint="check the id, and that you ask the right owner's broker",
    )


def verify_owner(principal: Principal) -> None:
    """Check that somebody acts for the owner.

    Routes have asked already what a role permits; this holds if one forgets to.

    Raises:
        BrokerRefused: it is a partner (code ``not-permitted``).
    """
    if not principal.is_owner:
        raise BrokerRefused("this is for members of the owner", code="not-permitted")


def was_granted(rows: Iterable[LicenseRow]) -> bool:
    """Return whether every document of a chain ever took effect; to all but the owner it is not there before.

    A license that waits for a second person, or was turned down, must not show in anything
    that its partner can ask, refusals included.
    """
    return all(row.status.was_granted for row in rows)


def each_license_of(kept: Reading, organization: str) -> Iterator[LicenseRow]:
    """Yield every license and sub-license that an organization was given, in the order of their ids.

    Raises:
        StorageUnavailable: the database does not answer.
    """
    after = ""
    while rows := kept.licenses(after=after, limit=_AT_A_TIME, organization=organization):
        yield from (row for row in rows if row.status.was_granted)
        after = rows[-1].license
