from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from strongroom.license.offline import (
    OfflinePlan,
    WorstCase,
    last_use_after_revocation,
    plan_offline,
    plan_passphrase,
    revocation_worst_case,
)
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.release_documents import OfflineFile
from strongroom.license.request import Budget
from strongroom.license.terms import (
    BreakGlass,
    Expires,
    Explanations,
    Grace,
    Offline,
    Predictions,
    Runtimes,
)
from strongroom.license.verdict import Denied
from tests.unit.license.world import DAY, HOUR, NOW, OFFLINE, chain_of, offline_of

PREDICTIONS = Predictions(limit=100, per=Period.DAY)
TOTAL = Predictions(limit=1000, per=Period.TOTAL)


def budget(limit: int, per: Period = Period.DAY) -> Budget:
    return Budget(counter=CounterName.PREDICTIONS, limit=limit, per=per)


def out(*entries: Budget, end: int = 5, not_after: datetime | None = None) -> OfflineFile:
    return offline_of(
        "lic-" + "a" * 24,
        budget=entries,
        issued_at=NOW - 9 * DAY,
        not_after=not_after or NOW + end * DAY,
    )


def planned(plan: OfflinePlan | Denied) -> OfflinePlan:
    assert isinstance(plan, OfflinePlan), plan
    return plan


def refused(plan: OfflinePlan | Denied) -> str:
    assert isinstance(plan, Denied)
    return plan.code.value


def test_a_file_takes_all_that_is_left_and_lives_as_long_as_it_may() -> None:
    chain = chain_of(OFFLINE, PREDICTIONS, TOTAL, Explanations(limit=7, per=Period.MONTH))
    plan = planned(plan_offline(chain, NOW))
    assert plan.not_after == NOW + 720 * HOUR
    assert plan.budget == (
        Budget(counter=CounterName.EXPLANATIONS, limit=7, per=Period.MONTH),
        budget(100),
        budget(1000, Period.TOTAL),
    )


def test_a_file_ends_with_the_license_or_when_it_should() -> None:
    chain = chain_of(OFFLINE, Expires(at=NOW + DAY))
    assert planned(plan_offline(chain, NOW)).not_after == NOW + DAY
    assert planned(plan_offline(chain, NOW, until=NOW + HOUR)).not_after == NOW + HOUR
    assert planned(plan_offline(chain, NOW, until=NOW + 2 * DAY)).not_after == NOW + DAY
    assert refused(plan_offline(chain, NOW, until=NOW + 31 * DAY)) == "offline-too-long"
    assert refused(plan_offline(chain, NOW + DAY)) == "expired"
    assert refused(plan_offline(chain, NOW, until=NOW)) == "expired"
    short = chain_of(OFFLINE, children=[[Offline(hours=1, files=1)]])
    assert planned(plan_offline(short, NOW)).not_after == NOW + HOUR


def test_no_offline_without_the_term_in_the_license_itself() -> None:
    for chain in (chain_of(), chain_of(children=[[OFFLINE]])):
        assert refused(plan_offline(chain, NOW)) == "offline-not-allowed"
        assert refused(plan_passphrase(chain, NOW)) == "offline-not-allowed"


def test_what_is_out_is_taken_off() -> None:
    chain = chain_of(OFFLINE, PREDICTIONS, TOTAL)
    outstanding = {chain.id: [out(budget(30), budget(400, Period.TOTAL))]}
    used = {
        CounterKey(chain.id, CounterName.PREDICTIONS, "2026-11-24"): 20,
        CounterKey(chain.id, CounterName.PREDICTIONS, "total"): 100,
    }
    plan = planned(plan_offline(chain, NOW, used=used, outstanding=outstanding))
    assert plan.budget == (budget(50), budget(500, Period.TOTAL))


def test_a_file_that_ended_gives_its_days_back_but_not_its_total() -> None:
    chain = chain_of(OFFLINE, PREDICTIONS, TOTAL)
    midnight = NOW.replace(hour=0)
    outstanding = {chain.id: [out(budget(30), budget(400, Period.TOTAL), not_after=midnight)]}
    plan = planned(plan_offline(chain, NOW, outstanding=outstanding))
    assert plan.budget == (budget(100), budget(600, Period.TOTAL))


def test_a_file_that_ended_today_may_have_used_its_day_up() -> None:
    chain = chain_of(OFFLINE, PREDICTIONS)
    second = timedelta(seconds=1)
    for end in (NOW - HOUR, NOW.replace(hour=0) + second):
        outstanding = {chain.id: [out(budget(30), not_after=end)]}
        assert planned(plan_offline(chain, NOW, outstanding=outstanding)).budget == (budget(70),)


def test_files_share_what_is_left() -> None:
    chain = chain_of(OFFLINE, PREDICTIONS)
    assert planned(plan_offline(chain, NOW, shares={chain.id: 3})).budget == (budget(33),)
    assert refused(plan_offline(chain, NOW, shares={chain.id: 101})) == "predictions-used-up"


def test_every_document_of_the_chain_is_carved() -> None:
    chain = chain_of(OFFLINE, PREDICTIONS, children=[[Predictions(limit=60, per=Period.DAY)]])
    parent, child = chain.ids
    assert planned(plan_offline(chain, NOW)).budget == (budget(60),)
    outstanding = {parent: [out(budget(50))]}
    assert planned(plan_offline(chain, NOW, outstanding=outstanding)).budget == (budget(50),)
    outstanding = {parent: [out(budget(100))]}
    denied = plan_offline(chain, NOW, outstanding=outstanding)
    assert isinstance(denied, Denied)
    assert (denied.code, denied.document) == ("predictions-used-up", parent)
    assert child != parent


def test_only_so_many_files_may_be_out() -> None:
    chain = chain_of(Offline(hours=1000, files=2))
    files = [out(), out()]
    assert refused(plan_offline(chain, NOW, outstanding={chain.id: files})) == "offline-files"
    assert planned(plan_offline(chain, NOW, outstanding={chain.id: [*files[:1], out(end=0)]})).budget == ()


def test_a_passphrase_file_counts_nothing() -> None:
    assert planned(plan_passphrase(chain_of(OFFLINE), NOW, until=NOW + HOUR)) == OfflinePlan(NOW + HOUR)
    assert refused(plan_passphrase(chain_of(OFFLINE, PREDICTIONS), NOW)) == "passphrase-counted"
    assert refused(plan_passphrase(chain_of(OFFLINE, Runtimes(limit=2)), NOW)) == "passphrase-counted"
    assert refused(plan_passphrase(chain_of(OFFLINE), NOW, until=NOW + 31 * DAY)) == "offline-too-long"


def test_the_worst_case_of_a_revocation_is_the_sum() -> None:
    lease = timedelta(minutes=15)
    chain = chain_of(Grace(hours=72, predictions=1), BreakGlass(hours=24, uses=2))
    worst = revocation_worst_case(chain, lease=lease)
    assert worst == WorstCase(lease, timedelta(hours=72), timedelta(hours=48))
    assert worst.total == timedelta(hours=120, minutes=15)
    narrow = chain_of(
        Grace(hours=72, predictions=1),
        BreakGlass(hours=24, uses=2),
        children=[[Grace(hours=1, predictions=9), BreakGlass(hours=5, uses=1)]],
    )
    assert revocation_worst_case(narrow, lease=lease).total == timedelta(hours=6, minutes=15)
    assert revocation_worst_case(chain_of(), lease=lease).total == lease


def test_the_last_use_after_a_revocation() -> None:
    chain = chain_of(Grace(hours=2, predictions=1))
    assert last_use_after_revocation(chain, NOW, lease=HOUR) == NOW + 3 * HOUR
    assert last_use_after_revocation(chain, NOW, lease=HOUR, offline=[out()]) == NOW + 5 * DAY
    ending = chain_of(Grace(hours=2, predictions=1), Expires(at=NOW + DAY))
    assert last_use_after_revocation(ending, NOW, lease=HOUR, offline=[out()]) == NOW + DAY


@pytest.mark.parametrize(("limit", "later"), [(30, 5), (5, 30), (0, 30)])
def test_of_two_limits_the_larger_one_is_taken_off(limit: int, later: int) -> None:
    chain = chain_of(OFFLINE, PREDICTIONS)
    entry = Budget(counter=CounterName.PREDICTIONS, limit=limit, per=Period.DAY, later=later)
    assert planned(plan_offline(chain, NOW, outstanding={chain.id: [out(entry)]})).budget == (budget(70),)
