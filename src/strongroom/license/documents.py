"""Every kind of license document, in one import, each signed as a JWS with a ``typ`` of its own.

    signed = sign_document(License(...), license_key)      # signing.py
    signed.id                                              # 'lic-' and 24 characters

The list only grows, and a kind never changes: a new meaning is a new ``format``.
"""

from __future__ import annotations

from typing import Final

from strongroom.license.derivation_document import Derivation
from strongroom.license.document import Document, OwnerSigned, Party
from strongroom.license.grant_documents import Acceptance, License, Sublicense
from strongroom.license.notice_documents import Revocation, Withdrawal
from strongroom.license.receipt_documents import ReceiptBatch, RuntimeCertificate
from strongroom.license.release_documents import KeyRelease, Lease, OfflineFile, PassphraseFile
from strongroom.license.report_documents import BreakGlassReport, Count, Receipt, Usage
from strongroom.license.runtime_documents import LeaseRequest

__all__ = [
    "KINDS",
    "Acceptance",
    "BreakGlassReport",
    "Count",
    "Derivation",
    "Document",
    "KeyRelease",
    "Lease",
    "LeaseRequest",
    "License",
    "OfflineFile",
    "OwnerSigned",
    "Party",
    "PassphraseFile",
    "Receipt",
    "ReceiptBatch",
    "Revocation",
    "RuntimeCertificate",
    "Sublicense",
    "Usage",
    "Withdrawal",
]

KINDS: Final[tuple[type[Document], ...]] = (
    License,
    Sublicense,
    Acceptance,
    OfflineFile,
    PassphraseFile,
    Lease,
    Withdrawal,
    Revocation,
    Usage,
    Receipt,
    LeaseRequest,
    Derivation,
    RuntimeCertificate,
    ReceiptBatch,
)
"""Every kind. Append only."""
