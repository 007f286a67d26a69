"""What a partner hands in as a derived model, looked at as closely as what ``seal`` is given.

    verify_derived(reader.unlock(content_key))        # raises, or returns nothing

The files are read out of the encrypted package, piece by piece, and never written to a disk.
Nothing is loaded: an ONNX graph is parsed, a skops file is searched for its types, everything
else is checked for code. What an owner would not seal, it does not countersign.
"""

from __future__ import annotations

import errno
import io
from typing import Any, BinaryIO, Final, cast

from strongroom._limits import LIMITS
from strongroom.errors import FormatError, UnsupportedError
from strongroom.intake.refuse import verify_harmless, verify_head
from strongroom.intake.signs import HEAD_BYTES
from strongroom.intake.source import needing
from strongroom.loaders.onnx_locations import external_locations, resolve
from strongroom.package.contents import FileEntry
from strongroom.package.open_package import OpenPackage

_LOADERS: Final = {".onnx": "onnx", ".skops": "skops"}
_BUFFER_BYTES: Final = 1 << 20


def verify_derived(package: OpenPackage) -> None:
    """Check that a derived model holds one model that can be sealed, and nothing that runs code.

    Raises:
        UnsupportedError: ``runs-code-on-load``, ``untrusted-types``, ``unknown-model``...
        FormatError: a file that is not what its name says, or contents that are not those of the
            model (``derived-contents``).
        IntegrityError: the bytes are not what the partner signed.
        StorageError: the storage does not answer.
    """
    contents = package.contents
    models = [file.name for file in contents.files if _loader_for(file.name) is not None]
    if models != [contents.loader.entry] or _loader_for(models[0]) != contents.loader.name:
        raise UnsupportedError(
            "a derived model is one .onnx or .skops file, with files of data beside it",
            code="unknown-model",
            hint="ask the partner to seal the model as strongroom derive does",
        )
    for file in contents.files:
        if file.name != contents.loader.entry:
            verify_harmless(file.name, _open(package, file))
    _verify_model(package, contents.loader.entry)


def _verify_model(package: OpenPackage, entry: str) -> None:
    if package.file(entry).size > LIMITS.max_onnx_graph_bytes:
        raise UnsupportedError(f"{entry!r} has 2 GiB or more", code="onnx-size")
    data = bytes(package.read(entry))
    verify_head(entry, data[:HEAD_BYTES])
    if package.contents.loader.name == "onnx":
        _verify_graph(package, data, entry)
    else:
        _verify_estimator(package, data)


def _verify_graph(package: OpenPackage, graph: bytes, entry: str) -> None:
    with needing("onnx", "looking at a derived ONNX model"):
        from strongroom.intake.onnx_graph import read_graph
        from strongroom.intake.onnx_source import options_of
    found = read_graph(graph)
    schema = package.contents.schema
    if (list(found.inputs), list(found.outputs)) != (schema.inputs, schema.outputs):
        raise _other_contents("inputs or outputs")
    if package.contents.loader.options != options_of(found):
        raise _other_contents("options")
    names = {file.name for file in package.contents.files} - {entry}
    if not {resolve(location, entry) for location in external_locations(graph)} <= names:
        raise FormatError("the graph keeps weights in a file that is not there", code="external-data")


def _verify_estimator(package: OpenPackage, data: bytes) -> None:
    with needing("sklearn", "looking at a derived scikit-learn model"):
        from strongroom.intake.estimator import types_in
        from strongroom.loaders.skops_trust import refused
    types_in(data)
    trust = package.contents.loader.options.get("trust", [])
    # The loader would refuse as well; a partner that asks for more is told so here.
    if not isinstance(trust, list) or refused(trust):
        raise _other_contents("types")


def _other_contents(what: str) -> FormatError:
    return FormatError(
        f"the contents of a derived model name other {what} than the model has", code="derived-contents"
    )


def _loader_for(name: str) -> str | None:
    return next((loader for ending, loader in _LOADERS.items() if name.lower().endswith(ending)), None)


class _Member(io.RawIOBase):
    """One file of a package, for those who read files."""

    def __init__(self, package: OpenPackage, file: FileEntry) -> None:
        self._package = package
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}[whence]
        if start + offset < 0:
            # As the operating system says it: readers of archives look for an end that is not there.
            raise OSError(errno.EINVAL, "a position before the start of the file")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self._file.size - self._position))
        view[:count] = self._package.read_range(self._file.name, min(self._position, self._file.size), count)
        self._position += count
        return count


def _open(package: OpenPackage, file: FileEntry) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(_Member(package, file), _BUFFER_BYTES))
