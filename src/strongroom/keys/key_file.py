"""The file that holds one key, in the clear or under a pass-phrase (spec/keys.md, "Key file").

    # strongroom device key, created 2026-11-24T03:00:00Z
    # public: strongroom-device-public.AqL0s...
    strongroom-device-secret.zvXW3...

    data = to_bytes(key, passphrase=None, created_at=now)
    key = from_bytes(data, KeyKind.DEVICE, passphrase=None)

Under a pass-phrase the last line is ``strongroom-encrypted-key.device.AQz8...`` instead.
The reader asks for the pass-phrase only then, and only after the rest was found in
order. File modes are not a matter of this module: it never sees a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from strongroom._encoding import from_base64url, from_instant, to_base64url, to_instant
from strongroom._limits import LIMITS
from strongroom.crypto import passphrase as passphrases
from strongroom.errors import FormatError, NoMatchingKey, UsageError
from strongroom.keys import key_pair
from strongroom.keys.key_pair import KeyPair
from strongroom.keys.text import KeyKind, public_from_text

_ENCRYPTED: Final = "strongroom-encrypted-key"
# A match of one expression, and not of lines: no line ending, white space or second
# spelling of anything gets through.
_FILE: Final = re.compile(
    rb"# strongroom ([a-z-]+) key, created ([0-9TZ:-]+)\n"
    rb"# public: ([a-zA-Z0-9._-]+)\n"
    rb"([a-zA-Z0-9._-]+)\n"
)
_KINDS: Final = frozenset(kind.value for kind in KeyKind)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class KeyFile:
    """A parsed key file. Its public line is a claim until ``unlock`` has compared it."""

    kind: KeyKind
    created_at: datetime
    unverified_public_text: str
    secret_line: str

    @property
    def encrypted(self) -> bool:
        """Whether a pass-phrase is needed."""
        return self.secret_line.startswith(f"{_ENCRYPTED}.")

    @classmethod
    def from_bytes(cls, data: bytes) -> KeyFile:
        """Parse a key file of any kind, without opening it.

        Raises:
            FormatError: not exactly the form that ``to_bytes`` writes.
        """
        if len(data) > LIMITS.max_key_file_bytes:
            raise FormatError(f"a key file is larger than {LIMITS.max_key_file_bytes} bytes")
        match = _FILE.fullmatch(data)
        if match is None:
            raise FormatError("not a key file: it has not exactly the three lines of one")
        name, created_at, public_text, secret_line = (part.decode("ascii") for part in match.groups())
        if name not in _KINDS:
            raise FormatError("a key file of an unknown kind")
        kind = KeyKind(name)
        public_from_text(public_text, kind)
        return cls(kind, from_instant(created_at), public_text, secret_line)

    def to_bytes(self) -> bytes:
        """Return the bytes of the file."""
        title = f"# strongroom {self.kind.value} key, created {to_instant(self.created_at)}"
        return f"{title}\n# public: {self.unverified_public_text}\n{self.secret_line}\n".encode("ascii")

    def unlock(self, passphrase: Callable[[], str] | None) -> KeyPair:
        """Return the key.

        Raises:
            FormatError: the secret is malformed or of another kind, or is not the secret
                of the public line (code ``key-mismatch``).
            NoMatchingKey: a wrong pass-phrase (``passphrase-wrong``), or none
                (``passphrase-required``).
        """
        text = self._decrypt(passphrase) if self.encrypted else self.secret_line
        key = key_pair.from_secret_text(text, self.kind)
        # A public line that differs would make people hand out, and enroll, a key of
        # whoever wrote the line.
        if key.public_text != self.unverified_public_text:
            raise FormatError("the public line of a key file is not of its secret", code="key-mismatch")
        return key

    def _decrypt(self, passphrase: Callable[[], str] | None) -> str:
        prefix = f"{_ENCRYPTED}.{self.kind.value}."
        if not self.secret_line.startswith(prefix):
            raise FormatError("an encrypted key file holds a key of another kind", code="wrong-kind")
        blob = from_base64url(self.secret_line.removeprefix(prefix))
        if passphrase is None:
            raise NoMatchingKey(
                f"this {self.kind.value} key is under a pass-phrase",
                code="passphrase-required",
                hint="Give the pass-phrase by a prompt, a file or the environment.",
            )
        secret = passphrases.unwrap(blob, passphrase(), label=_label(self.kind))
        if not secret.isascii():
            raise FormatError("what is under the pass-phrase is no key text")
        return secret.decode("ascii")


def to_bytes(key: KeyPair, *, passphrase: str | None, created_at: datetime) -> bytes:
    """Write a key file; under a pass-phrase if one is given.

    Raises:
        UsageError: the pass-phrase is empty.
    """
    secret_line = key.to_text()
    if passphrase is not None:
        if not passphrase:
            raise UsageError("a pass-phrase is empty", code="passphrase-empty")
        blob = passphrases.wrap(secret_line.encode("ascii"), passphrase, label=_label(key.kind))
        secret_line = f"{_ENCRYPTED}.{key.kind.value}.{to_base64url(blob)}"
    return KeyFile(key.kind, created_at, key.public_text, secret_line).to_bytes()


def from_bytes(data: bytes, kind: KeyKind, *, passphrase: Callable[[], str] | None) -> KeyPair:
    """Read a key file of the expected kind; the pass-phrase is asked for only if it is needed.

    Raises:
        FormatError: not a key file, of another kind (code ``wrong-kind``), or a public
            line that is not of its secret (code ``key-mismatch``).
        NoMatchingKey: a wrong pass-phrase, or none.
    """
    file = KeyFile.from_bytes(data)
    if file.kind is not kind:
        raise FormatError(
            f"expected a file with the {kind.value} key, got one with a {file.kind.value} key",
            code="wrong-kind",
        )
    return file.unlock(passphrase)


def _label(kind: KeyKind) -> bytes:
    return b"key-file/" + kind.value.encode("ascii")
