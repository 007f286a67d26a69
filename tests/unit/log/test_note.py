from __future__ import annotations

import pytest

from strongroom._limits import LIMITS
from strongroom.crypto.ed25519 import Ed25519Secret
from strongroom.errors import FormatError, VerificationError
from strongroom.log.note import Ed25519Signer, Ed25519Verifier, Note, NoteSignature, sign_line, sign_note
from strongroom.log.verifier_key import VerifierKey
from strongroom.log.verifiers import verifier_from_text

# The example of golang.org/x/mod/sumdb/note.
PETER = verifier_from_text("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
EXAMPLE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\N{EM DASH} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKv"
    "qfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
SECRET = Ed25519Secret.from_bytes(b"one secret key of thirty-two by.")
SIGNER = Ed25519Signer("a.example", SECRET)
VERIFIER = Ed25519Verifier("a.example", SECRET.public)
STRANGER = Ed25519Signer("b.example", Ed25519Secret.generate())
TEXT = b"first\n\nthird\n"


def test_a_note_of_others() -> None:
    note = Note.from_bytes(EXAMPLE)
    assert note.to_bytes() == EXAMPLE
    assert note.verify([PETER]).startswith(b"If you think")


def test_a_note_of_ours() -> None:
    note = sign_note(TEXT, [SIGNER, STRANGER])
    assert Note.from_bytes(note.to_bytes()) == note
    assert note.verify([VERIFIER]) == TEXT
    assert [each.name for each in note.signatures] == ["a.example", "b.example"]


def test_the_text_may_have_empty_lines_and_end_in_one() -> None:
    for text in (b"\n", b"\n\n", b"a\n\n\n", b"a\n\nb\n", "ü\n".encode()):
        note = sign_note(text, [SIGNER])
        assert Note.from_bytes(note.to_bytes()) == note
        assert note.verify([VERIFIER]) == text


def test_only_the_lines_after_the_last_empty_line_are_signatures() -> None:
    nested = Note.from_bytes(EXAMPLE + b"\n" + LINE)
    assert nested.unverified_text == EXAMPLE
    assert len(nested.signatures) == 1
    with pytest.raises(VerificationError):
        nested.verify([PETER])


@pytest.mark.parametrize("text", [b"", b"a", b"a\r\n", b"a\x00\n", b"\xff\n"])
def test_no_text_is_signed_that_nobody_could_read(text: bytes) -> None:
    with pytest.raises(FormatError):
        sign_note(text, [SIGNER])


def test_no_text_is_signed_whose_end_would_be_read_as_a_signature() -> None:
    with pytest.raises(FormatError):
        sign_note(b"x\n\n" + EXAMPLE.splitlines()[-1], [SIGNER])


def test_no_note_without_signer() -> None:
    with pytest.raises(FormatError):
        sign_note(b"a\n", [])


def test_signatures_of_strangers_are_ignored() -> None:
    note = sign_note(TEXT, [STRANGER, SIGNER])
    wrong = NoteSignature("c.example", b"\x01\x02\x03\x04", b"of a type that does not exist yet")
    assert note.with_signature(wrong).verify([VERIFIER]) == TEXT


def test_a_shared_name_or_a_shared_id_makes_no_known_key() -> None:
    line = sign_line(TEXT, SIGNER)
    same_name = NoteSignature(line.name, b"\x00\x00\x00\x00", line.signature)
    same_id = NoteSignature("b.example", line.key_id, line.signature)
    for note in (Note(TEXT, (same_name,)), Note(TEXT, (same_id,))):
        with pytest.raises(VerificationError) as caught:
            note.verify([VERIFIER])
        assert caught.value.code == "log-key"
    assert Note(TEXT, (same_name, same_id, line)).verify([VERIFIER]) == TEXT


def test_a_wrong_signature_of_a_known_key_fails_the_note() -> None:
    good, line = sign_note(TEXT, [SIGNER]), sign_line(b"another text\n", SIGNER)
    for note in (good.with_signature(line), Note(TEXT, (line, *good.signatures)), Note(TEXT, (line,))):
        with pytest.raises(VerificationError) as caught:
            note.verify([VERIFIER])
        assert caught.value.code == "signature"


def test_two_keys_of_one_name_and_id_are_refused() -> None:
    # Only two different keys; one that is listed twice is one.
    assert sign_note(TEXT, [SIGNER]).verify([VERIFIER, VERIFIER]) == TEXT

    class Colliding(VerifierKey):
        @property
        def key_id(self) -> bytes:
            return VERIFIER.key.key_id

    twin = Ed25519Verifier("a.example", Ed25519Secret.generate().public)
    twin.key = Colliding("a.example", 1, twin.key.public)
    with pytest.raises(VerificationError) as caught:
        sign_note(TEXT, [SIGNER]).verify([VERIFIER, twin])
    assert caught.value.code == "log-key"


def test_nobody_signed() -> None:
    for keys in ([], [VERIFIER]):
        with pytest.raises(VerificationError) as caught:
            sign_note(TEXT, [STRANGER]).verify(keys)
        assert caught.value.code == "log-key"


def test_one_line_twice_counts_once() -> None:
    note = sign_note(TEXT, [SIGNER])
    doubled = note.with_signature(note.signatures[0])
    assert doubled.verified_signatures([VERIFIER]) == note.signatures
    assert Note.from_bytes(doubled.to_bytes()) == doubled


def test_sixteen_signatures_and_more_are_read() -> None:
    signers = [Ed25519Signer(f"{number}.example", SECRET) for number in range(64)]
    note = Note.from_bytes(sign_note(TEXT, [*signers, SIGNER]).to_bytes())
    assert note.verify([VERIFIER]) == TEXT


def test_a_line_says_whose_it_claims_to_be() -> None:
    line = sign_line(TEXT, SIGNER)
    assert line.is_by(VERIFIER)
    assert not line.is_by(PETER)


LINE = EXAMPLE[EXAMPLE.index("\N{EM DASH}".encode()) :]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        b"text\n",
        b"text\n\n",
        b"text\n" + LINE,
        LINE,
        b"text\n\n" + LINE[:-1],
        b"text\n\n" + LINE + b"\n",
        b"text\n\n" + LINE + b"more text\n",
        b"text\n\n- PeterNeumann x08go/ZJ\n",
        b"text\r\n\r\n" + LINE,
        b"text\x00\n\n" + LINE,
        b"te\txt\n\n" + LINE,
        b"te\x1bxt\n\n" + LINE,
        b"\xff\n\n" + LINE,
        b"\xed\xa0\x80\n\n" + LINE,
        b"text\n\n" + LINE.replace(b" x08", b"  x08"),
        b"text\n\n" + LINE.replace(b" x08", b"x08"),
        b"text\n\n" + LINE.replace(b"\n", b" \n"),
        b"text\n\n" + LINE.replace(b"\n", b"\r\n"),
        b"text\n\n" + LINE.replace(b"AM=", b"AN="),
        b"text\n\n" + LINE.replace(b"AM=", b"AM"),
        b"text\n\n" + LINE.replace(b"Peter", b"Pe+er"),
        b"text\n\n" + LINE.replace(b"PeterNeumann", b""),
        "text\n\n\N{EM DASH} PeterNeumann \n".encode(),
        "text\n\n\N{EM DASH} PeterNeumann x08go\n".encode(),
        "text\n\n\N{EM DASH} PeterNeumann x08gow==\n".encode(),
        "text\n\n\N{EM DASH} PeterNeumann x08=\n".encode(),
        b"x" * LIMITS.max_note_bytes + b"\n\n" + LINE,
    ],
)
def test_what_is_no_note_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        Note.from_bytes(data)


@pytest.mark.parametrize(("key_id", "signature"), [(b"123", b"x"), (b"12345", b"x"), (b"1234", b"")])
def test_impossible_lines_are_refused(key_id: bytes, signature: bytes) -> None:
    with pytest.raises(FormatError):
        NoteSignature("a.example", key_id, signature)
