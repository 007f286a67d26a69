"""The seam of all loaders: what one takes, what it gives, and which errors it may raise.

    class Onnx(Loader):
        name, extra = "onnx", "onnx"

        def _load(self, files, spec, schema, threads):
            return OnnxModel(...)        # overrides ``_predict``

A technology overrides one private method of ``Loader`` and one of ``LoadedModel``.
The public methods check names, shapes and datatypes and keep the error promise:
whatever a library throws leaves here as an error of our tree, without the text of
the library, which may quote weights or a patient's record.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol

import numpy as np

from strongroom.errors import Error, FormatError, UnsupportedError, UsageError
from strongroom.loaders.tensor import Array, Field, Tensors, fit_tensors

Buffer = bytes | bytearray | memoryview
Files = Mapping[str, Buffer]
"""The decrypted files of a package, by their relative POSIX name."""

METHODS: Final = ("predict", "predict_proba", "decision_function", "transform")
"""All that a model can ever be asked: a signed schema may name a part of these and nothing else."""


class LoaderSpec(Protocol):
    """Which loader, and with what; ``package.contents.Loader`` is one."""

    @property
    def name(self) -> str:
        """The name of the loader: ``onnx``, ``skops``."""

    @property
    def entry(self) -> str:
        """The file to begin with."""

    @property
    def options(self) -> Mapping[str, Any]:
        """What this loader needs to know more; signed by the owner. Each loader documents its own."""


class ModelSchema(Protocol):
    """What the model takes and gives; ``package.contents.Schema`` is one."""

    @property
    def inputs(self) -> Sequence[Field]:
        """The tensors to pass, in order."""

    @property
    def outputs(self) -> Sequence[Field]:
        """The tensors that may come back."""

    @property
    def columns(self) -> Sequence[str]:
        """The columns of the table that the model was fitted on; empty for a matrix."""

    @property
    def classes(self) -> Sequence[Any]:
        """The labels of a classifier, in the order of its probabilities; empty otherwise."""

    @property
    def methods(self) -> Sequence[str]:
        """What may be asked: ``predict``, ``predict_proba``, ``decision_function``, ``transform``."""


class LoadedModel(ABC):
    """A model in memory. One thread at a time may ask it."""

    def __init__(self, schema: ModelSchema) -> None:
        self.schema = schema

    def predict(self, inputs: Tensors, method: str = "predict") -> dict[str, Array]:
        """Run one method of the model over the rows of the inputs.

        Args:
            inputs: one array for each input of the schema; text as objects.
            method: one of ``schema.methods``.

        Returns:
            The outputs of that method by name; text as object arrays of ``str``.

        Raises:
            UsageError: inputs that do not fit the schema, or that the model refuses (``input-refused``).
            UnsupportedError: the model has no such method (``method-missing``).
        """
        if method not in self.schema.methods:
            raise UnsupportedError(
                f"the model has no method {method!r}",
                code="method-missing",
                hint=f"it has: {', '.join(self.schema.methods)}",
            )
        fitted = fit_tensors(self.schema.inputs, inputs)
        try:
            outputs = self._predict(fitted, method)
        except Error:
            raise
        except Exception as error:
            raise UsageError(
                f"the model refused this input ({type(error).__name__})",
                code="input-refused",
                hint="compare columns, types and categories with what the model was fitted on",
            ) from error
        return {name: _plain(array) for name, array in outputs.items()}

    @abstractmethod
    def _predict(self, inputs: dict[str, Array], method: str) -> dict[str, Array]:
        """Answer; the inputs fit the schema and the method is in it."""


class Loader(ABC):
    """One technology that brings models to life from memory."""

    name: ClassVar[str]
    """The name in the signed contents."""
    extra: ClassVar[str]
    """The extra of our distribution that brings the library."""

    def load(self, files: Files, spec: LoaderSpec, schema: ModelSchema, *, threads: int = 0) -> LoadedModel:
        """Load the model that the files hold.

        Args:
            files: the decrypted files; nothing else is read, nothing is written.
            spec: the loader's part of the signed contents.
            schema: the schema of the signed contents.
            threads: how many threads one prediction may use; 0 for what the library takes by
                itself. The number can change the last bit of an answer, so that whoever
                compares answers must load both models with the same one.

        Raises:
            FormatError: the files hold no such model (``model-unreadable``), or lack the entry.
            UnsupportedError: ``extra-missing``, or something that this loader refuses to load.
        """
        if spec.name != self.name:
            raise FormatError(f"the package asks for the loader {spec.name!r}, not {self.name!r}")
        if spec.entry not in files:
            raise FormatError(f"the package lacks its entry {spec.entry!r}", code="entry-missing")
        if not schema.methods or not set(schema.methods) <= set(METHODS):
            raise FormatError("the schema names no method, or one that no model has", code="schema-methods")
        try:
            return self._load(files, spec, schema, threads)
        except Error:
            raise
        except ImportError as error:
            raise extra_missing(self.extra, f"loading a model with {self.name}") from error
        except Exception as error:
            raise FormatError(
                f"{self.name} could not read the model ({type(error).__name__})", code="model-unreadable"
            ) from error

    @abstractmethod
    def _load(self, files: Files, spec: LoaderSpec, schema: ModelSchema, threads: int) -> LoadedModel:
        """Load; the entry is among the files."""


def extra_missing(extra: str, what: str) -> UnsupportedError:
    """Return the error that says which extra to install for ``what``."""
    return UnsupportedError(
        f"{what} needs an extra that is not installed: {extra}",
        code="extra-missing",
        hint=f'pip install "strongroom[{extra}]"',
    )


def _plain(array: Array) -> Array:
    # Fixed-width numpy strings would leak the length of the longest label of the
    # model through their type, and no tensor of the protocol is one.
    return array.astype(object) if array.dtype.kind in "UT" else np.asarray(array)
