from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from strongroom._encoding import to_instant
from strongroom.broker.decide import BrokerFacts, Hindrance, Offer, Wish, decide, decide_offline, ends_of
from strongroom.broker.records import HoldRow
from strongroom.broker.slices import Amounts
from strongroom.license.chain import LicenseChain
from strongroom.license.codes import Code
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.protection import SEALED, Fact
from strongroom.license.request import Level, Right, Withdrawn
from strongroom.license.terms import (
    BreakGlass,
    Expires,
    Explanations,
    Grace,
    Levels,
    NotBefore,
    Offline,
    PackageChoice,
    Packages,
    Predictions,
    Purpose,
    Rights,
    Runtimes,
    Tokens,
)
from strongroom.license.verdict import Denied
from tests.unit.license.world import BASE, NOW, OFFLINE, OTHER_RUNTIME, OWNER, PACKAGE, RUNTIME, chain_of

QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
PREDICT = [*(term for term in BASE if not isinstance(term, Rights)), Rights(rights=(Right.PREDICT,))]
DAILY = Predictions(limit=100, per=Period.DAY)
TODAY = "2026-11-24"


def wish(**changes: Any) -> Wish:
    members: dict[str, Any] = {
        "runtime": RUNTIME,
        "level": Level.SEALED,
        "facts": SEALED,
        "owner": OWNER.id,
        "name": "risk",
        "version": "1.2.0",
        "package": PACKAGE,
    }
    return Wish(**(members | changes))


def facts(chain: LicenseChain, **changes: Any) -> BrokerFacts:
    known: dict[str, Any] = {
        "lease": QUARTER,
        "accepted": {document.id: document.agreement for document in chain.documents},
    }
    return BrokerFacts(**(known | changes))


def given(chain: LicenseChain, asked: Wish | None = None, now: datetime = NOW, **known: Any) -> Offer:
    answer = decide(chain, asked or wish(), facts(chain, **known), now)
    assert isinstance(answer, Offer), answer
    return answer


def denied(chain: LicenseChain, asked: Wish | None = None, now: datetime = NOW, **known: Any) -> Denied:
    answer = decide(chain, asked or wish(), facts(chain, **known), now)
    assert isinstance(answer, Denied), answer
    return answer


def budget(offer: Offer) -> dict[str, int]:
    return {f"{each.counter.value}/{each.per.value}": each.limit for each in offer.budget}


def hold(chain: LicenseChain, amount: int, **changes: Any) -> HoldRow:
    members: dict[str, Any] = {
        "document": chain.license.id,
        "authority": "lea-" + "b" * 24,
        "counter": CounterName.PREDICTIONS,
        "per": Period.DAY,
        "first_period": TODAY,
        "last_period": TODAY,
        "amount": amount,
    }
    return HoldRow(**(members | changes))


class TestEnds:
    def test_a_lease_lasts_as_long_as_the_owner_says(self) -> None:
        offer = given(chain_of())
        assert offer.not_after == offer.last_use_at == NOW + QUARTER
        assert (offer.budget, offer.slices, offer.seats) == ((), (), ())

    def test_grace_and_break_glass_come_after_it(self) -> None:
        chain = chain_of(Grace(hours=72, predictions=5), BreakGlass(hours=4, uses=2))
        assert ends_of(chain, QUARTER, NOW) == (NOW + QUARTER, NOW + QUARTER + 80 * HOUR)

    def test_nothing_passes_the_end_of_the_license(self) -> None:
        near, far = Expires(at=NOW + timedelta(minutes=5)), Expires(at=NOW + 10 * HOUR)
        grace = Grace(hours=72, predictions=5)
        assert ends_of(chain_of(grace, near), QUARTER, NOW) == (near.at, near.at)
        assert ends_of(chain_of(grace, children=[[far]]), QUARTER, NOW) == (NOW + QUARTER, far.at)


class TestTerms:
    @pytest.mark.parametrize(
        ("term", "code"),
        [
            (Expires(at=NOW), "expired"),
            (NotBefore(at=NOW + HOUR), "not-yet-valid"),
            (Packages(packages=(PackageChoice(name="other"),)), "package-not-licensed"),
            (Levels(at_least=Level.ATTESTED), "level-too-low"),
            (Rights(rights=(Right.SUBLICENSE,)), "right-not-granted"),
        ],
        ids=str,
    )
    def test_terms_hold_as_everywhere(self, term: Any, code: str) -> None:
        verdict = denied(chain_of(children=[[term]]))
        assert verdict.code == code
        assert verdict.term == term.tag
        assert verdict.document == "sub-" + "b" * 24
        assert verdict.hint

    def test_a_lease_needs_an_acceptance_of_every_document(self) -> None:
        assert denied(chain_of(), accepted={}).code == "not-accepted"

    def test_a_withdrawn_version_gets_none(self) -> None:
        gone = Withdrawn(OWNER.id, "risk", "1.2.0", None)
        assert denied(chain_of(), withdrawals=(gone,)).code == "version-withdrawn"
        given(chain_of(), withdrawals=(replace(gone, version="1.1.0"),))

    def test_a_level_above_sealed_is_shown_and_not_said(self) -> None:
        for said in (Level.ATTESTED, Level.HOSTED):
            chain = chain_of(Levels(at_least=Level.ATTESTED))
            assert denied(chain, wish(level=said)).code == "level-too-low"
            given(chain_of(Levels(at_least=Level.SEALED)), wish(level=said))
        assert (
            denied(chain_of(Levels(at_least=Level.SEALED)), wish(level=Level.LOCAL)).code == "level-too-low"
        )

    @pytest.mark.parametrize("fact", list(Fact))
    def test_a_level_counts_for_no_more_than_the_facts_that_are_shown(self, fact: Fact) -> None:
        chain = chain_of(Levels(at_least=Level.SEALED))
        for said in (Level.SEALED, Level.ATTESTED):
            refusal = denied(chain, wish(level=said, facts=SEALED - {fact} | {"of-a-later-version"}))
            assert refusal.code == "level-too-low"
            assert refusal.reason.endswith(f"reached is local; not shown: {fact}")
        given(chain, wish(facts=SEALED | {"of-a-later-version"}))
        given(chain_of(Levels(at_least=Level.LOCAL)), wish(facts=()))

    @pytest.mark.parametrize(
        "right", [Right.PREDICT, Right.EVALUATE, Right.EXPLAIN, Right.EXPORT, Right.MODIFY]
    )
    def test_any_right_is_enough(self, right: Right) -> None:
        base = [term for term in BASE if not isinstance(term, Rights)]
        given(chain_of(base=[*base, Rights(rights=(right,))]))

    def test_a_purpose_is_stated_with_each_use(self) -> None:
        first, second = Purpose(purposes=("audit", "triage")), Purpose(purposes=("research", "triage"))
        given(chain_of(first, children=[[second]]))
        nothing = Purpose(purposes=("research",))
        assert denied(chain_of(first, children=[[nothing]])).code == "purpose-missing"


class TestHindrances:
    def test_who_is_suspended_gets_nothing(self) -> None:
        chain = chain_of(Expires(at=NOW))
        why = Hindrance(Code.SUSPENDED, chain.id, "hospital has suspended it")
        verdict = denied(chain, hindrances=[why])
        assert (verdict.code, verdict.document, verdict.reason) == ("suspended", chain.id, why.reason)
        assert verdict.hint

    def test_the_end_of_a_license_is_told_first(self) -> None:
        chain = chain_of()
        why = Hindrance(Code.SUSPENDED, chain.id, "hospital has suspended it")
        assert denied(chain, hindrances=[why], revoked=frozenset(chain.ids)).code == "revoked"


class TestSlices:
    def test_one_takes_a_part_and_leaves_the_rest(self) -> None:
        offer = given(chain_of(DAILY))
        assert budget(offer) == {"predictions/day": 33}
        (only,) = [hold for each in offer.slices for hold in each.holds("lea-x")]
        assert (only.amount, only.first_period, only.last_period) == (33, TODAY, TODAY)

    def test_with_one_seat_there_are_no_others(self) -> None:
        assert budget(given(chain_of(DAILY, Runtimes(limit=1)))) == {"predictions/day": 100}

    def test_others_are_those_who_hold_something_and_one_more(self) -> None:
        chain = chain_of(DAILY)
        holds = [hold(chain, 10, authority=f"lea-{letter * 24}") for letter in "bcd"]
        assert budget(given(chain, holds=holds)) == {"predictions/day": 70 // 9}

    def test_others_are_at_most_the_other_seats(self) -> None:
        chain = chain_of(DAILY, Runtimes(limit=3), Runtimes(limit=9))
        running = {chain.id: frozenset({OTHER_RUNTIME, RUNTIME})}
        assert budget(given(chain, running=running)) == {"predictions/day": 20}
        more = {chain.id: frozenset({OTHER_RUNTIME, "run-" + "x" * 24})}
        assert budget(given(chain, running=more)) == {"predictions/day": 20}

    def test_what_is_used_and_what_is_held_is_not_given_again(self) -> None:
        chain = chain_of(DAILY, Runtimes(limit=1))
        used = {CounterKey(chain.id, CounterName.PREDICTIONS, TODAY): 60}
        assert budget(given(chain, used=used, holds=[hold(chain, 25)])) == {"predictions/day": 15}

    def test_siblings_share_what_is_above_them(self) -> None:
        chain = chain_of(DAILY, children=[[Runtimes(limit=1)]], base=PREDICT)
        verdict = denied(chain, holds=[hold(chain, 100)])
        assert (verdict.code, verdict.document) == ("predictions-used-up", chain.license.id)

    def test_a_refusal_says_what_is_used_and_what_is_only_handed_out(self) -> None:
        chain = chain_of(DAILY, base=PREDICT)
        used = {CounterKey(chain.license.id, CounterName.PREDICTIONS, TODAY): 60}
        verdict = denied(chain, used=used, holds=[hold(chain, 40)])
        assert verdict.reason == (
            "of 100 predictions per day, 60 are used and 40 are handed out in leases and offline files "
            "(2026-11-24)"
        )
        assert verdict.term == "predictions"
        assert verdict.hint == (
            f"Return a lease that is not needed, wait until {to_instant(NOW.replace(hour=0) + DAY)}, "
            "or ask hospital for a larger budget."
        )
        total = chain_of(Predictions(limit=5, per=Period.TOTAL), base=PREDICT)
        spent = {CounterKey(total.id, CounterName.PREDICTIONS, "total"): 5}
        assert denied(total, used=spent).hint == (
            "Return a lease that is not needed, or ask hospital for a larger budget."
        )

    def test_a_refusal_says_no_numbers_of_a_document_that_somebody_else_holds(self) -> None:
        monthly = Predictions(limit=50, per=Period.MONTH)
        chain = chain_of(DAILY, children=[[monthly]], base=PREDICT)
        day = CounterKey(chain.license.id, CounterName.PREDICTIONS, TODAY)
        verdict = denied(chain, used={day: 60}, holds=[hold(chain, 40)])
        assert (verdict.document, verdict.reason) == (
            chain.license.id,
            "all 100 predictions per day of the license above are used or handed out (2026-11-24)",
        )
        # Where one's own is used up, too, that is what is said, however full the other one is.
        month = CounterKey(chain.id, CounterName.PREDICTIONS, TODAY[:7])
        verdict = denied(chain, used={day: 160, month: 50}, holds=[])
        assert (verdict.document, verdict.reason) == (
            chain.id,
            "of 50 predictions per month, 50 are used and 0 are handed out in leases and offline files "
            "(2026-11)",
        )

    def test_what_is_used_up_of_one_count_does_not_stop_another(self) -> None:
        chain = chain_of(DAILY, Explanations(limit=9, per=Period.MONTH), Runtimes(limit=1))
        used = {CounterKey(chain.id, CounterName.EXPLANATIONS, "2026-11"): 9}
        assert set(budget(given(chain, used=used))) == {"predictions/day"}
        # An explanation counts as a prediction too.
        no_predictions = {CounterKey(chain.id, CounterName.PREDICTIONS, TODAY): 100}
        assert denied(chain, used=no_predictions).code == "predictions-used-up"
        only = chain_of(DAILY, Tokens(limit=1, per=Period.DAY), base=PREDICT)
        no_tokens = {CounterKey(only.id, CounterName.TOKENS, TODAY): 1}
        assert denied(only, used=no_tokens).code == "tokens-used-up"

    def test_the_grace_time_has_a_reserve(self) -> None:
        grace = Grace(hours=1, predictions=7)
        assert budget(given(chain_of(DAILY, grace))) == {"predictions/day": 40}
        # A sub-license makes it smaller, and cannot make one.
        smaller = chain_of(DAILY, grace, children=[[Grace(hours=1, predictions=2)]])
        assert budget(given(smaller)) == {"predictions/day": 35}
        assert budget(given(chain_of(DAILY, children=[[grace]]))) == {"predictions/day": 33}

    def test_a_wish_bounds_and_what_is_carried_is_covered(self) -> None:
        chain = chain_of(DAILY)
        assert budget(given(chain, wish(predictions=4))) == {"predictions/day": 4}
        carried = {(CounterName.PREDICTIONS, Period.DAY): Amounts(80, 0)}
        assert budget(given(chain, carried=carried)) == {"predictions/day": 80}
        assert budget(given(chain, wish(predictions=50), carried=carried)) == {"predictions/day": 50}

    def test_a_lease_over_midnight_holds_something_of_both_days(self) -> None:
        late = NOW.replace(hour=23, minute=50)
        chain = chain_of(DAILY, Runtimes(limit=1))
        (only,) = [hold for each in given(chain, now=late).slices for hold in each.holds("lea-x")]
        assert (only.first_period, only.last_period, only.amount) == (TODAY, "2026-11-25", 100)
        (entry,) = given(chain, now=late).budget
        assert (entry.limit, entry.later) == (100, None)

    def test_a_day_that_is_nearly_used_up_says_nothing_of_the_next_one(self) -> None:
        late = NOW.replace(hour=23, minute=50)
        chain = chain_of(DAILY, Runtimes(limit=1))
        used = {CounterKey(chain.id, CounterName.PREDICTIONS, TODAY): 98}
        (entry,) = given(chain, now=late, used=used).budget
        assert (entry.limit, entry.later) == (2, 100)
        holds = [hold for each in given(chain, now=late, used=used).slices for hold in each.holds("lea-x")]
        assert [(hold.first_period, hold.last_period, hold.amount) for hold in holds] == [
            (TODAY, TODAY, 2),
            ("2026-11-25", "2026-11-25", 100),
        ]

    def test_a_next_day_that_is_handed_out_is_not_given_again(self) -> None:
        late = NOW.replace(hour=23, minute=50)
        chain = chain_of(DAILY, Runtimes(limit=1))
        ahead = {CounterKey(chain.id, CounterName.PREDICTIONS, "2026-11-25"): 100}
        offer = given(chain, now=late, used=ahead)
        (entry,) = offer.budget
        assert (entry.limit, entry.later) == (100, 0)
        (only,) = [hold for each in offer.slices for hold in each.holds("lea-x")]
        assert (only.first_period, only.last_period) == (TODAY, TODAY)

    def test_siblings_do_not_exceed_their_parent_whatever_they_have(self) -> None:
        chain = chain_of(DAILY, children=[[Predictions(limit=5, per=Period.DAY)]])
        assert {each.amount for each in given(chain).slices} == {1}


class TestSeats:
    def test_a_lease_takes_a_seat_of_each_document_that_counts_runtimes(self) -> None:
        chain = chain_of(Runtimes(limit=2), Runtimes(limit=3), children=[[], [Runtimes(limit=1)]])
        assert given(chain).seats == (chain.ids[0], chain.ids[2])

    def test_the_last_seat_is_given_once(self) -> None:
        chain = chain_of(Runtimes(limit=1))
        taken = {chain.id: frozenset({OTHER_RUNTIME})}
        verdict = denied(chain, running=taken)
        assert (verdict.code, verdict.term) == ("too-many-runtimes", "runtimes")
        given(chain, running={chain.id: frozenset({RUNTIME})})


class TestOffline:
    def offer(self, chain: LicenseChain, until: datetime | None = None, **known: Any) -> Offer | Denied:
        return decide_offline(chain, wish(), facts(chain, **known), NOW, until=until)

    def test_a_file_lives_as_long_as_the_license_allows(self) -> None:
        answer = self.offer(chain_of(OFFLINE, DAILY, Runtimes(limit=1)))
        assert isinstance(answer, Offer)
        assert answer.not_after == answer.last_use_at == NOW + 720 * HOUR
        assert budget(answer) == {"predictions/day": 100}
        assert answer.seats
        (only,) = [hold for each in answer.slices for hold in each.holds("off-x")]
        assert (only.first_period, only.last_period) == (TODAY, "2026-12-24")

    def test_it_ends_when_it_should(self) -> None:
        answer = self.offer(chain_of(OFFLINE), NOW + DAY)
        assert isinstance(answer, Offer)
        assert answer.not_after == NOW + DAY

    @pytest.mark.parametrize(
        ("chain", "known", "code"),
        [
            (chain_of(), {}, "offline-not-allowed"),
            (chain_of(Offline(hours=1, files=1)), {}, "offline-too-long"),
            (chain_of(OFFLINE), {"offline": {chain_of().id: 3}}, "offline-files"),
            (chain_of(OFFLINE), {"accepted": {}}, "not-accepted"),
            (chain_of(OFFLINE, Expires(at=NOW)), {}, "expired"),
        ],
    )
    def test_when_there_is_none(self, chain: LicenseChain, known: dict[str, Any], code: str) -> None:
        answer = self.offer(chain, NOW + 2 * HOUR, **known)
        assert isinstance(answer, Denied)
        assert answer.code == code

    def test_every_count_must_have_something_left(self) -> None:
        chain = chain_of(OFFLINE, DAILY, Explanations(limit=1, per=Period.DAY))
        spent = {CounterKey(chain.id, CounterName.EXPLANATIONS, TODAY): 1}
        answer = self.offer(chain, used=spent)
        assert isinstance(answer, Denied)
        assert (answer.code, answer.term) == ("explanations-used-up", "explanations")
        assert "1 are used" in answer.reason
