"""The versions that this owner took back: one signed withdrawal a file.

    home.vault.withdrawals.add(signed.id, signed.token)
    home.vault.withdrawals.all()                         # tokens

Files: ``vault/withdrawals/<withdrawal id>.jws``. They go into every license file for the
model from then on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from strongroom._limits import LIMITS
from strongroom.errors import FormatError
from strongroom.home import files

_SUFFIX: Final = ".jws"


class Withdrawals:
    """The ``withdrawals`` folder of a vault."""

    __slots__ = ("_folder", "_lock")

    def __init__(self, folder: Path, lock: Path) -> None:
        self._folder = folder
        self._lock = lock

    def add(self, withdrawal_id: str, token: str) -> None:
        """Keep a withdrawal.

        Raises:
            FormatError: not an id.
            StorageUnavailable: it cannot be written.
        """
        path = self._folder / (files.verify_component(withdrawal_id) + _SUFFIX)
        with files.locked(self._lock):
            files.make_folder(self._folder)
            files.write_atomic(path, token.encode("ascii"))

    def all(self) -> list[str]:
        """Return the tokens of all withdrawals, sorted by id.

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
