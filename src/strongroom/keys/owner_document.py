"""One version of an owner document: its wire form and the rules within it (spec/keys.md, "Owner document").

    {"cut_off": [],
     "format": "owner/v1",
     "issued_at": "2026-11-24T03:00:00Z",
     "name": "hospital",
     "owner": null,
     "roles": {"broker": [], "license": [{"key": "strongroom-owner-license-public...", "retired_at": null}],
               "log": [{"key": "strongroom-owner-log-public...", "retired_at": null}], "package": []},
     "roots": {"keys": ["strongroom-owner-root-public..."], "threshold": 1},
     "version": 1}

What holds between versions, and who must sign them, is in ``owner_chain``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

import msgspec

from strongroom._encoding import from_instant, from_wire, to_wire
from strongroom._limits import LIMITS
from strongroom.errors import FormatError
from strongroom.keys.identity import verify_owner_id
from strongroom.keys.key_pair import RolePublic, role_public_from_text
from strongroom.keys.name import verify_name
from strongroom.keys.text import KeyKind

PAYLOAD_TYPE: Final = "application/vnd.strongroom.owner+json"
_KEY_ID: Final = re.compile(r"[0-9a-f]{32}")
_REASON: Final = re.compile(r"[\x20-\x7e]{1,200}")


class Role(StrEnum):
    """What the roots let a key sign."""

    PACKAGE = "package"
    """Package statements."""
    LICENSE = "license"
    """Invites, licenses, offline files, withdrawals."""
    BROKER = "broker"
    """Leases and time."""
    LOG = "log"
    """Checkpoints of the log. An owner without a broker may have none."""


ROLE_KINDS: Final[Mapping[Role, KeyKind]] = {
    Role.PACKAGE: KeyKind.OWNER_PACKAGE,
    Role.LICENSE: KeyKind.OWNER_LICENSE,
    Role.BROKER: KeyKind.OWNER_BROKER,
    Role.LOG: KeyKind.OWNER_LOG,
}


class RoleKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A key in a role."""

    key: str
    """Its public text, of the kind of the role."""
    retired_at: str | None
    """From this instant on it signs nothing new; what it signed before stays good."""


class CutOff(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A key found compromised. It stays in its role, so that logged documents can still be checked."""

    key_id: str
    log_position: int | None
    """What the log holds below this position stays good; None: nothing does."""
    reason: str
    """One line of ASCII for people."""


class Roots(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The offline keys, and how many of them must sign."""

    keys: tuple[str, ...]
    """Public texts, sorted, each once."""
    threshold: int


class Roles(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of each role, sorted by text, each once."""

    package: tuple[RoleKey, ...]
    license: tuple[RoleKey, ...]
    broker: tuple[RoleKey, ...]
    log: tuple[RoleKey, ...]

    def of(self, role: Role) -> tuple[RoleKey, ...]:
        """Return the keys of one role."""
        entries: tuple[RoleKey, ...] = getattr(self, role.value)
        return entries


class OwnerDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One version. Read it with ``from_bytes``; it means nothing until its chain is verified."""

    format: Literal["owner/v1"]
    version: int
    name: str
    owner: str | None
    """The owner id; None in version 1, whose bytes make the id."""
    issued_at: str
    roots: Roots
    roles: Roles
    cut_off: tuple[CutOff, ...]

    @classmethod
    def from_bytes(cls, payload: bytes) -> OwnerDocument:
        """Parse the payload of an envelope and check every rule within one version.

        Raises:
            FormatError: not canonical, or a rule of spec/keys.md does not hold.
        """
        document = from_wire(payload, cls)
        document.check()
        return document

    def to_bytes(self) -> bytes:
        """Return the canonical JSON form."""
        return to_wire(self)

    def check(self) -> None:
        """Check every rule within one version.

        Raises:
            FormatError: a rule of spec/keys.md does not hold.
        """
        verify_name(self.name)
        from_instant(self.issued_at)
        if not 1 <= self.version <= LIMITS.max_owner_versions:
            raise FormatError(f"an owner document has no version from 1 to {LIMITS.max_owner_versions}")
        if (self.owner is None) != (self.version == 1):
            raise FormatError("an owner document names its owner id from version 2 on, and only then")
        if self.owner is not None:
            verify_owner_id(self.owner)
        places = self.key_places()
        if not 1 <= self.roots.threshold <= len(self.roots.keys):
            raise FormatError(
                "the threshold of an owner document is not between 1 and its number of roots",
                code="threshold",
            )
        self._check_cut_off({key.key_id for key, place in places.items() if place != KeyKind.OWNER_ROOT})

    def key_places(self) -> dict[RolePublic, KeyKind]:
        """Return each key of the document with its one place.

        Raises:
            FormatError: a key in two places, twice in one, out of order, or of another kind.
        """
        places: dict[RolePublic, KeyKind] = {}
        _place(places, self.roots.keys, KeyKind.OWNER_ROOT, LIMITS.max_roots)
        for role in Role:
            entries = self.roles.of(role)
            _place(places, [entry.key for entry in entries], ROLE_KINDS[role], LIMITS.max_role_keys)
            for entry in entries:
                if entry.retired_at is not None:
                    from_instant(entry.retired_at)
        return places

    def _check_cut_off(self, role_key_ids: set[str]) -> None:
        key_ids = [entry.key_id for entry in self.cut_off]
        if key_ids != sorted(set(key_ids)):
            raise FormatError("the cut-off keys of an owner document are not sorted, or one is there twice")
        for entry in self.cut_off:
            if not _KEY_ID.fullmatch(entry.key_id) or entry.key_id not in role_key_ids:
                raise FormatError("a cut-off key is in no role of its owner document")
            if entry.log_position is not None and entry.log_position < 0:
                raise FormatError("a log position is negative")
            if not _REASON.fullmatch(entry.reason):
                raise FormatError("the reason of a cut-off is not one line of 1 to 200 ASCII characters")


def issued_before(entry: RoleKey, issued_at: datetime) -> bool:
    """Tell whether a document of this instant came before the key's retirement."""
    return entry.retired_at is None or issued_at < from_instant(entry.retired_at)


def _place(places: dict[RolePublic, KeyKind], texts: Iterable[str], kind: KeyKind, most: int) -> None:
    found = list(texts)
    if len(found) > most:
        raise FormatError(f"an owner document has more than {most} {kind.value} keys")
    if found != sorted(found):
        raise FormatError(f"the {kind.value} keys of an owner document are not sorted")
    for text in found:
        public = role_public_from_text(text, kind)
        # Keys are compared as bytes: the same key as text of two kinds is one key. A
        # key counted twice would reach a threshold alone; a key with two roles would
        # make one theft two.
        if public in places:
            raise FormatError("one key stands in two places of an owner document", code="owner-key-twice")
        places[public] = kind
