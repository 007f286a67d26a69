from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from strongroom.errors import FormatError
from strongroom.keys.key_pair import sealing_public_to_text
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.request import BreakGlassUse, Level, Recent, Right
from strongroom.license.term import Case, Term, UnknownTerm
from strongroom.license.terms import (
    REGISTRY,
    Agreement,
    BreakGlass,
    Derivations,
    Expires,
    Explanations,
    Grace,
    Levels,
    NotBefore,
    Offline,
    Output,
    OutputKind,
    PackageChoice,
    Packages,
    Predictions,
    Purpose,
    Rate,
    Rights,
    Runtimes,
    Tokens,
    decode_term,
    encode_term,
)
from strongroom.license.verdict import Allowed, Denied, OutputPolicy, Standing
from tests.unit.license.world import (
    DAY,
    DEVICE,
    HOUR,
    NOW,
    OFFLINE,
    OTHER_RUNTIME,
    PACKAGE,
    RUNTIME,
    SEALING,
    chain_of,
    code_of,
    decide,
    facts,
    lease,
    request,
)

LICENSE = "lic-" + "a" * 24


def used(counter: CounterName, period: str, count: int) -> dict[CounterKey, int]:
    return {CounterKey(LICENSE, counter, period): count}


def test_not_before_begins_with_its_instant() -> None:
    chain = chain_of(NotBefore(at=NOW))
    assert code_of(decide(chain, NOW - timedelta(seconds=1))) == "not-yet-valid"
    assert code_of(decide(chain, NOW)) == "allowed"


def test_expires_ends_with_its_instant_and_says_so() -> None:
    chain = chain_of(Expires(at=NOW))
    assert code_of(decide(chain, NOW - timedelta(seconds=1))) == "allowed"
    denied = decide(chain, NOW)
    assert isinstance(denied, Denied)
    assert denied.code == "expired"
    assert denied.reason == "the license ended 2026-11-24T03:00:00Z"
    assert denied.hint == "Ask hospital for a renewal."
    assert denied.term == "expires"
    assert denied.document == LICENSE


@pytest.mark.parametrize(
    ("choice", "fits"),
    [
        (PackageChoice(name="risk"), True),
        (PackageChoice(name="other"), False),
        (PackageChoice(digest=PACKAGE), True),
        (PackageChoice(digest="cd" * 32), False),
        (PackageChoice(name="risk", at_least="1.2.0"), True),
        (PackageChoice(name="risk", at_least="1.2.1"), False),
        (PackageChoice(name="risk", below="1.2.0"), False),
        (PackageChoice(name="risk", below="1.10.0"), True),
        (PackageChoice(name="risk", at_least="1.0.0", below="2.0.0"), True),
        (PackageChoice(name="other", at_least="1.0.0", below="2.0.0"), False),
    ],
    ids=str,
)
def test_packages_by_digest_or_by_name_and_version(choice: PackageChoice, fits: bool) -> None:
    verdict = decide(chain_of(Packages(packages=(choice,))))
    assert code_of(verdict) == ("allowed" if fits else "package-not-licensed")


def test_one_of_several_packages_is_enough() -> None:
    packages = Packages(packages=(PackageChoice(name="other"), PackageChoice(name="risk")))
    assert code_of(decide(chain_of(packages))) == "allowed"
    denied = decide(chain_of(packages), asked=request(name="third"))
    assert isinstance(denied, Denied)
    assert "third 1.2.0 is not licensed" in denied.reason


@pytest.mark.parametrize("right", Right)
def test_each_right_stands_alone(right: Right) -> None:
    chain = chain_of(Rights(rights=(right,)), base=())
    for other in Right:
        verdict = decide(chain, asked=request(right=other))
        assert code_of(verdict) == ("allowed" if other is right else "right-not-granted")


@pytest.mark.parametrize("asked", Level)
@pytest.mark.parametrize("reached", Level)
def test_levels_are_ordered(asked: Level, reached: Level) -> None:
    order = [Level.LOCAL, Level.SEALED, Level.ATTESTED, Level.HOSTED]
    verdict = decide(chain_of(Levels(at_least=asked)), asked=request(level=reached))
    strong_enough = order.index(reached) >= order.index(asked)
    assert code_of(verdict) == ("allowed" if strong_enough else "level-too-low")


@pytest.mark.parametrize(
    ("term", "asked", "code"),
    [
        (Predictions(limit=10, per=Period.DAY), request(predictions=3), "predictions-used-up"),
        (Tokens(limit=10, per=Period.DAY), request(tokens=3), "tokens-used-up"),
        (
            Explanations(limit=10, per=Period.DAY),
            request(right=Right.EXPLAIN, explanations=3),
            "explanations-used-up",
        ),
    ],
    ids=["predictions", "tokens", "explanations"],
)
def test_counts_stop_exactly_at_their_limit(term: Any, asked: Any, code: str) -> None:
    chain = chain_of(term)
    assert code_of(decide(chain, asked=asked, used=used(term.counter, "2026-11-24", 7))) == "allowed"
    denied = decide(chain, asked=asked, used=used(term.counter, "2026-11-24", 8))
    assert isinstance(denied, Denied)
    assert denied.code == code
    assert "8 of 10" in denied.reason
    assert denied.hint == "Wait until 2026-11-25T00:00:00Z, or ask hospital for a larger budget."


def test_a_count_starts_again_with_its_period() -> None:
    chain = chain_of(Predictions(limit=1, per=Period.DAY))
    spent = used(CounterName.PREDICTIONS, "2026-11-24", 1)
    long_lease = lease(chain, not_after=NOW + 3 * DAY)
    assert code_of(decide(chain, used=spent)) == "predictions-used-up"
    assert code_of(decide(chain, NOW + DAY, used=spent, authority=long_lease)) == "allowed"


def test_a_total_never_starts_again() -> None:
    chain = chain_of(Predictions(limit=1, per=Period.TOTAL))
    long_lease = lease(chain, not_after=NOW + 900 * DAY)
    spent = used(CounterName.PREDICTIONS, "total", 1)
    denied = decide(chain, NOW + 800 * DAY, used=spent, authority=long_lease)
    assert isinstance(denied, Denied)
    assert denied.hint == "Ask hospital for a larger budget."


def test_explanations_are_budgeted_apart_from_predictions() -> None:
    chain = chain_of(Predictions(limit=1, per=Period.DAY), Explanations(limit=1, per=Period.DAY))
    spent = used(CounterName.PREDICTIONS, "2026-11-24", 1)
    explain = request(right=Right.EXPLAIN, predictions=0, explanations=1)
    assert code_of(decide(chain, asked=explain, used=spent)) == "allowed"
    spent = used(CounterName.EXPLANATIONS, "2026-11-24", 1)
    assert code_of(decide(chain, asked=request(), used=spent)) == "allowed"
    assert code_of(decide(chain, asked=explain, used=spent)) == "explanations-used-up"


def test_looking_without_asking_for_anything_is_not_stopped_by_counts() -> None:
    chain = chain_of(Predictions(limit=1, per=Period.DAY), Rate(limit=1, seconds=60))
    spent = used(CounterName.PREDICTIONS, "2026-11-24", 1)
    assert code_of(decide(chain, asked=request(predictions=0), used=spent)) == "allowed"


def test_rate_looks_at_a_sliding_window() -> None:
    chain = chain_of(Rate(limit=10, seconds=60))

    def verdict(*recent: Recent) -> str:
        return code_of(decide(chain, asked=request(predictions=4), recent={LICENSE: recent}))

    def ago(seconds: int) -> Any:
        return NOW - timedelta(seconds=seconds)

    assert verdict() == "allowed"
    assert verdict(Recent(ago(59), 6)) == "allowed"
    assert verdict(Recent(ago(59), 6), Recent(ago(1), 1)) == "rate-exceeded"
    assert verdict(Recent(ago(60), 6), Recent(ago(1), 1)) == "allowed"


def test_runtimes_are_counted_with_the_asking_one() -> None:
    chain = chain_of(Runtimes(limit=1))
    assert code_of(decide(chain)) == "allowed"
    assert code_of(decide(chain, running={LICENSE: frozenset({RUNTIME})})) == "allowed"
    assert code_of(decide(chain, running={LICENSE: frozenset({OTHER_RUNTIME})})) == "too-many-runtimes"


def policy(*terms: Term, **changes: Any) -> OutputPolicy:
    verdict = decide(chain_of(*terms, **changes))
    assert isinstance(verdict, Allowed)
    return verdict.output


ROUNDED = Output(policy=OutputKind.ROUNDED, decimals=3)
TOP = Output(policy=OutputKind.TOP_K, k=5)


def test_output_policies_narrow_each_other() -> None:
    assert policy() == OutputPolicy()
    assert policy(Output(policy=OutputKind.FULL)) == OutputPolicy()
    assert policy(ROUNDED) == OutputPolicy(decimals=3)
    assert policy(TOP) == OutputPolicy(top_k=5)
    assert policy(Output(policy=OutputKind.LABEL)) == OutputPolicy(label_only=True)
    wider, narrower = (
        Output(policy=OutputKind.ROUNDED, decimals=5),
        Output(policy=OutputKind.ROUNDED, decimals=1),
    )
    assert policy(ROUNDED, children=[[wider]]) == OutputPolicy(decimals=3)
    assert policy(ROUNDED, children=[[narrower]]) == OutputPolicy(decimals=1)
    assert policy(TOP, ROUNDED, children=[[Output(policy=OutputKind.TOP_K, k=2)]]) == OutputPolicy(3, 2)
    assert policy(Output(policy=OutputKind.LABEL), children=[[ROUNDED]]) == OutputPolicy(3, None, True)


def test_only_full_answers_are_explained() -> None:
    explain = request(right=Right.EXPLAIN, explanations=1)
    for term, code in [
        (Output(policy=OutputKind.LABEL), "output-policy"),
        (ROUNDED, "output-policy"),
        (TOP, "output-policy"),
        (Output(policy=OutputKind.FULL), "allowed"),
    ]:
        assert code_of(decide(chain_of(term), asked=explain)) == code


def test_purpose_must_be_stated_and_allowed() -> None:
    chain = chain_of(Purpose(purposes=("research", "triage")))
    assert code_of(decide(chain)) == "purpose-missing"
    assert code_of(decide(chain, asked=request(purpose="triage"))) == "allowed"
    denied = decide(chain, asked=request(purpose="sale"))
    assert isinstance(denied, Denied)
    assert denied.code == "purpose-not-allowed"
    assert denied.reason == "the purpose 'sale' is not allowed; allowed is 'research', 'triage'"


def test_agreement_must_be_the_accepted_one() -> None:
    chain = chain_of(Agreement(digest="cd" * 32))
    assert code_of(decide(chain)) == "allowed"
    assert code_of(decide(chain, accepted={})) == "not-accepted"
    assert code_of(decide(chain, accepted={LICENSE: "ef" * 32})) == "agreement-changed"
    assert code_of(decide(chain, accepted={LICENSE: None})) == "agreement-changed"


def test_allowances_are_silent_under_a_lease_in_force() -> None:
    terms = [Grace(hours=1, predictions=1), BreakGlass(hours=1, uses=1), OFFLINE]
    use = BreakGlassUse(NOW - 9 * DAY, "", 7)
    assert code_of(decide(chain_of(*terms), break_glass=use, outage_since=NOW - DAY)) == "allowed"


def test_a_term_that_forgot_its_check_refuses() -> None:
    class Forgetful(Term):
        __slots__ = ()

        @property
        def tag(self) -> str:
            return "forgetful"

    chain = chain_of()
    case = Case(
        request=request(),
        facts=facts(chain),
        now=NOW,
        document=LICENSE,
        issuer="hospital",
        standing=Standing.NORMAL,
        authority=None,
        grace=timedelta(0),
    )
    denied = Forgetful().check(case)
    assert denied is not None
    assert denied.code == "unknown-term"


def test_an_unknown_term_refuses_everything_and_is_kept() -> None:
    value: dict[str, Any] = {"term": "moon-phase", "phase": ["full"], "n": 3}
    term = decode_term(value)
    assert isinstance(term, UnknownTerm)
    assert encode_term(term) == value
    assert term == UnknownTerm(value)
    assert hash(term) == hash(UnknownTerm(value))
    assert term != UnknownTerm({"term": "moon-phase"})
    assert "moon-phase" in repr(term)
    denied = decide(chain_of(term))
    assert isinstance(denied, Denied)
    assert denied.code == "unknown-term"
    assert denied.term == "moon-phase"
    assert denied.hint == "Upgrade Strongroom."
    assert code_of(decide(chain_of(children=[[term]]))) == "unknown-term"


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "expires",
        {},
        {"term": 1},
        {"term": ""},
        {"term": "Expires", "at": "2026-11-24T03:00:00Z"},
        {"term": "a" * 33},
        {"term": "a b"},
        {"term": "expires"},
        {"term": "expires", "at": 3},
        {"term": "expires", "at": "2026-11-24T03:00:00"},
        {"term": "expires", "at": "1999-12-31T23:59:59Z"},
        {"term": "expires", "at": "3000-01-01T00:00:00Z"},
        {"term": "expires", "at": "0001-01-01T00:00:00+14:00"},
        {"term": "expires", "at": "2026-11-24T03:00:00Z", "more": 1},
        {"term": "packages", "packages": []},
        {"term": "packages", "packages": [{}]},
        {"term": "packages", "packages": [{"name": "risk"}, {"name": "risk"}]},
        {"term": "packages", "packages": [{"name": "z"}, {"name": "a"}]},
        {"term": "packages", "packages": [{"name": "risk", "digest": "ab" * 32}]},
        {"term": "packages", "packages": [{"digest": "AB" * 32}]},
        {"term": "packages", "packages": [{"digest": "ab" * 32, "below": "1.0.0"}]},
        {"term": "packages", "packages": [{"digest": "ab" * 32, "at_least": "1.0.0"}]},
        {"term": "packages", "packages": [{"name": "../x"}]},
        {"term": "packages", "packages": [{"name": "risk", "below": "1"}]},
        {"term": "packages", "packages": [{"name": "risk", "at_least": "2.0.0", "below": "2.0.0"}]},
        {"term": "rights", "rights": []},
        {"term": "rights", "rights": ["predict", "evaluate"]},
        {"term": "rights", "rights": ["predict", "predict"]},
        {"term": "rights", "rights": ["fly"]},
        {"term": "levels", "at_least": "export"},
        {"term": "predictions", "limit": 0, "per": "day"},
        {"term": "predictions", "limit": -1, "per": "day"},
        {"term": "predictions", "limit": 2**53, "per": "day"},
        {"term": "predictions", "limit": 1, "per": "week"},
        {"term": "predictions", "limit": True, "per": "day"},
        {"term": "predictions", "limit": "1", "per": "day"},
        {"term": "rate", "limit": 0, "seconds": 1},
        {"term": "rate", "limit": 1, "seconds": 0},
        {"term": "rate", "limit": 1, "seconds": 3601},
        {"term": "runtimes", "limit": 0},
        {"term": "output", "policy": "rounded"},
        {"term": "output", "policy": "rounded", "decimals": -1},
        {"term": "output", "policy": "rounded", "decimals": 16},
        {"term": "output", "policy": "rounded", "decimals": 1, "k": 1},
        {"term": "output", "policy": "top-k"},
        {"term": "output", "policy": "top-k", "k": 0},
        {"term": "output", "policy": "full", "decimals": 1},
        {"term": "output", "policy": "none"},
        {"term": "purpose", "purposes": []},
        {"term": "purpose", "purposes": [""]},
        {"term": "purpose", "purposes": [" a"]},
        {"term": "purpose", "purposes": ["a\nb"]},
        {"term": "purpose", "purposes": ["a\u202eb"]},
        {"term": "purpose", "purposes": ["e\u0301"]},
        {"term": "purpose", "purposes": ["a" * 101]},
        {"term": "grace", "hours": 0, "predictions": 1},
        {"term": "grace", "hours": 1, "predictions": 0},
        {"term": "grace", "hours": 87601, "predictions": 1},
        {"term": "break-glass", "hours": 0, "uses": 1},
        {"term": "break-glass", "hours": 1, "uses": 0},
        {"term": "break-glass", "hours": 87600, "uses": 2},
        {"term": "offline", "hours": 1, "files": 0},
        {"term": "offline", "hours": 0, "files": 1},
        {"term": "agreement", "digest": "ab" * 31},
        {"term": "derivations"},
        {"term": "derivations", "to": ""},
        {"term": "derivations", "to": DEVICE.public_text},
    ],
    ids=str,
)
def test_what_no_term_may_be(value: object) -> None:
    with pytest.raises(FormatError):
        decode_term(value)


def test_where_derived_models_go_refuses_nothing() -> None:
    where = Derivations(to=sealing_public_to_text(SEALING.public))
    assert where.public.to_bytes() == SEALING.public.to_bytes()
    assert code_of(decide(chain_of(where))) == "allowed"


def test_the_registry_has_every_class_once() -> None:
    assert len(set(REGISTRY.values())) == len(REGISTRY) == 17


def test_an_instant_is_cut_to_seconds_when_a_term_is_made() -> None:
    assert Expires(at=NOW + timedelta(microseconds=7)) == Expires(at=NOW)


def test_an_instant_without_a_zone_is_no_instant() -> None:
    with pytest.raises(FormatError):
        Expires(at=NOW.replace(tzinfo=None))


@pytest.mark.parametrize(
    "term",
    [Grace(hours=2, predictions=10), BreakGlass(hours=2, uses=3), Offline(hours=2, files=1)],
    ids=lambda term: term.tag,
)
def test_allowance_terms_do_not_count_by_themselves(term: Term) -> None:
    assert code_of(decide(chain_of(term), NOW + HOUR / 2)) == "allowed"
