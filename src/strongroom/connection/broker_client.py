"""One method for each route of a broker (spec/broker-api.md).

    client = BrokerClient(transport, url, owner="own-...", subject="run-...", key=device, clock=utc_now)
    answer = client.take_lease(LeaseAsk(request=token, worker_key=text))
    for page in (client.licenses(), ...): ...

Messages are those of ``protocol.broker``. How calls are signed and repeated is in ``caller``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import msgspec

from strongroom.connection.caller import Caller, Clock, Identity, decode, segment
from strongroom.connection.interface import Transport
from strongroom.keys.key_pair import SigningKey
from strongroom.protocol.broker import (
    AcceptanceAsk,
    ApprovalAsk,
    Asked,
    CheckoutAnswer,
    CheckoutAsk,
    Done,
    EnrollmentAnswer,
    EnrollmentAsk,
    LeaseAnswer,
    LeaseAsk,
    LeasePage,
    LicenseAnswer,
    LicenseAsk,
    LicensePage,
    LicenseRequestAnswer,
    LicenseRequestAsk,
    LicenseRequestPage,
    MemberAnswer,
    MemberAsk,
    MemberPage,
    OwnerAnswer,
    PackageAnswer,
    PackageAsk,
    PackagePage,
    PartnerAnswer,
    PartnerPage,
    ReasonAsk,
    RecordPage,
    RequestGrantAsk,
    ReturnAsk,
    RevocationAsk,
    RevocationPage,
    SublicenseAsk,
    SublicensePage,
    UsageAsk,
    UsagePage,
    WithdrawalAsk,
)
from strongroom.protocol.derivation import (
    CountersignatureAsk,
    DerivationAnswer,
    DerivationAsk,
    DerivationPage,
)

T = TypeVar("T")


class BrokerClient:
    """A broker, as one runtime or member sees it. Safe to use from several threads.

    Every method raises what ``Caller.call`` raises.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        *,
        owner: str,
        subject: str,
        key: SigningKey,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Call nobody yet.

        Args:
            transport: What carries the requests.
            url: The broker's address, as the invite has it.
            owner: Owner id.
            subject: Id of the runtime or member that asks.
            key: Its device key or member key.
            clock: What the clock of this machine says.
            sleep: Waits between attempts.
        """
        self._transport = transport
        self._caller = Caller(
            transport, url, Identity(owner=owner, subject=subject, key=key), clock=clock, sleep=sleep
        )

    @property
    def now(self) -> datetime:
        """The time as the broker would say it, as far as that is known; for what is signed toward it."""
        return self._caller.now

    def close(self) -> None:
        """Give connections back."""
        self._transport.close()

    # -- meeting
    def owner(self) -> OwnerAnswer:
        """Ask whom the broker works for."""
        return decode(self._caller.call("GET", "/owner", public=True), OwnerAnswer)

    def enroll(self, ask: EnrollmentAsk) -> EnrollmentAnswer:
        """Hand in the enrollment of a runtime."""
        return self._public("/enrollments", ask, EnrollmentAnswer)

    # -- parties
    def partners(self, *, after: str | None = None, limit: int | None = None) -> PartnerPage:
        """List partners."""
        return self._page("/partners", PartnerPage, after=after, limit=limit)

    def partner(self, organization: str) -> PartnerAnswer:
        """Show one partner."""
        return self._page(f"/partners/{segment(organization)}", PartnerAnswer)

    def approve_partner(self, organization: str, ask: ApprovalAsk) -> PartnerAnswer:
        """Approve a partner whose fingerprint was compared."""
        return self._post(f"/partners/{segment(organization)}/approve", ask, PartnerAnswer)

    def refuse_partner(self, organization: str, ask: ReasonAsk) -> Done:
        """Drop an organization that nobody has approved."""
        return self._post(f"/partners/{segment(organization)}/refuse", ask, Done)

    def suspend_partner(self, organization: str, ask: ReasonAsk) -> PartnerAnswer:
        """Stop everything of a partner, until it is resumed."""
        return self._post(f"/partners/{segment(organization)}/suspend", ask, PartnerAnswer)

    def resume_partner(self, organization: str) -> PartnerAnswer:
        """Let a suspended partner go on."""
        return self._post(f"/partners/{segment(organization)}/resume", None, PartnerAnswer)

    def suspend_runtime(self, runtime: str, ask: ReasonAsk) -> PartnerAnswer:
        """Stop one runtime, until it is resumed."""
        return self._post(f"/runtimes/{segment(runtime)}/suspend", ask, PartnerAnswer)

    def resume_runtime(self, runtime: str) -> PartnerAnswer:
        """Let a suspended runtime go on."""
        return self._post(f"/runtimes/{segment(runtime)}/resume", None, PartnerAnswer)

    def members(self, *, after: str | None = None, limit: int | None = None) -> MemberPage:
        """List members."""
        return self._page("/members", MemberPage, after=after, limit=limit)

    def add_member(self, ask: MemberAsk) -> MemberAnswer:
        """Give a person access."""
        return self._post("/members", ask, MemberAnswer)

    def remove_member(self, member: str) -> Done:
        """Take a person's access away."""
        return decode(self._caller.call("DELETE", f"/members/{segment(member)}"), Done)

    # -- packages
    def packages(self, *, after: str | None = None, limit: int | None = None) -> PackagePage:
        """List published packages."""
        return self._page("/packages", PackagePage, after=after, limit=limit)

    def publish(self, ask: PackageAsk) -> PackageAnswer:
        """Publish a package."""
        return self._post("/packages", ask, PackageAnswer)

    def withdraw(self, ask: WithdrawalAsk) -> Done:
        """Take a version back."""
        return self._post("/withdrawals", ask, Done)

    # -- licenses
    def licenses(
        self, *, after: str | None = None, limit: int | None = None, expires_within_days: int | None = None
    ) -> LicensePage:
        """List licenses."""
        return self._page(
            "/licenses", LicensePage, after=after, limit=limit, expires_within_days=expires_within_days
        )

    def license(self, license: str) -> LicenseAnswer:
        """Show one license, with its file."""
        return self._page(f"/licenses/{segment(license)}", LicenseAnswer)

    def grant(self, ask: LicenseAsk) -> LicenseAnswer:
        """Hand in a signed license."""
        return self._post("/licenses", ask, LicenseAnswer)

    def approve_license(self, license: str) -> LicenseAnswer:
        """Approve a license as a second person."""
        return self._post(f"/licenses/{segment(license)}/approve", None, LicenseAnswer)

    def suspend_license(self, license: str, ask: ReasonAsk) -> LicenseAnswer:
        """Let no lease under a license be taken or renewed, until it is resumed."""
        return self._post(f"/licenses/{segment(license)}/suspend", ask, LicenseAnswer)

    def resume_license(self, license: str) -> LicenseAnswer:
        """Let a suspended license go on."""
        return self._post(f"/licenses/{segment(license)}/resume", None, LicenseAnswer)

    def revoke(self, ask: RevocationAsk) -> Done:
        """End a license."""
        return self._post("/revocations", ask, Done)

    def revocations(self, *, after: str | None = None) -> RevocationPage:
        """List the revocations that concern the caller, after one that it has seen."""
        return self._page("/revocations", RevocationPage, after=after)

    def narrow(self, ask: SublicenseAsk) -> LicenseAnswer:
        """Hand in a signed sub-license."""
        return self._post("/sublicenses", ask, LicenseAnswer)

    def sublicenses(self, *, after: str | None = None, limit: int | None = None) -> SublicensePage:
        """List the sub-licenses that the caller gave."""
        return self._page("/sublicenses", SublicensePage, after=after, limit=limit)

    def end_sublicense(self, sublicense: str, ask: ReasonAsk) -> LicenseAnswer:
        """End a sub-license that the caller gave."""
        return self._post(f"/sublicenses/{segment(sublicense)}/end", ask, LicenseAnswer)

    def accept(self, ask: AcceptanceAsk) -> LicenseAnswer:
        """Hand in an acceptance."""
        return self._post("/acceptances", ask, LicenseAnswer)

    # -- requests
    def license_requests(self, *, after: str | None = None, limit: int | None = None) -> LicenseRequestPage:
        """List requests for licenses."""
        return self._page("/license-requests", LicenseRequestPage, after=after, limit=limit)

    def license_request(self, request: str) -> LicenseRequestAnswer:
        """Show one request for a license."""
        return self._page(f"/license-requests/{segment(request)}", LicenseRequestAnswer)

    def request_license(self, ask: LicenseRequestAsk) -> LicenseRequestAnswer:
        """Ask the owner for a license."""
        return self._post("/license-requests", ask, LicenseRequestAnswer)

    def grant_license_request(self, request: str, ask: RequestGrantAsk) -> LicenseRequestAnswer:
        """Say which license answers a request."""
        return self._post(f"/license-requests/{segment(request)}/grant", ask, LicenseRequestAnswer)

    def refuse_license_request(self, request: str, ask: ReasonAsk) -> LicenseRequestAnswer:
        """Refuse a request."""
        return self._post(f"/license-requests/{segment(request)}/refuse", ask, LicenseRequestAnswer)

    # -- derivations
    def derivations(self, *, after: str | None = None, limit: int | None = None) -> DerivationPage:
        """List derived models."""
        return self._page("/derivations", DerivationPage, after=after, limit=limit)

    def derivation(self, derivation: str) -> DerivationAnswer:
        """Show one derived model."""
        return self._page(f"/derivations/{segment(derivation)}", DerivationAnswer)

    def hand_in_derivation(self, ask: DerivationAsk) -> DerivationAnswer:
        """Ask the owner to countersign a derived model."""
        return self._post("/derivations", ask, DerivationAnswer)

    def countersign(self, derivation: str, ask: CountersignatureAsk) -> DerivationAnswer:
        """Hand in the owner's signature for a derived model."""
        return self._post(f"/derivations/{segment(derivation)}/countersign", ask, DerivationAnswer)

    def refuse_derivation(self, derivation: str, ask: ReasonAsk) -> DerivationAnswer:
        """Refuse a derived model."""
        return self._post(f"/derivations/{segment(derivation)}/refuse", ask, DerivationAnswer)

    # -- leases
    def take_lease(self, ask: LeaseAsk) -> LeaseAnswer:
        """Take or renew a lease."""
        return self._post("/leases", ask, LeaseAnswer)

    def leases(
        self, *, after: str | None = None, limit: int | None = None, license: str | None = None
    ) -> LeasePage:
        """List leases that may be in use."""
        return self._page("/leases", LeasePage, after=after, limit=limit, license=license)

    def return_lease(self, lease: str, ask: ReturnAsk) -> Done:
        """Give a lease back."""
        return self._post(f"/leases/{segment(lease)}/return", ask, Done)

    def release_lease(self, lease: str, ask: ReasonAsk) -> Done:
        """At the owner: end a lease, so that the runtime can start anew."""
        return self._post(f"/leases/{segment(lease)}/release", ask, Done)

    def usage(
        self, *, after: str | None = None, limit: int | None = None, license: str | None = None
    ) -> UsagePage:
        """List counts."""
        return self._page("/usage", UsagePage, after=after, limit=limit, license=license)

    def report(self, ask: UsageAsk) -> Done:
        """Report what was used under a lease or an offline file."""
        return self._post("/usage", ask, Done)

    def check_out(self, ask: CheckoutAsk) -> CheckoutAnswer:
        """Get an offline file."""
        return self._post("/checkouts", ask, CheckoutAnswer)

    # -- log
    def checkpoint(self) -> bytes:
        """Return the newest checkpoint."""
        return self._caller.call("GET", "/log/checkpoint", public=True).body

    def tile(self, path: str) -> bytes:
        """Return a tile, by its path as in C2SP tlog-tiles."""
        return self._caller.call("GET", f"/log/tile/{path}", public=True).body

    def offer(self, size: int, log: int | None = None, /) -> bytes:
        """Return the newest checkpoint with the proof that it continues the log of that size.

        ``log`` is the number of a log before a restore; None: the one that goes on now.
        """
        return self._caller.call("GET", "/log/offer", query={"size": size, "log": log}).body

    def records(self, *, after: int | None = None, limit: int | None = None) -> RecordPage:
        """List records of the log that concern the caller."""
        return self._page("/log/records", RecordPage, after=after, limit=limit)

    def cosign(self, note: bytes) -> bytes:
        """Hand in a cosigned checkpoint; returns the checkpoint with every cosignature."""
        return self._caller.call("POST", "/log/cosignatures", body=note, media="text/plain").body

    def _page(self, path: str, kind: type[T], **query: str | int | None) -> T:
        return decode(self._caller.call("GET", path, query=query), kind)

    def _post(self, path: str, ask: Asked | None, kind: type[T]) -> T:
        body = None if ask is None else msgspec.json.encode(ask)
        return decode(self._caller.call("POST", path, body=body), kind)

    def _public(self, path: str, ask: Asked, kind: type[T]) -> T:
        return decode(self._caller.call("POST", path, body=msgspec.json.encode(ask), public=True), kind)
