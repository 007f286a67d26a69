"""The header that clients of this installation's server send, as a file that only its user can read.

    path, token = ClientHeader(home / "run").take()       # made at the first time
    curl -H @path http://127.0.0.1:8470/v2

``curl`` and its like read headers from a file, so the token never is an argument, where other users
of the machine could see it.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Final

from strongroom.errors import FormatError, ObjectNotFound, UsageError
from strongroom.home import files

_NAME: Final = "authorization"
_FORM: Final = re.compile(rb"Authorization: Bearer ([A-Za-z0-9_-]{43})\n")
_TOKEN_BYTES: Final = 32
_MAX_FILE_BYTES: Final = 256


class ClientHeader:
    """One file with one header."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, *, anew: bool = False) -> tuple[Path, str]:
        """Return the file and the token in it; made if there is none, or if a new one is wanted.

        Raises:
            NoMatchingKey: Others can read the file (code ``key-file-mode``).
            FormatError: The file holds something else (code ``client-header``).
            StorageUnavailable: It cannot be read or written.
        """
        path = self._folder / _NAME
        files.make_folder(self._folder)
        if not anew:
            try:
                return path, _token(files.read_private(path, max_bytes=_MAX_FILE_BYTES), path)
            except ObjectNotFound:
                pass
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        try:
            files.write_atomic(path, f"Authorization: Bearer {token}\n".encode("ascii"), replace=anew)
        except UsageError:
            # Another server that starts just now was first; clients read what it wrote.
            return self.take()
        return path, token


def _token(data: bytes, path: Path) -> str:
    found = _FORM.fullmatch(data)
    if found is None:
        raise FormatError(
            f"{path} holds no header of ours", code="client-header", hint="make a new one: --new-token"
        )
    return found[1].decode("ascii")
