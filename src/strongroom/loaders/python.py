"""The owner's own code: a class with ``load(files)`` and ``predict(inputs)``, imported from memory.

    class Scorer:
        def load(self, files):                       # name -> bytes: what is in the package beside the code
            self.weights = numpy.frombuffer(files["weights.bin"])
        def predict(self, inputs):                   # name -> array, as the schema says
            return {"score": inputs["x"] @ self.weights}

Options that the intake signs: ``class``, the name in the entry; ``imports``, the libraries that it
needs, by the names that are imported; ``python``, the version from which on the source runs.

This loader confines nothing. A session (``worker.session``) lets it run only in a process that has
been confined, or where the partner has said that it trusts the owner. What the code raises leaves here
as an error without any text or name of its own: either could quote an input or the code.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeVar

import numpy as np

from strongroom.errors import Error, FormatError, UnsupportedError, UsageError
from strongroom.loaders.interface import Files, LoadedModel, Loader, LoaderSpec, ModelSchema
from strongroom.loaders.python_modules import SOURCE_ENDING, ModuleFinder, module_name
from strongroom.loaders.tensor import Array, fit_tensor

T = TypeVar("T")

CLASS: Final = "class"
IMPORTS: Final = "imports"
VERSION: Final = "python"

EXTRAS: Final = {
    "catboost": "catboost",
    "lightgbm": "lightgbm",
    "onnxruntime": "onnx",
    "pandas": "frames",
    "sklearn": "sklearn",
    "xgboost": "xgboost",
}
"""Libraries that an extra of ours brings, in a version that was tested."""


class Python(Loader):
    """Makes the object that the owner's class describes."""

    name: ClassVar[str] = "python"
    extra: ClassVar[str] = "python"

    def _load(self, files: Files, spec: LoaderSpec, schema: ModelSchema, threads: int) -> LoadedModel:
        _verify_version(spec.options.get(VERSION))
        kind = spec.options.get(CLASS)
        if not isinstance(kind, str) or not kind.isidentifier():
            raise FormatError("the package names no class in its entry", code="code-entry")
        finder = ModuleFinder({n: bytes(data) for n, data in files.items() if n.endswith(SOURCE_ENDING)})
        module = module_name(spec.entry)
        # Before the code runs: what is missing is then told by us, with a name to install.
        _import_libraries(spec.options.get(IMPORTS, []))
        finder.install()
        # Bytes of its own: the buffers here are wiped when the model is loaded.
        data = MappingProxyType({n: bytes(d) for n, d in files.items() if not n.endswith(SOURCE_ENDING)})
        scorer = _contained(lambda: _made(module, kind, data), _load_failed())
        missing = [method for method in schema.methods if not callable(getattr(scorer, method, None))]
        if missing:
            raise FormatError(f"the owner's class has no method {missing[0]!r}", code="code-entry")
        return PythonModel(scorer, schema)


class PythonModel(LoadedModel):
    """The owner's object."""

    def __init__(self, scorer: Any, schema: ModelSchema) -> None:
        super().__init__(schema)
        self._scorer = scorer

    def _predict(self, inputs: dict[str, Array], method: str) -> dict[str, Array]:
        return _contained(lambda: self._answer(inputs, method), code_failed())

    def _answer(self, inputs: dict[str, Array], method: str) -> dict[str, Array]:
        answer = getattr(self._scorer, method)(inputs)
        fields = {field.name: field for field in self.schema.outputs}
        if not isinstance(answer, Mapping):
            only = method if method in fields else next(iter(fields))
            answer = {only: answer}
        if not answer or not fields.keys() >= answer.keys():
            raise ValueError("outputs that the schema does not have")
        # As strictly as inputs: what is not of the signed shape and type does not leave.
        return {name: fit_tensor(fields[name], np.asarray(array)) for name, array in answer.items()}


def _made(module: str, kind: str, data: Mapping[str, bytes]) -> Any:
    scorer = getattr(importlib.import_module(module), kind)()
    scorer.load(data)
    return scorer


def _contained(run: Callable[[], T], failed: Error) -> T:
    """Run code of the owner; whatever it raises becomes the other error, which says nothing of it."""
    with suppress(BaseException):  # Also what asks to leave: the code does not decide that.
        return run()
    # Outside of the handler, so that it does not carry the other one along.
    raise failed


def _load_failed() -> FormatError:
    return FormatError(
        "the owner's code failed when it was loaded",
        code="code-failed",
        hint="what it said stays inside; ask its owner",
    )


def code_failed() -> UsageError:
    """Return the error that says that the owner's code failed, or answered what it may not."""
    return UsageError(
        "the owner's code failed on this input, or answered something else than its schema says",
        code="code-failed",
        hint="compare the input with the schema; what the code said stays inside, so ask its owner",
    )


def _verify_version(wanted: Any) -> None:
    try:
        least = tuple(map(int, str(wanted).split(".")))
    except ValueError:
        raise FormatError("the package names no version of Python", code="code-entry") from None
    if sys.version_info[: len(least)] < least:
        here = ".".join(map(str, sys.version_info[:2]))
        raise UnsupportedError(
            f"the owner's code needs Python {wanted} or later, and this is {here}",
            code="python-version",
            hint=f"install this program under Python {wanted}",
        )


def _import_libraries(names: Any) -> None:
    for name in names:
        try:
            importlib.import_module(name)
        except (ImportError, OSError, AttributeError, RuntimeError, TypeError, ValueError) as error:
            # What a library that does not fit this system raises when it is imported.
            extra = EXTRAS.get(name.partition(".")[0])
            install = f'"strongroom[{extra}]"' if extra else f"{name}, or what brings it"
            raise UnsupportedError(
                f"the owner's code needs {name!r}, which cannot be imported here",
                code="import-missing",
                hint=f"pip install {install}, in the environment of this program",
            ) from error
