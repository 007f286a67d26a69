"""The checked-out file of an opening, for when no lease can be had (spec/license.md, "Offline files").

    verify_usable(home, opening, facts, now)              # raises what it is refused with
    error.code in LEAVES_FILES                            # the broker said no; a file may still be used
    raise spent(denied)                            # for whoever hears that it is used up

A broker that answers comes first: it knows what was revoked, and has the whole of the quota.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from strongroom.errors import LicenseDenied
from strongroom.home.home import Home
from strongroom.keys.owner import Owner
from strongroom.license.codes import Code
from strongroom.license.documents import OfflineFile
from strongroom.license.evaluate import evaluate
from strongroom.license.marks import latest_of
from strongroom.license.request import Facts
from strongroom.license.signing import Signed
from strongroom.license.verdict import Denied, raise_denied
from strongroom.opening import Opening

USED_UP: Final = frozenset(
    {
        Code.PREDICTIONS_USED_UP.value,
        Code.TOKENS_USED_UP.value,
        Code.EXPLANATIONS_USED_UP.value,
        Code.NO_BUDGET.value,
    }
)
LEAVES_FILES: Final = USED_UP | {"not-found", "unknown-principal"}
"""What a broker refuses a lease with, and means nothing against a file that is out: the rest of the
quota is in the file, or the file is older than the broker and it knows nothing of the license."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spare:
    """A checked-out file in the place of a lease; as ``leaseholder.Held``."""

    lease: Signed[OfflineFile]
    owner: Owner
    """In the version that the file was verified with."""
    nonce: None = None
    """Its key is wrapped to the sealing key, whoever asks."""


def verify_usable(home: Home, opening: Opening, facts: Facts, now: datetime) -> None:
    """Check that a use is allowed now with these facts, which name the file.

    Args:
        home: The partner's home.
        opening: The model.
        facts: What is known for decisions under it.
        now: The time.

    Raises:
        LicenseDenied: it allows nothing now; the code names the rule.
        IntegrityError: the state of this runtime was changed by somebody else.
        NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
        StorageUnavailable: a file cannot be read.
    """
    # How many rows is said later; one has to be left.
    request = replace(opening.request, predictions=1)
    state = home.marks.read(opening.owner.id)
    at = latest_of(now, state.clock)
    verdict = evaluate(opening.chain, request, state.facts(facts, request.name, at), now)
    if isinstance(verdict, Denied):
        raise_denied(verdict)


def spent(denied: LicenseDenied) -> LicenseDenied:
    """Return the refusal of a file that is used up while the broker, which may have more, is silent."""
    return LicenseDenied(
        f"{denied}; that is what the checked-out file set aside, and the broker does not answer",
        code=denied.code,
        hint="go where the broker can be reached: if it has more, use goes on by itself",
    )
