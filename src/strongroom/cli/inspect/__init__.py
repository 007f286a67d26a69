"""``strongroom inspect``: one module for each family of files, and the choice between them by content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import FormatError, UsageError

if TYPE_CHECKING:
    from strongroom.cli.inspect.explanation import Explanation

_WARNING = "UNVERIFIED: this is what the file says of itself; no signature was checked."


def inspect(
    file: Annotated[Path, Parameter(help="A package, license, invite, enrollment, key or any other file.")],
    /,
    *,
    shared: Shared = SHARED,
) -> None:
    """Explain any file of Strongroom in plain words, without a key.

    Nothing is verified, so believe nothing of it; `verify` checks packages, `join` invites and `accept`
    licenses.

    Examples:
        $ strongroom inspect risk-1.0.0.sealed
        $ strongroom inspect clinic.license
        $ strongroom inspect clinic.invite --json

    Raises:
        UsageError: it is a folder.
        ObjectNotFound: there is no such file.
        FormatError: it is no file of Strongroom, or is damaged.
        StorageUnavailable: it cannot be read.
    """
    found = explain(shared, file)
    document = {"verified": False, "kind": found.kind, "file": str(file), **found.document}
    heading = f"{file}: {found.title}\n{_WARNING}"
    shared.terminal.fields(document, found.lines, heading=heading)


def explain(shared: Shared, file: Path) -> Explanation:
    """Explain a file by what it holds; its name does not matter.

    Raises:
        UsageError: it is a folder (code ``is-folder``).
        ObjectNotFound: there is no such file.
        FormatError: it is no file of Strongroom, or is damaged.
        StorageUnavailable: it cannot be read.
    """
    from strongroom.cli._file import STANDARD, read_input
    from strongroom.cli.inspect import derived, document, package, proof, text

    if file.is_dir():
        raise UsageError(
            f"{file} is a folder",
            code="is-folder",
            hint=f"inspect a file in it, for example: {_a_file_in(file)}",
        )
    if file != STANDARD and package.is_package(file):
        return package.explain(file)
    if file != STANDARD and derived.is_derived(file):
        return derived.explain(file)
    data = read_input(shared.terminal, file)
    for explain_as in (document.explain, proof.explain, text.explain):
        found = explain_as(data)
        if found is not None:
            return found
    raise FormatError(
        f"{file} is no file of Strongroom",
        code="unknown-file",
        hint="known are packages, derived models, signatures, licenses, acceptances, invites, enrollments, "
        "owners, proofs of the log and keys",
    )


def _a_file_in(folder: Path) -> Path:
    ours = sorted(path for path in folder.glob("*.*") if path.suffix in (".license", ".sealed", ".invite"))
    return next(iter(ours), folder / "clinic.license")


app = page(inspect, "inspect")
