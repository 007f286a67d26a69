from __future__ import annotations

import pytest

from strongroom.errors import FormatError, UnsupportedError
from strongroom.log.cosignature import Ed25519CosignatureVerifier, MlDsa44CosignatureVerifier
from strongroom.log.note import Ed25519Verifier
from strongroom.log.verifier_key import Algorithm, VerifierKey, verify_key_name
from strongroom.log.verifiers import verifier_for, verifier_from_text, verifiers_for_log
from tests.unit.log.memory_log import ORIGIN, SECRET

# The key of golang.org/x/mod/sumdb/note, which signs the Go checksum database.
GO = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
# The key under the example of C2SP signed-note.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


@pytest.mark.parametrize("text", [GO, PETER])
def test_keys_of_others_and_back(text: str) -> None:
    key = VerifierKey.from_text(text)
    assert key.algorithm == Algorithm.ED25519
    assert key.to_text() == text
    verifier = verifier_from_text(text)
    assert isinstance(verifier, Ed25519Verifier)
    assert verifier.key == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+c74f20a3",
        GO + "\n",
        GO.replace("033de0ae", "033de0af"),
        GO.replace("033de0ae", "033DE0AE"),
        GO.replace("033de0ae", "33de0ae"),
        GO.replace("Ac4z", "Bc4z"),
        GO.rstrip("8") + "9",
        GO + "=",
        "name+c74f20a3+",
        "name+c74f20a3+AQ==",
        GO.replace("sum", "Sum"),
        GO.replace("sum", "s m"),
        GO[GO.index("+") :],
        "x" * 70_000 + GO,
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        VerifierKey.from_text(text)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "a\u00a0b",
        "a\u3000b",
        "a+b",
        "a\nb",
        "a\x1fb",
        "a\x7fb",
        "a\x85b",
        "a\ud800b",
        "x" * 256,
        "é" * 128,
    ],
)
def test_names_that_no_key_has(name: str) -> None:
    with pytest.raises(FormatError) as caught:
        verify_key_name(name)
    assert caught.value.code == "log-key-name"


@pytest.mark.parametrize("name", ["a", "x" * 255, "clinic.example/witness", "PeterNeumann", "ärztin.example"])
def test_names_that_a_key_may_have(name: str) -> None:
    verify_key_name(name)


@pytest.mark.parametrize(("algorithm", "public"), [(-1, b"x"), (256, b"x"), (1, b"")])
def test_impossible_keys_are_refused(algorithm: int, public: bytes) -> None:
    with pytest.raises(FormatError):
        VerifierKey("name", algorithm, public)


def test_an_algorithm_of_others_is_a_key_that_is_not_used() -> None:
    key = VerifierKey("name", 0x02, b"a public key in DER")
    assert VerifierKey.from_text(key.to_text()) == key
    with pytest.raises(UnsupportedError) as caught:
        verifier_for(key)
    assert caught.value.code == "log-key-algorithm"


def test_each_algorithm_has_its_verifier() -> None:
    point, mldsa = SECRET.public.to_bytes(), bytes(1312)
    assert isinstance(verifier_for(VerifierKey("n", 4, point)), Ed25519CosignatureVerifier)
    assert isinstance(verifier_for(VerifierKey("n", 6, mldsa)), MlDsa44CosignatureVerifier)
    for key in (VerifierKey("n", 1, mldsa), VerifierKey("n", 4, bytes(32)), VerifierKey("n", 6, point)):
        with pytest.raises(FormatError):
            verifier_for(key)


def test_one_key_as_two_algorithms_has_two_ids() -> None:
    point = SECRET.public.to_bytes()
    assert VerifierKey("n", 1, point).key_id != VerifierKey("n", 4, point).key_id


def test_the_keys_of_a_log_are_called_as_the_log() -> None:
    (verifier,) = verifiers_for_log(ORIGIN, [SECRET.public])
    assert verifier.key == VerifierKey(ORIGIN.to_text(), 1, SECRET.public.to_bytes())
