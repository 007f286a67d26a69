"""Loaders are found by name and imported only then."""

from __future__ import annotations

import subprocess
import sys

import pytest

from strongroom.errors import UnsupportedError
from strongroom.loaders import registry


def test_the_names_are_pinned() -> None:
    """A name in a signed package keeps its meaning: add, never change."""
    assert registry.NAMES == ("catboost", "lightgbm", "onnx", "python", "skops", "xgboost")


@pytest.mark.parametrize("name", registry.NAMES)
def test_a_loader_has_the_name_it_is_found_by(name: str) -> None:
    assert registry.find(name).name == name


def test_an_unknown_loader_is_refused() -> None:
    with pytest.raises(UnsupportedError) as raised:
        registry.find("torch")
    assert raised.value.code == "loader-unknown"
    assert "lightgbm, onnx, python, skops" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("name", "module", "extra"), [("skops", "skops", "sklearn"), ("onnx", "onnxruntime", "onnx")]
)
def test_a_missing_extra_names_what_to_install(
    name: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for loaded in [
        each
        for each in sys.modules
        if each.startswith(("strongroom.loaders.skops", "strongroom.loaders.onnx"))
    ]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    from strongroom.package.contents import Loader, Schema

    with pytest.raises(UnsupportedError) as raised:
        registry.find(name).load(
            {"m": b""}, Loader(name=name, entry="m"), Schema(inputs=[], outputs=[], methods=["predict"])
        )
    assert raised.value.code == "extra-missing"
    assert raised.value.hint == f'pip install "strongroom[{extra}]"'


def test_importing_the_registry_imports_no_library() -> None:
    program = (
        "import sys, strongroom.loaders.registry\n"
        "print({'onnxruntime', 'skops', 'sklearn', 'pandas', 'onnx'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "set()"
