"""The owner: everything about what a partner pins, in one import.

    chain = make_owner(name="hospital", roots=[root], roles={Role.LICENSE: [key.public_text]}, now=now)
    owner = verify_owner_chain(chain)
    owner.id, owner.name, owner.version
    owner.keys_for(Role.LICENSE, issued_at)

    owner = verify_newer(owner, OwnerChain.from_bytes(offered))

One version and its rules are in ``owner_document``, what holds from version to version in
``owner_chain``, making and rotating in ``rotation``.
"""

from strongroom.keys.owner_chain import (
    Owner,
    OwnerChain,
    verify_consistent,
    verify_newer,
    verify_owner_chain,
)
from strongroom.keys.owner_document import CutOff, OwnerDocument, Role, RoleKey
from strongroom.keys.rotation import countersign, make_owner, rotate_owner

__all__ = [
    "CutOff",
    "Owner",
    "OwnerChain",
    "OwnerDocument",
    "Role",
    "RoleKey",
    "countersign",
    "make_owner",
    "rotate_owner",
    "verify_consistent",
    "verify_newer",
    "verify_owner_chain",
]
