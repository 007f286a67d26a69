"""Every reason for which a license says no, in one table.

    Code.EXPIRED.value                  # 'expired'
    MEANINGS[Code.EXPIRED]              # 'the license or a sub-license has ended'

Programs act on a code, so a code is never renamed and never reused. The same table
stands in spec/license.md; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """The rule that refused."""

    UNKNOWN_TERM = "unknown-term"
    WRONG_OWNER = "wrong-owner"
    REVOKED = "revoked"
    NOT_ACCEPTED = "not-accepted"
    NO_AUTHORITY = "no-authority"
    WRONG_AUTHORITY = "wrong-authority"
    CLOCK_SET_BACK = "clock-set-back"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "expired"
    PACKAGE_NOT_LICENSED = "package-not-licensed"
    VERSION_WITHDRAWN = "version-withdrawn"
    VERSION_ROLLBACK = "version-rollback"
    RIGHT_NOT_GRANTED = "right-not-granted"
    LEVEL_TOO_LOW = "level-too-low"
    PREDICTIONS_USED_UP = "predictions-used-up"
    TOKENS_USED_UP = "tokens-used-up"
    EXPLANATIONS_USED_UP = "explanations-used-up"
    RATE_EXCEEDED = "rate-exceeded"
    TOO_MANY_RUNTIMES = "too-many-runtimes"
    OUTPUT_POLICY = "output-policy"
    PURPOSE_MISSING = "purpose-missing"
    PURPOSE_NOT_ALLOWED = "purpose-not-allowed"
    AGREEMENT_CHANGED = "agreement-changed"
    NO_BUDGET = "no-budget"
    LEASE_ENDED = "lease-ended"
    GRACE_NOT_ALLOWED = "grace-not-allowed"
    GRACE_ENDED = "grace-ended"
    GRACE_USED_UP = "grace-used-up"
    BREAK_GLASS_NOT_ALLOWED = "break-glass-not-allowed"
    BREAK_GLASS_REASON = "break-glass-reason"
    BREAK_GLASS_ENDED = "break-glass-ended"
    BREAK_GLASS_USED_UP = "break-glass-used-up"
    OFFLINE_NOT_ALLOWED = "offline-not-allowed"
    OFFLINE_TOO_LONG = "offline-too-long"
    OFFLINE_ENDED = "offline-ended"
    OFFLINE_LEVEL = "offline-level"
    OFFLINE_FILES = "offline-files"
    PASSPHRASE_LEVEL = "passphrase-level"  # noqa: S105 - a name, not a secret
    PASSPHRASE_COUNTED = "passphrase-counted"  # noqa: S105 - a name, not a secret
    SUSPENDED = "suspended"
    NOT_APPROVED = "not-approved"


MEANINGS: Final[Mapping[Code, str]] = {
    Code.UNKNOWN_TERM: "a document of the chain has a term that this version does not know",
    Code.WRONG_OWNER: "the package is signed by another owner than the license",
    Code.REVOKED: "a document of the chain, or what released the keys, is revoked",
    Code.NOT_ACCEPTED: "a document of the chain has no acceptance by its holder",
    Code.NO_AUTHORITY: "no lease, offline file or pass-phrase file releases the keys",
    Code.WRONG_AUTHORITY: "what releases the keys is for another license, runtime or package",
    Code.CLOCK_SET_BACK: "the clock is behind an instant that has certainly passed",
    Code.NOT_YET_VALID: "a document of the chain has not begun",
    Code.EXPIRED: "a document of the chain has ended",
    Code.PACKAGE_NOT_LICENSED: "the package is not among the licensed ones",
    Code.VERSION_WITHDRAWN: "the owner withdrew this version",
    Code.VERSION_ROLLBACK: "this runtime has seen a newer version",
    Code.RIGHT_NOT_GRANTED: "a document of the chain does not give this right",
    Code.LEVEL_TOO_LOW: "the protection level is below the one asked for",
    Code.PREDICTIONS_USED_UP: "the predictions of a period are used up",
    Code.TOKENS_USED_UP: "the tokens of a period are used up",
    Code.EXPLANATIONS_USED_UP: "the explanations of a period are used up",
    Code.RATE_EXCEEDED: "too many predictions in a short time",
    Code.TOO_MANY_RUNTIMES: "too many runtimes run at the same time",
    Code.OUTPUT_POLICY: "the output policy leaves nothing that could be given out",
    Code.PURPOSE_MISSING: "no purpose was stated",
    Code.PURPOSE_NOT_ALLOWED: "the purpose is not among the allowed ones",
    Code.AGREEMENT_CHANGED: "the accepted agreement is not the one that the license names",
    Code.NO_BUDGET: "what releases the keys has no budget for a count of the license",
    Code.LEASE_ENDED: "the lease has ended and must be renewed",
    Code.GRACE_NOT_ALLOWED: "the lease has ended in an outage and the license gives no grace",
    Code.GRACE_ENDED: "the grace time after the lease has ended",
    Code.GRACE_USED_UP: "the predictions of the grace time are used up",
    Code.BREAK_GLASS_NOT_ALLOWED: "the license has no break-glass",
    Code.BREAK_GLASS_REASON: "break-glass needs a reason",
    Code.BREAK_GLASS_ENDED: "this use of break-glass has ended",
    Code.BREAK_GLASS_USED_UP: "the uses of break-glass are used up",
    Code.OFFLINE_NOT_ALLOWED: "the license does not allow use without a broker",
    Code.OFFLINE_TOO_LONG: "an offline or pass-phrase file lives longer than the license allows",
    Code.OFFLINE_ENDED: "the offline or pass-phrase file has ended",
    Code.OFFLINE_LEVEL: "this protection level does not exist without a broker",
    Code.OFFLINE_FILES: "as many offline files are out as the license allows",
    Code.PASSPHRASE_LEVEL: "a pass-phrase file is for level local only",
    Code.PASSPHRASE_COUNTED: "a pass-phrase file cannot go with a counted term",
    Code.SUSPENDED: "the owner suspended the license, its holder or the runtime",
    Code.NOT_APPROVED: "the owner has not approved the license, its holder or the runtime yet",
}
