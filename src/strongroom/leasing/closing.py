"""Closing: what was used under a lease, as its final report says it.

    usage = close_lease(home, lease, previous=record.last_usage, now=now, signed_at=client.now)
    note_reported(home, lease.document.owner, usage.document)     # when the broker has it

The lease is closed in the signed state before anything is signed: closed again, it says the same.
"""

from __future__ import annotations

from datetime import datetime

from strongroom.home.home import Home
from strongroom.leasing.reporting import counts_of
from strongroom.license.documents import BreakGlassReport, Lease, Usage
from strongroom.license.signing import Signed, sign_document


def close_lease(
    home: Home, lease: Signed[Lease], *, previous: str | None, now: datetime, signed_at: datetime
) -> Signed[Usage]:
    """Close a lease of this home and sign what was used under it, and what glass was broken since.

    Args:
        home: The partner's home.
        lease: The lease.
        previous: Id of the report before.
        now: The time toward its owner.
        signed_at: What the report is dated.

    Raises:
        IntegrityError: the state of this runtime was changed by somebody else.
        NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
        FormatError: a file of this home is damaged.
        StorageUnavailable: a file cannot be read or written.
    """
    document = lease.document
    counts = home.marks.close(document.owner, document.authority, now)
    breaks = home.marks.read(document.owner).breaks_of(document.license)
    usage = Usage(
        license=document.license,
        runtime=document.runtime,
        authority=lease.id,
        previous=previous,
        counts=counts_of(counts),
        break_glass=tuple(
            BreakGlassReport(started_at=each.started_at, reason=each.reason)
            for each in breaks
            if not each.reported
        ),
        issued_at=signed_at.replace(microsecond=0),
    )
    return sign_document(usage, home.keys.device(document.owner))


def note_reported(home: Home, owner_id: str, usage: Usage) -> None:
    """Note that the owner has read of the glass that a report tells of.

    Raises:
        IntegrityError: the state of this runtime was changed by somebody else.
        NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
        StorageUnavailable: the state cannot be read or written.
    """
    started = [each.started_at for each in usage.break_glass]
    if started:
        home.marks.note_reported(owner_id, usage.license, started)
