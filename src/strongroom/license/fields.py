"""What the fields of documents and terms may hold: instants, numbers, texts, digests.

    class Expires(Fields, frozen=True):
        at: datetime

Every struct of this layer derives from ``Fields``. Values are checked when the
struct is made, by whoever makes it: what cannot be read back cannot be signed
either. The rules are those of spec/license.md, "Fields".
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from strongroom._encoding import from_hex
from strongroom._limits import LIMITS
from strongroom.errors import FormatError

DIGEST_BYTES: Final = 32
SERIAL_BYTES: Final = 16
MAX_COUNT: Final = (1 << 53) - 1
"""Largest limit: every JSON reader holds it exactly."""
MAX_HOURS: Final = 87_600
"""Ten years, the longest lifetime given in hours."""
_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2999
_ID_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyz234567")


class Fields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A struct whose instants are UTC with whole seconds and whose values keep their rules."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, datetime):
                # Frozen for everybody else: a fraction of a second has no written form.
                msgspec.structs.force_setattr(self, name, whole_seconds(value))
        self.check_fields()

    def check_fields(self) -> None:
        """Check what the types do not say.

        Raises:
            FormatError: a field holds a value that its specification refuses.
        """


def whole_seconds(moment: datetime) -> datetime:
    """Return an instant in UTC, cut to whole seconds.

    Raises:
        FormatError: no time zone, or outside the years 2000 to 2999.
    """
    if moment.tzinfo is None:
        raise FormatError("an instant without a time zone")
    # The range leaves room for arithmetic: no sum of an instant and a lifetime overflows.
    if not _FIRST_YEAR < moment.year < _LAST_YEAR:
        moment = _within_range(moment)
    return moment.astimezone(UTC).replace(microsecond=0)


def _within_range(moment: datetime) -> datetime:
    try:
        utc = moment.astimezone(UTC)
    except OverflowError:
        utc = datetime.min.replace(tzinfo=UTC)
    if not _FIRST_YEAR <= utc.year <= _LAST_YEAR:
        raise FormatError(f"an instant outside the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return utc


def hours(count: int) -> timedelta:
    """Return a number of hours as a duration."""
    return timedelta(hours=count)


def new_serial() -> str:
    """Return 16 fresh random bytes as hexadecimal: they make two equal documents two."""
    return secrets.token_hex(SERIAL_BYTES)


def verify_count(value: int, what: str, *, most: int = MAX_COUNT) -> None:
    """Check a number that must be from 1 to ``most``.

    Raises:
        FormatError: it is not.
    """
    if not 1 <= value <= most:
        raise FormatError(f"{what} must be a number from 1 to {most}")


def verify_text(text: str, what: str, *, most: int) -> None:
    """Check one line of text for people: it is shown on terminals and in contracts.

    Raises:
        FormatError: empty, too long, space at an end, not NFC, or with characters
            that do not show.
    """
    if not 1 <= len(text) <= most or text != text.strip() or unicodedata.normalize("NFC", text) != text:
        raise FormatError(f"{what} must be one line of 1 to {most} characters")
    if any(char != " " and unicodedata.category(char)[0] in "CZ" for char in text):
        raise FormatError(f"{what} has characters that do not show")


def verify_digest(text: str | None) -> None:
    """Check a SHA-256 digest in lower-case hexadecimal; None is nothing to check.

    Raises:
        FormatError: another size or spelling.
    """
    if text is not None:
        from_hex(text, size=DIGEST_BYTES)


def verify_id(text: str, *prefixes: str) -> None:
    """Check the form of an id: one of the prefixes and 24 characters of base32.

    Raises:
        FormatError: another form.
    """
    for prefix in prefixes:
        rest = text.removeprefix(prefix)
        if len(rest) == len(text) - len(prefix) == 24 and _ID_CHARS.issuperset(rest):
            return
    raise FormatError(f"expected an id that starts with {' or '.join(prefixes)}", code="wrong-kind")


def verify_set(values: Sequence[str], what: str) -> None:
    """Check a list that stands for a set: not empty, sorted, nothing twice.

    Raises:
        FormatError: it is not.
    """
    if not values or list(values) != sorted(set(values)) or len(values) > LIMITS.max_terms:
        raise FormatError(f"{what} must be a sorted list of 1 to {LIMITS.max_terms} entries, nothing twice")
