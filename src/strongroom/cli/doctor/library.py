"""What is installed: the extras that loaders need, and whether a library spies on them.

Versions are read from the installed metadata; nothing is imported, least of all onnxruntime, whose import
writes a telemetry database unless it is told not to.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Final

from strongroom.cli.doctor.finding import Finding, failed, passed, warned

EXTRAS: Final = {
    "onnx": ("numpy", "onnx", "onnxruntime"),
    "sklearn": ("numpy", "scikit-learn", "skops"),
    "lightgbm": ("lightgbm", "numpy"),
    "xgboost": ("numpy", "xgboost-cpu"),
    "catboost": ("catboost", "numpy"),
    "convert": ("skl2onnx",),
    "frames": ("pandas", "pyarrow"),
}
"""The extras of the project and the libraries that each brings."""

_USES: Final = {
    "onnx": "to seal and run ONNX models",
    "sklearn": "to seal and run scikit-learn models",
    "lightgbm": "to seal and run LightGBM models",
    "xgboost": "to seal and run XGBoost models",
    "catboost": "to seal and run CatBoost models",
    "convert": "to seal a scikit-learn model as ONNX",
    "frames": "to predict on CSV, Parquet and data frames",
}
_OLDEST_PYTHON: Final = (3, 11)


def findings() -> Iterator[Finding]:
    """Check the interpreter and the installed libraries."""
    yield _python(sys.version_info[:3])
    for extra, libraries in EXTRAS.items():
        yield _extra(extra, {name: version_of(name) for name in libraries})
    if version_of("onnxruntime"):
        yield _telemetry(os.environ.get("ORT_DISABLE_TELEMETRY"))


def version_of(name: str) -> str | None:
    """Return the installed version of a distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _python(version: tuple[int, ...]) -> Finding:
    text = ".".join(map(str, version))
    if version < _OLDEST_PYTHON:
        return failed("python", text, "install Python 3.11 or later")
    return passed("python", text)


def _extra(extra: str, versions: dict[str, str | None]) -> Finding:
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        return warned(
            f"extra {extra}",
            f"not complete, {', '.join(missing)} missing; needed {_USES[extra]}",
            f"pip install 'strongroom[{extra}]'",
        )
    return passed(f"extra {extra}", ", ".join(f"{name} {version}" for name, version in versions.items()))


def _telemetry(disabled: str | None) -> Finding:
    if disabled == "1":
        return passed("onnxruntime telemetry", "off for this user and for every worker")
    return warned(
        "onnxruntime telemetry",
        "off in every worker of Strongroom, but on for other programs of this user",
        "export ORT_DISABLE_TELEMETRY=1 in the profile of this user",
    )
