"""``strongroom derive``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared

if TYPE_CHECKING:
    from strongroom.deriving import Derived


def derive(
    model: Annotated[Path, Parameter(help="An ONNX file, a skops file, or a folder with one.")],
    /,
    *,
    parent: Annotated[
        str, Parameter(name="--from", help="What it was made of: [OWNER/]NAME[@VERSION], or a .sealed file.")
    ],
    name: Annotated[str | None, Parameter(help="A name of its own (else that of the parent).")] = None,
    version: Annotated[str | None, Parameter(help="N.N.N (else the next one).")] = None,
    sample: Annotated[
        Path | None,
        Parameter(help="A table of inputs: the sealed copy must answer it exactly as the model does."),
    ] = None,
    license: Annotated[str | None, Parameter(help="Which license to use, where several fit.")] = None,
    output: Annotated[
        Path | None, Parameter(alias="-o", help="The file (else NAME-VERSION.derived here).")
    ] = None,
    shared: Shared = SHARED,
) -> None:
    """Hand a model that you made of a licensed one back to its owner, for countersigning.

    The license must give the right to modify. The model is read, never run, but for a sample, and encrypted
    so that only the owner can read it. Under the parent's name it is a next version of it, and a home that
    has run it does not go back: to keep using the parent beside it, give --name. Nobody can open the file
    before the owner has countersigned it; then it is a package of the owner's, which records what it derives
    from. To have a licensed model in plain, so as to change it, takes another right: see `export`.

    Examples:
        $ strongroom derive tuned.onnx --from risk
        $ strongroom derive tuned.onnx --from risk@1.2.0 --name risk-north --sample patients.csv

    Raises:
        LicenseDenied: the license gives no right to modify the model.
        ObjectNotFound: no license covers the parent, or there is no such file.
        UsageError: a bad name, a version that is not higher, or a file that exists.
        UnsupportedError: the model holds what cannot be sealed, or an extra is missing.
        FormatError: the model file is damaged.
        VerificationError: a signature does not hold, or the sealed copy answers the sample otherwise.
        NoMatchingKey: a key is missing, or the home's pass-phrase is missing or wrong.
        StorageUnavailable: the disk is full or does not answer.
    """
    from strongroom import deriving
    from strongroom.cli._sample import read_sample

    home = shared.open_home()
    with shared.terminal.progress(f"Sealing what derives from {parent}") as progress:
        derived = deriving.derive(
            home,
            model,
            parent=parent,
            output=output,
            name=name,
            version=version,
            sample=None if sample is None else read_sample(sample),
            license_id=license,
            now=shared.now,
            progress=progress,
        )
    shared.terminal.result(_document(derived), str(derived.path))
    if not shared.json:
        shared.terminal.note(
            f"{derived.name} {derived.version}, made of {derived.parent}. Send the file to {derived.owner}, "
            "who countersigns it or does not. Until then nobody can open it. With a broker, also: "
            f"strongroom derivation send {derived.path}"
        )


def _document(derived: Derived) -> dict[str, Any]:
    return {
        "name": derived.name,
        "version": derived.version,
        "path": str(derived.path),
        "package_digest": derived.package,
        "parent": derived.parent,
        "owner": derived.owner,
        "license": derived.license,
        "size_bytes": derived.size,
    }


app = page(derive, "derive")
