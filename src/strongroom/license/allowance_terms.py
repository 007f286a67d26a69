"""Terms that say how far an exception goes: grace, break-glass, offline.

    {"hours": 72, "predictions": 5000, "term": "grace"}
    {"files": 3, "hours": 2160, "term": "offline"}

The exception exists only if the license itself has the term; each further one, there
or in a sub-license, makes it smaller. Each check bounds the exception and is silent
where it is not in use (spec/license.md, "Leases, grace and break-glass").
"""

from __future__ import annotations

from strongroom._encoding import to_instant
from strongroom.license.codes import Code
from strongroom.license.fields import MAX_HOURS, hours, verify_count
from strongroom.license.period import CounterKey, CounterName
from strongroom.license.request import AuthorityKind
from strongroom.license.term import Case, Tagged
from strongroom.license.verdict import Denied, Standing


class Grace(Tagged, frozen=True, kw_only=True, tag="grace"):
    """How long, and for how many predictions, use goes on after a lease while the broker is silent."""

    hours: int
    predictions: int

    def check_fields(self) -> None:
        """Check both bounds.

        Raises:
            FormatError: not from 1 to 87600 hours, or no predictions.
        """
        verify_count(self.hours, "the hours of grace", most=MAX_HOURS)
        verify_count(self.predictions, "the predictions of grace")

    def check(self, case: Case) -> Denied | None:
        """Refuse beyond either bound; nothing while the lease lasts."""
        lease = case.authority
        if case.standing is not Standing.GRACE or lease is None:
            return None
        end = lease.not_after + hours(self.hours)
        if case.now >= end:
            return case.denied(
                self,
                Code.GRACE_ENDED,
                f"the lease ended {to_instant(lease.not_after)}, "
                f"and its {self.hours} hours of grace ended {to_instant(end)}",
                "Restore the way to the broker: strongroom doctor; or, if allowed, break-glass.",
            )
        key = CounterKey(case.document, CounterName.GRACE_PREDICTIONS, lease.id)
        used, wanted = case.facts.used.get(key, 0), case.request.predictions
        if not wanted or used + wanted <= self.predictions:
            return None
        return case.denied(
            self,
            Code.GRACE_USED_UP,
            f"{used} of {self.predictions} predictions of the grace time are used; "
            f"{wanted} more would go beyond, though the grace time lasts until {to_instant(end)}",
            "Restore the way to the broker: strongroom doctor; or, if allowed, break-glass.",
        )


class BreakGlass(Tagged, frozen=True, kw_only=True, tag="break-glass"):
    """How often, and for how many hours each, somebody may go on after the grace, with a reason."""

    hours: int
    uses: int

    def check_fields(self) -> None:
        """Check both bounds.

        Raises:
            FormatError: no hours or uses, or together more than 87600 hours.
        """
        verify_count(self.hours, "the hours of break-glass", most=MAX_HOURS)
        verify_count(self.uses, "the uses of break-glass", most=MAX_HOURS // self.hours)

    def check(self, case: Case) -> Denied | None:
        """Refuse without a reason, beyond the uses, beyond the hours, or beyond all hours together."""
        use, lease = case.facts.break_glass, case.authority
        if case.standing is not Standing.BREAK_GLASS or use is None or lease is None:
            return None
        if not use.reason.strip():
            return case.denied(
                self, Code.BREAK_GLASS_REASON, "break-glass needs a reason", "State the reason."
            )
        if not 1 <= use.number <= self.uses:
            return case.denied(
                self,
                Code.BREAK_GLASS_USED_UP,
                f"this is use {use.number} of break-glass, and the license gives {self.uses}",
                case.ask("a new license"),
            )
        # Counted from the lease and not from the breaking alone: a runtime that was
        # switched off would otherwise carry its break-glass beyond every bound.
        last = lease.not_after + case.grace + hours(self.hours * self.uses)
        end = min(use.started_at + hours(self.hours), last)
        if use.started_at <= case.now < end:
            return None
        return case.denied(
            self,
            Code.BREAK_GLASS_ENDED,
            f"use {use.number} of break-glass began {to_instant(use.started_at)} and ended {to_instant(end)}",
            "Restore the way to the broker: strongroom doctor."
            if use.number >= self.uses or end == last
            else "Break the glass again.",
        )


class Offline(Tagged, frozen=True, kw_only=True, tag="offline"):
    """How long an offline or pass-phrase file may live, and how many offline files may be out."""

    hours: int
    files: int

    def check_fields(self) -> None:
        """Check both bounds.

        Raises:
            FormatError: not from 1 to 87600 hours, or no files.
        """
        verify_count(self.hours, "the hours of an offline file", most=MAX_HOURS)
        verify_count(self.files, "a number of offline files")

    def check(self, case: Case) -> Denied | None:
        """Refuse a file that lives longer. How many are out is checked where they are made."""
        authority = case.authority
        if authority is None or authority.kind is AuthorityKind.LEASE:
            return None
        if authority.not_after <= authority.issued_at + hours(self.hours):
            return None
        return case.denied(
            self,
            Code.OFFLINE_TOO_LONG,
            f"the {authority.kind} file lives from {to_instant(authority.issued_at)} to "
            f"{to_instant(authority.not_after)}, and the license allows {self.hours} hours",
            case.ask("a new file"),
        )
