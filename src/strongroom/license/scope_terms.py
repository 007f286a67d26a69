"""Terms that say what a license is for: time, packages, rights, levels, purpose, agreement.

    {"at": "2027-06-30T22:00:00Z", "term": "expires"}
    {"rights": ["evaluate", "predict"], "term": "rights"}

Each check reads the request and the clock and nothing else (spec/license.md, "Terms").
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from strongroom._encoding import to_instant
from strongroom.license.codes import Code
from strongroom.license.fields import verify_digest, verify_set, verify_text
from strongroom.license.package_choice import PackageChoice
from strongroom.license.request import Level, Right
from strongroom.license.term import Case, Tagged
from strongroom.license.verdict import Denied

MAX_PURPOSE_CHARS: Final = 100


class NotBefore(Tagged, frozen=True, kw_only=True, tag="not-before"):
    """The license begins at an instant."""

    at: datetime

    def check(self, case: Case) -> Denied | None:
        """Refuse before the instant."""
        if case.now >= self.at:
            return None
        return case.denied(
            self, Code.NOT_YET_VALID, f"the license begins {to_instant(self.at)}", "Wait until then."
        )


class Expires(Tagged, frozen=True, kw_only=True, tag="expires"):
    """The license ends at an instant, which is the first that it does not cover."""

    at: datetime

    def check(self, case: Case) -> Denied | None:
        """Refuse from the instant on."""
        if case.now < self.at:
            return None
        return case.denied(
            self, Code.EXPIRED, f"the license ended {to_instant(self.at)}", case.ask("a renewal")
        )


class Packages(Tagged, frozen=True, kw_only=True, tag="packages"):
    """The packages that are licensed; one of the list must fit."""

    packages: tuple[PackageChoice, ...]

    def check_fields(self) -> None:
        """Check the list.

        Raises:
            FormatError: empty, out of order or with something twice.
        """
        verify_set([choice.sort_key for choice in self.packages], "the packages of a license")

    def covers(self, name: str, version: str, digest: str) -> bool:
        """Tell whether an entry means this package."""
        return any(choice.covers(name, version, digest) for choice in self.packages)

    def check(self, case: Case) -> Denied | None:
        """Refuse a package that fits no entry."""
        wanted = case.request
        if self.covers(wanted.name, wanted.version, wanted.package_digest):
            return None
        return case.denied(
            self,
            Code.PACKAGE_NOT_LICENSED,
            f"{wanted.name} {wanted.version} is not licensed; "
            f"licensed is {', '.join(map(str, self.packages))}",
            case.ask("a license for it"),
        )


class Rights(Tagged, frozen=True, kw_only=True, tag="rights"):
    """What may be done."""

    rights: tuple[Right, ...]

    def check_fields(self) -> None:
        """Check the list.

        Raises:
            FormatError: empty, out of order or with something twice.
        """
        verify_set(self.rights, "the rights of a license")

    def check(self, case: Case) -> Denied | None:
        """Refuse a right that is not in the list."""
        if case.request.right in self.rights:
            return None
        return case.denied(
            self,
            Code.RIGHT_NOT_GRANTED,
            f"the right '{case.request.right}' is not granted; granted is {', '.join(self.rights)}",
            case.ask(f"the right '{case.request.right}'"),
        )


class Levels(Tagged, frozen=True, kw_only=True, tag="levels"):
    """The weakest protection level at which the model may run."""

    at_least: Level

    def check(self, case: Case) -> Denied | None:
        """Refuse a weaker level."""
        level = case.request.level
        if level.reaches(self.at_least):
            return None
        return case.denied(
            self,
            Code.LEVEL_TOO_LOW,
            f"the license asks for level {self.at_least} or stronger; reached is {level}",
            f"'strongroom doctor' says which level this machine reaches. {case.ask(f'level {level}')}",
        )


class Purpose(Tagged, frozen=True, kw_only=True, tag="purpose"):
    """What the answers may be used for, as the partner states it with each opening."""

    purposes: tuple[str, ...]

    def check_fields(self) -> None:
        """Check the list.

        Raises:
            FormatError: empty, out of order, with something twice, or not lines of text.
        """
        verify_set(self.purposes, "the purposes of a license")
        for purpose in self.purposes:
            verify_text(purpose, "a purpose", most=MAX_PURPOSE_CHARS)

    def check(self, case: Case) -> Denied | None:
        """Refuse another purpose, or none."""
        purpose = case.request.purpose
        if purpose in self.purposes:
            return None
        allowed = ", ".join(f"'{entry}'" for entry in self.purposes)
        if purpose is None:
            return case.denied(
                self,
                Code.PURPOSE_MISSING,
                f"the license asks for a purpose: {allowed}",
                "State it: --purpose on the command line, purpose= in Python.",
            )
        return case.denied(
            self,
            Code.PURPOSE_NOT_ALLOWED,
            f"the purpose '{purpose}' is not allowed; allowed is {allowed}",
            case.ask("this purpose"),
        )


class Agreement(Tagged, frozen=True, kw_only=True, tag="agreement"):
    """The text that the holder accepts, by its digest."""

    digest: str

    def check_fields(self) -> None:
        """Check the digest.

        Raises:
            FormatError: not 32 bytes of lower-case hexadecimal.
        """
        verify_digest(self.digest)

    def check(self, case: Case) -> Denied | None:
        """Refuse if another text was accepted. That something was is checked before all terms."""
        accepted = case.facts.accepted.get(case.document)
        if accepted == self.digest:
            return None
        return case.denied(
            self,
            Code.AGREEMENT_CHANGED,
            f"the license names agreement {self.digest[:16]}..., and accepted is "
            f"{'none' if accepted is None else accepted[:16] + '...'}",
            "Accept the license again.",
        )
