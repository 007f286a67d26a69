"""Rows to put into a broker's database, each whole and each of its own id."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from strongroom.broker.principal import Role
from strongroom.broker.records import (
    DerivationRow,
    EntryRow,
    HoldRow,
    IdempotencyRow,
    LeaseRow,
    LicenseRequestRow,
    LicenseRow,
    LicenseStatus,
    LogHead,
    MemberRow,
    OfflineRow,
    PackageRow,
    PartnerRow,
    PartyStatus,
    RuntimeRow,
    SeatRow,
    UsageRow,
    WithdrawalRow,
)
from strongroom.license.period import CounterKey, CounterName, Period

NOW = datetime(2026, 11, 24, 3, 0, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TEXT = "straße, 病院, 'quote', \"double\", %s, :name, \\ and \n lines"
"""What a driver or a dialect might take for its own."""


def partner(organization: str, name: str = TEXT, status: PartyStatus = PartyStatus.PENDING) -> PartnerRow:
    return PartnerRow(organization=organization, name=name, key="key", status=status, enrolled_at=NOW)


def runtime(runtime: str, organization: str = "org-a") -> RuntimeRow:
    return RuntimeRow(
        runtime=runtime,
        organization=organization,
        device="device",
        sealing="sealing",
        enrollment=TEXT,
        status=PartyStatus.PENDING,
        enrolled_at=NOW,
    )


def member(member: str, organization: str = "org-a", expires_at: datetime | None = None) -> MemberRow:
    return MemberRow(
        member=member,
        organization=organization,
        name=TEXT,
        role=Role.MANAGER,
        key="key",
        added_at=NOW,
        expires_at=expires_at,
    )


def package(package: str, name: str = "risk", key_id: str = "kek-1") -> PackageRow:
    return PackageRow(
        package=package,
        package_id=f"id of {package}",
        name=name,
        version="1.0.0",
        statement=bytes(range(256)),
        wrapped_key=b"\x00wrapped\xff",
        key_id=key_id,
        published_at=NOW,
    )


def withdrawal(withdrawal: str, name: str = "risk") -> WithdrawalRow:
    return WithdrawalRow(withdrawal=withdrawal, name=name, version="1.0.0", token="token", received_at=NOW)


def license_request(request: str, organization: str = "org-a") -> LicenseRequestRow:
    return LicenseRequestRow(
        request=request,
        organization=organization,
        partner=TEXT,
        model=TEXT,
        purpose=TEXT,
        predictions="10/day",
        until=NOW,
        asked_by="mem-a",
        asked_at=NOW,
        license=None,
        reason=None,
        answered_by=None,
        answered_at=None,
    )


def derivation(derivation: str, organization: str = "org-a") -> DerivationRow:
    return DerivationRow(
        derivation=derivation,
        organization=organization,
        holder=TEXT,
        license="lic-a",
        parent="aa" * 32,
        parent_name=TEXT,
        package="bb" * 32,
        name=TEXT,
        version="1.1.0",
        handed_in_by="mem-a",
        handed_in_at=NOW,
        statement=None,
        reason=None,
        answered_by=None,
        answered_at=None,
    )


def license_row(
    license: str,
    parent: str | None = None,
    *,
    root: str | None = None,
    organization: str = "org-a",
    status: LicenseStatus = LicenseStatus.GRANTED,
    expires_at: datetime | None = None,
) -> LicenseRow:
    return LicenseRow(
        license=license,
        parent=parent,
        root=root or license,
        organization=organization,
        holder="clinic",
        token=f"token of {license}",
        agreement=TEXT,
        status=status,
        granted_at=NOW,
        expires_at=expires_at,
        requested_by="mem-a",
        approved_by=None,
        acceptance=None,
        accepted_at=None,
    )


def lease(
    lease: str,
    license: str = "lic-a",
    *,
    runtime: str = "run-a",
    package: str = "digest",
    previous: str | None = None,
    last_use_at: datetime = NOW + 60 * MINUTE,
) -> LeaseRow:
    return LeaseRow(
        lease=lease,
        license=license,
        runtime=runtime,
        package=package,
        token=f"token of {lease}",
        nonce="nonce",
        previous=previous,
        issued_at=NOW,
        not_after=NOW + 15 * MINUTE,
        last_use_at=last_use_at,
        ended=None,
        reported=False,
        entry=7,
    )


def hold(authority: str, document: str = "lic-a", per: Period = Period.DAY, amount: int = 10) -> HoldRow:
    return HoldRow(
        document=document,
        authority=authority,
        counter=CounterName.PREDICTIONS,
        per=per,
        first_period=per.key(NOW),
        last_period=per.key(NOW + 60 * MINUTE),
        amount=amount,
    )


def seat(authority: str, document: str = "lic-a", until: datetime = NOW + 60 * MINUTE) -> SeatRow:
    return SeatRow(document=document, runtime="run-a", authority=authority, until=until)


def usage(
    usage: str, previous: str | None = None, license: str = "lic-a", authority: str = "lea-a"
) -> UsageRow:
    return UsageRow(
        usage=usage,
        license=license,
        runtime="run-a",
        authority=authority,
        previous=previous,
        token="token",
        received_at=NOW,
    )


def offline(offline: str, license: str = "lic-a", not_after: datetime = NOW + 60 * MINUTE) -> OfflineRow:
    return OfflineRow(
        offline=offline,
        license=license,
        runtime="run-a",
        package="digest",
        token="token",
        issued_at=NOW,
        not_after=not_after,
    )


def entry(index: int, *subjects: str) -> EntryRow:
    return EntryRow(
        index=index, entry=b"entry %d" % index, disclosure=b"disclosure %d" % index, subjects=subjects
    )


def head(size: int, origin: str = "own-a/log/1") -> LogHead:
    return LogHead(
        origin=origin,
        size=size,
        frontier=b"\x00frontier\xff",
        checkpoint="— note\n",
        at=NOW,
        generation=3,
        owner_version=2,
    )


def answer(key: str, at: datetime = NOW) -> IdempotencyRow:
    return IdempotencyRow(principal="run-a", key=key, request="digest", status=201, body=b"{}\x00", at=at)


def key(document: str, period: str = "2026-11", counter: CounterName = CounterName.PREDICTIONS) -> CounterKey:
    return CounterKey(document, counter, period)
