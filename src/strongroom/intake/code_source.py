"""The owner's own code as a source: a folder with modules, data, and ``strongroom.toml``.

    entry = "scorer.py:Scorer"
    imports = ["numpy"]
    inputs = [{ name = "x", datatype = "FP64", shape = [-1, 30] }]
    outputs = [{ name = "risk", datatype = "FP64", shape = [-1] }]

That is what the description holds; ``methods`` (``["predict"]``), ``columns``, ``classes`` and
``python``, the version from which on it runs (else that of this interpreter), may be left out. The
source is parsed and never run or imported: what it does is shown where it is confined. Everything
beside it is data, and checked as in any package.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from strongroom.errors import FormatError, UsageError
from strongroom.intake.bom import versions
from strongroom.intake.folder import Left, LocalFile, scan
from strongroom.intake.material import Part, Source, SourceFile, in_memory, on_disk
from strongroom.intake.refuse import verify_harmless
from strongroom.loaders.interface import METHODS
from strongroom.loaders.python import CLASS, IMPORTS, VERSION
from strongroom.loaders.python_modules import module_names
from strongroom.package.contents import Field, Loader, Schema, verify_schema

DESCRIPTION: Final = "strongroom.toml"
_DISTRIBUTIONS: Final = {"sklearn": "scikit-learn", "xgboost": "xgboost-cpu"}


class _Description(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    entry: str
    inputs: list[Field]
    outputs: list[Field]
    imports: list[str] = []
    python: str | None = None
    methods: list[str] = msgspec.field(default_factory=lambda: ["predict"])
    columns: list[str] = []
    classes: list[str | int] = []


def from_folder(folder: Path) -> Source:
    """Make a source of a folder.

    Raises:
        UsageError: ``code-description``, ``code-entry``, ``code-syntax``, ``import-undeclared``, or a file
            that is not plain or was changed.
        FormatError: ``module-name``.
        UnsupportedError: data that could run code when it is loaded.
        StorageError: a file that is not there or cannot be read.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise UsageError(
            f"{folder.name!r} is no folder",
            code="code-description",
            hint=f"pass the folder that holds the code and its {DESCRIPTION}",
        )
    found = scan(folder)
    described = _read_description(found.files.pop(DESCRIPTION, None))
    modules = module_names(found.files)
    sources = {file: found.files[file].read() for file in modules.values()}
    trees = {file: _parsed(file, data) for file, data in sources.items()}
    entry, kind = _verify_entry(described.entry, trees)
    _verify_imports(described.imports, modules, trees)
    return Source(
        files=tuple(_files(found.files, sources)),
        loader=Loader(name="python", entry=entry, options=_options(described, kind)),
        schema=_schema(described),
        left=(*found.left, Left(DESCRIPTION, "what it says is in the encrypted contents")),
        libraries=versions(_DISTRIBUTIONS.get(name, name) for name in sorted(_tops(described.imports))),
        reference=None,
        is_converted=False,
    )


def _read_description(file: LocalFile | None) -> _Description:
    if file is None:
        raise UsageError(
            f"the folder has no {DESCRIPTION}, which says what the code takes and gives",
            code="code-description",
            hint='it holds entry = "scorer.py:Scorer", imports, inputs and outputs',
        )
    try:
        return msgspec.convert(tomllib.loads(file.read().decode("utf-8")), _Description)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{DESCRIPTION}: {error}", code="code-description") from error


def _parsed(file: str, data: bytes) -> ast.Module:
    try:
        return ast.parse(data, file)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        where = file if line is None else f"{file}, line {line}"
        raise UsageError(
            f"{where} is no Python source that this interpreter reads", code="code-syntax"
        ) from error


def _verify_entry(entry: str, trees: Mapping[str, ast.Module]) -> tuple[str, str]:
    file, _, kind = entry.partition(":")
    if file not in trees or kind not in _bound(trees[file]):
        raise UsageError(
            f"{entry!r} names no class of the folder",
            code="code-entry",
            hint='entry = "FILE.py:CLASS", a class at the top level of that file',
        )
    return file, kind


def _bound(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


def _verify_imports(declared: list[str], modules: Mapping[str, str], trees: Mapping[str, ast.Module]) -> None:
    """Check that a partner is told of every library before the code runs."""
    own = _tops(modules)
    wrong = [name for name in declared if not all(part.isidentifier() for part in name.split("."))]
    wrong += sorted(own & _tops(declared))
    if wrong:
        raise UsageError(
            f"{DESCRIPTION}: {wrong[0]!r} is no library",
            code="code-description",
            hint="imports names modules",
        )
    used = {top for tree in trees.values() for top in _imported(tree)}
    missing = sorted(used - own - _tops(declared) - sys.stdlib_module_names)
    if missing:
        raise UsageError(
            f"the code imports what {DESCRIPTION} does not declare: {', '.join(missing)}",
            code="import-undeclared",
            hint=f"imports = {sorted({*declared, *missing})}".replace("'", '"'),
        )


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield node.module.partition(".")[0]


def _tops(names: Any) -> set[str]:
    return {name.partition(".")[0] for name in names}


def _options(described: _Description, kind: str) -> dict[str, str | int | bool | list[str]]:
    version = described.python or ".".join(map(str, sys.version_info[:2]))
    if not all(part.isascii() and part.isdigit() for part in version.split(".")):
        raise UsageError(
            f"{DESCRIPTION}: {version!r} is no version", code="code-description", hint='python = "3.11"'
        )
    return {CLASS: kind, IMPORTS: described.imports, VERSION: version}


def _schema(described: _Description) -> Schema:
    schema = Schema(
        inputs=described.inputs,
        outputs=described.outputs,
        columns=described.columns,
        classes=described.classes,
        methods=described.methods,
    )
    try:
        verify_schema(schema)
    except FormatError as error:
        raise UsageError(f"{DESCRIPTION}: {error}", code="code-description") from error
    if not (schema.inputs and schema.outputs and schema.methods and set(schema.methods) <= set(METHODS)):
        raise UsageError(
            f"{DESCRIPTION}: inputs, outputs and methods are needed",
            code="code-description",
            hint=f"a method is one of: {', '.join(METHODS)}",
        )
    return schema


def _files(found: Mapping[str, LocalFile], sources: Mapping[str, bytes]) -> Iterator[SourceFile]:
    for name in sorted(found):
        if name in sources:
            # What was parsed is what is sealed.
            yield in_memory(name, sources[name])
            continue
        with found[name].open() as content:
            verify_harmless(name, content)
        yield on_disk(name, found[name], Part.DATA)
