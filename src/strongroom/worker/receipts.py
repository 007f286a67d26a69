"""What a client makes of the receipt in an answer: the file for others, and the salts for itself.

    file, salts = receipts_of(opened.warrant, answer, inputs, outputs)

The answer brings the signed root and the seed of the salts. The commitments follow from the seed and
from the values, which the client has on both sides: it computes them again, so that a receipt
of anything else is noticed at once (spec/receipt.md, "Commitments").
"""

from __future__ import annotations

from collections.abc import Sequence

from strongroom._encoding import from_hex
from strongroom.errors import FormatError
from strongroom.license.documents import ReceiptBatch
from strongroom.license.signing import read_unverified
from strongroom.receipts.batch import make_entries, root_of
from strongroom.receipts.receipt_file import ReceiptFile, Warrant
from strongroom.receipts.salt_file import SaltFile
from strongroom.worker.frames import Tensor
from strongroom.worker.messages import Answer


def receipts_of(
    warrant: Warrant | None, answer: Answer, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> tuple[ReceiptFile, SaltFile]:
    """Return the receipts of an answer that was asked with ``receipt``, and their salts.

    Raises:
        FormatError: the answer brings none, or one of something else (code ``unexpected-message``).
    """
    if warrant is None or answer.receipt is None or answer.salt is None:
        raise FormatError("the model's runtime gave no receipt", code="unexpected-message")
    seed = from_hex(answer.salt)
    batch = read_unverified(answer.receipt, ReceiptBatch)
    entries = make_entries(inputs, outputs, predictions=batch.predictions, seed=seed)
    if root_of(entries) != from_hex(batch.root):
        raise FormatError("the receipt of an answer is one of something else", code="unexpected-message")
    file = ReceiptFile(warrant=warrant, batch=answer.receipt, entries=tuple(entries))
    return file, SaltFile.of(batch.id, seed, len(entries))
