"""What people are told of a model that is a program of its owner.

if carries_code(path):
    note(CODE_NOTE)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

CODE_LABEL: Final = "code"
CODE_NOTE: Final = "a program of its owner, which runs only where it is confined (or with --trust-code)"


def carries_code(path: Path) -> bool:
    """Tell whether a package says of itself that it carries code of its owner.

    Raises:
        FormatError: it is damaged.
        StorageError: it cannot be read.
    """
    from strongroom.package.inspect import inspect
    from strongroom.storage.local import LocalSource

    with LocalSource(path) as source:
        return inspect(source).unverified.carries_code
