"""The bill of materials is CycloneDX 1.6 by the official schema, and says what is in the package."""

from __future__ import annotations

import json
from typing import Any

import pytest

from strongroom._encoding import canonical_json, parse_canonical_json
from strongroom.intake.bom import make_bom, versions
from strongroom.intake.source import read_source
from strongroom.package.contents import FileEntry, Loader
from tests.unit.intake import models


def _bom(*, convert: str | None = None) -> Any:
    source = read_source(models.pipeline(), name="risk", sample=models.matrix()[0][:5], convert=convert)
    files = [FileEntry(name=file.name, size=file.size, sha256="ab" * 32) for file in source.files]
    files.append(FileEntry(name="sub/notes ü.txt", size=3, sha256="cd" * 32))
    return make_bom(
        name="risk",
        version="1.2.0",
        files=files,
        loader=source.loader,
        schema=source.schema,
        libraries=source.libraries,
    )


@pytest.mark.parametrize("convert", [None, "onnx"])
def test_it_is_valid(convert: str | None) -> None:
    # Not at the top: every process that collects tests would spend three seconds on grammars of addresses.
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    errors = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(_bom(convert=convert)))
    assert errors is None, errors


def test_it_fits_into_the_contents() -> None:
    bom = _bom()
    assert parse_canonical_json(canonical_json(bom), max_depth=32) == bom
    assert _bom() == bom, "no date, no serial number"


def test_it_names_files_libraries_and_tensors() -> None:
    bom = _bom()
    model = bom["metadata"]["component"]
    assert model["type"] == "machine-learning-model"
    assert (model["name"], model["version"]) == ("risk", "1.2.0")
    assert model["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert [file["name"] for file in model["components"]] == ["risk.skops", "sub/notes ü.txt"]
    assert model["modelCard"]["modelParameters"]["inputs"] == [{"format": "input: FP64 [any, 30]"}]
    libraries = {component["name"]: component["version"] for component in bom["components"]}
    assert set(libraries) == {"numpy", "scikit-learn", "scipy", "skops"}
    assert bom["components"][1]["purl"] == f"pkg:pypi/scikit-learn@{libraries['scikit-learn']}"


def test_libraries_that_are_not_installed_are_left_out() -> None:
    assert set(versions(["numpy", "no-such-library-at-all"])) == {"numpy"}


def test_a_package_without_its_entry_is_a_bug() -> None:
    schema = read_source(models.pipeline(), name="risk").schema
    with pytest.raises(StopIteration):
        make_bom(
            name="risk",
            version="1.0.0",
            files=[],
            loader=Loader(name="skops", entry="x"),
            schema=schema,
            libraries={},
        )
