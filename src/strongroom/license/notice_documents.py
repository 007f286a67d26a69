"""Notices of the owner: a version is withdrawn, a license is revoked.

    Withdrawal(name="risk", version="1.3.0", package=digest, permits="1.2.0", reason="wrong unit", ...)
    Revocation(target="lic-...", reason="contract ended", ...)

A withdrawal lets a runtime go back to an older version, which nothing else does; a
revocation goes by the id of what was signed, and ends what hangs from it.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from strongroom.errors import FormatError
from strongroom.keys.name import verify_name
from strongroom.keys.text import KeyKind
from strongroom.license.document import MAX_REASON_CHARS, OwnerSigned
from strongroom.license.fields import verify_digest, verify_id, verify_text
from strongroom.license.version import version_number


class Withdrawal(OwnerSigned, frozen=True, kw_only=True):
    """The owner takes a version back, and may permit an older one in its place."""

    NAME: ClassVar[str] = "withdrawal"
    PREFIX: ClassVar[str] = "wdr-"
    SIGNERS: ClassVar[tuple[KeyKind, ...]] = (KeyKind.OWNER_LICENSE,)

    format: Literal["withdrawal/v1"] = "withdrawal/v1"
    name: str
    """Model name."""
    version: str
    """The version that must not run any more."""
    package: str
    """Its package digest."""
    permits: str | None
    """The older version to which a runtime may go back; None: to none."""
    reason: str

    def check_fields(self) -> None:
        """Check model, versions and reason.

        Raises:
            FormatError: one of them breaks its rule, or what is permitted is not older.
        """
        super().check_fields()
        verify_name(self.name)
        version = version_number(self.version)
        verify_digest(self.package)
        verify_text(self.reason, "a reason", most=MAX_REASON_CHARS)
        if self.permits is not None and version_number(self.permits) >= version:
            raise FormatError("a withdrawal permits a version that is not older")


class Revocation(OwnerSigned, frozen=True, kw_only=True):
    """The end of a license, sub-license, lease or offline file, and of what hangs from it."""

    NAME: ClassVar[str] = "revocation"
    PREFIX: ClassVar[str] = "rev-"
    SIGNERS: ClassVar[tuple[KeyKind, ...]] = (KeyKind.OWNER_LICENSE, KeyKind.OWNER_BROKER)

    format: Literal["revocation/v1"] = "revocation/v1"
    target: str
    """Id of what ends."""
    reason: str

    def check_fields(self) -> None:
        """Check target and reason.

        Raises:
            FormatError: one of them breaks its rule.
        """
        super().check_fields()
        verify_id(self.target, "lic-", "sub-", "off-", "pwd-", "lea-")
        verify_text(self.reason, "a reason", most=MAX_REASON_CHARS)
