"""Receipts of one session: what the supervisor signs of an answer that is about to leave.

    signer = ReceiptSigner.of(home, opening)
    token, seed = signer.sign(inputs, outputs, method="predict", predictions=3, authority=id, now=now)
    signer.left(3)                          # they left: the next ones have later numbers

The seed of the salts is drawn here and returned, and kept nowhere (spec/receipt.md, "Commitments").
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from strongroom._encoding import to_base64, to_hex, to_instant
from strongroom.crypto import jws
from strongroom.errors import Error, UnsupportedError
from strongroom.home.home import Home
from strongroom.keys.key_pair import SigningKey
from strongroom.license.documents import ReceiptBatch, RuntimeCertificate
from strongroom.license.fields import new_serial
from strongroom.license.request import Request
from strongroom.license.signing import verify_by_key
from strongroom.opening import Opening
from strongroom.package.statement import read_unverified
from strongroom.package.tail import read_signed_statement
from strongroom.receipts.batch import make_entries, root_of
from strongroom.receipts.commitment import SEED_BYTES
from strongroom.receipts.receipt_file import Warrant
from strongroom.storage.local import LocalSource
from strongroom.worker.frames import Tensor

_ENCODER: Final = msgspec.json.Encoder()
_FORM: Final = (
    '{{"authority":"%b","first":%d,"format":"receipt-batch/v1","issued_at":"%b","level":"{level}",'
    '"license":"{license}","method":%b,"package":"{package}","part":null,"predictions":%d,"right":"{right}",'
    '"root":"%b","runtime":"{runtime}","session":"{session}","size":%d}}'
)
"""The members of a receipt batch in their order."""


class ReceiptSigner:
    """Signs receipts with the device key, each prediction of the session under a number of its own."""

    def __init__(self, device: SigningKey, warrant: Warrant, *, license: str, request: Request) -> None:
        """Sign under a license what is asked as ``request`` says; ``of`` makes one for an opening."""
        self._device = device
        self.warrant = warrant
        self._session = new_serial()
        self._first = 0
        fixed = {
            "level": request.level.value,
            "license": license,
            "package": request.package_digest,
            "right": request.right.value,
            "runtime": request.runtime,
            "session": self._session,
        }
        self._form = _FORM.format(**fixed).encode("ascii")

    @classmethod
    def of(cls, home: Home, opening: Opening) -> ReceiptSigner | None:
        """Return the signer of a session; None: there are not all documents that a stranger would believe.

        Raises:
            NoMatchingKey: the device key cannot be opened.
            FormatError: its file is damaged.
            StorageUnavailable: its file cannot be read.
        """
        device = home.keys.device(opening.owner.id)
        try:
            warrant = _warrant_of(home, opening, device)
        except Error:
            # A receipt would be worth nothing, and none is given. Predictions do not depend on it.
            return None
        if warrant is None:
            return None
        return cls(device, warrant, license=opening.chain.id, request=opening.request)

    def sign(
        self,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        *,
        method: str,
        predictions: int,
        authority: str,
        now: datetime,
    ) -> tuple[str, str]:
        """Return the token over one answer, and the seed of its salts.

        Raises:
            FormatError: a text does not fill its bytes.
        """
        seed = secrets.token_bytes(SEED_BYTES)
        entries = make_entries(inputs, outputs, predictions=predictions, seed=seed)
        # As ``sign_document`` would, at a third of the price: all but these few members is known since the
        # opening, and a test compares what is signed with the document that it is.
        payload = self._form % (
            authority.encode(),
            self._first,
            to_instant(now).encode(),
            _ENCODER.encode(method),
            predictions,
            root_of(entries).hex().encode(),
            len(entries),
        )
        return jws.sign(ReceiptBatch.typ(), payload, self._device.secret), to_hex(seed)

    def left(self, predictions: int) -> None:
        """Note that so many predictions left, with receipts or without."""
        self._first += predictions


def receipt_missing() -> UnsupportedError:
    """Return the refusal of a runtime that cannot sign receipts which anybody could verify."""
    return UnsupportedError(
        "this runtime cannot give receipts: its organization has not certified it yet",
        code="receipt-missing",
        hint="accept the license once more: strongroom accept FILE.license",
    )


def _warrant_of(home: Home, opening: Opening, device: SigningKey) -> Warrant | None:
    certificate = home.trust.certificate(opening.owner.id)
    if certificate is None:
        return None
    said = verify_by_key(certificate, RuntimeCertificate, opening.chain.holder.organization).document
    with LocalSource(opening.package_path) as source:
        statement = read_signed_statement(source)
    found = (said.owner, said.device, read_unverified(statement).package_digest)
    if found != (opening.owner.id, device.public_text, opening.statement.package_digest):
        return None
    license_, *sublicenses = (document.token for document in opening.chain.documents)
    return Warrant(
        owner=tuple(opening.owner.chain.to_json()),
        license=license_,
        sublicenses=tuple(sublicenses),
        runtime=certificate,
        statement=to_base64(statement),
    )
