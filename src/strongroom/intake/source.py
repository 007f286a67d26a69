"""What ``seal`` is given, made ready to be sealed.

    source = read_source("model/", name="risk")
    source.loader.entry, source.schema.methods
    for left in source.left:
        print(f"left out: {left.name} ({left.reason})")

Taken are: a fitted scikit-learn estimator or pipeline, a fitted model of LightGBM, XGBoost
or CatBoost, an ``onnx.ModelProto``, an ``.onnx`` file with its external data, a ``.skops``
file, the file of a model of one of those three libraries, or a folder that holds one of these
beside files of data. A file on disk is read without being run. What could run code when
it is loaded is refused (``refuse``), at any depth.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from strongroom._limits import LIMITS
from strongroom.errors import FormatError, UnsupportedError, UsageError
from strongroom.intake import boosted, boosted_source
from strongroom.intake.folder import LocalFile, scan
from strongroom.intake.material import Extras, Part, Source, on_disk
from strongroom.intake.refuse import verify_harmless, verify_head
from strongroom.intake.remedy import remedy
from strongroom.intake.sample import Rows, read_sample
from strongroom.intake.signs import HEAD_BYTES
from strongroom.loaders.interface import extra_missing
from strongroom.loaders.onnx_locations import external_locations, resolve
from strongroom.package.contents import CODE_LOADERS
from strongroom.package.names import verify_file_name

_ONNX: Final = ".onnx"
_SKOPS: Final = ".skops"
_OWN_STARTS: Final = (b"strongroom package ", b"strongroom derived ")
_SHOWN_NAMES: Final = 8


def read_source(
    model: Any, *, name: str, sample: Any = None, convert: str | None = None, loader: str | None = None
) -> Source:
    """Read a model of whatever kind, without running it where it comes from a file.

    Args:
        model: a fitted estimator, an ``onnx.ModelProto``, or the path of a file or folder.
        name: the name of the model; files that are made here are called after it.
        sample: a few rows of input, for the schema and for the proof of the round trip.
        convert: ``onnx`` to convert a scikit-learn estimator.
        loader: ``python`` to seal a folder with code of one's own; None: what the content says.

    Raises:
        UsageError: not fitted, no sample where one is needed, a changed or unplain file.
        UnsupportedError: ``runs-code-on-load``, ``untrusted-types``, ``unknown-model``...
        FormatError: a file that is not what its name says.
        StorageError: a file that is not there or cannot be read.
    """
    if convert not in (None, "onnx"):
        raise UsageError(f"there is no conversion to {convert!r}", code="convert", hint='use convert="onnx"')
    if loader is not None:
        return _from_code(model, sample, convert, loader)
    rows = None if sample is None else read_sample(sample)
    if isinstance(model, str | os.PathLike):
        return _from_path(Path(model), name, rows, convert)
    if type(model).__module__.startswith("onnx.") and hasattr(model, "SerializeToString"):
        return _from_proto(model, name, rows)
    if convert is None and type(model).__module__.partition(".")[0] in boosted.ENDINGS:
        return _from_boosted(model, name, rows)
    _verify_is_estimator(model)
    return _from_estimator(model, name, rows, convert)


def _from_code(model: Any, sample: Any, convert: str | None, loader: str) -> Source:
    if loader not in CODE_LOADERS:
        raise UsageError(
            f"there is no choice of the loader {loader!r}",
            code="loader-choice",
            hint="only code of your own is chosen: python; every other model shows by its content what it is",
        )
    if sample is not None or convert is not None or not isinstance(model, str | os.PathLike):
        raise UsageError(
            "code is sealed from a folder, neither converted nor run with a sample",
            code="loader-choice",
            hint="try it with a program of your own; what is sealed runs only where it is confined",
        )
    with needing("python", "sealing code"):
        from strongroom.intake import code_source
    return code_source.from_folder(Path(model))


def _verify_is_estimator(model: Any) -> None:
    if hasattr(model, "fit") and hasattr(model, "get_params"):
        return
    raise _no_model(f"{type(model).__module__}.{type(model).__qualname__}")


def _no_model(kind: str) -> UnsupportedError:
    known = ("torch.", "keras.", "tensorflow.", "xgboost.", "lightgbm.", "catboost.")
    return UnsupportedError(
        f"a {kind} is no model that can be sealed",
        code="unknown-model",
        hint=remedy(kind)
        if kind.startswith(known)
        else "pass a fitted scikit-learn estimator or boosted trees, a model file, or a folder with one",
    )


def _from_estimator(model: Any, name: str, rows: Rows | None, convert: str | None) -> Source:
    if convert is not None:
        with needing("convert", "converting a model to ONNX"):
            from strongroom.intake import converted_source
        return converted_source.from_estimator(model, f"{name}{_ONNX}", rows, Extras())
    with needing("sklearn", "sealing a scikit-learn model"):
        from strongroom.intake import estimator_source
    return estimator_source.from_estimator(model, f"{name}{_SKOPS}", rows)


def _from_boosted(model: Any, name: str, rows: Rows | None) -> Source:
    library = boosted.library_of(model)
    if library is None:
        raise _no_model(f"{type(model).__module__}.{type(model).__qualname__}")
    return boosted_source.from_object(model, f"{name}{boosted.ENDINGS[library]}", rows)


def _from_proto(model: Any, name: str, rows: Rows | None) -> Source:
    graph: bytes = model.SerializeToString()
    if external_locations(graph):
        raise UsageError(
            "this graph keeps its weights in files, and only a path says where",
            code="external-data",
            hint="save it with onnx.save, and pass the path",
        )
    return _onnx(graph, f"{name}{_ONNX}", rows, {}, Extras())


def _from_path(path: Path, name: str, rows: Rows | None, convert: str | None) -> Source:
    if path.is_dir() and not path.is_symlink():
        return _from_folder(path, name, rows, convert)
    file = LocalFile.at(path)
    if _head(file).startswith(_OWN_STARTS):
        raise UsageError(f"{path.name!r} is a sealed package already", code="already-sealed")
    if _is_boosted(path.name, file):
        return _boosted(file.read(), path.name, rows, convert, Extras())
    if not _is_model(path.name):
        _verify_harmless(path.name, file)
        raise _unknown(path.name)
    data = _model_bytes(path.name, file)
    if path.suffix.lower() == _ONNX:
        return _onnx(data, path.name, rows, _weights_beside(path, data), Extras())
    return _skops(data, path.name, name, rows, convert, Extras())


def _from_folder(folder: Path, name: str, rows: Rows | None, convert: str | None) -> Source:
    found = scan(folder)
    models = [each for each, file in found.files.items() if _is_model(each) or _is_boosted(each, file)]
    for each in found.files.keys() - models:
        _verify_harmless(each, found.files[each])
    if not models:
        raise _unknown(folder.name)
    if len(models) > 1:
        shown = ", ".join(models[:_SHOWN_NAMES])
        raise UsageError(
            f"the folder holds several models: {shown}",
            code="several-models",
            hint="seal each on its own, or keep one of them in the folder",
        )
    entry = models[0]
    data = _model_bytes(entry, found.files[entry])
    weights = _weights_among(found.files, entry, data) if entry.lower().endswith(_ONNX) else {}
    others = {each: file for each, file in found.files.items() if each != entry and each not in weights}
    extras = Extras(tuple(on_disk(each, file, Part.DATA) for each, file in others.items()), tuple(found.left))
    if entry.lower().endswith(_ONNX):
        return _onnx(data, entry, rows, weights, extras)
    if not _is_model(entry):
        return _boosted(data, entry, rows, convert, extras)
    return _skops(data, entry, name, rows, convert, extras)


def _onnx(
    graph: bytes, entry: str, rows: Rows | None, weights: dict[str, LocalFile], extras: Extras
) -> Source:
    with needing("onnx", "sealing an ONNX model"):
        from strongroom.intake import onnx_source
    return onnx_source.from_graph(graph, entry, rows, weights, extras)


def _skops(
    data: bytes, entry: str, name: str, rows: Rows | None, convert: str | None, extras: Extras
) -> Source:
    if convert is not None:
        with needing("convert", "converting a model to ONNX"):
            from strongroom.intake import converted_source
        return converted_source.from_skops(data, f"{name}{_ONNX}", rows, extras)
    with needing("sklearn", "sealing a scikit-learn model"):
        from strongroom.intake import estimator_source
    return estimator_source.from_skops(data, entry, rows, extras)


def _boosted(data: bytes, entry: str, rows: Rows | None, convert: str | None, extras: Extras) -> Source:
    if convert is not None:
        raise UsageError(
            "only a model of scikit-learn can be converted",
            code="convert",
            hint="seal it without convert: this format is sealed as it is",
        )
    return boosted_source.from_file(data, entry, rows, extras)


def _weights_among(files: dict[str, LocalFile], entry: str, graph: bytes) -> dict[str, LocalFile]:
    names = {resolve(location, entry) for location in external_locations(graph)}
    missing = sorted(name for name in names if name not in files or name == entry)
    if missing:
        raise FormatError(
            f"the graph keeps weights in a file that is not there: {missing[0]!r}", code="external-data"
        )
    return {name: files[name] for name in names}


def _weights_beside(path: Path, graph: bytes) -> dict[str, LocalFile]:
    """Find the files in the folder of a graph that it names, and no others."""
    names = {resolve(location, path.name) for location in external_locations(graph)}
    found: dict[str, LocalFile] = {}
    for name in sorted(names):
        verify_file_name(name)
        links = [str(each) for each in Path(name).parents if each.name and (path.parent / each).is_symlink()]
        if links:
            raise UsageError(f"{links[0]!r} is a symbolic link, not a folder", code="not-a-plain-file")
        found[name] = LocalFile.at(path.parent / name)
        _verify_harmless(name, found[name])
    return _weights_among(found, path.name, graph)


def _model_bytes(name: str, file: LocalFile) -> bytes:
    verify_head(name, _head(file))
    if name.lower().endswith(_ONNX) and file.size > LIMITS.max_onnx_graph_bytes:
        raise UnsupportedError(
            f"{name!r} has 2 GiB or more",
            code="onnx-size",
            hint="save it with external data: onnx.save(model, path, save_as_external_data=True)",
        )
    return file.read()


def _is_model(name: str) -> bool:
    return name.lower().endswith((_ONNX, _SKOPS))


def _is_boosted(name: str, file: LocalFile) -> bool:
    # By content: these formats have endings that plain data has as well.
    return not _is_model(name) and boosted.library_in(_head(file)) is not None


def _verify_harmless(name: str, file: LocalFile) -> None:
    with file.open() as content:
        verify_harmless(name, content)


@contextmanager
def needing(extra: str, what: str) -> Iterator[None]:
    """Say which extra to install if an import in the block fails.

    Raises:
        UnsupportedError: it fails (code ``extra-missing``).
    """
    try:
        yield
    except ImportError as error:
        raise extra_missing(extra, what) from error


def _head(file: LocalFile) -> bytes:
    with file.open() as content:
        return content.read(HEAD_BYTES)


def _unknown(name: str) -> UnsupportedError:
    return UnsupportedError(
        f"{name!r} holds no model that can be sealed",
        code="unknown-model",
        hint="a file of ONNX, skops, LightGBM, XGBoost or CatBoost is needed; others can be exported to ONNX",
    )
