"""Giving: what happens within the act that gives a lease, or refuses it.

    outcome = ledger.act(partial(giving.give, case=case))
    # Given(token, entry, ...) or Alarm(refusal, ...)

In this order: what the rules say now, whether the request is one that was answered before,
whether it is fresh and from the only copy of its runtime; then the lease before is
superseded and what was used under it is counted; then the decision; then the lease is signed and
written. A refusal takes all of it back, but for an alarm (spec/license.md, "Giving leases").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from strongroom._encoding import to_instant
from strongroom.broker.act import Act
from strongroom.broker.decide import BrokerFacts, Offer, Wish, decide, ends_of
from strongroom.broker.keys import BrokerKeys
from strongroom.broker.knowledge import Catalogued, Holding, Knowledge, Look, Machine
from strongroom.broker.principal import Principal
from strongroom.broker.records import HoldRow, LeaseEnd, LeaseRow, SeatRow
from strongroom.broker.services.admission import verify_partner_admitted, verify_runtime_admitted
from strongroom.broker.services.envelopes import Envelopes
from strongroom.broker.services.ownership import own_or_not_found
from strongroom.broker.services.reporting import count_report, own_holding, own_machine, usage_missing
from strongroom.broker.slices import Span, counted_terms, keys_of
from strongroom.broker.tally import Tally
from strongroom.errors import BrokerRefused
from strongroom.license.chain import LicenseChain
from strongroom.license.documents import Lease, LeaseRequest, Usage
from strongroom.license.period import CounterKey
from strongroom.license.protection import counted
from strongroom.license.signing import Signed, sign_document
from strongroom.license.terms import Packages
from strongroom.license.verdict import Denied, raise_denied
from strongroom.log.entry import Kind

FRESHNESS: Final = timedelta(seconds=300)
"""How far the clocks of a runtime and its broker may differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the rules say about one runtime, license and package; it holds while the generation stands."""

    holding: Holding
    package: Catalogued
    machine: Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request, verified, with the content key already wrapped."""

    principal: Principal
    request: Signed[LeaseRequest]
    usage: Signed[Usage] | None
    known: Known
    envelopes: Envelopes


@dataclass(frozen=True, slots=True)
class Given:
    """The lease that is the answer, fresh or given before."""

    token: str
    entry: int
    known: Known
    at: datetime
    revocations: tuple[str, ...]
    """Of the chain there is none, or no lease would be given; of the lease before, perhaps."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Two copies of one runtime are at work: a refusal that stands in the log."""

    refusal: BrokerRefused


class RuntimeChangedError(Exception):
    """The runtime enrolled anew while its request was on the way: the wrapping is for its old keys."""


def find_known(look: Look, principal: Principal, *, runtime: str, license: str, package: str) -> Known:
    """Look up what a runtime asks about.

    Raises:
        ObjectNotFound: one of them is not there, is another's, or is a package that the license does
            not name: a refusal would tell what else the owner has.
    """
    holding = own_holding(principal, look.holding(license))

    def holders(catalogued: Catalogued) -> list[str]:
        row = catalogued.row
        choices = [term for _, term in holding.chain.terms_of(Packages)]
        named = all(term.covers(row.name, row.version, row.package) for term in choices)
        return [principal.organization] if named else []

    return Known(
        machine=own_machine(principal, look.machine(runtime)),
        holding=holding,
        package=own_or_not_found(principal, look.catalogued(package), holders, owner_too=False),
    )


class Giving:
    """Gives leases."""

    __slots__ = ("_keys", "_knowledge", "_lifetime")

    def __init__(self, keys: BrokerKeys, knowledge: Knowledge, lifetime: timedelta) -> None:
        self._keys = keys
        self._knowledge = knowledge
        self._lifetime = lifetime

    def give(self, act: Act, case: Case) -> Given | Alarm:
        """Give a lease, or say which one was given for this request.

        Raises:
            ObjectNotFound: what it asks about is not there any more.
            BrokerRefused: as ``Leasing.take``, but for ``clone-suspected``, which is returned.
            LicenseDenied: the license says no.
            RuntimeChangedError: the keys were wrapped for another enrollment of the runtime.
        """
        request = case.request.document
        known = find_known(
            self._knowledge.look_within(act),
            case.principal,
            runtime=request.runtime,
            license=request.license,
            package=request.package,
        )
        if known.machine.row != case.known.machine.row:
            raise RuntimeChangedError
        verify_admitted(known.machine)
        newest = act.kept.newest_lease(request.runtime, request.license, request.package)
        standing = _standing(act, request, newest)
        if standing is not None and standing.nonce == request.nonce:
            self.verify_stands(act, _wish(request, known.package), known)
            revocations = _revocations(act, known, request, newest)
            return Given(standing.token, standing.entry, known, act.now, revocations)
        _verify_fresh(request, act.now)
        if standing is not None and request.previous != standing.lease:
            return _alarm(act, case, known, standing)
        return self._write(act, case, known, newest, self._decide(act, case, known, newest))

    def facts(self, known: Known) -> BrokerFacts:
        """Return what a decision has to know, but for counts and seats."""
        return BrokerFacts(
            lease=self._lifetime,
            accepted=known.holding.accepted,
            revoked=known.holding.revoked,
            why_revoked=known.holding.why_revoked,
            hindrances=known.holding.hindrances,
            withdrawals=known.package.withdrawals,
        )

    def verify_stands(self, act: Act, wish: Wish, known: Known) -> None:
        """Check that what was given before may be shown again: not where nothing would be given now.

        Raises:
            LicenseDenied: the license says no.
        """
        name = known.package.row
        is_withdrawn = any(each.version == name.version for each in known.package.withdrawals)
        if known.holding.revoked or known.holding.hindrances or is_withdrawn:
            answer = decide(known.holding.chain, wish, self.facts(known), act.now)
            if isinstance(answer, Denied):
                raise_denied(answer)

    def _decide(self, act: Act, case: Case, known: Known, newest: LeaseRow | None) -> Offer:
        """Supersede the lease before, count what was used under it, and decide about the next one."""
        request, chain = case.request.document, known.holding.chain
        held = act.kept.holds(chain.ids, act.now) if known.holding.is_counted else []
        more: dict[str, Any] = {}
        due = _due(act, case, known, newest)
        ends = None if newest is None or newest.ended is not None else LeaseEnd.SUPERSEDED
        if newest is not None and ends is not None and (due is None or due.row is not newest):
            act.kept.end_lease(newest.lease, ends)
            ends = None
        if due is not None:
            own = _holds_of(act, due, held, chain)
            held = [hold for hold in held if hold.authority != due.lease]
            tally = _count(act, case, known, due, held if due.row is None else own, ends)
            more["carried"] = tally.carried(own, act.now)
        if known.holding.is_counted:
            span = Span(act.now, ends_of(chain, self._lifetime, act.now)[1])
            more |= {"holds": held, "used": act.kept.used(keys_of(chain, span))}
        if known.holding.has_seats:
            more["running"] = running(act.kept.seats(chain.ids, act.now))
        facts = replace(self.facts(known), **more)
        answer = decide(chain, _wish(request, known.package), facts, act.now)
        if isinstance(answer, Denied):
            raise_denied(answer)
        return answer

    def _write(self, act: Act, case: Case, known: Known, newest: LeaseRow | None, offer: Offer) -> Given:
        signed = self._sign(act, case, known, offer)
        request = case.request.document
        entry = act.record(
            Kind.LEASE,
            (signed.id, request.runtime, *known.holding.subjects),
            document=signed.token,
            **_details(request, offer),
        )
        row = LeaseRow(
            lease=signed.id,
            license=request.license,
            runtime=request.runtime,
            package=request.package,
            token=signed.token,
            nonce=request.nonce,
            previous=request.previous,
            issued_at=act.now,
            not_after=offer.not_after,
            last_use_at=offer.last_use_at,
            ended=None,
            reported=False,
            entry=entry,
        )
        act.kept.add_lease(row, holds_of(offer, signed.id), seats_of(offer, signed.id, request.runtime))
        if request.previous is None:
            # What is handed out is shown from the first lease on, and not from the first report.
            act.kept.add_used(nothing_used(offer))
        revocations = _revocations(act, known, request, newest)
        return Given(signed.token, entry, known, act.now, revocations)

    def _sign(self, act: Act, case: Case, known: Known, offer: Offer) -> Signed[Lease]:
        request, envelopes = case.request.document, case.envelopes
        lease = Lease(
            owner=self._keys.owner_id,
            owner_version=self._keys.owner().version,
            issued_at=act.now,
            license=request.license,
            package=request.package,
            package_id=known.package.row.package_id,
            serial=envelopes.serial,
            wrapped_key=envelopes.worker,
            not_after=offer.not_after,
            runtime=request.runtime,
            budget=offer.budget,
            nonce=request.nonce,
            previous=request.previous,
            restart_key=envelopes.restart,
        )
        return sign_document(lease, self._keys.broker_key(act.now))


def verify_admitted(machine: Machine) -> None:
    """Check that a runtime and its partner may ask for something now.

    A token lives a few minutes longer than what it was given for.

    Raises:
        BrokerRefused: codes ``partner-pending``, ``partner-suspended``, ``runtime-suspended``.
    """
    if machine.partner is not None:
        verify_partner_admitted(machine.partner)
    verify_runtime_admitted(machine.row)


def _standing(act: Act, request: LeaseRequest, newest: LeaseRow | None) -> LeaseRow | None:
    """Return the newest lease unless something has ended it, as its revocation does."""
    if newest is None or newest.ended is not None:
        return None
    # Whoever goes on from it is served either way, and most do: then the database is not asked.
    goes_on = request.previous == newest.lease and request.nonce != newest.nonce
    return newest if goes_on or not act.kept.revoked([newest.lease]) else None


def _alarm(act: Act, case: Case, known: Known, newest: LeaseRow) -> Alarm:
    request = case.request.document
    before = request.previous
    # One for each lease: a copy that asks every second, with whatever it makes up, fills no log.
    noted = (record.kind for record in act.records_about(newest.lease, after=newest.entry))
    if Kind.CLONE_ALARM not in noted:
        act.record(
            Kind.CLONE_ALARM,
            (newest.lease, request.runtime, *known.holding.subjects),
            document=case.request.token,
            newest=newest.lease,
            previous=before or "none",
        )
    refusal = BrokerRefused(
        "another copy of this machine has renewed the lease: "
        f"the newest one is {newest.lease}, and this request goes on from {before or 'none'}",
        code="clone-suspected",
        hint="end the copy; then the owner lets this machine start again: "
        f"strongroom lease release {newest.lease}",
    )
    return Alarm(refusal)


def holds_of(offer: Offer, authority: str) -> list[HoldRow]:
    """Return what a lease or offline file holds."""
    return [hold for each in offer.slices for hold in each.holds(authority)]


def seats_of(offer: Offer, authority: str, runtime: str) -> list[SeatRow]:
    """Return the seats that a lease or offline file takes."""
    return [
        SeatRow(document=document, runtime=runtime, authority=authority, until=offer.last_use_at)
        for document in offer.seats
    ]


def budget_details(offer: Offer) -> dict[str, int]:
    """Return what the log says of the budget of a lease or offline file."""
    details = {}
    for each in offer.budget:
        name = f"{each.counter.value}_{each.per.value}"
        details[name] = each.limit
        if each.later is not None:
            details[f"{name}_later"] = each.later
    return details


def nothing_used(offer: Offer) -> dict[CounterKey, int]:
    """Return the counts of which something is held now, with nothing added to them."""
    return {CounterKey(each.document, each.counter, each.first_period): 0 for each in offer.slices}


def running(seats: Sequence[SeatRow]) -> Mapping[str, frozenset[str]]:
    """Return which runtimes have a seat of each document."""
    found: dict[str, set[str]] = {}
    for seat in seats:
        found.setdefault(seat.document, set()).add(seat.runtime)
    return {document: frozenset(runtimes) for document, runtimes in found.items()}


def _revocations(act: Act, known: Known, request: LeaseRequest, newest: LeaseRow | None) -> tuple[str, ...]:
    if not known.holding.revoked and not known.holding.leases_revoked:
        return ()
    leases = (request.previous, None if newest is None else newest.lease)
    before = {lease for lease in leases if lease is not None}
    return tuple(row.token for row in act.kept.revocations_of([*known.holding.chain.ids, *before]))


def _verify_fresh(request: LeaseRequest, now: datetime) -> None:
    if abs(now - request.issued_at) > FRESHNESS:
        raise BrokerRefused(
            f"the request was made {to_instant(request.issued_at)}, and it is {to_instant(now)} here",
            code="request-stale",
            hint="set the clock of this machine right, and ask again",
        )


@dataclass(frozen=True, slots=True)
class _Due:
    """A lease whose use is to be counted with a request."""

    lease: str
    row: LeaseRow | None
    """None: it was given, if at all, after the backup from which this database comes."""


def _due(act: Act, case: Case, known: Known, newest: LeaseRow | None) -> _Due | None:
    """Return the lease before, if what was used under it is still to be counted."""
    before = case.request.document.previous
    if before is None:
        return None
    if newest is not None and newest.lease == before:
        is_due = not newest.reported and (case.usage is not None or known.holding.is_counted)
        return _Due(before, newest) if is_due else None
    if case.usage is None:
        return None
    # An older one, after a release; or one of which a restored database knows nothing. Never one
    # of another runtime, license or package: that one may go on, and what it holds is its own.
    row = act.kept.lease(before)
    if row is None:
        last = act.kept.newest_usage(case.principal.id, known.holding.chain.id)
        is_new = act.kept.usage(case.usage.id) is None and (last is None or last.authority != before)
        return _Due(before, None) if is_new else None
    request = case.request.document
    mine = (request.runtime, request.license, request.package)
    is_mine = (row.runtime, row.license, row.package) == mine
    return _Due(before, row) if is_mine and not row.reported else None


def _holds_of(act: Act, due: _Due, held: Sequence[HoldRow], chain: LicenseChain) -> Sequence[HoldRow]:
    """Return what a lease holds: also of periods that are over, which are not among ``held``."""
    if due.row is None:
        return ()
    began = due.row.issued_at
    if all(term.per.key(began) == term.per.key(act.now) for _, term in counted_terms(chain)):
        return [hold for hold in held if hold.authority == due.lease]
    return act.kept.holds_of(due.lease)


def _count(
    act: Act, case: Case, known: Known, due: _Due, holds: Sequence[HoldRow], ends: LeaseEnd | None
) -> Tally:
    if case.usage is None:
        raise usage_missing(due.lease)
    return count_report(act, case.usage, known.holding, due.row, holds, ends=ends).tally


def _wish(request: LeaseRequest, package: Catalogued) -> Wish:
    return Wish(
        runtime=request.runtime,
        level=request.level,
        facts=request.shown,
        owner=request.owner,
        name=package.row.name,
        version=package.row.version,
        package=request.package,
        predictions=request.predictions,
    )


def _details(request: LeaseRequest, offer: Offer) -> dict[str, str | int]:
    details: dict[str, str | int] = {
        "package": request.package,
        "level": counted(request.level, request.shown).value,
        "previous": request.previous or "none",
        "not_after": to_instant(offer.not_after),
        "last_use_at": to_instant(offer.last_use_at),
    }
    return details | budget_details(offer)
