"""The tokens of the clients that a served model answers on a network: ``run/tokens.json``.

    token = home.client_tokens.add("ward-3", expires_at=None, now=now)   # shown once, kept nowhere
    home.client_tokens.remove("ward-3")                                  # a running server sees it at once
    home.client_tokens.read()                                            # names, digests, moments

A token is 32 random bytes, so that its SHA-256 digest tells nobody anything, and nothing slower is needed
to keep it. When one was last used is the time of an empty file, so that noting it writes nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec

from strongroom._encoding import from_instant, from_wire, to_instant, to_wire
from strongroom._limits import LIMITS
from strongroom.errors import FormatError, ObjectNotFound, UsageError
from strongroom.home import files
from strongroom.keys.name import verify_chosen_name, verify_name

_FILE: Final = "tokens.json"
_USED: Final = "used"
_PREFIX: Final = "srt_"
"""By it, tools that look for secrets in files find one that was left lying about."""
_TOKEN_BYTES: Final = 32
_DIGEST_CHARS: Final = 64

Stamp = tuple[int, int, int, int]


class ClientToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What is kept of one token."""

    name: str
    sha256: str
    made_at: str
    expires_at: str | None = None

    @property
    def digest(self) -> bytes:
        """SHA-256 of the token."""
        return bytes.fromhex(self.sha256)

    def has_expired(self, now: datetime) -> bool:
        """Say whether its time is over."""
        return self.expires_at is not None and now >= from_instant(self.expires_at)

    def check(self) -> None:
        """Check what the types do not say.

        Raises:
            FormatError: It is no token of ours.
        """
        verify_name(self.name)
        if len(self.sha256) != _DIGEST_CHARS or set(self.sha256) - set("0123456789abcdef"):
            raise FormatError("the digest of a token is none", code="client-tokens")
        for moment in (self.made_at, *([] if self.expires_at is None else [self.expires_at])):
            from_instant(moment)


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    format: Literal["client-tokens/v1"] = "client-tokens/v1"
    tokens: list[ClientToken]


class ClientTokens:
    """The tokens of one home."""

    def __init__(self, folder: Path, lock: Path) -> None:
        self._folder = folder
        self._path = folder / _FILE
        self._lock = lock

    def add(self, name: str, *, expires_at: datetime | None, now: datetime) -> str:
        """Make a token for a client and return it; only its digest is kept.

        Raises:
            UsageError: The name is not allowed (code ``name``) or taken (code ``client-exists``), or there
                are too many (code ``too-many-clients``).
            NoMatchingKey: Others can read the file (code ``key-file-mode``).
            FormatError: The file is damaged (code ``client-tokens``).
            StorageUnavailable: It cannot be read or written.
        """
        verify_chosen_name(name)
        token = _PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
        made = ClientToken(
            name=name,
            sha256=hashlib.sha256(token.encode("ascii")).hexdigest(),
            made_at=to_instant(now.replace(microsecond=0)),
            expires_at=None if expires_at is None else to_instant(expires_at),
        )
        with files.locked(self._lock):
            files.make_folder(self._folder)
            known = self.read()
            if any(each.name == name for each in known):
                raise UsageError(
                    f"the client {name} has a token already",
                    code="client-exists",
                    hint=f"for a new one: strongroom client remove {name}, then add it again",
                )
            if len(known) >= LIMITS.max_client_tokens_length:
                raise UsageError(
                    f"there are {LIMITS.max_client_tokens_length} client tokens, and no more is possible",
                    code="too-many-clients",
                    hint="remove those that nobody uses; strongroom client list says when each was used",
                )
            self._write([*known, made])
        return token

    def remove(self, name: str) -> None:
        """Remove a client's token; a running server refuses it from its next request on.

        Raises:
            ObjectNotFound: There is none of that name (code ``unknown-client``).
            NoMatchingKey: Others can read the file (code ``key-file-mode``).
            FormatError: The file is damaged (code ``client-tokens``).
            StorageUnavailable: It cannot be read or written.
        """
        with files.locked(self._lock):
            known = self.read()
            rest = [each for each in known if each.name != name]
            if len(rest) == len(known):
                raise ObjectNotFound(
                    "no client of that name has a token",
                    code="unknown-client",
                    hint="strongroom client list has the names",
                )
            self._write(rest)
            files.remove(self._folder / _USED / name)

    def read(self) -> tuple[ClientToken, ...]:
        """Return all of them, in the order in which they were made.

        Raises:
            NoMatchingKey: Others can read the file (code ``key-file-mode``).
            FormatError: The file is damaged (code ``client-tokens``).
            StorageUnavailable: It cannot be read.
        """
        try:
            record = from_wire(files.read_private(self._path), _Record)
            for each in record.tokens:
                each.check()
        except ObjectNotFound:
            return ()
        except FormatError as error:
            raise FormatError(
                f"{self._path} is damaged: {error}",
                code="client-tokens",
                hint="move it away, and make new tokens: strongroom client add NAME",
            ) from error
        return tuple(record.tokens)

    def stamp(self) -> Stamp | None:
        """Return what changes whenever the file does; None: there is no file.

        Raises:
            StorageUnavailable: It cannot be looked at.
        """
        try:
            status = self._path.lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise files.storage_error(error, self._path, "find") from error
        return (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)

    def note_use(self, name: str) -> None:
        """Note that a token is used now, if that is possible: nobody is refused for it."""
        with suppress(OSError):
            folder = self._folder / _USED
            folder.mkdir(mode=files.FOLDER_MODE, exist_ok=True)
            (folder / name).touch(mode=files.PRIVATE_MODE)

    def last_used(self, name: str) -> datetime | None:
        """Return when a token was last used, to about a minute; None: never, as far as was noted."""
        try:
            seconds = (self._folder / _USED / name).stat().st_mtime
        except OSError:
            return None
        return datetime.fromtimestamp(int(seconds), UTC)

    def _write(self, tokens: list[ClientToken]) -> None:
        files.write_atomic(self._path, to_wire(_Record(tokens=tokens)))
