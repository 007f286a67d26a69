"""The agreement: the text that people sign, bound to a license by its digest.

    digest = agreement_digest(text)            # what the term ``agreement`` names
    verify_agreement_text(text)

The digest covers the text exactly as it is, byte for byte in UTF-8: line ends and
spaces at line ends are part of it.
"""

from __future__ import annotations

from typing import Final

from strongroom._limits import LIMITS
from strongroom.crypto.digest import sha256
from strongroom.errors import FormatError

_LAYOUT: Final = frozenset("\n\r\t")
_REORDERING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def agreement_digest(text: str) -> str:
    """Return the SHA-256 of an agreement text, in hexadecimal.

    Raises:
        FormatError: as ``verify_agreement_text``.
    """
    return sha256(verify_agreement_text(text)).hex()


def verify_agreement_text(text: str) -> bytes:
    """Check an agreement text; returns its bytes.

    Raises:
        FormatError: empty, too large, no valid Unicode, or with characters that drive a
            terminal or show the text in another order than it is stored.
    """
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise FormatError("an agreement is not valid Unicode", code="agreement-text") from error
    if not 1 <= len(data) <= LIMITS.max_agreement_bytes:
        raise FormatError(
            f"an agreement has not 1 to {LIMITS.max_agreement_bytes} bytes", code="agreement-text"
        )
    for char in text:
        if char in _REORDERING or (char not in _LAYOUT and (char < " " or "\x7f" <= char <= "\x9f")):
            raise FormatError(
                f"an agreement holds the character U+{ord(char):04X}, which does not show",
                code="agreement-text",
            )
    return data
