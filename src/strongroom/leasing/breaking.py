"""Break-glass: use goes on after the grace, because somebody at the partner says that it must.

    use = break_glass(home, opening, client, reason="ward 3 has no other model tonight", clock=clock)
    use.number                                  # the first, second, ... under this license

Only in an outage, only when the grace is over, and only as often and as long as the license says.
It is noted in the signed state of the home and goes to the owner with the next report; the log of
the owner then has it for ever.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from strongroom.connection.broker_client import BrokerClient
from strongroom.errors import Error, LicenseDenied, UsageError
from strongroom.home.boot_clock import OnlineClock
from strongroom.home.home import Home
from strongroom.home.state import Broken
from strongroom.keys.key_pair import SealingKey
from strongroom.leasing.answer import verify_kept
from strongroom.leasing.leaseholder import Leaseholder
from strongroom.leasing.silence import is_busy, is_silence
from strongroom.license.codes import Code
from strongroom.license.document import MAX_REASON_CHARS
from strongroom.license.evaluate import evaluate
from strongroom.license.fields import verify_text
from strongroom.license.request import BreakGlassUse, Facts
from strongroom.license.verdict import Allowed, Denied, raise_denied
from strongroom.opening import Opening

_TIME_FOR_IT: Final = frozenset(
    {Code.GRACE_NOT_ALLOWED, Code.GRACE_ENDED, Code.GRACE_USED_UP, Code.BREAK_GLASS_ENDED}
)


def break_glass(
    home: Home, opening: Opening, client: BrokerClient, *, reason: str, clock: OnlineClock
) -> BreakGlassUse:
    """Note one use of break-glass; sessions that are open go on at their next request.

    Args:
        home: The partner's home.
        opening: The model, as ``open_model`` found it.
        client: The line to the broker, which is asked for a lease first.
        reason: Why; the owner reads it.
        clock: The time.

    Raises:
        UsageError: the broker answers (code ``broker-answers``), there is nothing to break, because
            the license allows the use as it is (code ``break-glass-not-needed``), or there was no
            lease before (code ``no-lease``).
        LicenseDenied: the license does not allow it, or not any more, or the broker had said no
            before it fell silent.
        BrokerRefused: the broker says no now.
        ObjectNotFound: the broker does not know the license or the package.
        FormatError: the reason is no line of text of up to 500 characters, or a file is damaged.
        VerificationError: what answers is not believed, or the lease that was kept does not hold.
        IntegrityError: the state of this runtime was changed by somebody else.
        NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
        StorageUnavailable: a file cannot be read or written.
    """
    verify_text(reason, "a reason", most=MAX_REASON_CHARS)
    _verify_silent(Leaseholder(home, opening, client, clock))
    with home.leases.locked(opening.place):
        record = home.leases.read(opening.place)
        if record.lease is None:
            raise UsageError(
                "this home has no lease that could be gone beyond",
                code="no-lease",
                hint="reach the broker once: strongroom open MODEL",
            )
        if record.refusal is not None and record.refusal.is_final:
            raise LicenseDenied(record.refusal.message, code=record.refusal.code, hint=record.refusal.hint)
        lease = verify_kept(record.lease, opening.request.runtime, opening.owner)
        state = home.marks.read(opening.place.owner)
        now = clock.now(state.anchor, state.clock)
        facts = replace(opening.facts, authority=lease.document.authority, outage_since=now)
        use = _use(home, opening, facts, reason, now)
        home.marks.break_glass(
            opening.place.owner,
            Broken(
                license=opening.place.license,
                lease=lease.id,
                started_at=use.started_at,
                reason=reason,
            ),
        )
        # Written anew, so that open sessions look at it.
        home.leases.write(opening.place, record)
    return use


def _verify_silent(holder: Leaseholder) -> None:
    """Try what an open session tries: a broker that answers everything but that is silent all the same."""
    try:
        # Nobody opens anything with this one: sessions that are open have the key already.
        holder.take(SealingKey.generate().public_text)
    except Error as error:
        if is_silence(error) or is_busy(error):
            return
        raise
    raise UsageError(
        "the broker answers: there is no outage to break the glass for",
        code="broker-answers",
        hint="open the model again",
    )


def _use(home: Home, opening: Opening, facts: Facts, reason: str, now: datetime) -> BreakGlassUse:
    state = home.marks.read(opening.place.owner)
    request = replace(opening.request, predictions=1)
    verdict = evaluate(opening.chain, request, state.facts(facts, request.name, now), now)
    if isinstance(verdict, Allowed):
        raise UsageError(
            f"the license allows the use as it is ({verdict.standing})",
            code="break-glass-not-needed",
            hint="open the model",
        )
    if verdict.code not in _TIME_FOR_IT:
        raise_denied(verdict)
    number = len(state.breaks_of(opening.place.license)) + 1
    use = BreakGlassUse(now.replace(microsecond=0), reason, number)
    broken = replace(state.facts(facts, request.name, now), break_glass=use)
    verdict = evaluate(opening.chain, request, broken, now)
    if isinstance(verdict, Denied):
        raise_denied(verdict)
    return use
