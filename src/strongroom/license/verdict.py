"""Yes or no: the values that a decision returns.

    verdict = evaluate(chain, request, facts, now)
    if isinstance(verdict, Denied):
        raise_denied(verdict)                 # LicenseDenied, with code and hint
    verdict.output.decimals                   # what may leave

Inside, a refusal is a value: it can be compared, logged and counted. It becomes an
exception once, at the boundary where somebody waits for an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NoReturn

from strongroom.errors import LicenseDenied
from strongroom.license.codes import Code
from strongroom.license.period import CounterKey


class Standing(StrEnum):
    """On what ground a use is allowed."""

    NORMAL = "normal"
    GRACE = "grace"
    """The lease has ended, the broker is silent, and the license gives time."""
    BREAK_GLASS = "break-glass"
    """Somebody at the partner broke the glass; the owner will read the reason."""


@dataclass(frozen=True, slots=True)
class OutputPolicy:
    """What may leave the worker, all documents of the chain taken together."""

    decimals: int | None = None
    """Numbers are rounded to so many decimals; None: as they are."""
    top_k: int | None = None
    """Only the so many best classes are named; None: all."""
    label_only: bool = False
    """Only the label leaves, no number at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Yes, for this one request."""

    output: OutputPolicy
    remaining: Mapping[CounterKey, int] = field(default_factory=dict)
    """What each count of each document leaves after this use."""
    until: datetime | None = None
    """When this permission ends by itself; None: no end is named."""
    standing: Standing = Standing.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """No, and which rule said so."""

    code: Code
    reason: str
    """One sentence that names the rule and its values."""
    hint: str | None = None
    """What can be done about it."""
    term: str | None = None
    """Tag of the term that refused; None: a rule that holds for every license."""
    document: str | None = None
    """Id of the document that has the term."""


def raise_denied(denied: Denied) -> NoReturn:
    """Turn a refusal into the error that callers see.

    Raises:
        LicenseDenied: always.
    """
    raise LicenseDenied(denied.reason, code=denied.code.value, hint=denied.hint)
