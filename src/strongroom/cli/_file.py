"""Files on the command line: inputs that may be ``-``, outputs that do not overwrite by accident.

data = read_input(terminal, Path("clinic.invite"))
write_output(terminal, data, Path("clinic.license"), replace=shared.yes)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from strongroom._limits import LIMITS
from strongroom.errors import FormatError, ObjectNotFound, StorageUnavailable, UsageError

if TYPE_CHECKING:
    from strongroom.cli._shared import Shared
    from strongroom.cli._terminal import Document, Terminal

STANDARD: Final = Path("-")
"""What stands for stdin as an input and for stdout as an output."""


def read_input(terminal: Terminal, path: Path, *, max_bytes: int = LIMITS.max_json_bytes * 4) -> bytes:
    """Read a whole document from a file or, for ``-``, from stdin.

    Raises:
        ObjectNotFound: there is no such file.
        StorageUnavailable: it is not a file, or cannot be read.
        FormatError: it is larger than any document of ours (code ``too-large``).
    """
    from strongroom.home import files

    if path != STANDARD:
        return files.read_bytes(path, max_bytes=max_bytes)
    data = terminal.read_stdin()
    if len(data) > max_bytes:
        raise FormatError(f"stdin holds more than {max_bytes} bytes", code="too-large")
    return data


def read_text(terminal: Terminal, path: Path) -> str:
    """Read a text file or, for ``-``, stdin.

    Raises:
        ObjectNotFound: there is no such file.
        StorageUnavailable: it is not a file, or cannot be read.
        FormatError: it is too large, or not UTF-8 text (code ``not-text``).
    """
    try:
        return read_input(terminal, path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not UTF-8 text", code="not-text") from error


def write_output(
    terminal: Terminal, data: bytes, path: Path, *, replace: bool, private: bool = False
) -> None:
    """Write a file in one step; one that exists is kept unless the user agrees to replace it.

    Raises:
        UsageError: the file exists (code ``already-exists``).
        StorageUnavailable: the disk is full, does not answer, or refuses access.
    """
    from strongroom.home import files

    agree_to_replace(terminal, path, replace=replace)
    files.write_atomic(path, data, mode=files.PRIVATE_MODE if private else files.PUBLIC_MODE)


def agree_to_replace(terminal: Terminal, path: Path, *, replace: bool) -> None:
    """Make sure that the user wants a file to be written over, before any work is done for it.

    Raises:
        UsageError: the file exists (code ``already-exists``).
        ObjectNotFound: the folder for it does not exist (code ``no-folder``).
        StorageUnavailable: nothing can be written there.
    """
    _verify_folder(path)
    if replace or not path.exists() or (terminal.can_ask and terminal.confirm(f"Replace {path}?", yes=False)):
        return
    raise UsageError(
        f"{path} exists already", code="already-exists", hint="choose another name, or add --yes"
    )


def _verify_folder(path: Path) -> None:
    # Before anything is signed or counted for a file that could not be written.
    if not path.parent.is_dir():
        raise ObjectNotFound(
            f"there is no folder {path.parent} to write {path.name} to",
            code="no-folder",
            hint="make it first",
        )
    if not os.access(path.parent, os.W_OK):
        raise StorageUnavailable(
            f"nothing can be written to the folder {path.parent}", hint="choose another one with --output"
        )


def deliver(
    shared: Shared,
    data: bytes,
    *,
    output: Path | None,
    suggested: str,
    document: Document,
    replace: bool = False,
) -> None:
    """Hand out a document that goes to somebody else: to a file, or to stdout for a redirection.

    On a terminal nobody can use a page of JSON, so without ``output`` it goes to a file of the
    suggested name.
    Under ``--json`` without ``output``, the document's ``content`` is the text of the file.

    Raises:
        UsageError: the file exists (code ``already-exists``).
        StorageUnavailable: the disk is full, does not answer, or refuses access.
        BrokenPipeError: nobody reads any more.
    """
    terminal = shared.terminal
    if output is None and not shared.json and terminal.shows_data_to_a_person:
        output = Path(suggested)
    if output is None or output == STANDARD:
        if shared.json:
            terminal.result({**document, "content": data.decode("utf-8")}, "")
        else:
            terminal.data(data)
        return
    write_output(terminal, data, output, replace=replace or shared.yes)
    if shared.json:
        terminal.result({**document, "path": str(output)}, "")
    else:
        terminal.note(f"Wrote {output}.")
