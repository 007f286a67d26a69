"""Whether the libraries of an extra are installed, asked before anything of it is imported.

verify_installed("a broker", ("fastapi", "sqlalchemy"), "pip install 'strongroom[broker]'")
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from strongroom.errors import UnsupportedError


def verify_installed(what: str, libraries: Iterable[str], hint: str) -> None:
    """Check that what a command needs is installed.

    Raises:
        UnsupportedError: it is not (code ``extra-missing``).
    """
    missing = [name for name in libraries if find_spec(name) is None]
    if missing:
        raise UnsupportedError(
            f"{what} needs an extra that is not installed: {', '.join(missing)}",
            code="extra-missing",
            hint=hint,
        )
