"""The seam of all loaders: what one takes, what it gives, and which errors it may raise.

    class Onnx(Loader):
        name, extra = "onnx", "onnx"

        def _load(self, files, spec, schema, threads):
            return OnnxModel(...)        # overrides ``_predict``

A technology overrides one private method of ``Loader`` and one of ``LoadedModel``; if it can
say what each column contributed to a score, ``_explain`` as well.
The public methods check names, shapes and datatypes and keep the error promise:
whatever a library throws leaves here as an error of our tree, without the text of
the library, which may quote weights or a patient's record.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol

import numpy as np

from strongroom.errors import Error, FormatError, UnsupportedError, UsageError
from strongroom.loaders.tensor import Array, Field, Tensors, fit_tensors

Buffer = bytes | bytearray | memoryview
Files = Mapping[str, Buffer]
"""The decrypted files of a package, by their relative POSIX name."""

METHODS: Final = ("predict", "predict_proba", "decision_function", "transform")
"""All that a model can ever be asked: a signed schema may name a part of these and nothing else."""

CONTRIBUTIONS: Final = "contributions"
"""Output of an explanation: FP64 of ``[rows, scores, columns]``."""
BASE_VALUES: Final = "base_values"
"""Output of an explanation: FP64 of ``[rows, scores]``."""


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
        outputs = _asked(lambda: self._predict(fitted, method))
        return {name: _plain(array) for name, array in outputs.items()}

    @abstractmethod
    def _predict(self, inputs: dict[str, Array], method: str) -> dict[str, Array]:
        """Answer; the inputs fit the schema and the method is in it."""

    def explain(self, inputs: Tensors) -> dict[str, Array]:
        """Say what each column contributed to the raw score of each row.

        The raw score is what the model adds up before it makes a label or a probability of
        it: a decision function, a margin, or what a regression answers. There is one for a
        regression or two classes, otherwise one for each class. For each row and score,
        the base value and the contributions add up to the raw score.

        Args:
            inputs: one array for each input of the schema; text as objects.

        Returns:
            ``contributions``, FP64 of ``[rows, scores, columns]``, in the order of
            ``schema.columns`` or of the columns of the matrix, and ``base_values``, FP64 of
            ``[rows, scores]``.

        Raises:
            UsageError: inputs that do not fit the schema, or that the model refuses (``input-refused``).
            UnsupportedError: this model has no exact contributions (``explain-missing``).
        """
        fitted = fit_tensors(self.schema.inputs, inputs)
        outputs = _asked(lambda: self._explain(fitted))
        contributions = np.asarray(outputs[CONTRIBUTIONS], np.float64)
        return {
            CONTRIBUTIONS: contributions,
            BASE_VALUES: np.array(
                np.broadcast_to(np.asarray(outputs[BASE_VALUES], np.float64), contributions.shape[:2])
            ),
        }

    @property
    def explains(self) -> bool:
        """Whether ``explain`` can answer; known when the model is loaded, before anything is counted."""
        return type(self)._explain is not LoadedModel._explain

    def _explain(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """Return both outputs of ``explain``; the inputs fit the schema. Base values may be broadcast."""
        raise explain_missing("this model")


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


def explain_missing(what: str) -> UnsupportedError:
    """Return the error that says that ``what`` has no contributions, and which models have."""
    return UnsupportedError(
        f"{what} cannot say what each column contributed",
        code="explain-missing",
        hint="linear models and trees can, where they are kept in a format of their own library; ONNX cannot",
    )


def extra_missing(extra: str, what: str) -> UnsupportedError:
    """Return the error that says which extra to install for ``what``."""
    return UnsupportedError(
        f"{what} needs an extra that is not installed: {extra}",
        code="extra-missing",
        hint=f'pip install "strongroom[{extra}]"',
    )


def _asked(ask: Callable[[], dict[str, Array]]) -> dict[str, Array]:
    try:
        return ask()
    except Error:
        raise
    except Exception as error:
        raise UsageError(
            f"the model refused this input ({type(error).__name__})",
            code="input-refused",
            hint="compare columns, types and categories with what the model was fitted on",
        ) from error


def _plain(array: Array) -> Array:
    # Fixed-width numpy strings would leak the length of the longest label of the
    # model through their type, and no tensor of the protocol is one.
    return array.astype(object) if array.dtype.kind in "UT" else np.asarray(array)
