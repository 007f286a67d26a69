"""Every vector of spec/receipt.md gives exactly its outcome."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from strongroom.errors import Error, FormatError, IntegrityError, VerificationError
from strongroom.receipts.receipt_file import ReceiptFile
from strongroom.receipts.salt_file import SaltFile
from strongroom.receipts.verifying import VerifiedReceipts, verify_receipts
from strongroom.worker.frames import Datatype, Tensor

VECTORS = Path(__file__).parent.parent.parent / "spec" / "vectors"
FOLDER = VECTORS / "receipt"
SUFFIX = ".vector"
OUTCOMES: dict[str, type[Error]] = {
    "format": FormatError,
    "verification": VerificationError,
    "integrity": IntegrityError,
}
Results = dict[str, str]


@dataclass(frozen=True, slots=True)
class Vector:
    """One vector: a header of ``name: value`` lines, then the bytes of the case."""

    name: str
    header: Results
    data: bytes


def read_vector(name: str) -> Vector:
    head, _, data = (FOLDER / f"{name}{SUFFIX}").read_bytes().partition(b"\n\n")
    return Vector(name, dict(line.split(": ", 1) for line in head.decode().splitlines()), data)


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def verified(vector: Vector) -> VerifiedReceipts:
    file = ReceiptFile.from_bytes(vector.data)
    assert file.to_bytes() == vector.data
    return verify_receipts(file, vector.header["owner"])


def check_file(vector: Vector) -> Results:
    receipts = verified(vector)
    return {
        "batch": receipts.signed.id,
        "holder": receipts.chain.holder.name,
        "count": str(len(receipts.entries)),
    }


def check_salts(vector: Vector) -> Results:
    salts = SaltFile.from_bytes(vector.data)
    assert salts.to_bytes() == vector.data
    return {"batch": salts.batch, "count": str(len(salts.salts))}


def tensors(text: str) -> list[Tensor]:
    return [
        Tensor(each["name"], Datatype(each["datatype"]), tuple(each["shape"]), bytes.fromhex(each["data"]))
        for each in json.loads(text)
    ]


def check_show(vector: Vector) -> Results:
    receipts, head = verified(vector), vector.header
    row = int(head["row"])
    receipts.verify_input(row, bytes.fromhex(head["input-salt"]), tensors(head["input"]))
    receipts.verify_output(row, bytes.fromhex(head["output-salt"]), tensors(head["output"]))
    return {}


CHECKS: dict[str, Callable[[Vector], Results]] = {
    "file": check_file,
    "salts": check_salts,
    "show": check_show,
}


@pytest.mark.parametrize("name", names())
def test_vector(name: str) -> None:
    vector = read_vector(name)
    check = CHECKS[vector.header["check"]]
    if vector.header["expect"] == "success":
        results = check(vector)
        assert results == {member: vector.header[member] for member in results}
        return
    with pytest.raises(Error) as outcome:
        check(vector)
    assert type(outcome.value) is OUTCOMES[vector.header["expect"]]
    assert outcome.value.code == vector.header.get("code", outcome.value.code)


def test_there_is_a_good_and_a_bad_vector_for_every_check() -> None:
    seen = {
        (vector.header["check"], vector.header["expect"] == "success") for vector in map(read_vector, names())
    }
    assert seen == {(check, good) for check in CHECKS for good in (True, False)}
    assert {read_vector(name).header["expect"] for name in names()} == {"success", *OUTCOMES}


def test_a_vector_is_named_by_its_outcome() -> None:
    for vector in map(read_vector, names()):
        assert vector.name.startswith(vector.header["expect"])
        assert list(vector.header)[:3] == ["check", "expect", "comment"]


def test_the_specification_shows_what_the_vectors_hold() -> None:
    text = (VECTORS.parent / "receipt.md").read_text(encoding="utf-8")
    entry, batch = (json.loads(shown) for shown in re.findall(r"```json\n(.*?)\n```", text, re.DOTALL))
    one = ReceiptFile.from_bytes(read_vector("success-one").data).entries[0]
    assert one.to_bytes() == json.dumps(entry, separators=(",", ":")).encode()
    token = ReceiptFile.from_bytes(read_vector("success-all").data).batch
    payload = token.split(".")[1]
    assert batch == json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_receipt", VECTORS / "generate_receipt.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generator_writes_these_files_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    generator = _generator()
    monkeypatch.setattr(generator, "FOLDER", tmp_path / "receipt")
    generator.main()
    written = {path.name: path.read_bytes() for path in (tmp_path / "receipt").iterdir()}
    committed = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    assert written.keys() == committed.keys()
    assert [name for name in written if written[name] != committed[name]] == []


def test_the_generator_is_independent() -> None:
    for path in VECTORS.glob("*receipt*.py"):
        assert not re.search(r"^\s*(from|import) strongroom", path.read_text(encoding="utf-8"), re.MULTILINE)
