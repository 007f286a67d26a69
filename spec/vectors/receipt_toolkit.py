"""Make receipts, right ones and deliberately wrong ones, from the text of spec/receipt.md alone.

    batch = Batch(rows=3)
    data = batch.file()                  # all receipts
    data = batch.file(index=1)           # one of them

This is a second implementation: it imports nothing of Strongroom. Nothing is random.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import license_toolkit as kit
from keys_toolkit import ROLE_KEYS, Members
from license_toolkit import Document
from log_toolkit import leaf, path, root
from package_toolkit import Recipe, bind, canonical, derive, signature

PACKAGE_KEY = ROLE_KEYS["package"][0]
LICENSE = kit.license()
AUTHORITY = kit.release("offline", LICENSE)


def statement(key: Any = PACKAGE_KEY, **predicate: Any) -> tuple[bytes, str]:
    """Return the signed statement of the package, and the package digest."""
    recipe = Recipe(
        predicate={"owner": kit.OWNER.owner} | predicate,
        signatures=lambda message: [signature(key, message)],
    )
    signed = recipe.signed_bytes(100, 100, b"")
    return recipe.envelope(signed), hashlib.sha256(signed).hexdigest()


STATEMENT, PACKAGE = statement()


def tensor(name: str, datatype: str, shape: list[int], data: bytes) -> Members:
    """Return a tensor as the vectors write it."""
    return {"data": data.hex(), "datatype": datatype, "name": name, "shape": shape}


def commit(side: str, salt: bytes, tensors: list[Members]) -> bytes:
    """Return the commitment to tensors."""
    ordered = sorted(tensors, key=lambda each: each["name"].encode())
    description = canonical(
        [{name: each[name] for name in ("datatype", "name", "shape")} for each in ordered]
    )
    label = f"strongroom/receipt-{side}/v1".encode()
    pieces = [bytes.fromhex(each["data"]) for each in ordered]
    return hashlib.sha256(bind(label, salt, description, *pieces)).digest()


def text(value: str | None) -> bytes:
    """Return an element of BYTES."""
    if value is None:
        return b"\xff\xff\xff\xff"
    return len(value.encode()).to_bytes(4, "little") + value.encode()


def row(number: int) -> tuple[list[Members], list[Members]]:
    """Return the input and the output of one row: two numbers and a text, and a label."""
    given = [
        tensor("ward", "BYTES", [1], text(["north", None, "süd"][number % 3])),
        tensor("X", "FP32", [1, 2], bytes([0, 0, 128, 63, 0, 0, 0, 64 + number])),
    ]
    return given, [tensor("label", "INT64", [1], number.to_bytes(8, "little"))]


def warrant(**changes: Any) -> Members:
    """Return the warrant."""
    return {
        "license": LICENSE.token,
        "owner": kit.OWNER.texts(),
        "runtime": kit.runtime_certificate().token,
        "statement": base64.b64encode(STATEMENT).decode(),
        "sublicenses": [],
    } | changes


class Batch:
    """Receipts of so many rows, under one signature."""

    def __init__(self, rows: int = 3, key: Any = kit.DEVICE, of: Document = LICENSE, **changes: Any) -> None:
        self.seed = derive("receipt seed", 32)
        stream = hashlib.shake_256(bind(b"strongroom/receipt-salts/v1", self.seed)).digest(64 * rows)
        self.salts = [(stream[at : at + 32], stream[at + 32 : at + 64]) for at in range(0, 64 * rows, 64)]
        self.entries = []
        for number, (before, after) in enumerate(self.salts):
            given, left = row(number)
            self.entries.append([commit("input", before, given).hex(), commit("output", after, left).hex()])
        self.leaves = [leaf(self.entry(number)) for number in range(rows)]
        members = {
            "package": PACKAGE,
            "predictions": rows,
            "root": root(self.leaves).hex(),
            "size": rows,
        } | changes
        self.document = kit.receipt_batch(of, AUTHORITY, key, **members)

    def entry(self, number: int) -> bytes:
        """Return the bytes of an entry."""
        given, left = self.entries[number]
        return canonical({"format": "receipt-entry/v1", "input": given, "output": left})

    def members(self, index: int | None = None) -> Members:
        """Return the members of a receipt file."""
        found = None if index is None else [each.hex() for each in path(index, self.leaves)]
        return {
            "batch": self.document.token,
            "entries": self.entries if index is None else [self.entries[index]],
            "format": "receipt-file/v1",
            "index": index,
            "path": found,
            "warrant": warrant(),
        }

    def file(self, index: int | None = None, /, **changes: Any) -> bytes:
        """Return a receipt file with changed members."""
        return canonical(self.members(index) | changes)

    def salt_file(self, index: int | None = None, /, **changes: Any) -> bytes:
        """Return a salt file with changed members."""
        salts = [[before.hex(), after.hex()] for before, after in self.salts]
        members = {
            "batch": self.document.id,
            "format": "receipt-salts/v1",
            "index": index,
            "salts": salts if index is None else [salts[index]],
        }
        return canonical(members | changes)
