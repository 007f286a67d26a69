"""How long a model still works while the broker of its owner is silent.

    found = outlook(home, opening, now)
    found.until                       # the end of the lease, and of the grace after it
    found.denied                      # why it does not work any more

What a session finds out use by use, for whoever asks before. Nothing is counted, and no glass is broken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from strongroom.home.home import Home
from strongroom.leasing.answer import verify_kept
from strongroom.license.evaluate import evaluate
from strongroom.license.standing import grace_of
from strongroom.license.terms import Expires
from strongroom.license.verdict import Denied
from strongroom.opening import Opening


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an outage leaves of one license."""

    until: datetime
    """When the last use can be, if the broker stays silent: lease and grace, not past the license; or the
    end of a use in an emergency that was begun."""
    denied: Denied | None
    """Why there is no use now; None: there is."""
    left: int | None = None
    """Predictions that are left until the broker answers; None: nothing counts them, or there is no use."""


def outlook(home: Home, opening: Opening, now: datetime) -> Outlook | None:
    """Return how long a model works without its broker; None: this home has no lease for it.

    Raises:
        FormatError: a file is damaged.
        VerificationError: the lease that was kept does not hold.
        IntegrityError: the state of this runtime was changed by somebody else.
        StorageUnavailable: a file cannot be read.
    """
    record = home.leases.read(opening.place)
    if record.lease is None:
        return None
    lease = verify_kept(record.lease, opening.request.runtime, opening.owner)
    state = home.marks.read(opening.place.owner)
    facts = replace(opening.facts, authority=lease.document.authority, outage_since=now)
    facts = replace(facts, break_glass=state.use_in_force(facts))
    request = replace(opening.request, predictions=1)
    verdict = evaluate(opening.chain, request, state.facts(facts, request.name, now), now)
    ends = [term.at for _, term in opening.chain.terms_of(Expires)]
    until = min([lease.document.not_after + grace_of(opening.chain), *ends])
    if isinstance(verdict, Denied):
        return Outlook(until, verdict)
    if verdict.until is not None:
        until = max(until, verdict.until)
    # Each with the one that was only asked about.
    left = [rest + 1 for key, rest in verdict.remaining.items() if request.amount(key.counter)]
    return Outlook(until, None, min(left, default=None))
