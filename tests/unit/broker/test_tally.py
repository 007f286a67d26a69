from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from strongroom.broker.records import HoldRow
from strongroom.broker.slices import Amounts, Span
from strongroom.broker.tally import (
    NOTHING,
    keys_said,
    tally_of,
    tally_of_unknown,
    totals,
    verify_counts,
    verify_periods,
)
from strongroom.errors import VerificationError
from strongroom.license.documents import BreakGlassReport, Count, Usage
from strongroom.license.fields import MAX_COUNT
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.terms import Predictions, Tokens
from tests.unit.license.world import RUNTIME, chain_of

NOW = datetime.fromisoformat("2026-11-30T23:50:00Z")
LEASE = "lea-" + "a" * 24
CHAIN = chain_of(
    Predictions(limit=100, per=Period.DAY),
    Predictions(limit=90, per=Period.DAY),
    Tokens(limit=100, per=Period.TOTAL),
    children=[[Predictions(limit=1000, per=Period.MONTH), Predictions(limit=50, per=Period.DAY)]],
)
LICENSE, SITE = CHAIN.ids


def count(
    period: str, number: int, counter: CounterName = CounterName.PREDICTIONS, document: str = LEASE
) -> Count:
    return Count(document=document, counter=counter, period=period, count=number)


def usage(*counts: Count, **changes: Any) -> Usage:
    members: dict[str, Any] = {
        "license": CHAIN.id,
        "runtime": RUNTIME,
        "authority": LEASE,
        "previous": None,
        "counts": counts,
        "break_glass": (),
        "issued_at": NOW,
    }
    return Usage(**(members | changes))


def hold(
    document: str,
    amount: int,
    first: str,
    last: str,
    per: Period = Period.DAY,
    counter: CounterName = CounterName.PREDICTIONS,
) -> HoldRow:
    return HoldRow(
        document=document,
        authority=LEASE,
        counter=counter,
        per=per,
        first_period=first,
        last_period=last,
        amount=amount,
    )


def key(document: str, period: str, counter: CounterName = CounterName.PREDICTIONS) -> CounterKey:
    return CounterKey(document, counter, period)


HELD = [
    hold(LICENSE, 10, "2026-11-30", "2026-12-01"),
    hold(SITE, 10, "2026-11-30", "2026-12-01"),
    hold(SITE, 20, "2026-11", "2026-12", Period.MONTH),
    hold(LICENSE, 40, "total", "total", Period.TOTAL, CounterName.TOKENS),
]


def test_a_report_is_charged_to_every_document_that_counts_it() -> None:
    said = usage(count("2026-11-30", 7), count("2026-11", 7), count("total", 40, CounterName.TOKENS))
    tally = tally_of(said, CHAIN, HELD, NOW)
    assert tally.used == {
        key(LICENSE, "2026-11-30"): 7,
        key(SITE, "2026-11-30"): 7,
        key(SITE, "2026-11"): 7,
        key(LICENSE, "total", CounterName.TOKENS): 40,
    }
    assert tally.excess == 0


def test_what_nobody_counts_is_charged_to_nobody() -> None:
    said = usage(count("2026", 7), count("total", 3, CounterName.EXPLANATIONS))
    assert tally_of(said, CHAIN, [], NOW) == NOTHING


def test_more_than_was_held_is_charged_to_the_narrowest_document_and_noted() -> None:
    holds = [hold(LICENSE, 5, "2026-11-29", "2026-11-30"), hold(SITE, 5, "2026-11-29", "2026-11-30")]
    tally = tally_of(usage(count("2026-11-30", 7)), CHAIN, holds, NOW)
    assert tally.excess == 2
    assert tally.used == {key(LICENSE, "2026-11-30"): 5, key(SITE, "2026-11-30"): 7}
    assert tally_of(usage(count("2026-11-30", 5)), CHAIN, holds, NOW).excess == 0
    # Outside of the periods of the lease nothing is held.
    before, after = count("2026-11-28", 4), count("2026-12-01", 3)
    tally = tally_of(usage(before, after), CHAIN, holds, NOW)
    assert tally.excess == 4
    assert tally.used == {
        key(SITE, "2026-11-28"): 4,
        key(SITE, "2026-12-01"): 3,
    }


def test_who_holds_the_license_itself_is_charged_with_all_of_it() -> None:
    chain = chain_of(Predictions(limit=100, per=Period.DAY))
    said = usage(count("2026-11-30", 7), license=chain.id)
    tally = tally_of(said, chain, [hold(chain.id, 5, "2026-11-30", "2026-11-30")], NOW)
    assert (tally.used, tally.excess) == ({key(chain.id, "2026-11-30"): 7}, 2)


def test_a_lease_that_nobody_knows_had_no_more_than_is_left() -> None:
    said = usage(count("2026-11-30", 60), count("2026-11", 60), count("total", 7, CounterName.TOKENS))
    used = {key(SITE, "2026-11-30"): 20, key(LICENSE, "2026-11-30"): 20, key(SITE, "2026-11"): 2000}
    assert keys_said(said, CHAIN, NOW) == {
        *used,
        key(LICENSE, "total", CounterName.TOKENS),
    }
    others = [hold(LICENSE, 5, "2026-11-30", "2026-11-30"), hold(SITE, 5, "2026-11-30", "2026-11-30")]
    tally = tally_of_unknown(said, CHAIN, used, others, NOW)
    assert tally.excess == 60
    assert tally.used == {
        key(LICENSE, "2026-11-30"): 25,
        key(SITE, "2026-11-30"): 60,
        key(SITE, "2026-11"): 60,
        key(LICENSE, "total", CounterName.TOKENS): 7,
    }


def test_a_period_that_is_far_ahead_is_the_next_one() -> None:
    tally = tally_of(usage(count("2026-12-01", 1), count("2030-01-01", 2)), CHAIN, HELD, NOW)
    assert tally.used == {key(LICENSE, "2026-12-01"): 3, key(SITE, "2026-12-01"): 3}


def test_no_sum_is_larger_than_a_message_can_say() -> None:
    said = usage(*(count(f"2030-01-{day}", MAX_COUNT) for day in range(10, 30)))
    tally = tally_of(said, CHAIN, HELD, NOW)
    assert tally.used == {key(LICENSE, "2026-12-01"): 10, key(SITE, "2026-12-01"): MAX_COUNT}
    assert tally.excess == MAX_COUNT - 10
    assert totals(said) == {"predictions": MAX_COUNT}


@pytest.mark.parametrize(
    ("entry", "is_in"),
    [
        (count("2026-11-30T22", 1), True),
        (count("2026-11-30T21", 1), False),
        (count("2026-12-01T01", 1), True),
        (count("2026-12-01T02", 1), False),
        (count("2026-11-29", 1), False),
        (count("2026-12-02", 1), False),
        (count("2026-12", 1), True),
        (count("2027-01", 1), False),
        (count("2026", 1), True),
        (count("2025", 1), False),
        (count("total", 1), True),
        (count(LEASE, 1, CounterName.GRACE_PREDICTIONS, SITE), True),
    ],
    ids=str,
)
def test_a_report_speaks_of_periods_that_its_authority_touches(entry: Count, is_in: bool) -> None:
    span = Span(NOW, NOW + timedelta(minutes=15))
    if is_in:
        verify_periods(usage(entry), span, NOW)
        return
    with pytest.raises(VerificationError) as caught:
        verify_periods(usage(entry), span, NOW)
    assert caught.value.code == "usage-wrong"


def test_what_was_used_until_now_is_in_time() -> None:
    # The lease before lasted longer, and what was used under it late is reported under this one.
    span = Span(NOW, NOW + timedelta(minutes=15))
    verify_periods(usage(count("2026-12-05", 1)), span, NOW + timedelta(days=5))


def test_what_is_left_of_a_hold_may_be_used_until_the_answer_comes() -> None:
    holds = [
        hold(LICENSE, 10, "2026-11-29", "2026-12-03"),
        hold(SITE, 10, "2026-11-29", "2026-12-03"),
        hold(SITE, 30, "2026-11", "2026-11", Period.MONTH),
    ]
    tally = tally_of(usage(count("2026-11-30", 7), count("2026-11", 31)), CHAIN, holds, NOW)
    assert tally.carried(holds, NOW) == {
        (CounterName.PREDICTIONS, Period.DAY): Amounts(3, 10),
        (CounterName.PREDICTIONS, Period.MONTH): Amounts(0, 0),
    }
    over = [hold(LICENSE, 10, "2026-11-28", "2026-11-29")]
    assert NOTHING.carried(over, NOW) == {(CounterName.PREDICTIONS, Period.DAY): Amounts(0, 0)}


@pytest.mark.parametrize(
    "wrong",
    [
        count("2026-11-30", 1, document=LICENSE),
        count("2026-11-30", 1, document="lea-" + "b" * 24),
        count("yesterday", 1),
        count("2026-11-3", 1),
        count("all", 1),
        count("lea-" + "b" * 24, 1, CounterName.GRACE_PREDICTIONS, SITE),
        count(LEASE, 1, CounterName.GRACE_PREDICTIONS, LICENSE),
        count("2026-11-30", 1, CounterName.GRACE_PREDICTIONS),
    ],
    ids=str,
)
def test_a_report_speaks_of_its_own_authority(wrong: Count) -> None:
    with pytest.raises(VerificationError) as caught:
        verify_counts(usage(wrong), CHAIN)
    assert caught.value.code == "usage-wrong"


def test_a_report_says_nothing_twice() -> None:
    once = count("2026-11-30", 1)
    verify_counts(
        usage(once, count("2026-11", 1), count("total", 1), count("2026", 1), count("2026-11-30T23", 1)),
        CHAIN,
    )
    with pytest.raises(VerificationError):
        verify_counts(usage(once, count("2026-11-30", 2)), CHAIN)


def test_grace_is_reported_and_charged_as_predictions_only() -> None:
    said = usage(
        count("2026-11-30", 7),
        count(LEASE, 3, CounterName.GRACE_PREDICTIONS, SITE),
        break_glass=(BreakGlassReport(started_at=NOW, reason="fire"),),
    )
    verify_counts(said, CHAIN)
    expected = {key(LICENSE, "2026-11-30"): 7, key(SITE, "2026-11-30"): 7}
    assert tally_of(said, CHAIN, HELD, NOW).used == expected
    assert totals(said) == {"predictions": 7, "grace_predictions": 3}


def test_the_log_has_each_use_once() -> None:
    said = usage(
        count("2026-11-29", 2),
        count("2026-11-30", 3),
        count("2026-11", 5),
        count("total", 4, CounterName.TOKENS),
    )
    assert totals(said) == {"predictions": 5, "tokens": 4}
