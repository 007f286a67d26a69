"""One party's directory, and the objects that keep its parts.

    home = Home.create("clinic", Path("/srv/strongroom"))
    home = Home.open()                        # path, else STRONGROOM_HOME, else the user's data directory
    home.name, home.path
    home.keys, home.trust, home.catalog, home.vault, home.marks

Layout, all of it closed to other users:

    home.json                                 format and name of the party
    home.lock                                 held while anything but state is written
    keys/ trust/ packages/ licenses/ state/   see ``keystore``, ``trust``, ``catalog``, ``marks``
    vault/                                    see ``vault``; used at an owner only
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec
import platformdirs

from strongroom.errors import ObjectNotFound, UsageError
from strongroom.home import files
from strongroom.home.brokers import Brokers
from strongroom.home.catalog import Catalog
from strongroom.home.checkouts import CheckoutFolder
from strongroom.home.client_header import ClientHeader
from strongroom.home.client_tokens import ClientTokens
from strongroom.home.keystore import Keystore
from strongroom.home.leases import Leases
from strongroom.home.logbook import Logbook
from strongroom.home.marks import Marks
from strongroom.home.outbox import Outbox
from strongroom.home.record import read_record, write_record
from strongroom.home.trust import Trust
from strongroom.home.vault import Vault
from strongroom.keys.name import verify_chosen_name
from strongroom.keys.strength import verify_passphrase

HOME_VARIABLE: Final = "STRONGROOM_HOME"
_CONFIGURATION: Final = "home.json"
_LOCK: Final = "home.lock"
_FOLDERS: Final = ("keys", "trust", "packages", "licenses", "state", "vault")


class Configuration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``home.json`` holds."""

    format: Literal["home/v1"]
    name: str
    encrypted: bool
    """Whether key files of this home are under a pass-phrase."""


class Home:
    """One party: a hospital, a clinic, a bank."""

    __slots__ = (
        "brokers",
        "catalog",
        "checkouts",
        "client_header",
        "client_tokens",
        "keys",
        "leases",
        "logbook",
        "marks",
        "name",
        "outbox",
        "path",
        "trust",
        "vault",
    )

    def __init__(
        self,
        path: Path,
        name: str,
        *,
        encrypted: bool,
        passphrase: Callable[[], str] | None,
        token_pin: Callable[[str], str] | None = None,
    ) -> None:
        lock = path / _LOCK
        self.path = path
        """The directory."""
        self.name = name
        """What the party calls itself."""
        self.keys = Keystore(path / "keys", lock, encrypted=encrypted, passphrase=passphrase, pin=token_pin)
        self.trust = Trust(path / "trust", lock)
        self.catalog = Catalog(path, lock, self.trust)
        self.vault = Vault(path / "vault", lock)
        self.marks = Marks(path / "state", self.keys)
        self.brokers = Brokers(path / "brokers", lock)
        self.leases = Leases(path / "leases")
        self.checkouts = CheckoutFolder(path / "leases")
        self.logbook = Logbook(path / "log")
        self.outbox = Outbox(path / "outbox", lock)
        self.client_header = ClientHeader(path / "run")
        self.client_tokens = ClientTokens(path / "run", lock)

    @classmethod
    def create(
        cls, name: str, path: Path | None = None, *, passphrase: Callable[[], str] | None = None
    ) -> Home:
        """Make a home; with a pass-phrase, every key file written into it is encrypted.

        An interrupted call can simply be repeated.

        Raises:
            UsageError: a bad name (code ``name``), a weak pass-phrase (code
                ``passphrase-weak``), a home is there already (code ``home-exists``), or the
                directory holds something else (code ``home-not-empty``).
            NoMatchingKey: the directory belongs to another user (code ``home-mode``).
            StorageUnavailable: the directory cannot be made.
        """
        verify_chosen_name(name)
        where = default_path() if path is None else path.absolute()
        _verify_vacant(where)
        home = cls(where, name, encrypted=passphrase is not None, passphrase=passphrase)
        if home.keys.encrypted:
            verify_passphrase(home.keys.passphrase(), context_words=[name])
        files.make_folder(where)
        files.close_folder(where)
        _verify_closed(where)
        for folder in _FOLDERS:
            files.make_folder(where / folder)
        configuration = Configuration(format="home/v1", name=name, encrypted=home.keys.encrypted)
        try:
            # Written last and never over another: this file makes the directory a home.
            write_record(where / _CONFIGURATION, configuration, replace=False)
        except UsageError as error:
            raise _exists(where) from error
        return home

    @classmethod
    def open(
        cls,
        path: Path | None = None,
        *,
        passphrase: Callable[[], str] | None = None,
        token_pin: Callable[[str], str] | None = None,
    ) -> Home:
        """Open a home that exists.

        ``passphrase`` is called at most once, and only if an encrypted key is needed; ``token_pin``
        with the label of a hardware token, whenever somebody has to log in there.

        Raises:
            ObjectNotFound: there is none (code ``no-home``).
            NoMatchingKey: it belongs to another user or is open to others (code ``home-mode``).
            FormatError: ``home.json`` is damaged.
            StorageUnavailable: it cannot be read.
        """
        where = default_path() if path is None else path.absolute()
        try:
            configuration = read_record(where / _CONFIGURATION, Configuration)
        except ObjectNotFound as error:
            raise ObjectNotFound(
                f"there is no Strongroom home at {where}", code="no-home", hint="strongroom init NAME"
            ) from error
        _verify_closed(where)
        return cls(
            where,
            configuration.name,
            encrypted=configuration.encrypted,
            passphrase=passphrase,
            token_pin=token_pin,
        )

    def __repr__(self) -> str:
        return f"Home({str(self.path)!r}, name={self.name!r})"


def default_path() -> Path:
    """Return the home's place when none is given: ``STRONGROOM_HOME``, else the user's data directory."""
    given = os.environ.get(HOME_VARIABLE)
    return Path(given).absolute() if given else platformdirs.user_data_path("strongroom", appauthor=False)


def _verify_vacant(path: Path) -> None:
    entries = files.entries_of(path)
    if _CONFIGURATION in entries:
        raise _exists(path)
    if any(name not in _FOLDERS and not files.is_temporary(name) for name in entries):
        raise UsageError(
            f"{path} holds something else than a Strongroom home",
            code="home-not-empty",
            hint="choose another directory with --home or STRONGROOM_HOME",
        )


def _verify_closed(path: Path) -> None:
    try:
        status = path.stat()
    except OSError as error:
        raise files.storage_error(error, path, "read") from error
    files.verify_private(status, path, code="home-mode", mode=files.FOLDER_MODE)


def _exists(path: Path) -> UsageError:
    return UsageError(
        f"there is a Strongroom home at {path} already",
        code="home-exists",
        hint="choose another directory with --home or STRONGROOM_HOME",
    )
