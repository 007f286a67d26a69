"""Every vector of spec/log.md gives exactly its outcome."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest

from strongroom._encoding import from_instant
from strongroom.errors import Error, FormatError, IntegrityError, UnsupportedError, VerificationError
from strongroom.log.checkpoint import Checkpoint, verify_checkpoint
from strongroom.log.cosignature import verify_witnessed
from strongroom.log.cosigned import Cosigned, witness_name
from strongroom.log.disclosure import Disclosure
from strongroom.log.frontier import Frontier
from strongroom.log.merkle import leaf_hash
from strongroom.log.note import Note
from strongroom.log.offer import Offer
from strongroom.log.proof import Proof
from strongroom.log.tile import bundle_from_bytes, from_path
from strongroom.log.verifiers import verifier_from_text
from strongroom.log.witness import advance_offer

VECTORS = Path(__file__).parent.parent.parent / "spec" / "vectors"
FOLDER = VECTORS / "log"
SUFFIX = ".vector"

OUTCOMES: dict[str, type[Error]] = {
    "format": FormatError,
    "integrity": IntegrityError,
    "verification": VerificationError,
    "unsupported": UnsupportedError,
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


def read_vkey(vector: Vector) -> Results:
    return {"vkey": verifier_from_text(vector.data.decode()).key.to_text()}


def read_checkpoint(vector: Vector) -> Results:
    note = Note.from_bytes(vector.data)
    # The form comes first here, so that a vector has the outcome "format" whoever signed it.
    Checkpoint.from_bytes(note.unverified_text)
    checkpoint = verify_checkpoint(note, [verifier_from_text(vector.header["vkey"])])
    return {
        "origin": checkpoint.origin,
        "size": str(checkpoint.size),
        "root": checkpoint.root.hex(),
        "predecessor": "none" if checkpoint.predecessor is None else checkpoint.predecessor.hex(),
    }


def read_path(vector: Vector) -> Results:
    return {"path": from_path(vector.data.decode()).path}


def read_bundle(vector: Vector) -> Results:
    entries = bundle_from_bytes(vector.data)
    frontier, _ = Frontier.empty().extend(map(leaf_hash, entries))
    return {"entries": str(len(entries)), "root": frontier.root.hex()}


def read_disclosure(vector: Vector) -> Results:
    return {"entry": Disclosure.from_bytes(vector.data).entry.to_bytes().decode()}


def read_proof(vector: Vector) -> Results:
    proof, keys = Proof.from_bytes(vector.data), [verifier_from_text(vector.header["vkey"])]
    record = proof.verify_record(keys)
    size = verify_checkpoint(proof.note, keys).size
    return {"size": str(size), "index": str(proof.index), "document": str(record.document)}


def advance(vector: Vector) -> Results:
    text = vector.header["last"]
    last = None if text == "none" else Checkpoint.from_bytes(text.replace("|", "\n").encode())
    keys = [verifier_from_text(vector.header["vkey"])]
    return {"size": str(advance_offer(last, Offer.from_bytes(vector.data), keys).size)}


def witnessed(vector: Vector) -> Results:
    seen = verify_witnessed(
        Note.from_bytes(vector.data),
        [verifier_from_text(text) for text in vector.header["witnesses"].split()],
        threshold=int(vector.header["threshold"]),
        now=from_instant(vector.header["at"]),
        max_age=timedelta(seconds=int(vector.header["max_age_seconds"])),
    )
    return {"names": " ".join(each.name for each in seen)}


def read_cosigned(vector: Vector) -> Results:
    checkpoint, _ = Cosigned.from_bytes(vector.data).verify(
        witness_name(vector.header["id"]),
        [verifier_from_text(vector.header["vkey"])],
        from_instant(vector.header["at"]),
    )
    return {"size": str(checkpoint.size)}


CHECKS: dict[str, Callable[[Vector], Results]] = {
    "vkey": read_vkey,
    "checkpoint": read_checkpoint,
    "tile-path": read_path,
    "bundle": read_bundle,
    "disclosure": read_disclosure,
    "proof": read_proof,
    "advance": advance,
    "witnessed": witnessed,
    "cosigned": read_cosigned,
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
    text = (VECTORS.parent / "log.md").read_text(encoding="utf-8")
    assert read_vector("success-checkpoint").data.decode() in text
    assert read_vector("success-advance-7").data.decode() in text
    assert read_vector("success-disclosure").header["entry"] in text
    shown = re.search(r"```json\n(.*?)\n```", text, re.DOTALL)
    assert shown is not None
    assert re.sub(r"\s+", "", shown[1]).encode() == read_vector("success-disclosure").data


def _generator() -> ModuleType:
    path = VECTORS / "generate_log.py"
    spec = importlib.util.spec_from_file_location("generate_log", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generator_writes_these_files_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    generator = _generator()
    monkeypatch.setattr(generator, "FOLDER", tmp_path / "log")
    generator.main()
    written = {path.name: path.read_bytes() for path in (tmp_path / "log").iterdir()}
    committed = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    assert written.keys() == committed.keys()
    assert [name for name in written if written[name] != committed[name]] == []


def test_the_generator_is_independent() -> None:
    for path in VECTORS.glob("*log*.py"):
        assert not re.search(r"^\s*(from|import) strongroom", path.read_text(encoding="utf-8"), re.MULTILINE)
