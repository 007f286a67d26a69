"""Checking out: a runtime takes an offline file along, for a place without a network.

    answer = checking_out.check_out(runtime, CheckoutAsk(license="lic-...", package=digest, nonce=nonce))
    LicenseFile.from_bytes(answer.file.encode()).offline

The file is signed by the broker key, wraps the content key to the sealing key of this one
runtime, and holds its budget until it has ended and its use is reported. No revocation reaches it
before its end (spec/license.md, "Offline and pass-phrase files").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from strongroom._encoding import from_hex, from_instant, to_instant
from strongroom.broker.act import Act
from strongroom.broker.decide import BrokerFacts, Offer, Wish, decide_offline
from strongroom.broker.keys import BrokerKeys
from strongroom.broker.knowledge import Holding, Knowledge
from strongroom.broker.ledger import Ledger
from strongroom.broker.principal import Principal
from strongroom.broker.records import OfflineRow
from strongroom.broker.repository import Reading
from strongroom.broker.services.envelopes import wrap_for_checkout
from strongroom.broker.services.giving import (
    Giving,
    Known,
    RuntimeChangedError,
    budget_details,
    find_known,
    holds_of,
    nothing_used,
    running,
    seats_of,
    verify_admitted,
)
from strongroom.broker.services.license_rows import license_file
from strongroom.broker.settings import Settings
from strongroom.broker.slices import Span, keys_of
from strongroom.errors import StorageUnavailable
from strongroom.license.documents import OfflineFile
from strongroom.license.fields import SERIAL_BYTES, whole_seconds
from strongroom.license.offline import end_of_offline
from strongroom.license.protection import SEALED
from strongroom.license.request import Level
from strongroom.license.signing import Signed, read_unverified, sign_document
from strongroom.license.verdict import Denied, raise_denied
from strongroom.log.entry import Kind
from strongroom.protocol.broker import CheckoutAnswer, CheckoutAsk

_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One request, with the content key already wrapped."""

    principal: Principal
    license: str
    package: str
    until: datetime | None
    known: Known
    serial: str
    wrapped_key: str


class CheckingOut:
    """Offline files for runtimes of partners."""

    __slots__ = ("_giving", "_keys", "_knowledge", "_ledger")

    def __init__(
        self, ledger: Ledger, keys: BrokerKeys, settings: Settings, knowledge: Knowledge | None = None
    ) -> None:
        self._ledger = ledger
        self._keys = keys
        self._knowledge = knowledge or Knowledge(keys)
        self._giving = Giving(keys, self._knowledge, timedelta(seconds=settings.lease_seconds))

    def check_out(self, principal: Principal, ask: CheckoutAsk) -> CheckoutAnswer:
        """Make an offline file for the asking runtime; returns its license file with it.

        The nonce becomes the serial of the file: whoever asks again with the same one, because no answer
        came, gets the same file, and nothing is taken out of the license twice.

        Raises:
            FormatError: ``until`` is no instant, or the nonce is not 16 bytes.
            ObjectNotFound: no such license or package of the asking one's.
            BrokerRefused: codes ``partner-pending``, ``partner-suspended``, ``runtime-suspended``.
            LicenseDenied: the license says no; the code names the rule.
            IntegrityError: the content key does not open.
            NoMatchingKey: the key provider refuses to be used.
            StorageUnavailable: the database or the key provider does not answer.
        """
        from_hex(ask.nonce, size=SERIAL_BYTES)
        until = None if ask.until is None else whole_seconds(from_instant(ask.until))
        for _ in range(_TRIES):
            case = self._prepare(principal, ask, until)
            try:
                file = self._ledger.act(lambda act, case=case: self._write(act, case))  # type: ignore[misc] # bound early
            except RuntimeChangedError:
                continue
            return CheckoutAnswer(file=file)
        raise StorageUnavailable(
            "this runtime enrolls again and again", code="broker-busy", hint="try again in a few seconds"
        )

    def _prepare(self, principal: Principal, ask: CheckoutAsk, until: datetime | None) -> _Case:
        with self._ledger.view() as kept:
            known = find_known(
                self._knowledge.look(kept),
                principal,
                runtime=principal.id,
                license=ask.license,
                package=ask.package,
            )
        verify_admitted(known.machine)
        wrapped_key = wrap_for_checkout(
            self._keys.provider(),
            known.package.row,
            license=ask.license,
            runtime=principal.id,
            sealing=known.machine.sealing,
            serial=ask.nonce,
        )
        return _Case(
            principal=principal,
            license=ask.license,
            package=ask.package,
            until=until,
            known=known,
            serial=ask.nonce,
            wrapped_key=wrapped_key,
        )

    def _write(self, act: Act, case: _Case) -> str:
        known = find_known(
            self._knowledge.look_within(act),
            case.principal,
            runtime=case.principal.id,
            license=case.license,
            package=case.package,
        )
        if known.machine.row != case.known.machine.row:
            raise RuntimeChangedError
        verify_admitted(known.machine)
        given = _given_before(act.kept, case, act.now)
        if given is not None:
            self._giving.verify_stands(act, self._wish(case, known), known)
            return self._file(act, known, given)
        offer = self._decide(act, case, known)
        signed = self._sign(act, case, known, offer)
        act.record(
            Kind.CHECKOUT,
            (signed.id, case.principal.id, *known.holding.subjects),
            document=signed.token,
            package=case.package,
            not_after=to_instant(offer.not_after),
            **budget_details(offer),
        )
        row = OfflineRow(
            offline=signed.id,
            license=case.license,
            runtime=case.principal.id,
            package=case.package,
            token=signed.token,
            issued_at=act.now,
            not_after=offer.not_after,
        )
        act.kept.add_offline(row, holds_of(offer, signed.id), seats_of(offer, signed.id, case.principal.id))
        act.kept.add_used(nothing_used(offer))
        return self._file(act, known, signed.token)

    def _file(self, act: Act, known: Known, token: str) -> str:
        file = license_file(act.kept, known.holding.rows, self._keys.owner())
        return msgspec.structs.replace(file, offline=(token,)).to_bytes().decode("utf-8")

    def _wish(self, case: _Case, known: Known) -> Wish:
        row = known.package.row
        return Wish(
            runtime=case.principal.id,
            # What is stronger does not exist without a broker that sees it.
            level=Level.SEALED,
            # Nobody asks for it from within a runtime; whoever opens the file finds out what it reaches.
            facts=SEALED,
            owner=known.holding.chain.owner,
            name=row.name,
            version=row.version,
            package=case.package,
        )

    def _decide(self, act: Act, case: _Case, known: Known) -> Offer:
        facts, wish = self._facts(act, case, known), self._wish(case, known)
        answer = decide_offline(known.holding.chain, wish, facts, act.now, until=case.until)
        if isinstance(answer, Denied):
            raise_denied(answer)
        return answer

    def _facts(self, act: Act, case: _Case, known: Known) -> BrokerFacts:
        chain = known.holding.chain
        facts = replace(self._giving.facts(known), offline=_files_out(act.kept, known.holding, act.now))
        end = end_of_offline(chain, act.now, until=case.until, out=facts.offline)
        if known.holding.is_counted and not isinstance(end, Denied):
            keys = keys_of(chain, Span(act.now, end))
            facts = replace(facts, holds=act.kept.holds(chain.ids, act.now), used=act.kept.used(keys))
        if known.holding.has_seats:
            facts = replace(facts, running=running(act.kept.seats(chain.ids, act.now)))
        return facts

    def _sign(self, act: Act, case: _Case, known: Known, offer: Offer) -> Signed[OfflineFile]:
        document = OfflineFile(
            owner=self._keys.owner_id,
            owner_version=self._keys.owner().version,
            issued_at=act.now,
            license=case.license,
            package=case.package,
            package_id=known.package.row.package_id,
            serial=case.serial,
            wrapped_key=case.wrapped_key,
            not_after=offer.not_after,
            runtime=case.principal.id,
            budget=offer.budget,
        )
        return sign_document(document, self._keys.broker_key(act.now))


def _given_before(kept: Reading, case: _Case, now: datetime) -> str | None:
    """Return the token that this very question was answered with, if the file has not ended."""
    for row in kept.offline_files(now, [case.license]):
        if (row.license, row.runtime, row.package) == (case.license, case.principal.id, case.package) and (
            read_unverified(row.token, OfflineFile).serial == case.serial
        ):
            return row.token
    return None


def _files_out(kept: Reading, holding: Holding, now: datetime) -> Mapping[str, int]:
    """Return how many offline files hang from each document of a chain, also by way of its sub-licenses."""
    return {document: len(kept.offline_files(now, [document])) for document in holding.chain.ids}
