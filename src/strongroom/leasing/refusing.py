"""What a refusal of a broker means for the use that goes on.

    is_final(refusal, chain)              # the use ends with it, and the grace too
    is_until_later(refusal.code, chain)   # no for this hour, day or month

What a broker refuses it has not taken in: an act is whole or not at all.
"""

from __future__ import annotations

from typing import Final

from strongroom.errors import Error, LicenseDenied, ObjectNotFound
from strongroom.license.chain import LicenseChain
from strongroom.license.codes import Code
from strongroom.license.counted_terms import Counted
from strongroom.license.period import Period

STALE: Final = "request-stale"
NEVER_TAKEN_IN: Final = frozenset({STALE, "usage-wrong", "usage-missing"})
"""Said of the request itself, by a broker that has not taken it in before: it must be made anew."""
_SHUT_OUT: Final = frozenset(
    {
        "partner-pending",
        "partner-suspended",
        "runtime-suspended",
        "unknown-principal",
        "clone-suspected",
    }
)
"""The broker knows who asks, and gives it nothing until a person has done something."""
_USED_UP: Final = frozenset(
    {
        Code.PREDICTIONS_USED_UP.value,
        Code.TOKENS_USED_UP.value,
        Code.EXPLANATIONS_USED_UP.value,
        Code.NO_BUDGET.value,
    }
)


def is_until_later(code: str, chain: LicenseChain) -> bool:
    """Say whether a refusal ends by itself: what is used up may be there again in the next period."""
    terms = (term for _, term in chain.terms())
    return code in _USED_UP and any(
        isinstance(term, Counted) and term.per is not Period.TOTAL for term in terms
    )


def is_final(refusal: Error, chain: LicenseChain) -> bool:
    """Say whether use ends with a refusal, and not only with the lease."""
    if is_until_later(refusal.code, chain):
        return False
    return isinstance(refusal, LicenseDenied | ObjectNotFound) or refusal.code in _SHUT_OUT
