"""What may be asked of a broker, and who may ask it: one enum, one table.

    allowed(principal)                            # frozenset of Permission
    verify_permitted(principal, Permission.LICENSE_GRANT)

A permission says what somebody may do at all; which objects it concerns follows from the
organization, and every service filters by that. The table is closed: what does not stand
in it, nobody may.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from strongroom.broker.principal import Principal, Role
from strongroom.errors import BrokerRefused


class Permission(StrEnum):
    """One thing that may be asked."""

    PARTNER_READ = "partner:read"
    PARTNER_APPROVE = "partner:approve"
    PARTNER_SUSPEND = "partner:suspend"
    MEMBER_READ = "member:read"
    MEMBER_WRITE = "member:write"
    PACKAGE_READ = "package:read"
    PACKAGE_PUBLISH = "package:publish"
    PACKAGE_WITHDRAW = "package:withdraw"
    LICENSE_READ = "license:read"
    LICENSE_GRANT = "license:grant"
    LICENSE_APPROVE = "license:approve"
    LICENSE_SUSPEND = "license:suspend"
    LICENSE_REVOKE = "license:revoke"
    LICENSE_NARROW = "license:narrow"
    LICENSE_END = "license:end"
    LICENSE_ACCEPT = "license:accept"
    REQUEST_READ = "request:read"
    REQUEST_MAKE = "request:make"
    DERIVATION_READ = "derivation:read"
    DERIVATION_HAND_IN = "derivation:hand-in"
    DERIVATION_COUNTERSIGN = "derivation:countersign"
    LEASE_TAKE = "lease:take"
    LEASE_READ = "lease:read"
    LEASE_RETURN = "lease:return"
    LEASE_RELEASE = "lease:release"
    USAGE_REPORT = "usage:report"
    USAGE_READ = "usage:read"
    CHECKOUT_TAKE = "checkout:take"
    LOG_READ = "log:read"
    LOG_COSIGN = "log:cosign"
    LOG_ERASE = "log:erase"


_P: Final = Permission

_OWNER_READS: Final = frozenset(
    {
        _P.PARTNER_READ,
        _P.MEMBER_READ,
        _P.PACKAGE_READ,
        _P.LICENSE_READ,
        _P.REQUEST_READ,
        _P.DERIVATION_READ,
        _P.LEASE_READ,
        _P.USAGE_READ,
        _P.LOG_READ,
    }
)
_PARTNER_READS: Final = frozenset(
    {
        _P.MEMBER_READ,
        _P.PACKAGE_READ,
        _P.LICENSE_READ,
        _P.REQUEST_READ,
        _P.DERIVATION_READ,
        _P.LEASE_READ,
        _P.USAGE_READ,
        _P.LOG_READ,
    }
)
_PUBLISHES: Final = frozenset(
    {
        _P.PACKAGE_PUBLISH,
        _P.PACKAGE_WITHDRAW,
        _P.LICENSE_GRANT,
        _P.LICENSE_APPROVE,
        _P.LICENSE_SUSPEND,
        _P.LICENSE_REVOKE,
        _P.DERIVATION_COUNTERSIGN,
        _P.LEASE_RELEASE,
        _P.LOG_COSIGN,
    }
)
_MANAGES: Final = frozenset(
    {
        _P.MEMBER_WRITE,
        _P.REQUEST_MAKE,
        _P.LICENSE_NARROW,
        # Not for machines: the organization key signs a sub-license, and nothing signs its end.
        _P.LICENSE_END,
        _P.LICENSE_ACCEPT,
        _P.DERIVATION_HAND_IN,
        _P.LOG_COSIGN,
    }
)
_RUNS: Final = frozenset(
    {
        _P.PACKAGE_READ,
        _P.LICENSE_READ,
        # Signed by the organization key, whichever of its machines hands it in.
        _P.LICENSE_ACCEPT,
        _P.LICENSE_NARROW,
        _P.LEASE_TAKE,
        _P.LEASE_READ,
        _P.LEASE_RETURN,
        _P.USAGE_REPORT,
        _P.USAGE_READ,
        _P.CHECKOUT_TAKE,
        _P.LOG_READ,
        _P.LOG_COSIGN,
    }
)

_OWNER: Final = {
    Role.ADMIN: _OWNER_READS
    | _PUBLISHES
    | {_P.MEMBER_WRITE, _P.PARTNER_APPROVE, _P.PARTNER_SUSPEND, _P.LOG_ERASE},
    Role.PUBLISHER: _OWNER_READS | _PUBLISHES,
    Role.AUDITOR: _OWNER_READS,
}
_PARTNER: Final = {
    Role.MANAGER: _PARTNER_READS | _MANAGES,
    Role.OPERATOR: _PARTNER_READS,
    Role.AUDITOR: _PARTNER_READS,
    Role.RUNTIME: _RUNS,
}


def allowed(principal: Principal) -> frozenset[Permission]:
    """Return what somebody may ask. A role of the other side gives nothing."""
    table = _OWNER if principal.is_owner else _PARTNER
    return table.get(principal.role, frozenset())


def verify_permitted(principal: Principal, permission: Permission) -> None:
    """Check that somebody may ask this.

    Raises:
        BrokerRefused: its role does not permit it (code ``not-permitted``).
    """
    if permission not in allowed(principal):
        raise BrokerRefused(
            f"the role {principal.role.value} does not permit {permission.value}",
            code="not-permitted",
            hint="ask an admin or a manager of your organization to do it, or to give you the role",
        )
