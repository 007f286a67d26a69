"""A folder for one partner, ready to send: license, package, signature, letter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from strongroom.errors import UsageError

if TYPE_CHECKING:
    from strongroom.cli._shared import Shared
    from strongroom.granting import Granted
    from strongroom.home import Home


def verify_vacant(shared: Shared, folder: Path) -> None:
    """Check that a folder can be filled, before anything is signed for it.

    Raises:
        UsageError: it exists and is not empty (code ``folder-not-empty``).
    """
    if not shared.yes and folder.is_dir() and any(folder.iterdir()):
        raise UsageError(
            f"the folder {folder} is not empty",
            code="folder-not-empty",
            hint="choose another place with --into, or add --yes",
        )


def write_folder(
    shared: Shared, home: Home, granted: Granted, folder: Path, *, needs_passphrase: bool
) -> Path:
    """Write the folder; returns it.

    Raises:
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom.cli._letter import LETTER_NAME
    from strongroom.home import files

    folder.mkdir(parents=True, exist_ok=True)
    package = granted.package_path
    for source in (package, package.with_name(f"{package.name}.sig")):
        _copy(shared, source, folder / source.name)
    license_file = f"{granted.partner}.license"
    files.write_atomic(folder / license_file, granted.file, mode=files.PUBLIC_MODE)
    letter = _letter(home, granted, license_file, needs_passphrase=needs_passphrase)
    files.write_atomic(folder / LETTER_NAME, letter.encode("utf-8"), mode=files.PUBLIC_MODE)
    return folder


def _copy(shared: Shared, source: Path, target: Path) -> None:
    from strongroom.home import files

    with (
        shared.terminal.progress(f"Copying {source.name}", source.stat().st_size) as progress,
        source.open("rb") as stream,
        files.atomic_file(target, mode=files.PUBLIC_MODE) as sink,
    ):
        while chunk := stream.read(1 << 20):
            sink.write(chunk)
            progress.advance(len(chunk))


def _letter(home: Home, granted: Granted, license_file: str, *, needs_passphrase: bool) -> str:
    from strongroom.cli._letter import Letter
    from strongroom.cli._moment import shown

    name, _, version = granted.package_path.name.removesuffix(".sealed").rpartition("-")
    return Letter(
        owner=home.name,
        partner=granted.partner,
        model=name,
        version=version,
        license_file=license_file,
        package_file=granted.package_path.name,
        ends=shown(granted.not_after),
        has_agreement=granted.chain.license.agreement is not None,
        needs_passphrase=needs_passphrase,
    ).to_text()
