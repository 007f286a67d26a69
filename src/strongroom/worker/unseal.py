"""From the files that the supervisor passed on to an open package. Keys exist here only.

    package = open_package(source, load, one_time)

Everything is verified again with the owner's chain: the supervisor is trusted with the
license, not with the model. A lease is opened with the one-time key of this worker, or, in
an outage, by its restart envelope with the sealing key. The sealing key's file and the
pass-phrase come as open descriptors that nobody has read before (spec/worker-protocol.md,
section "Keys").
"""

from __future__ import annotations

import os
from contextlib import suppress

from strongroom._limits import LIMITS
from strongroom.crypto import jws
from strongroom.errors import FormatError, NoMatchingKey, VerificationError
from strongroom.keys import key_file
from strongroom.keys.key_pair import SealingKey
from strongroom.keys.owner import Owner, OwnerChain, Role, verify_owner_chain
from strongroom.keys.text import KeyKind
from strongroom.license.key_binding import (
    KeyBinding,
    unwrap_lease,
    unwrap_offline,
    unwrap_restart,
    unwrap_with_passphrase,
)
from strongroom.license.release_documents import Lease, OfflineFile, PassphraseFile
from strongroom.license.signing import verify_by_owner
from strongroom.package.open_package import OpenPackage
from strongroom.package.reader import PackageReader
from strongroom.package.statement import Statement
from strongroom.storage.interface import Source
from strongroom.worker.messages import Load


def open_package(source: Source, load: Load, one_time: SealingKey | None = None) -> OpenPackage:
    """Verify the package and unlock it with the key that the release carries.

    Args:
        source: The package.
        load: What the supervisor asks for.
        one_time: The key that this worker made for a lease.

    Raises:
        FormatError: a document or the package breaks its specification.
        VerificationError: a signature does not hold, or it is not the licensed package.
        IntegrityError: the package or the wrapped key is not what the owner made.
        NoMatchingKey: the sealing key or the pass-phrase does not open it.
        UnsupportedError: the package needs a later version of the format.
        StorageError: the package cannot be read.
    """
    owner = verify_owner_chain(OwnerChain.from_json(load.owner))
    reader = PackageReader.open(
        source, lambda said: owner.keys_for(Role.PACKAGE, said.created_at), owner=owner.id
    )
    if reader.statement.package_digest != load.package:
        raise VerificationError("this is another package than the licensed one", code="wrong-package")
    inherited = _Inherited(load)
    try:
        return reader.unlock(_content_key(load, owner, reader.statement, one_time, inherited))
    finally:
        inherited.close()


class _Inherited:
    """The descriptors of keys and pass-phrases. Each is read once; what nobody read is closed unread."""

    def __init__(self, load: Load) -> None:
        numbers = (load.sealing_key_fd, load.pipes.passphrase, load.pipes.worker_key)
        self._unread = {number for number in numbers if number is not None}

    def read(self, descriptor: int, limit: int) -> bytes:
        """Read a descriptor to its end, or to the limit, and close it."""
        self._unread.discard(descriptor)
        pieces: list[bytes] = []
        with open(descriptor, "rb", buffering=0) as stream:
            while limit > 0 and (piece := stream.read(limit)):
                pieces.append(piece)
                limit -= len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Close the rest: a model that is code of its owner would find it otherwise."""
        while self._unread:
            with suppress(OSError):
                os.close(self._unread.pop())


def _content_key(
    load: Load, owner: Owner, statement: Statement, one_time: SealingKey | None, inherited: _Inherited
) -> bytes:
    typ = jws.read_unverified(load.release).typ
    if typ == PassphraseFile.typ():
        locked = verify_by_owner(load.release, PassphraseFile, owner).document
        phrase = _read_passphrase(load.pipes.passphrase, inherited)
        return unwrap_with_passphrase(locked, phrase, _binding(load, statement, runtime=None))
    expected = _binding(load, statement, runtime=load.runtime)
    if typ == Lease.typ():
        lease = verify_by_owner(load.release, Lease, owner).document
        return _from_lease(load, lease, expected, one_time, inherited)
    wrapped = verify_by_owner(load.release, OfflineFile, owner).document
    return unwrap_offline(wrapped, _read_sealing_key(load, inherited).secret, expected)


def _from_lease(
    load: Load, lease: Lease, expected: KeyBinding, one_time: SealingKey | None, inherited: _Inherited
) -> bytes:
    if load.nonce is None:
        return unwrap_restart(lease, _read_sealing_key(load, inherited).secret, expected)
    if one_time is None:
        raise FormatError("a lease came before the key for it was asked for", code="unexpected-message")
    return unwrap_lease(lease, one_time.secret, expected, nonce=load.nonce)


def _binding(load: Load, statement: Statement, *, runtime: str | None) -> KeyBinding:
    # What the key is expected to be for comes from the verified license and package,
    # never from the document that carries it.
    return KeyBinding(
        license=load.license,
        runtime=runtime,
        package=statement.package_digest,
        package_id=statement.package_id,
    )


def _read_sealing_key(load: Load, inherited: _Inherited) -> SealingKey:
    if load.sealing_key_fd is None:
        raise FormatError("a model was asked for without the sealing key", code="unexpected-message")
    data = inherited.read(load.sealing_key_fd, LIMITS.max_key_file_bytes + 1)
    key = key_file.from_bytes(
        data, KeyKind.SEALING, passphrase=lambda: _read_passphrase(load.pipes.worker_key, inherited)
    )
    if not isinstance(key, SealingKey):
        raise AssertionError(key)
    return key


def _read_passphrase(descriptor: int | None, inherited: _Inherited) -> str:
    if descriptor is None:
        raise NoMatchingKey(
            "a pass-phrase is needed to open this model",
            code="passphrase-required",
            hint="give it by a prompt, a file or the environment",
        )
    data = inherited.read(descriptor, LIMITS.max_passphrase_bytes + 1)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoMatchingKey("the pass-phrase is no text", code="passphrase-wrong") from error
