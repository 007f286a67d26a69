"""Notices that this owner signed: what it took back, one signed document a file.

    home.vault.withdrawals.add(signed.id, signed.token)       # of versions
    home.vault.revocations.add(signed.id, signed.token)       # of licenses
    home.vault.derivations.add(signed.id, signed.token)       # by partners: what was countersigned
    home.vault.withdrawals.all()                              # tokens

Files: ``vault/withdrawals/<withdrawal id>.jws``, and so for the others.
Withdrawals go into every license file for the model from then on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from strongroom._limits import LIMITS
from strongroom.errors import FormatError
from strongroom.home import files

_SUFFIX: Final = ".jws"


class Notices:
    """One kind of notice, in a folder of the vault."""

    __slots__ = ("_folder", "_lock")

    def __init__(self, folder: Path, lock: Path) -> None:
        self._folder = folder
        self._lock = lock

    def add(self, notice_id: str, token: str) -> None:
        """Keep a notice.

        Raises:
            FormatError: not an id.
            StorageUnavailable: it cannot be written.
        """
        path = self._folder / (files.verify_component(notice_id) + _SUFFIX)
        with files.locked(self._lock):
            files.make_folder(self._folder)
            files.write_atomic(path, token.encode("ascii"))

    def all(self) -> list[str]:
        """Return the tokens of all notices of this kind, sorted by id.

        Raises:
            FormatError: a file is damaged.
            StorageUnavailable: the folder cannot be read.
        """
        paths = [self._folder / f"{name}{_SUFFIX}" for name in files.names_in(self._folder, _SUFFIX)]
        return [_read(path) for path in paths]


def _read(path: Path) -> str:
    try:
        return files.read_bytes(path, max_bytes=LIMITS.max_token_bytes).decode("ascii")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is damaged", code="damaged-record") from error
