"""The log and Go's golang.org/x/mod/sumdb, which we did not write, understand each other both ways.

ML-DSA-44, which that library does not know, is checked by `dilithium-py`, others' implementation of FIPS 204.

The Go program stands in ``tests/integration/go``; it is built from Debian's packages, without network.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from dilithium_py.ml_dsa import ML_DSA_44

from strongroom._encoding import from_base64, to_base64
from strongroom.crypto.mldsa import MlDsa44Public, MlDsa44Secret
from strongroom.errors import VerificationError
from strongroom.log.checkpoint import Checkpoint, predecessor_line, verify_checkpoint
from strongroom.log.cosignature import Ed25519Cosigner, MlDsa44CosignatureVerifier, MlDsa44Cosigner
from strongroom.log.merkle import leaf_hash, verify_consistency, verify_inclusion
from strongroom.log.note import Note, Verifier, sign_line
from strongroom.log.tile import Bundle, bundle_to_bytes, tiles_between
from strongroom.log.verifiers import verifier_from_text
from tests.unit.log.memory_log import NOW, SECRET, MemoryLog

SIZE = 70_000
"""Three levels of tiles, the last of each partial."""
SOURCE = Path(__file__).parent / "go" / "verify_log.go"
PLACES = [0, 1, 255, 256, 65_535, 65_536, SIZE - 1]

Answer = dict[str, Any]


class Go:
    """The Go program over the folder of one log."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.program = program
        self.folder = folder

    def ask(self, do: str, **members: Any) -> Answer:
        request = json.dumps({"do": do, **members})
        done = subprocess.run(
            [self.program, self.folder], input=request, capture_output=True, text=True, check=True, timeout=60
        )
        answer: Answer = json.loads(done.stdout)
        return answer


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("go")
    assert shutil.which("go"), "the tests need Debian's golang-go and golang-golang-x-mod-dev: make setup"
    subprocess.run(
        ["go", "build", "-o", folder / "verify_log", SOURCE],  # noqa: S607 - wherever Go is installed
        check=True,
        env={
            "PATH": os.environ["PATH"],
            "GO111MODULE": "off",
            "GOPATH": "/usr/share/gocode",
            "GOCACHE": str(folder / "cache"),
            "HOME": str(folder),
        },
    )
    return folder / "verify_log"


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    log = MemoryLog(300)
    log.append(*(b"entry %d" % number for number in range(log.size, SIZE)))
    log.extensions = (predecessor_line(MemoryLog(3).checkpoint()),)
    return log


@pytest.fixture(scope="module")
def go(program: Path, log: MemoryLog, tmp_path_factory: pytest.TempPathFactory) -> Go:
    folder = tmp_path_factory.mktemp("log")
    publish(log, folder)
    return Go(program, folder)


def publish(log: MemoryLog, folder: Path) -> None:
    """Write what a broker serves: in two steps, as a log grows."""
    (key,) = log.keys
    (folder / "vkey").write_text(key.key.to_text(), encoding="utf-8")
    (folder / "checkpoint").write_bytes(log.note().to_bytes())
    for old, new in ((0, 300), (300, log.size)):
        for place in tiles_between(old, new):
            path = folder / place.path
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(place, Bundle):
                start = place.number * 256
                path.write_bytes(bundle_to_bytes(log.entries[start : start + place.width]))
            else:
                path.write_bytes(log.read_tile(place))


def hashes(answer: Answer) -> list[bytes]:
    return [from_base64(each) for each in answer.get("proof", [])]


def test_go_finds_the_signed_root_in_the_tiles(go: Go, log: MemoryLog) -> None:
    answer = go.ask("root")
    assert (answer["error"], answer["size"]) == ("", SIZE)
    assert answer["text"].encode() == log.checkpoint().to_bytes()


@pytest.mark.parametrize("index", PLACES)
def test_go_finds_every_entry_and_no_other(go: Go, log: MemoryLog, index: int) -> None:
    assert go.ask("entry", index=index, entry=to_base64(log.entries[index]))["error"] == ""
    assert "another entry" in go.ask("entry", index=index, entry=to_base64(b"another"))["error"]


@pytest.mark.parametrize("index", PLACES)
def test_inclusion_proofs_are_the_same(go: Go, log: MemoryLog, index: int) -> None:
    proof = log.tree().prove_inclusion(index)
    theirs = go.ask("prove-inclusion", index=index)
    assert tuple(hashes(theirs)) == proof
    root = log.checkpoint().root
    verify_inclusion(leaf_hash(log.entries[index]), index=index, size=SIZE, proof=hashes(theirs), root=root)
    ask = {
        "index": index,
        "size": SIZE,
        "root": to_base64(root),
        "entry": to_base64(log.entries[index]),
        "proof": [to_base64(each) for each in proof],
    }
    assert go.ask("check-inclusion", **ask)["error"] == ""
    assert "invalid transparency proof" in go.ask("check-inclusion", **{**ask, "index": index ^ 1})["error"]
    assert go.ask("check-inclusion", **{**ask, "entry": to_base64(b"another")})["error"]


@pytest.mark.parametrize("old_size", [1, 2, 255, 256, 300, 65_536, 65_537, SIZE - 1, SIZE])
def test_consistency_proofs_are_the_same(go: Go, log: MemoryLog, old_size: int) -> None:
    proof = log.tree().prove_consistency(old_size)
    theirs = go.ask("prove-consistency", old_size=old_size)
    assert tuple(hashes(theirs)) == proof
    old, new = log.checkpoint(old_size).root, log.checkpoint().root
    verify_consistency(old_size, old, SIZE, new, proof=hashes(theirs))
    ask = {
        "old_size": old_size,
        "old_root": to_base64(old),
        "size": SIZE,
        "root": to_base64(new),
        "proof": [to_base64(each) for each in proof],
    }
    assert go.ask("check-consistency", **ask)["error"] == ""
    assert go.ask("check-consistency", **{**ask, "old_root": to_base64(bytes(32))})["error"]


def test_go_notices_a_changed_tile(program: Path, tmp_path: Path) -> None:
    log = MemoryLog(300)
    publish(log, tmp_path)
    tile = tmp_path / "tile" / "0" / "000"
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    assert Go(program, tmp_path).ask("entry", index=0, entry=to_base64(log.entries[0]))["error"]


def test_go_reads_our_notes_with_cosignatures_beside(go: Go, log: MemoryLog) -> None:
    note = log.note()
    for cosigner in (
        Ed25519Cosigner("clinic.example/witness", SECRET, NOW),
        MlDsa44Cosigner("clinic.example/witness", MlDsa44Secret.generate(), NOW),
    ):
        note = note.with_signature(sign_line(note.unverified_text, cosigner))
    vkey = log.keys[0].key.to_text()
    answer = go.ask("open", text=note.to_bytes().decode(), vkey=vkey)
    assert (answer["error"], answer["text"]) == ("", note.unverified_text.decode())
    altered = note.to_bytes().decode().replace(f"\n{SIZE}\n", f"\n{SIZE + 1}\n")
    assert "invalid signature" in go.ask("open", text=altered, vkey=vkey)["error"]


def test_we_read_the_notes_of_go(go: Go) -> None:
    text = Checkpoint("go.example/log", 5, bytes(range(32))).to_bytes()
    answer = go.ask("sign", name="go.example/log", text=text.decode())
    assert answer["error"] == ""
    keys: list[Verifier] = [verifier_from_text(answer["vkey"])]
    checkpoint = verify_checkpoint(Note.from_bytes(answer["text"].encode()), keys)
    assert checkpoint.to_bytes() == text


def test_keys_are_written_the_same(go: Go, log: MemoryLog) -> None:
    key = log.keys[0].key
    answer = go.ask("vkey", name=key.name, public=to_base64(key.public))
    assert answer == {"error": "", "vkey": key.to_text()}


WITNESS = "clinic.example/witness"


def subtree_message(name: str, origin: str, seconds: int, size: int, root: bytes) -> bytes:
    """Write the bytes that C2SP tlog-cosignature prescribes for ML-DSA-44, by its text alone."""
    return (
        b"subtree/v1\n\0"
        + struct.pack(">B", len(name))
        + name.encode()
        + struct.pack(">QB", seconds, len(origin))
        + origin.encode()
        + struct.pack(">QQ", 0, size)
        + root
    )


def cosigned(log: MemoryLog) -> tuple[bytes, bytes, bytes]:
    """Return the public key of a witness, the message that it should have signed, and its signature."""
    secret = MlDsa44Secret.generate()
    note = log.note()
    note = note.with_signature(sign_line(note.unverified_text, MlDsa44Cosigner(WITNESS, secret, NOW)))
    # By the text of the note alone: "— name base64(key id, time, signature)".
    (line,) = (
        each for each in note.to_bytes().decode().splitlines() if each.startswith(f"\u2014 {WITNESS} ")
    )
    signed = base64.b64decode(line.rpartition(" ")[2])
    (seconds,) = struct.unpack(">Q", signed[4:12])
    assert seconds == int(NOW.timestamp())
    origin, size, root, *_ = note.unverified_text.decode().splitlines()
    message = subtree_message(WITNESS, origin, seconds, int(size), base64.b64decode(root))
    return secret.public.to_bytes(), message, signed[12:]


def test_another_implementation_of_ml_dsa_verifies_our_cosignatures(log: MemoryLog) -> None:
    public, message, signature = cosigned(log)
    assert ML_DSA_44.verify(public, message, signature)


@pytest.mark.parametrize("part", ["public", "message", "signature"])
def test_another_implementation_of_ml_dsa_refuses_one_flipped_bit(log: MemoryLog, part: str) -> None:
    parts = dict(zip(("public", "message", "signature"), cosigned(log), strict=True))
    data = bytearray(parts[part])
    data[len(data) // 2] ^= 1
    parts[part] = bytes(data)
    assert not ML_DSA_44.verify(parts["public"], parts["message"], parts["signature"])


def test_we_verify_a_cosignature_of_another_implementation(log: MemoryLog) -> None:
    public, secret = ML_DSA_44.keygen()
    note = log.note()
    origin, size, root, *_ = note.unverified_text.decode().splitlines()
    seconds = int(NOW.timestamp())
    message = subtree_message(WITNESS, origin, seconds, int(size), base64.b64decode(root))
    signature = struct.pack(">Q", seconds) + ML_DSA_44.sign(secret, message)
    verifier = MlDsa44CosignatureVerifier(WITNESS, MlDsa44Public.from_bytes(public))
    verifier.verify(note.unverified_text, signature)
    with pytest.raises(VerificationError):
        verifier.verify(note.unverified_text, signature[:-1] + bytes([signature[-1] ^ 1]))
