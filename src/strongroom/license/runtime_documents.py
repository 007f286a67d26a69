"""What a runtime asks of a broker, signed by its device key: a lease.

    request = LeaseRequest(
        owner=owner.id, license=chain.id, runtime="run-...", package=digest, level=Level.SEALED,
        worker_key=worker_key_digest(worker.public), nonce=new_serial(), previous=None, predictions=None,
        issued_at=now,
    )

The worker makes its one-time key before any model code runs, and the device key signs the
digest of it: the broker wraps to that key and to no other (spec/license.md, "Lease request").
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import ClassVar, Final, Literal

from msgspec import UNSET, UnsetType

from strongroom._encoding import from_hex, to_hex
from strongroom.crypto.digest import sha256
from strongroom.crypto.hpke import SealingPublic
from strongroom.errors import FormatError
from strongroom.keys.identity import verify_owner_id
from strongroom.keys.text import KeyKind
from strongroom.license.document import Document
from strongroom.license.fields import SERIAL_BYTES, verify_count, verify_digest, verify_id
from strongroom.license.request import Level

_FACT: Final = re.compile("[a-z0-9-]{1,40}")
_MAX_FACTS: Final = 64


class LeaseRequest(Document, frozen=True, kw_only=True):
    """One runtime asks for the key of one package, under one license."""

    NAME: ClassVar[str] = "lease-request"
    PREFIX: ClassVar[str] = "req-"
    SIGNERS: ClassVar[tuple[KeyKind, ...]] = (KeyKind.DEVICE,)

    format: Literal["lease-request/v1"] = "lease-request/v1"
    owner: str
    """Owner id: one device key may serve several owners after a mistake, one request never does."""
    license: str
    """Id of the narrowest document of the chain."""
    runtime: str
    package: str
    """Package digest."""
    level: Level
    """The protection level that is reached."""
    facts: tuple[str, ...] | UnsetType = UNSET
    """What the level follows from (``license.protection``), sorted; left out by whoever has none to show."""
    worker_key: str
    """SHA-256 of the worker's one-time public key."""
    nonce: str
    """16 fresh random bytes; the lease carries them."""
    previous: str | None
    """The lease before, of the same license and package; None: there is none."""
    predictions: int | None
    """How many predictions are wanted; None: as many as the broker likes to give."""
    issued_at: datetime

    def check_fields(self) -> None:
        """Check ids, digests, nonce and number.

        Raises:
            FormatError: one of them breaks its rule.
        """
        verify_owner_id(self.owner)
        verify_id(self.license, "lic-", "sub-")
        verify_id(self.runtime, "run-")
        verify_digest(self.package)
        verify_digest(self.worker_key)
        from_hex(self.nonce, size=SERIAL_BYTES)
        _verify_facts(self.shown)
        if self.previous is not None:
            verify_id(self.previous, "lea-")
        if self.predictions is not None:
            verify_count(self.predictions, "a number of predictions")

    @property
    def shown(self) -> tuple[str, ...]:
        """The facts that are shown."""
        return () if self.facts is UNSET else self.facts


def _verify_facts(facts: tuple[str, ...]) -> None:
    if len(facts) > _MAX_FACTS or list(facts) != sorted(set(facts)):
        raise FormatError(f"facts are sorted, each of them once, and at most {_MAX_FACTS}")
    if not all(_FACT.fullmatch(fact) for fact in facts):
        raise FormatError("a fact has 1 to 40 lower-case letters, digits and hyphens")


def worker_key_digest(public: SealingPublic) -> str:
    """Return what a lease request says of the worker's one-time key: the SHA-256 of its bytes."""
    return to_hex(sha256(public.to_bytes()))
