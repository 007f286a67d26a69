"""Receipts as a runtime makes them, of the hospital, clinic and device of the license tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from strongroom._encoding import to_base64, to_hex
from strongroom.license.chain import LicenseChain
from strongroom.license.documents import ReceiptBatch, RuntimeCertificate
from strongroom.license.request import Level, Right
from strongroom.license.signing import sign_document
from strongroom.package.names import Version
from strongroom.package.statement import Statement, sign_statement, signer
from strongroom.receipts.batch import make_entries, root_of
from strongroom.receipts.receipt_file import ReceiptFile, Warrant
from strongroom.worker.frames import Tensor
from strongroom.worker.tensor import from_array
from tests.unit.license.world import (
    CLINIC,
    DEVICE,
    NONCE,
    NOW,
    OWNER,
    PACKAGE_ID,
    PACKAGE_KEY,
    RUNTIME,
    SIGNED,
    signed_chain,
)

SEED: Final = bytes(range(32))
CHAIN: Final = signed_chain()
STATEMENT: Final = Statement(
    package_id=PACKAGE_ID,
    name="risk",
    version=Version.from_text("1.2.0"),
    owner=OWNER.id,
    payload_bytes=100,
    contents_bytes=100,
    index_sha256="cd" * 32,
    created_at=SIGNED,
)


def rows_of(count: int) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return the input and output of a request for so many rows: numbers and texts in, labels out."""
    texts = np.array([["", "süd", None, "a" * 40][at % 4] for at in range(count)], dtype=object)
    numbers = np.arange(3 * count, dtype=np.float64).reshape(count, 3)
    return (
        (from_array("X", numbers), from_array("ward", texts)),
        (from_array("label", np.arange(count, dtype=np.int64)),),
    )


def warrant(chain: LicenseChain = CHAIN, **changes: Any) -> Warrant:
    """Return the warrant of the clinic's runtime."""
    certificate = RuntimeCertificate(
        owner=OWNER.id, device=DEVICE.public_text, runtime=RUNTIME, issued_at=SIGNED
    )
    members: dict[str, Any] = {
        "owner": tuple(OWNER.chain.to_json()),
        "license": chain.license.token,
        "sublicenses": tuple(each.token for each in chain.documents[1:]),
        "runtime": sign_document(certificate, CLINIC).token,
        "statement": to_base64(sign_statement(STATEMENT, signer(PACKAGE_KEY.secret))),
    }
    return Warrant(**(members | changes))


def receipts_of(
    inputs: Sequence[Tensor], outputs: Sequence[Tensor], predictions: int, **changes: Any
) -> ReceiptFile:
    """Return the receipts of one request, signed by the device."""
    entries = make_entries(inputs, outputs, predictions=predictions, seed=SEED)
    members: dict[str, Any] = {
        "license": CHAIN.id,
        "authority": "off-" + "a" * 24,
        "runtime": RUNTIME,
        "package": STATEMENT.package_digest,
        "part": None,
        "level": Level.LOCAL,
        "right": Right.PREDICT,
        "method": "predict",
        "session": NONCE,
        "first": 0,
        "predictions": predictions,
        "size": len(entries),
        "root": to_hex(root_of(entries)),
        "issued_at": NOW,
    }
    batch = ReceiptBatch(**(members | changes))
    return ReceiptFile(warrant=warrant(), batch=sign_document(batch, DEVICE).token, entries=tuple(entries))
