"""Deriving: a partner hands in what it made of a licensed model, and the owner countersigns or refuses.

    deriving.hand_in(manager, DerivationAsk(derivation=token, statement=base64))
    deriving.countersign(publisher, "drv-...", CountersignatureAsk(statement=base64))
    deriving.refuse(publisher, "drv-...", ReasonAsk(reason="trained on too few patients"))

The model itself never comes here, and no key of the owner's that could sign it is here. What is
handed in must be signed by the holder of a license that gives the right to modify the parent now;
every byte and what is inside is looked at in the owner's home, before it signs
(spec/license.md, Derivations). The signature goes back to the partner, who has the rest.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from strongroom._encoding import from_base64, to_base64, to_hex, to_instant
from strongroom._limits import LIMITS
from strongroom.broker.keys import BrokerKeys
from strongroom.broker.knowledge import Catalogued, Holding, Knowledge
from strongroom.broker.ledger import Act, Ledger
from strongroom.broker.principal import Principal
from strongroom.broker.records import DerivationRow
from strongroom.broker.repository import Reading
from strongroom.broker.services.ownership import own_or_not_found, verify_owner
from strongroom.broker.services.paging import page_of, some_of
from strongroom.broker.services.partners import verify_reason
from strongroom.broker.services.reporting import own_holding
from strongroom.broker.settings import Settings
from strongroom.crypto.digest import sha256
from strongroom.errors import BrokerRefused, VerificationError
from strongroom.keys.owner import Owner, Role
from strongroom.license.derivation import Parent, decide_modify, derivations_of, verify_said
from strongroom.license.documents import Derivation
from strongroom.license.signing import Signed, read_unverified, verify_by_key
from strongroom.license.terms import Packages
from strongroom.license.verdict import Denied, raise_denied
from strongroom.log.entry import Kind
from strongroom.package import statement as statements
from strongroom.package.statement import Statement
from strongroom.protocol.broker import ReasonAsk
from strongroom.protocol.derivation import (
    CountersignatureAsk,
    DerivationAnswer,
    DerivationAsk,
    DerivationPage,
)


class Deriving:
    """Derived models on their way to the owner, and signatures on their way back."""

    __slots__ = ("_keys", "_knowledge", "_ledger", "_settings")

    def __init__(
        self, ledger: Ledger, keys: BrokerKeys, settings: Settings, knowledge: Knowledge | None = None
    ) -> None:
        self._ledger = ledger
        self._keys = keys
        self._settings = settings
        self._knowledge = knowledge or Knowledge(keys)

    def hand_in(self, principal: Principal, ask: DerivationAsk) -> DerivationAnswer:
        """Ask the owner to countersign; the same derivation twice changes nothing.

        Raises:
            FormatError: not a derivation, or not a statement.
            ObjectNotFound: no such license of the asking organization's, or no such parent under it.
            VerificationError: not signed by the holder, or about another statement, owner or parent.
            LicenseDenied: the license gives no right to modify the parent now.
            BrokerRefused: too many of the partner wait (``too-many-derivations``).
            StorageUnavailable: the database does not answer.
        """
        data = from_base64(ask.statement)
        said = Statement.from_bytes(data)
        claimed = read_unverified(ask.derivation, Derivation)

        def hand_in(act: Act) -> DerivationAnswer:
            holding = self._own_holding(act, principal, claimed.license)
            signed = verify_by_key(ask.derivation, Derivation, holding.chain.holder.organization)
            known = act.kept.derivation(signed.id)
            if known is not None:
                return _answer(known)
            parent = self._parent(act, principal, holding, signed.document)
            _verify_document(signed.document, data, said, parent, self._keys.owner())
            _verify_right(holding, parent, act.now)
            row = _row(principal, holding, signed, parent, act.now)
            _add(act, row, signed.token)
            return _answer(row)

        return self._ledger.act(hand_in)

    def countersign(
        self, principal: Principal, derivation: str, ask: CountersignatureAsk
    ) -> DerivationAnswer:
        """Take in the owner's signature; twice changes nothing.

        Raises:
            FormatError: not a signed statement.
            ObjectNotFound: no such derivation.
            VerificationError: not signed by this owner's package key, or another package than the one
                that was handed in (``wrong-package``).
            LicenseDenied: the license was revoked or suspended since.
            BrokerRefused: it was refused before (``derivation-answered``).
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)
        data = from_base64(ask.statement)
        owner = self._keys.owner()
        claimed = statements.read_unverified(data)
        said = statements.verify_statement(
            data, owner.keys_for(Role.PACKAGE, claimed.created_at), owner=owner.id
        )

        def countersign(act: Act) -> DerivationAnswer:
            row = _of_owner(act, principal, derivation)
            if said.package_digest != row.package:
                raise VerificationError(
                    f"a countersignature for {row.name} {row.version} is for another package",
                    code="wrong-package",
                )
            if row.statement is not None:
                return _answer(row)
            _verify_open(row)
            look = self._knowledge.look_within(act)
            holding = own_or_not_found(principal, look.holding(row.license), lambda _: ())
            parent = own_or_not_found(principal, look.catalogued(row.parent), lambda _: ())
            # What ended since is not taken back, but what was taken back is.
            _verify_right(holding, parent, row.handed_in_at)
            row = replace(row, statement=data, answered_by=principal.id, answered_at=act.now)
            act.kept.add_derivation(row)
            _enter(act, principal, row, status="countersigned", package=row.package)
            return _answer(row)

        return self._ledger.act(countersign)

    def refuse(self, principal: Principal, derivation: str, ask: ReasonAsk) -> DerivationAnswer:
        """Refuse a derived model; twice changes nothing.

        Raises:
            ObjectNotFound: no such derivation.
            FormatError: the reason is no line of text.
            BrokerRefused: it was countersigned (``derivation-answered``).
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)
        verify_reason(ask)

        def refuse(act: Act) -> DerivationAnswer:
            row = _of_owner(act, principal, derivation)
            if row.reason is None:
                _verify_open(row)
                row = replace(row, reason=ask.reason, answered_by=principal.id, answered_at=act.now)
                act.kept.add_derivation(row)
                _enter(act, principal, row, status="refused", reason=ask.reason)
            return _answer(row)

        return self._ledger.act(refuse)

    def get(self, principal: Principal, derivation: str) -> DerivationAnswer:
        """Return one derived model; a partner sees its own.

        Raises:
            ObjectNotFound: there is none, or it is another's.
            StorageUnavailable: the database does not answer.
        """
        with self._ledger.view() as kept:
            found = kept.derivation(derivation)
        return _answer(own_or_not_found(principal, found, lambda row: [row.organization]))

    def page(self, principal: Principal, after: str = "", limit: int = 100) -> DerivationPage:
        """Return derived models after an id; a partner sees its own.

        Raises:
            UsageError: a limit below one.
            StorageUnavailable: the database does not answer.
        """
        with self._ledger.view() as kept:
            answers, following = page_of(
                lambda after, limit: _some(principal, kept, after, limit),
                lambda row: row.derivation,
                _answer,
                after=after,
                count=self._settings.page(limit),
            )
        return DerivationPage(derivations=answers, next=following)

    def _own_holding(self, act: Act, principal: Principal, license: str) -> Holding:
        return own_holding(principal, self._knowledge.look_within(act).holding(license))

    def _parent(self, act: Act, principal: Principal, holding: Holding, document: Derivation) -> Catalogued:
        """Return the parent, if the license names it: a refusal would tell what else the owner has."""

        def holders(found: Catalogued) -> list[str]:
            row = found.row
            terms = [term for _, term in holding.chain.terms_of(Packages)]
            named = all(term.covers(row.name, row.version, row.package) for term in terms)
            return [principal.organization] if named else []

        found = self._knowledge.look_within(act).catalogued(document.parent)
        return own_or_not_found(principal, found, holders, owner_too=False)


def _verify_document(
    document: Derivation, data: bytes, said: Statement, parent: Catalogued, owner: Owner
) -> None:
    if document.owner != owner.id:
        raise VerificationError(f"a derivation is for another owner than {owner.name}", code="wrong-owner")
    if document.package != to_hex(sha256(data)):
        raise VerificationError("a derivation is about another statement", code="wrong-package")
    verify_said(said, document, owner, agreement=statements.read_unverified(parent.row.statement).agreement)


def _verify_right(holding: Holding, parent: Catalogued, at: datetime) -> None:
    """Check that the license gives the right, and that nobody has taken it back or suspended it."""
    row, chain = parent.row, holding.chain
    verdict = decide_modify(
        chain,
        Parent(owner=chain.owner, name=row.name, version=row.version, package=row.package),
        accepted=holding.accepted,
        withdrawals=parent.withdrawals,
        revoked={each: holding.why_revoked.get(each, "") for each in holding.revoked},
        at=at,
    )
    if isinstance(verdict, Denied):
        raise_denied(verdict)
    for hindrance in holding.hindrances:
        raise_denied(
            Denied(
                code=hindrance.code,
                reason=hindrance.reason,
                hint=f"Ask {chain.owner_name} why, and try again later.",
                document=hindrance.document,
            )
        )
    derivations_of(chain)


def _row(
    principal: Principal, holding: Holding, signed: Signed[Derivation], parent: Catalogued, now: datetime
) -> DerivationRow:
    document = signed.document
    return DerivationRow(
        derivation=signed.id,
        organization=holding.organization,
        holder=holding.chain.holder.name,
        license=document.license,
        parent=document.parent,
        parent_name=f"{parent.row.name} {parent.row.version}",
        package=document.package,
        name=document.name,
        version=document.version,
        handed_in_by=principal.id,
        handed_in_at=now,
        statement=None,
        reason=None,
        answered_by=None,
        answered_at=None,
    )


def _add(act: Act, row: DerivationRow, token: str) -> None:
    rows = act.kept.derivations_of(row.organization)
    waiting = [each for each in rows if _status_of(each) == "open"]
    if len(waiting) >= LIMITS.max_open_derivations_length:
        raise BrokerRefused(
            f"{len(waiting)} derived models of your organization wait, and there may be no more",
            code="too-many-derivations",
            hint="wait until the owner has answered some of them: strongroom derivation list",
        )
    if len(rows) >= LIMITS.max_kept_derivations_length:
        act.kept.remove_derivation(next(each for each in rows if each not in waiting).derivation)
    act.kept.add_derivation(row)
    act.record(
        Kind.DERIVATION,
        [row.derivation, row.organization],
        document=token,
        status="open",
        name=row.name,
        version=row.version,
        package=row.package,
        license=row.license,
        by=row.handed_in_by,
    )


def _enter(act: Act, principal: Principal, row: DerivationRow, **details: str) -> None:
    subjects = [row.derivation, row.organization, principal.organization]
    act.record(Kind.DERIVATION, subjects, name=row.name, version=row.version, by=principal.id, **details)


def _of_owner(act: Act, principal: Principal, derivation: str) -> DerivationRow:
    return own_or_not_found(principal, act.kept.derivation(derivation), lambda row: ())


def _verify_open(row: DerivationRow) -> None:
    if (status := _status_of(row)) != "open":
        raise BrokerRefused(
            f"this derived model was {status} before",
            code="derivation-answered",
            hint="strongroom derivation list shows how; the partner can derive it anew",
        )


def _status_of(row: DerivationRow) -> str:
    if row.reason is not None:
        return "refused"
    return "open" if row.statement is None else "countersigned"


def _some(principal: Principal, kept: Reading, after: str, limit: int) -> list[DerivationRow]:
    if principal.is_owner:
        return kept.derivations(after=after, limit=limit)
    own = kept.derivations_of(principal.organization)
    return some_of(own, lambda row: row.derivation, after, limit)


def _answer(row: DerivationRow) -> DerivationAnswer:
    return DerivationAnswer(
        derivation=row.derivation,
        organization=row.organization,
        holder=row.holder,
        license=row.license,
        parent=row.parent,
        parent_name=row.parent_name,
        package=row.package,
        name=row.name,
        version=row.version,
        handed_in_at=to_instant(row.handed_in_at),
        handed_in_by=row.handed_in_by,
        status=_status_of(row),
        statement=None if row.statement is None else to_base64(row.statement),
        reason=row.reason,
    )
