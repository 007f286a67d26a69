"""Answers that arrive at the wrong request: exchanged with somebody else's, or one request late.

Whoever stands on the wire can do this without reading a byte. An answer counts for the request that
it names and for no other; what was asked stays asked, and what was used is reported once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from strongroom.errors import Error, VerificationError
from strongroom.leasing.leaseholder import Leaseholder
from strongroom.license.period import Period
from strongroom.license.terms import Grace, Predictions
from strongroom.log.entry import Kind
from tests.integration.leasing import kinds_in_log, refusal
from tests.lease_world import LeaseWorld

MINUTE = timedelta(minutes=1)
HUNDRED = Predictions(limit=100, per=Period.TOTAL)
GRACE = Grace(hours=24, predictions=20)

Make = Callable[..., LeaseWorld]


def test_answers_that_are_exchanged_are_believed_by_neither(make: Make) -> None:
    world = make(HUNDRED, GRACE)
    licenses = [world.granted.license_id, world.grant_more(HUNDRED, GRACE)]
    first, second = (world.session(license=license) for license in licenses)
    first.predict(3)
    second.predict(4)
    holders = [world.holder(license=license) for license in licenses]
    leases = [holder.kept() for holder in holders]
    world.wire.swap("/leases")

    def take(holder: Leaseholder) -> Error:
        return refusal(lambda: holder.take(world.worker_key))

    with ThreadPoolExecutor(2) as pool:
        refusals = list(pool.map(take, holders))
    assert [(type(each), each.code) for each in refusals] == [(VerificationError, "wrong-nonce")] * 2
    # Each keeps what it had, and both go on with it.
    assert [holder.kept() for holder in holders] == leases
    first.predict(1)
    second.predict(1)
    for session in (first, second):
        session.lease._renew()
        session.predict(1)
        session.end()
    assert world.used_at_broker() == 5
    assert Kind.CLONE_ALARM not in kinds_in_log(world)


def test_an_answer_that_comes_late_answers_only_what_it_was_given_for(make: Make) -> None:
    world = make(HUNDRED, GRACE)
    session = world.session()
    session.predict(3)
    holder = world.holder()
    world.wire.lag("/leases")
    # The program asks the same again, and what comes then is the answer to just that.
    held = holder.take(world.worker_key)
    late = refusal(lambda: holder.take(world.worker_key))
    assert (type(late), late.code) == (VerificationError, "wrong-nonce")
    assert holder.record().pending is not None
    kept = holder.kept()
    assert kept is not None
    assert kept.lease == held.lease
    session.predict(2)
    world.wire.lag("/leases", on=False)
    world.pass_time(5 * MINUTE)
    session.lease._renew()
    session.predict(1)
    session.end()
    assert world.used_at_broker() == 6
    assert Kind.CLONE_ALARM not in kinds_in_log(world)
