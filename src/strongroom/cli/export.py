"""``strongroom export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from strongroom.cli._page import page
from strongroom.cli._session import NO_SESSION_OPTIONS, SessionOptions
from strongroom.cli._shared import SHARED, Shared


def export(
    model: Annotated[str, Parameter(help="[OWNER/]NAME[@VERSION], or the path of a .sealed file.")],
    folder: Annotated[Path, Parameter(help="A new folder.")],
    /,
    *,
    options: SessionOptions = NO_SESSION_OPTIONS,
    shared: Shared = SHARED,
) -> None:
    """Write the plain model to a folder, if the license allows it.

    The folder appears whole or not at all, with a manifest that says where the files came from. From then on
    no program protects them; the license still binds you.

    Examples:
        $ strongroom export risk risk-plain/

    Raises:
        LicenseDenied: the license gives no right to export.
        UsageError: the folder exists and is not empty.
        StorageUnavailable: the folder cannot be written.
        Error: what `strongroom open` refuses with.
    """
    from strongroom import client
    from strongroom.license.request import Right

    secrets = options.read_secrets(shared, model, Right.EXPORT)
    exported = client.export(
        model,
        folder,
        home=shared.home,
        license=options.license,
        purpose=options.purpose,
        passphrase=secrets.license,
        key_passphrase=secrets.home,
    )
    document = {
        "folder": str(exported.folder),
        "files": list(exported.files),
        "manifest": str(exported.manifest),
    }
    shared.terminal.result(document, str(exported.folder))
    if not shared.json:
        shared.terminal.note(
            f"Wrote {len(exported.files)} files in the clear. Nothing protects them from here on."
        )


app = page(export, "export")
