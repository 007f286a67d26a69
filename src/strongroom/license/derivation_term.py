"""The term ``derivations``: to which key of the owner the models return that a holder derives.

    {"term": "derivations", "to": "strongroom-sealing-public...."}

Of the license alone: a sub-license cannot have it, so that nobody else reads what a holder
hands in. It refuses no use; without it, the right ``modify`` leads nowhere.
"""

from __future__ import annotations

from strongroom.crypto.hpke import SealingPublic
from strongroom.keys.key_pair import sealing_public_from_text
from strongroom.license.term import Case, Tagged
from strongroom.license.verdict import Denied


class Derivations(Tagged, frozen=True, kw_only=True, tag="derivations"):
    """Content keys of derived models are wrapped to this key."""

    to: str
    """Public text of a sealing key in the owner's home."""

    def check_fields(self) -> None:
        """Check the key.

        Raises:
            FormatError: no public text of a sealing key.
        """
        sealing_public_from_text(self.to)

    @property
    def public(self) -> SealingPublic:
        """The key itself."""
        return sealing_public_from_text(self.to)

    def check(self, case: Case) -> Denied | None:
        """Refuse nothing."""
        return None
