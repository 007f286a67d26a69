"""Opening a model from the command line, at the level that a runtime started here reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from strongroom.cli._shared import Shared
    from strongroom.home.home import Home
    from strongroom.opening import Opening


def open_here(shared: Shared, home: Home, model: str, *, certain: bool = False, **options: Any) -> Opening:
    """Check everything about a model that can be checked without its key.

    Args:
        shared: Of this command line.
        home: The partner's home.
        model: A path, or ``[owner/]name[@version]``.
        certain: Confine a process as a worker is where the level depends on it; else the runtime finds out.
        options: Further ones of ``opening.open_model``.

    Raises:
        Error: whatever ``opening.open_model`` refuses with; for a level, with what is missing.
    """
    from strongroom import opening
    from strongroom.license.request import Level
    from strongroom.runtime.level import explaining, foresee_here, try_here

    found = foresee_here(home.path)
    if certain and found.level is not Level.LOCAL:
        found = try_here(home.path)
    with explaining(found):
        return opening.open_model(home, model, now=shared.now, level=found.level, **options)
