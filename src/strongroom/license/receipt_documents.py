"""What a receipt rests on: the batch that a runtime signs, and the certificate of that runtime.

    RuntimeCertificate(owner="own-...", device=text, runtime="run-...", issued_at=now)     # the organization
    ReceiptBatch(license=chain.id, runtime="run-...", root=root, size=128, ...)            # the device

A license names the organization key of its holder, that key certifies the device key of each
runtime, and the device key signs what the runtime did. So a stranger who knows the owner gets to the
device key by documents that may all be shown to anybody (spec/receipt.md, "Warrant").
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final, Literal

from strongroom._encoding import from_hex
from strongroom.errors import FormatError
from strongroom.keys.identity import runtime_id, verify_owner_id
from strongroom.keys.key_pair import signing_public_from_text
from strongroom.keys.text import KeyKind
from strongroom.license.document import Document
from strongroom.license.fields import (
    MAX_COUNT,
    SERIAL_BYTES,
    verify_count,
    verify_digest,
    verify_id,
    verify_text,
)
from strongroom.license.request import Level, Right

MAX_METHOD_CHARS: Final = 64


class RuntimeCertificate(Document, frozen=True, kw_only=True):
    """The partner's word that a device key is that of one of its runtimes, toward one owner."""

    NAME: ClassVar[str] = "runtime-certificate"
    PREFIX: ClassVar[str] = "rtc-"
    SIGNERS: ClassVar[tuple[KeyKind, ...]] = (KeyKind.ORGANIZATION,)

    format: Literal["runtime-certificate/v1"] = "runtime-certificate/v1"
    owner: str
    """Owner id: a runtime has other keys toward other owners."""
    device: str
    """Public text of the device key."""
    runtime: str
    """The id that follows from it."""
    issued_at: datetime

    def check_fields(self) -> None:
        """Check owner and key.

        Raises:
            FormatError: one of them breaks its rule, or the id is not that of the key.
        """
        verify_owner_id(self.owner)
        if runtime_id(signing_public_from_text(self.device, KeyKind.DEVICE)) != self.runtime:
            raise FormatError("the runtime id of a certificate does not follow from its device key")


class ReceiptBatch(Document, frozen=True, kw_only=True):
    """What the device key signs: these predictions, of this copy, under this license, at this time."""

    NAME: ClassVar[str] = "receipt-batch"
    PREFIX: ClassVar[str] = "rcb-"
    SIGNERS: ClassVar[tuple[KeyKind, ...]] = (KeyKind.DEVICE,)

    format: Literal["receipt-batch/v1"] = "receipt-batch/v1"
    license: str
    """Id of the narrowest document of the chain."""
    authority: str
    """The lease, offline file or pass-phrase file under which it was counted."""
    runtime: str
    package: str
    """Package digest."""
    part: str | None
    """Digest of the part that was opened with it; None: the package has no marked segments."""
    level: Level
    right: Right
    method: str
    """What the model was asked."""
    session: str
    """16 random bytes of one opening of the model."""
    first: int
    """How many predictions had left in that session before."""
    predictions: int
    """How many predictions were counted for the whole batch."""
    size: int
    """Entries under the root: one for each prediction, or one for all of them."""
    root: str
    """Merkle root of the entries."""
    issued_at: datetime

    def check_fields(self) -> None:
        """Check ids, digests and counts.

        Raises:
            FormatError: one of them breaks its rule.
        """
        verify_id(self.license, "lic-", "sub-")
        verify_id(self.authority, "lea-", "off-", "pwd-")
        verify_id(self.runtime, "run-")
        for digest in (self.package, self.part, self.root):
            verify_digest(digest)
        verify_text(self.method, "a method", most=MAX_METHOD_CHARS)
        from_hex(self.session, size=SERIAL_BYTES)
        if not 0 <= self.first <= MAX_COUNT:
            raise FormatError("a batch of receipts begins at an impossible number")
        verify_count(self.predictions, "the predictions of a batch")
        if self.size not in (1, self.predictions):
            raise FormatError("a batch of receipts has one entry for each prediction, or one for all")
