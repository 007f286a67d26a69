"""Members: which people have access, at the owner and at a partner.

    members.add(manager, MemberAsk(member=certificate))                        # at a partner
    members.add(admin, MemberAsk(key=text, name="j.doe", role="publisher"))    # at the owner
    members.remove(admin, "mem-...")

Everybody sees and changes the members of the own organization only. A partner's people are certified
by its organization key, whoever hands the certificate in; the owner's are added by an
admin, and there is always one admin left.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from strongroom._encoding import from_instant, to_instant
from strongroom.broker.keys import BrokerKeys
from strongroom.broker.ledger import Act, Ledger
from strongroom.broker.principal import Principal, Role
from strongroom.broker.records import MemberRow
from strongroom.broker.repository import Reading
from strongroom.broker.services.meeting import member_key_refused, member_row
from strongroom.broker.services.ownership import own_or_not_found
from strongroom.broker.services.paging import page_of
from strongroom.broker.settings import Settings
from strongroom.errors import BrokerRefused, UsageError
from strongroom.keys.identity import member_id
from strongroom.keys.key_pair import signing_public_from_text
from strongroom.keys.member import verify_member_certificate
from strongroom.keys.name import verify_chosen_name
from strongroom.keys.text import KeyKind
from strongroom.log.entry import Kind
from strongroom.protocol.broker import Done, MemberAnswer, MemberAsk, MemberPage

_OWNER_ROLES: Final = (Role.ADMIN, Role.PUBLISHER, Role.AUDITOR)
_SCAN: Final = 100


class Members:
    """People."""

    __slots__ = ("_keys", "_ledger", "_settings")

    def __init__(self, ledger: Ledger, keys: BrokerKeys, settings: Settings) -> None:
        self._ledger = ledger
        self._keys = keys
        self._settings = settings

    def page(self, principal: Principal, after: str = "", limit: int = 100) -> MemberPage:
        """Return the members of the own organization after an id, expired ones too.

        Raises:
            UsageError: a limit below one.
            StorageUnavailable: the database does not answer.
        """
        count = self._settings.page(limit)
        with self._ledger.view() as kept:
            answers, following = page_of(
                lambda after, limit: kept.members_of(principal.organization, after=after, limit=limit),
                lambda row: row.member,
                _answer,
                after=after,
                count=count,
            )
        return MemberPage(members=answers, next=following)

    def add(self, principal: Principal, ask: MemberAsk) -> MemberAnswer:
        """Give a person access, or another role or end of it; the same twice changes nothing.

        Raises:
            UsageError: not the members that the own side sends (``member-ask``), a name or role that
                is not allowed, or an end that has passed.
            FormatError: not a certificate, or not a member key.
            VerificationError: the certificate does not hold, or the key serves elsewhere.
            BrokerRefused: the last admin would lose that role (``last-admin``).
            StorageUnavailable: the database does not answer.
        """
        with self._ledger.view() as kept:
            row = (
                _owners_row(principal, ask, self._ledger.now(kept))
                if principal.is_owner
                else self._partners_row(principal, kept, ask)
            )
        return self._ledger.act(lambda act: _add(act, principal, row, ask.member))

    def remove(self, principal: Principal, member: str) -> Done:
        """Take a person's access away.

        Raises:
            ObjectNotFound: no such member of the own organization.
            BrokerRefused: it is the last admin (``last-admin``).
            StorageUnavailable: the database does not answer.
        """
        return self._ledger.act(lambda act: _remove(act, principal, member))

    def _partners_row(self, principal: Principal, kept: Reading, ask: MemberAsk) -> MemberRow:
        if ask.member is None or (ask.key, ask.name, ask.role, ask.expires_at) != (None,) * 4:
            raise UsageError(
                "a partner adds a member by a certificate, and by nothing else", code="member-ask"
            )
        organization, now = principal.organization, self._ledger.now(kept)
        partner = own_or_not_found(principal, kept.partner(organization), lambda row: [row.organization])
        key = signing_public_from_text(partner.key, KeyKind.ORGANIZATION)
        verified = verify_member_certificate(ask.member, key, owner=self._keys.owner_id, now=now)
        return member_row(verified, organization, now)


def add_first_admin(ledger: Ledger, *, owner_id: str, key: str, name: str) -> MemberAnswer | None:
    """Make the person whose member key is given the first admin; None: the owner has members already.

    Raises:
        FormatError: not a member key.
        UsageError: a name that is not allowed.
        StorageUnavailable: the database does not answer.
    """
    verify_chosen_name(name)
    first = member_id(signing_public_from_text(key, KeyKind.MEMBER))

    def do(act: Act) -> MemberAnswer | None:
        if act.kept.members_of(owner_id, limit=1):
            return None
        row = MemberRow(
            member=first,
            organization=owner_id,
            name=name,
            role=Role.ADMIN,
            key=key,
            added_at=act.now,
            expires_at=None,
        )
        act.kept.add_member(row)
        act.record(Kind.MEMBERSHIP, [owner_id, first], role=row.role.value)
        act.changes_rules()
        return _answer(row)

    return ledger.act(do)


def _owners_row(principal: Principal, ask: MemberAsk, now: datetime) -> MemberRow:
    if ask.member is not None or ask.key is None or ask.name is None or ask.role is None:
        raise UsageError("the owner adds a member by key, name and role", code="member-ask")
    verify_chosen_name(ask.name)
    if ask.role not in _OWNER_ROLES:
        raise UsageError(
            "members of the owner are admin, publisher or auditor",
            code="member-role",
            hint="choose one of these roles",
        )
    expires_at = None if ask.expires_at is None else from_instant(ask.expires_at)
    if expires_at is not None and expires_at <= now:
        raise UsageError("the access of a member must end later than now", code="expiry")
    return MemberRow(
        member=member_id(signing_public_from_text(ask.key, KeyKind.MEMBER)),
        organization=principal.organization,
        name=ask.name,
        role=Role(ask.role),
        key=ask.key,
        added_at=now,
        expires_at=expires_at,
    )


def _add(act: Act, principal: Principal, row: MemberRow, document: str | None) -> MemberAnswer:
    known = act.kept.member(row.member)
    if known is not None:
        if known.organization != row.organization:
            raise member_key_refused()
        if replace(row, added_at=known.added_at) == known:
            return _answer(known)
        if row.role is not Role.ADMIN or row.expires_at is not None:
            _verify_admin_left(act.kept, known)
        act.kept.remove_member(known.member)
    act.kept.add_member(row)
    subjects = [row.organization, row.member]
    act.record(Kind.MEMBERSHIP, subjects, document=document, role=row.role.value, by=principal.id)
    act.changes_rules()
    return _answer(row)


def _remove(act: Act, principal: Principal, member: str) -> Done:
    row = own_or_not_found(
        principal, act.kept.member(member), lambda row: [row.organization], owner_too=False
    )
    _verify_admin_left(act.kept, row)
    act.kept.remove_member(member)
    entry = act.record(Kind.MEMBERSHIP, [row.organization, member], role="none", by=principal.id)
    act.changes_rules()
    return Done(entry=entry)


def _verify_admin_left(kept: Reading, leaving: MemberRow) -> None:
    """Check that an admin without an end of access stays: nobody else could add one again."""
    if leaving.role is not Role.ADMIN or leaving.expires_at is not None:
        return
    after = ""
    while rows := kept.members_of(leaving.organization, after=after, limit=_SCAN):
        if any(
            each.member != leaving.member and each.role is Role.ADMIN and each.expires_at is None
            for each in rows
        ):
            return
        after = rows[-1].member
    raise BrokerRefused(
        f"{leaving.name} is the last admin whose access does not end",
        code="last-admin",
        hint="make another member admin first",
    )


def _answer(row: MemberRow) -> MemberAnswer:
    return MemberAnswer(
        member=row.member,
        name=row.name,
        role=row.role.value,
        added_at=to_instant(row.added_at),
        expires_at=None if row.expires_at is None else to_instant(row.expires_at),
    )
