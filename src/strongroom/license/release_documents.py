"""Documents that carry a wrapped content key: offline file, pass-phrase file, lease.

    OfflineFile(license=chain.id, runtime="run-...", package=digest, wrapped_key=..., budget=(...), ...)

Each is signed by the owner, for one license and one package, and ends by itself. How the
key is wrapped, and what the wrapping binds, is in ``key_binding``.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final, Literal

from strongroom._encoding import from_base64, from_hex
from strongroom.errors import FormatError
from strongroom.keys.text import KeyKind
from strongroom.license.document import OwnerSigned
from strongroom.license.fields import SERIAL_BYTES, verify_digest, verify_id
from strongroom.license.period import CounterName
from strongroom.license.request import Authority, AuthorityKind, Budget

PACKAGE_ID_BYTES: Final = 16
MAX_WRAPPED_BYTES: Final = 4096
"""A wrapped key; the largest of ours has 1168 bytes."""


class KeyRelease(OwnerSigned, frozen=True, kw_only=True):
    """What documents that carry a content key have in common."""

    license: str
    """Id of the narrowest document of the chain that it serves."""
    package: str
    """Package digest."""
    package_id: str
    serial: str
    wrapped_key: str
    """Base64."""
    not_after: datetime

    def check_fields(self) -> None:
        """Check names, key and lifetime.

        Raises:
            FormatError: one of them breaks its rule.
        """
        super().check_fields()
        verify_id(self.license, "lic-", "sub-")
        verify_digest(self.package)
        from_hex(self.package_id, size=PACKAGE_ID_BYTES)
        from_hex(self.serial, size=SERIAL_BYTES)
        verify_wrapped_key(self.wrapped_key)
        if self.issued_at >= self.not_after:
            raise FormatError("a document that releases a key ends before it begins")

    def _authority(
        self, kind: AuthorityKind, runtime: str | None = None, budget: tuple[Budget, ...] = ()
    ) -> Authority:
        return Authority(
            kind=kind,
            id=self.id,
            license=self.license,
            runtime=runtime,
            package=self.package,
            issued_at=self.issued_at,
            not_after=self.not_after,
            budget=budget,
        )


class OfflineFile(KeyRelease, frozen=True, kw_only=True):
    """The content key for one runtime without a broker, with a budget carved out of the license."""

    NAME: ClassVar[str] = "offline"
    PREFIX: ClassVar[str] = "off-"
    SIGNERS: ClassVar[tuple[KeyKind, ...]] = (KeyKind.OWNER_LICENSE, KeyKind.OWNER_BROKER)
    """The license key where one is granted, the broker key where a partner checks one out."""

    format: Literal["offline/v1"] = "offline/v1"
    runtime: str
    budget: tuple[Budget, ...]

    @property
    def authority(self) -> Authority:
        """This document, once it is verified, as decisions take it."""
        return self._authority(AuthorityKind.OFFLINE, self.runtime, self.budget)

    def check_fields(self) -> None:
        """Check runtime and budget.

        Raises:
            FormatError: one of them breaks its rule.
        """
        super().check_fields()
        verify_id(self.runtime, "run-")
        _verify_budget(self.budget)


class PassphraseFile(KeyRelease, frozen=True, kw_only=True):
    """The content key under a pass-phrase, for whoever knows it."""

    NAME: ClassVar[str] = "passphrase"
    PREFIX: ClassVar[str] = "pwd-"
    SIGNERS: ClassVar[tuple[KeyKind, ...]] = (KeyKind.OWNER_LICENSE,)

    format: Literal["passphrase/v1"] = "passphrase/v1"

    @property
    def authority(self) -> Authority:
        """This document, once it is verified, as decisions take it."""
        return self._authority(AuthorityKind.PASSPHRASE)


class Lease(KeyRelease, frozen=True, kw_only=True):
    """The broker's short-lived answer to one runtime."""

    NAME: ClassVar[str] = "lease"
    PREFIX: ClassVar[str] = "lea-"
    SIGNERS: ClassVar[tuple[KeyKind, ...]] = (KeyKind.OWNER_BROKER,)

    format: Literal["lease/v1"] = "lease/v1"
    runtime: str
    budget: tuple[Budget, ...]
    """The slice of the quota that this runtime may use up."""
    nonce: str
    """The nonce of the request: an answer to another one is refused."""
    previous: str | None
    """The lease that this one supersedes."""
    restart_key: str | None
    """Base64: the key wrapped to the sealing key, for a restart in an outage."""

    @property
    def authority(self) -> Authority:
        """This document, once it is verified, as decisions take it."""
        return self._authority(AuthorityKind.LEASE, self.runtime, self.budget)

    def check_fields(self) -> None:
        """Check runtime, budget, nonce and restart envelope.

        Raises:
            FormatError: one of them breaks its rule.
        """
        super().check_fields()
        verify_id(self.runtime, "run-")
        _verify_budget(self.budget)
        from_hex(self.nonce, size=SERIAL_BYTES)
        if self.previous is not None:
            verify_id(self.previous, self.PREFIX)
        if self.restart_key is not None:
            verify_wrapped_key(self.restart_key)


def _verify_budget(budget: tuple[Budget, ...]) -> None:
    keys = [(entry.counter, entry.per) for entry in budget]
    if keys != sorted(set(keys)):
        raise FormatError("a budget is not sorted by counter and period, or has one twice")
    if any(entry.counter is CounterName.GRACE_PREDICTIONS for entry in budget):
        raise FormatError("grace is no part of a budget")


def verify_wrapped_key(text: str) -> None:
    """Check the size of a wrapped key in base64.

    Raises:
        FormatError: not base64, or of an impossible size.
    """
    if not 1 <= len(from_base64(text)) <= MAX_WRAPPED_BYTES:
        raise FormatError("a wrapped key has an impossible size")
