"""Which names a package may carry: of models, of files, and version numbers.

    verify_model_name("readmission-risk")
    verify_file_names(["config.json", "weights/model.onnx"])
    Version.from_text("1.10.0") > Version.from_text("1.9.0")

A package is made by a stranger and ends on somebody's disk and screen: a name that
climbs out of a folder, repaints a terminal or meets another name on a file system
that ignores case is refused here, once (spec/package.md, Names).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from strongroom._limits import LIMITS
from strongroom.errors import FormatError

_MODEL_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,5}")
_MAX_PART_BYTES: Final = 255
# Control, format, surrogate, private, unassigned, line and paragraph separators.
_REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A model version: three numbers, compared from left to right."""

    major: int
    minor: int
    patch: int

    def __post_init__(self) -> None:
        for number in (self.major, self.minor, self.patch):
            if not 0 <= number < 1_000_000:
                raise FormatError("a version number is below zero or above 999999", code="version")

    @classmethod
    def from_text(cls, text: str) -> Version:
        """Read ``N.N.N``, without signs or leading zeros.

        Raises:
            FormatError: any other form.
        """
        numbers = text.split(".")
        if len(numbers) != 3 or not all(_NUMBER.fullmatch(number) for number in numbers):
            raise FormatError(
                "a version is not of the form N.N.N",
                code="version",
                hint="use three numbers, for example 1.4.0",
            )
        return cls(*map(int, numbers))

    def to_text(self) -> str:
        """Write ``N.N.N``."""
        return f"{self.major}.{self.minor}.{self.patch}"

    def __str__(self) -> str:
        return self.to_text()


def verify_model_name(name: str) -> None:
    """Check the name of a model: it becomes part of file names and of command lines.

    Raises:
        FormatError: other characters than a-z, 0-9, ``.``, ``_``, ``-``, a mark at an
            end, or too long.
    """
    if len(name) > LIMITS.max_name_chars or not _MODEL_NAME.fullmatch(name):
        raise FormatError(
            "a model name has characters that are not allowed",
            code="model-name",
            hint="use lower-case letters, digits, '-', '_' and '.', for example readmission-risk",
        )


def verify_file_names(names: Sequence[str]) -> None:
    """Check all file names of one package together.

    Raises:
        FormatError: a name that ``verify_file_name`` refuses, names out of order or
            twice, or two that a file system could take for one.
    """
    for name in names:
        verify_file_name(name)
    if any(name >= following for name, following in pairwise(names)):
        raise FormatError("the files of a package are not sorted by name", code="file-order")
    # With the separator below every other character, a folder stands right before what
    # lies in it: comparing neighbors finds every clash, however many names there are.
    folded = sorted(_fold(name).replace("/", "\0") for name in names)
    for name, following in pairwise(folded):
        if name == following:
            raise FormatError("two files of a package differ only in case", code="file-name-clash")
        if following.startswith(name + "\0"):
            raise FormatError("a file of a package is also a folder in it", code="file-name-clash")


def verify_file_name(name: str) -> None:
    """Check one file name: a relative POSIX path in Unicode NFC.

    Raises:
        FormatError: absolute, with empty, ``.`` or ``..`` parts, with a backslash, with
            characters that do not show, not NFC, or too long.
    """
    if any(unicodedata.category(char) in _REFUSED_CATEGORIES for char in set(name)):
        raise FormatError("a file name in a package has characters that do not show", code="file-name")
    if "\\" in name or unicodedata.normalize("NFC", name) != name:
        raise FormatError("a file name in a package is not in canonical form", code="file-name")
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise FormatError("a file name in a package leads out of its folder", code="file-name")
    if len(name.encode()) > LIMITS.max_path_bytes or any(len(p.encode()) > _MAX_PART_BYTES for p in parts):
        raise FormatError("a file name in a package is too long", code="file-name")


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())
