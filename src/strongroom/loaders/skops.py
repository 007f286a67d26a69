"""Scikit-learn models, through skops, from memory. Never a pickle.

Options that the intake signs:

* ``trust``: the types in the file that skops does not trust by itself; each must be
  in our own list as well (``skops_trust``).
* ``frame``: ``pandas`` if the model must be given a table with named columns.
* ``categorical``: the columns of that table that are categories.
* ``missing``: ``none`` if a missing text of that table is None; otherwise it is NaN, as
  pandas reads it from a file.
* ``order``: ``columns`` if the numbers of a matrix lie column after column, as in a
  table; it changes the last bit of sums.

The number of threads is what the model itself asks for; see ``skops_threads``.

A model takes either one tensor, named ``input``, or, with ``frame``, one tensor for each
column of the schema. Each method answers under its own name: ``predict``,
``predict_proba``, and so on; a model with several targets answers
``predict_proba_0``, ``predict_proba_1``...
"""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

import numpy as np
import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from strongroom._limits import LIMITS
from strongroom.errors import Error, FormatError, UnsupportedError
from strongroom.loaders import frame, skops_bounds, skops_threads
from strongroom.loaders.interface import Files, LoadedModel, Loader, LoaderSpec, ModelSchema, explain_missing
from strongroom.loaders.skops_explain import explainer_of
from strongroom.loaders.skops_trust import ALLOWED, refused
from strongroom.loaders.tensor import Array

INPUT: Final = "input"
_SCHEMA: Final = "schema.json"


class Skops(Loader):
    """Rebuilds estimators and pipelines from their parts."""

    name: ClassVar[str] = "skops"
    extra: ClassVar[str] = "sklearn"

    def _load(self, files: Files, spec: LoaderSpec, schema: ModelSchema, threads: int) -> LoadedModel:
        model = load_estimator(bytes(files[spec.entry]), list(spec.options.get("trust", ())))
        return SkopsModel(model, spec.options, schema)


class SkopsModel(LoadedModel):
    """One fitted estimator."""

    def __init__(self, model: Any, options: Mapping[str, Any], schema: ModelSchema) -> None:
        super().__init__(schema)
        self._model = model
        self._framed = options.get("frame") == "pandas"
        self._order: Literal["F", "C"] = "F" if options.get("order") == "columns" else "C"
        self._missing = None if options.get("missing") == "none" else np.nan
        self._categorical = frozenset(options.get("categorical", ()))
        names = [field.name for field in schema.inputs]
        if names != (list(schema.columns) if self._framed else [INPUT]):
            raise FormatError("the inputs of the schema are not those of the model", code="schema-mismatch")
        missing = [method for method in schema.methods if not hasattr(model, method)]
        if missing:
            raise FormatError(f"the model has no method {missing[0]!r}", code="schema-mismatch")
        self._explainer = explainer_of(model, _width(schema, framed=self._framed))

    @property
    def explains(self) -> bool:
        """Whether the contributions of this very model are exact."""
        return self._explainer is not None

    def _explain(self, inputs: dict[str, Array]) -> dict[str, Array]:
        if self._explainer is None:
            raise explain_missing("this model")
        with warnings.catch_warnings(), skops_threads.threads_only():
            warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
            return self._explainer.explain(self._rows(inputs))

    def _rows(self, inputs: dict[str, Array]) -> Any:
        if self._framed:
            return frame.build(inputs, self._categorical, self._missing)
        return np.asarray(inputs[INPUT], order=self._order)

    def _predict(self, inputs: dict[str, Array], method: str) -> dict[str, Array]:
        rows = self._rows(inputs)
        with warnings.catch_warnings(), skops_threads.threads_only():
            # A model that was fitted on a table warns when it gets a matrix in its
            # place; the intake has made sure that the answers are the same.
            warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
            answer = getattr(self._model, method)(rows)
        return named_outputs(method, answer)


def _width(schema: ModelSchema, *, framed: bool) -> int:
    if framed:
        return len(schema.columns)
    shape = schema.inputs[0].shape
    # Only rows of a fixed number of columns can be explained by column.
    return shape[1] if len(shape) == 2 else 0


def named_outputs(method: str, answer: Any) -> dict[str, Array]:
    """Return what a method of scikit-learn answered under the names of its outputs."""
    if isinstance(answer, list):
        return {f"{method}_{number}": np.asarray(each) for number, each in enumerate(answer)}
    return {method: answer.toarray() if hasattr(answer, "toarray") else np.asarray(answer)}


def untrusted_types(data: bytes) -> list[str]:
    """Return the types in a skops file that skops does not trust by itself; nothing is built or imported.

    Raises:
        FormatError: not a skops file.
    """
    try:
        _verify_expansion(data)
        found: list[str] = skops.io.get_untrusted_types(data=data)
    except Error:
        raise
    except Exception as error:
        raise FormatError("not a skops file", code="skops-malformed") from error
    return found


def types_to_trust(data: bytes) -> list[str]:
    """Return what the owner must list for a skops file: more than one release of skops asks for.

    skops trusts less from release to release, and a package must open with later ones: so
    every type in the file that is on our own list is in the result, trusted by skops or not.

    Raises:
        FormatError: not a skops file.
    """
    untrusted = untrusted_types(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        waiting = [json.loads(archive.read(_SCHEMA))]
    named = set()
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            named.add(f"{part.get('__module__')}.{part.get('__class__')}")
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return sorted({*untrusted, *(named & ALLOWED)})


def load_estimator(data: bytes, trust: list[str]) -> Any:
    """Rebuild the estimator in a skops file from trusted types only, and check its trees.

    Raises:
        UnsupportedError: ``untrusted-types``: the list asks for too much, or the file for more than the list;
            ``library-version``: another release of scikit-learn made it.
        FormatError: not a skops file, or a tree that leads out of itself.
    """
    _verify_trust(trust)
    try:
        _verify_expansion(data)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            model = skops.io.loads(data, trusted=trust)
        _verify_release(said)
        skops_bounds.verify_bounds(model)
    except Error:
        raise
    except UntrustedTypesFoundException as error:
        raise UnsupportedError(
            "the model holds a type that the signed contents do not list", code="untrusted-types"
        ) from error
    except Exception as error:
        raise FormatError("not a skops file", code="skops-malformed") from error
    return model


def _verify_trust(trust: list[str]) -> None:
    beyond = refused(trust)
    if beyond:
        raise UnsupportedError(
            f"the package asks to trust types that are not harmless: {', '.join(beyond)}",
            code="untrusted-types",
        )


def _verify_release(said: list[warnings.WarningMessage]) -> None:
    """Refuse a model of another minor release of scikit-learn, which may answer in another way.

    scikit-learn only warns; who asks for a patient's risk would never see the warning.
    """
    for warning in said:
        made = getattr(warning.message, "original_sklearn_version", None)
        here = getattr(warning.message, "current_sklearn_version", None)
        if made is None or here is None or made.split(".")[:2] == here.split(".")[:2]:
            continue
        release = ".".join(made.split(".")[:2])
        raise UnsupportedError(
            f"the model was made with scikit-learn {made}, and {here} is installed here",
            code="library-version",
            hint=f'pip install "scikit-learn=={release}.*", or ask the owner to convert the model to ONNX',
        )


def _verify_expansion(data: bytes) -> None:
    """Refuse an archive whose members claim to be far larger than the archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        expanded = sum(member.file_size for member in archive.infolist())
    if expanded > LIMITS.max_expansion_factor * len(data):
        raise FormatError("the model expands to much more than its own size", code="expansion")
