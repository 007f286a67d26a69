r"""What the first bytes of a file give away: signs of formats that run code when they are loaded.

    >>> code_in(b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00]\x94(K\x01K\x02K\x03e.")
    'a pickle'
    >>> code_in(b"age,bmi\n61,27.4\n") is None
    True

Names can be chosen; these signs are what the programs themselves go by. Each is
checked beyond its first two bytes, so that random weights do not look like a program.
"""

from __future__ import annotations

import ast
import pickletools
import re
import warnings
from collections.abc import Callable
from typing import Any, Final

HEAD_BYTES: Final = 1 << 16
"""How much of a file these look at."""

_PICKLE_PROTOCOLS: Final = range(2, 6)
_SURE_OPCODES: Final = 4
_MAX_OPCODES: Final = 50_000
_CALLS: Final = frozenset({"REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"})
_EXECUTABLE: Final = (
    (b"\x7fELF", "a program or library"),
    (b"\xfe\xed\xfa\xce", "a program or library"),
    (b"\xfe\xed\xfa\xcf", "a program or library"),
    (b"\xce\xfa\xed\xfe", "a program or library"),
    (b"\xcf\xfa\xed\xfe", "a program or library"),
    (b"\xca\xfe\xba\xbe", "a program or library"),
    (b"\x00asm\x01\x00\x00\x00", "a WebAssembly program"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"RDX2\n", "an R data file"),
    (b"RDX3\n", "an R data file"),
    (b"X\n\x00\x00\x00", "an R data file"),
)
_HDF5_OFFSETS: Final = (512, 1024, 2048, 4096)
_SCRIPT: Final = re.compile(rb"#! ?/[\x20-\x7e]{1,200}\r?\n")
_YAML_PYTHON: Final = re.compile(rb"!!python/(?:object|name|module)")
_NUMPY_OBJECT: Final = re.compile(r"[|<>=]?O[0-9]*")


def code_in(head: bytes) -> str | None:
    """Return what kind of code the head of a file is, with its article; None if it shows no sign."""
    for magic, what in _EXECUTABLE:
        if head.startswith(magic):
            return what
    return next((what for what, is_sign in _SIGNS if is_sign(head)), None)


def _is_pickle(head: bytes) -> bool:
    if head[:1] == b"\x80" and head[1:2] and head[1] in _PICKLE_PROTOCOLS:
        return _opcodes(head, _SURE_OPCODES) is not None
    # Protocols 0 and 1 have no mark of their own: a call, and an end in the right place.
    names = _opcodes(head, _MAX_OPCODES)
    return names is not None and names[-1:] == ["STOP"] and not _CALLS.isdisjoint(names)


def _opcodes(head: bytes, count: int) -> list[str] | None:
    """Return up to ``count`` opcodes; None if the bytes are no pickle up to there."""
    names: list[str] = []
    try:
        with warnings.catch_warnings():
            # Text that is no pickle is full of escapes that Python warns of.
            warnings.simplefilter("ignore")
            for opcode, _, _ in pickletools.genops(head):
                names.append(opcode.name)
                if len(names) == count:
                    break
    except (ValueError, OverflowError, AttributeError):
        return None
    return names


def _is_windows_program(head: bytes) -> bool:
    offset = int.from_bytes(head[60:64], "little")
    return head[:2] == b"MZ" and head[offset : offset + 4] == b"PE\0\0"


def _is_compiled_python(head: bytes) -> bool:
    # 3000 to 3999 are the magic numbers of Python 3; flags and time follow.
    number = int.from_bytes(head[:2], "little")
    return (
        head[2:4] == b"\r\n" and 3000 <= number < 4000 and head[4:8] in (bytes(4), b"\1\0\0\0", b"\3\0\0\0")
    )


def _is_script(head: bytes) -> bool:
    return _SCRIPT.match(head) is not None


def _is_yaml_with_objects(head: bytes) -> bool:
    return _YAML_PYTHON.search(head) is not None


def _is_shifted_hdf5(head: bytes) -> bool:
    return any(head[offset : offset + 8] == b"\x89HDF\r\n\x1a\n" for offset in _HDF5_OFFSETS)


def _is_numpy_of_objects(head: bytes) -> bool:
    if not head.startswith(b"\x93NUMPY"):
        return False
    width = 2 if head[6:7] == b"\x01" else 4
    size = int.from_bytes(head[8 : 8 + width], "little")
    try:
        header = ast.literal_eval(head[8 + width : 8 + width + size].decode("latin-1").strip())
        return _has_objects(header["descr"])
    except (ValueError, SyntaxError, LookupError, TypeError, RecursionError, MemoryError):
        # numpy would not read it either, but what it is we do not know.
        return True


def _has_objects(descr: Any) -> bool:
    if isinstance(descr, str):
        return _NUMPY_OBJECT.fullmatch(descr) is not None
    if isinstance(descr, list):
        # A structure: each field is a name, a type, and perhaps a shape.
        return any(_has_objects(field[1]) for field in descr)
    return _has_objects(descr[0])


_SIGNS: Final[tuple[tuple[str, Callable[[bytes], bool]], ...]] = (
    ("a pickle", _is_pickle),
    ("a program or library", _is_windows_program),
    ("compiled Python", _is_compiled_python),
    ("a script", _is_script),
    ("a YAML file that names Python objects", _is_yaml_with_objects),
    ("an HDF5 file", _is_shifted_hdf5),
    ("a numpy file of Python objects", _is_numpy_of_objects),
)
