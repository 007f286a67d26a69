"""A license in plain sentences: what a lawyer reads before anybody accepts it.

    for label, sentence in describe_license(chain, zone):
        print(f"{label}: {sentence}")

    Packages: Model risk, from version 1.2.0, below version 2.0.0.
    Ends: On 1 July 2027 at 00:00 CEST (2027-06-30T22:00:00Z). That instant is no longer covered.

Every term gives one line, a term of a later version too; and where the silence of a
license decides something, a line says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final, assert_never

from strongroom._encoding import canonical_json, to_instant
from strongroom.crypto.digest import sha256
from strongroom.license.chain import ChainDocument, LicenseChain
from strongroom.license.package_choice import PackageChoice
from strongroom.license.period import Period
from strongroom.license.request import Level, Right
from strongroom.license.term import UnknownTerm
from strongroom.license.terms import (
    Agreement,
    BreakGlass,
    Counted,
    Derivations,
    Expires,
    Grace,
    Levels,
    NotBefore,
    Offline,
    Output,
    OutputKind,
    Packages,
    Purpose,
    Rate,
    Rights,
    Runtimes,
    Term,
)

Line = tuple[str, str]
"""A label of one or two words, and a sentence."""

_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_RIGHTS: Final = {
    Right.PREDICT: "predict (compute answers)",
    Right.EVALUATE: "evaluate (measure quality on own data)",
    Right.EXPLAIN: "explain (see what contributed to an answer)",
    Right.EXPORT: "export (receive the model in plain form)",
    Right.MODIFY: "modify (make a derived model, which returns to the owner)",
    Right.SUBLICENSE: "sublicense (pass on to own sites, with further limits)",
}
_LEVELS: Final = {
    Level.LOCAL: "under a user's own account",
    Level.SEALED: "under a service account of its own",
    Level.ATTESTED: "in hardware whose evidence the owner checked",
    Level.HOSTED: "at the owner only",
}
_PERIODS: Final = {
    Period.HOUR: "in each hour",
    Period.DAY: "on each day (UTC)",
    Period.MONTH: "in each month (UTC)",
    Period.YEAR: "in each calendar year (UTC)",
    Period.TOTAL: "in total",
}


def describe_level(level: Level) -> str:
    """Return where a model runs that is protected so."""
    return _LEVELS[level]


def describe_license(chain: LicenseChain, zone: tzinfo = UTC) -> list[Line]:
    """Describe every document of a chain, widest first, with instants also in a zone."""
    lines: list[Line] = []
    for document in chain.documents:
        lines.append(_heading(document, zone))
        lines += describe_terms(document.terms, zone, is_license=document is chain.license)
    return lines


def _heading(document: ChainDocument, zone: tzinfo) -> Line:
    label = "License" if document.id.startswith("lic-") else "Sub-license"
    signed = _when(document.issued_at, zone)
    return label, f"From {document.issuer} to {document.holder.name}, signed {signed}; id {document.id}."


def describe_terms(terms: Sequence[Term], zone: tzinfo = UTC, *, is_license: bool = True) -> list[Line]:
    """Describe terms, signed or about to be signed; for a license also what its silence means."""
    lines = [describe_term(term, zone) for term in terms]
    if is_license:
        lines += [
            line for kind, line in _SILENCE.items() if not any(isinstance(term, kind) for term in terms)
        ]
    return lines


_SILENCE: Final[dict[type[Term], Line]] = {
    Expires: ("Ends", "The license names no end."),
    Output: ("Answers", "Full answers, with all numbers."),
    Offline: ("Offline", "No use without the owner's broker."),
    Agreement: ("Agreement", "The license names no agreement text."),
}


def describe_term(term: Term, zone: tzinfo = UTC) -> Line:
    """Describe one term in a sentence."""
    match term:
        case NotBefore():
            return "Begins", f"On {_when(term.at, zone)}."
        case Expires():
            return "Ends", f"On {_when(term.at, zone)}. That instant is no longer covered."
        case Packages():
            listed = "; or ".join(map(_package, term.packages))
            return "Packages", f"{listed[0].upper()}{listed[1:]}."
        case Rights():
            return (
                "Rights",
                f"The holder may {_join([_RIGHTS[right] for right in term.rights])}, nothing else.",
            )
        case Levels():
            return "Protection", f"Level {term.at_least} or stronger: {describe_level(term.at_least)}."
        case Purpose():
            quoted = [f"'{purpose}'" for purpose in term.purposes]
            return "Purpose", f"Only for {_join(quoted, 'or')}."
        case Agreement():
            return "Agreement", f"The text with SHA-256 {term.digest} is part of the license."
        case Output():
            return "Answers", _output(term)
        case Derivations():
            digest = sha256(term.public.to_bytes()).hex()
            return "Derived models", f"They return to the owner, under its key with SHA-256 {digest[:16]}."
        case _:
            return _limit(term)


def _limit(term: Term) -> Line:
    match term:
        case Counted():
            return term.counter.capitalize(), f"At most {term.limit:,} {_PERIODS[term.per]}."
        case Rate():
            window = "second" if term.seconds == 1 else f"{term.seconds:,} seconds"
            return "Rate", f"At most {_count(term.limit, 'prediction')} in any {window}."
        case Runtimes():
            return "Runtimes", f"At most {_count(term.limit, 'runtime')} at the same time."
        case Grace():
            return "Grace", (
                f"If the broker cannot be reached, use goes on for {_count(term.hours, 'hour')} "
                f"after the end of a lease, for at most {_count(term.predictions, 'prediction')}."
            )
        case BreakGlass():
            return "Break-glass", (
                f"In an emergency after that, {_count(term.uses, 'time')} for "
                f"{_count(term.hours, 'hour')} each, with a reason that the owner reads."
            )
        case Offline():
            return "Offline", (
                f"At most {_count(term.files, 'runtime')} without a broker, each for at most "
                f"{_count(term.hours, 'hour')} at a time."
            )
        case UnknownTerm():
            text = canonical_json(term.value).decode("utf-8")
            return "Unknown term", f"This version does not know it and refuses every use: {text}"
        case _:
            raise AssertionError(term)


def _output(term: Output) -> str:
    match term.policy:
        case OutputKind.FULL:
            return "Full answers, with all numbers."
        case OutputKind.ROUNDED:
            return f"Numbers are rounded to {_count(term.decimals or 0, 'decimal')}."
        case OutputKind.TOP_K:
            return f"Only the {_count(term.k or 0, 'best class', 'best classes')} of each answer."
        case OutputKind.LABEL:
            return "Only the label of each answer, no numbers and no explanations."
        case _ as other:
            assert_never(other)


def _package(choice: PackageChoice) -> str:
    if choice.digest is not None:
        return f"the package with digest {choice.digest}"
    if choice.only is not None:
        return f"model {choice.name}, version {choice.only}"
    bounds = ""
    if choice.at_least is not None:
        bounds += f", from version {choice.at_least}"
    if choice.below is not None:
        bounds += f", below version {choice.below}"
    return f"model {choice.name}{bounds or ', every version'}"


def _when(moment: datetime, zone: tzinfo) -> str:
    local = moment.astimezone(zone)
    time = f"{local:%H:%M:%S}".removesuffix(":00")
    text = f"{local.day} {_MONTHS[local.month - 1]} {local.year} at {time} {local.tzname()}"
    return text if local.tzname() == "UTC" else f"{text} ({to_instant(moment)})"


def _count(number: int, what: str, several: str | None = None) -> str:
    return f"{number:,} {what if number == 1 else several or what + 's'}"


def _join(words: Sequence[str], last: str = "and") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"
