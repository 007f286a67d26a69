"""Share trained models with partners who may use them, but not copy, change or outstay them.

    import strongroom

    strongroom.seal(pipeline, name="risk", sample=X)      # at the owner
    strongroom.open("risk").predict(frame)                # at the partner

These names are the whole of it for most people; the modules behind them load when one
of the names is first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from strongroom import errors
    from strongroom.client import Model, export, open
    from strongroom.sealing import Sealed, seal

__all__ = ["Model", "Sealed", "errors", "export", "open", "seal"]
__version__ = "0.1.0.dev0"

_HOMES: Final = {
    "Model": "strongroom.client",
    "Sealed": "strongroom.sealing",
    "export": "strongroom.client",
    "open": "strongroom.client",
    "seal": "strongroom.sealing",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name == "errors":
        return importlib.import_module("strongroom.errors")
    raise AttributeError(f"module 'strongroom' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
