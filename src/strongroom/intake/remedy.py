"""What to do about a type that no sealed model may hold.

>>> remedy("xgboost.core.Booster")
'seal that model on its own, not as a step of a pipeline, or export it to ONNX with onnxmltools'
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from strongroom.errors import UnsupportedError

_ONNX: Final = 'convert it: seal(..., convert="onnx")'
_BOOSTED: Final = (
    "seal that model on its own, not as a step of a pipeline, or export it to ONNX with onnxmltools"
)
_BEST: Final = "seal search.best_estimator_ instead of the whole search"

# The first beginning that fits decides.
_REMEDIES: Final = (
    ("scipy.stats.", _BEST),
    ("xgboost.", _BOOSTED),
    ("lightgbm.", _BOOSTED),
    ("catboost.", _BOOSTED),
    ("torch.", "export the model with torch.onnx.export, and seal the .onnx file"),
    ("keras.", "export the model to ONNX, and seal the .onnx file"),
    ("tensorflow.", "export the model to ONNX, and seal the .onnx file"),
    ("numpy.random.", "set random_state to a number and fit again"),
    ("datetime.", "store it as text or as a number"),
    ("sklearn.", _ONNX),
)
_OWN_CODE: Final = (
    "code of your own cannot travel: put a transformer of scikit-learn or a function of numpy in its place"
)


def remedy(type_name: str) -> str:
    """Return what to do about a type, as one clause."""
    return next((text for start, text in _REMEDIES if type_name.startswith(start)), _OWN_CODE)


def untrusted_types(types: Iterable[str]) -> UnsupportedError:
    """Return the error that lists each type that was refused with its remedy, one a line."""
    lines = [f"  {name}: {remedy(name)}" for name in types]
    return UnsupportedError(
        "\n".join(["the model holds types that could run code or that we do not know:", *lines]),
        code="untrusted-types",
        hint="remedies stand beside each type",
    )
