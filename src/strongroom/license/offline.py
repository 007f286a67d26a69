"""What may be carved out of a license for use without a broker, and how long a revocation takes.

    plan = plan_offline(chain, now, until=end, used=counts, outstanding={chain.id: files})
    if isinstance(plan, Denied): ...
    OfflineFile(budget=plan.budget, not_after=plan.not_after, ...)

    revocation_worst_case(chain, lease=timedelta(minutes=15)).total

An offline file counts on its own, so what it may count is taken from the license when it
is made: the sum of all files that are out never exceeds any document of the chain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from strongroom._encoding import to_instant
from strongroom.license.chain import ChainDocument, LicenseChain
from strongroom.license.codes import Code
from strongroom.license.counters import Counts
from strongroom.license.fields import hours
from strongroom.license.period import CounterKey, CounterName, Period, is_over
from strongroom.license.release_documents import OfflineFile
from strongroom.license.request import Budget
from strongroom.license.standing import break_glass_of, counted_term, grace_of
from strongroom.license.terms import Counted, Expires, Offline
from strongroom.license.verdict import Denied

Outstanding = Mapping[str, Sequence[OfflineFile]]
"""Document id to the offline files that hang from it, also those of its sub-licenses."""


@dataclass(frozen=True, slots=True)
class OfflinePlan:
    """What an offline or pass-phrase file may say."""

    not_after: datetime
    budget: tuple[Budget, ...] = ()


@dataclass(frozen=True, slots=True)
class WorstCase:
    """How long use can go on after a revocation, if no news reaches the runtime."""

    lease: timedelta
    grace: timedelta
    break_glass: timedelta

    @property
    def total(self) -> timedelta:
        """The sum: each begins when the one before it has ended."""
        return self.lease + self.grace + self.break_glass


def revocation_worst_case(chain: LicenseChain, *, lease: timedelta) -> WorstCase:
    """Return the longest time from a revocation to the last use under a lease of this length."""
    return WorstCase(lease, grace_of(chain), break_glass_of(chain))


def last_use_after_revocation(
    chain: LicenseChain, now: datetime, *, lease: timedelta, offline: Sequence[OfflineFile] = ()
) -> datetime:
    """Return the instant after which a license revoked now is certainly not used any more.

    An offline file is revoked by its own end and by nothing else. No use passes the end
    of the license.
    """
    latest = max(
        [now + revocation_worst_case(chain, lease=lease).total, *(file.not_after for file in offline)]
    )
    ends = [term.at for _, term in chain.terms_of(Expires)]
    return min([latest, *ends])


def plan_offline(
    chain: LicenseChain,
    now: datetime,
    *,
    until: datetime | None = None,
    shares: Mapping[str, int] | None = None,
    used: Counts | None = None,
    outstanding: Outstanding | None = None,
) -> OfflinePlan | Denied:
    """Say what one more offline file may hold.

    Args:
        chain: The license for which it is made.
        now: The time of issue.
        until: When it should end; None: as late as the license allows.
        shares: Document id to the number of equal parts into which what it leaves is
            divided; one part is taken. All of it for a document that is not named.
        used: What was counted so far.
        outstanding: The offline files that are out.
    """
    files = outstanding or {}
    out = {document: sum(file.not_after > now for file in found) for document, found in files.items()}
    end = end_of_offline(chain, now, until=until, out=out)
    if isinstance(end, Denied):
        return end
    limits: dict[tuple[CounterName, Period], int] = {}
    for document, term in chain.terms():
        if isinstance(term, Counted):
            left = _left(document, term, now, used or {}, files.get(document.id, ()))
            left //= (shares or {}).get(document.id, 1)
            if left < 1:
                return _nothing_left(document, term)
            place = (term.counter, term.per)
            limits[place] = min(limits.get(place, left), left)
    budget = [Budget(counter=counter, limit=limit, per=per) for (counter, per), limit in limits.items()]
    return OfflinePlan(end, tuple(sorted(budget, key=lambda entry: (entry.counter, entry.per))))


def end_of_offline(
    chain: LicenseChain, now: datetime, *, until: datetime | None = None, out: Mapping[str, int]
) -> datetime | Denied:
    """Say when one more offline file ends, if one more may be out.

    Args:
        chain: The license for which it is made.
        now: The time of issue.
        until: When it should end; None: as late as the license allows.
        out: Document id to the number of offline files that hang from it and have not ended.
    """
    return _check_files(chain, out) or _end(chain, now, until)


def plan_passphrase(
    chain: LicenseChain, now: datetime, *, until: datetime | None = None
) -> OfflinePlan | Denied:
    """Say what a pass-phrase file may hold: an end, and no budget, because nobody counts.

    Args:
        chain: The license for which it is made.
        now: The time of issue.
        until: When it should end; None: as late as the license allows.
    """
    counted = counted_term(chain)
    if counted is not None:
        return Denied(
            code=Code.PASSPHRASE_COUNTED,
            reason=f"the license counts ('{counted.tag}'), and nobody counts the uses of a pass-phrase",
            hint="Make an offline file for each runtime.",
            term=counted.tag,
        )
    end = _end(chain, now, until)
    return end if isinstance(end, Denied) else OfflinePlan(end)


def _check_files(chain: LicenseChain, out: Mapping[str, int]) -> Denied | None:
    for document, term in chain.terms():
        if isinstance(term, Offline):
            files = out.get(document.id, 0)
            if files >= term.files:
                return Denied(
                    code=Code.OFFLINE_FILES,
                    reason=f"{files} offline files are out, and the license allows {term.files}",
                    hint="Wait until one ends; more needs a license whose term 'offline' allows it.",
                    term=term.tag,
                    document=document.id,
                )
    return None


def _end(chain: LicenseChain, now: datetime, until: datetime | None) -> datetime | Denied:
    if not any(isinstance(term, Offline) for term in chain.license.terms):
        return Denied(
            code=Code.OFFLINE_NOT_ALLOWED,
            reason="the license does not allow use without a broker",
            hint="It needs a license with the term 'offline', which the owner grants.",
        )
    longest = min(now + hours(term.hours) for _, term in chain.terms_of(Offline))
    ends = [term.at for _, term in chain.terms_of(Expires)]
    if until is not None and until > longest:
        return Denied(
            code=Code.OFFLINE_TOO_LONG,
            reason=f"an offline file made now may live until {to_instant(longest)}, "
            f"not until {to_instant(until)}",
            hint="Let it end sooner; longer needs a license whose term 'offline' allows it.",
            term="offline",
        )
    end = min([longest if until is None else until, *ends])
    if end > now:
        return end
    return Denied(
        code=Code.EXPIRED,
        reason=f"an offline file would have ended {to_instant(end)}, before it begins",
        hint="It needs a new license, which the owner grants.",
    )


def _left(
    document: ChainDocument, term: Counted, now: datetime, used: Counts, files: Sequence[OfflineFile]
) -> int:
    key = CounterKey(document.id, term.counter, term.per.key(now))
    # What was carved out is gone until its period is over, used or not, also if the file
    # has ended by then: nobody can tell. Of a total it is gone for ever.
    carved = sum(_carved(file, term) for file in files if not is_over(_last_period(file, term), now))
    return term.limit - used.get(key, 0) - carved


def _last_period(file: OfflineFile, term: Counted) -> str:
    return term.per.key(file.not_after - timedelta(seconds=1))


def _carved(file: OfflineFile, term: Counted) -> int:
    return sum(
        max(entry.limit, entry.later or 0)
        for entry in file.budget
        if (entry.counter, entry.per) == (term.counter, term.per)
    )


def _nothing_left(document: ChainDocument, term: Counted) -> Denied:
    return Denied(
        code=term.code,
        reason=f"of {term.limit} {term.counter} per {term.per} nothing is left to carve out",
        hint="Wait until offline files have ended and the period is over; more needs a wider license.",
        term=term.tag,
        document=document.id,
    )
