r"""UBJSON, as far as XGBoost writes it: a document as Python and numpy values.

    >>> read_ubj(b"{i\x07version[#i\x02U\x03U\x02}")
    {'version': [3, 2]}

Sizes are not believed before the bytes are there; nesting ends at a limit.
https://ubjson.org (draft 12), with lengths in big-endian order.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

_MAX_DEPTH: Final = 32
_NUMBERS: Final = {
    "i": ">i1", "U": ">u1", "I": ">i2", "u": ">u2", "l": ">i4", "m": ">u4", "L": ">i8", "M": ">u8",
    "d": ">f4", "D": ">f8",
}  # fmt: skip
_CONSTANTS: Final = {"T": True, "F": False, "Z": None}


def read_ubj(data: bytes) -> dict[str, Any]:
    """Read one object that takes all of the bytes.

    Raises:
        ValueError: it is none.
    """
    reader = _Reader(data)
    document = reader.value(reader.mark(), 0)
    if reader.place != len(data) or not isinstance(document, dict):
        raise ValueError("not one object")
    return document


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def take(self, size: int) -> bytes:
        end = self.place + size
        if size < 0 or end > len(self.data):
            raise ValueError("the bytes end too early")
        taken = self.data[self.place : end]
        self.place = end
        return taken

    def mark(self) -> str:
        return self.take(1).decode("latin-1")

    def number(self, mark: str) -> int | float:
        kind = np.dtype(_NUMBERS[mark])
        value: int | float = np.frombuffer(self.take(kind.itemsize), kind)[0].item()
        return value

    def length(self) -> int:
        mark = self.mark()
        if mark in "dD":
            raise ValueError("a length with a fraction")
        return int(self.number(mark))

    def value(self, mark: str, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        if mark == "{":
            return self.members(depth)
        if mark == "[":
            return self.items(depth)
        if mark == "S":
            return self.take(self.length()).decode()
        if mark in _CONSTANTS:
            return _CONSTANTS[mark]
        return self.number(mark)

    def members(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (mark := self.mark()) != "}":
            self.place -= 1
            key = self.take(self.length()).decode()
            if key in found or mark in "dD":
                raise ValueError("a member stands twice")
            found[key] = self.value(self.mark(), depth + 1)
        return found

    def items(self, depth: int) -> Any:
        mark = self.mark()
        if mark == "$":
            kind = np.dtype(_NUMBERS[self.mark()])
            if self.mark() != "#":
                raise ValueError("an array without a length")
            count = self.length()
            return np.frombuffer(self.take(kind.itemsize * count), kind)
        if mark == "#":
            return [self.value(self.mark(), depth + 1) for _ in range(self.length())]
        found = []
        while mark != "]":
            found.append(self.value(mark, depth + 1))
            mark = self.mark()
        return found
