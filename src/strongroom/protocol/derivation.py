"""Messages by which derived models are handed in and countersigned (spec/broker-api.md, "Derivations").

    DerivationAsk(...)                   # a partner hands in what it made
    CountersignatureAsk(...)             # the owner signed it at home

What holds of all messages stands in ``protocol.broker``.
"""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.protocol.broker import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivationAsk(Asked):
    """A partner asks the owner to countersign what it derived; the model itself goes another way."""

    derivation: str
    """Token of the derivation, signed by the organization key."""
    statement: str
    """The statement of the package to be, unsigned; base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountersignatureAsk(Asked):
    """The owner countersigned."""

    statement: str
    """The same statement, signed by the package key; base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivationAnswer:
    """One derived model, and what the owner said of it."""

    derivation: str
    organization: str
    holder: str
    license: str
    parent: str
    """Package digest."""
    parent_name: str
    """Name and version of the parent."""
    package: str
    """Package digest."""
    name: str
    version: str
    handed_in_at: str
    handed_in_by: str
    """Member or runtime id."""
    status: str
    """``open``, ``countersigned`` or ``refused``."""
    statement: str | None
    """The signed statement, once it is countersigned; base64."""
    reason: str | None
    """Why it was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivationPage:
    """Derived models in the order of their ids."""

    derivations: tuple[DerivationAnswer, ...]
    next: str | None = None
