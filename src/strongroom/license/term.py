"""What all terms share: one check each, and a case to check.

    class NotBefore(Tagged, frozen=True, tag="not-before"):
        at: datetime

        def check(self, case: Case) -> Denied | None: ...

The registry of tags is in ``terms``. It only grows: a tag's fields are never changed,
a new meaning is a new tag, and a tag that this version does not know refuses
everything (spec/license.md, "Terms").
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from strongroom._encoding import JSON, canonical_json, parse_canonical_json
from strongroom.license.codes import Code
from strongroom.license.fields import Fields
from strongroom.license.request import Authority, Facts, Request
from strongroom.license.verdict import Denied, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request against one document of a chain."""

    request: Request
    facts: Facts
    now: datetime
    """Never before the clock mark."""
    document: str
    """Id of the document whose terms are checked."""
    issuer: str
    """Name of who signed that document, for hints."""
    standing: Standing
    authority: Authority | None
    """What released the keys; None at the owner."""
    grace: timedelta
    """The grace time of the whole chain."""

    def denied(self, term: Term, code: Code, reason: str, hint: str | None = None) -> Denied:
        """Return a refusal by a term of this document."""
        return Denied(code=code, reason=reason, hint=hint, term=term.tag, document=self.document)

    def ask(self, what: str) -> str:
        """Return the usual hint: whom to ask for what."""
        return f"Ask {self.issuer} for {what}."


class Term:
    """One condition of a license. Plain class: msgspec asks our hooks for it."""

    __slots__ = ()

    is_counted: ClassVar[bool] = False
    """Whether holding it needs state of one machine: no pass-phrase file can go with it."""

    @property
    def tag(self) -> str:
        """The name of this kind of term on the wire."""
        raise AssertionError(type(self))

    def check(self, case: Case) -> Denied | None:
        """Refuse, or return None.

        A term whose class forgets to say what it checks refuses everything.
        """
        return case.denied(self, Code.UNKNOWN_TERM, f"the term '{self.tag}' has no check")


class Tagged(Term, Fields, frozen=True, kw_only=True, tag_field="term"):
    """A known term: a tag in front of its fields."""

    @property
    def tag(self) -> str:
        """The name of this kind of term on the wire."""
        return str(self.__struct_config__.tag)


class UnknownTerm(Term):
    """A term of a later version: kept as it was signed, and never satisfied."""

    __slots__ = ("_data",)

    def __init__(self, value: dict[str, JSON]) -> None:
        self._data = canonical_json(value)

    @property
    def tag(self) -> str:
        """The name that this version does not know."""
        return str(self.value["term"])

    @property
    def value(self) -> dict[str, JSON]:
        """The term as it was read."""
        value: dict[str, JSON] = parse_canonical_json(self._data)
        return value

    def check(self, case: Case) -> Denied | None:
        """Refuse: nobody can say what the owner meant by it."""
        return case.denied(
            self,
            Code.UNKNOWN_TERM,
            f"the license has a term '{self.tag}' that this version of Strongroom does not know",
            "Upgrade Strongroom.",
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnknownTerm) and other._data == self._data

    def __hash__(self) -> int:
        return hash(self._data)

    def __repr__(self) -> str:
        return f"UnknownTerm({self._data!r})"
