"""The error tree: every failure that Strongroom reports to its caller.

    try:
        model = strongroom.open("risk")
    except strongroom.errors.LicenseDenied as denied:
        print(denied.code, denied, denied.hint)

Classes are split by what the caller should do, not by the module that raised
them. A message says what was refused and which rule refused it; ``hint`` says
what to do; ``code`` is stable and meant for programs. No message ever holds key
material, tokens, model inputs or plaintext.
"""

from __future__ import annotations

from typing import ClassVar


class Error(Exception):
    """Root of everything that Strongroom raises on purpose."""

    default_code: ClassVar[str] = "unexpected"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code or self.default_code
        """Stable kebab-case name of the rule that refused."""
        self.hint = hint
        """What the user can do about it, or None."""
        # A traceback shows only the message; in a notebook that is all that a person sees.
        self.add_note(f"[{self.code}]" if hint is None else f"[{self.code}] hint: {hint}")


class UsageError(Error):
    """The call itself makes no sense; nothing was read or changed."""

    default_code = "usage"
    exit_code = 2


class FormatError(Error):
    """Bytes do not follow their specification. Parsers raise this and nothing else."""

    default_code = "malformed"
    exit_code = 6


class IntegrityError(Error):
    """Well formed, but fails authentication: a tag, a commitment, a digest, a Merkle path."""

    default_code = "integrity"
    exit_code = 6


class VerificationError(Error):
    """A signature, a signer, a chain of trust or a piece of evidence does not hold."""

    default_code = "verification"
    exit_code = 6


class NoMatchingKey(Error):
    """None of the keys at hand opens this."""

    default_code = "no-matching-key"
    exit_code = 4


class LicenseDenied(Error):
    """A term of the license says no; the message names the term."""

    default_code = "license-denied"
    exit_code = 5


class BrokerError(Error):
    """The owner's broker could not or would not answer."""

    default_code = "broker"
    exit_code = 7


class BrokerUnavailable(BrokerError):
    """No answer from the broker; trying again later may help."""

    default_code = "broker-unavailable"


class BrokerRefused(BrokerError):
    """The broker answered no."""

    default_code = "broker-refused"
    exit_code = 4


class StorageError(Error):
    """A file or an object could not be read or written."""

    default_code = "storage"
    exit_code = 1


class ObjectNotFound(StorageError):
    """There is no such file, object, model, partner or license."""

    default_code = "not-found"
    exit_code = 3


class StorageUnavailable(StorageError):
    """The storage does not answer, is full, or refuses access."""

    default_code = "storage-unavailable"


class WorkerLost(Error):
    """The sealed worker died or lost a guarantee; its session is over."""

    default_code = "worker-lost"
    exit_code = 1


class UnsupportedError(Error):
    """Known to the specification, but not available here: an extra, a kernel feature, a later version."""

    default_code = "unsupported"
    exit_code = 2
