"""Publishing: the owner tells its broker of a package, and gives it the content key.

    intake = verify_intake_certificate(broker.owner().intake, owner, now)
    published = publish(home, "risk@1.2.0", intake, now=now)      # waits in the outbox; see ``sending``

The package itself stays where it is: the broker never sees it. The content key goes wrapped
to the broker's intake key, which a broker key of the owner document vouches for, so that nobody on the
way, a proxy or whoever ends the TLS, can read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from strongroom._encoding import to_base64, to_instant
from strongroom.errors import IntegrityError
from strongroom.founding import own_owner
from strongroom.home.home import Home
from strongroom.home.outbox import Parcel, ParcelKind
from strongroom.keys.intake import VerifiedIntake, wrap_for_intake
from strongroom.package.statement import read_unverified
from strongroom.package.tail import read_signed_statement
from strongroom.storage.local import LocalSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A package on its way to the broker."""

    name: str
    version: str
    package: str
    """Package digest."""
    path: Path
    """The file that partners get, once, on any way."""


def publish(home: Home, model: str, intake: VerifiedIntake, *, now: datetime) -> Published:
    """Put a sealed package and its wrapped content key into the outbox.

    Args:
        home: The owner's home.
        model: ``name`` or ``name@version``; the newest version without one.
        intake: The broker's intake key, whose certificate was verified.
        now: The time.

    Raises:
        ObjectNotFound: it was not sealed here, or its file is gone.
        UsageError: this home owns no models.
        IntegrityError: the file is not the package that was sealed here, or a stored key is not
            what it was.
        NoMatchingKey: a key is missing, or the home's pass-phrase is missing or wrong.
        VerificationError: the owner's own chain does not verify.
        FormatError: a file is damaged.
        StorageUnavailable: a file cannot be read or written.
    """
    name, _, version = model.partition("@")
    seal = home.vault.seals.find(name, version or None)
    owner = own_owner(home)
    path = home.catalog.packages.find(owner.id, seal.name, seal.version).path
    with LocalSource(path) as source:
        statement = read_signed_statement(source)
    if read_unverified(statement).package_digest != seal.package_digest:
        raise IntegrityError(f"{path} is not the package that was sealed here", code="package-changed")
    content_key = home.vault.content_keys.load(seal.package_id, home.keys.key_provider())
    wrapped = wrap_for_intake(
        content_key, intake.public, package=seal.package_digest, package_id=seal.package_id
    )
    home.outbox.add(
        Parcel(
            kind=ParcelKind.PACKAGE,
            id=seal.package_digest,
            owner=owner.id,
            about=f"{seal.name} {seal.version}",
            body={"statement": to_base64(statement), "content_key": wrapped},
            added_at=to_instant(now),
        )
    )
    return Published(name=seal.name, version=seal.version, package=seal.package_digest, path=path)
