from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from strongroom.errors import Error
from strongroom.loaders import registry
from strongroom.loaders.interface import LoadedModel
from strongroom.loaders.python_modules import ModuleFinder, module_names
from strongroom.package.contents import Field, Loader, Schema

SOURCE = b"""import numpy as np
from rules import age
from pack.inner import two
class Scorer:
    def load(self, files):
        self.files = files
    def predict(self, inputs):
        x = inputs["x"]
        if x[0] < 0:
            raise ValueError("secret")
        if x[0] == 7:
            return np.zeros((1, 1, 1))
        if x[0] == 8:
            return {"other": x}
        if x[0] == 9:
            return x * two()
        return {"y": age.add(x, len(self.files))}
"""
FILES = {
    "scorer.py": SOURCE,
    "rules/age.py": b"def add(x, y):\n    return x + y\n",
    "pack/__init__.py": b"",
    "pack/inner.py": b"def two():\n    return 2\n",
    "data.bin": b"1",
}
SCHEMA = Schema(
    inputs=[Field(name="x", datatype="FP64", shape=[-1])],
    outputs=[Field(name="y", datatype="FP64", shape=[-1])],
    methods=["predict"],
)
OPTIONS: dict[str, Any] = {"class": "Scorer", "imports": ["numpy"], "python": "3.11"}


def load(files: dict[str, bytes] = FILES, schema: Schema = SCHEMA, **options: Any) -> LoadedModel:
    spec = Loader(name="python", entry="scorer.py", options=OPTIONS | options)
    return registry.find("python").load(files, spec, schema)


def test_modules_and_data_come_from_memory() -> None:
    model = load()
    assert model.predict({"x": np.array([1.0])})["y"].tolist() == [2.0]
    assert model.predict({"x": np.array([9.0])})["y"].tolist() == [18.0]
    assert not model.explains


def test_another_package_does_not_get_the_modules_of_the_one_before() -> None:
    load()
    other = FILES | {"rules/age.py": b"def add(x, y):\n    return x - y\n"}
    assert load(other).predict({"x": np.array([1.0])})["y"].tolist() == [0.0]


@pytest.mark.parametrize("value", [-1.0, 7.0, 8.0])
def test_what_fails_or_does_not_fit_is_one_error_without_a_word_of_it(value: float) -> None:
    with pytest.raises(Error) as caught:
        load().predict({"x": np.array([value])})
    assert caught.value.code == "code-failed"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"class": "Other"}, "code-failed"),
        ({"class": "a b"}, "code-entry"),
        ({"python": "9.9"}, "python-version"),
        ({"python": "x"}, "code-entry"),
        ({"imports": ["no_such_library"]}, "import-missing"),
    ],
)
def test_what_is_missing_is_told(options: dict[str, Any], code: str) -> None:
    with pytest.raises(Error) as caught:
        load(**options)
    assert caught.value.code == code


def test_a_missing_library_names_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
    with pytest.raises(Error) as caught:
        load(imports=["sklearn"])
    assert caught.value.hint is not None
    assert 'pip install "strongroom[sklearn]"' in caught.value.hint


def test_a_method_of_the_schema_must_be_there() -> None:
    schema = Schema(inputs=SCHEMA.inputs, outputs=SCHEMA.outputs, methods=["transform"])
    with pytest.raises(Error) as caught:
        load(schema=schema)
    assert caught.value.code == "code-entry"


@pytest.mark.parametrize("names", [["os.py"], ["a-b.py"], ["strongroom/x.py"], ["a.py", "a/__init__.py"]])
def test_names_that_clash_are_refused(names: list[str]) -> None:
    with pytest.raises(Error) as caught:
        module_names(names)
    assert caught.value.code == "module-name"


def test_a_traceback_inside_shows_the_line() -> None:
    finder = ModuleFinder(FILES)
    assert finder.get_source("pack") == ""
    assert finder.get_filename("rules.age") == "<sealed>/rules/age.py"
