"""The bill of materials of a sealed model: CycloneDX 1.6, as a plain dictionary.

    bom = make_bom(name="risk", version="1.0.0", files=contents.files, loader=loader, schema=schema,
                   libraries={"scikit-learn": "1.9.1"})

It says what the package holds (each file with its SHA-256), what the model takes and
gives, and with which versions of which libraries it was made. It has neither a date nor
a serial number: the same model gives the same document. https://cyclonedx.org/docs/1.6
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any
from urllib.parse import quote

from strongroom.package.contents import Field, FileEntry, Loader, Schema


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Return the installed versions of those libraries that are installed."""
    found = {}
    for library in libraries:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def make_bom(
    *,
    name: str,
    version: str,
    files: Sequence[FileEntry],
    loader: Loader,
    schema: Schema,
    libraries: Mapping[str, str],
) -> dict[str, Any]:
    """Return the bill of materials.

    Args:
        name: the name of the model.
        version: its version.
        files: every file of the package, with its digest.
        loader: how the files become a model.
        schema: what the model takes and gives.
        libraries: name and version of each library that it was made with.
    """
    model_ref = f"model:{name}@{version}"
    components = [_library(library, libraries[library]) for library in sorted(libraries)]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": _model(model_ref, name, version, files, loader, schema)},
        "components": components,
        "dependencies": [
            {"ref": model_ref, "dependsOn": [component["bom-ref"] for component in components]},
            *({"ref": component["bom-ref"]} for component in components),
        ],
    }


def _model(
    ref: str, name: str, version: str, files: Sequence[FileEntry], loader: Loader, schema: Schema
) -> dict[str, Any]:
    entry = next(file for file in files if file.name == loader.entry)
    return {
        "type": "machine-learning-model",
        "bom-ref": ref,
        "name": name,
        "version": version,
        "hashes": [_digest(entry)],
        "components": [_file(file) for file in files],
        "modelCard": {
            "modelParameters": {
                "inputs": [{"format": _format(field)} for field in schema.inputs],
                "outputs": [{"format": _format(field)} for field in schema.outputs],
            }
        },
        "properties": [
            {"name": "strongroom:loader", "value": loader.name},
            {"name": "strongroom:entry", "value": loader.entry},
        ],
    }


def _file(file: FileEntry) -> dict[str, Any]:
    return {"type": "file", "bom-ref": f"file:{file.name}", "name": file.name, "hashes": [_digest(file)]}


def _digest(file: FileEntry) -> dict[str, str]:
    return {"alg": "SHA-256", "content": file.sha256}


def _format(field: Field) -> str:
    shape = ", ".join("any" if size < 0 else str(size) for size in field.shape)
    return f"{field.name}: {field.datatype} [{shape}]"


def _library(name: str, version: str) -> dict[str, Any]:
    address = f"pkg:pypi/{quote(name.lower())}@{quote(version)}"
    return {"type": "library", "bom-ref": address, "name": name, "version": version, "purl": address}
