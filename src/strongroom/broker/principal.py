"""Who is asking: a member or a runtime of one organization, with what it may do.

principal = Principal(organization="org-...", id="run-...", kind=PrincipalKind.RUNTIME, role=Role.RUNTIME)
principal.is_owner
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PrincipalKind(StrEnum):
    """What authenticated."""

    MEMBER = "member"
    RUNTIME = "runtime"


class Role(StrEnum):
    """What somebody is in its organization. Access belongs to the organization; a role is a share of it."""

    ADMIN = "admin"
    """At the owner: everything."""
    PUBLISHER = "publisher"
    """At the owner: packages and licenses."""
    MANAGER = "manager"
    """At a partner: accepts, narrows, adds members."""
    OPERATOR = "operator"
    """At a partner: runs models, reads what it needs for it."""
    AUDITOR = "auditor"
    """At either: reads."""
    RUNTIME = "runtime"
    """A machine of a partner: takes leases and reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who authenticated. ``organization`` is the owner id for members of the owner."""

    organization: str
    id: str
    kind: PrincipalKind
    role: Role

    @property
    def is_owner(self) -> bool:
        """Whether it acts for the owner."""
        return self.organization.startswith("own-")
