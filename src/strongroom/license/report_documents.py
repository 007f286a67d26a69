"""What a runtime says, signed by its device key: usage, and how receipts began.

    Usage(license=chain.id, runtime="run-...", authority="off-...", previous=None, counts=(...), ...)

They are statements of the partner; a dishonest one can lie and is then in provable breach.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from strongroom.keys.text import KeyKind
from strongroom.license.document import MAX_REASON_CHARS, Document
from strongroom.license.fields import Fields, verify_count, verify_digest, verify_id, verify_text
from strongroom.license.period import CounterKey, CounterName
from strongroom.license.request import Right


class Count(Fields, frozen=True, kw_only=True):
    """How much was used in one period."""

    document: str
    counter: CounterName
    period: str
    count: int

    def check_fields(self) -> None:
        """Check key and count.

        Raises:
            FormatError: one of them breaks its rule.
        """
        CounterKey.from_text(CounterKey(self.document, self.counter, self.period).to_text())
        verify_count(self.count, "a count")


class BreakGlassReport(Fields, frozen=True, kw_only=True):
    """One use of break-glass, as the owner reads it."""

    started_at: datetime
    reason: str

    def check_fields(self) -> None:
        """Check the reason.

        Raises:
            FormatError: it is no line of text.
        """
        verify_text(self.reason, "a reason", most=MAX_REASON_CHARS)


class Usage(Document, frozen=True, kw_only=True):
    """What a runtime used, as it says when it renews."""

    NAME: ClassVar[str] = "usage"
    PREFIX: ClassVar[str] = "use-"
    SIGNERS: ClassVar[tuple[KeyKind, ...]] = (KeyKind.DEVICE,)

    format: Literal["usage/v1"] = "usage/v1"
    license: str
    runtime: str
    authority: str
    """The lease or offline file under which it was used."""
    previous: str | None
    """The usage before this one: two successors of one show a clone."""
    counts: tuple[Count, ...]
    break_glass: tuple[BreakGlassReport, ...]
    issued_at: datetime

    def check_fields(self) -> None:
        """Check ids.

        Raises:
            FormatError: one of them breaks its rule.
        """
        verify_id(self.license, "lic-", "sub-")
        verify_id(self.runtime, "run-")
        verify_id(self.authority, "lea-", "off-")
        if self.previous is not None:
            verify_id(self.previous, self.PREFIX)


class Receipt(Document, frozen=True, kw_only=True):
    """One prediction alone. Reserved: nobody writes it, what is written is a ``ReceiptBatch``."""

    NAME: ClassVar[str] = "receipt"
    PREFIX: ClassVar[str] = "rct-"
    SIGNERS: ClassVar[tuple[KeyKind, ...]] = (KeyKind.DEVICE,)

    format: Literal["receipt/v1"] = "receipt/v1"
    license: str
    runtime: str
    package: str
    part: str | None
    """Digest of the part that was opened with it; None: the package has no marked segments."""
    right: Right
    input: str
    """Salted commitment, SHA-256; the partner keeps the salt."""
    output: str
    issued_at: datetime

    def check_fields(self) -> None:
        """Check ids and digests.

        Raises:
            FormatError: one of them breaks its rule.
        """
        verify_id(self.license, "lic-", "sub-")
        verify_id(self.runtime, "run-")
        for commitment in (self.package, self.part, self.input, self.output):
            verify_digest(commitment)
