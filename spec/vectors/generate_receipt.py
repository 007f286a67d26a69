"""Write the vectors of spec/receipt.md: ``python spec/vectors/generate_receipt.py``.

Each vector is one file in ``spec/vectors/receipt/`` with one outcome, named by it: a text
header, an empty line, then the bytes of the case. Running this again gives the same
files; ``tests/vectors/test_receipt.py`` checks that it does.

    check: what to do with the bytes (spec/receipt.md, section "Test vectors")
    expect: success | format | verification | integrity
    comment: what is right or wrong
    ...: what the check needs and, on success, gives
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import license_toolkit as kit
import receipt_toolkit as rkit
from keys_toolkit import ROOTS, Chain
from package_toolkit import Signer, canonical
from receipt_toolkit import Batch, warrant

FOLDER = Path(__file__).parent / "receipt"
SUFFIX = ".vector"

Vector = tuple[str, str, dict[str, Any], bytes]
"""Name (its first word is the outcome), comment, rest of the header, bytes."""

BATCH = Batch()
OWNER = kit.OWNER.owner


def vectors() -> Iterator[Vector]:
    """Yield every vector."""
    yield from files()
    yield from malformed()
    yield from forged()
    yield from misplaced()
    yield from salts()
    yield from shown()


def header(batch: Batch = BATCH, count: int = 3, holder: str = "clinic", **changes: Any) -> dict[str, Any]:
    """Return the header of a file that verifies."""
    values = {"check": "file", "owner": OWNER, "batch": batch.document.id, "holder": holder, "count": count}
    return values | changes


def files() -> Iterator[Vector]:
    """Receipts that every reader must accept."""
    yield "success-all", "three receipts of one batch", header(), BATCH.file()
    for index in range(3):
        name = f"success-path-{index}"
        yield name, f"receipt {index} of three, with its path", header(count=1), BATCH.file(index)
    one = Batch(1)
    yield "success-one", "one prediction alone", header(one, 1), one.file()
    yield "success-one-path", "one prediction alone, with an empty path", header(one, 1), one.file(0)
    many = Batch(1, predictions=7)
    yield "success-whole", "one entry for seven predictions", header(many, 1), many.file()
    child = kit.sublicense(rkit.LICENSE)
    ward = kit.runtime_certificate(kit.WARD)
    passed = Batch(of=child)
    data = passed.file(warrant=warrant(sublicenses=[child.token], runtime=ward.token))
    yield "success-sublicense", "under a sub-license", header(passed, holder="ward"), data
    later = Chain().add(name="hospital")
    yield (
        "success-longer-chain",
        "a later owner document",
        header(),
        BATCH.file(warrant=warrant(owner=later.texts())),
    )


def malformed() -> Iterator[Vector]:
    """Bytes that are no receipt file."""
    check = {"check": "file", "owner": OWNER}
    whole, one = BATCH.members(), BATCH.members(1)
    huge = "9" * 30
    cases: list[tuple[str, str, bytes]] = [
        ("empty", "nothing", b""),
        ("truncated", "the last byte is missing", BATCH.file()[:-1]),
        ("white-space", "a space", BATCH.file().replace(b'"index":', b'"index": ')),
        ("twice", "a member twice", BATCH.file().replace(b'"index":null', b'"index":0,"index":null')),
        ("format", "another format", BATCH.file(format="receipt-file/v2")),
        ("member", "an unknown member", BATCH.file(salt="00" * 32)),
        ("no-entries", "no entry", BATCH.file(entries=[])),
        ("entry-size", "a commitment of 31 bytes", BATCH.file(entries=[["11" * 31, "22" * 32]])),
        ("entry-three", "three commitments", BATCH.file(entries=[["11" * 32] * 3])),
        ("upper-case", "upper-case hexadecimal", BATCH.file(entries=[["AA" * 32, "22" * 32]])),
        ("index-many", "an index and three entries", canonical(whole | {"index": 0, "path": []})),
        ("index-no-path", "an index without a path", canonical(one | {"path": None})),
        ("path-no-index", "a path without an index", canonical(one | {"index": None})),
        ("index-negative", "a negative index", canonical(one | {"index": -1})),
        (
            "index-huge",
            "a number beyond all",
            BATCH.file(1).replace(b'"index":1', f'"index":{huge}'.encode()),
        ),
        ("path-hash", "a hash of another size", canonical(one | {"path": ["00"]})),
        ("path-long", "64 hashes", canonical(one | {"path": ["00" * 32] * 64})),
        ("no-warrant", "no warrant", canonical({name: whole[name] for name in whole if name != "warrant"})),
        ("no-chain", "no owner chain", BATCH.file(warrant=warrant(owner=[]))),
        ("statement", "a statement that is no base64", BATCH.file(warrant=warrant(statement="*"))),
        (
            "certificate",
            "an acceptance as certificate",
            BATCH.file(warrant=warrant(runtime=kit.acceptance(rkit.LICENSE).token)),
        ),
        ("batch", "a usage report as batch", BATCH.file(batch=kit.usage(rkit.LICENSE, rkit.AUTHORITY).token)),
    ]
    for name, comment, data in cases:
        yield f"format-{name}", comment, check, data


def forged() -> Iterator[Vector]:
    """Well formed, and not what it says."""
    other = kit.license(kit.OFFLINE)
    daily = Batch(of=other)
    stranger = Signer("stranger")
    statement, _ = rkit.statement(version="1.0.1")
    foreign, _ = rkit.statement(stranger)
    unlicensed, unlicensed_digest = rkit.statement(name="other")
    explained = Batch(right="export")
    expired = kit.license({"at": "2026-11-24T02:00:00Z", "term": "expires"})
    early = kit.license({"at": "2026-11-24T04:00:00Z", "term": "not-before"})
    weak = kit.license(terms=[*kit.BASE[:2], {"at_least": "attested", "term": "levels"}])
    toward_other = kit.runtime_certificate(owner="own-" + "a" * 24)
    lawful = BATCH.document.token.rsplit(".", 1)
    cases: list[tuple[str, str, str, bytes]] = [
        (
            "signature",
            "signature",
            "the signature of another token",
            BATCH.file(batch=f"{lawful[0]}.{daily.document.token.rsplit('.', 1)[1]}"),
        ),
        (
            "device",
            "wrong-signer",
            "signed by a device key that nobody certified",
            Batch(key=stranger).file(),
        ),
        (
            "runtime",
            "receipt-runtime",
            "another runtime than the signer",
            Batch(runtime=kit.OTHER_RUNTIME).file(),
        ),
        (
            "organization",
            "wrong-signer",
            "a runtime that another organization certified",
            BATCH.file(warrant=warrant(runtime=kit.runtime_certificate(kit.WARD).token)),
        ),
        (
            "toward-other",
            "receipt-runtime",
            "a runtime that is certified toward another owner",
            BATCH.file(warrant=warrant(runtime=toward_other.token)),
        ),
        (
            "license",
            "receipt-license",
            "another license than it names",
            BATCH.file(warrant=warrant(license=other.token)),
        ),
        (
            "license-key",
            "wrong-signer",
            "a license that a stranger signed",
            BATCH.file(warrant=warrant(license=kit.license(key=stranger).token)),
        ),
        (
            "package",
            "receipt-package",
            "the statement of another version",
            BATCH.file(warrant=warrant(statement=base64.b64encode(statement).decode())),
        ),
        (
            "statement",
            "wrong-signer",
            "a statement that a stranger signed",
            BATCH.file(warrant=warrant(statement=base64.b64encode(foreign).decode())),
        ),
        (
            "not-licensed",
            "receipt-not-licensed",
            "a package that the license does not name",
            Batch(package=unlicensed_digest).file(
                warrant=warrant(statement=base64.b64encode(unlicensed).decode())
            ),
        ),
        ("right", "receipt-not-licensed", "a right that was not granted", explained.file()),
        (
            "expired",
            "receipt-not-licensed",
            "later than the license",
            Batch(of=expired).file(warrant=warrant(license=expired.token)),
        ),
        (
            "early",
            "receipt-not-licensed",
            "before the license",
            Batch(of=early).file(warrant=warrant(license=early.token)),
        ),
        (
            "level",
            "receipt-not-licensed",
            "a level that is too low",
            Batch(of=weak).file(warrant=warrant(license=weak.token)),
        ),
    ]
    for name, code, comment, data in cases:
        header = {"check": "file", "owner": OWNER, "code": code}
        yield f"verification-{name}", comment, header, data
    header = {"check": "file", "owner": "own-" + "a" * 24, "code": "receipt-owner"}
    yield "verification-owner", "receipts of another owner", header, BATCH.file()
    unsigned = Chain(ROOTS[1:2])
    header = {"check": "file", "owner": OWNER, "code": "owner-signature"}
    data = BATCH.file(warrant=warrant(owner=unsigned.texts()))
    yield "verification-owner-signature", "an owner document that its root did not sign", header, data


def misplaced() -> Iterator[Vector]:
    """Entries that are not under the root."""
    header = {"check": "file", "owner": OWNER, "code": "receipt-path"}
    one, swapped = BATCH.members(1), [each[::-1] for each in BATCH.entries]
    sibling = BATCH.members(0)
    cases = [
        (
            "changed",
            "a changed commitment",
            BATCH.file(entries=[["11" * 32, BATCH.entries[0][1]], *BATCH.entries[1:]]),
        ),
        ("swapped", "input and output in each other's place", BATCH.file(entries=swapped)),
        ("order", "another order", BATCH.file(entries=BATCH.entries[::-1])),
        ("fewer", "one entry too few", BATCH.file(entries=BATCH.entries[:2])),
        ("more", "one entry too many", BATCH.file(entries=[*BATCH.entries, BATCH.entries[2]])),
        ("index", "another index", canonical(one | {"index": 0})),
        ("beyond", "an index beyond the batch", canonical(one | {"index": 3})),
        ("sibling", "the entry of a sibling", canonical(one | {"entries": sibling["entries"]})),
        ("path", "a changed path", canonical(one | {"path": ["00" * 32, *one["path"][1:]]})),
        ("short", "a path too short", canonical(one | {"path": one["path"][:1]})),
        ("long", "a path too long", canonical(one | {"path": [*one["path"], "00" * 32]})),
    ]
    for name, comment, data in cases:
        yield f"integrity-{name}", comment, header, data


def salts() -> Iterator[Vector]:
    """Salt files."""
    batch = BATCH.document.id
    header = {"check": "salts", "batch": batch}
    yield "success-salts", "the salts of a batch", header | {"count": 3}, BATCH.salt_file()
    yield "success-salts-one", "the salts of one receipt", header | {"count": 1}, BATCH.salt_file(2)
    half = BATCH.salt_file(2, salts=[[None, BATCH.salts[2][1].hex()]])
    yield "success-salts-output", "the salt of one output alone", header | {"count": 1}, half
    check = {"check": "salts"}
    bad = {
        "size": ("a salt of another size", BATCH.salt_file(0, salts=[["00", None]])),
        "none": ("no salts", BATCH.salt_file(salts=[])),
        "index": ("an index and three receipts", BATCH.salt_file(None, index=0)),
        "negative": ("a negative index", BATCH.salt_file(0, index=-1)),
        "batch": ("the id of something else", BATCH.salt_file(batch="lic-" + "a" * 24)),
        "format": ("another format", BATCH.salt_file(format="receipt-file/v1")),
    }
    for name, (comment, data) in bad.items():
        yield f"format-salts-{name}", comment, check, data


def shown() -> Iterator[Vector]:
    """Values, with the salts that show that they are the ones."""

    def show(number: int, **changes: Any) -> dict[str, Any]:
        given, left = rkit.row(number)
        before, after = BATCH.salts[number]
        values = {"input": given, "output": left, "input-salt": before.hex(), "output-salt": after.hex()}
        values |= changes
        lists = {name: json.dumps(values[name], sort_keys=True) for name in ("input", "output")}
        return {"check": "show", "owner": OWNER, "row": number} | values | lists

    for number in range(3):
        yield f"success-show-{number}", "the values of a row", show(number), BATCH.file(number)
    given, _ = rkit.row(1)
    yield "success-show-order", "tensors in another order", show(1, input=given[::-1]), BATCH.file()
    before, after = BATCH.salts[1]
    wide = [rkit.tensor("X", "FP64", [1, 2], bytes(16)), given[0]]
    renamed = [given[0], given[1] | {"name": "Y"}]
    flat = [given[0], given[1] | {"shape": [2]}]
    missing = [given[1], rkit.tensor("ward", "BYTES", [1], rkit.text(""))]
    cases = [
        ("input", "receipt-input", "the input of another row", {"input": rkit.row(0)[0]}),
        ("output", "receipt-output", "the output of another row", {"output": rkit.row(0)[1]}),
        ("datatype", "receipt-input", "another datatype", {"input": wide}),
        ("name", "receipt-input", "another name", {"input": renamed}),
        ("shape", "receipt-input", "another shape", {"input": flat}),
        ("text", "receipt-input", "an empty text for a missing one", {"input": missing}),
        ("fewer", "receipt-input", "a tensor is missing", {"input": given[:1]}),
        (
            "salts",
            "receipt-input",
            "salts in each other's place",
            {"input-salt": after.hex(), "output-salt": before.hex()},
        ),
        ("other-salt", "receipt-output", "the salt of another row", {"output-salt": BATCH.salts[0][1].hex()}),
        (
            "crossed",
            "receipt-output",
            "the input as the output",
            {"output": given, "output-salt": before.hex()},
        ),
    ]
    for name, code, comment, changes in cases:
        yield f"integrity-show-{name}", comment, show(1, **changes) | {"code": code}, BATCH.file()
    twice = show(1, input=[given[1], given[1]])
    yield "format-show-twice", "a tensor twice", twice, BATCH.file()
    yield "format-show-salt", "a salt of another size", show(1, **{"input-salt": "00"}), BATCH.file()


def to_bytes(vector: Vector) -> bytes:
    """Return the file of a vector."""
    name, comment, rest, data = vector
    head = {"check": rest["check"], "expect": name.partition("-")[0], "comment": comment} | rest
    return "".join(f"{key}: {value}\n" for key, value in head.items()).encode() + b"\n" + data


def main() -> None:
    """Write all files, and remove those that are no longer made."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob(f"*{SUFFIX}"):
        path.unlink()
    for vector in vectors():
        (FOLDER / f"{vector[0]}{SUFFIX}").write_bytes(to_bytes(vector))


if __name__ == "__main__":
    main()
