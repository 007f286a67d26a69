"""Every vector of spec/package.md gives exactly its outcome, along every way to read a package."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from strongroom.errors import (
    Error,
    FormatError,
    IntegrityError,
    NoMatchingKey,
    UnsupportedError,
    VerificationError,
)
from strongroom.package.inspect import inspect, verify_package
from strongroom.package.manifest import verify_manifest
from strongroom.package.reader import PackageReader
from strongroom.storage.memory import MemorySource
from tests.vectors import package_vectors
from tests.vectors.package_vectors import Vector, read_vector

OUTCOMES: dict[str, type[Error]] = {
    "format": FormatError,
    "integrity": IntegrityError,
    "verification": VerificationError,
    "no-match": NoMatchingKey,
    "unsupported": UnsupportedError,
}


def _read_everything(vector: Vector) -> str:
    """Take all the steps of the specification; returns the SHA-256 of the payload."""
    reader = vector.open()
    reader.verify_segments()
    package = reader.unlock(vector.content_key)
    verify_manifest(package)
    payload = bytearray(package.statement.payload_bytes)
    package.payload_into(0, payload)
    return hashlib.sha256(payload).hexdigest()


@pytest.mark.parametrize("name", package_vectors.names())
def test_vector(name: str) -> None:
    vector = read_vector(name)
    if vector.expect == "success":
        assert _read_everything(vector) == vector.header["payload-sha256"]
        return
    with pytest.raises(Error) as outcome:
        _read_everything(vector)
    assert type(outcome.value) is OUTCOMES[vector.expect]


@pytest.mark.parametrize("name", package_vectors.names())
def test_what_the_owner_did_not_sign_is_seen_without_the_content_key(name: str) -> None:
    """Only what is wrong inside the encryption, or in the plaintext, needs the key to be seen."""
    vector = read_vector(name)
    source, owner = MemorySource(vector.package), vector.header["owner"]
    inside = ("format-contents", "format-name", "format-padding", "integrity-file", "integrity-wrong")
    if vector.expect in ("success", "no-match") or name.startswith(inside):
        verify_package(source, [vector.key], owner=owner)
    else:
        with pytest.raises(OUTCOMES[vector.expect]):
            verify_package(source, [vector.key], owner=owner)


@pytest.mark.parametrize("name", package_vectors.names())
def test_inspecting_gives_a_statement_or_a_format_error(name: str) -> None:
    vector = read_vector(name)
    try:
        seen = inspect(MemorySource(vector.package))
    except FormatError:
        assert vector.expect == "format"
        return
    assert seen.file_bytes == len(vector.package)


@pytest.mark.parametrize("name", [name for name in package_vectors.names() if name.startswith("success")])
def test_a_good_package_opens_pinned_and_file_by_file(name: str) -> None:
    vector = read_vector(name)
    digest = vector.open().statement.package_digest
    pinned = PackageReader.open_pinned(MemorySource(vector.package), package_digest=digest)
    package = pinned.unlock(vector.content_key)
    for file in package.contents.files:
        assert hashlib.sha256(package.read(file.name)).hexdigest() == file.sha256


def test_there_is_a_vector_for_every_outcome() -> None:
    assert {vector.expect for vector in package_vectors.vectors()} == {"success", *OUTCOMES}


def test_headers_have_the_members_of_the_specification() -> None:
    members = ["expect", "comment", "owner", "package-key", "content-key"]
    for vector in package_vectors.vectors():
        expected = [*members, "payload-sha256"] if vector.expect == "success" else members
        assert list(vector.header) == expected, vector.name


def _generator() -> ModuleType:
    path = package_vectors.VECTORS / "generate_package.py"
    spec = importlib.util.spec_from_file_location("generate_package", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generator_writes_these_files_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    generator = _generator()
    monkeypatch.setattr(generator, "FOLDER", tmp_path / "package")
    generator.main()
    written = {path.name: path.read_bytes() for path in (tmp_path / "package").iterdir()}
    committed = {path.name: path.read_bytes() for path in package_vectors.FOLDER.iterdir()}
    assert written.keys() == committed.keys()
    assert [name for name in written if written[name] != committed[name]] == []


def test_the_generator_is_independent() -> None:
    for name in ("generate_package.py", "package_toolkit.py"):
        text = (package_vectors.VECTORS / name).read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) strongroom", text, re.MULTILINE)
