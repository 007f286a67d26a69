"""The contents: what the encrypted payload holds (spec/package.md, Contents).

    {"bom":{...},"files":[{"name":"model.onnx","sha256":"9f86...","size":17340}],
     "format":"v1-draft","loader":{"entry":"model.onnx","name":"onnx","options":{}},
     "schema":{"classes":[0,1],"columns":["age","bmi"],
               "inputs":[{"datatype":"FP32","name":"X","shape":[-1,2]}],
               "methods":["predict","predict_proba"],
               "outputs":[{"datatype":"INT64","name":"label","shape":[-1]}]}}

The contents are encrypted like the payload: a stranger learns no file name, no
column and no tool. Offsets are not stored; each file starts at the next multiple
of 64 after the one before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from strongroom._encoding import from_hex, from_wire, to_wire
from strongroom._limits import LIMITS
from strongroom.crypto.digest import DIGEST_BYTES
from strongroom.errors import FormatError
from strongroom.package.layout import FORMAT, align
from strongroom.package.names import verify_file_names

_INTEGERS: Final = frozenset(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
DATATYPES: Final = _INTEGERS | {"BOOL", "FP16", "FP32", "FP64", "BYTES"}
"""Tensor types, as the Open Inference Protocol names them."""
_MAX_DIMENSIONS: Final = 32
_MAX_COMMAS: Final = 2_000_000
"""A parser spends about a hundred bytes on each value: this bounds it at some 200 MB."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LOADER_NAME: Final = re.compile(r"[a-z0-9-]{1,64}")

CODE_LOADERS: Final = frozenset({"python"})
"""Loaders that run code out of the package; the statement says so in public."""

OptionValue = str | int | bool | list[str]


class FileEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of the payload."""

    name: str
    size: int
    sha256: str
    """SHA-256 of the plaintext, in hexadecimal: the manifest that ``export`` hands out."""


class Loader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What turns the files into a running model."""

    name: str
    """Name of the loader, for example ``onnx``."""
    entry: str
    """The file that it opens first."""
    options: dict[str, OptionValue] = {}
    """What this loader needs besides, for example ``trust``: types that the owner vouches for."""


class Field(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One named tensor that goes in or comes out."""

    name: str
    datatype: str
    """A name of the Open Inference Protocol, for example ``FP32``."""
    shape: list[int]
    """Sizes of the dimensions; -1 stands for any."""


class Schema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes in and what comes out."""

    inputs: list[Field]
    outputs: list[Field]
    columns: list[str] = []
    """Names of the features, in order, if the model takes a table."""
    classes: list[str | int] = []
    """The labels of a classifier, in the order of its probabilities."""
    methods: list[str] = []
    """What can be called, for example ``predict`` and ``predict_proba``."""


class Contents(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a package says about its payload."""

    format: str
    files: list[FileEntry]
    loader: Loader
    schema: Schema
    bom: dict[str, Any]
    """Bill of materials, CycloneDX 1.6."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Contents:
        """Decode contents.

        Raises:
            FormatError: not canonical, or a rule of the specification is broken.
        """
        _verify_size(data)
        contents = from_wire(
            data, cls, max_bytes=LIMITS.max_contents_bytes, max_depth=LIMITS.max_contents_depth
        )
        contents.verify()
        return contents

    def to_bytes(self) -> bytes:
        """Return the canonical JSON form.

        Raises:
            FormatError: a rule of the specification is broken.
        """
        self.verify()
        data = to_wire(self)
        _verify_size(data)
        return data

    def verify(self) -> None:
        """Check the rules that go beyond types.

        Raises:
            FormatError: a rule of the specification is broken.
        """
        if self.format != FORMAT:
            raise FormatError("contents of another format version", code="unknown-format")
        _verify_files(self.files)
        if not _LOADER_NAME.fullmatch(self.loader.name):
            raise FormatError("a loader has an impossible name", code="loader-name")
        if self.loader.entry not in {file.name for file in self.files}:
            raise FormatError("the entry of the loader is not among the files", code="loader-entry")
        verify_schema(self.schema)

    @property
    def carries_code(self) -> bool:
        """Whether the files hold a program of the owner's, which the loader runs."""
        return self.loader.name in CODE_LOADERS

    def offsets(self) -> list[int]:
        """Return the offset of each file in the payload, in file order."""
        return place(file.size for file in self.files)[0]

    def payload_bytes(self) -> int:
        """Return where the last file ends: the size of the payload."""
        return place(file.size for file in self.files)[1]


def place(sizes: Iterable[int]) -> tuple[list[int], int]:
    """Lay files of these sizes out; returns their offsets and the end of the last one."""
    offsets: list[int] = []
    end = 0
    for size in sizes:
        offsets.append(align(end))
        end = offsets[-1] + size
    return offsets, end


def _verify_size(data: bytes) -> None:
    if len(data) > LIMITS.max_contents_bytes or data.count(b",") > _MAX_COMMAS:
        raise FormatError("contents are too large, or hold too many values", code="contents-size")


def _verify_files(files: list[FileEntry]) -> None:
    if not 1 <= len(files) <= LIMITS.max_files:
        raise FormatError("a package has no files, or too many", code="file-count")
    for file in files:
        if not 0 <= file.size <= LIMITS.max_payload_bytes:
            raise FormatError("a file of a package has an impossible size", code="file-size")
        from_hex(file.sha256, size=DIGEST_BYTES)
    verify_file_names([file.name for file in files])


def verify_schema(schema: Schema) -> None:
    """Check a schema, whoever says it.

    Raises:
        FormatError: a rule of the specification is broken.
    """
    for fields in (schema.inputs, schema.outputs):
        if len({field.name for field in fields}) != len(fields):
            raise FormatError("a schema names a field twice", code="schema")
        for field in fields:
            if field.datatype not in DATATYPES:
                raise FormatError("a schema has a field of an unknown datatype", code="schema")
            if len(field.shape) > _MAX_DIMENSIONS or any(size < -1 for size in field.shape):
                raise FormatError("a schema has a field with an impossible shape", code="schema")
    texts = [field.name for field in (*schema.inputs, *schema.outputs)] + schema.columns + schema.methods
    texts += [label for label in schema.classes if isinstance(label, str)]
    if any(_CONTROL.search(text) for text in texts):
        # They are shown on terminals, and a class is an answer.
        raise FormatError("a schema holds a name or a class with a control character", code="schema")
    for names in (schema.columns, schema.methods):
        if len(set(names)) != len(names):
            raise FormatError("a schema names a column or a method twice", code="schema")
