from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.cli._terms import NO_TERMS, TermOptions, answers_of, rate_of
from strongroom.errors import Error, FormatError, UsageError
from strongroom.license.period import Period
from strongroom.license.request import Level, Right
from strongroom.license.terms import (
    BreakGlass,
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
    Term,
    Tokens,
)

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)


def terms(options: TermOptions, model: str = "risk") -> list[Term]:
    return options.terms(model, runtimes=2, now=NOW)


def test_nothing_typed_is_no_term() -> None:
    assert terms(NO_TERMS) == []


@pytest.mark.parametrize(
    ("options", "term"),
    [
        (
            TermOptions(expires="2027-06-30", zone="UTC"),
            Expires(at=datetime(2027, 7, 1, tzinfo=UTC)),
        ),
        (TermOptions(starts="2027-06-30", zone="UTC"), NotBefore(at=datetime(2027, 6, 30, tzinfo=UTC))),
        (TermOptions(right=("predict", "export")), Rights(rights=(Right.EXPORT, Right.PREDICT))),
        (TermOptions(right=("predict", "predict")), Rights(rights=(Right.PREDICT,))),
        (TermOptions(level="sealed"), Levels(at_least=Level.SEALED)),
        (TermOptions(predictions="1,000/month"), Predictions(limit=1000, per=Period.MONTH)),
        (TermOptions(predictions="1M/month"), Predictions(limit=1_000_000, per=Period.MONTH)),
        (TermOptions(predictions="20k/day"), Predictions(limit=20_000, per=Period.DAY)),
        (TermOptions(grace="72h:5k"), Grace(hours=72, predictions=5000)),
        (TermOptions(grace="3d"), Grace(hours=72, predictions=1_000_000)),
        (TermOptions(break_glass="12h"), BreakGlass(hours=12, uses=1)),
        (TermOptions(break_glass="12h:3"), BreakGlass(hours=12, uses=3)),
        (TermOptions(explanations="50/day"), Explanations(limit=50, per=Period.DAY)),
        (TermOptions(tokens="9/total"), Tokens(limit=9, per=Period.TOTAL)),
        (TermOptions(rate="10/s"), Rate(limit=10, seconds=1)),
        (TermOptions(runtimes=3), Runtimes(limit=3)),
        (TermOptions(answers="label"), Output(policy=OutputKind.LABEL)),
        (TermOptions(purpose=("triage", "audit")), Purpose(purposes=("audit", "triage"))),
        (TermOptions(offline="90d"), Offline(hours=2160, files=2)),
        (TermOptions(offline_files=5), Offline(hours=8760, files=5)),
    ],
)
def test_each_option_is_one_term(options: TermOptions, term: Term) -> None:
    assert terms(options) == [term]


def test_versions_are_of_the_model_that_is_granted() -> None:
    choice = PackageChoice(name="risk", at_least="1.2.0", below="2.0.0")
    assert terms(TermOptions(versions=">=1.2.0,<2.0.0"), "risk@1.3.0") == [Packages(packages=(choice,))]


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/s", Rate(limit=10, seconds=1)),
        ("100/60s", Rate(limit=100, seconds=60)),
        ("500/min", Rate(limit=500, seconds=60)),
        ("7/2minute", Rate(limit=7, seconds=120)),
    ],
)
def test_rates_are_read(text: str, rate: Rate) -> None:
    assert rate_of(text) == rate


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("full", Output(policy=OutputKind.FULL)),
        ("rounded:2", Output(policy=OutputKind.ROUNDED, decimals=2)),
        ("top-k:3", Output(policy=OutputKind.TOP_K, k=3)),
    ],
)
def test_answers_are_read(text: str, output: Output) -> None:
    assert answers_of(text) == output


@pytest.mark.parametrize(
    "options",
    [
        TermOptions(predictions="1000"),
        TermOptions(predictions="0/day"),
        TermOptions(predictions="-5/day"),
        TermOptions(predictions="10/week"),
        TermOptions(rate="fast"),
        TermOptions(answers="rounded"),
        TermOptions(answers="top-k:x"),
        TermOptions(expires="soon"),
        TermOptions(offline="long"),
        TermOptions(zone="Mars/Olympus", expires="2027-06-30"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_hint(options: TermOptions) -> None:
    with pytest.raises(UsageError) as caught:
        terms(options)
    assert caught.value.hint


def test_a_number_that_no_license_may_have_is_refused() -> None:
    with pytest.raises(FormatError):
        rate_of("10/999999s")


@given(st.text(max_size=20))
def test_any_text_gives_a_term_or_an_error_of_ours(text: str) -> None:
    for options in (TermOptions(predictions=text), TermOptions(rate=text), TermOptions(answers=text)):
        try:
            assert len(terms(options)) == 1
        except Error:
            continue


@pytest.mark.parametrize(
    ("options", "predictions"),
    [
        # Twice three of thirty days, for one installation and for each of three.
        (TermOptions(grace="72h", predictions="1M/month"), 200_000),
        (TermOptions(grace="72h", predictions="1M/month", runtimes=3), 66_666),
        (TermOptions(grace="72h", predictions="10/day"), 10),
        (TermOptions(grace="1h", predictions="1/year"), 1),
        (TermOptions(grace="24h", predictions="365/total"), 2),
        (TermOptions(grace="24h", predictions="100/total", expires="10d"), 20),
    ],
)
def test_the_grace_has_the_share_of_the_budget_that_falls_on_it(
    options: TermOptions, predictions: int
) -> None:
    (grace,) = [term for term in terms(options) if isinstance(term, Grace)]
    assert grace.predictions == predictions


@pytest.mark.parametrize("text", ["72", "72h:", "72h:0", "h", "72h:5x", "soon", "1m", "1min", "60s", "0h"])
def test_an_unreadable_exception_is_refused(text: str) -> None:
    for options in (TermOptions(grace=text), TermOptions(break_glass=text)):
        with pytest.raises(UsageError) as refused:
            terms(options)
        assert refused.value.code == "bad-term"
