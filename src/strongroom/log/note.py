"""Signed notes: text under one or more signatures (C2SP signed-note).

    own-aaaaaaaaaaaaaaaaaaaaaaaa/log/1
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — own-aaaaaaaaaaaaaaaaaaaaaaaa/log/1 Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe...

    note = Note.from_bytes(data)
    text = note.verify([Ed25519Verifier(name, public)])

Signatures by keys that the caller does not know are ignored, as the specification says:
whoever carries a note can add or drop them, so they mean nothing and break nothing. A
signature that claims to be by a known key and is not fails the whole note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from strongroom._encoding import from_base64, to_base64
from strongroom._limits import LIMITS
from strongroom.crypto.ed25519 import Ed25519Public, Ed25519Secret
from strongroom.errors import FormatError, VerificationError
from strongroom.log.verifier_key import KEY_ID_BYTES, Algorithm, VerifierKey, verify_key_name

_CONTROL: Final = re.compile("[\x00-\x09\x0b-\x1f]")
_SEPARATOR: Final = "\n\n"
_DASH: Final = "\N{EM DASH} "


class Verifier(Protocol):
    """A key that may have signed a note."""

    @property
    def key(self) -> VerifierKey:
        """Its name, algorithm and bytes."""
        ...

    def verify(self, text: bytes, signature: bytes) -> None:
        """Check a signature over the text of a note.

        Raises:
            VerificationError: it is not by this key, over this text.
        """
        ...


class Signer(Protocol):
    """A key that signs notes."""

    @property
    def key(self) -> VerifierKey:
        """The public half: name, algorithm and bytes."""
        ...

    def sign(self, text: bytes) -> bytes:
        """Return a signature over the text of a note."""
        ...


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line."""

    name: str
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        verify_key_name(self.name)
        if len(self.key_id) != KEY_ID_BYTES or not self.signature:
            raise FormatError("a note has a signature without key id or content", code="note")

    @classmethod
    def from_text(cls, line: str) -> NoteSignature:
        """Read a signature line, without its line feed.

        Raises:
            FormatError: not exactly the form that ``to_text`` writes.
        """
        name, space, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not space:
            raise FormatError("a note has a line among its signatures that is none", code="note")
        raw = from_base64(encoded)
        return cls(name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])

    def to_text(self) -> str:
        """Return the line, without its line feed."""
        return f"{_DASH}{self.name} {to_base64(self.key_id + self.signature)}"

    def is_by(self, verifier: Verifier) -> bool:
        """Tell whether the line claims to be by this key. Nothing is checked."""
        return (self.name, self.key_id) == (verifier.key.name, verifier.key.key_id)


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note. Its text means nothing until ``verify`` returns it."""

    unverified_text: bytes
    """UTF-8 that ends in a line feed."""
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def from_bytes(cls, data: bytes) -> Note:
        """Parse a note.

        Raises:
            FormatError: not UTF-8, a control character, no signature, or a line among the
                signatures that is none.
        """
        if len(data) > LIMITS.max_note_bytes:
            raise FormatError(f"a note is larger than {LIMITS.max_note_bytes} bytes", code="note")
        text, separator, lines = _decode(data).rpartition(_SEPARATOR)
        if not separator or not lines.endswith("\n"):
            raise FormatError("a note has no signatures, or does not end in a line feed", code="note")
        signatures = tuple(NoteSignature.from_text(line) for line in lines[:-1].split("\n"))
        return cls(f"{text}\n".encode(), signatures)

    def to_bytes(self) -> bytes:
        """Return the bytes of the note."""
        lines = "".join(f"{each.to_text()}\n" for each in self.signatures)
        return self.unverified_text + b"\n" + lines.encode()

    def verify(self, verifiers: Iterable[Verifier]) -> bytes:
        """Check that at least one of the keys signed; returns the text.

        Raises:
            VerificationError: none of the keys signed (code ``log-key``), or a signature
                that names one of them is wrong.
        """
        if not self.verified_signatures(verifiers):
            raise VerificationError("a note is signed by none of the expected keys", code="log-key")
        return self.unverified_text

    def verified_signatures(self, verifiers: Iterable[Verifier]) -> tuple[NoteSignature, ...]:
        """Check every signature that names one of the keys; returns these, each once.

        Raises:
            VerificationError: one of them is wrong, or two different keys have one name and
                one key id (code ``log-key``).
        """
        known: dict[tuple[str, bytes], Verifier] = {}
        for verifier in verifiers:
            first = known.setdefault((verifier.key.name, verifier.key.key_id), verifier)
            # Four bytes are easily made to collide; which key a line means must not depend on order.
            if first.key != verifier.key:
                raise VerificationError("two different keys have the same name and key id", code="log-key")
        found = []
        # A line that stands there a hundred times is checked, and counts, once.
        for each in dict.fromkeys(self.signatures):
            named = known.get((each.name, each.key_id))
            if named is not None:
                named.verify(self.unverified_text, each.signature)
                found.append(each)
        return tuple(found)

    def without(self, name: str) -> Note:
        """Return the note without the signatures under a name."""
        return Note(self.unverified_text, tuple(each for each in self.signatures if each.name != name))

    def with_signature(self, signature: NoteSignature) -> Note:
        """Return the note with one more signature line."""
        return Note(self.unverified_text, (*self.signatures, signature))


def sign_note(text: bytes, signers: Iterable[Signer]) -> Note:
    """Sign a text with each of the keys.

    Raises:
        FormatError: nobody could read the note: no signer, or a text that is none.
    """
    note = Note(text, tuple(sign_line(text, signer) for signer in signers))
    if Note.from_bytes(note.to_bytes()) != note:
        raise FormatError("the text of a note does not end in one line feed", code="note")
    return note


def sign_line(text: bytes, signer: Signer) -> NoteSignature:
    """Sign a text with one key; returns the line to add."""
    return NoteSignature(signer.key.name, signer.key.key_id, signer.sign(text))


class Ed25519Verifier:
    """An Ed25519 key that signs the text itself (signature type 0x01): a log's own."""

    __slots__ = ("_public", "key")

    def __init__(self, name: str, public: Ed25519Public) -> None:
        self.key = VerifierKey(name, Algorithm.ED25519, public.to_bytes())
        self._public = public

    def verify(self, text: bytes, signature: bytes) -> None:
        """Check a signature.

        Raises:
            VerificationError: it is not by this key, over this text.
        """
        self._public.verify(signature, text)


class Ed25519Signer:
    """The secret half of an ``Ed25519Verifier``."""

    __slots__ = ("_secret", "key")

    def __init__(self, name: str, secret: Ed25519Secret) -> None:
        self.key = VerifierKey(name, Algorithm.ED25519, secret.public.to_bytes())
        self._secret = secret

    def sign(self, text: bytes) -> bytes:
        """Return a signature over the text."""
        return self._secret.sign(text)


def _decode(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError("a note is not UTF-8", code="note") from error
    if _CONTROL.search(text):
        raise FormatError("a note has a control character", code="note")
    return text
