"""Leases, offline files, seats and usage reports, as rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, func, select, update

from strongroom.broker.records import HoldRow, LeaseEnd, LeaseRow, OfflineRow, SeatRow, UsageRow
from strongroom.broker.sql.counts import ADD_HOLD, HOLD_SHAPE
from strongroom.broker.sql.licenses import under
from strongroom.broker.sql.rows import Shape, to_seconds
from strongroom.broker.sql.session import Added, Session, verify_found
from strongroom.broker.sql.statement import Several, Statement, adding, in_pieces, names
from strongroom.broker.sql.tables import HOLD, IS_OFFLINE, LEASE, OFFLINE, SEAT, USAGE

_LEASE: Final = Shape(LeaseRow, LEASE)
_SEAT: Final = Shape(SeatRow, SEAT)
_OFFLINE: Final = Shape(OfflineRow, OFFLINE)
_USAGE: Final = Shape(UsageRow, USAGE)

_LEASE_OF: Final = Statement(select(*_LEASE.columns).where(LEASE.c.lease == bindparam("lease")))
_NEWEST_LEASE: Final = Statement(
    select(*_LEASE.columns)
    .where(
        LEASE.c.runtime == bindparam("runtime"),
        LEASE.c.license == bindparam("license"),
        LEASE.c.package == bindparam("package"),
    )
    .order_by(LEASE.c.arrival.desc())
    .limit(1)
)
_OPEN: Final = (
    select(*_LEASE.columns)
    .where(
        LEASE.c.ended.is_(None),
        LEASE.c.last_use_at > bindparam("now"),
        LEASE.c.lease > bindparam("after"),
    )
    .order_by(LEASE.c.lease)
    .limit(bindparam("limit"))
)
_LEASES: Final = Statement(_OPEN)
_LEASES_UNDER: Final = Statement(_OPEN.where(LEASE.c.license.in_(select(under(1).c.license))))
_ADD_LEASE: Final = adding(
    LEASE, arrival=select(func.coalesce(func.max(LEASE.c.arrival), 0) + 1).scalar_subquery()
)
_END_LEASE: Final = Statement(
    update(LEASE).where(LEASE.c.lease == bindparam("of")).values(ended=bindparam("how"))
)
_VOIDED: Final = Statement(
    select(*_LEASE.columns)
    .where(LEASE.c.ended.is_(None), LEASE.c.last_use_at > bindparam("now"))
    .order_by(LEASE.c.lease)
)
_VOID: Final = Statement(update(LEASE).where(LEASE.c.ended.is_(None)).values(ended=LeaseEnd.VOIDED.value))
_MARK_REPORTED: Final = Statement(update(LEASE).where(LEASE.c.lease == bindparam("of")).values(reported=True))
_CLOSE: Final = Statement(
    update(LEASE).where(LEASE.c.lease == bindparam("of")).values(reported=True, ended=bindparam("how"))
)
_FREE_HOLDS: Final = Statement(delete(HOLD).where(HOLD.c.authority == bindparam("authority")))

_SEATS: Final = Several(
    lambda count: select(*_SEAT.columns).where(
        SEAT.c.document.in_(names(count)), SEAT.c.until > bindparam("now")
    )
)
_ADD_SEAT: Final = adding(SEAT)
_FREE_SEATS: Final = Statement(delete(SEAT).where(SEAT.c.authority == bindparam("authority")))
_FREE_VOIDED_SEATS: Final = Statement(
    delete(SEAT).where(
        SEAT.c.authority.in_(select(LEASE.c.lease).where(LEASE.c.ended == LeaseEnd.VOIDED.value))
    )
)

_OFFLINE_OF: Final = Statement(select(*_OFFLINE.columns).where(OFFLINE.c.offline == bindparam("offline")))
_OFFLINE_FILES: Final = Several(
    lambda count: (
        select(*_OFFLINE.columns)
        .where(OFFLINE.c.license.in_(select(under(count).c.license)), OFFLINE.c.not_after > bindparam("now"))
        .order_by(OFFLINE.c.offline)
    )
)
_OUT: Final = (
    select(*_OFFLINE.columns)
    .where(OFFLINE.c.not_after > bindparam("now"), OFFLINE.c.offline > bindparam("after"))
    .order_by(OFFLINE.c.offline)
    .limit(bindparam("limit"))
)
_FILES_OUT: Final = Statement(_OUT)
_FILES_OUT_UNDER: Final = Statement(_OUT.where(OFFLINE.c.license.in_(select(under(1).c.license))))
_ADD_OFFLINE: Final = adding(OFFLINE)

_USAGE_OF: Final = Statement(select(*_USAGE.columns).where(USAGE.c.usage == bindparam("usage")))
_NEWEST_USAGE: Final = Statement(
    select(*_USAGE.columns)
    .where(USAGE.c.runtime == bindparam("runtime"), USAGE.c.license == bindparam("license"))
    .order_by(USAGE.c.arrival.desc())
    .limit(1)
)
_DROP_USAGE: Final = Statement(delete(USAGE).where(USAGE.c.authority == bindparam("authority"), IS_OFFLINE))
_ADD_USAGE: Final = adding(
    USAGE, arrival=select(func.coalesce(func.max(USAGE.c.arrival), 0) + 1).scalar_subquery()
)


class LeaseReading(Session):
    """What can be asked about leases and offline files."""

    def lease(self, lease: str) -> LeaseRow | None:
        """Return a lease."""
        return _LEASE.optional(self.first(_LEASE_OF, lease=lease))

    def newest_lease(self, runtime: str, license: str, package: str) -> LeaseRow | None:
        """Return the lease that a runtime was given last."""
        return _LEASE.optional(self.first(_NEWEST_LEASE, runtime=runtime, license=license, package=package))

    def leases(
        self, now: datetime, *, after: str = "", limit: int, license: str | None = None
    ) -> list[LeaseRow]:
        """Return leases under which use is possible now; with ``license``, of it and what hangs from it."""
        if license is None:
            rows = self.all(_LEASES, now=to_seconds(now), after=after, limit=limit)
        else:
            rows = self.all(_LEASES_UNDER, now=to_seconds(now), after=after, limit=limit, v0=license)
        return _LEASE.all_from(rows)

    def offline_files(self, now: datetime, documents: Collection[str]) -> list[OfflineRow]:
        """Return offline files of these documents and of what hangs from them that have not ended."""
        found = {
            row.offline: row
            for values in in_pieces(tuple(dict.fromkeys(documents)))
            for row in _OFFLINE.all_from(
                self.all(_OFFLINE_FILES.of(len(values)), now=to_seconds(now), **values)
            )
        }
        return [found[offline] for offline in sorted(found)]

    def offline_page(
        self, now: datetime, *, after: str = "", limit: int, license: str | None = None
    ) -> list[OfflineRow]:
        """Return offline files that have not ended; with ``license``, of it and what hangs from it."""
        if license is None:
            rows = self.all(_FILES_OUT, now=to_seconds(now), after=after, limit=limit)
        else:
            rows = self.all(_FILES_OUT_UNDER, now=to_seconds(now), after=after, limit=limit, v0=license)
        return _OFFLINE.all_from(rows)

    def offline_file(self, offline: str) -> OfflineRow | None:
        """Return an offline file, ended or not."""
        return _OFFLINE.optional(self.first(_OFFLINE_OF, offline=offline))

    def seats(self, documents: Collection[str], now: datetime) -> list[SeatRow]:
        """Return the seats of these documents that are held beyond ``now``."""
        return [
            row
            for values in in_pieces(tuple(dict.fromkeys(documents)))
            for row in _SEAT.all_from(self.all(_SEATS.of(len(values)), now=to_seconds(now), **values))
        ]

    def usage(self, usage: str) -> UsageRow | None:
        """Return a usage report."""
        return _USAGE.optional(self.first(_USAGE_OF, usage=usage))

    def newest_usage(self, runtime: str, license: str) -> UsageRow | None:
        """Return the usage report that a runtime made last."""
        return _USAGE.optional(self.first(_NEWEST_USAGE, runtime=runtime, license=license))


class LeaseWriting(LeaseReading):
    """What can be written about leases and offline files."""

    def add_lease(self, row: LeaseRow, holds: Sequence[HoldRow], seats: Sequence[SeatRow]) -> None:
        """Add a lease, and what it holds."""
        self.add((_ADD_LEASE, _LEASE.to_values(row), "lease"), *_held(holds, seats))

    def end_lease(self, lease: str, how: LeaseEnd) -> None:
        """Note how a lease ended, and free its seats. Its holds stay until its usage is known."""
        counts = self.run((_END_LEASE, {"of": lease, "how": how.value}), (_FREE_SEATS, {"authority": lease}))
        verify_found(counts[0], "lease")

    def add_offline(self, row: OfflineRow, holds: Sequence[HoldRow], seats: Sequence[SeatRow] = ()) -> None:
        """Add an offline file, and what it holds."""
        self.add((_ADD_OFFLINE, _OFFLINE.to_values(row), "offline file"), *_held(holds, seats))

    def drop_usage(self, offline: str) -> None:
        """Forget what was reported under an offline file."""
        self.later(_DROP_USAGE, [{"authority": offline}])

    def add_usage(self, row: UsageRow) -> None:
        """Add a usage report."""
        self.add((_ADD_USAGE, _USAGE.to_values(row), "usage report"))

    def mark_reported(self, lease: str, ended: LeaseEnd | None = None) -> None:
        """Note that the usage under a lease or offline file is known, and free its holds.

        With ``ended``, do as ``end_lease`` does as well: the row has a token of some kilobytes, which
        is written again with it.
        """
        if ended is None:
            self.later(_MARK_REPORTED, [{"of": lease}])
        else:
            self.later(_CLOSE, [{"of": lease, "how": ended.value}])
            self.later(_FREE_SEATS, [{"authority": lease}])
        self.later(_FREE_HOLDS, [{"authority": lease}])

    def void_leases(self, now: datetime) -> list[LeaseRow]:
        """End every lease that has not ended; returns those under which use was possible."""
        rows = _LEASE.all_from(self.all(_VOIDED, now=to_seconds(now)))
        self.later(_VOID, [{}])
        self.later(_FREE_VOIDED_SEATS, [{}])
        return rows


def _held(holds: Sequence[HoldRow], seats: Sequence[SeatRow]) -> list[Added]:
    return [
        *((ADD_HOLD, HOLD_SHAPE.to_values(hold), "hold") for hold in holds),
        *((_ADD_SEAT, _SEAT.to_values(seat), "seat") for seat in seats),
    ]
