"""The registry of terms, version 1: everything that a license can say.

    >>> decode_term({"at": "2027-06-30T22:00:00Z", "term": "expires"})
    Expires(at=datetime.datetime(2027, 6, 30, 22, 0, tzinfo=datetime.timezone.utc))

Every term restricts; all terms of all documents of a chain hold together. The registry
only grows: a tag keeps its fields for ever, a new meaning is a new tag, and a tag that
is not here refuses everything. ``tests/unit/license/test_wire.py`` pins the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from strongroom._encoding import JSON
from strongroom.errors import FormatError
from strongroom.license.allowance_terms import BreakGlass, Grace, Offline
from strongroom.license.counted_terms import Counted, Explanations, Predictions, Rate, Runtimes, Tokens
from strongroom.license.derivation_term import Derivations
from strongroom.license.output_term import Output, OutputKind
from strongroom.license.package_choice import PackageChoice
from strongroom.license.scope_terms import Agreement, Expires, Levels, NotBefore, Packages, Purpose, Rights
from strongroom.license.term import Tagged, Term, UnknownTerm

__all__ = [
    "ALLOWANCES",
    "REGISTRY",
    "Agreement",
    "BreakGlass",
    "Counted",
    "Derivations",
    "Expires",
    "Explanations",
    "Grace",
    "Levels",
    "NotBefore",
    "Offline",
    "Output",
    "OutputKind",
    "PackageChoice",
    "Packages",
    "Predictions",
    "Purpose",
    "Rate",
    "Rights",
    "Runtimes",
    "Term",
    "Tokens",
    "UnknownTerm",
    "decode_term",
    "encode_term",
]

_TAG: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")

_CLASSES: Final = (
    NotBefore,
    Expires,
    Packages,
    Rights,
    Levels,
    Predictions,
    Tokens,
    Explanations,
    Rate,
    Runtimes,
    Output,
    Purpose,
    Grace,
    BreakGlass,
    Offline,
    Agreement,
    Derivations,
)

REGISTRY: Final[Mapping[str, type[Tagged]]] = {str(kind.__struct_config__.tag): kind for kind in _CLASSES}
"""Tag to class. Append only."""

ALLOWANCES: Final = (Grace, BreakGlass, Offline)
"""Terms whose absence in the license means no."""


def decode_term(value: object) -> Term:
    """Read one term.

    Raises:
        FormatError: not an object with a tag, or a known tag with fields that it refuses.
    """
    if not isinstance(value, dict) or not isinstance(value.get("term"), str):
        raise FormatError("a term is an object with a member 'term'")
    if not _TAG.fullmatch(value["term"]):
        raise FormatError("the tag of a term is not 1 to 32 of the characters a-z, 0-9 and '-'")
    kind = REGISTRY.get(value["term"])
    if kind is None:
        return UnknownTerm(value)
    try:
        return msgspec.convert(value, type=kind, strict=True)
    except msgspec.ValidationError as error:
        raise FormatError(f"not a valid term '{value['term']}': {error}") from error


def encode_term(term: Term) -> dict[str, JSON]:
    """Write one term as JSON: the inverse of ``decode_term``."""
    if isinstance(term, UnknownTerm):
        return term.value
    value: dict[str, JSON] = msgspec.json.decode(msgspec.json.encode(term))
    return value
