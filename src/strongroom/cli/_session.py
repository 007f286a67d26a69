"""The options of every command that opens a model, and what they give it to open with.

    secrets = options.read_secrets(shared, "risk", Right.PREDICT)
    strongroom.open("risk", passphrase=secrets.license, key_passphrase=secrets.home)

Opening is tried here first, without decrypting anything: what can be refused is refused in milliseconds,
and nobody types a pass-phrase for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

if TYPE_CHECKING:
    from strongroom.cli._shared import Shared
    from strongroom.license.request import Right


@dataclass(frozen=True, slots=True, repr=False)
class SessionSecrets:
    """The pass-phrases that this model needs, and no others."""

    home: str | None
    license: str | None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """Under which license a model is opened, and what for."""

    license: Annotated[str | None, Parameter(help="The id of the license, where several fit.")] = None
    purpose: Annotated[str | None, Parameter(help="What for, where the license asks.")] = None
    license_passphrase_file: Annotated[
        Path | None, Parameter(help="A file with the pass-phrase of the license, or - (else asked).")
    ] = None

    trust_code: Annotated[
        bool,
        Parameter(
            negative=(),
            help="Run a model that is its owner's own program although nothing here confines it: it can "
            "then read the files and use the network of this account.",
        ),
    ] = False

    def read_secrets(self, shared: Shared, model: str, right: Right) -> SessionSecrets:
        """Check that the model opens, and read what it needs to do so.

        Raises:
            Error: what `strongroom open` refuses with.
            UsageError: a pass-phrase is needed and nobody can be asked.
        """
        from strongroom.cli._broker import ask_withdrawals
        from strongroom.cli._level import open_here
        from strongroom.cli._secret import LICENSE, read_passphrase
        from strongroom.license.documents import PassphraseFile

        home = shared.open_home()
        opened = open_here(
            shared,
            home,
            model,
            right=right,
            license_id=self.license,
            purpose=self.purpose,
            ask_withdrawals=ask_withdrawals,
        )
        of_license = None
        if opened.release is not None and isinstance(opened.release.document, PassphraseFile):
            of_license = read_passphrase(shared.terminal, LICENSE, file=self.license_passphrase_file)
        return SessionSecrets(home.keys.passphrase() if home.keys.encrypted else None, of_license)


NO_SESSION_OPTIONS: Final = SessionOptions()
"""All options left out."""
