from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from strongroom._encoding import to_instant
from strongroom.errors import LicenseDenied, UsageError
from strongroom.license.codes import Code
from strongroom.license.evaluate import evaluate
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.request import (
    AtOwner,
    AuthorityKind,
    BreakGlassUse,
    Budget,
    Facts,
    Level,
    Right,
    Withdrawn,
)
from strongroom.license.terms import (
    BreakGlass,
    Expires,
    Explanations,
    Grace,
    Offline,
    Predictions,
    Rate,
    Runtimes,
)
from strongroom.license.verdict import Allowed, Denied, Standing, raise_denied
from tests.unit.license.world import (
    DAY,
    HOUR,
    NOW,
    OFFLINE,
    OTHER_RUNTIME,
    OWNER,
    SIGNED,
    chain_of,
    code_of,
    decide,
    facts,
    lease,
    lease_of,
    offline_of,
    passphrase_of,
    request,
)

SECOND = timedelta(seconds=1)
CHAIN = chain_of()
GRACE = Grace(hours=48, predictions=100)
GLASS = BreakGlass(hours=4, uses=2)
END = NOW + HOUR  # of the lease


def allowed(verdict: Allowed | Denied) -> Allowed:
    assert isinstance(verdict, Allowed), verdict
    return verdict


def denied(verdict: Allowed | Denied) -> Denied:
    assert isinstance(verdict, Denied)
    return verdict


def test_a_plain_license_is_allowed() -> None:
    verdict = allowed(decide(CHAIN))
    assert verdict.standing is Standing.NORMAL
    assert verdict.until == END


def test_nothing_is_allowed_without_facts() -> None:
    assert code_of(evaluate(CHAIN, request(), Facts(), NOW)) == "not-accepted"
    accepted = Facts(accepted={CHAIN.id: None})
    assert code_of(evaluate(CHAIN, request(), accepted, NOW)) == "no-authority"


def test_a_package_of_another_owner_is_refused_whatever_its_name() -> None:
    verdict = denied(decide(CHAIN, asked=request(owner="own-" + "x" * 24)))
    assert verdict.code == "wrong-owner"
    assert verdict.hint == "Get the package from hospital."


@pytest.mark.parametrize("children", [[], [[]], [[], []]])
def test_every_document_must_be_accepted(children: list[list[Any]]) -> None:
    chain = chain_of(children=children)
    for missing in chain.documents:
        accepted = {each.id: None for each in chain.documents if each is not missing}
        verdict = denied(decide(chain, accepted=accepted))
        assert verdict.code == "not-accepted"
        assert verdict.reason == f"{missing.holder.name} has not accepted {missing.id}"


@pytest.mark.parametrize("place", [0, 1, 2])
def test_revoking_a_document_ends_what_hangs_from_it(place: int) -> None:
    chain = chain_of(children=[[], []])
    verdict = denied(decide(chain, revoked=frozenset({chain.ids[place]})))
    assert verdict.code == "revoked"
    assert verdict.document == chain.ids[place]
    # Whom to ask is whoever gave it.
    giver = chain.documents[place].issuer
    what = "license, with strongroom request" if place == 0 else "sub-license"
    assert verdict.hint == f"It does not come back: ask {giver} for another {what}."
    assert code_of(decide(chain, revoked=frozenset({"sub-" + "z" * 24}))) == "allowed"


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("contract ended", "contract ended"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 200 + "..."),
        ("a\x1b[2Jb\nc", "a [2Jb c"),
    ],
)
def test_a_refusal_says_why_a_document_was_revoked(reason: str, shown: str) -> None:
    verdict = denied(decide(CHAIN, revoked=frozenset({CHAIN.id}), why_revoked={CHAIN.id: reason}))
    assert verdict.reason == f"{CHAIN.id} is revoked: {shown}"
    assert "strongroom request" in (verdict.hint or "")


@pytest.mark.parametrize("known", [{}, {CHAIN.id: ""}])
def test_nobody_has_to_know_why_a_document_was_revoked(known: dict[str, str]) -> None:
    unknown = denied(decide(CHAIN, revoked=frozenset({CHAIN.id}), why_revoked=known))
    assert unknown.reason == f"{CHAIN.id} is revoked"


def test_revoking_a_lease_ends_it() -> None:
    assert code_of(decide(CHAIN, revoked=frozenset({lease(CHAIN).id}))) == "revoked"
    assert code_of(decide(CHAIN, revoked=frozenset(), authority=AtOwner())) == "allowed"


def test_at_the_owner_nothing_releases_keys_and_all_terms_hold() -> None:
    chain = chain_of(Expires(at=NOW + DAY), Predictions(limit=3, per=Period.DAY))
    verdict = allowed(decide(chain, authority=AtOwner(), asked=request(level=Level.HOSTED)))
    assert verdict.until == NOW + DAY
    assert list(verdict.remaining.values()) == [2]
    assert code_of(decide(chain, NOW + DAY, authority=AtOwner())) == "expired"
    assert code_of(decide(chain, authority=AtOwner(), accepted={})) == "not-accepted"


# --- the clock ------------------------------------------------------------------------------


def test_a_clock_behind_its_mark_is_refused() -> None:
    assert code_of(decide(CHAIN, clock_mark=NOW + timedelta(seconds=120))) == "allowed"
    verdict = denied(decide(CHAIN, clock_mark=NOW + timedelta(seconds=121)))
    assert verdict.code == "clock-set-back"
    assert verdict.reason == (
        "the clock says 2026-11-24T03:00:00Z, but 2026-11-24T03:02:01Z has already passed here"
    )


def test_a_clock_behind_a_signature_is_refused_even_with_a_fresh_state() -> None:
    assert code_of(decide(CHAIN, SIGNED - timedelta(seconds=121))) == "clock-set-back"
    fresh = lease(CHAIN, issued_at=NOW + HOUR, not_after=NOW + 2 * HOUR)
    assert code_of(decide(CHAIN, authority=fresh)) == "clock-set-back"


def test_within_the_tolerance_the_mark_counts_and_not_the_clock() -> None:
    midnight = NOW.replace(hour=0) + DAY
    chain = chain_of(Predictions(limit=1, per=Period.DAY), Expires(at=midnight + SECOND))
    spent = {CounterKey(chain.id, CounterName.PREDICTIONS, "2026-11-25"): 1}
    long_lease = lease(chain, not_after=NOW + 9 * DAY)
    verdict = decide(chain, midnight - SECOND, used=spent, clock_mark=midnight, authority=long_lease)
    assert code_of(verdict) == "predictions-used-up"
    verdict = decide(chain, midnight, clock_mark=midnight + SECOND, authority=long_lease)
    assert code_of(verdict) == "expired"


# --- leases, grace, break-glass --------------------------------------------------------------


def test_a_lease_is_for_one_license_runtime_and_package() -> None:
    for changes in (
        {"license": "lic-" + "z" * 24},
        {"runtime": OTHER_RUNTIME},
        {"package": "cd" * 32},
    ):
        assert code_of(decide(CHAIN, authority=lease(CHAIN, **changes))) == "wrong-authority"
    chain = chain_of(children=[[]])
    assert code_of(decide(chain, authority=lease(chain, license=chain.license.id))) == "wrong-authority"


def test_a_lease_that_ended_must_be_renewed_while_the_broker_answers() -> None:
    chain = chain_of(GRACE, GLASS)
    assert code_of(decide(chain, END - SECOND)) == "allowed"
    verdict = denied(decide(chain, END, break_glass=BreakGlassUse(END, "fire", 1)))
    assert verdict.code == "lease-ended"
    assert verdict.reason == "the lease ended 2026-11-24T04:00:00Z"


def test_grace_goes_on_from_the_end_of_the_lease_in_an_outage() -> None:
    chain = chain_of(GRACE)
    out: dict[str, Any] = {"outage_since": NOW}
    verdict = allowed(decide(chain, END, **out))
    assert verdict.standing is Standing.GRACE
    assert verdict.until == END + 48 * HOUR
    assert allowed(decide(chain, END + 48 * HOUR - SECOND, **out)).standing is Standing.GRACE
    assert code_of(decide(chain, END + 48 * HOUR, **out)) == "grace-ended"


def test_without_the_term_there_is_no_grace_and_a_child_cannot_make_one() -> None:
    assert code_of(decide(CHAIN, END, outage_since=NOW)) == "grace-not-allowed"
    assert code_of(decide(chain_of(children=[[GRACE]]), END, outage_since=NOW)) == "grace-not-allowed"


def test_a_child_shortens_the_grace() -> None:
    chain = chain_of(GRACE, children=[[Grace(hours=2, predictions=100)]])
    verdict = allowed(decide(chain, END, outage_since=NOW))
    assert verdict.until == END + 2 * HOUR
    over = denied(decide(chain, END + 2 * HOUR, outage_since=NOW))
    assert over.code == "grace-ended"
    assert f"its 2 hours of grace ended {to_instant(END + 2 * HOUR)}" in over.reason


def test_grace_reserves_predictions_for_each_lease() -> None:
    chain = chain_of(GRACE)
    key = CounterKey(chain.id, CounterName.GRACE_PREDICTIONS, lease(chain).id)
    asked = request(predictions=10)
    verdict = allowed(decide(chain, END, outage_since=NOW, used={key: 90}, asked=asked))
    assert verdict.remaining[key] == 0
    spent = denied(decide(chain, END, outage_since=NOW, used={key: 91}, asked=asked))
    assert spent.code == "grace-used-up"
    assert f"the grace time lasts until {to_instant(END + 48 * HOUR)}" in spent.reason
    other = CounterKey(chain.id, CounterName.GRACE_PREDICTIONS, "lea-" + "m" * 24)
    assert code_of(decide(chain, END, outage_since=NOW, used={other: 100}, asked=asked)) == "allowed"


def test_grace_never_passes_the_expiry_and_ends_with_a_revocation() -> None:
    chain = chain_of(GRACE, Expires(at=END + HOUR))
    assert allowed(decide(chain, END, outage_since=NOW)).until == END + HOUR
    assert code_of(decide(chain, END + HOUR, outage_since=NOW)) == "expired"
    assert code_of(decide(chain, END, outage_since=NOW, revoked=frozenset({chain.id}))) == "revoked"


def broken(number: int = 1, *, hours_late: int = 0, reason: str = "the ward needs it") -> dict[str, Any]:
    started_at = END + hours_late * HOUR
    return {"outage_since": NOW, "break_glass": BreakGlassUse(started_at, reason, number)}


def test_break_glass_is_bounded_in_hours() -> None:
    chain = chain_of(GLASS)
    verdict = allowed(decide(chain, END, **broken()))
    assert verdict.standing is Standing.BREAK_GLASS
    assert verdict.until == END + 8 * HOUR
    assert code_of(decide(chain, END + 4 * HOUR - SECOND, **broken())) == "allowed"
    verdict_after = denied(decide(chain, END + 4 * HOUR, **broken()))
    assert verdict_after.code == "break-glass-ended"
    assert verdict_after.hint == "Break the glass again."


def test_break_glass_is_bounded_in_uses() -> None:
    chain = chain_of(GLASS)
    assert code_of(decide(chain, END, **broken(2))) == "allowed"
    assert code_of(decide(chain, END, **broken(3))) == "break-glass-used-up"
    assert code_of(decide(chain, END, **broken(0))) == "break-glass-used-up"
    last = denied(decide(chain, END + 4 * HOUR, **broken(2)))
    assert last.hint == "Restore the way to the broker: strongroom doctor."


def test_break_glass_is_bounded_from_the_end_of_the_lease() -> None:
    chain = chain_of(GLASS, Grace(hours=2, predictions=1))
    assert code_of(decide(chain, END + 9 * HOUR, **broken(hours_late=9))) == "allowed"
    assert code_of(decide(chain, END + 10 * HOUR, **broken(hours_late=9))) == "break-glass-ended"
    assert code_of(decide(chain, END + 99 * HOUR, **broken(hours_late=99))) == "break-glass-ended"


def test_break_glass_does_not_begin_in_the_future() -> None:
    assert code_of(decide(chain_of(GLASS), END, **broken(hours_late=1))) == "break-glass-ended"


def test_break_glass_needs_a_reason_and_the_term() -> None:
    assert code_of(decide(chain_of(GLASS), END, **broken(reason=" "))) == "break-glass-reason"
    assert code_of(decide(CHAIN, END, **broken())) == "break-glass-not-allowed"
    assert code_of(decide(chain_of(children=[[GLASS]]), END, **broken())) == "break-glass-not-allowed"


# --- offline and pass-phrase files -----------------------------------------------------------


def test_an_offline_file_works_until_its_end() -> None:
    chain = chain_of(OFFLINE)
    file = offline_of(chain.id).authority
    assert allowed(decide(chain, authority=file)).until == file.not_after
    verdict = denied(decide(chain, file.not_after, authority=file))
    assert verdict.code == "offline-ended"
    assert verdict.reason == "the offline file ended 2026-12-03T03:00:00Z"


def test_that_the_license_ended_is_told_before_that_its_key_file_ended() -> None:
    file = offline_of(CHAIN.id).authority
    ending = chain_of(OFFLINE, Expires(at=file.not_after))
    assert code_of(decide(ending, file.not_after, authority=file)) == "expired"
    longer = chain_of(OFFLINE, Expires(at=file.not_after + DAY))
    assert code_of(decide(longer, file.not_after, authority=file)) == "offline-ended"
    assert code_of(decide(chain_of(OFFLINE), file.not_after, authority=file)) == "offline-ended"


@pytest.mark.parametrize("make", [offline_of, passphrase_of])
def test_use_without_a_broker_needs_the_term_in_the_license_itself(make: Any) -> None:
    for chain in (CHAIN, chain_of(children=[[OFFLINE]])):
        assert code_of(decide(chain, authority=make(chain.id).authority)) == "offline-not-allowed"


@pytest.mark.parametrize("make", [offline_of, passphrase_of])
def test_a_file_lives_no_longer_than_every_document_allows(make: Any) -> None:
    short = Offline(hours=239, files=3)
    exact = Offline(hours=240, files=3)
    for chain, code in [
        (chain_of(exact), "allowed"),
        (chain_of(short), "offline-too-long"),
        (chain_of(exact, children=[[short]]), "offline-too-long"),
    ]:
        assert code_of(decide(chain, authority=make(chain.id).authority)) == code


@pytest.mark.parametrize("level", Level)
def test_attested_and_hosted_do_not_exist_offline(level: Level) -> None:
    chain = chain_of(OFFLINE)
    verdict = decide(chain, authority=offline_of(chain.id).authority, asked=request(level=level))
    assert code_of(verdict) == ("allowed" if level in ("local", "sealed") else "offline-level")


@pytest.mark.parametrize("level", Level)
def test_a_passphrase_file_is_local_only(level: Level) -> None:
    chain = chain_of(OFFLINE)
    verdict = decide(chain, authority=passphrase_of(chain.id).authority, asked=request(level=level))
    assert code_of(verdict) == ("allowed" if level == "local" else "passphrase-level")


def test_a_passphrase_file_serves_every_runtime() -> None:
    chain = chain_of(OFFLINE)
    file = passphrase_of(chain.id).authority
    assert file.kind is AuthorityKind.PASSPHRASE
    assert code_of(decide(chain, authority=file, asked=request(runtime=OTHER_RUNTIME))) == "allowed"


@pytest.mark.parametrize(
    "term",
    [Predictions(limit=9, per=Period.DAY), Rate(limit=9, seconds=9), Runtimes(limit=9)],
    ids=lambda term: str(term.tag),
)
def test_a_passphrase_file_goes_with_no_counted_term(term: Any) -> None:
    for chain in (chain_of(OFFLINE, term), chain_of(OFFLINE, children=[[term]])):
        verdict = denied(decide(chain, authority=passphrase_of(chain.id).authority))
        assert verdict.code == "passphrase-counted"
        assert verdict.term == term.tag


def budget(limit: int, counter: CounterName = CounterName.PREDICTIONS) -> tuple[Budget, ...]:
    return (Budget(counter=counter, limit=limit, per=Period.DAY),)


def test_an_offline_file_counts_its_own_budget() -> None:
    chain = chain_of(OFFLINE, Predictions(limit=100, per=Period.DAY))
    file = offline_of(chain.id, budget=budget(10)).authority
    own = CounterKey(file.id, CounterName.PREDICTIONS, "2026-11-24")
    verdict = allowed(decide(chain, authority=file, used={own: 9}))
    assert verdict.remaining[own] == 0
    refused = denied(decide(chain, authority=file, used={own: 10}))
    assert refused.code == "predictions-used-up"
    assert refused.document == file.id


def test_a_later_period_has_a_limit_of_its_own() -> None:
    chain = chain_of(OFFLINE, Predictions(limit=100, per=Period.DAY))
    entry = Budget(counter=CounterName.PREDICTIONS, limit=2, per=Period.DAY, later=0)
    made = NOW.replace(hour=0)
    file = offline_of(chain.id, budget=(entry,), issued_at=made).authority
    own = CounterKey(file.id, CounterName.PREDICTIONS, "2026-11-24")
    assert allowed(decide(chain, authority=file)).remaining[own] == 1
    gone = offline_of(chain.id, budget=(entry,), issued_at=made - HOUR).authority
    verdict = denied(decide(chain, authority=gone))
    assert (verdict.code, verdict.document) == ("no-budget", chain.id)


def test_what_only_a_budget_counts_ends_as_well() -> None:
    chain = chain_of(OFFLINE)
    entry = Budget(counter=CounterName.PREDICTIONS, limit=2, per=Period.DAY, later=0)
    file = offline_of(chain.id, budget=(entry,), issued_at=NOW - DAY).authority
    verdict = denied(decide(chain, authority=file))
    assert (verdict.code, verdict.document) == ("no-budget", file.id)


def test_what_releases_the_keys_must_carve_out_a_budget_for_every_count() -> None:
    chain = chain_of(OFFLINE, Predictions(limit=100, per=Period.DAY))
    for bare in (
        offline_of(chain.id).authority,
        offline_of(chain.id, budget=budget(1, CounterName.TOKENS)).authority,
        lease_of(chain.id).authority,
    ):
        verdict = denied(decide(chain, authority=bare))
        assert verdict.code == "no-budget"
        assert verdict.term == "predictions"


def test_a_budget_without_one_count_serves_the_rest() -> None:
    chain = chain_of(Predictions(limit=100, per=Period.DAY), Explanations(limit=5, per=Period.MONTH))
    known = lease(chain, budget=budget(10))
    allowed(decide(chain, authority=known))
    explain = request(right=Right.EXPLAIN, predictions=0, explanations=1)
    verdict = denied(decide(chain, asked=explain, authority=known))
    assert (verdict.code, verdict.term) == ("no-budget", "explanations")


# --- narrowing -------------------------------------------------------------------------------


def test_a_use_counts_against_every_document() -> None:
    chain = chain_of(
        Predictions(limit=100, per=Period.DAY), children=[[Predictions(limit=50, per=Period.DAY)]]
    )
    verdict = allowed(decide(chain, asked=request(predictions=20)))
    keys = [CounterKey(each, CounterName.PREDICTIONS, "2026-11-24") for each in chain.ids]
    assert [verdict.remaining[key] for key in keys] == [80, 30]
    siblings = {keys[0]: 90}
    refused = denied(decide(chain, asked=request(predictions=20), used=siblings))
    assert (refused.code, refused.document) == ("predictions-used-up", chain.license.id)
    assert refused.hint == "Wait until 2026-11-25T00:00:00Z, or ask hospital for a larger budget."
    refused = denied(decide(chain, asked=request(predictions=20), used={keys[1]: 40}))
    assert (refused.code, refused.document) == ("predictions-used-up", chain.id)
    assert refused.hint == "Wait until 2026-11-25T00:00:00Z, or ask clinic for a larger budget."


def test_a_child_does_not_outlive_its_parent() -> None:
    chain = chain_of(Expires(at=NOW), children=[[Expires(at=NOW + DAY)]])
    assert code_of(decide(chain)) == "expired"


# --- versions --------------------------------------------------------------------------------


def test_version_marks_and_withdrawals_are_part_of_the_decision() -> None:
    assert code_of(decide(CHAIN, version_mark="1.2.0")) == "allowed"
    assert code_of(decide(CHAIN, version_mark="1.3.0")) == "version-rollback"
    permit = Withdrawn(OWNER.id, "risk", "1.3.0", "1.2.0")
    assert code_of(decide(CHAIN, version_mark="1.3.0", withdrawals=(permit,))) == "allowed"
    withdrawn = Withdrawn(OWNER.id, "risk", "1.2.0", "1.1.0")
    verdict = denied(decide(CHAIN, withdrawals=(withdrawn,)))
    assert verdict.code == "version-withdrawn"
    assert verdict.hint == "Open version 1.1.0 instead."


# --- the values ------------------------------------------------------------------------------


def test_a_request_cannot_ask_for_less_than_nothing() -> None:
    for counter in ("predictions", "tokens", "explanations"):
        with pytest.raises(UsageError):
            request(**{counter: -1})


def test_a_refusal_becomes_an_error_once() -> None:
    verdict = denied(decide(chain_of(Expires(at=NOW))))
    with pytest.raises(LicenseDenied) as caught:
        raise_denied(verdict)
    assert caught.value.code == "expired"
    assert str(caught.value) == "the license ended 2026-11-24T03:00:00Z"
    assert caught.value.hint == "Ask hospital for a renewal."
    assert caught.value.exit_code == 5


def test_the_end_is_the_earliest_of_all() -> None:
    chain = chain_of(Expires(at=NOW + 3 * HOUR), children=[[Expires(at=NOW + 2 * HOUR)]])
    long_lease = lease(chain, not_after=NOW + DAY)
    assert allowed(decide(chain, authority=long_lease)).until == NOW + 2 * HOUR
    assert allowed(decide(CHAIN, authority=AtOwner())).until is None


def test_a_right_of_its_own_is_asked_for_what_is_not_a_prediction() -> None:
    assert code_of(decide(CHAIN, asked=request(right=Right.EXPORT, predictions=0))) == "right-not-granted"
    assert facts(CHAIN).authority is not None
    assert Code("expired") is Code.EXPIRED
