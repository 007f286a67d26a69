"""``strongroom verify``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import FormatError, ObjectNotFound, UsageError

if TYPE_CHECKING:
    from strongroom.keys.owner import Owner
    from strongroom.package.statement import Statement
    from strongroom.storage.local import LocalSource

_OWNER_ID: Final = "own-"


def verify(
    package: Annotated[Path, Parameter(help="The .sealed file.")],
    /,
    *,
    owner: Annotated[
        str | None,
        Parameter(
            help="A pinned owner, or a file with its document (else whom the package names, if pinned)."
        ),
    ] = None,
    signature: Annotated[
        Path | None, Parameter(help="The OpenSSF signature (else PACKAGE.sig, if it is there).")
    ] = None,
    shared: Shared = SHARED,
) -> None:
    """Check that a package is whole and signed by the owner it names.

    Every byte is checked against the owner's signature, and the OpenSSF signature beside the package too. No
    license and no secret key is needed. With a file as --owner it is you who vouch for that file.

    Examples:
        $ strongroom verify risk-1.0.0.sealed
        $ strongroom verify risk-1.0.0.sealed --owner hospital.owner

    Raises:
        ObjectNotFound: there is no such file, or the owner is not pinned.
        FormatError: not a package, or not canonical.
        VerificationError: not signed by the owner, or nobody has confirmed who that is.
        IntegrityError: a byte is not the one that was signed.
        UsageError: the package is by another owner than the one given.
    """
    from strongroom.package.inspect import inspect
    from strongroom.storage.local import LocalSource

    with LocalSource(package) as source:
        expected = _find_owner(shared, owner, inspect(source).unverified.owner)
        statement = _verify_package(shared, source, expected)
        bundle = _verify_bundle(shared, source, package, signature, expected, statement)
    document = {
        "verified": True,
        "name": statement.name,
        "version": str(statement.version),
        "owner": expected.id,
        "owner_name": expected.name,
        "package_digest": statement.package_digest,
        "signature": None if bundle is None else str(bundle),
    }
    model = f"{statement.name} {statement.version} by {expected.name} ({expected.id})"
    shared.terminal.result(document, f"{package} is {model}, whole and unchanged")
    if bundle is None and not shared.json:
        shared.terminal.note("There is no OpenSSF signature beside it; the owner's own signature is inside.")


def _find_owner(shared: Shared, given: str | None, named: str) -> Owner:
    if given is None:
        return shared.open_home().trust.confirmed(named)
    return owner_called(shared, given)


def owner_called(shared: Shared, given: str) -> Owner:
    """Return the owner that somebody typed: its id, its alias or name here, or a file with its document.

    A file that happens to have the name of an owner is not taken for it: whoever sends a folder
    chooses what files in it are called.

    Raises:
        ObjectNotFound: no such owner is known here, and no such file is there.
        FormatError: the file holds no owner document.
        VerificationError: the document does not verify, or nobody has confirmed the owner.
        StorageUnavailable: the file or the home cannot be read.
    """
    try:
        return shared.open_home().trust.confirmed(given)
    except ObjectNotFound:
        if given.startswith(_OWNER_ID) or not Path(given).is_file():
            raise
    return owner_in_file(shared, Path(given))


def owner_in_file(shared: Shared, path: Path) -> Owner:
    """Return the owner whose document a file holds: an owner document, an invite or a license.

    Raises:
        FormatError: it holds none.
        VerificationError: the document does not verify.
        StorageUnavailable: it cannot be read.
    """
    from strongroom.cli._file import read_input
    from strongroom.keys.owner import OwnerChain, verify_owner_chain

    try:
        value = json.loads(read_input(shared.terminal, path))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} holds no owner document", code="unknown-file") from error
    chain = value.get("owner") if isinstance(value, dict) else value
    return verify_owner_chain(OwnerChain.from_json(chain))


def _verify_package(shared: Shared, source: LocalSource, expected: Owner) -> Statement:
    from strongroom.keys.owner import Role
    from strongroom.package.inspect import verify_package

    with shared.terminal.progress("Verifying", source.size()) as progress:
        return verify_package(
            source,
            lambda said: expected.keys_for(Role.PACKAGE, said.created_at),
            owner=expected.id,
            progress=progress.advance,
        )


def _verify_bundle(
    shared: Shared,
    source: LocalSource,
    package: Path,
    signature: Path | None,
    expected: Owner,
    statement: Statement,
) -> Path | None:
    from strongroom.cli._file import read_input
    from strongroom.keys.owner import Role
    from strongroom.provenance.openssf import digest_file, verify_bundle

    beside = package.with_name(f"{package.name}.sig")
    if signature is None and not beside.exists():
        return None
    path = signature or beside
    if path == package:
        raise UsageError("the signature and the package are one file", code="same-file")
    with shared.terminal.progress("Digest", source.size()) as progress:
        digest = digest_file(source, progress=progress.advance)
    keys = expected.keys_for(Role.PACKAGE, statement.created_at)
    verify_bundle(read_input(shared.terminal, path), digest, keys)
    return path


app = page(verify, "verify")
