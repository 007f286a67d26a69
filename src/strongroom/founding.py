"""Founding a party: its home, its keys, and the owner document that partners pin.

    home = found("hospital", path, now=now)
    home.vault.owner_id                       # 'own-...'
    chain = rotate(home, now=now, retire=[key_id], add=[Role.LICENSE])

A party that only uses models of others is founded with ``owner=False``. Founding that
was interrupted is taken up where it stopped when it is called again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from strongroom.errors import UsageError, VerificationError
from strongroom.home.home import Home
from strongroom.home.trust import PinnedOwner, TrustStatus
from strongroom.keys.key_pair import SigningKey, signing_public_from_text
from strongroom.keys.log_key import LogKey
from strongroom.keys.owner import Owner, OwnerChain, Role
from strongroom.keys.owner_document import ROLE_KINDS
from strongroom.keys.rotation import make_owner, rotate_owner
from strongroom.keys.text import KeyKind

_HANDOVER: Final = timedelta(minutes=1)
"""How long a key that has a successor goes on to count. Nobody takes it any more who has the new document."""


def found(
    name: str,
    path: Path | None = None,
    *,
    now: datetime,
    owner: bool = True,
    passphrase: Callable[[], str] | None = None,
) -> Home:
    """Make a home with all its keys; with ``owner``, also the first owner document.

    Args:
        name: What the party calls itself.
        path: The home; None for the place that ``Home.open`` would look at.
        now: The time of founding.
        owner: Whether the party will share models of its own.
        passphrase: Asked once; with it, every key file is encrypted.

    Raises:
        UsageError: a bad name, or the home is complete already (code ``home-exists``).
        NoMatchingKey: a half-made home is under another pass-phrase.
        StorageUnavailable: the home cannot be written.
        FormatError: a half-made home is damaged.
    """
    try:
        home = Home.create(name, path, passphrase=passphrase)
    except UsageError as error:
        if error.code != "home-exists":
            raise
        home = Home.open(path, passphrase=passphrase)
        if home.name != name or _is_founded(home, owner=owner):
            raise
    _ensure(home.keys.create_organization, now)
    _ensure(home.keys.create_member, now)
    if owner and home.vault.owner_id is None:
        _found_owner(home, now)
    return home


def _is_founded(home: Home, *, owner: bool) -> bool:
    return home.keys.has_member() and not (owner and home.vault.owner_id is None)


def _ensure(create: Callable[[datetime], object], now: datetime) -> None:
    try:
        create(now)
    except UsageError as error:
        if error.code != "key-exists":
            raise


def _found_owner(home: Home, now: datetime) -> None:
    _ensure(home.keys.create_key_encryption_key, now)
    root = home.keys.create_owner_key(KeyKind.OWNER_ROOT, now)
    roles = {role: [_create_role_key(home, role, now)] for role in Role}
    chain = make_owner(name=home.name, roots=[root], roles=roles, now=now)
    pinned = home.trust.pin(chain, status=TrustStatus.CONFIRMED)
    # Last: from here on the home is an owner. Keys of an attempt that stopped before
    # are in no document and sign nothing.
    home.vault.set_owner_id(pinned.id)


def own_owner(home: Home) -> Owner:
    """Return the owner that this home is.

    Raises:
        UsageError: this home owns no models (code ``not-an-owner``).
        ObjectNotFound: its own chain is missing from ``trust``.
        VerificationError: its own chain does not verify.
        FormatError: a record is damaged.
        StorageUnavailable: a record cannot be read.
    """
    return home.trust.get(home.vault.verify_owner_id()).owner


def role_key(home: Home, role: Role, now: datetime) -> SigningKey:
    """Return a key of this owner that may sign for a role now.

    Raises:
        UsageError: this home owns no models (code ``not-an-owner``).
        NoMatchingKey: none that is in force lies here, or the pass-phrase is missing or wrong.
        VerificationError: the owner's own chain does not verify.
        FormatError: a file is damaged.
        StorageUnavailable: a file cannot be read.
    """
    return home.keys.owner_key(ROLE_KINDS[role], own_owner(home).keys_for(role, now))


def log_key(home: Home, now: datetime) -> LogKey:
    """Return a key of this owner that may sign for its log now.

    Raises:
        UsageError: this home owns no models (code ``not-an-owner``).
        NoMatchingKey: none that is in force lies here, or the pass-phrase is missing or wrong.
        VerificationError: the owner's own chain does not verify.
        FormatError: a file is damaged.
        StorageUnavailable: a file cannot be read.
    """
    return home.keys.log_key(own_owner(home).log_keys(now))


def rotate(
    home: Home,
    *,
    now: datetime,
    renew: Sequence[Role] = (),
    retire: Sequence[str] = (),
    new_root: bool = False,
    root_files: Sequence[Path] = (),
) -> PinnedOwner:
    """Make and pin the next version of this owner's document.

    Args:
        home: The owner's home.
        now: The time of issue; retired keys sign nothing that is dated later than this second.
        renew: Roles that get a fresh key; the keys they had retire.
        retire: Ids of further keys that retire without a successor.
        new_root: Whether a fresh root key replaces the roots.
        root_files: Root keys that do not lie in the home.

    Raises:
        UsageError: nothing to change, an unknown key id, or not an owner.
        NoMatchingKey: no root key is at hand, or the pass-phrase is missing or wrong.
        VerificationError: too few roots are at hand for the threshold.
        FormatError: a file is damaged.
        StorageUnavailable: a file cannot be read or written.
    """
    if not (renew or retire or new_root):
        raise UsageError(
            "nothing to rotate",
            code="nothing-to-rotate",
            hint="name a role to renew, a key to retire, or ask for a new root",
        )
    owner = own_owner(home)
    signers = _roots_at_hand(home, owner, root_files)
    roots: list[str] | None = None
    if new_root:
        fresh = home.keys.create_owner_key(KeyKind.OWNER_ROOT, now)
        roots, signers = [fresh.public_text], [*signers, fresh]
    # Later than now: a broker signs by the old key until it sees the new document, and that must stay good.
    succeeded = [key_id for role in renew for key_id in owner.lasting_key_ids(role)]
    retiring = dict.fromkeys(succeeded, now + _HANDOVER)
    retiring |= dict.fromkeys(retire, now + timedelta(seconds=1))
    added = {role: [_create_role_key(home, role, now)] for role in renew}
    chain = rotate_owner(owner, signers=signers, now=now, roots=roots, retire=retiring, add=added)
    return _pin_if_signed(home, chain)


def _pin_if_signed(home: Home, chain: OwnerChain) -> PinnedOwner:
    try:
        return home.trust.update(chain)
    except VerificationError as error:
        if error.code != "owner-signature":
            raise
        raise VerificationError(
            "the root keys at hand are too few to sign the next owner document",
            code="owner-signature",
            hint="name the other root key files with --root",
        ) from error


def _roots_at_hand(home: Home, owner: Owner, root_files: Sequence[Path]) -> list[SigningKey]:
    keys = [home.keys.load_file(path, KeyKind.OWNER_ROOT) for path in root_files]
    at_hand = set(home.keys.owner_key_ids(KeyKind.OWNER_ROOT))
    publics = [signing_public_from_text(text, KeyKind.OWNER_ROOT) for text in owner.document.roots.keys]
    here = [public for public in publics if public.key_id in at_hand]
    keys += [home.keys.owner_key(KeyKind.OWNER_ROOT, [public]) for public in here]
    if not keys:
        # Asks for one of the roots, so that the error is the keystore's own.
        keys.append(home.keys.owner_key(KeyKind.OWNER_ROOT, publics))
    return list({key.public.key_id: key for key in keys}.values())


def _create_role_key(home: Home, role: Role, now: datetime) -> str:
    if role is Role.LOG:
        return home.keys.create_log_key(now).public_text
    return home.keys.create_owner_key(ROLE_KINDS[role], now).public_text
