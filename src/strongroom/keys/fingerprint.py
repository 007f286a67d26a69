"""The fingerprint of an enrollment: what two people compare over the telephone.

    fingerprint(token)                                            # 'XK4T-09RM-2H7Q-VB3N-E8WD'
    verify_fingerprint("xk4t 09rm 2h7q vb3n e8wd", token)         # raises if it is another

100 bits. The enrollment is fixed before its fingerprint is read out, so a forger has to
hit a given value: 2**100 work. A comparison of a few digits would do only with a
commitment made first, which needs one more round of messages (spec/keys.md,
"Fingerprint"). The alphabet is Crockford's: no I, L, O or U, read in any case.
"""

from __future__ import annotations

from typing import Final

from strongroom.crypto import digest, labels
from strongroom.errors import FormatError, VerificationError

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHARS: Final = 20
_GROUP: Final = 4
_READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1", " ": None, "-": None})
_MAX_TYPED: Final = 100


def fingerprint(token: str) -> str:
    """Return the fingerprint of an enrollment token, five groups of four characters."""
    bits = int.from_bytes(digest.sha256(labels.bind(labels.FINGERPRINT, token.encode("ascii"))), "big")
    bits >>= 256 - 5 * _CHARS
    chars = "".join(_ALPHABET[(bits >> (5 * place)) & 31] for place in reversed(range(_CHARS)))
    return "-".join(chars[start : start + _GROUP] for start in range(0, _CHARS, _GROUP))


def verify_fingerprint(given: str, token: str) -> None:
    """Check what the other side read out; case, spaces and dashes do not matter.

    Raises:
        FormatError: not 20 characters of the alphabet (code ``fingerprint-form``): a
            typing error, probably.
        VerificationError: another fingerprint (code ``fingerprint-mismatch``).
    """
    chars = verify_fingerprint_form(given)
    if chars != fingerprint(token).replace("-", ""):
        raise VerificationError(
            "the fingerprints differ: the two sides do not hold the same enrollment",
            code="fingerprint-mismatch",
            hint="Compare once more, over a channel you trust. If they still differ, do not go on: "
            "somebody may stand between you.",
        )


def is_fingerprint_of(given: str, token: str) -> bool:
    """Return whether a fingerprint is of this token; to find the one that is meant, and to trust none.

    Raises:
        FormatError: not 20 characters of the alphabet (code ``fingerprint-form``).
    """
    return verify_fingerprint_form(given) == verify_fingerprint_form(fingerprint(token))


def verify_fingerprint_form(given: str) -> str:
    """Check that a text can be a fingerprint at all; returns its 20 characters.

    Raises:
        FormatError: not 20 characters of the alphabet (code ``fingerprint-form``).
    """
    chars = given[:_MAX_TYPED].upper().translate(_READ_AS)
    if not given.isascii() or len(chars) != _CHARS or not set(chars) <= set(_ALPHABET):
        raise FormatError(
            "a fingerprint has 20 letters and digits, in five groups of four",
            code="fingerprint-form",
            hint="Type it as the other side reads it; letters I, L, O and U do not occur.",
        )
    return chars
