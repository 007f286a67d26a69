"""``strongroom version``."""

from __future__ import annotations

from strongroom import __version__
from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared


def version(*, shared: Shared = SHARED) -> None:
    """Print the version.

    Examples:
        $ strongroom version
        $ strongroom version --json

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    shared.terminal.result({"version": __version__}, f"strongroom {__version__}")


app = page(version, "version")
