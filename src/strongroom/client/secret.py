"""The pass-phrases that opening a model may need, and where a program finds them.

    secrets = Secrets.find(passphrase=None, key_passphrase=None)

What the caller gives goes first, then ``STRONGROOM_LICENSE_PASSPHRASE_FILE`` and
``STRONGROOM_PASSPHRASE_FILE``, which name files whose first line it is, then the same
variables without ``_FILE``, as on the command line. Nobody is asked.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from strongroom._limits import LIMITS
from strongroom.errors import UsageError
from strongroom.home import files

_LICENSE: Final = "STRONGROOM_LICENSE_PASSPHRASE"
_HOME: Final = "STRONGROOM_PASSPHRASE"


@dataclass(frozen=True, slots=True)
class Secrets:
    """The pass-phrases that opening a model may need. The repr shows none."""

    passphrase: str | None = field(default=None, repr=False)
    """Of a pass-phrase file."""
    key_passphrase: str | None = field(default=None, repr=False)
    """Of the home's own keys."""

    @classmethod
    def find(cls, *, passphrase: str | None, key_passphrase: str | None) -> Secrets:
        """Return what was given, and otherwise what the environment names.

        Raises:
            UsageError: a file has no text, or none in its first line (code ``passphrase-unreadable``).
            ObjectNotFound: there is no such file.
            StorageUnavailable: it cannot be read.
            FormatError: it is far too large.
        """
        return cls(
            passphrase=_from_environment(_LICENSE) if passphrase is None else passphrase,
            key_passphrase=_from_environment(_HOME) if key_passphrase is None else key_passphrase,
        )


def environment_without_secrets() -> Mapping[str, str]:
    """Return the environment for a child that gets its pass-phrases through pipes, if at all."""
    return {name: value for name, value in os.environ.items() if name not in (_LICENSE, _HOME)}


def _from_environment(variable: str) -> str | None:
    named = os.environ.get(f"{variable}_FILE")
    if not named:
        return os.environ.get(variable) or None
    data = files.read_bytes(Path(named), max_bytes=4 * LIMITS.max_passphrase_bytes)
    try:
        line = data.decode("utf-8").partition("\n")[0].removesuffix("\r")
    except UnicodeDecodeError as error:
        raise UsageError("the pass-phrase is not UTF-8 text", code="passphrase-unreadable") from error
    if not line:
        raise UsageError("the file has no pass-phrase in its first line", code="passphrase-unreadable")
    return line
