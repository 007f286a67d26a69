from __future__ import annotations

import pytest

from strongroom._encoding import to_base64
from strongroom.crypto.digest import sha256
from strongroom.crypto.ed25519 import Ed25519Secret
from strongroom.errors import FormatError, UsageError, VerificationError
from strongroom.log.checkpoint import Checkpoint, predecessor_line, verify_checkpoint
from strongroom.log.cosignature import Ed25519CosignatureVerifier, Ed25519Cosigner
from strongroom.log.merkle import EMPTY_ROOT
from strongroom.log.note import Ed25519Signer, sign_note
from strongroom.log.origin import Origin
from strongroom.log.verifiers import verifiers_for_log
from tests.unit.log.memory_log import NOW, ORIGIN, SECRET, MemoryLog

ROOT = to_base64(bytes(range(32)))
EXAMPLE = f"example.com/behind-the-sofa\n20852163\n{ROOT}\n".encode()
LOG = MemoryLog(3)


def test_bytes_and_back() -> None:
    checkpoint = Checkpoint.from_bytes(EXAMPLE)
    assert checkpoint == Checkpoint("example.com/behind-the-sofa", 20852163, bytes(range(32)))
    assert checkpoint.to_bytes() == EXAMPLE
    assert checkpoint.digest == sha256(EXAMPLE)
    assert checkpoint.predecessor is None


def test_an_empty_log() -> None:
    text = f"a\n0\n{to_base64(EMPTY_ROOT)}\n".encode()
    assert Checkpoint.from_bytes(text).to_bytes() == text
    with pytest.raises(FormatError, match="empty log"):
        Checkpoint.from_bytes(f"a\n0\n{ROOT}\n".encode())


def test_a_log_after_a_restore_names_its_predecessor() -> None:
    before = Checkpoint.from_bytes(EXAMPLE)
    after = Checkpoint("a", 1, bytes(32), ("something else", predecessor_line(before)))
    assert after.predecessor == before.digest
    assert Checkpoint.from_bytes(after.to_bytes()) == after


def test_other_lines_are_kept_and_mean_nothing() -> None:
    text = EXAMPLE + b"predecessors\na line of somebody else's\n"
    assert Checkpoint.from_bytes(text).predecessor is None
    assert Checkpoint.from_bytes(text).to_bytes() == text


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        EXAMPLE[:-1],
        EXAMPLE + b"\n",
        EXAMPLE + b"\nmore\n",
        EXAMPLE + b"more",
        b"\n" + EXAMPLE,
        f"a\n{ROOT}\n".encode(),
        f"\n5\n{ROOT}\n".encode(),
        f"a\n05\n{ROOT}\n".encode(),
        f"a\n+5\n{ROOT}\n".encode(),
        f"a\n-5\n{ROOT}\n".encode(),
        f"a\n5 \n{ROOT}\n".encode(),
        f"a\n\u0665\n{ROOT}\n".encode(),
        f"a\n9223372036854775808\n{ROOT}\n".encode(),
        f"a\n{'9' * 100_000}\n{ROOT}\n".encode(),
        f"a\n5\n{ROOT[:-1]}\n".encode(),
        f"a\n5\n{to_base64(bytes(31))}\n".encode(),
        f"a\n5\n{ROOT} \n".encode(),
        f"a\r\n5\r\n{ROOT}\r\n".encode(),
        f"{'a' * 256}\n5\n{ROOT}\n".encode(),
        EXAMPLE + b"predecessor\n",
        EXAMPLE + b"predecessor \n",
        EXAMPLE + b"predecessor AAAA\n",
        EXAMPLE + f"predecessor {ROOT} \n".encode(),
        EXAMPLE + f"predecessor {ROOT}\npredecessor {ROOT}\n".encode(),
        EXAMPLE + b"\x1b[2J\n",
        EXAMPLE + b"\xff\n",
    ],
)
def test_other_texts_are_refused(text: bytes) -> None:
    with pytest.raises(FormatError):
        Checkpoint.from_bytes(text)


def test_a_surrogate_has_no_checkpoint() -> None:
    with pytest.raises(FormatError):
        Checkpoint("\ud800", 1, bytes(32))


def test_a_log_signs_its_checkpoint() -> None:
    assert verify_checkpoint(LOG.note(), LOG.keys) == LOG.checkpoint()


def test_a_stranger_signs_no_checkpoint() -> None:
    keys = verifiers_for_log(ORIGIN, [Ed25519Secret.generate().public])
    with pytest.raises(VerificationError) as caught:
        verify_checkpoint(LOG.note(), keys)
    assert caught.value.code == "log-key"


def test_a_key_signs_for_its_own_log_only() -> None:
    text = MemoryLog(3, origin=Origin(ORIGIN.owner, 2)).checkpoint().to_bytes()
    note = sign_note(text, [Ed25519Signer(ORIGIN.to_text(), SECRET)])
    with pytest.raises(VerificationError) as caught:
        verify_checkpoint(note, LOG.keys)
    assert caught.value.code == "log-origin"


def test_a_cosignature_is_no_signature_of_a_log() -> None:
    name = ORIGIN.to_text()
    note = sign_note(LOG.checkpoint().to_bytes(), [Ed25519Cosigner(name, SECRET, NOW)])
    with pytest.raises(UsageError) as caught:
        verify_checkpoint(note, [Ed25519CosignatureVerifier(name, SECRET.public)])
    assert caught.value.code == "wrong-kind"


def test_a_log_that_signs_something_else() -> None:
    note = sign_note(b"a text\n", [Ed25519Signer(ORIGIN.to_text(), SECRET)])
    with pytest.raises(FormatError):
        verify_checkpoint(note, LOG.keys)
