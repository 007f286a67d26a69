"""What an owner decides about its broker.

    Settings(lease_seconds=900, two_people=True)

How it is reached, by which address and certificate, is a matter of ``http``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from strongroom.errors import UsageError

_LEASE_SECONDS: Final = range(10, 86_400 + 1)
_PAGE_LIMIT: Final = range(1, 1000 + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The owner's rules."""

    lease_seconds: int = 900
    """How long a lease lasts: how soon a revocation reaches a runtime that cannot be told of it."""
    two_people: bool = False
    """Whether a license takes effect only after a second admin has approved it."""
    page_limit: int = 100
    """The most objects that one answer lists."""

    def __post_init__(self) -> None:
        if self.lease_seconds not in _LEASE_SECONDS:
            raise UsageError("a lease lasts from 10 seconds to a day", code="settings")
        if self.page_limit not in _PAGE_LIMIT:
            raise UsageError("a page has 1 to 1000 objects", code="settings")

    def page(self, limit: int) -> int:
        """Return how many objects an answer lists when somebody asks for so many.

        Raises:
            UsageError: less than one (code ``page-limit``).
        """
        if limit < 1:
            raise UsageError("a page lists at least one object", code="page-limit")
        return min(limit, self.page_limit)
