from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from strongroom.license.describe import describe_license, describe_term, describe_terms
from strongroom.license.period import Period
from strongroom.license.request import Right
from strongroom.license.terms import (
    REGISTRY,
    Expires,
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
    decode_term,
)
from tests.unit.license.samples import END, TERMS
from tests.unit.license.world import PACKAGE, chain_of

SENTENCES = {
    "not-before": ("Begins", "On 23 November 2026 at 03:00 UTC."),
    "expires": ("Ends", "On 30 June 2027 at 22:00 UTC. That instant is no longer covered."),
    "packages": (
        "Packages",
        "Model risk, from version 1.2.0, below version 2.0.0; or the package with digest " + PACKAGE + ".",
    ),
    "rights": (
        "Rights",
        "The holder may evaluate (measure quality on own data), "
        "explain (see what contributed to an answer), export (receive the model in plain form), "
        "modify (make a derived model, which returns to the owner), "
        "predict (compute answers) and sublicense (pass on to own sites, with further limits), nothing else.",
    ),
    "levels": ("Protection", "Level sealed or stronger: under a service account of its own."),
    "predictions": ("Predictions", "At most 1,000 on each day (UTC)."),
    "tokens": ("Tokens", "At most 1,000,000 in each month (UTC)."),
    "explanations": ("Explanations", "At most 100 in each calendar year (UTC)."),
    "rate": ("Rate", "At most 50 predictions in any second."),
    "runtimes": ("Runtimes", "At most 3 runtimes at the same time."),
    "output": ("Answers", "Numbers are rounded to 2 decimals."),
    "purpose": ("Purpose", "Only for 'research' or 'triage'."),
    "grace": (
        "Grace",
        "If the broker cannot be reached, use goes on for 72 hours after the end of a lease, "
        "for at most 5,000 predictions.",
    ),
    "break-glass": (
        "Break-glass",
        "In an emergency after that, 2 times for 24 hours each, with a reason that the owner reads.",
    ),
    "offline": ("Offline", "At most 3 runtimes without a broker, each for at most 720 hours at a time."),
    "agreement": ("Agreement", "The text with SHA-256 " + "cd" * 32 + " is part of the license."),
    "derivations": (
        "Derived models",
        "They return to the owner, under its key with SHA-256 74943b4ecd441ec7.",
    ),
}


@pytest.mark.parametrize("tag", REGISTRY)
def test_every_term_has_a_sentence(tag: str) -> None:
    assert describe_term(TERMS[tag]) == SENTENCES[tag]


@pytest.mark.parametrize(
    ("term", "sentence"),
    [
        (Rate(limit=1, seconds=60), "At most 1 prediction in any 60 seconds."),
        (Runtimes(limit=1), "At most 1 runtime at the same time."),
        (Output(policy=OutputKind.FULL), "Full answers, with all numbers."),
        (Output(policy=OutputKind.ROUNDED, decimals=0), "Numbers are rounded to 0 decimals."),
        (Output(policy=OutputKind.TOP_K, k=1), "Only the 1 best class of each answer."),
        (Output(policy=OutputKind.TOP_K, k=5), "Only the 5 best classes of each answer."),
        (
            Output(policy=OutputKind.LABEL),
            "Only the label of each answer, no numbers and no explanations.",
        ),
        (Purpose(purposes=("triage",)), "Only for 'triage'."),
        (Rights(rights=(Right.PREDICT,)), "The holder may predict (compute answers), nothing else."),
        (Packages(packages=(PackageChoice(name="risk"),)), "Model risk, every version."),
        (Packages(packages=(PackageChoice.from_text("risk@1.2.0"),)), "Model risk, version 1.2.0."),
        (Packages(packages=(PackageChoice(name="risk", below="2.0.0"),)), "Model risk, below version 2.0.0."),
        (
            Packages(packages=(PackageChoice(name="risk", at_least="2.0.0"),)),
            "Model risk, from version 2.0.0.",
        ),
    ],
    ids=str,
)
def test_other_forms(term: Term, sentence: str) -> None:
    assert describe_term(term)[1] == sentence


@pytest.mark.parametrize(
    ("period", "words"),
    [(Period.HOUR, "in each hour"), (Period.TOTAL, "in total")],
)
def test_other_periods(period: Period, words: str) -> None:
    assert describe_term(Predictions(limit=1, per=period))[1] == f"At most 1 {words}."


def test_an_instant_is_shown_where_the_reader_is_and_as_it_was_signed() -> None:
    sentence = describe_term(Expires(at=END), ZoneInfo("Europe/Berlin"))[1]
    assert sentence.startswith("On 1 July 2027 at 00:00 CEST (2027-06-30T22:00:00Z).")
    assert "at 22:00:01 UTC" in describe_term(Expires(at=END.replace(second=1)))[1]


def test_an_unknown_term_is_shown_and_said_to_refuse() -> None:
    label, sentence = describe_term(decode_term({"term": "moon", "phase": "full"}))
    assert label == "Unknown term"
    assert sentence == ('This version does not know it and refuses every use: {"phase":"full","term":"moon"}')


def test_what_silence_means_is_said_for_the_license_only() -> None:
    lines = describe_terms([])
    assert lines == [
        ("Ends", "The license names no end."),
        ("Answers", "Full answers, with all numbers."),
        ("Offline", "No use without the owner's broker."),
        ("Agreement", "The license names no agreement text."),
    ]
    assert describe_terms([], is_license=False) == []
    spoken = [Expires(at=END), Output(policy=OutputKind.LABEL), Offline(hours=1, files=1), TERMS["agreement"]]
    assert [label for label, _ in describe_terms(spoken)] == ["Ends", "Answers", "Offline", "Agreement"]


def test_a_chain_is_described_document_by_document() -> None:
    chain = chain_of(Expires(at=END), children=[[Predictions(limit=10, per=Period.DAY)]])
    lines = describe_license(chain)
    assert lines[0] == (
        "License",
        f"From hospital to clinic, signed 23 November 2026 at 03:00 UTC; id {chain.ids[0]}.",
    )
    assert [label for label, _ in lines] == [
        "License",
        "Packages",
        "Rights",
        "Protection",
        "Ends",
        "Answers",
        "Offline",
        "Agreement",
        "Sub-license",
        "Predictions",
    ]
    assert lines[8][1].startswith("From clinic to ward, signed")
