"""Answers with their receipts, as a program gets them.

receipts = model.receipt(frame)
receipts.answers                               # what predict answers
receipts.file.to_bytes()                       # for anybody: all receipts, under one signature
receipts.file.one(7).to_bytes()                # that of one row, which tells nothing of the others
receipts.salts.one(7).to_bytes()               # for whom the values of that row may be shown to
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from strongroom.receipts.receipt_file import ReceiptFile
from strongroom.receipts.salt_file import SaltFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipts:
    """Answers, and a receipt of each row."""

    answers: Any
    """What the method answers, of the kind that was passed."""
    file: ReceiptFile
    """Public. Without the salts nobody learns a value from it, not even by guessing."""
    salts: SaltFile
    """Secret, and nowhere else: with them, and the values, you show what went in and came out."""
