"""Envelopes: the content key of a package, wrapped for one runtime.

    envelopes = wrap_for_lease_request(provider, package, request, worker=worker, sealing=sealing)
    envelopes.serial, envelopes.worker, envelopes.restart

The content key comes out of the key provider here, is wrapped, and is let go of. It is never
part of an error, a log or a row.
"""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.broker.keys import content_key_purpose
from strongroom.broker.records import PackageRow
from strongroom.crypto.hpke import SealingPublic
from strongroom.kms.interface import KeyProvider
from strongroom.license.documents import LeaseRequest
from strongroom.license.fields import new_serial
from strongroom.license.key_binding import KeyBinding, wrap_for_lease, wrap_for_restart, wrap_for_runtime


@dataclass(frozen=True, slots=True)
class Envelopes:
    """What a lease carries: the content key twice."""

    serial: str
    worker: str
    """To the worker's one-time key."""
    restart: str
    """To the sealing key, for a restart in an outage."""


def wrap_for_lease_request(
    provider: KeyProvider,
    package: PackageRow,
    request: LeaseRequest,
    *,
    worker: SealingPublic,
    sealing: SealingPublic,
) -> Envelopes:
    """Wrap the content key of a package for the lease that answers a request.

    Raises:
        IntegrityError: the content key does not open.
        NoMatchingKey: the key provider refuses to be used.
        StorageUnavailable: the key provider does not answer.
    """
    serial = new_serial()
    binding = _binding(package, license=request.license, runtime=request.runtime)
    content_key = provider.unwrap(package.wrapped_key, content_key_purpose(package.package))
    return Envelopes(
        serial,
        wrap_for_lease(content_key, worker, binding, serial=serial, nonce=request.nonce),
        wrap_for_restart(content_key, sealing, binding, serial=serial, nonce=request.nonce),
    )


def wrap_for_checkout(
    provider: KeyProvider,
    package: PackageRow,
    *,
    license: str,
    runtime: str,
    sealing: SealingPublic,
    serial: str,
) -> str:
    """Wrap the content key of a package for an offline file with this serial; returns base64.

    Raises:
        IntegrityError: the content key does not open.
        NoMatchingKey: the key provider refuses to be used.
        StorageUnavailable: the key provider does not answer.
    """
    binding = _binding(package, license=license, runtime=runtime)
    content_key = provider.unwrap(package.wrapped_key, content_key_purpose(package.package))
    return wrap_for_runtime(content_key, sealing, binding, serial=serial)


def _binding(package: PackageRow, *, license: str, runtime: str) -> KeyBinding:
    return KeyBinding(
        license=license, runtime=runtime, package=package.package, package_id=package.package_id
    )
