"""Turns away whatever runs code when it is loaded: by name, by content, and inside archives.

    with path.open("rb") as file:
        verify_harmless("weights.bin", file)      # raises, or returns nothing

No loader of ours would run any of these. They are refused all the same, because a
model that was saved as a pickle is not sealed by wrapping it, and because what a
package holds may be exported and loaded elsewhere. This protects an honest owner from
a mistake; it is no virus scanner.
"""

from __future__ import annotations

from typing import BinaryIO, Final

from strongroom.errors import UnsupportedError
from strongroom.intake.signs import HEAD_BYTES, code_in
from strongroom.intake.unpacking import Unreadable, members

_MAX_DEPTH: Final = 3

_EXPORT: Final = "export the model to ONNX and seal the .onnx file"
_ESTIMATOR: Final = "pass the fitted estimator itself to seal(), save it with skops, or convert it to ONNX"
_REMOVE: Final = "a package holds data only: leave it out of the folder"

_PICKLE: Final = ("a pickle", _ESTIMATOR)
_TORCH: Final = ("a PyTorch file", "export the model with torch.onnx.export and seal the .onnx file")
_KERAS: Final = ("a Keras or HDF5 file", _EXPORT)
_CODE: Final = "leave it out of the folder, or seal code of your own: --loader python"
_PYTHON: Final = ("Python code", _CODE)
_PROGRAM: Final = ("a program or library", _REMOVE)
_SCRIPT: Final = ("a script", _REMOVE)
_R: Final = ("an R data file", _EXPORT)

# The ending decides before the content, so that the message fits what the user sees.
_ENDINGS: Final = {
    "data.pkl": _TORCH, "constants.pkl": _TORCH,
    ".pkl": _PICKLE, ".pickle": _PICKLE, ".pck": _PICKLE, ".p": _PICKLE, ".joblib": _PICKLE, ".jbl": _PICKLE,
    ".cloudpickle": _PICKLE, ".dill": _PICKLE,
    ".pt": _TORCH, ".pth": _TORCH, ".ckpt": _TORCH, ".pt2": _TORCH, ".nemo": _TORCH,
    ".h5": _KERAS, ".hdf5": _KERAS, ".keras": _KERAS, "saved_model.pb": _KERAS, "keras_metadata.pb": _KERAS,
    ".py": _PYTHON, ".pyc": _PYTHON, ".pyw": _PYTHON, ".pyx": _PYTHON, ".pth.tar": _TORCH, ".ipynb": _PYTHON,
    ".whl": _PYTHON, ".egg": _PYTHON, ".pyz": _PYTHON,
    ".so": _PROGRAM, ".pyd": _PROGRAM, ".dll": _PROGRAM, ".dylib": _PROGRAM, ".exe": _PROGRAM,
    ".jar": _PROGRAM, ".class": _PROGRAM, ".wasm": _PROGRAM,
    ".sh": _SCRIPT, ".bash": _SCRIPT, ".bat": _SCRIPT, ".cmd": _SCRIPT, ".ps1": _SCRIPT, ".js": _SCRIPT,
    ".pl": _SCRIPT, ".rb": _SCRIPT, ".lua": _SCRIPT, ".r": _SCRIPT, ".jl": _SCRIPT,
    ".rds": _R, ".rda": _R, ".rdata": _R,
}  # fmt: skip

_HINTS: Final = {
    "a pickle": _ESTIMATOR,
    "a numpy file of Python objects": "save the array with a numeric or text dtype (allow_pickle=False)",
    "an HDF5 file": _EXPORT,
    "an R data file": _EXPORT,
}


def verify_harmless(name: str, file: BinaryIO) -> None:
    """Check one file of whatever kind, and everything inside it.

    Args:
        name: what the user calls it, for the message.
        file: the file, open for reading and seeking.

    Raises:
        UnsupportedError: ``runs-code-on-load``, or ``archive-unchecked`` for an archive that
            cannot be looked into.
    """
    _verify_ending(name, name)
    _verify_content(name, name, file, _MAX_DEPTH)


def verify_head(name: str, head: bytes) -> None:
    """Check the name of a file and its beginning, for a file whose reader checks the rest.

    Raises:
        UnsupportedError: ``runs-code-on-load``.
    """
    _verify_ending(name, name)
    _verify_signs(name, head)


def _verify_ending(shown: str, name: str) -> None:
    lowered = name.lower()
    for ending, (what, hint) in _ENDINGS.items():
        if lowered.endswith(ending):
            raise _refused(shown, what, hint)
    # numbered shared libraries: libfoo.so.1
    if ".so." in lowered.rpartition("/")[2]:
        raise _refused(shown, *_PROGRAM)


def _verify_content(shown: str, name: str, file: BinaryIO, depth: int) -> None:
    file.seek(0)
    _verify_signs(shown, file.read(HEAD_BYTES))
    try:
        for member, content in members(name, file):
            inside = f"{shown}, {member}" if member else shown
            if member:
                _verify_ending(inside, member)
            if depth == 0:
                raise Unreadable("archives are nested too deeply in it")
            _verify_content(inside, member or name, content, depth - 1)
    except Unreadable as error:
        raise UnsupportedError(
            f"{shown} cannot be looked into: {error}",
            code="archive-unchecked",
            hint="unpack it, and pass the folder",
        ) from error


def _verify_signs(shown: str, head: bytes) -> None:
    what = code_in(head[:HEAD_BYTES])
    if what is not None:
        raise _refused(shown, what, _HINTS.get(what, _REMOVE))


def _refused(shown: str, what: str, hint: str) -> UnsupportedError:
    return UnsupportedError(
        f"{shown} is {what}, which can run code when it is loaded",
        code="runs-code-on-load",
        hint=hint,
    )
