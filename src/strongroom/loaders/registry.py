"""Which loaders there are, each imported only when it is asked for.

    >>> find("onnx").name
    'onnx'

Append-only: a name that once stood in a signed package keeps its meaning.
"""

from __future__ import annotations

import importlib
from typing import Final

from strongroom.errors import UnsupportedError
from strongroom.loaders.interface import Loader, extra_missing

# name -> (module, class, extra). The extra is here as well as in the class because
# the module may not import without it.
_LOADERS: Final = {
    "catboost": ("strongroom.loaders.catboost", "CatBoost", "catboost"),
    "lightgbm": ("strongroom.loaders.lightgbm", "LightGbm", "lightgbm"),
    "onnx": ("strongroom.loaders.onnx", "Onnx", "onnx"),
    "python": ("strongroom.loaders.python", "Python", "python"),
    "skops": ("strongroom.loaders.skops", "Skops", "sklearn"),
    "xgboost": ("strongroom.loaders.xgboost", "XgBoost", "xgboost"),
}

NAMES: Final = tuple(sorted(_LOADERS))


def find(name: str) -> Loader:
    """Return the loader of that name.

    Raises:
        UnsupportedError: ``loader-unknown``, or ``extra-missing`` where its library is not installed.
    """
    try:
        module, kind, extra = _LOADERS[name]
    except KeyError:
        raise UnsupportedError(
            f"the package asks for a loader that is not known here: {name!r}",
            code="loader-unknown",
            hint=f"this release has: {', '.join(NAMES)}; a newer one may have more",
        ) from None
    try:
        loader: Loader = getattr(importlib.import_module(module), kind)()
    except ImportError as error:
        raise extra_missing(extra, f"loading a model with {name}") from error
    return loader
