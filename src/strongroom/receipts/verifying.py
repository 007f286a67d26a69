"""What a receipt shows to a stranger who knows only the owner's id (spec/receipt.md, "Verifying").

    verified = verify_receipts(file, owner="own-...")
    verified.owner.name, verified.chain.holder.name, verified.statement.version, verified.batch.issued_at
    verified.verify_input(7, salt, tensors)         # whoever has salt and values: this went in

It shows who says so: a runtime of the licensed partner, by its device key. Below ``attested`` nothing
shows that it says the truth, and no receipt shows that a license was in force: a revocation, an
overspent budget and an unaccepted agreement leave no trace in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from strongroom._encoding import from_base64, from_hex
from strongroom.crypto import labels
from strongroom.errors import IntegrityError, VerificationError
from strongroom.keys.owner import Owner, OwnerChain, Role, verify_consistent, verify_owner_chain
from strongroom.license.chain import LicenseChain, verify_chain
from strongroom.license.documents import ReceiptBatch, RuntimeCertificate
from strongroom.license.request import Facts, Request
from strongroom.license.signing import Signed, verify_by_key
from strongroom.license.term import Case
from strongroom.license.terms import Expires, Levels, NotBefore, Packages, Rights
from strongroom.license.verdict import Standing
from strongroom.package import statement as package_statement
from strongroom.package.statement import Statement
from strongroom.receipts.batch import Entry, root_of, verify_path
from strongroom.receipts.commitment import Values, commit, has_rows, take_row
from strongroom.receipts.receipt_file import ReceiptFile, at

_SHOWN: Final = (NotBefore, Expires, Packages, Rights, Levels)
"""The terms of which a receipt says enough to check them."""


_EXACTLY: Final = (
    "give names, datatypes, shapes and values exactly as the model was asked, and as it answered"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedReceipts:
    """Receipts whose every signature holds. Made by ``verify_receipts`` and by nothing else."""

    owner: Owner
    chain: LicenseChain
    certificate: RuntimeCertificate
    statement: Statement
    signed: Signed[ReceiptBatch]
    entries: tuple[Entry, ...]
    index: int | None
    """Which entry of the batch this is; None: all of them are here."""

    @property
    def batch(self) -> ReceiptBatch:
        """What the runtime signed."""
        return self.signed.document

    def entry(self, index: int) -> Entry:
        """Return one entry.

        Raises:
            UsageError: it is not here (code ``receipt-index``).
        """
        return self.entries[at(self.entries, self.index, index)]

    def row_of(self, tensors: Sequence[Values], index: int) -> Sequence[Values]:
        """Return the row of a request that an entry is about; a row alone, and what has no rows, as it is.

        Raises:
            FormatError: a text does not fill its bytes.
        """
        count = self.batch.size
        return take_row(tensors, count, index) if count > 1 and has_rows(tensors, count) else tensors

    def verify_input(self, index: int, salt: bytes, tensors: Sequence[Values]) -> None:
        """Check that these tensors are the input of a prediction.

        Raises:
            UsageError: there is no such receipt here (code ``receipt-index``).
            IntegrityError: they are not, or the salt is another (code ``receipt-input``).
            FormatError: a salt of another size.
        """
        if commit(labels.RECEIPT_INPUT, salt, tensors) != self.entry(index).input:
            raise IntegrityError(
                "this is not the input of the receipt, or the salt is another one",
                code="receipt-input",
                hint=_EXACTLY,
            )

    def verify_output(self, index: int, salt: bytes, tensors: Sequence[Values]) -> None:
        """Check that these tensors are the output of a prediction, as it left the runtime.

        Raises:
            UsageError: there is no such receipt here (code ``receipt-index``).
            IntegrityError: they are not, or the salt is another (code ``receipt-output``).
            FormatError: a salt of another size.
        """
        if commit(labels.RECEIPT_OUTPUT, salt, tensors) != self.entry(index).output:
            raise IntegrityError(
                "this is not the output of the receipt, or the salt is another one",
                code="receipt-output",
                hint=_EXACTLY,
            )


def verify_receipts(file: ReceiptFile, owner: str | Owner) -> VerifiedReceipts:
    """Check every signature from the owner down to the receipts, and that they belong together.

    Args:
        file: The receipts.
        owner: The owner id that the reader knows; or the owner as pinned, of whom then the newest
            known document decides which keys are good.

    Raises:
        FormatError: a document in it is malformed or of another kind.
        VerificationError: another owner's (``receipt-owner``), a runtime that the holder of the license
            did not certify for this owner (``receipt-runtime``), another license or package than the
            warrant's (``receipt-license``, ``receipt-package``), a use that the license does not cover
            (``receipt-not-licensed``), or a signature that does not hold.
        IntegrityError: the entries are not those that were signed (code ``receipt-path``).
    """
    known = _verify_owner(file, owner)
    warrant = file.warrant
    chain = verify_chain(warrant.license, warrant.sublicenses, known)
    certificate = verify_by_key(warrant.runtime, RuntimeCertificate, chain.holder.organization).document
    if certificate.owner != known.id:
        raise VerificationError(
            "the runtime of a receipt is certified toward another owner", code="receipt-runtime"
        )
    signed = verify_by_key(file.batch, ReceiptBatch, certificate.device)
    batch = signed.document
    if batch.runtime != certificate.runtime:
        raise VerificationError("a receipt names another runtime than its signer", code="receipt-runtime")
    if batch.license != chain.id:
        raise VerificationError("a receipt is under another license", code="receipt-license")
    statement = _verify_statement(file, known)
    if statement.package_digest != batch.package:
        raise VerificationError("a receipt is of another package", code="receipt-package")
    _verify_terms(chain, statement, batch)
    _verify_entries(file, batch)
    return VerifiedReceipts(
        owner=known,
        chain=chain,
        certificate=certificate,
        statement=statement,
        signed=signed,
        entries=file.entries,
        index=file.index,
    )


def _verify_owner(file: ReceiptFile, owner: str | Owner) -> Owner:
    offered = OwnerChain.from_json(list(file.warrant.owner))
    if isinstance(owner, Owner):
        return verify_consistent(owner, offered)
    known = verify_owner_chain(offered)
    if known.id != owner:
        raise VerificationError(
            f"these receipts are of a model of {known.name} ({known.id}), which is another owner",
            code="receipt-owner",
        )
    return known


def _verify_statement(file: ReceiptFile, owner: Owner) -> Statement:
    data = from_base64(file.warrant.statement)
    said = package_statement.read_unverified(data)
    keys = owner.keys_for(Role.PACKAGE, said.created_at)
    return package_statement.verify_statement(data, keys, owner=owner.id)


def _verify_terms(chain: LicenseChain, statement: Statement, batch: ReceiptBatch) -> None:
    request = Request(
        right=batch.right,
        owner=chain.owner,
        name=statement.name,
        version=str(statement.version),
        package_digest=batch.package,
        level=batch.level,
        runtime=batch.runtime,
    )
    for document, term in chain.terms():
        case = Case(
            request=request,
            facts=Facts(),
            now=batch.issued_at,
            document=document.id,
            issuer=document.issuer,
            standing=Standing.NORMAL,
            authority=None,
            grace=timedelta(),
        )
        denied = term.check(case) if isinstance(term, _SHOWN) else None
        if denied is not None:
            raise VerificationError(
                f"the license of a receipt does not cover what it says: {denied.reason}",
                code="receipt-not-licensed",
            )


def _verify_entries(file: ReceiptFile, batch: ReceiptBatch) -> None:
    root = from_hex(batch.root)
    if file.index is not None:
        (entry,) = file.entries
        verify_path(entry, index=file.index, size=batch.size, path=file.path, root=root)
    elif len(file.entries) != batch.size or root_of(file.entries) != root:
        raise IntegrityError(
            "receipts do not belong to the signature that they come with",
            code="receipt-path",
            hint="ask whoever gave them to you for the whole file",
        )
